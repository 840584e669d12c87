/* card.h: what the files of the CUDA device share.
 *
 * A card is one NVIDIA device; it is compiled into a module of its own that gpu/module.c loads, so that the program
 * runs where there is no driver.  A stream is a pair of CUDA streams, one that computes and one that copies, with its
 * own cuBLAS handle, scratch and staging memory.
 *
 * Weights lie on the card in the type the file stores them in; a product expands as many of their rows as fit a piece
 * of scratch to f32, bf16 or int8 and leaves the multiplication to cuBLAS.  Everything else is done by the card's own
 * kernels (kernels.h).  Nothing synchronises the whole card between two layers. */
#ifndef GPU_CUDA_CARD_H
#define GPU_CUDA_CARD_H

#include <cublas_v2.h>
#include <cuda_runtime_api.h>
#include <stdatomic.h>

#include "gpu/cuda/kernels.h"
#include "gpu/device.h"

struct card {
    struct device device; /* first: a struct device * of this device points here */
    struct device_info info;
    int ordinal;
    bool tf32;            /* products of values, but for the vocabulary's, may be TF32 */
    atomic_int lost;      /* cudaError_t after which the card computes no more; 0: it does */
    size_t scratch_bytes; /* what a piece of an expanded weight, of accumulators or of logits may take */
    double attend_products; /* how many a launch of attention may take: a card that shows a screen ends long ones */
};

struct weight {
    struct stored_rows stored; /* on the card; ids NULL, first 0 */
    int rows;
};

/* Scratch buffers of a stream; operations that call each other use different ones. */
enum scratch {
    SCRATCH_WEIGHT,       /* expanded rows of a weight */
    SCRATCH_WEIGHT_SCALE, /* their scales, int8 */
    SCRATCH_ROWS,         /* rounded rows of differences */
    SCRATCH_ROWS_SCALE,
    SCRATCH_SUM,    /* an int8 product's accumulators */
    SCRATCH_INDEX,  /* indices and tasks that came from the host, where they are too many for staging */
    SCRATCH_TARGET, /* a second array of them */
    SCRATCH_LOGIT,  /* a tile of baseline logits, or wanted rows of the head */
    SCRATCH_CHANGE, /* a tile of changes of logits */
    SCRATCH_STATE,  /* what a log-sum-exp keeps for each row, */
    SCRATCH_RESULT, /* and changes of single logits, until they are copied to the host */
    SCRATCH_LSE,    /* the baseline's log-sum-exps, likewise */
    SCRATCH_COUNT
};

/* A result on its way to the host: what has arrived in staging memory goes to its caller when the stream is
 * finished. */
struct result {
    const void *from;
    double *to;
    size_t count;
    void (*deliver)(const void *from, size_t count, double *to);
};
enum { STREAM_RESULTS = 8 }; /* on their way at once */

struct stream {
    struct card *card;
    cudaStream_t cuda;              /* computes, and copies what must stay in order */
    cudaStream_t copies;            /* brings what operations need from the host, and takes results there, beside it */
    cudaEvent_t computed, copied;   /* the place up to which the one waits for the other */
    cublasHandle_t blas;
    void *workspace;      /* cuBLAS's; its own for each stream, so that results can be repeated */
    struct error failure; /* code 0: none */
    char *staging;        /* pinned memory of the host, */
    char *staged;         /* and as much of the card's: what is staged stands at the same place in both */
    size_t staging_start; /* the half in use: its first byte, */
    size_t staging_used;  /* and how many of it may still be needed */
    struct result result[STREAM_RESULTS];
    int results;
    void *host;           /* memory of the host for building what is uploaded */
    size_t host_bytes;
    struct {
        void *data;
        size_t bytes;
    } scratch[SCRATCH_COUNT];
};

/* -- card.c -------------------------------------------------------------------------------------------------------- */

/* How many cards there are, at least 1.  0, or ERROR_DEVICE (no driver, one too old, no card). */
int card_count(int *cards, struct error *);
/* Open card number `ordinal`.  0, ERROR_DEVICE (as above; no such card, one too old), ERROR_UNSUPPORTED (no TF32) or
 * ERROR_MEMORY. */
int card_open(int ordinal, bool tf32, struct device **, struct error *);

/* -- stream.c ------------------------------------------------------------------------------------------------------ */

/* Say that a card is lost, and what can be done. */
int card_error_lost(const struct card *, struct error *);
/* An error of the runtime as this house tells it: "doing: why".  Clears what the runtime would tell again. */
int card_error(struct error *, cudaError_t, const char *doing);
/* Whether the stream's operations still count; if so, its card is made the calling thread's. */
bool card_stream_ready(struct stream *);
/* Mark the stream as failed, unless it already is. */
void card_stream_fail(struct stream *, int code, const char *format, ...) __attribute__((format(printf, 3, 4)));
/* Mark the stream where a call did not succeed; true where it did. */
bool card_check(struct stream *, cudaError_t, const char *doing);
bool card_check_blas(struct stream *, cublasStatus_t, const char *doing);
/* A scratch buffer of at least bytes bytes, its contents undefined; valid until the same one is asked for again.
 * NULL when there is no memory: the stream is then marked. */
void *card_scratch(struct stream *, enum scratch, size_t bytes);
/* The same in host memory; there is one such buffer. */
void *card_host_scratch(struct stream *, size_t bytes);
/* Copy an array of the host to the card, beside what is computed; the array may change at once.  It stays until the
 * stream is finished, or, where it is too large for staging, until the scratch buffer is asked for again.  NULL:
 * marked. */
void *card_stage(struct stream *, enum scratch, const void *host, size_t bytes);
/* Have count items of `size` bytes, which the stream's operations so far leave in a scratch buffer, copied to the host
 * beside what is computed next; deliver() turns them into to [count] when the stream is finished. */
void card_result(struct stream *, const void *from, size_t count, size_t size,
                 void (*deliver)(const void *from, size_t count, double *to), double *to);
/* A scratch buffer that card_result() takes its items from: what it held is copied first. */
void *card_result_scratch(struct stream *, enum scratch, size_t bytes);

int card_stream_new(struct device *, bool wide, struct stream **, struct error *);
void card_stream_free(struct stream *);
int card_stream_finish(struct stream *, struct error *);
struct device *card_stream_device(struct stream *);
void card_upload(struct stream *, const void *host, size_t bytes, void *device);
void card_download(struct stream *, const void *device, size_t bytes, void *host);
void card_copy(struct stream *, const void *from, size_t bytes, void *to);

/* -- weight.c ------------------------------------------------------------------------------------------------------ */

int card_weight_new(struct device *, uint32_t type, int rows, int columns, const void *data, struct weight **,
                    struct error *);
void card_weight_free(struct device *, struct weight *);
void card_embed(struct stream *, const struct weight *, const int32_t *ids, int n, float scale, float *x);
void card_linear(struct stream *, const struct weight *, const float *bias, const float *x, int rows, float *y);
void card_linear_delta(struct stream *, const struct weight *, enum precision, const float *dx, int rows, float *dy);
/* y = x . w^T in f32, or where tf32 in TF32.  rows > 0; the stream is ready. */
void card_values(struct stream *, const struct weight *, bool tf32, const float *x, int rows, float *y);

/* Rows made ready for products in a precision. */
struct operand {
    enum precision precision;
    const void *data;   /* [rows, stride] f32, bf16 or int8 */
    const float *scale; /* [rows] of int8 */
    int rows, stride;
    bool tf32; /* f32 that may be multiplied as TF32 */
};
/* x [rows, columns] f32; uses SCRATCH_ROWS and SCRATCH_ROWS_SCALE unless f32.  false: the stream is marked. */
bool card_operand(struct stream *, enum precision, const float *x, int rows, int columns, struct operand *);
/* y [rows, count] (y_stride apart) = x . rows first .. first + count - 1 of the weight; uses SCRATCH_WEIGHT,
 * SCRATCH_WEIGHT_SCALE and SCRATCH_SUM. */
void card_product(struct stream *, const struct operand *, const struct weight *, int first, int count, float *y,
                  int y_stride);
/* How many of a weight's rows a product may take at once for so many rows of x. */
int card_product_tile(const struct stream *, const struct weight *, int rows);

/* -- attend.c ------------------------------------------------------------------------------------------------------ */

void card_attend(struct stream *, const struct attention *, const float *factor, int first, const float *x, int rows,
                 float *y);
void card_attend_delta(struct stream *, const struct attention *, int probes, const struct probe_span *,
                       const float *factor, const float *query, const float *output, const float *dquery,
                       const float *dkey, const float *dvalue, float *dy);

/* -- head.c -------------------------------------------------------------------------------------------------------- */

void card_logits(struct stream *, const struct head *, const float *h, int rows, float *logits);
void card_lse_delta(struct stream *, const struct head *, enum precision, const float *h, int targets,
                    const double *lse, const float *dh, const int32_t *target, int rows, double *dlse);
void card_logit_delta(struct stream *, const struct head *, const float *h, const float *dh, const int32_t *target,
                      int rows, const int32_t *wanted, int n, double *dlogit);

#endif
