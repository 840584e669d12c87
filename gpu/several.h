/* several.h: several devices of one kind behind one, so that batches spread over all of them and core/ sees one
 * device. */
#ifndef GPU_SEVERAL_H
#define GPU_SEVERAL_H

#include "gpu/device.h"

enum { SEVERAL_MOST = 16 };

/* A device made of `count` (1 .. SEVERAL_MOST) opened ones of one kind, whose copy() must reach each other's memory. It
 * takes them over, and closes them on failure too.  0, ERROR_MEMORY or ERROR_ARGUMENT (too many). */
int several_open(struct device *const *members, int count, struct device **, struct error *);

#endif
