/* make_seeds_image.c FOLDER: a small file of every kind of picture, for fuzz_image to start from. */
#include <png.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/unit/picture_files.h"

enum { WIDTH = 13, HEIGHT = 9 };

static const char *folder;
static int written;

/* Frees the file. */
static void write_seed(struct file file)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/%02d", folder, written++);
    FILE *out = fopen(path, "wb");
    if (!out || fwrite(file.data, 1, file.bytes, out) != file.bytes || fclose(out) != 0) {
        perror(path);
        exit(1);
    }
    free(file.data);
}

int main(int count, char **arguments)
{
    if (count != 2)
        return 2;
    folder = arguments[1];
    struct file exif = file_exif(6, true);
    static const struct png_kind kinds[] = {
        {PNG_COLOR_TYPE_GRAY, 1, false},       {PNG_COLOR_TYPE_GRAY, 4, true},
        {PNG_COLOR_TYPE_GRAY_ALPHA, 8, false}, {PNG_COLOR_TYPE_PALETTE, 4, true},
        {PNG_COLOR_TYPE_RGB, 8, false},        {PNG_COLOR_TYPE_RGB, 16, true},
        {PNG_COLOR_TYPE_RGB_ALPHA, 8, true},   {PNG_COLOR_TYPE_RGB_ALPHA, 16, false},
    };
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        write_seed(file_png(WIDTH, HEIGHT, kinds[i]));
    write_seed(file_png_add(file_png(WIDTH, HEIGHT, kinds[4]), "eXIf", exif.data + 6, exif.bytes - 6, true));
    for (int kind = 0; kind < JPEG_KINDS; kind++)
        write_seed(file_jpeg(WIDTH, HEIGHT, (enum jpeg_kind)kind, &exif));
    for (int i = 0; i < 4; i++)
        write_seed(file_webp(WIDTH, HEIGHT, i & 1, i & 2));
    write_seed(file_webp_extend(file_webp(WIDTH, HEIGHT, true, false), WIDTH, HEIGHT, WEBP_EXIF, "EXIF", &exif));
    free(exif.data);
    return 0;
}
