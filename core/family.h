/* family.h: what sets the families of decoders apart, one row of facts for each (general.architecture).
 *
 * Only what a file does not say itself stands here; numbers that it may say are defaults.  How a row is run is
 * decoder.h's and probe.h's business. */
#ifndef CORE_FAMILY_H
#define CORE_FAMILY_H

#include "gpu/device.h"

struct gguf;

enum family_rope { ROPE_NONE, ROPE_PAIRS, ROPE_HALVES }; /* columns (2i, 2i + 1) of a head, or (i, i + half) */
enum family_query_norm { QUERY_NORM_NONE, QUERY_NORM_HEADS, QUERY_NORM_WHOLE };

enum { EVERY_LAYER = 1 << 20 };

struct family {
    const char *name;
    enum norm_kind norm;
    enum activation activation;
    bool ungated;          /* the feed-forward half has one matrix before the activation, not two */
    bool no_pre_norms;     /* the branches read the residual stream as it is */
    bool post_norms;       /* what the branches add is normalised */
    bool parallel;         /* both branches read the layer's input, unless the file says otherwise */
    bool scaled_embedding; /* by the root of the width */
    bool learned_positions;
    enum family_query_norm query_norm; /* of queries and keys, before RoPE */
    enum family_rope rope;
    bool rope_optional;    /* none where rope.scaling.finetuned is false */
    int unturned_period;   /* of every so many layers the last has no RoPE; 0: all have */
    int window_period;     /* of every so many layers all but the last see a window only; 0: windows are ignored */
    double local_base;     /* RoPE's in layers with a window; 0: the other layers' */
    double score_cap, logit_cap;
    int wide_scale_layers; /* the member with so many layers divides scores by the root of width / heads */
};

/* The file's family; NULL with ERROR_UNSUPPORTED, which names it and says why where that is known. */
const struct family *family_find(const struct gguf *, struct error *);

#endif
