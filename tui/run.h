/* run.h: an engine and its worker for a command that wants one thing after the other.
 *
 * Owns opening, submitting, waiting, progress and ^C; what to do with the explanation is the command's business. */
#ifndef TUI_RUN_H
#define TUI_RUN_H

#include "core/engine.h"
#include "tui/context.h"
#include "tui/options.h"
#include "tui/progress.h"

struct run {
    const struct options *options;
    const struct context *context;
    struct image *images[OPTIONS_IMAGES]; /* [image_count] of --image */
    size_t image_count;
    struct engine *engine;
    struct worker *worker;
    struct explanation *explanation;
    struct progress progress;
};

/* Read the pictures, find the model and open it.  On failure there is nothing to close. */
int run_open(struct run *, const struct options *, const struct context *, struct error *);
void run_close(struct run *);

/* A request for prompt, and the pictures, as the options say, the explanation not yet asked for. */
struct request run_request(const struct run *, const char *prompt, size_t length);

/* Called after every event; an error of it cancels the request. */
typedef int run_listener(struct run *, enum event_kind, void *data, struct error *);

/* Submit and wait for the end.  0: done (the explanation says whether it is complete); ERROR_CANCELLED: by ^C, the
 * explanation holds what was there; else why it failed. */
int run_submit(struct run *, const struct request *, run_listener *, void *data, struct error *);

/* Ask more about the explanation that run_submit() left, and wait for the answer's end; it is in the explanation then,
 * as far as it goes. */
int run_inquire(struct run *, const struct inquiry *, struct error *);

/* Forget all that the worker knows of earlier requests (bench measures from a cold start). */
int run_restart(struct run *, struct error *);

/* Whether prompts are conversations: as asked for, else where the model has a chat template. */
bool run_is_chat(const struct options *, const struct engine_info *);
/* The model file that the options mean. */
int run_model(const struct options *, const struct context *, char *path, size_t size, struct error *);
/* The vision tower's file that they mean, "" for none: --mmproj, or the one beside the model, if there are pictures, or
 * could be later (on the screen, in a data set, and with the shipped model).  An error where there are pictures and no
 * file for them. */
int run_mmproj(const struct options *, const char *model, char *path, size_t size, struct error *);

#endif
