/* trial.h: one case of a data set, run: the answer, the maps that are to be compared, and their scores.
 *
 * Owns what each kind of map is.  Runs everything through the command's worker, one request after the other. */
#ifndef TUI_TRIAL_H
#define TUI_TRIAL_H

#include <jansson.h>

#include "tui/dataset.h"
#include "tui/run.h"
#include "tui/truth.h"

/* The first is what the options ask for; the others are there to be compared with it. */
enum trial_kind {
    TRIAL_METHOD,
    TRIAL_DIRECT,        /* the same on direct paths */
    TRIAL_ROLLOUT,       /* attention rollout */
    TRIAL_LEAVE_ONE_OUT, /* words: what deleting each unit's text does */
    TRIAL_RANDOM,
    TRIAL_UNIFORM,
    TRIAL_RECENCY,   /* words: the later, the more */
    TRIAL_CENTRE,    /* patches: the nearer to the picture's centre, the more */
    TRIAL_PATCH,     /* pictures: the method with single patches, */
    TRIAL_2X2,       /* tiles of 2 x 2, */
    TRIAL_NO_WINDOW, /* neighbours from anywhere */
    TRIAL_KINDS,
};
const char *trial_kind_name(enum trial_kind);

enum trial_score {
    TRIAL_HIT,       /* score_hit() of the relevance, summed over the answer's tokens */
    TRIAL_COVERED,   /* the same, where only units count of whose area at least a fifth decides */
    TRIAL_PRECISION, /* soft, of the squares summed over the answer's tokens */
    TRIAL_RECALL,
    TRIAL_DELETION, /* mean drop of the answer's log-probability after the 1, 2, 4, 8, 16 and 32 most relevant units'
                     * text is deleted, nats; not of wrong answers */
    TRIAL_SCORES,
};
const char *trial_score_name(enum trial_score);

struct trial {
    bool judged, right; /* the greedy answer is the case's, white space at its ends left out */
    char *answer;       /* greedy, as text; NULL: none was asked for */
    bool has[TRUTH_SIDES];
    double score[TRUTH_SIDES][TRIAL_KINDS][TRIAL_SCORES]; /* NAN: none */
    json_t *record[TRUTH_SIDES]; /* units and maps of a side, where the options say --per-case; else NULL */
};

/* Run a case.  0, ERROR_CANCELLED, or why it cannot be run.  trial_free() afterwards in any case. */
int trial_run(struct run *, const struct dataset_case *, struct trial *, struct error *);
void trial_free(struct trial *); /* what it holds */

#endif
