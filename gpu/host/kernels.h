/* kernels.h: the hot loops, compiled several times for different x86-64 levels and chosen at run time.
 *
 * kernels_rows.c, kernels_pack.c, kernels_product.c, kernels_attend.c, kernels_int8.c, kernels_head.c and dtype.c are
 * compiled once for each level, where KERNELS is the level's name; kernels_choose.c knows which levels there are.  All
 * kernels are serial and take plain memory; x and y of the elementwise ones may be the same array. */
#ifndef GPU_HOST_KERNELS_H
#define GPU_HOST_KERNELS_H

#include "gpu/device.h"

/* Keys come in panels: KERNEL_PANEL consecutive keys of one head, transposed: [head_dim, KERNEL_PANEL]. */
enum { KERNEL_PANEL = 64 };

/* Attention: query rows multiplied at once. */
enum { KERNEL_ATTEND_ROWS = 6 };

/* Products of 8-bit integers: rows multiplied at once. */
enum { KERNEL_INT8_ROWS = 6 };

/* Products in f32: rows that are laid out together. */
enum { KERNEL_PRODUCT_ROWS = 6 };

/* Floats that a row of so many columns takes when it is laid out for a product: whole vectors of any level. */
static inline size_t kernel_laid(int columns)
{
    return ((size_t)columns + 15) / 16 * 16;
}

/* The first key that the query at a position sees, and one past the last. */
static inline int attend_first(const struct attention *a, int position)
{
    if (a->sees)
        return a->sees[2 * position];
    return a->window > 0 && position >= a->window ? position - a->window + 1 : 0;
}

static inline int attend_end(const struct attention *a, int position)
{
    return a->sees ? a->sees[2 * position + 1] + 1 : position + 1;
}

/* Some consecutive positions' queries of the heads that share one key-value head, and what they attend to.  Scores are
 * logarithms to base 2 here: what is measured in them has been multiplied by log2 e. */
struct attend_tile {
    const struct attention *attention;
    int group;            /* heads that share the key-value head */
    int position, count;  /* the queries' positions; row r is position + r / group */
    const float *query;   /* [count * group, head_dim], already multiplied by attention->scale and log2 e */
    float softcap;        /* that of attention, times log2 e */
    const float *const *panel; /* keys 0 .. 63, 64 .. 127 and so on; only those a query needs are looked at */
    const float *value[2];     /* values of keys < split start at value[0], those from split on at value[1]; */
    size_t value_stride[2];    /* a row of them every so many floats */
    int split;
    const float *factor;  /* [score_stride] multipliers less 1, for SUPPRESS_PRODUCT multipliers, for
                           * SUPPRESS_LOG_ADDITIVE their logarithms to base 2; beyond attention->positions as if 1;
                           * NULL: none */
    int touched[2];       /* first key, and one past the last, whose factor is not 1 */
    float *score;         /* scratch [count * group, score_stride] */
    size_t score_stride;  /* a multiple of KERNEL_PANEL that holds attention->positions */
    float *share;         /* scratch [count * group] */
    float *output;        /* scratch [count * group, head_dim] */
    float *y;             /* [count, group * head_dim], rows y_stride floats apart */
    const float *base;    /* laid out as y: is subtracted; NULL: 0 */
    size_t y_stride;
    const char *const *soon; /* what is needed after this tile: pieces of about group * head_dim floats, then NULL */
};

/* A row turned. */
struct int8_turned {
    float most;   /* the greatest size of its entries */
    float factor; /* for the matrix it was turned by to be orthogonal */
    bool peaked;  /* before it was, peak() may find one */
};

/* Rows of 8-bit integers times a panel of a weight's outputs. */
struct int8_tile {
    const uint8_t *panel;      /* [columns / 4, KERNEL_PANEL, 4] weights + 128 */
    const int8_t *x;           /* [KERNEL_INT8_ROWS, columns] */
    const int32_t *start;      /* [KERNEL_INT8_ROWS] what a row's sums start from: -128 times the sum of x */
    const float *scale;        /* [KERNEL_INT8_ROWS] of a row, */
    const float *column_scale; /* and of an output [KERNEL_PANEL]; their product turns a sum into */
    float *y;                  /* [KERNEL_INT8_ROWS, KERNEL_PANEL], a row every `stride` floats */
    size_t stride;
    int columns;               /* a multiple of 4 */
    int onto;                  /* not 0: added to y */
    /* For every 4 columns two lines are asked for, which need not be there: of what is read next, fetch_step bytes on
     * from `fetch` each time, and of what is written or read when the tile is done, at soon + soon_at[columns / 4]. */
    const void *fetch, *soon;
    size_t fetch_step;
    const int32_t *soon_at;
};

/* A target's part in the change of the log-sum-exp over some columns of the vocabulary. */
struct lse_tile {
    float *logit;   /* [count] raw baseline logits, without bias; made capped log-probabilities by lse_target() */
    float *scaled;  /* [count] with softcap: tanh's argument of the baseline */
    float *share;   /* [count] probabilities */
    int count;
    float divisor, softcap;
};

/* The sums of one row so far; start from zeros. */
struct lse_sum {
    double change; /* sum of p expm1(dl), right as long as no dl was large */
    double total;  /* sum of p exp(dl) / exp(shift) */
    double shift;
    bool large;    /* a dl was too large for `change` */
};

struct kernels {
    const char *level;

    /* dtype.c: dtype_info(), with expansions of this level */
    const struct dtype_info *(*dtype)(uint32_t type);

    /* kernels_rows.c */
    void (*norm)(const struct norm *, const float *x, float *y);                             /* one row */
    void (*norm_delta)(const struct norm *, const float *x, const float *dx, float *dy);     /* one row */
    void (*rope)(const struct rope *, const float *cos, const float *sin, float *x);         /* one row */
    void (*gate)(enum activation, const float *gate, const float *up, size_t n, float *y);
    void (*gate_delta)(enum activation, const float *gate, const float *up, const float *dgate, const float *dup,
                       size_t n, float *dy);
    void (*add)(const float *x, float scale, size_t n, float *y);
    void (*sum)(const float *x, const float *y, size_t n, float *sum);
    /* scale (x + y); y NULL ok */
    void (*scaled_sum)(const float *x, const float *y, float scale, size_t n, float *sum);
    void (*difference)(const float *x, const float *y, size_t n, float *difference);
    /* y[i] = row i of w [rows, columns] . x */
    void (*product)(const float *w, int rows, int columns, const float *x, float *y);

    /* y = x, each entry the nearest bf16; what is not a number stays none */
    void (*bf16_round)(const float *x, size_t n, uint16_t *y);

    /* kernels_pack.c: rows as device.h packs them in 8 bits */
    void (*pack8)(const float *x, size_t rows, int width, void *packed);
    void (*unpack8)(const void *packed, size_t rows, int width, float *x);

    /* kernels_product.c */
    /* x [rows, columns] laid out for multiply(), as rows first .. first + rows - 1 of `all`.  laid: for all rows,
     * kernel_laid(columns) floats each, 64-byte aligned.  KERNEL_PRODUCT_ROWS rows are a block, of which there are a
     * vector of each row, then the next one of each; so a block, at its first row times kernel_laid(columns), can be
     * multiplied by itself. */
    void (*lay)(const float *x, int rows, int columns, int first, int all, float *laid);
    /* y [rows, outputs], rows `stride` floats apart, = x [rows, columns] . w^T, x laid out, w [outputs, columns]; the
     * bits of an element of y depend on its row of x and its row of w alone */
    void (*multiply)(const float *w, int outputs, int columns, const float *laid, int rows, float *y, size_t stride);

    /* kernels_attend.c */
    /* key + dkey [count, dim], rows of both `stride` floats apart, dkey NULL: 0, into columns column .. column + count
     * - 1 of a panel; columns behind them up to a whole vector become 0 */
    void (*pack)(const float *key, const float *dkey, size_t stride, int count, int dim, int column, float *panel);
    /* sum [rows, columns] = x + y, rows of both `stride` floats apart */
    void (*sum_rows)(const float *x, const float *y, size_t stride, int rows, int columns, float *sum);
    void (*attend)(const struct attend_tile *);

    /* kernels_int8.c */
    /* The entry that has more than half of the sum of all squares of x [n]; -1: none. */
    int (*peak)(const float *x, int n);
    /* y = x [columns] turned but for a factor, in two steps, as a row's rounding waits for its greatest entry: while it
     * does, another one is turned. */
    void (*int8_turn)(const float *x, int columns, float *y, struct int8_turned *);
    /* y rounded into q, its columns in an order of the level's own; *sum of q.  Returns the scale: x turned is about
     * scale * q. */
    float (*int8_round)(const struct int8_turned *, const float *y, int columns, int8_t *q, int32_t *sum);
    void (*int8_panel)(const struct int8_tile *);
    void (*int8_lift)(const int8_t *x, size_t n, uint8_t *y); /* y = x + 128 */
    /* y[i] = (sum[i] + start[i]) * row * column[i]; onto: y[i] += that */
    void (*int8_scale)(const int32_t *sum, const int32_t *start, float row, const float *column, int n, bool onto,
                       float *y);

    /* kernels_head.c */
    void (*cap)(float divisor, float softcap, size_t n, float *logit);
    void (*lse_target)(const struct lse_tile *, const float *bias, double lse);
    void (*lse_row)(const struct lse_tile *, float *dlogit, struct lse_sum *);
};

/* The best kernels this processor runs, or those of a level; NULL where it does not have them. */
const struct kernels *kernels_choose(const char *level);

#endif
