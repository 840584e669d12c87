/* rows.c: device operations that treat one row after the other.  They find each row's operands and share the rows among
 * the stream's threads; the arithmetic is in kernels_rows.c. */
#include <string.h>

#include "gpu/host/host.h"
#include "gpu/host/kernels.h"

/* Elements from which on waking other threads costs less than it saves. */
static const size_t worth_sharing = 1u << 15;

/* How many threads an operation on so many elements is worth. */
static int threads_for(const struct stream *stream, size_t elements)
{
    return elements < worth_sharing ? 1 : stream->threads;
}

void host_norm(struct stream *stream, const struct norm *norm, const float *x, int rows, float *y)
{
    if (stream->failure.code)
        return;
    size_t width = (size_t)norm->groups * norm->width;
#pragma omp parallel for schedule(static) num_threads(threads_for(stream, rows * width))
    for (int r = 0; r < rows; r++)
        stream->kernels->norm(norm, x + r * width, y + r * width);
}

void host_norm_delta(struct stream *stream, const struct norm *norm, const float *x, const int32_t *position,
                     const float *dx, int rows, float *dy)
{
    if (stream->failure.code)
        return;
    size_t width = (size_t)norm->groups * norm->width;
#pragma omp parallel for schedule(static) num_threads(threads_for(stream, rows * width))
    for (int r = 0; r < rows; r++)
        stream->kernels->norm_delta(norm, x + position[r] * width, dx + r * width, dy + r * width);
}

void host_rope(struct stream *stream, const struct rope *rope, const int32_t *position, int rows, float *x)
{
    if (stream->failure.code)
        return;
    size_t width = (size_t)rope->heads * rope->head_dim;
#pragma omp parallel for schedule(static) num_threads(threads_for(stream, rows * width))
    for (int r = 0; r < rows; r++) {
        size_t angle = (size_t)position[r] * rope->pairs;
        stream->kernels->rope(rope, rope->cos + angle, rope->sin + angle, x + r * width);
    }
}

/* Elementwise operations are cut into pieces of this many elements. */
enum { PIECE = 8192 };

static size_t piece_length(size_t n, size_t start)
{
    return n - start < PIECE ? n - start : PIECE;
}

void host_gate(struct stream *stream, enum activation activation, const float *gate, const float *up, size_t n, float *y)
{
    if (stream->failure.code)
        return;
#pragma omp parallel for schedule(static) num_threads(threads_for(stream, n))
    for (size_t i = 0; i < n; i += PIECE)
        stream->kernels->gate(activation, gate + i, up ? up + i : NULL, piece_length(n, i), y + i);
}

void host_gate_delta(struct stream *stream, enum activation activation, const float *gate, const float *up,
                     const int32_t *position, const float *dgate, const float *dup, int rows, int width, float *dy)
{
    if (stream->failure.code)
        return;
#pragma omp parallel for schedule(static) num_threads(threads_for(stream, (size_t)rows * width))
    for (int r = 0; r < rows; r++) {
        size_t base = (size_t)position[r] * width, row = (size_t)r * width;
        stream->kernels->gate_delta(activation, gate + base, up ? up + base : NULL, dgate + row, up ? dup + row : NULL,
                                    (size_t)width, dy + row);
    }
}

void host_add(struct stream *stream, const float *x, float scale, size_t n, float *y)
{
    if (stream->failure.code)
        return;
#pragma omp parallel for schedule(static) num_threads(threads_for(stream, n))
    for (size_t i = 0; i < n; i += PIECE)
        stream->kernels->add(x + i, scale, piece_length(n, i), y + i);
}

void host_gather(struct stream *stream, const float *from, const int32_t *index, int n, int width, float *to)
{
    if (stream->failure.code)
        return;
#pragma omp parallel for schedule(static) num_threads(threads_for(stream, (size_t)n * width))
    for (int i = 0; i < n; i++)
        memmove(to + (size_t)i * width, from + (size_t)index[i] * width, (size_t)width * sizeof *to);
}
