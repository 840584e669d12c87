/* cuda_runtime.h: stands in for NVIDIA's header of this name: the CUDA language as far as the kernels use it, so that
 * g++ compiles them for the host.  Threads are fibers (fiber.h); shared memory is a fresh allocation for each block,
 * filled with 0xff, so that what was not written reads as NaN and what lies beyond is AddressSanitizer's. */
#ifndef TESTS_CUDA_EMULATION_CUDA_RUNTIME_H
#define TESTS_CUDA_EMULATION_CUDA_RUNTIME_H

#include <cuda_runtime_api.h>

#include <cmath>
#include <cstdint>
#include <cstring>
#include <functional>
#include <tuple>

#include "tests/cuda_emulation/fiber.h"

#define __global__
#define __device__
#define __forceinline__ inline
#define __launch_bounds__(...)

/* nvcc's #pragma unroll has no meaning here; the build switches the warning off. */

struct dim3 {
    unsigned x, y, z;
    dim3(unsigned x_ = 1, unsigned y_ = 1, unsigned z_ = 1) : x(x_), y(y_), z(z_)
    {
    }
};

struct int2 {
    int x, y;
};

/* A card ends a program that reads one from where it is not aligned.  The asm keeps what is checked from being taken
 * for granted. */
struct float4 {
    float x, y, z, w;
    float4() = default;
    float4(const float4 &from)
    {
        *this = from;
    }
    float4 &operator=(const float4 &from)
    {
        uintptr_t place = (uintptr_t)&from;
        __asm__("" : "+r"(place));
        if (place % 16)
            emulation_fail("16 bytes are read at once from a place that is not a multiple of 16");
        x = from.x;
        y = from.y;
        z = from.z;
        w = from.w;
        return *this;
    }
};

static inline int2 make_int2(int x, int y)
{
    return {x, y};
}

extern dim3 threadIdx, blockIdx, blockDim, gridDim;

/* Memory that the block's threads share, known by a place in the program; `bytes` of it. */
void *emulation_shared(const void *site, size_t bytes);
void *emulation_dynamic_shared(void);

#define SHARED_ARRAY(type, name, count)                                                                                \
    static char name##_site;                                                                                           \
    type *name = (type *)emulation_shared(&name##_site, sizeof(type) * (count))
#define DYNAMIC_SHARED_ARRAY(type, name) type *name = (type *)emulation_dynamic_shared()

/* -- launches ------------------------------------------------------------------------------------------------------ */

void emulation_enqueue(const char *name, const void *function, dim3 grid, dim3 block, size_t shared_bytes,
                       cudaStream_t stream, std::function<void()> thread);

/* Arguments are converted and copied now, as a card's are. */
template <class... PARAMETERS, class... ARGUMENTS>
void emulation_launch(const char *name, void (*kernel)(PARAMETERS...), dim3 grid, dim3 block, size_t shared_bytes,
                      cudaStream_t stream, ARGUMENTS... arguments)
{
    std::tuple<PARAMETERS...> copy(arguments...);
    emulation_enqueue(name, (const void *)kernel, grid, block, shared_bytes, stream,
                      [kernel, copy] { std::apply(kernel, copy); });
}

#define LAUNCH(kernel, grid, block, shared_bytes, stream, ...)                                                         \
    emulation_launch(#kernel, kernel, grid, block, shared_bytes, stream, __VA_ARGS__)

/* -- waiting ------------------------------------------------------------------------------------------------------- */

#define __syncthreads() ((void)emulation_barrier(0, __FILE__, __LINE__))
#define __syncthreads_or(predicate) emulation_barrier(predicate, __FILE__, __LINE__)
#define __syncwarp() ((void)emulation_shuffle(0xffffffffu, 0, (int)threadIdx.x % 32, __FILE__, __LINE__))
#define __shfl_xor_sync(mask, value, lanes)                                                                            \
    emulation_shuffle_value(mask, value, (int)threadIdx.x % 32 ^ (lanes), __FILE__, __LINE__)

template <class T> T emulation_shuffle_value(unsigned mask, T value, int source, const char *file, int line)
{
    static_assert(sizeof(T) <= sizeof(uint64_t), "a shuffle moves 8 bytes at most");
    uint64_t bits = 0;
    memcpy(&bits, &value, sizeof value);
    bits = emulation_shuffle(mask, bits, source, file, line);
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* Fibers do not interrupt each other, so this is atomic. */
static inline int atomicMin(int *address, int value)
{
    int old = *address;
    *address = value < old ? value : old;
    return old;
}

static inline int atomicMax(int *address, int value)
{
    int old = *address;
    *address = value > old ? value : old;
    return old;
}

/* The product of two floats is exact in double; one rounding more than the card's, of the last bit of a double. */
static inline float emulation_fmaf(float a, float b, float c)
{
    return (float)((double)a * (double)b + (double)c);
}
#define fmaf emulation_fmaf

#endif
