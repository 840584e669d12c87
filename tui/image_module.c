/* image_module.c: loads the module that draws explanations, when the first is to be drawn: it brings thirty libraries
 * with it, which nobody else should wait for. */
#include <dlfcn.h>
#include <string.h>
#include <unistd.h>

#include "tui/format_image.h"
#include "tui/paths.h"

typedef int image_drawer(const struct report *, bool svg, FILE *, struct error *);

/* The module beside the program that runs, as in a build folder, or where it is installed. */
static void find_path(char *path, size_t size)
{
    char program[PATHS_LENGTH];
    ssize_t length = readlink("/proc/self/exe", program, sizeof program - 1);
    program[length > 0 ? length : 0] = '\0';
    char *slash = strrchr(program, '/');
    int folder = slash ? (int)(slash - program) : 0;
    if (!slash || snprintf(path, size, "%.*s/%s", folder, program, IMAGE_MODULE_FILE) >= (int)size ||
        access(path, R_OK) != 0)
        snprintf(path, size, "%s", MODULEDIR "/" IMAGE_MODULE_FILE);
}

static int draw(const struct report *report, bool svg, FILE *out, struct error *error)
{
    static const struct image_module_contract ours = IMAGE_MODULE_CONTRACT;
    char path[PATHS_LENGTH];
    find_path(path, sizeof path);
    if (access(path, R_OK) != 0)
        return error_set(error, ERROR_UNSUPPORTED,
                         "this program was built without Pango; install Debian's libpango1.0-dev and build it again, "
                         "or save .html");
    void *module = dlopen(path, RTLD_NOW | RTLD_LOCAL); /* once loaded it stays */
    if (!module)
        return error_set(error, ERROR_UNSUPPORTED, "what draws pictures cannot be loaded: %s; save .html", dlerror());
    const void *contract = dlsym(module, "image_module_contract");
    void *symbol = dlsym(module, "format_image_draw");
    image_drawer *drawer;
    memcpy(&drawer, &symbol, sizeof drawer); /* ISO C has no conversion from an object's to a function's pointer */
    if (!contract || !symbol || memcmp(contract, &ours, sizeof ours) != 0)
        return error_set(error, ERROR_UNSUPPORTED,
                         "%s belongs to another version of this program; install both together", path);
    return drawer(report, svg, out, error);
}

int format_png(const struct report *report, FILE *out, struct error *error)
{
    return draw(report, false, out, error);
}

int format_svg(const struct report *report, FILE *out, struct error *error)
{
    return draw(report, true, out, error);
}
