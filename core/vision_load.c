/* vision_load.c: a vision tower's tensors, from a file that nobody vouches for. */
#include "core/vision_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/gguf.h"

enum { NAME = 64 };

/* Everything that loading needs at hand. */
struct loader {
    struct tensors t;
    struct vision *v;
};

static const char *layer_name(char out[NAME], int index, const char *name)
{
    snprintf(out, NAME, "v.blk.%d.%s", index, name);
    return out;
}

static int load_norm(struct loader *l, const char *name, enum norm_kind kind, int width, struct norm *norm)
{
    *norm = (struct norm){kind, 1, width, l->v->epsilon, NULL, NULL};
    return tensors_norm(&l->t, name, norm);
}

static int load_linear(struct loader *l, int index, const char *name, int outputs, int inputs, struct linear *linear)
{
    char full[NAME];
    return tensors_linear(&l->t, layer_name(full, index, name), outputs, inputs, linear);
}

/* What other towers have in their blocks and this program would leave out in silence. */
static int check_parts(struct loader *l, int index)
{
    static const char *const others[] = {"ls1", "ls2", "attn_q_norm", "attn_k_norm", "ffn_gate", "attn_post_norm",
                                         "ffn_post_norm", "attn_sinks"};
    char name[NAME], full[NAME + 8];
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        snprintf(full, sizeof full, "%s.weight", layer_name(name, index, others[i]));
        if (tensors_have(&l->t, full) || tensors_have(&l->t, name))
            return error_set(l->t.error, ERROR_UNSUPPORTED, "a tower with the tensor %s is not supported", full);
    }
    return 0;
}

/* Old converters exchanged the names of the two.  Where both are as wide as the tower nothing tells, and they are taken
 * by their names. */
static bool exchanged(struct loader *l, int index)
{
    char name[NAME];
    const struct gguf_tensor *down = gguf_tensor(l->t.file, layer_name(name, index, "ffn_down.weight"));
    return down && l->v->ffn != l->v->width && down->size[0] == l->v->width;
}

static int load_layer(struct loader *l, int index)
{
    struct vision *v = l->v;
    struct tower_layer checked = {0}, *layer = l->t.device ? &v->layer[index] : &checked;
    char name[NAME];
    int status, d = v->width;
    bool swap = exchanged(l, index);
    if ((status = check_parts(l, index)) < 0 ||
        (status = load_norm(l, layer_name(name, index, "ln1"), NORM_LAYER, d, &layer->norm[0])) < 0 ||
        (status = load_norm(l, layer_name(name, index, "ln2"), NORM_LAYER, d, &layer->norm[1])) < 0)
        return status;
    if (tensors_have(&l->t, layer_name(name, index, "attn_qkv.weight")))
        status = tensors_fused(&l->t, layer_name(name, index, "attn_qkv"), 3, (int[]){d, d, d}, d,
                               (struct linear *[]){&layer->query, &layer->key, &layer->value});
    else if ((status = load_linear(l, index, "attn_q", d, d, &layer->query)) == 0 &&
             (status = load_linear(l, index, "attn_k", d, d, &layer->key)) == 0)
        status = load_linear(l, index, "attn_v", d, d, &layer->value);
    if (status < 0 || (status = load_linear(l, index, "attn_out", d, d, &layer->output)) < 0 ||
        (status = load_linear(l, index, swap ? "ffn_down" : "ffn_up", v->ffn, d, &layer->up)) < 0)
        return status;
    return load_linear(l, index, swap ? "ffn_up" : "ffn_down", d, v->ffn, &layer->down);
}

/* The convolution is a product: its kernel [width, 3, patch, patch] lies in the file as [width, 3 * patch * patch]. */
static int load_patch(struct loader *l)
{
    struct vision *v = l->v;
    const struct gguf_tensor *t = gguf_tensor(l->t.file, "v.patch_embd.weight");
    int p = v->info.patch, status;
    if (!t)
        return error_set(l->t.error, ERROR_FORMAT, "tensor v.patch_embd.weight is missing");
    if (t->size[0] != p || t->size[1] != p || t->size[2] != 3 || t->size[3] != v->width)
        return error_set(l->t.error, ERROR_FORMAT, "tensor v.patch_embd.weight is %lld x %lld x %lld x %lld where "
                         "%d x 3 x %d x %d is expected", (long long)t->size[3], (long long)t->size[2],
                         (long long)t->size[1], (long long)t->size[0], v->width, p, p);
    if (!dtype_info(t->type)->expand)
        return error_set(l->t.error, ERROR_UNSUPPORTED, "tensor v.patch_embd.weight is stored as %s, which is not "
                         "supported", dtype_info(t->type)->name ? dtype_info(t->type)->name : "an unknown type");
    tensors_count(&l->t, t);
    if (l->t.device && (status = l->t.device->ops->weight_new(l->t.device, t->type, v->width, 3 * p * p, t->data,
                                                              &v->patch.weight, l->t.error)) < 0)
        return status;
    return tensors_floats(&l->t, "v.patch_embd.bias", 0, v->width, true, &v->patch.bias);
}

static int load_ends(struct loader *l)
{
    struct vision *v = l->v;
    int status, rows = vision_tower_rows(v, tensors_have(&l->t, "v.class_embd"));
    if ((status = load_patch(l)) < 0 ||
        (status = tensors_floats(&l->t, "v.class_embd", 0, v->width, true, &v->class_row)) < 0 ||
        (status = tensors_floats(&l->t, "v.position_embd.weight", rows, v->width, false, &v->place)) < 0)
        return status;
    if (tensors_have(&l->t, "v.pre_ln.weight") &&
        (status = load_norm(l, "v.pre_ln", NORM_LAYER, v->width, &v->pre)) < 0)
        return status;
    return tensors_have(&l->t, "v.post_ln.weight") && !v->features
               ? load_norm(l, "v.post_ln", NORM_LAYER, v->width, &v->post)
               : 0;
}

/* Rows of a matrix that decides how wide something is.  The others are checked against it. */
static int read_width(struct loader *l, const char *name, int dimension, int *width)
{
    const struct gguf_tensor *t = gguf_tensor(l->t.file, name);
    if (!t)
        return error_set(l->t.error, ERROR_FORMAT, "tensor %s is missing", name);
    if (t->size[dimension] < 1 || t->size[dimension] > VISION_TOKEN)
        return error_set(l->t.error, ERROR_FORMAT, "tensor %s is %lld wide, at most %d is possible", name,
                         (long long)t->size[dimension], VISION_TOKEN);
    *width = (int)t->size[dimension];
    return 0;
}

/* Gemma 3 stores its matrix as [inputs, outputs]. */
static int load_turned(struct loader *l, const char *name, int outputs, int inputs, struct linear *linear)
{
    const struct gguf_tensor *t = tensors_find(&l->t, name, inputs, outputs, false);
    if (!t)
        return l->t.error->code;
    tensors_count(&l->t, t);
    if (!l->t.device)
        return 0;
    size_t n = (size_t)outputs * (size_t)inputs;
    float *plain = malloc(n * sizeof *plain), *turned = malloc(n * sizeof *turned);
    if (!plain || !turned) {
        free(plain);
        free(turned);
        return error_set(l->t.error, ERROR_MEMORY, "out of memory");
    }
    dtype_info(t->type)->expand(t->data, plain, n);
    for (size_t i = 0; i < (size_t)inputs; i++)
        for (size_t o = 0; o < (size_t)outputs; o++)
            turned[o * (size_t)inputs + i] = plain[i * (size_t)outputs + o];
    free(plain);
    l->v->turned = turned;
    return l->t.device->ops->weight_new(l->t.device, DTYPE_F32, outputs, inputs, turned, &linear->weight, l->t.error);
}

static int load_mlp(struct loader *l)
{
    struct vision *v = l->v;
    bool norms = v->projector == PROJECTOR_MLP_NORM;
    const char *second = norms ? "mm.3" : "mm.2";
    int status;
    if ((status = read_width(l, "mm.0.weight", 1, &v->hidden)) < 0 ||
        (status = read_width(l, norms ? "mm.3.weight" : "mm.2.weight", 1, &v->info.width)) < 0 ||
        (status = tensors_linear(&l->t, "mm.0", v->hidden, vision_token_width(v), &v->first)) < 0 ||
        (status = tensors_linear(&l->t, second, v->info.width, v->hidden, &v->second)) < 0 || !norms)
        return status;
    if ((status = load_norm(l, "mm.1", NORM_LAYER, v->hidden, &v->norm[0])) < 0)
        return status;
    return load_norm(l, "mm.4", NORM_LAYER, v->info.width, &v->norm[1]);
}

static int load_projector(struct loader *l)
{
    struct vision *v = l->v;
    int status;
    switch (v->projector) {
    case PROJECTOR_IDEFICS3:
        if ((status = read_width(l, "mm.model.fc.weight", 1, &v->info.width)) < 0)
            return status;
        return tensors_linear(&l->t, "mm.model.fc", v->info.width, vision_token_width(v), &v->first);
    case PROJECTOR_GEMMA3:
        if ((status = read_width(l, "mm.input_projection.weight", 0, &v->info.width)) < 0 ||
            (status = load_norm(l, "mm.soft_emb_norm", NORM_RMS, v->width, &v->norm[0])) < 0)
            return status;
        /* of n neighbours' sum it makes what it makes of their average, where epsilon is n * n times as large */
        v->norm[0].epsilon *= (float)(v->merge * v->merge) * (float)(v->merge * v->merge);
        return load_turned(l, "mm.input_projection.weight", v->info.width, v->width, &v->first);
    default: return load_mlp(l);
    }
}

static int load_all(struct loader *l)
{
    struct vision *v = l->v;
    int status = vision_describe(l->t.file, v, l->t.error);
    if (status < 0)
        return status;
    if (l->t.device && !(v->layer = calloc((size_t)v->layers + 1, sizeof *v->layer)))
        return error_set(l->t.error, ERROR_MEMORY, "out of memory");
    if ((status = load_ends(l)) < 0 || (status = load_projector(l)) < 0)
        return status;
    for (int i = 0; i < v->layers; i++)
        if ((status = load_layer(l, i)) < 0)
            return status;
    v->info.parameters = l->t.parameters;
    v->info.weight_bytes = l->t.weight_bytes;
    return 0;
}

int vision_check(const struct gguf *file, struct vision_info *info, struct error *error)
{
    struct error own = {0};
    struct vision v = {0};
    struct loader l = {.t = {.file = file, .held = &v.held, .error = error ? error : &own}, .v = &v};
    int status = load_all(&l);
    if (status == 0)
        *info = v.info;
    return status;
}

int vision_open(const struct gguf *file, struct device *device, int width, struct vision **out, struct error *error)
{
    struct error own = {0};
    struct vision_info info;
    int status = vision_check(file, &info, error);
    if (status < 0)
        return status;
    if (info.width != width)
        return error_set(error, ERROR_ARGUMENT, "the projector makes rows of %d numbers where the model takes %d; they "
                         "do not belong together", info.width, width);
    struct vision *v = calloc(1, sizeof *v);
    if (!v)
        return error_set(error, ERROR_MEMORY, "out of memory");
    v->device = device;
    struct loader l = {.t = {.file = file, .device = device, .held = &v->held, .error = error ? error : &own}, .v = v};
    status = device->ops->stream_new(device, true, &l.t.stream, error);
    if (status == 0)
        status = load_all(&l);
    if (l.t.stream)
        device->ops->stream_free(l.t.stream);
    if (status < 0) {
        vision_close(v);
        return status;
    }
    *out = v;
    return 0;
}

static void linear_free(struct vision *v, struct linear *linear)
{
    if (linear->weight)
        v->device->ops->weight_free(v->device, linear->weight);
}

void vision_close(struct vision *v)
{
    if (!v)
        return;
    for (int i = 0; v->layer && i < v->layers; i++) {
        struct tower_layer *layer = &v->layer[i];
        struct linear *all[] = {&layer->query, &layer->key, &layer->value, &layer->output, &layer->up, &layer->down};
        for (size_t j = 0; j < sizeof all / sizeof all[0]; j++)
            linear_free(v, all[j]);
    }
    linear_free(v, &v->patch);
    linear_free(v, &v->first);
    linear_free(v, &v->second);
    holdings_free(&v->held, v->device);
    free(v->turned);
    free(v->layer);
    free(v);
}
