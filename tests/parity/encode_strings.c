/* encode_strings.c: the tokeniser as a filter, for the comparison with the original packages.
 *
 *   encode_strings MODEL PRE start|continue|specials < records > tokens
 *
 * A record is a 32-bit length and as many bytes; for each the answer is a 32-bit count and as many (id, start, end),
 * each of 32 bits.  PRE "" is the file's.  On stderr: bytes, seconds. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/gguf.h"
#include "core/tokenizer.h"

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int answer(const struct tokenizer *tokenizer, const char *text, size_t length, unsigned flags, double *seconds)
{
    struct error error;
    struct token *tokens;
    size_t count;
    double start = now();
    if (tokenizer_encode(tokenizer, text, length, flags, &tokens, &count, &error)) {
        fprintf(stderr, "encode_strings: %s\n", error.message);
        return 1;
    }
    *seconds += now() - start;
    uint32_t word = (uint32_t)count;
    fwrite(&word, 4, 1, stdout);
    for (size_t i = 0; i < count; i++) {
        uint32_t words[3] = {(uint32_t)tokens[i].id, (uint32_t)tokens[i].start, (uint32_t)tokens[i].end};
        fwrite(words, 4, 3, stdout);
    }
    free(tokens);
    return 0;
}

static int answer_all(const struct tokenizer *tokenizer, unsigned flags)
{
    size_t bytes = 0;
    double seconds = 0;
    int failed = 0;
    for (uint32_t length; !failed && fread(&length, 4, 1, stdin) == 1; bytes += length) {
        char *text = malloc((size_t)length + 1);
        failed = !text || fread(text, 1, length, stdin) != length || answer(tokenizer, text, length, flags, &seconds);
        free(text);
    }
    fprintf(stderr, "%zu bytes %.4f seconds\n", bytes, seconds);
    return failed || fflush(stdout);
}

int main(int argc, char **argv)
{
    struct error error;
    struct gguf *file;
    struct tokenizer *tokenizer;
    if (argc != 4) {
        fprintf(stderr, "usage: encode_strings MODEL PRE start|continue|specials\n");
        return 2;
    }
    unsigned flags = strcmp(argv[3], "continue") ? TOKENIZE_START : 0;
    if (!strcmp(argv[3], "specials"))
        flags |= TOKENIZE_SPECIALS;
    if (gguf_open(argv[1], &file, &error)) {
        fprintf(stderr, "encode_strings: %s\n", error.message);
        return 1;
    }
    if (tokenizer_open(file, argv[2], &tokenizer, &error)) {
        fprintf(stderr, "encode_strings: %s\n", error.message);
        gguf_close(file);
        return 1;
    }
    int failed = answer_all(tokenizer, flags);
    tokenizer_close(tokenizer);
    gguf_close(file);
    return failed;
}
