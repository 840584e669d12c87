/* The kernel of f32 products on every level: against double precision at odd sizes, and that a row has the same bits
 * among any others. */
#include "gpu/host/kernels.h"
#include "tests/test.h"

enum { MOST = 31 }; /* rows */

static float *floats(size_t n)
{
    static unsigned state = 1;
    float *x = aligned_alloc(64, (n + 15) / 16 * 64);
    for (size_t i = 0; i < n; i++)
        x[i] = (float)((state = state * 1664525 + 1013904223) >> 8) / (float)(1 << 23) - 1;
    return x;
}

/* y [rows, outputs], a row every `stride` floats */
static void product(const struct kernels *k, const float *w, int outputs, int columns, const float *x, int rows,
                    float *y, int stride)
{
    float *laid = floats((size_t)rows * kernel_laid(columns));
    int some = rows / 3; /* laid out in two turns */
    k->lay(x, some, columns, 0, rows, laid);
    k->lay(x + (size_t)some * columns, rows - some, columns, some, rows, laid);
    k->multiply(w, outputs, columns, laid, rows, y, (size_t)stride);
    free(laid);
}

static void check(const struct kernels *k, int outputs, int columns)
{
    int stride = outputs + 3;
    size_t size = (size_t)MOST * stride;
    float *w = floats((size_t)outputs * columns), *x = floats((size_t)MOST * columns), *all = floats(size),
          *few = floats(size), *before = floats(size);
    memcpy(all, before, size * sizeof *all);
    product(k, w, outputs, columns, x, MOST, all, stride);
    double worst = 0;
    bool kept = true;
    for (int r = 0; r < MOST; r++) {
        for (int o = 0; o < outputs; o++) {
            double want = 0;
            for (int i = 0; i < columns; i++)
                want += (double)x[(size_t)r * columns + i] * (double)w[(size_t)o * columns + i];
            double off = fabs((double)all[(size_t)r * stride + o] - want);
            worst = off <= worst ? worst : off;
        }
        size_t behind = (size_t)r * stride + outputs;
        kept = kept && !memcmp(all + behind, before + behind, 3 * sizeof *all);
    }
    CHECK(worst < 1e-6 * sqrt(columns), "%s: %d x %d: off by %g", k->level, outputs, columns, worst);
    CHECK(kept, "%s: %d x %d: wrote behind a row", k->level, outputs, columns);
    for (int n = 1; n < MOST; n++) {
        int first = MOST - n;
        product(k, w, outputs, columns, x + (size_t)first * columns, n, few, stride);
        bool same = true;
        for (int r = 0; r < n; r++)
            same = same && !memcmp(few + (size_t)r * stride, all + (size_t)(first + r) * stride,
                                   (size_t)outputs * sizeof *few);
        CHECK(same, "%s: %d x %d: the bits of %d rows differ from those among %d", k->level, outputs, columns, n, MOST);
    }
    /* outputs one by one: their bits do not depend on their neighbours either */
    bool same = true;
    for (int o = 0; o < outputs; o += 7) {
        product(k, w + (size_t)o * columns, 1, columns, x, MOST, few, 1);
        for (int r = 0; r < MOST; r++)
            same = same && !memcmp(few + r, all + (size_t)r * stride + o, sizeof *few);
    }
    CHECK(same, "%s: %d x %d: an output alone has other bits", k->level, outputs, columns);
    free(w);
    free(x);
    free(all);
    free(few);
    free(before);
}

int main(void)
{
    static const char *const levels[] = {"generic", "avx2", "avx512", "vnni"};
    static const int columns[] = {1, 4, 15, 16, 31, 32, 33, 100, 257, 768, 769, 1537};
    for (int i = 0; i < 4; i++) {
        const struct kernels *k = kernels_choose(levels[i]);
        if (!k) {
            SKIP("no %s here", levels[i]);
            continue;
        }
        for (size_t c = 0; c < sizeof columns / sizeof *columns; c++)
            check(k, c % 2 ? 131 : 5, columns[c]);
        check(k, 1, 64);
        check(k, 259, 48);
    }
    return test_end();
}
