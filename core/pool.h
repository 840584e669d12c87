/* pool.h: device buffers that live and die together, so that a failing allocation needs no clean-up ladder. */
#ifndef CORE_POOL_H
#define CORE_POOL_H

#include <stddef.h>
#include <stdint.h>

#include "gpu/device.h"

enum { POOL_MOST = 24 };

struct pool {
    struct device *device;
    void *buffer[POOL_MOST];
    int count;
    int status; /* of the first allocation that failed */
    struct error error;
};

void pool_init(struct pool *, struct device *);
/* Not cleared.  After a failure every further call returns NULL too: look at status once at the end. */
float *pool_floats(struct pool *, size_t rows, size_t columns);
int32_t *pool_ints(struct pool *, size_t count);
void pool_free(struct pool *);

#endif
