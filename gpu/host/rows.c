/* rows.c: device operations that treat one row after the other.  They find each row's operands and share the rows among
 * the stream's team; the arithmetic is in kernels_rows.c. */
#include <string.h>

#include "gpu/host/host.h"
#include "gpu/host/kernels.h"

enum {
    TASK = 16384, /* elements of a task: less is not worth waking a thread for */
    PIECE = 4096, /* elementwise operations are cut into rows of this width */
};

/* An operation's arguments, as far as it has them. */
struct call {
    const struct kernels *kernels;
    void (*run)(const struct call *, size_t row);
    const struct norm *norm;
    const struct rope *rope;
    enum activation activation;
    float scale;
    const int32_t *position;
    const float *x, *u, *dx, *du;
    float *y;
    size_t width, elements; /* of a row; of all rows (only the last may be shorter) */
    size_t rows, step;      /* step: rows of a task */
};

static void run_task(void *context, size_t i, int member)
{
    (void)member;
    const struct call *call = context;
    size_t end = (i + 1) * call->step < call->rows ? (i + 1) * call->step : call->rows;
    for (size_t row = i * call->step; row < end; row++)
        call->run(call, row);
}

static void run(struct stream *stream, struct call call)
{
    if (stream->failure.code || call.elements == 0)
        return;
    call.kernels = stream->kernels;
    call.rows = (call.elements + call.width - 1) / call.width;
    call.step = call.width < TASK ? TASK / call.width : 1;
    team_run(stream->team, (call.rows + call.step - 1) / call.step, run_task, &call);
}

/* Elements of a row of an elementwise operation. */
static size_t piece(const struct call *call, size_t row)
{
    size_t left = call->elements - row * call->width;
    return left < call->width ? left : call->width;
}

static void run_norm(const struct call *call, size_t row)
{
    call->kernels->norm(call->norm, call->x + row * call->width, call->y + row * call->width);
}

void host_norm(struct stream *stream, const struct norm *norm, const float *x, int rows, float *y)
{
    size_t width = (size_t)norm->groups * norm->width;
    run(stream, (struct call){.run = run_norm, .norm = norm, .x = x, .y = y, .width = width, .elements = rows * width});
}

static void run_norm_delta(const struct call *call, size_t row)
{
    size_t at = row * call->width, base = (size_t)call->position[row] * call->width;
    call->kernels->norm_delta(call->norm, call->x + base, call->dx + at, call->y + at);
}

void host_norm_delta(struct stream *stream, const struct norm *norm, const float *x, const int32_t *position,
                     const float *dx, int rows, float *dy)
{
    size_t width = (size_t)norm->groups * norm->width;
    run(stream, (struct call){.run = run_norm_delta, .norm = norm, .position = position, .x = x, .dx = dx, .y = dy,
                              .width = width, .elements = rows * width});
}

static void run_rope(const struct call *call, size_t row)
{
    size_t angle = (size_t)call->position[row] * call->rope->pairs;
    call->kernels->rope(call->rope, call->rope->cos + angle, call->rope->sin + angle, call->y + row * call->width);
}

void host_rope(struct stream *stream, const struct rope *rope, const int32_t *position, int rows, float *x)
{
    size_t width = (size_t)rope->heads * rope->head_dim;
    run(stream, (struct call){.run = run_rope, .rope = rope, .position = position, .y = x, .width = width,
                              .elements = rows * width});
}

static void run_gate(const struct call *call, size_t row)
{
    size_t at = row * call->width;
    call->kernels->gate(call->activation, call->x + at, call->u ? call->u + at : NULL, piece(call, row), call->y + at);
}

void host_gate(struct stream *stream, enum activation activation, const float *gate, const float *up, size_t n,
               float *y)
{
    run(stream, (struct call){.run = run_gate, .activation = activation, .x = gate, .u = up, .y = y, .width = PIECE,
                              .elements = n});
}

static void run_gate_delta(const struct call *call, size_t row)
{
    size_t at = row * call->width, base = (size_t)call->position[row] * call->width;
    const float *up = call->u ? call->u + base : NULL, *dup = call->u ? call->du + at : NULL;
    call->kernels->gate_delta(call->activation, call->x + base, up, call->dx + at, dup, call->width, call->y + at);
}

void host_gate_delta(struct stream *stream, enum activation activation, const float *gate, const float *up,
                     const int32_t *position, const float *dgate, const float *dup, int rows, int width, float *dy)
{
    run(stream, (struct call){.run = run_gate_delta, .activation = activation, .position = position, .x = gate, .u = up,
                              .dx = dgate, .du = dup, .y = dy, .width = (size_t)width,
                              .elements = (size_t)rows * width});
}

static void run_add(const struct call *call, size_t row)
{
    size_t at = row * call->width;
    call->kernels->add(call->x + at, call->scale, piece(call, row), call->y + at);
}

void host_add(struct stream *stream, const float *x, float scale, size_t n, float *y)
{
    run(stream, (struct call){.run = run_add, .x = x, .scale = scale, .y = y, .width = PIECE, .elements = n});
}

static void run_gather(const struct call *call, size_t row)
{
    memcpy(call->y + row * call->width, call->x + (size_t)call->position[row] * call->width,
           call->width * sizeof *call->y);
}

void host_gather(struct stream *stream, const float *from, const int32_t *index, int n, int width, float *to)
{
    run(stream, (struct call){.run = run_gather, .position = index, .x = from, .y = to, .width = (size_t)width,
                              .elements = (size_t)n * width});
}
