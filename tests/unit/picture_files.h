/* picture_files.h: picture files of every kind, made in memory with the libraries' own encoders, for tests and as seeds
 * for fuzzing.  Every picture shows picture_colour().  Out of memory ends the program. */
#ifndef TESTS_PICTURE_FILES_H
#define TESTS_PICTURE_FILES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct file {
    uint8_t *data; /* malloced */
    size_t bytes;
};

/* Red grows to the right, green downwards, blue against both: smooth, and no two of its turns look the same. */
struct colour {
    uint8_t red, green, blue, alpha;
} picture_colour(int x, int y, int width, int height);

struct png_kind {
    int colour,
        depth; /* libpng's PNG_COLOR_TYPE_*; bits of a sample.  Grey shows red; a palette the upper 4 bits of it */
    bool interlaced;
};
struct file file_png(int width, int height, struct png_kind);

enum jpeg_kind { JPEG_GREY, JPEG_420, JPEG_444, JPEG_PROGRESSIVE, JPEG_ARITHMETIC, JPEG_CMYK, JPEG_KINDS };
/* exif, may be NULL, is put into an APP1 segment. */
struct file file_jpeg(int width, int height, enum jpeg_kind, const struct file *exif);

struct file file_webp(int width, int height, bool lossless, bool alpha);

/* An EXIF block with an orientation and something before it, in either byte order. */
struct file file_exif(int orientation, bool big_endian);
/* The same PNG with one chunk more, before its pixels or behind them.  Frees the old one. */
struct file file_png_add(struct file, const char *type, const void *data, size_t bytes, bool behind);
/* The same WebP in the extended format, with the flags and a chunk more.  Frees the old one. */
struct file file_webp_extend(struct file, int width, int height, uint8_t flags, const char *type,
                             const struct file *chunk);

enum { WEBP_ANIMATED = 2, WEBP_EXIF = 8, WEBP_ALPHA = 16 };

#endif
