#include "tui/paths.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

static const char SHIPPED[] = "demo.gguf";

void paths_init(struct paths *paths, const char *home, const char *data_home)
{
    memset(paths, 0, sizeof *paths);
    int length = 0;
    /* the XDG rule: a relative XDG_DATA_HOME is to be ignored */
    if (data_home && data_home[0] == '/')
        length = snprintf(paths->models, sizeof paths->models, "%s/atmanscope/models", data_home);
    else if (home && *home)
        length = snprintf(paths->models, sizeof paths->models, "%s/.local/share/atmanscope/models", home);
    if (length < 0 || (size_t)length >= sizeof paths->models)
        paths->models[0] = '\0';
    ssize_t n = readlink("/proc/self/exe", paths->program, sizeof paths->program - 1);
    paths->program[n < 0 ? 0 : n] = '\0';
    char *slash = strrchr(paths->program, '/');
    if (slash)
        *slash = '\0';
}

static bool is_file(const char *path)
{
    struct stat found;
    return stat(path, &found) == 0 && S_ISREG(found.st_mode);
}

static bool ends_with_gguf(const char *name)
{
    size_t length = strlen(name);
    return length > 5 && strcasecmp(name + length - 5, ".gguf") == 0;
}

/* Whether a file may be the vision tower of the model `stem` (NULL: of any). */
static bool is_tower_name(const char *name, const char *stem, size_t length)
{
    if (!ends_with_gguf(name))
        return false;
    if (strncasecmp(name, "mmproj", 6) == 0)
        return true;
    return stem ? strncmp(name, stem, length) == 0 && strncasecmp(name + length, "-mmproj", 7) == 0
                : strcasestr(name, "-mmproj") != NULL;
}

/* A file that can be opened as a model: no vision tower, and no later shard of a set. */
static bool is_model_name(const char *name)
{
    if (!ends_with_gguf(name) || is_tower_name(name, NULL, 0))
        return false;
    const char *of = strstr(name, "-of-");
    if (!of || of - name < 6)
        return true;
    for (int i = 1; i <= 5; i++)
        if (!isdigit((unsigned char)of[-i]))
            return true;
    return strncmp(of - 5, "00001", 5) == 0;
}

/* The shipped model: beside the program in the build tree, else where it is installed (also when moved as a whole). */
static int shipped(const struct paths *paths, char *path, size_t size)
{
    const char *const folders[] = {"/assets", "/../share/atmanscope"};
    for (size_t i = 0; paths->program[0] && i < sizeof folders / sizeof *folders; i++) {
        int length = snprintf(path, size, "%s%s/%s", paths->program, folders[i], SHIPPED);
        if (length > 0 && (size_t)length < size && is_file(path))
            return 0;
    }
    snprintf(path, size, "%s/%s", PKGDATADIR, SHIPPED);
    return is_file(path) ? 0 : ERROR_IO;
}

bool paths_samples(const struct paths *paths, const char *model, char *path, size_t size)
{
    const char *const name = model ? "prompts-text.txt" : "prompts.txt";
    if (shipped(paths, path, size) != 0)
        return false;
    char *behind = strrchr(path, '/') + 1;
    size_t room = size - (size_t)(behind - path);
    return (size_t)snprintf(behind, room, "%s", name) < room && is_file(path);
}

static int entry_order(const void *a, const void *b)
{
    const struct paths_entry *x = a, *y = b;
    int order = strcasecmp(x->name, y->name);
    return order ? order : strcmp(x->name, y->name);
}

static bool list_add(struct paths_entry **entries, size_t *count, const char *name, const char *path)
{
    struct paths_entry *grown = realloc(*entries, (*count + 1) * sizeof *grown);
    if (!grown)
        return false;
    *entries = grown;
    struct stat found;
    struct paths_entry entry = {strdup(name), strdup(path), stat(path, &found) == 0 ? (size_t)found.st_size : 0};
    if (!entry.name || !entry.path) {
        free(entry.name);
        free(entry.path);
        return false;
    }
    if (ends_with_gguf(entry.name))
        entry.name[strlen(entry.name) - 5] = '\0';
    grown[(*count)++] = entry;
    return true;
}

/* Add the models of the user's folder, in order.  A folder that is not there holds none. */
static bool list_folder(const char *folder, struct paths_entry **entries, size_t *count)
{
    DIR *directory = *folder ? opendir(folder) : NULL;
    if (!directory)
        return true;
    size_t first = *count;
    bool good = true;
    for (struct dirent *d; good && (d = readdir(directory));) {
        char path[2 * PATHS_LENGTH];
        snprintf(path, sizeof path, "%s/%s", folder, d->d_name);
        if (d->d_name[0] != '.' && is_model_name(d->d_name) && is_file(path))
            good = list_add(entries, count, d->d_name, path);
    }
    closedir(directory);
    if (*count > first)
        qsort(*entries + first, *count - first, sizeof **entries, entry_order);
    return good;
}

int paths_list(const struct paths *paths, struct paths_entry **entries, size_t *count, struct error *error)
{
    *entries = NULL;
    *count = 0;
    char path[PATHS_LENGTH];
    bool good = true;
    if (shipped(paths, path, sizeof path) == 0)
        good = list_add(entries, count, SHIPPED, path);
    if (good && list_folder(paths->models, entries, count))
        return 0;
    paths_list_free(*entries, *count);
    *entries = NULL;
    *count = 0;
    return error_set(error, ERROR_MEMORY, "out of memory");
}

void paths_list_free(struct paths_entry *entries, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        free(entries[i].name);
        free(entries[i].path);
    }
    free(entries);
}

/* How well an entry fits a name of that length: 0 not at all, 1 a part, 2 the beginning, 3 the whole of it. */
static int fit(const char *entry, const char *name, size_t length)
{
    if (length == 0)
        return 0;
    if (strncasecmp(entry, name, length) == 0)
        return entry[length] ? 2 : 3;
    size_t all = strlen(entry);
    for (size_t i = 1; i + length <= all; i++)
        if (strncasecmp(entry + i, name, length) == 0)
            return 1;
    return 0;
}

static int copy_path(char *path, size_t size, const char *from, struct error *error)
{
    if ((size_t)snprintf(path, size, "%s", from) >= size)
        return error_set(error, ERROR_LIMIT, "%s: the path is too long; move the file", from);
    return 0;
}

static int choose(const struct paths *paths, const struct paths_entry *entries, size_t count, const char *name,
                  char *path, size_t size, struct error *error)
{
    size_t length = strlen(name) - (ends_with_gguf(name) ? 5 : 0);
    int best = 0, equals = 0;
    size_t chosen = 0, second = 0;
    for (size_t i = 0; i < count; i++) {
        int f = fit(entries[i].name, name, length);
        if (f > best) {
            best = f;
            equals = 1;
            chosen = i;
        } else if (f && f == best) {
            equals++;
            second = i;
        }
    }
    if (best == 0)
        return error_set(error, ERROR_IO,
                         "%s: no such file, and no model of that name in %s; give the path of a GGUF file",
                         *name ? name : "\"\"", paths->models[0] ? paths->models : "the data folder (HOME is not set)");
    if (equals > 1)
        return error_set(error, ERROR_ARGUMENT, "%s: %d models fit, among them %s and %s; write more of the name", name,
                         equals, entries[chosen].name, entries[second].name);
    return copy_path(path, size, entries[chosen].path, error);
}

int paths_model(const struct paths *paths, const char *name, char *path, size_t size, struct error *error)
{
    if (!name) {
        if (shipped(paths, path, size) == 0)
            return 0;
        return error_set(error, ERROR_IO, "the shipped model is missing; name a GGUF file with -m");
    }
    struct stat found;
    int missing = stat(name, &found) == 0 ? 0 : errno;
    if (!missing && S_ISREG(found.st_mode))
        return copy_path(path, size, name, error);
    if (missing && (strchr(name, '/') || missing != ENOENT))
        return error_set(error, ERROR_IO, "%s: %s; give the path of a GGUF file", name,
                         missing == ENOENT ? "no such file" : strerror(missing));
    struct paths_entry *entries = NULL;
    size_t count = 0;
    int code = strchr(name, '/') ? ERROR_IO : paths_list(paths, &entries, &count, error);
    if (code == 0)
        code = choose(paths, entries, count, name, path, size, error);
    paths_list_free(entries, count);
    if (code == ERROR_IO && !missing)
        code = S_ISDIR(found.st_mode)
                   ? error_set(error, code, "%s: is a folder; give the path of a GGUF file in it", name)
                   : error_set(error, code, "%s: is no regular file; give the path of a GGUF file", name);
    return code;
}

int paths_mmproj(const char *model, char *path, size_t size, struct error *error)
{
    const char *slash = strrchr(model, '/'), *name = slash ? slash + 1 : model;
    size_t length = strlen(name) - (ends_with_gguf(name) ? 5 : 0);
    char folder[PATHS_LENGTH], found[2][256];
    int best = 0, count = 0; /* the model's own, by name, go before those that may be any model's */
    *path = '\0';
    snprintf(folder, sizeof folder, "%.*s", slash ? (int)(slash - model) + 1 : 2, slash ? model : "./");
    DIR *directory = opendir(folder);
    for (struct dirent *d; directory && (d = readdir(directory));) {
        if (!is_tower_name(d->d_name, name, length))
            continue;
        int f = strncasecmp(d->d_name, "mmproj", 6) == 0 ? 1 : 2;
        if (f > best)
            count = 0;
        best = f > best ? f : best;
        if (f == best && count++ < 2)
            snprintf(found[count - 1], sizeof *found, "%s", d->d_name);
    }
    if (directory)
        closedir(directory);
    if (count > 1)
        return error_set(error, ERROR_ARGUMENT,
                         "%d vision towers lie beside %s, among them %s and %s; choose one with --mmproj", count, model,
                         found[0], found[1]);
    if (count == 1 && (size_t)snprintf(path, size, "%s%s", slash ? folder : "", found[0]) >= size)
        return error_set(error, ERROR_LIMIT, "%s%s: the path is too long; move the file", folder, found[0]);
    return 0;
}
