/* weight.c: weights of the CPU device, in the type the file stores them in, and products with them.
 *
 * A weight stays where the file is mapped.  Where a third of the free memory holds all weights in f32, they are expanded
 * at first use and kept; the others are expanded tile by tile, into the stream's scratch, every time. */
#include <omp.h>
#include <oneapi/dnnl/dnnl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "gpu/host/host.h"
#include "gpu/host/kernels.h"

enum {
    TILE_ROWS = 256,        /* rows expanded at once for one thread */
    PIECE_ROWS = 16,        /* rows a thread expands at once when several share the work */
    VECTOR_ROWS = 64,       /* rows a thread takes at once in a product with a single row */
};

/* The f32 copy of a weight: the only part of it that ever changes. */
struct copy {
    pthread_mutex_t lock;     /* held while it is being made */
    _Atomic(float *) data;    /* NULL until it is made */
    atomic_bool refused;      /* no memory after all */
};

struct weight {
    const struct dtype_info *type;
    int rows, columns;
    size_t row_bytes;
    const uint8_t *stored;
    const float *plain; /* the stored data itself, where that already is f32 */
    size_t promised;    /* bytes of the device's keep_limit that are this weight's; 0: no copy is kept */
    struct copy *copy;
};

static struct host_device *host_of(struct device *device)
{
    return (struct host_device *)device;
}

/* Bytes a copy may take, taken from the device's limit; 0 where it does not fit. */
static size_t promise(struct host_device *host, size_t bytes)
{
    pthread_mutex_lock(&host->lock);
    bool fits = bytes <= host->keep_limit - host->kept;
    if (fits)
        host->kept += bytes;
    pthread_mutex_unlock(&host->lock);
    return fits ? bytes : 0;
}

int host_weight_new(struct device *device, uint32_t type, int rows, int columns, const void *data,
                    struct weight **weight, struct error *error)
{
    *weight = NULL;
    const struct dtype_info *info = dtype_info(type);
    if (!info->name || !info->expand)
        return error_set(error, ERROR_UNSUPPORTED, "tensor type %s (%u) cannot be computed with",
                         info->name ? info->name : "unknown", (unsigned)type);
    if (rows < 1 || columns < 1 || columns % info->block)
        return error_set(error, ERROR_SHAPE, "a %s weight of %d x %d; the columns must be a multiple of %d", info->name,
                         rows, columns, info->block);
    struct weight *w = calloc(1, sizeof *w);
    struct copy *copy = calloc(1, sizeof *copy);
    if (!w || !copy) {
        free(w);
        free(copy);
        return error_set(error, ERROR_MEMORY, "no memory for a weight");
    }
    pthread_mutex_init(&copy->lock, NULL);
    *w = (struct weight){.type = info, .rows = rows, .columns = columns, .stored = data, .copy = copy};
    w->row_bytes = (size_t)columns / info->block * info->bytes;
    if (type == DTYPE_F32 && (uintptr_t)data % sizeof(float) == 0)
        w->plain = data;
    else
        w->promised = promise(host_of(device), (size_t)rows * columns * sizeof(float));
    *weight = w;
    return 0;
}

void host_weight_free(struct device *device, struct weight *weight)
{
    if (!weight)
        return;
    struct host_device *host = host_of(device);
    pthread_mutex_lock(&host->lock);
    host->kept -= weight->promised;
    pthread_mutex_unlock(&host->lock);
    pthread_mutex_destroy(&weight->copy->lock);
    free(atomic_load(&weight->copy->data));
    free(weight->copy);
    free(weight);
}

int host_weight_columns(const struct weight *w)
{
    return w->columns;
}

int host_weight_rows(const struct weight *w)
{
    return w->rows;
}

/* -- expansion ------------------------------------------------------------------------------------------------------- */

struct expand_call {
    const struct weight *w;
    int first, count;
    float *out;
};

static void expand_piece(void *context, size_t piece, int member)
{
    (void)member;
    const struct expand_call *c = context;
    int r = (int)piece * PIECE_ROWS, end = r + PIECE_ROWS < c->count ? r + PIECE_ROWS : c->count;
    for (; r < end; r++)
        c->w->type->expand(c->w->stored + (size_t)(c->first + r) * c->w->row_bytes, c->out + (size_t)r * c->w->columns,
                           (size_t)c->w->columns);
}

static void expand_rows(const struct weight *w, int first, int count, struct team *team, float *out)
{
    struct expand_call call = {w, first, count, out};
    team_run(team, ((size_t)count + PIECE_ROWS - 1) / PIECE_ROWS, expand_piece, &call);
}

/* The whole weight in f32, if it is kept in that form. */
static const float *kept(struct stream *stream, const struct weight *w)
{
    if (w->plain || !w->promised)
        return w->plain;
    struct copy *copy = w->copy;
    float *data = atomic_load_explicit(&copy->data, memory_order_acquire);
    if (data || atomic_load(&copy->refused))
        return data;
    pthread_mutex_lock(&copy->lock);
    data = atomic_load(&copy->data);
    if (!data && !atomic_load(&copy->refused)) {
        data = host_memory_new(w->promised);
        if (data)
            expand_rows(w, 0, w->rows, stream->team, data);
        else
            atomic_store(&copy->refused, true);
        atomic_store_explicit(&copy->data, data, memory_order_release);
    }
    pthread_mutex_unlock(&copy->lock);
    return data;
}

int host_weight_tile(const struct weight *w)
{
    return w->plain || w->promised ? w->rows : TILE_ROWS;
}

const float *host_weight_expand(struct stream *stream, const struct weight *w, int first, int count)
{
    const float *whole = kept(stream, w);
    if (whole)
        return whole + (size_t)first * w->columns;
    float *tile = host_scratch(stream, SCRATCH_WEIGHT, (size_t)count * w->columns * sizeof *tile);
    if (tile)
        expand_rows(w, first, count, stream->team, tile);
    return tile;
}

void host_embed(struct stream *stream, const struct weight *w, const int32_t *ids, int n, float scale, float *x)
{
    if (stream->failure.code)
        return;
    for (int i = 0; i < n; i++) {
        float *row = x + (size_t)i * w->columns;
        expand_rows(w, ids[i], 1, NULL, row);
        if (scale != 1.0f)
            for (int d = 0; d < w->columns; d++)
                row[d] *= scale;
    }
}

/* -- products -------------------------------------------------------------------------------------------------------- */

struct product_call {
    const float *w, *x;
    int count, columns, rows, stride, part; /* part: rows of w a member takes */
    float *y;
    atomic_int status;
};

/* oneDNN computes in the calling thread: sharing is the team's business. */
static void product_piece(void *context, size_t piece, int member)
{
    (void)member;
    struct product_call *c = context;
    int first = (int)piece * c->part, count = c->count - first < c->part ? c->count - first : c->part;
    omp_set_num_threads(1); /* of the calling thread: what oneDNN goes by */
    dnnl_status_t status = dnnl_sgemm('N', 'T', c->rows, count, c->columns, 1.0f, c->x, c->columns,
                                      c->w + (size_t)first * c->columns, c->columns, 0.0f, c->y + first, c->stride);
    if (status != dnnl_success)
        atomic_store(&c->status, (int)status);
}

void host_product(struct stream *stream, const float *w, int count, int columns, const float *x, int rows, float *y,
                  int stride)
{
    if (stream->failure.code || rows == 0)
        return;
    int members = team_size(stream->team);
    struct product_call call = {w, x, count, columns, rows, stride, count, y, dnnl_success};
    if (members > 1)
        call.part = ((count + members - 1) / members + PIECE_ROWS - 1) / PIECE_ROWS * PIECE_ROWS;
    team_run(stream->team, ((size_t)count + call.part - 1) / call.part, product_piece, &call);
    int status = atomic_load(&call.status);
    if (status != dnnl_success)
        host_stream_fail(stream, status == dnnl_out_of_memory ? ERROR_MEMORY : ERROR_DEVICE,
                         "a product of %d x %d x %d failed in oneDNN (status %d)", rows, count, columns, status);
}

struct single_call {
    const struct kernels *kernels;
    const struct weight *w;
    const float *whole, *x;
    float *scratch, *y;
};

static void single_piece(void *context, size_t piece, int member)
{
    const struct single_call *c = context;
    const struct weight *w = c->w;
    int first = (int)piece * VECTOR_ROWS, count = w->rows - first < VECTOR_ROWS ? w->rows - first : VECTOR_ROWS;
    const float *rows = c->whole ? c->whole + (size_t)first * w->columns : NULL;
    if (!rows) {
        float *own = c->scratch + (size_t)member * VECTOR_ROWS * w->columns;
        expand_rows(w, first, count, NULL, own);
        rows = own;
    }
    c->kernels->product(rows, count, w->columns, c->x, c->y + first);
}

/* y [w.rows] = w . x for a single row: bound by memory, so every weight is read once, in the form it is stored in. */
static void product_single(struct stream *stream, const struct weight *w, const float *x, float *y)
{
    struct single_call call = {stream->kernels, w, kept(stream, w), x, NULL, y};
    if (!call.whole) {
        size_t block = (size_t)VECTOR_ROWS * w->columns * sizeof(float);
        call.scratch = host_scratch(stream, SCRATCH_WEIGHT, (size_t)team_size(stream->team) * block);
        if (!call.scratch)
            return;
    }
    team_run(stream->team, ((size_t)w->rows + VECTOR_ROWS - 1) / VECTOR_ROWS, single_piece, &call);
}

static void product(struct stream *stream, const struct weight *w, const float *x, int rows, float *y)
{
    if (rows == 1) {
        product_single(stream, w, x, y);
        return;
    }
    int tile = host_weight_tile(w);
    for (int first = 0; first < w->rows && !stream->failure.code; first += tile) {
        int count = w->rows - first < tile ? w->rows - first : tile;
        const float *part = host_weight_expand(stream, w, first, count);
        if (part)
            host_product(stream, part, count, w->columns, x, rows, y + first, w->rows);
    }
}

void host_linear(struct stream *stream, const struct weight *w, const float *bias, const float *x, int rows, float *y)
{
    if (stream->failure.code)
        return;
    product(stream, w, x, rows, y);
    if (bias)
        for (int r = 0; r < rows; r++)
            stream->kernels->add(bias, 1.0f, (size_t)w->rows, y + (size_t)r * w->rows);
}

bool host_precision_offered(struct stream *stream, enum precision precision)
{
    if (precision == PRECISION_F32)
        return true;
    host_stream_fail(stream, ERROR_UNSUPPORTED, "the CPU device forms products of differences in f32 only");
    return false;
}

void host_linear_delta(struct stream *stream, const struct weight *w, enum precision precision, const float *dx,
                       int rows, float *dy)
{
    if (stream->failure.code || !host_precision_offered(stream, precision))
        return;
    product(stream, w, dx, rows, dy);
}
