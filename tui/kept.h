/* kept.h: an explanation that can be shown when its engine is gone.
 *
 * Owns the explanation, the texts of the tokens that it speaks of, and in words with what model and how it was
 * measured.  Says when two explanations answer the same question.  Draws nothing. */
#ifndef TUI_KEPT_H
#define TUI_KEPT_H

#include "core/engine.h"

/* What was asked of whom, but for the prompt, the units and the length of the output. */
enum { ABOUT_SETTINGS = 4 };
struct about {
    char model[200];                   /* "SmolLM2-135M-Instruct.Q4_1, Q4_1" */
    char settings[ABOUT_SETTINGS][32]; /* "raw", "factor 0.1", "row-min-causal", "similarity off" */
};
bool about_is_same(const struct about *, const struct about *);
struct about about_of(const struct engine_info *, const struct request *);

struct kept {
    struct explanation *explanation;
    struct tokenizer *tokenizer; /* of texts alone: its output's tokens and candidates */
    struct about about;
};

/* Take an explanation over, with the texts that it needs of its tokeniser.  NULL: no memory; the explanation stays the
 * caller's. */
struct kept *kept_new(struct explanation *, const struct tokenizer *, const struct about *);
void kept_free(struct kept *); /* NULL ok */

/* Whether both explain the same prompt, asked in the same way. */
bool kept_is_same(const struct explanation *a, const struct about *about_a, const struct explanation *b,
                  const struct about *about_b);

#endif
