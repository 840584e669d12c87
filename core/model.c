#include "core/model.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/gguf.h"

/* What sets the families apart that this program runs. */
struct family {
    const char *name;
    bool rope_neox;
    enum activation activation;
};

static const struct family families[] = {
    {"llama", false, ACTIVATION_SILU}, /* Llama 1 to 3, Mistral, TinyLlama, Vicuna, SmolLM: converters permuted q and k */
};

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

static int hyper_int(struct loader *l, const char *key, int64_t low, int64_t high, int *value)
{
    char name[128];
    snprintf(name, sizeof name, "%s.%s", l->model->architecture, key);
    int64_t wide = *value;
    int status = gguf_int(l->file, name, low, high, &wide, l->error);
    *value = (int)wide;
    return status;
}

static int hyper_float(struct loader *l, const char *key, double *value)
{
    char name[128];
    snprintf(name, sizeof name, "%s.%s", l->model->architecture, key);
    return gguf_float(l->file, name, value, l->error);
}

/* A key whose mere presence with a value other than `harmless` means a model we would compute wrongly. */
static int refuse_int(struct loader *l, const char *key, int harmless, const char *what)
{
    int value = harmless;
    int status = hyper_int(l, key, 0, INT32_MAX, &value);
    if (status == 0 && value != harmless)
        status = error_set(l->error, ERROR_UNSUPPORTED, "%s (%s.%s = %d) is not supported", what, l->model->architecture,
                           key, value);
    return status;
}

static const struct family *family_find(struct loader *l)
{
    struct gguf_string name = {"", 0};
    if (gguf_text(l->file, "general.architecture", &name, l->error) < 0)
        return NULL;
    for (size_t i = 0; i < sizeof families / sizeof families[0]; i++)
        if (name.length == strlen(families[i].name) && memcmp(name.data, families[i].name, name.length) == 0)
            return &families[i];
    error_set(l->error, ERROR_UNSUPPORTED, "architecture \"%.*s\" is not supported; supported: llama", (int)name.length,
              name.data);
    return NULL;
}

static int check_range(struct loader *l, bool ok, const char *what)
{
    return ok ? 0 : error_set(l->error, ERROR_FORMAT, "the model's %s make no sense together", what);
}

static int read_rope(struct loader *l)
{
    struct model *m = l->model;
    int rotated = m->head_dim, status;
    if ((status = hyper_int(l, "rope.dimension_count", 2, m->head_dim, &rotated)) < 0)
        return status;
    if ((status = check_range(l, rotated % 2 == 0, "head size and RoPE dimensions")) < 0)
        return status;
    m->rope_pairs = rotated / 2;
    m->rope_base = 10000;
    m->rope_scale = 1;
    double old_scale = 1;
    if ((status = hyper_float(l, "rope.freq_base", &m->rope_base)) < 0 ||
        (status = hyper_float(l, "rope.scale_linear", &old_scale)) < 0)
        return status;
    char name[128];
    snprintf(name, sizeof name, "%s.rope.scaling.type", m->architecture);
    struct gguf_string type = {"linear", 6};
    if ((status = gguf_text(l->file, name, &type, l->error)) < 0)
        return status;
    bool linear = type.length == 6 && memcmp(type.data, "linear", 6) == 0;
    if (!linear && !(type.length == 4 && memcmp(type.data, "none", 4) == 0))
        return error_set(l->error, ERROR_UNSUPPORTED, "RoPE scaling \"%.*s\" is not supported", (int)type.length, type.data);
    double factor = old_scale;
    if (linear && (status = hyper_float(l, "rope.scaling.factor", &factor)) < 0)
        return status;
    if (factor > 0)
        m->rope_scale = 1 / factor;
    return check_range(l, m->rope_base > 0 && factor >= 0, "RoPE settings");
}

static int read_hyper_parameters(struct loader *l)
{
    struct model *m = l->model;
    const struct family *family = family_find(l);
    if (!family)
        return l->error && l->error->code ? l->error->code : ERROR_UNSUPPORTED;
    snprintf(m->architecture, sizeof m->architecture, "%s", family->name);
    m->rope_neox = family->rope_neox;
    m->activation = family->activation;

    int status;
    if ((status = hyper_int(l, "block_count", 1, 512, &m->layers)) < 0 ||
        (status = hyper_int(l, "embedding_length", 1, 65536, &m->width)) < 0 ||
        (status = hyper_int(l, "attention.head_count", 1, 1024, &m->heads)) < 0 ||
        (status = hyper_int(l, "feed_forward_length", 1, 1 << 20, &m->ffn)) < 0 ||
        (status = hyper_int(l, "context_length", 1, 1 << 24, &m->context)) < 0)
        return status;
    if (!m->layers || !m->width || !m->heads || !m->ffn || !m->context)
        return error_set(l->error, ERROR_FORMAT,
                         "one of %s.block_count, embedding_length, attention.head_count, feed_forward_length and "
                         "context_length is missing; is this a vocabulary-only file?", m->architecture);
    m->kv_heads = m->heads;
    m->head_dim = m->width / m->heads;
    if ((status = hyper_int(l, "attention.head_count_kv", 1, 1024, &m->kv_heads)) < 0 ||
        (status = hyper_int(l, "attention.key_length", 1, 1024, &m->head_dim)) < 0)
        return status;
    int value_dim = m->head_dim;
    if ((status = hyper_int(l, "attention.value_length", 1, 1024, &value_dim)) < 0 ||
        (status = check_range(l, m->heads % m->kv_heads == 0, "numbers of heads")) < 0 ||
        (status = check_range(l, m->head_dim >= 1 && m->head_dim <= 1024 && value_dim == m->head_dim, "head sizes")) < 0 ||
        (status = refuse_int(l, "expert_count", 0, "a mixture of experts")) < 0)
        return status;
    double scale = 1 / sqrt((double)m->head_dim), epsilon = 1e-5;
    if ((status = hyper_float(l, "attention.scale", &scale)) < 0 ||
        (status = hyper_float(l, "attention.layer_norm_rms_epsilon", &epsilon)) < 0 ||
        (status = check_range(l, epsilon > 0 && epsilon < 1 && scale > 0, "attention scale and norm epsilon")) < 0)
        return status;
    m->attention_scale = (float)scale;
    m->output_norm.epsilon = (float)epsilon;

    const struct gguf_entry *tokens = gguf_find(l->file, "tokenizer.ggml.tokens");
    if (!tokens || tokens->type != GGUF_ARRAY || tokens->element != GGUF_STRING || tokens->count < 1 ||
        tokens->count > 1 << 24)
        return error_set(l->error, ERROR_FORMAT, "the file has no usable list of tokens (tokenizer.ggml.tokens)");
    m->vocabulary = (int)tokens->count;
    return read_rope(l);
}

/* -- tensors ------------------------------------------------------------------------------------------------------- */

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

static int load_norm(struct loader *l, const char *name, struct norm *norm)
{
    int status;
    *norm = (struct norm){NORM_RMS, 1, l->model->width, l->model->output_norm.epsilon, NULL, NULL};
    norm->weight = load_vector(l, name, l->model->width, false, &status);
    return status;
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

/* Query, key and value, from one tensor with the rows [Q | K | V] or from three. */
static int load_qkv(struct loader *l, int index, struct layer *layer)
{
    struct model *m = l->model;
    int q = m->heads * m->head_dim, kv = m->kv_heads * m->head_dim, status;
    char fused[64];
    snprintf(fused, sizeof fused, "blk.%d.attn_qkv.weight", index);
    if (!gguf_tensor(l->file, fused)) {
        if ((status = load_linear(l, index, "attn_q", q, m->width, &layer->query)) < 0 ||
            (status = load_linear(l, index, "attn_k", kv, m->width, &layer->key)) < 0)
            return status;
        return load_linear(l, index, "attn_v", kv, m->width, &layer->value);
    }
    int total = q + 2 * kv;
    if ((status = load_rows(l, fused, total, 0, q, m->width, &layer->query.weight)) < 0 ||
        (status = load_rows(l, fused, total, q, kv, m->width, &layer->key.weight)) < 0 ||
        (status = load_rows(l, fused, total, q + kv, kv, m->width, &layer->value.weight)) < 0)
        return status;
    snprintf(fused, sizeof fused, "blk.%d.attn_qkv.bias", index);
    float *bias = load_vector(l, fused, total, true, &status);
    if (bias) {
        layer->query.bias = bias;
        layer->key.bias = bias + q;
        layer->value.bias = bias + q + kv;
    }
    return status;
}

static int load_layer(struct loader *l, int index)
{
    struct model *m = l->model;
    struct layer checked = {0}, *layer = l->device ? &m->layer[index] : &checked;
    char name[64];
    int status;
    snprintf(name, sizeof name, "blk.%d.attn_norm.weight", index);
    if ((status = load_norm(l, name, &layer->attention_norm)) < 0)
        return status;
    snprintf(name, sizeof name, "blk.%d.ffn_norm.weight", index);
    if ((status = load_norm(l, name, &layer->ffn_norm)) < 0 || (status = load_qkv(l, index, layer)) < 0 ||
        (status = load_linear(l, index, "attn_output", m->width, m->heads * m->head_dim, &layer->output)) < 0 ||
        (status = load_linear(l, index, "ffn_gate", m->ffn, m->width, &layer->gate)) < 0 ||
        (status = load_linear(l, index, "ffn_up", m->ffn, m->width, &layer->up)) < 0)
        return status;
    return load_linear(l, index, "ffn_down", m->width, m->ffn, &layer->down);
}

static int load_rope_divisors(struct loader *l)
{
    struct model *m = l->model;
    const struct gguf_tensor *t = tensor_find(l, "rope_freqs.weight", 0, m->rope_pairs, true);
    if (!t && gguf_tensor(l->file, "rope_freqs.weight"))
        return ERROR_FORMAT;
    if (!l->device)
        return 0;
    m->rope_divisor = malloc((size_t)m->rope_pairs * sizeof *m->rope_divisor);
    if (!m->rope_divisor)
        return error_set(l->error, ERROR_MEMORY, "out of memory");
    for (int i = 0; i < m->rope_pairs; i++)
        m->rope_divisor[i] = 1;
    if (t)
        dtype_info(t->type)->expand(t->data, m->rope_divisor, (size_t)m->rope_pairs);
    for (int i = 0; i < m->rope_pairs; i++)
        if (!(m->rope_divisor[i] > 0))
            return error_set(l->error, ERROR_FORMAT, "rope_freqs.weight holds a number that is not positive");
    return 0;
}

static int load_head(struct loader *l)
{
    struct model *m = l->model;
    int status;
    if ((status = load_rows(l, "token_embd.weight", m->vocabulary, 0, m->vocabulary, m->width, &m->embedding)) < 0 ||
        (status = load_norm(l, "output_norm.weight", &m->output_norm)) < 0)
        return status;
    struct weight *weight = m->embedding;
    if (gguf_tensor(l->file, "output.weight") &&
        (status = load_rows(l, "output.weight", m->vocabulary, 0, m->vocabulary, m->width, &weight)) < 0)
        return status;
    m->head = (struct head){weight, NULL, m->vocabulary, m->width, 1, 0};
    m->head.bias = load_vector(l, "output.bias", m->vocabulary, true, &status);
    return status;
}

static int load_all(struct loader *l)
{
    int status = read_hyper_parameters(l);
    if (status < 0)
        return status;
    struct model *m = l->model;
    if (l->device && !(m->layer = calloc((size_t)m->layers, sizeof *m->layer)))
        return error_set(l->error, ERROR_MEMORY, "out of memory");
    if ((status = load_head(l)) < 0 || (status = load_rope_divisors(l)) < 0)
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
    struct model model = {0};
    struct loader l = {.file = file, .model = &model, .error = error ? error : &own};
    return load_all(&l);
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
    free(m->rope_divisor);
    free(m);
}

void model_rope_tables(const struct model *m, int first, int positions, float *cosine, float *sine)
{
    for (int p = 0; p < positions; p++)
        for (int i = 0; i < m->rope_pairs; i++) {
            double turn = pow(m->rope_base, -(double)i / m->rope_pairs) / m->rope_divisor[i] * m->rope_scale;
            double angle = (first + p) * turn;
            cosine[(size_t)p * (size_t)m->rope_pairs + (size_t)i] = (float)cos(angle);
            sine[(size_t)p * (size_t)m->rope_pairs + (size_t)i] = (float)sin(angle);
        }
}
