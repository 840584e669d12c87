/* image.c: an image's life, files into memory, and which reader a file belongs to.  The readers are image_png.c,
 * image_jpeg.c and image_webp.c; only pictures that cannot be read are known here, by their first bytes. */
#include "core/image.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/image_file.h"

enum { WHITE = 255, MIB = 1 << 20 };

/* -- life ---------------------------------------------------------------------------------------------------------- */

/* Takes over rgb, also where it fails. */
static int image_wrap(uint8_t *rgb, int width, int height, struct image **out, struct error *error)
{
    static atomic_uint_fast64_t serials;
    struct image *image = malloc(sizeof *image);
    atomic_int *owners = malloc(sizeof *owners);
    if (!rgb || !image || !owners) {
        free(rgb);
        free(image);
        free(owners);
        return error_set(error, ERROR_MEMORY, "no memory for a picture of %dx%d pixels", width, height);
    }
    atomic_init(owners, 1);
    *image = (struct image){width, height, rgb, atomic_fetch_add(&serials, 1) + 1, owners};
    *out = image;
    return 0;
}

int image_new(int width, int height, struct image **out, struct error *error)
{
    *out = NULL;
    if (width < 1 || height < 1)
        return error_set(error, ERROR_ARGUMENT, "a picture of %dx%d pixels: both sides must be at least 1", width,
                         height);
    if (width > IMAGE_SIDE || height > IMAGE_SIDE || (int64_t)width * height > IMAGE_PIXELS)
        return error_set(error, ERROR_LIMIT,
                         "a picture of %dx%d pixels: at most %d pixels and %d on a side are possible", width, height,
                         IMAGE_PIXELS, IMAGE_SIDE);
    return image_wrap(calloc((size_t)width * (size_t)height, 3), width, height, out, error);
}

struct image *image_keep(struct image *image)
{
    atomic_fetch_add((atomic_int *)image->owners, 1);
    return image;
}

void image_release(struct image *image)
{
    if (!image || atomic_fetch_sub((atomic_int *)image->owners, 1) > 1)
        return;
    free(image->rgb);
    free(image->owners);
    free(image);
}

/* -- for the readers ----------------------------------------------------------------------------------------------- */

int image_file_check(const struct image_file *file, uint64_t width, uint64_t height, int each, struct error *error)
{
    unsigned long long across = width, down = height;
    if (width < 1 || height < 1)
        return error_set(error, ERROR_FORMAT, "%s is damaged: it says that it is %llux%llu pixels", file->name, across,
                         down);
    if (width > IMAGE_SIDE || height > IMAGE_SIDE)
        return error_set(error, ERROR_LIMIT, "%s is %llux%llu pixels: a side may have at most %d; make it smaller",
                         file->name, across, down, IMAGE_SIDE);
    if (width * height > IMAGE_PIXELS)
        return error_set(error, ERROR_LIMIT, "%s is %llux%llu pixels: at most %d million are possible; make it smaller",
                         file->name, across, down, IMAGE_PIXELS / 1000000);
    if (width * height * (uint64_t)each > IMAGE_MEMORY)
        return error_set(error, ERROR_LIMIT,
                         "%s is %llux%llu pixels, stored in a way that takes more than %d MiB to "
                         "decode; make it smaller",
                         file->name, across, down, IMAGE_MEMORY / MIB);
    return 0;
}

void image_put_row(struct image *out, int orientation, int y, const uint8_t *rgb)
{
    bool turned = orientation >= 5;
    bool from_right = orientation == 2 || orientation == 3, from_below = orientation == 3 || orientation == 4;
    int length = turned ? out->height : out->width;
    if (turned) { /* the row becomes a column */
        from_right = orientation == 7 || orientation == 8;
        from_below = orientation == 6 || orientation == 7;
    }
    int across = turned ? out->width : out->height;
    size_t line = (size_t)(from_below ? across - 1 - y : y);
    for (int x = 0; x < length; x++, rgb += 3) {
        size_t along = (size_t)(from_right ? length - 1 - x : x);
        size_t place = turned ? along * (size_t)out->width + line : line * (size_t)out->width + along;
        memcpy(out->rgb + place * 3, rgb, 3);
    }
}

/* [count, 4] with alpha to [count, 3] on white, in place. */
static void lay_on_white(uint8_t *pixels, size_t count)
{
    uint8_t *out = pixels;
    for (const uint8_t *pixel = pixels; pixel < pixels + count * 4; pixel += 4) {
        int alpha = pixel[3];
        for (int c = 0; c < 3; c++)
            *out++ = (uint8_t)((pixel[c] * alpha + WHITE * (255 - alpha) + 127) / 255);
    }
}

int image_from_pixels(const struct image_file *file, uint8_t *pixels, int width, int height, int channels,
                      int orientation, struct image **out, struct error *error)
{
    size_t count = (size_t)width * (size_t)height;
    if (channels == 4) {
        lay_on_white(pixels, count);
        uint8_t *less = realloc(pixels, count * 3);
        pixels = less ? less : pixels;
    }
    struct image *image;
    int code;
    if (orientation == 1) {
        code = image_wrap(pixels, width, height, &image, error);
    } else {
        bool turned = orientation >= 5;
        code = image_new(turned ? height : width, turned ? width : height, &image, error);
        for (int y = 0; code == 0 && y < height; y++)
            image_put_row(image, orientation, y, pixels + (size_t)y * (size_t)width * 3);
        free(pixels);
    }
    if (code != 0)
        return error_add(error, code, "%s", file->name);
    *out = image;
    return 0;
}

/* -- files --------------------------------------------------------------------------------------------------------- */

struct magic {
    size_t at;
    const char *bytes;
    size_t length;
    const char *name;
};
#define MAGIC(at, bytes, name) {at, bytes, sizeof bytes - 1, name}

/* What people have besides, told apart from what is no picture at all. */
static const struct magic others[] = {
    MAGIC(0, "GIF8", "a GIF picture"),
    MAGIC(0, "BM", "a BMP picture"),
    MAGIC(0, "II*\0", "a TIFF picture"),
    MAGIC(0, "MM\0*", "a TIFF picture"),
    MAGIC(4, "ftypavif", "an AVIF picture"),
    MAGIC(4, "ftypavis", "an AVIF picture"),
    MAGIC(4, "ftyphei", "a HEIC picture"),
    MAGIC(4, "ftyphev", "a HEIC picture"),
    MAGIC(4, "ftypmif1", "a HEIF picture"),
    MAGIC(4, "ftypmsf1", "a HEIF picture"),
    MAGIC(4, "ftyp", "a film"),
    MAGIC(4, "JXL \r\n\x87\n", "a JPEG XL picture"),
    MAGIC(0, "\xff\x0a", "a JPEG XL picture"),
    MAGIC(4, "jP  \r\n\x87\n", "a JPEG 2000 picture"),
    MAGIC(0, "\xff\x4f\xff\x51", "a JPEG 2000 picture"),
    MAGIC(0, "\0\0\1\0", "an icon (ICO)"),
    MAGIC(0, "8BPS", "a Photoshop picture"),
    MAGIC(0, "gimp xcf", "a GIMP picture"),
    MAGIC(0, "qoif", "a QOI picture"),
    MAGIC(0, "v/1\x01", "an OpenEXR picture"),
    MAGIC(0, "#?RADIANCE", "a Radiance picture"),
    MAGIC(0, "\x8aMNG", "an MNG animation"),
    MAGIC(0, "P1\n", "a PNM picture"),
    MAGIC(0, "P2\n", "a PNM picture"),
    MAGIC(0, "P3\n", "a PNM picture"),
    MAGIC(0, "P4\n", "a PNM picture"),
    MAGIC(0, "P5\n", "a PNM picture"),
    MAGIC(0, "P6\n", "a PNM picture"),
    MAGIC(0, "<svg", "an SVG drawing"),
    MAGIC(0, "<?xml", "an XML file, perhaps an SVG drawing"),
    MAGIC(0, "%PDF", "a PDF document"),
    MAGIC(0, "GGUF", "a model file (GGUF)"),
};

static bool begins(const struct image_file *file, size_t at, const void *bytes, size_t length)
{
    return file->bytes >= at + length && memcmp(file->data + at, bytes, length) == 0;
}

int image_decode(const char *name, const void *data, size_t bytes, struct image **out, struct error *error)
{
    *out = NULL;
    struct image_file file = {name, data, bytes};
    if (bytes == 0)
        return error_set(error, ERROR_FORMAT, "%s is empty", name);
    if (bytes > IMAGE_BYTES)
        return error_set(error, ERROR_LIMIT, "%s is larger than %d MiB, the most that a picture's file may have", name,
                         IMAGE_BYTES / MIB);
    if (begins(&file, 0, "\x89PNG\r\n\x1a\n", 8))
        return image_png_read(&file, out, error);
    if (begins(&file, 0, "\xff\xd8\xff", 3))
        return image_jpeg_read(&file, out, error);
    if (begins(&file, 0, "RIFF", 4) && begins(&file, 8, "WEBP", 4))
        return image_webp_read(&file, out, error);
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (begins(&file, others[i].at, others[i].bytes, others[i].length))
            return error_set(error, ERROR_UNSUPPORTED, "%s is %s: only PNG, JPEG and WebP are read; convert it", name,
                             others[i].name);
    return error_set(error, ERROR_FORMAT, "%s is no picture: it is neither PNG nor JPEG nor WebP", name);
}

/* All bytes of a file or pipe, malloced. */
static int read_all(int descriptor, const char *path, size_t expected, uint8_t **data, size_t *bytes,
                    struct error *error)
{
    size_t room = expected + 1; /* a byte more, to see the end */
    uint8_t *buffer = malloc(room);
    size_t used = 0;
    while (buffer) {
        ssize_t got = read(descriptor, buffer + used, room - used);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0) {
            free(buffer);
            return error_set(error, ERROR_IO, "cannot read %s: %s", path, strerror(errno));
        }
        used += (size_t)got;
        if (got == 0 || used > IMAGE_BYTES) { /* too many: image_decode() says so */
            *data = buffer;
            *bytes = used;
            return 0;
        }
        if (used == room) {
            room = room < IMAGE_BYTES / 2 ? room * 2 : IMAGE_BYTES + 1;
            uint8_t *more = realloc(buffer, room);
            if (!more)
                free(buffer);
            buffer = more;
        }
    }
    return error_set(error, ERROR_MEMORY, "no memory for reading %s", path);
}

int image_read(const char *path, struct image **out, struct error *error)
{
    enum { FIRST = 64 << 10 };
    *out = NULL;
    int descriptor = open(path, O_RDONLY | O_CLOEXEC);
    struct stat status;
    if (descriptor < 0 || fstat(descriptor, &status) != 0) {
        int code = error_set(error, ERROR_IO, "cannot open %s: %s", path, strerror(errno));
        if (descriptor >= 0)
            close(descriptor);
        return code;
    }
    int code = 0;
    uint8_t *data = NULL;
    size_t bytes = 0;
    if (S_ISDIR(status.st_mode))
        code = error_set(error, ERROR_IO, "%s is a folder, not a picture", path);
    else if (S_ISREG(status.st_mode) && status.st_size > IMAGE_BYTES)
        code = error_set(error, ERROR_LIMIT, "%s has %lld MiB: a picture's file may have at most %d", path,
                         (long long)status.st_size / MIB, IMAGE_BYTES / MIB);
    else
        code =
            read_all(descriptor, path, S_ISREG(status.st_mode) ? (size_t)status.st_size : FIRST, &data, &bytes, error);
    close(descriptor);
    if (code == 0)
        code = image_decode(path, data, bytes, out, error);
    free(data);
    return code;
}
