/* fetcher.h: a picture's file is read as an errand of its own. */
#ifndef TUI_FETCHER_H
#define TUI_FETCHER_H

#include "core/image.h"
#include "tui/errand.h"
#include "tui/paths.h"

struct fetcher {
    struct errand errand; /* its fd is readable when the file is read */
    char path[PATHS_LENGTH];
    struct image *image;
    int code;
    struct error error;
};

/* Nothing runs.  Before anything else. */
void fetcher_init(struct fetcher *);
/* Read a file; nothing else may be being read.  ERROR_IO or ERROR_MEMORY if no thread can be made. */
int fetcher_start(struct fetcher *, const char *path, struct error *);
/* When its fd is readable: take the image over.  0, or why it could not be read. */
int fetcher_finish(struct fetcher *, struct image **, struct error *);
/* Wait for the errand and drop what it reads. */
void fetcher_free(struct fetcher *);

#endif
