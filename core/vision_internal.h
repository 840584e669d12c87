/* vision_internal.h: what a vision tower is made of; for vision_describe.c, vision_load.c and vision.c, which describe,
 * load and run it. */
#ifndef CORE_VISION_INTERNAL_H
#define CORE_VISION_INTERNAL_H

#include "core/prepare.h"
#include "core/tensors.h"
#include "core/vision.h"

/* From a tower's rows to the decoder's:
 *     mlp       second(gelu(first x))
 *     mlp_norm  norm[1](second(gelu(norm[0](first x))))    what Yi's file calls mlp as well
 *     idefics3  first x, x being merge * merge neighbours side by side
 *     gemma3    first norm[0](x), x being the average of merge * merge neighbours */
enum projector { PROJECTOR_MLP, PROJECTOR_MLP_NORM, PROJECTOR_IDEFICS3, PROJECTOR_GEMMA3 };

/* x += output(attention(query h, key h, value h)) with h = norm[0](x)
 * x += down(activation(up h)) with h = norm[1](x) */
struct tower_layer {
    struct norm norm[2];
    struct linear query, key, value, output, up, down;
};

/* Of files that are believed: what one picture may cost at most.  Gemma 3 has 27 layers, 896 pixels, 4,096 patches,
 * width 1,152. */
enum {
    VISION_LAYERS = 256,
    VISION_SIDE = 2048,
    VISION_PATCH = 256,
    VISION_PATCHES = 16384,
    VISION_STATE = 1 << 26, /* numbers of all patches */
    VISION_WIDTH = 8192,    /* of a row of the tower */
    VISION_TOKEN = 65536,   /* of a token on its way through the projector */
    VISION_HEAD = 256,
    VISION_FFN = 65536,
    VISION_FEATURES = 8,
    VISION_MERGE = 8,
    VISION_PARTS = VISION_MERGE * VISION_MERGE, /* of a token, at most */
};

struct vision {
    struct device *device;
    struct vision_info info;
    struct preparation preparation;
    enum projector projector;
    int grid, merge;           /* patches of a side, and of a token's side */
    int layers;                /* that are run: the file may have more */
    int width, heads, ffn;
    float epsilon;
    enum activation activation;
    int feature[VISION_FEATURES]; /* how many layers lie before each state that is projected, side by side; */
    int features;                 /* none: the last state alone, through the norm `post` */

    struct linear patch;       /* [width, 3 * patch * patch]: channel, y, x */
    float *class_row;          /* [width] before all patches, or NULL */
    float *place;              /* [rows, width] added to them */
    struct norm pre, post;     /* weight NULL: none */
    struct tower_layer *layer; /* [layers] */
    struct linear first, second;
    struct norm norm[2];
    int hidden;                /* numbers between first and second */

    struct holdings held;
    float *turned; /* host: Gemma 3's projection the usual way round */
};

/* vision_describe.c: fill in, of a zeroed tower, what the metadata say; what the tensors say stays.  Errors as
 * vision_check(); error is not NULL. */
int vision_describe(const struct gguf *, struct vision *, struct error *);

/* Rows of the tower: patches, and the class. */
static inline int vision_tower_rows(const struct vision *v, bool class_row)
{
    return v->grid * v->grid + class_row;
}

/* Numbers of a token before the projector. */
static inline int vision_token_width(const struct vision *v)
{
    switch (v->projector) {
    case PROJECTOR_IDEFICS3: return v->merge * v->merge * v->width;
    case PROJECTOR_GEMMA3: return v->width;
    default: return (v->features ? v->features : 1) * v->width;
    }
}

#endif
