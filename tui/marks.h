/* marks.h: a map as numbers, one for every unit that can win.
 *
 * Read from an explanation, or guessed without any model, to hold the former against. */
#ifndef TUI_MARKS_H
#define TUI_MARKS_H

#include "core/chance.h"
#include "tui/truth.h"

/* Over the units of a truth: arrays [truth.count]. */
struct marks {
    double *relevance; /* what ranks the units; NULL: there is no such map */
    /* >= 0: the squares, summed over the answer's tokens; the shares or guesses that they stand in for */
    double *weight;
};

/* All 0.  ERROR_MEMORY; marks_free() in any case. */
int marks_new(struct marks *, size_t count, struct error *);
void marks_free(struct marks *); /* what it holds */

/* What the explanation says.  shares: of attention, which are not squared.  m is new. */
void marks_read(struct marks *m, const struct explanation *, const struct truth *, bool shares);

enum marks_guess {
    MARKS_RANDOM,
    MARKS_UNIFORM,
    MARKS_RECENCY, /* the later, the more */
    MARKS_CENTRE,  /* patches: 1 at the picture's centre, 0 in its corners */
};
void marks_guess(struct marks *, enum marks_guess, const struct explanation *, const struct truth *,
                 struct chance *);

#endif
