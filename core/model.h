/* model.h: what a decoder is made of, and how it is loaded from a GGUF file onto a device.
 *
 * Owns hyper-parameters and weights, nothing that changes while the model runs.  One description fits every family
 * (general.architecture); what sets a family apart is a row of facts in family.c.  model.c reads the description,
 * model_load.c the tensors.  Thread: immutable once loaded. */
#ifndef CORE_MODEL_H
#define CORE_MODEL_H

#include <stddef.h>
#include <stdint.h>

#include "core/rotation.h"
#include "core/tensors.h"
#include "gpu/device.h"

struct family;
struct gguf;

enum layer_rotation { ROTATION_NONE, ROTATION_GLOBAL, ROTATION_LOCAL, ROTATIONS };

/* A layer, x being the residual stream, s the model's residual_scale, and a missing norm (weight NULL) doing nothing:
 *     q, k, v = query_norm(W_q h), key_norm(W_k h), W_v h    with h = attention_norm(x); q and k turned by rotation
 *     x      += s attention_post(W_o attention(q, k, v))
 *     x      += s ffn_post(W_down (activation(W_gate h) * W_up h))    with h = ffn_norm(x); without W_up no product
 * In a parallel model the second h is taken from the x with which the layer began. */
struct layer {
    struct norm attention_norm, query_norm, key_norm, attention_post;
    struct norm ffn_norm, ffn_post;
    struct linear query, key, value, output;
    struct linear gate, up, down;
    int window; /* a query sees so many keys, itself included; 0: all before it */
    enum layer_rotation rotation;
};

enum { MODEL_LAYERS = 512 };

struct model {
    struct device *device;
    const struct gguf *file;
    char architecture[32];
    const struct family *family;
    int layers, width, heads, kv_heads, head_dim, ffn, vocabulary, context;
    float epsilon;
    float attention_scale, score_cap; /* of struct attention */
    float embedding_scale, residual_scale;
    bool parallel;
    enum activation activation;
    int window;               /* of the layers that have one */
    bool local[MODEL_LAYERS]; /* which have */

    struct rotation rotation[ROTATIONS];
    struct rotation far; /* takes the place of ROTATION_GLOBAL in sequences longer than near_context */
    int near_context;

    struct weight *embedding; /* [vocabulary, width] */
    struct weight *place;     /* [context, width] learned positions, added to the embedding; NULL: none */
    struct layer *layer;      /* [layers] */
    struct norm output_norm;
    struct head head;

    uint64_t parameters;
    size_t weight_bytes;
    char quantisation[32];

    struct holdings held; /* norms and biases */
};

/* Whether the file holds a model this program can run: 0, or ERROR_UNSUPPORTED / ERROR_FORMAT with the reason.
 * Looks at metadata and shapes only; needs no device. */
int model_check(const struct gguf *, struct error *);

/* Load onto device.  gguf must stay open as long as the model. */
int model_load(const struct gguf *, struct device *, struct model **, struct error *);
void model_free(struct model *); /* NULL ok */
/* The weights that were used last will not be soon: the memory of the file's pages may be wanted for other things.
 * Thread: any. */
void model_let_go(const struct model *);

/* How a layer's heads are turned in a sequence of so many positions. */
const struct rotation *model_rotation(const struct model *, enum layer_rotation, int positions);

/* model_load.c's part of the above: fill in m's description from the metadata; m is zeroed.  error is not NULL. */
int model_describe(const struct gguf *, struct model *m, struct error *error);

#endif
