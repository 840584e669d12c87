/* offer.h: what an empty start offers: a picture with a question, and three prompts.
 *
 * Owns the choice among the samples, and which one is marked.  Parts of the samples' text, who must live as long. */
#ifndef TUI_OFFER_H
#define TUI_OFFER_H

#include "tui/samples.h"

enum { OFFER_TEXTS = 3, OFFER_MOST = OFFER_TEXTS + 1 };

struct offer {
    struct sample samples[OFFER_MOST]; /* in the order of the file */
    size_t behind[OFFER_MOST];         /* where samples_next() goes on behind each */
    size_t count, chosen;
};

/* The first sample with a picture and the first three without; fewer where there are fewer. */
void offer_make(struct offer *, const struct samples *);

#endif
