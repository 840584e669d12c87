/* attend.c: attention of the baseline and of probes: cuts the rows into tasks for the blocks of kernels_attend.cu. */
#include "gpu/cuda/card.h"

/* The tasks of a span: `rows` rows each, the last ones, which see most keys, first. */
static int cut_span(const struct probe_span *span, int probe, int group, int rows, struct attend_task *task)
{
    int all = span->query_count * group, n = 0;
    for (int first = (all - 1) / rows * rows; first >= 0; first -= rows)
        task[n++] = (struct attend_task){probe, first};
    return n;
}

/* How many tasks of `rows` rows a launch may take. */
static int tasks_at_once(const struct card *card, const struct attention *a, int rows)
{
    double products = 2.0 * rows * a->positions * a->head_dim * a->kv_heads, most = card->attend_products / products;
    return most < 1 ? 1 : most < INT32_MAX ? (int)most : INT32_MAX;
}

static void launch(struct stream *stream, struct attend_call call, int tasks, int at_once)
{
    for (int n; tasks > 0 && !stream->failure.code; tasks -= n) {
        n = tasks < at_once ? tasks : at_once;
        card_check(stream, kernel_attend(stream->cuda, &call, n), "attention");
        call.task += n;
    }
}

/* Upload spans and tasks and start the kernel. */
static void run(struct stream *stream, struct attend_call *call, int probes, const struct probe_span *span)
{
    const struct attention *a = &call->attention;
    int group = a->heads / a->kv_heads, rows = kernel_attend_rows(a->head_dim), n = 0;
    if (a->head_dim > ATTEND_HEAD_DIM) {
        card_stream_fail(stream, ERROR_UNSUPPORTED, "heads of %d columns; a card's attention takes up to %d",
                         a->head_dim, ATTEND_HEAD_DIM);
        return;
    }
    size_t most = 0;
    for (int p = 0; p < probes; p++)
        most += ((size_t)span[p].query_count * (size_t)group + (size_t)rows - 1) / (size_t)rows;
    struct attend_task *task = (struct attend_task *)card_host_scratch(stream, most * sizeof *task);
    if (!task)
        return;
    for (int p = 0; p < probes; p++)
        if (span[p].query_count > 0)
            n += cut_span(&span[p], p, group, rows, task + n);
    call->span = (const struct probe_span *)card_stage(stream, SCRATCH_TARGET, span, (size_t)probes * sizeof *span);
    call->task = (const struct attend_task *)card_stage(stream, SCRATCH_INDEX, task, (size_t)n * sizeof *task);
    if (call->span && call->task)
        launch(stream, *call, n, tasks_at_once(stream->card, a, rows));
}

void card_attend(struct stream *stream, const struct attention *a, const float *factor, int first, const float *x,
                 int rows, float *y)
{
    if (rows <= 0 || !card_stream_ready(stream))
        return;
    struct probe_span span = {.query_row = 0, .query_position = first, .query_count = rows};
    struct attend_call call = {.attention = *a, .factor = factor, .query = x, .y = y};
    run(stream, &call, 1, &span);
}

void card_attend_delta(struct stream *stream, const struct attention *a, int probes, const struct probe_span *span,
                       const float *factor, const float *query, const float *output, const float *dquery,
                       const float *dkey, const float *dvalue, float *dy)
{
    if (probes <= 0 || !card_stream_ready(stream))
        return;
    struct attend_call call = {.attention = *a,
                               .factor = factor,
                               .query = query,
                               .output = output,
                               .dquery = dquery,
                               .dkey = dkey,
                               .dvalue = dvalue,
                               .base_rows = true,
                               .y = dy};
    run(stream, &call, probes, span);
}
