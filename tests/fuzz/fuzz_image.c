/* fuzz_image.c: libFuzzer's way into the reader of pictures.
 *
 * Whatever the bytes are, decoding them must end in a code with a message, or in a picture within the limits whose
 * bytes can be read, and which can be resized and prepared.  The libraries themselves are not instrumented: what is
 * looked at is what is done with them. */
#include <stdlib.h>

#include "core/prepare.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void prepare(const struct image *image, enum prepare_kind kind, int longest)
{
    enum { SIDE = 5 };
    struct preparation how = {.kind = kind, .side = SIDE, .longest = longest, .filter = IMAGE_LANCZOS};
    for (int c = 0; c < 3; c++)
        how.deviation[c] = 1;
    float pixels[3 * SIDE * SIDE];
    struct error error;
    if (prepare_image(image, &how, NULL, pixels, &error) != 0)
        abort();
    for (int i = 0; i < 3 * SIDE * SIDE; i++)
        if (!(pixels[i] >= 0 && pixels[i] <= 1))
            abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    enum { SMALL = 1 << 16 }; /* pixels: so that a run is short */
    struct image *image;
    struct error error = {0};
    int code = image_decode("x", data, size, &image, &error);
    if ((code == 0) != (image != NULL) || (code != 0 && (error.code != code || !error.message[0])))
        abort();
    if (!image)
        return 0;
    if (image->width < 1 || image->height < 1 || image->width > IMAGE_SIDE || image->height > IMAGE_SIDE ||
        (int64_t)image->width * image->height > IMAGE_PIXELS)
        abort();
    size_t bytes = (size_t)image->width * (size_t)image->height * 3, step = bytes <= SMALL * 3 ? 1 : 4099, sum = 0;
    for (size_t i = 0; i < bytes; i += step)
        sum += image->rgb[i];
    if (sum + image->rgb[bytes - 1] > (bytes + 1) * 255) /* never: so that what is read is used */
        abort();
    if (bytes <= SMALL * 3) {
        prepare(image, PREPARE_PAD_SQUARE, 0);
        prepare(image, PREPARE_STRETCH, 0);
        prepare(image, PREPARE_STRETCH, 12);
    }
    image_release(image);
    return 0;
}
