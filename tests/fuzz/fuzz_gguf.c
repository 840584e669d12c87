/* fuzz_gguf.c: libFuzzer's way into the reader of model files.
 *
 * Whatever the bytes are, opening them must end in a code or in a model of which every entry and every tensor can be
 * walked to its last byte.  Built by clang with sanitizers, which see what goes wrong; run by run_fuzz.sh. */
#include "core/gguf.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { EXPAND_MAX = 4096 }; /* elements of a tensor, so that a run is short */

static uint64_t sum; /* what is read must be used, or the compiler drops the reading */

static void walk_string(struct gguf_string string)
{
    for (size_t i = 0; i < string.length; i++)
        sum += (uint8_t)string.data[i];
}

/* The typed readers know a key only as a terminated string. */
static void walk_key(const struct gguf *gguf, const struct gguf_entry *entry)
{
    char *key = malloc(entry->key.length + 1);
    if (!key)
        return;
    memcpy(key, entry->key.data, entry->key.length);
    key[entry->key.length] = '\0';
    if (gguf_find(gguf, key) != entry)
        abort();
    struct error error;
    int64_t integer = 0;
    double real = 0;
    bool truth = false;
    struct gguf_string text = {0};
    gguf_int(gguf, key, -1000, 1000, &integer, &error);
    gguf_float(gguf, key, &real, &error);
    gguf_bool(gguf, key, &truth, &error);
    gguf_text(gguf, key, &text, &error);
    walk_string(text);
    if (integer < -1000 || integer > 1000)
        abort();
    free(key);
}

static void walk_entry(const struct gguf *gguf, const struct gguf_entry *entry)
{
    walk_string(entry->key);
    walk_key(gguf, entry);
    enum gguf_type type = entry->type == GGUF_ARRAY ? entry->element : entry->type;
    for (uint64_t i = 0; i < entry->count; i++) {
        if (type == GGUF_STRING)
            walk_string(entry->strings[i]);
        sum += (uint64_t)gguf_element_int(entry, i) + (gguf_element_float(entry, i) > 0);
    }
}

static void walk_tensor(const struct gguf *gguf, const struct gguf_tensor *tensor)
{
    char name[64] = {0};
    memcpy(name, tensor->name.data, tensor->name.length);
    if (gguf_tensor(gguf, name) != tensor)
        abort();
    const uint8_t *bytes = tensor->data;
    for (size_t i = 0; i < tensor->bytes; i++)
        sum += bytes[i];
    const struct dtype_info *type = dtype_info(tensor->type);
    uint64_t elements = 1;
    for (int i = 0; i < 4; i++)
        elements *= (uint64_t)tensor->size[i]; /* no more than 256 to a byte of the file */
    if (!type->expand || elements > EXPAND_MAX)
        return;
    static float expanded[EXPAND_MAX];
    type->expand(bytes, expanded, (size_t)elements);
    sum += expanded[elements - 1] > 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct gguf *gguf;
    struct error error = {0};
    int code = gguf_open_memory(data, size, &gguf, &error);
    if ((code == 0) != (gguf != NULL) || (code != 0 && (error.code != code || !error.message[0])))
        abort();
    if (!gguf)
        return 0;
    for (size_t i = 0; i < gguf_entries(gguf); i++)
        walk_entry(gguf, gguf_entry_at(gguf, i));
    for (size_t i = 0; i < gguf_tensors(gguf); i++)
        walk_tensor(gguf, gguf_tensor_at(gguf, i));
    gguf_close(gguf);
    return 0;
}
