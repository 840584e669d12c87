#include "core/model.h"

#include <limits.h>
#include <math.h>
#include <stdio.h>

#include "core/family.h"
#include "core/gguf.h"
#include "core/hyper.h"

static void read_sizes(struct hyper *h, struct model *m)
{
    hyper_int(h, "block_count", 1, MODEL_LAYERS, &m->layers);
    hyper_int(h, "embedding_length", 1, 65536, &m->width);
    hyper_int(h, "attention.head_count", 1, 1024, &m->heads);
    hyper_int(h, "feed_forward_length", 1, 1 << 20, &m->ffn);
    hyper_int(h, "context_length", 1, 1 << 24, &m->context);
    if (h->status == 0 && (!m->layers || !m->width || !m->heads || !m->ffn || !m->context))
        h->status = error_set(h->error, ERROR_FORMAT,
                              "one of %s.block_count, embedding_length, attention.head_count, feed_forward_length and "
                              "context_length is missing; is this a vocabulary-only file?", m->architecture);
    if (h->status < 0)
        return;
    m->kv_heads = m->heads;
    m->head_dim = m->width / m->heads;
    hyper_int(h, "attention.head_count_kv", 1, 1024, &m->kv_heads);
    hyper_int(h, "attention.key_length", 1, 1024, &m->head_dim);
    int value_dim = m->head_dim;
    hyper_int(h, "attention.value_length", 1, 1024, &value_dim);
    if (h->status < 0)
        return;
    hyper_check(h, m->heads % m->kv_heads == 0, "numbers of heads");
    hyper_check(h, m->head_dim >= 1 && m->head_dim <= 1024 && value_dim == m->head_dim, "head sizes");
    const struct gguf_entry *tokens = gguf_find(h->file, "tokenizer.ggml.tokens");
    if (h->status == 0 && (!tokens || tokens->type != GGUF_ARRAY || tokens->element != GGUF_STRING ||
                           tokens->count < 1 || tokens->count > 1 << 24))
        h->status = error_set(h->error, ERROR_FORMAT, "the file has no usable list of tokens (tokenizer.ggml.tokens)");
    m->vocabulary = h->status == 0 ? (int)tokens->count : 0;
}

/* A number that must be positive; 0 in a file means `usual`. */
static float positive(struct hyper *h, const char *key, double usual)
{
    double value = 0;
    hyper_real(h, key, &value);
    hyper_check(h, value >= 0 && usual > 0, key);
    return (float)(value > 0 ? value : usual);
}

static float cap(struct hyper *h, const char *key, double usual)
{
    hyper_real(h, key, &usual);
    hyper_check(h, usual >= 0, key);
    return (float)usual;
}

static void read_numbers(struct hyper *h, struct model *m)
{
    const struct family *f = m->family;
    int scaled = m->layers == f->wide_scale_layers ? m->width / m->heads : m->head_dim;
    m->attention_scale = positive(h, "attention.scale", 1 / sqrt((double)scaled));
    m->score_cap = cap(h, "attn_logit_softcapping", f->score_cap);
    m->head.softcap = cap(h, "final_logit_softcapping", f->logit_cap);
    m->head.divisor = positive(h, "logit_scale", 1);
    m->residual_scale = positive(h, "residual_scale", 1);
    m->embedding_scale = positive(h, "embedding_scale", f->scaled_embedding ? sqrt((double)m->width) : 1);
    m->activation = f->activation;
    m->parallel = f->parallel;
    hyper_bool(h, "use_parallel_residual", &m->parallel);
    double epsilon = 1e-5;
    hyper_real(h, f->norm == NORM_RMS ? "attention.layer_norm_rms_epsilon" : "attention.layer_norm_epsilon", &epsilon);
    hyper_check(h, epsilon > 0 && epsilon < 1, "norm epsilon");
    m->epsilon = (float)epsilon;
}

/* Which layers see a window only: the file may list them, or say how often one does not. */
static void read_window(struct hyper *h, struct model *m)
{
    int period = m->family->window_period;
    if (period == 0)
        return;
    hyper_int(h, "attention.sliding_window", 0, 1 << 24, &m->window);
    const struct gguf_entry *list = hyper_find(h, "attention.sliding_window_pattern");
    bool listed = list && list->type == GGUF_ARRAY;
    if (listed)
        hyper_check(h,
                    list->element != GGUF_STRING && list->element != GGUF_ARRAY && list->count >= (uint64_t)m->layers,
                    "layers with a sliding window");
    else
        hyper_int(h, "attention.sliding_window_pattern", 1, EVERY_LAYER, &period);
    if (h->status < 0 || m->window == 0)
        return;
    for (int l = 0; l < m->layers; l++)
        m->local[l] = listed ? gguf_element_int(list, (uint64_t)l) != 0 : l % period < period - 1;
}

/* Queries far away may be scaled by the logarithm of their position, from the original context's end on: such a model
 * is used up to there. */
static void read_context(struct hyper *h, struct model *m)
{
    double temperature = 0;
    int original = m->context;
    hyper_real(h, "attention.temperature_scale", &temperature);
    hyper_int(h, "rope.scaling.original_context_length", 1, 1 << 24, &original);
    if (temperature != 0 && original < m->context)
        m->context = original;
    m->near_context = original < m->context ? original : m->context;
}

static void read_rotations(struct hyper *h, struct model *m)
{
    const struct family *f = m->family;
    bool turned = f->rope != ROPE_NONE;
    if (f->rope_optional)
        hyper_bool(h, "rope.scaling.finetuned", &turned);
    if (!turned)
        return;
    rotation_read(h, m->head_dim, f->rope == ROPE_HALVES, &m->rotation[ROTATION_GLOBAL]);
    if (m->window > 0)
        rotation_read_local(h, f->local_base, &m->rotation[ROTATION_GLOBAL], &m->rotation[ROTATION_LOCAL]);
    m->far = m->rotation[ROTATION_GLOBAL];
}

int model_describe(const struct gguf *file, struct model *m, struct error *error)
{
    m->family = family_find(file, error);
    if (!m->family)
        return error->code;
    snprintf(m->architecture, sizeof m->architecture, "%s", m->family->name);
    struct hyper h = {.file = file, .architecture = m->architecture, .error = error};
    int experts = 0;
    hyper_int(&h, "expert_count", 0, INT32_MAX, &experts);
    if (h.status == 0 && experts > 0)
        return error_set(error, ERROR_UNSUPPORTED, "a mixture of experts (%s.expert_count = %d) is not supported",
                         m->architecture, experts);
    read_sizes(&h, m);
    if (h.status == 0) {
        read_numbers(&h, m);
        read_window(&h, m);
        read_context(&h, m);
        read_rotations(&h, m);
    }
    return h.status;
}

const struct rotation *model_rotation(const struct model *m, enum layer_rotation which, int positions)
{
    return which == ROTATION_GLOBAL && positions > m->near_context ? &m->far : &m->rotation[which];
}
