#include "tui/sixel.h"

#include <sixel.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

struct bytes {
    char *data;
    size_t length, capacity;
    bool failed; /* libsixel does not look at what its writer returns */
};

static int append(char *data, int size, void *context)
{
    struct bytes *bytes = context;
    if (bytes->failed || size < 0)
        return 0;
    if (bytes->length + (size_t)size > bytes->capacity) {
        size_t capacity = 2 * (bytes->length + (size_t)size);
        char *larger = realloc(bytes->data, capacity);
        bytes->failed = !larger;
        if (!larger)
            return 0;
        bytes->data = larger;
        bytes->capacity = capacity;
    }
    memcpy(bytes->data + bytes->length, data, (size_t)size);
    bytes->length += (size_t)size;
    return size;
}

static SIXELSTATUS encode(const struct palette *palette, unsigned char *pixels, int width, int height,
                          struct bytes *bytes)
{
    sixel_output_t *output = NULL;
    sixel_dither_t *dither = NULL;
    unsigned char colours[PALETTE_MOST * 3] = {0}; /* it reads all of them, whatever their number */
    memcpy(colours, palette->rgb, (size_t)palette->count * 3);
    SIXELSTATUS status = sixel_output_new(&output, append, bytes, NULL);
    if (SIXEL_SUCCEEDED(status)) /* of less than two colours it leaks */
        status = sixel_dither_new(&dither, palette->count < 2 ? 2 : palette->count, NULL);
    if (SIXEL_SUCCEEDED(status)) {
        sixel_output_set_encode_policy(output, SIXEL_ENCODEPOLICY_SIZE);
        sixel_dither_set_palette(dither, colours);
        sixel_dither_set_pixelformat(dither, SIXEL_PIXELFORMAT_PAL8);
        status = sixel_encode(pixels, width, height, 1, dither, output);
    }
    if (dither)
        sixel_dither_unref(dither);
    if (output)
        sixel_output_unref(output);
    return status;
}

int sixel_write(const struct palette *palette, const uint8_t *indices, int width, int height, char **result,
                size_t *length, struct error *error)
{
    struct bytes bytes = {0};
    if (width < 1 || height < SIXEL_BAND || width > SIXEL_SIDE || height > SIXEL_SIDE || palette->count < 1)
        return error_set(error, ERROR_ARGUMENT, "a picture of %d x %d pixels cannot be drawn", width, height);
    size_t count = (size_t)width * (size_t)height;
    unsigned char *pixels = malloc(count); /* it may write into them */
    if (!pixels)
        return error_set(error, ERROR_MEMORY, "there is no memory to draw the picture");
    memcpy(pixels, indices, count);
    SIXELSTATUS status = encode(palette, pixels, width, height, &bytes);
    free(pixels);
    if (SIXEL_FAILED(status) || bytes.failed) {
        free(bytes.data);
        return error_set(error, ERROR_MEMORY, "the picture cannot be drawn: %s",
                         bytes.failed ? "out of memory" : sixel_helper_format_error(status));
    }
    *result = bytes.data;
    *length = bytes.length;
    return 0;
}
