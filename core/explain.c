/* explain.c: probes for every unit, and what they say. */
#include "core/job.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/clock.h"
#include "core/logits.h"
#include "core/rollout.h"

enum { CHOICES = 1 + CANDIDATES };

/* -- what is asked ------------------------------------------------------------------------------------------------- */

/* Find where the foil leaves the target and cut the target there. */
static int find_foil(struct job *j, struct error *error)
{
    const struct request *r = j->request;
    struct token *foil = NULL;
    size_t count = 0, at = 0;
    if (!r->foil)
        return 0;
    int status = tokenizer_encode(j->engine->tokenizer, r->foil, r->foil_length, 0, &foil, &count, error);
    if (status < 0)
        return error_add(error, status, "the foil");
    while (at < count && at < (size_t)j->output_count && foil[at].id == j->output[at].id)
        at++;
    if (count == 0)
        status = error_set(error, ERROR_ARGUMENT, "the foil is empty");
    else if (at == count || at == (size_t)j->output_count)
        status = error_set(error, ERROR_ARGUMENT, "foil and target do not differ where both have a token");
    else {
        j->foil_token = (int)at;
        j->foil_id = foil[at].id;
        j->output_count = (int)at + 1;
    }
    free(foil);
    return status;
}

/* Output tokens that later ones rest on are units too: those before token t, as far as they are not there yet. */
int job_add_output_units(struct job *j, int t, struct error *error)
{
    int n = (int)j->prompt.token_count, there = j->unit_count ? j->units[j->unit_count - 1].last + 1 - n : 0;
    if (there < 0)
        there = 0;
    if (there >= t)
        return 0;
    struct unit *units = realloc(j->units, (j->unit_count + (size_t)(t - there) + 1) * sizeof *units);
    if (!units)
        return error_set(error, ERROR_MEMORY, "out of memory");
    j->units = units;
    for (; there < t; there++) {
        int position = n + there;
        j->units[j->unit_count++] = (struct unit){.kind = UNIT_TARGET,
                                                  .first = position,
                                                  .last = position,
                                                  .first_share = 1,
                                                  .last_share = 1,
                                                  .start = j->request->prompt_length,
                                                  .end = j->request->prompt_length};
    }
    return 0;
}

void job_list_wanted(const struct job *j, int first, int end, int32_t *wanted)
{
    for (int t = first; t < end; t++, wanted += WANTED) {
        wanted[0] = j->output[t].id;
        for (int k = 0; k < CANDIDATES; k++)
            wanted[1 + k] = j->output[t].candidates[k].id < 0 ? wanted[0] : j->output[t].candidates[k].id;
        wanted[WANTED - 1] = t == j->foil_token ? j->foil_id : wanted[0];
    }
}

/* The foil's own log-probability, for the record: one dot product. */
static int measure_foil(struct job *j, struct error *error)
{
    if (j->foil_token < 0)
        return 0;
    float *logits = malloc((size_t)j->engine->model->vocabulary * sizeof *logits);
    if (!logits)
        return error_set(error, ERROR_MEMORY, "out of memory");
    int position = (int)j->prompt.token_count - 1 + j->foil_token;
    int status = baseline_logits(j->baseline, j->stream, position, logits, error);
    if (status == 0)
        j->foil_logprob = logits[j->foil_id] - j->lse[j->foil_token];
    free(logits);
    return status;
}

/* What the plan touches of other units' tokens for the units of pictures, counted or written to alike. */
static size_t list_alike(const struct job *j, const struct plan *plan, struct alike *alike)
{
    size_t count = 0;
    for (int u = 0; plan && u < plan->units; u++)
        for (int k = 0; j->units[u].kind == UNIT_PATCH && k < plan->positions; k++)
            if (plan->factor[(size_t)u * (size_t)plan->positions + (size_t)k] != 1 && !unit_holds(&j->units[u], k)) {
                if (alike)
                    alike[count] = (struct alike){u, k};
                count++;
            }
    return count;
}

/* plan: NULL where there are no probes. */
static int post_units(struct job *j, const struct plan *plan, struct error *error)
{
    struct event *v = job_event(j, EVENT_UNITS);
    if (v) {
        v->units = malloc((j->unit_count + 1) * sizeof *v->units);
        v->alike_count = list_alike(j, plan, NULL);
        v->alike = malloc((v->alike_count + 1) * sizeof *v->alike);
    }
    if (!v || !v->units || !v->alike) {
        event_free(v);
        return error_set(error, ERROR_MEMORY, "out of memory");
    }
    memcpy(v->units, j->units, j->unit_count * sizeof *v->units);
    v->unit_count = j->unit_count;
    list_alike(j, plan, v->alike);
    v->output_count = (size_t)j->output_count;
    v->foil_token = j->foil_token;
    v->foil_id = j->foil_id;
    v->foil_logprob = j->foil_logprob;
    v->method = j->method;
    v->precision = job_precision(j);
    j->post(j->context, v);
    return 0;
}

/* -- the probes ---------------------------------------------------------------------------------------------------- */

/* log p - log p_u is (change of log-sum-exp) - (change of the logit); with a foil the former cancels. */
double job_value(const struct job *j, const struct probes *p, int unit, int t, int choice)
{
    int target = t - (p->targets.first - ((int)j->prompt.token_count - 1));
    size_t at = (size_t)unit * (size_t)p->targets.count + (size_t)target;
    const double *dlogit = p->dlogit + at * WANTED;
    if (target < probes_first_target(p, unit))
        return 0;
    if (choice == 0 && t == j->foil_token)
        return dlogit[WANTED - 1] - dlogit[0];
    return p->dlse[at] - dlogit[choice];
}

double job_relevance(const struct job *j, int unit, int t, int choice)
{
    return probes_know(j->probes, unit, t) ? job_value(j, j->probes, unit, t, choice) : 0;
}

void job_count_cost(struct job *j, int probes, int64_t rows, bool any)
{
    double seconds = clock_now() - j->probes_started;
    pthread_mutex_lock(&j->lock);
    if (j->cost.first_seconds == 0 && any)
        j->cost.first_seconds = clock_now() - j->started;
    j->cost.probes += probes;
    j->cost.rows += rows;
    j->cost.seconds = seconds;
    j->cost.tokens_per_second = seconds > 0 ? (double)j->cost.rows / seconds : 0;
    pthread_mutex_unlock(&j->lock);
}

void job_post_measured(struct job *j, struct event *v)
{
    if (v && v->unit && v->values) {
        j->post(j->context, v);
        return;
    }
    event_free(v); /* seen as units never measured: the run ends incomplete */
    pthread_mutex_lock(&j->lock);
    j->complete = false;
    pthread_mutex_unlock(&j->lock);
}

/* Post what the probes of some units say. */
static void post_relevance(struct job *j, const int *units, int n, bool estimated)
{
    size_t row = (size_t)j->output_count * CHOICES;
    struct event *v = job_event(j, EVENT_RELEVANCE);
    if (v) {
        v->unit = malloc(((size_t)n + 1) * sizeof *v->unit);
        v->known = malloc(((size_t)n + 1) * sizeof *v->known);
        v->values = v->known ? malloc(((size_t)n * row + 1) * sizeof *v->values) : NULL;
        v->estimated = estimated;
    }
    for (int i = 0; v && v->unit && v->values && i < n; i++) {
        v->unit[i] = units[i];
        v->known[i] = atomic_load(&j->probes->measured[units[i]]) ? j->output_count : j->probes->known[units[i]];
        for (int t = 0; t < j->output_count; t++)
            for (int c = 0; c < CHOICES; c++)
                v->values[(size_t)i * row + (size_t)(t * CHOICES + c)] = (float)job_relevance(j, units[i], t, c);
        v->n++;
    }
    job_post_measured(j, v);
}

/* Called by the lanes, one at a time, after each group; n = 0 when the last lane is done. */
static void report(void *context, const int *units, int n, int64_t rows)
{
    struct job *j = context;
    job_count_cost(j, j->refining ? 0 : n, rows, n > 0); /* a unit measured again counts once */
    post_relevance(j, units, n, j->probes->precision != PRECISION_F32);
}

int job_run_probes(struct job *j, const int *units, int count, struct error *error)
{
    struct probe_watch watch = {.report = report, .context = j, .count = count};
    int *order = NULL;
    if (units && !(order = job_share_out(j, units, count, &watch.rows)))
        return error_set(error, ERROR_MEMORY, "out of memory");
    watch.units = order;
    int status = job_watch_probes(j, j->probes, &watch, error);
    free(order);
    return status;
}

/* -- attention rollout --------------------------------------------------------------------------------------------- */

/* How much of a unit's tokens is in the given shares of all positions. */
static float unit_share(const struct unit *u, const float *share)
{
    float sum = 0;
    for (int p = u->first; p <= u->last; p++)
        if (unit_holds(u, p))
            sum += share[p] * (p == u->first ? u->first_share : p == u->last ? u->last_share : 1);
    return sum;
}

static int post_rollout(struct job *j, const float *share, int positions, struct error *error)
{
    size_t targets = (size_t)j->output_count;
    struct event *v = job_event(j, EVENT_RELEVANCE);
    if (v) {
        v->unit = malloc((j->unit_count + 1) * sizeof *v->unit);
        v->values = malloc((j->unit_count * targets * CHOICES + 1) * sizeof *v->values);
    }
    if (!v || !v->unit || !v->values) {
        event_free(v);
        return error_set(error, ERROR_MEMORY, "out of memory");
    }
    v->n = (int)j->unit_count;
    float *value = v->values;
    for (int u = 0; u < v->n; u++) {
        v->unit[u] = u;
        for (size_t t = 0; t < targets; t++)
            for (int c = 0; c < CHOICES; c++)
                *value++ = unit_share(&j->units[u], share + t * (size_t)positions);
    }
    j->post(j->context, v);
    return 0;
}

static int roll_out(struct job *j, struct error *error)
{
    int positions = (int)j->prompt.token_count + j->output_count - 1, first = (int)j->prompt.token_count - 1;
    float *share = malloc((size_t)j->output_count * (size_t)positions * sizeof *share);
    if (!share)
        return error_set(error, ERROR_MEMORY, "out of memory");
    baseline_truncate(j->baseline, positions);
    int status = rollout_run(j->baseline, j->stream, first, j->output_count, &j->cancelled, share, error);
    if (status == 0)
        status = post_rollout(j, share, positions, error);
    free(share);
    j->complete = status == 0;
    return status;
}

/* -- what there is to do ------------------------------------------------------------------------------------------ */

/* The rows of all probes that are not measured yet. */
static int64_t rows_left(const struct job *j)
{
    int64_t rows = 0;
    for (int u = 0; u < (int)j->unit_count; u++)
        rows += atomic_load(&j->probes->measured[u]) ? 0 : probes_row_count(j->probes, u);
    return rows;
}

/* Whether most rows of all probes need not be run any more. */
static bool is_little_left(const struct job *j)
{
    int64_t all = 0;
    for (size_t u = 0; u < j->unit_count; u++)
        all += j->plan->positions - j->plan->start[u];
    return rows_left(j) * 8 < all;
}

/* How much of the model a probe's rows go through. */
static double depth(const struct job *j)
{
    int layers = j->engine->model->layers;
    return (double)(layers - j->method.first_layer) / layers;
}

/* About how long the probes that are left will take.  Before the first ones have been seen, their rows are taken for so
 * many times faster than those of a plain pass: they have the machine's threads to themselves, one each, and memory
 * that has been in use before. */
static double expect(const struct job *j)
{
    static const double faster[] = {[PRECISION_F32] = 2, [PRECISION_BF16] = 2, [PRECISION_INT8] = 5};
    double rate = j->probe_rate > 0 ? j->probe_rate : faster[job_precision(j)] * j->pass_rate;
    const struct device *device = j->engine->device;
    if (j->probe_rate == 0 && j->budget.room.count > 0)
        rate *= (double)j->budget.room.count / device->ops->info(device)->streams;
    return rate > 0 ? (double)rows_left(j) * depth(j) / rate : 0;
}

/* -- all of it ----------------------------------------------------------------------------------------------------- */

/* The decoder's input embeddings on the host, where the method looks for similar positions; else *host stays NULL. */
static int read_embedding(struct job *j, int positions, float **host, struct error *error)
{
    const struct device_ops *ops = j->engine->device->ops;
    size_t bytes = (size_t)positions * (size_t)j->engine->model->width * sizeof **host;
    if (!plan_looks_around(&j->method, j->prompt.picture_count))
        return 0;
    if (!(*host = malloc(bytes)))
        return error_set(error, ERROR_MEMORY, "out of memory");
    ops->download(j->stream, j->baseline->embedded, bytes, *host);
    return ops->stream_finish(j->stream, error);
}

int job_plan(struct job *j, int unit_count, int positions, struct plan **plan, struct error *error)
{
    float *embedding = NULL;
    int status = read_embedding(j, positions, &embedding, error);
    struct plan_ground ground = {.positions = positions,
                                 .sees = baseline_sees(j->baseline),
                                 .embedding = embedding,
                                 .width = j->engine->model->width,
                                 .pictures = j->prompt.pictures,
                                 .picture_count = j->prompt.picture_count};
    if (status == 0)
        status = plan_new(j->units, unit_count, &ground, &j->method, plan, error);
    free(embedding);
    return status;
}

enum precision job_precision(const struct job *j)
{
    return j->unit_count <= FEW_UNITS ? PRECISION_F32 : j->precision;
}

static int make_probes(struct job *j, struct error *error)
{
    int positions = (int)j->prompt.token_count + j->output_count - 1, status;
    baseline_truncate(j->baseline, positions);
    if (!(j->wanted = malloc((size_t)j->output_count * WANTED * sizeof *j->wanted)))
        return error_set(error, ERROR_MEMORY, "out of memory");
    job_list_wanted(j, 0, j->output_count, j->wanted);
    struct targets targets = {j->output_count, (int)j->prompt.token_count - 1, WANTED, j->wanted, j->lse};
    if ((status = job_plan(j, (int)j->unit_count, positions, &j->plan, error)) < 0 ||
        (status = job_make_lanes(j, positions, error)) < 0)
        return status;
    job_make_states(j);
    status = probes_new(j->baseline, j->stream, j->plan, &j->method, &targets, job_precision(j), &j->probes, error);
    if (status == 0 && j->past_limit > 0 && job_resumes(j))
        status = past_new(j->engine->model, j->method.first_layer, (int)j->unit_count, j->past_limit, &j->probes->past,
                          error);
    return status;
}

/* What the explanation before this one knows of its units: told at once, and not measured again. */
static int recall(struct job *j, struct error *error)
{
    int status = former_recall(&j->former, j, error), *unit = malloc((j->unit_count + 1) * sizeof *unit);
    if (status == 0 && !unit)
        status = error_set(error, ERROR_MEMORY, "out of memory");
    j->cost.probes_total = j->cost.probes_kept = 0;
    for (size_t u = 0; status == 0 && u < j->unit_count; u++)
        if (atomic_load(&j->probes->measured[u]))
            j->cost.probes_kept++;
        else
            j->cost.probes_total++;
    j->cost.expected_seconds = status == 0 ? expect(j) : 0;
    j->cost.rows_total = status == 0 ? j->cost.rows + rows_left(j) : 0;
    if (status == 0)
        status = post_units(j, j->plan, error);
    if (status == 0 && j->cost.probes_kept > 0)
        job_count_cost(j, 0, 0, true);
    for (int exact = 0; status == 0 && j->recalled && exact < 2; exact++) {
        int n = 0;
        for (int u = 0; u < (int)j->unit_count; u++)
            if (j->recalled[u] && j->probes->exact[u] == (exact == 1))
                unit[n++] = u;
        if (n > 0)
            post_relevance(j, unit, n, !exact);
    }
    free(unit);
    return status;
}

/* All units that are not measured yet, those that promise most first.  Where little is left to run, estimates of all
 * would cost more than they are worth: they come last, for who asks what is direct. */
static int run_probes(struct job *j, struct error *error)
{
    bool few = is_little_left(j);
    int status = few ? 0 : job_measure_last(j, error);
    if (status == 0 && !few)
        status = job_preview(j, error);
    if (status == 0)
        status = job_run_probes(j, NULL, 0, error);
    if (status == 0 && few)
        status = job_preview(j, error);
    former_clear(&j->former);
    return status;
}

int job_explain(struct job *j, struct error *error)
{
    int status;
    if ((status = find_foil(j, error)) < 0 || (status = job_add_output_units(j, j->output_count - 1, error)) < 0 ||
        (status = measure_foil(j, error)) < 0)
        return status;
    if (j->request->map == MAP_ROLLOUT)
        return (status = post_units(j, NULL, error)) < 0 ? status : roll_out(j, error);
    j->probes_started = clock_now() - j->direct.seconds;
    j->complete = true;
    if ((status = make_probes(j, error)) < 0 || (status = recall(j, error)) < 0 ||
        (status = run_probes(j, error)) < 0) {
        j->complete = false;
        return status;
    }
    if (j->cost.probes < j->cost.probes_total)
        j->complete = false;
    j->probe_rate = j->cost.tokens_per_second * depth(j);
    if ((status = job_refine(j, error)) < 0)
        return status;
    if ((status = job_retarget_again(j, error)) < 0 || (status = job_check(j, error)) < 0)
        return status;
    job_count_cost(j, 0, 0, false);
    return 0;
}

int job_retarget_again(struct job *j, struct error *error)
{
    return j->chosen_token < 0 ? 0 : job_retarget(j, j->chosen_token, j->chosen_id, error);
}

int job_retarget(struct job *j, int token, int32_t id, struct error *error)
{
    if (!j->probes || token < 0 || token >= j->output_count || id < 0 || id >= j->engine->model->vocabulary)
        return error_set(error, ERROR_ARGUMENT, "there is no such output token or candidate to explain");
    struct event *v = job_event(j, EVENT_CHOSEN);
    if (v) {
        v->values = malloc((j->unit_count + 1) * sizeof *v->values);
        v->direct = malloc((j->unit_count + 1) * sizeof *v->direct);
    }
    if (!v || !v->values || !v->direct) {
        event_free(v);
        return error_set(error, ERROR_MEMORY, "out of memory");
    }
    v->chosen_token = j->chosen_token = token;
    v->chosen_id = j->chosen_id = id;
    int status = job_retarget_direct(j, token, id, v->direct, error);
    if (status == 0)
        status = probes_retarget(j->probes, j->stream, token, id, v->values, error);
    for (size_t u = 0; status == 0 && u < j->unit_count; u++) {
        bool measured = !isnan(v->values[u]);
        if (measured && j->method.paths == PATHS_DIRECT)
            v->direct[u] = v->values[u];
        else if (!measured)
            v->values[u] = v->direct[u];
    }
    if (status < 0)
        event_free(v);
    else
        j->post(j->context, v);
    return status;
}
