/* kernels_attend.c: the attention of a tile of queries: scores against panels of keys, suppression, softmax, values.
 *
 * Every sum over keys or columns runs in an order that depends on the keys' positions alone: an accumulator takes one
 * key, or one column, after the other, and a key that a row does not see adds an exact 0.  So a row comes out the same
 * to the bit whatever tile it stands in. */
#include "gpu/host/kernels.h"

#include <math.h>

#include "gpu/host/kernels_math.h"

enum {
    TILE_ROWS = KERNEL_ATTEND_ROWS, /* rows of a register tile */
    VALUE_KEYS = 2 * KERNEL_PANEL, /* keys whose values are multiplied before those of others are */
    TOGETHER = 4,  /* rows whose least or greatest score is looked for together */
};

/* -- keys ---------------------------------------------------------------------------------------------------------- */

/* A step of a transposition: lanes of b whose number has no bit `half` in it go to the other lanes of a, and those of a
 * take their place. */
static inline void swap_lanes(vector *a, vector *b, int half)
{
    int_vector upper, lower;
    for (int lane = 0; lane < LANES; lane++) {
        upper[lane] = lane & half ? lane - half + LANES : lane;
        lower[lane] = lane & half ? lane + LANES : lane + half;
    }
    vector x = __builtin_shuffle(*a, *b, upper);
    *b = __builtin_shuffle(*a, *b, lower);
    *a = x;
}

/* x[i] lane j becomes x[j] lane i. */
static inline __attribute__((always_inline)) void transpose(vector x[LANES])
{
#pragma GCC unroll 8
    for (int half = LANES / 2; half; half /= 2)
#pragma GCC unroll 16
        for (int i = 0; i < LANES; i++)
            if (!(i & half))
                swap_lanes(&x[i], &x[i + half], half);
}

/* Of a vector of columns of a panel, columns from .. to - 1 become keys from, from + 1 and so on; those before stay,
 * those behind become 0. */
static void pack_columns(const float *key, const float *dkey, size_t stride, int from, int to, int dim, float *panel)
{
    int d = 0;
    for (; d + LANES <= dim; d += LANES) {
        vector x[LANES];
#pragma GCC unroll 16
        for (int j = 0; j < LANES; j++) {
            x[j] = vector_set(0);
            if (j >= from && j < to) {
                x[j] = vector_load(key + (j - from) * stride + d);
                if (dkey)
                    x[j] += vector_load(dkey + (j - from) * stride + d);
            }
        }
        transpose(x);
        int_vector lane;
        for (int j = 0; j < LANES; j++)
            lane[j] = j;
#pragma GCC unroll 16
        for (int i = 0; i < LANES; i++) {
            float *to_row = panel + (size_t)(d + i) * KERNEL_PANEL;
            vector_store(to_row, from > 0 ? vector_choose(lane < from, vector_load(to_row), x[i]) : x[i]);
        }
    }
    for (; d < dim; d++)
        for (int j = from; j < LANES; j++)
            panel[(size_t)d * KERNEL_PANEL + j] =
                j >= to ? 0 : key[(j - from) * stride + d] + (dkey ? dkey[(j - from) * stride + d] : 0);
}

static void pack(const float *key, const float *dkey, size_t stride, int count, int dim, int column, float *panel)
{
    int end = column + count;
    for (int first = column / LANES * LANES; first < end; first += LANES) {
        int from = column > first ? column - first : 0, to = end - first < LANES ? end - first : LANES;
        size_t skip = (size_t)(first + from - column) * stride;
        pack_columns(key + skip, dkey ? dkey + skip : NULL, stride, from, to, dim, panel + first);
    }
}

static void sum_rows(const float *x, const float *y, size_t stride, int rows, int columns, float *sum)
{
    for (int r = 0; r < rows; r++, x += stride, y += stride, sum += columns) {
        int i = 0;
        for (; i + LANES <= columns; i += LANES)
            vector_store(sum + i, vector_load(x + i) + vector_load(y + i));
        for (; i < columns; i++)
            sum[i] = x[i] + y[i];
    }
}

/* -- scores -------------------------------------------------------------------------------------------------------- */

/* The next piece of what will be needed after this tile.  It is asked for line by line while this one is computed: many
 * lines at once would hold up what is loaded meanwhile. */
static inline const char *next_piece(const char *const **soon)
{
    static const char nothing;
    return **soon ? *(*soon)++ : &nothing;
}

/* sum [rows, vectors] += a [rows, n] . b [n, vectors], rows of a and b a_stride and b_stride apart, n > 0; meanwhile
 * ask for a byte of each of two pieces every `step` bytes. */
static inline __attribute__((always_inline)) void multiply(int rows, int vectors, const float *a, size_t a_stride,
                                                           int n, const float *b, size_t b_stride,
                                                           const char *const piece[2], size_t step,
                                                           vector sum[TILE_ROWS][VECTORS])
{
    /* Three rows and three more, whose addresses are all made of two pointers and the stride.  A compiler that knows
     * where the second points makes a pointer for each row, and keeps them in memory. */
    const float *lower = rows > 3 ? a + 3 * a_stride : a;
    __asm__("" : "+r"(lower));
    const float *end = a + n;
    const char *soon = piece[0], *other = piece[1];
    do {
        __builtin_prefetch(soon);
        __builtin_prefetch(other);
        soon += step;
        other += step;
#pragma GCC unroll 8
        for (int r = 0; r < rows; r++) {
            vector x = vector_set(r < 3 ? a[r * a_stride] : lower[(r - 3) * a_stride]);
#pragma GCC unroll 8
            for (int v = 0; v < vectors; v++)
                sum[r][v] = vector_madd(x, vector_load(b + v * LANES), sum[r][v]);
        }
        a++;
        lower++;
        b += b_stride;
    } while (a < end);
}

/* score [rows, vectors * LANES] = the tile's query rows from `row` on . as many columns of panel [head_dim,
 * KERNEL_PANEL] */
static inline __attribute__((always_inline)) void score_tile(const struct attend_tile *tile, int row, int rows,
                                                             int vectors, const float *panel, float *score,
                                                             const char *const **soon)
{
    vector sum[TILE_ROWS][VECTORS];
    int dim = tile->attention->head_dim;
    size_t stride = tile->score_stride;
    const char *piece[2] = {next_piece(soon), next_piece(soon)};
#pragma GCC unroll 8
    for (int r = 0; r < rows; r++)
#pragma GCC unroll 8
        for (int v = 0; v < vectors; v++)
            sum[r][v] = vector_set(0);
    multiply(rows, vectors, tile->query + (size_t)row * dim, (size_t)dim, dim, panel, KERNEL_PANEL, piece,
             (size_t)tile->group * sizeof *score, sum);
#pragma GCC unroll 8
    for (int r = 0; r < rows; r++)
#pragma GCC unroll 8
        for (int v = 0; v < vectors; v++)
            vector_store(score + r * stride + v * LANES, sum[r][v]);
}

/* Scores of the panel's first keys, rounded up to whole vectors. */
static inline __attribute__((always_inline)) void score_strips(const struct attend_tile *tile, int row, int rows,
                                                               const float *panel, int keys, float *score,
                                                               const char *const **soon)
{
    for (; keys > (VECTORS - 1) * LANES; keys -= VECTORS * LANES, panel += VECTORS * LANES, score += VECTORS * LANES)
        score_tile(tile, row, rows, VECTORS, panel, score, soon);
    if (VECTORS > 3 && keys > 2 * LANES)
        score_tile(tile, row, rows, 3, panel, score, soon);
    else if (VECTORS > 2 && keys > LANES)
        score_tile(tile, row, rows, 2, panel, score, soon);
    else if (keys > 0)
        score_tile(tile, row, rows, 1, panel, score, soon);
}

static inline float *row_score(const struct attend_tile *tile, int row)
{
    return tile->score + row * tile->score_stride;
}

/* One past the last key that any of some rows sees. */
static int rows_end(const struct attend_tile *tile, int row, int rows)
{
    return attend_end(tile->attention, tile->position + (row + rows - 1) / tile->group);
}

/* Scores of keys first .. end - 1 of one panel; unseen: also those that a row does not see. */
static void scores(const struct attend_tile *tile, int rows, int first, int end, bool unseen, const char *const **soon)
{
    const float *panel = tile->panel[first / KERNEL_PANEL];
    for (int r = 0, count; r < rows; r += count) {
        count = rows - r < TILE_ROWS ? rows - r : TILE_ROWS;
        int seen = rows_end(tile, r, count), keys = (unseen || end < seen ? end : seen) - first;
        float *score = row_score(tile, r) + first;
        switch (count) {
        case 6: score_strips(tile, r, 6, panel, keys, score, soon); break;
        case 5: score_strips(tile, r, 5, panel, keys, score, soon); break;
        case 4: score_strips(tile, r, 4, panel, keys, score, soon); break;
        case 3: score_strips(tile, r, 3, panel, keys, score, soon); break;
        case 2: score_strips(tile, r, 2, panel, keys, score, soon); break;
        case 1: score_strips(tile, r, 1, panel, keys, score, soon); break;
        }
    }
}

/* -- softmax ------------------------------------------------------------------------------------------------------- */

/* Here keys come in whole vectors, and a step is made for all rows of a tile before the next one begins: what a row's
 * end is waiting for is then done beside other rows, and all rows take the same branches. */

static int round_down(int n)
{
    return n / LANES * LANES;
}

static int round_up(int n)
{
    return round_down(n + LANES - 1);
}

/* Lanes of a vector from key j on that are not keys first .. end - 1 become `value`. */
static inline void hide_lanes(float *score, int j, int first, int end, float value)
{
    int_vector key;
    for (int lane = 0; lane < LANES; lane++)
        key[lane] = j + lane;
    vector_store(score + j, vector_choose((key >= first) & (key < end), vector_load(score + j), vector_set(value)));
}

/* Of keys first .. end - 1, those that a row does not see become `value`. */
static void hide(const struct attend_tile *tile, int first, int end, float value)
{
    const struct attention *a = tile->attention;
    int from = round_up(attend_first(a, tile->position + tile->count - 1)); /* all rows see what is between */
    int to = round_down(attend_end(a, tile->position));
    to = to > from ? to : from;
    float *score = tile->score;
    for (int position = tile->position; position < tile->position + tile->count; position++) {
        int seen_first = attend_first(a, position), seen_end = attend_end(a, position);
        for (int head = 0; head < tile->group; head++, score += tile->score_stride) {
            for (int j = first; j < from; j += LANES)
                hide_lanes(score, j, seen_first, seen_end, value);
            for (int j = to; j < end; j += LANES)
                hide_lanes(score, j, seen_first, seen_end, value);
        }
    }
}

/* out[row] = the best of each of some rows of score [rows, n], leaving NaNs out. */
static inline __attribute__((always_inline)) void best_of_rows(int rows, vector (*better)(vector, vector), float worst,
                                                               const float *score, size_t stride, int n, float *out)
{
    vector best[TOGETHER];
#pragma GCC unroll 8
    for (int r = 0; r < rows; r++)
        best[r] = vector_set(worst);
    for (int j = 0; j < n; j += LANES)
#pragma GCC unroll 8
        for (int r = 0; r < rows; r++)
            best[r] = better(vector_load(score + r * stride + j), best[r]);
#pragma GCC unroll 8
    for (int half = LANES / 2; half; half /= 2)
#pragma GCC unroll 8
        for (int r = 0; r < rows; r++)
            best[r] = better(best[r], vector_partner(best[r], half));
#pragma GCC unroll 8
    for (int r = 0; r < rows; r++)
        out[r] = best[r][0];
}

static inline __attribute__((always_inline)) void best(const struct attend_tile *tile, int rows,
                                                       vector (*better)(vector, vector), float worst, int first,
                                                       int end)
{
    int r = 0;
    for (; r + TOGETHER <= rows; r += TOGETHER)
        best_of_rows(TOGETHER, better, worst, row_score(tile, r) + first, tile->score_stride, end - first,
                     tile->share + r);
    for (; r < rows; r++)
        best_of_rows(1, better, worst, row_score(tile, r) + first, tile->score_stride, end - first, tile->share + r);
}

static void cap(const struct attend_tile *tile, int rows, int first, int end)
{
    for (int r = 0; r < rows; r++) {
        float *score = row_score(tile, r);
        for (int j = first; j < end; j++)
            score[j] = tile->softcap * fast_tanh(score[j] / tile->softcap);
    }
}

/* Keys first .. end - 1 of a row. */
static void suppress(enum suppression suppression, const float *factor, float low, int first, int end, float *score)
{
    vector lows = vector_set(low);
    for (int j = first; j < end; j += LANES) {
        vector s = vector_load(score + j), f = vector_load(factor + j);
        switch (suppression) {
        case SUPPRESS_ROW_MIN:
        case SUPPRESS_ROW_MIN_CAUSAL: s += f * (s - lows); break;
        case SUPPRESS_PRODUCT: s *= f; break;
        case SUPPRESS_LOG_ADDITIVE: s += f; break;
        }
        vector_store(score + j, s);
    }
}

static void suppress_rows(const struct attend_tile *tile, int rows, int first, int end)
{
    const struct attention *a = tile->attention;
    int from = round_down(tile->touched[0]), to = round_up(tile->touched[1]);
    if (a->suppression == SUPPRESS_ROW_MIN) {
        int last = round_down(a->positions);
        for (int r = 0; r < rows && last < a->positions; r++)
            hide_lanes(row_score(tile, r), last, 0, a->positions, INFINITY);
        best(tile, rows, vector_min, INFINITY, 0, round_up(a->positions));
    } else if (a->suppression == SUPPRESS_ROW_MIN_CAUSAL) {
        hide(tile, first, end, INFINITY);
        best(tile, rows, vector_min, INFINITY, first, end);
    }
    for (int r = 0; r < rows; r++)
        suppress(a->suppression, tile->factor, tile->share[r], from > first ? from : first, to < end ? to : end,
                 row_score(tile, r));
}

/* Some rows of score [rows, n] become 2^(score - share[row]), share[row] then 1 / their sum. */
static inline __attribute__((always_inline)) void powers_of_rows(int rows, float *score, size_t stride, int n,
                                                                 float *share)
{
    vector sum[TOGETHER], high[TOGETHER];
#pragma GCC unroll 8
    for (int r = 0; r < rows; r++) {
        sum[r] = vector_set(0);
        high[r] = vector_set(share[r] == -INFINITY ? 0 : share[r]); /* not -inf from itself; a NaN stays one */
    }
    for (int j = 0; j < n; j += LANES)
#pragma GCC unroll 8
        for (int r = 0; r < rows; r++) {
            vector x = vector_exp2(vector_load(score + r * stride + j) - high[r]);
            vector_store(score + r * stride + j, x);
            sum[r] += x;
        }
#pragma GCC unroll 8
    for (int half = LANES / 2; half; half /= 2)
#pragma GCC unroll 8
        for (int r = 0; r < rows; r++)
            sum[r] += vector_partner(sum[r], half);
#pragma GCC unroll 8
    for (int r = 0; r < rows; r++)
        share[r] = sum[r][0] == 0 ? 0 : 1.0f / sum[r][0];
}

/* Scores of keys first .. end - 1 become 2^(score - share[row]), share[row] being a row's greatest, and share[row] 1 /
 * their sum; both 0 where every score is -inf. */
static void powers(const struct attend_tile *tile, int rows, int first, int end)
{
    float *share = tile->share;
    int r = 0;
    for (; r + TOGETHER <= rows; r += TOGETHER)
        powers_of_rows(TOGETHER, row_score(tile, r) + first, tile->score_stride, end - first, share + r);
    for (; r < rows; r++)
        powers_of_rows(1, row_score(tile, r) + first, tile->score_stride, end - first, share + r);
}

/* A tile's scores of keys first .. end - 1 into weights that are not yet normalised: 0 where a key is not seen.
 * share[row] becomes what they have to be multiplied by. */
static void weights(const struct attend_tile *tile, int rows, int first, int end, bool suppressed)
{
    const struct attention *a = tile->attention;
    bool whole = suppressed && a->suppression == SUPPRESS_ROW_MIN;
    if (tile->softcap > 0)
        cap(tile, rows, whole ? 0 : first, whole ? a->positions : end);
    if (suppressed)
        suppress_rows(tile, rows, first, end);
    hide(tile, first, end, -INFINITY);
    best(tile, rows, vector_max, -INFINITY, first, end);
    powers(tile, rows, first, end);
}

/* -- values -------------------------------------------------------------------------------------------------------- */

/* Some keys' values and their weights. */
struct values {
    const float *weight, *value; /* of the rows' first one */
    size_t stride;               /* of values */
    int keys;
};

/* output [rows, vectors * LANES] += weight [rows, keys] . as many columns of value, from column `column` on */
static inline __attribute__((always_inline)) void value_tile(const struct attend_tile *tile, int row, int rows,
                                                             int vectors, const struct values *values, int column,
                                                             const char *const **soon)
{
    vector sum[TILE_ROWS][VECTORS];
    size_t dim = (size_t)tile->attention->head_dim;
    float *output = tile->output + row * dim + column;
    const char *piece[2] = {next_piece(soon), next_piece(soon)};
#pragma GCC unroll 8
    for (int r = 0; r < rows; r++)
#pragma GCC unroll 8
        for (int v = 0; v < vectors; v++)
            sum[r][v] = vector_load(output + r * dim + v * LANES);
    multiply(rows, vectors, values->weight, tile->score_stride, values->keys,
             values->value + column, values->stride, piece, tile->group * dim * sizeof *output / VALUE_KEYS, sum);
#pragma GCC unroll 8
    for (int r = 0; r < rows; r++)
#pragma GCC unroll 8
        for (int v = 0; v < vectors; v++)
            vector_store(output + r * dim + v * LANES, sum[r][v]);
}

static inline __attribute__((always_inline)) void value_strips(const struct attend_tile *tile, int row, int rows,
                                                               const struct values *values, const char *const **soon)
{
    int dim = tile->attention->head_dim, d = 0;
    for (; d + VECTORS * LANES <= dim; d += VECTORS * LANES)
        value_tile(tile, row, rows, VECTORS, values, d, soon);
    if (VECTORS > 3 && d + 3 * LANES <= dim) {
        value_tile(tile, row, rows, 3, values, d, soon);
        d += 3 * LANES;
    } else if (VECTORS > 2 && d + 2 * LANES <= dim) {
        value_tile(tile, row, rows, 2, values, d, soon);
        d += 2 * LANES;
    } else if (d + LANES <= dim) {
        value_tile(tile, row, rows, 1, values, d, soon);
        d += LANES;
    }
    for (; d < dim; d++)
        for (int r = 0; r < rows; r++) {
            float *output = tile->output + (size_t)(row + r) * dim + d;
            for (int j = 0; j < values->keys; j++)
                *output =
                    madd(values->weight[r * tile->score_stride + j], values->value[j * values->stride + d], *output);
        }
}

/* output += weights . values of keys first .. end - 1 */
static void add_values(const struct attend_tile *tile, int rows, int first, int end, const char *const **soon)
{
    int part = first >= tile->split;
    size_t key = (size_t)(first - (part ? tile->split : 0)), stride = tile->value_stride[part];
    struct values values = {.value = tile->value[part] + key * stride, .stride = stride};
    for (int r = 0, count; r < rows; r += count) {
        count = rows - r < TILE_ROWS ? rows - r : TILE_ROWS;
        int seen = rows_end(tile, r, count);
        values.keys = (seen < end ? seen : end) - first;
        values.weight = row_score(tile, r) + first;
        if (values.keys <= 0)
            continue;
        switch (count) {
        case 6: value_strips(tile, r, 6, &values, soon); break;
        case 5: value_strips(tile, r, 5, &values, soon); break;
        case 4: value_strips(tile, r, 4, &values, soon); break;
        case 3: value_strips(tile, r, 3, &values, soon); break;
        case 2: value_strips(tile, r, 2, &values, soon); break;
        case 1: value_strips(tile, r, 1, &values, soon); break;
        }
    }
}

/* The tile's output, not yet normalised, for keys first .. end - 1.  Some keys' values serve all rows while they are in
 * the nearest cache. */
static void add_all_values(const struct attend_tile *tile, int rows, int first, int end, const char *const **soon)
{
    memset(tile->output, 0, (size_t)rows * (size_t)tile->attention->head_dim * sizeof *tile->output);
    for (int from = first, to; from < end; from = to) {
        to = from / VALUE_KEYS * VALUE_KEYS + VALUE_KEYS;
        to = to < end ? to : end;
        to = from >= tile->split || to < tile->split ? to : tile->split;
        add_values(tile, rows, from, to, soon);
    }
}

/* -- a tile -------------------------------------------------------------------------------------------------------- */

/* y = output * share, less what there is to subtract */
static void put(const struct attend_tile *tile)
{
    int dim = tile->attention->head_dim;
    const float *output = tile->output, *share = tile->share;
    for (int i = 0; i < tile->count; i++) {
        float *y = tile->y + i * tile->y_stride;
        const float *base = tile->base ? tile->base + i * tile->y_stride : NULL;
        for (int head = 0; head < tile->group; head++, output += dim, y += dim, share++)
            if (base) {
#pragma GCC ivdep
                for (int d = 0; d < dim; d++)
                    y[d] = output[d] * *share - base[d];
                base += dim;
            } else {
#pragma GCC ivdep
                for (int d = 0; d < dim; d++)
                    y[d] = output[d] * *share;
            }
    }
}

static void attend(const struct attend_tile *tile)
{
    const struct attention *a = tile->attention;
    int rows = tile->count * tile->group;
    int key_first = attend_first(a, tile->position), key_end = attend_end(a, tile->position + tile->count - 1);
    int first = key_first / KERNEL_PANEL * KERNEL_PANEL, end = round_up(key_end);
    bool suppressed = tile->factor && tile->touched[0] < key_end && tile->touched[1] > key_first;
    bool whole = suppressed && a->suppression == SUPPRESS_ROW_MIN;
    const char *const *soon = tile->soon;

    int last = whole ? a->positions : end;
    for (int key = whole ? 0 : first; key < last; key += KERNEL_PANEL)
        scores(tile, rows, key, last - key < KERNEL_PANEL ? last : key + KERNEL_PANEL, whole, &soon);
    weights(tile, rows, first, end, suppressed);
    add_all_values(tile, rows, key_first, key_end, &soon);
    put(tile);
}

#define JOIN(a, b) a##b
#define NAMED(prefix, level) JOIN(prefix, level)

/* This level's row of the table in kernels_choose.c. */
void NAMED(kernels_attend_, KERNELS)(struct kernels *kernels);
void NAMED(kernels_attend_, KERNELS)(struct kernels *kernels)
{
    kernels->pack = pack;
    kernels->sum_rows = sum_rows;
    kernels->attend = attend;
}
