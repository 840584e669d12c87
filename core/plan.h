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
    int *order;    /* [units]: cheapest first, that is the latest start first */
};

/* sees [positions, 2] host or NULL: as baseline_sees() has it.
 * embedding [positions, width] f32 host: the decoder's input, for similarity; not looked at when that is off.
 * Unit of tokens a .. b with factor f: the unit's own keys get 1 - (1 - f) share, and with similarity every other key k
 * whose cosine s to the nearest of the unit's tokens is >= method.similarity gets 1 - (1 - f) s (never below 0). */
int plan_new(const struct unit *units, int unit_count, int positions, const int32_t *sees, const struct method *,
             const float *embedding, int width, struct plan **, struct error *);
void plan_free(struct plan *); /* NULL ok */

#endif
