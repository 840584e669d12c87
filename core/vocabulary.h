/* vocabulary.h: the tokens of a model file as its metadata lists them, and the list that encoders append to.
 *
 * Reads and checks tokenizer.ggml.{tokens, scores, token_type}; what they mean is the encoders' business.  The texts
 * point into the file, which must outlive the vocabulary.  Immutable once open. */
#ifndef CORE_VOCABULARY_H
#define CORE_VOCABULARY_H

#include <stddef.h>
#include <stdint.h>

#include "core/gguf.h"
#include "core/tokenizer.h"

/* tokenizer.ggml.token_type; the same numbers as SentencePiece's. */
enum token_type {
    TOKEN_TYPE_NORMAL = 1,
    TOKEN_TYPE_UNKNOWN,
    TOKEN_TYPE_CONTROL,
    TOKEN_TYPE_USER_DEFINED,
    TOKEN_TYPE_UNUSED,
    TOKEN_TYPE_BYTE,
};

struct vocabulary {
    size_t count;                    /* 1 .. 2^24 */
    const struct gguf_string *texts; /* [count], of the file */
    uint8_t *types;                  /* [count] enum token_type */
    float *scores;                   /* [count] finite, or NULL where the file has none */
    int32_t unknown;                 /* tokenizer.ggml.unknown_token_id, or -1 */
};

/* ERROR_FORMAT where the arrays are missing, of different length, or hold what no vocabulary can. */
int vocabulary_open(const struct gguf *, struct vocabulary *, struct error *);
void vocabulary_close(struct vocabulary *);

/* A token id of the metadata: *id becomes -1 for a key that says "none" (-1 in any width) and is left alone where there
 * is no such key.  ERROR_FORMAT for an id outside the vocabulary. */
int vocabulary_id(const struct gguf *, const char *key, size_t count, int32_t *id, struct error *);

/* Tokens found so far; `tokens` is malloced and in the end the caller's. */
struct token_list {
    struct token *tokens;
    size_t count, capacity;
};

/* Returns 0 or ERROR_MEMORY. */
int token_list_add(struct token_list *, struct token, struct error *);

#endif
