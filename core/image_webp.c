/* image_webp.c: still WebP files, through libwebp. */
#include "core/image_file.h"

#include <stdlib.h>
#include <string.h>

#include <webp/decode.h>

static uint32_t little_endian(const uint8_t *bytes)
{
    return (uint32_t)bytes[3] << 24 | (uint32_t)bytes[2] << 16 | (uint32_t)bytes[1] << 8 | bytes[0];
}

enum { RIFF_BYTES = 12, CHUNK_BYTES = 8 };

static int webp_orientation(const struct image_file *file)
{
    size_t at = RIFF_BYTES;
    while (at + CHUNK_BYTES <= file->bytes) {
        size_t length = little_endian(file->data + at + 4);
        if (length > file->bytes - at - CHUNK_BYTES)
            break;
        if (memcmp(file->data + at, "EXIF", 4) == 0)
            return image_exif_orientation(file->data + at + CHUNK_BYTES, length);
        at += CHUNK_BYTES + length + length % 2;
    }
    return 1;
}

static int webp_error(const struct image_file *file, VP8StatusCode status, struct error *error)
{
    switch (status) {
    case VP8_STATUS_OUT_OF_MEMORY:
        return error_set(error, ERROR_MEMORY, "%s: no memory for decoding", file->name);
    case VP8_STATUS_UNSUPPORTED_FEATURE:
        return error_set(error, ERROR_UNSUPPORTED, "%s is a kind of WebP that libwebp does not decode", file->name);
    case VP8_STATUS_NOT_ENOUGH_DATA:
    case VP8_STATUS_SUSPENDED:
        return error_set(error, ERROR_FORMAT, "%s is cut off: the end of the picture is missing", file->name);
    default:
        return error_set(error, ERROR_FORMAT, "%s is damaged", file->name);
    }
}

/* Bytes for a pixel: what comes out, and what the library holds itself where the picture or its alpha is lossless. */
static int bytes_each(const WebPBitstreamFeatures *input, int orientation)
{
    enum { LOSSLESS = 2 };
    int decoding = (input->has_alpha ? 4 : 3) + (input->has_alpha || input->format == LOSSLESS ? 4 : 0);
    int turning = orientation == 1 ? 0 : 6;
    return decoding > turning ? decoding : turning;
}

int image_webp_read(const struct image_file *file, struct image **out, struct error *error)
{
    WebPDecoderConfig config;
    if (!WebPInitDecoderConfig(&config))
        return error_set(error, ERROR_UNSUPPORTED, "%s: libwebp is of another version than the program was built for",
                         file->name);
    VP8StatusCode status = little_endian(file->data + 4) > file->bytes - CHUNK_BYTES
                               ? VP8_STATUS_NOT_ENOUGH_DATA
                               : WebPGetFeatures(file->data, file->bytes, &config.input);
    if (status != VP8_STATUS_OK)
        return webp_error(file, status, error);
    int width = config.input.width, height = config.input.height, channels = config.input.has_alpha ? 4 : 3;
    int orientation = webp_orientation(file);
    if (config.input.has_animation)
        return error_set(error, ERROR_UNSUPPORTED,
                         "%s is an animation: only still pictures are read; take a frame of it", file->name);
    int code = image_file_check(file, (uint64_t)width, (uint64_t)height, bytes_each(&config.input, orientation), error);
    if (code != 0)
        return code;
    size_t size = (size_t)width * (size_t)height * (size_t)channels;
    uint8_t *pixels = malloc(size);
    if (!pixels)
        return webp_error(file, VP8_STATUS_OUT_OF_MEMORY, error);
    config.output.colorspace = channels == 4 ? MODE_RGBA : MODE_RGB;
    config.output.is_external_memory = 1;
    config.output.u.RGBA = (WebPRGBABuffer){.rgba = pixels, .stride = width * channels, .size = size};
    status = WebPDecode(file->data, file->bytes, &config);
    WebPFreeDecBuffer(&config.output);
    if (status != VP8_STATUS_OK) {
        free(pixels);
        return webp_error(file, status, error);
    }
    return image_from_pixels(file, pixels, width, height, channels, orientation, out, error);
}
