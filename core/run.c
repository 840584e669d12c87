/* run.c: a run of probes on the lanes, from the worker's thread: weights made ready, units shared out, lanes halved
 * where there is not the memory. */
#include "core/job.h"

#include <stdlib.h>

#include "core/clock.h"

/* The weights in the probes' precision, by all threads: the lanes would each stop for the one that has come first. */
static int prepare_weights(struct job *j, enum precision precision, struct error *error)
{
    const struct device_ops *ops = j->engine->device->ops;
    const struct model *m = j->engine->model;
    int status = 0;
    if (precision == PRECISION_F32 || atomic_load(&j->engine->rounded))
        return 0;
    for (int l = 0; ops->weight_prepare && status == 0 && l < m->layers; l++) {
        const struct layer *layer = &m->layer[l];
        const struct linear *all[] = {&layer->query, &layer->key, &layer->value, &layer->output,
                                      &layer->gate,  &layer->up,  &layer->down};
        for (size_t i = 0; i < sizeof all / sizeof *all; i++)
            if (all[i]->weight)
                ops->weight_prepare(j->stream, all[i]->weight, precision);
        status = ops->stream_finish(j->stream, error);
        model_let_go(m);
        if (status == 0 && atomic_load(&j->cancelled))
            status = error_set(error, ERROR_CANCELLED, "cancelled");
    }
    if (status == 0)
        atomic_store(&j->engine->rounded, true);
    return status;
}

static int run_once(struct job *j, struct probes *p, struct probe_watch *watch, struct error *error)
{
    watch->cancelled = &j->cancelled;
    if (j->request->budget > 0)
        watch->deadline = j->probes_started + j->request->budget;
    int status = prepare_weights(j, p->precision, error);
    if (status < 0)
        return status;
    status = probes_start(p, j->lanes, watch, error);
    while (status == 0 && probes_running(j->lanes))
        j->wait(j->context);
    int finished = probes_finish(j->lanes, error);
    double seconds;
    j->cost.again += probes_again(j->lanes, &seconds);
    j->cost.again_seconds += seconds;
    return status < 0 ? status : finished;
}

/* The units that are not measured yet, in the plan's order, malloced; NULL: no memory. */
static int *list_left(const struct probes *p, int *count)
{
    int *unit = malloc(((size_t)p->plan->units + 1) * sizeof *unit);
    *count = 0;
    for (int i = 0; unit && i < p->plan->units; i++)
        if (!atomic_load(&p->measured[p->plan->order[i]]))
            unit[(*count)++] = p->plan->order[i];
    return unit;
}

int job_watch_probes(struct job *j, struct probes *p, struct probe_watch *watch, struct error *error)
{
    bool all = !watch->units;
    int status;
    do { /* smaller batches are slower, and better than none */
        int *left = all ? list_left(p, &watch->count) : NULL;
        if (all && !left)
            return error_set(error, ERROR_MEMORY, "out of memory");
        if (all)
            watch->units = left;
        status = watch->count > 0 ? run_once(j, p, watch, error) : 0;
        free(left);
    } while (status == ERROR_MEMORY && lanes_halve(&j->lanes) == 0);
    return status;
}

struct load {
    int unit, rows, lane;
};

static int by_rows(const void *a, const void *b)
{
    const struct load *x = a, *y = b;
    return x->rows != y->rows ? y->rows - x->rows : x->unit - y->unit;
}

static int by_lane(const void *a, const void *b)
{
    const struct load *x = a, *y = b;
    return x->lane != y->lane ? x->lane - y->lane : by_rows(a, b);
}

/* The largest first, each to the lane that has least. */
int *job_share_out(const struct job *j, const int *units, int count, int *most)
{
    const struct device *device = j->engine->device;
    int lanes = device->ops->info(device)->streams;
    struct load *load = malloc(((size_t)count + 1) * sizeof *load);
    int *order = malloc(((size_t)count + 1) * sizeof *order), *rows = calloc((size_t)lanes, sizeof *rows);
    bool room = load && order && rows;
    *most = 0;
    for (int i = 0; room && i < count; i++)
        load[i] = (struct load){units[i], probes_row_count(j->probes, units[i]), 0};
    if (room)
        qsort(load, (size_t)count, sizeof *load, by_rows);
    for (int i = 0; room && i < count; i++) {
        int *lane = &load[i].lane;
        for (int k = 1; k < lanes; k++)
            if (rows[k] < rows[*lane])
                *lane = k;
        rows[*lane] += load[i].rows;
        if (rows[*lane] > *most)
            *most = rows[*lane];
    }
    if (room)
        qsort(load, (size_t)count, sizeof *load, by_lane);
    for (int i = 0; room && i < count; i++)
        order[i] = load[i].unit;
    free(load);
    free(rows);
    if (room)
        return order;
    free(order);
    return NULL;
}
