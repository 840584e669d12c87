/* kernels.h: the card's own kernels, one function each, which puts the kernel on a stream and returns at once.
 *
 * All pointers are the card's unless they say "host".  A function returns cudaSuccess or why the kernel could not
 * start; what goes wrong while it runs is told by the next synchronisation.  Nothing to do (0 rows) is a success.
 *
 * The bit rule.  What a kernel does to a row depends on that row alone, never on how rows are grouped into blocks, and
 * nothing is contracted by the compiler (-fmad=false; what is fused is written as fmaf()).  Baseline and probes go
 * through the same attention kernel.  So a probe that changes nothing gives exactly 0. */
#ifndef GPU_CUDA_KERNELS_H
#define GPU_CUDA_KERNELS_H

#include <cuda_runtime_api.h>

#include "gpu/device.h"

#ifdef __cplusplus
extern "C" {
#endif

/* -- kernels_weight.cu: rows in any stored type -------------------------------------------------------------------- */

/* Rows of a matrix in a stored type; row i is row ids[i] of data, or row first + i where ids is NULL. */
struct stored_rows {
    uint32_t type;
    const void *data;
    size_t row_bytes;
    int columns, first;
    const int32_t *ids;
};

/* Whether rows of this type can be expanded. */
bool kernel_knows_type(uint32_t type);
/* out [count, columns] f32 = scale * rows */
cudaError_t kernel_expand(cudaStream_t, const struct stored_rows *, int count, float scale, float *out);
/* out [padded_count, padded_columns] bf16, nearest, ties to even; what lies beyond the matrix is 0 */
cudaError_t kernel_round(cudaStream_t, const struct stored_rows *, int count, int padded_count, int padded_columns,
                         void *out);
/* out [padded_count, padded_columns] int8 and scale [count]: row = scale * out, the greatest magnitude being 127.
 * A row that is all 0 has scale 0; one that is not finite has scale NaN. */
cudaError_t kernel_quantise(cudaStream_t, const struct stored_rows *, int count, int padded_count, int padded_columns,
                            int8_t *out, float *scale);
/* y [rows, columns] (y_stride apart) = row_scale[r] * column_scale[c] * sum [rows, columns] (sum_stride apart) */
cudaError_t kernel_unscale(cudaStream_t, const int32_t *sum, int sum_stride, const float *row_scale,
                           const float *column_scale, int rows, int columns, float *y, int y_stride);
/* y [count] = rows . x, for a single x [columns]: every weight is read once, as it is stored */
cudaError_t kernel_product_row(cudaStream_t, const struct stored_rows *, int count, const float *x, float *y);

/* -- kernels_rows.cu: what goes row by row; arguments as in device.h ----------------------------------------------- */

cudaError_t kernel_norm(cudaStream_t, const struct norm *, const float *x, int rows, float *y);
cudaError_t kernel_norm_delta(cudaStream_t, const struct norm *, const float *x, const int32_t *position,
                              const float *dx, int rows, float *dy);
cudaError_t kernel_rope(cudaStream_t, const struct rope *, const int32_t *position, int rows, float *x);
cudaError_t kernel_gate(cudaStream_t, enum activation, const float *gate, const float *up, size_t n, float *y);
cudaError_t kernel_gate_delta(cudaStream_t, enum activation, const float *gate, const float *up,
                              const int32_t *position, const float *dgate, const float *dup, int rows, int width,
                              float *dy);
cudaError_t kernel_add(cudaStream_t, const float *x, float scale, size_t n, float *y);
/* y [rows, columns] += bias [columns] */
cudaError_t kernel_add_bias(cudaStream_t, const float *bias, int rows, int columns, float *y);
/* to[i] = from[index[i]], rows of width columns */
cudaError_t kernel_gather(cudaStream_t, const float *from, const int32_t *index, int n, int width, float *to);
/* 8 bits or bf16 */
cudaError_t kernel_pack(cudaStream_t, enum precision, const float *x, int rows, int width, void *packed);
cudaError_t kernel_unpack(cudaStream_t, enum precision, const void *packed, int rows, int width, float *x);

/* -- kernels_attend.cu --------------------------------------------------------------------------------------------- */

/* A block's work: rows first .. of a probe, a row being (query, head of the group): query * group + head. */
struct attend_task {
    int32_t probe, first;
};

/* Attention of the rows of several probes, or of the baseline as one probe whose keys are its own.
 * task, span: the card's; factor [probes, positions] or NULL: no suppression.
 * base_rows: query and output are the baseline's, indexed by position; else query is indexed by row.
 * y = attention, less output where that is given.  dquery, dkey, dvalue may be NULL, the latter two together. */
struct attend_call {
    struct attention attention;
    const struct attend_task *task;
    const struct probe_span *span;
    const float *factor, *query, *output, *dquery, *dkey, *dvalue;
    bool base_rows;
    float *y;
};

enum { ATTEND_HEAD_DIM = 256 }; /* the widest head there is a kernel for */

/* How many rows a block takes. */
int kernel_attend_rows(int head_dim);
cudaError_t kernel_attend(cudaStream_t, const struct attend_call *, int tasks);

/* -- kernels_head.cu ----------------------------------------------------------------------------------------------- */

/* What a row's log-sum-exp has changed by so far; starts from all zeros. */
struct lse_state {
    double change; /* sum of p expm1(dlogit): right while it is small */
    double total;  /* sum of exp(log p + dlogit - shift) */
    double shift;  /* the greatest log p + dlogit so far, where total is not 0 */
};

/* logit [rows, columns] = cap(logit + bias) in place; bias may be NULL */
cudaError_t kernel_cap(cudaStream_t, const struct head *, const float *bias, int rows, int columns, float *logit);
/* Add `count` columns of the vocabulary to every row's state.
 * logit [targets, count] raw baseline logits, without bias; bias [count] or NULL; lse [targets]
 * dlogit [rows, count] raw changes; target [rows] */
cudaError_t kernel_lse_add(cudaStream_t, const struct head *, const float *bias, int count, const float *logit,
                           const double *lse, const float *dlogit, const int32_t *target, int rows,
                           struct lse_state *state);
/* dlogit [rows, n]: w [targets, n, width] are the wanted rows of the head's weight, wanted [targets, n] their ids */
cudaError_t kernel_logit_delta(cudaStream_t, const struct head *, const float *w, const int32_t *wanted, int n,
                               const float *h, const float *dh, const int32_t *target, int rows, double *dlogit);

#ifdef __cplusplus
}
#endif

#endif
