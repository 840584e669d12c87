/* Products of differences in every precision that a device offers, against double precision: within what rounding both
 * factors once, as the precision says, can do. */
#include "gpu/host/int8_onednn.h"
#include "tests/unit/device_blocks.h"
#include "tests/unit/device_test.h"

static const char *const names[] = {"f32", "bf16", "int8"};

static double greatest(const float *x, int n)
{
    double most = 0;
    for (int i = 0; i < n; i++)
        most = fabs((double)x[i]) > most ? fabs((double)x[i]) : most;
    return most;
}

/* What the product w . x may be off by: int8 rounds to 127 steps each side of 0 by a scale for each row, bf16 to 8
 * bits. */
static double allowed(enum precision precision, const float *w, const float *x, int n)
{
    double step_w = greatest(w, n) / 127, step_x = greatest(x, n) / 127, bound = 0, size = 1e-3;
    for (int i = 0; i < n; i++) {
        size += fabs((double)w[i] * (double)x[i]);
        bound += fabs((double)w[i]) * step_x / 2 + fabs((double)x[i]) * step_w / 2 + step_w * step_x / 4;
    }
    return precision == PRECISION_INT8 ? 1.01 * bound + 1e-5 * size
                                       : size * (precision == PRECISION_BF16 ? 1.01 / 256 : 2e-6);
}

static double dot(const float *w, const float *x, int n)
{
    double sum = 0;
    for (int i = 0; i < n; i++)
        sum += (double)w[i] * (double)x[i];
    return sum;
}

/* The rows' sizes differ widely: a scale for all of them would not do. */
static float *uneven_rows(int rows, int columns)
{
    float *x = random_floats((size_t)rows * columns, 1);
    for (int r = 0; r < rows; r++)
        for (int i = 0; i < columns; i++)
            x[(size_t)r * columns + i] *= powf(10, (float)(r % 7 - 5));
    return x;
}

static void check_product(struct bench *b, enum precision precision, uint32_t type, int rows, int columns, int n)
{
    const struct dtype_info *info = dtype_info(type);
    size_t elements = (size_t)rows * columns, outputs = (size_t)n * rows;
    uint8_t *data = random_blocks(type, elements);
    float *w = malloc(elements * sizeof *w), *x = uneven_rows(n, columns);
    info->expand(data, w, elements);
    memset(x + (size_t)(n / 2) * columns, 0, (size_t)columns * sizeof *x);
    struct weight *weight = NULL;
    struct error error = {0};
    CHECK(b->ops->weight_new(b->device, type, rows, columns, data, &weight, &error) == 0, "%s", error.message);
    float *dy = bench_output(b, outputs);
    b->ops->linear_delta(b->stream, weight, precision, bench_put(b, x, (size_t)n * columns), n, dy);
    float *got = bench_get(b, dy, outputs);
    double most = 0;
    for (int r = 0; r < n; r++)
        for (int o = 0; o < rows; o++) {
            const float *wo = w + (size_t)o * columns, *xr = x + (size_t)r * columns;
            double off = fabs((double)got[(size_t)r * rows + o] - dot(wo, xr, columns));
            double share = off / allowed(precision, wo, xr, columns);
            if (!(share <= most))
                most = share == share ? share : INFINITY;
        }
    CHECK(most <= 1, "%s: %s, %s %d x %d, %d rows: %g of what is allowed", b->name, names[precision], info->name, rows,
          columns, n, most);
    CHECK(all_zero(got + (size_t)(n / 2) * rows, (size_t)rows), "%s: %s: a row of zeros does not give zeros", b->name,
          names[precision]);
    free(got);
    bench_clear(b);
    b->ops->weight_free(b->device, weight);
    free(data);
    free(w);
    free(x);
}

/* A row that is not finite does not come out as numbers. */
static void check_not_finite(struct bench *b, enum precision precision)
{
    enum { ROWS = 5, COLUMNS = 40 };
    float *data = random_floats((size_t)ROWS * COLUMNS, 1), *x = random_floats((size_t)2 * COLUMNS, 1);
    x[3] = NAN;
    x[COLUMNS + 7] = INFINITY;
    struct weight *weight = NULL;
    CHECK(b->ops->weight_new(b->device, DTYPE_F32, ROWS, COLUMNS, data, &weight, NULL) == 0, "%s", b->name);
    float *dy = bench_output(b, (size_t)2 * ROWS);
    b->ops->linear_delta(b->stream, weight, precision, bench_put(b, x, (size_t)2 * COLUMNS), 2, dy);
    float *got = bench_get(b, dy, (size_t)2 * ROWS);
    for (int i = 0; i < 2 * ROWS; i++)
        CHECK(!isfinite(got[i]), "%s: %s: %g comes of what is not finite", b->name, names[precision], (double)got[i]);
    free(got);
    bench_clear(b);
    b->ops->weight_free(b->device, weight);
    free(data);
    free(x);
}

/* Rows that are one, two or three entries and little else: the CPU rounds the little by itself. */
static void check_peaks(struct bench *b, uint32_t type, int rows, int columns, int n)
{
    const struct dtype_info *info = dtype_info(type);
    size_t elements = (size_t)rows * columns;
    uint8_t *data = random_blocks(type, elements);
    float *w = malloc(elements * sizeof *w), *x = random_floats((size_t)n * columns, 1);
    float *rest = malloc((size_t)n * columns * sizeof *rest);
    info->expand(data, w, elements);
    memcpy(rest, x, (size_t)n * columns * sizeof *x);
    for (int r = 0; r < n; r++)
        for (int k = 0; k <= r % 3; k++) {
            size_t at = (size_t)r * columns + (r * 31 + k * 17) % columns;
            rest[at] = 0;
            x[at] = powf(100, (float)(k + 1)) * (r % 2 ? 1 : -1);
        }
    struct weight *weight = NULL;
    CHECK(b->ops->weight_new(b->device, type, rows, columns, data, &weight, NULL) == 0, "%s", b->name);
    float *dy = bench_output(b, (size_t)n * rows);
    b->ops->linear_delta(b->stream, weight, PRECISION_INT8, bench_put(b, x, (size_t)n * columns), n, dy);
    float *got = bench_get(b, dy, (size_t)n * rows);
    for (int r = 0; r < n; r++)
        for (int o = 0; o < rows; o++) {
            const float *wo = w + (size_t)o * columns, *xr = x + (size_t)r * columns;
            double off = fabs((double)got[(size_t)r * rows + o] - dot(wo, xr, columns));
            double may = allowed(PRECISION_INT8, wo, rest + (size_t)r * columns, columns) +
                         1e-6 * greatest(xr, columns) * greatest(wo, columns);
            CHECK(off <= may, "%s: %s %d x %d, row %d: off by %g, not %g", b->name, info->name, rows, columns, r, off,
                  may);
        }
    free(got);
    bench_clear(b);
    b->ops->weight_free(b->device, weight);
    free(data);
    free(w);
    free(x);
    free(rest);
}

static struct weight *plain_weight(struct bench *b, const float *w, int rows, int columns)
{
    struct weight *weight = NULL;
    CHECK(b->ops->weight_new(b->device, DTYPE_F32, rows, columns, w, &weight, NULL) == 0, "%s", b->name);
    return weight;
}

/* Operations formed together say what they say one after the other. */
static void compare(struct bench *b, enum precision precision, const char *what, const float *want, const float *got,
                    size_t n)
{
    float *x = bench_get(b, want, n), *y = bench_get(b, got, n);
    CHECK(memcmp(x, y, n * sizeof *x) == 0, "%s: %s: %s, %zu values, is not what its parts say", b->name,
          names[precision], what, n);
    free(x);
    free(y);
}

/* The same where rounding may differ: by a millionth of a row's greatest. */
static void compare_rows(struct bench *b, enum precision precision, const char *what, const float *want,
                         const float *got, int rows, int width)
{
    float *x = bench_get(b, want, (size_t)rows * width), *y = bench_get(b, got, (size_t)rows * width);
    for (int r = 0; r < rows; r++) {
        double most = greatest(x + (size_t)r * width, width), off = 0;
        for (int i = 0; i < width; i++)
            off = fmax(off, fabs((double)x[(size_t)r * width + i] - y[(size_t)r * width + i]));
        CHECK(off <= 1e-6 * most, "%s: %s: %s, %d x %d, row %d: off by %g of %g", b->name, names[precision], what, rows,
              width, r, off, most);
    }
    free(x);
    free(y);
}

static void check_feed(struct bench *b, enum precision precision, int ffn, int width, int rows, bool with_norm,
                       bool with_up)
{
    enum { POSITIONS = 7 };
    size_t size = (size_t)ffn * width, room = (size_t)rows * ffn;
    float *w = random_floats(3 * size, 1), *x = uneven_rows(rows, width);
    float *values = random_floats((size_t)2 * POSITIONS * ffn, 1);
    float *before = random_floats((size_t)POSITIONS * width, 1);
    int32_t *position = malloc((size_t)rows * sizeof *position);
    for (int r = 0; r < rows; r++)
        position[r] = r % POSITIONS;
    x[(size_t)(rows / 2) * width + width / 2] = 1e5f; /* a peak */
    struct weight *gate = plain_weight(b, w, ffn, width), *up = with_up ? plain_weight(b, w + size, ffn, width) : NULL;
    struct weight *down = plain_weight(b, w + 2 * size, width, ffn);
    float *g = bench_put(b, values, (size_t)POSITIONS * ffn);
    float *u = with_up ? bench_put(b, values + (size_t)POSITIONS * ffn, (size_t)POSITIONS * ffn) : NULL;
    float *dx = bench_put(b, x, (size_t)rows * width), *dup = with_up ? bench_output(b, room) : NULL;
    int32_t *where = bench_put(b, position, (size_t)rows);
    float *dgate = bench_output(b, room), *apart = bench_output(b, (size_t)rows * width);
    float *together = bench_output(b, (size_t)rows * width);
    const float *base = bench_put(b, before, (size_t)POSITIONS * width), *dh = dx;
    struct norm norm = {NORM_RMS, 1, width, 1e-5f, base, NULL}; /* the first row serves as its weight too */
    if (with_norm) {
        b->ops->norm_delta(b->stream, &norm, base, where, dx, rows, apart);
        dh = apart;
    }
    b->ops->linear_delta(b->stream, gate, precision, dh, rows, dgate);
    if (with_up)
        b->ops->linear_delta(b->stream, up, precision, dh, rows, dup);
    b->ops->gate_delta(b->stream, ACTIVATION_SILU, g, u, where, dgate, dup, rows, ffn, dgate);
    b->ops->linear_delta(b->stream, down, precision, dgate, rows, apart);
    struct feed feed = {with_norm ? &norm : NULL, base, ACTIVATION_SILU, gate, up, down, g, u, false};
    b->ops->feed_delta(b->stream, &feed, precision, where, dx, rows, together);
    compare(b, precision, "a feed", apart, together, (size_t)rows * width);
    feed.onto = true;
    b->ops->add(b->stream, dx, 1, (size_t)rows * width, apart);
    b->ops->feed_delta(b->stream, &feed, precision, where, dx, rows, dx);
    compare_rows(b, precision, "a feed onto its own rows", apart, dx, rows, width);
    bench_clear(b);
    b->ops->weight_free(b->device, gate);
    b->ops->weight_free(b->device, up);
    b->ops->weight_free(b->device, down);
    free(w);
    free(x);
    free(values);
    free(before);
    free(position);
}

/* A weight that was prepared says what one says that was not. */
static void check_prepared(struct bench *b, enum precision precision, int outputs, int columns)
{
    enum { ROWS = 5 };
    float *values = random_floats((size_t)outputs * columns, 1), *x = uneven_rows(ROWS, columns), *dy[2];
    float *dx = bench_put(b, x, (size_t)ROWS * columns);
    for (int i = 0; i < 2; i++) {
        struct weight *w = plain_weight(b, values, outputs, columns);
        dy[i] = bench_output(b, (size_t)ROWS * outputs);
        if (i == 1)
            b->ops->weight_prepare(b->stream, w, precision);
        b->ops->linear_delta(b->stream, w, precision, dx, ROWS, dy[i]);
        CHECK(b->ops->stream_finish(b->stream, NULL) == 0);
        b->ops->weight_free(b->device, w);
    }
    compare(b, precision, "a prepared weight's product", dy[0], dy[1], (size_t)ROWS * outputs);
    bench_clear(b);
    free(values);
    free(x);
}

static void check_linears(struct bench *b, enum precision precision, int columns, int rows)
{
    static const int outputs[] = {65, 1, 130};
    struct weight *w[3];
    float *values[3], *apart[3], *together[3];
    float *x = uneven_rows(rows, columns);
    x[(size_t)(rows - 1) * columns] = 1e5f; /* a peak */
    float *dx = bench_put(b, x, (size_t)rows * columns);
    for (int i = 0; i < 3; i++) {
        values[i] = random_floats((size_t)outputs[i] * columns, 1);
        w[i] = plain_weight(b, values[i], outputs[i], columns);
        apart[i] = bench_output(b, (size_t)rows * outputs[i]);
        together[i] = bench_output(b, (size_t)rows * outputs[i]);
        b->ops->linear_delta(b->stream, w[i], precision, dx, rows, apart[i]);
    }
    b->ops->linears_delta(b->stream, 3, (const struct weight *const *)w, precision, dx, rows, false, together);
    for (int i = 0; i < 3; i++)
        compare(b, precision, "one of three products", apart[i], together[i], (size_t)rows * outputs[i]);
    b->ops->linears_delta(b->stream, 3, (const struct weight *const *)w, precision, dx, rows, true, together);
    for (int i = 0; i < 3; i++) {
        b->ops->add(b->stream, apart[i], 1, (size_t)rows * outputs[i], apart[i]);
        compare_rows(b, precision, "a product onto another", apart[i], together[i], rows, outputs[i]);
    }
    bench_clear(b);
    for (int i = 0; i < 3; i++) {
        b->ops->weight_free(b->device, w[i]);
        free(values[i]);
    }
    free(x);
}

/* Our own products of 8-bit integers are those of oneDNN, to the bit. */
static void check_forms(struct bench *b, int rows, int columns, int n)
{
    struct host_device *host = (struct host_device *)b->device;
    float *w = random_floats((size_t)rows * columns, 1), *x = uneven_rows(n, columns), *got[2];
    for (int i = 0; i < columns; i++) { /* sums as large as they can become */
        w[i] = 1;
        x[i] = i ? 1 : -1;
    }
    x[(size_t)(n - 1) * columns] = 1e5f; /* a peak */
    float *dx = bench_put(b, x, (size_t)n * columns);
    for (int i = 0; i < 2; i++) {
        host->int8_form = i ? INT8_ONEDNN : INT8_OWN;
        struct weight *weight = plain_weight(b, w, rows, columns);
        float *dy = bench_output(b, (size_t)n * rows);
        b->ops->linear_delta(b->stream, weight, PRECISION_INT8, dx, n, dy);
        got[i] = bench_get(b, dy, (size_t)n * rows);
        b->ops->weight_free(b->device, weight);
    }
    host->int8_form = INT8_OWN;
    CHECK(memcmp(got[0], got[1], (size_t)n * rows * sizeof **got) == 0,
          "%s: int8, %d x %d, %d rows: not what oneDNN says", b->name, rows, columns, n);
    free(got[0]);
    free(got[1]);
    bench_clear(b);
    free(w);
    free(x);
}

/* The change of the log-sum-exp: off by no more than the greatest error of a logit. */
static void check_lse(struct bench *b, enum precision precision, int vocabulary, int width, int rows)
{
    float *w = random_floats((size_t)vocabulary * width, 1), *h = random_floats((size_t)width, 8 / sqrtf((float)width));
    float *dh = random_floats((size_t)rows * width, 1 / sqrtf((float)width));
    memset(dh, 0, (size_t)width * sizeof *dh);
    int32_t *target = calloc((size_t)rows, sizeof *target);
    double *got = malloc((size_t)rows * sizeof *got), *logit = malloc((size_t)vocabulary * sizeof *logit), lse = 0;
    for (int v = 0; v < vocabulary; v++)
        lse += exp(logit[v] = dot(w + (size_t)v * width, h, width));
    lse = log(lse);
    struct weight *weight = NULL;
    struct error error = {0};
    CHECK(b->ops->weight_new(b->device, DTYPE_F32, vocabulary, width, w, &weight, &error) == 0, "%s", error.message);
    struct head head = {.weight = weight, .vocabulary = vocabulary, .width = width, .divisor = 1};
    b->ops->lse_delta(b->stream, &head, precision, bench_put(b, h, (size_t)width), 1, &lse,
                      bench_put(b, dh, (size_t)rows * width), target, rows, got);
    CHECK(b->ops->stream_finish(b->stream, &error) == 0, "%s: %s", b->name, error.message);
    CHECK(got[0] == 0, "%s: %s: no change gives %g", b->name, names[precision], got[0]);
    for (int r = 0; r < rows; r++) {
        double sum = 0, bound = 0;
        for (int v = 0; v < vocabulary; v++) {
            const float *wv = w + (size_t)v * width, *row = dh + (size_t)r * width;
            double may = allowed(precision, wv, row, width);
            sum += exp(logit[v] + dot(wv, row, width) - lse);
            bound = may > bound ? may : bound;
        }
        CHECK(fabs(got[r] - log(sum)) <= bound + 1e-5, "%s: %s: lse_delta of %d x %d: %g, not %g", b->name,
              names[precision], vocabulary, width, got[r], log(sum));
    }
    bench_clear(b);
    b->ops->weight_free(b->device, weight);
    free(w);
    free(h);
    free(dh);
    free(target);
    free(got);
    free(logit);
}

static const int sizes[] = {1, 31, 32, 33, 257};

static void check_precision(struct bench *b, enum precision p)
{
    for (int i = 0; i < TYPES; i++)
        check_product(b, p, types[i], 33, 256, 5);
    for (int i = 0; i < 5; i++) {
        check_product(b, p, DTYPE_F32, sizes[i], 70, sizes[4 - i]);
        check_product(b, p, DTYPE_F16, 21, sizes[i], 3);
    }
    check_not_finite(b, p);
    for (int i = 0; b->ops->feed_delta && i < 5; i++) {
        check_feed(b, p, sizes[i], 70, sizes[4 - i], false, true);
        check_feed(b, p, 131, sizes[i], 200, true, i % 2);
    }
    for (int i = 0; b->ops->weight_prepare && i < 5; i++)
        check_prepared(b, p, sizes[i], sizes[4 - i]);
    for (int i = 0; b->ops->linears_delta && i < 5; i++)
        check_linears(b, p, sizes[i], sizes[4 - i]);
    if (p == PRECISION_INT8 && strcmp(b->ops->info(b->device)->kind, "cpu") == 0)
        for (int i = 0; i < TYPES; i++) {
            check_peaks(b, types[i], 33, 256, 7);
            check_peaks(b, types[i], 5, 512, 200);
        }
    check_lse(b, p, 515, 30, 9);
    check_lse(b, p, 33, 64, 4);
}

/* The CPU's products of 8-bit integers by oneDNN, beside its own. */
static void check_onednn(struct bench *b)
{
    struct host_device *host = (struct host_device *)b->device;
    if (!int8_onednn_offered()) {
        SKIP("%s: no exact products of 8-bit integers in oneDNN", b->name);
        return;
    }
    for (int i = 0; i < 5; i++) {
        check_forms(b, sizes[i], 70, sizes[4 - i]);
        check_forms(b, 21, sizes[i], 200);
    }
    host->int8_form = INT8_ONEDNN;
    check_precision(b, PRECISION_INT8);
    host->int8_form = INT8_OWN;
}

static void test(struct bench *b)
{
    for (int p = PRECISION_F32; p <= PRECISION_INT8; p++)
        if (b->ops->info(b->device)->precision[p])
            check_precision(b, (enum precision)p);
        else
            SKIP("%s does not offer products in %s", b->name, names[p]);
    if (strcmp(b->ops->info(b->device)->kind, "cpu") == 0)
        check_onednn(b);
}

int main(int argc, char **argv)
{
    return bench_main(argc, argv, test);
}
