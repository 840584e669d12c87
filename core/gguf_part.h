/* gguf_part.h: the bytes of one GGUF file, checked once and indexed.
 *
 * Private to the reader (gguf.c): a model is one part, or several when it was split into shards.  This is where a
 * hostile file is stopped; whoever holds a part may use its entries and tensors without further checks of bounds. */
#ifndef CORE_GGUF_PART_H
#define CORE_GGUF_PART_H

#include "core/gguf.h"

struct gguf_part {
    const uint8_t *data; /* the file; the caller's */
    size_t size;
    int version;
    size_t entries, tensors;
    struct gguf_entry *entry;          /* in the order of the file */
    struct gguf_string *text;          /* [entries] what entry[i].strings of a plain string points to */
    const struct gguf_entry **by_key;  /* sorted */
    struct gguf_tensor *tensor;        /* in the order of the file */
};

/* Check and index a file's bytes, which must outlive the part.  0 or ERROR_FORMAT, ERROR_UNSUPPORTED, ERROR_LIMIT,
 * ERROR_MEMORY; *part can be freed in any case. */
int gguf_part_read(const void *data, size_t size, struct gguf_part *part, struct error *);
void gguf_part_free(struct gguf_part *); /* what it holds, not the struct; all-zero is fine */

/* gguf_find() over one part, and what gguf_int() does with the result; a NULL entry leaves *value as it is. */
const struct gguf_entry *gguf_part_find(const struct gguf_part *, const char *key);
int gguf_entry_int(const struct gguf_entry *, int64_t low, int64_t high, int64_t *value, struct error *);

/* The order of names, as for qsort(). */
int gguf_string_compare(const struct gguf_string *, const struct gguf_string *);

/* "a string", "an array", ... for messages. */
const char *gguf_type_text(enum gguf_type);

#endif
