/* decoder.h: the forward pass in values, layer by layer, and the baseline it leaves behind.
 *
 * Owns the baseline of one token sequence: the activations of every layer that the probes are differences to.  They are
 * kept for all layers where memory allows; else only keys and values are, and whoever needs a layer's activations
 * recomputes them from the layer before (baseline_layer()).  Knows nothing of units or relevance. */
#ifndef CORE_DECODER_H
#define CORE_DECODER_H

#include <stdatomic.h>
#include <stdbool.h>

#include "core/model.h"
#include "core/pool.h"
#include "core/sight.h"

/* Activations of one layer, indexed by position; [positions, ...] f32 on the device.  What feeds a norm that the model
 * does not have is NULL, and so is `up` where there is none. */
struct activations {
    float *input;                   /* width: the residual stream as it enters */
    float *query;                   /* heads * head_dim, after RoPE */
    float *plain_query, *plain_key; /* heads * head_dim, kv_heads * head_dim: before their norms and RoPE */
    float *attended;                /* heads * head_dim: attention output before the output projection */
    float *attention_branch;        /* width: what attention adds, before its norm */
    float *middle;                  /* width: the residual stream between attention and feed-forward */
    float *gate, *up;               /* ffn */
    float *ffn_branch;              /* width: what feed-forward adds, before its norm */
};

/* Scratch of one stream running values. */
struct decoder_scratch {
    float *wide;   /* [rows, max(ffn, heads * head_dim)] */
    float *narrow; /* [rows, width] */
};

/* One sequence of tokens and what the model made of it. */
struct baseline {
    const struct model *model;
    struct pool pool;          /* keys, values, tables, the shared activations */
    int capacity, count;       /* positions there is room for, positions run */
    int32_t *ids;              /* host [capacity]: the tokens fed, and rows of pictures */
    int32_t *position;         /* 0, 1, 2, ... [capacity] */
    struct rope rope[ROTATIONS]; /* with tables for all of `capacity`; heads is not set */
    float *key, *value;        /* [layers, capacity, kv_heads * head_dim] */
    float *final;              /* [capacity, width]: the residual stream after the last layer */
    float *embedded;           /* [capacity, width]: the tokens' embeddings, the pictures' rows */
    float *place;              /* [capacity, width]: learned positions, which join them; NULL: none */
    bool kept;                 /* activations of all layers are there */
    struct pool *layer_pool;   /* [layers] if kept, else [1] */
    struct activations *layer; /* [layers] if kept, else [1] scratch of the baseline's own passes */
    struct decoder_scratch scratch;
    const struct picture_rows *pictures; /* [picture_count] what ids below 0 mean */
    int picture_count;
    struct sight sight;
};

/* The bytes that a baseline takes, with the activations of all layers or of one. */
size_t baseline_bytes(const struct model *, int capacity, bool keep);
/* Room for `capacity` positions.  keep: the activations of all layers are kept. */
int baseline_new(const struct model *, int capacity, bool keep, struct baseline **, struct error *);
void baseline_free(struct baseline *); /* NULL ok */

/* Settings of a pass in values that departs from the plain one: multipliers of keys in some layers. */
struct steering {
    const float *factor; /* device [positions of the pass] */
    enum suppression suppression;
    int first_layer, last_layer;
};

/* What the ids below 0 stand for in the runs to come.  The array and its rows are the caller's, and must stay as long
 * as such runs; what was run before keeps its own copy of the rows. */
void baseline_pictures(struct baseline *, const struct picture_rows *, int n);

/* Feed ids[0 .. n - 1] at positions count .. count + n - 1.  n + count <= capacity.  ERROR_ARGUMENT for an id below 0
 * that is no picture's, and for a part of a mutual picture.
 * steering NULL: the plain pass.  cancelled is looked at between layers (NULL: never): ERROR_CANCELLED, count
 * unchanged. */
int baseline_run(struct baseline *, struct stream *, const int32_t *ids, int n, const struct steering *,
                 const atomic_bool *cancelled, struct error *);

/* Begin with the first `count` positions of another baseline of this model, as far as there is room; of a mutual
 * picture that this would cut nothing is taken, so that afterwards b->count may be less.  Their `final` and activations
 * are not there. */
int baseline_borrow(struct baseline *, struct stream *, const struct baseline *from, int count, struct error *);

/* Run positions first .. count - 1 once more, among the keys and values that are there and that stay.  `final` and the
 * activations of these positions are then the steered pass's. */
int baseline_run_again(struct baseline *, struct stream *, int first, const struct steering *,
                       const atomic_bool *cancelled, struct error *);

/* Forget all positions from `count` on; of a mutual picture that this would cut nothing is left, so that afterwards
 * baseline->count may be less than was asked for. */
void baseline_truncate(struct baseline *, int count);

/* Logits after position p -> host [vocabulary].  scratch is the stream's; p < count. */
int baseline_logits(struct baseline *, struct stream *, int p, float *logits, struct error *);

/* What it takes to walk through the layers of a baseline that keeps none: the input of the layer to come.  The
 * activations of the current one are in the baseline's own scratch: one walks at a time, and no run beside it. */
struct walker {
    struct pool pool;
    float *next;
};
int walker_new(const struct baseline *, struct walker **, struct error *); /* NULL where all is kept */
void walker_free(struct walker *);                                         /* NULL ok */

/* The activations of layer l.  With a walker, l must be 0, or one more than in the call before, and the stream wide. */
const struct activations *baseline_layer(const struct baseline *, struct walker *, struct stream *, int l);

/* This layer's attention as the device wants it, over the first `positions` keys. */
struct attention baseline_attention(const struct baseline *, int l, int positions);
struct rope baseline_rope(const struct baseline *, int l, int heads);
/* Host [count, 2]: the first and last key that each position sees where there is no window; NULL: those before it. */
const int32_t *baseline_sees(const struct baseline *);

#endif
