#include "core/decoder.h"

#include <stdlib.h>
#include <string.h>

static int query_width(const struct model *m)
{
    return m->heads * m->head_dim;
}

static int key_width(const struct model *m)
{
    return m->kv_heads * m->head_dim;
}

static int wide_width(const struct model *m)
{
    return m->ffn > query_width(m) ? m->ffn : query_width(m);
}

static size_t activation_bytes(const struct model *m, int positions)
{
    size_t columns = 2 * (size_t)m->width + 2 * (size_t)query_width(m) + 2 * (size_t)m->ffn;
    return columns * (size_t)positions * sizeof(float);
}

static int activations_new(struct activations *a, struct pool *pool, const struct model *m, int capacity)
{
    size_t rows = (size_t)capacity;
    pool_init(pool, m->device);
    a->input = pool_floats(pool, rows, (size_t)m->width);
    a->query = pool_floats(pool, rows, (size_t)query_width(m));
    a->attended = pool_floats(pool, rows, (size_t)query_width(m));
    a->middle = pool_floats(pool, rows, (size_t)m->width);
    a->gate = pool_floats(pool, rows, (size_t)m->ffn);
    a->up = pool_floats(pool, rows, (size_t)m->ffn);
    return pool->status;
}

static void scratch_new(struct decoder_scratch *s, struct pool *pool, const struct model *m, int rows)
{
    s->wide = pool_floats(pool, (size_t)rows, (size_t)wide_width(m));
    s->narrow = pool_floats(pool, (size_t)rows, (size_t)m->width);
}

/* Positions and rotation tables, made on the host once. */
static int upload_tables(struct baseline *b, struct error *error)
{
    const struct model *m = b->model;
    size_t n = (size_t)b->capacity * (size_t)m->rope_pairs;
    float *cosine = malloc(n * sizeof *cosine), *sine = malloc(n * sizeof *sine);
    int32_t *position = malloc((size_t)b->capacity * sizeof *position);
    struct stream *stream = NULL;
    int status = cosine && sine && position ? 0 : error_set(error, ERROR_MEMORY, "out of memory");
    if (status == 0)
        status = m->device->ops->stream_new(m->device, true, &stream, error);
    if (status == 0) {
        model_rope_tables(m, 0, b->capacity, cosine, sine);
        for (int i = 0; i < b->capacity; i++)
            position[i] = i;
        m->device->ops->upload(stream, cosine, n * sizeof *cosine, b->cosine);
        m->device->ops->upload(stream, sine, n * sizeof *sine, b->sine);
        m->device->ops->upload(stream, position, (size_t)b->capacity * sizeof *position, b->position);
        status = m->device->ops->stream_finish(stream, error);
    }
    if (stream)
        m->device->ops->stream_free(stream);
    free(cosine);
    free(sine);
    free(position);
    return status;
}

static int allocate_layers(struct baseline *b, size_t memory, struct error *error)
{
    const struct model *m = b->model;
    b->kept = activation_bytes(m, b->capacity) <= memory / (size_t)m->layers;
    int layers = b->kept ? m->layers : 1;
    b->layer = calloc((size_t)layers, sizeof *b->layer);
    b->layer_pool = calloc((size_t)layers, sizeof *b->layer_pool);
    if (!b->layer || !b->layer_pool)
        return error_set(error, ERROR_MEMORY, "out of memory");
    for (int l = 0; l < layers; l++)
        if (activations_new(&b->layer[l], &b->layer_pool[l], m, b->capacity) < 0) {
            if (error)
                *error = b->layer_pool[l].error;
            return b->layer_pool[l].status;
        }
    return 0;
}

int baseline_new(const struct model *m, int capacity, size_t memory, struct baseline **out, struct error *error)
{
    struct baseline *b = calloc(1, sizeof *b);
    if (!b)
        return error_set(error, ERROR_MEMORY, "out of memory");
    size_t rows = (size_t)capacity, kv = (size_t)m->layers * rows;
    b->model = m;
    b->capacity = capacity;
    b->ids = malloc(rows * sizeof *b->ids);
    pool_init(&b->pool, m->device);
    b->position = pool_ints(&b->pool, rows);
    b->cosine = pool_floats(&b->pool, rows, (size_t)m->rope_pairs);
    b->sine = pool_floats(&b->pool, rows, (size_t)m->rope_pairs);
    b->key = pool_floats(&b->pool, kv, (size_t)key_width(m));
    b->value = pool_floats(&b->pool, kv, (size_t)key_width(m));
    b->final = pool_floats(&b->pool, rows, (size_t)m->width);
    b->embedded = pool_floats(&b->pool, rows, (size_t)m->width);
    scratch_new(&b->scratch, &b->pool, m, capacity);
    int status = b->pool.status;
    if (status < 0 && error)
        *error = b->pool.error;
    if (status == 0 && !b->ids)
        status = error_set(error, ERROR_MEMORY, "out of memory");
    if (status == 0)
        status = allocate_layers(b, memory, error);
    if (status == 0)
        status = upload_tables(b, error);
    if (status < 0) {
        baseline_free(b);
        return error_add(error, status, "making room for %d tokens", capacity);
    }
    *out = b;
    return 0;
}

void baseline_free(struct baseline *b)
{
    if (!b)
        return;
    for (int l = 0; b->layer_pool && l < (b->kept ? b->model->layers : 1); l++)
        pool_free(&b->layer_pool[l]);
    pool_free(&b->pool);
    free(b->layer_pool);
    free(b->layer);
    free(b->ids);
    free(b);
}

void baseline_truncate(struct baseline *b, int count)
{
    if (count < b->count)
        b->count = count;
}

struct attention baseline_attention(const struct baseline *b, int l, int positions)
{
    const struct model *m = b->model;
    size_t offset = (size_t)l * (size_t)b->capacity * (size_t)key_width(m);
    return (struct attention){
        .heads = m->heads, .kv_heads = m->kv_heads, .head_dim = m->head_dim, .scale = m->attention_scale,
        .positions = positions, .key = b->key + offset, .value = b->value + offset,
        .suppression = SUPPRESS_ROW_MIN_CAUSAL,
    };
}

struct rope baseline_rope(const struct baseline *b, int heads)
{
    const struct model *m = b->model;
    return (struct rope){heads, m->head_dim, m->rope_pairs, m->rope_neox, b->cosine, b->sine};
}

/* A pass over one layer: rows first .. first + rows - 1 enter in a->input and leave in next (a pointer to position 0).
 * write_keys false: the baseline already holds this layer's keys and values, so only activations are recomputed. */
static void run_layer(const struct baseline *b, struct stream *s, int l, int first, int rows, struct activations *a,
                      struct decoder_scratch *scratch, bool write_keys, const struct steering *steering, float *next)
{
    const struct model *m = b->model;
    const struct device_ops *ops = m->device->ops;
    const struct layer *layer = &m->layer[l];
    size_t q = (size_t)query_width(m), kv = (size_t)key_width(m), d = (size_t)m->width, f = (size_t)m->ffn;
    size_t at = (size_t)first, n = (size_t)rows;
    struct rope rope_q = baseline_rope(b, m->heads), rope_k = baseline_rope(b, m->kv_heads);
    struct attention attention = baseline_attention(b, l, first + rows);
    const float *factor = NULL;
    if (steering && l >= steering->first_layer && l <= steering->last_layer) {
        attention.suppression = steering->suppression;
        factor = steering->factor;
    }
    float *query = a->query + at * q, *attended = a->attended + at * q, *middle = a->middle + at * d;
    float *key = (float *)attention.key + at * kv, *value = (float *)attention.value + at * kv;

    ops->norm(s, &layer->attention_norm, a->input + at * d, rows, scratch->narrow);
    ops->linear(s, layer->query.weight, layer->query.bias, scratch->narrow, rows, query);
    ops->rope(s, &rope_q, b->position + at, rows, query);
    if (write_keys) {
        ops->linear(s, layer->key.weight, layer->key.bias, scratch->narrow, rows, key);
        ops->rope(s, &rope_k, b->position + at, rows, key);
        ops->linear(s, layer->value.weight, layer->value.bias, scratch->narrow, rows, value);
    }
    ops->attend(s, &attention, factor, first, query, rows, attended);
    ops->linear(s, layer->output.weight, layer->output.bias, attended, rows, middle);
    ops->add(s, a->input + at * d, 1, n * d, middle);

    ops->norm(s, &layer->ffn_norm, middle, rows, scratch->narrow);
    ops->linear(s, layer->gate.weight, layer->gate.bias, scratch->narrow, rows, a->gate + at * f);
    ops->linear(s, layer->up.weight, layer->up.bias, scratch->narrow, rows, a->up + at * f);
    ops->gate(s, m->activation, a->gate + at * f, a->up + at * f, n * f, scratch->wide);
    ops->linear(s, layer->down.weight, layer->down.bias, scratch->wide, rows, next + at * d);
    ops->add(s, middle, 1, n * d, next + at * d);
}

int baseline_run(struct baseline *b, struct stream *s, const int32_t *ids, int n, const struct steering *steering,
                 const atomic_bool *cancelled, struct error *error)
{
    const struct model *m = b->model;
    const struct device_ops *ops = m->device->ops;
    size_t d = (size_t)m->width, at = (size_t)b->count;
    if (n < 0 || n > b->capacity - b->count)
        return error_set(error, ERROR_LIMIT, "%d tokens more do not fit into %d", n, b->capacity);
    ops->embed(s, m->embedding, ids, n, 1, b->embedded + at * d);
    ops->copy(s, b->embedded + at * d, (size_t)n * d * sizeof(float), b->layer[0].input + at * d);
    for (int l = 0; l < m->layers; l++) {
        if (cancelled && atomic_load(cancelled)) {
            ops->stream_finish(s, NULL);
            return error_set(error, ERROR_CANCELLED, "cancelled");
        }
        struct activations *a = &b->layer[b->kept ? l : 0];
        float *next = l + 1 == m->layers ? b->final : b->kept ? b->layer[l + 1].input : a->input;
        run_layer(b, s, l, b->count, n, a, &b->scratch, true, steering, next);
        int status = ops->stream_finish(s, error);
        if (status < 0)
            return error_add(error, status, "layer %d", l);
    }
    memcpy(b->ids + b->count, ids, (size_t)n * sizeof *ids);
    b->count += n;
    return 0;
}

int baseline_logits(struct baseline *b, struct stream *s, int p, float *logits, struct error *error)
{
    const struct model *m = b->model;
    const struct device_ops *ops = m->device->ops;
    float *device = ops->alloc(m->device, (size_t)m->vocabulary * sizeof *device, error);
    if (!device)
        return ERROR_MEMORY;
    ops->norm(s, &m->output_norm, b->final + (size_t)p * (size_t)m->width, 1, b->scratch.narrow);
    ops->logits(s, &m->head, b->scratch.narrow, 1, device);
    ops->download(s, device, (size_t)m->vocabulary * sizeof *device, logits);
    int status = ops->stream_finish(s, error);
    ops->free(m->device, device);
    return status;
}

int walker_new(const struct baseline *b, struct walker **out, struct error *error)
{
    *out = NULL;
    if (b->kept)
        return 0;
    struct walker *w = calloc(1, sizeof *w);
    if (!w)
        return error_set(error, ERROR_MEMORY, "out of memory");
    int status = activations_new(&w->layer, &w->pool, b->model, b->capacity);
    pool_init(&w->scratch_pool, b->model->device);
    scratch_new(&w->scratch, &w->scratch_pool, b->model, b->capacity);
    w->next = pool_floats(&w->scratch_pool, (size_t)b->capacity, (size_t)b->model->width);
    if (status == 0)
        status = w->scratch_pool.status;
    if (status < 0) {
        if (error)
            *error = w->pool.status < 0 ? w->pool.error : w->scratch_pool.error;
        walker_free(w);
        return status;
    }
    *out = w;
    return 0;
}

void walker_free(struct walker *w)
{
    if (!w)
        return;
    pool_free(&w->pool);
    pool_free(&w->scratch_pool);
    free(w);
}

const struct activations *baseline_layer(const struct baseline *b, struct walker *w, struct stream *s, int l)
{
    if (b->kept)
        return &b->layer[l];
    const struct device_ops *ops = b->model->device->ops;
    size_t bytes = (size_t)b->count * (size_t)b->model->width * sizeof(float);
    ops->copy(s, l == 0 ? b->embedded : w->next, bytes, w->layer.input);
    run_layer(b, s, l, 0, b->count, &w->layer, &w->scratch, false, NULL, w->next);
    return &w->layer;
}
