#include "tests/unit/picture_files.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jpeglib.h>
#include <png.h>
#include <webp/encode.h>

static void *need(void *pointer)
{
    if (!pointer)
        abort();
    return pointer;
}

static void append(struct file *file, const void *data, size_t bytes)
{
    if (bytes == 0)
        return;
    file->data = need(realloc(file->data, file->bytes + bytes));
    memcpy(file->data + file->bytes, data, bytes);
    file->bytes += bytes;
}

static void append_number(struct file *file, uint32_t value, int bytes, bool big_endian)
{
    for (int i = 0; i < bytes; i++) {
        uint8_t byte = (uint8_t)(value >> 8 * (big_endian ? bytes - 1 - i : i));
        append(file, &byte, 1);
    }
}

struct colour picture_colour(int x, int y, int width, int height)
{
    int red = 255 * x / width, green = 255 * y / height;
    return (struct colour){(uint8_t)red, (uint8_t)green, (uint8_t)(255 - (red + green) / 2), (uint8_t)(40 + green / 2)};
}

/* -- PNG ------------------------------------------------------------------------------------------------------------
 */

static void png_append(png_structp png, png_bytep data, size_t bytes)
{
    append(png_get_io_ptr(png), data, bytes);
}

static void png_nothing(png_structp png)
{
    (void)png;
}

/* One row as the file has it: samples of depth bits, the most significant first. */
static void png_row(uint8_t *row, int y, int width, int height, struct png_kind kind)
{
    int at = 0; /* in bits */
    memset(row, 0, (size_t)width * 8);
    for (int x = 0; x < width; x++) {
        struct colour colour = picture_colour(x, y, width, height);
        uint8_t samples[4] = {colour.red, colour.green, colour.blue, colour.alpha};
        int count = 4;
        if (kind.colour == PNG_COLOR_TYPE_PALETTE) {
            samples[0] &= 0xf0; /* a sample's upper bits are taken: so this is the index, in 4 bits */
            count = 1;
        } else if (!(kind.colour & PNG_COLOR_MASK_COLOR)) {
            samples[1] = colour.alpha;
            count = 1 + (kind.colour & PNG_COLOR_MASK_ALPHA ? 1 : 0);
        } else if (!(kind.colour & PNG_COLOR_MASK_ALPHA)) {
            count = 3;
        }
        for (int c = 0; c < count; c++) {
            int wide = samples[c] * 257; /* 16 bits */
            for (int b = 0; b < kind.depth; b++, at++)
                row[at / 8] |= (uint8_t)((wide >> (15 - b) & 1) << (7 - at % 8));
        }
    }
}

struct file file_png(int width, int height, struct png_kind kind)
{
    struct file file = {0};
    png_structp png = need(png_create_write_struct(PNG_LIBPNG_VER_STRING, NULL, NULL, NULL));
    png_infop info = need(png_create_info_struct(png));
    if (setjmp(png_jmpbuf(png)))
        abort();
    png_set_write_fn(png, &file, png_append, png_nothing);
    png_set_IHDR(png, info, (png_uint_32)width, (png_uint_32)height, kind.depth, kind.colour,
                 kind.interlaced ? PNG_INTERLACE_ADAM7 : PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT,
                 PNG_FILTER_TYPE_DEFAULT);
    if (kind.colour == PNG_COLOR_TYPE_PALETTE) {
        png_color palette[16];
        for (int i = 0; i < 16; i++)
            palette[i] = (png_color){(png_byte)(i * 16), (png_byte)(255 - i), (png_byte)i};
        png_byte transparent[1] = {0}; /* the first colour cannot be seen */
        png_set_PLTE(png, info, palette, 16);
        png_set_tRNS(png, info, transparent, 1, NULL);
    }
    png_write_info(png, info);
    uint8_t **rows = need(calloc((size_t)height, sizeof *rows));
    for (int y = 0; y < height; y++) {
        rows[y] = need(malloc((size_t)width * 8));
        png_row(rows[y], y, width, height, kind);
    }
    png_write_image(png, rows);
    png_write_end(png, NULL);
    png_destroy_write_struct(&png, &info);
    for (int y = 0; y < height; y++)
        free(rows[y]);
    free(rows);
    return file;
}

static uint32_t png_checksum(const uint8_t *data, size_t bytes)
{
    uint32_t sum = 0xffffffff;
    for (size_t i = 0; i < bytes; i++) {
        sum ^= data[i];
        for (int b = 0; b < 8; b++)
            sum = sum >> 1 ^ (sum & 1 ? 0xedb88320 : 0);
    }
    return ~sum;
}

struct file file_png_add(struct file file, const char *type, const void *data, size_t bytes, bool behind)
{
    enum { HEADER = 33, END = 12 };
    size_t split = behind ? file.bytes - END : HEADER;
    struct file out = {0};
    append(&out, file.data, split);
    append_number(&out, (uint32_t)bytes, 4, true);
    append(&out, type, 4);
    append(&out, data, bytes);
    append_number(&out, png_checksum(out.data + split + 4, bytes + 4), 4, true);
    append(&out, file.data + split, file.bytes - split);
    free(file.data);
    return out;
}

/* -- JPEG -----------------------------------------------------------------------------------------------------------
 */

static void jpeg_settings(struct jpeg_compress_struct *codec, enum jpeg_kind kind)
{
    codec->input_components = kind == JPEG_GREY ? 1 : kind == JPEG_CMYK ? 4 : 3;
    codec->in_color_space = kind == JPEG_GREY ? JCS_GRAYSCALE : kind == JPEG_CMYK ? JCS_CMYK : JCS_RGB;
    jpeg_set_defaults(codec);
    jpeg_set_quality(codec, 95, TRUE);
    if (kind == JPEG_444)
        codec->comp_info[0].h_samp_factor = codec->comp_info[0].v_samp_factor = 1;
    if (kind == JPEG_PROGRESSIVE)
        jpeg_simple_progression(codec);
    codec->arith_code = kind == JPEG_ARITHMETIC;
}

static void jpeg_row(uint8_t *row, int y, int width, int height, int components)
{
    for (int x = 0; x < width; x++) {
        struct colour colour = picture_colour(x, y, width, height);
        uint8_t samples[4] = {colour.red, colour.green, colour.blue, 255}; /* CMYK is stored inverted: no black */
        memcpy(row + (size_t)x * (size_t)components, samples, (size_t)components);
    }
}

struct file file_jpeg(int width, int height, enum jpeg_kind kind, const struct file *exif)
{
    struct jpeg_compress_struct codec;
    struct jpeg_error_mgr manager; /* its own way out is exit(), which is right here */
    codec.err = jpeg_std_error(&manager);
    jpeg_create_compress(&codec);
    unsigned char *data = NULL;
    unsigned long bytes = 0;
    jpeg_mem_dest(&codec, &data, &bytes);
    codec.image_width = (JDIMENSION)width;
    codec.image_height = (JDIMENSION)height;
    jpeg_settings(&codec, kind);
    jpeg_start_compress(&codec, TRUE);
    if (exif)
        jpeg_write_marker(&codec, JPEG_APP0 + 1, exif->data, (unsigned)exif->bytes);
    uint8_t *row = need(malloc((size_t)width * 4));
    for (int y = 0; y < height; y++) {
        jpeg_row(row, y, width, height, codec.input_components);
        jpeg_write_scanlines(&codec, &row, 1);
    }
    jpeg_finish_compress(&codec);
    jpeg_destroy_compress(&codec);
    free(row);
    return (struct file){need(data), bytes};
}

/* -- WebP -----------------------------------------------------------------------------------------------------------
 */

struct file file_webp(int width, int height, bool lossless, bool alpha)
{
    uint8_t *pixels = need(malloc((size_t)width * (size_t)height * 4)), *encoded, *pixel = pixels;
    for (int y = 0; y < height; y++)
        for (int x = 0; x < width; x++, pixel += 4) {
            struct colour colour = picture_colour(x, y, width, height);
            uint8_t samples[4] = {colour.red, colour.green, colour.blue, alpha ? colour.alpha : 255};
            memcpy(pixel, samples, 4);
        }
    size_t bytes = lossless ? WebPEncodeLosslessRGBA(pixels, width, height, width * 4, &encoded)
                            : WebPEncodeRGBA(pixels, width, height, width * 4, 95, &encoded);
    struct file file = {0};
    append(&file, need(bytes ? encoded : NULL), bytes);
    WebPFree(encoded);
    free(pixels);
    return file;
}

struct file file_webp_extend(struct file file, int width, int height, uint8_t flags, const char *type,
                             const struct file *chunk)
{
    enum { RIFF = 12, EXTENDED = 18 };
    size_t from = memcmp(file.data + RIFF, "VP8X", 4) == 0 ? RIFF + EXTENDED : RIFF;
    struct file out = {0};
    append(&out, "RIFF....WEBPVP8X", 16);
    append_number(&out, 10, 4, false);
    append_number(&out, flags, 4, false);
    append_number(&out, (uint32_t)width - 1, 3, false);
    append_number(&out, (uint32_t)height - 1, 3, false);
    append(&out, file.data + from, file.bytes - from);
    append(&out, type, 4);
    append_number(&out, (uint32_t)chunk->bytes, 4, false);
    append(&out, chunk->data, chunk->bytes);
    append(&out, "", chunk->bytes % 2);
    struct file size = {0};
    append_number(&size, (uint32_t)out.bytes - 8, 4, false);
    memcpy(out.data + 4, size.data, 4);
    free(size.data);
    free(file.data);
    return out;
}

/* -- EXIF -----------------------------------------------------------------------------------------------------------
 */

struct file file_exif(int orientation, bool big_endian)
{
    struct file out = {0};
    append(&out, "Exif\0", 6);
    append(&out, big_endian ? "MM\0*" : "II*\0", 4);
    append_number(&out, 8, 4, big_endian); /* where the entries are */
    append_number(&out, 2, 2, big_endian);
    for (int i = 0; i < 2; i++) { /* the picture's width, then how it was held */
        append_number(&out, i ? 0x112 : 0x100, 2, big_endian);
        append_number(&out, 3, 2, big_endian);
        append_number(&out, 1, 4, big_endian);
        append_number(&out, i ? (uint32_t)orientation : 7, 2, big_endian);
        append_number(&out, 0, 2, big_endian);
    }
    append_number(&out, 0, 4, big_endian);
    return out;
}
