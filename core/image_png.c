/* image_png.c: PNG files, through libpng.
 *
 * Every kind is turned into 8 bits of red, green, blue and, where there is any, alpha; values are taken as they stand,
 * whatever the file says of gamma and colour profiles, as the models' original preprocessing does.  (libpng's
 * simplified interface is left alone: Debian 12's mixes up the rows of interlaced files in 16 bits.) */
#include "core/image_file.h"

#include <png.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>

/* What is in work when the library jumps; so nothing of it is a local variable. */
struct png_work {
    png_structp png;
    png_infop info;
    jmp_buf escape;
    const struct image_file *file;
    size_t at; /* the next byte of the file */
    int orientation;
    uint8_t *pixels;
    int width, height, channels;
    int code;
    struct error *error;
};

/* -- called by the library ----------------------------------------------------------------------------------------- */

static _Noreturn void leave(struct png_work *work, int code)
{
    work->code = code;
    longjmp(work->escape, 1);
}

static _Noreturn void on_error(png_structp png, png_const_charp message)
{
    struct png_work *work = png_get_error_ptr(png);
    leave(work, error_set(work->error, ERROR_FORMAT, "%s is damaged: %s", work->file->name, message));
}

static void on_warning(png_structp png, png_const_charp message)
{
    (void)png;
    (void)message; /* what it warns of leaves the pixels whole */
}

static void on_read(png_structp png, png_bytep to, size_t bytes)
{
    struct png_work *work = png_get_io_ptr(png);
    if (bytes > work->file->bytes - work->at)
        leave(work, error_set(work->error, ERROR_FORMAT, "%s is cut off: the end of the picture is missing",
                              work->file->name));
    memcpy(to, work->file->data + work->at, bytes);
    work->at += bytes;
}

/* -- reading ------------------------------------------------------------------------------------------------------- */

static uint32_t big_endian(const uint8_t *bytes)
{
    return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

/* From the chunk that may stand before the pixels or behind them. */
static int png_orientation(const struct image_file *file)
{
    enum { SIGNATURE = 8, AROUND = 12 }; /* length, type and checksum */
    size_t at = SIGNATURE;
    while (file->bytes - at >= AROUND) {
        const uint8_t *chunk = file->data + at;
        uint32_t length = big_endian(chunk);
        if (length > file->bytes - at - AROUND)
            break;
        if (memcmp(chunk + 4, "eXIf", 4) == 0)
            return image_exif_orientation(chunk + 8, length);
        at += AROUND + (size_t)length;
    }
    return 1;
}

/* The size, checked, and the order for what is to come out. */
static void read_header(struct png_work *work)
{
    png_set_user_limits(work->png, IMAGE_SIDE, IMAGE_SIDE);
    png_set_keep_unknown_chunks(work->png, PNG_HANDLE_CHUNK_NEVER, NULL, -1); /* texts, profiles: nothing but pixels */
    png_read_info(work->png, work->info);
    png_set_expand(work->png);
    png_set_scale_16(work->png);
    png_set_gray_to_rgb(work->png);
    png_set_interlace_handling(work->png);
    png_read_update_info(work->png, work->info);
    work->width = (int)png_get_image_width(work->png, work->info);
    work->height = (int)png_get_image_height(work->png, work->info);
    work->channels = png_get_channels(work->png, work->info);
    int each = work->orientation == 1 ? work->channels : 6;
    int code = image_file_check(work->file, (uint64_t)work->width, (uint64_t)work->height, each, work->error);
    if (code != 0)
        leave(work, code);
}

static void read_rows(struct png_work *work)
{
    size_t line = (size_t)work->width * (size_t)work->channels;
    if (png_get_rowbytes(work->png, work->info) != line)
        png_error(work->png, "rows of an unexpected length");
    work->pixels = malloc(line * (size_t)work->height);
    if (!work->pixels)
        leave(work, error_set(work->error, ERROR_MEMORY, "%s: no memory for %dx%d pixels", work->file->name,
                              work->width, work->height));
    int passes = png_set_interlace_handling(work->png);
    for (int pass = 0; pass < passes; pass++)
        for (int y = 0; y < work->height; y++)
            png_read_row(work->png, work->pixels + (size_t)y * line, NULL);
    png_read_end(work->png, NULL);
}

static int decode(struct png_work *work)
{
    if (setjmp(work->escape))
        return work->code;
    work->png = png_create_read_struct(PNG_LIBPNG_VER_STRING, work, on_error, on_warning);
    work->info = work->png ? png_create_info_struct(work->png) : NULL;
    if (!work->info)
        leave(work, error_set(work->error, ERROR_MEMORY, "%s: no memory for decoding", work->file->name));
    png_set_read_fn(work->png, work, on_read);
    read_header(work);
    read_rows(work);
    return 0;
}

int image_png_read(const struct image_file *file, struct image **out, struct error *error)
{
    enum { HEADER = 33 }; /* signature and first chunk */
    if (file->bytes < HEADER || memcmp(file->data + 8, "\0\0\0\rIHDR", 8) != 0)
        return error_set(error, ERROR_FORMAT, "%s is damaged: it ends within its header or has none", file->name);
    int code = image_file_check(file, big_endian(file->data + 16), big_endian(file->data + 20), 3, error);
    if (code != 0)
        return code; /* before the library says the same less plainly */
    struct png_work work = {.file = file, .orientation = png_orientation(file), .error = error};
    code = decode(&work);
    png_destroy_read_struct(&work.png, &work.info, NULL);
    if (code != 0) {
        free(work.pixels);
        return code;
    }
    return image_from_pixels(file, work.pixels, work.width, work.height, work.channels, work.orientation, out, error);
}
