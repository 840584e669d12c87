/* plain.h: the program as lines of text, for screen readers, pipes, and terminals that cannot move their cursor.
 *
 * Owns its dialogue: a line is a prompt, or a command if it begins with a colon; what is printed is never taken back.
 * plain.c reads lines and runs prompts, plain_command.c has the commands, plain_say.c says in words what was found. */
#ifndef TUI_PLAIN_H
#define TUI_PLAIN_H

#include "tui/history.h"
#include "tui/report.h"
#include "tui/run.h"
#include "tui/samples.h"
#include "tui/stream.h"

enum { PLAIN_UNITS = 5 }; /* told of an answer, unless more are asked for */

struct plain {
    struct options options; /* as given, and then as the commands set them */
    const struct context *context;
    struct run run;
    struct samples samples;
    struct history history;
    struct stream stream; /* of the output that is being written */
    double told;          /* clock_now() when progress was told last */
    char *prompt, *foil, *model; /* malloced; NULL: none.  options points to the latter two */
    size_t length;
    char *pictures[OPTIONS_IMAGES]; /* malloced names of those that were added by commands */
    size_t picture_count;
    int token;    /* the output token that is told about, or REPORT_ALL */
    size_t units; /* how many units are told */
    bool quit;
};

/* Measure the prompt with the options as they are, and tell about it.  0, or why not; a cancelled one is told as far as
 * it is measured. */
int plain_measure(struct plain *, struct error *);
/* Open the model that the options name, in the place of the one that is open. */
int plain_open(struct plain *, struct error *);

/* -- plain_command.c ----------------------------------------------------------------------------------------------- */

struct plain_command {
    const char *name, *operand, *help;
    int (*act)(struct plain *, const char *argument, struct error *);
};
/* The table, in the order of the help. */
const struct plain_command *plain_commands(size_t *count);
/* Do what a line says behind its colon. */
int plain_command(struct plain *, const char *line, struct error *);

/* -- plain_say.c --------------------------------------------------------------------------------------------------- */

struct report plain_report(const struct plain *);
/* What the answer, or the chosen token of it, rests on. */
int plain_say_units(const struct plain *, struct error *);
/* What could stand in place of the chosen token, or of the first. */
void plain_say_candidates(const struct plain *);

#endif
