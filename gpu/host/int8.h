/* int8.h: a weight rounded to 8-bit integers, and products of differences with it. */
#ifndef GPU_HOST_INT8_H
#define GPU_HOST_INT8_H

#include "gpu/host/host.h"

/* A sum of more products of u8 and s8 than this might not fit 32 bits. */
enum { INT8_MOST_COLUMNS = 65536 };

struct int8_weight;

/* The form for this device's weights, found out by timing this one in each where it is not known yet.  int8_choose.c */
enum int8_form int8_choose(struct stream *, const struct weight *);

/* Round a weight, one scale an output row.  form: not BY_TIME.  NULL: the stream is marked. */
struct int8_weight *int8_weight_new(struct stream *, const struct weight *, enum int8_form form);
void int8_weight_free(struct int8_weight *); /* NULL ok */

/* dy[i] [rows, outputs of w[i]] = dx [rows, columns] . w[i]^T, or onto dy[i], for n weights of as many columns; every
 * row of dx is rounded once, with a scale of its own. */
void int8_products(struct stream *, int n, const struct int8_weight *const *w, const float *dx, int rows, bool onto,
                   float *const *dy);

/* struct feed of device.h, its weights rounded. */
struct int8_feed {
    const struct norm *norm;
    const float *x;
    enum activation activation;
    const struct int8_weight *gate, *up, *down; /* up NULL: none */
    const float *gate_value, *up_value;
    bool onto;
};

/* feed_delta of device.h, a block of rows at a time: its products and the gate while all of it is in the cache. */
void int8_feed(struct stream *, const struct int8_feed *, const int32_t *position, const float *dx, int rows,
               float *dy);

#endif
