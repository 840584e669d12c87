#include "tui/score.h"

#include <math.h>
#include <stdlib.h>

enum { DRAWS = 2000 }; /* of the bootstrap */

/* -- one map ------------------------------------------------------------------------------------------------------- */

static double greatest(const double *map, size_t n)
{
    double most = -INFINITY;
    for (size_t i = 0; i < n; i++)
        most = fmax(most, map[i]);
    return most;
}

double score_hit(const double *map, const bool *good, size_t n)
{
    double top = greatest(map, n), ties = 0, hits = 0;
    for (size_t i = 0; i < n; i++)
        if (map[i] == top) {
            ties++;
            hits += good[i];
        }
    return hits / ties;
}

/* Sums of the map, of its good units, and of the good units themselves; an even map in place of an empty one. */
static void add_up(const double *map, const bool *good, size_t n, double *all, double *right, double *most,
                   double *count)
{
    bool even = !(greatest(map, n) > 0);
    *all = *right = *count = 0;
    *most = even ? 1 : greatest(map, n);
    for (size_t i = 0; i < n; i++) {
        double x = even ? 1 : map[i];
        *all += x;
        *right += good[i] ? x : 0;
        *count += good[i];
    }
}

double score_precision(const double *map, const bool *good, size_t n)
{
    double all, right, most, count;
    add_up(map, good, n, &all, &right, &most, &count);
    return right / all;
}

double score_recall(const double *map, const bool *good, size_t n)
{
    double all, right, most, count;
    add_up(map, good, n, &all, &right, &most, &count);
    return right / most / count;
}

/* -- chance -------------------------------------------------------------------------------------------------------- */

void score_order(const double *map, size_t n, struct chance *random, size_t *order)
{
    for (size_t i = 0; i < n; i++) { /* a random order first, which sorting in place keeps among equals */
        size_t at = (size_t)(chance_next(random) * (double)(i + 1));
        order[i] = order[at];
        order[at] = i;
    }
    for (size_t i = 1; i < n; i++) {
        size_t unit = order[i], at = i;
        for (; at > 0 && map[order[at - 1]] < map[unit]; at--)
            order[at] = order[at - 1];
        order[at] = unit;
    }
}

/* -- many cases ---------------------------------------------------------------------------------------------------- */

static double mean(const double *values, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += values[i];
    return sum / (double)n;
}

static struct score_estimate of_nothing(void)
{
    return (struct score_estimate){NAN, NAN, NAN, 0};
}

struct score_estimate score_rate(const double *values, size_t n)
{
    if (n == 0)
        return of_nothing();
    const double z = 1.959963984540054; /* the normal distribution's 97.5 % */
    double count = (double)n, p = mean(values, n), wide = 1 + z * z / count;
    double middle = (p + z * z / (2 * count)) / wide;
    double half = z * sqrt(p * (1 - p) / count + z * z / (4 * count * count)) / wide;
    return (struct score_estimate){p, fmax(0, middle - half), fmin(1, middle + half), n};
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

struct score_estimate score_mean(const double *values, size_t n, uint64_t seed)
{
    if (n == 0)
        return of_nothing();
    struct score_estimate estimate = {mean(values, n), NAN, NAN, n};
    struct chance random = {seed};
    double *draws = malloc(DRAWS * sizeof *draws);
    if (!draws)
        return estimate; /* without an interval, which is shown as unknown */
    for (size_t d = 0; d < DRAWS; d++) {
        double sum = 0;
        for (size_t i = 0; i < n; i++)
            sum += values[(size_t)(chance_next(&random) * (double)n)];
        draws[d] = sum / (double)n;
    }
    qsort(draws, DRAWS, sizeof *draws, by_size);
    estimate.low = draws[DRAWS * 25 / 1000];
    estimate.high = draws[DRAWS * 975 / 1000 - 1];
    free(draws);
    return estimate;
}
