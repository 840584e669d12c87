#include "tui/history.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "tui/jsonl.h"
#include "tui/prompt.h"

enum { PROMPT_BYTES = 256 << 10, FILE_BYTES = 16 << 20, LOCK_TRIES = 20, LOCK_WAIT_NS = 5000000 };

void history_path(char *path, size_t size, const char *home, const char *state_home)
{
    int length = 0;
    *path = '\0';
    if (state_home && state_home[0] == '/') /* the XDG rule: a relative one is to be ignored */
        length = snprintf(path, size, "%s/atmanscope/history", state_home);
    else if (home && home[0] == '/')
        length = snprintf(path, size, "%s/.local/state/atmanscope/history", home);
    if (length < 0 || (size_t)length >= size)
        *path = '\0';
}

/* -- the list ------------------------------------------------------------------------------------------------------ */

static void free_entry(struct history_entry *entry)
{
    for (size_t i = 0; i < entry->image_count; i++)
        free(entry->images[i]);
    free(entry->images);
    free(entry->prompt);
}

static bool copy_entry(struct history_entry *entry, const char *prompt, size_t length, char *const *images,
                       size_t image_count)
{
    *entry = (struct history_entry){.prompt = strndup(prompt, length), .length = length, .unsaved = true};
    entry->images = calloc(image_count + 1, sizeof *entry->images);
    bool good = entry->prompt && entry->images;
    for (size_t i = 0; good && i < image_count; i++)
        if (images[i]) {
            entry->images[entry->image_count] = strdup(images[i]);
            good = entry->images[entry->image_count] != NULL;
            entry->image_count += good;
        }
    if (!good)
        free_entry(entry);
    return good;
}

static bool is_same(const struct history_entry *a, const struct history_entry *b)
{
    bool same =
        a->length == b->length && memcmp(a->prompt, b->prompt, a->length) == 0 && a->image_count == b->image_count;
    for (size_t i = 0; same && i < a->image_count; i++)
        same = strcmp(a->images[i], b->images[i]) == 0;
    return same;
}

static void take_out(struct history *history, size_t at)
{
    free_entry(&history->entries[at]);
    history->count--;
    memmove(history->entries + at, history->entries + at + 1, (history->count - at) * sizeof *history->entries);
}

/* Put an entry at the end; takes it over. */
static void put_last(struct history *history, struct history_entry entry)
{
    for (size_t i = 0; i < history->count; i++)
        if (is_same(&history->entries[i], &entry)) {
            take_out(history, i);
            break;
        }
    if (history->count == HISTORY_MOST)
        take_out(history, 0);
    history->entries[history->count++] = entry;
}

/* -- the file ------------------------------------------------------------------------------------------------------ */

static int take_line(void *data, const char *line, size_t length, size_t number, struct error *error)
{
    struct history *history = data;
    json_t *object = json_loadb(line, length, 0, NULL);
    const json_t *prompt = json_object_get(object, "prompt"), *images = json_object_get(object, "images");
    char *paths[64];
    size_t count = 0;
    struct history_entry entry;
    (void)number;
    (void)error;
    for (size_t i = 0; i < json_array_size(images) && count < sizeof paths / sizeof *paths; i++)
        if (json_is_string(json_array_get(images, i)))
            paths[count++] = (char *)json_string_value(json_array_get(images, i));
    if (json_string_length(prompt) > 0 &&
        copy_entry(&entry, json_string_value(prompt), json_string_length(prompt), paths, count)) {
        entry.unsaved = false;
        put_last(history, entry);
    }
    json_decref(object);
    return 0;
}

/* Lines that are no entries are left out. */
static void read_file(struct history *history)
{
    struct stat found;
    char *text = NULL;
    size_t length;
    if (stat(history->path, &found) != 0 || !S_ISREG(found.st_mode) || found.st_size > 2 * (off_t)FILE_BYTES ||
        prompt_read_file(history->path, &text, &length, NULL) != 0)
        return;
    jsonl_each(history->path, text, length, take_line, history, NULL);
    free(text);
}

/* A line of the file, malloced; NULL: it cannot be one. */
static char *line_of(const struct history_entry *entry)
{
    json_t *object = json_object(), *images = json_array();
    for (size_t i = 0; i < entry->image_count; i++)
        json_array_append_new(images, json_string(entry->images[i]));
    json_object_set_new(object, "prompt", json_stringn(entry->prompt, entry->length));
    if (json_array_size(images) > 0)
        json_object_set(object, "images", images);
    char *line = json_object_get(object, "prompt") ? json_dumps(object, JSON_COMPACT) : NULL;
    json_decref(images);
    json_decref(object);
    return line;
}

/* All lines, the oldest left out where they are too many bytes, under another name first. */
static bool write_file(const struct history *history)
{
    char temporary[PATHS_LENGTH + 8], *lines[HISTORY_MOST];
    size_t first = history->count, bytes = 0;
    snprintf(temporary, sizeof temporary, "%s.XXXXXX", history->path);
    int fd = mkstemp(temporary); /* readable by its owner only */
    FILE *file = fd < 0 ? NULL : fdopen(fd, "w");
    while (file && first > 0 && bytes < FILE_BYTES) {
        first--;
        lines[first] = line_of(&history->entries[first]);
        bytes += lines[first] ? strlen(lines[first]) : 0;
    }
    for (size_t i = first; file && i < history->count; i++) {
        if (lines[i])
            fprintf(file, "%s\n", lines[i]);
        free(lines[i]);
    }
    bool good = file && !ferror(file);
    if (fd >= 0 && !file)
        close(fd);
    good = file && fclose(file) == 0 && good;
    good = good && rename(temporary, history->path) == 0;
    if (fd >= 0 && !good)
        unlink(temporary);
    return good;
}

/* The folder of the file, and those above it. */
static void make_folders(const char *path)
{
    char folder[PATHS_LENGTH];
    snprintf(folder, sizeof folder, "%s", path);
    for (char *slash = strchr(folder + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        mkdir(folder, 0700);
        *slash = '/';
    }
}

/* A descriptor to be closed that holds the lock of the file, or -1. */
static int lock(const struct history *history)
{
    char name[PATHS_LENGTH + 8];
    snprintf(name, sizeof name, "%s.lock", history->path);
    int fd = open(name, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    for (int i = 0; fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) != 0; i++) {
        if (i == LOCK_TRIES || (errno != EWOULDBLOCK && errno != EINTR)) {
            close(fd);
            return -1;
        }
        nanosleep(&(struct timespec){0, LOCK_WAIT_NS}, NULL);
    }
    return fd;
}

/* What others wrote meanwhile stays, ours comes behind it. */
static void save(struct history *history)
{
    struct history fresh = {.entries = calloc(HISTORY_MOST, sizeof *fresh.entries)};
    int fd = -1;
    if (!fresh.entries)
        return;
    memcpy(fresh.path, history->path, sizeof fresh.path);
    make_folders(history->path);
    if ((fd = lock(history)) < 0) {
        free(fresh.entries);
        return;
    }
    read_file(&fresh);
    for (size_t i = 0; i < history->count; i++) {
        struct history_entry *entry = &history->entries[i], copy;
        if (entry->unsaved && copy_entry(&copy, entry->prompt, entry->length, entry->images, entry->image_count))
            put_last(&fresh, copy);
    }
    if (write_file(&fresh)) {
        for (size_t i = 0; i < fresh.count; i++)
            fresh.entries[i].unsaved = false;
        history_close(history);
        *history = fresh;
    } else {
        history_close(&fresh);
    }
    close(fd);
}

/* -- for all ------------------------------------------------------------------------------------------------------- */

void history_open(struct history *history, const char *path)
{
    *history = (struct history){.entries = calloc(HISTORY_MOST, sizeof *history->entries)};
    if (!history->entries || !path || !*path || strlen(path) >= sizeof history->path)
        return;
    memcpy(history->path, path, strlen(path) + 1);
    read_file(history);
}

void history_close(struct history *history)
{
    while (history->count > 0)
        take_out(history, history->count - 1);
    free(history->entries);
    history->entries = NULL;
}

void history_add(struct history *history, const char *prompt, size_t length, char *const *images, size_t image_count)
{
    struct history_entry entry;
    if (!history->entries || length == 0 || length > PROMPT_BYTES ||
        !copy_entry(&entry, prompt, length, images, image_count))
        return;
    const struct history_entry *last = history->count > 0 ? &history->entries[history->count - 1] : NULL;
    if (last && !last->unsaved && is_same(last, &entry)) {
        free_entry(&entry);
        return;
    }
    put_last(history, entry);
    if (history->path[0])
        save(history);
}
