/* preview.c: what is shown first, and which probes run first.
 *
 * An explanation takes a while, and a useful one need not.  The last units come first: each has only the rows behind
 * it, so that a score of them cost as much as one long probe, and most of what an answer rests on stands there (four of
 * the five strongest tokens of questions about a passage).  What a unit does on direct paths alone is an estimate of
 * its relevance that costs a row for each output token in place of half a pass: all units are previewed so then.  After
 * that those probes come first that promise most for what they cost, so that the strongest units are measured long
 * before the last.  Attention carries what a unit says to its neighbours, where direct paths then find it: so they
 * count in.  Order changes no value: what an operation does to a row does not depend on the rows beside it. */
#include "core/job.h"

#include <math.h>
#include <stdlib.h>

static const double LAST_PASSES = 1.5; /* the last units have as many rows as so many plain passes */
static const double NEIGHBOUR = 0.3;   /* how much a neighbour's estimate counts in a unit's place, beside its own */

enum { PREVIEW_PASSES = 3 }; /* as many rows as so many plain passes have, if there are more than one output token */

struct promise {
    int unit;
    double worth; /* nats a row */
};

static int by_worth(const void *a, const void *b)
{
    const struct promise *x = a, *y = b;
    if (x->worth != y->worth)
        return x->worth > y->worth ? -1 : 1;
    return y->unit - x->unit; /* the latest start first, as the plan has it */
}

/* The size of a unit's estimate over the previewed output tokens together; with a foil, for it. */
static double strength(const struct job *j, int unit)
{
    double sum = 0;
    for (int t = j->foil_token < 0 ? 0 : j->foil_token; t < j->output_count; t++) {
        double x = job_direct_relevance(j, unit, t, 0);
        sum += isnan(x) ? 0 : x; /* to be sorted by */
    }
    return fabs(sum);
}

static int order_probes(struct job *j, struct error *error)
{
    int n = j->plan->units;
    struct promise *promise = malloc(((size_t)n + 1) * sizeof *promise);
    if (!promise)
        return error_set(error, ERROR_MEMORY, "out of memory");
    double before = 0, own = n > 0 ? strength(j, 0) : 0;
    for (int u = 0; u < n; u++) {
        double behind = u + 1 < n ? strength(j, u + 1) : 0, rows = probes_row_count(j->probes, u) + 1;
        promise[u] = (struct promise){u, (own + NEIGHBOUR * (before + behind)) / rows};
        before = own;
        own = behind;
    }
    qsort(promise, (size_t)n, sizeof *promise, by_worth);
    for (int i = 0; i < n; i++)
        j->plan->order[i] = promise[i].unit;
    free(promise);
    return 0;
}

/* Which output tokens are previewed: all, as far as that is cheap; else the first ones, or the last ones with a foil,
 * as that is compared at the last. */
static int measure_some(struct job *j, struct error *error)
{
    int64_t rows = (int64_t)PREVIEW_PASSES * j->plan->positions;
    int64_t fit = rows / (j->unit_count ? (int64_t)j->unit_count : 1), count = fit < 1 ? 1 : fit;
    if (count > j->output_count)
        count = j->output_count;
    int first = j->foil_token < 0 ? 0 : j->output_count - (int)count;
    return job_measure_direct(j, first, first + (int)count, error);
}

int job_measure_last(struct job *j, struct error *error)
{
    int count = 0, rows = 0;
    /* Within a budget estimates of all units come first. */
    if (j->method.paths == PATHS_DIRECT || j->plan->units <= FEW_UNITS || j->request->budget > 0)
        return 0;
    int *unit = malloc(((size_t)j->plan->units + 1) * sizeof *unit);
    if (!unit)
        return error_set(error, ERROR_MEMORY, "out of memory");
    for (int u = j->plan->units - 1; u >= 0; u--) {
        if (atomic_load(&j->probes->measured[u]))
            continue;
        rows += probes_row_count(j->probes, u);
        if (rows > LAST_PASSES * j->plan->positions)
            break;
        unit[count++] = u;
    }
    int status = count > 0 ? job_run_probes(j, unit, count, error) : 0;
    free(unit);
    return status;
}

int job_preview(struct job *j, struct error *error)
{
    if (j->method.paths == PATHS_DIRECT)
        return 0;
    int status = j->request->direct ? job_measure_direct_rest(j, error) : measure_some(j, error);
    if (status == 0)
        status = job_retarget_again(j, error);
    return status < 0 ? status : order_probes(j, error);
}
