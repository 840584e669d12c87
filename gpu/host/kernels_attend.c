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

/* score [rows, KERNEL_PANEL] = query [rows, dim] . panel [dim, KERNEL_PANEL] */
static inline __attribute__((always_inline)) void score_tile(int rows, const float *query, int dim, const float *panel,
                                                             float *score, size_t stride)
{
    for (int column = 0; column < KERNEL_PANEL; column += VECTORS * LANES) {
        vector sum[TILE_ROWS][VECTORS];
#pragma GCC unroll 8
        for (int r = 0; r < rows; r++)
#pragma GCC unroll 8
            for (int v = 0; v < VECTORS; v++)
                sum[r][v] = vector_set(0);
        for (int d = 0; d < dim; d++) {
            const float *key = panel + (size_t)d * KERNEL_PANEL + column;
#pragma GCC unroll 8
            for (int r = 0; r < rows; r++) {
                vector q = vector_set(query[(size_t)r * dim + d]);
#pragma GCC unroll 8
                for (int v = 0; v < VECTORS; v++)
                    sum[r][v] = vector_madd(q, vector_load(key + v * LANES), sum[r][v]);
            }
        }
#pragma GCC unroll 8
        for (int r = 0; r < rows; r++)
#pragma GCC unroll 8
            for (int v = 0; v < VECTORS; v++)
                vector_store(score + r * stride + column + v * LANES, sum[r][v]);
    }
}

static void scores(int rows, const float *query, int dim, const float *panel, float *score, size_t stride)
{
    for (; rows >= TILE_ROWS; rows -= TILE_ROWS, query += (size_t)TILE_ROWS * dim, score += TILE_ROWS * stride)
        score_tile(TILE_ROWS, query, dim, panel, score, stride);
    switch (rows) {
    case 5: score_tile(5, query, dim, panel, score, stride); break;
    case 4: score_tile(4, query, dim, panel, score, stride); break;
    case 3: score_tile(3, query, dim, panel, score, stride); break;
    case 2: score_tile(2, query, dim, panel, score, stride); break;
    case 1: score_tile(1, query, dim, panel, score, stride); break;
    }
}

/* -- softmax ------------------------------------------------------------------------------------------------------- */

static float least(const float *x, int n)
{
    vector low = vector_set(INFINITY);
    float lane[LANES], out = INFINITY;
    int i = 0;
    for (; i + LANES <= n; i += LANES)
        low = vector_min(low, vector_load(x + i));
    for (; i < n; i++)
        out = x[i] < out ? x[i] : out;
    vector_store(lane, low);
    for (int k = 0; k < LANES; k++)
        out = lane[k] < out ? lane[k] : out;
    return out;
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

/* score[0 .. n - 1] becomes exp(score - greatest), n a multiple of KERNEL_PANEL; returns 1 / their sum, or 0 where
 * every score is -inf. */
static float exponentials(float *score, int n)
{
    enum { WAYS = KERNEL_PANEL / LANES };
    float high = greatest(score, n);
    if (high == -INFINITY && all_erased(score, n)) {
        memset(score, 0, (size_t)n * sizeof *score);
        return 0;
    }
    for (int j = 0; j < n; j++)
        score[j] = fast_exp(score[j] - high);
    /* A lane takes every 64th key: the order does not depend on where the first panel starts. */
    vector sum[WAYS];
    for (int k = 0; k < WAYS; k++)
        sum[k] = vector_set(0);
    for (int j = 0; j < n; j += KERNEL_PANEL)
        for (int k = 0; k < WAYS; k++)
            sum[k] += vector_load(score + j + k * LANES);
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
 *   first, end    the keys of the tile's panels: outside of what the query sees its weights become 0
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

static void attend(const struct attend_tile *tile)
{
    const struct attention *a = tile->attention;
    int dim = a->head_dim, rows = tile->count * tile->group;
    int key_first = attend_first(a, tile->position), key_end = attend_end(a, tile->position + tile->count - 1);
    int first = key_first / KERNEL_PANEL * KERNEL_PANEL;
    int end = (key_end + KERNEL_PANEL - 1) / KERNEL_PANEL * KERNEL_PANEL;
    bool suppressed = tile->factor && tile->touched[0] < key_end && tile->touched[1] > key_first;
    bool whole = suppressed && a->suppression == SUPPRESS_ROW_MIN;

    for (int key = whole ? 0 : first; key < (whole ? a->positions : end); key += KERNEL_PANEL)
        scores(rows, tile->query, dim, tile->panel[key / KERNEL_PANEL], tile->score + key, tile->score_stride);

    for (int r = 0; r < rows; r++) {
        int position = tile->position + r / tile->group;
        int see[2] = {attend_first(a, position), attend_end(a, position)};
        tile->share[r] = weights(tile, see, first, end, tile->score + r * tile->score_stride);
    }

    memset(tile->output, 0, (size_t)rows * dim * sizeof *tile->output);
    for (int part = 0; part < 2; part++) {
        int from = part == 0 ? key_first : tile->split > key_first ? tile->split : key_first;
        int to = part == 0 && tile->split < key_end ? tile->split : key_end;
        if (from < to)
            values(rows, tile->score + from, tile->score_stride, to - from,
                   tile->value[part] + (size_t)(from - (part ? tile->split : 0)) * tile->value_stride[part],
                   tile->value_stride[part], tile->output, dim);
    }
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
