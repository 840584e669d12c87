#include "tui/dataset.h"

#include <stdlib.h>
#include <string.h>

#include "tui/jsonl.h"
#include "tui/prompt.h"

static int no_memory(struct error *error)
{
    return error_set(error, ERROR_MEMORY, "out of memory");
}

/* -- truth --------------------------------------------------------------------------------------------------------- */

static int read_spans(const json_t *truth, struct dataset_case *c, struct error *error)
{
    const json_t *array;
    int code = jsonl_array(truth, "spans", &array, error);
    if (code || !array)
        return code;
    size_t n = json_array_size(array), length = strlen(c->prompt);
    c->spans = malloc(n * sizeof *c->spans);
    if (!c->spans)
        return no_memory(error);
    for (; c->span_count < n; c->span_count++) {
        double span[2];
        if (!jsonl_numbers(json_array_get(array, c->span_count), 2, span) || !(span[0] >= 0) || !(span[0] < span[1]) ||
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
    int code = jsonl_array(truth, "rects", &array, error);
    if (code || !array)
        return code;
    size_t n = json_array_size(array);
    c->rects = malloc(n * sizeof *c->rects);
    if (!c->rects)
        return no_memory(error);
    for (; c->rect_count < n; c->rect_count++) {
        double r[5];
        if (!jsonl_numbers(json_array_get(array, c->rect_count), 5, r) || !(r[0] >= 0) ||
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
    int code = jsonl_array(truth, "masks", &array, error);
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
            code = jsonl_file(json_array_get(array, i), "masks", folder, &c->masks[i], error);
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

static int read_case(const json_t *object, const char *folder, struct dataset_case *c, struct error *error)
{
    const json_t *truth = json_object_get(object, "truth");
    int code;
    if ((code = jsonl_id(object, c->line, &c->id, error)) || (code = jsonl_text(object, "prompt", &c->prompt, error)) ||
        (code = jsonl_text(object, "target", &c->target, error)) ||
        (code = jsonl_text(object, "answer", &c->answer, error)))
        return code;
    if (!c->prompt)
        return error_set(error, ERROR_FORMAT, "\"prompt\" is missing");
    if ((code = jsonl_files(object, "images", folder, &c->images, &c->image_count, error)) || !truth ||
        json_is_null(truth))
        return code;
    if (!json_is_object(truth))
        return error_set(error, ERROR_FORMAT,
                         "\"truth\" is no object; write {\"spans\": ...}, {\"rects\": ...} or {\"masks\": ...}");
    if ((code = read_spans(truth, c, error)) || (code = read_rects(truth, c, error)))
        return code;
    return read_masks(truth, folder, c, error);
}

/* What lines are read into. */
struct reading {
    struct dataset *dataset;
    const char *folder;
    size_t most; /* 0: all */
};

static int add_line(void *data, const char *line, size_t length, size_t number, struct error *error)
{
    const struct reading *r = data;
    struct dataset *d = r->dataset;
    struct dataset_case *grown = realloc(d->cases, (d->count + 1) * sizeof *grown);
    if (!grown)
        return no_memory(error);
    d->cases = grown;
    struct dataset_case *c = &d->cases[d->count++];
    *c = (struct dataset_case){.line = number};
    json_t *object;
    int code = jsonl_object(line, length, 0, &object, error);
    if (code == 0)
        code = read_case(object, r->folder, c, error);
    json_decref(object);
    return code ? code : d->count == r->most;
}

int dataset_read(const char *path, size_t most, struct dataset *d, struct error *error)
{
    char *text = NULL, *folder = jsonl_folder(path);
    size_t length = 0;
    *d = (struct dataset){0};
    int code = folder ? prompt_read_file(path, &text, &length, error) : no_memory(error);
    if (code == 0)
        code = jsonl_each(path, text, length, add_line, &(struct reading){d, folder, most}, error);
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
