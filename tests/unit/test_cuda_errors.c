/* What the CUDA device says when there is no driver, no card, no memory, or when a kernel fails; on the emulated card.
 */
#include <cuda_runtime_api.h>

#include "gpu/device.h"
#include "tests/test.h"

static struct device *open_named(const struct device_options *options, struct error *error)
{
    struct device *device = NULL;
    int code = device_open(options, &device, error);
    CHECK((code == 0) == (device != NULL), "code %d", code);
    return device;
}

static struct device *open_card(struct error *error)
{
    return open_named(&(struct device_options){.name = "cuda"}, error);
}

/* Opening fails and says so with this word. */
static void check_missing(cudaError_t status, const char *word)
{
    struct error error = {0};
    emulation_set_device_status(status);
    struct device *device = open_card(&error);
    CHECK(!device && error.code == ERROR_DEVICE && strstr(error.message, word), "%s", error.message);
    emulation_reset();
}

static void test_no_card(void)
{
    check_missing(cudaErrorNoDevice, "no card");
    check_missing(cudaErrorInsufficientDriver, "serves CUDA 11.4");
    check_missing(cudaErrorInvalidValue, "cudaErrorInvalidValue");
}

/* Opening this fails with this code and words. */
static void check_refused(const char *name, bool tf32, int code, const char *words)
{
    struct error error = {0};
    struct device *device = open_named(&(struct device_options){.name = name, .tf32 = tf32}, &error);
    CHECK(!device && error.code == code && strstr(error.message, words), "%s: %d: %s", name, error.code, error.message);
}

static void test_names(void)
{
    struct error error = {0};
    check_refused("cuda:1", false, ERROR_DEVICE, "this machine has 1, the only one is \"cuda:0\"");
    check_refused("cuda:x", false, ERROR_ARGUMENT, "cuda:all");
    check_refused("cuda:", false, ERROR_ARGUMENT, "cuda:all");
    check_refused("cpu", true, ERROR_UNSUPPORTED, "TF32");
    emulation_set_cards(3);
    check_refused("cuda:3", false, ERROR_DEVICE, "this machine has 3, the last is \"cuda:2\"");
    const char *const names[] = {"cuda:2", "cuda:all"};
    for (int i = 0; i < 2; i++) {
        struct device *device = open_named(&(struct device_options){.name = names[i]}, &error);
        if (device)
            device->ops->close(device);
    }
    emulation_set_capability(75);
    check_refused("cuda:all", true, ERROR_UNSUPPORTED, "TF32 needs 8.0");
    struct device *device = open_card(&error);
    CHECK(device && !device->ops->info(device)->precision[PRECISION_BF16] &&
              device->ops->info(device)->preferred == PRECISION_F32, "a card without bf16");
    if (device)
        device->ops->close(device);
    emulation_set_cards(3);
    emulation_set_first_capability(61);
    device = open_named(&(struct device_options){.name = "cuda:all"}, &error); /* the two others */
    CHECK(device && device->ops->info(device)->streams > 0 && strstr(device->ops->info(device)->name, "2 "), "%s",
          device ? device->ops->info(device)->name : error.message);
    if (device)
        device->ops->close(device);
    emulation_set_capability(61);
    check_refused("cuda:all", false, ERROR_DEVICE, "compute capability 6.1; this build needs 7.5");
    check_refused("cuda:0", false, ERROR_DEVICE, "compute capability 6.1; this build needs 7.5");
    emulation_reset();
    device = open_named(&(struct device_options){.name = "cuda:all"}, &error); /* of one card */
    CHECK(device && !strcmp(device->ops->info(device)->name, "emulated card"), "%s", error.message);
    if (device)
        device->ops->close(device);
}

/* TF32 is less than f32 and more than bf16, and only where it was asked for, in products of values. */
static void test_tf32(void)
{
    enum { N = 64, ROWS = 8 };
    struct error error = {0};
    static float w[N * N], x[ROWS * N];
    double off[2][2] = {{0}};
    for (int i = 0; i < N * N; i++)
        w[i] = sinf((float)i);
    for (int i = 0; i < ROWS * N; i++)
        x[i] = cosf((float)i);
    for (int tf32 = 0; tf32 < 2; tf32++) {
        struct device *device = open_named(&(struct device_options){.name = "cuda", .tf32 = tf32}, &error);
        struct stream *s = NULL;
        struct weight *weight = NULL;
        if (!device || device->ops->stream_new(device, true, &s, &error) ||
            device->ops->weight_new(device, DTYPE_F32, N, N, w, &weight, &error))
            CHECK(false, "%s", error.message);
        float *in = device->ops->alloc(device, sizeof x, NULL), *out = device->ops->alloc(device, sizeof x, NULL);
        device->ops->upload(s, x, sizeof x, in);
        for (int delta = 0; delta < 2; delta++) {
            float y[ROWS * N];
            if (delta)
                device->ops->linear_delta(s, weight, PRECISION_F32, in, ROWS, out);
            else
                device->ops->linear(s, weight, NULL, in, ROWS, out);
            device->ops->download(s, out, sizeof y, y);
            for (int i = 0; i < ROWS * N; i++) {
                double sum = 0;
                for (int k = 0; k < N; k++)
                    sum += (double)x[i / N * N + k] * (double)w[i % N * N + k];
                off[tf32][delta] = fmax(off[tf32][delta], fabs((double)y[i] - sum));
            }
        }
        CHECK(device->ops->stream_finish(s, &error) == 0, "%s", error.message);
        device->ops->free(device, in);
        device->ops->free(device, out);
        device->ops->weight_free(device, weight);
        device->ops->stream_free(s);
        device->ops->close(device);
    }
    CHECK(off[0][0] < 1e-5 && off[0][1] < 1e-5 && off[1][1] < 1e-5, "f32 is off by %g, %g and %g", off[0][0], off[0][1],
          off[1][1]);
    CHECK(off[1][0] > 1e-4 && off[1][0] < 1e-2, "TF32 is off by %g", off[1][0]);
}

static void test_no_memory(void)
{
    struct error error = {0};
    struct device *device = open_card(&error);
    struct stream *stream = NULL;
    struct weight *weight;
    static const float data[64 * 64];
    CHECK(device->ops->stream_new(device, false, &stream, &error) == 0, "%s", error.message);

    emulation_set_memory(1 << 20);
    CHECK(!device->ops->alloc(device, 2 << 20, &error) && error.code == ERROR_MEMORY, "%s", error.message);
    CHECK(strstr(error.message, "no memory left"), "%s", error.message);
    struct stream *second = NULL;
    CHECK(device->ops->stream_new(device, false, &second, &error) == ERROR_MEMORY && !second, "%s", error.message);
    CHECK(device->ops->weight_new(device, DTYPE_F32, 64, 64, data, &weight, &error) == ERROR_MEMORY && !weight, "%s",
          error.message);

    /* An operation without room for its scratch marks its stream; the stream serves on once there is room again. */
    emulation_set_memory((size_t)1 << 30);
    CHECK(device->ops->weight_new(device, DTYPE_F32, 64, 64, data, &weight, &error) == 0, "%s", error.message);
    float *x = device->ops->alloc(device, 256 * 64 * sizeof *x, &error);
    float *y = device->ops->alloc(device, 256 * 64 * sizeof *y, &error);
    static const float zeros[256 * 64];
    device->ops->upload(stream, zeros, sizeof zeros, x);
    emulation_set_memory(1 << 20);
    device->ops->linear_delta(stream, weight, PRECISION_BF16, x, 256, y);
    CHECK(device->ops->stream_finish(stream, &error) == ERROR_MEMORY && error.message[0], "%s", error.message);
    emulation_reset();
    device->ops->linear_delta(stream, weight, PRECISION_BF16, x, 256, y);
    CHECK(device->ops->stream_finish(stream, &error) == 0, "%s", error.message);
    device->ops->free(device, x);
    device->ops->free(device, y);
    device->ops->weight_free(device, weight);
    device->ops->stream_free(stream);
    device->ops->close(device);
}

/* A kernel that fails takes the card with it: every stream says so, nothing crashes, all can be given back. */
static void test_lost(void)
{
    struct error error = {0};
    struct device *device = open_card(&error);
    struct stream *stream = NULL;
    CHECK(device->ops->stream_new(device, false, &stream, &error) == 0, "%s", error.message);
    float host[100] = {0}, *x = device->ops->alloc(device, sizeof host, &error);
    device->ops->upload(stream, host, sizeof host, x);
    emulation_fail_kernel(2);
    device->ops->add(stream, x, 1, 50, x + 50);
    CHECK(device->ops->stream_finish(stream, &error) == 0, "the first kernel: %s", error.message);
    device->ops->add(stream, x, 1, 50, x + 50);
    CHECK(device->ops->stream_finish(stream, &error) == ERROR_DEVICE, "the second kernel");
    CHECK(strstr(error.message, "unspecified launch failure"), "%s", error.message);
    device->ops->download(stream, x, sizeof host, host);
    CHECK(device->ops->stream_finish(stream, &error) == ERROR_DEVICE, "after it");
    CHECK(strstr(error.message, "computes no more") && strstr(error.message, "\"cpu\""), "%s", error.message);
    CHECK(!device->ops->alloc(device, 16, &error) && error.code == ERROR_DEVICE, "%s", error.message);
    CHECK(device->ops->memory(device) == 0, "memory of a lost card");
    struct stream *another = NULL;
    CHECK(device->ops->stream_new(device, false, &another, &error) == ERROR_DEVICE && !another, "%s", error.message);
    device->ops->free(device, x);
    device->ops->stream_free(stream);
    device->ops->close(device);
    emulation_reset();
}

/* A stream that fails while it is busy leaves nothing behind that another one of the same thread takes for its own. */
static void test_busy(void)
{
    struct error error = {0};
    struct device *device = open_card(&error);
    struct stream *stream[4] = {NULL};
    float *x = device->ops->alloc(device, 100 * sizeof *x, &error);
    const struct norm large = {NORM_RMS, 1 << 12, 1, 1e-5f, x, NULL};
    for (int i = 0; i < 4; i++) /* some are busy, some hasty */
        CHECK(device->ops->stream_new(device, false, &stream[i], &error) == 0, "%s", error.message);
    for (int i = 0; i < 4; i++) {
        device->ops->add(stream[i], x, 1, 50, x + 50);
        device->ops->norm(stream[i], &large, x, 1 << 20, x); /* more than a launch can have */
        struct stream *other = stream[(i + 1) % 4];
        device->ops->add(other, x, 1, 50, x + 50);
        CHECK(device->ops->stream_finish(other, &error) == 0, "stream %d: %s", (i + 1) % 4, error.message);
        CHECK(device->ops->stream_finish(stream[i], &error) == ERROR_DEVICE &&
                  strstr(error.message, "cudaErrorInvalidConfiguration"), "stream %d: %s", i, error.message);
    }
    for (int i = 0; i < 4; i++)
        device->ops->stream_free(stream[i]);
    device->ops->free(device, x);
    device->ops->close(device);
}

/* What the kernels cannot do is refused, not done wrongly. */
static void test_refusals(void)
{
    struct error error = {0};
    struct device *device = open_card(&error);
    struct stream *stream = NULL;
    CHECK(device->ops->stream_new(device, true, &stream, &error) == 0, "%s", error.message);
    struct attention a = {.heads = 1, .kv_heads = 1, .head_dim = 257, .positions = 4, .scale = 1};
    float *x = device->ops->alloc(device, 4 * 257 * sizeof *x, &error);
    a.key = a.value = x;
    device->ops->attend(stream, &a, NULL, 0, x, 4, x);
    CHECK(device->ops->stream_finish(stream, &error) == ERROR_UNSUPPORTED, "%s", error.message);
    device->ops->free(device, x);
    device->ops->free(device, NULL);
    device->ops->stream_free(stream);
    device->ops->stream_free(NULL);
    device->ops->close(device);
}

int main(void)
{
    test_no_card();
    test_names();
    test_tf32();
    test_no_memory();
    test_lost();
    test_busy();
    test_refusals();
    return test_end();
}
