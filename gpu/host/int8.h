/* int8.h: a weight rounded to 8-bit integers, and products of differences with it. */
#ifndef GPU_HOST_INT8_H
#define GPU_HOST_INT8_H

#include "gpu/host/host.h"

/* A sum of more products of u8 and s8 than this might not fit 32 bits. */
enum { INT8_MOST_COLUMNS = 65536 };

struct int8_weight;

/* Round a weight, one scale an output row.  NULL: the stream is marked. */
struct int8_weight *int8_weight_new(struct stream *, const struct weight *);
void int8_weight_free(struct int8_weight *); /* NULL ok */

/* dy [rows, outputs] = dx [rows, columns] . w^T, every row of dx rounded with a scale of its own. */
void int8_product(struct stream *, const struct int8_weight *, const float *dx, int rows, float *dy);

/* Two weights of the same columns and outputs (up NULL: one), and what becomes of their products. */
struct int8_feed {
    enum activation activation;
    const struct int8_weight *gate, *up;
};

/* feed_delta of device.h: a block of rows is rounded once, and the gate taken while both its products are in the cache. */
void int8_feed(struct stream *, const struct int8_feed *, const float *gate, const float *up, const int32_t *position,
               const float *dx, int rows, float *dy);

#endif
