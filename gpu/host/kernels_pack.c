/* kernels_pack.c: rows put away in 8 bits, a scale for every block of columns, and taken out again (device.h: pack). */
#include "gpu/host/kernels.h"

#include <float.h>
#include <string.h>

#include "gpu/host/kernels_math.h"

#define JOIN(a, b) a##b
#define NAMED(prefix, level) JOIN(prefix, level)

enum { GROUP = LANES < 8 ? LANES : 8 }; /* blocks that are packed together */

typedef int8_t byte_vector __attribute__((vector_size(LANES)));

/* Lane i: of lanes i and i ^ apart the greater, of x where that bit of i is 0, else of y. */
static inline __attribute__((always_inline)) vector join(vector x, vector y, int apart)
{
    int_vector own, other;
    for (int lane = 0; lane < LANES; lane++) {
        int side = lane & apart ? LANES : 0;
        own[lane] = side + lane;
        other[lane] = side + (lane ^ apart);
    }
    return vector_max(__builtin_shuffle(x, y, own), __builtin_shuffle(x, y, other));
}

/* Lane i: the greatest size in block i % GROUP; 0 beyond the last. */
static inline __attribute__((always_inline)) vector greatest_sizes(const float *x, int blocks)
{
    vector most[GROUP];
#pragma GCC unroll 8
    for (int b = 0; b < GROUP; b++) {
        most[b] = vector_set(0);
        for (int i = 0; b < blocks && i < PACK_BLOCK; i += LANES)
            most[b] = vector_greater_size(most[b], vector_load(x + b * PACK_BLOCK + i));
    }
#pragma GCC unroll 3
    for (int half = GROUP / 2; half; half /= 2)
#pragma GCC unroll 4
        for (int b = 0; b < half; b++)
            most[b] = join(most[b], most[b + half], half);
    return LANES / GROUP > 1 ? vector_max(most[0], vector_partner(most[0], GROUP)) : most[0];
}

/* Up to GROUP whole blocks.  Blocks are so small that each division counts: one serves all. */
static inline __attribute__((always_inline)) void pack_blocks(const float *x, int blocks, int8_t *q, char *scales)
{
    float most[LANES], scale[GROUP], inverse[GROUP];
    vector_store(most, greatest_sizes(x, blocks));
    for (int b = 0; b < GROUP; b++) {
        float times = 127.0f / most[b];
        scale[b] = most[b] / 127.0f;
        inverse[b] = times < FLT_MAX ? times : FLT_MAX; /* finite in a block of zeros */
    }
    for (int b = 0; b < blocks; b++, x += PACK_BLOCK, q += PACK_BLOCK) {
        memcpy(scales + (size_t)b * sizeof *scale, &scale[b], sizeof *scale);
#pragma GCC unroll 8
        for (int i = 0; i < PACK_BLOCK; i += LANES) {
            int_vector rounded = vector_nearest(vector_load(x + i) * vector_set(inverse[b]));
            byte_vector bytes = __builtin_convertvector(rounded, byte_vector);
            memcpy(q + i, &bytes, sizeof bytes);
        }
    }
}

static void pack8(const float *x, size_t rows, int width, void *packed)
{
    int whole = width / PACK_BLOCK, rest = width % PACK_BLOCK;
    size_t bytes = packed_bytes(PRECISION_INT8, width), filled = (size_t)(whole + (rest > 0)) * PACK_BLOCK;
    for (size_t row = 0; row < rows; row++, x += width) {
        int8_t *q = (int8_t *)packed + row * bytes;
        char *scales = (char *)q + filled;
        for (int b = 0; b < whole; b += GROUP)
            pack_blocks(x + (size_t)b * PACK_BLOCK, whole - b < GROUP ? whole - b : GROUP, q + (size_t)b * PACK_BLOCK,
                        scales + (size_t)b * sizeof(float));
        if (rest) {
            float last[PACK_BLOCK] = {0};
            memcpy(last, x + (size_t)whole * PACK_BLOCK, (size_t)rest * sizeof *last);
            pack_blocks(last, 1, q + (size_t)whole * PACK_BLOCK, scales + (size_t)whole * sizeof(float));
        }
    }
}

static inline __attribute__((always_inline)) void unpack_block(const int8_t *q, const char *scale, float *x)
{
    float times;
    memcpy(&times, scale, sizeof times);
#pragma GCC unroll 8
    for (int i = 0; i < PACK_BLOCK; i += LANES) {
        byte_vector bytes;
        memcpy(&bytes, q + i, sizeof bytes);
        int_vector rounded = __builtin_convertvector(bytes, int_vector);
        vector_store(x + i, __builtin_convertvector(rounded, vector) * vector_set(times));
    }
}

static void unpack8(const void *packed, size_t rows, int width, float *x)
{
    int whole = width / PACK_BLOCK, rest = width % PACK_BLOCK;
    size_t bytes = packed_bytes(PRECISION_INT8, width), filled = (size_t)(whole + (rest > 0)) * PACK_BLOCK;
    for (size_t row = 0; row < rows; row++, x += width) {
        const int8_t *q = (const int8_t *)packed + row * bytes;
        const char *scales = (const char *)q + filled;
        for (size_t b = 0; b < (size_t)whole; b++)
            unpack_block(q + b * PACK_BLOCK, scales + b * sizeof(float), x + b * PACK_BLOCK);
        if (rest) {
            float last[PACK_BLOCK];
            unpack_block(q + (size_t)whole * PACK_BLOCK, scales + (size_t)whole * sizeof(float), last);
            memcpy(x + (size_t)whole * PACK_BLOCK, last, (size_t)rest * sizeof *last);
        }
    }
}

/* This level's row of the table in kernels_choose.c. */
void NAMED(kernels_pack_, KERNELS)(struct kernels *kernels);
void NAMED(kernels_pack_, KERNELS)(struct kernels *kernels)
{
    kernels->pack8 = pack8;
    kernels->unpack8 = unpack8;
}
