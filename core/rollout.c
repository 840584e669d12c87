#include "core/rollout.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* One layer at a time, from the last to the first, so that only the rows asked about are carried; all on the host. */
struct rollout {
    const struct model *m;
    int positions;
    struct attention attention; /* of the layer */
    const int32_t *sees;        /* of the layer, as struct attention has it; or NULL */
    float *query, *key;         /* [positions, heads * head_dim], [positions, kv_heads * head_dim] */
    float *score;               /* [positions] of a row and head */
    float *mean;                /* [positions] a row's attention, the mean of the heads */
    int count;
    float *from, *to; /* [count, positions]: what the rows asked about are made of, behind the layer and before it */
};

static int rollout_new(struct rollout *r, const struct baseline *b, int first, int count, struct error *error)
{
    const struct model *m = b->model;
    size_t n = (size_t)b->count, rows = (size_t)count, q = (size_t)m->heads * (size_t)m->head_dim,
           kv = (size_t)m->kv_heads * (size_t)m->head_dim;
    *r = (struct rollout){.m = m, .positions = b->count, .count = count};
    r->query = malloc(n * q * sizeof *r->query);
    r->key = malloc(n * kv * sizeof *r->key);
    r->score = malloc(n * sizeof *r->score);
    r->mean = malloc(n * sizeof *r->mean);
    r->from = calloc(rows * n, sizeof *r->from);
    r->to = malloc(rows * n * sizeof *r->to);
    if (!r->query || !r->key || !r->score || !r->mean || !r->from || !r->to)
        return error_set(error, ERROR_MEMORY, "out of memory for the attention of %d tokens", b->count);
    for (size_t i = 0; i < rows; i++)
        r->from[i * n + (size_t)first + i] = 1;
    return 0;
}

static void rollout_free(struct rollout *r)
{
    free(r->query);
    free(r->key);
    free(r->score);
    free(r->mean);
    free(r->from);
    free(r->to);
}

/* The first and last key that a position sees. */
static void find_seen(const struct rollout *r, int position, int *first, int *last)
{
    const struct attention *a = &r->attention;
    *first = r->sees ? r->sees[2 * position] : a->window > 0 && position >= a->window ? position - a->window + 1 : 0;
    *last = r->sees ? r->sees[2 * position + 1] : position;
}

/* Four sums side by side, which do not wait for each other. */
static float dot(const float *x, const float *y, size_t n)
{
    float sum[4] = {0};
    size_t i = 0;
    for (; i + 4 <= n; i += 4)
        for (size_t j = 0; j < 4; j++)
            sum[j] += x[i + j] * y[i + j];
    for (; i < n; i++)
        sum[0] += x[i] * y[i];
    return sum[0] + sum[1] + (sum[2] + sum[3]);
}

/* Add one head's attention of a position to keys first .. last to r->mean. */
static void add_head(struct rollout *r, int position, int head, int first, int last)
{
    const struct attention *a = &r->attention;
    size_t dim = (size_t)a->head_dim, kv_head = (size_t)(head / (a->heads / a->kv_heads));
    const float *q = r->query + ((size_t)position * (size_t)a->heads + (size_t)head) * dim;
    float most = -INFINITY, sum = 0;
    for (int k = first; k <= last; k++) {
        float score = a->scale * dot(q, r->key + ((size_t)k * (size_t)a->kv_heads + kv_head) * dim, dim);
        if (a->softcap > 0)
            score = a->softcap * tanhf(score / a->softcap);
        r->score[k] = score;
        most = fmaxf(most, score);
    }
    for (int k = first; k <= last; k++)
        sum += r->score[k] = expf(r->score[k] - most);
    for (int k = first; k <= last; k++)
        r->mean[k] += r->score[k] / (sum * (float)a->heads);
}

/* What a position gives to the rows is half its own from before the layer, half that of the positions it looks at. */
static void roll_row(struct rollout *r, int position)
{
    size_t n = (size_t)r->positions;
    int first, last;
    bool any = false;
    for (size_t i = 0; i < (size_t)r->count; i++)
        any = any || r->from[i * n + (size_t)position] > 0;
    if (!any)
        return;
    find_seen(r, position, &first, &last);
    memset(r->mean, 0, n * sizeof *r->mean);
    for (int head = 0; head < r->attention.heads; head++)
        add_head(r, position, head, first, last);
    for (size_t i = 0; i < (size_t)r->count; i++) {
        float half = 0.5f * r->from[i * n + (size_t)position], *to = r->to + i * n;
        to[position] += half;
        for (int k = first; k <= last; k++)
            to[k] += half * r->mean[k];
    }
}

/* A layer's activations; where they are not kept, by walking there from the first. */
static int reach_layer(const struct baseline *b, struct walker *walker, struct stream *s, int l,
                       const atomic_bool *cancelled, const struct activations **a, struct error *error)
{
    int status = 0;
    for (int k = walker ? 0 : l; status == 0 && k <= l; k++) {
        if (atomic_load(cancelled))
            return error_set(error, ERROR_CANCELLED, "cancelled");
        *a = baseline_layer(b, walker, s, k);
        status = b->model->device->ops->stream_finish(s, error);
    }
    return status;
}

static int roll_layer(struct rollout *r, const struct baseline *b, struct walker *walker, struct stream *s, int l,
                      const atomic_bool *cancelled, struct error *error)
{
    const struct device_ops *ops = r->m->device->ops;
    const struct activations *activations = NULL;
    int status = reach_layer(b, walker, s, l, cancelled, &activations, error);
    if (status < 0)
        return status;
    size_t n = (size_t)r->positions, dim = (size_t)r->m->head_dim * sizeof(float);
    r->attention = baseline_attention(b, l, r->positions);
    r->sees = r->attention.sees ? b->sight.host[r->attention.window > 0] : NULL;
    ops->download(s, activations->query, n * (size_t)r->m->heads * dim, r->query);
    ops->download(s, r->attention.key, n * (size_t)r->m->kv_heads * dim, r->key);
    if ((status = ops->stream_finish(s, error)) < 0)
        return status;
    memset(r->to, 0, (size_t)r->count * n * sizeof *r->to);
    for (int p = 0; p < r->positions; p++) {
        if (atomic_load(cancelled))
            return error_set(error, ERROR_CANCELLED, "cancelled");
        roll_row(r, p);
    }
    float *done = r->to;
    r->to = r->from;
    r->from = done;
    return 0;
}

int rollout_run(const struct baseline *b, struct stream *s, int first, int count, const atomic_bool *cancelled,
                float *share, struct error *error)
{
    struct rollout r;
    struct walker *walker = NULL;
    int status = rollout_new(&r, b, first, count, error);
    if (status == 0)
        status = walker_new(b, &walker, error);
    for (int l = b->model->layers - 1; status == 0 && l >= 0; l--)
        status = roll_layer(&r, b, walker, s, l, cancelled, error);
    if (status == 0)
        memcpy(share, r.from, (size_t)count * (size_t)r.positions * sizeof *share);
    walker_free(walker);
    rollout_free(&r);
    return status;
}
