/* progress.h: one line on standard error that says how far the work is, where that is a terminal. */
#ifndef TUI_PROGRESS_H
#define TUI_PROGRESS_H

#include <stdbool.h>

#include "core/engine.h"

struct progress {
    bool on, shown;
    double last; /* when it was written, seconds */
};

/* At most ten times a second. */
void progress_show(struct progress *, const struct explanation *);
void progress_answer(struct progress *, const struct answer *);
/* The line with `text` in place of what it said (loading). */
void progress_say(struct progress *, const char *text);
/* The line of a command that runs one case after the other, of which `done` are done; started: clock_now() before the
 * first. */
void progress_case(struct progress *, size_t done, size_t count, double started);
/* Wipe it. */
void progress_clear(struct progress *);

#endif
