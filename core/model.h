/* model.h: what a decoder is made of, and how it is loaded from a GGUF file onto a device.
 *
 * Owns hyper-parameters and weights, nothing that changes while the model runs.  A family (general.architecture) is a
 * row of facts in model.c, not code of its own.  Thread: immutable once loaded. */
#ifndef CORE_MODEL_H
#define CORE_MODEL_H

#include <stddef.h>
#include <stdint.h>

#include "gpu/device.h"

struct gguf;

/* y = x . weight^T + bias; bias NULL: none */
struct linear {
    struct weight *weight;
    float *bias;
};

struct layer {
    struct norm attention_norm, ffn_norm;
    struct linear query, key, value, output;
    struct linear gate, up, down;
};

struct model {
    struct device *device;
    char architecture[32];
    int layers, width, heads, kv_heads, head_dim, ffn, vocabulary, context;
    float attention_scale;
    enum activation activation;
    /* RoPE: pairs rotated of each head, base, and for every pair the factor its angle is divided by */
    int rope_pairs;
    bool rope_neox;
    double rope_base, rope_scale;
    float *rope_divisor; /* host [rope_pairs] */

    struct weight *embedding; /* [vocabulary, width] */
    struct layer *layer;      /* [layers] */
    struct norm output_norm;
    struct head head;

    uint64_t parameters;
    size_t weight_bytes;
    char quantisation[32];

    void **owned; /* device memory of norms and biases */
    size_t owned_count;
};

/* Whether the file holds a model this program can run: 0, or ERROR_UNSUPPORTED / ERROR_FORMAT with the reason.
 * Looks at metadata and shapes only; needs no device. */
int model_check(const struct gguf *, struct error *);

/* Load onto device.  gguf must stay open as long as the model. */
int model_load(const struct gguf *, struct device *, struct model **, struct error *);
void model_free(struct model *); /* NULL ok */

/* cos and sin of every position's rotation, host arrays [positions, rope_pairs] (engine.md 3.4). */
void model_rope_tables(const struct model *, int first, int positions, float *cosine, float *sine);

#endif
