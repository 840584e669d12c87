/* format_image_none.c: in place of format_image.c where the program was built without Pango. */
#include "tui/report.h"

static int refuse(struct error *error)
{
    return error_set(error, ERROR_UNSUPPORTED,
                     "this program was built without Pango; install Debian's libpango1.0-dev and build it again, or "
                     "save .html");
}

int format_png(const struct report *report, FILE *out, struct error *error)
{
    (void)report, (void)out;
    return refuse(error);
}

int format_svg(const struct report *report, FILE *out, struct error *error)
{
    (void)report, (void)out;
    return refuse(error);
}
