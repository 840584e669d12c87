#include "gpu/host/bf16.h"

#include <stdlib.h>
#include <string.h>

#include "gpu/host/kernels.h"
#include "gpu/host/matmul.h"

/* Rows of a product: enough that a large weight is not read from memory too often, few enough that the last ones,
 * filled up with zeros, do not cost much. */
enum { ROWS = 128 };

struct bf16_weight {
    int outputs, columns;
    struct matmul *matmul;
};

bool bf16_offered(void)
{
    return matmul_offered(MATMUL_BF16);
}

void bf16_weight_free(struct bf16_weight *w)
{
    if (!w)
        return;
    matmul_free(w->matmul);
    free(w);
}

struct rounding {
    const struct kernels *kernels;
    const struct weight *from;
    int columns;
    float *row; /* [members, columns] */
    uint16_t *to;
};

static void round_output(void *context, size_t n, int member)
{
    const struct rounding *c = context;
    float *row = c->row + (size_t)member * c->columns;
    host_weight_expand(c->from, (int)n, 1, row);
    c->kernels->bf16_round(row, (size_t)c->columns, c->to + n * (size_t)c->columns);
}

struct bf16_weight *bf16_weight_new(struct stream *stream, const struct weight *from)
{
    int outputs = host_weight_rows(from), columns = host_weight_columns(from);
    struct bf16_weight *w = calloc(1, sizeof *w);
    struct rounding call = {stream->kernels, from, columns, NULL, NULL};
    bool packed = false;
    call.row = host_scratch(stream, SCRATCH_BF16, (size_t)team_size(stream->team) * columns * sizeof *call.row);
    if (w && call.row) {
        *w = (struct bf16_weight){outputs, columns, matmul_new(MATMUL_BF16, ROWS, outputs, columns)};
        call.to = w->matmul ? host_memory_new((size_t)outputs * columns * sizeof *call.to) : NULL;
    }
    if (call.to) {
        team_run(stream->team, (size_t)outputs, round_output, &call);
        packed = matmul_pack(w->matmul, call.to);
    }
    free(call.to);
    if (packed)
        return w;
    host_stream_fail(stream, ERROR_MEMORY, "no memory for a weight of %d x %d in bf16", outputs, columns);
    bf16_weight_free(w);
    return NULL;
}

struct call {
    struct stream *stream;
    const struct bf16_weight *w;
    const float *dx;
    int rows;
    float *dy;
    char *memory;
    size_t size; /* of a member's part of it */
};

/* A member's buffers. */
struct buffers {
    void *scratch;
    float *y;    /* [ROWS, outputs] */
    uint16_t *x; /* [ROWS, columns] */
};

/* Lay a member's buffers out from memory on (NULL: only count); returns the bytes they take. */
static size_t buffers_lay(const struct bf16_weight *w, char *memory, struct buffers *b)
{
    size_t scratch = (matmul_scratch(w->matmul) + 63) / 64 * 64;
    size_t y = (size_t)ROWS * w->outputs * sizeof(float), x = (size_t)ROWS * w->columns * sizeof(uint16_t);
    if (memory)
        *b = (struct buffers){memory, (float *)(memory + scratch), (uint16_t *)(memory + scratch + y)};
    return scratch + y + x; /* ROWS makes each of them a multiple of 64 */
}

static void multiply_piece(void *context, size_t piece, int member)
{
    const struct call *c = context;
    const struct bf16_weight *w = c->w;
    int first = (int)piece * ROWS, rows = least(c->rows - first, ROWS);
    size_t filled = (size_t)rows * w->columns;
    struct buffers b = {0};
    buffers_lay(w, c->memory + (size_t)member * c->size, &b);
    float *dy = c->dy + (size_t)first * w->outputs;
    c->stream->kernels->bf16_round(c->dx + (size_t)first * w->columns, filled, b.x);
    memset(b.x + filled, 0, ((size_t)ROWS * w->columns - filled) * sizeof *b.x);
    if (!matmul_run(w->matmul, b.x, b.scratch, rows < ROWS ? b.y : dy))
        host_stream_fail(c->stream, ERROR_DEVICE, "a product of %d x %d in bf16 failed in oneDNN", w->outputs,
                         w->columns);
    else if (rows < ROWS)
        memcpy(dy, b.y, (size_t)rows * w->outputs * sizeof *dy);
}

void bf16_product(struct stream *stream, const struct bf16_weight *w, const float *dx, int rows, float *dy)
{
    struct call call = {stream, w, dx, rows, dy, NULL, buffers_lay(w, NULL, NULL)};
    call.memory = host_scratch(stream, SCRATCH_BF16, (size_t)team_size(stream->team) * call.size);
    if (call.memory)
        team_run(stream->team, ((size_t)rows + ROWS - 1) / ROWS, multiply_piece, &call);
}
