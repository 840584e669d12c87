/* kernels_int8.c: products of 8-bit integers, for differences (design: the rounding error is then relative to the
 * difference, not to the value).
 *
 * Both factors are first turned by a Hadamard matrix in blocks of KERNEL_BLOCK columns, which leaves the product as it is and
 * spreads a single large entry over its block, so that one scale a row serves all columns (measured: half the error).
 * Weights are stored as w + 128, unsigned, because the processor's instruction multiplies unsigned by signed; starting each
 * sum at -128 times the row's sum makes the product exact. */
#include "gpu/host/kernels.h"
#include "gpu/host/kernels_math.h"

#define JOIN(a, b) a##_##b
#define NAME(a, b) JOIN(a, b)

/* The Hadamard transform of one block times 1 / sqrt(KERNEL_BLOCK), in place: first within vectors, then across them. */
static void turn_block(float *x)
{
    enum { COUNT = KERNEL_BLOCK / LANES };
    vector v[COUNT];
    for (int i = 0; i < COUNT; i++)
        v[i] = vector_load(x + i * LANES);
    for (int half = 1; half < LANES; half *= 2) {
        int_vector partner;
        vector sign;
        for (int lane = 0; lane < LANES; lane++) {
            partner[lane] = lane ^ half;
            sign[lane] = lane & half ? -1 : 1;
        }
        for (int i = 0; i < COUNT; i++)
            v[i] = __builtin_shuffle(v[i], partner) + v[i] * sign;
    }
    for (int half = 1; half < COUNT; half *= 2)
        for (int i = 0; i < COUNT; i++)
            if (!(i & half)) {
                vector a = v[i], b = v[i + half];
                v[i] = a + b;
                v[i + half] = a - b;
            }
    for (int i = 0; i < COUNT; i++)
        vector_store(x + i * LANES, v[i] * vector_set(0.125f));
}

/* NaN where one of them is not finite. */
static float greatest_size(const float *x, int n)
{
    vector most = vector_set(0), poison = vector_set(0);
    int i = 0;
    for (; i + LANES <= n; i += LANES) {
        vector v = vector_load(x + i);
        most = vector_max(vector_max(v, -v), most);
        poison += v * 0.0f;
    }
    float greatest = 0, spoilt = 0;
    for (int lane = 0; lane < LANES; lane++) {
        greatest = most[lane] > greatest ? most[lane] : greatest;
        spoilt += poison[lane];
    }
    for (; i < n; i++) {
        greatest = __builtin_fabsf(x[i]) > greatest ? __builtin_fabsf(x[i]) : greatest;
        spoilt += x[i] * 0.0f;
    }
    return greatest + spoilt;
}

/* The columns after the last whole block stay as they are, in weights and rows alike. */
static float int8_round(const float *x, int columns, float *turned, int8_t *q, int32_t *sum)
{
    const float shifter = 12582912.0f; /* 1.5 * 2^23: adding it rounds to an integer, kept in the low bits */
    memcpy(turned, x, (size_t)columns * sizeof *x);
    for (int i = 0; i + KERNEL_BLOCK <= columns; i += KERNEL_BLOCK)
        turn_block(turned + i);
    float most = greatest_size(turned, columns), inverse = most > 0 ? 127 / most : 0;
    int32_t total = 0;
    if (most != most) { /* not finite: what comes of the row must show it */
        memset(q, 0, (size_t)columns);
        *sum = 0;
        return most;
    }
    for (int i = 0; i < columns; i++) {
        int32_t rounded = bits_of_float(turned[i] * inverse + shifter) - bits_of_float(shifter);
        q[i] = (int8_t)rounded;
        total += rounded;
    }
    *sum = total;
    return most / 127;
}

#ifdef __AVX512VNNI__

/* One step of a row: four sums of 16 outputs += 4 columns of the row, broadcast, times those of the panel.  In assembly,
 * for gcc keeps the sums in memory when they are intrinsics' results; the loop around it would otherwise be stores. */
#define SUMS(r, a, b, c, d)                                                                                            \
    "vpdpbusd (%[x" #r "],%[k])%{1to16%}, %%zmm28, %%zmm" #a "\n\t"                                                    \
    "vpdpbusd (%[x" #r "],%[k])%{1to16%}, %%zmm29, %%zmm" #b "\n\t"                                                    \
    "vpdpbusd (%[x" #r "],%[k])%{1to16%}, %%zmm30, %%zmm" #c "\n\t"                                                    \
    "vpdpbusd (%[x" #r "],%[k])%{1to16%}, %%zmm31, %%zmm" #d "\n\t"
#define START(r, a, b, c, d)                                                                                           \
    "vpbroadcastd " #r "*4(%[start]), %%zmm" #a "\n\t"                                                                 \
    "vmovdqa64 %%zmm" #a ", %%zmm" #b "\n\t"                                                                           \
    "vmovdqa64 %%zmm" #a ", %%zmm" #c "\n\t"                                                                           \
    "vmovdqa64 %%zmm" #a ", %%zmm" #d "\n\t"
#define STORE(r, a, b, c, d)                                                                                           \
    "vmovdqu64 %%zmm" #a ", " #r "*256(%[out])\n\t"                                                                    \
    "vmovdqu64 %%zmm" #b ", " #r "*256+64(%[out])\n\t"                                                                 \
    "vmovdqu64 %%zmm" #c ", " #r "*256+128(%[out])\n\t"                                                                \
    "vmovdqu64 %%zmm" #d ", " #r "*256+192(%[out])\n\t"
#define ROWS(step)                                                                                                     \
    step(0, 0, 1, 2, 3) step(1, 4, 5, 6, 7) step(2, 8, 9, 10, 11) step(3, 12, 13, 14, 15) step(4, 16, 17, 18, 19)      \
        step(5, 20, 21, 22, 23)

static void int8_panel(const uint8_t *panel, const int8_t *const *x, const int32_t *start, int columns, int32_t *out)
{
    size_t k = 0, end = (size_t)columns;
    __asm__ volatile(ROWS(START)
                     "1:\n\t"
                     "vmovdqu64 (%[w]), %%zmm28\n\t"
                     "vmovdqu64 64(%[w]), %%zmm29\n\t"
                     "vmovdqu64 128(%[w]), %%zmm30\n\t"
                     "vmovdqu64 192(%[w]), %%zmm31\n\t"
                     "add $256, %[w]\n\t"
                     ROWS(SUMS)
                     "add $4, %[k]\n\t"
                     "cmp %[end], %[k]\n\t"
                     "jb 1b\n\t"
                     ROWS(STORE)
                     : [w] "+r"(panel), [k] "+r"(k)
                     : [x0] "r"(x[0]), [x1] "r"(x[1]), [x2] "r"(x[2]), [x3] "r"(x[3]), [x4] "r"(x[4]), [x5] "r"(x[5]),
                       [start] "r"(start), [end] "r"(end), [out] "r"(out)
                     : "memory", "cc", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9",
                       "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15", "xmm16", "xmm17", "xmm18", "xmm19",
                       "xmm20", "xmm21", "xmm22", "xmm23", "xmm28", "xmm29", "xmm30", "xmm31");
}

#else

static void int8_panel(const uint8_t *panel, const int8_t *const *x, const int32_t *start, int columns, int32_t *out)
{
    for (int r = 0; r < KERNEL_INT8_ROWS; r++) {
        int32_t *sum = out + r * KERNEL_PANEL;
        for (int n = 0; n < KERNEL_PANEL; n++)
            sum[n] = start[r];
        for (int k = 0; k < columns; k += 4)
            for (int n = 0; n < KERNEL_PANEL; n++)
                for (int i = 0; i < 4; i++)
                    sum[n] += panel[k * KERNEL_PANEL + 4 * n + i] * x[r][k + i];
    }
}

#endif

static void int8_scale(const int32_t *sum, float row, const float *column, int n, float *y)
{
    for (int i = 0; i < n; i++)
        y[i] = (float)sum[i] * (row * column[i]);
}

void NAME(kernels_int8, KERNELS)(struct kernels *kernels);
void NAME(kernels_int8, KERNELS)(struct kernels *kernels)
{
    kernels->int8_round = int8_round;
    kernels->int8_panel = int8_panel;
    kernels->int8_scale = int8_scale;
}
