/* kernels_attend.cu: the suppressed attention over packed rows, without a rows x keys matrix in memory.
 *
 * A block takes some rows of one probe and one key-value head; a row is a query and one of the heads that share it, so
 * all of them share the keys and values that are brought into shared memory, KEYS at a time, the probe's changes added
 * on the way.  The softmax is the online one (Milakov and Gimelshein, arXiv 1805.02867): a row keeps the greatest score
 * so far, the sum of the weights and the weighted values, and rescales when a greater score comes.
 *
 * The row-minimum variants need the least score of a row before a touched key's own score is known.  Touched keys
 * (factor other than 1) are few: they are left out of the first walk over the keys, which finds the minimum, and added
 * in a second walk over the tiles that hold some.  So their cost is a tile or two, not a second product.
 *
 * Bits.  Tiles stand at multiples of KEYS from key 0 on, and a key that a row does not see adds an exact 0, so a row
 * comes out the same whatever block it stands in; without touched keys a probe's row is computed as the baseline's is.
 *
 * A thread owns two rows and every eighth key of their scores, and of the output four columns in every 32.  The eight
 * threads of a row pair are neighbours in one warp. */
#include "gpu/cuda/kernels.h"

#include "gpu/cuda/launch.cuh"

constexpr int row_lanes = 8; /* threads that share their rows */
constexpr int rows_a_thread = 2;
constexpr int pad = 4; /* floats between rows of shared memory: keeps them 16-byte aligned, and in other banks */

/* The tile sizes for heads of up to DIM columns. */
template <int DIM> struct tile;
template <> struct tile<64> {
    static constexpr int rows = 64, keys = 32;
};
template <> struct tile<128> {
    static constexpr int rows = 64, keys = 32;
};
template <> struct tile<256> {
    static constexpr int rows = 32, keys = 16;
};

template <int DIM> constexpr int block_threads = (tile<DIM>::rows / rows_a_thread) * (row_lanes);
template <int DIM>
constexpr size_t shared_floats = (size_t)(tile<DIM>::rows + tile<DIM>::keys) * (DIM + pad) +
                                 (size_t)(tile<DIM>::rows) * (tile<DIM>::keys + pad);

/* What all threads of a block know. */
struct block_work {
    const float *factor; /* of the probe, or NULL */
    struct probe_span span;
    int kv_head;
    int first, last;                /* positions of the block's first and last query */
    int see_first, see_end;         /* the first key that some query sees, and one past the last */
    int touched_first, touched_end; /* the keys whose factor is not 1 lie between; empty: first >= end */
    bool deferred;                  /* touched keys wait for the row's minimum, */
    bool whole;                     /* which is that of all keys, seen or not */
    int limit;                      /* keys from here on are not looked at */
};

/* A row of a thread. */
struct row_state {
    int see_first;   /* it sees keys see_first .. see_last; none, where there is no such row */
    int see_last;
    float low;       /* least score so far, of this thread's keys */
    float most, sum; /* greatest score so far; sum of the weights, of this thread's keys */
};

static __device__ int first_visible(const struct attention &a, int position)
{
    if (a.sees)
        return a.sees[2 * position];
    return a.window > 0 && position >= a.window ? position - a.window + 1 : 0;
}

static __device__ int last_visible(const struct attention &a, int position)
{
    return a.sees ? a.sees[2 * position + 1] : position;
}

/* The first and one past the last key with a factor other than 1 among the first `limit` ones. */
static __device__ void find_touched(struct block_work &work, int limit)
{
    SHARED_ARRAY(int, range, 2);
    if (threadIdx.x == 0) {
        range[0] = limit;
        range[1] = 0;
    }
    __syncthreads();
    for (int key = work.see_first + (int)threadIdx.x; work.factor && key < limit; key += (int)blockDim.x)
        if (work.factor[key] != 1.0f) {
            atomicMin(&range[0], key);
            atomicMax(&range[1], key + 1);
        }
    __syncthreads();
    work.touched_first = range[0];
    work.touched_end = range[1];
}

static __device__ struct block_work find_work(const struct attend_call &call, int rows)
{
    const struct attention &a = call.attention;
    const struct attend_task task = call.task[blockIdx.x];
    struct block_work work;
    int group = a.heads / a.kv_heads;
    work.span = call.span[task.probe];
    work.factor = call.factor ? call.factor + (size_t)task.probe * a.positions : nullptr;
    work.kv_head = (int)blockIdx.y;
    int last = (task.first + rows - 1) / group;
    work.first = work.span.query_position + task.first / group;
    work.last = work.span.query_position + (last < work.span.query_count ? last : work.span.query_count - 1);
    work.see_first = first_visible(a, work.first);
    work.see_end = last_visible(a, work.last) + 1;
    find_touched(work, work.see_end);
    bool touched = work.touched_first < work.touched_end;
    work.deferred = touched && (a.suppression == SUPPRESS_ROW_MIN || a.suppression == SUPPRESS_ROW_MIN_CAUSAL);
    work.whole = work.deferred && a.suppression == SUPPRESS_ROW_MIN;
    work.limit = work.whole ? a.positions : work.see_end;
    return work;
}

/* -- bringing rows into shared memory ------------------------------------------------------------------------------ */

/* Here and below, all that a warp reads at once is read into registers before any of it is stored: else each store,
 * which for all the compiler knows may change what is read next, would wait for memory by itself. */

/* Columns lane, lane + 32 .. of a row; 0 where there are none, or no row. */
template <int DIM>
static __device__ void read_row(const float *row, bool exists, int columns, float value[DIM / warp_lanes])
{
    int lane = (int)threadIdx.x % warp_lanes;
#pragma unroll
    for (int c = 0; c < DIM / warp_lanes; c++) {
        int d = lane + c * warp_lanes;
        value[c] = exists && d < columns ? row[d] : 0.0f;
    }
}

template <int DIM> static __device__ void store_row(const float value[DIM / warp_lanes], float *row)
{
#pragma unroll
    for (int c = 0; c < DIM / warp_lanes; c++)
        row[(int)threadIdx.x % warp_lanes + c * warp_lanes] = value[c];
}

/* A warp takes a row at a time: the block's queries, scaled. */
template <int DIM>
static __device__ void load_queries(const struct attend_call &call, const struct block_work &work, int first,
                                    float *query)
{
    const struct attention &a = call.attention;
    int group = a.heads / a.kv_heads;
    for (int r = (int)threadIdx.x / warp_lanes; r < tile<DIM>::rows; r += (int)blockDim.x / warp_lanes) {
        int i = (first + r) / group, head = work.kv_head * group + (first + r) % group;
        bool exists = i < work.span.query_count;
        size_t row = (size_t)(work.span.query_row + i);
        size_t base = call.base_rows ? (size_t)(work.span.query_position + i) : row;
        float q[DIM / warp_lanes], change[DIM / warp_lanes];
        read_row<DIM>(call.query + (base * a.heads + head) * a.head_dim, exists, a.head_dim, q);
        if (call.dquery)
            read_row<DIM>(call.dquery + (row * a.heads + head) * a.head_dim, exists, a.head_dim, change);
#pragma unroll
        for (int c = 0; c < DIM / warp_lanes; c++)
            q[c] = (call.dquery ? q[c] + change[c] : q[c]) * a.scale;
        store_row<DIM>(q, query + r * (DIM + pad));
    }
}

/* Rows of keys (or values) to a tile, as many as registers hold at once: the one at position `key`, every `step`-th after
 * it; 0 from `limit` on. */
template <int DIM, int ROWS>
static __device__ void load_some(const struct attention &a, const struct block_work &work, const float *base,
                                 const float *change, int key, int step, int limit, float *out)
{
    size_t stride = (size_t)a.kv_heads * a.head_dim, column = (size_t)work.kv_head * a.head_dim;
    float value[ROWS][DIM / warp_lanes];
#pragma unroll
    for (int r = 0; r < ROWS; r++) {
        int position = key + r * step;
        read_row<DIM>(base + (size_t)position * stride + column, position < limit, a.head_dim, value[r]);
    }
    if (change)
#pragma unroll
        for (int r = 0; r < ROWS; r++) {
            int position = key + r * step, row = work.span.key_row + position - work.span.key_position;
            bool changed = position >= work.span.key_position && position < limit;
            float own[DIM / warp_lanes];
            read_row<DIM>(change + (size_t)(changed ? row : 0) * stride + column, changed, a.head_dim, own);
#pragma unroll
            for (int c = 0; c < DIM / warp_lanes; c++)
                value[r][c] = changed ? value[r][c] + own[c] : value[r][c];
        }
#pragma unroll
    for (int r = 0; r < ROWS; r++)
        store_row<DIM>(value[r], out + r * step * (DIM + pad));
}

/* The tile of keys (or values) from `key` on. */
template <int DIM>
static __device__ void load_keys(const struct attention &a, const struct block_work &work, const float *base,
                                 const float *change, int key, int limit, float *out)
{
    constexpr int warps = block_threads<DIM> / warp_lanes, rows = DIM > 64 ? 2 : 4;
    static_assert(tile<DIM>::keys % (rows * warps) == 0, "the warps share a tile evenly");
    for (int j = (int)threadIdx.x / warp_lanes; j < tile<DIM>::keys; j += rows * warps)
        load_some<DIM, rows>(a, work, base, change, key + j, warps, limit, out + j * (DIM + pad));
}

/* -- a tile's arithmetic ------------------------------------------------------------------------------------------- */

/* score[i][k] of the thread's row i and key lane + 8 k */
template <int DIM>
static __device__ void tile_scores(const float *query, const float *key, int pair, int lane,
                                   float score[rows_a_thread][tile<DIM>::keys / row_lanes])
{
    constexpr int keys = tile<DIM>::keys / row_lanes;
#pragma unroll
    for (int i = 0; i < rows_a_thread; i++)
#pragma unroll
        for (int k = 0; k < keys; k++)
            score[i][k] = 0;
    query += pair * rows_a_thread * (DIM + pad);
    key += lane * (DIM + pad);
#pragma unroll 4
    for (int d = 0; d < DIM; d += 4) {
        float4 q[rows_a_thread];
#pragma unroll
        for (int i = 0; i < rows_a_thread; i++)
            q[i] = *(const float4 *)(query + i * (DIM + pad) + d);
#pragma unroll
        for (int k = 0; k < keys; k++) {
            float4 c = *(const float4 *)(key + k * row_lanes * (DIM + pad) + d);
#pragma unroll
            for (int i = 0; i < rows_a_thread; i++)
                score[i][k] = fmaf(q[i].w, c.w, fmaf(q[i].z, c.z, fmaf(q[i].y, c.y, fmaf(q[i].x, c.x, score[i][k]))));
        }
    }
}

/* A key's score as a row weighs it, -inf where it does not; notes the row's minimum in the first walk.
 * second: the walk over touched keys only, low being the row's minimum. */
static __device__ float weigh(const struct attention &a, const struct block_work &work, struct row_state &row, int key,
                              float score, bool second)
{
    bool seen = key >= row.see_first && key <= row.see_last;
    if (a.softcap > 0)
        score = a.softcap * tanhf(score / a.softcap);
    if (work.deferred && !second && (seen || (work.whole && key < a.positions)))
        row.low = fminf(row.low, score);
    if (!seen)
        return -INFINITY;
    float factor = key >= work.touched_first && key < work.touched_end ? work.factor[key] : 1.0f;
    if (work.deferred) {
        if (second != (factor != 1.0f))
            return -INFINITY;
        return second ? fmaf(factor - 1.0f, score - row.low, score) : score;
    }
    if (factor == 1.0f)
        return score;
    return a.suppression == SUPPRESS_PRODUCT ? score * factor : score + logf(factor);
}

static __device__ float lanes_max(float value)
{
    for (int step = row_lanes / 2; step; step /= 2)
        value = fmaxf(value, __shfl_xor_sync(whole_warp, value, step));
    return value;
}

static __device__ float lanes_min(float value)
{
    for (int step = row_lanes / 2; step; step /= 2)
        value = fminf(value, __shfl_xor_sync(whole_warp, value, step));
    return value;
}

static __device__ float lanes_sum(float value)
{
    for (int step = row_lanes / 2; step; step /= 2)
        value += __shfl_xor_sync(whole_warp, value, step);
    return value;
}

/* Scores become weights against the new greatest score; what was summed so far is brought to the same. */
template <int DIM>
static __device__ void row_rescale(struct row_state &row, float score[tile<DIM>::keys / row_lanes],
                                   float output[DIM / row_lanes])
{
    constexpr int keys = tile<DIM>::keys / row_lanes;
    float most = row.most;
#pragma unroll
    for (int k = 0; k < keys; k++)
        most = fmaxf(most, score[k]);
    most = lanes_max(most);
    if (most == -INFINITY) { /* no key so far: all weights are 0, but a NaN, which fmaxf() does not see, stays one */
#pragma unroll
        for (int k = 0; k < keys; k++) {
            score[k] = score[k] == -INFINITY ? 0 : score[k];
            row.sum += score[k];
        }
        return;
    }
    float shrink = expf(row.most - most);
    row.most = most;
    row.sum *= shrink;
#pragma unroll
    for (int k = 0; k < keys; k++) {
        score[k] = expf(score[k] - most);
        row.sum += score[k];
    }
#pragma unroll
    for (int d = 0; d < DIM / row_lanes; d++)
        output[d] *= shrink;
}

/* output += weights . values, for the thread's rows and columns lane * 4 + 32 c .. + 3 */
template <int DIM>
static __device__ void tile_values(const float *weight, const float *value, int pair, int lane,
                                   float output[rows_a_thread][DIM / row_lanes])
{
    constexpr int keys = tile<DIM>::keys;
    weight += pair * rows_a_thread * (keys + pad);
    value += lane * 4;
#pragma unroll 4
    for (int j = 0; j < keys; j++)
#pragma unroll
        for (int c = 0; c < DIM / 32; c++) {
            float4 v = *(const float4 *)(value + j * (DIM + pad) + c * 32);
#pragma unroll
            for (int i = 0; i < rows_a_thread; i++) {
                float w = weight[i * (keys + pad) + j];
                output[i][c * 4 + 0] = fmaf(w, v.x, output[i][c * 4 + 0]);
                output[i][c * 4 + 1] = fmaf(w, v.y, output[i][c * 4 + 1]);
                output[i][c * 4 + 2] = fmaf(w, v.z, output[i][c * 4 + 2]);
                output[i][c * 4 + 3] = fmaf(w, v.w, output[i][c * 4 + 3]);
            }
        }
}

/* -- the kernel ---------------------------------------------------------------------------------------------------- */

/* The column that a thread's d-th of a row is. */
static __device__ int column_of(int d, int lane)
{
    return d / 4 * 32 + lane * 4 + d % 4;
}

template <int DIM>
static __device__ void store_rows(const struct attend_call &call, const struct block_work &work, int first, int pair,
                                  int lane, const struct row_state row[rows_a_thread],
                                  const float output[rows_a_thread][DIM / row_lanes])
{
    const struct attention &a = call.attention;
    int group = a.heads / a.kv_heads;
#pragma unroll
    for (int i = 0; i < rows_a_thread; i++) {
        float sum = lanes_sum(row[i].sum), share = sum > 0 ? 1.0f / sum : sum; /* a NaN stays one */
        int flat = first + pair * rows_a_thread + i, query = flat / group;
        if (query >= work.span.query_count)
            continue;
        size_t head = (size_t)work.kv_head * group + flat % group;
        size_t to = ((size_t)(work.span.query_row + query) * a.heads + head) * a.head_dim;
        size_t base = ((size_t)(work.span.query_position + query) * a.heads + head) * a.head_dim;
        float less[DIM / row_lanes];
#pragma unroll
        for (int d = 0; d < DIM / row_lanes; d++)
            less[d] = call.output && column_of(d, lane) < a.head_dim ? call.output[base + column_of(d, lane)] : 0.0f;
#pragma unroll
        for (int d = 0; d < DIM / row_lanes; d++)
            if (column_of(d, lane) < a.head_dim)
                call.y[to + column_of(d, lane)] = output[i][d] * share - less[d];
    }
}

template <int DIM> __global__ __launch_bounds__(block_threads<DIM>, 2) void attend_kernel(struct attend_call call)
{
    constexpr int keys = tile<DIM>::keys;
    DYNAMIC_SHARED_ARRAY(float, shared);
    float *query = shared, *tile_keys = query + tile<DIM>::rows * (DIM + pad), *weight = tile_keys + keys * (DIM + pad);
    const struct attention &a = call.attention;
    int lane = (int)threadIdx.x % row_lanes, pair = (int)threadIdx.x / row_lanes;
    int first = call.task[blockIdx.x].first, group = a.heads / a.kv_heads;
    SHARED_ARRAY(struct block_work, shared_work, 1); /* in shared memory, for registers are scarce */
    const struct block_work own = find_work(call, tile<DIM>::rows), &work = shared_work[0];
    if (threadIdx.x == 0)
        shared_work[0] = own;
    __syncthreads();

    struct row_state row[rows_a_thread];
    float output[rows_a_thread][DIM / row_lanes];
#pragma unroll
    for (int i = 0; i < rows_a_thread; i++) {
        int q = (first + pair * rows_a_thread + i) / group;
        int position = work.span.query_position + q;
        bool exists = q < work.span.query_count;
        row[i] = {exists ? first_visible(a, position) : 0, exists ? last_visible(a, position) : -1,
                  INFINITY, -INFINITY, 0};
#pragma unroll
        for (int d = 0; d < DIM / row_lanes; d++)
            output[i][d] = 0;
    }
    load_queries<DIM>(call, work, first, query);

    for (int walk = 0; walk < (work.deferred ? 2 : 1); walk++) {
        int from = work.whole ? 0 : work.see_first, to = work.limit;
        if (walk) {
            from = work.touched_first;
            to = work.touched_end;
        }
        for (int key = from / keys * keys; key < to; key += keys) {
            int mine = key + (int)threadIdx.x;
            if (walk && !__syncthreads_or((int)threadIdx.x < keys && mine < to && work.factor[mine] != 1.0f))
                continue;
            __syncthreads(); /* the tile before is done with */
            load_keys<DIM>(a, work, a.key, call.dkey, key, work.limit, tile_keys);
            __syncthreads();
            float score[rows_a_thread][keys / row_lanes];
            tile_scores<DIM>(query, tile_keys, pair, lane, score);
#pragma unroll
            for (int i = 0; i < rows_a_thread; i++)
#pragma unroll
                for (int k = 0; k < keys / row_lanes; k++)
                    score[i][k] = weigh(a, work, row[i], key + lane + k * row_lanes, score[i][k], walk);
            if (key >= work.see_end || key + keys <= work.see_first)
                continue; /* for the minimum only */
#pragma unroll
            for (int i = 0; i < rows_a_thread; i++) {
                row_rescale<DIM>(row[i], score[i], output[i]);
#pragma unroll
                for (int k = 0; k < keys / row_lanes; k++)
                    weight[(pair * rows_a_thread + i) * (keys + pad) + lane + k * row_lanes] = score[i][k];
            }
            __syncthreads(); /* all have their scores */
            load_keys<DIM>(a, work, a.value, call.dvalue, key, work.see_end, tile_keys);
            __syncthreads();
            tile_values<DIM>(weight, tile_keys, pair, lane, output);
        }
        if (walk == 0)
#pragma unroll
            for (int i = 0; i < rows_a_thread; i++)
                row[i].low = lanes_min(row[i].low);
    }
    store_rows<DIM>(call, work, first, pair, lane, row, output);
}

/* -- launchers ----------------------------------------------------------------------------------------------------- */

int kernel_attend_rows(int head_dim)
{
    return head_dim <= 64 ? tile<64>::rows : head_dim <= 128 ? tile<128>::rows : tile<256>::rows;
}

template <int DIM> static cudaError_t launch(cudaStream_t stream, const struct attend_call *call, int tasks)
{
    size_t bytes = shared_floats<DIM> * sizeof(float);
    cudaError_t status =
        cudaFuncSetAttribute((const void *)attend_kernel<DIM>, cudaFuncAttributeMaxDynamicSharedMemorySize, (int)bytes);
    if (status != cudaSuccess)
        return status;
    dim3 grid((unsigned)tasks, (unsigned)call->attention.kv_heads);
    LAUNCH(attend_kernel<DIM>, grid, block_threads<DIM>, bytes, stream, *call);
    return cudaGetLastError();
}

cudaError_t kernel_attend(cudaStream_t stream, const struct attend_call *call, int tasks)
{
    int dim = call->attention.head_dim;
    if (tasks <= 0)
        return cudaSuccess;
    if (dim > ATTEND_HEAD_DIM)
        return cudaErrorInvalidValue;
    return dim <= 64    ? launch<64>(stream, call, tasks)
           : dim <= 128 ? launch<128>(stream, call, tasks)
                        : launch<256>(stream, call, tasks);
}
