/* align.h: which parts of one text stand in another, in order.
 *
 * Pure functions over two lists of texts: units of two prompts, tokens of two outputs, of different models if need be.
 * Knows nothing of what the texts are.  A list of *partners* has for each text of a list the number of the one it is
 * paired with in the other, or -1. */
#ifndef TUI_ALIGN_H
#define TUI_ALIGN_H

#include <stdbool.h>
#include <stddef.h>

struct align_text {
    const char *text; /* borrowed; not terminated */
    size_t length;
};

bool align_same(struct align_text, struct align_text);

/* Pair equal texts of a [n] and b [m] in order: along a longest common subsequence where the lists are alike, along a
 * good one where more than ALIGN_EDITS of their texts are not.  Writes a_to_b [n] and b_to_a [m].
 * false: no memory; nothing is paired then.  O((n + m) * ALIGN_EDITS). */
enum { ALIGN_EDITS = 256 };
bool align_texts(const struct align_text *a, size_t n, const struct align_text *b, size_t m, long *a_to_b,
                 long *b_to_a);

/* Pair what stands alone between the same two pairs (or ends) with each other as well, the first with the first and so
 * on: what took the place of what. */
void align_replaced(long *a_to_b, size_t n, long *b_to_a, size_t m);

/* The text without the white space and ASCII punctuation around it, so that "hat." is the same word as " hat"; without
 * white space alone where there is nothing else. */
struct align_text align_word(const char *text, size_t length);

#endif
