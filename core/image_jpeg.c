/* image_jpeg.c: JPEG files, through libjpeg-turbo.
 *
 * The library prints its warnings and exits on errors unless told otherwise: here both leave by setjmp with a message.
 * What it would only warn of but what costs pixels is an error.  CMYK becomes RGB as without colour management. */
#include "core/image_file.h"

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jpeglib.h>

#include <jerror.h>

enum { SCANS = 100 }; /* of a progressive file, at most: a real one has about ten, and each costs a pass */

/* What is in work when the library jumps; so nothing of it is a local variable. */
struct jpeg_work {
    struct jpeg_decompress_struct codec;
    struct jpeg_error_mgr manager;
    struct jpeg_progress_mgr progress;
    jmp_buf escape;
    const struct image_file *file;
    int orientation;
    uint8_t *row;
    struct image *image;
    int code;
    struct error *error;
};

/* -- called by the library ----------------------------------------------------------------------------------------- */

static _Noreturn void leave(struct jpeg_work *work, int code)
{
    work->code = code;
    longjmp(work->escape, 1);
}

static void on_error(j_common_ptr codec)
{
    struct jpeg_work *work = codec->client_data;
    const char *name = work->file->name;
    char message[JMSG_LENGTH_MAX];
    codec->err->format_message(codec, message);
    switch (codec->err->msg_code) {
    case JERR_OUT_OF_MEMORY:
        leave(work, error_set(work->error, ERROR_MEMORY, "%s: no memory for decoding", name));
    case JERR_NO_BACKING_STORE:
        leave(work, error_set(work->error, ERROR_LIMIT,
                              "%s is a progressive JPEG that takes more than %d MiB to decode; "
                              "make it smaller or not progressive",
                              name, IMAGE_MEMORY >> 20));
    case JERR_IMAGE_TOO_BIG:
        leave(work, error_set(work->error, ERROR_LIMIT, "%s is too large: %s", name, message));
    case JERR_SOF_UNSUPPORTED:
    case JERR_BAD_PRECISION:
    case JERR_CONVERSION_NOTIMPL:
        leave(work, error_set(work->error, ERROR_UNSUPPORTED, "%s is a rare kind of JPEG: %s", name, message));
    case JWRN_JPEG_EOF:
    case JWRN_HIT_MARKER:
        leave(work, error_set(work->error, ERROR_FORMAT, "%s is cut off or damaged: %s", name, message));
    default:
        leave(work, error_set(work->error, ERROR_FORMAT, "%s is damaged: %s", name, message));
    }
}

static void on_message(j_common_ptr codec, int level)
{
    switch (codec->err->msg_code) {
    case JWRN_ARITH_BAD_CODE:
    case JWRN_HIT_MARKER:
    case JWRN_HUFF_BAD_CODE:
    case JWRN_JPEG_EOF:
    case JWRN_MUST_RESYNC:
        if (level < 0) /* positive levels trace, under the same numbers */
            on_error(codec);
        break;
    default:
        break;
    }
}

static void on_progress(j_common_ptr codec)
{
    struct jpeg_work *work = codec->client_data;
    if (work->codec.input_scan_number > SCANS)
        leave(work, error_set(work->error, ERROR_LIMIT, "%s has more than %d passes over its pixels", work->file->name,
                              SCANS));
}

/* -- reading ------------------------------------------------------------------------------------------------------- */

/* From the first EXIF segment before the pixels. */
static int jpeg_orientation(const struct image_file *file)
{
    enum { START_OF_SCAN = 0xda, APP1 = 0xe1 };
    const uint8_t *data = file->data;
    size_t at = 2;
    while (at + 4 <= file->bytes && data[at] == 0xff && data[at + 1] != START_OF_SCAN) {
        if (data[at + 1] == 0xff) { /* padding */
            at++;
            continue;
        }
        size_t length = (size_t)data[at + 2] << 8 | data[at + 3];
        if (length < 2 || length > file->bytes - at - 2)
            break;
        if (data[at + 1] == APP1 && length >= 8 && memcmp(data + at + 4, "Exif\0", 6) == 0)
            return image_exif_orientation(data + at + 4, length - 2);
        at += 2 + length;
    }
    return 1;
}

/* Four channels as Adobe's programs store them, which means inverted, to three in place. */
static void cmyk_to_rgb(uint8_t *row, int width)
{
    uint8_t *out = row;
    for (const uint8_t *pixel = row; pixel < row + (size_t)width * 4; pixel += 4) {
        int black = pixel[3];
        for (int c = 0; c < 3; c++)
            *out++ = (uint8_t)((pixel[c] * black + 127) / 255);
    }
}

static void read_header(struct jpeg_work *work)
{
    struct jpeg_decompress_struct *codec = &work->codec;
    jpeg_mem_src(codec, work->file->data, work->file->bytes);
    jpeg_read_header(codec, TRUE);
    int code = image_file_check(work->file, codec->image_width, codec->image_height, 3, work->error);
    if (code != 0)
        leave(work, code);
    long pixels = (long)codec->image_width * (long)codec->image_height;
    codec->mem->max_memory_to_use = IMAGE_MEMORY - 3 * pixels;
    bool cmyk = codec->jpeg_color_space == JCS_CMYK || codec->jpeg_color_space == JCS_YCCK;
    codec->out_color_space = cmyk ? JCS_CMYK : JCS_RGB;
}

static void read_rows(struct jpeg_work *work)
{
    struct jpeg_decompress_struct *codec = &work->codec;
    int width = (int)codec->output_width, height = (int)codec->output_height;
    bool turned = work->orientation >= 5;
    work->row = malloc((size_t)width * 4);
    if (!work->row)
        leave(work, error_set(work->error, ERROR_MEMORY, "%s: no memory for decoding", work->file->name));
    int code = image_new(turned ? height : width, turned ? width : height, &work->image, work->error);
    if (code != 0)
        leave(work, error_add(work->error, code, "%s", work->file->name));
    while (codec->output_scanline < codec->output_height) {
        int y = (int)codec->output_scanline;
        if (jpeg_read_scanlines(codec, &work->row, 1) != 1)
            leave(work, error_set(work->error, ERROR_FORMAT, "%s is cut off", work->file->name));
        if (codec->out_color_space == JCS_CMYK)
            cmyk_to_rgb(work->row, width);
        image_put_row(work->image, work->orientation, y, work->row);
    }
}

static int decode(struct jpeg_work *work)
{
    struct jpeg_decompress_struct *codec = &work->codec;
    codec->err = jpeg_std_error(&work->manager);
    codec->client_data = work;
    work->manager.error_exit = on_error;
    work->manager.emit_message = on_message;
    work->progress.progress_monitor = on_progress;
    if (setjmp(work->escape))
        return work->code;
    jpeg_create_decompress(codec);
    codec->progress = &work->progress;
    read_header(work);
    jpeg_start_decompress(codec);
    read_rows(work);
    jpeg_finish_decompress(codec);
    return 0;
}

int image_jpeg_read(const struct image_file *file, struct image **out, struct error *error)
{
    struct jpeg_work work = {.file = file, .orientation = jpeg_orientation(file), .error = error};
    int code = decode(&work);
    jpeg_destroy_decompress(&work.codec);
    free(work.row);
    if (code != 0)
        image_release(work.image);
    else
        *out = work.image;
    return code;
}
