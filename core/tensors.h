/* tensors.h: a model file's tensors, each fetched by its name and its exact shape, onto a device.
 *
 * Owns the checks that make a file's tensors safe to use, and the count of what was fetched.  Knows nothing of what the
 * tensors are for: model_load.c and vision_load.c do.  Without a device it only checks. */
#ifndef CORE_TENSORS_H
#define CORE_TENSORS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gpu/device.h"

struct gguf;
struct gguf_tensor;

/* y = x . weight^T + bias; bias NULL: none */
struct linear {
    struct weight *weight;
    float *bias;
};

/* Device memory of norms, biases and the like, which whatever is loaded owns. */
struct holdings {
    void **memory;
    size_t count;
};

struct tensors {
    const struct gguf *file;
    struct device *device; /* NULL: only check */
    struct stream *stream; /* of the device */
    struct holdings *held; /* where device memory goes */
    struct error *error;   /* not NULL */

    uint64_t parameters; /* fetched so far, and their bytes in the file */
    size_t weight_bytes;
    struct { const char *name; size_t bytes; } types[8]; /* types of matrices met, by bytes */
    int type_count;
};

/* Names are whole for a tensor ("token_embd.weight"), or without their end for those that may have a bias beside their
 * weight ("blk.0.attn_q").  All return 0, ERROR_FORMAT for a missing tensor or another shape, ERROR_UNSUPPORTED for a
 * type that cannot be computed with, ERROR_MEMORY, or what the device said. */

bool tensors_have(const struct tensors *, const char *name);
/* The tensor if it is [rows, columns] (rows 0: a vector).  NULL with the error set, or without if it is optional and
 * missing. */
const struct gguf_tensor *tensors_find(struct tensors *, const char *name, int rows, int columns, bool optional);
/* Add to what was fetched so far. */
void tensors_count(struct tensors *, const struct gguf_tensor *);

/* [rows, columns] (rows 0: a vector) as f32 in device memory; *out NULL where it is optional and missing. */
int tensors_floats(struct tensors *, const char *name, int rows, int columns, bool optional, float **out);
/* Rows first .. first + outputs - 1 of a matrix that has `total` rows. */
int tensors_rows(struct tensors *, const char *name, int total, int first, int outputs, int inputs, struct weight **);
/* NAME.weight and, if there, NAME.bias. */
int tensors_linear(struct tensors *, const char *name, int outputs, int inputs, struct linear *);
/* `count` matrices in one tensor, one after the other in its rows. */
int tensors_fused(struct tensors *, const char *name, int count, const int *outputs, int inputs, struct linear **parts);
/* The weight and, if there, bias of a norm that says the rest already. */
int tensors_norm(struct tensors *, const char *name, struct norm *);

/* "Q4_K, Q6_K": every type that holds at least a tenth of the matrices' bytes, the largest first. */
void tensors_quantisation(const struct tensors *, char *out, size_t size);

void holdings_free(struct holdings *, struct device *);

#endif
