/* The tensors of a model: each is fetched by its name and its exact shape. */
#include "core/model.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/family.h"
#include "core/gguf.h"

/* Everything that loading needs at hand.  With device NULL it only checks. */
struct loader {
    const struct gguf *file;
    struct device *device;
    struct stream *stream;
    struct model *model;
    struct error *error;
    struct { const char *name; size_t bytes; } types[8]; /* weight types met, by bytes */
    int type_count;
};

/* The named tensor if it has exactly this shape (outputs 0: a vector of `inputs`).  NULL with the error set, or without
 * if it is optional and missing. */
static const struct gguf_tensor *tensor_find(struct loader *l, const char *name, int outputs, int inputs, bool optional)
{
    const struct gguf_tensor *t = gguf_tensor(l->file, name);
    if (!t) {
        if (!optional)
            error_set(l->error, ERROR_FORMAT, "tensor %s is missing", name);
        return NULL;
    }
    int64_t rows = outputs ? outputs : 1;
    if (t->size[0] != inputs || t->size[1] != rows || t->size[2] != 1 || t->size[3] != 1) {
        error_set(l->error, ERROR_FORMAT, "tensor %s is %lld x %lld where %lld x %d is expected", name,
                  (long long)t->size[1], (long long)t->size[0], (long long)rows, inputs);
        return NULL;
    }
    if (!dtype_info(t->type)->expand) {
        const char *type = dtype_info(t->type)->name;
        error_set(l->error, ERROR_UNSUPPORTED, "tensor %s is stored as %s, which is not supported", name,
                  type ? type : "an unknown type");
        return NULL;
    }
    return t;
}

static void count_weight(struct loader *l, const struct gguf_tensor *t)
{
    l->model->parameters += (uint64_t)(t->size[0] * t->size[1]);
    l->model->weight_bytes += t->bytes;
    if (t->size[1] == 1)
        return;
    const char *name = dtype_info(t->type)->name;
    int i = 0;
    while (i < l->type_count && strcmp(l->types[i].name, name) != 0)
        i++;
    if (i == (int)(sizeof l->types / sizeof l->types[0]))
        return;
    if (i == l->type_count)
        l->types[l->type_count++].name = name;
    l->types[i].bytes += t->bytes;
}

/* "Q4_K, Q6_K": every type that holds at least a tenth of the bytes, the largest first. */
static void name_quantisation(struct loader *l)
{
    size_t total = 0;
    for (int i = 0; i < l->type_count; i++)
        total += l->types[i].bytes;
    char *out = l->model->quantisation, *end = out + sizeof l->model->quantisation;
    for (int n = 0; n < l->type_count; n++) {
        int best = 0;
        for (int i = 1; i < l->type_count; i++)
            if (l->types[i].bytes > l->types[best].bytes)
                best = i;
        if (l->types[best].bytes < total / 10 || l->types[best].bytes == 0 || end - out < 12)
            break;
        out += snprintf(out, (size_t)(end - out), "%s%s", n ? ", " : "", l->types[best].name);
        l->types[best].bytes = 0;
    }
}

/* Upload n floats as device memory that the model owns. */
static float *own_floats(struct loader *l, const float *host, int n)
{
    struct model *m = l->model;
    void **owned = realloc(m->owned, (m->owned_count + 1) * sizeof *owned);
    if (!owned) {
        error_set(l->error, ERROR_MEMORY, "out of memory");
        return NULL;
    }
    m->owned = owned;
    float *device = l->device->ops->alloc(l->device, (size_t)n * sizeof *device, l->error);
    if (!device)
        return NULL;
    m->owned[m->owned_count++] = device;
    l->device->ops->upload(l->stream, host, (size_t)n * sizeof *device, device);
    if (l->device->ops->stream_finish(l->stream, l->error) < 0)
        return NULL;
    return device;
}

static float *load_vector(struct loader *l, const char *name, int n, bool optional, int *status)
{
    const struct gguf_tensor *t = tensor_find(l, name, 0, n, optional);
    if (!t) {
        *status = gguf_tensor(l->file, name) || !optional ? ERROR_FORMAT : 0;
        return NULL;
    }
    *status = 0;
    count_weight(l, t);
    if (!l->device)
        return NULL;
    float *host = malloc((size_t)n * sizeof *host);
    if (!host) {
        *status = error_set(l->error, ERROR_MEMORY, "out of memory");
        return NULL;
    }
    dtype_info(t->type)->expand(t->data, host, (size_t)n);
    float *device = own_floats(l, host, n);
    free(host);
    if (!device)
        *status = ERROR_MEMORY;
    return device;
}

/* Fetch "NAME.weight" and, if there, "NAME.bias": a norm over `groups` groups of `width` columns. */
static int load_norm(struct loader *l, const char *name, int groups, int width, struct norm *norm)
{
    char full[64];
    int status;
    *norm = (struct norm){l->model->family->norm, groups, width, l->model->epsilon, NULL, NULL};
    snprintf(full, sizeof full, "%s.weight", name);
    norm->weight = load_vector(l, full, width, false, &status);
    if (status < 0)
        return status;
    snprintf(full, sizeof full, "%s.bias", name);
    norm->bias = load_vector(l, full, width, true, &status);
    return status;
}

static int load_layer_norm(struct loader *l, int index, const char *name, int groups, int width, struct norm *norm)
{
    char full[64];
    snprintf(full, sizeof full, "blk.%d.%s", index, name);
    return load_norm(l, full, groups, width, norm);
}

/* Rows first .. first + outputs - 1 of a tensor that has `total` rows. */
static int load_rows(struct loader *l, const char *name, int total, int first, int outputs, int inputs,
                     struct weight **weight)
{
    const struct gguf_tensor *t = tensor_find(l, name, total, inputs, false);
    if (!t)
        return l->error && l->error->code ? l->error->code : ERROR_FORMAT;
    if (first == 0)
        count_weight(l, t);
    if (!l->device)
        return 0;
    const char *data = (const char *)t->data + t->bytes / (size_t)total * (size_t)first;
    return l->device->ops->weight_new(l->device, t->type, outputs, inputs, data, weight, l->error);
}

static int load_linear(struct loader *l, int index, const char *name, int outputs, int inputs, struct linear *linear)
{
    char full[64];
    int status;
    snprintf(full, sizeof full, "blk.%d.%s.weight", index, name);
    if ((status = load_rows(l, full, outputs, 0, outputs, inputs, &linear->weight)) < 0)
        return status;
    snprintf(full, sizeof full, "blk.%d.%s.bias", index, name);
    linear->bias = load_vector(l, full, outputs, true, &status);
    return status;
}

/* Fetch `count` matrices that the file may have as one tensor, one after the other in its rows. */
static int load_fused(struct loader *l, int index, const char *name, int count, const int *outputs, int inputs,
                      struct linear **parts)
{
    char full[64];
    int total = 0, first = 0, status;
    for (int i = 0; i < count; i++)
        total += outputs[i];
    snprintf(full, sizeof full, "blk.%d.%s.weight", index, name);
    for (int i = 0; i < count; first += outputs[i++])
        if ((status = load_rows(l, full, total, first, outputs[i], inputs, &parts[i]->weight)) < 0)
            return status;
    snprintf(full, sizeof full, "blk.%d.%s.bias", index, name);
    float *bias = load_vector(l, full, total, true, &status);
    for (int i = 0; bias && i < count; bias += outputs[i++])
        parts[i]->bias = bias;
    return status;
}

static bool has_tensor(struct loader *l, int index, const char *name)
{
    char full[64];
    snprintf(full, sizeof full, "blk.%d.%s.weight", index, name);
    return gguf_tensor(l->file, full);
}

static int load_attention(struct loader *l, int index, struct layer *layer)
{
    const struct model *m = l->model;
    int q = m->heads * m->head_dim, kv = m->kv_heads * m->head_dim, status;
    if (has_tensor(l, index, "attn_qkv"))
        status = load_fused(l, index, "attn_qkv", 3, (int[]){q, kv, kv}, m->width,
                            (struct linear *[]){&layer->query, &layer->key, &layer->value});
    else if ((status = load_linear(l, index, "attn_q", q, m->width, &layer->query)) == 0 &&
             (status = load_linear(l, index, "attn_k", kv, m->width, &layer->key)) == 0)
        status = load_linear(l, index, "attn_v", kv, m->width, &layer->value);
    if (status == 0 && m->family->query_norm != QUERY_NORM_NONE) {
        bool whole = m->family->query_norm == QUERY_NORM_WHOLE;
        status = load_layer_norm(l, index, "attn_q_norm", whole ? 1 : m->heads, whole ? q : m->head_dim, &layer->query_norm);
        if (status == 0)
            status = load_layer_norm(l, index, "attn_k_norm", whole ? 1 : m->kv_heads, whole ? kv : m->head_dim,
                                     &layer->key_norm);
    }
    return status < 0 ? status : load_linear(l, index, "attn_output", m->width, q, &layer->output);
}

static int load_feed_forward(struct loader *l, int index, struct layer *layer)
{
    const struct model *m = l->model;
    int status;
    if (m->family->ungated)
        status = load_linear(l, index, "ffn_up", m->ffn, m->width, &layer->gate);
    else if (!has_tensor(l, index, "ffn_gate"))
        status = load_fused(l, index, "ffn_up", 2, (int[]){m->ffn, m->ffn}, m->width,
                            (struct linear *[]){&layer->gate, &layer->up});
    else if ((status = load_linear(l, index, "ffn_gate", m->ffn, m->width, &layer->gate)) == 0)
        status = load_linear(l, index, "ffn_up", m->ffn, m->width, &layer->up);
    return status < 0 ? status : load_linear(l, index, "ffn_down", m->width, m->ffn, &layer->down);
}

static int load_layer_norms(struct loader *l, int index, struct layer *layer)
{
    const struct model *m = l->model;
    const struct { bool wanted; const char *name; struct norm *norm; } norms[] = {
        {!m->family->no_pre_norms, "attn_norm", &layer->attention_norm},
        {m->family->post_norms, "post_attention_norm", &layer->attention_post},
        {!m->family->no_pre_norms, "ffn_norm", &layer->ffn_norm},
        {m->family->post_norms, "post_ffw_norm", &layer->ffn_post},
    };
    int status = 0;
    for (size_t i = 0; i < sizeof norms / sizeof norms[0] && status == 0; i++)
        if (norms[i].wanted)
            status = load_layer_norm(l, index, norms[i].name, 1, m->width, norms[i].norm);
    return status;
}

static int load_layer(struct loader *l, int index)
{
    struct model *m = l->model;
    struct layer checked = {0}, *layer = l->device ? &m->layer[index] : &checked;
    int status, period = m->family->unturned_period;
    layer->window = m->local[index] ? m->window : 0;
    layer->rotation = period && index % period == period - 1 ? ROTATION_NONE
                      : m->local[index]                      ? ROTATION_LOCAL
                                                             : ROTATION_GLOBAL;
    if ((status = load_layer_norms(l, index, layer)) < 0 || (status = load_attention(l, index, layer)) < 0)
        return status;
    return load_feed_forward(l, index, layer);
}

/* Divide a rotation's turns by the numbers of a tensor, if there is one. */
static int load_divisors(struct loader *l, const char *name, struct rotation *r)
{
    const struct gguf_tensor *t = r->pairs ? tensor_find(l, name, 0, r->pairs, true) : NULL;
    float divisor[ROTATION_PAIRS];
    if (!t)
        return r->pairs && gguf_tensor(l->file, name) ? ERROR_FORMAT : 0;
    dtype_info(t->type)->expand(t->data, divisor, (size_t)r->pairs);
    for (int i = 0; i < r->pairs; i++) {
        if (!(divisor[i] > 0))
            return error_set(l->error, ERROR_FORMAT, "%s holds a number that is not positive", name);
        r->turn[i] /= divisor[i];
    }
    return 0;
}

static int load_rotations(struct loader *l)
{
    struct model *m = l->model;
    int status;
    if ((status = load_divisors(l, "rope_freqs.weight", &m->rotation[ROTATION_GLOBAL])) < 0 ||
        (status = load_divisors(l, "rope_freqs.weight", &m->far)) < 0 ||
        (status = load_divisors(l, "rope_factors_short.weight", &m->rotation[ROTATION_GLOBAL])) < 0)
        return status;
    return load_divisors(l, "rope_factors_long.weight", &m->far);
}

static int load_ends(struct loader *l)
{
    struct model *m = l->model;
    int status;
    if ((status = load_rows(l, "token_embd.weight", m->vocabulary, 0, m->vocabulary, m->width, &m->embedding)) < 0 ||
        (status = load_norm(l, "output_norm", 1, m->width, &m->output_norm)) < 0)
        return status;
    if (m->family->learned_positions &&
        (status = load_rows(l, "position_embd.weight", m->context, 0, m->context, m->width, &m->place)) < 0)
        return status;
    struct weight *weight = m->embedding;
    if (gguf_tensor(l->file, "output.weight") &&
        (status = load_rows(l, "output.weight", m->vocabulary, 0, m->vocabulary, m->width, &weight)) < 0)
        return status;
    m->head.weight = weight;
    m->head.vocabulary = m->vocabulary;
    m->head.width = m->width;
    m->head.bias = load_vector(l, "output.bias", m->vocabulary, true, &status);
    return status;
}

static int load_all(struct loader *l)
{
    struct model *m = l->model;
    int status = model_describe(l->file, m, l->error);
    if (status < 0)
        return status;
    if (l->device && !(m->layer = calloc((size_t)m->layers, sizeof *m->layer)))
        return error_set(l->error, ERROR_MEMORY, "out of memory");
    if ((status = load_ends(l)) < 0 || (status = load_rotations(l)) < 0)
        return status;
    for (int i = 0; i < m->layers; i++)
        if ((status = load_layer(l, i)) < 0)
            return status;
    name_quantisation(l);
    return 0;
}

int model_check(const struct gguf *file, struct error *error)
{
    struct error own = {0};
    struct model *m = calloc(1, sizeof *m);
    if (!m)
        return error_set(error, ERROR_MEMORY, "out of memory");
    struct loader l = {.file = file, .model = m, .error = error ? error : &own};
    int status = load_all(&l);
    free(m);
    return status;
}

int model_load(const struct gguf *file, struct device *device, struct model **out, struct error *error)
{
    struct error own = {0};
    struct model *m = calloc(1, sizeof *m);
    if (!m)
        return error_set(error, ERROR_MEMORY, "out of memory");
    m->device = device;
    struct loader l = {.file = file, .device = device, .model = m, .error = error ? error : &own};
    int status = device->ops->stream_new(device, true, &l.stream, error);
    if (status == 0)
        status = load_all(&l);
    if (l.stream)
        device->ops->stream_free(l.stream);
    if (status < 0) {
        model_free(m);
        return status;
    }
    *out = m;
    return 0;
}

static void weight_free(struct model *m, struct weight *w)
{
    if (w)
        m->device->ops->weight_free(m->device, w);
}

void model_free(struct model *m)
{
    if (!m)
        return;
    if (m->head.weight != m->embedding)
        weight_free(m, (struct weight *)m->head.weight);
    weight_free(m, m->embedding);
    weight_free(m, m->place);
    for (int i = 0; m->layer && i < m->layers; i++) {
        struct layer *layer = &m->layer[i];
        struct linear *all[] = {&layer->query, &layer->key, &layer->value, &layer->output,
                                &layer->gate,  &layer->up,  &layer->down};
        for (size_t j = 0; j < sizeof all / sizeof all[0]; j++)
            weight_free(m, all[j]->weight);
    }
    for (size_t i = 0; i < m->owned_count; i++)
        m->device->ops->free(m->device, m->owned[i]);
    free(m->owned);
    free(m->layer);
    free(m);
}
