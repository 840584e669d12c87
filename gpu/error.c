#include "gpu/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Messages quote file contents and user input: nothing in them may move a terminal's cursor. */
static void make_visible(char *text)
{
    for (unsigned char *p = (unsigned char *)text; *p; p++)
        if (*p < 0x20 || *p == 0x7f)
            *p = '?';
}

int error_set(struct error *error, int code, const char *format, ...)
{
    if (error) {
        va_list arguments;
        va_start(arguments, format);
        vsnprintf(error->message, sizeof error->message, format, arguments);
        va_end(arguments);
        error->code = code;
        make_visible(error->message);
    }
    return code;
}

int error_add(struct error *error, int code, const char *format, ...)
{
    if (!error)
        return code;
    char old[sizeof error->message];
    memcpy(old, error->message, sizeof old);
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(error->message, sizeof error->message, format, arguments);
    va_end(arguments);
    int room = (int)sizeof error->message - length;
    if (length >= 0 && room > 3)
        snprintf(error->message + length, (size_t)room, ": %.*s", room - 3, old);
    make_visible(error->message);
    return code;
}
