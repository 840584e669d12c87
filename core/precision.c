/* precision.c: precisions are chosen by timing, never by what a processor says of itself: the same instruction is the
 * fastest on one and slower than f32 on another.
 *
 * The same machine has to come to the same choice every time, for the same question is to get the same numbers: so a
 * lower precision is taken only where it wins by far, and all are timed in turns, that a busy moment be nobody's
 * alone; where the calling thread itself computes, by its processor's time, for on a busy machine others have their
 * turns in between. */
#include "core/precision.h"

#include <math.h>
#include <stdlib.h>

#include "core/clock.h"
#include "core/pool.h"

enum {
    ROWS = 128, /* as many as products in any precision take at a time */
    TIMES = 8,           /* rounds, as far as the time goes; */
    ENOUGH = 2,          /* as many for what is slower than f32 */
    WEIGHTS = 2,         /* matrices of the first layer: the attention's last, and the feed-forward's */
    SMALL = 1 << 22,     /* the latter only in models where it has at most so many elements */
    PRECISIONS = PRECISION_INT8 + 1,
};

static const double most_seconds = 0.03;

/* Lower precision has to be faster by this: products are not all of a probe, and some units are measured twice. */
static const double worth = 2;

/* So much slower than int8, bf16 is taken all the same: its map is the more exact one (rank correlation with that of
 * f32 0.9998 instead of 0.998). */
static const double nearly = 1.25;

struct trial {
    const struct model *model;
    struct stream *stream;
    struct pool pool;
    const struct weight *weight[WEIGHTS];
    int columns[WEIGHTS], count;
    float *dx, *dy;
    double least[PRECISIONS][WEIGHTS];
    double (*now)(void);
};

static void choose_weights(struct trial *t)
{
    const struct model *m = t->model;
    const struct weight *weight[WEIGHTS] = {m->layer[0].output.weight, m->layer[0].down.weight};
    int columns[WEIGHTS] = {m->heads * m->head_dim, m->ffn};
    for (int i = 0; i < WEIGHTS; i++)
        if (i == 0 || (int64_t)columns[i] * m->width <= SMALL) {
            t->weight[t->count] = weight[i];
            t->columns[t->count++] = columns[i];
        }
}

/* Differences of uneven size, for rounding takes as long as it does with a probe's. */
static int make_rows(struct trial *t, struct error *error)
{
    const struct device_ops *ops = t->model->device->ops;
    int columns = t->columns[0];
    for (int i = 1; i < t->count; i++)
        columns = t->columns[i] > columns ? t->columns[i] : columns;
    t->dx = pool_floats(&t->pool, ROWS, (size_t)columns);
    t->dy = pool_floats(&t->pool, ROWS, (size_t)t->model->width);
    if (t->pool.status < 0) {
        if (error)
            *error = t->pool.error;
        return t->pool.status;
    }
    size_t n = (size_t)ROWS * (size_t)columns;
    float *host = malloc(n * sizeof *host);
    if (!host)
        return error_set(error, ERROR_MEMORY, "out of memory");
    for (size_t i = 0; i < n; i++)
        host[i] = (float)(i * 7919 % 2003) / 1001.5f - 1;
    ops->upload(t->stream, host, n * sizeof *host, t->dx);
    int status = ops->stream_finish(t->stream, error);
    free(host);
    return status;
}

static double seconds_of(const struct trial *t, int p)
{
    double sum = 0;
    for (int i = 0; i < t->count; i++)
        sum += t->least[p][i];
    return sum;
}

/* One product of each weight in each precision; round -1 brings the weights into their forms. */
static int run_round(struct trial *t, int round, struct error *error)
{
    const struct device_ops *ops = t->model->device->ops;
    const struct device_info *info = ops->info(t->model->device);
    bool timed[PRECISIONS];
    for (int p = 0; p < PRECISIONS; p++)
        timed[p] = info->precision[p] && (round < ENOUGH || seconds_of(t, p) <= seconds_of(t, PRECISION_F32));
    for (int i = 0; i < t->count; i++)
        for (int p = 0; p < PRECISIONS; p++) {
            if (!timed[p])
                continue;
            double start = t->now();
            ops->linear_delta(t->stream, t->weight[i], (enum precision)p, t->dx, ROWS, t->dy);
            int status = ops->stream_finish(t->stream, error);
            if (status < 0)
                return status;
            t->least[p][i] = round < 0 ? INFINITY : fmin(t->least[p][i], t->now() - start);
        }
    return 0;
}

static int run_rounds(struct trial *t, double seconds[3], struct error *error)
{
    int status = make_rows(t, error);
    if (status == 0)
        status = run_round(t, -1, error);
    double start = clock_now();
    for (int i = 0; status == 0 && i < TIMES && (i == 0 || clock_now() - start < most_seconds); i++)
        status = run_round(t, i, error);
    for (int p = 0; status == 0 && p < PRECISIONS; p++)
        seconds[p] = seconds_of(t, p);
    return status;
}

int precision_time(const struct model *m, double seconds[3], struct error *error)
{
    struct trial trial = {.model = m, .now = m->device->ops->info(m->device)->threads ? clock_thread : clock_now};
    for (int p = 0; p < PRECISIONS; p++)
        seconds[p] = 0;
    int status = m->device->ops->stream_new(m->device, false, &trial.stream, error);
    if (status < 0)
        return status;
    pool_init(&trial.pool, m->device->ops->stream_device(trial.stream));
    choose_weights(&trial);
    status = run_rounds(&trial, seconds, error);
    m->device->ops->stream_free(trial.stream);
    pool_free(&trial.pool);
    return status;
}

enum precision precision_choose(const double seconds[3])
{
    double f32 = seconds[PRECISION_F32], bf16 = seconds[PRECISION_BF16], int8 = seconds[PRECISION_INT8];
    bool less = bf16 > 0 && worth * bf16 < f32, least = int8 > 0 && worth * int8 < f32;
    if (less && least)
        return bf16 <= nearly * int8 ? PRECISION_BF16 : PRECISION_INT8;
    return less ? PRECISION_BF16 : least ? PRECISION_INT8 : PRECISION_F32;
}
