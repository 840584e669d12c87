#include "core/pool.h"

#include <string.h>

void pool_init(struct pool *p, struct device *device)
{
    memset(p, 0, sizeof *p);
    p->device = device;
}

static void *pool_bytes(struct pool *p, size_t count, size_t size)
{
    size_t bytes;
    if (p->status < 0)
        return NULL;
    if (p->count == POOL_MOST || __builtin_mul_overflow(count, size, &bytes)) {
        p->status = error_set(&p->error, ERROR_MEMORY, "a buffer of %zu x %zu bytes is too large", count, size);
        return NULL;
    }
    void *buffer = p->device->ops->alloc(p->device, bytes ? bytes : 1, &p->error);
    if (!buffer) {
        p->status = p->error.code ? p->error.code : ERROR_MEMORY;
        return NULL;
    }
    return p->buffer[p->count++] = buffer;
}

float *pool_floats(struct pool *p, size_t rows, size_t columns)
{
    size_t count;
    if (__builtin_mul_overflow(rows, columns, &count))
        count = SIZE_MAX;
    return pool_bytes(p, count, sizeof(float));
}

int32_t *pool_ints(struct pool *p, size_t count)
{
    return pool_bytes(p, count, sizeof(int32_t));
}

void pool_free(struct pool *p)
{
    for (int i = 0; i < p->count; i++)
        p->device->ops->free(p->device, p->buffer[i]);
    p->count = 0;
}
