#include "core/vocabulary.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { VOCABULARY_LIMIT = 1 << 24 };

/* Converters pad a vocabulary to the size of the embedding with "[PAD<id>]", some of them as user-defined tokens, which
 * would be cut out of every text.  The model's own tokeniser knows nothing of them. */
static bool is_padding(const struct gguf_string *text, size_t id)
{
    char name[32];
    int length = snprintf(name, sizeof name, "[PAD%zu]", id);
    return text->length == (size_t)length && !memcmp(text->data, name, (size_t)length);
}

static int read_types(const struct gguf *file, struct vocabulary *v, struct error *error)
{
    const struct gguf_entry *entry = gguf_find(file, "tokenizer.ggml.token_type");
    if (entry && (entry->type != GGUF_ARRAY || entry->element == GGUF_STRING || entry->count != v->count))
        return error_set(error, ERROR_FORMAT, "tokenizer.ggml.token_type is not one number for each of %zu tokens",
                         v->count);
    v->types = malloc(v->count);
    if (!v->types)
        return error_set(error, ERROR_MEMORY, "out of memory for %zu tokens", v->count);
    for (size_t i = 0; i < v->count; i++) {
        int64_t type = entry ? gguf_element_int(entry, i) : TOKEN_TYPE_NORMAL;
        if (type < 0 || type > TOKEN_TYPE_BYTE)
            return error_set(error, ERROR_FORMAT, "token %zu is of the unknown type %lld", i, (long long)type);
        if (type == 0) /* "undefined" in some old files */
            type = TOKEN_TYPE_NORMAL;
        v->types[i] = (uint8_t)(is_padding(&v->texts[i], i) ? TOKEN_TYPE_UNUSED : type);
    }
    return 0;
}

static int read_scores(const struct gguf *file, struct vocabulary *v, struct error *error)
{
    const struct gguf_entry *entry = gguf_find(file, "tokenizer.ggml.scores");
    if (!entry)
        return 0;
    if (entry->type != GGUF_ARRAY || entry->element == GGUF_STRING || entry->count != v->count)
        return error_set(error, ERROR_FORMAT, "tokenizer.ggml.scores is not one number for each of %zu tokens",
                         v->count);
    v->scores = malloc(v->count * sizeof *v->scores);
    if (!v->scores)
        return error_set(error, ERROR_MEMORY, "out of memory for %zu tokens", v->count);
    for (size_t i = 0; i < v->count; i++) {
        double score = gguf_element_float(entry, i);
        if (!(fabs(score) <= 3e38))
            return error_set(error, ERROR_FORMAT, "token %zu has a score that is not a number", i);
        v->scores[i] = (float)score;
    }
    return 0;
}

int vocabulary_open(const struct gguf *file, struct vocabulary *v, struct error *error)
{
    *v = (struct vocabulary){.unknown = -1};
    const struct gguf_entry *entry = gguf_find(file, "tokenizer.ggml.tokens");
    if (!entry || entry->type != GGUF_ARRAY || entry->element != GGUF_STRING)
        return error_set(error, ERROR_FORMAT, "the file has no vocabulary (tokenizer.ggml.tokens)");
    if (entry->count < 1 || entry->count > VOCABULARY_LIMIT)
        return error_set(error, ERROR_FORMAT, "a vocabulary of %llu tokens is not possible",
                         (unsigned long long)entry->count);
    v->count = (size_t)entry->count;
    v->texts = entry->strings;
    int code = read_types(file, v, error);
    if (!code)
        code = read_scores(file, v, error);
    if (!code)
        code = vocabulary_id(file, "tokenizer.ggml.unknown_token_id", v->count, &v->unknown, error);
    if (code)
        vocabulary_close(v);
    return code;
}

void vocabulary_close(struct vocabulary *v)
{
    free(v->types);
    free(v->scores);
    *v = (struct vocabulary){0};
}

int vocabulary_id(const struct gguf *file, const char *key, size_t count, int32_t *id, struct error *error)
{
    int64_t value = *id;
    int code = gguf_int(file, key, -1, UINT32_MAX, &value, error);
    if (code)
        return code;
    if (value == UINT32_MAX)
        value = -1;
    if (value >= (int64_t)count)
        return error_set(error, ERROR_FORMAT, "%s is %lld, but there are only %zu tokens", key, (long long)value,
                         count);
    *id = (int32_t)value;
    return 0;
}

int token_list_add(struct token_list *list, struct token token, struct error *error)
{
    if (list->count == list->capacity) {
        size_t capacity = list->capacity ? 2 * list->capacity : 64;
        struct token *tokens = realloc(list->tokens, capacity * sizeof *tokens);
        if (!tokens)
            return error_set(error, ERROR_MEMORY, "out of memory for %zu tokens", capacity);
        list->tokens = tokens;
        list->capacity = capacity;
    }
    list->tokens[list->count++] = token;
    return 0;
}
