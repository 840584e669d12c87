/* map.h: what an explanation says about one choice, or about one rather than another, as a view wants to know it.
 *
 * Pure questions to an explanation: which unit lies at a byte, its relevance, its rank, and the scale that the colours
 * share.  A *choice* of an output token is numbered as in explanation_relevance(): 0 the token itself, 1 + k candidate
 * k, and MAP_TYPED that of the last worker_retarget().  Special units are answered for, but never set the scale or take
 * a rank.  Nor does the unit of the very first token set the scale: models let attention that has nowhere to go rest on
 * that position, so suppressing it breaks them for reasons that have nothing to do with meaning (measured: 18 nats
 * where the greatest other unit has 5).  If it is no more than a word, it takes no rank either: unit_counts(). */
#ifndef TUI_MAP_H
#define TUI_MAP_H

#include <stdbool.h>
#include <stddef.h>

#include "core/engine.h"

/* Whether a unit's relevance may set the scale. */
bool map_sets_scale(const struct explanation *, size_t unit);

enum { MAP_TYPED = CANDIDATES + 1 };

/* On which ways from the unit to the output token. */
enum map_paths {
    MAP_ALL_PATHS, /* what is measured; until then direct ones, as an estimate */
    MAP_DIRECT,    /* only through the attention of the rows that predict the token */
    MAP_MEDIATED,  /* what is measured less that: through the positions between */
    MAP_PATHS,     /* how many there are */
};

struct map_question {
    size_t token;
    int choice;
    bool contrast; /* choice rather than against */
    int against;
    int32_t typed; /* MAP_TYPED is this id: another answer of worker_retarget() does not count */
    bool shared;   /* the scale is that of all output tokens */
    enum map_paths paths;
};

struct map {
    const struct explanation *explanation;
    struct map_question question;
    double limit;    /* nats at the scale's ends; 0 while nothing is measured */
    size_t measured; /* units with a relevance, of those that count */
    const float *shown; /* [shown_count] what colours say of each unit in place of its relevance, -1 .. 1; borrowed;
                         * NULL: nothing else */
    size_t shown_count;
};

/* Look at a choice, or at the difference of two: of the relevances of A and B, as what suppression does to the sum over
 * the vocabulary is in both.  The scale is that of the output token, and of the choice if that needs more; that of the
 * difference alone in a contrast.  That of some paths is at least that of all, so that one can be held against the
 * other. O(units * outputs). */
struct map map_of(const struct explanation *, const struct map_question *);

/* The unit that holds the byte of the prompt, or -1; a byte of two units belongs to the first.
 * from: start with 0; keeps the place for the next question, whose byte is not smaller. */
long map_unit_at(const struct explanation *, size_t byte, size_t *from);
/* Whether the byte of the prompt is white space around the unit's words: colours leave it out.  false for units that
 * are nothing but white space. */
bool map_is_margin(const struct explanation *, long unit, size_t byte);
/* The unit that is output token t, or -1. */
long map_unit_of_output(const struct explanation *, size_t t);

/* Relevance in nats; NAN where it is not known. */
double map_value(const struct map *, long unit);
/* Whether its relevance is an estimate so far. */
bool map_estimated(const struct map *, long unit);
/* -1 .. 1 for colours; 0 under the noise floor and while not measured. */
double map_position(const struct map *, long unit);
/* 1 for the unit of greatest absolute relevance; 0 while not measured, and for a unit that does not count. */
size_t map_rank(const struct map *, long unit);
/* The n units of greatest absolute relevance, best first: all, those of text, or those of pictures; of those that
 * count, unless there is but the first word.  Returns how many there are. */
enum map_units { MAP_ALL, MAP_WORDS, MAP_PATCHES };
size_t map_top(const struct map *, enum map_units, long *units, size_t n);

#endif
