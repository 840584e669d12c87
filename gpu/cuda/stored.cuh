/* stored.cuh: one element of a row in every type that files store tensors in.
 *
 * The layouts are those of gpu/dtype.c, told there; this is the same arithmetic in the same order, element by element,
 * so the results are equal to the bit.  All blocks with a half in them have an even number of bytes: it may
 * be read as one. */
#ifndef GPU_CUDA_STORED_CUH
#define GPU_CUDA_STORED_CUH

#include <cuda_bf16.h>
#include <cuda_fp16.h>

#include "gpu/cuda/launch.cuh"
#include "gpu/dtype.h"

static __device__ __forceinline__ float load_half(const uint8_t *bytes)
{
    return __half2float(*(const __half *)bytes);
}

/* A type's block: how many elements and bytes it has, and its element i. */
template <int TYPE> struct stored;

/* Element i of a row. */
template <int TYPE> static __device__ __forceinline__ float stored_at(const uint8_t *row, int i)
{
    constexpr int elements = stored<TYPE>::elements, bytes = stored<TYPE>::bytes;
    return stored<TYPE>::at(row + (size_t)(i / elements) * bytes, i % elements);
}

/* -- plain numbers ------------------------------------------------------------------------------------------------- */

template <> struct stored<DTYPE_F32> {
    static constexpr int elements = 1, bytes = 4;
    static __device__ __forceinline__ float at(const uint8_t *block, int)
    {
        return *(const float *)block;
    }
};

template <> struct stored<DTYPE_F16> {
    static constexpr int elements = 1, bytes = 2;
    static __device__ __forceinline__ float at(const uint8_t *block, int)
    {
        return load_half(block);
    }
};

template <> struct stored<DTYPE_BF16> {
    static constexpr int elements = 1, bytes = 2;
    static __device__ __forceinline__ float at(const uint8_t *block, int)
    {
        return __bfloat162float(*(const __nv_bfloat16 *)block);
    }
};

/* -- blocks of 32 -------------------------------------------------------------------------------------------------- */

/* Element i of 16 bytes of nibbles, low ones before high ones. */
static __device__ __forceinline__ int nibble(const uint8_t *q, int i)
{
    return q[i % 16] >> i / 16 * 4 & 15;
}

static __device__ __forceinline__ int five_bits(const uint8_t *packed, int i)
{
    return nibble(packed + 4, i) | (packed[i / 8] >> i % 8 & 1) << 4;
}

template <> struct stored<DTYPE_Q4_0> {
    static constexpr int elements = 32, bytes = 18;
    static __device__ __forceinline__ float at(const uint8_t *block, int i)
    {
        return load_half(block) * (float)(nibble(block + 2, i) - 8);
    }
};

template <> struct stored<DTYPE_Q4_1> {
    static constexpr int elements = 32, bytes = 20;
    static __device__ __forceinline__ float at(const uint8_t *block, int i)
    {
        return load_half(block) * (float)nibble(block + 4, i) + load_half(block + 2);
    }
};

template <> struct stored<DTYPE_Q5_0> {
    static constexpr int elements = 32, bytes = 22;
    static __device__ __forceinline__ float at(const uint8_t *block, int i)
    {
        return load_half(block) * (float)(five_bits(block + 2, i) - 16);
    }
};

template <> struct stored<DTYPE_Q5_1> {
    static constexpr int elements = 32, bytes = 24;
    static __device__ __forceinline__ float at(const uint8_t *block, int i)
    {
        return load_half(block) * (float)five_bits(block + 4, i) + load_half(block + 2);
    }
};

template <> struct stored<DTYPE_Q8_0> {
    static constexpr int elements = 32, bytes = 34;
    static __device__ __forceinline__ float at(const uint8_t *block, int i)
    {
        return load_half(block) * (float)(int8_t)block[2 + i];
    }
};

/* Entry v of a table of 16 signed bytes: 8 of them in each word, the first in its low end.  An array would lie in
 * memory that each thread has of its own. */
static __device__ __forceinline__ float table_entry(uint64_t first, uint64_t second, int v)
{
    return (float)(int8_t)((v < 8 ? first : second) >> v % 8 * 8);
}

/* -127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113 */
static __device__ __forceinline__ float nonlinear(int v)
{
    return table_entry(0xf6eaddcfbfad9881, 0x7159453526190d01, v);
}

/* 0, 1, 2, 3, 4, 6, 8, 12, and the same below 0 */
static __device__ __forceinline__ float doubled_e2m1(int v)
{
    return table_entry(0x0c08060403020100, 0xf4f8fafcfdfeff00, v);
}

template <> struct stored<DTYPE_IQ4_NL> {
    static constexpr int elements = 32, bytes = 18;
    static __device__ __forceinline__ float at(const uint8_t *block, int i)
    {
        return load_half(block) * nonlinear(nibble(block + 2, i));
    }
};

template <> struct stored<DTYPE_MXFP4> {
    static constexpr int elements = 32, bytes = 17;
    static __device__ __forceinline__ float at(const uint8_t *block, int i)
    {
        return ldexpf(1.0f, (int)block[0] - 128) * doubled_e2m1(nibble(block + 1, i));
    }
};

/* -- blocks of 256 ------------------------------------------------------------------------------------------------- */

/* The 2-bit part of element i of Q2_K and Q3_K. */
static __device__ __forceinline__ int two_bits(const uint8_t *q, int i)
{
    return q[i / 128 * 32 + i % 32] >> i % 128 / 32 * 2 & 3;
}

/* Scale and minimum of group 0..7 of Q4_K and Q5_K from their 12 bytes. */
static __device__ __forceinline__ int2 six_bit_scales(const uint8_t *packed, int group)
{
    if (group < 4)
        return make_int2(packed[group] & 63, packed[group + 4] & 63);
    return make_int2((packed[group + 4] & 15) | packed[group - 4] >> 6 << 4,
                     packed[group + 4] >> 4 | packed[group] >> 6 << 4);
}

template <> struct stored<DTYPE_Q2_K> {
    static constexpr int elements = 256, bytes = 84;
    static __device__ __forceinline__ float at(const uint8_t *block, int i)
    {
        int scale = block[i / 16];
        float step = load_half(block + 80) * (float)(scale & 15), minimum = load_half(block + 82) * (float)(scale >> 4);
        return step * (float)two_bits(block + 16, i) - minimum;
    }
};

template <> struct stored<DTYPE_Q3_K> {
    static constexpr int elements = 256, bytes = 110;
    static __device__ __forceinline__ float at(const uint8_t *block, int i)
    {
        const uint8_t *packed = block + 96;
        int group = i / 16, third = block[i % 32] >> i / 32 & 1;
        int scale = (packed[group % 8] >> group / 8 * 4 & 15) | (packed[8 + group % 4] >> group / 4 * 2 & 3) << 4;
        return load_half(block + 108) * (float)(scale - 32) * (float)(two_bits(block + 32, i) + third * 4 - 4);
    }
};

template <> struct stored<DTYPE_Q4_K> {
    static constexpr int elements = 256, bytes = 144;
    static __device__ __forceinline__ float at(const uint8_t *block, int i)
    {
        int2 scales = six_bit_scales(block + 4, i / 32);
        float step = load_half(block) * (float)scales.x, minimum = load_half(block + 2) * (float)scales.y;
        return step * (float)(block[16 + i / 64 * 32 + i % 32] >> i / 32 % 2 * 4 & 15) - minimum;
    }
};

template <> struct stored<DTYPE_Q5_K> {
    static constexpr int elements = 256, bytes = 176;
    static __device__ __forceinline__ float at(const uint8_t *block, int i)
    {
        int2 scales = six_bit_scales(block + 4, i / 32);
        float step = load_half(block) * (float)scales.x, minimum = load_half(block + 2) * (float)scales.y;
        int low = block[48 + i / 64 * 32 + i % 32] >> i / 32 % 2 * 4 & 15, fifth = block[16 + i % 32] >> i / 32 & 1;
        return step * (float)(low | fifth << 4) - minimum;
    }
};

template <> struct stored<DTYPE_Q6_K> {
    static constexpr int elements = 256, bytes = 210;
    static __device__ __forceinline__ float at(const uint8_t *block, int i)
    {
        int half = i / 128, run = i % 128 / 32, lane = i % 32;
        int low = block[half * 64 + run % 2 * 32 + lane] >> run / 2 * 4 & 15;
        int high = block[128 + half * 32 + lane] >> run * 2 & 3;
        float step = load_half(block + 208) * (float)(int8_t)block[192 + i / 16];
        return step * (float)((low | high << 4) - 32);
    }
};

template <> struct stored<DTYPE_IQ4_XS> {
    static constexpr int elements = 256, bytes = 136;
    static __device__ __forceinline__ float at(const uint8_t *block, int i)
    {
        int group = i / 32, high = block[2] | block[3] << 8;
        int scale = (block[4 + group / 2] >> group % 2 * 4 & 15) | (high >> 2 * group & 3) << 4;
        return load_half(block) * (float)(scale - 32) * nonlinear(nibble(block + 8 + 16 * group, i % 32));
    }
};

/* Put F(type) for the stored type that `type` is; what comes after runs for none of them. */
#define FOR_STORED_TYPE(type, F)                                                                                       \
    switch (type) {                                                                                                    \
    case DTYPE_F32: F(DTYPE_F32); break;                                                                               \
    case DTYPE_F16: F(DTYPE_F16); break;                                                                               \
    case DTYPE_BF16: F(DTYPE_BF16); break;                                                                             \
    case DTYPE_Q4_0: F(DTYPE_Q4_0); break;                                                                             \
    case DTYPE_Q4_1: F(DTYPE_Q4_1); break;                                                                             \
    case DTYPE_Q5_0: F(DTYPE_Q5_0); break;                                                                             \
    case DTYPE_Q5_1: F(DTYPE_Q5_1); break;                                                                             \
    case DTYPE_Q8_0: F(DTYPE_Q8_0); break;                                                                             \
    case DTYPE_Q2_K: F(DTYPE_Q2_K); break;                                                                             \
    case DTYPE_Q3_K: F(DTYPE_Q3_K); break;                                                                             \
    case DTYPE_Q4_K: F(DTYPE_Q4_K); break;                                                                             \
    case DTYPE_Q5_K: F(DTYPE_Q5_K); break;                                                                             \
    case DTYPE_Q6_K: F(DTYPE_Q6_K); break;                                                                             \
    case DTYPE_IQ4_NL: F(DTYPE_IQ4_NL); break;                                                                         \
    case DTYPE_IQ4_XS: F(DTYPE_IQ4_XS); break;                                                                         \
    case DTYPE_MXFP4: F(DTYPE_MXFP4); break;                                                                           \
    }

#endif
