/* gguf.h: read GGUF model files, versions 2 and 3, single or in shards, without trusting a byte of them.
 *
 * Owns the mapping of the files; keys, strings and tensors point into it.  Knows nothing of models: shapes and
 * meaning are model.h's business.  Thread: a `struct gguf` is immutable once open, any thread may read it. */
#ifndef CORE_GGUF_H
#define CORE_GGUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gpu/dtype.h"
#include "gpu/error.h"

enum gguf_type {
    GGUF_U8, GGUF_I8, GGUF_U16, GGUF_I16, GGUF_U32, GGUF_I32, GGUF_F32, GGUF_BOOL, GGUF_STRING, GGUF_ARRAY,
    GGUF_U64, GGUF_I64, GGUF_F64,
};

struct gguf_string {
    const char *data; /* not terminated; any bytes but NUL */
    size_t length;
};

/* One metadata entry.  Arrays of strings are indexed once at opening, so element access is O(1). */
struct gguf_entry {
    struct gguf_string key;
    enum gguf_type type;
    enum gguf_type element; /* of an array */
    uint64_t count;         /* of an array; else 1 */
    const uint8_t *data;    /* first element, unaligned */
    const struct gguf_string *strings; /* of a string array [count], or of a string [1] */
};

struct gguf_tensor {
    struct gguf_string name;
    uint32_t type; /* dtype id */
    int dimensions;
    int64_t size[4]; /* size[0] is the fastest: a row's length.  A PyTorch [out, in] is {in, out}; unused ones are 1 */
    const void *data;
    size_t bytes;
};

struct gguf;

/* Open path and, if it is the first of several shards, its siblings.  Every check of the format is made here. */
int gguf_open(const char *path, struct gguf **, struct error *);
/* The same over bytes in memory, which stay the caller's (for tests and fuzzing; no shards). */
int gguf_open_memory(const void *data, size_t size, struct gguf **, struct error *);
void gguf_close(struct gguf *); /* NULL ok */

const char *gguf_path(const struct gguf *);
int gguf_version(const struct gguf *);
int gguf_shards(const struct gguf *);
size_t gguf_file_bytes(const struct gguf *); /* of all shards */
/* Give the memory of the files' pages back to the system: those read again come from its cache, or the files. Thread:
 * any. */
void gguf_let_go(const struct gguf *);

size_t gguf_entries(const struct gguf *);
const struct gguf_entry *gguf_entry_at(const struct gguf *, size_t index);
const struct gguf_entry *gguf_find(const struct gguf *, const char *key); /* NULL if there is none */

size_t gguf_tensors(const struct gguf *);
const struct gguf_tensor *gguf_tensor_at(const struct gguf *, size_t index);
const struct gguf_tensor *gguf_tensor(const struct gguf *, const char *name); /* NULL if there is none */

/* Typed access with range check.  A missing key leaves *value as it is and returns 0, so set the default first; a key
 * of another type or out of range is ERROR_FORMAT.  Integers of any width and sign are accepted where they fit. */
int gguf_int(const struct gguf *, const char *key, int64_t low, int64_t high, int64_t *value, struct error *);
int gguf_float(const struct gguf *, const char *key, double *value, struct error *); /* finite */
int gguf_bool(const struct gguf *, const char *key, bool *value, struct error *);
int gguf_text(const struct gguf *, const char *key, struct gguf_string *value, struct error *);
/* Element i of an array entry of any integer or float type, as int64 or double; the caller checked i < count. */
int64_t gguf_element_int(const struct gguf_entry *, uint64_t i);
double gguf_element_float(const struct gguf_entry *, uint64_t i);

#endif
