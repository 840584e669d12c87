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

/* -- groups -------------------------------------------------------------------------------------------------------- */

/* How many rows the next group should have: few at first, so that something is seen soon, then as many as the device
 * likes, and few again towards the end, so that no lane waits long for the last.  That does not depend on how many
 * lanes there is memory for, nor do any numbers then. */
static int group_size(const struct lanes *all)
{
    int lanes = all->model->device->ops->info(all->model->device)->streams;
    if (all->watch.rows)
        return all->watch.rows < all->room.rows ? all->watch.rows : all->room.rows;
    int64_t like = all->room.rows, size = like >> 5, share = all->rows_left / (2 * lanes);
    for (int i = all->groups / lanes; i > 0 && size < like; i--)
        size *= 2;
    if (share < like >> 3)
        share = like >> 3;
    if (size > share)
        size = share;
    return (int)(size < like ? size : like);
}

/* Fill a group with up to so many rows, but at least one probe; false: no probe is left. */
static bool group_fill(struct lanes *all, struct group *g, size_t at, int64_t size)
{
    *g = (struct group){.at = at};
    while (all->next < all->order_count && g->count < GROUP_PROBES) {
        int unit = all->order[all->next], rows = probes_row_count(all->probes, unit);
        if (g->count && g->rows + rows > size)
            break;
        group_add(g, all->probes, unit);
        all->next++;
        all->rows_left -= rows;
    }
    return g->count > 0;
}

static bool is_over(const struct lanes *all)
{
    return all->status < 0 || atomic_load(all->watch.cancelled) ||
           (all->watch.deadline > 0 && all->next > 0 && clock_now() > all->watch.deadline);
}

/* How many rows each lane takes in the next wave: few at first, then as many as there is room for, the last ones in
 * equal shares; and where there is a deadline, no more than are done by then. */
static int64_t wave_size(const struct lanes *all)
{
    int64_t size = all->room.rows, share = all->rows_left / all->room.count;
    for (int i = 0; i < all->wave && size < all->room.parked; i++)
        size *= 4;
    if (size > all->room.parked || all->watch.rows)
        size = all->room.parked;
    if (all->watch.deadline > 0 && all->rows_done > 0) {
        double now = clock_now(), rate = (double)all->rows_done / (now - all->started) / all->room.count;
        double left = rate * (all->watch.deadline - now);
        size = left < (double)size ? left > 1 ? (int64_t)left : 1 : size;
    }
    return size < share ? size : share;
}

/* Room for one more group of the lane's wave. */
static bool wave_grow(struct lane *lane)
{
    if (lane->wave_count < lane->wave_room)
        return true;
    int room = lane->wave_room ? 2 * lane->wave_room : 1;
    struct group *wave = realloc(lane->wave, (size_t)room * sizeof *wave);
    if (wave) {
        lane->wave = wave;
        lane->wave_room = room;
    }
    return wave;
}

/* Take the next group, or those of a wave; none: there is none, or none may begin any more.  Groups are cut alike in
 * both cases. */
static int wave_take(struct lane *lane, struct error *error)
{
    struct lanes *all = lane->all;
    int64_t rows = 0, most = all->room.parked - all->room.rows;
    int status = 0;
    bool more = true;
    lane->wave_count = 0;
    pthread_mutex_lock(&all->lock);
    if (all->walker && lane->waves++ == all->wave) { /* the first one to begin it */
        all->wave_rows = wave_size(all);
        all->wave++;
    }
    while (more && !is_over(all)) {
        if (!wave_grow(lane)) {
            status = error_set(error, ERROR_MEMORY, "out of memory");
            break;
        }
        if (!group_fill(all, &lane->wave[lane->wave_count], (size_t)rows, group_size(all)))
            break;
        rows += lane->wave[lane->wave_count++].rows;
        all->groups++;
        more = all->walker && rows < all->wave_rows && rows <= most;
    }
    pthread_mutex_unlock(&all->lock);
    return status;
}

/* -- layers -------------------------------------------------------------------------------------------------------- */

/* One layer's activations once more, for all lanes. */
static void walk(void *context)
{
    struct lanes *all = context;
    struct error error;
    double before = clock_now();
    pthread_mutex_lock(&all->lock);
    bool over = atomic_load(all->watch.cancelled) || all->status < 0;
    pthread_mutex_unlock(&all->lock);
    if (over)
        return;
    all->activations = baseline_layer(all->probes->baseline, all->walker, all->wide, all->layer);
    int status = all->model->device->ops->stream_finish(all->wide, &error);
    model_let_go(all->model);
    all->layer = (all->layer + 1) % all->model->layers;
    pthread_mutex_lock(&all->lock);
    all->again_seconds += clock_now() - before;
    if (status < 0 && all->status == 0) {
        all->status = status;
        all->error = error;
    }
    pthread_mutex_unlock(&all->lock);
}

static int wave_layer(struct lane *lane, int l, const struct activations *a, struct error *error)
{
    const struct lanes *all = lane->all;
    const struct device_ops *ops = all->model->device->ops;
    for (int i = 0; i < lane->wave_count; i++) {
        const struct group *g = &lane->wave[i];
        if (atomic_load(all->watch.cancelled)) {
            ops->stream_finish(lane->stream, NULL);
            return error_set(error, ERROR_CANCELLED, "cancelled");
        }
        if (g->target_rows == 0)
            continue;
        if (lane->wave_count > 1 || l == all->probes->method.first_layer)
            group_upload(lane, g);
        group_layer(lane, g, l, a);
        int status = ops->stream_finish(lane->stream, error);
        if (all->probes->precision == PRECISION_F32) /* else the weights in use are copies */
            model_let_go(all->model);
        if (status < 0)
            return error_add(error, status, "layer %d", l);
    }
    return 0;
}

static void report_group(struct lane *lane, const struct group *g)
{
    struct lanes *all = lane->all;
    pthread_mutex_lock(&all->lock);
    for (int i = 0; i < g->count; i++) {
        if (all->probes->past && g->target_rows > 0)
            past_done(all->probes->past, g->unit[i], all->probes->precision, probes_end_row(all->probes));
        all->probes->exact[g->unit[i]] = all->probes->precision == PRECISION_F32;
        atomic_store(&all->probes->measured[g->unit[i]], true);
    }
    all->rows_done += g->rows;
    all->watch.report(all->watch.context, g->unit, g->count, g->rows);
    pthread_mutex_unlock(&all->lock);
}

/* The activations of layer l, together with all other lanes where they must be computed.  What another lane failed at,
 * or all of them, is said here too. */
static int meet(struct lanes *all, int l, const struct activations **a, struct error *error)
{
    if (!all->walker) {
        *a = baseline_layer(all->probes->baseline, NULL, NULL, l);
        return 0;
    }
    meeting_attend(&all->meeting, walk, all);
    *a = all->activations;
    pthread_mutex_lock(&all->lock);
    int status = all->status;
    if (status < 0 && error)
        *error = all->error;
    pthread_mutex_unlock(&all->lock);
    return status;
}

static int wave_run(struct lane *lane, struct error *error)
{
    struct lanes *all = lane->all;
    int first = all->probes->method.first_layer, status = 0;
    for (int i = 0; status == 0 && i < lane->wave_count; i++)
        status = group_begin(lane, &lane->wave[i], error);
    for (int l = all->walker ? 0 : first; status == 0 && l < all->model->layers; l++) {
        const struct activations *a;
        if ((status = meet(all, l, &a, error)) == 0 && l >= first)
            status = wave_layer(lane, l, a, error);
    }
    for (int i = 0; status == 0 && i < lane->wave_count; i++) {
        const struct group *g = &lane->wave[i];
        if (g->target_rows > 0 && lane->wave_count > 1)
            group_upload(lane, g);
        if (g->target_rows > 0)
            status = group_measure(lane, g, error);
        if (status == 0)
            report_group(lane, g);
    }
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
    lane->waves = 0;
    while (status == 0 && (status = wave_take(lane, &error)) == 0 && lane->wave_count > 0)
        status = wave_run(lane, &error);
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
    all->next = all->groups = all->status = all->wave = 0;
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
        lane->started = pthread_create(&lane->thread, NULL, lane_main, lane) == 0;
        if (lane->started)
            continue;
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
    return all->wave;
}
