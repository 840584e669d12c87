/* fake_tokenizer.c: the tokeniser of the engine without a model; see fake_engine.h.
 *
 * Owns a made-up implementation of core/tokenizer.h: <s>, then words with the space before them, at most 6 letters
 * each; other characters alone, and a character of 4 bytes as 4 tokens.  Ids are given out as words are met. */
#include "tests/tui/fake_engine.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "core/tokenizer.h"

/* Words get their ids as they are met: the first ones are the output's, so those are always the same. */
enum { VOCABULARY = 4096 };

struct tokenizer {
    pthread_mutex_t lock;
    char *words[VOCABULARY];
    size_t lengths[VOCABULARY];
    int count;
};

static const char *const output_words[] = {
    " A",   " blue", " hat",         ".",  " red", " ball", " green", " Anna", " Tom", " has", " the",
    " box", " 日本", " caf\xc3\xa9", "\n", " and", " not",  " it",    " in",   ",",    " one", " two",
};
_Static_assert(sizeof output_words / sizeof *output_words == FAKE_WORDS, "as the header says");

static int word_id(struct tokenizer *tokenizer, const char *text, size_t length)
{
    int id = 0;
    pthread_mutex_lock(&tokenizer->lock);
    while (id < tokenizer->count &&
           (tokenizer->lengths[id] != length || memcmp(tokenizer->words[id], text, length) != 0))
        id++;
    if (id == tokenizer->count && id < VOCABULARY) {
        tokenizer->words[id] = malloc(length + 1);
        memcpy(tokenizer->words[id], text, length);
        tokenizer->lengths[id] = length;
        tokenizer->count++;
    }
    pthread_mutex_unlock(&tokenizer->lock);
    return id < VOCABULARY ? id : FAKE_END;
}

struct tokenizer *fake_tokenizer_new(void)
{
    struct tokenizer *tokenizer = calloc(1, sizeof *tokenizer);
    pthread_mutex_init(&tokenizer->lock, NULL);
    word_id(tokenizer, "<s>", 3);
    word_id(tokenizer, "</s>", 4);
    for (int i = 0; i < FAKE_WORDS; i++)
        word_id(tokenizer, output_words[i], strlen(output_words[i]));
    return tokenizer;
}

int tokenizer_of_pieces(const struct tokenizer_piece *pieces, size_t count, struct tokenizer **result,
                        struct error *error)
{
    (void)error;
    *result = fake_tokenizer_new();
    for (size_t i = 0; i < count && pieces[i].id < VOCABULARY; i++) {
        int id = pieces[i].id;
        for (; (*result)->count <= id; (*result)->count++) {
            (*result)->words[(*result)->count] = calloc(1, 1);
            (*result)->lengths[(*result)->count] = 0;
        }
        free((*result)->words[id]);
        (*result)->words[id] = malloc(pieces[i].length + 1);
        memcpy((*result)->words[id], pieces[i].text, pieces[i].length);
        (*result)->lengths[id] = pieces[i].length;
    }
    return 0;
}

void tokenizer_close(struct tokenizer *tokenizer)
{
    if (!tokenizer)
        return;
    for (int i = 0; i < tokenizer->count; i++)
        free(tokenizer->words[i]);
    pthread_mutex_destroy(&tokenizer->lock);
    free(tokenizer);
}

const char *tokenizer_text(const struct tokenizer *tokenizer, int32_t id, size_t *length)
{
    bool known = id >= 0 && id < tokenizer->count;
    *length = known ? tokenizer->lengths[id] : 0;
    return known ? tokenizer->words[id] : "";
}

bool tokenizer_is_special(const struct tokenizer *tokenizer, int32_t id)
{
    (void)tokenizer;
    return id == FAKE_START || id == FAKE_END;
}

bool tokenizer_is_end(const struct tokenizer *tokenizer, int32_t id)
{
    (void)tokenizer;
    return id == FAKE_END;
}

int tokenizer_size(const struct tokenizer *tokenizer)
{
    (void)tokenizer;
    return VOCABULARY;
}

const char *tokenizer_name(const struct tokenizer *tokenizer)
{
    (void)tokenizer;
    return "made up";
}

static bool is_word(unsigned char c)
{
    return c >= '0' && (c <= '9' || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z'));
}

/* The length of the token at text[i], and into how many tokens of a byte each it falls (1: it is whole). */
static size_t token_length(const char *text, size_t length, size_t i, size_t *pieces)
{
    size_t at = i;
    *pieces = 1;
    if (text[at] == ' ' && at + 1 < length && is_word(text[at + 1]))
        at++;
    while (at < length && is_word(text[at]) && at - i < 7)
        at++;
    if (at > i)
        return at - i;
    for (at = i + 1; at < length && (text[at] & 0xc0) == 0x80;)
        at++;
    if (at - i == 4)
        *pieces = 4;
    return at - i;
}

int tokenizer_encode(const struct tokenizer *constant, const char *text, size_t length, unsigned flags,
                     struct token **tokens, size_t *count, struct error *error)
{
    struct tokenizer *tokenizer = (struct tokenizer *)constant;
    size_t bad = utf8_check(text, length), n = 0;
    if (bad < length)
        return error_set(error, ERROR_FORMAT, "byte %zu is not UTF-8", bad);
    struct token *list = malloc((length + 1) * sizeof *list);
    if (flags & TOKENIZE_START)
        list[n++] = (struct token){.id = FAKE_START, .kind = TOKEN_SPECIAL};
    for (size_t i = 0; i < length;) {
        size_t pieces, size = token_length(text, length, i, &pieces);
        for (size_t p = 0; p < pieces; p++) {
            bool last = p + 1 == pieces;
            size_t from = pieces == 1 ? i : i + p, bytes = pieces == 1 ? size : 1;
            list[n++] = (struct token){
                .id = word_id(tokenizer, text + from, bytes), .start = i, .end = last ? i + size : i};
        }
        i += size;
    }
    *tokens = list;
    *count = n;
    return 0;
}

int tokenizer_encode_quoting(const struct tokenizer *tokenizer, const char *text, size_t length,
                             const struct span *quoted, size_t quoted_count, unsigned flags, struct token **tokens,
                             size_t *count, struct error *error)
{
    (void)quoted, (void)quoted_count; /* this vocabulary has no control tokens to be spelled */
    return tokenizer_encode(tokenizer, text, length, flags, tokens, count, error);
}
