/* kernels_math.h: arithmetic of the kernels: vectors of the level's width, and functions whose loops can be vectorised.
 *
 * The functions have no branches and no calls, are right to about 1e-7 relative unless they say otherwise, and carry
 * NaNs through.  Nothing here is contracted or reordered by the compiler: what is fused is written as madd(), so that
 * the same expression gives the same bits wherever it stands. */
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

#if defined __SSE__
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
#if defined __AVX512F__
    return (vector)_mm512_set1_ps(x);
#elif defined __AVX2__
    return (vector)_mm256_set1_ps(x);
#else
    return (vector){x, x, x, x};
#endif
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
#if defined __AVX512F__
    return (vector)_mm512_max_ps((__m512)a, (__m512)b);
#elif defined __AVX2__
    return (vector)_mm256_max_ps((__m256)a, (__m256)b);
#elif defined __SSE__
    return (vector)_mm_max_ps((__m128)a, (__m128)b);
#else
    return vector_choose(a > b, a, b);
#endif
}

static inline vector vector_min(vector a, vector b)
{
#if defined __AVX512F__
    return (vector)_mm512_min_ps((__m512)a, (__m512)b);
#elif defined __AVX2__
    return (vector)_mm256_min_ps((__m256)a, (__m256)b);
#elif defined __SSE__
    return (vector)_mm_min_ps((__m128)a, (__m128)b);
#else
    return vector_choose(a < b, a, b);
#endif
}

/* Every lane's partner, that many lanes away. */
static inline vector vector_partner(vector v, int away)
{
    int_vector partner;
    for (int lane = 0; lane < LANES; lane++)
        partner[lane] = lane ^ away;
    return __builtin_shuffle(v, partner);
}

static inline __attribute__((always_inline)) float vector_sum(vector v)
{
#pragma GCC unroll 8
    for (int half = LANES / 2; half; half /= 2)
        v += vector_partner(v, half);
    return v[0];
}

/* The greatest lane. */
static inline __attribute__((always_inline)) float vector_greatest(vector v)
{
#pragma GCC unroll 8
    for (int half = LANES / 2; half; half /= 2)
        v = vector_max(v, vector_partner(v, half));
    return v[0];
}

/* The greatest of x[0 .. n - 1], leaving NaNs out. */
static inline float greatest(const float *x, int n)
{
    vector high = vector_set(-__builtin_inff()), other = high;
    float out = -__builtin_inff();
    int i = 0;
    for (; i + 2 * LANES <= n; i += 2 * LANES) { /* neither waits for the other */
        high = vector_max(vector_load(x + i), high);
        other = vector_max(vector_load(x + i + LANES), other);
    }
    for (; i + LANES <= n; i += LANES)
        high = vector_max(vector_load(x + i), high);
    high = vector_max(high, other);
    for (; i < n; i++)
        out = x[i] > out ? x[i] : out;
    float most = vector_greatest(high);
    return most > out ? most : out;
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

/* To the nearest integers, even where two are as near; sizes below 2^22. */
static inline int_vector vector_nearest(vector x)
{
#if defined __AVX512F__
    return (int_vector)_mm512_cvtps_epi32((__m512)x);
#elif defined __AVX2__
    return (int_vector)_mm256_cvtps_epi32((__m256)x);
#else
    const float shifter = 12582912.0f; /* 1.5 * 2^23: adding it rounds to an integer, kept in the low bits */
    return (int_vector)(x + shifter) - bits_of_float(shifter);
#endif
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

/* -- functions of vectors, where the compiler makes none of a loop by itself, or slow ones ------------------------- */

/* Lane by lane y, but 0 where x < least. */
static inline vector vector_from(vector x, float least, vector y)
{
#if defined __AVX512F__
    return (vector)_mm512_maskz_mov_ps(_mm512_cmp_ps_mask((__m512)x, _mm512_set1_ps(least), _CMP_NLT_UQ), (__m512)y);
#else
    return (vector)(~(x < least) & (int_vector)y);
#endif
}

/* exp(x) for x <= 88; 0 below -87 */
static inline vector vector_exp(vector x)
{
#if defined __AVX512F__
    vector within = x;
#else
    vector within = vector_max(vector_set(-87.0f), x);
#endif
    const float shifter = 12583039.0f; /* as in exp_parts(), and the exponent's 127 with it */
    vector shifted = vector_madd(within, vector_set(1.44269504f), vector_set(shifter));
    vector n = shifted - shifter;
    vector r = vector_madd(n, vector_set(-0.693359375f), within);
    r = vector_madd(n, vector_set(2.12194440e-4f), r);
    vector p = vector_madd(r, vector_set(0.00138145883f), vector_set(0.00836871378f));
    p = vector_madd(r, p, vector_set(0.041668389f));
    p = vector_madd(r, p, vector_set(0.166665211f));
    p = vector_madd(r, p, vector_set(0.49999994f));
    p = vector_madd(r, p, vector_set(1));
    p = vector_madd(r, p, vector_set(1));
#if defined __AVX512F__
    return vector_from(x, -87.0f, (vector)_mm512_scalef_ps((__m512)p, (__m512)n));
#else
    return vector_from(x, -87.0f, p * (vector)((int_vector)shifted << 23));
#endif
}

/* 1 / x for 1 <= x < 9e37 */
static inline vector vector_inverse(vector x)
{
#if defined __AVX512F__
    vector y = (vector)_mm512_rcp14_ps((__m512)x); /* and a step of Newton's: a third of a division's time */
    return vector_madd(y, vector_madd(-x, y, vector_set(1)), y);
#else
    return 1.0f / x;
#endif
}

/* 2^x for x < 127, 1 at 0; for x < -126 anything from 0 to 2^-126, for -inf 0.  x = c y, rounded, costs exp(y) what
 * half of y's last bit is worth: no more than a sum y has lost before. */
static inline vector vector_exp2(vector x)
{
#if defined __AVX512DQ__
    vector r = (vector)_mm512_reduce_ps((__m512)x, _MM_FROUND_TO_NEG_INF); /* of [0, 1] */
    vector p = vector_madd(r, vector_set(0.00186713005f), vector_set(0.00901703071f));
    p = vector_madd(r, p, vector_set(0.0557999127f));
    p = vector_madd(r, p, vector_set(0.240164444f));
    p = vector_madd(r, p, vector_set(0.693151295f));
    p = vector_madd(r, p, vector_set(1));
    return (vector)_mm512_scalef_ps((__m512)p, (__m512)x);
#else
    const float shifter = 12583039.0f; /* 1.5 * 2^23 + 127: adding it leaves a rounded exponent in the low bits */
    x = vector_max(vector_set(-127), x);
    vector shifted = x + shifter, r = x - (shifted - shifter), scale = (vector)((int_vector)shifted << 23);
    vector p = vector_madd(r, vector_set(0.000153458124f), vector_set(0.00133999309f));
    p = vector_madd(r, p, vector_set(0.00961848907f));
    p = vector_madd(r, p, vector_set(0.0555032864f));
    p = vector_madd(r, p, vector_set(0.240226462f));
    p = vector_madd(r, p, vector_set(0.693147182f));
    return vector_madd(scale, r * p, scale);
#endif
}

/* Activations are x / (1 + 2^exponent(x)), all but one. */

static inline vector vector_silu_exponent(vector x)
{
    return -1.44269504f * x;
}

/* 0.5 x (1 + tanh(u)) = x / (1 + exp(-2u)), which keeps its digits where tanh(u) is near -1 */
static inline vector vector_gelu_tanh_exponent(vector x)
{
    return x * vector_madd(x * x, vector_set(-2.30220820f * 0.044715f), vector_set(-2.30220820f));
}

static inline vector vector_gelu_quick_exponent(vector x)
{
    return -2.45546696f * x;
}

/* x / (1 + 2^exponent); 0 from 2^126 on, beyond which not all levels find an inverse */
static inline vector vector_gate(vector x, vector exponent)
{
    vector within = vector_min(vector_set(126), exponent);
    return x * vector_from(-exponent, -126, vector_inverse(1.0f + vector_exp2(within)));
}

static inline vector vector_silu(vector x)
{
    return vector_gate(x, vector_silu_exponent(x));
}

static inline vector vector_gelu_tanh(vector x)
{
    return vector_gate(x, vector_gelu_tanh_exponent(x));
}

static inline vector vector_gelu_quick(vector x)
{
    return vector_gate(x, vector_gelu_quick_exponent(x));
}

/* x / 2 erfc(-x / sqrt(2)).  erfc(z) for z >= 0 is exp(-z^2) times a polynomial in 1 / (1 + 0.4 z), fitted for this
 * file to 4e-8 on [0, 12]; beyond, it is nothing beside x. */
static inline vector vector_gelu_erf(vector x)
{
    static const float terms[] = {-0.106139757f, 0.00741645042f, 0.184786662f, 0.00378585397f, 0.231663942f,
                                  0.189534843f,  0.228902817f,   0.225360274f, 1.30045019e-5f};
    vector z = vector_min((vector)((int_vector)x & 0x7fffffff) * 0.707106781f, vector_set(12));
    vector t = vector_inverse(vector_madd(vector_set(0.4f), z, vector_set(1)));
    vector p = vector_set(0.034675948f);
    for (int i = 0; i < (int)(sizeof terms / sizeof *terms); i++)
        p = vector_madd(t, p, vector_set(terms[i]));
    vector half = 0.5f * vector_exp(-z * z) * p;
    return x * vector_choose(x < 0.0f, half, 1.0f - half);
}

#endif
