/* kernels_product.c: products of f32 rows with a weight's rows, which are taken as they lie in memory.
 *
 * y[r][n] = sum over k of x[r][k] w[n][k].  Vectors run along k; a tile of rows times OUTPUTS such sums stays in
 * registers, and their lanes are added at the end.  Every sum is formed in one order, whatever the tile's size and its
 * place in it: a row gets the same bits alone and among any others.
 *
 * Columns are cut into pieces and outputs into panels.  A block of rows, a piece wide, stays in the first-level cache
 * while a panel passes by, which stays in the second-level cache for the next block. */
#include "gpu/host/kernels.h"

#include "gpu/host/kernels_math.h"

enum {
    MOST_ROWS = LANES == 16 ? 6 : LANES == 8 ? 3 : 2, /* of a tile: with OUTPUTS, as many sums as registers hold */
    OUTPUTS = 4,
    BLOCK = KERNEL_PRODUCT_ROWS,
    PIECE = 48,  /* vectors of columns */
    PANEL = 128, /* outputs */
};

typedef float quad __attribute__((vector_size(16)));
_Static_assert(sizeof(quad) == OUTPUTS * sizeof(float), "a tile's outputs of a row are a quad");

/* A piece of the columns of a block's rows, times those columns of a panel's. */
struct job {
    const float *x;    /* [vectors, rows, LANES], zeros behind the last column */
    const float *w;    /* [outputs, columns], rows w_stride floats apart */
    size_t w_stride;
    int rows, outputs;
    int vectors, rest; /* whole vectors of the columns, and columns behind them */
    float *y;          /* [rows, outputs], rows y_stride floats apart */
    size_t y_stride;
    bool add;          /* to what is in y */
};

/* -- sums of lanes ------------------------------------------------------------------------------------------------- */

/* Lanes whose number has the bit `half`: b's, plus those of their partners `half` lanes away; others: a's. */
static inline __attribute__((always_inline)) vector fold(vector a, vector b, int half)
{
#if defined __AVX512F__
    const int_vector number = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
#elif defined __AVX2__
    const int_vector number = {0, 1, 2, 3, 4, 5, 6, 7};
#else
    const int_vector number = {0, 1, 2, 3};
#endif
    int_vector own = number + (((number & half) != 0) & LANES), partner = own ^ half; /* from LANES on: b's */
#if defined __AVX512F__ /* the compiler takes a shuffle, which only one port does, and that one multiplies too */
    __mmask16 second = half == 8 ? 0xff00 : half == 4 ? 0xf0f0 : half == 2 ? 0xcccc : 0xaaaa;
    vector owns = (vector)_mm512_mask_blend_ps(second, (__m512)a, (__m512)b);
#else
    vector owns = __builtin_shuffle(a, b, own);
#endif
    return owns + __builtin_shuffle(a, b, partner);
}

static inline __attribute__((always_inline)) void fold_all(vector *sum, int count, int half)
{
#pragma GCC unroll 8
    for (int i = 0; i < half; i++)
        if (i < count)
            sum[i] = fold(sum[i], i + half < count ? sum[i + half] : sum[i], half);
}

/* In lane i the sum of sum[i]'s lanes, i < count <= LANES. */
static inline __attribute__((always_inline)) vector lane_sums(vector *sum, int count)
{
    if (LANES > 8)
        fold_all(sum, count, 8);
    if (LANES > 4)
        fold_all(sum, count, 4);
    fold_all(sum, count, 2);
    fold_all(sum, count, 1);
    return sum[0];
}

/* -- tiles --------------------------------------------------------------------------------------------------------- */

static __attribute__((noinline)) void store_some(const float *sums, int count, bool add, float *y)
{
    for (int o = 0; o < count; o++)
        y[o] = add ? y[o] + sums[o] : sums[o];
}

/* A vector's sums, of OUTPUTS outputs for each of some rows. */
static inline __attribute__((always_inline)) void store(const struct job *job, int row, int output, vector sums,
                                                        int rows)
{
    float part[LANES];
    int count = job->outputs - output;
    vector_store(part, sums);
#pragma GCC unroll 4
    for (int r = 0; r < rows; r++) {
        float *y = job->y + (size_t)(row + r) * job->y_stride + output;
        quad before = {0}, sum;
        if (count < OUTPUTS) {
            store_some(part + r * OUTPUTS, count, job->add, y);
            continue;
        }
        memcpy(&sum, part + r * OUTPUTS, sizeof sum);
        if (job->add)
            memcpy(&before, y, sizeof before);
        sum += before;
        memcpy(y, &sum, sizeof sum);
    }
}

/* count < LANES floats, and zeros behind them */
static inline __attribute__((always_inline)) vector load_first(const float *p, int count)
{
#if defined __AVX512F__
    return (vector)_mm512_maskz_loadu_ps((__mmask16)((1 << count) - 1), p);
#else
    vector v = {0};
    for (int i = 0; i < count; i++)
        v[i] = p[i];
    return v;
#endif
}

/* sum [rows, OUTPUTS] += x [rows, LANES] . w, a vector of each output's; of the last vector `rest` lanes. */
static inline __attribute__((always_inline)) void step(vector *sum, int rows, const float *x, const float *const *w,
                                                       int rest)
{
    vector factor[MOST_ROWS];
#pragma GCC unroll 6
    for (int r = 0; r < rows; r++)
        factor[r] = vector_load(x + r * LANES);
#pragma GCC unroll 4
    for (int o = 0; o < OUTPUTS; o++) {
        vector v = rest ? load_first(w[o], rest) : vector_load(w[o]);
#if defined __SSE__
        __asm__("" : "+v"(v)); /* loaded once: the compiler would load it for every row */
#endif
#pragma GCC unroll 6
        for (int r = 0; r < rows; r++)
            sum[r * OUTPUTS + o] = vector_madd(factor[r], v, sum[r * OUTPUTS + o]);
    }
}

static inline __attribute__((always_inline)) void tile(const struct job *job, int row, int output, int rows)
{
    enum { TOGETHER = LANES / OUTPUTS }; /* rows whose sums fill a vector */
    vector sum[MOST_ROWS * OUTPUTS];
    const float *x = job->x + row * LANES, *w[OUTPUTS];
    size_t next = (size_t)job->rows * LANES;
#pragma GCC unroll 24
    for (int i = 0; i < rows * OUTPUTS; i++)
        sum[i] = vector_set(0);
#pragma GCC unroll 4
    for (int o = 0; o < OUTPUTS; o++) /* one that is not there is formed from the first, and not stored */
        w[o] = job->w + (size_t)(output + o < job->outputs ? output + o : output) * job->w_stride;
    for (int left = job->vectors; left > 0; left--, x += next) {
        step(sum, rows, x, w, 0);
#pragma GCC unroll 4
        for (int o = 0; o < OUTPUTS; o++)
            w[o] += LANES;
    }
    if (job->rest)
        step(sum, rows, x, w, job->rest);
#pragma GCC unroll 6
    for (int first = 0; first < rows; first += TOGETHER) {
        int n = rows - first < TOGETHER ? rows - first : TOGETHER;
        store(job, row + first, output, lane_sums(sum + first * OUTPUTS, n * OUTPUTS), n);
    }
}

#define TILE(rows)                                                                                                     \
    static __attribute__((noinline)) void tile_##rows(const struct job *job, int row, int output)                      \
    {                                                                                                                  \
        tile(job, row, output, rows);                                                                                  \
    }

TILE(1)
TILE(2)
#if defined __AVX2__ || defined __AVX512F__
TILE(3)
#endif
#if defined __AVX512F__
TILE(4)
TILE(5)
TILE(6)
#endif

/* By the number of its rows. */
static void (*const tile_of[MOST_ROWS + 1])(const struct job *, int row, int output) = {
    NULL,   tile_1, tile_2,
#if defined __AVX2__ || defined __AVX512F__
    tile_3,
#endif
#if defined __AVX512F__
    tile_4, tile_5, tile_6,
#endif
};

static void tiles(const struct job *job)
{
    for (int output = 0; output < job->outputs; output += OUTPUTS)
        for (int row = 0, n; row < job->rows; row += n) {
            int left = job->rows - row, turns = (left + MOST_ROWS - 1) / MOST_ROWS;
            n = (left + turns - 1) / turns;
            tile_of[n](job, row, output);
        }
}

/* -- blocks -------------------------------------------------------------------------------------------------------- */

/* Rows of the block of all rows that begins at `row`. */
static int block_rows(int row, int all)
{
    return all - row < BLOCK ? all - row : BLOCK;
}

static void lay(const float *x, int rows, int columns, int first, int all, float *laid)
{
    for (int r = first; r < first + rows; r++, x += columns) {
        int start = r / BLOCK * BLOCK, column = 0;
        size_t next = (size_t)block_rows(start, all) * LANES;
        float *to = laid + (size_t)start * kernel_laid(columns) + (size_t)(r - start) * LANES;
        for (; column + LANES <= columns; column += LANES, to += next)
            vector_store(to, vector_load(x + column));
        if (column < columns)
            vector_store(to, load_first(x + column, columns - column));
    }
}

static void multiply(const float *w, int outputs, int columns, const float *laid, int rows, float *y, size_t stride)
{
    int vectors = (columns + LANES - 1) / LANES, pieces = (vectors + PIECE - 1) / PIECE;
    int piece = (vectors + pieces - 1) / pieces * LANES;
    for (int output = 0; output < outputs; output += PANEL)
        for (int column = 0; column < columns; column += piece) {
            int count = columns - column < piece ? columns - column : piece;
            struct job job = {.w = w + (size_t)output * columns + column, .w_stride = (size_t)columns,
                              .outputs = outputs - output < PANEL ? outputs - output : PANEL,
                              .vectors = count / LANES, .rest = count % LANES, .y_stride = stride, .add = column > 0};
            for (int row = 0; row < rows; row += BLOCK) {
                job.rows = block_rows(row, rows);
                job.x = laid + (size_t)row * kernel_laid(columns) + (size_t)job.rows * column;
                job.y = y + (size_t)row * stride + output;
                tiles(&job);
            }
        }
}

#define JOIN(a, b) a##b
#define NAMED(prefix, level) JOIN(prefix, level)

/* This level's row of the table in kernels_choose.c. */
void NAMED(kernels_product_, KERNELS)(struct kernels *kernels);
void NAMED(kernels_product_, KERNELS)(struct kernels *kernels)
{
    kernels->lay = lay;
    kernels->multiply = multiply;
}
