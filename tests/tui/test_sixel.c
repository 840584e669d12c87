/* test_sixel.c: pixels to few colours, to a sixel sequence, and back by a decoder that shares nothing with libsixel. */
#include "tui/sixel.h"

#include "tests/test.h"
#include "tests/tui/sixel_read.h"

enum { SIDE = 448 };

static uint8_t rgb[SIDE * SIDE * 3], indices[SIDE * SIDE];

static uint32_t noise(uint32_t *state)
{
    *state = *state * 1664525u + 1013904223u;
    return *state >> 16;
}

/* A photograph, more or less: slopes of colour with some grain. */
static void fill_photo(int width, int height)
{
    uint32_t state = 1;
    for (int y = 0; y < height; y++)
        for (int x = 0; x < width; x++) {
            uint8_t *p = rgb + 3 * ((size_t)y * (size_t)width + (size_t)x);
            int grain = (int)(noise(&state) % 13) - 6, v[3] = {x * 255 / width, y * 255 / height, (x + y) % 200 + 20};
            for (int c = 0; c < 3; c++)
                p[c] = (uint8_t)(v[c] + grain < 0 ? 0 : v[c] + grain > 255 ? 255 : v[c] + grain);
        }
}

static int greatest_difference(const uint8_t *a, const uint8_t *b, size_t count)
{
    int most = 0;
    for (size_t i = 0; i < count; i++)
        most = abs(a[i] - b[i]) > most ? abs(a[i] - b[i]) : most;
    return most;
}

/* Few colours stay what they are, in stripes of one pixel as well. */
static void test_exact(void)
{
    static const uint8_t colours[6][3] = {{0, 0, 0},     {255, 0, 0},   {250, 250, 250},
                                          {16, 20, 200}, {90, 160, 30}, {100, 160, 30}};
    struct palette palette;
    for (int i = 0; i < 60 * 60; i++)
        memcpy(rgb + 3 * i, colours[i % 6], 3);
    CHECK(palette_reduce(rgb, 3600, 256, &palette, indices, NULL) == 0 && palette.count == 6, "%d", palette.count);
    int most = 0;
    for (int i = 0; i < 3600; i++) {
        int d = greatest_difference(palette.rgb[indices[i]], rgb + 3 * i, 3);
        most = d > most ? d : most;
    }
    CHECK(most == 0, "%d", most);
    CHECK(palette_reduce(rgb, 3600, 2, &palette, indices, NULL) == 0 && palette.count == 2, "%d", palette.count);
    CHECK(palette_reduce(rgb, 1, 16, &palette, indices, NULL) == 0 && palette.count == 1 && indices[0] == 0);
}

/* More colours are nearer to the picture. */
static void test_reduce(void)
{
    double before = 1e30;
    fill_photo(SIDE, SIDE);
    for (int most = 4; most <= 256; most *= 2) {
        struct palette palette;
        double sum = 0;
        CHECK(palette_reduce(rgb, SIDE * SIDE, most, &palette, indices, NULL) == 0 && palette.count == most);
        for (size_t i = 0; i < SIDE * SIDE; i++)
            for (int c = 0; c < 3; c++) {
                double d = palette.rgb[indices[i]][c] - rgb[3 * i + (size_t)c];
                sum += d * d;
            }
        CHECK(sum < 0.8 * before, "%d colours: %g, before %g", most, sum, before);
        before = sum;
    }
}

static void test_round_trip(void)
{
    static const int sizes[][2] = {{1, 6}, {1, 7}, {5, 6}, {31, 33}, {257, 12}, {SIDE, SIDE}};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        for (int most = 2; most <= 256; most *= 4) {
            int width = sizes[i][0], height = sizes[i][1], worst = 0, bare = 0;
            struct palette palette;
            struct sixel_pixels back;
            char *bytes = NULL;
            size_t length = 0;
            fill_photo(width, height);
            CHECK(palette_reduce(rgb, (size_t)(width * height), most, &palette, indices, NULL) == 0);
            CHECK(sixel_write(&palette, indices, width, height, &bytes, &length, NULL) == 0);
            CHECK(bytes && sixel_read(bytes, length, &back), "%d x %d, %d colours", width, height, most);
            CHECK(back.width == width && back.height == height, "%d x %d", back.width, back.height);
            for (int p = 0; p < width * height; p++) {
                int d = greatest_difference(back.rgb + 3 * p, palette.rgb[indices[p]], 3);
                worst = d > worst ? d : worst;
                bare += !back.painted[p];
            }
            CHECK(worst <= 2 && bare == 0, "off by %d, %d bare", worst, bare); /* it counts in percent */
            if (width == SIDE)
                printf("%d x %d in %d colours: %zu bytes\n", width, height, most, length);
            free(bytes);
            sixel_pixels_free(&back);
        }
}

static void test_refused(void)
{
    struct palette palette = {.count = 1};
    struct error error;
    char *bytes;
    size_t length;
    CHECK(sixel_write(&palette, indices, 0, 5, &bytes, &length, &error) == ERROR_ARGUMENT);
    CHECK(sixel_write(&palette, indices, 5, SIXEL_SIDE + 1, &bytes, &length, &error) == ERROR_ARGUMENT);
    CHECK(sixel_write(&palette, indices, 1, 5, &bytes, &length, &error) == ERROR_ARGUMENT);
    CHECK(sixel_write(&(struct palette){0}, indices, 5, 5, &bytes, &length, &error) == ERROR_ARGUMENT);
    struct sixel_pixels back;
    CHECK(!sixel_read("\033Pq\"1;1;2;2#0;2;0;0;0!3~\033\\", 28, &back), "outside of the raster");
    sixel_pixels_free(&back);
}

int main(void)
{
    test_exact();
    test_reduce();
    test_round_trip();
    test_refused();
    return test_end();
}
