/* plan.h: which keys each probe turns up or down, and in which order the probes run.
 *
 * Pure host arithmetic (AtMan, arXiv 2301.08110, sections 3.1 and 3.3). */
#ifndef CORE_PLAN_H
#define CORE_PLAN_H

#include "core/engine.h"

struct plan {
    int units, positions;
    float *factor; /* [units, positions]: multiplier of every key in the probe of this unit */
    int *start;    /* [units]: the first position that sees a key whose factor is not 1; positions if there is none */
    int *order;    /* [units]: cheapest first, that is the latest start first, until someone knows better */
};

/* The sequence that the units lie in. */
struct plan_ground {
    int positions;
    const int32_t *sees;    /* [positions, 2] host or NULL: as baseline_sees() has it */
    const float *embedding; /* [positions, width] f32 host: the decoder's input, for similarity; else not looked at */
    int width;
    const struct picture *pictures; /* [picture_count], for windows */
    size_t picture_count;
};

/* Unit with factor f: its own keys get 1 - (1 - f) share, and with similarity every other key k whose cosine s to the
 * nearest of the unit's tokens is >= the similarity gets 1 - (1 - f) s (never below 0).
 * Units of text go by method.similarity, and any key of the sequence may be such a neighbour.  Units of pictures go by
 * method.image_similarity; with method.window = N > 0 a key k is looked at only if it is a patch of the same picture,
 * and s is its cosine to the nearest of those of the unit's patches that are at most N / 2 (rounded down) columns and
 * as many rows away from it; with window 0 they are as units of text (the paper's rule). */
int plan_new(const struct unit *units, int unit_count, const struct plan_ground *, const struct method *,
             struct plan **, struct error *);
/* Sets of units to be suppressed together. */
struct plan_set {
    const int *unit; /* [count] */
    int count;
};
/* A plan whose "units" are sets of units of another: a set's factors are the products of its units', as steering has
 * them, each unit's own suppression on top of the others'; so a set of one is the unit's own probe. */
int plan_join(const struct plan *, const struct plan_set *, int set_count, struct plan **, struct error *);
/* Whether that looks at embeddings, in a sequence of so many pictures. */
bool plan_looks_around(const struct method *, size_t picture_count);
/* Forget the factors and the order, which only runs need. */
void plan_trim(struct plan *);
void plan_free(struct plan *); /* NULL ok */

#endif
