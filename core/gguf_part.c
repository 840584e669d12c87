/* gguf_part.c: read one GGUF file's bytes without trusting any of them.
 *
 * A cursor walks the file once from front to back: header, metadata, list of tensors.  It hands out bytes only after it
 * has seen that they exist.  No count or size of the file is multiplied, added or allocated by before the bytes left in
 * the file bound it: an entry takes at least 13 bytes, a tensor 25.  What an entry or a tensor means is not known
 * here. */
#include "core/gguf_part.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum {
    ENTRIES_MAX = 65536,
    TENSORS_MAX = 262144,
    KEY_BYTES = 65535, /* at most, by the format's specification */
    NAME_BYTES = 63,  /* of a tensor, at most: what other readers allow */
    ENTRY_BYTES = 13, /* the least: length of a key of 1 byte, type, value of 1 byte */
    TENSOR_BYTES = 25,
    ALIGNMENT_MIN = 8,
    ALIGNMENT_MAX = 65536,
    SHOWN_MAX = 80, /* of a name in a message */
};

static const uint64_t array_max = UINT64_C(1) << 30, dimension_max = INT32_MAX;

static const struct {
    const char *text;
    uint8_t bytes;
} types[] = {
    [GGUF_U8] = {"an integer", 1},   [GGUF_I8] = {"an integer", 1},  [GGUF_U16] = {"an integer", 2},
    [GGUF_I16] = {"an integer", 2},  [GGUF_U32] = {"an integer", 4}, [GGUF_I32] = {"an integer", 4},
    [GGUF_F32] = {"a number", 4},    [GGUF_BOOL] = {"true or false", 1}, [GGUF_STRING] = {"a string", 0},
    [GGUF_ARRAY] = {"an array", 0},  [GGUF_U64] = {"an integer", 8}, [GGUF_I64] = {"an integer", 8},
    [GGUF_F64] = {"a number", 8},
};
static const uint32_t types_count = sizeof types / sizeof types[0];

const char *gguf_type_text(enum gguf_type type)
{
    return types[type].text;
}

int gguf_string_compare(const struct gguf_string *a, const struct gguf_string *b)
{
    size_t common = a->length < b->length ? a->length : b->length;
    int order = common ? memcmp(a->data, b->data, common) : 0;
    return order ? order : (a->length > b->length) - (a->length < b->length);
}

static int shown(struct gguf_string name)
{
    return (int)(name.length < SHOWN_MAX ? name.length : SHOWN_MAX);
}

/* -- the cursor ---------------------------------------------------------------------------------------------------- */

struct cursor {
    const uint8_t *data;
    size_t size, position;
    const char *place; /* what the file would end inside of */
    struct error *error;
};

static size_t bytes_left(const struct cursor *cursor)
{
    return cursor->size - cursor->position;
}

/* The next n bytes, or NULL with the error set. */
static const uint8_t *take(struct cursor *cursor, uint64_t n)
{
    if (n > bytes_left(cursor)) {
        error_set(cursor->error, ERROR_FORMAT, "the file ends inside %s (truncated download?)", cursor->place);
        return NULL;
    }
    const uint8_t *bytes = cursor->data + cursor->position;
    cursor->position += (size_t)n;
    return bytes;
}

static int take_u32(struct cursor *cursor, uint32_t *value)
{
    const uint8_t *bytes = take(cursor, sizeof *value);
    if (!bytes)
        return ERROR_FORMAT;
    memcpy(value, bytes, sizeof *value);
    return 0;
}

static int take_u64(struct cursor *cursor, uint64_t *value)
{
    const uint8_t *bytes = take(cursor, sizeof *value);
    if (!bytes)
        return ERROR_FORMAT;
    memcpy(value, bytes, sizeof *value);
    return 0;
}

static int take_string(struct cursor *cursor, struct gguf_string *string)
{
    uint64_t length;
    if (take_u64(cursor, &length))
        return ERROR_FORMAT;
    const uint8_t *bytes = take(cursor, length);
    if (!bytes)
        return ERROR_FORMAT;
    if (memchr(bytes, 0, (size_t)length))
        return error_set(cursor->error, ERROR_FORMAT, "a string in %s holds a NUL byte", cursor->place);
    *string = (struct gguf_string){(const char *)bytes, (size_t)length};
    return 0;
}

/* A key or a tensor's name: printable ASCII, so that it can be shown anywhere. */
static int take_name(struct cursor *cursor, const char *what, size_t longest, struct gguf_string *name)
{
    int code = take_string(cursor, name);
    if (code)
        return code;
    if (name->length == 0 || name->length > longest)
        return error_set(cursor->error, ERROR_FORMAT, "%s of %zu bytes; 1 to %zu are allowed", what, name->length,
                         longest);
    for (size_t i = 0; i < name->length; i++)
        if (name->data[i] < 0x20 || name->data[i] > 0x7e)
            return error_set(cursor->error, ERROR_FORMAT, "%s with a byte that is not printable ASCII", what);
    return 0;
}

/* -- header -------------------------------------------------------------------------------------------------------- */

/* Files that are often met in place of a model. */
static int refuse_magic(const struct cursor *cursor)
{
    static const struct {
        const char *magic, *what;
    } others[] = {
        {"version https://git-lfs", "is a Git LFS pointer, not the model itself; fetch it with `git lfs pull`"},
        {"PK\3\4", "is a ZIP archive or a PyTorch checkpoint; convert the model to GGUF"},
        {"<", "is a web page, not a GGUF file; download the model itself"},
        {"lmgg", "is in an old format from before GGUF; convert the model again"},
        {"tjgg", "is in an old format from before GGUF; convert the model again"},
        {"fmgg", "is in an old format from before GGUF; convert the model again"},
    };
    if (cursor->size == 0)
        return error_set(cursor->error, ERROR_FORMAT, "is empty");
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        size_t length = strlen(others[i].magic);
        if (cursor->size >= length && memcmp(cursor->data, others[i].magic, length) == 0)
            return error_set(cursor->error, ERROR_FORMAT, "%s", others[i].what);
    }
    return error_set(cursor->error, ERROR_FORMAT, "is not a GGUF file");
}

static int read_header(struct cursor *cursor, struct gguf_part *part)
{
    uint32_t version;
    uint64_t tensors, entries;
    cursor->place = "the header";
    if (cursor->size < 4 || memcmp(cursor->data, "GGUF", 4) != 0)
        return refuse_magic(cursor);
    cursor->position = 4;
    if (take_u32(cursor, &version))
        return ERROR_FORMAT;
    if ((version & 0xffff) == 0)
        return error_set(cursor->error, ERROR_UNSUPPORTED, "is a big-endian GGUF file; convert it to little-endian");
    if (version != 2 && version != 3)
        return error_set(cursor->error, ERROR_UNSUPPORTED, "is GGUF version %" PRIu32 "; versions 2 and 3 can be read",
                         version);
    if (take_u64(cursor, &tensors) || take_u64(cursor, &entries))
        return ERROR_FORMAT;
    if (entries > ENTRIES_MAX || entries > bytes_left(cursor) / ENTRY_BYTES)
        return error_set(cursor->error, ERROR_FORMAT,
                         "claims %" PRIu64 " metadata entries, more than it can hold (truncated download?)", entries);
    if (tensors > TENSORS_MAX || tensors > bytes_left(cursor) / TENSOR_BYTES)
        return error_set(cursor->error, ERROR_FORMAT,
                         "claims %" PRIu64 " tensors, more than it can hold (truncated download?)", tensors);
    part->version = (int)version;
    part->entries = (size_t)entries;
    part->tensors = (size_t)tensors;
    return 0;
}

/* -- metadata ------------------------------------------------------------------------------------------------------ */

static int check_bools(struct cursor *cursor, const uint8_t *bytes, uint64_t count)
{
    for (uint64_t i = 0; i < count; i++)
        if (bytes[i] > 1)
            return error_set(cursor->error, ERROR_FORMAT, "a truth value is %d, neither 0 nor 1", bytes[i]);
    return 0;
}

/* The elements of an array whose count was checked against the bytes left; 16 bytes are kept for each 8 of the file. */
static int read_strings(struct cursor *cursor, struct gguf_entry *entry)
{
    struct gguf_string *strings = calloc((size_t)entry->count, sizeof *strings);
    entry->strings = strings;
    if (!strings && entry->count)
        return error_set(cursor->error, ERROR_MEMORY, "no memory for %" PRIu64 " strings", entry->count);
    for (uint64_t i = 0; i < entry->count; i++) {
        int code = take_string(cursor, &strings[i]);
        if (code)
            return code;
    }
    return 0;
}

static int read_array(struct cursor *cursor, struct gguf_entry *entry)
{
    uint32_t element;
    uint64_t count;
    if (take_u32(cursor, &element) || take_u64(cursor, &count))
        return ERROR_FORMAT;
    if (element >= types_count)
        return error_set(cursor->error, ERROR_FORMAT, "an array of the unknown type %" PRIu32, element);
    if (element == GGUF_ARRAY)
        return error_set(cursor->error, ERROR_UNSUPPORTED, "an array of arrays, which this program does not read");
    size_t least = element == GGUF_STRING ? 8 : types[element].bytes;
    if (count > array_max || count > bytes_left(cursor) / least)
        return error_set(cursor->error, ERROR_FORMAT,
                         "an array of %" PRIu64 " elements, more than the file can hold (truncated download?)", count);
    entry->element = (enum gguf_type)element;
    entry->count = count;
    entry->data = cursor->data + cursor->position;
    if (element == GGUF_STRING)
        return read_strings(cursor, entry);
    if (!take(cursor, count * least))
        return ERROR_FORMAT;
    return element == GGUF_BOOL ? check_bools(cursor, entry->data, count) : 0;
}

static int read_value(struct cursor *cursor, struct gguf_entry *entry, struct gguf_string *text)
{
    uint32_t type;
    if (take_u32(cursor, &type))
        return ERROR_FORMAT;
    if (type >= types_count)
        return error_set(cursor->error, ERROR_FORMAT, "a value of the unknown type %" PRIu32, type);
    entry->type = (enum gguf_type)type;
    entry->count = 1;
    if (type == GGUF_ARRAY)
        return read_array(cursor, entry);
    if (type == GGUF_STRING) {
        int code = take_string(cursor, text);
        entry->data = (const uint8_t *)text->data;
        entry->strings = text;
        return code;
    }
    entry->data = take(cursor, types[type].bytes);
    if (!entry->data)
        return ERROR_FORMAT;
    return type == GGUF_BOOL ? check_bools(cursor, entry->data, 1) : 0;
}

static int compare_keys(const void *a, const void *b)
{
    const struct gguf_entry *const *left = a, *const *right = b;
    return gguf_string_compare(&(*left)->key, &(*right)->key);
}

/* Sorting finds duplicates in n log n steps whatever the keys are; a hash could be made to collide. */
static int index_entries(struct gguf_part *part, struct error *error)
{
    for (size_t i = 0; i < part->entries; i++)
        part->by_key[i] = &part->entry[i];
    qsort(part->by_key, part->entries, sizeof *part->by_key, compare_keys);
    for (size_t i = 1; i < part->entries; i++)
        if (compare_keys(&part->by_key[i - 1], &part->by_key[i]) == 0)
            return error_set(error, ERROR_FORMAT, "the key '%.*s' occurs twice", shown(part->by_key[i]->key),
                             part->by_key[i]->key.data);
    return 0;
}

static int read_metadata(struct cursor *cursor, struct gguf_part *part)
{
    cursor->place = "the metadata";
    part->entry = calloc(part->entries + 1, sizeof *part->entry);
    part->text = calloc(part->entries + 1, sizeof *part->text);
    part->by_key = calloc(part->entries + 1, sizeof *part->by_key);
    if (!part->entry || !part->text || !part->by_key)
        return error_set(cursor->error, ERROR_MEMORY, "no memory for the metadata");
    for (size_t i = 0; i < part->entries; i++) {
        struct gguf_entry *entry = &part->entry[i];
        int code = take_name(cursor, "a metadata key", KEY_BYTES, &entry->key);
        if (code)
            return code;
        code = read_value(cursor, entry, &part->text[i]);
        if (code)
            return error_add(cursor->error, code, "key '%.*s'", shown(entry->key), entry->key.data);
    }
    return index_entries(part, cursor->error);
}

/* -- tensors ------------------------------------------------------------------------------------------------------- */

static int read_sizes(struct cursor *cursor, struct gguf_tensor *tensor)
{
    uint32_t dimensions;
    if (take_u32(cursor, &dimensions))
        return ERROR_FORMAT;
    if (dimensions < 1 || dimensions > 4)
        return error_set(cursor->error, ERROR_FORMAT, "%" PRIu32 " dimensions; 1 to 4 are allowed", dimensions);
    tensor->dimensions = (int)dimensions;
    for (int i = 0; i < 4; i++)
        tensor->size[i] = 1;
    for (uint32_t i = 0; i < dimensions; i++) {
        uint64_t size;
        if (take_u64(cursor, &size))
            return ERROR_FORMAT;
        if (size < 1 || size > dimension_max)
            return error_set(cursor->error, ERROR_FORMAT, "a dimension of %" PRIu64 " elements", size);
        tensor->size[i] = (int64_t)size;
    }
    return 0;
}

static int count_bytes(struct cursor *cursor, struct gguf_tensor *tensor)
{
    const struct dtype_info *type = dtype_info(tensor->type);
    if (!type->name)
        return error_set(cursor->error, ERROR_UNSUPPORTED, "type %" PRIu32 ", which this program does not know",
                         tensor->type);
    if (tensor->size[0] % type->block)
        return error_set(cursor->error, ERROR_FORMAT, "rows of %" PRId64 " elements; %s needs a multiple of %d",
                         tensor->size[0], type->name, type->block);
    uint64_t bytes = (uint64_t)(tensor->size[0] / type->block) * (uint64_t)type->bytes;
    for (int i = 1; i < 4; i++)
        if (__builtin_mul_overflow(bytes, (uint64_t)tensor->size[i], &bytes) || bytes > cursor->size)
            return error_set(cursor->error, ERROR_FORMAT, "more bytes than the whole file has (truncated download?)");
    tensor->bytes = (size_t)bytes;
    return 0;
}

/* Offsets count from the first multiple of the alignment after the list of tensors, which is known only at its end:
 * until then they are kept beside. */
static int place_tensors(struct cursor *cursor, struct gguf_part *part, const uint64_t *offset)
{
    int64_t alignment = 32;
    int code = gguf_entry_int(gguf_part_find(part, "general.alignment"), ALIGNMENT_MIN, ALIGNMENT_MAX, &alignment,
                              cursor->error);
    if (code)
        return code;
    uint64_t mask = (uint64_t)alignment - 1;
    if (alignment & (int64_t)mask)
        return error_set(cursor->error, ERROR_FORMAT, "an alignment of %" PRId64 ", not a power of two", alignment);
    uint64_t start = (cursor->position + mask) & ~mask;
    for (size_t i = 0; i < part->tensors; i++) {
        struct gguf_tensor *tensor = &part->tensor[i];
        struct gguf_string name = tensor->name;
        uint64_t first, end;
        if (offset[i] & mask)
            return error_set(cursor->error, ERROR_FORMAT, "tensor '%.*s' is not aligned to %" PRId64 " bytes",
                             shown(name), name.data, alignment);
        if (__builtin_add_overflow(start, offset[i], &first) || __builtin_add_overflow(first, tensor->bytes, &end) ||
            end > cursor->size)
            return error_set(cursor->error, ERROR_FORMAT,
                             "the file ends before the data of tensor '%.*s' does (truncated download?)", shown(name),
                             name.data);
        tensor->data = cursor->data + first;
    }
    return 0;
}

static int compare_places(const void *a, const void *b)
{
    const struct gguf_tensor *const *left = a, *const *right = b;
    const char *p = (*left)->data, *q = (*right)->data;
    return (p > q) - (p < q);
}

static int check_overlap(const struct gguf_part *part, struct error *error)
{
    const struct gguf_tensor **order = calloc(part->tensors + 1, sizeof *order);
    if (!order)
        return error_set(error, ERROR_MEMORY, "no memory for the list of tensors");
    for (size_t i = 0; i < part->tensors; i++)
        order[i] = &part->tensor[i];
    qsort(order, part->tensors, sizeof *order, compare_places);
    int code = 0;
    for (size_t i = 1; i < part->tensors && !code; i++) {
        const struct gguf_tensor *a = order[i - 1], *b = order[i];
        if ((size_t)((const char *)b->data - (const char *)a->data) < a->bytes)
            code = error_set(error, ERROR_FORMAT, "the tensors '%.*s' and '%.*s' overlap", shown(a->name), a->name.data,
                             shown(b->name), b->name.data);
    }
    free(order);
    return code;
}

static int read_tensor(struct cursor *cursor, struct gguf_tensor *tensor, uint64_t *offset)
{
    int code = take_name(cursor, "a tensor's name", NAME_BYTES, &tensor->name);
    if (code)
        return code;
    code = read_sizes(cursor, tensor);
    if (!code)
        code = take_u32(cursor, &tensor->type);
    if (!code)
        code = take_u64(cursor, offset);
    if (!code)
        code = count_bytes(cursor, tensor);
    return code ? error_add(cursor->error, code, "tensor '%.*s'", shown(tensor->name), tensor->name.data) : 0;
}

static int read_tensors(struct cursor *cursor, struct gguf_part *part)
{
    cursor->place = "the list of tensors";
    part->tensor = calloc(part->tensors + 1, sizeof *part->tensor);
    uint64_t *offset = calloc(part->tensors + 1, sizeof *offset);
    int code = 0;
    if (!part->tensor || !offset)
        code = error_set(cursor->error, ERROR_MEMORY, "no memory for the list of tensors");
    for (size_t i = 0; i < part->tensors && !code; i++)
        code = read_tensor(cursor, &part->tensor[i], &offset[i]);
    if (!code)
        code = place_tensors(cursor, part, offset);
    free(offset);
    return code ? code : check_overlap(part, cursor->error);
}

/* -- public -------------------------------------------------------------------------------------------------------- */

int gguf_part_read(const void *data, size_t size, struct gguf_part *part, struct error *error)
{
    struct cursor cursor = {.data = data, .size = size, .error = error};
    *part = (struct gguf_part){.data = data, .size = size};
    int code = read_header(&cursor, part);
    if (!code)
        code = read_metadata(&cursor, part);
    return code ? code : read_tensors(&cursor, part);
}

void gguf_part_free(struct gguf_part *part)
{
    for (size_t i = 0; part->entry && i < part->entries; i++)
        if (part->entry[i].type == GGUF_ARRAY)
            free((void *)part->entry[i].strings);
    free(part->entry);
    free(part->text);
    free(part->by_key);
    free(part->tensor);
}

const struct gguf_entry *gguf_part_find(const struct gguf_part *part, const char *key)
{
    struct gguf_entry wanted = {.key = {key, strlen(key)}};
    const struct gguf_entry *pointer = &wanted;
    const struct gguf_entry **found =
        bsearch(&pointer, part->by_key, part->entries, sizeof *part->by_key, compare_keys);
    return found ? *found : NULL;
}
