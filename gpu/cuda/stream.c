/* stream.c: the CUDA device's streams: order, failures, scratch, and the way of bytes between host and card.
 *
 * What is uploaded leaves from a piece of pinned memory, so that the caller's array may change at once and the call
 * does not wait for the stream; only when that memory is full, or a stream is finished, does the host wait. */
#include "gpu/cuda/card.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const size_t staging_bytes = (size_t)1 << 20;
static const size_t staging_align = 256;
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

bool card_check(struct stream *stream, cudaError_t status, const char *doing)
{
    if (status == cudaSuccess)
        return true;
    struct error error;
    card_error(&error, status, doing);
    card_stream_fail(stream, error.code, "%s", error.message);
    return false;
}

bool card_check_blas(struct stream *stream, cublasStatus_t status, const char *doing)
{
    if (status != CUBLAS_STATUS_SUCCESS)
        card_stream_fail(stream, status == CUBLAS_STATUS_ALLOC_FAILED ? ERROR_MEMORY : ERROR_DEVICE, "%s: cuBLAS: %s",
                         doing, cublasGetStatusString(status));
    return status == CUBLAS_STATUS_SUCCESS;
}

bool card_stream_ready(struct stream *stream)
{
    return !stream->failure.code && card_check(stream, cudaSetDevice(stream->card->ordinal), "choosing the card");
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
        card_check(stream, cudaMalloc(&stream->workspace, workspace_bytes), "making a stream") &&
        card_check(stream, cudaMallocHost((void **)&stream->staging, staging_bytes), "making a stream"))
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
    if (stream->cuda)
        cudaStreamSynchronize(stream->cuda);
    if (stream->blas)
        cublasDestroy(stream->blas);
    for (int i = 0; i < SCRATCH_COUNT; i++)
        cudaFree(stream->scratch[i].data);
    cudaFree(stream->workspace);
    if (stream->staging)
        cudaFreeHost(stream->staging);
    if (stream->cuda)
        cudaStreamDestroy(stream->cuda);
    cudaGetLastError();
    free(stream->host);
    free(stream);
}

static void wait(struct stream *stream)
{
    if (card_check(stream, cudaStreamSynchronize(stream->cuda), "waiting for the card"))
        stream->staged = 0;
}

int card_stream_finish(struct stream *stream, struct error *error)
{
    if (card_stream_ready(stream)) {
        wait(stream);
    } else { /* what was under way reads staging and scratch still */
        cudaStreamSynchronize(stream->cuda);
        cudaGetLastError();
        stream->staged = 0;
    }
    int code = stream->failure.code;
    if (code)
        error_set(error, code, "%s", stream->failure.message);
    stream->failure.code = 0;
    return code;
}

/* -- scratch ------------------------------------------------------------------------------------------------------- */

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
    if (card_check(stream, cudaMalloc(&stream->scratch[which].data, bytes ? bytes : 1), "making room for a product"))
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

void card_upload(struct stream *stream, const void *host, size_t bytes, void *device)
{
    if (!bytes || !card_stream_ready(stream))
        return;
    if (bytes > staging_bytes) { /* the runtime stages memory that is not pinned itself, and waits as long as it must */
        card_check(stream, cudaMemcpyAsync(device, host, bytes, cudaMemcpyHostToDevice, stream->cuda), "uploading");
        return;
    }
    if (bytes > staging_bytes - stream->staged)
        wait(stream);
    if (stream->failure.code)
        return;
    char *from = stream->staging + stream->staged;
    memcpy(from, host, bytes);
    stream->staged += (bytes + staging_align - 1) / staging_align * staging_align;
    if (stream->staged > staging_bytes)
        stream->staged = staging_bytes;
    card_check(stream, cudaMemcpyAsync(device, from, bytes, cudaMemcpyHostToDevice, stream->cuda), "uploading");
}

void *card_stage(struct stream *stream, enum scratch which, const void *host, size_t bytes)
{
    void *device = card_scratch(stream, which, bytes);
    if (device)
        card_upload(stream, host, bytes, device);
    return stream->failure.code ? NULL : device;
}

void card_download(struct stream *stream, const void *device, size_t bytes, void *host)
{
    if (bytes && card_stream_ready(stream) &&
        card_check(stream, cudaMemcpyAsync(host, device, bytes, cudaMemcpyDeviceToHost, stream->cuda), "downloading"))
        wait(stream);
}

void card_copy(struct stream *stream, const void *from, size_t bytes, void *to)
{
    if (bytes && card_stream_ready(stream))
        card_check(stream, cudaMemcpyAsync(to, from, bytes, cudaMemcpyDeviceToDevice, stream->cuda), "copying");
}
