/* kernels_pack.c: rows put away in 8 bits, a scale for every block of columns, and taken out again (device.h: pack). */
#include "gpu/host/kernels.h"

#include <float.h>
#include <string.h>

#include "gpu/host/kernels_math.h"

#define JOIN(a, b) a##b
#define NAMED(prefix, level) JOIN(prefix, level)

enum {
    GROUP = LANES < 8 ? LANES : 8, /* blocks whose greatest sizes are found together */
    CHUNK = 64,                    /* blocks that are packed together: one loop divides for all */
};

/* -- into 8 bits --------------------------------------------------------------------------------------------------- */

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

/* Lane by lane the greater size. */
static inline vector greater_size(vector x, vector y)
{
#if defined __AVX512DQ__
    return (vector)_mm512_range_ps((__m512)x, (__m512)y, 11); /* sizes compared, the sign cleared */
#else
    return vector_max((vector)((int_vector)x & 0x7fffffff), (vector)((int_vector)y & 0x7fffffff));
#endif
}

/* Some lane of the result: the greatest size of a block. */
static inline __attribute__((always_inline)) vector greatest_sizes(const float *x)
{
    vector most = greater_size(vector_load(x), vector_load(x + LANES));
#pragma GCC unroll 3
    for (int i = 2 * LANES; i < PACK_BLOCK; i += 2 * LANES)
        most = vector_max(most, greater_size(vector_load(x + i), vector_load(x + i + LANES)));
    return most;
}

/* Lane i: the greatest size of block i % GROUP. */
static inline __attribute__((always_inline)) vector group_sizes(const float *x)
{
    vector most[GROUP];
#pragma GCC unroll 8
    for (int b = 0; b < GROUP; b++)
        most[b] = greatest_sizes(x + b * PACK_BLOCK);
#pragma GCC unroll 3
    for (int half = GROUP / 2; half; half /= 2)
#pragma GCC unroll 4
        for (int b = 0; b < half; b++)
            most[b] = join(most[b], most[b + half], half);
    return LANES / GROUP > 1 ? vector_max(most[0], vector_partner(most[0], GROUP)) : most[0];
}

/* q = a block of x, times a factor and rounded */
static inline __attribute__((always_inline)) void round_block(const float *x, float times, int8_t *q)
{
    int_vector v[PACK_BLOCK / LANES];
#pragma GCC unroll 8
    for (int k = 0; k < PACK_BLOCK / LANES; k++)
        v[k] = vector_nearest(vector_load(x + k * LANES) * vector_set(times));
#if defined __AVX512BW__
    for (int k = 0; k < PACK_BLOCK / LANES; k++)
        _mm_storeu_si128((__m128i *)(q + k * LANES), _mm512_cvtepi32_epi8((__m512i)v[k]));
#elif defined __AVX2__
    __m256i low = _mm256_packs_epi32((__m256i)v[0], (__m256i)v[1]),
            high = _mm256_packs_epi32((__m256i)v[2], (__m256i)v[3]);
    const __m256i order = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7); /* packing goes by halves */
    _mm256_storeu_si256((__m256i *)q, _mm256_permutevar8x32_epi32(_mm256_packs_epi16(low, high), order));
#else
    int32_t rounded[PACK_BLOCK];
    memcpy(rounded, v, sizeof rounded);
    for (int i = 0; i < PACK_BLOCK; i++)
        q[i] = (int8_t)rounded[i];
#endif
}

/* Some rows, or blocks of one: CHUNK at most. */
struct chunk {
    const float *x;   /* one block after the other, GROUP of them at least */
    int rows, blocks; /* so many of each row */
    char *q, *scale;  /* of the first block; */
    size_t bytes;     /* those of the next row */
};

/* The part of a row.  Scales are copied one by one: they are too few for memcpy(). */
static inline __attribute__((always_inline)) void pack_row(const float *x, int blocks, const float *times,
                                                           const float *scale, char *q, char *scales)
{
    int b = 0;
#if defined __AVX512BW__
    const __m512i order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15); /* by quarters */
#pragma GCC unroll 1
    for (; b + 2 <= blocks; b += 2, x += 2 * PACK_BLOCK, q += 2 * PACK_BLOCK) { /* packing two is half the work */
        __m512i v[4];
#pragma GCC unroll 4
        for (int k = 0; k < 4; k++)
            v[k] = (__m512i)vector_nearest(vector_load(x + k * LANES) * vector_set(times[b + k / 2]));
        __m512i low = _mm512_packs_epi32(v[0], v[1]), high = _mm512_packs_epi32(v[2], v[3]);
        _mm512_storeu_si512(q, _mm512_permutexvar_epi32(order, _mm512_packs_epi16(low, high)));
        memcpy(scales + (size_t)b * sizeof *scale, scale + b, 2 * sizeof *scale);
    }
#endif
#pragma GCC unroll 1
    for (; b < blocks; b++, x += PACK_BLOCK, q += PACK_BLOCK) {
        round_block(x, times[b], (int8_t *)q);
        memcpy(scales + (size_t)b * sizeof *scale, scale + b, sizeof *scale);
    }
}

static void pack_chunk(const struct chunk *c)
{
    float most[CHUNK + LANES], scale[CHUNK], times[CHUNK];
    int count = c->rows * c->blocks, last = count > GROUP ? count - GROUP : 0;
    for (int b = 0; b < count; b += GROUP) {
        int first = b < last ? b : last; /* some are found again, none beyond the last */
        vector_store(most + first, group_sizes(c->x + (size_t)first * PACK_BLOCK));
    }
    for (int b = 0; b < count; b++) {
        float inverse = 127.0f / most[b];
        times[b] = inverse < FLT_MAX ? inverse : FLT_MAX; /* finite in a block of zeros */
        scale[b] = most[b] * (1 / 127.0f);
    }
    for (int row = 0, b = 0; row < c->rows; row++, b += c->blocks)
        pack_row(c->x + (size_t)b * PACK_BLOCK, c->blocks, times + b, scale + b, c->q + row * c->bytes,
                 c->scale + row * c->bytes);
}

/* The chunk's columns of x, rows `width` apart, laid out in room [CHUNK * PACK_BLOCK] with their padding. */
static const float *fill_room(const float *x, const struct chunk *c, int columns, int width, float *room)
{
    size_t blocks = (size_t)c->rows * c->blocks;
    memset(room, 0, (blocks > GROUP ? blocks : GROUP) * PACK_BLOCK * sizeof *room);
    for (size_t row = 0; row < (size_t)c->rows; row++)
        memcpy(room + row * c->blocks * PACK_BLOCK, x + row * width, (size_t)columns * sizeof *x);
    return room;
}

static void pack8(const float *x, size_t rows, int width, void *packed)
{
    float room[CHUNK * PACK_BLOCK];
    size_t bytes = packed_bytes(PRECISION_INT8, width);
    int blocks = packed_blocks(width), across = blocks < CHUNK ? blocks : CHUNK, down = CHUNK / across;
    for (size_t row = 0; row < rows; row += (size_t)down)
        for (int b = 0; b < blocks; b += across) {
            char *q = (char *)packed + row * bytes;
            struct chunk c = {x + row * width + (size_t)b * PACK_BLOCK,
                              rows - row < (size_t)down ? (int)(rows - row) : down,
                              blocks - b < across ? blocks - b : across, q + (size_t)b * PACK_BLOCK,
                              q + (size_t)blocks * PACK_BLOCK + (size_t)b * sizeof(float), bytes};
            int left = width - b * PACK_BLOCK, columns = left < across * PACK_BLOCK ? left : across * PACK_BLOCK;
            if (columns % PACK_BLOCK || c.rows * c.blocks < GROUP)
                c.x = fill_room(c.x, &c, columns, width, room);
            pack_chunk(&c);
        }
}

/* -- and back ------------------------------------------------------------------------------------------------------ */

static inline __attribute__((always_inline)) void unpack_block(const int8_t *q, const char *scale, float *x)
{
    float times;
    memcpy(&times, scale, sizeof times);
#if defined __AVX512F__ /* the compiler goes by way of 16 bits, and takes three times as long */
    for (int i = 0; i < PACK_BLOCK; i += LANES) {
        __m512i bytes = _mm512_cvtepi8_epi32(_mm_loadu_si128((const __m128i *)(q + i)));
        vector_store(x + i, (vector)_mm512_cvtepi32_ps(bytes) * times);
    }
#elif defined __AVX2__
    for (int i = 0; i < PACK_BLOCK; i += LANES) {
        __m256i bytes = _mm256_cvtepi8_epi32(_mm_loadl_epi64((const __m128i *)(q + i)));
        vector_store(x + i, (vector)_mm256_cvtepi32_ps(bytes) * times);
    }
#else
    for (int i = 0; i < PACK_BLOCK; i++)
        x[i] = (float)q[i] * times;
#endif
}

static void unpack8(const void *packed, size_t rows, int width, float *x)
{
    int whole = width / PACK_BLOCK, rest = width % PACK_BLOCK;
    size_t bytes = packed_bytes(PRECISION_INT8, width), filled = (size_t)packed_blocks(width) * PACK_BLOCK;
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
