/* A vision tower as its users meet it: what is said of it, pairs that do not fit, repeats, a cancel, and where tokens
 * look.  Its numbers are tests/parity/test_vision.py's. */
#include "core/vision.h"
#include "tests/test.h"
#include "tests/unit/gguf_build.h"

enum { SIDE = 8, PATCH = 4, WIDTH = 4, FFN = 6, OUT = 5, LAYERS = 2 };

struct shape {
    const char *name;
    uint32_t dimensions;
    uint64_t size[4];
};

static const struct shape ends[] = {
    {"v.patch_embd.weight", 4, {PATCH, PATCH, 3, WIDTH}},
    {"v.position_embd.weight", 2, {WIDTH, 4}},
    {"mm.0.weight", 2, {WIDTH, FFN}},
    {"mm.2.weight", 2, {FFN, OUT}},
    {"mm.2.bias", 1, {OUT}},
};

static const struct shape blocks[] = {
    {"ln1.weight", 1, {WIDTH}},       {"ln2.weight", 1, {WIDTH}},          {"attn_q.weight", 2, {WIDTH, WIDTH}},
    {"attn_k.weight", 2, {WIDTH, WIDTH}}, {"attn_v.weight", 2, {WIDTH, WIDTH}}, {"attn_out.weight", 2, {WIDTH, WIDTH}},
    {"ffn_up.weight", 2, {WIDTH, FFN}},   {"ffn_down.weight", 2, {FFN, WIDTH}},
};

enum { ENDS = sizeof ends / sizeof ends[0], BLOCKS = sizeof blocks / sizeof blocks[0], KEYS = 9 };

static void build_colour(struct build *build, const char *key, float value)
{
    build_key_array(build, key, GGUF_F32, 3);
    for (int i = 0; i < 3; i++)
        build_bytes(build, &value, sizeof value);
}

static void build_shape(struct build *build, const char *name, const struct shape *shape, uint64_t *offset)
{
    uint64_t count = 1;
    for (uint32_t i = 0; i < shape->dimensions; i++)
        count *= shape->size[i];
    build_tensor(build, name, shape->dimensions, shape->size, DTYPE_F32, *offset);
    *offset += (count * sizeof(float) + 31) / 32 * 32;
}

static struct build build_tower(void)
{
    struct build build = {0};
    uint64_t bytes = 0;
    build_header(&build, 3, ENDS + LAYERS * BLOCKS, KEYS);
    build_key(&build, "general.architecture", GGUF_STRING);
    build_string(&build, "clip");
    build_key_u32(&build, "clip.vision.image_size", SIDE);
    build_key_u32(&build, "clip.vision.patch_size", PATCH);
    build_key_u32(&build, "clip.vision.embedding_length", WIDTH);
    build_key_u32(&build, "clip.vision.feed_forward_length", FFN);
    build_key_u32(&build, "clip.vision.block_count", LAYERS);
    build_key_u32(&build, "clip.vision.attention.head_count", 2);
    build_colour(&build, "clip.vision.image_mean", 0.5f);
    build_colour(&build, "clip.vision.image_std", 0.25f);
    for (int i = 0; i < ENDS; i++)
        build_shape(&build, ends[i].name, &ends[i], &bytes);
    for (int i = 0; i < LAYERS * BLOCKS; i++) {
        char name[64];
        snprintf(name, sizeof name, "v.blk.%d.%s", i / BLOCKS, blocks[i % BLOCKS].name);
        build_shape(&build, name, &blocks[i % BLOCKS], &bytes);
    }
    build_data(&build, 32, 0);
    srand(1);
    for (uint64_t i = 0; i < bytes / sizeof(float); i++) {
        float value = (float)rand() / (float)RAND_MAX - 0.4f;
        build_bytes(&build, &value, sizeof value);
    }
    return build;
}

static struct image *picture(int seed)
{
    struct image *image = NULL;
    if (image_new(12, 9, &image, NULL) != 0)
        abort();
    for (int i = 0; i < 3 * 12 * 9; i++)
        image->rgb[i] = (uint8_t)(i * seed);
    return image;
}

/* The picture's rows: out [4 * OUT] in host memory. */
static int encode(const struct vision *v, struct device *device, struct stream *stream, int seed,
                  const atomic_bool *cancelled, float *out, struct error *error)
{
    struct image *image = picture(seed);
    float *rows = device->ops->alloc(device, 4 * OUT * sizeof *rows, NULL);
    int status = vision_encode(v, stream, image, cancelled, rows, error);
    device->ops->download(stream, rows, 4 * OUT * sizeof *rows, out);
    device->ops->stream_finish(stream, NULL);
    device->ops->free(device, rows);
    image_release(image);
    return status;
}

static void test_encode(const struct vision *v, struct device *device, struct stream *stream)
{
    float first[4 * OUT], second[4 * OUT];
    struct error error = {0};
    atomic_bool cancelled = false;
    CHECK(encode(v, device, stream, 3, NULL, first, &error) == 0, "%s", error.message);
    CHECK(encode(v, device, stream, 3, &cancelled, second, &error) == 0, "%s", error.message);
    CHECK(memcmp(first, second, sizeof first) == 0, "the same picture gives other rows");
    CHECK(encode(v, device, stream, 5, NULL, second, &error) == 0, "%s", error.message);
    CHECK(memcmp(first, second, sizeof first) != 0, "another picture gives the same rows");
    atomic_store(&cancelled, true);
    CHECK(encode(v, device, stream, 3, &cancelled, second, &error) == ERROR_CANCELLED, "%s", error.message);
    CHECK(encode(v, device, stream, 3, NULL, second, &error) == 0, "after a cancel: %s", error.message);
    CHECK(memcmp(first, second, sizeof first) == 0, "after a cancel rows are others");
}

static void test_tower(void)
{
    struct build build = build_tower();
    struct gguf *gguf = NULL;
    struct device *device = NULL;
    struct stream *stream = NULL;
    struct vision *v = NULL;
    struct vision_info info;
    struct error error = {0};
    void *copy = NULL;
    CHECK(build_open(&build, &copy, &gguf, &error) == 0 && vision_check(gguf, &info, &error) == 0, "%s", error.message);
    CHECK(device_open(&(struct device_options){.name = "cpu", .threads = 2}, &device, &error) == 0 &&
              device->ops->stream_new(device, true, &stream, &error) == 0, "%s", error.message);
    if (error.code == 0) {
        CHECK(info.columns == 2 && info.rows == 2 && info.width == OUT && !info.bidirectional && !*info.before,
              "%d x %d tokens of %d", info.columns, info.rows, info.width);
        CHECK(vision_open(gguf, device, OUT + 2, &v, &error) == ERROR_ARGUMENT && strstr(error.message, "5") &&
                  strstr(error.message, "7"), "%s", error.message);
        CHECK(vision_open(gguf, device, OUT, &v, &error) == 0, "%s", error.message);
        CHECK(vision_info(v)->parameters == info.parameters && info.weight_bytes == 4 * info.parameters,
              "%llu parameters", (unsigned long long)info.parameters);
        test_encode(v, device, stream);
    }
    vision_close(v);
    vision_close(NULL);
    device->ops->stream_free(stream);
    device->ops->close(device);
    gguf_close(gguf);
    free(copy);
    free(build.bytes);
}

static void test_places(void)
{
    static const struct { struct vision_info info; int width, height, token; struct rect rect; } cases[] = {
        /* a square of 640: cells of 80, 80 rows of padding above and below */
        {{.projector = "mlp", .side = 32, .patch = 4, .columns = 8, .rows = 8}, 640, 480, 0, {0, 0, 0, 0}},
        {{.projector = "mlp", .side = 32, .patch = 4, .columns = 8, .rows = 8}, 640, 480, 8, {0, 0, 80, 80}},
        {{.projector = "mlp", .side = 32, .patch = 4, .columns = 8, .rows = 8}, 640, 480, 55, {560, 400, 80, 80}},
        {{.projector = "mlp", .side = 32, .patch = 4, .columns = 8, .rows = 8}, 640, 480, 63, {560, 480, 0, 0}},
        /* 50 x 100: 25 columns of padding at the left, so the second cell of 25 is the first that shows */
        {{.projector = "mlp", .side = 28, .patch = 7, .columns = 4, .rows = 4}, 50, 100, 5, {0, 25, 25, 25}},
        /* an odd pixel of padding goes to the right: 0 of 1 at the left */
        {{.projector = "mlp", .side = 28, .patch = 7, .columns = 4, .rows = 4}, 99, 100, 3, {75, 0, 24, 25}},
        {{.projector = "gemma3", .side = 896, .patch = 14, .columns = 16, .rows = 16}, 320, 160, 17, {20, 10, 20, 10}},
        /* 384 = 27 x 14 + 6: nine tokens of 42 pixels, the last 6 pixels are seen by none */
        {{.projector = "idefics3", .side = 384, .patch = 14, .columns = 9, .rows = 9}, 768, 384, 80,
         {672, 336, 84, 42}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct rect r = vision_rect(&cases[i].info, cases[i].width, cases[i].height, cases[i].token), w = cases[i].rect;
        bool empty = w.width == 0 && r.width == 0 && r.height == 0;
        bool same = fabsf(r.x - w.x) < 1e-3f && fabsf(r.y - w.y) < 1e-3f && fabsf(r.width - w.width) < 1e-3f &&
                    fabsf(r.height - w.height) < 1e-3f;
        CHECK(empty || same, "case %zu: %g, %g, %g x %g", i, (double)r.x, (double)r.y, (double)r.width,
              (double)r.height);
    }
}

int main(void)
{
    test_tower();
    test_places();
    return test_end();
}
