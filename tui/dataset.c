#include "tui/dataset.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tui/prompt.h"

static int no_memory(struct error *error)
{
    return error_set(error, ERROR_MEMORY, "out of memory");
}

/* -- texts and files ----------------------------------------------------------------------------------------------- */

/* The string of a key, malloced; *text stays NULL where it is missing or null. */
static int read_text(const json_t *object, const char *key, char **text, struct error *error)
{
    const json_t *value = json_object_get(object, key);
    if (!value || json_is_null(value))
        return 0;
    if (!json_is_string(value) || json_string_length(value) == 0)
        return error_set(error, ERROR_FORMAT, "\"%s\" is no text", key);
    *text = strdup(json_string_value(value));
    return *text ? 0 : no_memory(error);
}

/* The path of a file named in a data set in `folder`, malloced. */
static int read_path(const char *folder, const json_t *value, const char *key, char **path, struct error *error)
{
    const char *name = json_string_value(value);
    if (!name || !*name)
        return error_set(error, ERROR_FORMAT, "\"%s\" holds what is no file's name", key);
    size_t size = strlen(folder) + strlen(name) + 2;
    *path = malloc(size);
    if (!*path)
        return no_memory(error);
    snprintf(*path, size, "%s%s%s", *name == '/' ? "" : folder, *name == '/' || !*folder ? "" : "/", name);
    return access(*path, R_OK) == 0 ? 0 : error_set(error, ERROR_IO, "%s: cannot open: %s", *path, strerror(errno));
}

/* An array of a key, or NULL where it is missing or empty. */
static int read_array(const json_t *object, const char *key, const json_t **array, struct error *error)
{
    const json_t *value = json_object_get(object, key);
    *array = json_array_size(value) > 0 ? value : NULL;
    return !value || json_is_null(value) || json_is_array(value)
               ? 0
               : error_set(error, ERROR_FORMAT, "\"%s\" is no array", key);
}

static int read_images(const json_t *object, const char *folder, struct dataset_case *c, struct error *error)
{
    const json_t *array;
    int code = read_array(object, "images", &array, error);
    if (code || !array)
        return code;
    c->images = calloc(json_array_size(array), sizeof *c->images);
    if (!c->images)
        return no_memory(error);
    for (size_t i = 0; code == 0 && i < json_array_size(array); i++, c->image_count++)
        code = read_path(folder, json_array_get(array, i), "images", &c->images[i], error);
    return code;
}

/* -- truth --------------------------------------------------------------------------------------------------------- */

/* n numbers of an array. */
static bool read_numbers(const json_t *array, size_t n, double *numbers)
{
    bool good = json_array_size(array) == n;
    for (size_t i = 0; good && i < n; i++) {
        good = json_is_number(json_array_get(array, i));
        numbers[i] = json_number_value(json_array_get(array, i));
    }
    return good;
}

static int read_spans(const json_t *truth, struct dataset_case *c, struct error *error)
{
    const json_t *array;
    int code = read_array(truth, "spans", &array, error);
    if (code || !array)
        return code;
    size_t n = json_array_size(array), length = strlen(c->prompt);
    c->spans = malloc(n * sizeof *c->spans);
    if (!c->spans)
        return no_memory(error);
    for (; c->span_count < n; c->span_count++) {
        double span[2];
        if (!read_numbers(json_array_get(array, c->span_count), 2, span) || !(span[0] >= 0) || !(span[0] < span[1]) ||
            !(span[1] <= (double)length))
            return error_set(error, ERROR_FORMAT,
                             "\"spans\" number %zu is not [start, end] in bytes of the prompt, which has %zu",
                             c->span_count + 1, length);
        c->spans[c->span_count] = (struct dataset_span){(size_t)span[0], (size_t)span[1]};
    }
    return 0;
}

static int read_rects(const json_t *truth, struct dataset_case *c, struct error *error)
{
    const json_t *array;
    int code = read_array(truth, "rects", &array, error);
    if (code || !array)
        return code;
    size_t n = json_array_size(array);
    c->rects = malloc(n * sizeof *c->rects);
    if (!c->rects)
        return no_memory(error);
    for (; c->rect_count < n; c->rect_count++) {
        double r[5];
        if (!read_numbers(json_array_get(array, c->rect_count), 5, r) || !(r[0] >= 0) ||
            !(r[0] < (double)c->image_count) || r[0] != (double)(int)r[0] || !(r[3] > 0) || !(r[4] > 0))
            return error_set(
                error, ERROR_FORMAT,
                "\"rects\" number %zu is not [image, x, y, width, height] of one of the case's %zu pictures",
                c->rect_count + 1, c->image_count);
        c->rects[c->rect_count] = (struct dataset_rect){(int)r[0], r[1], r[2], r[3], r[4]};
    }
    return 0;
}

static int read_masks(const json_t *truth, const char *folder, struct dataset_case *c, struct error *error)
{
    const json_t *array;
    int code = read_array(truth, "masks", &array, error);
    if (code || !array)
        return code;
    if (json_array_size(array) != c->image_count)
        return error_set(error, ERROR_FORMAT, "there are %zu \"masks\" for %zu pictures; give one each, or null",
                         json_array_size(array), c->image_count);
    c->masks = calloc(c->image_count, sizeof *c->masks);
    if (!c->masks)
        return no_memory(error);
    for (size_t i = 0; code == 0 && i < c->image_count; i++)
        if (!json_is_null(json_array_get(array, i)))
            code = read_path(folder, json_array_get(array, i), "masks", &c->masks[i], error);
    return code;
}

/* -- cases --------------------------------------------------------------------------------------------------------- */

static void case_free(struct dataset_case *c)
{
    for (size_t i = 0; i < c->image_count; i++) {
        free(c->images[i]);
        free(c->masks ? c->masks[i] : NULL);
    }
    free(c->id);
    free(c->prompt);
    free(c->target);
    free(c->answer);
    free(c->images);
    free(c->masks);
    free(c->spans);
    free(c->rects);
}

/* "id" may be a text or a whole number. */
static int read_id(const json_t *object, struct dataset_case *c, struct error *error)
{
    const json_t *id = json_object_get(object, "id");
    char number[40];
    if (id && !json_is_null(id) && !json_is_integer(id))
        return read_text(object, "id", &c->id, error);
    if (json_is_integer(id))
        snprintf(number, sizeof number, "%" JSON_INTEGER_FORMAT, json_integer_value(id));
    else
        snprintf(number, sizeof number, "line %zu", c->line);
    c->id = strdup(number);
    return c->id ? 0 : no_memory(error);
}

static int read_case(const json_t *object, const char *folder, struct dataset_case *c, struct error *error)
{
    const json_t *truth = json_object_get(object, "truth");
    int code;
    if (!json_is_object(object))
        return error_set(error, ERROR_FORMAT, "no object; write one {\"prompt\": ...} a line");
    if ((code = read_id(object, c, error)) || (code = read_text(object, "prompt", &c->prompt, error)) ||
        (code = read_text(object, "target", &c->target, error)) ||
        (code = read_text(object, "answer", &c->answer, error)))
        return code;
    if (!c->prompt)
        return error_set(error, ERROR_FORMAT, "\"prompt\" is missing");
    if ((code = read_images(object, folder, c, error)) || !truth || json_is_null(truth))
        return code;
    if (!json_is_object(truth))
        return error_set(error, ERROR_FORMAT,
                         "\"truth\" is no object; write {\"spans\": ...}, {\"rects\": ...} or {\"masks\": ...}");
    if ((code = read_spans(truth, c, error)) || (code = read_rects(truth, c, error)))
        return code;
    return read_masks(truth, folder, c, error);
}

static int add_line(struct dataset *d, const char *line, size_t length, size_t number, const char *folder,
                    struct error *error)
{
    struct dataset_case *grown = realloc(d->cases, (d->count + 1) * sizeof *grown);
    if (!grown)
        return no_memory(error);
    d->cases = grown;
    struct dataset_case *c = &d->cases[d->count++];
    *c = (struct dataset_case){.line = number};
    json_error_t where;
    json_t *object = json_loadb(line, length, 0, &where);
    int code = object ? read_case(object, folder, c, error)
                      : error_set(error, ERROR_FORMAT, "no JSON: %s; write one {\"prompt\": ...} a line", where.text);
    json_decref(object);
    return code;
}

/* The folder of path, malloced; "" for the current one. */
static char *folder_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash == path ? strdup("/") : strndup(path, slash ? (size_t)(slash - path) : 0);
}

int dataset_read(const char *path, size_t most, struct dataset *d, struct error *error)
{
    char *text = NULL, *folder = folder_of(path);
    size_t length = 0, number = 0;
    *d = (struct dataset){0};
    int code = folder ? prompt_read_file(path, &text, &length, error) : no_memory(error);
    for (const char *line = text, *end; code == 0 && line < text + length && !(most && d->count == most);
         line = end + 1) {
        end = memchr(line, '\n', (size_t)(text + length - line));
        if (!end)
            end = text + length;
        number++;
        if (strspn(line, " \t\r") >= (size_t)(end - line))
            continue;
        code = add_line(d, line, (size_t)(end - line), number, folder, error);
        if (code)
            code = error_add(error, code, "%s: line %zu", path, number);
    }
    if (code == 0 && d->count == 0)
        code = error_set(error, ERROR_FORMAT, "%s: holds no case; write one {\"prompt\": ...} a line", path);
    if (code)
        dataset_free(d);
    free(folder);
    free(text);
    return code;
}

void dataset_free(struct dataset *d)
{
    for (size_t i = 0; i < d->count; i++)
        case_free(&d->cases[i]);
    free(d->cases);
    *d = (struct dataset){0};
}
