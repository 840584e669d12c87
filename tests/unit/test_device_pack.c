/* Rows put away in less room and taken out again, against a plain loop: every device makes the same bytes of a row. */
#include <float.h>

#include "tests/unit/device_test.h"

static const char *const names[] = {"f32", "bf16", "8 bits"};

/* Bytes before and behind what is written, which make it no better aligned than to 4. */
enum { GUARD = 4 };

/* The nearest bf16, of two as near the even one; finite x. */
static uint16_t nearest_bf16(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    uint32_t rest = bits & 0xffff, up = rest > 0x8000 || (rest == 0x8000 && bits >> 16 & 1);
    return (uint16_t)((bits >> 16) + up);
}

static float greatest_size(const float *x, int n)
{
    float most = 0;
    for (int i = 0; i < n; i++)
        most = fabsf(x[i]) > most ? fabsf(x[i]) : most;
    return most;
}

static void pack_row(enum precision precision, const float *x, int width, char *packed)
{
    memset(packed, 0, packed_bytes(precision, width));
    if (precision == PRECISION_F32)
        memcpy(packed, x, (size_t)width * sizeof *x);
    for (int i = 0; i < width && precision == PRECISION_BF16; i++) {
        uint16_t rounded = nearest_bf16(x[i]);
        memcpy(packed + (size_t)i * sizeof rounded, &rounded, sizeof rounded);
    }
    if (precision != PRECISION_INT8)
        return;
    char *scales = packed + (size_t)(width + PACK_BLOCK - 1) / PACK_BLOCK * PACK_BLOCK;
    for (int start = 0; start < width; start += PACK_BLOCK, scales += sizeof(float)) {
        int n = width - start < PACK_BLOCK ? width - start : PACK_BLOCK;
        float most = greatest_size(x + start, n), scale = most * (1 / 127.0f), inverse = 127.0f / most;
        inverse = inverse < FLT_MAX ? inverse : FLT_MAX;
        memcpy(scales, &scale, sizeof scale);
        for (int i = start; i < start + n; i++)
            packed[i] = (char)rintf(x[i] * inverse);
    }
}

/* How far entry i of a row may be from what it was. */
static double allowed(enum precision precision, const float *x, int width, int i)
{
    if (precision == PRECISION_F32)
        return 0;
    if (precision == PRECISION_BF16)
        return fabs((double)x[i]) / 256 + 1e-40;
    int start = i / PACK_BLOCK * PACK_BLOCK;
    double most = (double)greatest_size(x + start, width - start < PACK_BLOCK ? width - start : PACK_BLOCK);
    return most < 4e-37 ? most : most / 254 * (1 + 1e-4); /* so small that 127 / most is no number */
}

/* Rows of blocks of all sizes; the first row is 0. */
static float *rows_new(int rows, int width)
{
    static const float sizes[] = {1, 3e38f, 0, 1e-3f, 1e-30f, 1e4f, 1e-38f, 0.02f, 1e-42f, 7};
    enum { SIZES = sizeof sizes / sizeof *sizes };
    float *x = random_floats((size_t)rows * width, 1);
    for (int row = 0; row < rows; row++)
        for (int i = 0; i < width; i++)
            x[(size_t)row * width + i] *= row ? sizes[(row - 1 + i / PACK_BLOCK) % SIZES] : 0;
    return x;
}

/* n bytes of the device, which must have nothing but NaN written before and behind; freed by the caller. */
static char *get_guarded(struct bench *b, const float *memory, size_t n, const char *what)
{
    char *got = (char *)bench_get(b, memory, n / sizeof(float) + 2);
    float before, behind;
    memcpy(&before, got, sizeof before);
    memcpy(&behind, got + GUARD + n, sizeof behind);
    CHECK(isnan(before) && isnan(behind), "%s: %s: written outside", b->name, what);
    memmove(got, got + GUARD, n);
    return got;
}

static void check_alone(struct bench *b, enum precision precision, const float *x, int row, int width, const char *want)
{
    size_t bytes = packed_bytes(precision, width);
    float *packed = bench_output(b, bytes / sizeof(float));
    b->ops->pack(b->stream, precision, x + (size_t)row * width, 1, width, packed);
    float *got = bench_get(b, packed, bytes / sizeof(float));
    CHECK(!memcmp(got, want + row * bytes, bytes), "%s: %s: row %d of width %d alone differs", b->name,
          names[precision], row, width);
    free(got);
}

static void check_pack(struct bench *b, enum precision precision, int rows, int width)
{
    size_t n = (size_t)rows * width, bytes = packed_bytes(precision, width);
    float *x = rows_new(rows, width), *device_x = bench_put(b, x, n);
    float *packed = bench_output(b, rows * bytes / sizeof(float) + 2), *y = bench_output(b, n + 2);
    b->ops->pack(b->stream, precision, device_x, rows, width, packed + 1);
    b->ops->unpack(b->stream, precision, packed + 1, rows, width, y + 1);

    char *want = malloc(rows * bytes + 1), *got = get_guarded(b, packed, rows * bytes, names[precision]);
    for (int row = 0; row < rows; row++)
        pack_row(precision, x + (size_t)row * width, width, want + row * bytes);
    CHECK(!memcmp(got, want, rows * bytes), "%s: %s, %d x %d: other bytes", b->name, names[precision], rows, width);
    for (int row = 0; row < rows; row += 16)
        check_alone(b, precision, device_x, row, width, want);

    float *back = (float *)get_guarded(b, y, n * sizeof *y, "taken out");
    int wrong = 0;
    for (int row = 0; row < rows; row++)
        for (int i = 0; i < width; i++) {
            const float *from = x + (size_t)row * width;
            wrong += !(fabs((double)back[(size_t)row * width + i] - (double)from[i]) <=
                       allowed(precision, from, width, i));
        }
    CHECK(wrong == 0, "%s: %s, %d x %d: %d entries too far", b->name, names[precision], rows, width, wrong);
    CHECK(rows == 0 || all_zero(back, (size_t)width), "%s: %s, width %d: 0 is not 0", b->name, names[precision], width);
    free(back);
    free(got);
    free(want);
    free(x);
    bench_clear(b);
}

/* Where two are as near, the even one. */
static void check_ties(struct bench *b)
{
    static const float x[] = {127, 0.5f, 1.5f, -2.5f, 126.5f, -0.5f}, want8[] = {127, 0, 2, -2, 126, 0};
    static const float z[] = {1 + 0x1p-8f, 1 + 0x3p-8f, -1 - 0x1p-8f, 1 + 0x1.002p-8f};
    static const float want16[] = {1, 1 + 0x1p-6f, -1, 1 + 0x1p-7f};
    float *packed = bench_output(b, 9), *y = bench_output(b, 6);
    b->ops->pack(b->stream, PRECISION_INT8, bench_put(b, x, 6), 1, 6, packed);
    b->ops->unpack(b->stream, PRECISION_INT8, packed, 1, 6, y);
    float *got = bench_get(b, y, 6);
    for (int i = 0; i < 6; i++)
        CHECK(got[i] == want8[i], "%s: 8 bits: %g of %g", b->name, (double)got[i], (double)x[i]);
    free(got);
    b->ops->pack(b->stream, PRECISION_BF16, bench_put(b, z, 4), 1, 4, packed);
    b->ops->unpack(b->stream, PRECISION_BF16, packed, 1, 4, y);
    got = bench_get(b, y, 4);
    for (int i = 0; i < 4; i++)
        CHECK(got[i] == want16[i], "%s: bf16: %.9g of %.9g", b->name, (double)got[i], (double)z[i]);
    free(got);
    bench_clear(b);
}

static void test(struct bench *b)
{
    static const int widths[] = {1, 31, 32, 33, 64, 192, 257, 300, 2100, 2112}, rows[] = {0, 1, 33};
    for (int p = 0; p < 3; p++) {
        for (int i = 0; i < (int)(sizeof widths / sizeof *widths); i++)
            for (int k = 0; k < 3; k++)
                check_pack(b, (enum precision)p, rows[k], widths[i]);
        check_pack(b, (enum precision)p, 200, 192); /* enough for several threads */
    }
    check_ties(b);
}

int main(int argc, char **argv)
{
    return bench_main(argc, argv, test);
}
