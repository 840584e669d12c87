/* image_resize.c: pictures to another size, with the very numbers that the Pillow library gives.
 *
 * A vision model has learnt from pictures that Pillow resized, so its results are repeated bit by bit: filters
 * stretched by the factor of reduction, weights normalised in double precision and rounded to 22 bits after the point,
 * sums in 32 bits, and a rounding to 8 bits after each of the two passes, rows first.  (From version 13 on Pillow
 * begins with the columns where that is faster; the models have not learnt from that.) */
#include "core/image_resize.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { WEIGHT_BITS = 22, WEIGHT_HALF = 1 << (WEIGHT_BITS - 1) };

/* Which inputs make each output along one axis: length[i] of them from first[i], with weight[i * most ...]. */
struct taps {
    int *first, *length;
    int32_t *weight;
    size_t most;
};

static double sinc(double x)
{
    return x == 0 ? 1 : sin(x * M_PI) / (x * M_PI);
}

static double filter_value(enum image_filter filter, double x)
{
    const double a = -0.5; /* of the bicubic family */
    double far = fabs(x);
    switch (filter) {
    case IMAGE_BOX:
        return x > -0.5 && x <= 0.5 ? 1 : 0;
    case IMAGE_BILINEAR:
        return far < 1 ? 1 - far : 0;
    case IMAGE_BICUBIC:
        if (far < 1)
            return ((a + 2) * far - (a + 3)) * far * far + 1;
        return far < 2 ? (((far - 5) * far + 8) * far - 4) * a : 0;
    case IMAGE_LANCZOS:
        return x >= -3 && x < 3 ? sinc(x) * sinc(x / 3) : 0;
    }
    return 0;
}

static double filter_support(enum image_filter filter)
{
    static const double support[] = {[IMAGE_BOX] = 0.5, [IMAGE_BILINEAR] = 1, [IMAGE_BICUBIC] = 2, [IMAGE_LANCZOS] = 3};
    return support[filter];
}

static void taps_free(struct taps *taps)
{
    free(taps->first);
    free(taps->length);
    free(taps->weight);
}

/* The weights of one output; values is scratch. */
static void taps_weigh(struct taps *taps, int i, double centre, double stretch, enum image_filter filter,
                       double *values)
{
    double sum = 0;
    for (int k = 0; k < taps->length[i]; k++) {
        values[k] = filter_value(filter, (k + taps->first[i] - centre + 0.5) * (1 / stretch));
        sum += values[k];
    }
    for (int k = 0; k < taps->length[i]; k++) {
        double share = sum != 0 ? values[k] / sum : values[k];
        taps->weight[(size_t)i * taps->most + (size_t)k] =
            (int32_t)(share * (1 << WEIGHT_BITS) + (share < 0 ? -0.5 : 0.5));
    }
}

/* false: no memory. */
static bool taps_make(int from, int to, enum image_filter filter, struct taps *taps)
{
    double scale = (double)from / to;
    double stretch = fmax(scale, 1);
    double support = filter_support(filter) * stretch;
    taps->most = (size_t)ceil(support) * 2 + 1;
    taps->first = calloc((size_t)to, sizeof *taps->first);
    taps->length = calloc((size_t)to, sizeof *taps->length);
    taps->weight = calloc((size_t)to * taps->most, sizeof *taps->weight);
    double *values = calloc(taps->most, sizeof *values);
    bool made = taps->first && taps->length && taps->weight && values;
    for (int i = 0; made && i < to; i++) {
        double centre = (i + 0.5) * scale;
        int first = (int)(centre - support + 0.5), end = (int)(centre + support + 0.5);
        taps->first[i] = first < 0 ? 0 : first;
        taps->length[i] = (end > from ? from : end) - taps->first[i];
        taps_weigh(taps, i, centre, stretch, filter, values);
    }
    free(values);
    return made;
}

static uint8_t round_sum(int32_t sum)
{
    sum >>= WEIGHT_BITS;
    return (uint8_t)(sum < 0 ? 0 : sum > UINT8_MAX ? UINT8_MAX : sum);
}

/* The sums of one output pixel if all of its inputs were the ground's colour. */
static void plain_sums(const struct taps *taps, int x, const uint8_t *colour, int32_t *sums)
{
    int32_t weight = 0;
    for (int k = 0; k < taps->length[x]; k++)
        weight += taps->weight[(size_t)x * taps->most + (size_t)k];
    for (int c = 0; c < 3; c++)
        sums[c] = WEIGHT_HALF + colour[c] * weight;
}

/* One row of the picture to width pixels.  plain [width, 3] are the sums without the picture: only what differs from
 * them is added, which costs nothing where there is no picture. */
static void resize_row(const uint8_t *row, int length, const struct image_ground *ground, const struct taps *taps,
                       const int32_t *plain, int width, uint8_t *to)
{
    const uint8_t *colour = ground->colour;
    for (int x = 0; x < width; x++, plain += 3) {
        int first = taps->first[x] - ground->left, end = first + taps->length[x];
        const int32_t *weight = taps->weight + (size_t)x * taps->most;
        int32_t red = plain[0], green = plain[1], blue = plain[2];
        for (int k = first < 0 ? 0 : first; k < (end > length ? length : end); k++) {
            red += (row[k * 3] - colour[0]) * weight[k - first];
            green += (row[k * 3 + 1] - colour[1]) * weight[k - first];
            blue += (row[k * 3 + 2] - colour[2]) * weight[k - first];
        }
        *to++ = round_sum(red);
        *to++ = round_sum(green);
        *to++ = round_sum(blue);
    }
}

static bool is_cancelled(const atomic_bool *cancelled)
{
    return cancelled && atomic_load(cancelled);
}

/* All rows of the ground to another width: out [ground height, width, 3].  false: no memory, or cancelled. */
static bool resize_rows(const struct image *image, const struct image_ground *ground, const struct taps *taps,
                        int width, const atomic_bool *cancelled, uint8_t *out)
{
    size_t line = (size_t)width * 3;
    int32_t *plain = malloc(line * sizeof *plain);
    if (!plain)
        return false;
    for (int x = 0; x < width; x++)
        plain_sums(taps, x, ground->colour, plain + (size_t)x * 3);
    for (int y = 0; y < ground->height && !is_cancelled(cancelled); y++) {
        int inside = y - ground->top;
        bool empty = inside < 0 || inside >= image->height;
        const uint8_t *row = empty ? NULL : image->rgb + (size_t)inside * (size_t)image->width * 3;
        resize_row(row, empty ? 0 : image->width, ground, taps, plain, width, out + (size_t)y * line);
    }
    free(plain);
    return !is_cancelled(cancelled);
}

/* Lines of line bytes to another number of them.  false: no memory, or cancelled. */
static bool resize_columns(const uint8_t *from, size_t line, const struct taps *taps, int height,
                           const atomic_bool *cancelled, uint8_t *to)
{
    int32_t *sums = malloc(line * sizeof *sums);
    for (int y = 0; sums && y < height && !is_cancelled(cancelled); y++) {
        for (size_t x = 0; x < line; x++)
            sums[x] = WEIGHT_HALF;
        for (int k = 0; k < taps->length[y]; k++) {
            const uint8_t *row = from + (size_t)(taps->first[y] + k) * line;
            int32_t weight = taps->weight[(size_t)y * taps->most + (size_t)k];
            for (size_t x = 0; x < line; x++)
                sums[x] += row[x] * weight;
        }
        for (size_t x = 0; x < line; x++)
            to[(size_t)y * line + x] = round_sum(sums[x]);
    }
    bool done = sums && !is_cancelled(cancelled);
    free(sums);
    return done;
}

int image_resize_on(const struct image *image, const struct image_ground *ground, int width, int height,
                    enum image_filter filter, const atomic_bool *cancelled, struct image **out, struct error *error)
{
    *out = NULL;
    size_t line = (size_t)width * 3;
    if (width > 0 && (size_t)ground->height * line > 4 * (size_t)IMAGE_PIXELS)
        return error_set(error, ERROR_LIMIT, "resizing %dx%d to %dx%d pixels takes more than %d MiB between its passes",
                         ground->width, ground->height, width, height, IMAGE_PIXELS >> 18);
    int code = image_new(width, height, out, error);
    if (code != 0)
        return code;
    struct taps across = {0}, down = {0};
    uint8_t *between = malloc((size_t)ground->height * line);
    bool done = between && taps_make(ground->width, width, filter, &across) &&
                taps_make(ground->height, height, filter, &down) &&
                resize_rows(image, ground, &across, width, cancelled, between) &&
                resize_columns(between, line, &down, height, cancelled, (*out)->rgb);
    free(between);
    taps_free(&across);
    taps_free(&down);
    if (done)
        return 0;
    image_release(*out);
    *out = NULL;
    if (is_cancelled(cancelled))
        return error_set(error, ERROR_CANCELLED, "cancelled");
    return error_set(error, ERROR_MEMORY, "no memory for resizing %dx%d to %dx%d pixels", ground->width, ground->height,
                     width, height);
}

int image_resize(const struct image *image, int width, int height, enum image_filter filter, struct image **out,
                 struct error *error)
{
    struct image_ground ground = {.width = image->width, .height = image->height};
    return image_resize_on(image, &ground, width, height, filter, NULL, out, error);
}
