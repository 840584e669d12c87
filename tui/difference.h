/* difference.h: two explanations held against each other: which unit and which output token of the one is which of the
 * other, and how much more or less it weighs.
 *
 * `before` is the one that was kept, `now` the one on the screen.  Units are paired by their words, in order; patches
 * by their places, if the picture is the same; special ones not at all.  Units of other sizes find no partners, so
 * which words are new is asked of the prompts' texts, not of units.  Pure; knows nothing of a screen. */
#ifndef TUI_DIFFERENCE_H
#define TUI_DIFFERENCE_H

#include "tui/map.h"
#include "tui/words.h"

struct difference {
    /* partners, or -1 */
    long *unit_before, *unit_after;   /* [units], [units_before] */
    long *token_before, *token_after; /* [tokens], [tokens_before]: what was replaced has what took its place */
    size_t units, units_before, tokens, tokens_before;
    /* of each byte of the prompts, whether it belongs to a word that the other one lacks */
    bool *fresh, *gone; /* [length], [length_before] */
    size_t length, length_before;
};

/* Pair them, given the texts of their outputs, in which what changed is marked.  Start with a zeroed difference.
 * false: no memory; nothing is paired then. */
bool difference_make(struct difference *, const struct explanation *before, struct words *before_said,
                     const struct explanation *now, struct words *now_said);
void difference_free(struct difference *);

/* Partners, -1: none; any number may be asked for. */
long difference_unit_before(const struct difference *, long unit);
long difference_unit_after(const struct difference *, long unit_before);
long difference_token_before(const struct difference *, size_t token);
long difference_token_after(const struct difference *, size_t token_before);

/* Whether the byte of the prompt of now, or of before, belongs to a word that the other prompt does not have. */
bool difference_is_fresh(const struct difference *, size_t byte);
bool difference_is_gone(const struct difference *, size_t byte_before);

/* How much more a unit of now weighs than before, in nats; NAN where one of both is not measured or there is none. */
double difference_value(const struct difference *, const struct map *before, const struct map *now, long unit);
/* The greatest absolute difference of units that may set the scale in both. */
double difference_limit(const struct difference *, const struct map *before, const struct map *now);
/* -1 .. 1 for colours; 0 under the noise floors of both. */
double difference_position(const struct difference *, const struct map *before, const struct map *now, double limit,
                           long unit);
/* The n units of now that changed most, of those that count in both, first the one that changed most.  Returns how many
 * there are. */
size_t difference_top(const struct difference *, const struct map *before, const struct map *now, long *units,
                      size_t n);

#endif
