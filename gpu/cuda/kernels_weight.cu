/* kernels_weight.cu: rows in a stored type, expanded to what the products want: f32, bf16, or int8 with a scale a row.
 *
 * A block takes one row; neighbouring threads take neighbouring elements, so they share the bytes of a block and its
 * scales through the cache.  Differences go the same way as weights: their stored type is f32. */
#include "gpu/cuda/kernels.h"

#include "gpu/cuda/stored.cuh"

static __device__ const uint8_t *stored_row(const struct stored_rows &rows, int i)
{
    int row = rows.ids ? rows.ids[i] : rows.first + i;
    return (const uint8_t *)rows.data + (size_t)row * rows.row_bytes;
}

/* Elements `first`, first + a block's threads .. of a row; 0 from `columns` on.  Behind the last one it is read again:
 * a branch would keep the reads apart. */
template <int TYPE>
static __device__ void read_some(const uint8_t *row, int first, int columns, float value[at_once])
{
#pragma unroll
    for (int k = 0; k < at_once; k++) {
        int i = first + k * (int)blockDim.x;
        value[k] = columns > 0 ? stored_at<TYPE>(row, i < columns ? i : columns - 1) : 0.0f;
        value[k] = i < columns ? value[k] : 0.0f;
    }
}

/* out[i] = convert(element i of a row) for i < count; elements from `columns` on are 0. */
template <int TYPE, typename OUT, typename CONVERT>
static __device__ void convert_row(const uint8_t *row, int columns, int count, const CONVERT &convert, OUT *out)
{
    for (int first = (int)threadIdx.x; first < count; first += at_once * (int)blockDim.x) {
        float value[at_once];
        read_some<TYPE>(row, first, columns, value);
#pragma unroll
        for (int k = 0, i = first; k < at_once; k++, i += (int)blockDim.x)
            if (i < count)
                out[i] = convert(value[k]);
    }
}

/* -- kernels ------------------------------------------------------------------------------------------------------- */

template <int TYPE> __global__ void expand_kernel(struct stored_rows rows, float scale, float *out)
{
    const uint8_t *row = stored_row(rows, (int)blockIdx.x);
    out += (size_t)blockIdx.x * rows.columns;
    convert_row<TYPE>(row, rows.columns, rows.columns, [=](float x) { return scale * x; }, out);
}

template <int TYPE>
__global__ void round_kernel(struct stored_rows rows, int count, int padded_columns, __nv_bfloat16 *out)
{
    int row = (int)blockIdx.x, columns = row < count ? rows.columns : 0;
    const uint8_t *in = row < count ? stored_row(rows, row) : nullptr;
    out += (size_t)row * padded_columns;
    convert_row<TYPE>(in, columns, padded_columns, [](float x) { return __float2bfloat16_rn(x); }, out);
}

template <int TYPE>
__global__ void quantise_kernel(struct stored_rows rows, int count, int padded_columns, int8_t *out, float *scale)
{
    SHARED_ARRAY(float, scratch, warp_lanes);
    int row = (int)blockIdx.x, columns = row < count ? rows.columns : 0;
    const uint8_t *in = row < count ? stored_row(rows, row) : nullptr;
    float most = 0;
    for (int first = (int)threadIdx.x; first < columns; first += at_once * (int)blockDim.x) {
        float value[at_once];
        read_some<TYPE>(in, first, columns, value);
#pragma unroll
        for (int k = 0; k < at_once; k++)
            most = greatest_value::join(most, fabsf(value[k]));
    }
    most = block_join<greatest_value>(most, scratch);

    bool finite = most <= 3.4e38f;
    float step = most / 127.0f;
    float inverse = finite && step > 1e-37f ? 1.0f / step : 0.0f; /* what is smaller counts as 0 */
    out += (size_t)row * padded_columns;
    auto quantise = [=](float x) { return inverse > 0 ? (int8_t)rintf(x * inverse) : (int8_t)0; };
    convert_row<TYPE>(in, columns, padded_columns, quantise, out);
    if (threadIdx.x == 0 && row < count)
        scale[row] = !finite ? nanf("") : inverse > 0 ? step : 0.0f;
}

__global__ void unscale_kernel(const int32_t *sum, int sum_stride, const float *row_scale, const float *column_scale,
                               int columns, float *y, int y_stride)
{
    size_t row = blockIdx.x;
    sum += row * sum_stride;
    y += row * y_stride;
    float scale = row_scale[row];
    for (int first = (int)threadIdx.x; first < columns; first += at_once * (int)blockDim.x) {
        float value[at_once];
#pragma unroll
        for (int k = 0, c = first; k < at_once; k++, c += (int)blockDim.x)
            value[k] = c < columns ? (float)sum[c] * scale * column_scale[c] : 0.0f;
#pragma unroll
        for (int k = 0, c = first; k < at_once; k++, c += (int)blockDim.x)
            if (c < columns)
                y[c] = value[k];
    }
}

/* A warp takes one row. */
template <int TYPE> __global__ void product_row_kernel(struct stored_rows rows, int count, const float *x, float *y)
{
    int lane = (int)threadIdx.x % warp_lanes, warps = (int)blockDim.x / warp_lanes;
    int row = (int)blockIdx.x * warps + (int)threadIdx.x / warp_lanes;
    if (row >= count)
        return;
    const uint8_t *in = stored_row(rows, row);
    float sum = 0;
    for (int i = lane; i < rows.columns; i += warp_lanes)
        sum = fmaf(stored_at<TYPE>(in, i), x[i], sum);
    sum = warp_join<add_values>(sum);
    if (lane == 0)
        y[row] = sum;
}

/* -- launchers ----------------------------------------------------------------------------------------------------- */

bool kernel_knows_type(uint32_t type)
{
#define KNOWN(TYPE) return true
    FOR_STORED_TYPE(type, KNOWN)
#undef KNOWN
    return false;
}

cudaError_t kernel_expand(cudaStream_t stream, const struct stored_rows *rows, int count, float scale, float *out)
{
    if (count <= 0)
        return cudaSuccess;
#define EXPAND(TYPE) LAUNCH(expand_kernel<TYPE>, count, threads_for(rows->columns), 0, stream, *rows, scale, out)
    FOR_STORED_TYPE(rows->type, EXPAND)
#undef EXPAND
    return cudaGetLastError();
}

cudaError_t kernel_round(cudaStream_t stream, const struct stored_rows *rows, int count, int padded_count,
                         int padded_columns, void *out)
{
    if (count <= 0)
        return cudaSuccess;
    __nv_bfloat16 *to = (__nv_bfloat16 *)out;
#define ROUND(TYPE)                                                                                                    \
    LAUNCH(round_kernel<TYPE>, padded_count, threads_for(padded_columns), 0, stream, *rows, count, padded_columns, to)
    FOR_STORED_TYPE(rows->type, ROUND)
#undef ROUND
    return cudaGetLastError();
}

cudaError_t kernel_quantise(cudaStream_t stream, const struct stored_rows *rows, int count, int padded_count,
                            int padded_columns, int8_t *out, float *scale)
{
    if (count <= 0)
        return cudaSuccess;
#define QUANTISE(TYPE)                                                                                                 \
    LAUNCH(quantise_kernel<TYPE>, padded_count, threads_for(padded_columns), 0, stream, *rows, count, padded_columns,  \
           out, scale)
    FOR_STORED_TYPE(rows->type, QUANTISE)
#undef QUANTISE
    return cudaGetLastError();
}

cudaError_t kernel_unscale(cudaStream_t stream, const int32_t *sum, int sum_stride, const float *row_scale,
                           const float *column_scale, int rows, int columns, float *y, int y_stride)
{
    if (rows <= 0 || columns <= 0)
        return cudaSuccess;
    LAUNCH(unscale_kernel, rows, threads_for(columns), 0, stream, sum, sum_stride, row_scale, column_scale, columns, y,
           y_stride);
    return cudaGetLastError();
}

cudaError_t kernel_product_row(cudaStream_t stream, const struct stored_rows *rows, int count, const float *x, float *y)
{
    enum { WARPS = 4 };
    if (count <= 0)
        return cudaSuccess;
    int blocks = (count + WARPS - 1) / WARPS;
#define PRODUCT_ROW(TYPE) LAUNCH(product_row_kernel<TYPE>, blocks, WARPS *warp_lanes, 0, stream, *rows, count, x, y)
    FOR_STORED_TYPE(rows->type, PRODUCT_ROW)
#undef PRODUCT_ROW
    return cudaGetLastError();
}
