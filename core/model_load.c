/* The tensors of a model: each is fetched by its name and its exact shape. */
#include "core/model.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/family.h"
#include "core/gguf.h"

/* Everything that loading needs at hand. */
struct loader {
    struct tensors t;
    struct model *model;
};

enum { NAME = 64 };

static const char *layer_name(char out[NAME], int index, const char *name)
{
    snprintf(out, NAME, "blk.%d.%s", index, name);
    return out;
}

/* A norm over `groups` groups of `width` columns. */
static int load_norm(struct loader *l, const char *name, int groups, int width, struct norm *norm)
{
    *norm = (struct norm){l->model->family->norm, groups, width, l->model->epsilon, NULL, NULL};
    return tensors_norm(&l->t, name, norm);
}

static int load_layer_norm(struct loader *l, int index, const char *name, int groups, int width, struct norm *norm)
{
    char full[NAME];
    return load_norm(l, layer_name(full, index, name), groups, width, norm);
}

static int load_linear(struct loader *l, int index, const char *name, int outputs, int inputs, struct linear *linear)
{
    char full[NAME];
    return tensors_linear(&l->t, layer_name(full, index, name), outputs, inputs, linear);
}

/* Matrices that the file may have as one tensor. */
static int load_fused(struct loader *l, int index, const char *name, int count, const int *outputs, int inputs,
                      struct linear **parts)
{
    char full[NAME];
    return tensors_fused(&l->t, layer_name(full, index, name), count, outputs, inputs, parts);
}

static bool has_tensor(struct loader *l, int index, const char *name)
{
    char full[NAME];
    snprintf(full, sizeof full, "blk.%d.%s.weight", index, name);
    return tensors_have(&l->t, full);
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
        status = load_layer_norm(l, index, "attn_q_norm", whole ? 1 : m->heads, whole ? q : m->head_dim,
                                 &layer->query_norm);
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
    struct layer checked = {0}, *layer = l->t.device ? &m->layer[index] : &checked;
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
    const struct gguf_tensor *t = r->pairs ? tensors_find(&l->t, name, 0, r->pairs, true) : NULL;
    float divisor[ROTATION_PAIRS];
    if (!t)
        return r->pairs && tensors_have(&l->t, name) ? l->t.error->code : 0;
    dtype_info(t->type)->expand(t->data, divisor, (size_t)r->pairs);
    for (int i = 0; i < r->pairs; i++) {
        if (!(divisor[i] > 0))
            return error_set(l->t.error, ERROR_FORMAT, "%s holds a number that is not positive", name);
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
    if ((status = tensors_rows(&l->t, "token_embd.weight", m->vocabulary, 0, m->vocabulary, m->width,
                               &m->embedding)) < 0 ||
        (status = load_norm(l, "output_norm", 1, m->width, &m->output_norm)) < 0)
        return status;
    if (m->family->learned_positions &&
        (status = tensors_rows(&l->t, "position_embd.weight", m->context, 0, m->context, m->width, &m->place)) < 0)
        return status;
    struct weight *weight = m->embedding;
    if (tensors_have(&l->t, "output.weight") &&
        (status = tensors_rows(&l->t, "output.weight", m->vocabulary, 0, m->vocabulary, m->width, &weight)) < 0)
        return status;
    m->head.weight = weight;
    m->head.vocabulary = m->vocabulary;
    m->head.width = m->width;
    float *bias;
    status = tensors_floats(&l->t, "output.bias", 0, m->vocabulary, true, &bias);
    m->head.bias = bias;
    return status;
}

/* What the device cannot do is said before anything is uploaded. */
static int check_device(const struct loader *l)
{
    const struct device_info *info = l->t.device ? l->t.device->ops->info(l->t.device) : NULL;
    if (!info || info->head_dim == 0 || l->model->head_dim <= info->head_dim)
        return 0;
    return error_set(l->t.error, ERROR_UNSUPPORTED,
                     "its heads have %d columns, and the %s device takes up to %d; use --device cpu",
                     l->model->head_dim, info->kind, info->head_dim);
}

static int load_all(struct loader *l)
{
    struct model *m = l->model;
    int status = model_describe(l->t.file, m, l->t.error);
    if (status < 0 || (status = check_device(l)) < 0)
        return status;
    if (l->t.device && !(m->layer = calloc((size_t)m->layers, sizeof *m->layer)))
        return error_set(l->t.error, ERROR_MEMORY, "out of memory");
    if ((status = load_ends(l)) < 0 || (status = load_rotations(l)) < 0)
        return status;
    for (int i = 0; i < m->layers; i++)
        if ((status = load_layer(l, i)) < 0)
            return status;
    tensors_quantisation(&l->t, m->quantisation, sizeof m->quantisation);
    m->parameters = l->t.parameters;
    m->weight_bytes = l->t.weight_bytes;
    return 0;
}

int model_check(const struct gguf *file, struct error *error)
{
    struct error own = {0};
    struct model *m = calloc(1, sizeof *m);
    if (!m)
        return error_set(error, ERROR_MEMORY, "out of memory");
    struct loader l = {.t = {.file = file, .held = &m->held, .error = error ? error : &own}, .model = m};
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
    m->file = file;
    struct loader l = {.t = {.file = file, .device = device, .held = &m->held, .error = error ? error : &own},
                       .model = m};
    int status = device->ops->stream_new(device, true, &l.t.stream, error);
    if (status == 0)
        status = load_all(&l);
    if (l.t.stream)
        device->ops->stream_free(l.t.stream);
    if (status < 0) {
        model_free(m);
        return status;
    }
    model_let_go(m);
    *out = m;
    return 0;
}

void model_let_go(const struct model *m)
{
    gguf_let_go(m->file);
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
    holdings_free(&m->held, m->device);
    free(m->layer);
    free(m);
}
