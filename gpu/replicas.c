/* replicas.c: blocks of memory by address, and their copies on other devices. */
#include "gpu/replicas.h"

#include <stdlib.h>
#include <string.h>

/* A piece of the memory, and its copies. */
struct block {
    char *data;
    size_t bytes;
    unsigned version; /* how often it was written */
    struct {
        void *data;       /* NULL: there is none */
        unsigned version; /* what it is a copy of */
    } copy[SEVERAL_MOST];
};

void replicas_init(struct replicas *r, struct device *const *member, int members)
{
    *r = (struct replicas){.member = member, .members = members};
    pthread_mutex_init(&r->lock, NULL);
}

void replicas_end(struct replicas *r)
{
    pthread_mutex_destroy(&r->lock);
    free(r->block);
}

/* How many blocks begin at or before p. */
static size_t blocks_before(const struct replicas *r, const void *p)
{
    size_t low = 0, high = r->blocks;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if ((uintptr_t)r->block[middle]->data <= (uintptr_t)p)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* The block that p points into; NULL: p is other memory. */
static struct block *find(const struct replicas *r, const void *p)
{
    size_t i = blocks_before(r, p);
    struct block *block = i > 0 ? r->block[i - 1] : NULL;
    return block && (uintptr_t)p - (uintptr_t)block->data < block->bytes ? block : NULL;
}

static bool list_block(struct replicas *r, struct block *block)
{
    if (r->blocks == r->room) {
        size_t room = r->room ? 2 * r->room : 64;
        struct block **more = realloc(r->block, room * sizeof(struct block *));
        if (!more)
            return false;
        r->block = more;
        r->room = room;
    }
    size_t at = blocks_before(r, block->data);
    memmove(r->block + at + 1, r->block + at, (r->blocks - at) * sizeof(struct block *));
    r->block[at] = block;
    r->blocks++;
    return true;
}

void *replicas_alloc(struct replicas *r, size_t bytes, struct error *error)
{
    struct device *home = r->member[0];
    struct block *block = calloc(1, sizeof *block);
    void *data = home->ops->alloc(home, bytes, error);
    bool listed = false;
    if (block && data) {
        block->data = data;
        block->bytes = bytes ? bytes : 1;
        pthread_mutex_lock(&r->lock);
        listed = list_block(r, block);
        pthread_mutex_unlock(&r->lock);
    }
    if (listed)
        return data;
    if (data) {
        error_set(error, ERROR_MEMORY, "no memory for %zu bytes", bytes);
        home->ops->free(home, data);
    }
    free(block);
    return NULL;
}

void replicas_free(struct replicas *r, void *memory)
{
    if (!memory)
        return;
    pthread_mutex_lock(&r->lock);
    struct block *block = find(r, memory);
    size_t at = blocks_before(r, memory);
    memmove(r->block + at - 1, r->block + at, (r->blocks - at) * sizeof(struct block *));
    r->blocks--;
    pthread_mutex_unlock(&r->lock);
    for (int i = 1; i < r->members; i++)
        r->member[i]->ops->free(r->member[i], block->copy[i].data);
    r->member[0]->ops->free(r->member[0], memory);
    free(block);
}

/* Bring a member's copy of a block up to date, waiting for it: other streams of that member may read it next. */
static void *renew_copy(struct replicas *r, struct block *block, int member, struct stream *stream, struct error *error)
{
    struct device *device = r->member[member];
    void **copy = &block->copy[member].data;
    if (*copy && block->copy[member].version == block->version)
        return *copy;
    if (!*copy && !(*copy = device->ops->alloc(device, block->bytes, error)))
        return NULL;
    device->ops->copy(stream, block->data, block->bytes, *copy);
    if (device->ops->stream_finish(stream, error) < 0)
        return NULL;
    block->copy[member].version = block->version;
    return *copy;
}

const void *replicas_read(struct replicas *r, const void *p, int member, struct stream *stream, struct error *error)
{
    if (!p || member == 0)
        return p;
    pthread_mutex_lock(&r->lock);
    struct block *block = find(r, p);
    const char *copy = block ? renew_copy(r, block, member, stream, error) : NULL;
    pthread_mutex_unlock(&r->lock);
    return !block ? p : copy ? copy + ((const char *)p - block->data) : NULL;
}

bool replicas_note(struct replicas *r, const void *p)
{
    pthread_mutex_lock(&r->lock);
    struct block *block = find(r, p);
    if (block)
        block->version++;
    pthread_mutex_unlock(&r->lock);
    return block;
}
