/* options.h: the command line, from one table.
 *
 * The table (options_table.c) says of every option which commands take it, how its value is read and what it does; the
 * parser, -h, the man page and the completions all come from it.  Opens no file: a prompt is read by
 * prompt.c. */
#ifndef TUI_OPTIONS_H
#define TUI_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "core/engine.h"

enum command {
    COMMAND_SCREEN,
    COMMAND_EXPLAIN,
    COMMAND_GENERATE,
    COMMAND_INFO,
    COMMAND_TOKENIZE,
    COMMAND_BENCH,
    COMMAND_EVAL,
    COMMAND_GUARD,
    COMMAND_REPLAY,
    COMMANDS,
};

enum format { FORMAT_DEFAULT, FORMAT_ANSI, FORMAT_JSON, FORMAT_HTML, FORMAT_REFERENCE, FORMAT_PNG, FORMAT_SVG };

enum { OPTIONS_STEERS = 256, OPTIONS_IMAGES = 64 };

/* Whose completions are wanted. */
enum shell { SHELL_NONE, SHELL_BASH, SHELL_ZSH, SHELL_FISH };

/* "WHAT=FACTOR" of --steer, taken apart. */
struct options_steer {
    const char *unit; /* not terminated */
    size_t length;
    float factor;
};

/* What was asked for.  Texts are argv's own. */
struct options {
    enum command command;
    bool help, version, man;
    enum shell completion;

    const char *model, *mmproj, *device, *pre;
    int threads, precision, weights; /* as engine_options */
    size_t memory;                   /* bytes, the same */
    bool tf32;

    const char *prompt, *prompt_file;
    const char *images[OPTIONS_IMAGES]; /* files, in order */
    size_t image_count;
    bool chat, raw;
    const char *chat_template, *system, *chat_file;

    const char *target, *foil;
    bool proof, pairs;
    int about; /* the output token that these ask about; -1: the foil's, else the first */
    int generate;
    const char *units;   /* NULL: the screen's default */
    const char *patches; /* NULL: auto */
    struct method method;
    double budget;
    uint64_t seed;
    struct options_steer steers[OPTIONS_STEERS];
    size_t steer_count;

    const char *jsonl;
    int length, target_length, repeat;

    const char *dataset; /* of eval; of guard and replay: the file */
    int limit; /* 0: none */
    bool per_case, variants, leave_one_out;
    bool update;

    int format;   /* enum format */
    int graphics; /* enum terminal_graphics */
    int scale;    /* enum scale */
    const char *record; /* NULL: nothing is */
    double speed;       /* of a replay */
    const char *to;     /* a replay's end goes to this file, without a screen; or NULL */
    const char *output;
    bool verbose, quiet, no_history, plain;
};

/* Read the command line.  0, or ERROR_ARGUMENT with one line that says what is wrong and what would be right. */
int options_parse(struct options *, int argc, char **argv, struct error *);

/* -h of a command (COMMAND_SCREEN: of the program). */
void options_help(FILE *, enum command);
/* The man page, with the screen's keys. */
void options_man(FILE *);
/* Completions: options_complete.c. */
void options_completion(FILE *, enum shell);

/* -- the table, for the files named options_*.c ------------------------------------------------------------------- */

enum option_kind { OPTION_FLAG, OPTION_TEXT, OPTION_COUNT, OPTION_NUMBER, OPTION_WORD, OPTION_OWN };

struct option_row {
    unsigned commands; /* bits 1 << enum command */
    char letter;       /* or 0 */
    const char *name, *value, *help;
    enum option_kind kind;
    size_t offset;            /* of the member of struct options: bool, const char *, int, double or int */
    double low, high;         /* of a count or number */
    const char *const *words; /* NULL-terminated: of a word, whose index + base is stored; else words that are usual */
    int base;
    int (*read)(struct options *, const char *value, struct error *); /* OPTION_OWN */
};

struct option_group {
    const char *title;
    const struct option_row *rows; /* ended by a row without name */
};

/* A part of what a command reads, and what it means. */
struct command_note {
    const char *name, *help;
};

struct command_row {
    const char *name, *operand, *summary;
    const char *const *examples; /* NULL-terminated */
    const char *notes_title;     /* NULL: there are none */
    const struct command_note *notes; /* ended by one without name */
};

extern const struct option_group options_groups[]; /* ended by one without title */
extern const struct command_row options_commands[COMMANDS];

#endif
