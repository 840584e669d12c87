/* card.c: the CUDA device's life and memory, its table of operations, and the module's only way in. */
#include "gpu/cuda/card.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gpu/cuda/module.h"

enum {
    STREAMS = 2, /* while one stream's host waits or plans, the other keeps the card busy */
    BATCH_ROWS = 4096, /* beyond that products gain nothing; core/ takes fewer where memory is short */
    OLD_BATCH_ROWS = 1024, /* without bf16 they take so much longer that nobody could cancel between two layers */
    OLDEST_CARD = 75, /* compute capability, times 10: what the kernels are compiled for at least */
    OLDEST_BF16 = 80, /* and TF32 */
};

static const size_t scratch_bytes = (size_t)256 << 20;
static const double attend_products = 2.5e11; /* some 25 ms of an H100, 200 of a T4 */

/* -- operations on rows, which need no more than their kernel ------------------------------------------------------ */

static void card_norm(struct stream *stream, const struct norm *norm, const float *x, int rows, float *y)
{
    if (card_stream_ready(stream))
        card_check(stream, kernel_norm(stream->cuda, norm, x, rows, y), "norm");
}

static void card_norm_delta(struct stream *stream, const struct norm *norm, const float *x, const int32_t *position,
                            const float *dx, int rows, float *dy)
{
    if (card_stream_ready(stream))
        card_check(stream, kernel_norm_delta(stream->cuda, norm, x, position, dx, rows, dy), "norm");
}

static void card_rope(struct stream *stream, const struct rope *rope, const int32_t *position, int rows, float *x)
{
    if (card_stream_ready(stream))
        card_check(stream, kernel_rope(stream->cuda, rope, position, rows, x), "RoPE");
}

static void card_gate(struct stream *stream, enum activation activation, const float *gate, const float *up, size_t n,
                      float *y)
{
    if (card_stream_ready(stream))
        card_check(stream, kernel_gate(stream->cuda, activation, gate, up, n, y), "gate");
}

static void card_gate_delta(struct stream *stream, enum activation activation, const float *gate, const float *up,
                            const int32_t *position, const float *dgate, const float *dup, int rows, int width,
                            float *dy)
{
    if (card_stream_ready(stream))
        card_check(stream, kernel_gate_delta(stream->cuda, activation, gate, up, position, dgate, dup, rows, width, dy),
                   "gate");
}

static void card_add(struct stream *stream, const float *x, float scale, size_t n, float *y)
{
    if (card_stream_ready(stream))
        card_check(stream, kernel_add(stream->cuda, x, scale, n, y), "sum");
}

static void card_gather(struct stream *stream, const float *from, const int32_t *index, int n, int width, float *to)
{
    if (n <= 0 || !card_stream_ready(stream))
        return;
    const int32_t *staged = (const int32_t *)card_stage(stream, SCRATCH_INDEX, index, (size_t)n * sizeof *index);
    if (staged)
        card_check(stream, kernel_gather(stream->cuda, from, staged, n, width, to), "gathering rows");
}

static void card_pack(struct stream *stream, enum precision precision, const float *x, int rows, int width,
                      void *packed)
{
    if (precision == PRECISION_F32)
        card_copy(stream, x, (size_t)rows * packed_bytes(precision, width), packed);
    else if (card_stream_ready(stream))
        card_check(stream, kernel_pack(stream->cuda, precision, x, rows, width, packed), "packing rows");
}

static void card_unpack(struct stream *stream, enum precision precision, const void *packed, int rows, int width,
                        float *x)
{
    if (precision == PRECISION_F32)
        card_copy(stream, packed, (size_t)rows * packed_bytes(precision, width), x);
    else if (card_stream_ready(stream))
        card_check(stream, kernel_unpack(stream->cuda, precision, packed, rows, width, x), "unpacking rows");
}

/* -- memory -------------------------------------------------------------------------------------------------------- */

static void *card_alloc(struct device *device, size_t bytes, struct error *error)
{
    const struct card *card = (const struct card *)device;
    void *memory = NULL;
    if (atomic_load(&card->lost)) {
        card_error_lost(card, error);
        return NULL;
    }
    cudaError_t status = cudaSetDevice(card->ordinal);
    if (status == cudaSuccess)
        status = cudaMalloc(&memory, bytes ? bytes : 1);
    if (status == cudaSuccess)
        return memory;
    char doing[64];
    snprintf(doing, sizeof doing, "asking the card for %zu bytes", bytes);
    card_error(error, status, doing);
    return NULL;
}

static void card_free(struct device *device, void *memory)
{
    if (!memory)
        return;
    cudaSetDevice(((struct card *)device)->ordinal);
    cudaFree(memory);
    cudaGetLastError();
}

static size_t card_memory(struct device *device)
{
    size_t memory = 0, total = 0;
    if (cudaSetDevice(((struct card *)device)->ordinal) != cudaSuccess ||
        cudaMemGetInfo(&memory, &total) != cudaSuccess)
        cudaGetLastError(); /* whoever asks for memory will hear of it */
    return memory;
}

static size_t card_used(struct device *device)
{
    (void)device;
    return 0;
}

/* -- life ---------------------------------------------------------------------------------------------------------- */

static void card_close(struct device *device)
{
    free(device);
}

static const struct device_info *card_info(const struct device *device)
{
    return &((const struct card *)device)->info;
}

static const struct device_ops card_ops = {
    .close = card_close,
    .info = card_info,
    .stream_new = card_stream_new,
    .stream_free = card_stream_free,
    .stream_finish = card_stream_finish,
    .stream_device = card_stream_device,
    .alloc = card_alloc,
    .free = card_free,
    .memory = card_memory,
    .used = card_used,
    .upload = card_upload,
    .download = card_download,
    .copy = card_copy,
    .weight_new = card_weight_new,
    .weight_free = card_weight_free,
    .embed = card_embed,
    .norm = card_norm,
    .linear = card_linear,
    .rope = card_rope,
    .attend = card_attend,
    .gate = card_gate,
    .add = card_add,
    .logits = card_logits,
    .norm_delta = card_norm_delta,
    .linear_delta = card_linear_delta,
    .attend_delta = card_attend_delta,
    .gate_delta = card_gate_delta,
    .pack = card_pack,
    .unpack = card_unpack,
    .gather = card_gather,
    .lse_delta = card_lse_delta,
    .logit_delta = card_logit_delta,
};

int card_count(int *cards, struct error *error)
{
    int driver = 0, runtime = 0;
    cudaError_t status = cudaGetDeviceCount(cards);
    cudaGetLastError();
    if (status == cudaErrorInsufficientDriver) {
        cudaDriverGetVersion(&driver);
        cudaRuntimeGetVersion(&runtime);
        if (driver == 0)
            return error_set(error, ERROR_DEVICE,
                             "there is no NVIDIA driver here; install it, or use the device \"cpu\"");
        return error_set(error, ERROR_DEVICE,
                         "the NVIDIA driver serves CUDA %d.%d and this build needs %d.%d; renew it, "
                         "or use the device \"cpu\"",
                         driver / 1000, driver % 1000 / 10, runtime / 1000, runtime % 1000 / 10);
    }
    if (status == cudaErrorNoDevice || (status == cudaSuccess && *cards < 1))
        return error_set(error, ERROR_DEVICE, "the NVIDIA driver shows no card; use the device \"cpu\"");
    return status == cudaSuccess ? 0 : card_error(error, status, "looking for cards");
}

static int find_card(int ordinal, struct error *error)
{
    int cards, code = card_count(&cards, error);
    if (code < 0 || ordinal < cards)
        return code;
    return error_set(error, ERROR_DEVICE, "there is no card %d; this machine has %d, the %s \"cuda:%d\"", ordinal,
                     cards, cards == 1 ? "only one is" : "last is", cards - 1);
}

static void describe(struct card *card, const struct cudaDeviceProp *properties, size_t memory)
{
    struct device_info *info = &card->info;
    snprintf(info->kind, sizeof info->kind, "cuda");
    snprintf(info->name, sizeof info->name, "%.*s", (int)sizeof info->name - 1, properties->name);
    info->streams = STREAMS;
    info->memory = memory;
    info->head_dim = ATTEND_HEAD_DIM;
    info->precision[PRECISION_F32] = true;
    info->precision[PRECISION_BF16] = properties->major * 10 + properties->minor >= OLDEST_BF16;
    info->precision[PRECISION_INT8] = true;
    info->preferred = info->precision[PRECISION_BF16] ? PRECISION_BF16 : PRECISION_F32;
    info->batch_rows = info->precision[PRECISION_BF16] ? BATCH_ROWS : OLD_BATCH_ROWS;
}

static int check_age(const struct cudaDeviceProp *properties, bool tf32, struct error *error)
{
    int capability = properties->major * 10 + properties->minor, needed = tf32 ? OLDEST_BF16 : OLDEST_CARD;
    if (capability >= needed)
        return 0;
    return error_set(error, tf32 && capability >= OLDEST_CARD ? ERROR_UNSUPPORTED : ERROR_DEVICE,
                     "%s has compute capability %d.%d; %s %d.%d or newer", properties->name, properties->major,
                     properties->minor, tf32 ? "TF32 needs" : "this build needs", needed / 10, needed % 10);
}

int card_open(int ordinal, bool tf32, struct device **device, struct error *error)
{
    struct cudaDeviceProp properties;
    size_t memory = 0, total = 0;
    *device = NULL;
    int code = find_card(ordinal, error);
    if (code < 0)
        return code;
    cudaError_t status = cudaSetDevice(ordinal);
    if (status == cudaSuccess)
        status = cudaGetDeviceProperties(&properties, ordinal);
    if (status == cudaSuccess)
        status = cudaMemGetInfo(&memory, &total);
    if (status != cudaSuccess)
        return card_error(error, status, "opening the card");
    if ((code = check_age(&properties, tf32, error)) < 0)
        return code;
    struct card *card = (struct card *)calloc(1, sizeof *card);
    if (!card)
        return error_set(error, ERROR_MEMORY, "no memory for the device");
    card->device.ops = &card_ops;
    card->ordinal = ordinal;
    card->tf32 = tf32;
    card->scratch_bytes = scratch_bytes;
    card->attend_products = attend_products;
    describe(card, &properties, memory);
    *device = &card->device;
    return 0;
}

/* -- the module ---------------------------------------------------------------------------------------------------- */

const struct cuda_module_contract cuda_module_contract = CUDA_MODULE_CONTRACT;

int cuda_module_count(int *cards, struct error *error)
{
    return card_count(cards, error);
}

int cuda_module_open(int ordinal, bool tf32, struct device **device, struct error *error)
{
    return card_open(ordinal, tf32, device, error);
}
