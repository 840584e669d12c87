/* What the CUDA device says when there is no driver, no card, no memory, or when a kernel fails; on the emulated card.
 */
#include <cuda_runtime_api.h>

#include "gpu/device.h"
#include "tests/test.h"

static struct device *open_card(struct error *error)
{
    struct device *device = NULL;
    int code = device_open(&(struct device_options){.name = "cuda"}, &device, error);
    CHECK((code == 0) == (device != NULL), "code %d", code);
    return device;
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
    CHECK(!device->ops->alloc(device, 16, &error) && error.code == ERROR_DEVICE, "%s", error.message);
    device->ops->free(device, x);
    device->ops->stream_free(stream);
    device->ops->close(device);
    emulation_reset();
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
    test_no_memory();
    test_lost();
    test_refusals();
    return test_end();
}
