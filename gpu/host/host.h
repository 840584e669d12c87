/* host.h: what the files of the CPU device share.
 *
 * Memory is plain aligned memory.  A stream is scratch; a wide one also has the device's team of threads to share an
 * operation among.  Operations of any other stream run in the calling thread, so that several streams run side by side
 * without meeting.
 *
 * The bit rule.  What an operation does to a row depends on that row alone, never on how rows are grouped into tiles or
 * threads; baseline and probes go through the same kernels.  So a probe that changes nothing gives exactly 0. */
#ifndef GPU_HOST_HOST_H
#define GPU_HOST_HOST_H

#include <pthread.h>

#include "gpu/device.h"
#include "gpu/host/team.h"

struct kernels;

/* Whose products of 8-bit integers a weight is packed for. */
enum int8_form { INT8_BY_TIME, INT8_OWN, INT8_ONEDNN };

struct host_device {
    struct device device; /* first: a struct device * of this device points here */
    struct device_info info;
    const struct kernels *kernels;
    struct team *team;    /* of info.threads members */
    pthread_mutex_t lock; /* guards kept and int8_form */
    enum int8_form int8_form; /* BY_TIME: not found out yet */
    bool onednn_alike;    /* see host_onednn_alike() */
    size_t keep_limit;    /* bytes that expanded weights may take: see host_keep_weights() */
    size_t kept;          /* bytes promised to weights so far */
};

/* Scratch buffers of a stream; operations that call each other use different ones. */
enum scratch {
    SCRATCH_WEIGHT,  /* every member's expanded tile of a weight */
    SCRATCH_FEW,     /* rows of a product that are too few */
    SCRATCH_ONTO,    /* what is added to what is there */
    SCRATCH_FEED,    /* what the gate of the feed-forward half is made of */
    SCRATCH_ORDER,   /* in what order its rows are taken */
    SCRATCH_INT8,    /* every member's rounded rows */
    SCRATCH_BF16,    /* the same in bf16 */
    SCRATCH_TILES,   /* every member's buffers for a tile of the vocabulary */
    SCRATCH_LAID,    /* rows laid out for products */
    SCRATCH_SUMS,    /* sums of every row over the vocabulary */
    SCRATCH_PANELS,  /* the baseline's keys in panels */
    SCRATCH_FACTORS, /* factors as the attention kernel wants them */
    SCRATCH_ATTEND,  /* every member's buffers for attention */
    SCRATCH_COUNT
};

struct stream {
    struct host_device *device;
    const struct kernels *kernels;
    struct team *team;    /* of a wide stream; else NULL */
    pthread_mutex_t lock; /* guards failure while pieces of an operation run */
    struct error failure; /* code 0: none */
    struct {
        void *data;
        size_t bytes;
    } scratch[SCRATCH_COUNT];
};

/* -- host.c -------------------------------------------------------------------------------------------------------- */

/* Open the CPU device.  threads as in device_options; level names the kernels to use ("generic", "avx2", "avx512",
 * "vnni") or is NULL for the best that this processor runs.  0, ERROR_ARGUMENT (no such level here) or ERROR_MEMORY. */
int host_open(int threads, const char *level, struct device **, struct error *);
/* What becomes of the weights made from now on. */
void host_keep_weights(struct device *, enum weights);

/* Memory of at least bytes bytes, 64-byte aligned, not cleared; freed by free().  NULL on failure. */
void *host_memory_new(size_t bytes);

/* Mark the stream as failed, unless it already is. Thread: any, also from a team's pieces. */
void host_stream_fail(struct stream *, int code, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* A scratch buffer of at least bytes bytes, its contents undefined; valid until the same one is asked for again.
 * NULL when there is no memory: the stream is then marked. */
void *host_scratch(struct stream *, enum scratch, size_t bytes);

static inline int least(int a, int b)
{
    return a < b ? a : b;
}

/* -- machine.c ----------------------------------------------------------------------------------------------------- */

/* The processor's name, at most size - 1 bytes. */
void machine_processor(char *name, size_t size);
/* Cores that this process may use, at least 1. */
int machine_cores(void);
/* Bytes of memory this process may still take, as far as the system says; else 0. */
size_t machine_memory(void);
/* Bytes of its own that this process has in memory, but for what is mapped from files; 0: not known. */
size_t machine_used(void);

/* -- weight.c: device_ops of weights and their products ------------------------------------------------------------ */

int host_weight_new(struct device *, uint32_t type, int rows, int columns, const void *data, struct weight **,
                    struct error *);
void host_weight_free(struct device *, struct weight *);
/* The whole weight in f32 [rows, columns], if it is kept in that form, else NULL. Not from a team's pieces. */
const float *host_weight_kept(struct stream *, const struct weight *);
/* Rows first .. first + count - 1 in f32 [count, columns], written to out. Thread: any. */
void host_weight_expand(const struct weight *, int first, int count, float *out);
/* How many rows are best expanded at once where few rows are multiplied by them. */
int host_weight_few(const struct weight *);
/* Column `column` of rows first .. first + count - 1 in f32 [count]. Thread: any. */
void host_weight_column(const struct weight *, int column, int first, int count, float *out);

int host_weight_rows(const struct weight *);
int host_weight_columns(const struct weight *);

void host_embed(struct stream *, const struct weight *, const int32_t *ids, int n, float scale, float *x);
void host_linear(struct stream *, const struct weight *, const float *bias, const float *x, int rows, float *y);
void host_linear_delta(struct stream *, const struct weight *, enum precision, const float *dx, int rows, float *dy);
void host_weight_prepare(struct stream *, const struct weight *w, enum precision);
void host_linears_delta(struct stream *, int n, const struct weight *const *w, enum precision, const float *dx,
                        int rows, bool onto, float *const *dy);
void host_feed_delta(struct stream *, const struct feed *, enum precision, const int32_t *position, const float *dx,
                     int rows, float *dy);
/* Whether products of differences are offered in a precision; if not, the stream is marked. */
bool host_precision_offered(struct stream *, enum precision);
/* Whether oneDNN's f32 products, of 16 rows or more, give a row the same bits here whatever the rows beside it. */
bool host_onednn_alike(void);

/* -- rows.c: device_ops that go row by row ------------------------------------------------------------------------- */

void host_norm(struct stream *, const struct norm *, const float *x, int rows, float *y);
void host_norm_delta(struct stream *, const struct norm *, const float *x, const int32_t *position, const float *dx,
                     int rows, float *dy);
void host_rope(struct stream *, const struct rope *, const int32_t *position, int rows, float *x);
void host_gate(struct stream *, enum activation, const float *gate, const float *up, size_t n, float *y);
void host_gate_delta(struct stream *, enum activation, const float *gate, const float *up, const int32_t *position,
                     const float *dgate, const float *dup, int rows, int width, float *dy);
void host_add(struct stream *, const float *x, float scale, size_t n, float *y);
void host_gather(struct stream *, const float *from, const int32_t *index, int n, int width, float *to);

/* -- pack.c -------------------------------------------------------------------------------------------------------- */

void host_pack(struct stream *, enum precision, const float *x, int rows, int width, void *packed);
void host_unpack(struct stream *, enum precision, const void *packed, int rows, int width, float *x);

/* -- attend.c ------------------------------------------------------------------------------------------------------ */

void host_attend(struct stream *, const struct attention *, const float *factor, int first, const float *x, int rows,
                 float *y);
void host_attend_delta(struct stream *, const struct attention *, int probes, const struct probe_span *,
                       const float *factor, const float *query, const float *output, const float *dquery,
                       const float *dkey, const float *dvalue, float *dy);

/* -- head.c -------------------------------------------------------------------------------------------------------- */

void host_logits(struct stream *, const struct head *, const float *h, int rows, float *logits);
void host_lse_delta(struct stream *, const struct head *, enum precision, const float *h, int targets,
                    const double *lse, const float *dh, const int32_t *target, int rows, double *dlse);
void host_logit_delta(struct stream *, const struct head *, const float *h, const float *dh, const int32_t *target,
                      int rows, const int32_t *wanted, int n, double *dlogit);

#endif
