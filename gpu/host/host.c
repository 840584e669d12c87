/* host.c: the CPU device's life, memory and streams, and its table of operations. */
#include "gpu/host/host.h"

#include <malloc.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "gpu/host/bf16.h"
#include "gpu/host/kernels.h"

enum {
    BATCH_ROWS = 1000,   /* rows of a batch: probes that share what is done once for all of them */
    BLOCK_ROWS = 384,    /* enough for full speed of the products, few enough for the caches */
    EXPANDED = 64000000, /* bytes of expanded weights kept where nobody asks for more: products in few rows gain by
                          * them, those of a probe hardly at all */
    MOST_THREADS = 1024,
};

static const size_t huge_page = 2u << 20;

/* -- memory -------------------------------------------------------------------------------------------------------- */

/* Large buffers have huge pages, for fewer faults on first use, but no more of them than they fill. */
void *host_memory_new(size_t bytes)
{
    size_t align = bytes >= 2 * huge_page ? huge_page : 64;
    void *memory = NULL;
    if (posix_memalign(&memory, align, bytes ? bytes : 1))
        return NULL;
    if (align == huge_page)
        madvise(memory, bytes / huge_page * huge_page, MADV_HUGEPAGE); /* harmless where refused */
    return memory;
}

static size_t free_memory(struct device *device)
{
    (void)device;
    return machine_memory();
}

static size_t used_memory(struct device *device)
{
    (void)device;
#ifdef __GLIBC__
    malloc_trim(0); /* what was freed is in use no more */
#endif
    return machine_used();
}

static void *alloc(struct device *device, size_t bytes, struct error *error)
{
    (void)device;
    void *memory = host_memory_new(bytes);
    if (!memory)
        error_set(error, ERROR_MEMORY, "no memory for %zu bytes", bytes);
    return memory;
}

static void release(struct device *device, void *memory)
{
    (void)device;
    free(memory);
}

static void transfer(struct stream *stream, const void *from, size_t bytes, void *to)
{
    if (!stream->failure.code && bytes)
        memcpy(to, from, bytes);
}

/* -- streams ------------------------------------------------------------------------------------------------------- */

static void stream_free(struct stream *stream)
{
    if (!stream)
        return;
    pthread_mutex_destroy(&stream->lock);
    for (int i = 0; i < SCRATCH_COUNT; i++)
        free(stream->scratch[i].data);
    free(stream);
}

static int stream_new(struct device *device, bool wide, struct stream **stream, struct error *error)
{
    struct host_device *host = (struct host_device *)device;
    *stream = calloc(1, sizeof **stream);
    if (!*stream)
        return error_set(error, ERROR_MEMORY, "no memory for a stream");
    (*stream)->device = host;
    (*stream)->kernels = host->kernels;
    (*stream)->team = wide ? host->team : NULL;
    pthread_mutex_init(&(*stream)->lock, NULL);
    return 0;
}

static int stream_finish(struct stream *stream, struct error *error)
{
    int code = stream->failure.code;
    if (code)
        error_set(error, code, "%s", stream->failure.message);
    stream->failure.code = 0;
    return code;
}

void host_stream_fail(struct stream *stream, int code, const char *format, ...)
{
    char message[sizeof stream->failure.message];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    pthread_mutex_lock(&stream->lock);
    if (!stream->failure.code)
        error_set(&stream->failure, code, "%s", message);
    pthread_mutex_unlock(&stream->lock);
}

void *host_scratch(struct stream *stream, enum scratch which, size_t bytes)
{
    if (bytes > stream->scratch[which].bytes || !stream->scratch[which].data) {
        bytes += bytes / 4; /* texts grow token by token */
        free(stream->scratch[which].data);
        stream->scratch[which].data = host_memory_new(bytes);
        stream->scratch[which].bytes = stream->scratch[which].data ? bytes : 0;
        if (!stream->scratch[which].data)
            host_stream_fail(stream, ERROR_MEMORY, "no memory for %zu bytes of scratch", bytes);
    }
    return stream->scratch[which].data;
}

static struct device *stream_device(struct stream *stream)
{
    return &stream->device->device;
}

/* -- the device ---------------------------------------------------------------------------------------------------- */

static void host_close(struct device *device)
{
    if (!device)
        return;
    struct host_device *host = (struct host_device *)device;
    team_free(host->team);
    pthread_mutex_destroy(&host->lock);
    free(host);
}

static const struct device_info *host_info(const struct device *device)
{
    return &((const struct host_device *)device)->info;
}

static const struct device_ops host_ops = {
    .close = host_close,
    .info = host_info,
    .stream_new = stream_new,
    .stream_free = stream_free,
    .stream_finish = stream_finish,
    .stream_device = stream_device,
    .alloc = alloc,
    .free = release,
    .memory = free_memory,
    .used = used_memory,
    .upload = transfer,
    .download = transfer,
    .copy = transfer,
    .weight_new = host_weight_new,
    .weight_free = host_weight_free,
    .weight_prepare = host_weight_prepare,
    .embed = host_embed,
    .norm = host_norm,
    .linear = host_linear,
    .rope = host_rope,
    .attend = host_attend,
    .gate = host_gate,
    .add = host_add,
    .logits = host_logits,
    .norm_delta = host_norm_delta,
    .linear_delta = host_linear_delta,
    .linears_delta = host_linears_delta,
    .attend_delta = host_attend_delta,
    .gate_delta = host_gate_delta,
    .feed_delta = host_feed_delta,
    .pack = host_pack,
    .unpack = host_unpack,
    .gather = host_gather,
    .lse_delta = host_lse_delta,
    .logit_delta = host_logit_delta,
};

int host_open(int threads, const char *level, struct device **device, struct error *error)
{
    *device = NULL;
    const struct kernels *kernels = kernels_choose(level);
    if (!kernels)
        return error_set(error, ERROR_ARGUMENT, "this processor has no kernels of level \"%s\"", level);
    if (threads < 0 || threads > MOST_THREADS)
        return error_set(error, ERROR_ARGUMENT, "%d threads; 0 (all cores) to %d can be had", threads, MOST_THREADS);
    struct host_device *host = calloc(1, sizeof *host);
    if (!host)
        return error_set(error, ERROR_MEMORY, "no memory for the device");

    host->device.ops = &host_ops;
    host->kernels = kernels;
    host->onednn_alike = host_onednn_alike();
    host->int8_form = level ? INT8_OWN : INT8_BY_TIME;
    pthread_mutex_init(&host->lock, NULL);
    struct device_info *info = &host->info;
    snprintf(info->kind, sizeof info->kind, "cpu");
    machine_processor(info->name, sizeof info->name);
    info->threads = threads ? threads : machine_cores();
    info->streams = info->threads;
    info->batch_rows = BATCH_ROWS;
    info->block_rows = BLOCK_ROWS;
    info->memory = machine_memory();
    info->precision[PRECISION_F32] = info->precision[PRECISION_INT8] = true;
    info->precision[PRECISION_BF16] = bf16_offered();
    int code = team_new(info->threads, &host->team, error);
    if (code) {
        host_close(&host->device);
        return code;
    }
    *device = &host->device;
    host_keep_weights(*device, WEIGHTS_AUTO);
    return 0;
}

void host_keep_weights(struct device *device, enum weights weights)
{
    struct host_device *host = (struct host_device *)device;
    const size_t limits[] = {[WEIGHTS_AUTO] = EXPANDED, [WEIGHTS_MAPPED] = 0, [WEIGHTS_EXPANDED] = SIZE_MAX};
    host->keep_limit = limits[weights];
}
