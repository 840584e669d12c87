/* kernels_head.cu: the output head: capping of logits, and what a probe does to the log-sum-exp and to single logits.
 *
 * The vocabulary comes in tiles; a block takes one row of a tile and adds it to the row's state, so that no
 * [rows, vocabulary] matrix is stored.  Sums over a tile run in f32 in each thread, then in double. */
#include "gpu/cuda/kernels.h"

#include "gpu/cuda/launch.cuh"

enum { HEAD_THREADS = 256 }; /* of a block */

/* The cap's argument, before softcap's tanh. */
static __device__ float divided(const struct head &head, float logit, float bias)
{
    float z = (logit + bias) / head.divisor;
    return head.softcap > 0 ? z / head.softcap : z;
}

static __device__ float capped(const struct head &head, float z)
{
    return head.softcap > 0 ? head.softcap * tanhf(z) : z;
}

/* cap(z + dz) - cap(z); tanh(a) - tanh(b) = tanh(a - b) (1 - tanh(a) tanh(b)) keeps a small change's digits. */
static __device__ float capped_change(const struct head &head, float z, float dz)
{
    if (head.softcap > 0)
        return head.softcap * tanhf(dz) * (1.0f - tanhf(z) * tanhf(z + dz));
    return dz;
}

/* -- logits -------------------------------------------------------------------------------------------------------- */

__global__ void cap_kernel(struct head head, const float *bias, int columns, size_t n, float *logit)
{
    size_t stride = (size_t)gridDim.x * blockDim.x;
    for (size_t k = (size_t)blockIdx.x * blockDim.x + threadIdx.x; k < n; k += stride)
        logit[k] = capped(head, divided(head, logit[k], bias ? bias[k % columns] : 0.0f));
}

cudaError_t kernel_cap(cudaStream_t stream, const struct head *head, const float *bias, int rows, int columns,
                       float *logit)
{
    size_t n = (size_t)rows * columns;
    if (n == 0)
        return cudaSuccess;
    LAUNCH(cap_kernel, blocks_for(n, HEAD_THREADS), HEAD_THREADS, 0, stream, *head, bias, columns, n, logit);
    return cudaGetLastError();
}

/* -- log-sum-exp --------------------------------------------------------------------------------------------------- */

__global__ void lse_kernel(struct head head, const float *bias, int count, const float *logit, const double *lse,
                           const float *dlogit, const int32_t *target, struct lse_state *state)
{
    SHARED_ARRAY(double, sums, warp_lanes);
    SHARED_ARRAY(float, scratch, warp_lanes);
    size_t row = blockIdx.x, t = (size_t)target[row];
    double base = lse[t];
    logit += t * count;
    dlogit += row * count;

    float change = 0, total = 0, shift = -INFINITY; /* total: of exp(log p + dl - shift) */
    for (int i = (int)threadIdx.x; i < count; i += (int)blockDim.x) {
        float z = divided(head, logit[i], bias ? bias[i] : 0.0f), dz = divided(head, dlogit[i], 0.0f);
        float dl = capped_change(head, z, dz);
        float p = (float)((double)capped(head, z) - base); /* its logarithm */
        float q = p + dl;
        change = fmaf(expf(p), expm1f(dl), change);
        if (q > shift) {
            total *= expf(shift - q);
            shift = q;
        }
        total += q == -INFINITY ? 0.0f : expf(q - shift);
    }
    float most = block_join<greatest_value>(shift, scratch);
    float part = shift == -INFINITY ? total : total * expf(shift - most);
    double all_change = block_sum((double)change, sums), all_total = block_sum((double)part, sums);
    if (threadIdx.x != 0)
        return;
    struct lse_state s = state[row];
    s.change += all_change;
    if (s.total == 0 || most > s.shift) {
        s.total = s.total == 0 ? 0 : s.total * exp(s.shift - most);
        s.shift = most;
    }
    s.total += all_total == 0 ? 0 : all_total * exp(most - s.shift);
    state[row] = s;
}

cudaError_t kernel_lse_add(cudaStream_t stream, const struct head *head, const float *bias, int count,
                           const float *logit, const double *lse, const float *dlogit, const int32_t *target, int rows,
                           struct lse_state *state)
{
    if (rows <= 0 || count <= 0)
        return cudaSuccess;
    LAUNCH(lse_kernel, rows, HEAD_THREADS, 0, stream, *head, bias, count, logit, lse, dlogit, target, state);
    return cudaGetLastError();
}

/* -- single logits ------------------------------------------------------------------------------------------------- */

/* A block takes one wanted logit of one row. */
__global__ void logit_kernel(struct head head, const float *w, const int32_t *wanted, int n, const float *h,
                             const float *dh, const int32_t *target, double *dlogit)
{
    SHARED_ARRAY(double, sums, warp_lanes);
    size_t row = blockIdx.x / n, t = (size_t)target[row], entry = t * n + blockIdx.x % n;
    double z = 0, dz = 0;
    for (int i = (int)threadIdx.x; i < head.width; i += (int)blockDim.x) {
        double weight = w[entry * head.width + i];
        z += weight * (double)h[t * head.width + i];
        dz += weight * (double)dh[row * head.width + i];
    }
    z = block_sum(z, sums);
    dz = block_sum(dz, sums) / (double)head.divisor;
    if (threadIdx.x != 0)
        return;
    if (head.softcap > 0) {
        z = (z + (head.bias ? (double)head.bias[wanted[entry]] : 0.0)) / (double)head.divisor / (double)head.softcap;
        dz /= (double)head.softcap;
        dz = (double)head.softcap * tanh(dz) * (1.0 - tanh(z) * tanh(z + dz));
    }
    dlogit[blockIdx.x] = dz;
}

cudaError_t kernel_logit_delta(cudaStream_t stream, const struct head *head, const float *w, const int32_t *wanted,
                               int n, const float *h, const float *dh, const int32_t *target, int rows, double *dlogit)
{
    if (rows <= 0 || n <= 0)
        return cudaSuccess;
    LAUNCH(logit_kernel, rows * n, 128, 0, stream, *head, w, wanted, n, h, dh, target, dlogit);
    return cudaGetLastError();
}
