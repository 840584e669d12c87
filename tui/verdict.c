#include "tui/verdict.h"

#include <math.h>
#include <stdlib.h>

#include "tui/map.h"
#include "tui/report.h"
#include "tui/text.h"

/* -- arithmetic ---------------------------------------------------------------------------------------------------- */

static double share(double named, double others)
{
    return named > 0 ? named / (named + others) : 0;
}

struct verdict_range verdict_share(const double *relevance, const bool *named, size_t n, double noise)
{
    double sum[2] = {0}, least[2] = {0}, most[2] = {0}; /* of the others, of the named */
    for (size_t i = 0; i < n; i++) {
        sum[named[i]] += fmax(0, relevance[i]);
        least[named[i]] += fmax(0, relevance[i] - noise);
        most[named[i]] += fmax(0, relevance[i] + noise);
    }
    return (struct verdict_range){share(sum[1], sum[0]), share(least[1], most[0]), share(most[1], least[0])};
}

struct verdict_range verdict_rank(const double *relevance, const bool *named, size_t n, double noise)
{
    struct verdict_range rank = {1, 1, 1};
    double best = -INFINITY;
    for (size_t i = 0; i < n; i++)
        if (named[i])
            best = fmax(best, relevance[i]);
    for (size_t i = 0; i < n; i++)
        if (!named[i]) {
            rank.value += relevance[i] > best;
            rank.low += relevance[i] - noise > best + noise;
            rank.high += relevance[i] + noise >= best - noise;
        }
    return rank;
}

enum verdict_outcome verdict_judge(const struct verdict_range *range, double min, double max)
{
    if (range->high < min || range->low > max)
        return VERDICT_FAILED;
    return range->low < min || range->high > max ? VERDICT_UNDECIDED : VERDICT_HELD;
}

void verdict_move(const struct guard_check *k, const struct verdict *v, double *min, double *max)
{
    bool rank = k->kind == GUARD_RANK;
    *min = *max = NAN;
    if (v->range.low < k->min)
        *min = rank ? v->range.low : 0.9 * v->range.low;
    if (v->range.high > k->max)
        *max = rank ? v->range.high : fmin(1, 1.1 * v->range.high);
}

/* -- explanations -------------------------------------------------------------------------------------------------- */

static bool touches_text(const struct guard_check *k, const struct unit *u)
{
    for (size_t i = 0; i < k->span_count; i++)
        if (u->start < k->spans[i].end && k->spans[i].start < u->end)
            return true;
    return false;
}

static bool touches_picture(const struct guard_check *k, const struct explanation *e, size_t unit)
{
    float r[4];
    if (!(k->rect.width > 0) || report_unit_picture(e, unit) != (size_t)k->rect.image)
        return false;
    report_unit_rect(e, unit, r);
    return r[2] > 0 && (double)r[0] < k->rect.x + k->rect.width && k->rect.x < (double)(r[0] + r[2]) &&
           (double)r[1] < k->rect.y + k->rect.height && k->rect.y < (double)(r[1] + r[3]);
}

/* A share or a rank. */
static int measure(const struct guard_check *k, const struct explanation *e, struct verdict_range *range,
                   struct error *error)
{
    double *relevance = malloc((e->unit_count + 1) * sizeof *relevance);
    bool *named = malloc((e->unit_count + 1) * sizeof *named), any = false;
    size_t n = 0;
    for (size_t u = 0; relevance && named && u < e->unit_count; u++) {
        const struct unit *unit = &e->units[u];
        if (unit->kind == UNIT_TARGET || !map_sets_scale(e, u))
            continue;
        relevance[n] = report_relevance(e, u, REPORT_ALL);
        named[n] = unit->kind == UNIT_PATCH ? touches_picture(k, e, u) : touches_text(k, unit);
        any = any || named[n];
        n++;
    }
    double noise = isnan(e->noise_floor) ? 0 : e->noise_floor * (double)e->output_count;
    int code = 0;
    if (!relevance || !named)
        code = error_set(error, ERROR_MEMORY, "out of memory");
    else if (!any)
        code = error_set(error, ERROR_ARGUMENT,
                         "%s is no unit that counts: neither a special nor the first token of all does", k->name);
    else
        *range = k->kind == GUARD_RANK ? verdict_rank(relevance, named, n, noise)
                                       : verdict_share(relevance, named, n, noise);
    free(relevance);
    free(named);
    return code;
}

double verdict_probability(const struct explanation *e)
{
    double sum = 0;
    for (size_t t = 0; t < e->output_count; t++)
        sum += e->output[t].logprob;
    return exp(sum);
}

int verdict_of(const struct guard_check *k, const struct explanation *e, const char *answer, struct verdict *v,
               struct error *error)
{
    int code = 0;
    v->range = (struct verdict_range){NAN, NAN, NAN};
    if (k->kind == GUARD_ANSWER) {
        v->outcome = answer && text_same(answer, k->answer) ? VERDICT_HELD : VERDICT_FAILED;
        return 0;
    }
    if (k->kind == GUARD_PROBABILITY)
        v->range.value = v->range.low = v->range.high = verdict_probability(e);
    else
        code = measure(k, e, &v->range, error);
    v->outcome = verdict_judge(&v->range, k->min, k->max);
    return code;
}
