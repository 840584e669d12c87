/* verdict.h: what an explanation says to what must hold.
 *
 * Pure: no model, no file.  A relevance may be off by the noise floor, so shares and ranks are ranges, and where a
 * limit lies within one the check is *undecided*.  That counts as failed: what cannot be shown does not hold. */
#ifndef TUI_VERDICT_H
#define TUI_VERDICT_H

#include <stdbool.h>
#include <stddef.h>

#include "core/engine.h"
#include "tui/guard.h"

/* A measured value and between what it may lie, all noise taken together. */
struct verdict_range {
    double value, low, high;
};

enum verdict_outcome { VERDICT_HELD, VERDICT_FAILED, VERDICT_UNDECIDED };

struct verdict {
    enum verdict_outcome outcome;
    struct verdict_range range; /* NAN for an answer */
};

/* The share that the named units have of the sum of all positive relevances [n], each of which may be off by `noise`; 0
 * where none is positive. */
struct verdict_range verdict_share(const double *relevance, const bool *named, size_t n, double noise);
/* The place of the best named unit, 1 for the greatest relevance [n].  One at least is named. */
struct verdict_range verdict_rank(const double *relevance, const bool *named, size_t n, double noise);
/* Whether a range is within limits; NAN: no such limit. */
enum verdict_outcome verdict_judge(const struct verdict_range *, double min, double max);

/* Judge a check by an explanation of its case and the model's own answer (NULL where none is asked for).  Relevances
 * are summed over the target's tokens; units are those of the prompt that may set the scale, see map.h. 0,
 * ERROR_ARGUMENT where the check's units are none of them, ERROR_MEMORY. */
int verdict_of(const struct guard_check *, const struct explanation *, const char *answer, struct verdict *,
               struct error *);
/* Probability of the whole target. */
double verdict_probability(const struct explanation *);

/* Limits with which the check holds: those that it does not hold by are moved to a tenth beyond the range (a rank's to
 * its end); the others, and what is no limit, are NAN. */
void verdict_move(const struct guard_check *, const struct verdict *, double *min, double *max);

#endif
