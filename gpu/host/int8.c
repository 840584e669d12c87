#include "gpu/host/int8.h"

#include <stdlib.h>
#include <string.h>

#include "gpu/host/kernels.h"

enum {
    ROWS_AT_ONCE = 192, /* rows that stay in the second-level cache while all panels of a weight pass by */
    PEAKS = 3,          /* at most so many of a row's entries are multiplied in f32 */
};

/* data: panels of KERNEL_PANEL outputs, [columns / 4, KERNEL_PANEL, 4] u8 = w + 128 each; columns and outputs padded. */
struct int8_weight {
    const struct weight *from;
    int outputs, columns, padded; /* padded columns: a multiple of 4 */
    float *scale;                 /* [outputs padded to whole panels] */
    uint8_t *data;
};

static size_t panels_of(int outputs)
{
    return ((size_t)outputs + KERNEL_PANEL - 1) / KERNEL_PANEL;
}

void int8_weight_free(struct int8_weight *w)
{
    if (!w)
        return;
    free(w->scale);
    free(w->data);
    free(w);
}

/* Round output n of the weight into its panel. */
static void round_output(const struct kernels *kernels, struct int8_weight *w, int n, const float *x, float *turned,
                         int8_t *q)
{
    int32_t sum;
    w->scale[n] = kernels->int8_round(x, w->columns, turned, q, &sum);
    uint8_t *to = w->data + (size_t)(n / KERNEL_PANEL) * KERNEL_PANEL * w->padded + 4 * (n % KERNEL_PANEL);
    for (int k = 0; k < w->columns; k++)
        to[(size_t)(k / 4) * 4 * KERNEL_PANEL + k % 4] = (uint8_t)(q[k] + 128);
}

struct rounding {
    struct stream *stream;
    const struct weight *from;
    struct int8_weight *to;
    float *row; /* every member's two rows of f32 and one of bytes, member_floats() apart */
};

static size_t member_floats(int columns)
{
    return 2 * (size_t)columns + ((size_t)columns + 3) / 4;
}

static void round_panel(void *context, size_t panel, int member)
{
    const struct rounding *c = context;
    int columns = c->to->columns, first = (int)panel * KERNEL_PANEL;
    float *row = c->row + (size_t)member * member_floats(columns);
    for (int n = first; n < c->to->outputs && n < first + KERNEL_PANEL; n++) {
        host_weight_expand(c->from, n, 1, row);
        round_output(c->stream->kernels, c->to, n, row, row + columns, (int8_t *)(row + 2 * columns));
    }
}

struct int8_weight *int8_weight_new(struct stream *stream, const struct weight *from)
{
    struct int8_weight *w = calloc(1, sizeof *w);
    int outputs = host_weight_rows(from), columns = host_weight_columns(from);
    struct rounding call = {stream, from, w, NULL};
    call.row = host_scratch(stream, SCRATCH_INT8, (size_t)team_size(stream->team) * member_floats(columns) * sizeof(float));
    if (w && call.row) {
        *w = (struct int8_weight){from, outputs, columns, (columns + 3) / 4 * 4, NULL, NULL};
        size_t n = panels_of(outputs) * KERNEL_PANEL;
        w->scale = calloc(n, sizeof *w->scale);
        w->data = host_memory_new(n * (size_t)w->padded);
        if (w->scale && w->data) {
            memset(w->data, 128, n * (size_t)w->padded);
            team_run(stream->team, panels_of(outputs), round_panel, &call);
            return w;
        }
    }
    host_stream_fail(stream, ERROR_MEMORY, "no memory for a weight of %d x %d in 8 bits", outputs, columns);
    int8_weight_free(w);
    return NULL;
}

/* Rows rounded for a product. */
struct rounded {
    int8_t *q; /* [rows, padded] */
    float *scale;
    int32_t *start; /* -128 times the row's sum */
};

/* The outputs of panel p for the rows, `stride` floats from row to row. */
static void multiply_panel(const struct kernels *kernels, const struct int8_weight *w, size_t p, const struct rounded *x,
                          int rows, float *dy, size_t stride)
{
    int32_t out[KERNEL_INT8_ROWS * KERNEL_PANEL];
    const uint8_t *panel = w->data + p * KERNEL_PANEL * (size_t)w->padded;
    int first = (int)p * KERNEL_PANEL, n = w->outputs - first < KERNEL_PANEL ? w->outputs - first : KERNEL_PANEL;
    for (int r = 0; r < rows; r += KERNEL_INT8_ROWS) {
        /* The kernel always takes whole tiles: rows past the end repeat the last one. */
        const int8_t *q[KERNEL_INT8_ROWS];
        int32_t start[KERNEL_INT8_ROWS];
        for (int i = 0; i < KERNEL_INT8_ROWS; i++) {
            int row = r + i < rows ? r + i : rows - 1;
            q[i] = x->q + (size_t)row * w->padded;
            start[i] = x->start[row];
        }
        kernels->int8_panel(panel, q, start, w->padded, out);
        for (int i = 0; i < KERNEL_INT8_ROWS && r + i < rows; i++)
            kernels->int8_scale(out + i * KERNEL_PANEL, x->scale[r + i], w->scale + first, n, dy + (size_t)(r + i) * stride);
    }
}

static void multiply_rows(const struct kernels *kernels, const struct int8_weight *w, const struct rounded *x, int rows,
                          float *dy)
{
    for (size_t p = 0; p < panels_of(w->outputs); p++)
        multiply_panel(kernels, w, p, x, rows, dy + p * KERNEL_PANEL, (size_t)w->outputs);
}

/* -- peaks ---------------------------------------------------------------------------------------------------------
 * A few rows are one entry and little else: where a model parks attention it has no use for, one channel changes by
 * hundreds of times what the others do.  Rounding would be relative to that one, in the row and, through the weight's
 * own rounding, in what comes of it (0.2 % of the rows, and a third of a map's error).  So it is left out of the row, and
 * what it adds is added in f32. */

struct peak {
    int row, column;
    float value;
};

/* Take the peaks out of a row: x itself where it has none, else a copy in `without`.  Counts on *count. */
static const float *take_peaks(const struct kernels *kernels, const float *x, int columns, int row, float *without,
                               struct peak *peak, int *count)
{
    for (int i = 0, at; i < PEAKS && (at = kernels->peak(x, columns)) >= 0; i++) {
        peak[(*count)++] = (struct peak){row, at, x[at]};
        if (x != without)
            memcpy(without, x, (size_t)columns * sizeof *x);
        without[at] = 0;
        x = without;
    }
    return x;
}

static void add_peaks(const struct kernels *kernels, const struct int8_weight *w, const struct peak *peak, int count,
                      float *column, float *dy)
{
    for (int i = 0; i < count; i++) {
        if (i == 0 || peak[i].column != peak[i - 1].column)
            host_weight_column(w->from, peak[i].column, column);
        kernels->add(column, peak[i].value, (size_t)w->outputs, dy + (size_t)peak[i].row * w->outputs);
    }
}

/* -- products ------------------------------------------------------------------------------------------------------ */

struct int8_call {
    const struct kernels *kernels;
    const struct int8_weight *w;
    const float *dx;
    int rows;
    float *dy;
    char *memory;
    size_t size;
};

/* A member's buffers. */
struct buffers {
    float *turned, *without; /* [columns] */
    float *column;           /* [outputs] */
    struct rounded x;
    struct peak *peak; /* [PEAKS * ROWS_AT_ONCE] */
};

/* Lay a member's buffers out from memory on (NULL: only count); returns the bytes they take. */
static size_t buffers_lay(const struct int8_weight *w, char *memory, struct buffers *b)
{
    size_t floats = 2 * (size_t)w->columns + (size_t)w->outputs + 2 * ROWS_AT_ONCE;
    size_t peaks = PEAKS * ROWS_AT_ONCE * sizeof(struct peak), bytes = ROWS_AT_ONCE * (size_t)w->padded;
    if (memory) {
        b->turned = (float *)memory;
        b->without = b->turned + w->columns;
        b->column = b->without + w->columns;
        b->x.scale = b->column + w->outputs;
        b->x.start = (int32_t *)(b->x.scale + ROWS_AT_ONCE);
        b->peak = (struct peak *)(b->x.start + ROWS_AT_ONCE);
        b->x.q = (int8_t *)(b->peak + PEAKS * ROWS_AT_ONCE);
    }
    return (floats * sizeof(float) + peaks + bytes + 63) / 64 * 64;
}

/* Round rows for products with w; returns how many peaks were taken out. */
static int round_rows(const struct kernels *kernels, const struct int8_weight *w, const float *dx, int rows,
                      struct buffers *b)
{
    int peaks = 0;
    for (int r = 0; r < rows; r++) {
        int8_t *q = b->x.q + (size_t)r * w->padded;
        int32_t sum;
        const float *x =
            take_peaks(kernels, dx + (size_t)r * w->columns, w->columns, r, b->without, b->peak, &peaks);
        b->x.scale[r] = kernels->int8_round(x, w->columns, b->turned, q, &sum);
        b->x.start[r] = -128 * sum;
        memset(q + w->columns, 0, (size_t)(w->padded - w->columns));
    }
    return peaks;
}

static void int8_piece(void *context, size_t piece, int member)
{
    const struct int8_call *c = context;
    const struct int8_weight *w = c->w;
    int first = (int)piece * ROWS_AT_ONCE, rows = c->rows - first < ROWS_AT_ONCE ? c->rows - first : ROWS_AT_ONCE;
    struct buffers b = {0};
    buffers_lay(w, c->memory + (size_t)member * c->size, &b);
    int peaks = round_rows(c->kernels, w, c->dx + (size_t)first * w->columns, rows, &b);
    float *dy = c->dy + (size_t)first * w->outputs;
    multiply_rows(c->kernels, w, &b.x, rows, dy);
    add_peaks(c->kernels, w, b.peak, peaks, b.column, dy);
}

void int8_product(struct stream *stream, const struct int8_weight *w, const float *dx, int rows, float *dy)
{
    struct int8_call call = {stream->kernels, w, dx, rows, dy, NULL, buffers_lay(w, NULL, NULL)};
    call.memory = host_scratch(stream, SCRATCH_INT8, (size_t)team_size(stream->team) * call.size);
    if (call.memory)
        team_run(stream->team, ((size_t)rows + ROWS_AT_ONCE - 1) / ROWS_AT_ONCE, int8_piece, &call);
}

/* -- gates --------------------------------------------------------------------------------------------------------- */

struct feed_call {
    const struct kernels *kernels;
    const struct int8_feed *feed;
    const float *gate, *up;
    const int32_t *position;
    const float *dx;
    int rows;
    float *dy;
    char *memory;
    size_t size;
};

static void feed_piece(void *context, size_t piece, int member)
{
    const struct feed_call *c = context;
    const struct int8_weight *gate = c->feed->gate, *up = c->feed->up;
    int first = (int)piece * ROWS_AT_ONCE, rows = c->rows - first < ROWS_AT_ONCE ? c->rows - first : ROWS_AT_ONCE;
    size_t outputs = (size_t)gate->outputs;
    struct buffers b = {0};
    char *memory = c->memory + (size_t)member * c->size;
    float *du = (float *)(memory + buffers_lay(gate, memory, &b)), *dy = c->dy + (size_t)first * outputs;
    int peaks = round_rows(c->kernels, gate, c->dx + (size_t)first * gate->columns, rows, &b);
    multiply_rows(c->kernels, gate, &b.x, rows, dy);
    add_peaks(c->kernels, gate, b.peak, peaks, b.column, dy);
    if (up) {
        multiply_rows(c->kernels, up, &b.x, rows, du);
        add_peaks(c->kernels, up, b.peak, peaks, b.column, du);
    }
    for (int r = 0; r < rows; r++) {
        size_t at = (size_t)c->position[first + r] * outputs, own = (size_t)r * outputs;
        c->kernels->gate_delta(c->feed->activation, c->gate + at, up ? c->up + at : NULL, dy + own, up ? du + own : NULL,
                               outputs, dy + own);
    }
}

void int8_feed(struct stream *stream, const struct int8_feed *feed, const float *gate, const float *up,
               const int32_t *position, const float *dx, int rows, float *dy)
{
    size_t bytes = buffers_lay(feed->gate, NULL, NULL) + ROWS_AT_ONCE * (size_t)feed->gate->outputs * sizeof(float);
    struct feed_call call = {stream->kernels, feed, gate, up, position, dx, rows, dy, NULL, bytes};
    call.memory = host_scratch(stream, SCRATCH_INT8, (size_t)team_size(stream->team) * bytes);
    if (call.memory)
        team_run(stream->team, ((size_t)rows + ROWS_AT_ONCE - 1) / ROWS_AT_ONCE, feed_piece, &call);
}
