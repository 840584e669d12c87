/* image_png.c: PNG files, through libpng's simplified interface, which turns every kind into 8-bit sRGB.
 *
 * It reads no chunk that it does not need and never looks behind the pixels; so the chunks are walked here once more,
 * for EXIF and for an end. */
#include "core/image_file.h"

#include <png.h>
#include <stdlib.h>
#include <string.h>

static uint32_t big_endian(const uint8_t *bytes)
{
    return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

/* Walk the chunks to the last: its orientation, 0 where the file ends before it. */
static int png_orientation(const struct image_file *file)
{
    enum { SIGNATURE = 8, AROUND = 12 }; /* length, type and checksum */
    int orientation = 1;
    size_t at = SIGNATURE;
    while (file->bytes - at >= AROUND) {
        const uint8_t *chunk = file->data + at;
        uint32_t length = big_endian(chunk);
        if (length > file->bytes - at - AROUND)
            return 0;
        if (memcmp(chunk + 4, "IEND", 4) == 0)
            return orientation;
        if (memcmp(chunk + 4, "eXIf", 4) == 0)
            orientation = image_exif_orientation(chunk + 8, length);
        at += AROUND + (size_t)length;
    }
    return 0;
}

static int decode(const struct image_file *file, png_image *png, int orientation, struct image **out,
                  struct error *error)
{
    if (!png_image_begin_read_from_memory(png, file->data, file->bytes))
        return error_set(error, ERROR_FORMAT, "%s is damaged: %s", file->name, png->message);
    bool alpha = png->format & PNG_FORMAT_FLAG_ALPHA;
    png->format = alpha ? PNG_FORMAT_RGBA : PNG_FORMAT_RGB;
    png->flags |= PNG_IMAGE_FLAG_16BIT_sRGB; /* 16 bits that say nothing of gamma mean what 8 do */
    int channels = alpha ? 4 : 3;
    int code = image_file_check(file, png->width, png->height, orientation == 1 ? channels : 6, error);
    if (code != 0)
        return code;
    uint8_t *pixels = malloc(PNG_IMAGE_SIZE(*png));
    if (!pixels)
        return error_set(error, ERROR_MEMORY, "%s: no memory for %ux%u pixels", file->name, png->width, png->height);
    if (!png_image_finish_read(png, NULL, pixels, 0, NULL)) {
        free(pixels);
        return error_set(error, ERROR_FORMAT, "%s is damaged: %s", file->name, png->message);
    }
    return image_from_pixels(file, pixels, (int)png->width, (int)png->height, channels, orientation, out, error);
}

int image_png_read(const struct image_file *file, struct image **out, struct error *error)
{
    enum { HEADER = 33 }; /* signature and first chunk */
    if (file->bytes < HEADER || memcmp(file->data + 8, "\0\0\0\rIHDR", 8) != 0)
        return error_set(error, ERROR_FORMAT, "%s is damaged: it ends within its header or has none", file->name);
    int code = image_file_check(file, big_endian(file->data + 16), big_endian(file->data + 20), 3, error);
    if (code != 0)
        return code;
    int orientation = png_orientation(file);
    if (orientation == 0)
        return error_set(error, ERROR_FORMAT, "%s is cut off: the end of the picture is missing", file->name);
    png_image png = {.version = PNG_IMAGE_VERSION};
    code = decode(file, &png, orientation, out, error);
    png_image_free(&png);
    return code;
}
