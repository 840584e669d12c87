/* cards.c: which cards a name means.  Knows nothing about CUDA. */
#include "gpu/cards.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "gpu/module.h"
#include "gpu/several.h"

enum { ALL = -1, UNKNOWN = -2 };

/* The number in "cuda" (0) or "cuda:N", ALL or UNKNOWN. */
static int card_number(const char *name)
{
    const char *text = name + strlen("cuda");
    if (!*text)
        return 0;
    if (!strcmp(text, ":all"))
        return ALL;
    char *end = NULL;
    errno = 0;
    long number = *text == ':' && text[1] >= '0' && text[1] <= '9' ? strtol(text + 1, &end, 10) : -1;
    return number < 0 || *end || errno || number > INT_MAX ? UNKNOWN : (int)number;
}

static int open_all(const struct cuda_module *cuda, bool tf32, struct device **device, struct error *error)
{
    struct device *member[SEVERAL_MOST];
    int cards, opened = 0, code = cuda->count(&cards, error);
    for (int i = 0; code == 0 && i < cards && opened < SEVERAL_MOST; i++) {
        code = cuda->open(i, tf32, &member[opened], error);
        opened += code == 0;
        if (code == ERROR_DEVICE && (opened > 0 || i + 1 < cards)) /* an old card beside new ones is left out */
            code = 0;
    }
    if (code == 0 && opened > 1)
        return several_open(member, opened, device, error);
    for (; code < 0 && opened > 0; opened--)
        member[opened - 1]->ops->close(member[opened - 1]);
    if (code == 0)
        *device = member[0];
    return code;
}

int cards_open(const struct device_options *options, struct device **device, struct error *error)
{
    struct cuda_module cuda;
    int number = card_number(options->name), code;
    *device = NULL;
    if (number == UNKNOWN)
        return error_set(error, ERROR_ARGUMENT,
                         "unknown device \"%s\"; a card is \"cuda\" or \"cuda:N\", all are \"cuda:all\"",
                         options->name);
    if ((code = module_load_cuda(&cuda, error)) < 0)
        return code;
    return number == ALL ? open_all(&cuda, options->tf32, device, error)
                         : cuda.open(number, options->tf32, device, error);
}
