/* weight.c: weights of the CPU device, in the type the file stores them in, and products with them.
 *
 * A weight stays where the file is mapped.  As many as host_keep_weights() leaves room for are expanded to f32 at first
 * use and kept; the others are expanded tile by tile, into the stream's scratch, every time. */
#include <omp.h>
#include <oneapi/dnnl/dnnl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "gpu/host/bf16.h"
#include "gpu/host/host.h"
#include "gpu/host/int8.h"
#include "gpu/host/kernels.h"

enum {
    TILE_ROWS = 256,         /* rows expanded at once by one thread */
    VECTOR_ROWS = 64,        /* of a task where x is a single row */
    FEW_ROWS = 96,           /* of x, if not more, */
    FEW_FLOATS = 5120,       /* so much is expanded at once: it stays in the first-level cache */
    WORTH_SHARING = 1 << 19, /* multiplications, some 150 microseconds: less is done before the team is awake */
};

/* Copies of a weight in other forms: the only part of it that ever changes. */
struct copy {
    pthread_mutex_t lock;     /* held while it is being made */
    _Atomic(float *) data;    /* NULL until it is made */
    atomic_bool refused;      /* no memory after all */
    /* rounded, for products of differences; NULL until they are made */
    _Atomic(void *) rounded[PRECISION_INT8 + 1]; /* of each lower precision, for products of differences */
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

/* How many tiles of `tile` hold n. */
static int tiles(int n, int tile)
{
    return (n + tile - 1) / tile;
}

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
    const struct dtype_info *info = host_of(device)->kernels->dtype(type);
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
    int8_weight_free(atomic_load(&weight->copy->rounded[PRECISION_INT8]));
    bf16_weight_free(atomic_load(&weight->copy->rounded[PRECISION_BF16]));
    free(weight->copy);
    free(weight);
}

int host_weight_rows(const struct weight *w)
{
    return w->rows;
}

int host_weight_columns(const struct weight *w)
{
    return w->columns;
}

/* -- expansion ----------------------------------------------------------------------------------------------------- */

void host_weight_expand(const struct weight *w, int first, int count, float *out)
{
    w->type->expand(w->stored + (size_t)first * w->row_bytes, out, (size_t)count * w->columns);
}

int host_weight_few(const struct weight *w)
{
    int rows = FEW_FLOATS / w->columns / 4 * 4;
    return rows < 4 ? 4 : rows;
}

void host_weight_column(const struct weight *w, int column, int first, int count, float *out)
{
    enum { MOST_BLOCK = 256 };
    float block[MOST_BLOCK];
    const float *whole = w->plain ? w->plain : atomic_load_explicit(&w->copy->data, memory_order_acquire);
    const uint8_t *stored = w->stored + (size_t)(column / w->type->block) * w->type->bytes;
    for (int r = 0; r < count; r++) {
        if (whole) {
            out[r] = whole[(size_t)(first + r) * w->columns + column];
            continue;
        }
        w->type->expand(stored + (size_t)(first + r) * w->row_bytes, block, (size_t)w->type->block);
        out[r] = block[column % w->type->block];
    }
}

struct expansion {
    const struct weight *w;
    float *data;
};

static void expand_tile(void *context, size_t i, int member)
{
    (void)member;
    const struct expansion *e = context;
    int first = (int)i * TILE_ROWS;
    host_weight_expand(e->w, first, least(TILE_ROWS, e->w->rows - first), e->data + (size_t)first * e->w->columns);
}

const float *host_weight_kept(struct stream *stream, const struct weight *w)
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
            team_run(stream->team, (size_t)tiles(w->rows, TILE_ROWS), expand_tile, &(struct expansion){w, data});
        else
            atomic_store(&copy->refused, true);
        atomic_store_explicit(&copy->data, data, memory_order_release);
    }
    pthread_mutex_unlock(&copy->lock);
    return data;
}

void host_embed(struct stream *stream, const struct weight *w, const int32_t *ids, int n, float scale, float *x)
{
    if (stream->failure.code)
        return;
    for (int i = 0; i < n; i++) {
        float *row = x + (size_t)i * w->columns;
        host_weight_expand(w, ids[i], 1, row);
        if (scale != 1.0f)
            for (int d = 0; d < w->columns; d++)
                row[d] *= scale;
    }
}

/* -- products ------------------------------------------------------------------------------------------------------ */

bool host_onednn_alike(void)
{
    /* the instruction sets are bits, of which a greater one has a lesser one's too */
    return ((unsigned)dnnl_get_effective_cpu_isa() & dnnl_cpu_isa_avx512_core) == dnnl_cpu_isa_avx512_core;
}

/* y [rows, count] (rows of y are `stride` apart) = x [rows, columns] . w^T, w [count, columns], by oneDNN. */
static void product_onednn(struct stream *stream, const float *w, int count, int columns, const float *x, int rows,
                           float *y, int stride)
{
    omp_set_num_threads(1); /* of the calling thread: oneDNN goes by it, and would share the work out once more */
    dnnl_status_t status = dnnl_sgemm('N', 'T', rows, count, columns, 1.0f, x, columns, w, columns, 0.0f, y, stride);
    if (status != dnnl_success)
        host_stream_fail(stream, status == dnnl_out_of_memory ? ERROR_MEMORY : ERROR_DEVICE,
                         "a product of %d x %d x %d failed in oneDNN (status %d)", rows, count, columns, (int)status);
}

struct product {
    struct stream *stream;
    const struct weight *w;
    const float *whole; /* the kept copy, or NULL: then rows are expanded into scratch, a part of it for each member */
    float *scratch;
    int tile; /* output columns of a task, */
    int step; /* of which so many are expanded and multiplied at once */
    const float *x, *bias;
    const float *laid; /* x laid out for our own kernel; NULL: oneDNN's, or for one row kernels->product() */
    int rows;
    float *y;
};

static void product_tile(void *context, size_t i, int member)
{
    const struct product *p = context;
    int first = (int)i * p->tile, count = least(p->tile, p->w->rows - first), columns = p->w->columns;
    const struct kernels *kernels = p->stream->kernels;
    float *expanded = p->whole ? NULL : p->scratch + (size_t)member * p->step * columns;
    for (int end = first + count, at = first; at < end; at += p->step) {
        int n = least(p->step, end - at);
        const float *w = p->whole ? p->whole + (size_t)at * columns : expanded;
        if (!p->whole)
            host_weight_expand(p->w, at, n, expanded);
        if (p->laid)
            kernels->multiply(w, n, columns, p->laid, p->rows, p->y + at, (size_t)p->w->rows);
        else if (p->rows == 1)
            kernels->product(w, n, columns, p->x, p->y + at);
        else
            product_onednn(p->stream, w, n, columns, p->x, p->rows, p->y + at, p->w->rows);
    }
    for (int r = 0; p->bias && r < p->rows; r++)
        kernels->add(p->bias + first, 1.0f, (size_t)count, p->y + (size_t)r * p->w->rows + first);
}

/* How many output columns a task takes: in one thread and with a kept copy all of them; shared out, a few tasks for
 * each thread; and no more than a tile where they must be expanded. */
static int product_tile_rows(const struct stream *stream, const struct weight *w, bool whole, int rows)
{
    if (rows == 1)
        return VECTOR_ROWS;
    int share = team_size(stream->team) > 1 ? tiles(tiles(w->rows, 3 * team_size(stream->team)), 16) * 16 : w->rows;
    return whole ? share : least(share, TILE_ROWS);
}

/* laid: x laid out, or NULL */
static void product(struct stream *stream, const struct weight *w, const float *bias, const float *x,
                    const float *laid, int rows, float *y)
{
    if (rows == 0)
        return;
    struct product p = {.stream = stream, .w = w, .x = x, .laid = laid, .bias = bias, .rows = rows, .y = y};
    bool from_stored = rows == 1 && w->type->block > 1; /* fewer bytes to read, which counts more than expanding them */
    p.whole = from_stored ? NULL : host_weight_kept(stream, w);
    p.tile = product_tile_rows(stream, w, p.whole, rows);
    bool few = rows == 1 || (laid && rows <= FEW_ROWS); /* more rows would be read too often */
    p.step = few && !p.whole ? least(host_weight_few(w), p.tile) : p.tile;
    if (!p.whole)
        p.scratch = host_scratch(stream, SCRATCH_WEIGHT,
                                 (size_t)team_size(stream->team) * p.step * w->columns * sizeof *p.scratch);
    bool small = (size_t)w->rows * w->columns * rows < WORTH_SHARING;
    if (p.whole || p.scratch)
        team_run(small ? NULL : stream->team, (size_t)tiles(w->rows, p.tile), product_tile, &p);
}

void host_linear(struct stream *stream, const struct weight *w, const float *bias, const float *x, int rows, float *y)
{
    if (!stream->failure.code)
        product(stream, w, bias, x, NULL, rows, y);
}

/* Products of so many rows give each the bits that it has in any larger one, where oneDNN has kernels for AVX-512
 * (those of fewer rows are formed in another order: measured at all numbers of rows up to 600). */
enum { ALIKE_ROWS = 16 };

/* Fewer than ALIKE_ROWS rows, and zeros behind them. */
static void product_filled(struct stream *stream, const struct weight *w, const float *dx, int rows, float *dy)
{
    size_t in = (size_t)ALIKE_ROWS * w->columns, out = (size_t)ALIKE_ROWS * w->rows, used = (size_t)rows * w->columns;
    float *room = host_scratch(stream, SCRATCH_FEW, (in + out) * sizeof *room);
    if (!room)
        return;
    memcpy(room, dx, used * sizeof *room);
    memset(room + used, 0, (in - used) * sizeof *room);
    product(stream, w, NULL, room, NULL, ALIKE_ROWS, room + in);
    memcpy(dy, room + in, (size_t)rows * w->rows * sizeof *dy);
}

/* Products of differences in f32, by the bit rule.  oneDNN's for AVX-512 take 0.92 of the time of our own kernel's with
 * many rows; before AVX-512 its kernels sum a row in an order that depends on the rows beside it. */
static void product_alike(struct stream *stream, const struct weight *w, const float *dx, int rows, float *dy)
{
    if (stream->device->onednn_alike) {
        if (rows < ALIKE_ROWS)
            product_filled(stream, w, dx, rows, dy);
        else
            product(stream, w, NULL, dx, NULL, rows, dy);
        return;
    }
    float *laid = host_scratch(stream, SCRATCH_LAID, (size_t)rows * kernel_laid(w->columns) * sizeof *laid);
    if (!laid)
        return;
    stream->kernels->lay(dx, rows, w->columns, 0, rows, laid);
    product(stream, w, NULL, dx, laid, rows, dy);
}

bool host_precision_offered(struct stream *stream, enum precision precision)
{
    if (stream->device->info.precision[precision])
        return true;
    host_stream_fail(stream, ERROR_UNSUPPORTED, "the CPU device forms products of differences in f32 and int8 only");
    return false;
}

/* The weight in a lower precision, made at first use: a struct int8_weight or bf16_weight.  NULL: the stream is
 * marked. */
static const void *rounded(struct stream *stream, const struct weight *w, enum precision precision)
{
    struct copy *copy = w->copy;
    void *data = atomic_load_explicit(&copy->rounded[precision], memory_order_acquire);
    if (data)
        return data;
    pthread_mutex_lock(&copy->lock);
    data = atomic_load(&copy->rounded[precision]);
    if (!data) {
        data = precision == PRECISION_BF16 ? (void *)bf16_weight_new(stream, w)
                                           : (void *)int8_weight_new(stream, w, int8_choose(stream, w));
        atomic_store_explicit(&copy->rounded[precision], data, memory_order_release);
    }
    pthread_mutex_unlock(&copy->lock);
    return data;
}

void host_weight_prepare(struct stream *stream, const struct weight *w, enum precision precision)
{
    bool own = precision == PRECISION_BF16 || (precision == PRECISION_INT8 && w->columns <= INT8_MOST_COLUMNS);
    if (!stream->failure.code && host_precision_offered(stream, precision) && own)
        rounded(stream, w, precision);
}

static void product_bf16(struct stream *stream, const struct weight *w, const float *dx, int rows, float *dy)
{
    const struct bf16_weight *weight = rounded(stream, w, PRECISION_BF16);
    if (weight)
        bf16_product(stream, weight, dx, rows, dy);
}

static void product_onto(struct stream *stream, const struct weight *w, enum precision precision, const float *dx,
                         int rows, float *dy)
{
    float *room = host_scratch(stream, SCRATCH_ONTO, (size_t)rows * w->rows * sizeof *room);
    if (!room)
        return;
    host_linear_delta(stream, w, precision, dx, rows, room);
    host_add(stream, room, 1.0f, (size_t)rows * w->rows, dy);
}

void host_linears_delta(struct stream *stream, int n, const struct weight *const *w, enum precision precision,
                        const float *dx, int rows, bool onto, float *const *dy)
{
    const struct int8_weight *weight[LINEARS];
    if (stream->failure.code || !host_precision_offered(stream, precision) || rows == 0)
        return;
    bool int8 = precision == PRECISION_INT8 && w[0]->columns <= INT8_MOST_COLUMNS;
    for (int i = 0; i < n; i++)
        if (int8)
            weight[i] = rounded(stream, w[i], PRECISION_INT8);
        else if (onto)
            product_onto(stream, w[i], precision, dx, rows, dy[i]);
        else if (precision == PRECISION_BF16)
            product_bf16(stream, w[i], dx, rows, dy[i]);
        else
            product_alike(stream, w[i], dx, rows, dy[i]);
    if (int8 && !stream->failure.code)
        int8_products(stream, n, weight, dx, rows, onto, dy);
}

void host_linear_delta(struct stream *stream, const struct weight *w, enum precision precision, const float *dx,
                       int rows, float *dy)
{
    host_linears_delta(stream, 1, &w, precision, dx, rows, false, &dy);
}

void host_feed_delta(struct stream *stream, const struct feed *feed, enum precision precision, const int32_t *position,
                     const float *dx, int rows, float *dy)
{
    const struct weight *gate = feed->gate, *up = feed->up, *down = feed->down;
    if (stream->failure.code || !host_precision_offered(stream, precision) || rows == 0)
        return;
    if (precision == PRECISION_INT8 && gate->columns <= INT8_MOST_COLUMNS && down->columns <= INT8_MOST_COLUMNS) {
        struct int8_feed small = {feed->norm,
                                  feed->x,
                                  feed->activation,
                                  rounded(stream, gate, PRECISION_INT8),
                                  up ? rounded(stream, up, PRECISION_INT8) : NULL,
                                  rounded(stream, down, PRECISION_INT8),
                                  feed->gate_value,
                                  feed->up_value,
                                  feed->onto};
        if (small.gate && (small.up || !up) && small.down)
            int8_feed(stream, &small, position, dx, rows, dy);
        return;
    }
    size_t in = feed->norm ? (size_t)rows * gate->columns : 0, room = (size_t)rows * gate->rows;
    float *dh = host_scratch(stream, SCRATCH_FEED, (in + (up ? 2 : 1) * room) * sizeof *dh), *dgate = dh + in,
          *dup = up ? dgate + room : NULL;
    if (!dh)
        return;
    if (feed->norm) {
        host_norm_delta(stream, feed->norm, feed->x, position, dx, rows, dh);
        dx = dh;
    }
    host_linear_delta(stream, gate, precision, dx, rows, dgate);
    if (up)
        host_linear_delta(stream, up, precision, dx, rows, dup);
    host_gate_delta(stream, feed->activation, feed->gate_value, feed->up_value, position, dgate, dup, rows, gate->rows,
                    dgate);
    host_linears_delta(stream, 1, &down, precision, dgate, rows, feed->onto, &dy);
}
