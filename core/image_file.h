/* image_file.h: what image.c shares with the readers of the three formats. */
#ifndef CORE_IMAGE_FILE_H
#define CORE_IMAGE_FILE_H

#include <stdbool.h>

#include "core/image.h"

struct image_file {
    const char *name; /* for messages */
    const uint8_t *data;
    size_t bytes;
};

/* Each reads a file that begins as its format does; the picture comes out upright, on white. */
int image_png_read(const struct image_file *, struct image **, struct error *);
int image_jpeg_read(const struct image_file *, struct image **, struct error *);
int image_webp_read(const struct image_file *, struct image **, struct error *);

/* EXIF's orientation, 1 to 8, in a block of it, with or without "Exif\0\0" in front; 1 where it says none. */
int image_exif_orientation(const uint8_t *data, size_t bytes);

enum { IMAGE_MEMORY = 4 * IMAGE_PIXELS }; /* bytes that decoding may take besides the file */

/* Whether a header's size is within the limits: ERROR_FORMAT where it is empty, ERROR_LIMIT.  each: bytes for a pixel
 * that decoding takes in all. */
int image_file_check(const struct image_file *, uint64_t width, uint64_t height, int each, struct error *);

/* Put row y of a picture as stored into the picture as it is to be seen; for orientations from 5 on, out is as wide as
 * the stored picture is high. */
void image_put_row(struct image *out, int orientation, int y, const uint8_t *rgb);

/* Takes over malloced pixels [height, width, channels], 3 or 4 (with alpha), also where it fails. */
int image_from_pixels(const struct image_file *, uint8_t *pixels, int width, int height, int channels, int orientation,
                      struct image **, struct error *);

#endif
