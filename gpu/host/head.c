/* head.c: the output head: logits of the baseline, and what a probe does to the log-sum-exp and to single logits.
 *
 * The vocabulary is walked in tiles; neither [rows, vocabulary] logits nor the whole of an unexpanded weight is stored. */
#include <math.h>
#include <string.h>

#include "gpu/host/host.h"
#include "gpu/host/kernels.h"

enum {
    TILE_COLUMNS = 512, /* of the vocabulary */
    TILE_ROWS = 256,
};

static int least(int a, int b)
{
    return a < b ? a : b;
}

void host_logits(struct stream *stream, const struct head *head, const float *h, int rows, float *logits)
{
    host_linear(stream, head->weight, head->bias, h, rows, logits);
    if (stream->failure.code || (head->divisor == 1.0f && head->softcap <= 0))
        return;
    for (int r = 0; r < rows; r++)
        stream->kernels->cap(head->divisor, head->softcap, (size_t)head->vocabulary,
                             logits + (size_t)r * head->vocabulary);
}

/* Baseline log-probabilities and probabilities of a tile's columns for every target. */
static void tile_targets(struct stream *stream, const struct head *head, const float *w, int first, int count,
                         const float *h, int targets, const double *lse, struct lse_tile *tile)
{
    host_product(stream, w, count, head->width, h, targets, tile[0].logit, TILE_COLUMNS);
    if (stream->failure.code)
        return;
    for (int t = 0; t < targets; t++) {
        tile[t].count = count;
        stream->kernels->lse_target(&tile[t], head->bias ? head->bias + first : NULL, lse[t]);
    }
}

static void tile_rows(struct stream *stream, const struct head *head, const float *w, int count, const float *dh,
                      const int32_t *target, int rows, const struct lse_tile *tile, float *product,
                      struct lse_sum *sum)
{
    for (int row = 0; row < rows && !stream->failure.code; row += TILE_ROWS) {
        int n = least(TILE_ROWS, rows - row);
        host_product(stream, w, count, head->width, dh + (size_t)row * head->width, n, product, TILE_COLUMNS);
        if (stream->failure.code)
            return;
        for (int r = 0; r < n; r++)
            stream->kernels->lse_row(&tile[target[row + r]], product + (size_t)r * TILE_COLUMNS, &sum[row + r]);
    }
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
    size_t columns = TILE_COLUMNS, plane = targets * columns;
    size_t bytes = 3 * plane * sizeof(float) + targets * sizeof(struct lse_tile);
    char *target_memory = host_scratch(stream, SCRATCH_TARGET, bytes);
    float *product = host_scratch(stream, SCRATCH_PRODUCT, TILE_ROWS * columns * sizeof *product);
    struct lse_sum *sum = host_scratch(stream, SCRATCH_STATE, rows * sizeof *sum);
    if (!target_memory || !product || !sum)
        return;
    memset(sum, 0, rows * sizeof *sum);
    float *logit = (float *)target_memory;
    struct lse_tile *tile = (struct lse_tile *)(target_memory + 3 * plane * sizeof *logit);
    for (int t = 0; t < targets; t++)
        tile[t] = (struct lse_tile){.logit = logit + t * columns,
                                    .scaled = logit + plane + t * columns,
                                    .share = logit + 2 * plane + t * columns,
                                    .divisor = head->divisor,
                                    .softcap = head->softcap};

    for (int first = 0; first < head->vocabulary && !stream->failure.code; first += TILE_COLUMNS) {
        int count = least(TILE_COLUMNS, head->vocabulary - first);
        const float *w = host_weight_expand(stream, head->weight, first, count);
        if (!w)
            return;
        tile_targets(stream, head, w, first, count, h, targets, lse, tile);
        tile_rows(stream, head, w, count, dh, target, rows, tile, product, sum);
    }
    if (!stream->failure.code)
        for (int r = 0; r < rows; r++)
            dlse[r] = sum_change(&sum[r]);
}

/* -- single logits --------------------------------------------------------------------------------------------------- */

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
    for (int r = 0; r < rows; r++)
        targets = target[r] >= targets ? target[r] + 1 : targets;
    for (int t = 0; t < targets; t++)
        for (int j = 0; j < n; j++) {
            int id = wanted[(size_t)t * n + j];
            const float *w = host_weight_expand(stream, head->weight, id, 1);
            if (!w)
                return;
            double z = dot(w, h + (size_t)t * width, width) + (head->bias ? head->bias[id] : 0.0f);
            for (int r = 0; r < rows; r++)
                if (target[r] == t)
                    dlogit[(size_t)r * n + j] = cap_change(head, z, dot(w, dh + (size_t)r * width, width));
        }
}
