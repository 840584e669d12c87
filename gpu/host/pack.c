/* pack.c: rows put away in less room, and taken out again.  Rows are shared among the stream's team; the arithmetic is
 * in kernels_pack.c, and for bf16 in kernels_rows.c and dtype.c. */
#include <string.h>

#include "gpu/host/host.h"
#include "gpu/host/kernels.h"

enum { TASK = 16384 }; /* elements of a task: less is not worth waking a thread for */

struct call {
    const struct kernels *kernels;
    enum precision precision;
    const void *from;
    void *to;
    size_t rows, width, step;    /* step: rows of a task */
    size_t from_bytes, to_bytes; /* of a row */
    void (*run)(const struct call *, const void *from, size_t rows, void *to);
};

static void run_task(void *context, size_t i, int member)
{
    (void)member;
    const struct call *call = context;
    size_t first = i * call->step, rows = call->rows - first < call->step ? call->rows - first : call->step;
    call->run(call, (const char *)call->from + first * call->from_bytes, rows,
              (char *)call->to + first * call->to_bytes);
}

static void run(struct stream *stream, struct call call)
{
    if (stream->failure.code || !call.rows || !call.width)
        return;
    call.kernels = stream->kernels;
    call.step = call.width < TASK ? TASK / call.width : 1;
    team_run(stream->team, (call.rows + call.step - 1) / call.step, run_task, &call);
}

static void pack_rows(const struct call *call, const void *from, size_t rows, void *to)
{
    const float *x = from;
    if (call->precision == PRECISION_F32)
        memcpy(to, x, rows * call->from_bytes);
    else if (call->precision == PRECISION_INT8)
        call->kernels->pack8(x, rows, (int)call->width, to);
    else
        for (size_t row = 0; row < rows; row++, x += call->width) {
            uint16_t *y = (uint16_t *)((char *)to + row * call->to_bytes);
            call->kernels->bf16_round(x, call->width, y);
            if (call->width % 2)
                y[call->width] = 0;
        }
}

void host_pack(struct stream *stream, enum precision precision, const float *x, int rows, int width, void *packed)
{
    run(stream, (struct call){.run = pack_rows, .precision = precision, .from = x, .to = packed, .rows = (size_t)rows,
                              .width = (size_t)width, .from_bytes = (size_t)width * sizeof *x,
                              .to_bytes = packed_bytes(precision, width)});
}

static void unpack_rows(const struct call *call, const void *from, size_t rows, void *to)
{
    if (call->precision == PRECISION_F32)
        memcpy(to, from, rows * call->from_bytes);
    else if (call->precision == PRECISION_INT8)
        call->kernels->unpack8(from, rows, (int)call->width, to);
    else
        for (size_t row = 0; row < rows; row++)
            call->kernels->dtype(DTYPE_BF16)->expand((const char *)from + row * call->from_bytes,
                                                     (float *)to + row * call->width, call->width);
}

void host_unpack(struct stream *stream, enum precision precision, const void *packed, int rows, int width, float *x)
{
    run(stream, (struct call){.run = unpack_rows, .precision = precision, .from = packed, .to = x,
                              .rows = (size_t)rows, .width = (size_t)width,
                              .from_bytes = packed_bytes(precision, width), .to_bytes = (size_t)width * sizeof *x});
}
