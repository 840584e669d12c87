/* wave.c: which groups a lane takes, and how they go through the layers: one after the other by itself where the
 * baseline keeps its activations, else with all other lanes, layer by layer, a wave of groups at a time. */
#include "core/lane.h"

#include <stdlib.h>

#include "core/clock.h"

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

static bool is_over(const struct lanes *all)
{
    return all->status < 0 || atomic_load(all->watch.cancelled) ||
           (all->watch.deadline > 0 && all->next > 0 && clock_now() > all->watch.deadline);
}

/* Fill a group whose rows are at dx, with as many probes as it should have, but at least one; false: there is none
 * left, or none may begin any more.  Under all->lock. */
static bool group_fill(struct lanes *all, struct group *g, float *dx)
{
    int size = group_size(all);
    *g = (struct group){.dx = dx};
    if (is_over(all))
        return false;
    while (all->next < all->order_count && g->count < GROUP_PROBES) {
        int unit = all->order[all->next], rows = probes_row_count(all->probes, unit);
        if (g->count && g->rows + rows > size)
            break;
        group_add(g, all->probes, unit);
        all->next++;
        all->rows_left -= rows;
    }
    all->groups += g->count > 0;
    return g->count > 0;
}

static void report_group(struct lanes *all, const struct group *g)
{
    struct probes *p = all->probes;
    pthread_mutex_lock(&all->lock);
    for (int i = 0; i < g->count; i++) {
        if (p->past && g->target_rows > 0)
            past_done(p->past, g->unit[i], p->precision, probes_end_row(p));
        p->exact[g->unit[i]] = p->precision == PRECISION_F32;
        atomic_store(&p->measured[g->unit[i]], true);
    }
    all->rows_done += g->rows;
    all->watch.report(all->watch.context, g->unit, g->count, g->rows);
    pthread_mutex_unlock(&all->lock);
}

/* A group's rows, which are the lane's to work on, through layer l; behind the last one what they found is told. */
static int group_step(struct lane *lane, struct group *g, int l, const struct activations *a, struct error *error)
{
    struct lanes *all = lane->all;
    const struct device_ops *ops = all->model->device->ops;
    int status = 0;
    if (atomic_load(all->watch.cancelled)) {
        ops->stream_finish(lane->stream, NULL);
        return error_set(error, ERROR_CANCELLED, "cancelled");
    }
    if (g->target_rows > 0) {
        group_layer(lane, g, l, a);
        status = ops->stream_finish(lane->stream, error);
        if (all->probes->precision == PRECISION_F32) /* else the weights in use are copies */
            model_let_go(all->model);
    }
    if (status < 0)
        return error_add(error, status, "layer %d", l);
    if (l < all->model->layers - 1)
        return 0;
    if (g->target_rows > 0)
        status = group_measure(lane, g, error);
    if (status == 0)
        report_group(all, g);
    return status;
}

/* -- by itself ----------------------------------------------------------------------------------------------------- */

static int run_alone(struct lane *lane, struct error *error)
{
    struct lanes *all = lane->all;
    struct probes *p = all->probes;
    struct group group;
    for (;;) {
        pthread_mutex_lock(&all->lock);
        bool any = group_fill(all, &group, lane->dx);
        pthread_mutex_unlock(&all->lock);
        if (!any)
            return 0;
        int status = group_begin(lane, &group, error);
        if (group.target_rows > 0)
            group_upload(lane, &group);
        for (int l = p->method.first_layer; status == 0 && l < all->model->layers; l++)
            status = group_step(lane, &group, l, baseline_layer(p->baseline, NULL, NULL, l), error);
        if (status < 0)
            return status;
    }
}

/* -- together ------------------------------------------------------------------------------------------------------ */

/* How many rows each lane takes in the next wave: few at first, then as many as there is room for, the last ones in
 * equal shares; and where there is a deadline, no more than are done by then. */
static int64_t wave_size(const struct lanes *all)
{
    int64_t size = all->room.rows, share = all->rows_left / all->room.count + 1;
    for (int i = 0; i < all->waves && size < all->room.parked; i++)
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

/* The lane whose memory the wave has least rows in. */
static struct lane *emptiest(struct lanes *all)
{
    struct lane *found = NULL;
    for (int i = 0; i < all->room.count; i++)
        if (all->lane[i].started && (!found || all->lane[i].wave_rows < found->wave_rows))
            found = &all->lane[i];
    return found;
}

/* The groups of the next wave, cut as they are for lanes that run alone.  Under all->lock. */
static void wave_fill(struct lanes *all)
{
    int64_t size = wave_size(all), most = all->room.parked - all->room.rows;
    struct lane *lane;
    all->wave_groups = 0;
    for (int i = 0; i < all->room.count; i++) {
        all->lane[i].wave_count = 0;
        all->lane[i].wave_rows = 0;
    }
    while ((lane = emptiest(all))->wave_rows < size && lane->wave_rows <= most) {
        if (!wave_grow(lane)) {
            all->status = error_set(&all->error, ERROR_MEMORY, "out of memory");
            break;
        }
        struct group *g = &lane->wave[lane->wave_count];
        if (!group_fill(all, g, lane->dx + (size_t)lane->wave_rows * (size_t)all->model->width))
            break;
        lane->wave_rows += g->rows;
        lane->wave_count++;
        all->wave_groups++;
    }
    all->waves += all->wave_groups > 0;
}

/* While all lanes wait: before the first layer the next wave, then the layer's activations once more. */
static void prepare_layer(void *context)
{
    struct lanes *all = context;
    struct error error;
    double before = clock_now();
    pthread_mutex_lock(&all->lock);
    if (all->layer == 0)
        wave_fill(all);
    pthread_mutex_unlock(&all->lock);
    for (int i = 0; i < all->room.count; i++)
        atomic_store(&all->lane[i].wave_next, 0);
    if (all->wave_groups == 0 || atomic_load(all->watch.cancelled))
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

/* Wait for all other lanes, and for the next layer.  What another lane failed at, or all of them, is said here too. */
static int meet(struct lanes *all, struct error *error)
{
    meeting_attend(&all->meeting, prepare_layer, all);
    pthread_mutex_lock(&all->lock);
    int status = all->status;
    if (status < 0 && error)
        *error = all->error;
    pthread_mutex_unlock(&all->lock);
    return status;
}

/* A group of the wave that has not been through this layer: one of the lane's own or, so that none waits long for the
 * others, of another on the same device.  NULL: all have, or are on their way. */
static struct group *wave_next(struct lane *lane)
{
    struct lanes *all = lane->all;
    const struct device_ops *ops = all->model->device->ops;
    int own = (int)(lane - all->lane);
    for (int i = 0; i < all->room.count; i++) {
        struct lane *from = &all->lane[(own + i) % all->room.count];
        if (ops->stream_device(from->stream) != ops->stream_device(lane->stream))
            continue;
        int k = atomic_fetch_add(&from->wave_next, 1);
        if (k < from->wave_count)
            return &from->wave[k];
    }
    return NULL;
}

/* Each layer's activations are there for all lanes at once.  No probe goes on from probes->past here: rows are kept
 * only where there is room for all activations. */
static int run_together(struct lane *lane, struct error *error)
{
    struct lanes *all = lane->all;
    for (int l = 0;; l = (l + 1) % all->model->layers) {
        int status = meet(all, error);
        if (status < 0 || all->wave_groups == 0)
            return status;
        if (l < all->probes->method.first_layer)
            continue;
        for (struct group *g; status == 0 && (g = wave_next(lane));) {
            if (g->target_rows > 0)
                group_upload(lane, g);
            status = group_step(lane, g, l, all->activations, error);
        }
        if (status < 0)
            return status;
    }
}

int lane_run(struct lane *lane, struct error *error)
{
    return lane->all->walker ? run_together(lane, error) : run_alone(lane, error);
}
