/* context.h: what main() found out about where the program runs, so that nobody else has to ask. */
#ifndef TUI_CONTEXT_H
#define TUI_CONTEXT_H

#include <stdbool.h>

#include "tui/colour.h"
#include "tui/paths.h"

struct context {
    struct paths paths;
    char history[PATHS_LENGTH]; /* file of former prompts; "": there is no home */
    char lost[PATHS_LENGTH];    /* recording of a session whose line was dropped, and */
    char found[PATHS_LENGTH];   /* where that goes once it was told of */
    const char *term;        /* $TERM or NULL */
    enum colour_depth depth; /* of the terminal that the environment describes, whether or not output goes there */
    enum colour_ground ground;
    bool tmux;           /* a tmux or screen stands between us and the terminal */
    bool colour_refused; /* NO_COLOR, TERM=dumb */
    bool output_terminal, error_terminal;
    int interrupt; /* descriptor, readable once ^C was pressed */
};

#endif
