/* errand.h: one thing done by a thread of its own, so that the screen goes on.
 *
 * Owns the thread and the descriptor that says when it is done; what is done, and with what result, is the caller's. */
#ifndef TUI_ERRAND_H
#define TUI_ERRAND_H

#include <pthread.h>
#include <stdbool.h>

#include "gpu/error.h"

struct errand {
    int fd; /* readable when the thread is done; -1 while nothing runs */
    bool running;
    pthread_t thread;
    void (*work)(void *data);
    void *data;
};

/* fd = -1, nothing runs.  Before anything else. */
void errand_init(struct errand *);
/* Have work(data) done; nothing else may be running.  ERROR_IO or ERROR_MEMORY if no thread can be made. */
int errand_start(struct errand *, void (*work)(void *data), void *data, struct error *);
/* Wait for the end, which is no wait once fd is readable: what was done may be looked at then. */
void errand_finish(struct errand *);

#endif
