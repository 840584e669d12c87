#include "tui/answers.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tui/text.h"

enum { NAMED = 6, NAME_WIDTH = 24 }; /* so many units are named, with so many characters */

/* -- words --------------------------------------------------------------------------------------------------------- */

/* A text in quotation marks on one line, cut to NAME_WIDTH characters. */
static void put_quoted(FILE *out, const char *text, size_t length)
{
    int most = NAME_WIDTH;
    char *clean = text_clean(text, length, true, NULL);
    fputc('"', out);
    for (const char *p = clean ? clean : ""; *p; p++) {
        if (((unsigned char)*p & 0xc0) != 0x80 && most-- == 0) {
            fputs("...", out);
            break;
        }
        if (*p == '\n' || *p == '\t')
            fputs(*p == '\n' ? "\\n" : "\\t", out);
        else
            fputc(*p, out);
    }
    fputc('"', out);
    free(clean);
}

/* A token's text without the spaces before it, if it has more than them. */
static void put_token(FILE *out, const struct report *r, int32_t id)
{
    size_t length;
    const char *text = tokenizer_text(r->tokenizer, id, &length);
    for (; length > 1 && *text == ' '; text++)
        length--;
    put_quoted(out, text, length);
}

/* A unit's text without the white space around it, and which it is of several like it. */
static void put_unit(FILE *out, const struct report *r, int unit)
{
    size_t size = 0;
    char *text = report_unit_text(r, (size_t)unit, &size);
    if (!text)
        return;
    size_t start = strspn(text, " \t\r\n");
    while (size > start && strchr(" \t\r\n", text[size - 1]))
        size--;
    bool patch = r->explanation->units[unit].kind == UNIT_PATCH; /* a name of ours */
    char ordinal[REPORT_ORDINAL];
    fputs(report_unit_ordinal(r->explanation, (size_t)unit, ordinal), out);
    if (patch)
        fputs(text, out);
    else if (start < size)
        put_quoted(out, text + start, size - start);
    else
        put_quoted(out, text, strlen(text));
    free(text);
}

static void put_units(FILE *out, const struct report *r, const int *unit, int count)
{
    for (int i = 0; i < count && i < NAMED; i++) {
        fputs(i ? ", " : "", out);
        put_unit(out, r, unit[i]);
    }
    if (count > NAMED)
        fprintf(out, " and %d more", count - NAMED);
}

static char *finished(FILE *out, char **text)
{
    if (fclose(out) == 0)
        return *text;
    free(*text);
    return NULL;
}

char *answers_units(const struct report *r, const int *unit, int count)
{
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    if (!out)
        return NULL;
    put_units(out, r, unit, count);
    return finished(out, &text);
}

/* -- the proof ----------------------------------------------------------------------------------------------------- */

char *answers_area(const struct report *r)
{
    double area = r->explanation->proof.area;
    char text[64] = "";
    if (r->explanation->proof.answer.state == ANSWER_NONE || isnan(area))
        return strdup("");
    if (fabs(area) < 0.005)
        return strdup("no better than chance");
    snprintf(text, sizeof text, "%.2f nats %s than chance", fabs(area), area > 0 ? "more" : "less");
    return strdup(text);
}

static void put_flip(FILE *out, const struct report *r)
{
    const struct explanation *e = r->explanation;
    const struct flip *flip = &e->proof.flip;
    if (e->proof.answer.state == ANSWER_NONE || flip->state == FLIP_UNKNOWN)
        return;
    if (flip->count == 0) {
        fputs("no unit supports ", out);
        put_token(out, r, flip->id);
        fputs(" more than the next token", out);
        return;
    }
    if (flip->state == FLIP_FOUND)
        fputs("without ", out);
    else
        fprintf(out, "even without the %d strongest, ", flip->count);
    if (flip->state == FLIP_FOUND)
        put_units(out, r, flip->unit, flip->count);
    fputs(flip->state == FLIP_FOUND ? " it says " : "it says ", out);
    put_token(out, r, flip->id);
}

char *answers_flip(const struct report *r)
{
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    if (!out)
        return NULL;
    put_flip(out, r);
    return finished(out, &text);
}

/* -- pairs --------------------------------------------------------------------------------------------------------- */

const char *answers_bond(enum pair_bond bond)
{
    static const char *const names[] = {
        [PAIR_INDEPENDENT] = "act independently",
        [PAIR_BACKING] = "back each other up",
        [PAIR_STANDING_IN] = "stand in for each other",
        [PAIR_OPPOSED] = "pull opposite ways",
    };
    return names[bond];
}

/* -- lines --------------------------------------------------------------------------------------------------------- */

/* Why an answer is not whole, if it is not. */
static void put_end(FILE *out, const struct answer *a)
{
    if (a->state == ANSWER_FAILED)
        fprintf(out, "  %s\n", a->error.message);
    if (a->state == ANSWER_STOPPED)
        fputs("  stopped\n", out);
}

static void put_proof(FILE *out, const struct report *r)
{
    const struct proof *p = &r->explanation->proof;
    fputs("\nproof: the probability of ", out);
    put_token(out, r, p->answer.id);
    fputs(" when units are deleted\n", out);
    put_end(out, &p->answer);
    if (p->point_count > 0)
        fprintf(out, "  deleted  strongest first  random order\n%9d  %14.3g%%%13.3g%%\n", 0, 100 * exp(p->logprob),
                100 * exp(p->logprob));
    for (int i = 0; i < p->point_count; i++) {
        fprintf(out, "%9d  %14.3g%%", p->point[i].deleted, 100 * exp(p->point[i].ranked));
        if (!isnan(p->point[i].random))
            fprintf(out, "%13.3g%%", 100 * exp(p->point[i].random));
        fputc('\n', out);
    }
    char *area = answers_area(r);
    if (area && *area)
        fprintf(out, "  it falls by %s\n", area);
    free(area);
    if (p->flip.state == FLIP_UNKNOWN)
        return;
    fputs("  ", out);
    put_flip(out, r);
    if (p->flip.state == FLIP_FOUND)
        fprintf(out, " (smallest set found: %d)", p->flip.count);
    fputc('\n', out);
}

static void put_pairs(FILE *out, const struct report *r)
{
    const struct pairs *p = &r->explanation->pairs;
    int order[PAIR_MOST];
    fputs("\npairs: what two units do to ", out);
    put_token(out, r, p->answer.id);
    fputs(" together, less what each does alone\n", out);
    put_end(out, &p->answer);
    pairs_order(p, order);
    for (int i = 0; i < p->count; i++) {
        const struct pair *pair = &p->pair[order[i]];
        fprintf(out, "  %+9.3f nats  ", pair_interaction(pair));
        put_units(out, r, pair->unit, 2);
        fprintf(out, " %s\n", answers_bond(pair_bond(p, pair)));
    }
}

void answers_put(const struct report *r, FILE *out)
{
    if (r->explanation->proof.answer.state != ANSWER_NONE)
        put_proof(out, r);
    if (r->explanation->pairs.answer.state != ANSWER_NONE)
        put_pairs(out, r);
}

/* -- JSON ---------------------------------------------------------------------------------------------------------- */

static json_t *token_json(const struct report *r, int32_t id)
{
    size_t size = 0;
    char *text = report_token_text(r, id, false, &size);
    json_t *json = text ? json_stringn(text, size) : NULL;
    free(text);
    return json;
}

/* What every answer begins with. */
static json_t *answer_json(const struct report *r, const struct answer *a)
{
    json_t *json = json_pack("{si sI so sb}", "token", a->token, "id", (json_int_t)a->id, "text", token_json(r, a->id),
                             "complete", a->state == ANSWER_DONE);
    if (a->error.code)
        json_object_set_new(json, "error", format_json_text(a->error.message, strlen(a->error.message)));
    return json;
}

static json_t *units_json(const int *unit, int count)
{
    json_t *units = json_array();
    for (int i = 0; i < count; i++)
        json_array_append_new(units, json_integer(unit[i]));
    return units;
}

static json_t *flip_json(const struct report *r, const struct flip *flip)
{
    if (flip->state == FLIP_UNKNOWN)
        return json_null();
    return json_pack("{sb so sI so so so}", "found", flip->state == FLIP_FOUND, "units",
                     units_json(flip->unit, flip->count), "id", (json_int_t)flip->id, "text", token_json(r, flip->id),
                     "logprob", format_json_number(flip->logprob), "asked_logprob",
                     flip->count > 0 ? format_json_number(flip->asked_logprob) : json_null());
}

json_t *answers_proof_json(const struct report *r)
{
    const struct proof *p = &r->explanation->proof;
    if (p->answer.state == ANSWER_NONE)
        return NULL;
    json_t *json = answer_json(r, &p->answer), *points = json_array();
    for (int i = 0; i < p->point_count; i++)
        json_array_append_new(points, json_pack("{si so so}", "deleted", p->point[i].deleted, "ranked",
                                                format_json_number(p->point[i].ranked), "random",
                                                format_json_number(p->point[i].random)));
    json_object_set_new(json, "logprob", format_json_number(p->logprob));
    json_object_set_new(json, "units", json_integer(p->units));
    json_object_set_new(json, "orders", json_integer(p->orders));
    json_object_set_new(json, "points", points);
    json_object_set_new(json, "area", format_json_number(p->area));
    json_object_set_new(json, "flip", flip_json(r, &p->flip));
    return json;
}

json_t *answers_pairs_json(const struct report *r)
{
    const struct pairs *p = &r->explanation->pairs;
    if (p->answer.state == ANSWER_NONE)
        return NULL;
    json_t *json = answer_json(r, &p->answer), *bonds = json_array();
    for (int i = 0; i < p->count; i++) {
        const struct pair *pair = &p->pair[i];
        json_array_append_new(bonds, json_pack("{so s[oo] so so ss}", "units", units_json(pair->unit, 2), "alone",
                                               format_json_number(pair->alone[0]), format_json_number(pair->alone[1]),
                                               "both", format_json_number(pair->both), "interaction",
                                               format_json_number(pair_interaction(pair)), "bond",
                                               pair_bond_name(pair_bond(p, pair))));
    }
    json_object_set_new(json, "noise_floor", format_json_number(p->noise));
    json_object_set_new(json, "bonds", bonds);
    return json;
}
