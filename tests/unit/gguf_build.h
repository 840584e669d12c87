/* gguf_build.h: put GGUF files together in memory, sound or not: every number is written as it is given.
 *
 * Order: build_header(), then as many build_key*() and build_tensor() as it promised, then build_data(). */
#ifndef TESTS_UNIT_GGUF_BUILD_H
#define TESTS_UNIT_GGUF_BUILD_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/gguf.h"

struct build {
    uint8_t *bytes;
    size_t size;
};

static inline void build_bytes(struct build *build, const void *bytes, size_t n)
{
    build->bytes = realloc(build->bytes, build->size + n + 1);
    if (!build->bytes)
        abort();
    if (n)
        memcpy(build->bytes + build->size, bytes, n);
    build->size += n;
}

static inline void build_u32(struct build *build, uint32_t value)
{
    build_bytes(build, &value, sizeof value);
}

static inline void build_u64(struct build *build, uint64_t value)
{
    build_bytes(build, &value, sizeof value);
}

static inline void build_string(struct build *build, const char *text)
{
    build_u64(build, strlen(text));
    build_bytes(build, text, strlen(text));
}

static inline void build_header(struct build *build, uint32_t version, uint64_t tensors, uint64_t keys)
{
    build_bytes(build, "GGUF", 4);
    build_u32(build, version);
    build_u64(build, tensors);
    build_u64(build, keys);
}

/* A key and its value's type; the value's bytes are to follow. */
static inline void build_key(struct build *build, const char *key, uint32_t type)
{
    build_string(build, key);
    build_u32(build, type);
}

static inline void build_key_u32(struct build *build, const char *key, uint32_t value)
{
    build_key(build, key, GGUF_U32);
    build_u32(build, value);
}

/* A key and the head of an array; its elements are to follow. */
static inline void build_key_array(struct build *build, const char *key, uint32_t element, uint64_t count)
{
    build_key(build, key, GGUF_ARRAY);
    build_u32(build, element);
    build_u64(build, count);
}

static inline void build_tensor(struct build *build, const char *name, uint32_t dimensions, const uint64_t *size,
                                uint32_t type, uint64_t offset)
{
    build_string(build, name);
    build_u32(build, dimensions);
    for (uint32_t i = 0; i < dimensions; i++)
        build_u64(build, size[i]);
    build_u32(build, type);
    build_u64(build, offset);
}

/* Zeros up to a multiple of the alignment, then n bytes 0, 1, 2, ... */
static inline void build_data(struct build *build, size_t alignment, size_t n)
{
    while (build->size % alignment)
        build_bytes(build, "", 1);
    for (size_t i = 0; i < n; i++)
        build_bytes(build, &(uint8_t){(uint8_t)i}, 1);
}

/* Open an exact copy, so that a sanitizer sees the first byte read beyond it; the copy is the caller's to free. */
static inline int build_open(const struct build *build, void **copy, struct gguf **gguf, struct error *error)
{
    *copy = malloc(build->size ? build->size : 1);
    if (!*copy)
        abort();
    if (build->size)
        memcpy(*copy, build->bytes, build->size);
    return gguf_open_memory(*copy, build->size, gguf, error);
}

#endif
