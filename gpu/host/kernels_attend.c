/* kernels_attend.c: the attention of a tile of queries: scores against panels of keys, suppression, softmax, values.
 *
 * Every sum over keys or columns runs in an order that depends on the keys' positions alone: an accumulator takes one
 * key, or one column, after the other, and a key that a row does not see adds an exact 0.  So a row comes out the same
 * to the bit whatever tile it stands in. */
#include "gpu/host/kernels.h"

#include <math.h>

#include "gpu/host/kernels_math.h"

enum { TILE_ROWS = 6 }; /* rows of a register tile */

/* -- scores -------------------------------------------------------------------------------------------------------- */

static void pack(const float *key, size_t stride, int count, int dim, int column, float *panel)
{
    enum { BLOCK = 16 }; /* columns of a key that are one cache line */
    for (int d0 = 0; d0 < dim; d0 += BLOCK) {
        int n = dim - d0 < BLOCK ? dim - d0 : BLOCK;
        for (int j = 0; j < count; j++)
            for (int d = 0; d < n; d++)
                panel[(size_t)(d0 + d) * KERNEL_PANEL + column + j] = key[(size_t)j * stride + d0 + d];
    }
}

/* score [rows, vectors * LANES] = query [rows, dim] . as many columns of panel [dim, KERNEL_PANEL] */
static inline __attribute__((always_inline)) void score_tile(int rows, int vectors, const float *query, int dim,
                                                             const float *panel, float *score, size_t stride)
{
    vector sum[TILE_ROWS][VECTORS];
#pragma GCC unroll 8
    for (int r = 0; r < rows; r++)
#pragma GCC unroll 8
        for (int v = 0; v < vectors; v++)
            sum[r][v] = vector_set(0);
    for (int d = 0; d < dim; d++) {
        const float *key = panel + (size_t)d * KERNEL_PANEL;
#pragma GCC unroll 8
        for (int r = 0; r < rows; r++) {
            vector q = vector_set(query[(size_t)r * dim + d]);
#pragma GCC unroll 8
            for (int v = 0; v < vectors; v++)
                sum[r][v] = vector_madd(q, vector_load(key + v * LANES), sum[r][v]);
        }
    }
#pragma GCC unroll 8
    for (int r = 0; r < rows; r++)
#pragma GCC unroll 8
        for (int v = 0; v < vectors; v++)
            vector_store(score + r * stride + v * LANES, sum[r][v]);
}

/* keys: so many of the panel's, rounded up to whole vectors */
static inline __attribute__((always_inline)) void score_strips(int rows, const float *query, int dim,
                                                               const float *panel, int keys, float *score,
                                                               size_t stride)
{
    int column = 0;
    for (; column + (VECTORS - 1) * LANES < keys; column += VECTORS * LANES)
        score_tile(rows, VECTORS, query, dim, panel + column, score + column, stride);
    for (; column < keys; column += LANES)
        score_tile(rows, 1, query, dim, panel + column, score + column, stride);
}

static void scores(int rows, const float *query, int dim, const float *panel, int keys, float *score, size_t stride)
{
    for (; rows >= TILE_ROWS; rows -= TILE_ROWS, query += (size_t)TILE_ROWS * dim, score += TILE_ROWS * stride)
        score_strips(TILE_ROWS, query, dim, panel, keys, score, stride);
    switch (rows) {
    case 5: score_strips(5, query, dim, panel, keys, score, stride); break;
    case 4: score_strips(4, query, dim, panel, keys, score, stride); break;
    case 3: score_strips(3, query, dim, panel, keys, score, stride); break;
    case 2: score_strips(2, query, dim, panel, keys, score, stride); break;
    case 1: score_strips(1, query, dim, panel, keys, score, stride); break;
    }
}

/* -- softmax ------------------------------------------------------------------------------------------------------- */

static float least(const float *x, int n)
{
    vector low = vector_set(INFINITY);
    float out = INFINITY;
    int i = 0;
    for (; i + LANES <= n; i += LANES)
        low = vector_min(low, vector_load(x + i));
    for (; i < n; i++)
        out = x[i] < out ? x[i] : out;
#pragma GCC unroll 8
    for (int half = LANES / 2; half; half /= 2)
        low = vector_min(low, vector_partner(low, half));
    return low[0] < out ? low[0] : out;
}

static void suppress(enum suppression suppression, const float *factor, float low, int n, float *score)
{
    switch (suppression) {
    case SUPPRESS_ROW_MIN:
    case SUPPRESS_ROW_MIN_CAUSAL:
        for (int j = 0; j < n; j++)
            score[j] = score[j] + (factor[j] - 1.0f) * (score[j] - low);
        break;
    case SUPPRESS_PRODUCT:
        for (int j = 0; j < n; j++)
            score[j] = score[j] * factor[j];
        break;
    case SUPPRESS_LOG_ADDITIVE:
        for (int j = 0; j < n; j++)
            score[j] = score[j] + factor[j];
        break;
    }
}

/* Whether every score is -inf; one that is NaN has to stay visible in the output. */
static bool all_erased(const float *score, int n)
{
    for (int j = 0; j < n; j++)
        if (score[j] != -INFINITY)
            return false;
    return true;
}

/* A vector of scores becomes exp(score - high). */
static inline vector exponential(float *score, float high)
{
    vector e = vector_exp(vector_load(score) - high);
    vector_store(score, e);
    return e;
}

/* score[0 .. n - 1] becomes exp(score - greatest), n a multiple of LANES, score[0] that of a panel's first key; returns
 * 1 / their sum, or 0 where every score is -inf. */
static float exponentials(float *score, int n)
{
    enum { WAYS = KERNEL_PANEL / LANES };
    float high = greatest(score, n);
    if (high == -INFINITY && all_erased(score, n)) {
        memset(score, 0, (size_t)n * sizeof *score);
        return 0;
    }
    /* A lane takes every 64th key: the order does not depend on where the first panel starts. */
    vector sum[WAYS];
    for (int k = 0; k < WAYS; k++)
        sum[k] = vector_set(0);
    int j = 0;
    for (; j + KERNEL_PANEL <= n; j += KERNEL_PANEL)
#pragma GCC unroll 16
        for (int k = 0; k < WAYS; k++)
            sum[k] += exponential(score + j + k * LANES, high);
#pragma GCC unroll 16
    for (int k = 0; k < WAYS; k++)
        if (j + k * LANES < n)
            sum[k] += exponential(score + j + k * LANES, high);
    for (int k = 1; k < WAYS; k++)
        sum[0] += sum[k];
    return 1.0f / vector_sum(sum[0]);
}

static void fill(float *score, int first, int end, float value)
{
    for (int j = first; j < end; j++)
        score[j] = value;
}

/* One row's scores into weights that are not yet normalised.
 *   see           the query sees keys see[0] .. see[1] - 1
 *   first, end    the keys of the tile: outside of what the query sees its weights become 0
 * Returns what the weights have to be multiplied by. */
static float weights(const struct attend_tile *tile, const int see[2], int first, int end, float *score)
{
    const struct attention *a = tile->attention;
    int from = tile->touched[0] > see[0] ? tile->touched[0] : see[0];
    int to = tile->touched[1] < see[1] ? tile->touched[1] : see[1];
    bool suppressed = tile->factor && from < to;
    bool whole = suppressed && a->suppression == SUPPRESS_ROW_MIN;
    int low_first = whole ? 0 : see[0], low_end = whole ? a->positions : see[1];

    if (a->softcap > 0)
        for (int j = low_first; j < low_end; j++)
            score[j] = a->softcap * fast_tanh(score[j] / a->softcap);
    if (suppressed) {
        float low = 0;
        if (a->suppression == SUPPRESS_ROW_MIN || a->suppression == SUPPRESS_ROW_MIN_CAUSAL)
            low = least(score + low_first, low_end - low_first);
        suppress(a->suppression, tile->factor + from, low, to - from, score + from);
    }
    fill(score, first, see[0], -INFINITY);
    fill(score, see[1], end, -INFINITY);
    return exponentials(score + first, end - first);
}

/* -- values -------------------------------------------------------------------------------------------------------- */

/* output [rows, columns of a strip] += weight [rows, keys] . value [keys, strip]; vectors: the strip's width. */
static inline __attribute__((always_inline)) void value_tile(int rows, int vectors, const float *weight, size_t stride,
                                                             int keys, const float *value, size_t value_stride,
                                                             float *output, int dim)
{
    vector sum[TILE_ROWS][VECTORS];
#pragma GCC unroll 8
    for (int r = 0; r < rows; r++)
#pragma GCC unroll 8
        for (int v = 0; v < vectors; v++)
            sum[r][v] = vector_load(output + (size_t)r * dim + v * LANES);
    for (int j = 0; j < keys; j++, value += value_stride)
#pragma GCC unroll 8
        for (int r = 0; r < rows; r++) {
            vector p = vector_set(weight[r * stride + j]);
#pragma GCC unroll 8
            for (int v = 0; v < vectors; v++)
                sum[r][v] = vector_madd(p, vector_load(value + v * LANES), sum[r][v]);
        }
#pragma GCC unroll 8
    for (int r = 0; r < rows; r++)
#pragma GCC unroll 8
        for (int v = 0; v < vectors; v++)
            vector_store(output + (size_t)r * dim + v * LANES, sum[r][v]);
}

static inline __attribute__((always_inline)) void value_strips(int rows, const float *weight, size_t stride, int keys,
                                                               const float *value, size_t value_stride, float *output,
                                                               int dim)
{
    int d = 0;
    for (; d + VECTORS * LANES <= dim; d += VECTORS * LANES)
        value_tile(rows, VECTORS, weight, stride, keys, value + d, value_stride, output + d, dim);
    for (; d + LANES <= dim; d += LANES)
        value_tile(rows, 1, weight, stride, keys, value + d, value_stride, output + d, dim);
    for (; d < dim; d++)
        for (int r = 0; r < rows; r++) {
            float sum = output[(size_t)r * dim + d];
            for (int j = 0; j < keys; j++)
                sum = madd(weight[r * stride + j], value[(size_t)j * value_stride + d], sum);
            output[(size_t)r * dim + d] = sum;
        }
}

static void values(int rows, const float *weight, size_t stride, int keys, const float *value, size_t value_stride,
                   float *output, int dim)
{
    for (; rows >= TILE_ROWS; rows -= TILE_ROWS, weight += TILE_ROWS * stride, output += (size_t)TILE_ROWS * dim)
        value_strips(TILE_ROWS, weight, stride, keys, value, value_stride, output, dim);
    switch (rows) {
    case 5: value_strips(5, weight, stride, keys, value, value_stride, output, dim); break;
    case 4: value_strips(4, weight, stride, keys, value, value_stride, output, dim); break;
    case 3: value_strips(3, weight, stride, keys, value, value_stride, output, dim); break;
    case 2: value_strips(2, weight, stride, keys, value, value_stride, output, dim); break;
    case 1: value_strips(1, weight, stride, keys, value, value_stride, output, dim); break;
    }
}

/* -- a tile -------------------------------------------------------------------------------------------------------- */

static int round_up(int n, int step)
{
    return (n + step - 1) / step * step;
}

/* The tile's output, not yet normalised, for keys first .. end - 1.  A panel's values serve all rows while they are in the
 * nearest cache. */
static void add_values(const struct attend_tile *tile, int rows, int first, int end)
{
    int dim = tile->attention->head_dim;
    memset(tile->output, 0, (size_t)rows * (size_t)dim * sizeof *tile->output);
    for (int from = first, to; from < end; from = to) {
        int part = from >= tile->split;
        to = from / KERNEL_PANEL * KERNEL_PANEL + KERNEL_PANEL;
        to = to < end ? to : end;
        to = part || to < tile->split ? to : tile->split;
        values(rows, tile->score + from, tile->score_stride, to - from,
               tile->value[part] + (size_t)(from - (part ? tile->split : 0)) * tile->value_stride[part],
               tile->value_stride[part], tile->output, dim);
    }
}

static void attend(const struct attend_tile *tile)
{
    const struct attention *a = tile->attention;
    int dim = a->head_dim, rows = tile->count * tile->group;
    int key_first = attend_first(a, tile->position), key_end = attend_end(a, tile->position + tile->count - 1);
    int first = key_first / KERNEL_PANEL * KERNEL_PANEL, end = round_up(key_end, LANES);
    bool suppressed = tile->factor && tile->touched[0] < key_end && tile->touched[1] > key_first;
    bool whole = suppressed && a->suppression == SUPPRESS_ROW_MIN;

    int last = whole ? a->positions : end;
    for (int key = whole ? 0 : first; key < last; key += KERNEL_PANEL)
        scores(rows, tile->query, dim, tile->panel[key / KERNEL_PANEL],
               last - key < KERNEL_PANEL ? last - key : KERNEL_PANEL, tile->score + key, tile->score_stride);

    for (int r = 0; r < rows; r++) {
        int position = tile->position + r / tile->group;
        int see[2] = {attend_first(a, position), attend_end(a, position)};
        tile->share[r] = weights(tile, see, first, end, tile->score + r * tile->score_stride);
    }

    add_values(tile, rows, key_first, key_end);
    for (int r = 0; r < rows; r++)
        for (int d = 0; d < dim; d++)
            tile->output[(size_t)r * dim + d] *= tile->share[r];
}

#define JOIN(a, b) a##b
#define NAMED(prefix, level) JOIN(prefix, level)

/* This level's row of the table in kernels_choose.c. */
void NAMED(kernels_attend_, KERNELS)(struct kernels *kernels);
void NAMED(kernels_attend_, KERNELS)(struct kernels *kernels)
{
    kernels->pack = pack;
    kernels->attend = attend;
}
