/* words.h: the tokens of an output, one behind the other.
 *
 * Owns their joined text, where each token ends in it, and its layout; says which tokens another output does not have.
 * Draws nothing. */
#ifndef TUI_WORDS_H
#define TUI_WORDS_H

#include "tui/align.h"
#include "tui/layout.h"

struct words {
    char *text;
    size_t *ends;  /* [count] byte of text behind each token */
    bool *changed; /* [count] not in the other output of the last words_align() */
    size_t count;  /* tokens */
    size_t capacity, ends_capacity;
    struct layout layout;
};

void words_free(struct words *); /* start with zeroed words, which they are again then */
void words_clear(struct words *);
/* Add a token; false: no memory, and it is not there. */
bool words_add(struct words *, const char *text, size_t length);
/* Lay all of them out, as layout_text() does. */
void words_arrange(struct words *, int columns, wchar_t newline);
/* The byte at which the token begins, spaces before it left out; its end if it has nothing else. */
size_t words_start(const struct words *, size_t token);
/* The token's text, not terminated. */
const char *words_text(const struct words *, size_t token, size_t *length);

/* The same without the space before it, by which words of different tokenisers, and first words, are the same. */
struct align_text words_bare(const struct words *, size_t token);

/* Which token of a [a->count] stands for which of b and back, as in align.h; one that was replaced is paired with what
 * took its place, and where they part, that with what the other says there.  Marks as changed those of both that have
 * no partner of the same bare text.  Either list may be NULL. false: no memory; nothing is paired or changed then. */
bool words_align(struct words *a, struct words *b, long *a_to_b, long *b_to_a);

#endif
