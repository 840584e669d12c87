/* head.c: the output head on a card: logits of the baseline, and what a probe does to the log-sum-exp and single
 * logits.
 *
 * The vocabulary is walked in tiles; neither [rows, vocabulary] logits nor the whole of an expanded weight is stored.
 */
#include "gpu/cuda/card.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

void card_logits(struct stream *stream, const struct head *head, const float *h, int rows, float *logits)
{
    if (rows <= 0 || !card_stream_ready(stream))
        return;
    card_values(stream, head->weight, false, h, rows, logits); /* as the tiles of card_lse_delta() */
    if (!stream->failure.code)
        card_check(stream, kernel_cap(stream->cuda, head, head->bias, rows, head->vocabulary, logits), "logits");
}

/* -- log-sum-exp --------------------------------------------------------------------------------------------------- */

/* Where a row lost most of its mass, or gained very much, the sum itself is the better-conditioned form. */
static void deliver_changes(const void *from, size_t count, double *dlse)
{
    const struct lse_state *state = (const struct lse_state *)from;
    for (size_t r = 0; r < count; r++, state++)
        dlse[r] = state->change > -0.5 && state->change < 1e3 ? log1p(state->change)
                  : state->total > 0                          ? log(state->total) + state->shift
                  : state->total == 0                         ? -INFINITY
                                                              : NAN;
}

struct lse_work {
    const struct head *head;
    struct operand base, change; /* h and dh */
    const double *lse;
    const int32_t *target;
    struct lse_state *state;
};

static void add_tile(struct stream *stream, const struct lse_work *work, int first, int count)
{
    const struct head *head = work->head;
    float *logit =
        (float *)card_scratch(stream, SCRATCH_LOGIT, (size_t)work->base.rows * (size_t)count * sizeof *logit);
    float *dlogit =
        (float *)card_scratch(stream, SCRATCH_CHANGE, (size_t)work->change.rows * (size_t)count * sizeof *dlogit);
    if (!logit || !dlogit)
        return;
    card_product(stream, &work->base, head->weight, first, count, logit, count);
    if (!stream->failure.code)
        card_product(stream, &work->change, head->weight, first, count, dlogit, count);
    if (!stream->failure.code)
        card_check(stream,
                   kernel_lse_add(stream->cuda, head, head->bias ? head->bias + first : NULL, count, logit, work->lse,
                                  dlogit, work->target, work->change.rows, work->state),
                   "log-sum-exp");
}

void card_lse_delta(struct stream *stream, const struct head *head, enum precision precision, const float *h,
                    int targets, const double *lse, const float *dh, const int32_t *target, int rows, double *dlse)
{
    if (rows <= 0 || !card_stream_ready(stream))
        return;
    size_t bytes = (size_t)rows * sizeof(struct lse_state);
    struct lse_work work = {.head = head};
    work.lse = (const double *)card_stage(stream, SCRATCH_LSE, lse, (size_t)targets * sizeof *lse);
    work.target = (const int32_t *)card_stage(stream, SCRATCH_TARGET, target, (size_t)rows * sizeof *target);
    work.state = (struct lse_state *)card_result_scratch(stream, SCRATCH_STATE, bytes);
    if (!work.state || !card_operand(stream, PRECISION_F32, h, targets, head->width, &work.base) ||
        !card_operand(stream, precision, dh, rows, head->width, &work.change) ||
        !card_check(stream, cudaMemsetAsync(work.state, 0, bytes, stream->cuda), "log-sum-exp"))
        return;
    int tile = card_product_tile(stream, head->weight, rows > targets ? rows : targets);
    for (int first = 0; first < head->vocabulary && !stream->failure.code; first += tile)
        add_tile(stream, &work, first, head->vocabulary - first < tile ? head->vocabulary - first : tile);
    if (!stream->failure.code)
        card_result(stream, work.state, (size_t)rows, sizeof *work.state, deliver_changes, dlse);
}

/* -- single logits ------------------------------------------------------------------------------------------------- */

static void deliver_logits(const void *from, size_t count, double *dlogit)
{
    memcpy(dlogit, from, count * sizeof *dlogit);
}

void card_logit_delta(struct stream *stream, const struct head *head, const float *h, const float *dh,
                      const int32_t *target, int rows, const int32_t *wanted, int n, double *dlogit)
{
    if (rows <= 0 || n <= 0 || !card_stream_ready(stream))
        return;
    int targets = 0;
    for (int r = 0; r < rows; r++)
        targets = target[r] >= targets ? target[r] + 1 : targets;
    size_t entries = (size_t)targets * (size_t)n, results = (size_t)rows * (size_t)n;
    if (entries > INT32_MAX || results > INT32_MAX) {
        card_stream_fail(stream, ERROR_LIMIT, "%d logits of %d rows at once", n, rows);
        return;
    }
    struct stored_rows wanted_rows = head->weight->stored;
    wanted_rows.ids = (const int32_t *)card_stage(stream, SCRATCH_INDEX, wanted, entries * sizeof *wanted);
    const int32_t *staged = (const int32_t *)card_stage(stream, SCRATCH_TARGET, target, (size_t)rows * sizeof *target);
    float *w = (float *)card_scratch(stream, SCRATCH_LOGIT, entries * (size_t)head->width * sizeof *w);
    double *out = (double *)card_result_scratch(stream, SCRATCH_RESULT, results * sizeof *out);
    if (!wanted_rows.ids || !staged || !w || !out)
        return;
    if (card_check(stream, kernel_expand(stream->cuda, &wanted_rows, (int)entries, 1.0f, w), "logits") &&
        card_check(stream, kernel_logit_delta(stream->cuda, head, w, wanted_rows.ids, n, h, dh, staged, rows, out),
                   "logits"))
        card_result(stream, out, results, sizeof *out, deliver_logits, dlogit);
}
