#include "core/prepare.h"

#include <math.h>

#include "core/image_resize.h"

enum { PREPARE_SIDE = 4096 }; /* at most; also where Idefics3's own preprocessing stops */

static int preparation_check(const struct preparation *preparation, struct error *error)
{
    if (preparation->side < 1 || preparation->side > PREPARE_SIDE)
        return error_set(error, ERROR_ARGUMENT, "a tower's picture of %d pixels a side: 1 to %d are possible",
                         preparation->side, PREPARE_SIDE);
    if (preparation->longest < 0 || preparation->longest > PREPARE_SIDE)
        return error_set(error, ERROR_ARGUMENT, "a longer side of %d pixels: 0 to %d are possible",
                         preparation->longest, PREPARE_SIDE);
    for (int c = 0; c < 3; c++) {
        float mean = preparation->mean[c], deviation = preparation->deviation[c];
        if (!isfinite(mean) || !(deviation > 0) || !isfinite(deviation))
            return error_set(error, ERROR_ARGUMENT, "a picture's mean of %g and deviation of %g", (double)mean,
                             (double)deviation);
    }
    return 0;
}

/* LLaVA's rule: the colour is the mean's, cut to a whole level; an odd pixel of padding goes to the right or below. */
static struct image_ground square_ground(const struct image *image, const float *mean)
{
    int side = image->width > image->height ? image->width : image->height;
    struct image_ground ground = {
        .width = side, .height = side, .left = (side - image->width) / 2, .top = (side - image->height) / 2};
    for (int c = 0; c < 3; c++)
        ground.colour[c] = (uint8_t)fmin(fmax((double)mean[c] * 255, 0), 255);
    return ground;
}

/* Idefics3's rule for the shorter side: cut to whole pixels, then up to an even number, but at least 1. */
static int shorter_side(double side)
{
    int whole = (int)side;
    whole += whole % 2;
    return whole < 1 ? 1 : whole;
}

static int resize(const struct image *image, int width, int height, enum image_filter filter,
                  const atomic_bool *cancelled, struct image **out, struct error *error)
{
    struct image_ground ground = {.width = image->width, .height = image->height};
    return image_resize_on(image, &ground, width, height, filter, cancelled, out, error);
}

static int resize_longest(const struct image *image, const struct preparation *preparation,
                          const atomic_bool *cancelled, struct image **out, struct error *error)
{
    int width = preparation->longest, height = preparation->longest;
    double aspect = (double)image->width / image->height; /* divided or multiplied by as there: cutting is touchy */
    if (image->width >= image->height)
        height = shorter_side(preparation->longest / aspect);
    else
        width = shorter_side(preparation->longest * aspect);
    return resize(image, width, height, preparation->filter, cancelled, out, error);
}

static int resize_to_square(const struct image *image, const struct preparation *preparation,
                            const atomic_bool *cancelled, struct image **out, struct error *error)
{
    int side = preparation->side;
    if (preparation->kind == PREPARE_PAD_SQUARE) {
        struct image_ground ground = square_ground(image, preparation->mean);
        return image_resize_on(image, &ground, side, side, preparation->filter, cancelled, out, error);
    }
    if (preparation->longest == 0)
        return resize(image, side, side, preparation->filter, cancelled, out, error);
    struct image *first;
    int code = resize_longest(image, preparation, cancelled, &first, error);
    if (code == 0)
        code = resize(first, side, side, preparation->filter, cancelled, out, error);
    image_release(first);
    return code;
}

int prepare_image(const struct image *image, const struct preparation *preparation, const atomic_bool *cancelled,
                  float *pixels, struct error *error)
{
    struct image *square;
    int code = preparation_check(preparation, error);
    if (code != 0 || (code = resize_to_square(image, preparation, cancelled, &square, error)) != 0)
        return code;
    size_t count = (size_t)preparation->side * (size_t)preparation->side;
    for (int c = 0; c < 3; c++) {
        float level[256];
        for (int v = 0; v < 256; v++)
            level[v] = ((float)(v / 255.0) - preparation->mean[c]) / preparation->deviation[c];
        for (size_t i = 0; i < count; i++)
            pixels[(size_t)c * count + i] = level[square->rgb[i * 3 + (size_t)c]];
    }
    image_release(square);
    return 0;
}
