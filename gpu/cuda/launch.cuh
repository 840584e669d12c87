/* launch.cuh: what every kernel file needs: how kernels are started and shared memory is spelt, and sums over a block.
 *
 * Three spellings differ from the textbook so that the same sources can be compiled for the host, where a header of the
 * tests defines them first (see tests/cuda_emulation). */
#ifndef GPU_CUDA_LAUNCH_CUH
#define GPU_CUDA_LAUNCH_CUH

#include <cuda_runtime.h>

#include <stddef.h>
#include <stdint.h>

#ifndef LAUNCH
/* A function like macro would split a kernel's template arguments: put such a kernel in a variable first. */
#define LAUNCH(kernel, grid, block, shared_bytes, stream, ...)                                                         \
    kernel<<<grid, block, shared_bytes, stream>>>(__VA_ARGS__)
#define SHARED_ARRAY(type, name, count) __shared__ type name[count]
#define DYNAMIC_SHARED_ARRAY(type, name) extern __shared__ __align__(16) type name[]
#endif

constexpr int warp_lanes = 32;
constexpr unsigned whole_warp = 0xffffffffu;
/* Elements that a thread reads before it writes any: with one at a time too little is under way to keep memory busy, and
 * the compiler may not read ahead by itself, for all it knows of what is written. */
constexpr int at_once = 4;
constexpr int most_grid_blocks = 1 << 20; /* of kernels that stride over their work */

/* Blocks of `block` threads that cover n elements, in a kernel that strides. */
static inline int blocks_for(size_t n, int block)
{
    size_t blocks = (n + block - 1) / block;
    return (int)(blocks < most_grid_blocks ? blocks : most_grid_blocks);
}

/* Threads for rows of so many columns. */
static inline int threads_for(int columns)
{
    int warps = (columns + warp_lanes - 1) / warp_lanes;
    return warp_lanes * (warps < 1 ? 1 : warps < 8 ? warps : 8);
}

struct add_values {
    template <class T> static __device__ T join(T a, T b)
    {
        return a + b;
    }
};

/* The greater one, or NaN if one of them is. */
struct greatest_value {
    static __device__ float join(float a, float b)
    {
        return b > a || b != b ? b : a;
    }
};

template <class JOIN, class T> static __device__ T warp_join(T value)
{
    for (int step = warp_lanes / 2; step; step /= 2)
        value = JOIN::join(value, __shfl_xor_sync(whole_warp, value, step));
    return value;
}

/* The join of all threads' values, in every thread.  The block is at most 32 whole warps; `scratch` holds one value for
 * each of them and may be used again at once. */
template <class JOIN, class T> static __device__ T block_join(T value, T *scratch)
{
    int warps = (int)blockDim.x / warp_lanes;
    value = warp_join<JOIN>(value);
    if (warps == 1)
        return value;
    if (threadIdx.x % warp_lanes == 0)
        scratch[threadIdx.x / warp_lanes] = value;
    __syncthreads();
    value = scratch[0];
    for (int i = 1; i < warps; i++)
        value = JOIN::join(value, scratch[i]);
    __syncthreads();
    return value;
}

template <class T> static __device__ T block_sum(T value, T *scratch)
{
    return block_join<add_values>(value, scratch);
}

#endif
