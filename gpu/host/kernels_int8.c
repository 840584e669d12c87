/* kernels_int8.c: products of 8-bit integers, for differences (design: the rounding error is then relative to the
 * difference, not to the value).
 *
 * Both factors are first turned by an orthogonal matrix, which leaves the product as it is and spreads a single large
 * entry over many columns, so that one scale a row serves all (measured: half the error).  It is made of small ones,
 * each mixing whole vectors of columns, so that no lane has to be moved. Weights are stored as w + 128, unsigned,
 * because the processor's instruction multiplies unsigned by signed; starting each sum at -128 times the row's sum
 * makes the product exact. */
#include "gpu/host/kernels.h"

#include <stddef.h>

#include "gpu/host/kernels_math.h"

#define JOIN(a, b) a##_##b
#define NAME(a, b) JOIN(a, b)

typedef int8_t byte_vector __attribute__((vector_size(LANES)));

/* Lane by lane the greater size. */
static inline vector greater_size(vector most, vector x)
{
#if defined __AVX512DQ__
    return (vector)_mm512_range_ps((__m512)x, (__m512)most, 11); /* sizes compared, the sign cleared */
#else
    return vector_max(most, (vector)((int_vector)x & 0x7fffffff));
#endif
}

static int peak(const float *x, int n)
{
    vector sums[2] = {{0}, {0}}, mosts[2] = {{0}, {0}};
    float sum = 0, most = 0;
    int i = 0;
    for (; i + 2 * LANES <= n; i += 2 * LANES)
        for (int k = 0; k < 2; k++) {
            vector v = vector_load(x + i + k * LANES), square = v * v;
            sums[k] += square;
            mosts[k] = vector_max(mosts[k], square);
        }
    for (; i < n; i++) {
        sum += x[i] * x[i];
        most = x[i] * x[i] > most ? x[i] * x[i] : most;
    }
    sum += vector_sum(sums[0] + sums[1]);
    float high = vector_greatest(vector_max(mosts[0], mosts[1]));
    most = high > most ? high : most;
    if (!(most > sum / 2) || !(sum < __builtin_inff()))
        return -1;
    for (i = 0; x[i] * x[i] != most;)
        i++;
    return i;
}

/* v mixed by a matrix that is orthogonal but for a factor of sqrt(radix) where radix is a power of 2; `apart`: that
 * many in between are other groups'. */
static inline __attribute__((always_inline)) void mix(int radix, int apart, vector *v)
{
    if (radix == 3) {
        vector sum = v[0] + v[apart] + v[2 * apart];
#pragma GCC unroll 3
        for (int k = 0; k < 3; k++)
            v[k * apart] = vector_madd(sum, vector_set(2.0f / 3), -v[k * apart]);
        return;
    }
#pragma GCC unroll 3
    for (int half = 1; half < radix; half *= 2)
#pragma GCC unroll 8
        for (int k = 0; k < radix; k++)
            if (!(k & half)) {
                vector low = v[k * apart], high = v[(k + half) * apart];
                v[k * apart] = low + high;
                v[(k + half) * apart] = low - high;
            }
}

/* What is seen of a row on the way, lane by lane: sums of squares before it is turned, and the greatest sizes after. */
struct sight {
    vector squares[4], most[4]; /* any of the four: none waits for another */
};

/* One step of turning: in every group of radix * span vectors those span apart are mixed.  y may be x. */
static inline __attribute__((always_inline)) void turn_step(int radix, const float *x, int vectors, int span, float *y,
                                                            bool first, bool last, struct sight *seen)
{
    struct sight sight = {{{0}}, {{0}}};
    for (int group = 0; group < vectors; group += radix * span)
        for (int at = group; at < group + span; at++) {
            vector v[12];
#pragma GCC unroll 12
            for (int k = 0; k < radix; k++)
                v[k] = vector_load(x + (size_t)(at + k * span) * LANES);
            if (first) {
#pragma GCC unroll 12
                for (int k = 0; k < radix; k++)
                    sight.squares[k % 4] = vector_madd(v[k], v[k], sight.squares[k % 4]);
            }
            if (radix == 12) {
#pragma GCC unroll 3
                for (int k = 0; k < 3; k++)
                    mix(4, 3, v + k);
#pragma GCC unroll 4
                for (int k = 0; k < 4; k++)
                    mix(3, 1, v + 3 * k);
            } else {
                mix(radix, 1, v);
            }
            if (last) {
#pragma GCC unroll 12
                for (int k = 0; k < radix; k++)
                    sight.most[k % 4] = greater_size(sight.most[k % 4], v[k]);
            }
#pragma GCC unroll 12
            for (int k = 0; k < radix; k++)
                vector_store(y + (size_t)(at + k * span) * LANES, v[k]);
        }
    for (int k = 0; k < 4; k++) {
        if (first)
            seen->squares[k] = sight.squares[k];
        if (last)
            seen->most[k] = sight.most[k];
    }
}

/* The step by a radix, `left` being how many vectors of each group are to be mixed after it. */
static inline __attribute__((always_inline)) void turn_by(int radix, const float *x, int vectors, int span, int left,
                                                          float *y, struct sight *seen)
{
    bool last = left % 2 && left % 3;
    if (span == 1 && last)
        turn_step(radix, x, vectors, 1, y, true, true, seen);
    else if (span == 1)
        turn_step(radix, x, vectors, 1, y, true, false, seen);
    else if (last)
        turn_step(radix, y, vectors, span, y, false, true, seen);
    else
        turn_step(radix, y, vectors, span, y, false, false, seen);
}

/* y = x turned, both so many vectors long: lane by lane a matrix mixes the vectors, all of them where their number is
 * made of twos and threes, in few steps.  Returns what y has to be multiplied by for the matrix to be orthogonal. */
static float turn(const float *x, int vectors, float *y, struct sight *seen)
{
    float factor = 1;
    int span = 1, left = vectors; /* to be mixed still, of each group */
    if (!left || (left % 2 && left % 3))
        turn_step(1, x, vectors, 1, y, true, true, seen);
    for (; left && left % 12 == 0; span *= 12, factor *= 0.5f)
        turn_by(12, x, vectors, span, left /= 12, y, seen);
    for (; left && left % 8 == 0; span *= 8, factor *= 0.353553391f)
        turn_by(8, x, vectors, span, left /= 8, y, seen);
    for (; left && left % 2 == 0; span *= 2, factor *= 0.707106781f)
        turn_by(2, x, vectors, span, left /= 2, y, seen);
    for (; left && left % 3 == 0; span *= 3)
        turn_by(3, x, vectors, span, left /= 3, y, seen);
    return factor;
}

/* The size of the greatest of x [n], as bits, so that what is not finite is greatest. */
static int32_t greatest_bits(const float *x, int n)
{
    int32_t out = 0;
    for (int i = 0; i < n; i++) {
        int32_t size = bits_of_float(x[i]) & 0x7fffffff;
        out = size > out ? size : out;
    }
    return out;
}

/* What is said of a row turned.  An entry with more than half of the sum of all squares gives its lane as much: no
 * vector is turned into another lane. */
static void say(const struct sight *seen, const float *y, int columns, struct int8_turned *t)
{
    const vector *squares = seen->squares, *sizes = seen->most;
    vector lanes = (squares[0] + squares[1]) + (squares[2] + squares[3]);
    float sum = vector_sum(lanes), high = vector_greatest(lanes);
    t->most = vector_greatest(vector_max(vector_max(sizes[0], sizes[1]), vector_max(sizes[2], sizes[3])));
    for (int i = columns / LANES * LANES; i < columns; i++) {
        float size = __builtin_fabsf(y[i]), square = y[i] * t->factor * (y[i] * t->factor);
        t->most = size > t->most ? size : t->most;
        high = square > high ? square : high;
        sum += square;
    }
    t->peaked = high > 0.4999f * sum;
    if (!(sum < __builtin_inff())) /* some are not finite, or only their squares */
        t->most = float_of_bits(greatest_bits(y, columns));
}

/* The columns after the last whole vector stay as they are, in weights and rows alike. */
static void int8_turn(const float *x, int columns, float *y, struct int8_turned *t)
{
    struct sight seen;
    t->factor = turn(x, columns / LANES, y, &seen);
    for (int i = columns / LANES * LANES; i < columns; i++)
        y[i] = x[i] / t->factor;
    say(&seen, y, columns, t);
}

/* Four vectors of integers as bytes, in an order of the level's own. */
static inline void put_bytes(const int_vector *v, int8_t *q)
{
#if defined __AVX512BW__
    __m512i low = _mm512_packs_epi32((__m512i)v[0], (__m512i)v[1]),
            high = _mm512_packs_epi32((__m512i)v[2], (__m512i)v[3]);
    _mm512_storeu_si512(q, _mm512_packs_epi16(low, high));
#elif defined __AVX2__
    __m256i low = _mm256_packs_epi32((__m256i)v[0], (__m256i)v[1]),
            high = _mm256_packs_epi32((__m256i)v[2], (__m256i)v[3]);
    _mm256_storeu_si256((__m256i *)q, _mm256_packs_epi16(low, high));
#else
    for (int k = 0; k < 4; k++) {
        byte_vector bytes = __builtin_convertvector(v[k], byte_vector);
        memcpy(q + k * LANES, &bytes, sizeof bytes);
    }
#endif
}

static float int8_round(const struct int8_turned *t, const float *x, int n, int8_t *q, int32_t *sum)
{
    int_vector sums = {0};
    int32_t total = 0;
    int i = 0;
    *sum = 0;
    if (!(t->most < __builtin_inff())) { /* not finite: what comes of the row must show it */
        memset(q, 0, (size_t)n);
        return t->most;
    }
    float inverse = t->most > 1e-35f ? 127 / t->most : 0; /* below, it might not be finite */
    for (; i + 4 * LANES <= n; i += 4 * LANES) {
        int_vector v[4];
#pragma GCC unroll 4
        for (int k = 0; k < 4; k++)
            v[k] = vector_nearest(vector_load(x + i + k * LANES) * inverse);
        put_bytes(v, q + i);
        sums += (v[0] + v[1]) + (v[2] + v[3]);
    }
    for (; i < n; i++) {
        int32_t rounded = vector_nearest(vector_set(x[i] * inverse))[0];
        q[i] = (int8_t)rounded;
        total += rounded;
    }
#pragma GCC unroll 8
    for (int half = LANES / 2; half; half /= 2)
        sums += (int_vector)vector_partner((vector)sums, half);
    *sum = total + sums[0];
    return t->most / 127 * t->factor;
}

#ifdef __AVX512VNNI__

/* In assembly, for gcc keeps the sums in memory when they are intrinsics' results; the loop around them would otherwise
 * be stores.  zmm0 to 23 are the sums of 6 rows x 64 outputs. */
#define ROWS(step)                                                                                                     \
    step(0, 0, 1, 2, 3) step(1, 4, 5, 6, 7) step(2, 8, 9, 10, 11) step(3, 12, 13, 14, 15) step(4, 16, 17, 18, 19)      \
        step(5, 20, 21, 22, 23)
#define START(r, a, b, c, d)                                                                                           \
    "vpbroadcastd " #r "*4(%[k]), %%zmm" #a "\n\t"                                                                     \
    "vmovdqa64 %%zmm" #a ", %%zmm" #b "\n\t"                                                                           \
    "vmovdqa64 %%zmm" #a ", %%zmm" #c "\n\t"                                                                           \
    "vmovdqa64 %%zmm" #a ", %%zmm" #d "\n\t"
/* One step of a row: four sums of 16 outputs += 4 columns of the row, broadcast, times those of the panel.  The row's
 * columns go through a register: read by each of the four, they would need more loads than two in a cycle. */
#define SUMS(r, a, b, c, d)                                                                                            \
    "vpbroadcastd (%[x" #r "],%[k]), %%zmm24\n\t"                                                                      \
    "vpdpbusd %%zmm24, %%zmm28, %%zmm" #a "\n\t"                                                                       \
    "vpdpbusd %%zmm24, %%zmm29, %%zmm" #b "\n\t"                                                                       \
    "vpdpbusd %%zmm24, %%zmm30, %%zmm" #c "\n\t"                                                                       \
    "vpdpbusd %%zmm24, %%zmm31, %%zmm" #d "\n\t"
#define SCALE(a, column)                                                                                               \
    "vmulps %%zmm" #column ", %%zmm24, %%zmm25\n\t"                                                                    \
    "vcvtdq2ps %%zmm" #a ", %%zmm" #a "\n\t"                                                                           \
    "vmulps %%zmm25, %%zmm" #a ", %%zmm" #a "\n\t"
/* Behind the loop x0 is y, x1 its stride, x3 the rows' scales. */
#define ADD(r, a, b, c, d)                                                                                             \
    "vbroadcastss " #r "*4(%[x3]), %%zmm24\n\t"                                                                        \
    SCALE(a, 28) SCALE(b, 29) SCALE(c, 30) SCALE(d, 31)                                                                \
    "vaddps (%[x0]), %%zmm" #a ", %%zmm" #a "\n\t"                                                                     \
    "vaddps 64(%[x0]), %%zmm" #b ", %%zmm" #b "\n\t"                                                                   \
    "vaddps 128(%[x0]), %%zmm" #c ", %%zmm" #c "\n\t"                                                                  \
    "vaddps 192(%[x0]), %%zmm" #d ", %%zmm" #d "\n\t"                                                                  \
    PUT(a, b, c, d)
#define STORE(r, a, b, c, d)                                                                                           \
    "vbroadcastss " #r "*4(%[x3]), %%zmm24\n\t"                                                                        \
    SCALE(a, 28) SCALE(b, 29) SCALE(c, 30) SCALE(d, 31)                                                                \
    PUT(a, b, c, d)
#define PUT(a, b, c, d)                                                                                                \
    "vmovups %%zmm" #a ", (%[x0])\n\t"                                                                                 \
    "vmovups %%zmm" #b ", 64(%[x0])\n\t"                                                                               \
    "vmovups %%zmm" #c ", 128(%[x0])\n\t"                                                                              \
    "vmovups %%zmm" #d ", 192(%[x0])\n\t"                                                                              \
    "lea (%[x0],%[x1],4), %[x0]\n\t"
#define LOAD(from)                                                                                                     \
    "vmovups (%[" from "]), %%zmm28\n\t"                                                                               \
    "vmovups 64(%[" from "]), %%zmm29\n\t"                                                                             \
    "vmovups 128(%[" from "]), %%zmm30\n\t"                                                                            \
    "vmovups 192(%[" from "]), %%zmm31\n\t"
#define MEMBER(name) [name] "i"(offsetof(struct int8_tile, name))

static void int8_panel(const struct int8_tile *tile)
{
    const uint8_t *panel = tile->panel, *fetch = tile->fetch;
    size_t k, line, row = (size_t)tile->columns;
    const int8_t *x0 = tile->x, *x1 = x0 + row, *x2 = x1 + row, *x3 = x2 + row, *x4 = x3 + row, *x5 = x4 + row;
    __asm__ volatile("mov %c[start](%[tile]), %[k]\n\t"
                     ROWS(START)
                     "xor %[k], %[k]\n\t"
                     "1:\n\t" LOAD("panel")
                     "movslq (%[soon_at],%[k]), %[line]\n\t"
                     "prefetcht1 (%[fetch])\n\t"
                     "prefetcht1 (%[soon],%[line])\n\t"
                     "add %c[fetch_step](%[tile]), %[fetch]\n\t"
                     "add $256, %[panel]\n\t"
                     ROWS(SUMS)
                     "add $4, %[k]\n\t"
                     "cmp %c[columns](%[tile]), %k[k]\n\t"
                     "jb 1b\n\t"
                     "mov %c[y](%[tile]), %[x0]\n\t"
                     "mov %c[stride](%[tile]), %[x1]\n\t"
                     "mov %c[column_scale](%[tile]), %[x2]\n\t"
                     "mov %c[scale](%[tile]), %[x3]\n\t"
                     LOAD("x2")
                     "cmpl $0, %c[onto](%[tile])\n\t"
                     "jne 2f\n\t"
                     ROWS(STORE)
                     "jmp 3f\n\t"
                     "2:\n\t"
                     ROWS(ADD)
                     "3:\n\t"
                     : [panel] "+r"(panel), [fetch] "+r"(fetch), [k] "=&r"(k), [line] "=&r"(line), [x0] "+r"(x0),
                       [x1] "+r"(x1), [x2] "+r"(x2), [x3] "+r"(x3)
                     : [tile] "r"(tile), [x4] "r"(x4), [x5] "r"(x5), [soon] "r"(tile->soon),
                       [soon_at] "r"(tile->soon_at), MEMBER(columns), MEMBER(onto), MEMBER(fetch_step), MEMBER(start),
                       MEMBER(y), MEMBER(stride), MEMBER(column_scale), MEMBER(scale)
                     : "memory", "cc", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9",
                       "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15", "xmm16", "xmm17", "xmm18", "xmm19",
                       "xmm20", "xmm21", "xmm22", "xmm23", "xmm24", "xmm25", "xmm28", "xmm29", "xmm30", "xmm31");
}

#else

static void int8_panel(const struct int8_tile *tile)
{
    for (int r = 0; r < KERNEL_INT8_ROWS; r++) {
        int32_t sum[KERNEL_PANEL];
        const int8_t *x = tile->x + (size_t)r * tile->columns;
        float *y = tile->y + (size_t)r * tile->stride;
        for (int n = 0; n < KERNEL_PANEL; n++)
            sum[n] = tile->start[r];
        for (int k = 0; k < tile->columns; k += 4)
            for (int n = 0; n < KERNEL_PANEL; n++)
                for (int i = 0; i < 4; i++)
                    sum[n] += tile->panel[k * KERNEL_PANEL + 4 * n + i] * x[k + i];
        for (int n = 0; n < KERNEL_PANEL; n++) {
            float value = (float)sum[n] * (tile->scale[r] * tile->column_scale[n]);
            y[n] = tile->onto ? y[n] + value : value;
        }
    }
}

#endif

/* -- what stands before and behind a product by oneDNN ------------------------------------------------------------- */

static void int8_lift(const int8_t *x, size_t n, uint8_t *y)
{
#pragma GCC ivdep
    for (size_t i = 0; i < n; i++)
        y[i] = (uint8_t)(x[i] + 128);
}

static void int8_scale(const int32_t *sum, const int32_t *start, float row, const float *column, int n, bool onto,
                       float *y)
{
    if (onto) {
#pragma GCC ivdep
        for (int i = 0; i < n; i++)
            y[i] += (float)(sum[i] + start[i]) * (row * column[i]);
    } else {
#pragma GCC ivdep
        for (int i = 0; i < n; i++)
            y[i] = (float)(sum[i] + start[i]) * (row * column[i]);
    }
}

void NAME(kernels_int8, KERNELS)(struct kernels *kernels);
void NAME(kernels_int8, KERNELS)(struct kernels *kernels)
{
    kernels->peak = peak;
    kernels->int8_turn = int8_turn;
    kernels->int8_round = int8_round;
    kernels->int8_panel = int8_panel;
    kernels->int8_lift = int8_lift;
    kernels->int8_scale = int8_scale;
}
