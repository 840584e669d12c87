/* encode_image.c: what a vision tower makes of a picture, for the parity tests.
 *
 *     encode_image MMPROJ PICTURE OUT
 *
 * Writes to OUT: i32 side, columns, rows, width; f32 pixels [3, side, side] as the tower is given them; f32 rows
 * [columns * rows, width]; f32 rectangles [columns * rows, 4]. */
#include <stdio.h>
#include <stdlib.h>

#include "core/gguf.h"
#include "core/vision.h"

struct opened {
    struct gguf *file;
    struct device *device;
    struct stream *stream;
    struct vision *vision;
    struct image *image;
};

static int open_all(struct opened *o, char **argv, struct error *error)
{
    struct device_options options = {.name = "cpu", .threads = 2};
    struct vision_info info;
    int status = image_read(argv[2], &o->image, error);
    if (status < 0 || (status = gguf_open(argv[1], &o->file, error)) < 0 ||
        (status = vision_check(o->file, &info, error)) < 0 || (status = device_open(&options, &o->device, error)) < 0 ||
        (status = vision_open(o->file, o->device, info.width, &o->vision, error)) < 0)
        return status;
    return o->device->ops->stream_new(o->device, true, &o->stream, error);
}

static void close_all(struct opened *o)
{
    vision_close(o->vision);
    if (o->stream)
        o->device->ops->stream_free(o->stream);
    if (o->device)
        o->device->ops->close(o->device);
    gguf_close(o->file);
    image_release(o->image);
}

static int write_rows(const struct opened *o, FILE *out, struct error *error)
{
    const struct vision_info *info = vision_info(o->vision);
    size_t tokens = (size_t)info->columns * (size_t)info->rows, count = tokens * (size_t)info->width;
    const struct device_ops *ops = o->device->ops;
    float *host = malloc(count * sizeof *host), *device = ops->alloc(o->device, count * sizeof *device, error);
    int status = host && device ? vision_encode(o->vision, o->stream, o->image, NULL, device, error) : ERROR_MEMORY;
    if (status == 0) {
        ops->download(o->stream, device, count * sizeof *device, host);
        status = ops->stream_finish(o->stream, error);
        fwrite(host, sizeof *host, count, out);
    }
    for (size_t t = 0; t < tokens; t++) {
        struct rect rect = vision_rect(info, o->image->width, o->image->height, (int)t);
        fwrite(&rect, sizeof(float), 4, out);
    }
    ops->free(o->device, device);
    free(host);
    return status;
}

static int write_all(const struct opened *o, const char *path, struct error *error)
{
    const struct vision_info *info = vision_info(o->vision);
    int32_t sizes[4] = {info->side, info->columns, info->rows, info->width};
    float *pixels;
    int status = vision_prepare(o->vision, o->image, NULL, &pixels, error);
    if (status < 0)
        return status;
    FILE *out = fopen(path, "wb");
    if (out) {
        fwrite(sizes, sizeof *sizes, 4, out);
        fwrite(pixels, sizeof *pixels, 3 * (size_t)info->side * (size_t)info->side, out);
        status = write_rows(o, out, error);
    }
    free(pixels);
    if (!out || fclose(out) != 0)
        return error_set(error, ERROR_IO, "%s cannot be written", path);
    return status;
}

int main(int argc, char **argv)
{
    struct opened o = {0};
    struct error error = {0};
    if (argc != 4) {
        fprintf(stderr, "usage: encode_image MMPROJ PICTURE OUT\n");
        return 2;
    }
    int status = open_all(&o, argv, &error);
    if (status == 0)
        status = write_all(&o, argv[3], &error);
    if (status < 0)
        fprintf(stderr, "encode_image: %s\n", error.message);
    close_all(&o);
    return status < 0;
}
