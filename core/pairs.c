/* pairs.c: how units act together: each suppressed alone, and every two of them at once.
 *
 * Single ones are measured again beside the pairs, in f32: what two do together less what each does alone would else be
 * the rounding of the three.  One pair is repeated as a plain pass, where there is room: that tells the noise. */
#include "core/joint.h"

#include <math.h>
#include <stdlib.h>

enum { BATCH = 5 }; /* pairs measured between two answers */

/* The units asked about, or those of greatest relevance; returns how many.  relevance [unit_count]. */
static int choose_units(const struct job *j, const struct inquiry *inquiry, const float *relevance, int *unit)
{
    if (inquiry->unit[0] < 0)
        return job_answer_strongest(j, relevance, true, PAIR_UNITS, unit);
    unit[0] = inquiry->unit[0];
    unit[1] = inquiry->unit[1];
    return 2;
}

static int check_units(const struct job *j, const struct inquiry *inquiry, struct error *error)
{
    int a = inquiry->unit[0], b = inquiry->unit[1], n = (int)j->unit_count;
    if (a < 0 || (a < n && b >= 0 && b < n && a != b))
        return 0;
    return error_set(error, ERROR_ARGUMENT, "a pair is two different units of the explanation, which has %d", n);
}

/* Suppress each unit alone: relevance [count]. */
static int measure_alone(struct job *j, const int *unit, int count, float *relevance, struct error *error)
{
    const struct answer *asked = &j->pairs.answer;
    struct plan_set sets[PAIR_UNITS];
    struct joint joint;
    for (int i = 0; i < count; i++)
        sets[i] = (struct plan_set){&unit[i], 1};
    int status = joint_run(j, sets, count, &joint, error);
    if (status == 0)
        status = joint_relevance(&joint, j, asked->token, asked->id, relevance, error);
    joint_free(&joint);
    return status;
}

/* Suppress pairs [count] together.  check: also repeat the first one plainly, for the noise. */
static int measure_both(struct job *j, struct pair *pair, int count, bool check, struct error *error)
{
    const struct answer *asked = &j->pairs.answer;
    struct plan_set sets[BATCH];
    struct joint joint;
    float relevance[BATCH];
    double deviation = 0;
    for (int i = 0; i < count; i++)
        sets[i] = (struct plan_set){pair[i].unit, 2};
    int status = joint_run(j, sets, count, &joint, error);
    if (status == 0)
        status = joint_relevance(&joint, j, asked->token, asked->id, relevance, error);
    for (int i = 0; status == 0 && i < count; i++)
        pair[i].both = relevance[i];
    if (status == 0 && check) {
        struct error failure = {0};
        status = job_repeat(j, joint.probes, 0, &deviation, &failure);
        if (status == 0)
            j->pairs.noise = 3 * deviation; /* of three probes */
        else if (status == ERROR_LIMIT)
            status = 0; /* no room for a plain pass: then the noise stays unknown */
        else if (error)
            *error = failure;
    }
    joint_free(&joint);
    return status;
}

/* All pairs of units [count], strongest ones first. */
static void list_pairs(const int *unit, const float *alone, int count, struct pair *pair)
{
    for (int b = 1; b < count; b++)
        for (int a = 0; a < b; a++)
            *pair++ = (struct pair){.unit = {unit[a], unit[b]}, .alone = {alone[a], alone[b]}, .both = NAN};
}

int job_pairs(struct job *j, const struct inquiry *inquiry, struct error *error)
{
    struct pairs *pairs = &j->pairs;
    struct pair pair[PAIR_MOST];
    float *relevance, alone[PAIR_UNITS];
    int unit[PAIR_UNITS], status;
    if ((status = check_units(j, inquiry, error)) < 0 ||
        (status = job_answer_relevance(j, inquiry->token, inquiry->id, -1, &relevance, error)) < 0)
        return status;
    int units = choose_units(j, inquiry, relevance, unit), total = units * (units - 1) / 2;
    free(relevance);
    if (units < 2)
        return error_set(error, ERROR_ARGUMENT, "pairs need two units before the token; choose smaller units");
    pairs->answer.steps_total = 1 + (total + BATCH - 1) / BATCH;
    if ((status = measure_alone(j, unit, units, alone, error)) < 0)
        return status;
    job_answer_step(j, INQUIRY_PAIRS);
    list_pairs(unit, alone, units, pair);
    for (int done = 0; status == 0 && done < total; done += BATCH) {
        int n = total - done < BATCH ? total - done : BATCH;
        if ((status = measure_both(j, pair + done, n, done == 0, error)) < 0)
            break;
        for (int i = done; i < done + n; i++)
            pairs->pair[pairs->count++] = pair[i];
        job_answer_step(j, INQUIRY_PAIRS);
    }
    return status;
}
