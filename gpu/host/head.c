/* head.c: the output head: logits of the baseline, and what a probe does to the log-sum-exp and to single logits.
 *
 * The vocabulary is walked in tiles; neither [rows, vocabulary] logits nor a whole unexpanded weight is stored. */
#include <math.h>
#include <string.h>

#include "gpu/host/host.h"
#include "gpu/host/kernels.h"

enum {
    TILE_COLUMNS = 512, /* of the vocabulary */
    TILE_ROWS = 252,    /* a multiple of KERNEL_PRODUCT_ROWS */
    ROUND = 64,         /* tiles of the vocabulary whose sums are kept apart at once */
};

/* -- logits -------------------------------------------------------------------------------------------------------- */

struct capping {
    const struct kernels *kernels;
    const struct head *head;
    float *logits;
};

static void cap_row(void *context, size_t row, int member)
{
    (void)member;
    const struct capping *c = context;
    size_t n = (size_t)c->head->vocabulary;
    c->kernels->cap(c->head->divisor, c->head->softcap, n, c->logits + row * n);
}

void host_logits(struct stream *stream, const struct head *head, const float *h, int rows, float *logits)
{
    host_linear(stream, head->weight, head->bias, h, rows, logits);
    if (!stream->failure.code && (head->divisor != 1.0f || head->softcap > 0))
        team_run(stream->team, (size_t)rows, cap_row, &(struct capping){stream->kernels, head, logits});
}

/* -- the change of the log-sum-exp --------------------------------------------------------------------------------- */

/* A call.  Tiles of the vocabulary are tasks; those of a round write sums of their own, which are then added in the
 * tiles' order, so that the result does not depend on how many threads there are. */
struct lse_call {
    struct stream *stream;
    const struct head *head;
    const float *whole; /* the head's weight, or NULL: expanded tile by tile */
    const float *laid;  /* h and dh, one behind the other, laid out for products */
    const double *lse;
    const int32_t *target;
    int targets, rows;
    int first;          /* rows of dh that are multiplied together with h */
    int expanded;       /* columns of the vocabulary expanded at once */
    int round;           /* the first tile of this round */
    struct lse_sum *sum; /* [ROUND, rows] */
    char *memory;        /* every member's buffers, member_bytes each */
    size_t member_bytes;
};

/* A member's buffers. */
struct buffers {
    float *weight;         /* [expanded, width] */
    float *product;        /* [TILE_ROWS, TILE_COLUMNS], of rows behind the first */
    float *logit;          /* [targets + first, TILE_COLUMNS]; see struct lse_tile */
    float *scaled, *share; /* [targets, TILE_COLUMNS] */
    struct lse_tile *tile; /* [targets] */
};

/* Lay a member's buffers out from memory on; returns the bytes they take. */
static size_t buffers_lay(const struct lse_call *call, char *memory, struct buffers *b)
{
    size_t product = call->rows > call->first ? (size_t)TILE_ROWS * TILE_COLUMNS : 0;
    size_t logits = (size_t)(call->targets + call->first) * TILE_COLUMNS;
    size_t plane = (size_t)call->targets * TILE_COLUMNS;
    size_t weights = call->whole ? 0 : (size_t)call->expanded * call->head->width;
    size_t floats = weights + product + logits + 2 * plane;
    if (memory) {
        b->weight = (float *)memory;
        b->product = b->weight + weights;
        b->logit = b->product + product;
        b->scaled = b->logit + logits;
        b->share = b->scaled + plane;
        b->tile = (struct lse_tile *)(b->share + plane);
    }
    size_t bytes = floats * sizeof(float) + call->targets * sizeof(struct lse_tile);
    return (bytes + 63) / 64 * 64;
}

/* Baseline log-probabilities and probabilities of a tile's columns for every target, from the logits in b->logit. */
static void tile_targets(const struct lse_call *call, int first, int count, const struct buffers *b)
{
    const struct head *head = call->head;
    for (int t = 0; t < call->targets; t++) {
        size_t at = (size_t)t * TILE_COLUMNS;
        b->tile[t] =
            (struct lse_tile){b->logit + at, b->scaled + at, b->share + at, count, head->divisor, head->softcap};
        call->stream->kernels->lse_target(&b->tile[t], head->bias ? head->bias + first : NULL, call->lse[t]);
    }
}

/* y [rows, TILE_COLUMNS] = rows `row` and following, of h and dh, times columns first .. first + count - 1 of the
 * vocabulary. */
static void tile_product(const struct lse_call *call, int first, int count, int row, int rows, float *expanded,
                         float *y)
{
    int width = call->head->width, step = call->whole ? count : call->expanded;
    const float *x = call->laid + (size_t)row * kernel_laid(width);
    for (int column = 0; column < count; column += step) {
        int n = least(step, count - column);
        const float *w = call->whole ? call->whole + (size_t)first * width : expanded;
        if (!call->whole)
            host_weight_expand(call->head->weight, first + column, n, expanded);
        call->stream->kernels->multiply(w, n, width, x, rows, y + column, TILE_COLUMNS);
    }
}

static void lse_task(void *context, size_t i, int member)
{
    const struct lse_call *call = context;
    int first = (call->round + (int)i) * TILE_COLUMNS, count = least(TILE_COLUMNS, call->head->vocabulary - first);
    struct lse_sum *sum = call->sum + i * call->rows;
    struct buffers b = {0};
    buffers_lay(call, call->memory + (size_t)member * call->member_bytes, &b);
    tile_product(call, first, count, 0, call->targets + call->first, b.weight, b.logit);
    tile_targets(call, first, count, &b);
    memset(sum, 0, (size_t)call->rows * sizeof *sum);
    float *product = b.logit + (size_t)call->targets * TILE_COLUMNS;
    for (int row = 0, n = call->first; row < call->rows; row += n, n = least(TILE_ROWS, call->rows - row)) {
        if (row > 0) {
            product = b.product;
            tile_product(call, first, count, call->targets + row, n, b.weight, product);
        }
        for (int r = 0; r < n; r++)
            call->stream->kernels->lse_row(&b.tile[call->target[row + r]], product + (size_t)r * TILE_COLUMNS,
                                           &sum[row + r]);
    }
}

static void sum_add(struct lse_sum *sum, const struct lse_sum *part)
{
    double shift = part->shift > sum->shift ? part->shift : sum->shift;
    sum->total = sum->total * exp(sum->shift - shift) + part->total * exp(part->shift - shift);
    sum->shift = shift;
    sum->change += part->change;
    sum->large |= part->large;
}

/* Where a row lost most of its mass, or gained very much, the sum itself is the better-conditioned form. */
static double sum_change(const struct lse_sum *sum)
{
    return sum->large || sum->change < -0.5 ? log(sum->total) + sum->shift : log1p(sum->change);
}

void host_lse_delta(struct stream *stream, const struct head *head, enum precision precision, const float *h,
                    int targets, const double *lse, const float *dh, const int32_t *target, int rows, double *dlse)
{
    if (stream->failure.code || !host_precision_offered(stream, precision) || rows == 0)
        return;
    int all = targets + rows, width = head->width;
    struct lse_call call = {.stream = stream, .head = head, .lse = lse, .target = target, .targets = targets,
                            .rows = rows, .first = least(rows, TILE_ROWS - targets % KERNEL_PRODUCT_ROWS),
                            .expanded = host_weight_few(head->weight)};
    struct buffers b = {0};
    call.whole = host_weight_kept(stream, head->weight);
    call.member_bytes = buffers_lay(&call, NULL, &b);
    call.memory = host_scratch(stream, SCRATCH_TILES, team_size(stream->team) * call.member_bytes);
    call.sum = host_scratch(stream, SCRATCH_SUMS, (size_t)(ROUND + 1) * rows * sizeof *call.sum);
    float *laid = host_scratch(stream, SCRATCH_LAID, (size_t)all * kernel_laid(width) * sizeof *laid);
    if (!call.memory || !call.sum || !laid)
        return;
    stream->kernels->lay(h, targets, width, 0, all, laid);
    stream->kernels->lay(dh, rows, width, targets, all, laid);
    call.laid = laid;
    struct lse_sum *total = call.sum + (size_t)ROUND * rows;
    memset(total, 0, (size_t)rows * sizeof *total);
    int tiles = (head->vocabulary + TILE_COLUMNS - 1) / TILE_COLUMNS;
    for (; call.round < tiles; call.round += ROUND) {
        int count = least(ROUND, tiles - call.round);
        team_run(stream->team, (size_t)count, lse_task, &call);
        for (int i = 0; i < count * rows; i++)
            sum_add(&total[i % rows], &call.sum[i]);
    }
    for (int r = 0; r < rows; r++)
        dlse[r] = sum_change(&total[r]);
}

/* -- single logits ------------------------------------------------------------------------------------------------- */

static double dot(const float *x, const float *y, int n)
{
    double sum[8] = {0};
    int i = 0;
    for (; i + 8 <= n; i += 8)
        for (int k = 0; k < 8; k++)
            sum[k] += (double)x[i + k] * y[i + k];
    for (; i < n; i++)
        sum[0] += (double)x[i] * y[i];
    return ((sum[0] + sum[1]) + (sum[2] + sum[3])) + ((sum[4] + sum[5]) + (sum[6] + sum[7]));
}

/* cap(z + dz) - cap(z) */
static double cap_change(const struct head *head, double z, double dz)
{
    double change = dz / head->divisor;
    if (head->softcap <= 0)
        return change;
    double scaled = z / head->divisor / head->softcap;
    return head->softcap * (tanh(scaled + change / head->softcap) - tanh(scaled));
}

void host_logit_delta(struct stream *stream, const struct head *head, const float *h, const float *dh,
                      const int32_t *target, int rows, const int32_t *wanted, int n, double *dlogit)
{
    if (stream->failure.code)
        return;
    int width = head->width, targets = 0;
    float *w = host_scratch(stream, SCRATCH_WEIGHT, (size_t)width * sizeof *w);
    if (!w)
        return;
    for (int r = 0; r < rows; r++)
        targets = target[r] >= targets ? target[r] + 1 : targets;
    for (int t = 0; t < targets; t++)
        for (int j = 0; j < n; j++) {
            int id = wanted[(size_t)t * n + j];
            host_weight_expand(head->weight, id, 1, w);
            double z = dot(w, h + (size_t)t * width, width) + (head->bias ? head->bias[id] : 0.0f);
            for (int r = 0; r < rows; r++)
                if (target[r] == t)
                    dlogit[(size_t)r * n + j] = cap_change(head, z, dot(w, dh + (size_t)r * width, width));
        }
}
