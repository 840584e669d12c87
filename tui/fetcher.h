/* fetcher.h: a picture's file is read by a thread of its own, so that the screen goes on. */
#ifndef TUI_FETCHER_H
#define TUI_FETCHER_H

#include <pthread.h>
#include <stdbool.h>

#include "core/image.h"
#include "tui/paths.h"

struct fetcher {
    int fd; /* readable when the thread is done; -1 while nothing is read */
    bool running;
    pthread_t thread;
    char path[PATHS_LENGTH];
    struct image *image;
    int code;
    struct error error;
};

/* fd = -1, nothing runs.  Before anything else. */
void fetcher_init(struct fetcher *);
/* Read a file; nothing else may be being read.  ERROR_IO or ERROR_MEMORY if no thread can be made. */
int fetcher_start(struct fetcher *, const char *path, struct error *);
/* When fd is readable: take the image over.  0, or why it could not be read. */
int fetcher_finish(struct fetcher *, struct image **, struct error *);
/* Wait for the thread and drop what it reads. */
void fetcher_free(struct fetcher *);

#endif
