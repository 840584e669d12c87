/* An explanation for a terminal: the prompt in colours, what was answered, the legend, and the strongest units. */
#include "tui/report.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tui/answers.h"
#include "tui/text.h"

enum { RANKED = 12, RANKED_A_TOKEN = 4, UNIT_WIDTH = 40, GRID = 40 };

static const char RESET[] = "\033[0m";

static void put_text(FILE *out, const char *text, size_t length)
{
    char *clean = text_clean(text, length, true, NULL);
    fputs(clean ? clean : "", out);
    free(clean);
}

/* text in the cell's colours, which end before every line's end so that no terminal fills its rest with them */
static void put_coloured(FILE *out, const struct report *r, struct colour_cell cell, const char *text, size_t length)
{
    char sgr[48];
    colour_sgr(r->depth, cell, sgr, sizeof sgr);
    while (length) {
        const char *newline = memchr(text, '\n', length);
        size_t line = newline ? (size_t)(newline - text) : length;
        if (line) {
            fputs(sgr, out);
            put_text(out, text, line);
            fputs(*sgr ? RESET : "", out);
        }
        if (newline) {
            fputc('\n', out);
            line++;
        }
        text += line;
        length -= line;
    }
}

static struct colour_cell cell_of(const struct report *r, size_t unit, double limit)
{
    const struct explanation *e = r->explanation;
    struct colour_cell plain = {-1, -1, 0};
    if (e->units[unit].kind == UNIT_SPECIAL || r->depth == COLOUR_NONE)
        return plain;
    return colour_cell(r->scale, r->depth, r->ground,
                       colour_position(report_relevance(e, unit, REPORT_ALL), limit, e->noise_floor));
}

/* No colour says whether something supports or contradicts. */
static bool has_signs(const struct report *r)
{
    return r->depth == COLOUR_NONE || r->scale == SCALE_GREY;
}

/* The output token that unit is, or -1. */
static int unit_output(const struct explanation *e, size_t unit)
{
    return (size_t)e->units[unit].first < e->token_count ? -1 : (int)((size_t)e->units[unit].first - e->token_count);
}

static int put_prompt(FILE *out, const struct report *r, double limit)
{
    const struct explanation *e = r->explanation;
    size_t count;
    struct report_piece *pieces = report_pieces(e, &count);
    if (!pieces)
        return ERROR_MEMORY;
    for (size_t i = 0; i < count; i++) {
        const struct report_piece *p = &pieces[i];
        struct colour_cell cell = {-1, -1, 0};
        if (p->unit >= 0)
            cell = cell_of(r, (size_t)p->unit, limit);
        put_text(out, e->prompt + p->start, p->inner - p->start);
        put_coloured(out, r, cell, e->prompt + p->inner, p->inner_end - p->inner);
        put_text(out, e->prompt + p->inner_end, p->end - p->inner_end);
    }
    free(pieces);
    return 0;
}

/* One patch, in its unit's colour; where that does not tell, a sign and how many ninths of the scale.  A dot: none. */
static void put_patch(FILE *out, const struct report *r, int unit, int width, double limit)
{
    const struct explanation *e = r->explanation;
    double position = 0;
    if (unit >= 0)
        position = colour_position(report_relevance(e, (size_t)unit, REPORT_ALL), limit, e->noise_floor);
    char text[3] = " .";
    struct colour_cell cell = {-1, -1, 0};
    if (r->depth != COLOUR_NONE)
        cell = colour_cell(r->scale, r->depth, r->ground, position);
    if (has_signs(r) && round(9 * position) != 0) {
        text[0] = position > 0 ? '+' : '-';
        text[1] = (char)('0' + (int)fabs(round(9 * position)));
    } else if (position != 0 && r->depth != COLOUR_NONE) {
        memset(text, cell.background < 0 ? '#' : ' ', 2);
    }
    put_coloured(out, r, cell, text + 2 - width, (size_t)width);
}

/* A picture's patches as a grid.  What lies in its padding is left blank; rows of nothing else are left out. */
static int put_picture(FILE *out, const struct report *r, size_t picture, double limit)
{
    const struct explanation *e = r->explanation;
    const struct picture *p = &e->pictures[picture];
    int *units = report_picture_units(e, picture), width = has_signs(r) || p->columns <= GRID ? 2 : 1;
    if (!units)
        return ERROR_MEMORY;
    char title[200];
    report_picture_title(r, picture, title, sizeof title);
    fputc('\n', out);
    put_text(out, title, strlen(title));
    fputc('\n', out);
    for (int y = 0; y < p->rows; y++) {
        int blank = 0, row = y * p->columns, shown = 0;
        for (int x = 0; x < p->columns; x++) {
            const float *rect = e->tokens[p->first + row + x].rect;
            if (!(rect[2] > 0 && rect[3] > 0)) {
                blank += width;
                continue;
            }
            fprintf(out, "%*s", blank, "");
            put_patch(out, r, units[row + x], width, limit);
            blank = 0;
            shown++;
        }
        if (shown)
            fputc('\n', out);
    }
    free(units);
    return 0;
}

/* What stands between prompt and answer.  Behind a template's marks the answer is no continuation of the prompt's
 * text. */
static void put_arrow(FILE *out, const struct report *r)
{
    const struct explanation *e = r->explanation;
    size_t length = 0, last = e->token_count - 1;
    const char *text = e->output_count > 0 ? tokenizer_text(r->tokenizer, e->output[0].id, &length) : "";
    if (has_signs(r))
        fputs(length > 0 && *text != ' ' ? "\n=> " : "\n=>", out);
    else if (e->token_count > 0 && e->tokens[last].start == e->tokens[last].end)
        fputc('\n', out);
}

/* The answer, underlined where that means nothing else, its earlier tokens in colours too. */
static void put_answer(FILE *out, const struct report *r, double limit)
{
    const struct explanation *e = r->explanation;
    put_arrow(out, r);
    for (size_t t = 0; t < e->output_count; t++) {
        if (tokenizer_is_special(r->tokenizer, e->output[t].id))
            continue;
        struct colour_cell cell = {-1, -1, 0};
        for (size_t u = 0; u < e->unit_count; u++)
            if (unit_output(e, u) == (int)t)
                cell = cell_of(r, u, limit);
        size_t length;
        const char *text = tokenizer_text(r->tokenizer, e->output[t].id, &length);
        if (!has_signs(r))
            cell.attributes |= COLOUR_BOLD | COLOUR_UNDERLINE;
        put_coloured(out, r, cell, text, length);
    }
    fputc('\n', out);
}

/* A text in quotation marks, on one line, cut to a width of characters. */
static void put_quoted(FILE *out, const char *text, size_t length, int most)
{
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

static void put_token(FILE *out, const struct report *r, int32_t id)
{
    size_t length;
    const char *text = tokenizer_text(r->tokenizer, id, &length);
    put_quoted(out, text, length, UNIT_WIDTH);
}

static void put_percent(FILE *out, double logprob)
{
    char words[24];
    colour_percent(logprob, words, sizeof words);
    fputs(words, out);
}

/* An output token, how sure the model is, and what else it might have said. */
static void put_choice(FILE *out, const struct report *r, size_t t)
{
    const struct output_token *token = &r->explanation->output[t];
    put_token(out, r, token->id);
    fputc(' ', out);
    put_percent(out, token->logprob);
    const char *separator = "; else ";
    int shown = 0;
    for (int k = 0; k < CANDIDATES && token->candidates[k].id >= 0 && shown < 3; k++) {
        if (token->candidates[k].id == token->id || exp(token->candidates[k].logprob) < 0.001)
            continue;
        fputs(separator, out);
        put_token(out, r, token->candidates[k].id);
        fputc(' ', out);
        put_percent(out, token->candidates[k].logprob);
        separator = ", ";
        shown++;
    }
    if (r->explanation->foil.token == (int)t) {
        fputs("; rather than ", out);
        put_token(out, r, r->explanation->foil.id);
        fputc(' ', out);
        put_percent(out, r->explanation->foil.logprob);
    }
}

static void put_legend(FILE *out, const struct report *r, double limit)
{
    const struct explanation *e = r->explanation;
    char nats[24], times[64];
    colour_nats(limit, nats, sizeof nats);
    colour_times(limit, times, sizeof times);
    if (r->depth != COLOUR_NONE && limit > 0) {
        fprintf(out, "contradicts -%s ", nats + 1);
        for (int step = -5; step <= 5; step++) {
            struct colour_cell cell = colour_cell(r->scale, r->depth, r->ground, step / 5.0);
            const char *text = has_signs(r) ? (step < 0 ? " -" : "+ ") : cell.background < 0 ? "##" : "  ";
            put_coloured(out, r, cell, step == 0 ? " 0 " : text, step ? 2 : 3);
        }
        fprintf(out, " %s nats supports\n", nats);
    }
    if (limit > 0)
        fprintf(out, "%s nats%s: without such a unit the answer is %s%s\n", nats,
                has_signs(r) && e->picture_count ? " (+9 in a picture)" : "", times,
                e->foil.token < 0 ? "" : " against the foil");
    if (e->noise_floor > 0) {
        colour_nats(e->noise_floor, nats, sizeof nats);
        fprintf(out, "changes up to %s nats are noise\n", nats + 1);
    }
    if (!e->complete)
        fprintf(out, "not complete: %d of %d probes were run; what is marked ~ is an estimate\n", e->cost.probes,
                e->cost.probes_total);
}

static void put_unit(FILE *out, const struct report *r, size_t unit, int most)
{
    size_t size = 0;
    char *text = report_unit_text(r, unit, &size);
    if (text && r->explanation->units[unit].kind == UNIT_PATCH) { /* ours; which picture, where there are more */
        const char *place = r->explanation->picture_count == 1 ? strchr(text, ' ') : NULL;
        place = place ? strstr(place, ", ") : NULL;
        fputs(place ? place + 2 : text, out);
    } else if (text) {
        size_t start = strspn(text, " \t\r\n");
        while (size > start && strchr(" \t\r\n", text[size - 1]))
            size--;
        if (start == size)
            put_quoted(out, text, strlen(text), most);
        else
            put_quoted(out, text + start, size - start, most);
    }
    free(text);
}

/* A unit's nats; "~" before an estimate. */
static void put_nats(const struct explanation *e, size_t unit, double value, char *text, size_t size)
{
    *text = '~';
    colour_nats(value, text + report_estimated(e, unit), size - report_estimated(e, unit));
}

/* The strongest units: index, nats, in words, text. */
static int put_ranking(FILE *out, const struct report *r, double limit)
{
    const struct explanation *e = r->explanation;
    size_t count;
    int *units = report_ranking(e, REPORT_ALL, &count);
    if (!units)
        return ERROR_MEMORY;
    if (count)
        fprintf(out, "\n  unit      nats  without it the answer is\n");
    for (size_t i = 0; i < count && i < RANKED; i++) {
        size_t u = (size_t)units[i];
        char nats[24], times[64], ordinal[REPORT_ORDINAL];
        double value = report_relevance(e, u, REPORT_ALL);
        put_nats(e, u, value, nats, sizeof nats);
        colour_times(value, times, sizeof times);
        fprintf(out, "%6zu  %8s  %-32s ", u, nats, fabs(value) <= e->noise_floor ? "(within the noise)" : times);
        fputs(report_unit_ordinal(e, u, ordinal), out);
        char sgr[48];
        colour_sgr(r->depth, cell_of(r, u, limit), sgr, sizeof sgr);
        fputs(sgr, out);
        put_unit(out, r, u, UNIT_WIDTH);
        fprintf(out, "%s%s\n", *sgr ? RESET : "",
                !unit_counts(&e->units[u]) ? "  (first position: not ranked)"
                : fabs(value) > limit      ? "  (first position: off the scale)"
                                           : "");
    }
    if (count > RANKED)
        fprintf(out, "        and %zu more\n", count - RANKED);
    free(units);
    return 0;
}

/* For an answer of several tokens: each one's own strongest units. */
static int put_tokens(FILE *out, const struct report *r)
{
    const struct explanation *e = r->explanation;
    fputs("\ntoken by token\n", out);
    for (size_t t = 0; t < e->output_count; t++) {
        size_t count;
        int *units = report_ranking(e, (int)t, &count);
        if (!units)
            return ERROR_MEMORY;
        fprintf(out, "%6zu  ", t);
        put_choice(out, r, t);
        fputs("\n       ", out);
        for (size_t i = 0; i < count && i < RANKED_A_TOKEN && (i == 0 || unit_counts(&e->units[units[i]])); i++) {
            char nats[24], ordinal[REPORT_ORDINAL];
            put_nats(e, (size_t)units[i], report_relevance(e, (size_t)units[i], (int)t), nats, sizeof nats);
            fprintf(out, " %s %s", nats, report_unit_ordinal(e, (size_t)units[i], ordinal));
            put_unit(out, r, (size_t)units[i], 20);
        }
        fputc('\n', out);
        free(units);
    }
    return 0;
}

int format_ansi(const struct report *r, FILE *out, struct error *error)
{
    const struct explanation *e = r->explanation;
    double limit = report_limit(e, REPORT_ALL);
    int code = put_prompt(out, r, limit);
    put_answer(out, r, limit);
    for (size_t i = 0; code == 0 && i < e->picture_count; i++)
        code = put_picture(out, r, i, limit);
    fputc('\n', out);
    if (e->output_count == 1) {
        put_choice(out, r, 0);
        fputc('\n', out);
    }
    put_legend(out, r, limit);
    if (code == 0)
        code = put_ranking(out, r, limit);
    if (code == 0 && e->output_count > 1)
        code = put_tokens(out, r);
    answers_put(r, out);
    return code ? error_set(error, code, "out of memory") : 0;
}
