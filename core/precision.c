/* precision.c: precisions are chosen by timing, never by what a processor says of itself: the same instruction is the
 * fastest on one and slower than f32 on another. */
#include "core/precision.h"

#include <stdlib.h>

#include "core/clock.h"
#include "core/pool.h"

enum { ROWS = 256, TIMES = 8 };

/* Lower precision has to be faster by this: products are not all of a probe, and some units are measured twice. */
static const double worth = 2;

/* Differences of uneven size, for rounding takes as long as it does with a probe's. */
static int make_rows(struct stream *s, const struct model *m, int columns, float *dx, struct error *error)
{
    size_t n = (size_t)ROWS * (size_t)columns;
    float *host = malloc(n * sizeof *host);
    if (!host)
        return error_set(error, ERROR_MEMORY, "out of memory");
    for (size_t i = 0; i < n; i++)
        host[i] = (float)(i * 7919 % 2003) / 1001.5f - 1;
    m->device->ops->upload(s, host, n * sizeof *host, dx);
    int status = m->device->ops->stream_finish(s, error);
    free(host);
    return status;
}

/* The fastest of a few products, after one that brings the weight into its form. */
static int time_one(struct stream *s, const struct model *m, enum precision precision, const float *dx, float *dy,
                    double *seconds, struct error *error)
{
    const struct device_ops *ops = m->device->ops;
    *seconds = 0;
    for (int i = 0; i <= TIMES; i++) {
        double start = clock_now();
        ops->linear_delta(s, m->layer[0].output.weight, precision, dx, ROWS, dy);
        int status = ops->stream_finish(s, error);
        if (status < 0)
            return status;
        double taken = clock_now() - start;
        if (i == 1 || (i > 1 && taken < *seconds))
            *seconds = taken;
    }
    return 0;
}

int precision_time(const struct model *m, double seconds[3], struct error *error)
{
    const struct device_ops *ops = m->device->ops;
    const struct device_info *info = ops->info(m->device);
    int columns = m->heads * m->head_dim;
    struct stream *s = NULL;
    struct pool pool;
    int status = ops->stream_new(m->device, false, &s, error);
    if (status < 0)
        return status;
    pool_init(&pool, ops->stream_device(s));
    float *dx = pool_floats(&pool, ROWS, (size_t)columns), *dy = pool_floats(&pool, ROWS, (size_t)m->width);
    status = pool.status;
    if (status < 0 && error)
        *error = pool.error;
    if (status == 0)
        status = make_rows(s, m, columns, dx, error);
    for (int p = PRECISION_F32; p <= PRECISION_INT8; p++) {
        seconds[p] = 0;
        if (status == 0 && info->precision[p])
            status = time_one(s, m, (enum precision)p, dx, dy, &seconds[p], error);
    }
    ops->stream_free(s);
    pool_free(&pool);
    return status;
}

enum precision precision_choose(const double seconds[3])
{
    static const enum precision lower[] = {PRECISION_BF16, PRECISION_INT8}; /* most exact first */
    enum precision best = PRECISION_F32;
    for (int i = 0; i < 2; i++)
        if (seconds[lower[i]] > 0 && worth * seconds[lower[i]] < seconds[best])
            best = lower[i];
    return best;
}
