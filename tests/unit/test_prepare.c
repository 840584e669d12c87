/* Pictures resized and prepared for a tower: against what Pillow and transformers make of the same ones (image.golden,
 * by make_image_golden.py), to the last bit where it is bytes; and the ranges, and sides that are far from square. */
#include "core/prepare.h"

#include <stdbool.h>

#include "tests/test.h"

/* make_image_golden.py has the same. */
static struct image *picture(int width, int height)
{
    struct image *image;
    if (image_new(width, height, &image, NULL) != 0)
        abort();
    uint8_t *out = image->rgb;
    for (int y = 0; y < height; y++)
        for (int x = 0; x < width; x++)
            for (int c = 0; c < 3; c++)
                *out++ = (uint8_t)(x * 5 + y * 3 + c * 40 + (x * y * (c + 2) + x / 3) % 7 * 25);
    return image;
}

static void check_resize(const char *line, FILE *file)
{
    int from[2], to[2], filter;
    CHECK(sscanf(line, "resize %d %d %d %d %d", from, from + 1, to, to + 1, &filter) == 5, "%s", line);
    struct image *image = picture(from[0], from[1]), *out;
    struct error error;
    CHECK(image_resize(image, to[0], to[1], (enum image_filter)filter, &out, &error) == 0, "%s", error.message);
    size_t bytes = (size_t)to[0] * (size_t)to[1] * 3;
    uint8_t *golden = malloc(bytes);
    CHECK(golden && fread(golden, bytes, 1, file) == 1, "the golden file ends early");
    int greatest = 0;
    for (size_t i = 0; i < bytes; i++) {
        int here = abs(golden[i] - out->rgb[i]);
        greatest = here > greatest ? here : greatest;
    }
    CHECK(greatest == 0, "%.40s: differs by %d levels", line, greatest);
    free(golden);
    image_release(out);
    image_release(image);
}

static void check_prepare(const char *line, FILE *file)
{
    int from[2], kind, filter;
    struct preparation how = {0};
    float *mean = how.mean, *deviation = how.deviation;
    int got = sscanf(line, "prepare %d %d %d %d %d %d %f %f %f %f %f %f", from, from + 1, &kind, &how.side,
                     &how.longest, &filter, mean, mean + 1, mean + 2, deviation, deviation + 1, deviation + 2);
    CHECK(got == 12, "%s", line);
    how.kind = (enum prepare_kind)kind;
    how.filter = (enum image_filter)filter;
    size_t count = 3 * (size_t)how.side * (size_t)how.side;
    float *pixels = calloc(count, sizeof *pixels), *golden = calloc(count, sizeof *golden);
    struct image *image = picture(from[0], from[1]);
    struct error error;
    CHECK(pixels && prepare_image(image, &how, NULL, pixels, &error) == 0, "%s", error.message);
    CHECK(golden && fread(golden, sizeof *golden, count, file) == count, "the golden file ends early");
    double greatest = 0;
    for (size_t i = 0; i < count; i++)
        greatest = fmax(greatest, fabs((double)pixels[i] - (double)golden[i]));
    CHECK(greatest < 1e-5, "%.40s: differs by %g", line, greatest);
    free(golden);
    free(pixels);
    image_release(image);
}

static void test_golden(void)
{
    const char *folder = getenv("srcdir");
    char path[4096], line[256];
    snprintf(path, sizeof path, "%s/tests/unit/image.golden", folder ? folder : ".");
    FILE *file = fopen(path, "rb");
    CHECK(file, "%s", path);
    int records = 0;
    while (file && fgets(line, sizeof line, file)) {
        if (strncmp(line, "resize ", 7) == 0)
            check_resize(line, file);
        else
            check_prepare(line, file);
        records++;
    }
    CHECK(records == 36, "%d records", records);
    if (file)
        fclose(file);
}

/* A plain colour stays that colour, whatever the filter and the sides; the padding is the mean's. */
static void test_plain(void)
{
    static const int sizes[][2] = {{IMAGE_SIDE, 1}, {1, IMAGE_SIDE}, {1, 1}, {3000, 20}, {20, 3000}, {16, 16}};
    enum { SIDE = 16, GREY = 51, MEAN = 102 };
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
        struct image *image;
        struct error error;
        if (image_new(sizes[s][0], sizes[s][1], &image, &error) != 0)
            abort();
        memset(image->rgb, GREY, (size_t)sizes[s][0] * (size_t)sizes[s][1] * 3);
        for (int i = 0; i < 3 * 4; i++) {
            struct preparation how = {i < 4 ? PREPARE_PAD_SQUARE : PREPARE_STRETCH,
                                      SIDE,
                                      i < 8 ? 0 : 40,
                                      (enum image_filter)(i % 4),
                                      {0.4f, 0.4f, 0.4f},
                                      {0.5f, 0.5f, 0.5f}};
            float pixels[3 * SIDE * SIDE];
            CHECK(prepare_image(image, &how, NULL, pixels, &error) == 0, "%s", error.message);
            float centre = pixels[SIDE * SIDE / 2 + SIDE / 2], corner = pixels[0];
            float grey = (float)(GREY - MEAN) / 255 / 0.5f;
            bool padded = i < 4 && sizes[s][0] != sizes[s][1];
            CHECK(fabsf(corner - (padded ? 0 : grey)) < 1e-5f, "size %zu, way %d: %g", s, i, (double)corner);
            bool thin = padded && (sizes[s][0] < 500 ? sizes[s][1] : sizes[s][0]) > 1000; /* lost in its padding */
            CHECK(thin || fabsf(centre - grey) < 1e-5f, "size %zu, way %d: %g", s, i, (double)centre);
        }
        image_release(image);
    }
}

static void check_argument(struct preparation how, int code)
{
    struct image *image = picture(4, 4);
    struct error error;
    float pixels[3 * 4 * 4];
    int got = prepare_image(image, &how, NULL, pixels, &error);
    CHECK(got == code, "%d: %s", got, error.message);
    image_release(image);
}

/* A cancel that is there before the first row, as one that comes between two, ends it. */
static void test_cancel(void)
{
    struct preparation how = {PREPARE_PAD_SQUARE, 4, 0, IMAGE_BICUBIC, {0.5f, 0.5f, 0.5f}, {1, 1, 1}};
    struct image *image = picture(300, 200);
    atomic_bool cancelled = true;
    struct error error;
    float pixels[3 * 4 * 4];
    for (int kind = PREPARE_PAD_SQUARE; kind <= PREPARE_STRETCH; kind++) {
        how.kind = (enum prepare_kind)kind;
        how.longest = kind == PREPARE_STRETCH ? 64 : 0;
        CHECK(prepare_image(image, &how, &cancelled, pixels, &error) == ERROR_CANCELLED, "%s", error.message);
    }
    image_release(image);
}

static void test_ranges(void)
{
    const struct preparation good = {PREPARE_STRETCH, 4, 0, IMAGE_BOX, {0.5f, 0.5f, 0.5f}, {1, 1, 1}};
    check_argument(good, 0);
    struct preparation bad = good;
    bad.side = 0;
    check_argument(bad, ERROR_ARGUMENT);
    bad.side = 1 << 20;
    check_argument(bad, ERROR_ARGUMENT);
    bad = good;
    bad.longest = -1;
    check_argument(bad, ERROR_ARGUMENT);
    bad = good;
    bad.mean[2] = NAN;
    check_argument(bad, ERROR_ARGUMENT);
    bad = good;
    bad.deviation[1] = 0;
    check_argument(bad, ERROR_ARGUMENT);
    struct image *image = picture(1, 1), *out;
    struct error error;
    CHECK(image_resize(image, 0, 1, IMAGE_BOX, &out, &error) == ERROR_ARGUMENT && !out, "%s", error.message);
    CHECK(image_resize(image, -5, 1, IMAGE_BOX, &out, &error) == ERROR_ARGUMENT && !out, "%s", error.message);
    CHECK(image_resize(image, IMAGE_SIDE, IMAGE_SIDE, IMAGE_BOX, &out, &error) == ERROR_LIMIT && !out, "%s",
          error.message);
    image_release(image);
    image = picture(1, IMAGE_SIDE); /* what lies between the passes would be large, though it begins and ends small */
    CHECK(image_resize(image, IMAGE_SIDE, 1, IMAGE_BOX, &out, &error) == ERROR_LIMIT && !out, "%s", error.message);
    image_release(image);
}

int main(void)
{
    test_golden();
    test_plain();
    test_ranges();
    test_cancel();
    return test_end();
}
