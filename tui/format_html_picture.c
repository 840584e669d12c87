/* The HTML page's pictures: each as a PNG in the page itself, and over it a box for each unit that the page's script
 * colours as it does the words.  Large pictures are made smaller first; the boxes are in percent of the picture. */
#include "tui/format_html.h"

#include <png.h>
#include <stdlib.h>
#include <string.h>

enum { SIDE = 1024 };

static void put_base64(FILE *out, const unsigned char *bytes, size_t count)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t i = 0; i < count; i += 3) {
        size_t left = count - i;
        unsigned word = (unsigned)bytes[i] << 16;
        word |= left > 1 ? (unsigned)bytes[i + 1] << 8 : 0;
        word |= left > 2 ? bytes[i + 2] : 0;
        fputc(digits[word >> 18], out);
        fputc(digits[word >> 12 & 63], out);
        fputc(left > 1 ? digits[word >> 6 & 63] : '=', out);
        fputc(left > 2 ? digits[word & 63] : '=', out);
    }
}

/* As PNG; *png is malloced [*bytes]. */
static int encode(const struct image *image, unsigned char **png, size_t *bytes, struct error *error)
{
    png_image header = {.version = PNG_IMAGE_VERSION,
                        .width = (png_uint_32)image->width,
                        .height = (png_uint_32)image->height,
                        .format = PNG_FORMAT_RGB};
    png_alloc_size_t room = PNG_IMAGE_PNG_SIZE_MAX(header);
    *png = malloc(room);
    if (!*png)
        return error_set(error, ERROR_MEMORY, "out of memory");
    if (!png_image_write_to_memory(&header, *png, &room, 0, image->rgb, 0, NULL)) {
        free(*png);
        return error_set(error, ERROR_MEMORY, "a picture cannot be written: %s", header.message);
    }
    *bytes = room;
    return 0;
}

static int put_image(FILE *out, const struct image *image, struct error *error)
{
    int most = image->width > image->height ? image->width : image->height, code = 0;
    struct image *small = NULL;
    if (most > SIDE) {
        int width = (int)((long)image->width * SIDE / most), height = (int)((long)image->height * SIDE / most);
        code = image_resize(image, width > 0 ? width : 1, height > 0 ? height : 1, IMAGE_LANCZOS, &small, error);
        image = small;
    }
    unsigned char *png = NULL;
    size_t bytes = 0;
    if (code == 0)
        code = encode(image, &png, &bytes, error);
    if (code == 0) {
        fputs("<img alt=\"\" src=\"data:image/png;base64,", out);
        put_base64(out, png, bytes);
        fputs("\">\n", out);
        free(png);
    }
    image_release(small);
    return code;
}

int format_html_pictures(const struct report *r, FILE *out, double limit, struct error *error)
{
    const struct explanation *e = r->explanation;
    int code = 0;
    for (size_t p = 0; code == 0 && p < e->picture_count; p++) {
        const struct image *image = e->pictures[p].image;
        fprintf(out, "<figure>\n<div class=\"picture\" style=\"max-width:%dpx\">\n",
                image->width < 360    ? 360
                : image->width > SIDE ? SIDE
                                      : image->width);
        code = put_image(out, image, error);
        for (size_t u = 0; u < e->unit_count; u++) {
            float rect[4];
            char style[64];
            if (e->units[u].kind != UNIT_PATCH || report_unit_picture(e, u) != p)
                continue;
            report_unit_rect(e, u, rect);
            if (!(rect[2] > 0))
                continue;
            format_html_colour(e, u, limit, style, sizeof style);
            fprintf(out,
                    "<span class=\"patch%s\" data-unit=\"%zu\" "
                    "style=\"left:%.3f%%;top:%.3f%%;width:%.3f%%;height:%.3f%%;%s\">"
                    "</span>\n",
                    report_relevance(e, u, REPORT_ALL) < 0 ? " against" : "", u, 100.0 * (double)rect[0] / image->width,
                    100.0 * (double)rect[1] / image->height, 100.0 * (double)rect[2] / image->width,
                    100.0 * (double)rect[3] / image->height, style);
        }
        char title[200];
        report_picture_title(r, p, title, sizeof title);
        fputs("</div>\n<figcaption class=\"note\">", out);
        format_html_text(out, title, strlen(title));
        fputs("</figcaption>\n</figure>\n", out);
    }
    return code;
}
