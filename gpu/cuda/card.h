/* card.h: what the files of the CUDA device share.
 *
 * A card is one NVIDIA device; it is compiled into a module of its own that gpu/module.c loads, so that the program
 * runs where there is no driver.  A stream is a CUDA stream with its own cuBLAS handle, scratch and staging memory.
 *
 * Weights lie on the card in the type the file stores them in; a product expands as many of their rows as fit a piece
 * of scratch to f32, bf16 or int8 and leaves the multiplication to cuBLAS.  Everything else is done by the card's own
 * kernels (kernels.h).  Nothing synchronises the whole card between two layers. */
#ifndef GPU_CUDA_CARD_H
#define GPU_CUDA_CARD_H

#include <cublas_v2.h>
#include <cuda_runtime_api.h>

#include "gpu/cuda/kernels.h"
#include "gpu/device.h"

struct card {
    struct device device; /* first: a struct device * of this device points here */
    struct device_info info;
    int ordinal;
    size_t scratch_bytes; /* what a piece of an expanded weight, of accumulators or of logits may take */
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
    SCRATCH_INDEX,  /* indices and tasks that came from the host */
    SCRATCH_TARGET, /* a second array of them */
    SCRATCH_LOGIT,  /* a tile of baseline logits, or wanted rows of the head */
    SCRATCH_CHANGE, /* a tile of changes of logits */
    SCRATCH_STATE,  /* what an operation keeps for each row */
    SCRATCH_LSE,    /* the baseline's log-sum-exps */
    SCRATCH_COUNT
};

struct stream {
    struct card *card;
    cudaStream_t cuda;
    cublasHandle_t blas;
    void *workspace;      /* cuBLAS's; its own for each stream, so that results can be repeated */
    struct error failure; /* code 0: none */
    char *staging;        /* pinned host memory from which small uploads leave */
    size_t staged;        /* bytes of it that may still be on their way */
    void *host;           /* memory of the host for building what is uploaded */
    size_t host_bytes;
    struct {
        void *data;
        size_t bytes;
    } scratch[SCRATCH_COUNT];
};

/* -- card.c -------------------------------------------------------------------------------------------------------- */

/* Open card number `ordinal`.  0, ERROR_DEVICE (no driver, no such card, a card or driver too old) or ERROR_MEMORY. */
int card_open(int ordinal, struct device **, struct error *);

/* -- stream.c ------------------------------------------------------------------------------------------------------ */

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
/* Copy an array of the host into a scratch buffer; the array may change at once.  NULL: marked. */
void *card_stage(struct stream *, enum scratch, const void *host, size_t bytes);

int card_stream_new(struct device *, bool wide, struct stream **, struct error *);
void card_stream_free(struct stream *);
int card_stream_finish(struct stream *, struct error *);
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

/* Rows made ready for products in a precision. */
struct operand {
    enum precision precision;
    const void *data;   /* [rows, stride] f32, bf16 or int8 */
    const float *scale; /* [rows] of int8 */
    int rows, stride;
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
