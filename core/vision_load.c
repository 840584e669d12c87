/* vision_load.c: a vision tower's description and its tensors, from a file that nobody vouches for. */
#include "core/vision_internal.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/gguf.h"
#include "core/hyper.h"

enum { NAME = 64 };

/* Everything that loading needs at hand. */
struct loader {
    struct tensors t;
    struct vision *v;
};

/* -- the description ----------------------------------------------------------------------------------------------- */

static const struct { const char *name; enum projector projector; const char *before, *after; } projectors[] = {
    {"mlp", PROJECTOR_MLP, "", ""},
    {"idefics3", PROJECTOR_IDEFICS3, "<fake_token_around_image><global-img>", "<fake_token_around_image>"},
    {"gemma3", PROJECTOR_GEMMA3, "\n\n<start_of_image>", "<end_of_image>\n\n"},
};

static bool is_mlp(const struct vision *v)
{
    return v->projector == PROJECTOR_MLP || v->projector == PROJECTOR_MLP_NORM;
}

static bool same(struct gguf_string text, const char *wanted)
{
    return text.length == strlen(wanted) && memcmp(text.data, wanted, text.length) == 0;
}

static int check_architecture(const struct gguf *file, struct error *error)
{
    struct gguf_string name = {"", 0};
    int status = gguf_text(file, "general.architecture", &name, error);
    if (status < 0 || same(name, "clip"))
        return status;
    return error_set(error, ERROR_UNSUPPORTED,
                     "architecture \"%.*s\" is not a vision tower (\"clip\"); give a language model as --model",
                     (int)(name.length < 64 ? name.length : 64), name.data);
}

static int read_projector(struct hyper *h, struct vision *v)
{
    struct gguf_string type = {"mlp", 3};
    bool sees = true;
    if (gguf_bool(h->file, "clip.has_vision_encoder", &sees, h->error) < 0 ||
        gguf_text(h->file, "clip.projector_type", &type, h->error) < 0 ||
        gguf_text(h->file, "clip.vision.projector_type", &type, h->error) < 0)
        return h->status = h->error->code;
    if (!sees)
        return h->status = error_set(h->error, ERROR_UNSUPPORTED,
                                     "the file has no vision tower (it may hear, not see)");
    for (size_t i = 0; i < sizeof projectors / sizeof projectors[0]; i++)
        if (same(type, projectors[i].name)) {
            v->projector = projectors[i].projector;
            v->info.before = projectors[i].before;
            v->info.after = projectors[i].after;
            snprintf(v->info.projector, sizeof v->info.projector, "%s", projectors[i].name);
            v->info.bidirectional = v->projector == PROJECTOR_GEMMA3;
            if (v->projector == PROJECTOR_MLP && gguf_tensor(h->file, "mm.3.weight"))
                v->projector = PROJECTOR_MLP_NORM;
            return 0;
        }
    return h->status = error_set(h->error, ERROR_UNSUPPORTED, "projector \"%.*s\" is not supported; supported: "
                                 "mlp (LLaVA 1.5), idefics3 (SmolVLM), gemma3",
                                 (int)(type.length < 64 ? type.length : 64), type.data);
}

static void read_sizes(struct hyper *h, struct vision *v)
{
    v->merge = v->projector == PROJECTOR_GEMMA3 ? 4 : v->projector == PROJECTOR_IDEFICS3 ? 2 : 1;
    hyper_int(h, "image_size", 1, VISION_SIDE, &v->info.side);
    hyper_int(h, "patch_size", 1, VISION_PATCH, &v->info.patch);
    hyper_int(h, "embedding_length", 1, VISION_WIDTH, &v->width);
    hyper_int(h, "feed_forward_length", 1, VISION_FFN, &v->ffn);
    hyper_int(h, "block_count", 1, VISION_LAYERS, &v->layers);
    hyper_int(h, "attention.head_count", 1, VISION_WIDTH, &v->heads);
    if (v->merge > 1)
        hyper_int(h, "projector.scale_factor", 1, VISION_MERGE, &v->merge);
    if (h->status == 0 && (!v->info.side || !v->info.patch || !v->width || !v->ffn || !v->layers || !v->heads))
        h->status = error_set(h->error, ERROR_FORMAT, "one of clip.vision.image_size, patch_size, embedding_length, "
                              "feed_forward_length, block_count and attention.head_count is missing");
    if (h->status < 0)
        return;
    v->grid = v->info.side / v->info.patch;
    hyper_check(h, v->grid >= 1 && v->grid % v->merge == 0, "sides of picture, patch and token");
    hyper_check(h, v->width % v->heads == 0 && v->width / v->heads <= VISION_HEAD, "head sizes");
    v->info.columns = v->info.rows = v->grid / v->merge;
}

/* Which states are projected; the layers after the last of them are not run.  Files that say nothing were cut by their
 * converter where they have to end. */
static void read_features(struct hyper *h, struct vision *v)
{
    const struct gguf_entry *list = hyper_find(h, "feature_layer");
    if (!list)
        return;
    bool usable = list->type == GGUF_ARRAY && list->element != GGUF_STRING && list->element != GGUF_ARRAY &&
                  list->count >= 1 && list->count <= VISION_FEATURES;
    int deepest = 0;
    for (uint64_t i = 0; usable && i < list->count; i++) {
        int64_t layer = gguf_element_int(list, i);
        usable = layer >= 0 && layer <= v->layers;
        v->feature[i] = usable ? (int)layer : 0;
        deepest = v->feature[i] > deepest ? v->feature[i] : deepest;
    }
    hyper_check(h, usable, "feature layers");
    if (h->status < 0)
        return;
    if (!is_mlp(v)) {
        h->status = error_set(h->error, ERROR_UNSUPPORTED, "clip.vision.feature_layer is supported with projector mlp "
                              "only");
        return;
    }
    v->features = (int)list->count;
    v->layers = deepest;
}

static void check_limits(struct hyper *h, const struct vision *v)
{
    int64_t patches = (int64_t)v->grid * v->grid, kept = v->features ? v->features : 1;
    if (h->status == 0 && (patches > VISION_PATCHES || patches * v->width * kept > VISION_STATE ||
                           vision_token_width(v) > VISION_TOKEN))
        h->status = error_set(h->error, ERROR_LIMIT, "a tower of %lld patches of width %d is larger than this program "
                              "takes", (long long)patches, v->width);
}

static void read_colour(struct hyper *h, const char *key, float low, float out[3])
{
    const struct gguf_entry *list = hyper_find(h, key);
    bool usable = list && list->type == GGUF_ARRAY && (list->element == GGUF_F32 || list->element == GGUF_F64) &&
                  list->count == 3;
    for (uint64_t i = 0; usable && i < 3; i++) {
        double value = gguf_element_float(list, i);
        usable = value >= (double)low && value <= 100;
        out[i] = (float)value;
    }
    if (h->status == 0 && !usable)
        h->status = error_set(h->error, ERROR_FORMAT, "clip.vision.%s is not three usable numbers", key);
}

static void read_preparation(struct hyper *h, struct vision *v)
{
    struct preparation *p = &v->preparation;
    static const enum image_filter filters[] = {
        [PROJECTOR_MLP] = IMAGE_BICUBIC, [PROJECTOR_MLP_NORM] = IMAGE_BICUBIC,
        [PROJECTOR_IDEFICS3] = IMAGE_LANCZOS, [PROJECTOR_GEMMA3] = IMAGE_BILINEAR,
    };
    p->kind = is_mlp(v) ? PREPARE_PAD_SQUARE : PREPARE_STRETCH;
    p->filter = filters[v->projector];
    p->side = v->info.side;
    if (v->projector == PROJECTOR_IDEFICS3)
        hyper_int(h, "preproc_image_size", 1, 4096, &p->longest);
    read_colour(h, "image_mean", -100, p->mean);
    read_colour(h, "image_std", 1e-3f, p->deviation);
}

static void read_numbers(struct hyper *h, struct vision *v)
{
    double epsilon = 1e-5;
    bool gelu = false, silu = false;
    hyper_real(h, "attention.layer_norm_epsilon", &epsilon);
    hyper_check(h, epsilon > 0 && epsilon < 1, "norm epsilon");
    v->epsilon = (float)epsilon;
    if (h->status == 0 && (gguf_bool(h->file, "clip.use_gelu", &gelu, h->error) < 0 ||
                           gguf_bool(h->file, "clip.use_silu", &silu, h->error) < 0))
        h->status = h->error->code;
    v->activation = gelu ? ACTIVATION_GELU_TANH : silu ? ACTIVATION_SILU : ACTIVATION_GELU_QUICK;
}

static int describe(const struct gguf *file, struct vision *v, struct error *error)
{
    struct hyper h = {.file = file, .architecture = "clip.vision", .error = error};
    if ((h.status = check_architecture(file, error)) < 0 || read_projector(&h, v) < 0)
        return h.status;
    const struct gguf_entry *tiles = hyper_find(&h, "image_grid_pinpoints");
    if ((tiles && tiles->type == GGUF_ARRAY && tiles->count > 0) || gguf_tensor(file, "model.image_newline"))
        return error_set(error, ERROR_UNSUPPORTED, "pictures cut into tiles as in LLaVA 1.6 "
                         "(clip.vision.image_grid_pinpoints) are not supported");
    read_sizes(&h, v);
    read_features(&h, v);
    check_limits(&h, v);
    read_numbers(&h, v);
    read_preparation(&h, v);
    return h.status;
}

/* -- the tensors --------------------------------------------------------------------------------------------------- */

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
    int status = describe(l->t.file, v, l->t.error);
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
