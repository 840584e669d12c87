/* weight.c: weights of the CUDA device, in the type the file stores them in, and products with them.
 *
 * A product expands some rows of the weight into scratch, in the precision of the product, and leaves the
 * multiplication to cuBLAS.  For a batch of thousands of rows that costs a few percent of the product, and keeps a 7B
 * model at the 4 GB it has as a file.  A single row (generating text) is bound by memory instead: a kernel reads the
 * weight as it is stored.
 *
 * int8: one scale a row of differences, one an output channel, 32-bit sums. */
#include "gpu/cuda/card.h"

#include <stdlib.h>

enum { PAD = 16 }; /* rows and columns of bf16 and int8 matrices are padded with zeros to a multiple of this */
enum { SPARE = 1 << 16 }; /* so far beyond a row's last column kernels may count */

static int padded(int n)
{
    return (n + PAD - 1) / PAD * PAD;
}

/* -- life ---------------------------------------------------------------------------------------------------------- */

int card_weight_new(struct device *device, uint32_t type, int rows, int columns, const void *data,
                    struct weight **weight, struct error *error)
{
    const struct dtype_info *info = dtype_info(type);
    *weight = NULL;
    if (!info->name || !kernel_knows_type(type))
        return error_set(error, ERROR_UNSUPPORTED, "tensor type %s (%u) cannot be computed with on a card",
                         info->name ? info->name : "unknown", (unsigned)type);
    if (rows < 1 || columns < 1 || columns % info->block || columns > INT32_MAX - SPARE || rows > INT32_MAX - PAD)
        return error_set(error, ERROR_SHAPE, "a %s weight of %d x %d; the columns must be a multiple of %d", info->name,
                         rows, columns, info->block);
    struct weight *w = (struct weight *)calloc(1, sizeof *w);
    if (!w)
        return error_set(error, ERROR_MEMORY, "no memory for a weight");
    w->rows = rows;
    w->stored = (struct stored_rows){
        .type = type, .columns = columns, .row_bytes = (size_t)columns / (size_t)info->block * (size_t)info->bytes};
    size_t bytes = (size_t)rows * w->stored.row_bytes;
    void *memory = device->ops->alloc(device, bytes, error);
    if (!memory) {
        free(w);
        return ERROR_MEMORY;
    }
    cudaError_t status = cudaMemcpy(memory, data, bytes, cudaMemcpyHostToDevice);
    if (status ==
        cudaSuccess) /* memory that is not pinned may still be on its way, and our streams do not wait for it */
        status = cudaStreamSynchronize(NULL);
    if (status != cudaSuccess) {
        device->ops->free(device, memory);
        free(w);
        return card_error(error, status, "uploading a weight");
    }
    w->stored.data = memory;
    *weight = w;
    return 0;
}

void card_weight_free(struct device *device, struct weight *weight)
{
    if (!weight)
        return;
    device->ops->free(device, (void *)weight->stored.data);
    free(weight);
}

/* -- operands ------------------------------------------------------------------------------------------------------ */

/* Rows of any type as operands of a product; data and scale are the buffers to fill. */
static bool round_rows(struct stream *stream, enum precision precision, const struct stored_rows *rows, int count,
                       enum scratch data, enum scratch scale, struct operand *out)
{
    size_t height = (size_t)padded(count), stride = (size_t)padded(rows->columns);
    *out = (struct operand){.precision = precision, .rows = count, .stride = rows->columns};
    if (precision == PRECISION_F32 && rows->type == DTYPE_F32) {
        out->data = (const char *)rows->data + (size_t)rows->first * rows->row_bytes;
        return true;
    }
    if (precision == PRECISION_F32) {
        out->data = card_scratch(stream, data, (size_t)count * (size_t)rows->columns * sizeof(float));
        return out->data && card_check(stream, kernel_expand(stream->cuda, rows, count, 1.0f, (float *)out->data),
                                       "expanding a weight");
    }
    out->stride = (int)stride;
    out->data = card_scratch(stream, data, height * stride * (precision == PRECISION_BF16 ? 2 : 1));
    if (!out->data)
        return false;
    if (precision == PRECISION_BF16)
        return card_check(stream, kernel_round(stream->cuda, rows, count, (int)height, (int)stride, (void *)out->data),
                          "rounding to bf16");
    out->scale = (const float *)card_scratch(stream, scale, (size_t)count * sizeof(float));
    return out->scale && card_check(stream,
                                    kernel_quantise(stream->cuda, rows, count, (int)height, (int)stride,
                                                    (int8_t *)out->data, (float *)out->scale),
                                    "rounding to int8");
}

bool card_operand(struct stream *stream, enum precision precision, const float *x, int rows, int columns,
                  struct operand *out)
{
    if ((unsigned)precision > PRECISION_INT8 || !stream->card->info.precision[precision]) {
        card_stream_fail(stream, ERROR_UNSUPPORTED, "%s does not offer products in this precision; use f32 or int8",
                         stream->card->info.name);
        return false;
    }
    struct stored_rows stored = {
        .type = DTYPE_F32, .data = x, .columns = columns, .row_bytes = (size_t)columns * sizeof *x};
    return round_rows(stream, precision, &stored, rows, SCRATCH_ROWS, SCRATCH_ROWS_SCALE, out);
}

/* -- products ------------------------------------------------------------------------------------------------------ */

/* y [rows, count] = x [rows, k] . w [count, k]^T.  cuBLAS counts by columns: to it these are y^T = w . x^T. */
static void multiply_floats(struct stream *stream, const struct operand *x, const struct operand *w, int k, float *y,
                            int y_stride)
{
    const float one = 1, zero = 0;
    cudaDataType_t type = x->precision == PRECISION_F32 ? CUDA_R_32F : CUDA_R_16BF;
    cublasComputeType_t compute = x->tf32 ? CUBLAS_COMPUTE_32F_FAST_TF32 : CUBLAS_COMPUTE_32F;
    card_check_blas(stream,
                    cublasGemmEx(stream->blas, CUBLAS_OP_T, CUBLAS_OP_N, w->rows, x->rows, k, &one, w->data, type,
                                 w->stride, x->data, type, x->stride, &zero, y, CUDA_R_32F, y_stride,
                                 compute, CUBLAS_GEMM_DEFAULT),
                    "a product");
}

static void multiply_bytes(struct stream *stream, const struct operand *x, const struct operand *w, float *y,
                           int y_stride)
{
    const int32_t one = 1, zero = 0;
    /* Tensor cores ask for multiples of 4 of rows of w and of columns; some cards have no product at all without.  That
     * rows of x are padded too asks for nothing that is not documented. */
    int height = padded(w->rows), count = padded(x->rows);
    int32_t *sum = (int32_t *)card_scratch(stream, SCRATCH_SUM, (size_t)count * (size_t)height * sizeof *sum);
    if (sum && card_check_blas(stream,
                               cublasGemmEx(stream->blas, CUBLAS_OP_T, CUBLAS_OP_N, height, count, x->stride, &one,
                                            w->data, CUDA_R_8I, w->stride, x->data, CUDA_R_8I, x->stride, &zero, sum,
                                            CUDA_R_32I, height, CUBLAS_COMPUTE_32I, CUBLAS_GEMM_DEFAULT),
                               "a product in int8"))
        card_check(stream, kernel_unscale(stream->cuda, sum, height, x->scale, w->scale, x->rows, w->rows, y, y_stride),
                   "a product in int8");
}

int card_product_tile(const struct stream *stream, const struct weight *weight, int rows)
{
    size_t words = stream->card->scratch_bytes / sizeof(float); /* of f32 weights, or of accumulators */
    size_t by_weight = words / (size_t)weight->stored.columns, by_sum = words / (size_t)(rows > 0 ? rows : 1);
    size_t tile = (by_weight < by_sum ? by_weight : by_sum) / PAD * PAD;
    return tile < PAD ? PAD : tile < (size_t)weight->rows ? (int)tile : weight->rows;
}

void card_product(struct stream *stream, const struct operand *x, const struct weight *weight, int first, int count,
                  float *y, int y_stride)
{
    struct stored_rows rows = weight->stored;
    struct operand w;
    rows.first = first;
    if (x->rows <= 0 || count <= 0 ||
        !round_rows(stream, x->precision, &rows, count, SCRATCH_WEIGHT, SCRATCH_WEIGHT_SCALE, &w))
        return;
    if (x->precision == PRECISION_INT8)
        multiply_bytes(stream, x, &w, y, y_stride);
    else
        multiply_floats(stream, x, &w, weight->stored.columns, y, y_stride);
}

static void product(struct stream *stream, const struct weight *weight, enum precision precision, bool tf32,
                    const float *x, int rows, float *y)
{
    struct operand operand;
    if (!card_operand(stream, precision, x, rows, weight->stored.columns, &operand))
        return;
    operand.tf32 = tf32;
    int tile = card_product_tile(stream, weight, rows);
    for (int first = 0; first < weight->rows && !stream->failure.code; first += tile) {
        int count = weight->rows - first < tile ? weight->rows - first : tile;
        card_product(stream, &operand, weight, first, count, y + first, weight->rows);
    }
}

/* -- operations ---------------------------------------------------------------------------------------------------- */

void card_embed(struct stream *stream, const struct weight *weight, const int32_t *ids, int n, float scale, float *x)
{
    if (n <= 0 || !card_stream_ready(stream))
        return;
    struct stored_rows rows = weight->stored;
    rows.ids = (const int32_t *)card_stage(stream, SCRATCH_INDEX, ids, (size_t)n * sizeof *ids);
    if (rows.ids)
        card_check(stream, kernel_expand(stream->cuda, &rows, n, scale, x), "embedding");
}

void card_values(struct stream *stream, const struct weight *weight, bool tf32, const float *x, int rows, float *y)
{
    if (rows == 1)
        card_check(stream, kernel_product_row(stream->cuda, &weight->stored, weight->rows, x, y), "a product");
    else
        product(stream, weight, PRECISION_F32, tf32, x, rows, y);
}

void card_linear(struct stream *stream, const struct weight *weight, const float *bias, const float *x, int rows,
                 float *y)
{
    if (rows <= 0 || !card_stream_ready(stream))
        return;
    card_values(stream, weight, stream->card->tf32, x, rows, y);
    if (bias && !stream->failure.code)
        card_check(stream, kernel_add_bias(stream->cuda, bias, rows, weight->rows, y), "a bias");
}

void card_linear_delta(struct stream *stream, const struct weight *weight, enum precision precision, const float *dx,
                       int rows, float *dy)
{
    if (rows > 0 && card_stream_ready(stream))
        product(stream, weight, precision, false, dx, rows, dy);
}
