/* image.h: pictures from files, as 8-bit RGB.
 *
 * Reads PNG, JPEG and still WebP by their content, not their name; turns them as their EXIF orientation says and lays
 * what is transparent on white.  Values are taken as they stand: no colour profile, no gamma; CMYK becomes RGB plainly.
 * Files are untrusted: size and memory are bounded before anything is decoded, to four bytes for each of IMAGE_PIXELS
 * besides the file, so that large pictures of greedy kinds (progressive JPEG, lossless WebP, a turned PNG) are refused
 * too.  An image is shared by counting its owners and never changes; any thread. */
#ifndef CORE_IMAGE_H
#define CORE_IMAGE_H

#include <stddef.h>
#include <stdint.h>

#include "gpu/error.h"

enum { IMAGE_PIXELS = 64 << 20, IMAGE_SIDE = 1 << 16, IMAGE_BYTES = 256 << 20 }; /* at most: pixels, a side, the file */

struct image {
    int width, height; /* pixels, >= 1 */
    uint8_t *rgb;      /* [height, width, 3] */
    uint64_t serial;   /* no two images made by this process share it */
    void *owners;      /* image.c's own */
};

/* Read a file.  ERROR_IO, ERROR_FORMAT (no picture, or a damaged one), ERROR_LIMIT (the message names the limit),
 * ERROR_UNSUPPORTED (a picture of another kind, by its name), ERROR_MEMORY.  The message names path. */
int image_read(const char *path, struct image **, struct error *);
/* The same from memory; name is for messages. */
int image_decode(const char *name, const void *data, size_t bytes, struct image **, struct error *);
/* A black image to be filled before it is shared. */
int image_new(int width, int height, struct image **, struct error *);
/* One more owner; returns the image. */
struct image *image_keep(struct image *);
/* One owner less, the last frees it.  NULL ok. */
void image_release(struct image *);

/* Filters as the Pillow library has them: support grows with the factor of reduction, results are rounded to 8 bits
 * after each of the two passes, rows first. */
enum image_filter { IMAGE_BOX, IMAGE_BILINEAR, IMAGE_BICUBIC, IMAGE_LANCZOS };
int image_resize(const struct image *, int width, int height, enum image_filter, struct image **, struct error *);

#endif
