#include "core/deletion.h"

#include <stdlib.h>

char *deletion_text(const char *text, size_t length, const struct span *spans, size_t count, size_t *kept)
{
    char *rest = malloc(length + 1);
    bool *gone = calloc(length + 1, sizeof *gone);
    *kept = 0;
    if (!rest || !gone) {
        free(rest);
        free(gone);
        return NULL;
    }
    for (size_t i = 0; i < count; i++)
        for (size_t at = spans[i].start; at < spans[i].end && at < length; at++)
            gone[at] = true;
    for (size_t at = 0; at < length; at++)
        if (!gone[at])
            rest[(*kept)++] = text[at];
    rest[*kept] = '\0';
    free(gone);
    return rest;
}
