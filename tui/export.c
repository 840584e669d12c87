#include "tui/export.h"

#include <string.h>

#include "tui/output.h"

typedef int report_writer(const struct report *, FILE *, struct error *);

static const struct {
    const char *ending;
    report_writer *writer;
} formats[] = {{".html", format_html}, {".json", format_json}, {".txt", format_ansi}, {".ansi", format_ansi},
             {".png", format_png},   {".svg", format_svg}};
enum { FORMATS = sizeof formats / sizeof *formats };

struct export {
    struct report report;
    report_writer *writer;
};

static int fill(FILE *out, const void *data, struct error *error)
{
    const struct export *export = data;
    return export->writer(&export->report, out, error);
}

/* Index of the ending's format, or FORMATS. */
static size_t format_of(const char *path)
{
    const char *ending = strrchr(path, '.');
    size_t i = 0;
    while (i < FORMATS && !(ending && strcmp(ending, formats[i].ending) == 0))
        i++;
    return i;
}

bool export_knows(const char *path)
{
    return format_of(path) < FORMATS;
}

int export_write(const char *path, const struct report *report, enum colour_depth depth, struct error *error)
{
    size_t format = format_of(path);
    if (format == FORMATS)
        return error_set(error, ERROR_ARGUMENT, "%s: the ending says the format; use " EXPORT_ENDINGS, path);
    struct export export = {*report, formats[format].writer};
    export.report.depth = strcmp(formats[format].ending, ".ansi") != 0 ? COLOUR_NONE
                          : depth != COLOUR_NONE                       ? depth
                                                                       : COLOUR_256;
    return output_fill(path, fill, &export, error);
}
