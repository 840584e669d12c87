/* cublas.cc: the stand-in for cuBLAS (cublas_v2.h): products in double, in order, on the emulated stream. */
#include <cublas_v2.h>
#include <cuda_bf16.h>

#include <cstdint>
#include <cstring>
#include <vector>

#include "tests/cuda_emulation/fiber.h"
#include "tests/cuda_emulation/runtime.h"

struct emulation_blas {
    cudaStream_t stream;
    int card;
    bool own_workspace; /* of the program's, for its present stream */
    bool exact;         /* no sums in less than f32 */
};

/* An f32 that is rounded to TF32's 10 bits of mantissa as it is read. */
struct tf32 {
    float value;
};

namespace
{

/* One product as cuBLAS counts: c [n columns of m] = a^T . b, a [m columns of k], b [n columns of k]. */
struct product {
    int m, n, k, lda, ldb, ldc;
    const void *a, *b;
    void *c;
};

float widen(float x)
{
    return x;
}

float widen(__nv_bfloat16 x)
{
    return __bfloat162float(x);
}

float widen(tf32 x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    bits = (bits + 0xfff + (bits >> 13 & 1)) & ~UINT32_C(0x1fff); /* nearest, ties to even */
    memcpy(&x, &bits, sizeof bits);
    return x.value;
}

template <class T> void multiply(const product &p)
{
    std::vector<float> a((size_t)p.k), b((size_t)p.n * p.k);
    for (int j = 0; j < p.n; j++)
        for (int l = 0; l < p.k; l++)
            b[(size_t)j * p.k + l] = widen(((const T *)p.b)[(size_t)j * p.ldb + l]);
    for (int i = 0; i < p.m; i++) {
        for (int l = 0; l < p.k; l++)
            a[l] = widen(((const T *)p.a)[(size_t)i * p.lda + l]);
        for (int j = 0; j < p.n; j++) {
            const float *x = a.data(), *y = b.data() + (size_t)j * p.k;
            double sum[4] = {0, 0, 0, 0};
            int l = 0;
            for (; l + 4 <= p.k; l += 4)
                for (int s = 0; s < 4; s++)
                    sum[s] += (double)x[l + s] * (double)y[l + s];
            for (; l < p.k; l++)
                sum[0] += (double)x[l] * (double)y[l];
            ((float *)p.c)[(size_t)j * p.ldc + i] = (float)(sum[0] + sum[1] + sum[2] + sum[3]);
        }
    }
}

void multiply_bytes(const product &p)
{
    for (int i = 0; i < p.m; i++)
        for (int j = 0; j < p.n; j++) {
            const signed char *x = (const signed char *)p.a + (size_t)i * p.lda;
            const signed char *y = (const signed char *)p.b + (size_t)j * p.ldb;
            int32_t sum = 0;
            for (int l = 0; l < p.k; l++)
                sum += x[l] * y[l];
            ((int32_t *)p.c)[(size_t)j * p.ldc + i] = sum;
        }
}

size_t span_bytes(int rows, int columns, int stride, size_t size)
{
    return ((size_t)(columns - 1) * (size_t)stride + (size_t)rows) * size;
}

bool is_aligned(const void *pointer, size_t bytes)
{
    return (uintptr_t)pointer % bytes == 0;
}

/* Which types go together, on which cards. */
bool is_offered(cudaDataType_t operands, cudaDataType_t result, cublasComputeType_t compute)
{
    if (compute == CUBLAS_COMPUTE_32I)
        return operands == CUDA_R_8I && result == CUDA_R_32I;
    if (compute == CUBLAS_COMPUTE_32F_FAST_TF32)
        return operands == CUDA_R_32F && result == CUDA_R_32F && emulation_capability() >= 80;
    return result == CUDA_R_32F &&
           (operands == CUDA_R_32F || (operands == CUDA_R_16BF && emulation_capability() >= 80));
}

/* Products of bytes: what the documentation asks for where tensor cores are to compute them; some cards have no other
 * way, and then refuse what is not so. */
bool bytes_fit(const product &p)
{
    return p.m % 4 == 0 && p.k % 4 == 0 && p.lda % 4 == 0 && p.ldb % 4 == 0 && p.ldc % 4 == 0 && is_aligned(p.a, 4) &&
           is_aligned(p.b, 4) && is_aligned(p.c, 4);
}

} // namespace

const char *cublasGetStatusString(cublasStatus_t status)
{
    return status == CUBLAS_STATUS_NOT_SUPPORTED ? "CUBLAS_STATUS_NOT_SUPPORTED" : "CUBLAS_STATUS_INVALID_VALUE";
}

cublasStatus_t cublasCreate(cublasHandle_t *handle)
{
    *handle = new emulation_blas{nullptr, emulation_card(), false, false};
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasDestroy(cublasHandle_t handle)
{
    delete handle;
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasSetStream(cublasHandle_t handle, cudaStream_t stream)
{
    if (emulation_stream_card(stream) != handle->card)
        emulation_fail("cuBLAS was started on another card than the stream's");
    handle->stream = stream;
    handle->own_workspace = false; /* the library's again */
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasSetWorkspace(cublasHandle_t handle, void *memory, size_t bytes)
{
    handle->own_workspace = emulation_on_device(memory, bytes) && is_aligned(memory, 256);
    return handle->own_workspace ? CUBLAS_STATUS_SUCCESS : CUBLAS_STATUS_INVALID_VALUE;
}

cublasStatus_t cublasSetMathMode(cublasHandle_t handle, cublasMath_t mode)
{
    handle->exact = mode == (CUBLAS_DEFAULT_MATH | CUBLAS_MATH_DISALLOW_REDUCED_PRECISION_REDUCTION);
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasGemmEx(cublasHandle_t handle, cublasOperation_t ta, cublasOperation_t tb, int m, int n, int k,
                            const void *alpha, const void *a, cudaDataType_t at, int lda, const void *b,
                            cudaDataType_t bt, int ldb, const void *beta, void *c, cudaDataType_t ct, int ldc,
                            cublasComputeType_t compute, cublasGemmAlgo_t)
{
    bool bytes = compute == CUBLAS_COMPUTE_32I;
    if (emulation_card() != handle->card)
        emulation_fail("a product for another card than the thread's");
    product p = {m, n, k, lda, ldb, ldc, a, b, c};
    size_t size = at == CUDA_R_32F ? 4 : at == CUDA_R_16BF ? 2 : 1;
    if (ta != CUBLAS_OP_T || tb != CUBLAS_OP_N || at != bt || m < 1 || n < 1 || k < 1 || lda < k || ldb < k || ldc < m)
        return CUBLAS_STATUS_INVALID_VALUE;
    if (!handle->own_workspace)
        emulation_fail("a product in the library's workspace: other streams may change its bits");
    if (!handle->exact)
        emulation_fail("a product that the library may sum in less than f32");
    if (!is_offered(at, ct, compute) || (bytes && !bytes_fit(p)))
        return CUBLAS_STATUS_NOT_SUPPORTED;
    if (bytes ? *(const int32_t *)alpha != 1 || *(const int32_t *)beta != 0
              : *(const float *)alpha != 1 || *(const float *)beta != 0)
        emulation_fail("a product with factors other than 1 and 0");
    if (!is_aligned(a, size) || !is_aligned(b, size) || !is_aligned(c, 4))
        emulation_fail("a product of matrices that are not aligned to their elements");
    if (!emulation_on_device(a, span_bytes(k, m, lda, size)) || !emulation_on_device(b, span_bytes(k, n, ldb, size)) ||
        !emulation_on_device(c, span_bytes(m, n, ldc, 4)))
        emulation_fail("a product of %d x %d x %d reads or writes beyond its matrices", m, n, k);
    emulation_add_work(handle->stream, [=] {
        if (bytes)
            multiply_bytes(p);
        else if (compute == CUBLAS_COMPUTE_32F_FAST_TF32)
            multiply<tf32>(p);
        else if (at == CUDA_R_32F)
            multiply<float>(p);
        else
            multiply<__nv_bfloat16>(p);
    });
    return CUBLAS_STATUS_SUCCESS;
}
