/* int8_onednn.h: rounded rows times a rounded weight by oneDNN: the sums of int8.c's own kernels to the last bit,
 * faster where the processor has instructions that those were not written for. */
#ifndef GPU_HOST_INT8_ONEDNN_H
#define GPU_HOST_INT8_ONEDNN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct int8_onednn;
struct kernels;

bool int8_onednn_offered(void); /* Thread: any */

/* As matmul.h has it.  NULL: no memory, or oneDNN cannot. */
struct int8_onednn *int8_onednn_new(int outputs, int columns);
bool int8_onednn_pack(struct int8_onednn *, const int8_t *weight);
void int8_onednn_free(struct int8_onednn *); /* NULL ok */

/* Bytes that a product needs besides, a multiple of 64; of NULL: 0. */
size_t int8_onednn_scratch(const struct int8_onednn *);

/* dy [place[r], outputs] = x [r, columns] . weight^T times row_scale [r] times column_scale [outputs], or onto dy, for
 * so many rows; scratch 64-byte aligned.  False: oneDNN failed.  Thread: any. */
bool int8_onednn_multiply(const struct int8_onednn *, const struct kernels *, const int8_t *x, const float *row_scale,
                          const int32_t *place, const float *column_scale, int rows, char *scratch, bool onto,
                          float *dy);

#endif
