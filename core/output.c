/* output.c: the tokens that are to be explained: the model's own greedy ones, forced ones, or steered ones. */
#include "core/job.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/clock.h"
#include "core/logits.h"

/* -- one more token ------------------------------------------------------------------------------------------------ */

/* Room for one more output token. */
static int grow(struct job *j, struct error *error)
{
    size_t n = (size_t)j->output_count + 1;
    struct output_token *output = realloc(j->output, n * sizeof *output);
    if (output)
        j->output = output;
    double *lse = realloc(j->lse, n * sizeof *lse);
    if (lse)
        j->lse = lse;
    return output && lse ? 0 : error_set(error, ERROR_MEMORY, "out of memory");
}

/* What the baseline b says after position p.  id -1: its most probable token.  Appends to the output and posts it. */
static int say_token(struct job *j, struct baseline *b, int p, int32_t id, float *logits, struct error *error)
{
    const struct model *m = j->engine->model;
    int status = baseline_logits(b, j->stream, p, logits, error);
    if (j->engine->memory)
        model_let_go(m);
    if (status < 0 || (status = grow(j, error)) < 0)
        return status;
    double lse = logits_log_sum_exp(logits, m->vocabulary);
    if (!isfinite(lse))
        return error_set(error, ERROR_FORMAT, "the model computes numbers that are not finite; is the file damaged?");
    struct output_token token = {.id = id};
    logits_best(logits, m->vocabulary, lse, token.candidates);
    if (id < 0)
        token.id = token.candidates[0].id;
    token.logprob = logits[token.id] - lse;
    /* An end token ends the output without being part of it, but where a model has nothing else to say, that is it. */
    if (id < 0 && tokenizer_is_end(j->engine->tokenizer, token.id)) {
        j->stopped = true;
        if (j->output_count > 0)
            return 0;
    }
    j->output[j->output_count] = token;
    j->lse[j->output_count++] = lse;
    struct event *v = job_event(j, EVENT_TOKEN);
    if (!v)
        return error_set(error, ERROR_MEMORY, "out of memory");
    v->token = token;
    j->post(j->context, v);
    return 0;
}

/* -- the baseline -------------------------------------------------------------------------------------------------- */

int job_feed(struct job *j, struct baseline *b, int at, const int32_t *ids, int n, struct error *error)
{
    int same = 0;
    while (same < n && at + same < b->count && b->ids[at + same] == ids[same])
        same++;
    if (same == n)
        return 0;
    baseline_truncate(b, at + same);
    same = b->count - at; /* less where a picture would be cut */
    double before = clock_now();
    int status = baseline_run(b, j->stream, ids + same, n - same, NULL, &j->cancelled, error);
    if (status == 0 && n - same > 1) /* one row at a time is another matter */
        j->pass_rate = (n - same) / (clock_now() - before);
    return status;
}

static int feed_prompt(struct job *j, int more, struct error *error)
{
    int n = (int)j->prompt.token_count, status;
    if ((status = job_make_room(j, n + more, more + 1, error)) < 0)
        return status;
    baseline_pictures(j->baseline, j->gallery.rows, j->gallery.count);
    double before = clock_now();
    status = job_feed(j, j->baseline, 0, j->ids, n, error);
    j->cost.prefill_seconds = clock_now() - before;
    return status;
}

/* -- greedy -------------------------------------------------------------------------------------------------------- */

static int generate_greedy(struct job *j, float *logits, struct error *error)
{
    int n = (int)j->prompt.token_count, wanted = j->request->generate, status;
    int room = j->engine->model->context - n + 1;
    if (wanted > room)
        wanted = room;
    if ((status = feed_prompt(j, wanted - 1, error)) < 0)
        return status;
    double before = clock_now();
    for (int t = 0; t < wanted && !j->stopped; t++) {
        if (t > 0 && (status = job_feed(j, j->baseline, n + t - 1, &j->output[t - 1].id, 1, error)) < 0)
            return status;
        j->cost.generate_seconds = clock_now() - before - j->direct.seconds;
        if ((status = say_token(j, j->baseline, n + t - 1, -1, logits, error)) < 0)
            return status;
        if ((status = job_follow_direct(j, clock_now() - before - j->direct.seconds, error)) < 0)
            return status;
    }
    j->cost.generate_seconds = clock_now() - before - j->direct.seconds;
    return 0;
}

/* -- forced -------------------------------------------------------------------------------------------------------- */

static int force_target(struct job *j, float *logits, struct error *error)
{
    const struct request *r = j->request;
    struct token *target = NULL;
    size_t count = 0;
    int n = (int)j->prompt.token_count;
    int status = tokenizer_encode(j->engine->tokenizer, r->target, r->target_length, 0, &target, &count, error);
    if (status < 0)
        return error_add(error, status, "the target");
    if (count == 0)
        status = error_set(error, ERROR_ARGUMENT, "the target has no tokens");
    else if (count > (size_t)(j->engine->model->context - n + 1))
        status = error_set(error, ERROR_LIMIT,
                           "prompt and target have %zu tokens, the model's context holds %d; shorten them",
                           j->prompt.token_count + count, j->engine->model->context);
    else
        status = feed_prompt(j, (int)count - 1, error);
    double before = clock_now();
    for (size_t t = 0; status == 0 && t < count; t++) {
        if (t > 0)
            status = job_feed(j, j->baseline, n + (int)t - 1, &target[t - 1].id, 1, error);
        if (status == 0)
            status = say_token(j, j->baseline, n + (int)t - 1, target[t].id, logits, error);
        if (status == 0)
            status = job_follow_direct(j, clock_now() - before - j->direct.seconds, error);
    }
    free(target);
    return status;
}

/* -- steered ------------------------------------------------------------------------------------------------------- */

/* The product of what all steers ask of every key; device array of `capacity` factors. */
static int steering_factors(struct job *j, struct baseline *b, float *device, struct error *error)
{
    const struct request *r = j->request;
    int n = (int)j->prompt.token_count, status = 0;
    float *factor = malloc((size_t)b->capacity * sizeof *factor);
    if (!factor)
        return error_set(error, ERROR_MEMORY, "out of memory");
    for (int p = 0; p < b->capacity; p++)
        factor[p] = 1;
    for (size_t i = 0; status == 0 && i < r->steer_count; i++) {
        const struct steer *steer = &r->steers[i];
        struct method method = {.factor = steer->factor, .similarity = NAN, .image_similarity = NAN};
        struct plan_ground ground = {.positions = n};
        struct plan *plan = NULL;
        if (steer->unit < 0 || (size_t)steer->unit >= j->unit_count)
            status = error_set(error, ERROR_ARGUMENT, "there is no unit %d; the prompt has units 0 to %zu", steer->unit,
                               j->unit_count - 1);
        else if (!(steer->factor >= 0 && steer->factor <= 4))
            status = error_set(error, ERROR_ARGUMENT, "the factor must be a number from 0 to 4");
        else
            status = plan_new(&j->units[steer->unit], 1, &ground, &method, &plan, error);
        for (int p = 0; status == 0 && p < n; p++)
            factor[p] *= plan->factor[p];
        plan_free(plan);
    }
    if (status == 0) {
        const struct device_ops *ops = j->engine->device->ops;
        ops->upload(j->stream, factor, (size_t)b->capacity * sizeof *factor, device);
        status = ops->stream_finish(j->stream, error);
    }
    free(factor);
    return status;
}

static int run_steered(struct job *j, struct baseline *b, const struct steering *steering, int wanted, float *logits,
                       struct error *error)
{
    int n = (int)j->prompt.token_count, status = 0;
    baseline_pictures(b, j->gallery.rows, j->gallery.count);
    double before = clock_now();
    status = baseline_run(b, j->stream, j->ids, n, steering, &j->cancelled, error);
    j->cost.prefill_seconds = clock_now() - before;
    for (int t = 0; status == 0 && t < wanted && !j->stopped; t++) {
        if (t > 0)
            status = baseline_run(b, j->stream, &j->output[t - 1].id, 1, steering, &j->cancelled, error);
        j->cost.generate_seconds = clock_now() - before - j->cost.prefill_seconds;
        if (status == 0)
            status = say_token(j, b, n + t - 1, -1, logits, error);
    }
    j->cost.generate_seconds = clock_now() - before - j->cost.prefill_seconds;
    return status;
}

/* Generate with some units turned up or down.  While generating, later keys do not exist yet, so the row
 * minimum is taken over the keys that do. */
static int generate_steered(struct job *j, float *logits, struct error *error)
{
    struct device *device = j->engine->device;
    int n = (int)j->prompt.token_count, wanted = j->request->generate, room = j->engine->model->context - n + 1;
    wanted = wanted < room ? wanted : room;
    struct baseline *b = NULL;
    int status = job_make_way(j, n + wanted - 1, error);
    if (status < 0 || (status = baseline_new(j->engine->model, n + wanted - 1, false, &b, error)) < 0)
        return status;
    struct pool pool;
    pool_init(&pool, device);
    float *factor = pool_floats(&pool, 1, (size_t)b->capacity);
    status = factor ? steering_factors(j, b, factor, error) : error_set(error, pool.status, "%s", pool.error.message);
    if (status == 0) {
        struct steering steering = {factor, j->method.suppression, j->method.first_layer, j->method.last_layer};
        if (steering.suppression == SUPPRESS_ROW_MIN)
            steering.suppression = SUPPRESS_ROW_MIN_CAUSAL;
        status = run_steered(j, b, &steering, wanted, logits, error);
    }
    pool_free(&pool);
    baseline_free(b);
    return status;
}

/* The steered output is explained as what it is to the model left alone: a forced target. */
static int feed_steered(struct job *j, float *logits, struct error *error)
{
    int n = (int)j->prompt.token_count, status = feed_prompt(j, j->output_count - 1, error);
    for (int t = 0; status == 0 && t < j->output_count; t++) {
        if (t > 0)
            status = job_feed(j, j->baseline, n + t - 1, &j->output[t - 1].id, 1, error);
        if (status == 0)
            status = baseline_logits(j->baseline, j->stream, n + t - 1, logits, error);
        if (status < 0)
            break;
        j->lse[t] = logits_log_sum_exp(logits, j->engine->model->vocabulary);
        j->output[t].logprob = logits[j->output[t].id] - j->lse[t];
    }
    return status;
}

int job_output(struct job *j, struct error *error)
{
    float *logits = malloc((size_t)j->engine->model->vocabulary * sizeof *logits);
    int status;
    if (!logits)
        return error_set(error, ERROR_MEMORY, "out of memory");
    if (j->request->target) {
        status = force_target(j, logits, error);
    } else if (j->request->steer_count == 0) {
        status = generate_greedy(j, logits, error);
    } else {
        status = generate_steered(j, logits, error);
        if (status == 0 && j->request->explain)
            status = feed_steered(j, logits, error);
    }
    free(logits);
    return status;
}
