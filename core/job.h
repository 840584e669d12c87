/* job.h: how a request is fulfilled, step by step: prompt -> output -> units -> probes -> noise floor.
 *
 * Owns everything that is kept from one request to the next: the pictures' rows, the baseline of the last sequence, the
 * lanes and the probes' final states.  Used by the worker's thread alone, but for the report of finished groups, which
 * comes from the lanes. */
#ifndef CORE_JOB_H
#define CORE_JOB_H

#include <pthread.h>
#include <stdatomic.h>

#include "core/direct.h"
#include "core/budget.h"
#include "core/engine_internal.h"
#include "core/event.h"
#include "core/former.h"
#include "core/gallery.h"
#include "core/probe.h"

struct job {
    struct engine *engine;
    /* Hand an event on; takes it over.  Called by the worker's thread and, one at a time, by the lanes. */
    void (*post)(void *context, struct event *);
    /* Called again and again while the lanes work: wait until something happens. */
    void (*wait)(void *context);
    /* Called between other steps that may take long: answer wishes, without waiting. */
    void (*attend)(void *context);
    void *context;
    atomic_bool cancelled;

    struct stream *stream;
    struct gallery gallery;
    struct baseline *baseline; /* of the last sequence */
    double pass_rate, probe_rate; /* rows a second through all layers, of the last plain pass and probes; 0: none yet */
    double direct_rate; /* and of the last run of direct.c that the output waited for */
    struct lanes *lanes;
    int lane_capacity;
    struct task task; /* for which the baseline was made, and what it and the lanes may take */
    struct budget budget;
    size_t past_limit; /* bytes of rows that probes may leave to the next ones */
    enum precision precision; /* of probes of many units */
    struct plan *plan;
    struct probes *probes; /* of the last explanation, for re-targeting */
    struct direct direct;  /* what direct paths do, as far as it is known */
    struct former former;  /* what the explanation before the one in progress measured */

    /* the request in progress */
    const struct request *request;
    uint64_t number;
    double started;
    struct sequence prompt;
    int32_t *ids;       /* [prompt.token_count] as the decoder is fed: below 0 of pictures */
    struct unit *units; /* of the prompt, then of the output */
    size_t unit_count;
    bool *recalled;     /* [unit_count] something of it is known from the explanation before; NULL: nothing of any */
    struct output_token *output;
    int output_count;
    bool stopped;
    int foil_token;
    int32_t foil_id;
    double foil_logprob;
    struct method method;
    double *lse;      /* [output_count] of the baseline */
    int32_t *wanted;  /* [output_count, WANTED] */
    double probes_started;
    pthread_mutex_t lock; /* the next two, while lanes report and the worker's thread answers */
    struct cost cost;
    bool complete;
    bool refining;      /* units are being measured again */
    double noise_floor;
    int chosen_token; /* of the last re-targeting; -1: none */
    int32_t chosen_id;
    struct proof proof; /* answers as far as they are found */
    struct pairs pairs;
    double inquired; /* when they were asked for */
};

enum {
    WANTED = 1 + CANDIDATES + 1, /* the token, its candidates, the foil */
    FEW_UNITS = 32, /* up to here f32 takes no longer than estimates, half of which are then measured again */
};

int job_new(struct engine *, struct job **, struct error *);
void job_free(struct job *); /* NULL ok */

/* Fulfil a request; posts everything but the last event.  ERROR_CANCELLED when job->cancelled was set. */
int job_run(struct job *, const struct request *, uint64_t number, struct error *);

/* A new event of the request in progress; NULL out of memory. */
struct event *job_event(struct job *, enum event_kind);

/* Relevance of all units measured so far for another token: posts EVENT_CHOSEN. */
int job_retarget(struct job *, int token, int32_t id, struct error *);

/* Answer an inquiry about the explanation of the last request, which must not have gone; posts all but the answer's
 * end. ERROR_CANCELLED when job->cancelled was set. */
int job_inquire(struct job *, const struct inquiry *, struct error *);

/* A sequence of the request in progress as the decoder is fed it, its pictures being those of the gallery: malloced. */
int job_ids(const struct job *, const struct sequence *, int32_t **ids, struct error *);

/* -- the steps, in their files ------------------------------------------------------------------------------------- */

/* output.c: the greedy or forced output and its candidates; fills output, lse. */
int job_output(struct job *, struct error *);
/* Make a baseline hold ids[0 .. n - 1] at positions at .., running only what it does not hold already.  at is no place
 * within a mutual picture. */
int job_feed(struct job *, struct baseline *, int at, const int32_t *ids, int n, struct error *);
/* explain.c: units, what preview.c does, probes, and then what refine.c does. */
int job_explain(struct job *, struct error *);
/* Run the probes of units [count] (NULL: of all that are not measured), post what they say, and wait for the end. */
int job_run_probes(struct job *, const int *units, int count, struct error *);
/* run.c: run probes that the watch reports, all that are not measured where it names none, and wait for the end;
 * cancelled and the deadline are filled in. */
int job_watch_probes(struct job *, struct probes *, struct probe_watch *, struct error *);
/* A few units in the order of one group for each lane, as even as may be: malloced [count], NULL: no memory.
 * *most: the rows of the largest group. */
int *job_share_out(const struct job *, const int *units, int count, int *most);
/* Units for the output tokens before token t, as far as there are none yet. */
int job_add_output_units(struct job *, int t, struct error *);
/* What probes are asked about output tokens first .. end - 1: into [end - first, WANTED]. */
void job_list_wanted(const struct job *, int first, int end, int32_t *wanted);
/* Which keys the method turns down for each of the first `unit_count` units, in so many positions. */
int job_plan(struct job *, int unit_count, int positions, struct plan **, struct error *);
enum precision job_precision(const struct job *);
/* Room for a sequence of so many positions, of which the last ones predict the targets; ERROR_LIMIT where the user's
 * limit is too low for it. */
int job_make_room(struct job *, int positions, int targets, struct error *);
int job_make_lanes(struct job *, int positions, struct error *);
/* Whether rows are kept for the next explanation's probes: it is asked for, and what later keys are does not matter to
 * them. */
bool job_resumes(const struct job *);
/* Before the explanation's probes take their memory: let go what the former ones left where the user's limit has not
 * the room for both. */
void job_make_states(struct job *);
/* Let the lanes go where a second baseline of so many positions would not fit beside them; who needs them makes them
 * anew. ERROR_LIMIT where that is not enough for the user's limit. */
int job_make_way(struct job *, int positions, struct error *);
/* What a group cost; any: it said something of a unit.  Called by a lane. */
void job_count_cost(struct job *, int probes, int64_t rows, bool any);
/* Post what a group said; an event without room for it makes the run incomplete.  Called by a lane. */
void job_post_measured(struct job *, struct event *);
/* What these probes say of a unit they have measured, and of an output token they are about; as explanation has it. */
double job_value(const struct job *, const struct probes *, int unit, int t, int choice);
/* Relevance of a unit as far as it is measured, as struct explanation has it; else 0. */
double job_relevance(const struct job *, int unit, int t, int choice);
/* The last answer of job_retarget() once more, if there was one: more units are measured by now. */
int job_retarget_again(struct job *, struct error *);
/* direct.c: measure what direct paths do to output tokens first .. end - 1, of which nothing is known yet; post it. */
int job_measure_direct(struct job *, int first, int end, struct error *);
/* The same for all tokens that are left, in order. */
int job_measure_direct_rest(struct job *, struct error *);
/* One more output token is there: measure as much as keeps the output fluent.  generating: seconds so far, without what
 * this took. */
int job_follow_direct(struct job *, double generating, struct error *);
/* What direct paths do; NAN where not known. */
double job_direct_relevance(const struct job *, int unit, int t, int choice);
/* Of all units for another token, from kept states: relevance [unit_count], NAN where not known. */
int job_retarget_direct(struct job *, int t, int32_t id, float *relevance, struct error *);
/* preview.c: the last units' probes, which cost few rows. */
int job_measure_last(struct job *, struct error *);
/* Estimates for all units, and the plan's probes in the order of what they promise. */
int job_preview(struct job *, struct error *);
/* refine.c: f32 values in place of the estimates of the strongest units and of some others; the greatest deviation is
 * the noise floor. */
int job_refine(struct job *, struct error *);
/* Repeat some probes as plain passes, as far as the budget goes; where they deviate more, that is the noise floor. */
int job_check(struct job *, struct error *);
/* Repeat one probe, of the explanation or of sets, as a plain pass; *deviation is raised to the greatest by which the
 * output tokens' log-probabilities differ. */
int job_repeat(struct job *, const struct probes *, int unit, double *deviation, struct error *);
/* answer.c: what all answers need. */
/* One step more is done: post the answer as it is. */
void job_answer_step(struct job *, enum inquiry_kind);
/* Whether a unit may be part of an answer: those of the prompt that count. */
bool job_answer_counts(const struct job *, int unit);
/* The units of greatest relevance that count, strongest first, of those that support or (opposing) of either sign; of
 * units that are suppressed along with each other only one.  unit [most]; returns how many. */
int job_answer_strongest(const struct job *, const float *relevance, bool opposing, int most, int *unit);
/* Relevance of token id, rather than of `against` (-1: of none), in place of output token t: malloced [unit_count], NAN
 * where it is not known. */
int job_answer_relevance(struct job *, int t, int32_t id, int32_t against, float **relevance, struct error *);
/* proof.c, flip.c, pairs.c */
int job_proof(struct job *, const struct inquiry *, struct error *);
int job_flip(struct job *, const struct inquiry *, struct error *); /* a part of the proof */
int job_pairs(struct job *, const struct inquiry *, struct error *);

#endif
