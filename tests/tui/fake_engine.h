/* fake_engine.h: the settings of an engine that only pretends.
 *
 * fake_engine.c implements core/engine.h, fake_tokenizer.c core/tokenizer.h, with made-up words and numbers that depend
 * on nothing but the request, so that the screen and the command line can be tested without a model, at any pace. */
#ifndef TESTS_TUI_FAKE_ENGINE_H
#define TESTS_TUI_FAKE_ENGINE_H

#include <stdbool.h>

#include "core/engine.h"

struct fake_settings {
    int open_ms;      /* how long engine_open() takes */
    int token_ms;     /* before each output token */
    int batch_ms;     /* before each batch of relevance */
    int expected;     /* seconds that the probes are said to take; 0: not known */
    int answer_ms;    /* before each step of an answer */
    int batch;        /* units in a batch; 0: 4 */
    bool estimates;   /* all units are estimated before the first is measured, and measured values move the scale */
    int spin;         /* threads that burn a core each while a request runs */
    const char *gate; /* or NULL: a file; batch n is held back until it has n bytes */
    bool direct;      /* direct paths are told for each token, where they are asked for */
    const char *token_gate; /* as gate, of output tokens */
    int floor;              /* nats of noise; 0: a thousandth */
};
extern struct fake_settings fake_settings; /* set before engine_open() */

enum {
    FAKE_START = 0, /* id of <s> */
    FAKE_END = 1,   /* id of </s> */
    FAKE_FIRST = 2, /* id of the first of the words that the output is made of */
    FAKE_WORDS = 22,
    FAKE_COLUMN = 8, /* where in a picture's grid the blue thing is */
    FAKE_ROW = 3,
};
struct tokenizer *fake_tokenizer_new(void);

/* What inquiries are about. */
struct fake_ground {
    const char *prompt;
    const struct unit *units;
    size_t unit_count;
};
/* An answer as it is after so many steps (from 0 on); false: this is its end. */
bool fake_answer(const struct fake_ground *, const struct inquiry *, int step, struct proof *, struct pairs *);

/* A grey slope with a blue disc where the engine says that blue is, and a red one; the second (1) is wide; -1: noise.
 */
struct image *fake_picture(int nth);

#endif
