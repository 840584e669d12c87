/* refine.c: how far the probes' values can be trusted, and better values where it matters.
 *
 * Values formed in low precision are estimates.  The units that come out strongest are measured again in f32, and so
 * are those that change the model's last states most, for what they cost, as rounding is off by a share of what there
 * is to round (measured: nearly all of the greatest errors are theirs; most stand near the end and cost few rows), and
 * some of the others, spread over all strengths: by how much these move, at most, is the noise floor.  Last, a few
 * probes are repeated as plain passes, which share with them the rows that they cannot change, and no step. */
#include "core/job.h"

#include <math.h>
#include <stdlib.h>

#include "core/clock.h"
#include "core/logits.h"

enum {
    STRONGEST = 5, /* units that end as f32 values, with those that may be as strong as one of them */
    RIVALS = 16,   /* at most so many such */
    LOUDEST = 12,  /* units that change the last states most */
    OTHERS = 2,    /* and so many of the rest, each the cheapest */
    ALIKE = 3,     /* of so many before and behind it in their order */
    BEGIN = 2 * STRONGEST + 1, /* the strongest, and those of which too little is known */
    FIRST = BEGIN + LOUDEST + OTHERS,
    STATES = 4, /* of a unit that are looked at */
};

struct ranked {
    int unit;
    double strength; /* greatest size of its relevance for any output token, or what else is ranked by */
};

static int by_strength(const void *a, const void *b)
{
    const struct ranked *x = a, *y = b;
    if (x->strength != y->strength)
        return x->strength > y->strength ? -1 : 1;
    return x->unit - y->unit;
}

/* Measured units that can change anything, strongest first; malloced [*count].  NULL: no memory.
 * fresh: without those that the explanation before measured, whose noise is known. */
static struct ranked *rank_units(const struct job *j, bool fresh, int *count)
{
    struct ranked *ranked = malloc((j->unit_count + 1) * sizeof *ranked);
    *count = 0;
    for (int u = 0; ranked && u < (int)j->unit_count; u++) {
        if (!atomic_load(&j->probes->measured[u]) || probes_first_target(j->probes, u) == j->output_count)
            continue;
        if (fresh && j->recalled && j->recalled[u] && !isnan(j->noise_floor))
            continue;
        double most = 0;
        for (int t = 0; t < j->output_count; t++)
            most = fmax(most, fabs(job_relevance(j, u, t, 0)));
        ranked[(*count)++] = (struct ranked){u, most};
    }
    if (ranked)
        qsort(ranked, (size_t)*count, sizeof *ranked, by_strength);
    return ranked;
}

/* -- f32 values in place of estimates ------------------------------------------------------------------------------ */

static bool among(const int *unit, int count, int wanted)
{
    while (count > 0 && unit[count - 1] != wanted)
        count--;
    return count > 0;
}

/* Whether a unit's deviation may set the noise floor.  Models let attention that has nowhere to go rest on the first
 * position and on specials: without it all changes, and so much that it says nothing of the other units. */
static bool counts(const struct job *j, int unit)
{
    return j->units[unit].kind != UNIT_SPECIAL && j->units[unit].first > 0;
}

/* To begin with, as far as they are no f32 values yet: the strongest units, and of those that the noise floor says
 * nothing of the one at the first position, whose estimate is often the worst, and those which may be as strong. */
static int choose_strongest(const struct job *j, int *unit, int *count, struct error *error)
{
    int n;
    struct ranked *ranked = rank_units(j, false, &n);
    *count = 0;
    if (!ranked)
        return error_set(error, ERROR_MEMORY, "out of memory");
    for (int i = 0; i < n; i++) {
        int u = ranked[i].unit, most = j->units[u].first == 0 ? n : counts(j, u) ? STRONGEST : 2 * STRONGEST;
        if (i < most && !j->probes->exact[u] && *count < BEGIN)
            unit[(*count)++] = u;
    }
    free(ranked);
    return 0;
}

/* The square of what a unit's probe changes in some of the last states that it reaches; state: room for one, host. */
static double loudness(const struct job *j, int unit, float *state)
{
    const struct device_ops *ops = j->engine->device->ops;
    size_t width = (size_t)j->engine->model->width;
    int first = probes_first_target(j->probes, unit), step = (j->output_count - first + STATES - 1) / STATES;
    double sum = 0;
    for (int t = first; t < j->output_count; t += step) {
        size_t row = (size_t)unit * (size_t)j->output_count + (size_t)t;
        ops->download(j->stream, j->probes->change + row * width, width * sizeof *state, state);
        for (size_t i = 0; i < width; i++)
            sum += (double)state[i] * (double)state[i];
    }
    return sum;
}

/* And beside these [*count] those that change most; one four times as dear has to change twice as much. */
static int choose_loudest(const struct job *j, int *unit, int *count, struct error *error)
{
    int n, rest = 0;
    struct ranked *ranked = rank_units(j, false, &n);
    float *state = malloc((size_t)j->engine->model->width * sizeof *state);
    int status = ranked && state ? 0 : error_set(error, ERROR_MEMORY, "out of memory");
    for (int i = 0; status == 0 && i < n; i++)
        if (!j->probes->exact[ranked[i].unit])
            ranked[rest++] = (struct ranked){ranked[i].unit, loudness(j, ranked[i].unit, state) /
                                                                 (probes_row_count(j->probes, ranked[i].unit) + 1)};
    if (status == 0 && (status = j->engine->device->ops->stream_finish(j->stream, error)) == 0) {
        qsort(ranked, (size_t)rest, sizeof *ranked, by_strength);
        for (int i = 0; i < rest && i < LOUDEST; i++)
            if (!among(unit, *count, ranked[i].unit))
                unit[(*count)++] = ranked[i].unit;
    }
    free(ranked);
    free(state);
    return status;
}

/* Of the units ranked as near to `at` as ALIKE the one that has the fewest rows. */
static int cheapest(const struct job *j, const struct ranked *ranked, int count, int at)
{
    int best = at;
    for (int i = at - ALIKE < 0 ? 0 : at - ALIKE; i < count && i <= at + ALIKE; i++)
        if (probes_row_count(j->probes, ranked[i].unit) < probes_row_count(j->probes, ranked[best].unit))
            best = i;
    return ranked[best].unit;
}

/* And beside these [*count] some others, spread over all strengths. */
static int choose_others(const struct job *j, int *unit, int *count, struct error *error)
{
    int n, rest = 0;
    struct ranked *ranked = rank_units(j, true, &n);
    if (!ranked)
        return error_set(error, ERROR_MEMORY, "out of memory");
    for (int i = 0; i < n; i++)
        if (!j->probes->exact[ranked[i].unit] && !among(unit, *count, ranked[i].unit))
            ranked[rest++] = ranked[i];
    for (int i = 0; i < OTHERS && i < rest; i++) {
        int other = cheapest(j, ranked, rest, (2 * i + 1) * rest / (2 * OTHERS));
        if (!among(unit, *count, other))
            unit[(*count)++] = other;
    }
    free(ranked);
    return 0;
}

/* Then: estimates that would be among the strongest if they were off by as much as the others were; at most `most`. */
static int choose_rivals(const struct job *j, int most, int *unit, int *count, struct error *error)
{
    int n;
    struct ranked *ranked = rank_units(j, false, &n);
    double floor = isnan(j->noise_floor) ? 0 : j->noise_floor;
    *count = 0;
    if (!ranked)
        return error_set(error, ERROR_MEMORY, "out of memory");
    for (int i = 0; i < n && *count < most && n > STRONGEST; i++)
        if (!j->probes->exact[ranked[i].unit] && ranked[i].strength + floor >= ranked[STRONGEST - 1].strength)
            unit[(*count)++] = ranked[i].unit;
    free(ranked);
    return 0;
}

/* Measure units again; the greatest deviation of their estimates raises the noise floor. */
static int measure_again(struct job *j, const int *unit, int count, struct error *error)
{
    size_t targets = (size_t)j->output_count;
    double *estimate = malloc(((size_t)count * targets + 1) * sizeof *estimate);
    if (!estimate)
        return error_set(error, ERROR_MEMORY, "out of memory");
    for (int i = 0; i < count; i++)
        for (size_t t = 0; t < targets; t++)
            estimate[(size_t)i * targets + t] = job_relevance(j, unit[i], (int)t, 0);
    int status = job_run_probes(j, unit, count, error);
    for (int i = 0; status == 0 && i < count; i++)
        for (size_t t = 0; counts(j, unit[i]) && t < targets; t++) {
            double off = fabs(job_relevance(j, unit[i], (int)t, 0) - estimate[(size_t)i * targets + t]);
            j->noise_floor = fmax(off, j->noise_floor); /* NAN does not count */
        }
    free(estimate);
    return status;
}

static bool out_of_time(const struct job *j)
{
    return j->request->budget > 0 && clock_now() > j->probes_started + j->request->budget;
}

int job_refine(struct job *j, struct error *error)
{
    if (j->probes->precision == PRECISION_F32 || !j->complete || out_of_time(j))
        return 0;
    j->refining = true;
    j->probes->precision = PRECISION_F32;
    int unit[RIVALS > FIRST ? RIVALS : FIRST], count, left = RIVALS;
    int status = choose_strongest(j, unit, &count, error);
    if (status == 0)
        status = choose_loudest(j, unit, &count, error);
    if (status == 0)
        status = choose_others(j, unit, &count, error);
    while (status == 0 && count > 0 && (status = measure_again(j, unit, count, error)) == 0 && !out_of_time(j)) {
        status = choose_rivals(j, left, unit, &count, error);
        left -= count;
    }
    j->refining = false;
    return status;
}

/* -- plain passes -------------------------------------------------------------------------------------------------- */

/* The strongest, the median and the weakest unit; the strongest alone where f32 values have been compared with
 * already. */
static int choose_samples(const struct job *j, int *sample, int *count, struct error *error)
{
    bool refined = job_precision(j) != PRECISION_F32 && j->probes->precision == PRECISION_F32;
    int n;
    struct ranked *ranked = rank_units(j, true, &n);
    *count = 0;
    if (!ranked)
        return error_set(error, ERROR_MEMORY, "out of memory");
    if (n > 0)
        sample[(*count)++] = ranked[0].unit;
    if (n > 2 && !refined)
        sample[(*count)++] = ranked[n / 2].unit;
    if (n > 1 && !refined)
        sample[(*count)++] = ranked[n - 1].unit;
    free(ranked);
    return 0;
}

/* A second baseline, and what a pass needs beside it. */
struct plain {
    struct baseline *b;
    struct pool pool;
    float *factor, *logits;
};

static void plain_free(struct plain *plain)
{
    free(plain->logits);
    pool_free(&plain->pool);
    baseline_free(plain->b);
}

static int plain_new(struct job *j, struct plain *plain, struct error *error)
{
    *plain = (struct plain){0};
    pool_init(&plain->pool, j->engine->device);
    int status = job_make_way(j, j->plan->positions, error);
    if (status < 0 || (status = baseline_new(j->engine->model, j->plan->positions, false, &plain->b, error)) < 0)
        return status;
    plain->factor = pool_floats(&plain->pool, 1, (size_t)j->plan->positions);
    plain->logits = malloc((size_t)j->engine->model->vocabulary * sizeof *plain->logits);
    if (plain->factor && plain->logits)
        return 0;
    plain_free(plain);
    return error_set(error, ERROR_MEMORY, "out of memory");
}

/* The probe's pass in values, from the first row that it may change on; first: its first row that is asked about. */
static int run_plainly(struct job *j, struct baseline *b, const struct steering *steering, int start, int first,
                       struct error *error)
{
    bool direct = j->method.paths == PATHS_DIRECT;
    int n = j->plan->positions, status = baseline_borrow(b, j->stream, j->baseline, direct ? n : start, error);
    if (status < 0)
        return status;
    if (direct)
        return baseline_run_again(b, j->stream, first, steering, &j->cancelled, error);
    return baseline_run(b, j->stream, j->baseline->ids + b->count, n - b->count, steering, &j->cancelled, error);
}

/* Repeat one probe as a plain pass in f32 values, without differences, and raise *deviation to the greatest over a few
 * targets. */
static int repeat(struct job *j, struct plain *plain, const struct probes *p, int unit, double *deviation,
                  struct error *error)
{
    const struct device_ops *ops = j->engine->device->ops;
    float *logits = plain->logits;
    int n = p->plan->positions, first = probes_first_target(p, unit), status;
    int step = (j->output_count - first + 3) / 4;
    struct steering steering = {plain->factor, j->method.suppression, j->method.first_layer, j->method.last_layer};
    ops->upload(j->stream, p->plan->factor + (size_t)unit * (size_t)n, (size_t)n * sizeof(float), plain->factor);
    if ((status = run_plainly(j, plain->b, &steering, p->plan->start[unit], p->targets.first + first, error)) < 0)
        return status;
    for (int t = first; t < j->output_count; t += step) {
        if ((status = baseline_logits(plain->b, j->stream, p->targets.first + t, logits, error)) < 0)
            return status;
        double logprob = logits[j->output[t].id] - logits_log_sum_exp(logits, j->engine->model->vocabulary);
        size_t at = (size_t)unit * (size_t)j->output_count + (size_t)t;
        double found = j->output[t].logprob - logprob, claimed = p->dlse[at] - p->dlogit[at * WANTED];
        *deviation = fmax(*deviation, fabs(found - claimed));
    }
    return 0;
}

/* Whether there is time for one more plain pass.  A first one is worth going over the budget for, but not by far. */
static bool may_repeat(const struct job *j, int done)
{
    return !out_of_time(j) || (done == 0 && j->plan->positions < j->request->budget * j->pass_rate);
}

int job_check(struct job *j, struct error *error)
{
    int sample[3], n, repeated = 0, status = choose_samples(j, sample, &n, error);
    struct plain plain;
    double deviation = 0;
    if (status < 0 || n == 0)
        return status;
    if ((status = plain_new(j, &plain, error)) < 0)
        return status == ERROR_LIMIT ? 0 : status; /* then there is no such check */
    for (int i = 0; status == 0 && i < n && may_repeat(j, i); i++, repeated++)
        status = repeat(j, &plain, j->probes, sample[i], &deviation, error);
    if (status == 0 && repeated > 0)
        j->noise_floor = fmax(deviation, j->noise_floor);
    plain_free(&plain);
    return status;
}

int job_repeat(struct job *j, const struct probes *p, int unit, double *deviation, struct error *error)
{
    struct plain plain;
    int status = plain_new(j, &plain, error);
    if (status < 0)
        return status;
    status = repeat(j, &plain, p, unit, deviation, error);
    plain_free(&plain);
    return status;
}
