/* answer.c: what all answers to inquiries share: whether there is anything to ask about, which units count, and how an
 * answer is posted step by step. */
#include "core/job.h"

#include <math.h>
#include <stdlib.h>

#include "core/clock.h"

static int check(const struct job *j, const struct inquiry *inquiry, struct error *error)
{
    if (!j->probes)
        return error_set(error, ERROR_ARGUMENT, "there is no explanation to ask about; measure one first");
    if (inquiry->token < 0 || inquiry->token >= j->output_count || inquiry->id < 0 ||
        inquiry->id >= j->engine->model->vocabulary)
        return error_set(error, ERROR_ARGUMENT, "there is no such output token or candidate to ask about");
    return 0;
}

int job_inquire(struct job *j, const struct inquiry *inquiry, struct error *error)
{
    struct answer answer = {.state = ANSWER_BUSY, .token = inquiry->token, .id = inquiry->id};
    int status = check(j, inquiry, error);
    j->inquired = clock_now();
    if (inquiry->kind == INQUIRY_PAIRS)
        j->pairs = (struct pairs){.answer = answer, .noise = NAN, .two = inquiry->unit[0] >= 0};
    else
        j->proof = (struct proof){.answer = answer, .logprob = NAN, .area = NAN};
    if (status < 0)
        return status;
    return inquiry->kind == INQUIRY_PAIRS ? job_pairs(j, inquiry, error) : job_proof(j, inquiry, error);
}

/* Without memory for the event the reader learns of this step with the next, or with the end. */
void job_answer_step(struct job *j, enum inquiry_kind kind)
{
    bool proof = kind == INQUIRY_PROOF;
    struct event *v = job_event(j, proof ? EVENT_PROOF : EVENT_PAIRS);
    struct answer *answer = proof ? &j->proof.answer : &j->pairs.answer;
    answer->steps++;
    answer->seconds = clock_now() - j->inquired;
    if (v && proof && (v->proof = malloc(sizeof *v->proof)))
        *v->proof = j->proof;
    if (v && !proof && (v->pairs = malloc(sizeof *v->pairs)))
        *v->pairs = j->pairs;
    if (v && (v->proof || v->pairs))
        j->post(j->context, v);
    else
        event_free(v);
}

bool job_answer_counts(const struct job *j, int unit)
{
    return unit_counts(&j->units[unit]) && j->units[unit].kind != UNIT_TARGET;
}

/* Whether a unit's first token is turned down with one of those chosen already, as it is like it; words may share one.
 */
static bool is_alike(const struct job *j, int unit, const int *chosen, int count)
{
    int first = j->units[unit].first;
    for (int i = 0; i < count; i++)
        if (j->plan->factor[(size_t)chosen[i] * (size_t)j->plan->positions + (size_t)first] != 1 &&
            !unit_holds(&j->units[chosen[i]], first))
            return true;
    return false;
}

int job_answer_strongest(const struct job *j, const float *relevance, bool opposing, int most, int *unit)
{
    int count = 0;
    for (; count < most; count++) {
        int best = -1;
        double strength = 0;
        for (int u = 0; u < (int)j->unit_count; u++) {
            double value = opposing ? fabs((double)relevance[u]) : (double)relevance[u];
            bool taken = false;
            for (int i = 0; i < count; i++)
                taken = taken || unit[i] == u;
            if (!taken && value > strength && job_answer_counts(j, u) && !is_alike(j, u, unit, count)) {
                best = u;
                strength = value;
            }
        }
        if (best < 0)
            break;
        unit[count] = best;
    }
    return count;
}

int job_answer_relevance(struct job *j, int t, int32_t id, int32_t against, float **relevance, struct error *error)
{
    float *of = malloc((j->unit_count + 1) * sizeof *of), *other = malloc((j->unit_count + 1) * sizeof *other);
    int status = of && other ? 0 : error_set(error, ERROR_MEMORY, "out of memory");
    if (status == 0)
        status = probes_retarget(j->probes, j->stream, t, id, of, error);
    if (status == 0 && against >= 0)
        status = probes_retarget(j->probes, j->stream, t, against, other, error);
    for (size_t u = 0; status == 0 && against >= 0 && u < j->unit_count; u++)
        of[u] -= other[u];
    free(other);
    if (status < 0)
        free(of);
    else
        *relevance = of;
    return status;
}
