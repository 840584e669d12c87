/* rows.c: device operations that treat one row after the other.  They find each row's operands; the arithmetic is in
 * kernels_rows.c. */
#include <string.h>

#include "gpu/host/host.h"
#include "gpu/host/kernels.h"

enum {
    PIECE_ROWS = 16,        /* rows a member of a wide stream's team takes at once */
    PIECE_ELEMENTS = 8192,  /* the same for operations on elements */
};

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

static size_t pieces(size_t n, size_t size)
{
    return (n + size - 1) / size;
}

/* -- values: shared among a wide stream's team -------------------------------------------------------------------------- */

struct norm_call {
    const struct kernels *kernels;
    const struct norm *norm;
    const float *x;
    float *y;
    size_t rows, width;
};

static void norm_piece(void *context, size_t piece, int member)
{
    (void)member;
    const struct norm_call *c = context;
    size_t end = least(c->rows, (piece + 1) * PIECE_ROWS);
    for (size_t r = piece * PIECE_ROWS; r < end; r++)
        c->kernels->norm(c->norm, c->x + r * c->width, c->y + r * c->width);
}

void host_norm(struct stream *stream, const struct norm *norm, const float *x, int rows, float *y)
{
    if (stream->failure.code)
        return;
    struct norm_call call = {stream->kernels, norm, x, y, (size_t)rows, (size_t)norm->groups * norm->width};
    team_run(stream->team, pieces((size_t)rows, PIECE_ROWS), norm_piece, &call);
}

struct rope_call {
    const struct kernels *kernels;
    const struct rope *rope;
    const int32_t *position;
    float *x;
    size_t rows;
};

static void rope_piece(void *context, size_t piece, int member)
{
    (void)member;
    const struct rope_call *c = context;
    size_t width = (size_t)c->rope->heads * c->rope->head_dim, end = least(c->rows, (piece + 1) * PIECE_ROWS);
    for (size_t r = piece * PIECE_ROWS; r < end; r++) {
        size_t angle = (size_t)c->position[r] * c->rope->pairs;
        c->kernels->rope(c->rope, c->rope->cos + angle, c->rope->sin + angle, c->x + r * width);
    }
}

void host_rope(struct stream *stream, const struct rope *rope, const int32_t *position, int rows, float *x)
{
    if (stream->failure.code)
        return;
    struct rope_call call = {stream->kernels, rope, position, x, (size_t)rows};
    team_run(stream->team, pieces((size_t)rows, PIECE_ROWS), rope_piece, &call);
}

struct element_call {
    const struct kernels *kernels;
    enum activation activation;
    const float *x, *up;
    float scale;
    float *y;
    size_t n;
};

static void gate_piece(void *context, size_t piece, int member)
{
    (void)member;
    const struct element_call *c = context;
    size_t i = piece * PIECE_ELEMENTS;
    c->kernels->gate(c->activation, c->x + i, c->up ? c->up + i : NULL, least(PIECE_ELEMENTS, c->n - i), c->y + i);
}

void host_gate(struct stream *stream, enum activation activation, const float *gate, const float *up, size_t n, float *y)
{
    if (stream->failure.code)
        return;
    struct element_call call = {stream->kernels, activation, gate, up, 1, y, n};
    team_run(stream->team, pieces(n, PIECE_ELEMENTS), gate_piece, &call);
}

static void add_piece(void *context, size_t piece, int member)
{
    (void)member;
    const struct element_call *c = context;
    size_t i = piece * PIECE_ELEMENTS;
    c->kernels->add(c->x + i, c->scale, least(PIECE_ELEMENTS, c->n - i), c->y + i);
}

void host_add(struct stream *stream, const float *x, float scale, size_t n, float *y)
{
    if (stream->failure.code)
        return;
    struct element_call call = {.kernels = stream->kernels, .x = x, .scale = scale, .y = y, .n = n};
    team_run(stream->team, pieces(n, PIECE_ELEMENTS), add_piece, &call);
}

/* -- differences: a lane's own, in the calling thread ------------------------------------------------------------------- */

void host_norm_delta(struct stream *stream, const struct norm *norm, const float *x, const int32_t *position,
                     const float *dx, int rows, float *dy)
{
    if (stream->failure.code)
        return;
    size_t width = (size_t)norm->groups * norm->width;
    for (int r = 0; r < rows; r++)
        stream->kernels->norm_delta(norm, x + position[r] * width, dx + r * width, dy + r * width);
}

void host_gate_delta(struct stream *stream, enum activation activation, const float *gate, const float *up,
                     const int32_t *position, const float *dgate, const float *dup, int rows, int width, float *dy)
{
    if (stream->failure.code)
        return;
    for (int r = 0; r < rows; r++) {
        size_t base = (size_t)position[r] * width, row = (size_t)r * width;
        stream->kernels->gate_delta(activation, gate + base, up ? up + base : NULL, dgate + row, up ? dup + row : NULL,
                                    (size_t)width, dy + row);
    }
}

void host_gather(struct stream *stream, const float *from, const int32_t *index, int n, int width, float *to)
{
    if (stream->failure.code)
        return;
    for (int i = 0; i < n; i++)
        memmove(to + (size_t)i * width, from + (size_t)index[i] * width, (size_t)width * sizeof *to);
}
