/* Weights of a device in every type, and products with them, against plain loops in double precision. */
#include "tests/unit/device_blocks.h"
#include "tests/unit/device_test.h"

static const double tolerance = 2e-5;

/* Products in fewer bits: what rounding a row to its greatest entry's 1/127th (int8) or to 8 bits (bf16) may cost, as
 * the error's length by the product's. */
static void check_low_precision(struct bench *b, const char *type, const struct weight *w, const float *dx,
                                const double *want, int n, int rows)
{
    for (int precision = PRECISION_BF16; precision <= PRECISION_INT8; precision++) {
        if (!b->ops->info(b->device)->precision[precision])
            continue;
        size_t outputs = (size_t)n * rows;
        float *dy = bench_output(b, outputs);
        b->ops->linear_delta(b->stream, w, (enum precision)precision, dx, n, dy);
        float *got = bench_get(b, dy, outputs);
        double error = 0, length = 0;
        for (size_t i = 0; i < outputs; i++) {
            error += (got[i] - want[i]) * (got[i] - want[i]);
            length += want[i] * want[i];
        }
        CHECK(sqrt(error) < 0.06 * sqrt(length) + 1e-12, "%s: precision %d, %s: error %g of %g", b->name, precision,
              type, sqrt(error), sqrt(length));
        free(got);
    }
}

/* rows x columns of a type times x [n, columns]: linear, linear_delta and embed. */
static void check_product(struct bench *b, uint32_t type, int rows, int columns, int n, bool biased)
{
    const struct dtype_info *info = dtype_info(type);
    size_t elements = (size_t)rows * columns, outputs = (size_t)n * rows;
    uint8_t *data = random_blocks(type, elements);
    float *plain = malloc(elements * sizeof *plain), *bias = random_floats((size_t)rows, 1);
    info->expand(data, plain, elements);
    float *x = random_floats((size_t)n * columns, 1);
    double *want = malloc(outputs * sizeof *want), size = 0;
    for (int r = 0; r < n; r++)
        for (int o = 0; o < rows; o++) {
            double sum = biased ? (double)bias[o] : 0, sizes = 1;
            for (int i = 0; i < columns; i++) {
                double term = (double)x[(size_t)r * columns + i] * (double)plain[(size_t)o * columns + i];
                sum += term;
                sizes += fabs(term);
            }
            want[(size_t)r * rows + o] = sum;
            size = sizes > size ? sizes : size;
        }
    struct weight *w = NULL;
    struct error error = {0};
    CHECK(b->ops->weight_new(b->device, type, rows, columns, data, &w, &error) == 0, "%s: %s", b->name, error.message);
    float *device_x = bench_put(b, x, (size_t)n * columns), *y = bench_output(b, outputs),
          *dy = bench_output(b, outputs);
    b->ops->linear(b->stream, w, biased ? bench_put(b, bias, (size_t)rows) : NULL, device_x, n, y);
    float *got = bench_get(b, y, outputs);
    /* size: of the sum of absolute terms, what rounding is relative to */
    double off = worst(got, want, outputs);
    CHECK(off < tolerance * size / 10, "%s: linear, %s %d x %d, %d rows: %g of %g", b->name, info->name, rows, columns,
          n, off, size);
    free(got);

    for (size_t i = 0; i < outputs && biased; i++)
        want[i] -= (double)bias[i % (size_t)rows];
    b->ops->linear_delta(b->stream, w, PRECISION_F32, device_x, n, dy);
    got = bench_get(b, dy, outputs);
    off = worst(got, want, outputs);
    CHECK(off < tolerance * size / 10, "%s: linear_delta, %s %d x %d, %d rows: %g of %g", b->name, info->name, rows,
          columns, n, off, size);
    free(got);

    check_low_precision(b, info->name, w, device_x, want, n, rows);

    int32_t ids[3] = {rows - 1, 0, rows / 2};
    float *embedded = bench_output(b, (size_t)3 * columns);
    b->ops->embed(b->stream, w, ids, 3, 1.5f, embedded);
    got = bench_get(b, embedded, (size_t)3 * columns);
    bool same = true;
    for (int i = 0; i < 3 * columns; i++)
        same = same && got[i] == 1.5f * plain[(size_t)ids[i / columns] * columns + i % columns];
    CHECK(same, "%s: embed, %s %d x %d", b->name, info->name, rows, columns);
    free(got);
    bench_clear(b);
    b->ops->weight_free(b->device, w);
    free(want);
    free(x);
    free(bias);
    free(plain);
    free(data);
}

/* No change in, no change out; and what is not offered says so, once. */
static void check_delta(struct bench *b)
{
    enum { ROWS = 70, COLUMNS = 96, N = 33 };
    float *data = random_floats((size_t)ROWS * COLUMNS, 1), *zeros = calloc((size_t)N * COLUMNS, sizeof *zeros);
    struct weight *w = NULL;
    struct error error = {0};
    CHECK(b->ops->weight_new(b->device, DTYPE_F32, ROWS, COLUMNS, data, &w, &error) == 0, "%s", error.message);
    float *dx = bench_put(b, zeros, (size_t)N * COLUMNS), *dy = bench_output(b, (size_t)N * ROWS);
    for (int precision = PRECISION_F32; precision <= PRECISION_INT8; precision++) {
        b->ops->linear_delta(b->stream, w, (enum precision)precision, dx, N, dy);
        b->ops->linear_delta(b->stream, w, PRECISION_F32, dx, N, dy); /* nothing, if the stream is marked */
        int code = b->ops->stream_finish(b->stream, &error);
        if (b->ops->info(b->device)->precision[precision]) {
            float *got = bench_get(b, dy, (size_t)N * ROWS);
            CHECK(code == 0 && all_zero(got, (size_t)N * ROWS), "%s: precision %d: not 0", b->name, precision);
            free(got);
        } else {
            CHECK(code == ERROR_UNSUPPORTED && error.message[0], "%s: precision %d: code %d", b->name, precision, code);
        }
    }
    bench_clear(b);
    b->ops->weight_free(b->device, w);
    free(data);
    free(zeros);
}

/* On the CPU a row's product of differences has the same bits alone, among few rows and among `most`; on a card its
 * maker's library decides. */
static void check_rows_alike(struct bench *b, enum precision precision, int rows, int columns, int most, int step)
{
    if (strcmp(b->ops->info(b->device)->kind, "cpu") || !b->ops->info(b->device)->precision[precision])
        return;
    size_t outputs = (size_t)most * rows;
    float *data = random_floats((size_t)rows * columns, 1), *x = random_floats((size_t)most * columns, 1);
    struct weight *w = NULL;
    struct error error = {0};
    CHECK(b->ops->weight_new(b->device, DTYPE_F32, rows, columns, data, &w, &error) == 0, "%s", error.message);
    float *dx = bench_put(b, x, (size_t)most * columns), *dy = bench_output(b, outputs);
    b->ops->linear_delta(b->stream, w, precision, dx, most, dy);
    float *many = bench_get(b, dy, outputs);
    for (int n = 1; n < most; n += step) {
        b->ops->linear_delta(b->stream, w, precision, dx + (size_t)(most - n) * columns, n, dy);
        float *few = bench_get(b, dy, (size_t)n * rows);
        CHECK(!memcmp(few, many + (size_t)(most - n) * rows, (size_t)n * rows * sizeof *few),
              "%s: precision %d, %d x %d: %d rows are not what they are among many", b->name, precision, rows, columns,
              n);
        free(few);
    }
    free(many);
    bench_clear(b);
    b->ops->weight_free(b->device, w);
    free(data);
    free(x);
}

static void check_refusals(struct bench *b)
{
    static const uint8_t data[4096];
    struct weight *w;
    struct error error;
    CHECK(b->ops->weight_new(b->device, 9999, 4, 32, data, &w, &error) == ERROR_UNSUPPORTED && !w, "%s", b->name);
    CHECK(b->ops->weight_new(b->device, 16, 4, 256, data, &w, &error) == ERROR_UNSUPPORTED && !w, "%s", b->name);
    CHECK(b->ops->weight_new(b->device, DTYPE_Q4_0, 4, 33, data, &w, &error) == ERROR_SHAPE && !w, "%s", b->name);
    CHECK(b->ops->weight_new(b->device, DTYPE_F32, 0, 32, data, &w, &error) == ERROR_SHAPE && !w, "%s", b->name);
    b->ops->weight_free(b->device, NULL);
}

static void test(struct bench *b)
{
    for (int i = 0; i < TYPES; i++) {
        check_product(b, types[i], 67, 512, 1, true);
        check_product(b, types[i], 300, 256, 5, false);
    }
    static const int rows[] = {1, 31, 32, 33, 257};
    for (int i = 0; i < 5; i++) {
        check_product(b, DTYPE_F32, 65, 100, rows[i], i % 2);
        check_product(b, DTYPE_Q8_0, rows[i], 96, rows[4 - i], true);
        check_product(b, DTYPE_F16, rows[i], 33, 3, false);
    }
    check_delta(b);
    check_rows_alike(b, PRECISION_F32, 67, 96, 200, 1);
    check_rows_alike(b, PRECISION_F32, 3000, 300, 310, 47);
    check_rows_alike(b, PRECISION_BF16, 67, 96, 40, 1);
    check_rows_alike(b, PRECISION_INT8, 67, 96, 40, 1);
    check_refusals(b);
}

int main(int argc, char **argv)
{
    return bench_main(argc, argv, test);
}
