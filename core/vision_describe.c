/* vision_describe.c: what a vision tower's metadata say of it, within what this program can run.  Its tensors are
 * vision_load.c's. */
#include "core/vision_internal.h"

#include <stdio.h>
#include <string.h>

#include "core/gguf.h"
#include "core/hyper.h"

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

int vision_describe(const struct gguf *file, struct vision *v, struct error *error)
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
