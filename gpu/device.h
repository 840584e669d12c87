/* device.h: the contract between the probe engine and where it computes.
 *
 * A device has memory, weights and a dozen and a half operations on *packed rows*.  core/ knows this header only;
 * host/ (oneDNN and own loops) and cuda/ (cuBLAS and own kernels) implement it with the same names, the same tests
 * and the same tolerances.
 *
 * Memory.  A `float *` or `int32_t *` named below lives on the device unless it says "host".  core/ never looks
 * through such a pointer, but may add to it.
 *
 * Streams.  Operations run in order on a stream; a stream belongs to one thread at a time and owns the scratch its
 * operations need.  Streams of one device may run side by side.  An operation that fails marks its stream; whatever
 * follows on it does nothing, until stream_finish() says what happened.  So callers check once per layer.
 *
 * Values and differences.  The baseline is computed once, in f32 values.  A probe (one re-run of the model with the
 * attention to some keys turned up or down) is carried as its *difference* to the baseline: every *_delta operation
 * takes the baseline's values, indexed by position, and the packed differences, indexed by row, forms the full f32
 * value, applies the function and subtracts the baseline's result again.  So only products of differences ever run
 * in low precision, and a probe that changes nothing gives exactly 0.
 *
 * Packed rows.  Row r of a batch is (probe, position[r]).  Rows of one probe are consecutive and stand in the order
 * of their positions, which are consecutive too.  Positions before a probe's first touched key are not rows: they
 * equal the baseline. */
#ifndef GPU_DEVICE_H
#define GPU_DEVICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gpu/dtype.h"
#include "gpu/error.h"

struct device;
struct stream;
struct weight; /* a matrix [rows = outputs, columns = inputs] in the type it was stored in */

/* How products of differences are formed; the baseline is always f32. */
enum precision { PRECISION_F32, PRECISION_BF16, PRECISION_INT8 };

enum norm_kind { NORM_RMS, NORM_LAYER };
enum activation {
    ACTIVATION_SILU,
    ACTIVATION_GELU_TANH,
    ACTIVATION_GELU_ERF,
    ACTIVATION_GELU_QUICK, /* x / (1 + exp(-1.702 x)) */
};

/* The four readings of AtMan (arXiv 2301.08110) in use; S = scaled scores of a row, m = factor of a column.
 * In all of them m = 1 leaves S as it is to the bit. */
enum suppression {
    SUPPRESS_ROW_MIN,        /* S + (m - 1)(S - min), min over the whole row, keys after the query included */
    SUPPRESS_ROW_MIN_CAUSAL, /* the same, min over the keys the query sees */
    SUPPRESS_PRODUCT,        /* S m */
    SUPPRESS_LOG_ADDITIVE,   /* S + log m; a row all of whose keys have m = 0 attends to nothing: output 0 */
};

/* Normalisation over groups of `width` columns: a row has groups * width columns (groups > 1: one group a head).
 * weight and bias [width] f32; bias may be NULL. */
struct norm {
    enum norm_kind kind;
    int groups, width;
    float epsilon;
    const float *weight, *bias;
};

/* Rotary embedding of the first 2 * pairs columns of every head.
 * cos, sin [positions, pairs] f32.  neox: pair i is columns (i, i + pairs); else (2i, 2i + 1). */
struct rope {
    int heads, head_dim, pairs;
    bool neox;
    const float *cos, *sin;
};

/* Everything about one layer's attention that all its rows share.
 * key, value  [positions, kv_heads * head_dim] f32: the baseline's, keys after RoPE
 * sees        [positions, 2] i32 or NULL: the first and the last key that the query at each position sees, both
 *             included; neither of the two may descend with the position, and a position sees itself.  Blocks that look
 *             in both directions (pictures in Gemma 3, a vision tower) are said so; window is then not looked at.
 * Without it a query at position p sees the keys j <= p and, with window > 0, only p - j < window. */
struct attention {
    int heads, kv_heads, head_dim; /* heads is a multiple of kv_heads */
    float scale;                   /* applied to q . k */
    float softcap;                 /* > 0: S = softcap * tanh(S / softcap) before the suppression */
    int window;                    /* 0: none */
    const int32_t *sees;
    int positions;
    const float *key, *value;
    enum suppression suppression;
};

/* The rows of one probe, as attention sees them (host memory).  Its queries are rows query_row .. + query_count - 1 at
 * positions query_position ..; its changed keys and values are rows key_row .. at positions key_position ..
 * attention.positions - 1; before key_position they are the baseline's. */
struct probe_span {
    int query_row, query_position, query_count;
    int key_row, key_position;
};

/* The output head: logits = cap(weight . h + bias) ; cap(z) = z / divisor, then softcap * tanh(. / softcap) if > 0.
 * bias [vocabulary] f32 or NULL. */
struct head {
    const struct weight *weight;
    const float *bias;
    int vocabulary, width;
    float divisor, softcap;
};

struct device_info {
    char kind[8];    /* "cpu", "cuda" */
    char name[96];   /* the processor's or card's own name */
    int threads;     /* cpu: threads in use; else 0 */
    int streams;     /* how many streams should run side by side to keep the device busy with probes */
    int batch_rows;  /* rows a stream likes to be given at once */
    int block_rows;  /* how many of them an operation needs at least for full speed; 0: all */
    size_t memory;   /* bytes free for this process when opened, as far as known; else 0 */
    int head_dim;    /* the widest head that attention takes; 0: any */
    bool precision[3]; /* which enum precision are offered, */
    enum precision preferred; /* and which is taken where nobody asks for one; f32: the fastest by timing */
};

enum { LINEARS = 3 }; /* products formed together at most */

enum { PACK_BLOCK = 32 }; /* columns that share a scale where rows are packed in 8 bits */

/* How many blocks of columns a row packed in 8 bits has. */
static inline int packed_blocks(int width)
{
    return width / PACK_BLOCK + (width % PACK_BLOCK > 0);
}

/* The bytes of a packed row, a multiple of 4: f32 and bf16 as they are; in 8 bits a byte a column, filled up to whole
 * blocks, then an f32 scale a block. */
static inline size_t packed_bytes(enum precision precision, int width)
{
    size_t n = (size_t)width;
    return precision == PRECISION_INT8 ? (size_t)packed_blocks(width) * (PACK_BLOCK + sizeof(float))
         : precision == PRECISION_BF16 ? (n + 1) / 2 * 4
                                       : n * sizeof(float);
}

/* The feed-forward half of a layer: down(activation(gate h) * up h), or without up; h = norm(x), or x itself. */
struct feed {
    const struct norm *norm; /* NULL: none */
    const float *x;          /* the baseline's, [positions, gate.columns]; without a norm not looked at */
    enum activation activation;
    const struct weight *gate, *up, *down; /* up NULL: none */
    const float *gate_value, *up_value;    /* the baseline's, [positions, gate.rows] */
    bool onto;                             /* see linears_delta */
};

/* An operation's arguments come in the order: stream, what it is, what it reads, what it writes. */
struct device_ops {
    /* -- life; each returns 0 or an error code ------------------------------------------------------------------ */
    void (*close)(struct device *);
    const struct device_info *(*info)(const struct device *);
    /* wide: one stream that uses the whole device by itself (baseline); else one of info.streams. */
    int (*stream_new)(struct device *, bool wide, struct stream **, struct error *);
    void (*stream_free)(struct stream *);
    /* Wait for all of the stream's operations; 0, or what the first failing one said (the mark is cleared). */
    int (*stream_finish)(struct stream *, struct error *);
    /* The device whose memory is nearest to an ordinary stream: where what this stream alone reads and writes should be
     * asked for, and freed.  The device itself, unless it is made of several; then the memory of the whole may be read
     * by all streams, and written by wide ones (and by copy()). */
    struct device *(*stream_device)(struct stream *);

    /* -- memory ------------------------------------------------------------------------------------------------- */
    void *(*alloc)(struct device *, size_t bytes, struct error *); /* 64-byte aligned, not cleared; NULL on failure */
    void (*free)(struct device *, void *);                         /* NULL ok */
    size_t (*memory)(struct device *);                             /* bytes free by now, as far as known; else 0 */
    /* Bytes of its own that this process has in use by now, mapped files not counted, where the device works in the
     * process's memory and that is known; else 0. */
    size_t (*used)(struct device *);
    void (*upload)(struct stream *, const void *host, size_t bytes, void *device);
    void (*download)(struct stream *, const void *device, size_t bytes, void *host); /* has finished when it returns */
    void (*copy)(struct stream *, const void *from, size_t bytes, void *to);         /* within the device */
    /* data [rows, columns] in type (host memory, must outlive the weight: it may be a mapped file).
     * columns must be a multiple of the type's block. */
    int (*weight_new)(struct device *, uint32_t type, int rows, int columns, const void *data, struct weight **,
                      struct error *);
    void (*weight_free)(struct device *, struct weight *);
    /* Bring a weight into the form that linear_delta in this precision reads.  Else whoever needs it first does so,
     * while others wait.  NULL: there is no such form. */
    void (*weight_prepare)(struct stream *, const struct weight *, enum precision);

    /* -- values: the baseline -------------------------------------------------------------------------------------- */
    /* x[i] = scale * row ids[i] of w.  ids [n] host; every id < rows of w. */
    void (*embed)(struct stream *, const struct weight *w, const int32_t *ids, int n, float scale, float *x);
    void (*norm)(struct stream *, const struct norm *, const float *x, int rows, float *y);
    /* y [rows, w.rows] = x [rows, w.columns] . w^T + bias (NULL ok); x and y do not overlap */
    void (*linear)(struct stream *, const struct weight *w, const float *bias, const float *x, int rows, float *y);
    /* In place; linear, so it serves differences as well.  position [rows]. */
    void (*rope)(struct stream *, const struct rope *, const int32_t *position, int rows, float *x);
    /* y[r] = attention output of query x[r] at position first + r.
     * factor [a->positions] or NULL: multipliers of the keys (a probe computed by values: steering, re-measuring).
     * SUPPRESS_ROW_MIN looks at all a->positions keys. */
    void (*attend)(struct stream *, const struct attention *a, const float *factor, int first, const float *x, int rows,
                   float *y);
    /* y = activation(gate) * up, n elements; up NULL: activation(gate) */
    void (*gate)(struct stream *, enum activation, const float *gate, const float *up, size_t n, float *y);
    /* y += scale * x, n elements */
    void (*add)(struct stream *, const float *x, float scale, size_t n, float *y);
    /* logits [rows, vocabulary] */
    void (*logits)(struct stream *, const struct head *, const float *h, int rows, float *logits);

    /* -- differences: the probes ----------------------------------------------------------------------------------- */
    /* dy[r] = norm(x[position[r]] + dx[r]) - norm(x[position[r]]); dy may be dx. */
    void (*norm_delta)(struct stream *, const struct norm *, const float *x, const int32_t *position, const float *dx,
                       int rows, float *dy);
    /* dy = dx . w^T, in the given precision (f32 accumulation or wider) */
    void (*linear_delta)(struct stream *, const struct weight *w, enum precision, const float *dx, int rows, float *dy);
    /* dy[row] = attention(query + dquery, keys + dkey, values + dvalue; factors) - output, for every probe of span.
     * factor [probes, a->positions]; query, output [positions, heads * head_dim]: the baseline's.
     * dquery [query rows, heads * head_dim], dkey, dvalue [key rows, kv_heads * head_dim]; NULL: zero.  dkey and dvalue
     * are NULL together (then key_position and key_row are not looked at). */
    void (*attend_delta)(struct stream *, const struct attention *a, int probes, const struct probe_span *span,
                         const float *factor, const float *query, const float *output, const float *dquery,
                         const float *dkey, const float *dvalue, float *dy);
    /* dy[r] = f(g + dg, u + du) - f(g, u), g = gate[position[r]] ..; width columns; up and dup NULL: f = activation(g).
     * dy may be dgate. */
    void (*gate_delta)(struct stream *, enum activation, const float *gate, const float *up, const int32_t *position,
                       const float *dgate, const float *dup, int rows, int width, float *dy);
    /* The next two say to the bit what operations one by one would, with less to read, round and write in between; NULL
     * where a device gains nothing by them. */
    /* dy[i] = what linear_delta by w[i] says, for n <= LINEARS weights of as many columns; onto: that is added to dy[i]
     * (a row may then differ by rounding from what linear_delta and add say). */
    void (*linears_delta)(struct stream *, int n, const struct weight *const *w, enum precision, const float *dx,
                          int rows, bool onto, float *const *dy);
    /* dy = what norm_delta (if any), linear_delta by gate and up (if any), gate_delta and linear_delta by down say; dy
     * may be dx.  The more rows of one position, the better. */
    void (*feed_delta)(struct stream *, const struct feed *, enum precision, const int32_t *position, const float *dx,
                       int rows, float *dy);
    /* Put rows [rows, width] away in less room, and take them out again: packed [rows, packed_bytes(precision, width)],
     * aligned to 4 bytes.  bf16: rounded to nearest, ties to even.  8 bits: a block's scale is its greatest size / 127,
     * the bytes are the nearest multiples; a block of zeros gives zeros.  What padding holds is zero. */
    void (*pack)(struct stream *, enum precision, const float *x, int rows, int width, void *packed);
    void (*unpack)(struct stream *, enum precision, const void *packed, int rows, int width, float *x);
    /* to[i] = from[index[i]], rows of width columns.  index [n] host. */
    void (*gather)(struct stream *, const float *from, const int32_t *index, int n, int width, float *to);
    /* For row r with target t = target[r] (host):
     *   dlse[r] = lse(logits(h[t] + dh[r])) - lse[t]
     *           = log(sum_v p_t(v) exp(dlogit_v)), formed as log1p(sum p expm1) so that small changes keep their digits
     * h [targets, width] baseline, lse [targets] host, dlse [rows] host.  No [rows, vocabulary] matrix is stored.
     * dlse is there once stream_finish() has returned 0. */
    void (*lse_delta)(struct stream *, const struct head *, enum precision, const float *h, int targets,
                      const double *lse, const float *dh, const int32_t *target, int rows, double *dlse);
    /* dlogit[r, j] = logit of wanted[t, j] at h[t] + dh[r], less that at h[t];  wanted [targets, n] host, all below
     * the vocabulary; dlogit [rows, n] host, there once stream_finish() has returned 0.  Always f32 or better. */
    void (*logit_delta)(struct stream *, const struct head *, const float *h, const float *dh, const int32_t *target,
                        int rows, const int32_t *wanted, int n, double *dlogit);
};

/* Every device starts with a pointer to its operations. */
struct device {
    const struct device_ops *ops;
};

/* What becomes of weights that are stored in another type than f32.  Cards keep them as they are stored, and expand
 * each for as long as it is needed. */
enum weights {
    WEIGHTS_AUTO,     /* expanded and kept, the first ones up to 64 MB; an engine's all or none */
    WEIGHTS_MAPPED,   /* left in the file; expanded piece by piece whenever they are needed */
    WEIGHTS_EXPANDED, /* expanded and kept */
};

struct device_options {
    const char *name; /* "auto", "cpu", "cuda", "cuda:N", "cuda:all" */
    int threads;      /* 0: all cores this process may use */
    bool tf32;        /* a card's linear() in TF32: 10 bits of mantissa; refused where there is none */
    enum weights weights;
};

/* Open a device; device->ops->close() ends it.  ERROR_ARGUMENT for an unknown name, ERROR_DEVICE if it is not there. */
int device_open(const struct device_options *, struct device **, struct error *);

#endif
