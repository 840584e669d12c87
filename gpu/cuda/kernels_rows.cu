/* kernels_rows.cu: what goes over the columns of rows: norms, RoPE, gates and their differences, sums, gathering,
 * packing.
 *
 * Differences are formed without cancellation where there is a way: a norm's from the difference of its sums of
 * squares, so that a small change keeps its digits. */
#include "gpu/cuda/kernels.h"

#include <cuda_bf16.h>
#include <float.h>

#include "gpu/cuda/launch.cuh"

enum { ROW_THREADS = 256 }; /* of a block */

static __device__ size_t first_element(void)
{
    return (size_t)blockIdx.x * blockDim.x + threadIdx.x;
}

static __device__ size_t element_stride(void)
{
    return (size_t)gridDim.x * blockDim.x;
}

/* -- norms --------------------------------------------------------------------------------------------------------- */

/* A block takes one group of one row. */
__global__ void norm_kernel(struct norm norm, const float *x, float *y)
{
    SHARED_ARRAY(float, scratch, warp_lanes);
    size_t start = (size_t)blockIdx.x * norm.width;
    float mean = 0, square = 0;
    x += start;
    y += start;
    if (norm.kind == NORM_LAYER) {
        for (int i = (int)threadIdx.x; i < norm.width; i += (int)blockDim.x)
            mean += x[i];
        mean = block_sum(mean, scratch) / (float)norm.width;
    }
    for (int i = (int)threadIdx.x; i < norm.width; i += (int)blockDim.x)
        square = fmaf(x[i] - mean, x[i] - mean, square);
    float scale = 1.0f / sqrtf(block_sum(square, scratch) / (float)norm.width + norm.epsilon);
    for (int i = (int)threadIdx.x; i < norm.width; i += (int)blockDim.x)
        y[i] = fmaf((x[i] - mean) * scale, norm.weight[i], norm.bias ? norm.bias[i] : 0.0f);
}

/* With c = x - mean(x), dc = dx - mean(dx), r = 1 / sqrt(mean(c^2) + e) and its like r1 of c + dc:
 *   dy / weight = (c + dc) r1 - c r = dc r1 + c (r1 - r),   r1 - r = -mean(dc (2 c + dc)) r^2 r1^2 / (r + r1) */
__global__ void norm_delta_kernel(struct norm norm, const float *x, const int32_t *position, const float *dx, float *dy)
{
    SHARED_ARRAY(float, scratch, warp_lanes);
    size_t row = blockIdx.x / norm.groups, group = blockIdx.x % norm.groups, width = norm.width;
    float mean = 0, dmean = 0, square = 0, dsquare = 0;
    x += ((size_t)position[row] * norm.groups + group) * width;
    dx += (size_t)blockIdx.x * width;
    dy += (size_t)blockIdx.x * width;
    if (norm.kind == NORM_LAYER) {
        for (int i = (int)threadIdx.x; i < norm.width; i += (int)blockDim.x) {
            mean += x[i];
            dmean += dx[i];
        }
        mean = block_sum(mean, scratch) / (float)norm.width;
        dmean = block_sum(dmean, scratch) / (float)norm.width;
    }
    for (int i = (int)threadIdx.x; i < norm.width; i += (int)blockDim.x) {
        float c = x[i] - mean, dc = dx[i] - dmean;
        square = fmaf(c, c, square);
        dsquare = fmaf(dc, fmaf(2.0f, c, dc), dsquare);
    }
    float power = block_sum(square, scratch) / (float)norm.width + norm.epsilon;
    float dpower = block_sum(dsquare, scratch) / (float)norm.width;
    float scale = 1.0f / sqrtf(power), probe_scale = 1.0f / sqrtf(fmaxf(power + dpower, norm.epsilon));
    float dscale = -dpower * (scale * probe_scale) * (scale * probe_scale) / (scale + probe_scale);
    for (int i = (int)threadIdx.x; i < norm.width; i += (int)blockDim.x)
        dy[i] = fmaf(dx[i] - dmean, probe_scale, (x[i] - mean) * dscale) * norm.weight[i];
}

static cudaError_t norm_size(const struct norm *norm, int rows, unsigned *blocks)
{
    *blocks = 0;
    if ((long long)rows * norm->groups > INT32_MAX)
        return cudaErrorInvalidConfiguration;
    *blocks = (unsigned)rows * (unsigned)norm->groups;
    return cudaSuccess;
}

cudaError_t kernel_norm(cudaStream_t stream, const struct norm *norm, const float *x, int rows, float *y)
{
    unsigned blocks;
    cudaError_t status = norm_size(norm, rows, &blocks);
    if (!blocks)
        return status;
    LAUNCH(norm_kernel, blocks, threads_for(norm->width), 0, stream, *norm, x, y);
    return cudaGetLastError();
}

cudaError_t kernel_norm_delta(cudaStream_t stream, const struct norm *norm, const float *x, const int32_t *position,
                              const float *dx, int rows, float *dy)
{
    unsigned blocks;
    cudaError_t status = norm_size(norm, rows, &blocks);
    if (!blocks)
        return status;
    LAUNCH(norm_delta_kernel, blocks, threads_for(norm->width), 0, stream, *norm, x, position, dx, dy);
    return cudaGetLastError();
}

/* -- RoPE ---------------------------------------------------------------------------------------------------------- */

/* A thread turns one pair of one head. */
__global__ void rope_kernel(struct rope rope, const int32_t *position, size_t n, float *x)
{
    for (size_t k = first_element(); k < n; k += element_stride()) {
        size_t pair = k % rope.pairs, head = k / rope.pairs, row = head / rope.heads;
        size_t angle = (size_t)position[row] * rope.pairs + pair;
        float cosine = rope.cos[angle], sine = rope.sin[angle];
        float *a = x + head * rope.head_dim + (rope.neox ? pair : 2 * pair), *b = a + (rope.neox ? rope.pairs : 1);
        float u = *a, v = *b;
        *a = fmaf(u, cosine, -(v * sine));
        *b = fmaf(u, sine, v * cosine);
    }
}

cudaError_t kernel_rope(cudaStream_t stream, const struct rope *rope, const int32_t *position, int rows, float *x)
{
    size_t n = (size_t)rows * rope->heads * rope->pairs;
    if (n == 0)
        return cudaSuccess;
    LAUNCH(rope_kernel, blocks_for(n, ROW_THREADS), ROW_THREADS, 0, stream, *rope, position, n, x);
    return cudaGetLastError();
}

/* -- gates --------------------------------------------------------------------------------------------------------- */

/* GELU's (1 + tanh(y)) / 2 is 1 / (1 + exp(-2 y)), and its (1 + erf(y)) / 2 is erfc(-y) / 2: so nothing cancels where x
 * is far below 0. */
static __device__ float activate(enum activation activation, float x)
{
    switch (activation) {
    case ACTIVATION_SILU:
        return x / (1.0f + expf(-x));
    case ACTIVATION_GELU_TANH:
        return x / (1.0f + expf(-1.5957691216057308f * fmaf(0.044715f * x * x, x, x)));
    case ACTIVATION_GELU_QUICK:
        return x / (1.0f + expf(-1.702f * x));
    default:
        return 0.5f * x * erfcf(-0.7071067811865476f * x);
    }
}

__global__ void gate_kernel(enum activation activation, const float *gate, const float *up, size_t n, float *y)
{
    for (size_t k = first_element(); k < n; k += element_stride()) {
        float active = activate(activation, gate[k]);
        y[k] = up ? active * up[k] : active;
    }
}

/* f(g + dg) (u + du) - f(g) u = (f(g + dg) - f(g)) (u + du) + f(g) du */
__global__ void gate_delta_kernel(enum activation activation, const float *gate, const float *up,
                                  const int32_t *position, const float *dgate, const float *dup, int width, size_t n,
                                  float *dy)
{
    for (size_t k = first_element(); k < n; k += element_stride()) {
        size_t base = (size_t)position[k / width] * width + k % width;
        float g = gate[base], active = activate(activation, g);
        float change = activate(activation, g + dgate[k]) - active;
        dy[k] = up ? fmaf(change, up[base] + dup[k], active * dup[k]) : change;
    }
}

cudaError_t kernel_gate(cudaStream_t stream, enum activation activation, const float *gate, const float *up, size_t n,
                        float *y)
{
    if (n == 0)
        return cudaSuccess;
    LAUNCH(gate_kernel, blocks_for(n, ROW_THREADS), ROW_THREADS, 0, stream, activation, gate, up, n, y);
    return cudaGetLastError();
}

cudaError_t kernel_gate_delta(cudaStream_t stream, enum activation activation, const float *gate, const float *up,
                              const int32_t *position, const float *dgate, const float *dup, int rows, int width,
                              float *dy)
{
    size_t n = (size_t)rows * width;
    if (n == 0)
        return cudaSuccess;
    LAUNCH(gate_delta_kernel, blocks_for(n, ROW_THREADS), ROW_THREADS, 0, stream, activation, gate, up, position, dgate,
           dup, width, n, dy);
    return cudaGetLastError();
}

/* -- sums and gathering -------------------------------------------------------------------------------------------- */

__global__ void add_kernel(const float *x, float scale, size_t n, float *y)
{
    size_t step = element_stride();
    for (size_t first = first_element(); first < n; first += at_once * step) {
        float sum[at_once];
#pragma unroll
        for (int i = 0; i < at_once; i++)
            sum[i] = first + i * step < n ? fmaf(scale, x[first + i * step], y[first + i * step]) : 0.0f;
#pragma unroll
        for (int i = 0; i < at_once; i++)
            if (first + i * step < n)
                y[first + i * step] = sum[i];
    }
}

__global__ void add_bias_kernel(const float *bias, int columns, size_t n, float *y)
{
    for (size_t k = first_element(); k < n; k += element_stride())
        y[k] += bias[k % columns];
}

__global__ void gather_kernel(const float *from, const int32_t *index, int width, size_t n, float *to)
{
    for (size_t k = first_element(); k < n; k += element_stride())
        to[k] = from[(size_t)index[k / width] * width + k % width];
}

cudaError_t kernel_add(cudaStream_t stream, const float *x, float scale, size_t n, float *y)
{
    if (n == 0)
        return cudaSuccess;
    LAUNCH(add_kernel, blocks_for(n, at_once * ROW_THREADS), ROW_THREADS, 0, stream, x, scale, n, y);
    return cudaGetLastError();
}

cudaError_t kernel_add_bias(cudaStream_t stream, const float *bias, int rows, int columns, float *y)
{
    size_t n = (size_t)rows * columns;
    if (n == 0)
        return cudaSuccess;
    LAUNCH(add_bias_kernel, blocks_for(n, ROW_THREADS), ROW_THREADS, 0, stream, bias, columns, n, y);
    return cudaGetLastError();
}

cudaError_t kernel_gather(cudaStream_t stream, const float *from, const int32_t *index, int n, int width, float *to)
{
    size_t elements = (size_t)n * width;
    if (elements == 0)
        return cudaSuccess;
    LAUNCH(gather_kernel, blocks_for(elements, ROW_THREADS), ROW_THREADS, 0, stream, from, index, width, elements, to);
    return cudaGetLastError();
}

/* -- packing ------------------------------------------------------------------------------------------------------- */

static_assert(PACK_BLOCK == warp_lanes, "a warp takes a block of columns");

/* n: columns of all rows, with their padding. */
__global__ void pack8_kernel(const float *x, int width, int blocks, size_t n, int8_t *packed)
{
    size_t bytes = (size_t)blocks * (PACK_BLOCK + sizeof(float));
    for (size_t k = first_element(); k < n; k += element_stride()) {
        size_t row = k / PACK_BLOCK / blocks, column = k % ((size_t)blocks * PACK_BLOCK);
        float value = column < (size_t)width ? x[row * width + column] : 0.0f;
        float most = warp_join<greatest_value>(fabsf(value));
        int8_t *to = packed + row * bytes;
        to[column] = (int8_t)rintf(value * fminf(127.0f / most, FLT_MAX)); /* finite in a block of zeros */
        if (column % PACK_BLOCK == 0)
            ((float *)(to + (size_t)blocks * PACK_BLOCK))[column / PACK_BLOCK] = most * (1 / 127.0f);
    }
}

__global__ void unpack8_kernel(const int8_t *packed, int width, int blocks, size_t n, float *x)
{
    size_t bytes = (size_t)blocks * (PACK_BLOCK + sizeof(float));
    for (size_t k = first_element(); k < n; k += element_stride()) {
        size_t column = k % width;
        const int8_t *from = packed + k / width * bytes;
        x[k] = (float)from[column] * ((const float *)(from + (size_t)blocks * PACK_BLOCK))[column / PACK_BLOCK];
    }
}

/* padded: the width, made even. */
__global__ void pack16_kernel(const float *x, int width, int padded, size_t n, __nv_bfloat16 *packed)
{
    for (size_t k = first_element(); k < n; k += element_stride()) {
        size_t row = k / padded, column = k % padded;
        packed[k] = __float2bfloat16_rn(column < (size_t)width ? x[row * width + column] : 0.0f);
    }
}

__global__ void unpack16_kernel(const __nv_bfloat16 *packed, int width, int padded, size_t n, float *x)
{
    for (size_t k = first_element(); k < n; k += element_stride())
        x[k] = __bfloat162float(packed[k / width * padded + k % width]);
}

cudaError_t kernel_pack(cudaStream_t stream, enum precision precision, const float *x, int rows, int width,
                        void *packed)
{
    int blocks = packed_blocks(width), padded = width + width % 2;
    size_t n = (size_t)rows * (precision == PRECISION_INT8 ? blocks * PACK_BLOCK : padded);
    if (n == 0)
        return cudaSuccess;
    if (precision == PRECISION_INT8)
        LAUNCH(pack8_kernel, blocks_for(n, ROW_THREADS), ROW_THREADS, 0, stream, x, width, blocks, n, (int8_t *)packed);
    else
        LAUNCH(pack16_kernel, blocks_for(n, ROW_THREADS), ROW_THREADS, 0, stream, x, width, padded, n,
               (__nv_bfloat16 *)packed);
    return cudaGetLastError();
}

cudaError_t kernel_unpack(cudaStream_t stream, enum precision precision, const void *packed, int rows, int width,
                          float *x)
{
    int blocks = packed_blocks(width), padded = width + width % 2;
    size_t n = (size_t)rows * width;
    if (n == 0)
        return cudaSuccess;
    if (precision == PRECISION_INT8)
        LAUNCH(unpack8_kernel, blocks_for(n, ROW_THREADS), ROW_THREADS, 0, stream, (const int8_t *)packed, width,
               blocks, n, x);
    else
        LAUNCH(unpack16_kernel, blocks_for(n, ROW_THREADS), ROW_THREADS, 0, stream, (const __nv_bfloat16 *)packed,
               width, padded, n, x);
    return cudaGetLastError();
}
