/* image_resize.h: image_resize() for a picture that lies on a larger, plain ground, which is never made. */
#ifndef CORE_IMAGE_RESIZE_H
#define CORE_IMAGE_RESIZE_H

#include <stdatomic.h>

#include "core/image.h"

/* What is resized: width x height pixels, all of them colour but for the picture, whose upper left corner is at (left,
 * top) and which lies wholly inside. */
struct image_ground {
    int width, height, left, top;
    uint8_t colour[3];
};

/* cancelled is looked at between rows (NULL: never): ERROR_CANCELLED. */
int image_resize_on(const struct image *, const struct image_ground *, int width, int height, enum image_filter,
                    const atomic_bool *cancelled, struct image **, struct error *);

#endif
