/* picture.c: core/image and core/prepare on their own, for check_pictures.py to compare with what they are to match.
 *
 * picture FILE...  reads lines from stdin, each one request about one of the files, numbered from 0, and answers on
 * stdout: decode N                                                  "WIDTH HEIGHT\n" and the pixels, 8 bits, RGB resize
 * N WIDTH HEIGHT FILTER                              the same prepare N KIND SIDE LONGEST FILTER MEAN*3 DEVIATION*3 f32
 * [3, SIDE, SIDE] FILTER and KIND are the enumerations' numbers.  An error is a line on stderr, and the end. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/prepare.h"

static void write_image(const struct image *image)
{
    printf("%d %d\n", image->width, image->height);
    fwrite(image->rgb, 3, (size_t)image->width * (size_t)image->height, stdout);
}

static int resize(const char *line, const struct image *image, struct error *error)
{
    int width, height, filter;
    struct image *out;
    if (sscanf(line, "%*d %d %d %d", &width, &height, &filter) != 3)
        return error_set(error, ERROR_ARGUMENT, "resize N WIDTH HEIGHT FILTER");
    int code = image_resize(image, width, height, (enum image_filter)filter, &out, error);
    if (code == 0)
        write_image(out);
    image_release(out);
    return code;
}

static int prepare(const char *line, const struct image *image, struct error *error)
{
    struct preparation how = {0};
    int kind, filter;
    if (sscanf(line, "%*d %d %d %d %d %f %f %f %f %f %f", &kind, &how.side, &how.longest, &filter, how.mean,
               how.mean + 1, how.mean + 2, how.deviation, how.deviation + 1, how.deviation + 2) != 10)
        return error_set(error, ERROR_ARGUMENT, "prepare N KIND SIDE LONGEST FILTER MEAN*3 DEVIATION*3");
    how.kind = (enum prepare_kind)kind;
    how.filter = (enum image_filter)filter;
    size_t count = 3 * (size_t)how.side * (size_t)how.side;
    float *pixels = malloc(count * sizeof *pixels);
    if (!pixels)
        return error_set(error, ERROR_MEMORY, "no memory");
    int code = prepare_image(image, &how, NULL, pixels, error);
    if (code == 0)
        fwrite(pixels, sizeof *pixels, count, stdout);
    free(pixels);
    return code;
}

static int answer(char **files, int count, const char *line, struct error *error)
{
    char verb[16];
    int at, number;
    if (sscanf(line, "%15s %n%d", verb, &at, &number) != 2 || number < 0 || number >= count)
        return error_set(error, ERROR_ARGUMENT, "decode, resize or prepare, and a file's number");
    struct image *image;
    int code = image_read(files[number], &image, error);
    if (code != 0)
        return code;
    if (strcmp(verb, "resize") == 0)
        code = resize(line + at, image, error);
    else if (strcmp(verb, "prepare") == 0)
        code = prepare(line + at, image, error);
    else
        write_image(image);
    image_release(image);
    return code;
}

int main(int count, char **arguments)
{
    char line[1000];
    while (fgets(line, sizeof line, stdin)) {
        struct error error;
        if (answer(arguments + 1, count - 1, line, &error) != 0) {
            fprintf(stderr, "%s\n", error.message);
            return 1;
        }
        fflush(stdout);
    }
    return 0;
}
