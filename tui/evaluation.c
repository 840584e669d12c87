#include "tui/evaluation.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tui/format_json.h"
#include "tui/score.h"

/* Which cases a figure is over. */
enum cases { CASES_ANSWERED /* not wrongly, that is */, CASES_ALL };

static const char *const side_names[TRUTH_SIDES] = {[TRUTH_TEXT] = "text", [TRUTH_PICTURES] = "pictures"};

/* -- figures ------------------------------------------------------------------------------------------------------- */

static bool is_wrong(const struct trial *t)
{
    return t->judged && !t->right;
}

/* A score of a kind of map over its cases; values has room for one of each. */
static struct score_estimate estimate(const struct evaluation *ev, enum truth_side side, enum trial_kind kind,
                                      enum trial_score score, enum cases cases, double *values)
{
    size_t n = 0;
    for (size_t i = 0; i < ev->done; i++) {
        const struct trial *t = &ev->trials[i];
        double value = t->score[side][kind][score];
        if (!isnan(value) && (cases == CASES_ALL || !is_wrong(t)))
            values[n++] = value;
    }
    bool rate = score == TRIAL_HIT || score == TRIAL_COVERED;
    return rate ? score_rate(values, n) : score_mean(values, n, ev->options->seed);
}

static struct score_estimate accuracy(const struct evaluation *ev, double *values)
{
    size_t n = 0;
    for (size_t i = 0; i < ev->done; i++)
        if (ev->trials[i].judged)
            values[n++] = ev->trials[i].right;
    return score_rate(values, n);
}

static size_t count_side(const struct evaluation *ev, enum truth_side side)
{
    size_t n = 0;
    for (size_t i = 0; i < ev->done; i++)
        n += ev->trials[i].has[side];
    return n;
}

static bool has_kind(const struct evaluation *ev, enum truth_side side, enum trial_kind kind, double *values)
{
    bool any = false;
    for (int score = 0; score < TRIAL_SCORES; score++)
        any = any || estimate(ev, side, kind, score, CASES_ALL, values).count > 0;
    return any;
}

/* -- JSON ---------------------------------------------------------------------------------------------------------- */

static json_t *estimate_json(struct score_estimate e)
{
    return json_pack("{so so so sI}", "value", format_json_number(e.value), "low", format_json_number(e.low), "high",
                     format_json_number(e.high), "cases", (json_int_t)e.count);
}

static json_t *kind_json(const struct evaluation *ev, enum truth_side side, enum trial_kind kind, double *values)
{
    json_t *json = json_object();
    for (int score = 0; score < TRIAL_SCORES; score++) {
        char all[32];
        struct score_estimate e = estimate(ev, side, kind, score, CASES_ALL, values);
        if (e.count == 0)
            continue;
        snprintf(all, sizeof all, "%s_all", trial_score_name(score));
        json_object_set_new(json, trial_score_name(score),
                            estimate_json(estimate(ev, side, kind, score, CASES_ANSWERED, values)));
        if (score != TRIAL_DELETION) /* which follows right answers only */
            json_object_set_new(json, all, estimate_json(e));
    }
    return json;
}

static json_t *side_json(const struct evaluation *ev, enum truth_side side, double *values)
{
    json_t *maps = json_object();
    for (int kind = 0; kind < TRIAL_KINDS; kind++)
        if (has_kind(ev, side, kind, values))
            json_object_set_new(maps, trial_kind_name(kind), kind_json(ev, side, kind, values));
    return json_pack("{sI so}", "cases", (json_int_t)count_side(ev, side), "maps", maps);
}

static json_t *case_json(const struct evaluation *ev, size_t i)
{
    const struct dataset_case *c = &ev->dataset->cases[i];
    const struct trial *t = &ev->trials[i];
    json_t *json = json_pack("{so sI so so}", "id", format_json_text(c->id, strlen(c->id)), "line", (json_int_t)c->line,
                             "answer", t->answer ? format_json_text(t->answer, strlen(t->answer)) : json_null(),
                             "right", t->judged ? json_boolean(t->right) : json_null());
    for (int side = 0; side < TRUTH_SIDES; side++)
        if (t->record[side])
            json_object_set(json, side_names[side], t->record[side]);
    return json;
}

int evaluation_json(const struct evaluation *ev, FILE *out, struct error *error)
{
    const struct options *o = ev->options;
    double *values = malloc((ev->done + 1) * sizeof *values);
    if (!values)
        return error_set(error, ERROR_MEMORY, "out of memory");
    json_t *json =
        json_pack("{ss so so so ss ss sb sI s{so sI} sb so}", "schema", "atmanscope.evaluation/1", "model",
                  format_json_model(ev->info), "device", format_json_device(ev->info, ev->info->precision), "method",
                  format_json_method(&ev->method, count_side(ev, TRUTH_PICTURES) > 0), "units", o->units, "patches",
                  o->patches ? o->patches : "auto", "chat", ev->chat, "seed", (json_int_t)o->seed, "dataset", "file",
                  format_json_text(o->dataset, strlen(o->dataset)), "cases", (json_int_t)ev->done, "complete",
                  ev->done == ev->dataset->count, "accuracy", estimate_json(accuracy(ev, values)));
    for (int side = 0; side < TRUTH_SIDES; side++)
        if (count_side(ev, side))
            json_object_set_new(json, side_names[side], side_json(ev, side, values));
    json_object_set_new(json, "seconds", format_json_number(ev->seconds));
    if (o->per_case) {
        json_t *cases = json_array();
        for (size_t i = 0; i < ev->done; i++)
            json_array_append_new(cases, case_json(ev, i));
        json_object_set_new(json, "cases", cases);
    }
    free(values);
    return format_json_write(json, false, out, error);
}

/* -- a table ------------------------------------------------------------------------------------------------------- */

static void print_estimate(FILE *out, struct score_estimate e)
{
    if (e.count == 0)
        fprintf(out, "  %-21s", "");
    else
        fprintf(out, "  %6.3f %6.3f..%-6.3f", e.value, e.low, e.high);
}

static void print_side(const struct evaluation *ev, enum truth_side side, double *values, FILE *out)
{
    bool shown[TRIAL_SCORES];
    fprintf(out, "\n%-13s", side_names[side]);
    for (int score = 0; score < TRIAL_SCORES; score++) {
        shown[score] = estimate(ev, side, TRIAL_METHOD, score, CASES_ALL, values).count > 0;
        if (shown[score])
            fprintf(out, "  %-21s", trial_score_name(score));
    }
    fputc('\n', out);
    for (int kind = 0; kind < TRIAL_KINDS; kind++) {
        if (!has_kind(ev, side, kind, values))
            continue;
        fprintf(out, "%-13s", trial_kind_name(kind));
        for (int score = 0; score < TRIAL_SCORES; score++)
            if (shown[score])
                print_estimate(out, estimate(ev, side, kind, score, CASES_ANSWERED, values));
        fputc('\n', out);
    }
}

int evaluation_table(const struct evaluation *ev, FILE *out, struct error *error)
{
    double *values = malloc((ev->done + 1) * sizeof *values);
    if (!values)
        return error_set(error, ERROR_MEMORY, "out of memory");
    struct score_estimate right = accuracy(ev, values);
    fprintf(out, "%zu of %zu cases in %.1f s", ev->done, ev->dataset->count, ev->seconds);
    if (right.count)
        fprintf(out, "; %.0f of %zu answers are right: %.3f, %.3f..%.3f", right.value * (double)right.count,
                right.count, right.value, right.low, right.high);
    fprintf(out, "\nmeans over the cases not answered wrongly, with 95 %% intervals\n");
    for (int side = 0; side < TRUTH_SIDES; side++)
        if (count_side(ev, side))
            print_side(ev, side, values, out);
    free(values);
    return 0;
}
