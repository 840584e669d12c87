#include "tui/jsonl.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int no_memory(struct error *error)
{
    return error_set(error, ERROR_MEMORY, "out of memory");
}

/* -- lines --------------------------------------------------------------------------------------------------------- */

int jsonl_each(const char *path, const char *text, size_t length, jsonl_taker *take, void *data, struct error *error)
{
    size_t number = 0;
    for (const char *line = text, *end; line < text + length; line = end + 1) {
        end = memchr(line, '\n', (size_t)(text + length - line));
        if (!end)
            end = text + length;
        number++;
        if (strspn(line, " \t\r") >= (size_t)(end - line))
            continue;
        int code = take(data, line, (size_t)(end - line), number, error);
        if (code > 0)
            break;
        if (code < 0)
            return error_add(error, code, "%s: line %zu", path, number);
    }
    return 0;
}

int jsonl_object(const char *line, size_t length, size_t flags, json_t **object, struct error *error)
{
    json_error_t where;
    *object = json_loadb(line, length, flags, &where);
    if (!*object)
        return error_set(error, ERROR_FORMAT, "no JSON: %s; write one {\"prompt\": ...} a line", where.text);
    if (json_is_object(*object))
        return 0;
    json_decref(*object);
    *object = NULL;
    return error_set(error, ERROR_FORMAT, "no object; write one {\"prompt\": ...} a line");
}

/* -- values -------------------------------------------------------------------------------------------------------- */

int jsonl_text(const json_t *object, const char *key, char **text, struct error *error)
{
    const json_t *value = json_object_get(object, key);
    if (!value || json_is_null(value))
        return 0;
    if (!json_is_string(value) || json_string_length(value) == 0)
        return error_set(error, ERROR_FORMAT, "\"%s\" is no text", key);
    *text = strdup(json_string_value(value));
    return *text ? 0 : no_memory(error);
}

int jsonl_id(const json_t *object, size_t line, char **text, struct error *error)
{
    const json_t *id = json_object_get(object, "id");
    char number[40];
    if (id && !json_is_null(id) && !json_is_integer(id))
        return jsonl_text(object, "id", text, error);
    if (json_is_integer(id))
        snprintf(number, sizeof number, "%" JSON_INTEGER_FORMAT, json_integer_value(id));
    else
        snprintf(number, sizeof number, "line %zu", line);
    *text = strdup(number);
    return *text ? 0 : no_memory(error);
}

int jsonl_array(const json_t *object, const char *key, const json_t **array, struct error *error)
{
    const json_t *value = json_object_get(object, key);
    *array = json_array_size(value) > 0 ? value : NULL;
    return !value || json_is_null(value) || json_is_array(value)
               ? 0
               : error_set(error, ERROR_FORMAT, "\"%s\" is no array", key);
}

bool jsonl_numbers(const json_t *array, size_t n, double *numbers)
{
    bool good = json_array_size(array) == n;
    for (size_t i = 0; good && i < n; i++) {
        good = json_is_number(json_array_get(array, i));
        numbers[i] = json_number_value(json_array_get(array, i));
    }
    return good;
}

/* -- files --------------------------------------------------------------------------------------------------------- */

char *jsonl_folder(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash == path ? strdup("/") : strndup(path, slash ? (size_t)(slash - path) : 0);
}

int jsonl_file(const json_t *value, const char *key, const char *folder, char **path, struct error *error)
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

int jsonl_files(const json_t *object, const char *key, const char *folder, char ***paths, size_t *count,
                struct error *error)
{
    const json_t *array;
    int code = jsonl_array(object, key, &array, error);
    if (code || !array)
        return code;
    *paths = calloc(json_array_size(array), sizeof **paths);
    if (!*paths)
        return no_memory(error);
    for (size_t i = 0; code == 0 && i < json_array_size(array); i++, ++*count)
        code = jsonl_file(json_array_get(array, i), key, folder, &(*paths)[i], error);
    return code;
}
