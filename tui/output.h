/* output.h: where results go, whole or not at all.
 *
 * A file is written under a temporary name beside its target, synced and renamed, so that a full disk or a crash never
 * leaves half a result under the wanted name.  What is no regular file (a device, a pipe) is written straight to. */
#ifndef TUI_OUTPUT_H
#define TUI_OUTPUT_H

#include <stddef.h>
#include <stdio.h>

#include "gpu/error.h"

enum { OUTPUT_CLOSED = -100 }; /* the reader of a pipe went away: leave quietly with status 1 */

/* Can path be written, as far as one can tell before the work begins?  path NULL: standard output.  0 or ERROR_IO. */
int output_check(const char *path, struct error *);

/* Write size bytes to path, or to standard output if path is NULL.  0, ERROR_IO, or OUTPUT_CLOSED. */
int output_write(const char *path, const void *data, size_t size, struct error *);

/* Let `fill` write the result to a stream in memory, and if it returns 0, output_write() that to path. */
typedef int output_filler(FILE *, const void *data, struct error *);
int output_fill(const char *path, output_filler *, const void *data, struct error *);

/* Write size bytes to an open descriptor; what: its name in messages.  0, ERROR_IO, or OUTPUT_CLOSED. */
int output_write_fd(int fd, const char *what, const void *data, size_t size, struct error *);

#endif
