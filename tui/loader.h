/* loader.h: a model is opened as an errand of its own.
 *
 * The errand's thread runs a little below the others, and so does every thread that engine and worker make: whatever
 * they compute, the screen's thread comes first. */
#ifndef TUI_LOADER_H
#define TUI_LOADER_H

#include "core/engine.h"
#include "tui/errand.h"
#include "tui/paths.h"

/* A model with its worker; both NULL: none. */
struct loaded {
    struct engine *engine;
    struct worker *worker;
};
/* Close both, worker first; waits for the worker. */
void loaded_close(struct loaded *);

struct loader {
    struct errand errand; /* its fd is readable when the model is open, or is not to be */
    char path[PATHS_LENGTH], mmproj[PATHS_LENGTH];
    struct engine_options options; /* model points to path, mmproj to mmproj or is NULL */
    struct loaded loaded;
    int code;
    struct error error;
};

/* Nothing runs.  Before anything else. */
void loader_init(struct loader *);
/* Open the model of options; its strings but those two must outlive the loader. */
int loader_start(struct loader *, const struct engine_options *, struct error *);
/* When its fd is readable: take what was loaded.  0, or why it failed. */
int loader_finish(struct loader *, struct loaded *, struct error *);
/* Wait for the errand and drop what it loads. */
void loader_free(struct loader *);

#endif
