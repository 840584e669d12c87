#include "tui/samples.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SAMPLES_MOST = 1 << 20 }; /* bytes */

void samples_read(struct samples *samples, const char *path)
{
    *samples = (struct samples){.folder = path};
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

/* Take the lines that name pictures from the beginning of a block. */
static void take_images(struct sample *sample)
{
    static const char word[] = "image: ";
    while (sample->image_count < SAMPLE_IMAGES && sample->length > sizeof word &&
           strncmp(sample->text, word, sizeof word - 1) == 0) {
        const char *path = sample->text + sizeof word - 1, *end = sample->text + sample->length;
        const char *line = memchr(path, '\n', (size_t)(end - path));
        line = line ? line : end;
        sample->images[sample->image_count++] = (struct sample_path){path, (size_t)(line - path)};
        sample->text = line < end ? line + 1 : end;
        sample->length = (size_t)(end - sample->text);
    }
}

bool samples_next(struct samples *samples, struct sample *sample)
{
    if (samples->length == 0)
        return false;
    if (samples->next >= samples->length)
        samples->next = 0;
    const char *first = samples->text + samples->next, *end = strstr(first, "\n--\n");
    *sample = (struct sample){.text = first, .length = end ? (size_t)(end - first) : strlen(first)};
    samples->next = end ? samples->next + sample->length + 4 : samples->length;
    take_images(sample);
    while (sample->length > 0 && sample->text[sample->length - 1] == '\n')
        --sample->length;
    return sample->length > 0;
}

bool samples_path(const struct samples *samples, const struct sample_path *image, char *path, size_t size)
{
    const char *slash = strrchr(samples->folder, '/');
    int folder = slash && image->path[0] != '/' ? (int)(slash - samples->folder) + 1 : 0;
    int length = snprintf(path, size, "%.*s%.*s", folder, samples->folder, (int)image->length, image->path);
    return length > 0 && (size_t)length < size;
}
