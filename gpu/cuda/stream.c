/* stream.c: the CUDA device's streams: order, failures, scratch, and the way of bytes between host and card.
 *
 * What is uploaded leaves from a piece of pinned memory, so that the caller's array may change at once and the call
 * does not wait for the stream.  Indices and tasks go to a place on the card that nothing else uses until the stream is
 * finished, so their copies need not wait for what is being computed; results go back the same way.  The host waits
 * when that memory is full, or when a stream is finished, and then for this stream alone: nothing here waits for a
 * card. */
#include "gpu/cuda/card.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Staging memory has two halves.  Where one is full the host waits for the stream and takes the other, so that what an
 * operation has staged just before stays as it is: an operation stages up to four arrays, each up to a quarter of a
 * half. */
enum {
    STAGING_HALF = 2 << 20,
    STAGING = 2 * STAGING_HALF,
    STAGING_MOST = STAGING_HALF / 4,
    STAGING_ALIGN = 256,
};
static const size_t workspace_bytes = (size_t)32 << 20;

/* -- failures ------------------------------------------------------------------------------------------------------ */

int card_error(struct error *error, cudaError_t status, const char *doing)
{
    cudaGetLastError(); /* forget it: the next launch would report it again */
    if (status == cudaErrorMemoryAllocation)
        return error_set(error, ERROR_MEMORY,
                         "%s: the card has no memory left; use a smaller model or context, or the "
                         "device \"cpu\"",
                         doing);
    return error_set(error, ERROR_DEVICE, "%s: CUDA: %s (%s)", doing, cudaGetErrorString(status),
                     cudaGetErrorName(status));
}

int card_error_lost(const struct card *card, struct error *error)
{
    cudaError_t status = (cudaError_t)atomic_load(&card->lost);
    return error_set(error, ERROR_DEVICE,
                     "%s has failed (%s, %s) and computes no more; start the program anew, or use the device \"cpu\"",
                     card->info.name, cudaGetErrorString(status), cudaGetErrorName(status));
}

void card_stream_fail(struct stream *stream, int code, const char *format, ...)
{
    if (stream->failure.code)
        return;
    char message[sizeof stream->failure.message];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    error_set(&stream->failure, code, "%s", message);
}

/* What a failed kernel leaves behind cannot be cleared: then the card is lost. */
static void look_whether_lost(struct stream *stream)
{
    cudaError_t now = stream->cuda ? cudaStreamQuery(stream->cuda) : cudaSuccess;
    cudaGetLastError(); /* "not ready" is remembered like an error; the next launch, on any stream, would report it */
    if (now != cudaSuccess && now != cudaErrorNotReady)
        atomic_store(&stream->card->lost, (int)now);
}

bool card_check(struct stream *stream, cudaError_t status, const char *doing)
{
    if (status == cudaSuccess)
        return true;
    struct error error;
    card_error(&error, status, doing);
    look_whether_lost(stream);
    card_stream_fail(stream, error.code, "%s", error.message);
    return false;
}

bool card_check_blas(struct stream *stream, cublasStatus_t status, const char *doing)
{
    if (status == CUBLAS_STATUS_SUCCESS)
        return true;
    look_whether_lost(stream);
    card_stream_fail(stream, status == CUBLAS_STATUS_ALLOC_FAILED ? ERROR_MEMORY : ERROR_DEVICE, "%s: cuBLAS: %s",
                     doing, cublasGetStatusString(status));
    return false;
}

bool card_stream_ready(struct stream *stream)
{
    if (stream->failure.code)
        return false;
    if (atomic_load(&stream->card->lost)) {
        card_error_lost(stream->card, &stream->failure);
        return false;
    }
    return card_check(stream, cudaSetDevice(stream->card->ordinal), "choosing the card");
}

/* -- life ---------------------------------------------------------------------------------------------------------- */

static void prepare_blas(struct stream *stream)
{
    if (card_check_blas(stream, cublasCreate(&stream->blas), "starting cuBLAS"))
        card_check_blas(stream, cublasSetStream(stream->blas, stream->cuda), "starting cuBLAS");
    if (!stream->failure.code)
        card_check_blas(stream, cublasSetWorkspace(stream->blas, stream->workspace, workspace_bytes),
                        "starting cuBLAS");
    if (!stream->failure.code) /* f32 means f32 here: no TF32, and no bf16 sums of bf16 products */
        card_check_blas(
            stream,
            cublasSetMathMode(stream->blas,
                              (cublasMath_t)(CUBLAS_DEFAULT_MATH | CUBLAS_MATH_DISALLOW_REDUCED_PRECISION_REDUCTION)),
            "starting cuBLAS");
}

int card_stream_new(struct device *device, bool wide, struct stream **out, struct error *error)
{
    (void)wide; /* every stream has the whole card */
    struct stream *stream = (struct stream *)calloc(1, sizeof *stream);
    *out = NULL;
    if (!stream)
        return error_set(error, ERROR_MEMORY, "no memory for a stream");
    stream->card = (struct card *)device;
    if (card_stream_ready(stream) &&
        card_check(stream, cudaStreamCreateWithFlags(&stream->cuda, cudaStreamNonBlocking), "making a stream") &&
        card_check(stream, cudaStreamCreateWithFlags(&stream->copies, cudaStreamNonBlocking), "making a stream") &&
        card_check(stream, cudaEventCreateWithFlags(&stream->computed, cudaEventDisableTiming), "making a stream") &&
        card_check(stream, cudaEventCreateWithFlags(&stream->copied, cudaEventDisableTiming), "making a stream") &&
        card_check(stream, cudaMalloc(&stream->workspace, workspace_bytes), "making a stream") &&
        card_check(stream, cudaMalloc((void **)&stream->staged, STAGING), "making a stream") &&
        card_check(stream, cudaMallocHost((void **)&stream->staging, STAGING), "making a stream"))
        prepare_blas(stream);
    int code = stream->failure.code;
    if (code) {
        error_set(error, code, "%s", stream->failure.message);
        card_stream_free(stream);
        return code;
    }
    *out = stream;
    return 0;
}

void card_stream_free(struct stream *stream)
{
    if (!stream)
        return;
    cudaSetDevice(stream->card->ordinal);
    if (stream->copies)
        cudaStreamSynchronize(stream->copies);
    if (stream->cuda)
        cudaStreamSynchronize(stream->cuda);
    if (stream->blas)
        cublasDestroy(stream->blas);
    for (int i = 0; i < SCRATCH_COUNT; i++)
        cudaFree(stream->scratch[i].data);
    cudaFree(stream->workspace);
    cudaFree(stream->staged);
    if (stream->staging)
        cudaFreeHost(stream->staging);
    if (stream->computed)
        cudaEventDestroy(stream->computed);
    if (stream->copied)
        cudaEventDestroy(stream->copied);
    if (stream->copies)
        cudaStreamDestroy(stream->copies);
    if (stream->cuda)
        cudaStreamDestroy(stream->cuda);
    cudaGetLastError();
    free(stream->host);
    free(stream);
}

/* What has arrived goes to its callers; nothing, where the stream has failed. */
static void deliver_results(struct stream *stream)
{
    for (int i = 0; i < stream->results && !stream->failure.code; i++)
        stream->result[i].deliver(stream->result[i].from, stream->result[i].count, stream->result[i].to);
    stream->results = 0;
}

/* Wait for both sides of the stream. */
static void wait(struct stream *stream)
{
    cudaError_t copied = cudaStreamSynchronize(stream->copies), computed = cudaStreamSynchronize(stream->cuda);
    card_check(stream, computed != cudaSuccess ? computed : copied, "waiting for the card");
    deliver_results(stream);
}

int card_stream_finish(struct stream *stream, struct error *error)
{
    if (card_stream_ready(stream)) {
        wait(stream);
    } else { /* what was under way reads staging and scratch still */
        cudaStreamSynchronize(stream->copies);
        cudaStreamSynchronize(stream->cuda);
        look_whether_lost(stream);
        stream->results = 0;
    }
    stream->staging_used = 0;
    int code = stream->failure.code;
    if (code)
        error_set(error, code, "%s", stream->failure.message);
    stream->failure.code = 0;
    return code;
}

struct device *card_stream_device(struct stream *stream)
{
    return &stream->card->device;
}

/* -- scratch ------------------------------------------------------------------------------------------------------- */

/* Up to an eighth more, so that groups of rows, each a little larger than any before, do not each make the card wait
 * for memory. */
static size_t roomy(size_t bytes)
{
    size_t step = 512;
    while (step < bytes / 16)
        step *= 2;
    return (bytes + step - 1) / step * step;
}

void *card_scratch(struct stream *stream, enum scratch which, size_t bytes)
{
    if (stream->failure.code)
        return NULL;
    if (bytes <= stream->scratch[which].bytes && stream->scratch[which].data)
        return stream->scratch[which].data;
    wait(stream); /* operations under way may use the old one */
    cudaFree(stream->scratch[which].data);
    stream->scratch[which].data = NULL;
    stream->scratch[which].bytes = 0;
    bytes = roomy(bytes ? bytes : 1);
    if (card_check(stream, cudaMalloc(&stream->scratch[which].data, bytes), "making room for a product"))
        stream->scratch[which].bytes = bytes;
    return stream->failure.code ? NULL : stream->scratch[which].data;
}

void *card_host_scratch(struct stream *stream, size_t bytes)
{
    if (bytes > stream->host_bytes || !stream->host) {
        free(stream->host);
        stream->host = malloc(bytes ? bytes : 1);
        stream->host_bytes = stream->host ? bytes : 0;
        if (!stream->host)
            card_stream_fail(stream, ERROR_MEMORY, "no memory for %zu bytes of scratch", bytes);
    }
    return stream->host;
}

/* -- bytes on their way -------------------------------------------------------------------------------------------- */

/* A place in staging memory; waits where there is none left.  SIZE_MAX: too large for it, or the stream is marked. */
static size_t take_staging(struct stream *stream, size_t bytes)
{
    if (bytes > STAGING_MOST)
        return SIZE_MAX;
    if (bytes > STAGING_HALF - stream->staging_used) {
        wait(stream);
        stream->staging_start = STAGING_HALF - stream->staging_start;
        stream->staging_used = 0;
    }
    if (stream->failure.code)
        return SIZE_MAX;
    size_t place = stream->staging_start + stream->staging_used;
    stream->staging_used += (bytes + STAGING_ALIGN - 1) / STAGING_ALIGN * STAGING_ALIGN;
    return place;
}

void card_upload(struct stream *stream, const void *host, size_t bytes, void *device)
{
    if (!bytes || !card_stream_ready(stream))
        return;
    size_t place = take_staging(stream, bytes);
    if (stream->failure.code)
        return;
    if (place != SIZE_MAX) /* else the runtime stages it, and waits as long as it must */
        host = memcpy(stream->staging + place, host, bytes);
    card_check(stream, cudaMemcpyAsync(device, host, bytes, cudaMemcpyHostToDevice, stream->cuda), "uploading");
}

void *card_stage(struct stream *stream, enum scratch which, const void *host, size_t bytes)
{
    size_t place = take_staging(stream, bytes);
    if (place == SIZE_MAX) {
        void *device = card_scratch(stream, which, bytes);
        if (device)
            card_upload(stream, host, bytes, device);
        return stream->failure.code ? NULL : device;
    }
    memcpy(stream->staging + place, host, bytes);
    if (card_check(stream,
                   cudaMemcpyAsync(stream->staged + place, stream->staging + place, bytes, cudaMemcpyHostToDevice,
                                   stream->copies),
                   "uploading") &&
        card_check(stream, cudaEventRecord(stream->copied, stream->copies), "uploading"))
        card_check(stream, cudaStreamWaitEvent(stream->cuda, stream->copied, 0), "uploading");
    return stream->failure.code ? NULL : stream->staged + place;
}

void *card_result_scratch(struct stream *stream, enum scratch which, size_t bytes)
{
    if (stream->results > 0 && card_check(stream, cudaEventRecord(stream->copied, stream->copies), "a result"))
        card_check(stream, cudaStreamWaitEvent(stream->cuda, stream->copied, 0), "a result");
    return card_scratch(stream, which, bytes);
}

void card_result(struct stream *stream, const void *from, size_t count, size_t size,
                 void (*deliver)(const void *from, size_t count, double *to), double *to)
{
    size_t bytes = count * size;
    if (stream->results == STREAM_RESULTS)
        wait(stream);
    size_t place = take_staging(stream, bytes);
    if (place == SIZE_MAX) { /* so many at once that nothing is gained by not waiting */
        void *host = card_host_scratch(stream, bytes);
        if (host)
            card_download(stream, from, bytes, host);
        if (!stream->failure.code)
            deliver(host, count, to);
        return;
    }
    char *host = stream->staging + place;
    if (!card_check(stream, cudaEventRecord(stream->computed, stream->cuda), "a result") ||
        !card_check(stream, cudaStreamWaitEvent(stream->copies, stream->computed, 0), "a result") ||
        !card_check(stream, cudaMemcpyAsync(host, from, bytes, cudaMemcpyDeviceToHost, stream->copies), "a result"))
        return;
    stream->result[stream->results++] = (struct result){host, to, count, deliver};
}

void card_download(struct stream *stream, const void *device, size_t bytes, void *host)
{
    if (bytes && card_stream_ready(stream) &&
        card_check(stream, cudaMemcpyAsync(host, device, bytes, cudaMemcpyDeviceToHost, stream->cuda), "downloading"))
        wait(stream);
}

/* The memory of either end may be another card's: addresses say whose they are. */
void card_copy(struct stream *stream, const void *from, size_t bytes, void *to)
{
    if (bytes && card_stream_ready(stream))
        card_check(stream, cudaMemcpyAsync(to, from, bytes, cudaMemcpyDefault, stream->cuda), "copying");
}
