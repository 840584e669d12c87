#include "core/lane.h"

#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "core/clock.h"

/* -- the store ----------------------------------------------------------------------------------------------------- */

int probes_new(const struct baseline *b, struct stream *s, const struct plan *plan, const struct method *method,
               const struct targets *targets, enum precision precision, struct probes **out, struct error *error)
{
    const struct model *m = b->model;
    size_t units = (size_t)plan->units, t = (size_t)targets->count, d = (size_t)m->width;
    struct probes *p = calloc(1, sizeof *p);
    if (!p)
        return error_set(error, ERROR_MEMORY, "out of memory");
    p->baseline = b;
    p->plan = plan;
    p->method = *method;
    p->targets = *targets;
    p->precision = precision;
    pthread_mutex_init(&p->results, NULL);
    pool_init(&p->pool, m->device);
    p->hidden = pool_floats(&p->pool, t, d);
    p->change = pool_floats(&p->pool, units * t, d);
    p->dlse = calloc(units * t + 1, sizeof *p->dlse);
    p->dlogit = calloc(units * t * (size_t)targets->wanted_count + 1, sizeof *p->dlogit);
    p->measured = calloc(units + 1, sizeof *p->measured);
    int status = p->pool.status;
    if (status < 0 && error)
        *error = p->pool.error;
    p->known = calloc(units + 1, sizeof *p->known);
    p->exact = calloc(units + 1, sizeof *p->exact);
    if (status == 0 && (!p->dlse || !p->dlogit || !p->measured || !p->known || !p->exact))
        status = error_set(error, ERROR_MEMORY, "out of memory");
    if (status == 0) {
        m->device->ops->norm(s, &m->output_norm, b->final + (size_t)targets->first * d, targets->count, p->hidden);
        status = m->device->ops->stream_finish(s, error);
    }
    if (status < 0) {
        probes_free(p);
        return status;
    }
    *out = p;
    return 0;
}

void probes_free(struct probes *p)
{
    if (!p)
        return;
    pool_free(&p->pool);
    past_free(p->past);
    pthread_mutex_destroy(&p->results);
    free(p->dlse);
    free(p->dlogit);
    free(p->measured);
    free(p->known);
    free(p->exact);
    free(p);
}

void probes_drop_states(struct probes *p)
{
    pool_free(&p->pool);
    pool_init(&p->pool, p->baseline->model->device);
    p->hidden = p->change = NULL;
}

bool probes_are_direct(const struct probes *p)
{
    return p->method.paths == PATHS_DIRECT;
}

int probes_end_row(const struct probes *p)
{
    return probes_are_direct(p) ? p->targets.first + p->targets.count : p->plan->positions;
}

/* Where a probe begins or goes on: a target of which nothing is known needs its row even if `past` has that. */
static int begin_row(const struct probes *p, int unit)
{
    int start = p->plan->start[unit], needed = p->targets.first + p->known[unit];
    int there = p->past ? past_end(p->past, unit, p->precision) : 0;
    there = there < needed ? there : needed;
    return there > start ? there : start;
}

int probes_first_target_row(const struct probes *p, int unit)
{
    int start = begin_row(p, unit), first = p->targets.first, end = probes_end_row(p);
    return start < first ? first : start < end ? start : end;
}

int probes_first_row(const struct probes *p, int unit)
{
    return probes_are_direct(p) ? probes_first_target_row(p, unit) : begin_row(p, unit);
}

int probes_row_count(const struct probes *p, int unit)
{
    return probes_end_row(p) - probes_first_row(p, unit);
}

int probes_first_target(const struct probes *p, int unit)
{
    int t = p->plan->start[unit] - p->targets.first;
    return t < 0 ? 0 : t < p->targets.count ? t : p->targets.count;
}

bool probes_know(const struct probes *p, int unit, int t)
{
    return atomic_load(&p->measured[unit]) || t < p->known[unit];
}

int probes_retarget(struct probes *p, struct stream *s, int t, int32_t id, float *relevance, struct error *error)
{
    const struct model *m = p->baseline->model;
    const struct device_ops *ops = m->device->ops;
    size_t units = (size_t)p->plan->units, targets = (size_t)p->targets.count, d = (size_t)m->width;
    int32_t *row = malloc((units + 1) * sizeof *row), *zero = calloc(units + 1, sizeof *zero);
    double *dlogit = malloc((units + 1) * sizeof *dlogit);
    struct pool pool;
    int n = 0, status;
    pool_init(&pool, m->device);
    float *change = pool_floats(&pool, units, d);
    if (!row || !zero || !dlogit || !change) {
        status = error_set(error, ERROR_MEMORY, "out of memory");
        goto out;
    }
    pthread_mutex_lock(&p->results);
    for (size_t u = 0; u < units; u++) {
        bool known = probes_know(p, (int)u, t);
        relevance[u] = known ? 0 : NAN;
        if (known && probes_first_target(p, (int)u) <= t)
            row[n++] = (int32_t)(u * targets + (size_t)t);
    }
    ops->gather(s, p->change, row, n, m->width, change);
    ops->logit_delta(s, &m->head, p->hidden + (size_t)t * d, change, zero, n, &id, 1, dlogit);
    status = ops->stream_finish(s, error);
    for (int i = 0; status == 0 && i < n; i++)
        relevance[(size_t)row[i] / targets] = (float)(p->dlse[row[i]] - dlogit[i]);
    pthread_mutex_unlock(&p->results);
out:
    pool_free(&pool);
    free(row);
    free(zero);
    free(dlogit);
    return status;
}

/* -- the run ------------------------------------------------------------------------------------------------------- */

/* Everything of a lane that depends on the run: the ones that stand for "untouched", and room for the wanted logits. */
static int lane_prepare(struct lane *lane, struct error *error)
{
    const struct lanes *all = lane->all;
    const struct probes *p = all->probes;
    const struct device_ops *ops = all->model->device->ops;
    size_t ones = (size_t)GROUP_PROBES * (size_t)p->plan->positions;
    size_t wanted = (size_t)all->room.rows * (size_t)p->targets.wanted_count;
    if (wanted > lane->host.wanted) {
        double *room = realloc(lane->host.dlogit, wanted * sizeof *room);
        if (!room)
            return error_set(error, ERROR_MEMORY, "out of memory");
        lane->host.dlogit = room;
        lane->host.wanted = wanted;
    }
    int status = p->past && !lane->keys ? lane_make_past(lane, error) : 0;
    if (status < 0)
        return status;
    if (p->method.last_layer < all->model->layers - 1) {
        float *host = malloc(ones * sizeof *host);
        if (!host)
            return error_set(error, ERROR_MEMORY, "out of memory");
        for (size_t i = 0; i < ones; i++)
            host[i] = 1;
        ops->upload(lane->stream, host, ones * sizeof *host, lane->factor + ones);
        status = ops->stream_finish(lane->stream, error);
        free(host);
    }
    return status;
}

static void *lane_main(void *argument)
{
    struct lane *lane = argument;
    struct lanes *all = lane->all;
    struct error error = {0};
    int status = lane_prepare(lane, &error);
    if (status == 0)
        status = lane_run(lane, &error);
    pthread_mutex_lock(&all->lock);
    if (status < 0 && all->status == 0) {
        all->status = status;
        all->error = error;
    }
    pthread_mutex_unlock(&all->lock);
    meeting_leave(&all->meeting);
    pthread_mutex_lock(&all->lock);
    all->running--;
    if (all->running == 0)
        all->watch.report(all->watch.context, NULL, 0, 0);
    pthread_mutex_unlock(&all->lock);
    return NULL;
}

/* What recomputing activations needs, where the baseline keeps none. */
static int lanes_prepare(struct lanes *all, struct error *error)
{
    struct device *device = all->model->device;
    all->activations = NULL;
    all->layer = 0;
    int status = walker_new(all->probes->baseline, &all->walker, error);
    if (status == 0 && all->walker && !all->wide)
        status = device->ops->stream_new(device, true, &all->wide, error);
    return status;
}

int probes_start(struct probes *p, struct lanes *all, const struct probe_watch *watch, struct error *error)
{
    all->probes = p;
    all->watch = *watch;
    all->next = all->groups = all->waves = all->status = 0;
    all->rows_left = all->rows_done = 0;
    all->again_seconds = 0;
    all->started = clock_now();
    all->order = watch->units ? watch->units : p->plan->order;
    all->order_count = watch->units ? watch->count : p->plan->units;
    for (int i = 0; i < all->order_count; i++)
        all->rows_left += probes_row_count(p, all->order[i]);
    if ((all->status = lanes_prepare(all, &all->error)) < 0)
        return error_set(error, all->status, "%s", all->error.message);
    all->meeting.members = all->running = all->room.count;
    for (int i = 0; i < all->room.count; i++) {
        struct lane *lane = &all->lane[i];
        lane->started = true; /* the lanes themselves look at it, from the first meeting on */
        if (pthread_create(&lane->thread, NULL, lane_main, lane) == 0)
            continue;
        lane->started = false;
        meeting_leave(&all->meeting);
        pthread_mutex_lock(&all->lock);
        all->running--;
        if (i == 0)
            all->status = error_set(&all->error, ERROR_MEMORY, "the system gives no thread for the probes");
        pthread_mutex_unlock(&all->lock);
    }
    if (all->lane[0].started)
        return 0;
    pthread_mutex_lock(&all->lock);
    int status = error_set(error, all->status, "%s", all->error.message);
    pthread_mutex_unlock(&all->lock);
    return status;
}

bool probes_running(struct lanes *all)
{
    pthread_mutex_lock(&all->lock);
    bool running = all->running > 0;
    pthread_mutex_unlock(&all->lock);
    return running;
}

int probes_finish(struct lanes *all, struct error *error)
{
    for (int i = 0; i < all->room.count; i++)
        if (all->lane[i].started) {
            pthread_join(all->lane[i].thread, NULL);
            all->lane[i].started = false;
        }
    walker_free(all->walker);
    all->walker = NULL;
    if (all->status < 0 && error)
        *error = all->error;
    if (all->status == 0 && atomic_load(all->watch.cancelled))
        return error_set(error, ERROR_CANCELLED, "cancelled");
    return all->status;
}

int probes_again(const struct lanes *all, double *seconds)
{
    *seconds = all->again_seconds;
    return all->waves;
}
