/* head.c: the output head: logits of the baseline, and what a probe does to the log-sum-exp and to single logits.
 *
 * The vocabulary is walked in tiles; neither [rows, vocabulary] logits nor a whole unexpanded weight is stored. */
#include <math.h>
#include <string.h>

#include "gpu/host/host.h"
#include "gpu/host/kernels.h"

enum {
    TILE_COLUMNS = 512, /* of the vocabulary */
    TILE_ROWS = 256,
    ROUND = 64, /* tiles of the vocabulary whose sums are kept apart at once */
};

static int most(int a, int b)
{
    return a > b ? a : b;
}

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
    const float *dh;
    const double *lse;
    const int32_t *target;
    int targets, rows;
    const float *stack; /* [targets + first, width] of h and the first rows of dh, for one product of both */
    int first;
    int round;           /* the first tile of this round */
    struct lse_sum *sum; /* [ROUND, rows] */
    char *memory;        /* every member's buffers, member_bytes each */
    size_t member_bytes;
};

/* A member's buffers. */
struct buffers {
    float *weight;                   /* [TILE_COLUMNS, width] */
    float *few;                      /* [PRODUCT_ROWS, width] */
    float *product;                  /* [TILE_ROWS, TILE_COLUMNS], of rows behind the first */
    float *logit;                    /* [targets + first or more, TILE_COLUMNS]; see struct lse_tile */
    float *scaled, *share;           /* [targets, TILE_COLUMNS] */
    struct lse_tile *tile;           /* [targets] */
};

/* Lay a member's buffers out from memory on; returns the bytes they take. */
static size_t buffers_lay(const struct lse_call *call, char *memory, struct buffers *b)
{
    bool more = call->rows > call->first;
    size_t few = more ? (size_t)PRODUCT_ROWS * call->head->width : 0;
    size_t product = more ? (size_t)TILE_ROWS * TILE_COLUMNS : 0;
    size_t logits = (size_t)most(call->targets + call->first, PRODUCT_ROWS) * TILE_COLUMNS;
    size_t plane = (size_t)call->targets * TILE_COLUMNS;
    size_t weights = call->whole ? 0 : (size_t)TILE_COLUMNS * call->head->width;
    size_t floats = weights + few + product + logits + 2 * plane;
    if (memory) {
        b->weight = (float *)memory;
        b->few = b->weight + weights;
        b->product = b->few + few;
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

static void lse_task(void *context, size_t i, int member)
{
    const struct lse_call *call = context;
    int width = call->head->width, first = (call->round + (int)i) * TILE_COLUMNS;
    int count = least(TILE_COLUMNS, call->head->vocabulary - first);
    struct lse_sum *sum = call->sum + i * call->rows;
    struct buffers b = {0};
    buffers_lay(call, call->memory + (size_t)member * call->member_bytes, &b);
    if (!call->whole)
        host_weight_expand(call->head->weight, first, count, b.weight);
    const float *w = call->whole ? call->whole + (size_t)first * width : b.weight;
    host_product(call->stream, w, count, width, call->stack, most(call->targets + call->first, PRODUCT_ROWS), b.logit,
                 TILE_COLUMNS);
    tile_targets(call, first, count, &b);
    memset(sum, 0, (size_t)call->rows * sizeof *sum);
    float *product = b.logit + (size_t)call->targets * TILE_COLUMNS;
    for (int row = 0, n = call->first; row < call->rows; row += n, n = least(TILE_ROWS, call->rows - row)) {
        if (row > 0) {
            const float *dh = host_fill(call->dh + (size_t)row * width, n, width, b.few);
            product = b.product;
            host_product(call->stream, w, count, width, dh, most(n, PRODUCT_ROWS), product, TILE_COLUMNS);
        }
        for (int r = 0; r < n; r++)
            call->stream->kernels->lse_row(&b.tile[call->target[row + r]], product + (size_t)r * TILE_COLUMNS,
                                           &sum[row + r]);
    }
}

/* h [targets, width] and the first rows of dh, filled up with zeros to as many as a product needs.  NULL: the stream is
 * marked. */
static const float *stack(struct stream *stream, const struct lse_call *call, const float *h)
{
    size_t width = (size_t)call->head->width, targets = (size_t)call->targets * width,
           rows = (size_t)call->first * width;
    size_t whole = (size_t)most(call->targets + call->first, PRODUCT_ROWS) * width;
    float *out = host_scratch(stream, SCRATCH_STACK, whole * sizeof *out);
    if (!out)
        return NULL;
    memcpy(out, h, targets * sizeof *out);
    memcpy(out + targets, call->dh, rows * sizeof *out);
    memset(out + targets + rows, 0, (whole - targets - rows) * sizeof *out);
    return out;
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
    struct lse_call call = {.stream = stream, .head = head, .dh = dh, .lse = lse, .target = target, .targets = targets,
                            .rows = rows, .first = least(rows, TILE_ROWS)};
    struct buffers b = {0};
    call.whole = host_weight_kept(stream, head->weight);
    call.member_bytes = buffers_lay(&call, NULL, &b);
    call.memory = host_scratch(stream, SCRATCH_TILES, team_size(stream->team) * call.member_bytes);
    call.sum = host_scratch(stream, SCRATCH_SUMS, (size_t)(ROUND + 1) * rows * sizeof *call.sum);
    call.stack = stack(stream, &call, h);
    if (!call.memory || !call.sum || !call.stack)
        return;
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
