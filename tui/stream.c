#include "tui/stream.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tui/output.h"
#include "tui/text.h"

int stream_add(struct stream *s, const char *text, size_t length, struct error *error)
{
    char *grown = realloc(s->bytes, s->length + length + 1);
    if (!grown)
        return error_set(error, ERROR_MEMORY, "out of memory");
    s->bytes = grown;
    memcpy(s->bytes + s->length, text, length);
    s->length += length;
    return 0;
}

int stream_take(struct stream *s, const struct explanation *e, const struct tokenizer *tokenizer, struct error *error)
{
    int code = 0;
    for (; code == 0 && s->tokens < e->output_count; s->tokens++) {
        int32_t id = e->output[s->tokens].id;
        size_t length;
        if (tokenizer_is_special(tokenizer, id))
            continue;
        const char *text = tokenizer_text(tokenizer, id, &length);
        code = stream_add(s, text, length, error);
    }
    return code;
}

size_t stream_ready(const struct stream *s)
{
    return s->bytes ? text_finished(s->bytes + s->printed, s->length - s->printed) : 0;
}

int stream_print(struct stream *s, size_t count, struct error *error)
{
    size_t size;
    char *clean = text_clean(s->bytes + s->printed, count, s->visible, &size);
    if (!clean)
        return error_set(error, ERROR_MEMORY, "out of memory");
    s->printed += count;
    int code = output_write_fd(STDOUT_FILENO, "standard output", clean, size, error);
    free(clean);
    return code;
}
