#include "tui/findings.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tui/format_json.h"
#include "tui/text.h"

/* -- lines --------------------------------------------------------------------------------------------------------- */

/* A text that can neither move a cursor nor end the line. */
static void put_clean(FILE *out, const char *text)
{
    char *clean = text_clean(text, strlen(text), true, NULL);
    for (char *p = clean; p && *p; p++)
        fputc(*p == '\n' || *p == '\t' ? ' ' : *p, out);
    free(clean);
}

/* How many digits tell two numbers apart; four at least. */
static int digits_apart(double a, double b)
{
    char one[40], other[40];
    int digits = 3;
    do {
        digits++;
        snprintf(one, sizeof one, "%.*g", digits, a);
        snprintf(other, sizeof other, "%.*g", digits, b);
    } while (digits < 12 && strcmp(one, other) == 0);
    return digits;
}

/* "share of "Tom" is 0.12" */
static void put_value(FILE *out, const struct guard_check *k, const struct verdict *v, int digits)
{
    fputs(guard_kind_name(k->kind), out);
    if (k->name) {
        fputs(" of ", out);
        put_clean(out, k->name);
    }
    fprintf(out, " is %.*g", digits, v->range.value);
}

static void put_answer(FILE *out, const struct guard_check *k, const struct finding *f, bool moved)
{
    fputs("the answer is \"", out);
    put_clean(out, f->answer ? f->answer : "");
    fputs("\", not \"", out);
    put_clean(out, k->answer);
    fputs(moved ? "\"; now it is" : "\"", out);
}

/* Why a check fails, and what it was moved to. */
static void put_reason(FILE *out, const struct guard_check *k, const struct finding *f, const struct verdict *v,
                       bool moved)
{
    double min, max;
    if (k->kind == GUARD_ANSWER) {
        put_answer(out, k, f, moved);
        return;
    }
    bool failed = v->outcome == VERDICT_FAILED, below = (failed ? v->range.high : v->range.low) < k->min;
    double limit = below ? k->min : k->max;
    int digits = failed ? digits_apart(v->range.value, limit) : digits_apart(v->range.low, v->range.high);
    put_value(out, k, v, digits);
    if (failed)
        fprintf(out, ", %s %.*g", below ? "below" : "above", digits, limit);
    else
        fprintf(out, ", and with noise %.*g to %.*g, which does not tell it from %.*g", digits, v->range.low, digits,
                v->range.high, digits, limit);
    verdict_move(k, v, &min, &max);
    if (moved && !isnan(min))
        fprintf(out, "; min is now %.3g", min);
    if (moved && !isnan(max))
        fprintf(out, "; max is now %.3g", max);
}

void findings_line(const struct findings *all, size_t index, FILE *out)
{
    const struct guard_case *c = &all->guard->cases[index];
    const struct finding *f = &all->found[index];
    bool moved = all->options->update && f->error.code == 0;
    fputs(f->held ? "ok " : moved ? "moved " : "FAILED ", out);
    put_clean(out, c->id);
    if (f->error.code) {
        fputs(": ", out);
        put_clean(out, f->error.message);
    }
    const char *separator = ": ";
    for (size_t i = 0; f->error.code == 0 && i < c->check_count; i++)
        if (f->verdicts[i].outcome != VERDICT_HELD) {
            fputs(separator, out);
            put_reason(out, &c->checks[i], f, &f->verdicts[i], moved);
            separator = "; ";
        }
    fputc('\n', out);
}

void findings_measured(const struct findings *all, size_t index, FILE *out)
{
    const struct guard_case *c = &all->guard->cases[index];
    const struct finding *f = &all->found[index];
    put_clean(out, c->id);
    fprintf(out, ": %.3f s", f->seconds);
    for (size_t i = 0; f->error.code == 0 && i < c->check_count; i++)
        if (c->checks[i].kind != GUARD_ANSWER) {
            fputs(", ", out);
            put_value(out, &c->checks[i], &f->verdicts[i], 4);
        }
    if (!isnan(f->noise))
        fprintf(out, ", noise floor %.2g nats", f->noise);
}

size_t findings_failed(const struct findings *all)
{
    size_t n = 0;
    for (size_t i = 0; i < all->done; i++)
        n += !all->found[i].held;
    return n;
}

size_t findings_unknown(const struct findings *all)
{
    size_t n = 0;
    for (size_t i = 0; i < all->done; i++)
        n += all->found[i].error.code != 0;
    return n;
}

void findings_closing(const struct findings *all, FILE *out)
{
    size_t failed = findings_failed(all), unknown = findings_unknown(all), left = all->guard->count - all->done;
    fprintf(out, "%zu held", all->done - failed);
    if (all->options->update)
        fprintf(out, ", %zu moved", failed - unknown);
    fprintf(out, ", %zu failed", all->options->update ? unknown : failed);
    if (left)
        fprintf(out, ", %zu not run", left);
    fputc('\n', out);
}

int findings_text(const struct findings *all, FILE *out, struct error *error)
{
    (void)error;
    for (size_t i = 0; i < all->done; i++)
        findings_line(all, i, out);
    findings_closing(all, out);
    return 0;
}

/* -- JSON ---------------------------------------------------------------------------------------------------------- */

static json_t *check_json(const struct guard_check *k, const struct verdict *v)
{
    static const char *const outcomes[] = {
        [VERDICT_HELD] = "held",
        [VERDICT_FAILED] = "failed",
        [VERDICT_UNDECIDED] = "undecided",
    };
    json_t *json = json_pack("{ss ss}", "kind", guard_kind_name(k->kind), "outcome", outcomes[v->outcome]);
    if (k->name)
        json_object_set_new(json, "units", json_string(k->name));
    if (k->kind == GUARD_ANSWER) {
        json_object_set_new(json, "wanted", json_string(k->answer));
        return json;
    }
    json_object_set_new(json, "value", format_json_number(v->range.value));
    json_object_set_new(json, "low", format_json_number(v->range.low));
    json_object_set_new(json, "high", format_json_number(v->range.high));
    json_object_set_new(json, "min", format_json_number(k->min));
    json_object_set_new(json, "max", format_json_number(k->max));
    return json;
}

static json_t *case_json(const struct guard_case *c, const struct finding *f)
{
    json_t *json =
        json_pack("{so sI sb so}", "id", format_json_text(c->id, strlen(c->id)), "line", (json_int_t)c->line, "held",
                  f->held, "answer", f->answer ? format_json_text(f->answer, strlen(f->answer)) : json_null());
    if (f->error.code) {
        json_object_set_new(json, "error", format_json_text(f->error.message, strlen(f->error.message)));
        return json;
    }
    json_t *checks = json_array();
    for (size_t i = 0; i < c->check_count; i++)
        json_array_append_new(checks, check_json(&c->checks[i], &f->verdicts[i]));
    json_object_set_new(json, "probability", format_json_number(f->probability));
    json_object_set_new(json, "noise_floor", format_json_number(f->noise));
    json_object_set_new(json, "checks", checks);
    return json;
}

int findings_json(const struct findings *all, FILE *out, struct error *error)
{
    const struct options *o = all->options;
    size_t failed = findings_failed(all);
    bool pictures = false;
    json_t *cases = json_array();
    for (size_t i = 0; i < all->done; i++) {
        json_array_append_new(cases, case_json(&all->guard->cases[i], &all->found[i]));
        pictures = pictures || all->guard->cases[i].image_count > 0;
    }
    json_t *json =
        json_pack("{ss so so so so sI sI sb sb so}", "schema", "atmanscope.guard/1", "model",
                  format_json_model(all->info), "device", format_json_device(all->info, all->info->precision), "method",
                  format_json_method(&all->method, pictures), "file", format_json_text(o->dataset, strlen(o->dataset)),
                  "held", (json_int_t)(all->done - failed), "failed", (json_int_t)failed, "complete",
                  all->done == all->guard->count, "updated", o->update, "cases", cases);
    return format_json_write(json, false, out, error);
}

/* -- back into the file -------------------------------------------------------------------------------------------- */

void findings_note(const struct findings *all)
{
    for (size_t i = 0; i < all->done; i++) {
        const struct guard_case *c = &all->guard->cases[i];
        const struct finding *f = &all->found[i];
        for (size_t k = 0; f->error.code == 0 && k < c->check_count; k++) {
            struct guard_check *check = &c->checks[k];
            double min, max;
            if (check->kind == GUARD_ANSWER) {
                if (f->verdicts[k].outcome != VERDICT_HELD)
                    guard_expect(check, f->answer);
                continue;
            }
            verdict_move(check, &f->verdicts[k], &min, &max);
            guard_note(check, f->verdicts[k].range.value, min, max);
        }
    }
}
