/* score.h: how good a map is, when it is known which units decide.
 *
 * Pure arithmetic on arrays in memory.  A map gives every unit a number, the greater the more it matters; the truth
 * says of every unit whether it decides.  Knows neither models nor files. */
#ifndef TUI_SCORE_H
#define TUI_SCORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/chance.h"

/* Whether a map's greatest unit is a good one: 1 or 0, and where several share the first place, the share of good ones
 * among them.  n >= 1. */
double score_hit(const double *map, const bool *good, size_t n);

/* Soft precision, sum(x y) / sum(x), and soft recall, sum(x / max(x) y) / sum(y), of a map x >= 0 and a truth y of 0
 * and 1 (AtMan, arXiv 2301.08110, section 4).  They tell how the map's mass lies: an even map has recall 1.  A map of
 * nothing but 0 counts as an even one.  n >= 1, and at least one unit is good. */
double score_precision(const double *map, const bool *good, size_t n);
double score_recall(const double *map, const bool *good, size_t n);

/* order [n]: units by their number in the map, greatest first, ties in random order. */
void score_order(const double *map, size_t n, struct chance *, size_t *order);

/* A mean over cases with its 95 % interval; count 0: of nothing, all NAN. */
struct score_estimate {
    double value, low, high;
    size_t count;
};
/* Of a rate: values from 0 to 1.  Wilson's interval. */
struct score_estimate score_rate(const double *values, size_t n);
/* Of any numbers: from means of n values drawn anew (bootstrap, percentiles). */
struct score_estimate score_mean(const double *values, size_t n, uint64_t seed);

#endif
