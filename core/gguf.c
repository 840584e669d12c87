/* gguf.c: a model's file or files, opened, checked and looked up.
 *
 * Maps the files read-only and leaves their bytes to gguf_part.c.  Adds what concerns all shards together, the index of
 * tensors by name, and typed access to the metadata.
 *
 * A mapped file that somebody shortens while it is open raises SIGBUS at the next access to the missing pages.  Reading
 * everything beforehand would double the memory; so this stays a crash, on which tui/ restores the terminal. */
#include "core/gguf.h"

#include "core/gguf_part.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SHARDS_MAX = 1024 };

struct gguf {
    char *path;
    int shards; /* parts in use */
    struct gguf_part *part;
    void **map; /* [shards] to be unmapped; NULL for memory of the caller's */
    size_t tensors;
    const struct gguf_tensor **tensor;  /* of all shards, in the order of the files */
    const struct gguf_tensor **by_name; /* sorted */
};

/* -- files --------------------------------------------------------------------------------------------------------- */

static int map_descriptor(int descriptor, void **map, size_t *size, struct error *error)
{
    struct stat status;
    if (fstat(descriptor, &status))
        return error_set(error, ERROR_IO, "%s", strerror(errno));
    if (S_ISDIR(status.st_mode))
        return error_set(error, ERROR_IO, "is a directory; name the .gguf file itself");
    if (!S_ISREG(status.st_mode))
        return error_set(error, ERROR_IO, "is not a regular file, so it cannot be mapped");
    if ((uintmax_t)status.st_size > SIZE_MAX)
        return error_set(error, ERROR_LIMIT, "is too large for this machine's addresses");
    *size = (size_t)status.st_size;
    if (*size == 0)
        return error_set(error, ERROR_FORMAT, "is empty");
    *map = mmap(NULL, *size, PROT_READ, MAP_PRIVATE, descriptor, 0);
    if (*map == MAP_FAILED) {
        *map = NULL;
        return error_set(error, ERROR_IO, "cannot be mapped: %s", strerror(errno));
    }
    return 0;
}

/* Map a file and read it as shard `index` of the model. */
static int read_file(struct gguf *gguf, const char *path, int index, struct error *error)
{
    /* Without O_NONBLOCK a named pipe would keep us waiting for its other end. */
    int descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (descriptor < 0)
        return error_set(error, ERROR_IO, "%s", strerror(errno));
    size_t size = 0;
    int code = map_descriptor(descriptor, &gguf->map[index], &size, error);
    close(descriptor);
    gguf->part[index].size = size;
    return code ? code : gguf_part_read(gguf->map[index], size, &gguf->part[index], error);
}

/* -- shards -------------------------------------------------------------------------------------------------------- */

/* What a part says of its place: number counts from 0.  A file of its own is 0 of 1. */
static int read_place(const struct gguf_part *part, int64_t *number, int64_t *count, struct error *error)
{
    *number = 0;
    *count = 1;
    int code = gguf_entry_int(gguf_part_find(part, "split.count"), 0, SHARDS_MAX, count, error);
    if (code || *count <= 1) {
        *count = 1;
        return code;
    }
    return gguf_entry_int(gguf_part_find(part, "split.no"), 0, *count - 1, number, error);
}

/* "-00001-of-00005.gguf" */
static void shard_suffix(char *text, size_t size, int64_t number, int64_t count)
{
    snprintf(text, size, "-%05" PRId64 "-of-%05" PRId64 ".gguf", number + 1, count);
}

static int read_shard(struct gguf *gguf, const char *path, int index, int64_t count, struct error *error)
{
    int64_t number, claimed;
    gguf->shards = index + 1;
    int code = read_file(gguf, path, index, error);
    if (!code)
        code = read_place(&gguf->part[index], &number, &claimed, error);
    if (!code && (number != index || claimed != count))
        code = error_set(error, ERROR_FORMAT,
                         "says it is part %" PRId64 " of %" PRId64 ", its name part %d of %" PRId64, number + 1,
                         claimed, index + 1, count);
    return code ? error_add(error, code, "part %d of %" PRId64 ", %s", index + 1, count, path) : 0;
}

/* The first shard is read: read the others, whose names follow from its own and from nothing in the file. */
static int read_siblings(struct gguf *gguf, int64_t count, struct error *error)
{
    char suffix[64];
    size_t length = strlen(gguf->path);
    shard_suffix(suffix, sizeof suffix, 0, count);
    size_t tail = strlen(suffix);
    if (length < tail || strcmp(gguf->path + length - tail, suffix) != 0)
        return error_set(error, ERROR_FORMAT,
                         "%s: is the first of %" PRId64
                         " parts, but its name does not end in %s; give it its name back",
                         gguf->path, count, suffix);
    char *path = malloc(length + sizeof suffix);
    struct gguf_part *part = realloc(gguf->part, (size_t)count * sizeof *part);
    gguf->part = part ? part : gguf->part;
    void **map = realloc(gguf->map, (size_t)count * sizeof *map);
    gguf->map = map ? map : gguf->map;
    int code = 0;
    if (!path || !part || !map)
        code = error_set(error, ERROR_MEMORY, "no memory for %" PRId64 " parts", count);
    for (int i = 1; i < count && !code; i++) {
        memcpy(path, gguf->path, length - tail);
        shard_suffix(path + length - tail, sizeof suffix, i, count);
        gguf->part[i] = (struct gguf_part){0};
        gguf->map[i] = NULL;
        code = read_shard(gguf, path, i, count, error);
    }
    free(path);
    return code;
}

static int read_all(struct gguf *gguf, struct error *error)
{
    int64_t number, count;
    int code = read_file(gguf, gguf->path, 0, error);
    if (!code)
        code = read_place(&gguf->part[0], &number, &count, error);
    if (!code && number > 0) {
        char suffix[64];
        shard_suffix(suffix, sizeof suffix, 0, count);
        code = error_set(error, ERROR_ARGUMENT, "is part %" PRId64 " of %" PRId64 "; name the first, *%s", number + 1,
                         count, suffix);
    }
    if (code)
        return error_add(error, code, "%s", gguf->path);
    return count > 1 ? read_siblings(gguf, count, error) : 0;
}

/* -- the index of tensors ------------------------------------------------------------------------------------------ */

static int compare_names(const void *a, const void *b)
{
    const struct gguf_tensor *const *left = a, *const *right = b;
    return gguf_string_compare(&(*left)->name, &(*right)->name);
}

static int index_tensors(struct gguf *gguf, struct error *error)
{
    size_t total = 0, at = 0;
    for (int i = 0; i < gguf->shards; i++)
        total += gguf->part[i].tensors;
    gguf->tensor = calloc(total + 1, sizeof *gguf->tensor);
    gguf->by_name = calloc(total + 1, sizeof *gguf->by_name);
    if (!gguf->tensor || !gguf->by_name)
        return error_set(error, ERROR_MEMORY, "no memory for the index of %zu tensors", total);
    for (int i = 0; i < gguf->shards; i++)
        for (size_t j = 0; j < gguf->part[i].tensors; j++)
            gguf->tensor[at++] = &gguf->part[i].tensor[j];
    gguf->tensors = total;
    memcpy(gguf->by_name, gguf->tensor, total * sizeof *gguf->tensor);
    qsort(gguf->by_name, total, sizeof *gguf->by_name, compare_names);
    for (size_t i = 1; i < total; i++)
        if (compare_names(&gguf->by_name[i - 1], &gguf->by_name[i]) == 0)
            return error_set(error, ERROR_FORMAT, "%s: the tensor '%.*s' occurs twice", gguf->path,
                             (int)gguf->by_name[i]->name.length, gguf->by_name[i]->name.data);

    /* Sharding stamps the sum into the first part, so a part of another model's shards is noticed. */
    int64_t claimed = (int64_t)total;
    int code = gguf_int(gguf, "split.tensors.count", 0, INT32_MAX, &claimed, error);
    if (!code && gguf->shards > 1 && claimed != (int64_t)total)
        code = error_set(error, ERROR_FORMAT, "the parts hold %zu tensors, not the promised %" PRId64, total, claimed);
    return code ? error_add(error, code, "%s", gguf->path) : 0;
}

/* -- opening ------------------------------------------------------------------------------------------------------- */

static struct gguf *new_gguf(const char *path, struct error *error)
{
    struct gguf *gguf = calloc(1, sizeof *gguf);
    if (gguf) {
        gguf->shards = 1;
        gguf->path = strdup(path);
        gguf->part = calloc(1, sizeof *gguf->part);
        gguf->map = calloc(1, sizeof *gguf->map);
        if (gguf->path && gguf->part && gguf->map)
            return gguf;
    }
    error_set(error, ERROR_MEMORY, "no memory to open %s", path);
    gguf_close(gguf);
    return NULL;
}

/* Give an opened model away, or take back what failed. */
static int finish(struct gguf *gguf, int code, struct gguf **out, struct error *error)
{
    if (!code)
        code = index_tensors(gguf, error);
    if (code)
        gguf_close(gguf);
    *out = code ? NULL : gguf;
    return code;
}

int gguf_open(const char *path, struct gguf **out, struct error *error)
{
    *out = NULL;
    struct gguf *gguf = new_gguf(path, error);
    return gguf ? finish(gguf, read_all(gguf, error), out, error) : ERROR_MEMORY;
}

int gguf_open_memory(const void *data, size_t size, struct gguf **out, struct error *error)
{
    *out = NULL;
    struct gguf *gguf = new_gguf("memory", error);
    return gguf ? finish(gguf, gguf_part_read(data, size, &gguf->part[0], error), out, error) : ERROR_MEMORY;
}

void gguf_close(struct gguf *gguf)
{
    if (!gguf)
        return;
    for (int i = 0; i < gguf->shards; i++) {
        if (gguf->map && gguf->map[i])
            munmap(gguf->map[i], gguf->part[i].size);
        if (gguf->part)
            gguf_part_free(&gguf->part[i]);
    }
    free(gguf->tensor);
    free(gguf->by_name);
    free(gguf->map);
    free(gguf->part);
    free(gguf->path);
    free(gguf);
}

/* -- looking ------------------------------------------------------------------------------------------------------- */

void gguf_let_go(const struct gguf *gguf)
{
    for (int i = 0; gguf->map && i < gguf->shards; i++)
        if (gguf->map[i])
            madvise(gguf->map[i], gguf->part[i].size, MADV_DONTNEED); /* never written to, so that nothing is lost */
}

const char *gguf_path(const struct gguf *gguf)
{
    return gguf->path;
}

int gguf_version(const struct gguf *gguf)
{
    return gguf->part[0].version;
}

int gguf_shards(const struct gguf *gguf)
{
    return gguf->shards;
}

size_t gguf_file_bytes(const struct gguf *gguf)
{
    size_t bytes = 0;
    for (int i = 0; i < gguf->shards; i++)
        bytes += gguf->part[i].size;
    return bytes;
}

size_t gguf_entries(const struct gguf *gguf)
{
    return gguf->part[0].entries;
}

const struct gguf_entry *gguf_entry_at(const struct gguf *gguf, size_t index)
{
    return &gguf->part[0].entry[index];
}

const struct gguf_entry *gguf_find(const struct gguf *gguf, const char *key)
{
    return gguf_part_find(&gguf->part[0], key);
}

size_t gguf_tensors(const struct gguf *gguf)
{
    return gguf->tensors;
}

const struct gguf_tensor *gguf_tensor_at(const struct gguf *gguf, size_t index)
{
    return gguf->tensor[index];
}

const struct gguf_tensor *gguf_tensor(const struct gguf *gguf, const char *name)
{
    struct gguf_tensor wanted = {.name = {name, strlen(name)}};
    const struct gguf_tensor *pointer = &wanted;
    const struct gguf_tensor **found =
        bsearch(&pointer, gguf->by_name, gguf->tensors, sizeof *gguf->by_name, compare_names);
    return found ? *found : NULL;
}
