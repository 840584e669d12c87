/* team.h: the threads that share one operation of a wide stream.
 *
 * Members sleep as soon as there has been nothing to do for some 50 microseconds: the machine is usually shared, and
 * threads that spin on (OpenMP's way to wait) slow down everyone on it, ourselves most. */
#ifndef GPU_HOST_TEAM_H
#define GPU_HOST_TEAM_H

#include <stddef.h>

#include "gpu/error.h"

struct team;

/* One piece of an operation.  member: 0 .. size - 1, different for pieces that run at the same time. */
typedef void team_task(void *context, size_t piece, int member);

/* size members, the calling thread of team_run() among them. */
int team_new(int size, struct team **, struct error *);
void team_free(struct team *); /* NULL ok */
int team_size(const struct team *); /* of NULL: 1 */

/* Do pieces 0 .. pieces - 1, each by whoever is free, and return when all are done.  team NULL: in the calling thread.
 * Calls from several threads take turns. */
void team_run(struct team *, size_t pieces, team_task *, void *context);

#endif
