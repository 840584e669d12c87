/* Pictures from files: every kind comes out as it was drawn, the eight ways of holding a camera, transparency on white;
 * and what is damaged, cut off, too large or no picture is refused in a sentence. */
#include "core/image.h"

#include <fcntl.h>
#include <png.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/test.h"
#include "tests/unit/picture_files.h"

enum { WIDTH = 24, HEIGHT = 17 };

static struct image *decode(struct file file, struct error *error)
{
    struct image *image = NULL;
    *error = (struct error){0};
    int code = image_decode("picture", file.data, file.bytes, &image, error);
    CHECK((code == 0) == (image != NULL), "code %d", code);
    CHECK(code == 0 || (error->code == code && strstr(error->message, "picture")), "%s", error->message);
    return image;
}

/* The file must be refused with the code and a message that holds the words. */
static void check_refused(struct file file, int code, const char *words)
{
    struct error error;
    struct image *image = decode(file, &error);
    CHECK(!image && error.code == code && strstr(error.message, words), "wanted %d and '%s', got %d: %s", code, words,
          error.code, error.message);
    image_release(image);
}

static int on_white(int value, int alpha)
{
    return (int)lround((value * alpha + 255.0 * (255 - alpha)) / 255);
}

static struct colour colour_at(const struct image *image, int x, int y)
{
    const uint8_t *rgb = image->rgb + ((size_t)y * (size_t)image->width + (size_t)x) * 3;
    return (struct colour){rgb[0], rgb[1], rgb[2], 255};
}

static int distance(struct colour a, struct colour b)
{
    int red = abs(a.red - b.red), green = abs(a.green - b.green), blue = abs(a.blue - b.blue);
    return red > green ? red > blue ? red : blue : green > blue ? green : blue;
}

/* Decode and compare with picture_colour(), mapped; frees the file. */
static void check_picture(const char *what, struct file file, struct colour (*map)(struct colour), int allowed)
{
    struct error error;
    struct image *image = decode(file, &error);
    free(file.data);
    CHECK(image, "%s: %s", what, error.message);
    if (!image)
        return;
    CHECK(image->width == WIDTH && image->height == HEIGHT, "%s: %dx%d", what, image->width, image->height);
    int greatest = 0;
    for (int y = 0; y < HEIGHT; y++)
        for (int x = 0; x < WIDTH; x++) {
            int here = distance(colour_at(image, x, y), map(picture_colour(x, y, WIDTH, HEIGHT)));
            greatest = here > greatest ? here : greatest;
        }
    CHECK(greatest <= allowed, "%s: differs by %d levels", what, greatest);
    image_release(image);
}

/* -- every kind -----------------------------------------------------------------------------------------------------
 */

static struct colour as_it_is(struct colour colour)
{
    return colour;
}

static struct colour laid_on_white(struct colour colour)
{
    return (struct colour){(uint8_t)on_white(colour.red, colour.alpha), (uint8_t)on_white(colour.green, colour.alpha),
                           (uint8_t)on_white(colour.blue, colour.alpha), 255};
}

static struct colour grey(struct colour colour)
{
    return (struct colour){colour.red, colour.red, colour.red, 255};
}

static struct colour grey_on_white(struct colour colour)
{
    colour.green = colour.blue = colour.red;
    return laid_on_white(colour);
}

static struct colour grey_of_4_bits(struct colour colour)
{
    colour.red = (uint8_t)((colour.red >> 4) * 17);
    return grey(colour);
}

static struct colour grey_of_1_bit(struct colour colour)
{
    colour.red = colour.red >> 7 ? 255 : 0;
    return grey(colour);
}

static struct colour of_palette(struct colour colour)
{
    int i = colour.red >> 4;
    return i == 0 ? (struct colour){255, 255, 255, 255}
                  : (struct colour){(uint8_t)(i * 16), (uint8_t)(255 - i), (uint8_t)i, 255};
}

static void test_png(void)
{
    static const struct {
        const char *what;
        struct png_kind kind;
        struct colour (*map)(struct colour);
    } kinds[] = {
        {"RGB", {PNG_COLOR_TYPE_RGB, 8, false}, as_it_is},
        {"RGB in 16 bits", {PNG_COLOR_TYPE_RGB, 16, false}, as_it_is},
        {"RGBA", {PNG_COLOR_TYPE_RGB_ALPHA, 8, false}, laid_on_white},
        {"RGBA in 16 bits", {PNG_COLOR_TYPE_RGB_ALPHA, 16, false}, laid_on_white},
        {"grey", {PNG_COLOR_TYPE_GRAY, 8, false}, grey},
        {"grey in 16 bits", {PNG_COLOR_TYPE_GRAY, 16, false}, grey},
        {"grey in 4 bits", {PNG_COLOR_TYPE_GRAY, 4, false}, grey_of_4_bits},
        {"grey in 1 bit", {PNG_COLOR_TYPE_GRAY, 1, false}, grey_of_1_bit},
        {"grey with alpha", {PNG_COLOR_TYPE_GRAY_ALPHA, 8, false}, grey_on_white},
        {"palette", {PNG_COLOR_TYPE_PALETTE, 4, false}, of_palette},
    };
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        struct png_kind kind = kinds[i].kind;
        check_picture(kinds[i].what, file_png(WIDTH, HEIGHT, kind), kinds[i].map, 0);
        kind.interlaced = true;
        check_picture(kinds[i].what, file_png(WIDTH, HEIGHT, kind), kinds[i].map, 0);
    }
}

static void test_jpeg(void)
{
    static const char *names[] = {"grey", "4:2:0", "4:4:4", "progressive", "arithmetic", "CMYK"};
    for (int kind = 0; kind < JPEG_KINDS; kind++)
        check_picture(names[kind], file_jpeg(WIDTH, HEIGHT, (enum jpeg_kind)kind, NULL),
                      kind == JPEG_GREY ? grey : as_it_is,
                      kind == JPEG_420 || kind == JPEG_PROGRESSIVE || kind == JPEG_ARITHMETIC ? 16 : 6);
}

static void test_webp(void)
{
    check_picture("lossless", file_webp(WIDTH, HEIGHT, true, false), as_it_is, 0);
    check_picture("lossless, alpha", file_webp(WIDTH, HEIGHT, true, true), laid_on_white, 0);
    check_picture("lossy", file_webp(WIDTH, HEIGHT, false, false), as_it_is, 16);
    check_picture("lossy, alpha", file_webp(WIDTH, HEIGHT, false, true), laid_on_white, 16);
}

/* -- orientation ----------------------------------------------------------------------------------------------------
 */

/* Where a pixel of the stored picture is to be seen, as the EXIF standard names the place of row 0 and column 0. */
static void seen_at(int orientation, int x, int y, int *to_x, int *to_y)
{
    int right = WIDTH - 1 - x, below = HEIGHT - 1 - y;
    const int places[9][2] = {{0},    {x, y},     {right, y},     {right, below}, {x, below},
                              {y, x}, {below, x}, {below, right}, {y, right}};
    *to_x = places[orientation][0];
    *to_y = places[orientation][1];
}

/* Frees the file. */
static void check_turned(const char *what, struct file file, int orientation, int allowed)
{
    struct error error;
    struct image *image = decode(file, &error);
    free(file.data);
    bool turned = orientation >= 5;
    int width = turned ? HEIGHT : WIDTH, height = turned ? WIDTH : HEIGHT;
    bool fits = image && image->width == width && image->height == height;
    CHECK(fits, "%s, orientation %d: %s", what, orientation, image ? "another size" : error.message);
    int greatest = 0;
    for (int y = 0; fits && y < HEIGHT; y++)
        for (int x = 0; x < WIDTH; x++) {
            int to_x, to_y;
            seen_at(orientation, x, y, &to_x, &to_y);
            int here = distance(colour_at(image, to_x, to_y), picture_colour(x, y, WIDTH, HEIGHT));
            greatest = here > greatest ? here : greatest;
        }
    CHECK(greatest <= allowed, "%s, orientation %d: differs by %d levels", what, orientation, greatest);
    image_release(image);
}

static void test_orientation(void)
{
    const struct png_kind rgb = {PNG_COLOR_TYPE_RGB, 8, false};
    for (int orientation = 1; orientation <= 8; orientation++)
        for (int big = 0; big < 2; big++) {
            struct file exif = file_exif(orientation, big);
            struct file bare = {exif.data + 6,
                                exif.bytes - 6}; /* without "Exif", as PNG wants it and WebP mostly has it */
            check_turned("PNG", file_png_add(file_png(WIDTH, HEIGHT, rgb), "eXIf", bare.data, bare.bytes, big),
                         orientation, 0);
            check_turned("JPEG", file_jpeg(WIDTH, HEIGHT, JPEG_444, &exif), orientation, 6);
            struct file webp = file_webp(WIDTH, HEIGHT, true, false);
            check_turned("WebP", file_webp_extend(webp, WIDTH, HEIGHT, WEBP_EXIF, "EXIF", big ? &bare : &exif),
                         orientation, 0);
            free(exif.data);
        }
    for (int orientation = 0; orientation < 300; orientation += 9) { /* 0, 9, 18, ...: none of them says anything */
        struct file exif = file_exif(orientation, false);
        check_turned("JPEG", file_jpeg(WIDTH, HEIGHT, JPEG_444, &exif), 1, 6);
        free(exif.data);
    }
}

/* A block cut anywhere is no reason to refuse the picture. */
static void test_damaged_exif(void)
{
    struct file exif = file_exif(6, true), whole = exif;
    for (; exif.bytes > 0; exif.bytes--) {
        struct error error;
        struct file file = file_jpeg(WIDTH, HEIGHT, JPEG_444, &exif);
        struct image *image = decode(file, &error);
        CHECK(image, "EXIF of %zu bytes: %s", exif.bytes, error.message);
        image_release(image);
        free(file.data);
    }
    free(whole.data);
}

/* -- damage ---------------------------------------------------------------------------------------------------------
 */

static struct file some_file(int number)
{
    static const struct png_kind kinds[] = {{PNG_COLOR_TYPE_RGB, 8, false}, {PNG_COLOR_TYPE_RGB_ALPHA, 16, true}};
    switch (number) {
    case 0:
    case 1:
        return file_png(WIDTH, HEIGHT, kinds[number]);
    case 2:
    case 3:
    case 4:
    case 5:
        return file_webp(WIDTH, HEIGHT, number & 1, number & 2);
    default:
        return file_jpeg(WIDTH, HEIGHT, (enum jpeg_kind)(number - 6), NULL);
    }
}
enum { SOME_FILES = 6 + JPEG_KINDS };

static void test_cut_off(void)
{
    for (int number = 0; number < SOME_FILES; number++) {
        struct file file = some_file(number);
        for (size_t bytes = 0; bytes < file.bytes; bytes++) {
            struct error error;
            uint8_t *exact = malloc(bytes ? bytes : 1); /* a sanitizer sees a byte too many */
            memcpy(exact, file.data, bytes);
            struct image *image = decode((struct file){exact, bytes}, &error);
            CHECK(!image, "file %d cut to %zu of %zu bytes is read", number, bytes, file.bytes);
            CHECK(image || error.code == ERROR_FORMAT, "file %d cut to %zu bytes: %s", number, bytes, error.message);
            image_release(image);
            free(exact);
        }
        free(file.data);
    }
}

/* Whatever bit is turned round: a picture or a message, and not a word on stderr. */
static void test_turned_bits(void)
{
    fflush(stderr);
    FILE *caught = tmpfile();
    int console = dup(STDERR_FILENO);
    if (!caught || console < 0 || dup2(fileno(caught), STDERR_FILENO) < 0) {
        SKIP("stderr cannot be looked at");
        return;
    }
    for (int number = 0; number < SOME_FILES; number++) {
        struct file file = some_file(number);
        for (size_t bit = 0; bit < file.bytes * 8; bit += 3) {
            struct error error;
            file.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
            image_release(decode(file, &error));
            file.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
        }
        free(file.data);
    }
    fflush(stderr);
    dup2(console, STDERR_FILENO);
    close(console);
    struct stat status;
    CHECK(fstat(fileno(caught), &status) == 0 && status.st_size == 0, "%lld bytes on stderr",
          (long long)status.st_size);
    fclose(caught);
}

static void test_checksums(void)
{
    const struct png_kind rgb = {PNG_COLOR_TYPE_RGB, 8, false};
    struct file file = file_png(WIDTH, HEIGHT, rgb);
    enum { HEADER_SUM = 29, END = 12 };
    file.data[HEADER_SUM] ^= 1;
    check_refused(file, ERROR_FORMAT, "damaged");
    file.data[HEADER_SUM] ^= 1;
    file.data[file.bytes - END - 1] ^= 1; /* of the pixels */
    check_refused(file, ERROR_FORMAT, "damaged");
    free(file.data);
}

/* -- limits ---------------------------------------------------------------------------------------------------------
 */

static void set_png_size(struct file file, uint32_t width, uint32_t height)
{
    for (int i = 0; i < 4; i++) {
        file.data[16 + i] = (uint8_t)(width >> (24 - 8 * i));
        file.data[20 + i] = (uint8_t)(height >> (24 - 8 * i));
    }
}

static void set_jpeg_size(struct file file, unsigned width, unsigned height)
{
    for (size_t i = 0; i + 8 < file.bytes; i++)
        if (file.data[i] == 0xff && (file.data[i + 1] == 0xc0 || file.data[i + 1] == 0xc2)) {
            uint8_t size[4] = {(uint8_t)(height >> 8), (uint8_t)height, (uint8_t)(width >> 8), (uint8_t)width};
            memcpy(file.data + i + 5, size, 4);
            return;
        }
}

/* Little files that claim to be enormous, or nothing. */
static void test_sizes(void)
{
    const struct png_kind rgb = {PNG_COLOR_TYPE_RGB, 8, false};
    struct file png = file_png(WIDTH, HEIGHT, rgb), jpeg = file_jpeg(WIDTH, HEIGHT, JPEG_444, NULL);
    struct file webp = file_webp(WIDTH, HEIGHT, true, false);
    set_png_size(png, 0xffffffff, 0xffffffff);
    check_refused(png, ERROR_LIMIT, "65536");
    set_png_size(png, 60000, 60000);
    check_refused(png, ERROR_LIMIT, "67 million");
    set_png_size(png, 0, 5);
    check_refused(png, ERROR_FORMAT, "damaged");
    set_png_size(png, 8192, 8192); /* within the limits, but the file is not: the pixels are missing */
    check_refused(png, ERROR_FORMAT, "damaged");
    set_jpeg_size(jpeg, 65000, 65000);
    check_refused(jpeg, ERROR_LIMIT, "67 million");
    set_jpeg_size(jpeg, 65535, 100);
    check_refused(jpeg, ERROR_LIMIT, "65500");
    set_jpeg_size(jpeg, 5, 0);
    check_refused(jpeg, ERROR_FORMAT, "damaged");
    enum { FIRST_BITS = 21, SIDE_BITS = 0x3fff }; /* of a lossless WebP's size: 14 bits each, less 1 */
    uint32_t size = SIDE_BITS | SIDE_BITS << 14;
    for (int i = 0; i < 3; i++)
        webp.data[FIRST_BITS + i] = (uint8_t)(size >> (8 * i));
    webp.data[FIRST_BITS + 3] = (uint8_t)((webp.data[FIRST_BITS + 3] & 0xf0) | size >> 24);
    check_refused(webp, ERROR_LIMIT, "67 million");
    size = 7999 | 7999 << 14; /* fits when it is out, but not while it is decoded */
    for (int i = 0; i < 3; i++)
        webp.data[FIRST_BITS + i] = (uint8_t)(size >> (8 * i));
    webp.data[FIRST_BITS + 3] = (uint8_t)((webp.data[FIRST_BITS + 3] & 0xf0) | size >> 24);
    check_refused(webp, ERROR_LIMIT, "256 MiB");
    free(png.data);
    free(jpeg.data);
    free(webp.data);
}

/* A progressive file keeps its coefficients: 8192x8192 pixels of three whole components are more than the memory. */
static void test_progressive_memory(void)
{
    struct file file = file_jpeg(WIDTH, HEIGHT, JPEG_PROGRESSIVE, NULL);
    set_jpeg_size(file, 8192, 8192);
    for (size_t i = 0; i + 12 < file.bytes; i++)
        if (file.data[i] == 0xff && file.data[i + 1] == 0xc2) {
            file.data[i + 11] = 0x11; /* the first component no finer than the others */
            break;
        }
    check_refused(file, ERROR_LIMIT, "progressive");
    free(file.data);
}

/* A large picture of nothing: a few kB that become 75 MB, which is within the limits. */
static void test_bomb(void)
{
    struct file file = file_webp(1, 1, true, false), one = file;
    struct error error;
    struct image *image = decode(one, &error);
    CHECK(image && image->width == 1 && image->height == 1, "%s", error.message);
    image_release(image);
    free(file.data);
    enum { SIDE = 5000 };
    file = file_png(SIDE, SIDE, (struct png_kind){PNG_COLOR_TYPE_GRAY, 1, false});
    image = decode(file, &error);
    CHECK(file.bytes < SIDE * SIDE / 100 && image && image->width == SIDE, "%zu bytes: %s", file.bytes, error.message);
    image_release(image);
    free(file.data);
}

/* -- other files ----------------------------------------------------------------------------------------------------
 */

static void test_other_kinds(void)
{
    static const struct {
        const char *bytes;
        size_t length;
        int code;
        const char *words;
    } others[] = {
        {"GIF89a........", 14, ERROR_UNSUPPORTED, "GIF"},
        {"BM..........", 12, ERROR_UNSUPPORTED, "BMP"},
        {"II*\0....", 8, ERROR_UNSUPPORTED, "TIFF"},
        {"MM\0*....", 8, ERROR_UNSUPPORTED, "TIFF"},
        {"\0\0\0\x20"
         "ftypavif....",
         16, ERROR_UNSUPPORTED, "AVIF"},
        {"\0\0\0\x20"
         "ftypheic....",
         16, ERROR_UNSUPPORTED, "HEIC"},
        {"\0\0\0\x20"
         "ftypmp42....",
         16, ERROR_UNSUPPORTED, "film"},
        {"\xff\x0a........", 10, ERROR_UNSUPPORTED, "JPEG XL"},
        {"P6\n4 4\n255\n", 11, ERROR_UNSUPPORTED, "PNM"},
        {"<svg xmlns=''>", 14, ERROR_UNSUPPORTED, "SVG"},
        {"%PDF-1.7", 8, ERROR_UNSUPPORTED, "PDF"},
        {"GGUF\3\0\0\0", 8, ERROR_UNSUPPORTED, "model file"},
        {"hello, world", 12, ERROR_FORMAT, "no picture"},
        {"RIFF\4\0\0\0WAVE", 12, ERROR_FORMAT, "no picture"},
        {"", 0, ERROR_FORMAT, "empty"},
        {"\x89PNG\r\n\x1a\n", 8, ERROR_FORMAT, "damaged"},
        {"\xff\xd8\xff", 3, ERROR_FORMAT, "damaged"},
        {"RIFF\4\0\0\0WEBP", 12, ERROR_FORMAT, "damaged"},
    };
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        check_refused((struct file){(uint8_t *)others[i].bytes, others[i].length}, others[i].code, others[i].words);
    struct file loop = {(uint8_t *)"\0\0\0\0\0\0", 6}, still = file_webp(4, 4, true, false);
    struct file animation = file_webp_extend(still, 4, 4, WEBP_ANIMATED, "ANIM", &loop);
    check_refused(animation, ERROR_UNSUPPORTED, "animation");
    free(animation.data);
}

/* image_read() of a path must fail so. */
static void check_unreadable(const char *path, int code, const char *words)
{
    struct image *image;
    struct error error;
    int got = image_read(path, &image, &error);
    CHECK(got == code && !image && strstr(error.message, words) && strstr(error.message, path), "%s: %d, %s", path, got,
          error.message);
}

static void *write_pipe(void *path)
{
    struct file file = file_png(WIDTH, HEIGHT, (struct png_kind){PNG_COLOR_TYPE_RGB, 16, false});
    FILE *out = fopen(path, "wb");
    for (size_t i = 0; out && i < file.bytes; i++) { /* byte by byte */
        fputc(file.data[i], out);
        fflush(out);
    }
    if (out)
        fclose(out);
    free(file.data);
    return NULL;
}

static void test_paths(void)
{
    char folder[] = "/tmp/test_image.XXXXXX", path[64];
    if (!mkdtemp(folder)) {
        SKIP("no folder for files in /tmp");
        return;
    }
    check_unreadable(folder, ERROR_IO, "folder");
    snprintf(path, sizeof path, "%s/picture", folder);
    check_unreadable(path, ERROR_IO, "No such file");
    struct image *image = NULL;
    struct error error;
    pthread_t thread;
    CHECK(mkfifo(path, 0600) == 0 && pthread_create(&thread, NULL, write_pipe, path) == 0, "a pipe");
    CHECK(image_read(path, &image, &error) == 0 && image->width == WIDTH, "%s", error.message);
    image_release(image);
    pthread_join(thread, NULL);
    unlink(path);
    close(open(path, O_CREAT | O_WRONLY, 0600));
    check_unreadable(path, ERROR_FORMAT, "empty");
    CHECK(truncate(path, (off_t)300 << 20) == 0, "a large file");
    check_unreadable(path, ERROR_LIMIT, "300 MiB");
    check_unreadable("/dev/zero", ERROR_LIMIT, "256 MiB");
    unlink(path);
    struct file file = file_jpeg(WIDTH, HEIGHT, JPEG_420, NULL);
    FILE *out = fopen(path, "wb");
    CHECK(out && fwrite(file.data, 1, file.bytes, out) == file.bytes && fclose(out) == 0, "a file");
    CHECK(image_read(path, &image, &error) == 0 && image->height == HEIGHT, "%s", error.message);
    image_release(image);
    free(file.data);
    unlink(path);
    rmdir(folder);
}

/* -- owners ---------------------------------------------------------------------------------------------------------
 */

enum { ROUNDS = 20000 };

static atomic_uint_fast64_t serials_seen;

static void *keep_and_release(void *shared)
{
    struct image *image = shared;
    uint64_t last = 0;
    for (int i = 0; i < ROUNDS; i++) {
        image_keep(image);
        if (i % 100 == 0) {
            struct image *other;
            if (image_new(1, 1, &other, NULL) != 0 || other->serial <= last)
                return image;
            last = other->serial;
            atomic_fetch_add(&serials_seen, other->serial);
            image_release(other);
        }
        image_release(image);
    }
    image_release(image);
    return NULL;
}

static void test_owners(void)
{
    struct image *image;
    struct error error;
    CHECK(image_new(3, 2, &image, &error) == 0, "%s", error.message);
    int sum = 0;
    for (int i = 0; i < 18; i++)
        sum += image->rgb[i];
    CHECK(sum == 0 && image->width == 3 && image->height == 2, "a new picture is black");
    pthread_t threads[2];
    for (int i = 0; i < 2; i++)
        CHECK(pthread_create(threads + i, NULL, keep_and_release, image_keep(image)) == 0, "a thread");
    for (int i = 0; i < 2; i++) {
        void *failed;
        pthread_join(threads[i], &failed);
        CHECK(!failed, "serials grow");
    }
    uint64_t first = image->serial, count = 2 * ROUNDS / 100; /* all of them after this one, none twice */
    CHECK(atomic_load(&serials_seen) == count * first + count * (count + 1) / 2, "a serial was given twice");
    CHECK(*(atomic_int *)image->owners == 1, "%d owners are left", *(atomic_int *)image->owners);
    image_release(image);
    image_release(NULL);
    CHECK(image_new(0, 2, &image, &error) == ERROR_ARGUMENT && !image, "%s", error.message);
    CHECK(image_new(IMAGE_SIDE + 1, 1, &image, &error) == ERROR_LIMIT && !image, "%s", error.message);
    CHECK(image_new(IMAGE_SIDE, IMAGE_SIDE, &image, &error) == ERROR_LIMIT && !image, "%s", error.message);
}

int main(void)
{
    test_png();
    test_jpeg();
    test_webp();
    test_orientation();
    test_damaged_exif();
    test_cut_off();
    test_turned_bits();
    test_checksums();
    test_sizes();
    test_progressive_memory();
    test_bomb();
    test_other_kinds();
    test_paths();
    test_owners();
    return test_end();
}
