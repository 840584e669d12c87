/* screen.h: the interactive screen.
 *
 * A prompt that is written, the output that follows it, and the colours of what each word of the output rests on, while
 * they are computed.  Owns nothing beyond its call: it opens the terminal, runs until it is left, and gives it back. */
#ifndef TUI_SCREEN_H
#define TUI_SCREEN_H

#include "core/engine.h"
#include "tui/paths.h"
#include "tui/terminal.h"

struct screen_options {
    struct engine_options engine;     /* model, mmproj: the paths of the first ones */
    struct terminal_options terminal; /* what the environment says */
    const struct paths *paths;        /* where the open dialog looks for models */
    const char *samples;              /* file of sample prompts or NULL */
    const char *prompt;               /* to begin with, explained at once; if empty, samples are offered */
    size_t prompt_length;
    struct image *const *images; /* of that prompt; the caller's, who keeps them as long */
    const char *const *image_paths; /* their files; NULL: not known */
    size_t image_count;
    const char *history;     /* file of former prompts; NULL: they are not kept */
    const char *units;       /* granularity; NULL: "word" */
    const char *image_units; /* of pictures, as request.image_units */
    struct method method;
    bool raw, chat; /* prompts are never, or always, conversations; else where the model has a chat template */
    int generate; /* tokens of output; 0: 12 */
    const char *record; /* a file to record to from the start, which must not be there; or NULL */
    const char *lost,
        *found; /* where a session is kept whose line is dropped, and that goes once it was told of; NULL: nowhere */
    const char *replay; /* a recording to play in place of a model, or NULL: of the rest only `terminal` counts then */
    double speed;       /* at which it is played */
};

/* Run until the person leaves.  The screen is there at once and the first model is loaded behind it.
 * Returns 0; the number of the signal that ended it (the terminal is put right, the caller raises it again); or an
 * error: no usable terminal, or the first model cannot be opened.  Thread: the program's first, before any other. */
int screen_run(const struct screen_options *, struct error *);

#endif
