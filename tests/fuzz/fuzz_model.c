/* fuzz_model.c: libFuzzer's way into what is made of a model file once its bytes are sound: the check of shapes, and
 * the tokeniser, which is opened and used.
 *
 * The vocabulary is as untrusted as the rest of the file; the library that runs half of the tokenisers is not ours. */
#include "core/gguf.h"
#include "core/model.h"
#include "core/tokenizer.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void encode(const struct tokenizer *tokenizer, const char *text, size_t length, unsigned flags)
{
    struct token *tokens = NULL;
    size_t count = 0;
    if (tokenizer_encode(tokenizer, text, length, flags, &tokens, &count, NULL) != 0)
        return;
    for (size_t i = 0; i < count; i++)
        if (tokens[i].id < 0 || tokens[i].id >= tokenizer_size(tokenizer) || tokens[i].start > tokens[i].end ||
            tokens[i].end > length)
            abort();
    free(tokens);
}

static size_t walk_tokens(const struct tokenizer *tokenizer)
{
    size_t sum = 0;
    for (int32_t id = -1; id <= tokenizer_size(tokenizer); id++) {
        size_t length = 0;
        const char *text = tokenizer_text(tokenizer, id, &length);
        for (size_t i = 0; i < length; i++)
            sum += (unsigned char)text[i];
        sum += tokenizer_is_special(tokenizer, id) + tokenizer_is_end(tokenizer, id);
    }
    return sum;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char text[] = "A b\n  it's 2024, <s>\xe2\x96\x81 gr\xc3\xbc\xc3\x9f \xf0\x9f\x98\x80\0!";
    struct gguf *gguf;
    struct tokenizer *tokenizer;
    struct error error = {0};
    if (gguf_open_memory(data, size, &gguf, NULL) != 0)
        return 0;
    int code = model_check(gguf, &error);
    if (code && (error.code != code || !error.message[0]))
        abort();
    error = (struct error){0};
    code = tokenizer_open(gguf, NULL, &tokenizer, &error);
    if (code && (error.code != code || !error.message[0]))
        abort();
    if (code == 0) {
        if (walk_tokens(tokenizer) == SIZE_MAX || !*tokenizer_name(tokenizer))
            abort();
        encode(tokenizer, text, sizeof text - 1, 0);
        encode(tokenizer, text, sizeof text - 1, TOKENIZE_START | TOKENIZE_SPECIALS);
        encode(tokenizer, "", 0, TOKENIZE_START);
        encode(tokenizer, (const char *)data, size < 64 ? size : 64, 0);
        tokenizer_close(tokenizer);
    }
    gguf_close(gguf);
    return 0;
}
