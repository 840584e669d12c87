/* cuda_fp16.h: stands in for NVIDIA's header of this name: half, as far as the kernels use it. */
#ifndef TESTS_CUDA_EMULATION_CUDA_FP16_H
#define TESTS_CUDA_EMULATION_CUDA_FP16_H

#include <cmath>
#include <cstdint>

struct __half {
    uint16_t bits;
};

static inline float __half2float(__half half)
{
    int exponent = half.bits >> 10 & 31, fraction = half.bits & 0x3ff;
    float magnitude = exponent == 31 ? (fraction ? NAN : INFINITY)
                      : exponent     ? std::ldexp((float)(fraction | 0x400), exponent - 25)
                                     : std::ldexp((float)fraction, -24);
    return half.bits & 0x8000 ? -magnitude : magnitude;
}

#endif
