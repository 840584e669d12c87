/* flip.c: a small set of units without which the model says something else.
 *
 * The strongest units for what it says rather than the other token are suppressed together, more and more of them,
 * until it says that; then each is left out again whose part is not needed. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/joint.h"
#include "core/logits.h"

/* What is looked for: `top`, the most probable token, is another; if that was not the one asked about, then it is that
 * one. */
struct aim {
    int t;
    int32_t asked, top;
};

/* What the model says with a set suppressed. */
struct outcome {
    int32_t id; /* the most probable */
    double logprob, asked_logprob;
    double margin; /* nats by which the aim is reached; below 0: not */
};

static struct outcome read_outcome(const struct aim *aim, const float *logits, int vocabulary)
{
    int best = 0, other = -1;
    for (int i = 0; i < vocabulary; i++) {
        best = logits[i] > logits[best] ? i : best;
        if (i != aim->asked && (other < 0 || logits[i] > logits[other]))
            other = i;
    }
    double lead = other < 0 ? 0 : logits[aim->asked] - logits[other];
    return (struct outcome){
        .id = best,
        .logprob = logits_logprob(logits, vocabulary, best),
        .asked_logprob = logits_logprob(logits, vocabulary, aim->asked),
        .margin = aim->asked == aim->top ? -lead : lead,
    };
}

static bool reaches(const struct aim *aim, const struct outcome *o)
{
    return aim->asked == aim->top ? o->id != aim->asked : o->id == aim->asked;
}

/* Suppress each of the sets, and see what the model says. */
static int try(struct job *j, const struct aim *aim, const struct plan_set *sets, int count, struct outcome *outcome,
               struct error *error)
{
    struct joint joint;
    int vocabulary = j->engine->model->vocabulary;
    float *logits = malloc((size_t)vocabulary * sizeof *logits);
    if (!logits)
        return error_set(error, ERROR_MEMORY, "out of memory");
    int status = joint_run(j, sets, count, &joint, error);
    for (int i = 0; status == 0 && i < count; i++) {
        status = joint_logits(&joint, j, i, aim->t, logits, error);
        if (status == 0)
            outcome[i] = read_outcome(aim, logits, vocabulary);
    }
    joint_free(&joint);
    free(logits);
    return status;
}

static void note(struct flip *flip, enum flip_state state, const int *unit, int count, const struct outcome *o)
{
    flip->state = state;
    flip->count = count;
    memcpy(flip->unit, unit, (size_t)count * sizeof *unit);
    flip->id = o->id;
    flip->logprob = o->logprob;
    flip->asked_logprob = o->asked_logprob;
}

/* The smallest number of strongest units that does.  Sets are tried a few at a time, ever more of them. */
static int grow(struct job *j, const struct aim *aim, const int *unit, int count, struct error *error)
{
    struct flip *flip = &j->proof.flip;
    struct outcome outcome[FLIP_UNITS];
    struct plan_set sets[FLIP_UNITS];
    for (int done = 0, n; done < count; done += n) {
        n = done < 2 ? 2 : done;
        n = n < count - done ? n : count - done;
        for (int i = 0; i < n; i++)
            sets[i] = (struct plan_set){unit, done + i + 1};
        int status = try(j, aim, sets, n, outcome, error);
        if (status < 0)
            return status;
        for (int i = 0; i < n && flip->state != FLIP_FOUND; i++)
            if (reaches(aim, &outcome[i]))
                note(flip, FLIP_FOUND, unit, done + i + 1, &outcome[i]);
        if (flip->state != FLIP_FOUND && done + n == count)
            note(flip, FLIP_NONE, unit, count, &outcome[n - 1]);
        job_answer_step(j, INQUIRY_PROOF);
        if (flip->state == FLIP_FOUND)
            break;
    }
    return 0;
}

/* Sets that lack one of the flip set's units each, of those that are not marked; without: which.  Returns how many. */
static int list_smaller(const struct flip *flip, const bool *needed, int rest[][FLIP_UNITS], struct plan_set *sets,
                        int *without)
{
    int n = 0, left = flip->count - 1;
    for (int i = 0; i < flip->count; i++) {
        if (needed[i])
            continue;
        memcpy(rest[n], flip->unit, (size_t)i * sizeof(int));
        memcpy(rest[n] + i, flip->unit + i + 1, (size_t)(left - i) * sizeof(int));
        sets[n] = (struct plan_set){rest[n], left};
        without[n++] = i;
    }
    return n;
}

/* Leave out the unit that is missed least, again and again.  Who could not be left out of a set will hardly be so of a
 * smaller one, and is tried with it only when nobody else is left. */
static int prune(struct job *j, const struct aim *aim, struct error *error)
{
    struct flip *flip = &j->proof.flip;
    int rest[FLIP_UNITS][FLIP_UNITS], without[FLIP_UNITS];
    bool needed[FLIP_UNITS] = {false};
    struct plan_set sets[FLIP_UNITS];
    struct outcome outcome[FLIP_UNITS];
    while (flip->count > 1) {
        int n = list_smaller(flip, needed, rest, sets, without), best = -1, left = flip->count - 1;
        int status = n == 0 ? 0 : try(j, aim, sets, n, outcome, error);
        if (status < 0)
            return status;
        for (int i = 0; i < n; i++) {
            needed[without[i]] = !reaches(aim, &outcome[i]);
            if (!needed[without[i]] && (best < 0 || outcome[i].margin >= outcome[best].margin))
                best = i;
        }
        job_answer_step(j, INQUIRY_PROOF);
        if (best >= 0) {
            memmove(needed + without[best], needed + without[best] + 1, (size_t)(left - without[best]) * sizeof(bool));
            note(flip, FLIP_FOUND, rest[best], left, &outcome[best]);
        } else if (n == flip->count)
            break;
        else
            memset(needed, 0, sizeof needed);
    }
    return 0;
}

/* What the model says with nothing suppressed, and the token to hold that against.  The output's own candidates will
 * not do: those of a steered output are the steered model's. */
static int find_aim(struct job *j, struct aim *aim, int32_t *other, struct outcome *now, struct error *error)
{
    int vocabulary = j->engine->model->vocabulary;
    struct candidate said[CANDIDATES];
    float *logits = malloc((size_t)vocabulary * sizeof *logits);
    if (!logits)
        return error_set(error, ERROR_MEMORY, "out of memory");
    int status = baseline_logits(j->baseline, j->stream, j->probes->targets.first + aim->t, logits, error);
    if (status == 0) {
        logits_best(logits, vocabulary, logits_log_sum_exp(logits, vocabulary), said);
        aim->top = said[0].id;
        *other = aim->asked == aim->top ? said[1].id : aim->asked;
        *now = read_outcome(aim, logits, vocabulary);
    }
    free(logits);
    return status;
}

int job_flip(struct job *j, const struct inquiry *inquiry, struct error *error)
{
    struct aim aim = {.t = inquiry->token, .asked = inquiry->id};
    struct flip *flip = &j->proof.flip;
    struct outcome now;
    float *relevance;
    int unit[FLIP_UNITS], status;
    int32_t other = -1;
    if ((status = find_aim(j, &aim, &other, &now, error)) < 0 ||
        (status = job_answer_relevance(j, aim.t, aim.top, other, &relevance, error)) < 0)
        return status;
    int count = job_answer_strongest(j, relevance, false, FLIP_UNITS, unit);
    free(relevance);
    note(flip, count > 0 ? FLIP_UNKNOWN : FLIP_NONE, unit, 0, &now);
    if (count == 0)
        return 0;
    if ((status = grow(j, &aim, unit, count, error)) == 0 && flip->state == FLIP_FOUND)
        status = prune(j, &aim, error);
    return status;
}
