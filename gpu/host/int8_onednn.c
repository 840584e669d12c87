#include "gpu/host/int8_onednn.h"

#include <stdlib.h>

#include "gpu/host/kernels.h"
#include "gpu/host/matmul.h"

/* Rows of a product: a divisor of those that int8.c takes at once. */
enum { ROWS = 64 };

struct int8_onednn {
    int outputs, columns;
    int32_t *start; /* [outputs] -128 times the sum of the weight's row: rows are handed over unsigned, + 128 */
    struct matmul *matmul;
};

bool int8_onednn_offered(void)
{
    return matmul_offered(MATMUL_INT8);
}

struct int8_onednn *int8_onednn_new(int outputs, int columns)
{
    struct int8_onednn *w = calloc(1, sizeof *w);
    if (!w)
        return NULL;
    *w = (struct int8_onednn){outputs, columns, calloc((size_t)outputs, sizeof *w->start), NULL};
    w->matmul = matmul_new(MATMUL_INT8, ROWS, outputs, columns);
    if (w->start && w->matmul)
        return w;
    int8_onednn_free(w);
    return NULL;
}

bool int8_onednn_pack(struct int8_onednn *w, const int8_t *weight)
{
    for (int n = 0; n < w->outputs; n++)
        for (int k = 0; k < w->columns; k++)
            w->start[n] -= 128 * weight[(size_t)n * w->columns + k];
    return matmul_pack(w->matmul, weight);
}

void int8_onednn_free(struct int8_onednn *w)
{
    if (!w)
        return;
    matmul_free(w->matmul);
    free(w->start);
    free(w);
}

/* A product's buffers. */
struct buffers {
    int32_t *sum; /* [ROWS, outputs] */
    uint8_t *x;   /* [ROWS, columns] */
    char *more;   /* oneDNN's own */
};

static struct buffers buffers_lay(const struct int8_onednn *w, char *memory)
{
    struct buffers b = {.sum = (int32_t *)memory};
    b.x = (uint8_t *)(b.sum + (size_t)ROWS * w->outputs);
    b.more = (char *)(b.x + (size_t)ROWS * w->columns);
    return b; /* ROWS makes each of them a multiple of 64 bytes */
}

size_t int8_onednn_scratch(const struct int8_onednn *w)
{
    if (!w)
        return 0;
    size_t own = (size_t)ROWS * ((size_t)w->outputs * sizeof(int32_t) + (size_t)w->columns);
    return own + (matmul_scratch(w->matmul) + 63) / 64 * 64;
}

bool int8_onednn_multiply(const struct int8_onednn *w, const struct kernels *kernels, const int8_t *x,
                          const float *row_scale, const int32_t *place, const float *column_scale, int rows,
                          char *scratch, bool onto, float *dy)
{
    struct buffers b = buffers_lay(w, scratch);
    for (int first = 0; first < rows; first += ROWS) {
        int count = rows - first < ROWS ? rows - first : ROWS; /* what is left of a former block does no harm */
        kernels->int8_lift(x + (size_t)first * w->columns, (size_t)count * w->columns, b.x);
        if (!matmul_run(w->matmul, b.x, b.more, b.sum))
            return false;
        for (int r = 0; r < count; r++)
            kernels->int8_scale(b.sum + (size_t)r * w->outputs, w->start, row_scale[first + r], column_scale,
                                w->outputs, onto, dy + (size_t)place[first + r] * w->outputs);
    }
    return true;
}
