/* budget.h: how much memory an explanation may take, and what it is best spent on.
 *
 * By default that is three times what a plain pass of the prompt needs: the model file, keys and values, one layer's
 * activations, and the program itself; and what is kept of each unit for each token of a long answer.  What else the
 * process has in use, another model for example, comes on top.  What all that leaves is for going on from what probes
 * made of their rows.  A limit that the user sets is kept, or refused in one
 * sentence before work begins.  Pure arithmetic on a model's sizes and on what is in use already; the memory itself is
 * asked for elsewhere.  Of devices that work in the process's memory only: a card's is taken as far as it is free. */
#ifndef CORE_BUDGET_H
#define CORE_BUDGET_H

#include "core/lane.h"

/* What is to be done. */
struct task {
    int positions; /* of the sequence */
    int targets, units;
    bool probes;   /* else a plain pass is all */
    bool resume;   /* the next explanation may go on from these probes */
    enum precision precision;
    enum precision copied; /* in which the weights' copies are there already; f32: there are none */
    size_t used;   /* bytes in use already, as device_ops.used says, without what a former budget was spent on */
    size_t limit;  /* bytes that the user allows; 0: as by default */
};

/* What is spent. */
struct budget {
    size_t limit, need; /* bytes of the process; need: what this is expected to come to */
    int capacity;       /* positions that there is room for */
    bool keep;          /* activations of all layers are kept */
    struct lanes_room room; /* count 0: as the device likes */
};

/* ERROR_LIMIT, with what would be needed, where the user's limit cannot be kept. */
int budget_make(const struct model *, const struct task *, struct budget *, struct error *);

/* Bytes for rows that the next explanation's probes go on from (past.h): what this task and a second baseline, for
 * plain passes, leave of a budget that was made for it or a larger one. */
size_t budget_past(const struct model *, const struct task *, const struct budget *);

/* Whether a second baseline, for a plain pass of so many positions, fits beside what is in use by now. */
bool budget_fits(const struct model *, const struct budget *, size_t used, int positions);

#endif
