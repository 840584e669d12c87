/* event.h: what the worker tells its reader; internal to core.  An event owns what its pointers point to until
 * explanation_apply() takes it over. */
#ifndef CORE_EVENT_H
#define CORE_EVENT_H

#include "core/engine.h"

struct event {
    struct event *next;
    enum event_kind kind;
    uint64_t request;
    struct cost cost;
    /* EVENT_PROMPT */
    char *prompt;
    size_t prompt_length;
    struct token *tokens;
    size_t token_count;
    struct picture *pictures;
    size_t picture_count;
    /* EVENT_TOKEN */
    struct output_token token;
    /* EVENT_UNITS; EVENT_DIRECT before it: those that there are so far, in the same order */
    struct unit *units;
    size_t unit_count;
    /* EVENT_UNITS */
    struct alike *alike;
    size_t alike_count;
    size_t output_count; /* of the tokens explained: a foil cuts the target short */
    int foil_token;
    int32_t foil_id;
    double foil_logprob;
    struct method method;
    enum precision precision;
    /* EVENT_RELEVANCE: values [n, output_count, 1 + CANDIDATES] of unit[n]; EVENT_DIRECT: values [n, direct_end -
     * direct_first, 1 + CANDIDATES] of these output tokens; EVENT_CHOSEN: values and direct [unit_count] */
    int n;
    bool estimated;
    int direct_first, direct_end;
    int *unit;
    int *known; /* [n] of EVENT_RELEVANCE: there are values of output tokens before this one; NULL: of all */
    float *values;
    float *direct;
    int chosen_token;
    int32_t chosen_id;
    /* EVENT_DONE, EVENT_CANCELLED, EVENT_FAILED */
    bool complete, stopped;
    double noise_floor;
    struct error error;
    /* EVENT_PROOF, EVENT_PAIRS: all of the answer so far; of these events the cost is not said */
    struct proof *proof;
    struct pairs *pairs;
};

void event_free(struct event *); /* NULL ok; not its successors */

/* Fold an event into the reader's explanation, and free it. */
void explanation_apply(struct explanation *, struct event *);

/* explanation_direct.c: keep what an EVENT_DIRECT says; false: no memory.  Forget all that such events said. */
bool explanation_take_direct(struct explanation *, const struct event *);
void explanation_clear_direct(struct explanation *);

#endif
