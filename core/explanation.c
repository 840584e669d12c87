/* explanation.c: the reader's copy of what the worker has said so far. */
#include "core/event.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/precision.h"

enum { CHOICES = 1 + CANDIDATES };

struct method method_default(void)
{
    return (struct method){.suppression = SUPPRESS_ROW_MIN_CAUSAL,
                           .factor = 0.1f,
                           .similarity = NAN,
                           .image_similarity = 0.7f,
                           .window = 5,
                           .last_layer = -1};
}

static void explanation_clear(struct explanation *e)
{
    free(e->prompt);
    free(e->tokens);
    pictures_free(e->pictures, e->picture_count);
    free(e->output);
    free(e->units);
    free(e->alike);
    free(e->measured);
    free(e->estimated);
    free(e->known);
    free(e->relevance);
    explanation_clear_direct(e);
    free(e->chosen);
    free(e->chosen_direct);
    explanation_free(e->former);
    *e = (struct explanation){
        .foil = {.token = -1}, .chosen_id = -1, .noise_floor = NAN, .keeps_former = e->keeps_former};
}

struct explanation *explanation_new(void)
{
    struct explanation *e = calloc(1, sizeof *e);
    if (e)
        explanation_clear(e);
    return e;
}

void explanation_free(struct explanation *e)
{
    if (!e)
        return;
    explanation_clear(e);
    free(e);
}

double cost_seconds_left(const struct cost *cost)
{
    double left = (double)(cost->rows_total - cost->rows);
    if (left <= 0)
        return 0;
    if (cost->rows < cost->rows_total / 20 && cost->expected_seconds > 0) /* the first rows are dearer than most */
        return cost->expected_seconds * left / (double)cost->rows_total;
    return cost->rows > 0 ? cost->seconds / (double)cost->rows * left : 0;
}

bool explanation_measured(const struct explanation *e, size_t unit, size_t token)
{
    return unit < e->unit_count && (e->measured[unit] || (e->known && token < e->known[unit]));
}

double explanation_relevance(const struct explanation *e, size_t unit, size_t token, int choice)
{
    if (unit >= e->unit_count || token >= e->output_count || choice < 0 || choice >= CHOICES)
        return 0;
    if (!explanation_measured(e, unit, token)) {
        double direct = explanation_direct(e, unit, token, choice);
        return isnan(direct) ? 0 : direct;
    }
    return e->relevance[(unit * e->output_count + token) * CHOICES + (size_t)choice];
}

bool explanation_knows(const struct explanation *e, size_t unit, size_t token)
{
    if (unit >= e->unit_count || token >= e->output_count)
        return false;
    return explanation_measured(e, unit, token) || !isnan(explanation_direct(e, unit, token, 0));
}

bool explanation_estimated(const struct explanation *e, size_t unit, size_t token)
{
    return !explanation_measured(e, unit, token) || e->estimated[unit];
}

void event_free(struct event *v)
{
    if (!v)
        return;
    free(v->prompt);
    free(v->tokens);
    pictures_free(v->pictures, v->picture_count);
    free(v->units);
    free(v->alike);
    free(v->unit);
    free(v->known);
    free(v->values);
    free(v->proof);
    free(v->pairs);
    free(v->direct);
    free(v);
}

static void out_of_memory(struct explanation *e)
{
    error_set(&e->error, ERROR_MEMORY, "out of memory for the result");
}

/* All that e says goes to an explanation of its own; without memory for that it goes nowhere. */
static struct explanation *move_away(struct explanation *e)
{
    struct explanation *former = malloc(sizeof *former);
    if (!former)
        return NULL;
    explanation_free(e->former);
    *former = *e;
    former->former = NULL;
    former->keeps_former = false;
    former->busy = false; /* the worker says no more of it */
    *e = (struct explanation){.keeps_former = true};
    return former;
}

static void apply_prompt(struct explanation *e, struct event *v)
{
    struct explanation *former = e->keeps_former && e->prompt ? move_away(e) : NULL;
    explanation_clear(e);
    e->former = former;
    e->prompt = v->prompt;
    e->prompt_length = v->prompt_length;
    e->tokens = v->tokens;
    e->token_count = v->token_count;
    e->pictures = v->pictures;
    e->picture_count = v->picture_count;
    e->busy = true;
    v->prompt = NULL;
    v->tokens = NULL;
    v->pictures = NULL;
}

static void apply_token(struct explanation *e, const struct event *v)
{
    struct output_token *more = realloc(e->output, (e->output_count + 1) * sizeof *more);
    if (!more) {
        out_of_memory(e);
        return;
    }
    e->output = more;
    e->output[e->output_count++] = v->token;
}

/* Nothing is measured of them; false: no memory, e has those it had. */
static bool take_units(struct explanation *e, struct event *v)
{
    bool *measured = calloc(v->unit_count + 1, sizeof *measured);
    bool *estimated = calloc(v->unit_count + 1, sizeof *estimated);
    size_t *known = calloc(v->unit_count + 1, sizeof *known);
    if (!measured || !estimated || !known) {
        free(measured);
        free(estimated);
        free(known);
        out_of_memory(e);
        return false;
    }
    free(e->measured);
    free(e->estimated);
    free(e->known);
    free(e->units);
    e->measured = measured;
    e->estimated = estimated;
    e->known = known;
    e->units = v->units;
    e->unit_count = v->unit_count;
    v->units = NULL;
    return true;
}

static void apply_units(struct explanation *e, struct event *v)
{
    float *relevance = calloc(v->unit_count * v->output_count * CHOICES + 1, sizeof *relevance);
    if (!relevance || !take_units(e, v)) {
        free(relevance);
        out_of_memory(e);
        return;
    }
    e->relevance = relevance;
    e->alike = v->alike;
    e->alike_count = v->alike_count;
    v->alike = NULL;
    if (v->output_count < e->output_count)
        e->output_count = v->output_count;
    e->foil.token = v->foil_token;
    e->foil.id = v->foil_id;
    e->foil.logprob = v->foil_logprob;
    e->method = v->method;
    snprintf(e->precision, sizeof e->precision, "%s", precision_name(v->precision));
}

static void apply_relevance(struct explanation *e, const struct event *v)
{
    size_t row = e->output_count * CHOICES;
    for (int i = 0; e->relevance && i < v->n; i++) {
        memcpy(e->relevance + (size_t)v->unit[i] * row, v->values + (size_t)i * row, row * sizeof(float));
        e->known[v->unit[i]] = v->known ? (size_t)v->known[i] : e->output_count;
        e->measured[v->unit[i]] = e->known[v->unit[i]] >= e->output_count;
        e->estimated[v->unit[i]] = v->estimated;
    }
}

static void apply_direct(struct explanation *e, struct event *v)
{
    if (v->units && !take_units(e, v))
        return;
    if (!explanation_take_direct(e, v))
        out_of_memory(e);
}

static void apply_chosen(struct explanation *e, struct event *v)
{
    free(e->chosen);
    free(e->chosen_direct);
    e->chosen = v->values;
    e->chosen_direct = v->direct;
    v->direct = NULL;
    e->chosen_token = v->chosen_token;
    e->chosen_id = v->chosen_id;
    v->values = NULL;
}

static void apply_end(struct explanation *e, const struct event *v)
{
    e->busy = false;
    e->complete = v->complete;
    e->stopped = v->stopped;
    e->noise_floor = v->noise_floor;
    if (v->error.code)
        e->error = v->error;
}

void explanation_apply(struct explanation *e, struct event *v)
{
    switch (v->kind) {
    case EVENT_PROMPT:
        apply_prompt(e, v);
        break;
    case EVENT_TOKEN:
        apply_token(e, v);
        break;
    case EVENT_DIRECT:
        apply_direct(e, v);
        break;
    case EVENT_UNITS:
        apply_units(e, v);
        break;
    case EVENT_RELEVANCE:
        apply_relevance(e, v);
        break;
    case EVENT_CHOSEN:
        apply_chosen(e, v);
        break;
    case EVENT_PROOF:
        e->proof = *v->proof;
        break;
    case EVENT_PAIRS:
        e->pairs = *v->pairs;
        break;
    case EVENT_DONE:
    case EVENT_CANCELLED:
    case EVENT_FAILED:
        apply_end(e, v);
        break;
    }
    e->request = v->request;
    if (v->kind != EVENT_PROOF && v->kind != EVENT_PAIRS)
        e->cost = v->cost;
    event_free(v);
}
