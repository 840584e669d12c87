/* probe.h: the probe engine.  Runs the model again for every unit, as differences to the baseline.
 *
 * Probes are packed into groups of rows.  Each lane (a thread with a stream of the device) takes the next group,
 * carries it through all layers (lane.h) and hands over what the probes did to the targets; the final hidden states are
 * kept, so that another target token needs no new pass.  Nothing here knows of text. */
#ifndef CORE_PROBE_H
#define CORE_PROBE_H

#include <pthread.h>
#include <stdatomic.h>

#include "core/decoder.h"
#include "core/past.h"
#include "core/plan.h"

/* What the probes are asked about: the log-probabilities of some tokens after some positions. */
struct targets {
    int count;              /* T */
    int first;              /* position whose logits predict target token 0; token t is predicted at first + t */
    int wanted_count;       /* n */
    const int32_t *wanted;  /* [T, n]: ids whose log-probabilities are followed */
    const double *lse;      /* [T]: log-sum-exp of the baseline's logits */
};

/* All probes of one explanation: what is asked, and what was found. */
struct probes {
    const struct baseline *baseline;
    const struct plan *plan;
    struct method method;
    struct targets targets;
    enum precision precision; /* of a run; may be changed between two of them */

    pthread_mutex_t results; /* held while what a probe found is replaced, for another thread may read it */
    struct pool pool;
    float *hidden;     /* device [T, width]: the baseline after the last norm */
    float *change;     /* device [units, T, width]: what each probe changed in it; undefined before first_target[u].
                        * NULL with hidden: dropped */
    double *dlse;      /* [units, T] change of the log-sum-exp */
    double *dlogit;    /* [units, T, n] change of the wanted logits */
    atomic_bool *measured; /* [units] what is said of it above may be read */
    int *known;            /* [units] of one that is not measured: it may be read of the targets before this one, which
                            * another run left */
    bool *exact;           /* [units] whether what may be read was formed in f32 */
    struct past *past;     /* their changed keys and values, from which they go on and which they leave; NULL: none */
};

int probes_new(const struct baseline *, struct stream *, const struct plan *, const struct method *,
               const struct targets *, enum precision, struct probes **, struct error *);
void probes_free(struct probes *); /* NULL ok */

/* The first target that the probe of unit u can change; T if none. */
int probes_first_target(const struct probes *, int unit);
/* Whether they go by direct paths: their rows are then those that predict a target. */
bool probes_are_direct(const struct probes *);
/* The position of a probe's first row in a run, for none before it changes, and those that `past` has need not be run
 * again; and of its first that predicts a target; the end where there is none.  The end: the position behind all
 * rows. */
int probes_first_row(const struct probes *, int unit);
int probes_first_target_row(const struct probes *, int unit);
int probes_end_row(const struct probes *);
/* Whether anything is known of what the unit does to target t. */
bool probes_know(const struct probes *, int unit, int t);
/* The rows that its probe would have in a run. */
int probes_row_count(const struct probes *, int unit);

/* The lanes: threads' worth of streams and scratch, reused from one explanation to the next. */
struct lanes;
struct lanes_room {
    int count;      /* lanes */
    int rows;       /* of a group, at least a probe's */
    int64_t parked; /* rows that a lane can hold between two layers, at least `rows`; more pays only where the baseline
                     * does not keep its activations */
};
/* As many lanes and rows as the device likes, or as its free memory holds, for probes of up to `capacity` rows. */
struct lanes_room lanes_like(const struct model *, int capacity);
/* The bytes that such lanes take, but for their streams' scratch. */
size_t lanes_bytes(const struct model *, int capacity, const struct lanes_room *);
/* room NULL: as the device likes.  Where there is not the memory, fewer rows. */
int lanes_new(const struct model *, int capacity, const struct lanes_room *room, struct lanes **, struct error *);
/* After a run for which there was not memory enough: lanes for groups of half as many rows.  ERROR_MEMORY where they
 * would not hold a probe any more (the lanes stay), or cannot be made either (*lanes is NULL then). */
int lanes_halve(struct lanes **);
void lanes_free(struct lanes *); /* NULL ok */

/* What is run, and how it is watched.  report() is called by a lane, one at a time, after a group: units [n] are
 * measured. */
struct probe_watch {
    void (*report)(void *context, const int *units, int n, int64_t rows);
    void *context;
    const atomic_bool *cancelled;
    double deadline; /* CLOCK_MONOTONIC seconds after which no new group begins; 0: none */
    const int *units; /* [count] which units' probes, in that order; NULL: all, in the plan's order */
    int count;
    int rows; /* of a group, about; 0: as many as the device likes */
};

/* Start running probes on the lanes; returns at once.  One run at a time.  What an earlier run found is replaced. */
int probes_start(struct probes *, struct lanes *, const struct probe_watch *, struct error *);
/* Whether any lane is still at work. */
bool probes_running(struct lanes *);
/* Wait for the lanes.  0: all that was to be run is measured, or the deadline passed; ERROR_CANCELLED; or what a device
 * said. */
int probes_finish(struct lanes *, struct error *);
/* Of the last run: how often the baseline's activations had to be computed again, and the seconds that took. */
int probes_again(const struct lanes *, double *seconds);

/* -(change of the log-probability) of token id at target t for every unit of which it is known, from the kept states:
 * relevance [units] host f32, NAN where it is not.  May run beside the lanes, on a stream of its own. */
int probes_retarget(struct probes *, struct stream *, int t, int32_t id, float *relevance, struct error *);
/* Give the kept states' memory back: there is no re-targeting any more, nor another run. */
void probes_drop_states(struct probes *);

#endif
