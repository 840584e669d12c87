/* dtype.c: what a block of each type holds, and its expansion to f32.
 *
 * Expansion sits inside matrix products (weights are expanded tile by tile), so every function walks whole blocks, 16
 * values at a time, in the widest vectors there are.  Nothing here depends on the processor, but this file is also
 * compiled once for each level of the CPU's kernels, where KERNELS is the level's name (gpu/host/kernels.h).
 *
 * The results are exact and do not depend on how a compiler orders or fuses the arithmetic: a half has 11 significant
 * bits, a scale and a quantum together at most 13, so every product fits the 24 of an f32 and only the final addition
 * of a minimum rounds, once. */
#include "gpu/dtype.h"

#include <string.h>

#if defined __AVX2__ || defined __AVX512F__
#include <immintrin.h>
#endif

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "model files are little-endian, and read as they are");

static inline float bits_to_float(uint32_t bits)
{
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* IEEE half to single, without branches.  Normal numbers move their exponent's bias from 15 to 127; infinities and NaNs
 * move it twice.  A subnormal half gets the exponent of 2^-14, which then is subtracted: no subnormal f32 occurs on the
 * way, so it also holds where a library has switched those off (as the processor's own conversion does). */
static inline float half_to_float(uint16_t half)
{
#ifdef __F16C__
    return _cvtsh_ss(half);
#else
    const uint32_t rebias = 112u << 23, implied_one = 113u << 23; /* the latter is 2^-14 as an f32 */
    uint32_t magnitude = (uint32_t)(half & 0x7fff) << 13;
    uint32_t special = magnitude >= 0x0f800000 ? UINT32_MAX : 0;
    uint32_t subnormal = magnitude < 0x00800000 ? UINT32_MAX : 0;
    uint32_t bits = magnitude + rebias + (special & rebias) + (subnormal & 0x00800000);
    float value = bits_to_float(bits) - bits_to_float(subnormal & implied_one);
    memcpy(&bits, &value, sizeof bits);
    return bits_to_float(bits | (uint32_t)(half & 0x8000) << 16);
#endif
}

static inline uint16_t load_u16(const uint8_t *bytes)
{
    uint16_t value;
    memcpy(&value, bytes, sizeof value);
    return value;
}

static inline float load_half(const uint8_t *bytes)
{
    return half_to_float(load_u16(bytes));
}

/* -- sixteen at a time --------------------------------------------------------------------------------------------- */

typedef uint8_t bytes16 __attribute__((vector_size(16)));
typedef int8_t quanta16 __attribute__((vector_size(16)));

static inline bytes16 load16(const void *bytes)
{
    bytes16 v;
    memcpy(&v, bytes, sizeof v);
    return v;
}

/* dst[i] = d v[i] + m, where sum; else without m (which might turn -0 into 0) */
static inline __attribute__((always_inline)) void put(quanta16 v, float d, int sum, float m, float *restrict dst)
{
#if defined __AVX512F__
    __m512 x = _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32((__m128i)v)) * _mm512_set1_ps(d);
    if (sum)
        x += _mm512_set1_ps(m);
    _mm512_storeu_ps(dst, x);
#elif defined __AVX2__
    for (int i = 0; i < 2; i++) {
        __m128i half = i ? _mm_unpackhi_epi64((__m128i)v, (__m128i)v) : (__m128i)v;
        __m256 x = _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(half)) * _mm256_set1_ps(d);
        if (sum)
            x += _mm256_set1_ps(m);
        _mm256_storeu_ps(dst + 8 * i, x);
    }
#else
    for (int i = 0; i < 16; i++)
        dst[i] = sum ? d * (float)v[i] + m : d * (float)v[i];
#endif
}

static inline void put16(quanta16 v, float d, float *restrict dst)
{
    put(v, d, 0, 0, dst);
}

static inline void put16_sum(quanta16 v, float d, float m, float *restrict dst)
{
    put(v, d, 1, m, dst);
}

/* 32 values d v + m, where sum, else d v, v: the low nibbles of 16 bytes, then the high ones, each less `offset`;
 * halves: d, and m behind it */
static inline __attribute__((always_inline)) void put_nibbles(const uint8_t *halves, int sum, const uint8_t *nibbles,
                                                              int offset, float *restrict dst)
{
#if defined __AVX512F__ /* what each of 16 nibbles stands for is looked up by the low bits of a lane */
    const __m512 numbers = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
    uint32_t bits = load_u16(halves);
    if (sum)
        memcpy(&bits, halves, sizeof bits);
    __m128 dm = _mm_cvtph_ps(_mm_cvtsi32_si128((int)bits));
    __m512 list = (numbers - (float)offset) * _mm512_broadcastss_ps(dm);
    if (sum)
        list += _mm512_broadcastss_ps(_mm_movehdup_ps(dm));
    __m512i v = _mm512_cvtepu8_epi32((__m128i)load16(nibbles));
    _mm512_storeu_ps(dst, _mm512_permutexvar_ps(v, list));
    _mm512_storeu_ps(dst + 16, _mm512_permutexvar_ps(_mm512_srli_epi32(v, 4), list));
#else
    float d = load_half(halves), m = sum ? load_half(halves + 2) : 0;
    bytes16 q = load16(nibbles);
    put((quanta16)(q & 15) - (int8_t)offset, d, sum, m, dst);
    put((quanta16)(q >> 4) - (int8_t)offset, d, sum, m, dst + 16);
#endif
}

/* -- plain numbers ------------------------------------------------------------------------------------------------- */

static void expand_f32(const void *src, float *dst, size_t n)
{
    memcpy(dst, src, n * sizeof *dst);
}

static void expand_f16(const void *src, float *restrict dst, size_t n)
{
    const uint8_t *in = src;
    for (; n >= 16; n -= 16, in += 32, dst += 16)
        for (int i = 0; i < 16; i++)
            dst[i] = load_half(in + 2 * i);
    for (size_t i = 0; i < n; i++)
        dst[i] = load_half(in + 2 * i);
}

static void expand_bf16(const void *src, float *restrict dst, size_t n)
{
    const uint8_t *in = src;
    for (; n >= 16; n -= 16, in += 32, dst += 16)
        for (int i = 0; i < 16; i++)
            dst[i] = bits_to_float((uint32_t)load_u16(in + 2 * i) << 16);
    for (size_t i = 0; i < n; i++)
        dst[i] = bits_to_float((uint32_t)load_u16(in + 2 * i) << 16);
}

/* -- blocks of 32 -------------------------------------------------------------------------------------------------- */

/* Q4_0: half d; 16 bytes, low nibbles before high ones.  d (v - 8) */
static void expand_q4_0(const void *src, float *restrict dst, size_t n)
{
    const uint8_t *block = src;
    for (; n; n -= 32, block += 18, dst += 32)
        put_nibbles(block, 0, block + 2, 8, dst);
}

/* Q4_1: half d, half m; nibbles as Q4_0.  d v + m */
static void expand_q4_1(const void *src, float *restrict dst, size_t n)
{
    const uint8_t *block = src;
    for (; n; n -= 32, block += 20, dst += 32)
        put_nibbles(block, 1, block + 4, 0, dst);
}

/* v of Q5_0 and Q5_1: 4 bytes of fifth bits, then nibbles as Q4_0.
 * A byte's 8 bits become 8 bytes of 0 or 16 at once: copy the byte eightfold, keep bit i in byte i, and let it carry
 * into that byte's top bit. */
static void unpack_five_bits(const uint8_t *packed, uint8_t *restrict v)
{
    const uint8_t *q = packed + 4;
    for (int i = 0; i < 4; i++) {
        uint64_t kept = packed[i] * UINT64_C(0x0101010101010101) & UINT64_C(0x8040201008040201);
        uint64_t fifth = (kept + UINT64_C(0x7f7f7f7f7f7f7f7f)) >> 3 & UINT64_C(0x1010101010101010);
        memcpy(v + 8 * i, &fifth, sizeof fifth);
    }
    for (int i = 0; i < 16; i++)
        v[i] |= q[i] & 15;
    for (int i = 0; i < 16; i++)
        v[16 + i] |= q[i] >> 4;
}

/* Q5_0: half d; fifth bits; nibbles.  d (v - 16) */
static void expand_q5_0(const void *src, float *restrict dst, size_t n)
{
    const uint8_t *block = src;
    for (; n; n -= 32, block += 22, dst += 32) {
        uint8_t v[32];
        unpack_five_bits(block + 2, v);
        float d = load_half(block);
        put16((quanta16)load16(v) - 16, d, dst);
        put16((quanta16)load16(v + 16) - 16, d, dst + 16);
    }
}

/* Q5_1: half d, half m; fifth bits; nibbles.  d v + m */
static void expand_q5_1(const void *src, float *restrict dst, size_t n)
{
    const uint8_t *block = src;
    for (; n; n -= 32, block += 24, dst += 32) {
        uint8_t v[32];
        unpack_five_bits(block + 4, v);
        float d = load_half(block), m = load_half(block + 2);
        put16_sum((quanta16)load16(v), d, m, dst);
        put16_sum((quanta16)load16(v + 16), d, m, dst + 16);
    }
}

/* Q8_0: half d; 32 signed bytes.  d v */
static void expand_q8_0(const void *src, float *restrict dst, size_t n)
{
    const uint8_t *block = src;
    for (; n; n -= 32, block += 34, dst += 32) {
        float d = load_half(block);
        put16((quanta16)load16(block + 2), d, dst);
        put16((quanta16)load16(block + 18), d, dst + 16);
    }
}

/* Values that nibbles stand for, instead of numbers a step apart. */
static const int8_t nonlinear[16] = {-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113};
static const int8_t doubled_e2m1[16] = {0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12};

/* 32 values d table[v]; nibbles as Q4_0. */
static inline void expand_listed(const uint8_t *q, const int8_t *table, float d, float *restrict dst)
{
    quanta16 low, high;
    for (int i = 0; i < 16; i++)
        low[i] = table[q[i] & 15];
    for (int i = 0; i < 16; i++)
        high[i] = table[q[i] >> 4];
    put16(low, d, dst);
    put16(high, d, dst + 16);
}

/* IQ4_NL: half d; 16 bytes of nibbles. */
static void expand_iq4_nl(const void *src, float *restrict dst, size_t n)
{
    const uint8_t *block = src;
    for (; n; n -= 32, block += 18, dst += 32)
        expand_listed(block + 2, nonlinear, load_half(block), dst);
}

/* MXFP4: a byte e for the scale 2^(e - 128), half of OCP's as the values are doubled; 16 bytes of nibbles.  The two
 * smallest scales are subnormal. */
static void expand_mxfp4(const void *src, float *restrict dst, size_t n)
{
    const uint8_t *block = src;
    for (; n; n -= 32, block += 17, dst += 32) {
        uint32_t e = block[0];
        expand_listed(block + 1, doubled_e2m1, bits_to_float(e < 2 ? 0x00200000u << e : (e - 1) << 23), dst);
    }
}

/* -- blocks of 256, in groups of 16 or 32 with scales of their own ------------------------------------------------- */

/* Q2_K: 16 bytes of scale (low nibble) and minimum (high); 64 bytes of 2-bit v; half d, half dmin.
 * Byte l of a half block holds v of elements l, 32 + l, 64 + l, 96 + l from its low bits up. */
static void expand_q2_k(const void *src, float *restrict dst, size_t n)
{
    const uint8_t *block = src;
    for (; n; n -= 256, block += 84) {
        const uint8_t *scale = block, *q = block + 16;
        float d = load_half(block + 80), dmin = load_half(block + 82);
        for (int group = 0; group < 16; group++, dst += 16) {
            const uint8_t *in = q + group / 8 * 32 + group % 2 * 16;
            int shift = group % 8 / 2 * 2;
            float step = d * (float)(scale[group] & 15), minimum = dmin * (float)(scale[group] >> 4);
            put16_sum((quanta16)(load16(in) >> shift & 3), step, -minimum, dst);
        }
    }
}

/* Q3_K: 32 bytes of third bits (set: nothing is subtracted; clear: 4); 64 bytes of 2-bit v as Q2_K; 12 bytes of 6-bit
 * scales, offset by 32; half d.  The scales' low nibbles are 8 bytes, two each, their upper bits 4 bytes, four each. */
static void expand_q3_k(const void *src, float *restrict dst, size_t n)
{
    const uint8_t *block = src;
    for (; n; n -= 256, block += 110) {
        const uint8_t *third = block, *q = block + 32, *packed = block + 96;
        float d = load_half(block + 108);
        for (int group = 0; group < 16; group++, dst += 16) {
            const uint8_t *in = q + group / 8 * 32 + group % 2 * 16, *high = third + group % 2 * 16;
            int shift = group % 8 / 2 * 2, bit = group / 2;
            int scale = (packed[group % 8] >> group / 8 * 4 & 15) | (packed[8 + group % 4] >> group / 4 * 2 & 3) << 4;
            float step = d * (float)(scale - 32);
            bytes16 v = (load16(in) >> shift & 3) + ((load16(high) >> bit & 1) << 2);
            put16((quanta16)v - 4, step, dst);
        }
    }
}

/* Scale and minimum of group 0..7 of Q4_K and Q5_K, 6 bits each, from their 12 bytes: the first four groups keep theirs
 * in the low bits of bytes 0..3 and 4..7; the last four keep nibbles in bytes 8..11 and upper bits on top of 0..7. */
static inline void unpack_scale(const uint8_t *packed, int group, int *scale, int *minimum)
{
    if (group < 4) {
        *scale = packed[group] & 63;
        *minimum = packed[group + 4] & 63;
    } else {
        *scale = (packed[group + 4] & 15) | packed[group - 4] >> 6 << 4;
        *minimum = packed[group + 4] >> 4 | packed[group] >> 6 << 4;
    }
}

/* Q4_K: half d, half dmin; 12 bytes of scales; 128 bytes of nibbles, 32 bytes for two groups of 32 (low, then high). */
static void expand_q4_k(const void *src, float *restrict dst, size_t n)
{
    const uint8_t *block = src;
    for (; n; n -= 256, block += 144) {
        float d = load_half(block), dmin = load_half(block + 2);
        for (int group = 0; group < 8; group++, dst += 32) {
            const uint8_t *q = block + 16 + group / 2 * 32;
            int scale, offset, shift = group % 2 * 4;
            unpack_scale(block + 4, group, &scale, &offset);
            float step = d * (float)scale, minimum = dmin * (float)offset;
            for (int i = 0; i < 32; i += 16)
                put16_sum((quanta16)(load16(q + i) >> shift & 15), step, -minimum, dst + i);
        }
    }
}

/* Q5_K: as Q4_K, with 32 bytes of fifth bits before the nibbles: bit g of byte i belongs to element i of group g. */
static void expand_q5_k(const void *src, float *restrict dst, size_t n)
{
    const uint8_t *block = src;
    for (; n; n -= 256, block += 176) {
        const uint8_t *fifth = block + 16;
        float d = load_half(block), dmin = load_half(block + 2);
        for (int group = 0; group < 8; group++, dst += 32) {
            const uint8_t *q = block + 48 + group / 2 * 32;
            int scale, offset, shift = group % 2 * 4;
            unpack_scale(block + 4, group, &scale, &offset);
            float step = d * (float)scale, minimum = dmin * (float)offset;
            for (int i = 0; i < 32; i += 16) {
                bytes16 v = (load16(q + i) >> shift & 15) | (load16(fifth + i) >> group & 1) << 4;
                put16_sum((quanta16)v, step, -minimum, dst + i);
            }
        }
    }
}

/* Q6_K: 128 bytes of low nibbles, 64 of upper bit pairs, 16 signed scales, half d.  A half block has four runs of 32:
 * their nibbles are the low, then the high ones of 2 x 32 bytes, their pairs go up through 32 bytes.
 * d scale (v - 32) */
static void expand_q6_k(const void *src, float *restrict dst, size_t n)
{
    const uint8_t *block = src;
    for (; n; n -= 256, block += 210) {
        const int8_t *scale = (const int8_t *)block + 192;
        float d = load_half(block + 208);
        for (int group = 0; group < 16; group++, dst += 16) {
            int half = group / 8, run = group % 8 / 2, side = group % 2 * 16;
            const uint8_t *low = block + half * 64 + run % 2 * 32 + side, *high = block + 128 + half * 32 + side;
            int low_shift = run / 2 * 4, high_shift = run * 2;
            float step = d * (float)scale[group];
            bytes16 v = (load16(low) >> low_shift & 15) | (load16(high) >> high_shift & 3) << 4;
            put16((quanta16)v - 32, step, dst);
        }
    }
}

/* IQ4_XS: half d; 2 bytes of upper scale bits, two for each group of 32; 4 bytes of lower scale nibbles; 128 bytes of
 * nibbles, 16 for each group, as IQ4_NL.  Scales are offset by 32. */
static void expand_iq4_xs(const void *src, float *restrict dst, size_t n)
{
    const uint8_t *block = src;
    for (; n; n -= 256, block += 136) {
        float d = load_half(block);
        int high = load_u16(block + 2);
        for (int group = 0; group < 8; group++, dst += 32) {
            int scale = (block[4 + group / 2] >> group % 2 * 4 & 15) | (high >> 2 * group & 3) << 4;
            expand_listed(block + 8 + 16 * group, nonlinear, d * (float)(scale - 32), dst);
        }
    }
}

/* -- the table ----------------------------------------------------------------------------------------------------- */

/* Ids 4, 5, 31 to 33 and 36 to 38 were withdrawn before files with them could spread. */
static const struct dtype_info table[] = {
    [DTYPE_F32] = {"F32", 1, 4, expand_f32},
    [DTYPE_F16] = {"F16", 1, 2, expand_f16},
    [DTYPE_Q4_0] = {"Q4_0", 32, 18, expand_q4_0},
    [DTYPE_Q4_1] = {"Q4_1", 32, 20, expand_q4_1},
    [DTYPE_Q5_0] = {"Q5_0", 32, 22, expand_q5_0},
    [DTYPE_Q5_1] = {"Q5_1", 32, 24, expand_q5_1},
    [DTYPE_Q8_0] = {"Q8_0", 32, 34, expand_q8_0},
    [9] = {"Q8_1", 32, 36, NULL},
    [DTYPE_Q2_K] = {"Q2_K", 256, 84, expand_q2_k},
    [DTYPE_Q3_K] = {"Q3_K", 256, 110, expand_q3_k},
    [DTYPE_Q4_K] = {"Q4_K", 256, 144, expand_q4_k},
    [DTYPE_Q5_K] = {"Q5_K", 256, 176, expand_q5_k},
    [DTYPE_Q6_K] = {"Q6_K", 256, 210, expand_q6_k},
    [15] = {"Q8_K", 256, 292, NULL},
    [16] = {"IQ2_XXS", 256, 66, NULL},
    [17] = {"IQ2_XS", 256, 74, NULL},
    [18] = {"IQ3_XXS", 256, 98, NULL},
    [19] = {"IQ1_S", 256, 50, NULL},
    [DTYPE_IQ4_NL] = {"IQ4_NL", 32, 18, expand_iq4_nl},
    [21] = {"IQ3_S", 256, 110, NULL},
    [22] = {"IQ2_S", 256, 82, NULL},
    [DTYPE_IQ4_XS] = {"IQ4_XS", 256, 136, expand_iq4_xs},
    [24] = {"I8", 1, 1, NULL},
    [25] = {"I16", 1, 2, NULL},
    [26] = {"I32", 1, 4, NULL},
    [27] = {"I64", 1, 8, NULL},
    [28] = {"F64", 1, 8, NULL},
    [29] = {"IQ1_M", 256, 56, NULL},
    [DTYPE_BF16] = {"BF16", 1, 2, expand_bf16},
    [34] = {"TQ1_0", 256, 54, NULL},
    [35] = {"TQ2_0", 256, 66, NULL},
    [DTYPE_MXFP4] = {"MXFP4", 32, 17, expand_mxfp4},
    [40] = {"NVFP4", 64, 36, NULL},
    [41] = {"Q1_0", 128, 18, NULL},
    [42] = {"Q2_0", 64, 18, NULL},
};

#ifdef KERNELS
#define JOIN(a, b) a##_##b
#define NAMED(name, level) JOIN(name, level)
#define DTYPE_INFO NAMED(dtype_info, KERNELS)
const struct dtype_info *DTYPE_INFO(uint32_t type);
#else
#define DTYPE_INFO dtype_info
#endif

const struct dtype_info *DTYPE_INFO(uint32_t type)
{
    static const struct dtype_info unknown = {NULL, 0, 0, NULL};
    return type < sizeof table / sizeof table[0] ? &table[type] : &unknown;
}
