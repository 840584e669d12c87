/* dtype.h: the types in which GGUF files store tensors.
 *
 * Owns the table of block sizes and the exact expansion of a block to f32.  Numbers are ggml's type ids. */
#ifndef GPU_DTYPE_H
#define GPU_DTYPE_H

#include <stddef.h>
#include <stdint.h>

enum dtype {
    DTYPE_F32 = 0, DTYPE_F16 = 1, DTYPE_Q4_0 = 2, DTYPE_Q4_1 = 3, DTYPE_Q5_0 = 6, DTYPE_Q5_1 = 7, DTYPE_Q8_0 = 8,
    DTYPE_Q2_K = 10, DTYPE_Q3_K = 11, DTYPE_Q4_K = 12, DTYPE_Q5_K = 13, DTYPE_Q6_K = 14, DTYPE_IQ4_NL = 20,
    DTYPE_IQ4_XS = 23, DTYPE_BF16 = 30, DTYPE_MXFP4 = 39,
};

struct dtype_info {
    const char *name; /* "Q4_K"; NULL for an id that ggml never gave out */
    int block;        /* elements in a block */
    int bytes;        /* bytes of a block */
    /* Expand n elements (a multiple of block) from src (any alignment) to dst f32; NULL where the type is
     * known but cannot be computed with. Thread: any. */
    void (*expand)(const void *src, float *dst, size_t n);
};

/* The table's row for a type id; a row with name NULL for an unknown id.  Never NULL. Thread: any. */
const struct dtype_info *dtype_info(uint32_t type);

#endif
