/* Row by row operations of a device (norms, RoPE, gates, sums, gathers) against plain loops in double precision. */
#include "tests/unit/device_test.h"

static const double tolerance = 2e-6;
static const int sizes[] = {1, 2, 31, 32, 33, 64, 257, 1100};
enum { SIZES = sizeof sizes / sizeof *sizes };

/* -- norms --------------------------------------------------------------------------------------------------------- */

static void reference_norm(const struct norm *norm, const float *weight, const float *bias, const double *x, double *y)
{
    for (int g = 0; g < norm->groups; g++, x += norm->width, y += norm->width) {
        double mean = 0, square = 0;
        for (int i = 0; i < norm->width && norm->kind == NORM_LAYER; i++)
            mean += x[i] / norm->width;
        for (int i = 0; i < norm->width; i++)
            square += (x[i] - mean) * (x[i] - mean) / norm->width;
        for (int i = 0; i < norm->width; i++)
            y[i] = (x[i] - mean) / sqrt(square + (double)norm->epsilon) * (double)weight[i] +
                   (bias ? (double)bias[i] : 0);
    }
}

static void check_norm(struct bench *b, enum norm_kind kind, int groups, int width, bool biased)
{
    enum { POSITIONS = 5, ROWS = 7 };
    static const int32_t position[ROWS] = {4, 0, 1, 1, 2, 4, 3};
    size_t columns = (size_t)groups * width;
    double allowed = width < 8 ? 30 * tolerance : tolerance; /* few columns may be nearly equal: ill-conditioned */
    float *weight = random_floats((size_t)width, 2), *bias = random_floats((size_t)width, 1);
    float *x = random_floats(POSITIONS * columns, 3), *dx = random_floats(ROWS * columns, 0.3f);
    memset(dx, 0, columns * sizeof *dx); /* the first row changes nothing */
    struct norm norm = {kind, groups, width, 1e-5f, bench_put(b, weight, (size_t)width),
                        biased ? bench_put(b, bias, (size_t)width) : NULL};
    float *device_x = bench_put(b, x, POSITIONS * columns), *y = bench_output(b, POSITIONS * columns);
    b->ops->norm(b->stream, &norm, device_x, POSITIONS, y);
    float *got = bench_get(b, y, POSITIONS * columns);

    double *row = malloc(columns * sizeof *row), *want = malloc(ROWS * columns * sizeof *want);
    double *base = malloc(columns * sizeof *base);
    for (size_t r = 0; r < POSITIONS; r++) {
        for (size_t i = 0; i < columns; i++)
            row[i] = (double)x[r * columns + i];
        reference_norm(&norm, weight, biased ? bias : NULL, row, want + r * columns);
    }
    double error = worst(got, want, POSITIONS * columns);
    CHECK(error < allowed, "%s: norm %d, %d x %d: %g", b->name, kind, groups, width, error);
    free(got);

    float *dy = bench_output(b, ROWS * columns);
    b->ops->norm_delta(b->stream, &norm, device_x, bench_put(b, position, ROWS), bench_put(b, dx, ROWS * columns), ROWS,
                       dy);
    got = bench_get(b, dy, ROWS * columns);
    for (size_t r = 0; r < ROWS; r++) {
        const float *before = x + position[r] * columns;
        for (size_t i = 0; i < columns; i++)
            row[i] = (double)before[i];
        reference_norm(&norm, weight, biased ? bias : NULL, row, base);
        for (size_t i = 0; i < columns; i++)
            row[i] = (double)(before[i] + dx[r * columns + i]);
        reference_norm(&norm, weight, biased ? bias : NULL, row, want + r * columns);
        for (size_t i = 0; i < columns; i++)
            want[r * columns + i] -= base[i];
    }
    error = worst(got, want, ROWS * columns);
    CHECK(error < 4 * allowed, "%s: norm_delta %d, %d x %d: %g", b->name, kind, groups, width, error);
    CHECK(all_zero(got, columns), "%s: norm_delta %d, %d x %d: not 0", b->name, kind, groups, width);
    free(got);
    free(row);
    free(want);
    free(base);
    free(weight);
    free(bias);
    free(x);
    free(dx);
    bench_clear(b);
}

/* -- RoPE ---------------------------------------------------------------------------------------------------------- */

static void check_rope(struct bench *b, int heads, int dim, int pairs, bool neox)
{
    enum { POSITIONS = 9, ROWS = 6 };
    static const int32_t position[ROWS] = {8, 3, 4, 5, 0, 0};
    size_t width = (size_t)heads * dim, angles = (size_t)POSITIONS * pairs;
    float *cosine = malloc(angles * sizeof *cosine), *sine = malloc(angles * sizeof *sine);
    for (size_t i = 0; i < angles; i++) {
        float angle = random_float(3);
        cosine[i] = cosf(angle);
        sine[i] = sinf(angle);
    }
    float *x = random_floats(ROWS * width, 2);
    double *want = malloc(ROWS * width * sizeof *want);
    for (size_t i = 0; i < ROWS * width; i++)
        want[i] = (double)x[i];
    for (int r = 0; r < ROWS; r++)
        for (int h = 0; h < heads; h++)
            for (int i = 0; i < pairs; i++) {
                double *row = want + r * width + (size_t)h * dim;
                double *u = row + (neox ? i : 2 * i), *v = row + (neox ? i + pairs : 2 * i + 1), old = *u;
                double c = (double)cosine[position[r] * pairs + i], s = (double)sine[position[r] * pairs + i];
                *u = old * c - *v * s;
                *v = old * s + *v * c;
            }
    struct rope rope = {heads, dim, pairs, neox, bench_put(b, cosine, angles), bench_put(b, sine, angles)};
    float *memory = bench_put(b, x, ROWS * width);
    b->ops->rope(b->stream, &rope, bench_put(b, position, ROWS), ROWS, memory);
    float *got = bench_get(b, memory, ROWS * width);
    double error = worst(got, want, ROWS * width);
    CHECK(error < tolerance, "%s: rope of %d x %d, %d pairs, neox %d: %g", b->name, heads, dim, pairs, neox, error);
    free(got);
    free(want);
    free(x);
    free(cosine);
    free(sine);
    bench_clear(b);
}

/* -- gates --------------------------------------------------------------------------------------------------------- */

static double reference_gate(enum activation activation, double x)
{
    switch (activation) {
    case ACTIVATION_SILU: return x / (1 + exp(-x));
    case ACTIVATION_GELU_QUICK: return x / (1 + exp(-1.702 * x));
    case ACTIVATION_GELU_TANH: return x / (1 + exp(-2 * 0.79788456080286536 * (x + 0.044715 * x * x * x)));
    default: return 0.5 * x * erfc(-x * 0.70710678118654752);
    }
}

static void check_gate(struct bench *b, enum activation activation, int width, bool with_up, float size)
{
    enum { POSITIONS = 4, ROWS = 6 };
    static const int32_t position[ROWS] = {3, 0, 1, 2, 3, 0};
    size_t n = (size_t)POSITIONS * width, m = (size_t)ROWS * width;
    float *gate = random_floats(n, size), *up = random_floats(n, 2);
    float *dgate = random_floats(m, size / 4), *dup = random_floats(m, 0.5f);
    memset(dgate, 0, (size_t)width * sizeof *dgate);
    memset(dup, 0, (size_t)width * sizeof *dup);
    float *device_gate = bench_put(b, gate, n), *device_up = with_up ? bench_put(b, up, n) : NULL;
    float *y = bench_output(b, n), *dy = bench_output(b, m);
    b->ops->gate(b->stream, activation, device_gate, device_up, n, y);
    b->ops->gate_delta(b->stream, activation, device_gate, device_up, bench_put(b, position, ROWS),
                       bench_put(b, dgate, m), with_up ? bench_put(b, dup, m) : NULL, ROWS, width, dy);
    double *want = malloc(m * sizeof *want);
    for (size_t i = 0; i < n; i++)
        want[i] = reference_gate(activation, (double)gate[i]) * (with_up ? (double)up[i] : 1);
    float *got = bench_get(b, y, n);
    double error = worst(got, want, n);
    CHECK(error < tolerance, "%s: gate %d, width %d, up %d: %g", b->name, activation, width, with_up, error);
    free(got);

    for (size_t r = 0; r < ROWS; r++)
        for (size_t i = 0; i < (size_t)width; i++) {
            size_t at = r * width + i, base = position[r] * (size_t)width + i;
            double u = with_up ? (double)up[base] : 1, du = with_up ? (double)(up[base] + dup[at]) : 1;
            want[at] = reference_gate(activation, (double)(gate[base] + dgate[at])) * du -
                       reference_gate(activation, (double)gate[base]) * u;
        }
    got = bench_get(b, dy, m);
    error = worst(got, want, m);
    /* the difference of two values as large as size * 2: their rounding counts, not the difference's */
    CHECK(error < tolerance * (double)size, "%s: gate_delta %d, width %d, up %d: %g", b->name, activation, width,
          with_up, error);
    CHECK(all_zero(got, (size_t)width), "%s: gate_delta %d, width %d, up %d: not 0", b->name, activation, width,
          with_up);
    free(got);
    free(want);
    free(gate);
    free(up);
    free(dgate);
    free(dup);
    bench_clear(b);
}

/* What functions do at the ends of their range. */
static void check_gate_ends(struct bench *b)
{
    /* around -88.5 exp(-x) leaves f32's range */
    static const float x[] = {-1e30f, -200,   -100, -89,    -88.72f, -88.5f, -88.38f, -88, -87, -20,   -9,
                              -1e-6f, -0.0f,  0,    1e-30f, 1e-6f,   9,      20,      87,  88,  88.5f, 200,
                              1e30f,  NAN};
    enum { N = sizeof x / sizeof *x };
    for (int activation = 0; activation <= ACTIVATION_GELU_QUICK; activation++) {
        float *y = bench_output(b, N);
        b->ops->gate(b->stream, (enum activation)activation, bench_put(b, x, N), NULL, N, y);
        float *got = bench_get(b, y, N);
        for (int i = 0; i < N - 1; i++) {
            double want = reference_gate((enum activation)activation, (double)x[i]);
            CHECK(fabs((double)got[i] - want) <= 1e-5 * fabs(want) + 1e-36, "%s: activation %d of %g: %g, not %g",
                  b->name, activation, (double)x[i], (double)got[i], want);
        }
        CHECK(isnan(got[N - 1]), "%s: activation %d of NaN is %g", b->name, activation, (double)got[N - 1]);
        free(got);
    }
    bench_clear(b);
}

/* Changes between any two places, out to where exp() leaves f32's range. */
static void check_gate_delta_ends(struct bench *b)
{
    static const float x[] = {-1e18f, -200, -100, -89, -88, -50, -43.1f, -42.9f, -26, -24, -9, -7.7f, -7.5f, -1,
                              -1e-6f, 0,    1e-6f, 1,  7,   9,   20,     44,     88,  89,  200, 1e18f, NAN};
    enum { N = sizeof x / sizeof *x };
    int32_t position[N];
    float from[N * N], change[N * N];
    for (int i = 0; i < N; i++) {
        position[i] = i;
        for (int j = 0; j < N; j++) {
            from[i * N + j] = x[i];
            change[i * N + j] = x[j] - x[i];
        }
    }
    for (int activation = 0; activation <= ACTIVATION_GELU_QUICK; activation++) {
        enum activation function = (enum activation)activation;
        float *dy = bench_output(b, N * N);
        b->ops->gate_delta(b->stream, function, bench_put(b, from, N * N), NULL, bench_put(b, position, N),
                           bench_put(b, change, N * N), NULL, N, N, dy);
        float *got = bench_get(b, dy, N * N);
        for (int i = 0; i < N * N; i++) {
            double before = reference_gate(function, (double)from[i]);
            double after = reference_gate(function, (double)(from[i] + change[i])), want = after - before;
            bool right = isnan(change[i]) ? isnan(got[i])
                                          : fabs((double)got[i] - want) <= 1e-6 * (fabs(before) + fabs(after)) + 1e-7;
            CHECK(right, "%s: activation %d from %g by %g: %g, not %g", b->name, activation, (double)from[i],
                  (double)change[i], (double)got[i], want);
        }
        free(got);
    }
    bench_clear(b);
}

/* -- sums and gathers ---------------------------------------------------------------------------------------------- */

static void check_add(struct bench *b, size_t n)
{
    float *x = random_floats(n, 1), *y = random_floats(n, 1), *memory = bench_put(b, y, n);
    double *want = malloc(n * sizeof *want);
    for (size_t i = 0; i < n; i++)
        want[i] = (double)y[i] - 0.75 * (double)x[i];
    b->ops->add(b->stream, bench_put(b, x, n), -0.75f, n, memory);
    float *got = bench_get(b, memory, n);
    CHECK(worst(got, want, n) < tolerance, "%s: add of %zu", b->name, n);
    free(got);
    free(want);
    free(x);
    free(y);
    bench_clear(b);
}

static void check_gather(struct bench *b, int width)
{
    enum { FROM = 6, N = 9 };
    static const int32_t index[N] = {5, 0, 0, 3, 2, 1, 4, 5, 5};
    float *from = random_floats((size_t)FROM * width, 1), *to = bench_output(b, (size_t)N * width);
    b->ops->gather(b->stream, bench_put(b, from, (size_t)FROM * width), index, N, width, to);
    float *got = bench_get(b, to, (size_t)N * width);
    bool right = true;
    for (int i = 0; i < N; i++)
        right = right && !memcmp(got + (size_t)i * width, from + (size_t)index[i] * width, (size_t)width * sizeof *got);
    CHECK(right, "%s: gather of width %d", b->name, width);
    float *second = bench_output(b, (size_t)N * width);
    b->ops->copy(b->stream, to, (size_t)N * width * sizeof *to, second);
    float *copied = bench_get(b, second, (size_t)N * width);
    CHECK(!memcmp(copied, got, (size_t)N * width * sizeof *got), "%s: copy", b->name);
    free(copied);
    free(got);
    free(from);
    bench_clear(b);
}

static void test(struct bench *b)
{
    for (int i = 0; i < SIZES; i++) {
        check_norm(b, NORM_RMS, 1, sizes[i], false);
        check_norm(b, NORM_LAYER, 1, sizes[i], true);
        for (int activation = 0; activation <= ACTIVATION_GELU_QUICK; activation++)
            for (int up = 0; up < 2; up++)
                check_gate(b, (enum activation)activation, sizes[i], up, 4);
        check_add(b, (size_t)sizes[i]);
        check_gather(b, sizes[i]);
    }
    check_norm(b, NORM_RMS, 3, 64, false);
    check_norm(b, NORM_RMS, 9, 20, true);
    check_norm(b, NORM_LAYER, 2, 33, false);
    check_norm(b, NORM_RMS, 1, 8192, false);
    check_gate(b, ACTIVATION_SILU, 9000, true, 30);
    check_gate_ends(b);
    check_gate_delta_ends(b);
    check_add(b, 100000);
    for (int neox = 0; neox < 2; neox++) {
        check_rope(b, 3, 64, 32, neox);
        check_rope(b, 2, 80, 10, neox);
        check_rope(b, 1, 6, 3, neox);
        check_rope(b, 5, 128, 64, neox);
    }
}

int main(int argc, char **argv)
{
    return bench_main(argc, argv, test);
}
