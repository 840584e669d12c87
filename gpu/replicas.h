/* replicas.h: memory of one device that others read as if it were theirs.
 *
 * It stands on the first of several devices, at home.  What another reads of it is copied there first, once after each
 * time it was written.  Who writes a piece must have finished before another device reads it.  Threads: any. */
#ifndef GPU_REPLICAS_H
#define GPU_REPLICAS_H

#include <pthread.h>

#include "gpu/device.h"
#include "gpu/several.h"

struct replicas {
    struct device *const *member; /* [members], the first is home; the caller's */
    int members;
    pthread_mutex_t lock;  /* all below */
    struct block **block;  /* [blocks] by address */
    size_t blocks, room;
};

void replicas_init(struct replicas *, struct device *const *member, int members);
/* All memory must have been given back. */
void replicas_end(struct replicas *);

/* As a device's alloc and free. */
void *replicas_alloc(struct replicas *, size_t bytes, struct error *);
void replicas_free(struct replicas *, void *); /* NULL ok */

/* Where a member finds what p points to, for reading; the copy is up to date when this returns, made on `stream`, one
 * of the member's.  p itself where it is NULL, the member's own memory, or at home.  NULL with *error: no memory for a
 * copy, or what the stream said. */
const void *replicas_read(struct replicas *, const void *p, int member, struct stream *stream, struct error *);
/* Note that what p points to is about to be written.  Whether it is in this memory. */
bool replicas_note(struct replicas *, const void *p);

#endif
