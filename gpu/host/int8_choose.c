/* int8_choose.c: whose products of 8-bit integers are the faster ones here, our own kernels' or oneDNN's.  Both give
 * the same numbers to the bit, so nothing but time depends on it. */
#include <math.h>
#include <stdlib.h>
#include <time.h>

#include "gpu/host/int8.h"
#include "gpu/host/int8_onednn.h"

enum {
    ROWS = 64, /* no fewer than are multiplied at once */
    TIMES = 3,
};

/* Our own are taken where they are about as fast: they write less in between. */
static const double worth = 1.25;

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

/* Seconds of a product in a form; infinite where it cannot be had. */
static double time_form(struct stream *stream, const struct weight *from, enum int8_form form, const float *dx,
                        float *dy)
{
    struct int8_weight *w = int8_weight_new(stream, from, form);
    double least = INFINITY;
    for (int i = 0; w && i < TIMES; i++) {
        double start = now();
        int8_products(stream, 1, (const struct int8_weight *const *)&w, dx, ROWS, false, &dy);
        least = fmin(least, now() - start);
    }
    int8_weight_free(w);
    if (stream->failure.code)
        least = INFINITY;
    stream->failure.code = 0; /* whoever takes the form will be told */
    return least;
}

static enum int8_form choose(struct stream *stream, const struct weight *from)
{
    size_t columns = (size_t)host_weight_columns(from), outputs = (size_t)host_weight_rows(from);
    enum int8_form form = INT8_OWN;
    float *dx = malloc(ROWS * columns * sizeof *dx), *dy = malloc(ROWS * outputs * sizeof *dy);
    for (size_t i = 0; dx && i < ROWS * columns; i++)
        dx[i] = (float)(i * 7919 % 2003) / 1001.5f - 1;
    if (dx && dy && time_form(stream, from, INT8_OWN, dx, dy) >
                        worth * time_form(stream, from, INT8_ONEDNN, dx, dy))
        form = INT8_ONEDNN;
    free(dx);
    free(dy);
    return form;
}

enum int8_form int8_choose(struct stream *stream, const struct weight *from)
{
    struct host_device *host = stream->device;
    pthread_mutex_lock(&host->lock);
    if (host->int8_form == INT8_BY_TIME)
        host->int8_form = int8_onednn_offered() ? choose(stream, from) : INT8_OWN;
    enum int8_form form = host->int8_form;
    pthread_mutex_unlock(&host->lock);
    return form;
}
