/* bf16.h: a weight rounded to bf16, and products of differences with it. */
#ifndef GPU_HOST_BF16_H
#define GPU_HOST_BF16_H

#include "gpu/host/host.h"

struct bf16_weight;

bool bf16_offered(void); /* Thread: any */

/* Round a weight.  NULL: the stream is marked. */
struct bf16_weight *bf16_weight_new(struct stream *, const struct weight *);
void bf16_weight_free(struct bf16_weight *); /* NULL ok */

/* dy [rows, outputs] = dx [rows, columns] . w^T, dx rounded to bf16, sums in f32. */
void bf16_product(struct stream *, const struct bf16_weight *, const float *dx, int rows, float *dy);

#endif
