/* inquiry.h: what can be asked once an explanation is there, and the answers.
 *
 * An inquiry leaves the explanation as it is and adds to it: a proof of its map by another means than attention, or how
 * units act together.  Answers grow step by step; each is a plain value that can be copied.  Pure: no device. */
#ifndef CORE_INQUIRY_H
#define CORE_INQUIRY_H

#include <stdbool.h>
#include <stdint.h>

#include "gpu/error.h"

enum {
    PROOF_POINTS = 10, /* at most: 1, 2, 3, 4, 6, 8, 12, 16, 24, 32 units deleted */
    PROOF_ORDERS = 3,  /* random ones to hold against */
    FLIP_UNITS = 16,   /* the greatest set that is tried */
    PAIR_UNITS = 6,    /* so many of the strongest units */
    PAIR_MOST = PAIR_UNITS * (PAIR_UNITS - 1) / 2,
};

enum inquiry_kind {
    INQUIRY_PROOF,
    INQUIRY_PAIRS,
};

struct inquiry {
    enum inquiry_kind kind;
    int token;   /* of the output, */
    int32_t id;  /* and which token in its place: its own, a candidate's, or any other of the vocabulary */
    int unit[2]; /* INQUIRY_PAIRS: these two; unit[0] -1: the strongest */
};

enum answer_state {
    ANSWER_NONE, /* nothing was asked */
    ANSWER_BUSY,
    ANSWER_DONE,
    ANSWER_STOPPED, /* by a cancel, or another inquiry: what is there holds */
    ANSWER_FAILED,  /* error says why */
};

/* What all answers have. */
struct answer {
    enum answer_state state;
    int token; /* as asked */
    int32_t id;
    int steps, steps_total; /* done, of about so many; total 0: not known yet */
    double seconds;         /* that took */
    struct error error;
};

/* The log-probability of the token after the prompt without some of its text, the output before the token as it was. */
struct proof_point {
    int deleted;   /* units */
    double ranked; /* without the most relevant ones */
    double random; /* mean over random orders; NAN: not known yet */
};

enum flip_state {
    FLIP_UNKNOWN, /* yet */
    FLIP_FOUND,
    FLIP_NONE, /* no set that was tried */
};

/* A small set of the prompt's units whose joint suppression changes what the model says: the strongest first, until it
 * does, then each left out again whose part is not needed.  So it is the smallest *found*; there may be smaller ones.
 * If the token asked about is the most probable, any other then is; if not, it then is itself. */
struct flip {
    enum flip_state state;
    int count, unit[FLIP_UNITS]; /* strongest first; of FLIP_NONE: the greatest set tried, which did not do */
    int32_t id;                  /* the most probable token with the set suppressed, */
    double logprob;              /* and the log-probabilities that it has then, */
    double asked_logprob;        /* and the token asked about */
};

/* Does the map tell what matters?  Text of the units it ranks first is deleted, not suppressed, and the fall of the
 * probability is held against that of units in random order (always the same ones for a prompt).  Units of pictures and
 * special tokens cannot be deleted, and stay. */
struct proof {
    struct answer answer;
    double logprob;  /* with nothing deleted */
    int units;       /* that can be deleted */
    int orders;      /* random ones in the means so far */
    int point_count; /* whose `ranked` is known */
    struct proof_point point[PROOF_POINTS];
    double area; /* nats: the mean over 0 .. the last point's number of deleted units (by straight lines between points)
                  * of random - ranked; 0: no better than chance; NAN: not known yet */
    struct flip flip;
};

/* Two units suppressed alone and together: relevance, in nats, as an explanation has it. */
struct pair {
    int unit[2];
    double alone[2], both;
};

enum pair_bond {
    PAIR_INDEPENDENT, /* together they do what the two do alone */
    PAIR_BACKING,     /* each needs the other: together they do less than the sum, as one gone is enough (AND) */
    PAIR_STANDING_IN, /* one stands in for the other: together they do more than the sum, as both must go (OR) */
    PAIR_OPPOSED,     /* one speaks for the token and one against it */
};

struct pairs {
    struct answer answer;
    double noise; /* nats: how far off both - alone - alone may be; NAN: not known */
    bool two;     /* units were named */
    int count;
    struct pair pair[PAIR_MOST];
};

double pair_interaction(const struct pair *); /* both - alone[0] - alone[1] */
/* What that says: opposed where one supports and one opposes the token, each by more than a tenth of the greatest of
 * the three effects; else independent unless it is more than a tenth of what they do alone or together.  What is within
 * the noise, or below a hundredth of the greatest effect of all pairs, is nothing.  Where the greatest of the three is
 * that they speak against the token, the bond is that of speaking against it. */
enum pair_bond pair_bond(const struct pairs *, const struct pair *);
const char *pair_bond_name(enum pair_bond);
/* order [count]: pairs by the size of their interactions, greatest first. */
void pairs_order(const struct pairs *, int *order);

/* The area of a proof whose points all have both values; NAN without points. */
double proof_area(const struct proof *);

#endif
