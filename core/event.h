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
    /* EVENT_UNITS */
    struct unit *units;
    size_t unit_count;
    struct alike *alike;
    size_t alike_count;
    size_t output_count; /* of the tokens explained: a foil cuts the target short */
    int foil_token;
    int32_t foil_id;
    double foil_logprob;
    struct method method;
    /* EVENT_RELEVANCE: values [n, output_count, 1 + CANDIDATES] of unit[n]; EVENT_CHOSEN: values [unit_count] */
    int n;
    bool estimated, preview;
    int preview_first, preview_end; /* the output tokens that a preview has values of */
    int *unit;
    float *values;
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

#endif
