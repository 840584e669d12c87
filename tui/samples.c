#include "tui/samples.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SAMPLES_MOST = 1 << 20 }; /* bytes */

void samples_read(struct samples *samples, const char *path)
{
    *samples = (struct samples){0};
    FILE *file = path ? fopen(path, "r") : NULL;
    if (!file)
        return;
    samples->text = malloc(SAMPLES_MOST + 1);
    if (samples->text) {
        samples->length = fread(samples->text, 1, SAMPLES_MOST, file);
        samples->text[samples->length] = '\0';
    }
    fclose(file);
}

void samples_free(struct samples *samples)
{
    free(samples->text);
    *samples = (struct samples){0};
}

const char *samples_next(struct samples *samples, size_t *length)
{
    if (samples->length == 0)
        return NULL;
    if (samples->next >= samples->length)
        samples->next = 0;
    const char *first = samples->text + samples->next, *end = strstr(first, "\n--\n");
    *length = end ? (size_t)(end - first) : strlen(first);
    samples->next = end ? samples->next + *length + 4 : samples->length;
    while (*length > 0 && first[*length - 1] == '\n')
        --*length;
    return *length > 0 ? first : NULL;
}
