/* kernels_math.h: arithmetic of the kernels: vectors of the level's width, and functions whose loops can be vectorised.
 *
 * The functions have no branches and no calls, are right to about 1e-7 relative, and carry NaNs through.  Nothing here
 * is contracted or reordered by the compiler: what is fused is written as madd(), so that the same expression gives the
 * same bits wherever it stands. */
#ifndef GPU_HOST_KERNELS_MATH_H
#define GPU_HOST_KERNELS_MATH_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if defined __AVX512F__
enum { LANES = 16, VECTORS = 4 };
#elif defined __AVX2__ && defined __FMA__
enum { LANES = 8, VECTORS = 2 };
#else
enum { LANES = 4, VECTORS = 2 };
#endif
/* VECTORS: how many vectors a row of a register tile has; 6 rows of them, a row of operands and a broadcast fit the
 * level's registers. */

#if defined __AVX2__ || defined __AVX512F__
#include <immintrin.h>
#endif

typedef float vector __attribute__((vector_size(4 * LANES)));
typedef int32_t int_vector __attribute__((vector_size(4 * LANES)));

static inline vector vector_load(const float *p)
{
    vector v;
    memcpy(&v, p, sizeof v);
    return v;
}

static inline void vector_store(float *p, vector v)
{
    memcpy(p, &v, sizeof v);
}

static inline vector vector_set(float x)
{
    return (vector){0} + x;
}

static inline vector vector_madd(vector a, vector b, vector c)
{
#if defined __AVX512F__
    return (vector)_mm512_fmadd_ps((__m512)a, (__m512)b, (__m512)c);
#elif defined __AVX2__ && defined __FMA__
    return (vector)_mm256_fmadd_ps((__m256)a, (__m256)b, (__m256)c);
#else
    return a * b + c;
#endif
}

/* Lane by lane a where mask is all ones, else b. */
static inline vector vector_choose(int_vector mask, vector a, vector b)
{
    return (vector)((mask & (int_vector)a) | (~mask & (int_vector)b));
}

/* Lane by lane; the second operand where one is NaN. */
static inline vector vector_max(vector a, vector b)
{
    return vector_choose(a > b, a, b);
}

static inline vector vector_min(vector a, vector b)
{
    return vector_choose(a < b, a, b);
}

static inline float vector_sum(vector v)
{
    float lane[LANES];
    memcpy(lane, &v, sizeof lane);
    for (int half = LANES / 2; half; half /= 2)
        for (int i = 0; i < half; i++)
            lane[i] += lane[i + half];
    return lane[0];
}

/* The greatest of x[0 .. n - 1], leaving NaNs out. */
static inline float greatest(const float *x, int n)
{
    vector high = vector_set(-__builtin_inff());
    float lane[LANES], out = -__builtin_inff();
    int i = 0;
    for (; i + LANES <= n; i += LANES)
        high = vector_max(vector_load(x + i), high);
    for (; i < n; i++)
        out = x[i] > out ? x[i] : out;
    vector_store(lane, high);
    for (int k = 0; k < LANES; k++)
        out = lane[k] > out ? lane[k] : out;
    return out;
}

/* a b + c, rounded once where the processor can */
static inline float madd(float a, float b, float c)
{
#ifdef __FMA__
    return __builtin_fmaf(a, b, c);
#else
    return a * b + c;
#endif
}

static inline float float_of_bits(int32_t bits)
{
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

static inline int32_t bits_of_float(float x)
{
    int32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

/* exp(x) = scale (1 + rest) for -87 <= x <= 88.3; scale is a power of two, |rest| < 0.42. */
static inline float exp_parts(float x, float *scale)
{
    const float shifter = 12582912.0f; /* 1.5 * 2^23: adding it rounds to an integer, kept in the low bits */
    float shifted = madd(x, 1.44269504f, shifter);
    float n = shifted - shifter;
    float r = madd(n, -0.693359375f, x); /* ln 2 in two parts, the first of few bits */
    r = madd(n, 2.12194440e-4f, r);
    *scale = float_of_bits((int32_t)((uint32_t)(bits_of_float(shifted) + 127) << 23));
    float p = madd(r, 1.0f / 5040, 1.0f / 720);
    p = madd(r, p, 1.0f / 120);
    p = madd(r, p, 1.0f / 24);
    p = madd(r, p, 1.0f / 6);
    p = madd(r, p, 0.5f);
    return madd(r * r, p, r);
}

/* 0 below -87, infinite above 88.3: from 127.5 ln 2 on the scale is infinite and the rest may be negative, which
 * together would be no number. */
static inline float fast_exp(float x)
{
    float scale, clamped = x > 88.3f ? 88.3f : x;
    clamped = clamped < -87.0f ? -87.0f : clamped;
    float rest = exp_parts(clamped, &scale);
    float y = madd(scale, rest, scale);
    return x < -87.0f ? 0.0f : x > 88.3f ? __builtin_inff() : y;
}

/* exp(x) - 1, with all digits near 0; -1 below -87; x at most 88 */
static inline float fast_expm1(float x)
{
    float scale, clamped = x < -87.0f ? -87.0f : x;
    float rest = exp_parts(clamped, &scale);
    return madd(scale, rest, scale - 1.0f);
}

static inline float fast_tanh(float x)
{
    float magnitude = __builtin_fabsf(x);
    float e = fast_expm1(-2.0f * magnitude);
    return __builtin_copysignf(-e / (e + 2.0f), x);
}

/* erfc(z) for z >= 0: exp(-z^2) times a polynomial in 1 / (1 + 0.4 z), fitted for this file to 4e-8 on [0, 12] */
static inline float fast_erfc(float z)
{
    float t = 1.0f / madd(0.4f, z, 1.0f);
    float p = madd(t, 0.034675948f, -0.106139757f);
    p = madd(t, p, 0.00741645042f);
    p = madd(t, p, 0.184786662f);
    p = madd(t, p, 0.00378585397f);
    p = madd(t, p, 0.231663942f);
    p = madd(t, p, 0.189534843f);
    p = madd(t, p, 0.228902817f);
    p = madd(t, p, 0.225360274f);
    p = madd(t, p, 1.30045019e-5f);
    return fast_exp(-z * z) * p;
}

static inline float fast_silu(float x)
{
    return x / (1.0f + fast_exp(-x));
}

/* 0.5 x (1 + tanh(u)) = x / (1 + exp(-2u)), which keeps its digits where tanh(u) is near -1 */
static inline float fast_gelu_tanh(float x)
{
    float u = 0.797884561f * madd(0.044715f * x * x, x, x);
    return x / (1.0f + fast_exp(-2.0f * u));
}

static inline float fast_gelu_quick(float x)
{
    return x / (1.0f + fast_exp(-1.702f * x));
}

static inline float fast_gelu_erf(float x)
{
    float half = 0.5f * fast_erfc(__builtin_fabsf(x) * 0.707106781f);
    return x * (x < 0.0f ? half : 1.0f - half);
}

#endif
