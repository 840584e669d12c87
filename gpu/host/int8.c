#include "gpu/host/int8.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "gpu/host/int8_onednn.h"
#include "gpu/host/kernels.h"

enum {
    ROWS_AT_ONCE = 192, /* rows that stay in the second-level cache while all panels of a weight pass by */
    PEAKS = 3,          /* at most so many of a row's entries are multiplied in f32 */
    KEPT_COLUMNS = 8,   /* of a weight, in f32, for peaks: they are mostly in the same few */
};

struct column {
    int at;
    float entry[]; /* [outputs] */
};

/* data: panels of KERNEL_PANEL outputs, [columns / 4, KERNEL_PANEL, 4] u8 = w + 128 each; columns and outputs padded.
 * Packed for oneDNN, a weight has none of them. */
struct int8_weight {
    const struct weight *from;
    int outputs, columns, padded; /* padded columns: a multiple of 4 */
    float *scale;                 /* [outputs padded to whole panels] */
    uint8_t *data;
    int32_t *soon_at; /* of struct int8_tile: the lines of its y, where rows of all outputs are written */
    struct int8_onednn *onednn;
    _Atomic(struct column *) *column; /* [KEPT_COLUMNS] as peaks first needed them, then NULL */
};

static size_t greatest(size_t a, size_t b)
{
    return a > b ? a : b;
}

static size_t padded_columns(int columns)
{
    return ((size_t)columns + 3) / 4 * 4;
}

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
    free(w->soon_at);
    for (int i = 0; w->column && i < KEPT_COLUMNS; i++)
        free(w->column[i]);
    free(w->column);
    int8_onednn_free(w->onednn);
    free(w);
}

/* Put rounded output n of the weight into its panel. */
static void put_output(struct int8_weight *w, int n, const int8_t *q)
{
    uint8_t *to = w->data + (size_t)(n / KERNEL_PANEL) * KERNEL_PANEL * w->padded + 4 * (n % KERNEL_PANEL);
    int k = 0;
    for (; k + 4 <= w->columns; k += 4) {
        uint32_t four;
        memcpy(&four, q + k, sizeof four);
        four ^= 0x80808080; /* 128 more each */
        memcpy(to + (size_t)k * KERNEL_PANEL, &four, sizeof four);
    }
    for (; k < w->columns; k++)
        to[(size_t)(k / 4) * 4 * KERNEL_PANEL + k % 4] = (uint8_t)(q[k] + 128);
}

struct rounding {
    struct stream *stream;
    const struct weight *from;
    struct int8_weight *to;
    float *row; /* every member's two rows of f32 and one of bytes, member_floats() apart */
    int8_t *plain; /* [outputs, padded] for oneDNN; NULL: into panels */
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
    int8_t *q = (int8_t *)(row + 2 * columns);
    size_t bytes = KERNEL_PANEL * (size_t)c->to->padded; /* of which not all may be there */
    memset((c->plain ? (uint8_t *)c->plain : c->to->data) + panel * bytes, c->plain ? 0 : 128, bytes);
    for (int n = first; n < c->to->outputs && n < first + KERNEL_PANEL; n++) {
        host_weight_expand(c->from, n, 1, row);
        int32_t sum;
        struct int8_turned turned;
        c->stream->kernels->int8_turn(row, columns, row + columns, &turned);
        c->to->scale[n] = c->stream->kernels->int8_round(&turned, row + columns, columns, q, &sum);
        if (c->plain)
            memcpy(c->plain + (size_t)n * c->to->padded, q, (size_t)columns);
        else
            put_output(c->to, n, q);
    }
}

/* Round all outputs into panels, or into what oneDNN packs.  False: no memory. */
static bool round_outputs(struct rounding *c)
{
    struct int8_weight *w = c->to;
    size_t outputs = panels_of(w->outputs) * KERNEL_PANEL, bytes = outputs * (size_t)w->padded;
    int8_t *data = host_memory_new(bytes);
    if (!data)
        return false;
    if (w->onednn)
        c->plain = data;
    else
        w->data = (uint8_t *)data;
    team_run(c->stream->team, panels_of(w->outputs), round_panel, c);
    bool packed = !w->onednn || int8_onednn_pack(w->onednn, c->plain);
    free(c->plain);
    return packed;
}

/* Where a tile's y has its lines, one for every 4 columns, at an even pace. */
static int32_t *lines_new(int columns, int outputs)
{
    enum { LINE = 64, ROW_LINES = KERNEL_PANEL * (int)sizeof(float) / LINE, LINES = KERNEL_INT8_ROWS * ROW_LINES };
    int count = columns / 4;
    int32_t *at = malloc((size_t)count * sizeof *at);
    for (int i = 0; at && i < count; i++) {
        int line = (int)((int64_t)i * LINES / count);
        at[i] = line / ROW_LINES * outputs * (int)sizeof(float) + line % ROW_LINES * LINE;
    }
    return at;
}

struct int8_weight *int8_weight_new(struct stream *stream, const struct weight *from, enum int8_form form)
{
    struct int8_weight *w = calloc(1, sizeof *w);
    int outputs = host_weight_rows(from), columns = host_weight_columns(from);
    struct rounding call = {stream, from, w, NULL, NULL};
    call.row =
        host_scratch(stream, SCRATCH_INT8, (size_t)team_size(stream->team) * member_floats(columns) * sizeof(float));
    if (w && call.row) {
        *w = (struct int8_weight){.from = from, .outputs = outputs, .columns = columns};
        w->padded = (int)padded_columns(columns);
        w->scale = calloc(panels_of(outputs) * KERNEL_PANEL, sizeof *w->scale);
        w->soon_at = lines_new(w->padded, outputs);
        w->column = calloc(KEPT_COLUMNS, sizeof *w->column);
        if (form == INT8_ONEDNN)
            w->onednn = int8_onednn_new(outputs, w->padded);
        if (w->scale && w->soon_at && w->column && (w->onednn || form == INT8_OWN) && round_outputs(&call))
            return w;
    }
    host_stream_fail(stream, ERROR_MEMORY, "no memory for a weight of %d x %d in 8 bits", outputs, columns);
    int8_weight_free(w);
    return NULL;
}

_Static_assert(ROWS_AT_ONCE % KERNEL_INT8_ROWS == 0, "there is room for whole tiles");

/* Rows rounded for a product. */
struct rounded {
    int8_t *q; /* [rows, padded], then zeros for rows up to whole tiles */
    float *scale;
    int32_t *start; /* -128 times the row's sum */
    int32_t *place; /* which row of a product comes of it */
};

/* -- peaks ---------------------------------------------------------------------------------------------------------
 * A few rows are one entry and little else: where a model parks attention it has no use for, one channel changes by
 * hundreds of times what the others do.  Rounding would be relative to that one, in the row and, through the weight's
 * own rounding, in what comes of it (0.2 % of the rows, and a third of a map's error).  So it is left out of the row,
 * and what it adds is added in f32. */

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

/* Fill an empty place with a column; returns what is there then, perhaps by another thread.  NULL: no memory. */
static struct column *fill_place(const struct int8_weight *w, int at, _Atomic(struct column *) *place)
{
    struct column *there = NULL, *own = malloc(sizeof *own + (size_t)w->outputs * sizeof *own->entry);
    if (!own)
        return NULL;
    own->at = at;
    host_weight_column(w->from, at, 0, w->outputs, own->entry);
    if (atomic_compare_exchange_strong(place, &there, own))
        return own;
    free(own);
    return there;
}

/* A column of a weight, kept from now on; NULL: others are, or there is no memory.  Thread: any. */
static const float *keep_column(const struct int8_weight *w, int at)
{
    for (int i = 0; i < KEPT_COLUMNS; i++) {
        struct column *there = atomic_load_explicit(&w->column[i], memory_order_acquire);
        if (!there && !(there = fill_place(w, at, &w->column[i])))
            return NULL;
        if (there->at == at)
            return there->entry;
    }
    return NULL;
}

/* What a peak adds to outputs first .. first + n - 1 of its row. */
static void add_peak(const struct kernels *kernels, const struct int8_weight *w, const struct peak *peak, int first,
                     int n, float *out)
{
    float part[KERNEL_PANEL];
    const float *column = keep_column(w, peak->column);
    if (!column)
        host_weight_column(w->from, peak->column, first, n, part);
    kernels->add(column ? column + first : part, peak->value, (size_t)n, out);
}

/* -- products ------------------------------------------------------------------------------------------------------ */

/* A member's buffers for rows of so many columns. */
struct buffers {
    float *turned[2], *without; /* [columns]; turned: of even rows and of odd */
    struct int8_turned turn[2];
    struct rounded x;
    struct peak *peak; /* [PEAKS * ROWS_AT_ONCE] */
    int peaks;
    struct stream *stream; /* what is told where oneDNN fails, */
    char *onednn;          /* and as much memory as it asks for */
};

/* Lay a member's buffers out from memory on (NULL: only count); returns the bytes they take. */
static size_t buffers_lay(int columns, size_t onednn, char *memory, struct buffers *b)
{
    size_t floats = 3 * (size_t)columns + 3 * ROWS_AT_ONCE;
    size_t peaks = PEAKS * ROWS_AT_ONCE * sizeof(struct peak), bytes = ROWS_AT_ONCE * padded_columns(columns);
    size_t own = (floats * sizeof(float) + peaks + bytes + 63) / 64 * 64;
    if (memory) {
        b->turned[0] = (float *)memory;
        b->turned[1] = b->turned[0] + columns;
        b->without = b->turned[1] + columns;
        b->x.scale = b->without + columns;
        b->x.start = (int32_t *)(b->x.scale + ROWS_AT_ONCE);
        b->x.place = b->x.start + ROWS_AT_ONCE;
        b->peak = (struct peak *)(b->x.place + ROWS_AT_ONCE);
        b->x.q = (int8_t *)(b->peak + PEAKS * ROWS_AT_ONCE);
        b->peaks = 0;
        b->onednn = memory + own;
    }
    return own + onednn;
}

/* Round row r, which has been turned. */
static void finish_row(const struct kernels *kernels, int columns, int r, struct buffers *b)
{
    size_t padded = padded_columns(columns);
    int8_t *q = b->x.q + (size_t)r * padded;
    int32_t sum;
    b->x.scale[r] = kernels->int8_round(&b->turn[r % 2], b->turned[r % 2], columns, q, &sum);
    b->x.start[r] = -128 * sum;
    memset(q + columns, 0, padded - (size_t)columns);
}

/* Turn row r, and round the one before; rows come in order.  place: which row of a product comes of it. */
static void round_row(const struct kernels *kernels, const float *dx, int columns, int r, int place,
                      struct buffers *b)
{
    struct int8_turned *turn = &b->turn[r % 2];
    b->x.place[r] = place;
    kernels->int8_turn(dx, columns, b->turned[r % 2], turn);
    const float *x = turn->peaked ? take_peaks(kernels, dx, columns, r, b->without, b->peak, &b->peaks) : dx;
    if (x != dx)
        kernels->int8_turn(x, columns, b->turned[r % 2], turn);
    if (r > 0)
        finish_row(kernels, columns, r - 1, b);
}

/* After the last row, which is to be rounded still: what fills the last tile. */
static void round_end(const struct kernels *kernels, int columns, int rows, struct buffers *b)
{
    finish_row(kernels, columns, rows - 1, b);
    for (int r = rows; r % KERNEL_INT8_ROWS; r++) {
        memset(b->x.q + (size_t)r * padded_columns(columns), 0, padded_columns(columns));
        b->x.scale[r] = 0;
        b->x.start[r] = 0;
    }
}

static void put_row(const struct kernels *kernels, const float *x, int n, bool onto, float *y)
{
    if (onto)
        kernels->sum(x, y, (size_t)n, y);
    else
        memcpy(y, x, (size_t)n * sizeof *x);
}

/* The outputs of panel p for the rows, in their places `stride` floats apart, or onto what is there; next: where the
 * panel that comes after begins, so that it is in the second-level cache by then. */
static void multiply_panel(const struct kernels *kernels, const struct int8_weight *w, size_t p, const uint8_t *next,
                           const struct buffers *b, int rows, bool onto, float *dy, size_t stride)
{
    const struct rounded *x = &b->x;
    const struct peak *peak = b->peak, *peaks_end = peak + b->peaks;
    float out[KERNEL_INT8_ROWS * KERNEL_PANEL];
    size_t bytes = KERNEL_PANEL * (size_t)w->padded;
    int first = (int)p * KERNEL_PANEL, n = least(w->outputs - first, KERNEL_PANEL);
    int tiles = (rows + KERNEL_INT8_ROWS - 1) / KERNEL_INT8_ROWS;
    struct int8_tile tile = {.panel = w->data + p * bytes, .column_scale = w->scale + first, .columns = w->padded};
    tile.fetch_step = (size_t)(4 * KERNEL_PANEL / tiles);
    tile.soon_at = w->soon_at;
    for (int r = 0; r < rows; r += KERNEL_INT8_ROWS) {
        int count = least(rows - r, KERNEL_INT8_ROWS);
        bool peaked = peak < peaks_end && peak->row < r + count;
        const int32_t *place = x->place + r;
        bool together = place[count - 1] - place[0] == count - 1;
        bool whole = count == KERNEL_INT8_ROWS && n == KERNEL_PANEL && !peaked && together;
        float *y = dy + (size_t)place[0] * stride;
        tile.x = x->q + (size_t)r * w->padded;
        tile.start = x->start + r;
        tile.scale = x->scale + r;
        tile.soon = y;
        tile.y = whole ? y : out;
        tile.stride = whole ? stride : KERNEL_PANEL;
        tile.onto = whole && onto;
        tile.fetch = next + bytes / (size_t)tiles * (size_t)(r / KERNEL_INT8_ROWS);
        kernels->int8_panel(&tile);
        for (; peak < peaks_end && peak->row < r + count; peak++)
            add_peak(kernels, w, peak, first, n, out + (peak->row - r) * KERNEL_PANEL);
        for (int i = 0; !whole && i < count; i++)
            put_row(kernels, out + i * KERNEL_PANEL, n, onto, dy + (size_t)place[i] * stride);
    }
}

/* What all peaks add to the outputs of panel p. */
static void add_peaks(const struct kernels *kernels, const struct int8_weight *w, size_t p, const struct buffers *b,
                      float *dy)
{
    int first = (int)p * KERNEL_PANEL, n = least(w->outputs - first, KERNEL_PANEL);
    for (const struct peak *peak = b->peak; peak < b->peak + b->peaks; peak++)
        add_peak(kernels, w, peak, first, n, dy + (size_t)b->x.place[peak->row] * w->outputs);
}

/* The rounded rows times all of a weight, in their places of dy, or onto what is there; next: the one that comes after,
 * if that is known. */
static void multiply(const struct kernels *kernels, const struct int8_weight *w, const struct int8_weight *next,
                     const struct buffers *b, int rows, bool onto, float *dy)
{
    size_t panels = panels_of(w->outputs), bytes = KERNEL_PANEL * (size_t)w->padded;
    const struct rounded *x = &b->x;
    if (w->onednn &&
        !int8_onednn_multiply(w->onednn, kernels, x->q, x->scale, x->place, w->scale, rows, b->onednn, onto, dy))
        host_stream_fail(b->stream, ERROR_DEVICE, "a product of %d x %d in 8 bits failed in oneDNN", w->outputs,
                         w->columns);
    for (size_t p = 0; w->data && p < panels; p++) {
        const uint8_t *after = p + 1 < panels ? w->data + (p + 1) * bytes : next ? next->data : w->data;
        multiply_panel(kernels, w, p, after, b, rows, onto, dy + p * KERNEL_PANEL, (size_t)w->outputs);
    }
    for (size_t p = 0; w->onednn && p < panels; p++)
        add_peaks(kernels, w, p, b, dy + p * KERNEL_PANEL);
}

struct int8_call {
    struct stream *stream;
    int count;
    const struct int8_weight *const *w;
    const float *dx;
    int rows;
    bool onto;
    float *const *dy;
    size_t onednn; /* most that oneDNN asks for a weight */
    char *memory;
    size_t size; /* of a member's */
};

static void int8_piece(void *context, size_t piece, int member)
{
    const struct int8_call *c = context;
    int columns = c->w[0]->columns, first = (int)piece * ROWS_AT_ONCE, rows = least(c->rows - first, ROWS_AT_ONCE);
    struct buffers b;
    buffers_lay(columns, c->onednn, c->memory + (size_t)member * c->size, &b);
    b.stream = c->stream;
    for (int r = 0; r < rows; r++)
        round_row(c->stream->kernels, c->dx + (size_t)(first + r) * columns, columns, r, first + r, &b);
    round_end(c->stream->kernels, columns, rows, &b);
    for (int i = 0; i < c->count; i++)
        multiply(c->stream->kernels, c->w[i], i + 1 < c->count ? c->w[i + 1] : NULL, &b, rows, c->onto, c->dy[i]);
}

static size_t pieces_of(int rows)
{
    return ((size_t)rows + ROWS_AT_ONCE - 1) / ROWS_AT_ONCE;
}

void int8_products(struct stream *stream, int n, const struct int8_weight *const *w, const float *dx, int rows,
                   bool onto, float *const *dy)
{
    struct int8_call call = {stream, n, w, dx, rows, onto, dy, 0, NULL, 0};
    for (int i = 0; i < n; i++)
        call.onednn = greatest(call.onednn, int8_onednn_scratch(w[i]->onednn));
    call.size = buffers_lay(w[0]->columns, call.onednn, NULL, NULL);
    call.memory = host_scratch(stream, SCRATCH_INT8, (size_t)team_size(stream->team) * call.size);
    if (call.memory)
        team_run(stream->team, pieces_of(rows), int8_piece, &call);
}

/* -- the feed-forward half -----------------------------------------------------------------------------------------
 * A piece is rows of a few positions, of all probes: what they read of the baseline stays in the cache meanwhile. */

struct feed_call {
    struct stream *stream;
    const struct int8_feed *feed;
    const int32_t *position;
    const int32_t *order; /* [rows] a piece's rows, then the next one's */
    const float *dx;
    int rows;
    float *dy;
    float *room; /* every member's dgate, dup and a row */
    char *memory;
    size_t size;
};

/* A member's buffers: for rows before the gate and behind it. */
static size_t feed_lay(const struct int8_feed *feed, char *memory, struct buffers *in, struct buffers *out)
{
    size_t onednn =
        greatest(int8_onednn_scratch(feed->gate->onednn), feed->up ? int8_onednn_scratch(feed->up->onednn) : 0);
    size_t bytes = buffers_lay(feed->gate->columns, onednn, memory, in);
    onednn = int8_onednn_scratch(feed->down->onednn);
    return bytes + buffers_lay(feed->down->columns, onednn, memory ? memory + bytes : NULL, out);
}

static size_t feed_room(const struct int8_feed *feed)
{
    return 2 * ROWS_AT_ONCE * (size_t)feed->gate->outputs + (size_t)feed->gate->columns;
}

static void feed_piece(void *context, size_t piece, int member)
{
    const struct feed_call *c = context;
    const struct int8_feed *feed = c->feed;
    const struct kernels *kernels = c->stream->kernels;
    int first = (int)piece * ROWS_AT_ONCE, rows = least(c->rows - first, ROWS_AT_ONCE);
    const int32_t *order = c->order + first;
    size_t columns = (size_t)feed->gate->columns, width = (size_t)feed->gate->outputs;
    float *dgate = c->room + (size_t)member * feed_room(feed), *dup = dgate + ROWS_AT_ONCE * width,
          *normal = dup + ROWS_AT_ONCE * width;
    struct buffers in, out;
    feed_lay(feed, c->memory + (size_t)member * c->size, &in, &out);
    in.stream = out.stream = c->stream;
    for (int r = 0; r < rows; r++) {
        const float *dx = c->dx + (size_t)order[r] * columns;
        if (feed->norm)
            kernels->norm_delta(feed->norm, feed->x + (size_t)c->position[order[r]] * columns, dx, normal);
        round_row(kernels, feed->norm ? normal : dx, (int)columns, r, r, &in);
    }
    round_end(kernels, (int)columns, rows, &in);
    multiply(kernels, feed->gate, feed->up ? feed->up : feed->down, &in, rows, false, dgate);
    if (feed->up)
        multiply(kernels, feed->up, feed->down, &in, rows, false, dup);
    for (int r = 0; r < rows; r++) {
        size_t at = (size_t)c->position[order[r]] * width;
        float *row = dgate + (size_t)r * width;
        kernels->gate_delta(feed->activation, feed->gate_value + at, feed->up ? feed->up_value + at : NULL, row,
                            feed->up ? dup + (size_t)r * width : NULL, width, row);
        round_row(kernels, row, (int)width, r, order[r], &out);
    }
    round_end(kernels, (int)width, rows, &out);
    multiply(kernels, feed->down, NULL, &out, rows, feed->onto, c->dy);
}

/* Share rows out to pieces by their positions; within a piece they keep their order, so that most of those beside each
 * other are so in memory.  count: scratch [pieces + positions]. */
static void order_rows(const int32_t *position, int rows, int positions, int32_t *count, int32_t *order)
{
    int32_t *filled = count + positions, before = 0;
    memset(count, 0, ((size_t)positions + pieces_of(rows)) * sizeof *count);
    for (int r = 0; r < rows; r++)
        count[position[r]]++;
    for (int p = 0; p < positions; p++) {
        int32_t here = count[p];
        count[p] = before;
        before += here;
    }
    for (int r = 0; r < rows; r++) {
        int piece = count[position[r]]++ / ROWS_AT_ONCE;
        order[piece * ROWS_AT_ONCE + filled[piece]++] = r;
    }
}

void int8_feed(struct stream *stream, const struct int8_feed *feed, const int32_t *position, const float *dx, int rows,
               float *dy)
{
    size_t members = (size_t)team_size(stream->team), bytes = feed_lay(feed, NULL, NULL, NULL);
    struct feed_call call = {stream, feed, position, NULL, dx, rows, dy, NULL, NULL, bytes};
    int positions = 0;
    for (int r = 0; r < rows; r++)
        positions = position[r] >= positions ? position[r] + 1 : positions;
    int32_t *order =
        host_scratch(stream, SCRATCH_ORDER, ((size_t)rows + positions + pieces_of(rows)) * sizeof *order);
    call.room = host_scratch(stream, SCRATCH_FEED, members * feed_room(feed) * sizeof(float));
    call.memory = host_scratch(stream, SCRATCH_INT8, members * bytes);
    if (!order || !call.room || !call.memory)
        return;
    order_rows(position, rows, positions, order + rows, order);
    call.order = order;
    team_run(stream->team, pieces_of(rows), feed_piece, &call);
}
