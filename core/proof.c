/* proof.c: whether a map tells what matters, by another means than attention: the text of units is deleted from the
 * prompt, and the model run again without it.
 *
 * Owns the curves: units in the map's order, then in random ones.  Passes are plain ones in a second, small baseline,
 * so that the explanation's stays; each runs only what lies behind the first place where it differs from the pass
 * before. */
#include <math.h>
#include <stdlib.h>

#include "core/chance.h"
#include "core/deletion.h"
#include "core/job.h"
#include "core/logits.h"

static const int POINTS[PROOF_POINTS] = {1, 2, 3, 4, 6, 8, 12, 16, 24, 32};

/* What the passes need. */
struct passes {
    struct job *j;
    const struct inquiry *inquiry;
    struct baseline *b;
    float *logits; /* [vocabulary] */
    int *order;    /* [count] units that can be deleted, in the order of the curve */
    int count;
    struct span *span; /* [count] */
};

static void passes_free(struct passes *p)
{
    baseline_free(p->b);
    free(p->logits);
    free(p->order);
    free(p->span);
}

/* -- orders -------------------------------------------------------------------------------------------------------- */

/* Units with text of their own, by the order in which they stand in the prompt. */
static void list_units(struct passes *p)
{
    const struct job *j = p->j;
    p->count = 0;
    for (int u = 0; u < (int)j->unit_count; u++)
        if (job_answer_counts(j, u) && j->units[u].start < j->units[u].end)
            p->order[p->count++] = u;
}

/* The most supporting first; what is not known comes last. */
static void order_ranked(struct passes *p, const float *relevance)
{
    list_units(p);
    for (int i = 1; i < p->count; i++) {
        int unit = p->order[i], at = i;
        double value = isnan(relevance[unit]) ? -INFINITY : (double)relevance[unit];
        for (; at > 0 && !(relevance[p->order[at - 1]] >= value); at--)
            p->order[at] = p->order[at - 1];
        p->order[at] = unit;
    }
}

static void order_randomly(struct passes *p, int which)
{
    struct chance chance = {(uint64_t)which + 1};
    list_units(p);
    for (int i = p->count - 1; i > 0; i--) {
        int at = (int)(chance_next(&chance) * (i + 1)), unit = p->order[at];
        p->order[at] = p->order[i];
        p->order[i] = unit;
    }
}

/* -- one pass ------------------------------------------------------------------------------------------------------ */

static int make_room(struct passes *p, int positions, struct error *error)
{
    const struct model *m = p->j->engine->model;
    if (p->b && p->b->capacity >= positions)
        return 0;
    if (positions > m->context)
        return error_set(error, ERROR_LIMIT,
                         "without some of its text the prompt has more tokens than the context holds");
    baseline_free(p->b);
    p->b = NULL;
    int status = job_make_way(p->j, positions, error);
    return status < 0 ? status : baseline_new(m, positions, false, &p->b, error);
}

/* Feed a sequence and the output before the token asked about. */
static int feed(struct passes *p, const struct sequence *s, struct error *error)
{
    struct job *j = p->j;
    int n = (int)s->token_count, before = p->inquiry->token, status;
    int32_t *ids, *more;
    if ((status = make_room(p, n + before, error)) < 0 || (status = job_ids(j, s, &ids, error)) < 0)
        return status;
    if (!(more = realloc(ids, (size_t)(n + before + 1) * sizeof *ids))) {
        free(ids);
        return error_set(error, ERROR_MEMORY, "out of memory");
    }
    for (int t = 0; t < before; t++)
        more[n + t] = j->output[t].id;
    baseline_pictures(p->b, j->gallery.rows, j->gallery.count);
    status = job_feed(j, p->b, 0, more, n + before, error);
    if (status == 0)
        status = baseline_logits(p->b, j->stream, n + before - 1, p->logits, error);
    free(more);
    return status;
}

/* The token's log-probability after the prompt without the first `deleted` units of the order. */
static int run_without(struct passes *p, int deleted, double *logprob, struct error *error)
{
    struct job *j = p->j;
    struct request request = *j->request;
    struct sequence sequence = {0};
    size_t length;
    for (int i = 0; i < deleted; i++)
        p->span[i] = (struct span){j->units[p->order[i]].start, j->units[p->order[i]].end};
    char *text = deletion_text(request.prompt, request.prompt_length, p->span, (size_t)deleted, &length);
    if (!text)
        return error_set(error, ERROR_MEMORY, "out of memory");
    request.prompt = text;
    request.prompt_length = length;
    int status = engine_read(j->engine, &request, &sequence, error);
    if (status == 0 && sequence.token_count == 0)
        status = error_set(error, ERROR_ARGUMENT, "nothing is left of the prompt; choose smaller units");
    if (status == 0)
        status = feed(p, &sequence, error);
    if (status == 0)
        *logprob = logits_logprob(p->logits, j->engine->model->vocabulary, p->inquiry->id);
    sequence_free(&sequence);
    free(text);
    return status < 0 ? error_add(error, status, "without %d units", deleted) : 0;
}

/* -- the curves ---------------------------------------------------------------------------------------------------- */

/* How many points there are: up to half of the units. */
static int count_points(int units)
{
    int n = 0;
    while (n < PROOF_POINTS && POINTS[n] <= units / 2)
        n++;
    return n;
}

static int run_ranked(struct passes *p, int points, struct error *error)
{
    struct proof *proof = &p->j->proof;
    float *relevance;
    int status = job_answer_relevance(p->j, p->inquiry->token, p->inquiry->id, -1, &relevance, error);
    if (status < 0)
        return status;
    order_ranked(p, relevance);
    free(relevance);
    for (int i = 0; i < points; i++) {
        struct proof_point point = {.deleted = POINTS[i], .random = NAN};
        if ((status = run_without(p, point.deleted, &point.ranked, error)) < 0)
            return status;
        proof->point[proof->point_count++] = point;
        job_answer_step(p->j, INQUIRY_PROOF);
        p->j->attend(p->j->context);
    }
    return 0;
}

static int run_randomly(struct passes *p, struct error *error)
{
    struct proof *proof = &p->j->proof;
    double sum[PROOF_POINTS] = {0}, logprob;
    for (int order = 0; order < PROOF_ORDERS; order++) {
        order_randomly(p, order);
        for (int i = 0; i < proof->point_count; i++) {
            int status = run_without(p, proof->point[i].deleted, &logprob, error);
            if (status < 0)
                return status;
            sum[i] += logprob;
            if (i + 1 == proof->point_count) /* all points of an order, or none: else their means differ in kind */
                for (int k = 0; k <= i; k++)
                    proof->point[k].random = sum[k] / (order + 1);
            proof->orders = order + (i + 1 == proof->point_count);
            proof->area = proof->orders > 0 ? proof_area(proof) : NAN;
            job_answer_step(p->j, INQUIRY_PROOF);
            p->j->attend(p->j->context);
        }
    }
    return 0;
}

static int passes_new(struct job *j, const struct inquiry *inquiry, struct passes *p, struct error *error)
{
    *p = (struct passes){.j = j, .inquiry = inquiry};
    p->logits = malloc((size_t)j->engine->model->vocabulary * sizeof *p->logits);
    p->order = malloc((j->unit_count + 1) * sizeof *p->order);
    p->span = malloc((j->unit_count + 1) * sizeof *p->span);
    if (!p->logits || !p->order || !p->span)
        return error_set(error, ERROR_MEMORY, "out of memory");
    /* Less text may be more tokens, where it breaks words. */
    return make_room(p, (int)j->prompt.token_count + inquiry->token, error);
}

int job_proof(struct job *j, const struct inquiry *inquiry, struct error *error)
{
    struct proof *proof = &j->proof;
    struct passes p;
    int status = passes_new(j, inquiry, &p, error), points = 0;
    if (status == 0)
        status = baseline_logits(j->baseline, j->stream, j->probes->targets.first + inquiry->token, p.logits, error);
    if (status == 0) {
        proof->logprob = logits_logprob(p.logits, j->engine->model->vocabulary, inquiry->id);
        list_units(&p);
        proof->units = p.count;
        points = count_points(p.count);
        proof->answer.steps_total = points * (1 + PROOF_ORDERS) + 3; /* and of the flip set about so many */
    }
    if (status == 0)
        status = run_ranked(&p, points, error);
    if (!j->lanes) { /* they made way: there is no room for both */
        baseline_free(p.b);
        p.b = NULL;
    }
    if (status == 0)
        status = job_flip(j, inquiry, error);
    if (status == 0)
        status = run_randomly(&p, error);
    passes_free(&p);
    return status;
}
