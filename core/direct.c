/* direct.c: what direct paths do to the output tokens, and when that is measured.
 *
 * A token's rows are as many as there are units before it: about one plain pass of the prompt, where writing the token
 * takes one row.  Measured at once after each token they would slow the output several times (SmolLM2 on 4 cores: twice
 * to three times at 60 units, eight times at 256).  So the output runs ahead, and tokens are measured in their order:
 * the first at once, for there to be a map; then some between two others, in all as long as writing has taken so far,
 * so that the output has at least half its speed.  Nothing comes between tokens that come no faster than they are read,
 * or that would be seen as a halt.  What is left when the output ends is measured then, in larger runs, which cost
 * less. */
#include "core/direct.h"

#include <math.h>
#include <stdlib.h>

#include "core/clock.h"
#include "core/job.h"

enum {
    CHOICES = 1 + CANDIDATES,
    RUN_ROWS = 128,        /* a lane's share of a run, for products at speed */
    READING_RATE = 8,      /* tokens a second: more than anybody reads */
    STATE_BYTES = 1 << 25, /* kept for re-targeting, at most */
};

static const double PAUSE = 0.3; /* seconds that the output may wait at a time */

/* -- the store ----------------------------------------------------------------------------------------------------- */

static void part_free(struct direct_part *part)
{
    if (!part)
        return;
    probes_free(part->probes);
    plan_free(part->plan);
    free(part->lse);
    free(part->wanted);
    free(part);
}

void direct_clear(struct direct *d)
{
    for (int t = d->count - 1; t >= 0; t--) /* a part stands at all its tokens: it goes with the first */
        if (d->part[t] && d->part[t]->first == t)
            part_free(d->part[t]);
    free(d->part);
    *d = (struct direct){0};
}

/* Hand a part over; false: no memory, it stays the caller's. */
static bool direct_keep(struct direct *d, struct direct_part *part)
{
    if (part->end > d->count) {
        struct direct_part **more = realloc(d->part, (size_t)part->end * sizeof *more);
        if (!more)
            return false;
        d->part = more;
        for (; d->count < part->end; d->count++)
            more[d->count] = NULL;
    }
    for (int t = part->first; t < part->end; t++)
        d->part[t] = part;
    return true;
}

/* The first output token of which nothing is known. */
static int first_unknown(const struct direct *d)
{
    int t = 0;
    while (t < d->count && d->part[t])
        t++;
    return t;
}

double job_direct_relevance(const struct job *j, int unit, int t, int choice)
{
    const struct direct_part *part = t < j->direct.count ? j->direct.part[t] : NULL;
    if (!part)
        return NAN;
    if (unit >= part->plan->units)
        return 0; /* it comes after the token */
    return atomic_load(&part->probes->measured[unit]) ? job_value(j, part->probes, unit, t, choice) : NAN;
}

int job_retarget_direct(struct job *j, int t, int32_t id, float *relevance, struct error *error)
{
    const struct direct_part *part = t < j->direct.count ? j->direct.part[t] : NULL;
    bool kept = part && part->probes->change;
    for (size_t u = 0; u < j->unit_count; u++)
        relevance[u] = kept && u >= (size_t)part->plan->units ? 0 : NAN;
    return kept ? probes_retarget(part->probes, j->stream, t - part->first, id, relevance, error) : 0;
}

/* -- one run ------------------------------------------------------------------------------------------------------- */

/* Whose run it is. */
struct run {
    struct job *job;
    const struct direct_part *part;
};

/* The units that there are so far, for who does not know them. */
static bool tell_units(const struct job *j, struct event *v)
{
    v->units = malloc((j->unit_count + 1) * sizeof *v->units);
    for (size_t u = 0; v->units && u < j->unit_count; u++)
        v->units[u] = j->units[u];
    return v->units;
}

/* Called by the lanes, one at a time, after each group; n = 0 when the last lane is done. */
static void report(void *context, const int *units, int n, int64_t rows)
{
    const struct run *run = context;
    const struct direct_part *part = run->part;
    struct job *j = run->job;
    size_t row = (size_t)(part->end - part->first) * CHOICES;
    job_count_cost(j, 0, rows, n > 0);
    struct event *v = job_event(j, EVENT_DIRECT);
    if (v) {
        v->values = malloc(((size_t)n * row + 1) * sizeof *v->values);
        v->unit = j->plan || tell_units(j, v) ? malloc(((size_t)n + 1) * sizeof *v->unit) : NULL;
        v->unit_count = (size_t)part->plan->units;
        v->direct_first = part->first;
        v->direct_end = part->end;
    }
    for (int i = 0; v && v->unit && v->values && i < n; i++, v->n++) {
        float *value = v->values + (size_t)i * row;
        v->unit[i] = units[i];
        for (int t = part->first; t < part->end; t++)
            for (int c = 0; c < CHOICES; c++)
                *value++ = (float)job_direct_relevance(j, units[i], t, c);
    }
    job_post_measured(j, v);
}

static int part_new(struct job *j, int first, int end, struct direct_part **out, struct error *error)
{
    struct direct_part *part = calloc(1, sizeof *part);
    size_t count = (size_t)(end - first);
    if (!part)
        return error_set(error, ERROR_MEMORY, "out of memory");
    *out = part;
    part->first = first;
    part->end = end;
    part->lse = malloc(count * sizeof *part->lse);
    part->wanted = malloc(count * WANTED * sizeof *part->wanted);
    if (!part->lse || !part->wanted)
        return error_set(error, ERROR_MEMORY, "out of memory");
    for (size_t i = 0; i < count; i++)
        part->lse[i] = j->lse[(size_t)first + i];
    job_list_wanted(j, first, end, part->wanted);
    int status = job_add_output_units(j, end - 1, error), units = (int)j->unit_count;
    int row = (int)j->prompt.token_count - 1, positions = j->plan ? j->plan->positions : row + end; /* all there are */
    /* What comes after a token matters to it only by what is like it and was suppressed along. */
    while (isnan(j->method.similarity) && units > 0 && j->units[units - 1].first >= row + end)
        units--;
    if (status < 0 || (status = job_plan(j, units, positions, &part->plan, error)) < 0)
        return status;
    struct method method = j->method;
    method.paths = PATHS_DIRECT;
    struct targets targets = {end - first, row + first, WANTED, part->wanted, part->lse};
    return probes_new(j->baseline, j->stream, part->plan, &method, &targets, job_precision(j), &part->probes, error);
}

/* What the explanation before this one knows of the part's units: told, and not measured again. */
static int recall_part(struct run *run, struct direct_part *part, const struct direct_part *former, struct error *error)
{
    struct job *j = run->job;
    int n = 0, *unit = malloc(((size_t)part->plan->units + 1) * sizeof *unit);
    int status = unit ? former_recall_direct(&j->former, j, part, former, error)
                      : error_set(error, ERROR_MEMORY, "out of memory");
    for (int u = 0; status == 0 && u < part->plan->units; u++)
        if (atomic_load(&part->probes->measured[u]))
            unit[n++] = u;
    if (status == 0 && n > 0)
        report(run, unit, n, 0);
    free(unit);
    return status;
}

int job_measure_direct(struct job *j, int first, int end, struct error *error)
{
    struct direct_part *part = NULL;
    int status = part_new(j, first, end, &part, error);
    if (status == 0 && !direct_keep(&j->direct, part))
        status = error_set(error, ERROR_MEMORY, "out of memory");
    if (status < 0) {
        part_free(part);
        return status;
    }
    struct run run = {j, part};
    const struct direct_part *former = former_part(&j->former, first);
    if (former && (former->first != first || former->end != end))
        former = NULL;
    if (former && (status = recall_part(&run, part, former, error)) < 0)
        return status;
    int units = part->plan->units, lanes = j->engine->info.streams;
    int rows = (units * (end - first) + lanes - 1) / lanes;
    struct probe_watch watch = {.report = report, .context = &run, .rows = rows < RUN_ROWS ? rows : 0};
    if ((status = job_make_lanes(j, part->plan->positions, error)) == 0)
        status = job_watch_probes(j, part->probes, &watch, error);
    plan_trim(part->plan);
    j->direct.bytes += (size_t)units * (size_t)(end - first) * (size_t)j->engine->model->width * sizeof(float);
    if (j->direct.bytes > STATE_BYTES || (former && !former->probes->change)) /* states of some units are of no use */
        probes_drop_states(part->probes);
    return status;
}

/* -- when ---------------------------------------------------------------------------------------------------------- */

/* How many tokens one run takes: enough to give every lane its share. */
static int run_tokens(const struct job *j)
{
    size_t units = j->unit_count ? j->unit_count : 1, rows = (size_t)j->engine->info.streams * RUN_ROWS;
    return (int)((rows + units - 1) / units);
}

int job_measure_direct_rest(struct job *j, struct error *error)
{
    int status = 0, first = first_unknown(&j->direct);
    /* Where activations are not kept, each run computes them anew. */
    int tokens = j->baseline->kept ? run_tokens(j) : j->output_count;
    for (; status == 0 && first < j->output_count; first = first_unknown(&j->direct)) {
        if (j->request->budget > 0 && clock_now() > j->probes_started + j->request->budget && first > 0)
            break;
        const struct direct_part *former = former_part(&j->former, first);
        int end = first + tokens < j->output_count ? first + tokens : j->output_count;
        if (former && former->first == first)
            end = former->end;
        status = job_measure_direct(j, first, end, error);
    }
    return status;
}

/* Whether what is measured now is what would be measured when the output is complete: the row's minimum may be that of
 * a later key, what is like a later unit is suppressed along with it, and a foil takes the place of what is asked. */
static bool may_follow(const struct job *j)
{
    const struct request *r = j->request;
    return r->explain && r->direct && r->map == MAP_ATMAN && !r->foil && j->method.paths == PATHS_ALL &&
           j->method.suppression != SUPPRESS_ROW_MIN && isnan(j->method.similarity) &&
           !former_is_of(&j->former, j->ids, (int)j->prompt.token_count); /* then there is better at once */
}

/* The seconds that a run is expected to take; its rows are taken for as fast as those of a plain pass until some have
 * been seen. */
static double expect(const struct job *j, int tokens)
{
    double rate = j->direct_rate > 0 ? j->direct_rate : j->pass_rate;
    int again = j->baseline->kept ? 0 : j->baseline->count; /* rows of activations that are computed anew for it */
    return rate > 0 ? ((double)tokens * (double)j->unit_count + again) / rate : 0;
}

int job_follow_direct(struct job *j, double generating, struct error *error)
{
    if (!may_follow(j))
        return 0;
    int first = first_unknown(&j->direct), tokens = j->output_count - first, most = run_tokens(j);
    if (tokens > most)
        tokens = most;
    while (tokens > 1 && expect(j, tokens) > PAUSE)
        tokens--;
    double run = expect(j, tokens), spent = j->direct.seconds + run;
    bool late = spent > generating || generating + spent > (double)j->output_count / READING_RATE;
    if (run > PAUSE)
        j->direct_rate = 0; /* one slow run, on a machine that was busy, is not the measure of all that follow */
    if (run > PAUSE || (late && first > 0))
        return 0;
    double before = clock_now();
    j->probes_started = before - j->direct.seconds;
    int status = job_measure_direct(j, first, first + tokens, error);
    double seconds = clock_now() - before;
    j->direct.seconds += seconds;
    j->direct_rate = ((double)tokens * (double)j->unit_count + (j->baseline->kept ? 0 : j->baseline->count)) / seconds;
    return status;
}
