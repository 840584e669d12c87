/* cuda_bf16.h: stands in for NVIDIA's header of this name: bfloat16, as far as the kernels use it. */
#ifndef TESTS_CUDA_EMULATION_CUDA_BF16_H
#define TESTS_CUDA_EMULATION_CUDA_BF16_H

#include <cstdint>
#include <cstring>

struct __nv_bfloat16 {
    uint16_t bits;
};

static inline float __bfloat162float(__nv_bfloat16 x)
{
    uint32_t bits = (uint32_t)x.bits << 16;
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* To nearest, ties to even. */
static inline __nv_bfloat16 __float2bfloat16_rn(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    if (value != value)
        return {0x7fff};
    bits += 0x7fff + (bits >> 16 & 1);
    return {(uint16_t)(bits >> 16)};
}

#endif
