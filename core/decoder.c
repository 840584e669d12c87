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

/* All norms of one kind are alike: all layers have them or none. */
static bool has(const struct norm *norm)
{
    return norm->weight;
}

static size_t activation_bytes(const struct model *m, int positions)
{
    const struct layer *layer = m->layer;
    size_t columns = 2 * (size_t)m->width + 2 * (size_t)query_width(m) + (layer->up.weight ? 2 : 1) * (size_t)m->ffn;
    columns += has(&layer->query_norm) ? (size_t)query_width(m) + (size_t)key_width(m) : 0;
    columns += has(&layer->attention_post) ? 2 * (size_t)m->width : 0;
    return columns * (size_t)positions * sizeof(float);
}

static int activations_new(struct activations *a, struct pool *pool, struct device *device, const struct model *m,
                           int capacity)
{
    const struct layer *layer = m->layer;
    size_t rows = (size_t)capacity, d = (size_t)m->width, q = (size_t)query_width(m), f = (size_t)m->ffn;
    memset(a, 0, sizeof *a);
    pool_init(pool, device);
    a->input = pool_floats(pool, rows, d);
    a->query = pool_floats(pool, rows, q);
    a->attended = pool_floats(pool, rows, q);
    a->middle = pool_floats(pool, rows, d);
    a->gate = pool_floats(pool, rows, f);
    if (layer->up.weight)
        a->up = pool_floats(pool, rows, f);
    if (has(&layer->query_norm)) {
        a->plain_query = pool_floats(pool, rows, q);
        a->plain_key = pool_floats(pool, rows, (size_t)key_width(m));
    }
    if (has(&layer->attention_post)) {
        a->attention_branch = pool_floats(pool, rows, d);
        a->ffn_branch = pool_floats(pool, rows, d);
    }
    return pool->status;
}

static void scratch_new(struct decoder_scratch *s, struct pool *pool, const struct model *m, int rows)
{
    s->wide = pool_floats(pool, (size_t)rows, (size_t)wide_width(m));
    s->narrow = pool_floats(pool, (size_t)rows, (size_t)m->width);
}

/* The tables of one kind of rotation. */
static int upload_rotation(struct baseline *b, struct stream *stream, enum layer_rotation which, struct error *error)
{
    const struct model *m = b->model;
    const struct device_ops *ops = m->device->ops;
    const struct rotation *rotation = model_rotation(m, which, b->capacity);
    size_t n = (size_t)b->capacity * (size_t)rotation->pairs;
    b->rope[which] = (struct rope){.head_dim = m->head_dim, .pairs = rotation->pairs, .neox = rotation->neox};
    if (n == 0)
        return 0;
    float *to_cosine = pool_floats(&b->pool, n, 1), *to_sine = pool_floats(&b->pool, n, 1);
    float *cosine = malloc(n * sizeof *cosine), *sine = malloc(n * sizeof *sine);
    int status = b->pool.status;
    if (status < 0 && error)
        *error = b->pool.error;
    if (status == 0 && (!cosine || !sine))
        status = error_set(error, ERROR_MEMORY, "out of memory");
    if (status == 0) {
        rotation_tables(rotation, b->capacity, cosine, sine);
        ops->upload(stream, cosine, n * sizeof *cosine, to_cosine);
        ops->upload(stream, sine, n * sizeof *sine, to_sine);
        status = ops->stream_finish(stream, error);
        b->rope[which].cos = to_cosine;
        b->rope[which].sin = to_sine;
    }
    free(cosine);
    free(sine);
    return status;
}

/* All that depends on the position alone, made once. */
static int upload_tables(struct baseline *b, struct error *error)
{
    const struct model *m = b->model;
    const struct device_ops *ops = m->device->ops;
    int32_t *position = malloc((size_t)b->capacity * sizeof *position);
    struct stream *stream = NULL;
    int status = position ? 0 : error_set(error, ERROR_MEMORY, "out of memory");
    if (status == 0)
        status = ops->stream_new(m->device, true, &stream, error);
    for (int which = 0; status == 0 && which < ROTATIONS; which++)
        status = upload_rotation(b, stream, (enum layer_rotation)which, error);
    if (status == 0) {
        for (int i = 0; i < b->capacity; i++)
            position[i] = i;
        ops->upload(stream, position, (size_t)b->capacity * sizeof *position, b->position);
        if (b->place)
            ops->embed(stream, m->place, position, b->capacity, 1, b->place);
        status = ops->stream_finish(stream, error);
    }
    if (stream)
        ops->stream_free(stream);
    free(position);
    return status;
}

size_t baseline_bytes(const struct model *m, int capacity, bool keep)
{
    size_t columns = 2 * (size_t)m->layers * (size_t)key_width(m) + 3 * (size_t)m->width + (size_t)wide_width(m) +
                     (m->place ? (size_t)m->width : 0) + 2 * (size_t)m->head_dim + (keep ? 0 : (size_t)m->width) + 8;
    return columns * (size_t)capacity * sizeof(float) + (size_t)(keep ? m->layers : 1) * activation_bytes(m, capacity);
}

static int allocate_layers(struct baseline *b, struct error *error)
{
    const struct model *m = b->model;
    int layers = b->kept ? m->layers : 1;
    b->layer = calloc((size_t)layers, sizeof *b->layer);
    b->layer_pool = calloc((size_t)layers, sizeof *b->layer_pool);
    if (!b->layer || !b->layer_pool)
        return error_set(error, ERROR_MEMORY, "out of memory");
    for (int l = 0; l < layers; l++)
        if (activations_new(&b->layer[l], &b->layer_pool[l], m->device, m, b->capacity) < 0) {
            if (error)
                *error = b->layer_pool[l].error;
            return b->layer_pool[l].status;
        }
    return 0;
}

int baseline_new(const struct model *m, int capacity, bool keep, struct baseline **out, struct error *error)
{
    struct baseline *b = calloc(1, sizeof *b);
    if (!b)
        return error_set(error, ERROR_MEMORY, "out of memory");
    size_t rows = (size_t)capacity, kv = (size_t)m->layers * rows;
    b->model = m;
    b->capacity = capacity;
    b->kept = keep;
    b->ids = malloc(rows * sizeof *b->ids);
    pool_init(&b->pool, m->device);
    b->position = pool_ints(&b->pool, rows);
    b->key = pool_floats(&b->pool, kv, (size_t)key_width(m));
    b->value = pool_floats(&b->pool, kv, (size_t)key_width(m));
    b->final = pool_floats(&b->pool, rows, (size_t)m->width);
    b->embedded = pool_floats(&b->pool, rows, (size_t)m->width);
    if (m->place)
        b->place = pool_floats(&b->pool, rows, (size_t)m->width);
    scratch_new(&b->scratch, &b->pool, m, capacity);
    int seen = sight_new(&b->sight, &b->pool, capacity, m->window), status = b->pool.status;
    if (status < 0 && error)
        *error = b->pool.error;
    if (status == 0 && (!b->ids || seen < 0))
        status = error_set(error, ERROR_MEMORY, "out of memory");
    if (status == 0)
        status = allocate_layers(b, error);
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
    sight_free(&b->sight);
    free(b->layer_pool);
    free(b->layer);
    free(b->ids);
    free(b);
}

void baseline_truncate(struct baseline *b, int count)
{
    if (count < b->count)
        b->count = sight_cut(&b->sight, count);
}

void baseline_pictures(struct baseline *b, const struct picture_rows *pictures, int n)
{
    b->pictures = pictures;
    b->picture_count = n;
}

const int32_t *baseline_sees(const struct baseline *b)
{
    return sight_sees(&b->sight, false, b->count) ? b->sight.host[0] : NULL;
}

struct attention baseline_attention(const struct baseline *b, int l, int positions)
{
    const struct model *m = b->model;
    size_t offset = (size_t)l * (size_t)b->capacity * (size_t)key_width(m);
    return (struct attention){
        .heads = m->heads, .kv_heads = m->kv_heads, .head_dim = m->head_dim, .scale = m->attention_scale,
        .softcap = m->score_cap, .window = m->layer[l].window,
        .sees = sight_sees(&b->sight, m->layer[l].window > 0, positions),
        .positions = positions, .key = b->key + offset, .value = b->value + offset,
        .suppression = SUPPRESS_ROW_MIN_CAUSAL,
    };
}

struct rope baseline_rope(const struct baseline *b, int l, int heads)
{
    struct rope rope = b->rope[b->model->layer[l].rotation];
    rope.heads = heads;
    return rope;
}

/* -- one layer in values ------------------------------------------------------------------------------------------- */

/* Rows first .. first + rows - 1 on their way through a layer; a's activations belong to the layer. */
struct pass {
    const struct baseline *b;
    const struct model *m;
    const struct device_ops *ops;
    struct stream *s;
    const struct layer *layer;
    int l;
    size_t first;
    int rows;
    struct activations *a;
    const struct decoder_scratch *scratch;
};

/* The norm of x; x itself where the model has none. */
static const float *pass_norm(const struct pass *p, const struct norm *norm, const float *x)
{
    if (!has(norm))
        return x;
    p->ops->norm(p->s, norm, x, p->rows, p->scratch->narrow);
    return p->scratch->narrow;
}

/* y = norm(W h + b), turned; plain keeps what the norm is given. */
static void pass_project(const struct pass *p, const struct linear *linear, const struct norm *norm, int heads,
                         const float *h, float *plain, float *y)
{
    struct rope rope = baseline_rope(p->b, p->l, heads);
    p->ops->linear(p->s, linear->weight, linear->bias, h, p->rows, has(norm) ? plain : y);
    if (has(norm))
        p->ops->norm(p->s, norm, plain, p->rows, y);
    p->ops->rope(p->s, &rope, p->b->position + p->first, p->rows, y);
}

/* Keys and values are written to the baseline's, unless `again`: they are there already. */
static void pass_attend(const struct pass *p, bool again, const struct steering *steering)
{
    const struct model *m = p->m;
    const struct layer *layer = p->layer;
    struct activations *a = p->a;
    size_t q = (size_t)query_width(m), kv = (size_t)key_width(m);
    struct attention attention = baseline_attention(p->b, p->l, (int)p->first + p->rows);
    float *key = (float *)attention.key + p->first * kv, *value = (float *)attention.value + p->first * kv;
    float *query = a->query + p->first * q, *attended = a->attended + p->first * q;
    float *plain_query = a->plain_query ? a->plain_query + p->first * q : NULL;
    float *plain_key = a->plain_key ? a->plain_key + p->first * kv : NULL;
    const float *factor = NULL, *h = pass_norm(p, &layer->attention_norm, a->input + p->first * (size_t)m->width);
    if (steering && p->l >= steering->first_layer && p->l <= steering->last_layer) {
        attention.suppression = steering->suppression;
        factor = steering->factor;
    }
    pass_project(p, &layer->query, &layer->query_norm, m->heads, h, plain_query, query);
    if (!again) {
        pass_project(p, &layer->key, &layer->key_norm, m->kv_heads, h, plain_key, key);
        p->ops->linear(p->s, layer->value.weight, layer->value.bias, h, p->rows, value);
    } else if (plain_key)
        p->ops->linear(p->s, layer->key.weight, layer->key.bias, h, p->rows, plain_key);
    p->ops->attend(p->s, &attention, factor, (int)p->first, query, p->rows, attended);
}

/* The feed-forward half of rows x, up to its last matrix: into scratch->wide. */
static void pass_gate(const struct pass *p, const float *x)
{
    const struct layer *layer = p->layer;
    size_t f = (size_t)p->m->ffn;
    float *gate = p->a->gate + p->first * f, *up = p->a->up ? p->a->up + p->first * f : NULL;
    const float *h = pass_norm(p, &layer->ffn_norm, x);
    p->ops->linear(p->s, layer->gate.weight, layer->gate.bias, h, p->rows, gate);
    if (up)
        p->ops->linear(p->s, layer->up.weight, layer->up.bias, h, p->rows, up);
    p->ops->gate(p->s, p->m->activation, gate, up, (size_t)p->rows * f, p->scratch->wide);
}

/* residual += post(W x + b); branch [positions, width] keeps what the norm is given. */
static void pass_add(const struct pass *p, const struct linear *linear, const struct norm *post, const float *x,
                     float *branch, float *residual)
{
    size_t d = (size_t)p->m->width;
    float *y = has(post) ? branch + p->first * d : p->scratch->narrow;
    p->ops->linear(p->s, linear->weight, linear->bias, x, p->rows, y);
    p->ops->add(p->s, pass_norm(p, post, y), p->m->residual_scale, (size_t)p->rows * d, residual);
}

/* A pass over one layer: rows first .. first + rows - 1 enter in a->input and leave in next (a pointer to position 0).
 * again: the baseline already holds this layer's keys and values, so only activations are recomputed. */
static void run_layer(const struct baseline *b, struct stream *s, int l, int first, int rows, struct activations *a,
                      const struct decoder_scratch *scratch, bool again, const struct steering *steering, float *next)
{
    const struct model *m = b->model;
    const struct layer *layer = &m->layer[l];
    struct pass p = {b, m, m->device->ops, s, layer, l, (size_t)first, rows, a, scratch};
    size_t d = (size_t)m->width, bytes = (size_t)rows * d * sizeof(float);
    const float *input = a->input + p.first * d, *attended = a->attended + p.first * (size_t)query_width(m);
    float *middle = a->middle + p.first * d;

    pass_attend(&p, again, steering);
    if (m->parallel)
        pass_gate(&p, input);
    p.ops->copy(s, input, bytes, middle);
    pass_add(&p, &layer->output, &layer->attention_post, attended, a->attention_branch, middle);
    if (!m->parallel)
        pass_gate(&p, middle);
    p.ops->copy(s, middle, bytes, next + p.first * d);
    pass_add(&p, &layer->down, &layer->ffn_post, scratch->wide, a->ffn_branch, next + p.first * d);
}

/* -- the whole model ----------------------------------------------------------------------------------------------- */

/* What enters layer 0 at rows first .. first + rows - 1. */
static void enter(const struct baseline *b, struct stream *s, size_t first, size_t rows, float *input)
{
    const struct device_ops *ops = b->model->device->ops;
    size_t at = first * (size_t)b->model->width, n = rows * (size_t)b->model->width;
    ops->copy(s, b->embedded + at, n * sizeof(float), input + at);
    if (b->place)
        ops->add(s, b->place + at, 1, n, input + at);
}

/* Embeddings of tokens and rows of pictures, one after the other, at positions count .. count + n - 1. */
static void embed(const struct baseline *b, struct stream *s, const int32_t *ids, int n)
{
    const struct model *m = b->model;
    const struct device_ops *ops = m->device->ops;
    size_t d = (size_t)m->width;
    for (int i = 0, end; i < n; i = end) {
        float *to = b->embedded + (size_t)(b->count + i) * d;
        int row = 0;
        const struct picture_rows *picture = picture_rows_find(b->pictures, b->picture_count, ids[i], &row);
        int most = picture ? i + picture->count - row : n;
        for (end = i + 1; end < n && end < most && (picture ? ids[end] == ids[end - 1] - 1 : ids[end] >= 0);)
            end++;
        if (picture)
            ops->copy(s, picture->rows + (size_t)row * d, (size_t)(end - i) * d * sizeof *to, to);
        else
            ops->embed(s, m->embedding, ids + i, end - i, m->embedding_scale, to);
    }
}

/* Rows first .. first + n - 1 through all layers; again: as run_layer() has it. */
static int run_layers(struct baseline *b, struct stream *s, int first, int n, bool again,
                      const struct steering *steering, const atomic_bool *cancelled, struct error *error)
{
    const struct model *m = b->model;
    const struct device_ops *ops = m->device->ops;
    enter(b, s, (size_t)first, (size_t)n, b->layer[0].input);
    for (int l = 0; l < m->layers; l++) {
        if (cancelled && atomic_load(cancelled)) {
            ops->stream_finish(s, NULL);
            return error_set(error, ERROR_CANCELLED, "cancelled");
        }
        struct activations *a = &b->layer[b->kept ? l : 0];
        float *next = l + 1 == m->layers ? b->final : b->kept ? b->layer[l + 1].input : a->input;
        run_layer(b, s, l, first, n, a, &b->scratch, again, steering, next);
        int status = ops->stream_finish(s, error);
        if (status < 0)
            return error_add(error, status, "layer %d", l);
        if (n > 1) /* a single row waits for nothing but memory: let the pages be */
            model_let_go(m);
    }
    return 0;
}

int baseline_run(struct baseline *b, struct stream *s, const int32_t *ids, int n, const struct steering *steering,
                 const atomic_bool *cancelled, struct error *error)
{
    const struct model *m = b->model;
    if (n < 0 || n > b->capacity - b->count)
        return error_set(error, ERROR_LIMIT, "%d tokens more do not fit into %d", n, b->capacity);
    sight_cut(&b->sight, b->count); /* an earlier run that was cancelled left its positions there */
    int status = sight_add(&b->sight, ids, n, b->pictures, b->picture_count, error);
    if (status < 0)
        return status;
    sight_upload(&b->sight, m->device, s);
    embed(b, s, ids, n);
    status = run_layers(b, s, b->count, n, false, steering, cancelled, error);
    if (status < 0)
        return status;
    memcpy(b->ids + b->count, ids, (size_t)n * sizeof *ids);
    b->count += n;
    return 0;
}

int baseline_borrow(struct baseline *b, struct stream *s, const struct baseline *from, int count, struct error *error)
{
    const struct model *m = b->model;
    const struct device_ops *ops = m->device->ops;
    size_t kv = (size_t)key_width(m) * sizeof(float);
    int all = from->count < b->capacity ? from->count : b->capacity;
    sight_cut(&b->sight, 0);
    baseline_pictures(b, from->pictures, from->picture_count);
    int status = sight_add(&b->sight, from->ids, all, b->pictures, b->picture_count, error);
    b->count = status == 0 ? all : 0;
    sight_upload(&b->sight, m->device, s);
    baseline_truncate(b, count);
    memcpy(b->ids, from->ids, (size_t)b->count * sizeof *b->ids);
    ops->copy(s, from->embedded, (size_t)b->count * (size_t)m->width * sizeof(float), b->embedded);
    for (int l = 0; l < m->layers; l++) {
        size_t own = (size_t)l * (size_t)b->capacity * kv, other = (size_t)l * (size_t)from->capacity * kv;
        ops->copy(s, (char *)from->key + other, (size_t)b->count * kv, (char *)b->key + own);
        ops->copy(s, (char *)from->value + other, (size_t)b->count * kv, (char *)b->value + own);
    }
    return status;
}

int baseline_run_again(struct baseline *b, struct stream *s, int first, const struct steering *steering,
                       const atomic_bool *cancelled, struct error *error)
{
    return run_layers(b, s, first, b->count - first, true, steering, cancelled, error);
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
    pool_init(&w->pool, b->model->device);
    w->next = pool_floats(&w->pool, (size_t)b->capacity, (size_t)b->model->width);
    int status = w->pool.status;
    if (status < 0) {
        if (error)
            *error = w->pool.error;
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
    free(w);
}

const struct activations *baseline_layer(const struct baseline *b, struct walker *w, struct stream *s, int l)
{
    if (b->kept)
        return &b->layer[l];
    struct activations *layer = &b->layer[0];
    const struct device_ops *ops = b->model->device->ops;
    size_t bytes = (size_t)b->count * (size_t)b->model->width * sizeof(float);
    if (l == 0)
        enter(b, s, 0, (size_t)b->count, layer->input);
    else
        ops->copy(s, w->next, bytes, layer->input);
    run_layer(b, s, l, 0, b->count, layer, &b->scratch, true, NULL, w->next);
    return layer;
}
