#include "tui/report.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tui/map.h"
#include "tui/text.h"

double report_relevance(const struct explanation *e, size_t unit, int token)
{
    if (token == REPORT_ALL && e->foil.token >= 0)
        token = e->foil.token;
    if (token == REPORT_ALL) {
        double sum = 0;
        for (size_t t = 0; t < e->output_count; t++)
            sum += report_relevance(e, unit, (int)t);
        return sum;
    }
    if ((size_t)e->units[unit].first >= e->token_count + (size_t)token)
        return 0;
    return explanation_relevance(e, unit, (size_t)token, 0);
}

double report_limit(const struct explanation *e, int token)
{
    double limit = 0;
    for (size_t u = 0; u < e->unit_count; u++)
        if (map_sets_scale(e, u))
            limit = fmax(limit, fabs(report_relevance(e, u, token)));
    for (size_t u = 0; u < e->unit_count && !(limit > 0); u++) /* a prompt of one unit */
        if (e->units[u].kind != UNIT_SPECIAL)
            limit = fabs(report_relevance(e, u, token));
    return limit;
}

bool report_estimated(const struct explanation *e, size_t unit)
{
    return e->measured && !e->measured[unit];
}

char *report_token_text(const struct report *report, int32_t id, bool visible, size_t *size)
{
    size_t length;
    const char *text = tokenizer_text(report->tokenizer, id, &length);
    return text_clean(text, length, visible, size);
}

/* -- units of pictures --------------------------------------------------------------------------------------------- */

size_t report_unit_picture(const struct explanation *e, size_t unit)
{
    return (size_t)e->tokens[e->units[unit].first].image;
}

void report_unit_rect(const struct explanation *e, size_t unit, float rect[4])
{
    const struct unit *u = &e->units[unit];
    float right = 0, bottom = 0;
    memset(rect, 0, 4 * sizeof *rect);
    for (int i = u->first; i <= u->last; i++) {
        const float *r = e->tokens[i].rect;
        if (!unit_holds(u, i) || !(r[2] > 0 && r[3] > 0))
            continue;
        bool first = right == 0;
        rect[0] = first ? r[0] : fminf(rect[0], r[0]);
        rect[1] = first ? r[1] : fminf(rect[1], r[1]);
        right = fmaxf(right, r[0] + r[2]);
        bottom = fmaxf(bottom, r[1] + r[3]);
    }
    if (right > 0) {
        rect[2] = right - rect[0];
        rect[3] = bottom - rect[1];
    }
}

int *report_picture_units(const struct explanation *e, size_t picture)
{
    const struct picture *p = &e->pictures[picture];
    int count = p->columns * p->rows, *units = malloc((size_t)count * sizeof *units);
    for (int i = 0; units && i < count; i++)
        units[i] = -1;
    for (size_t u = 0; units && u < e->unit_count; u++) {
        const struct unit *unit = &e->units[u];
        if (unit->kind != UNIT_PATCH || report_unit_picture(e, u) != picture)
            continue;
        for (int i = unit->first; i <= unit->last; i++)
            if (unit_holds(unit, i))
                units[i - p->first] = (int)u;
    }
    return units;
}

void report_picture_title(const struct report *report, size_t picture, char *title, size_t size)
{
    const struct picture *p = &report->explanation->pictures[picture];
    const char *file =
        report->options && picture < report->options->image_count ? report->options->images[picture] : "";
    const char *slash = strrchr(file, '/');
    snprintf(title, size, "picture %zu: %.80s%s%d x %d pixels, %d x %d patches", picture + 1, slash ? slash + 1 : file,
             *file ? ", " : "", p->image->width, p->image->height, p->columns, p->rows);
}

/* " row 3" or " rows 3-4", counted from 1 */
static void put_span(FILE *out, const char *what, int first, int count)
{
    if (count == 1)
        fprintf(out, ", %s %d", what, first + 1);
    else
        fprintf(out, ", %ss %d-%d", what, first + 1, first + count);
}

static char *patch_text(const struct explanation *e, size_t unit, size_t *size)
{
    const struct unit *u = &e->units[unit];
    size_t picture = report_unit_picture(e, unit), length = 0;
    const struct picture *p = &e->pictures[picture];
    char *text = NULL;
    FILE *out = open_memstream(&text, &length);
    if (!out)
        return NULL;
    fprintf(out, "picture %zu", picture + 1);
    if (u->columns < p->columns || u->rows < p->rows) {
        put_span(out, "row", (u->first - p->first) / p->columns, u->rows);
        put_span(out, "column", (u->first - p->first) % p->columns, u->columns);
    }
    if (fclose(out) != 0) {
        free(text);
        return NULL;
    }
    if (size)
        *size = length;
    return text;
}

/* -- texts --------------------------------------------------------------------------------------------------------- */

char *report_unit_text(const struct report *report, size_t unit, size_t *size)
{
    const struct explanation *e = report->explanation;
    const struct unit *u = &e->units[unit];
    if (u->kind == UNIT_PATCH)
        return patch_text(e, unit, size);
    if (u->kind == UNIT_SPECIAL && u->first >= 0 && (size_t)u->first < e->token_count)
        return report_token_text(report, e->tokens[u->first].id, false, size);
    if ((size_t)u->first < e->token_count)
        return text_clean(e->prompt + u->start, u->end - u->start, false, size);
    int32_t ids[64];
    size_t count = 0;
    for (size_t t = (size_t)u->first - e->token_count; t <= (size_t)u->last - e->token_count && t < e->output_count;
         t++)
        if (count < sizeof ids / sizeof *ids)
            ids[count++] = e->output[t].id;
    return text_of_tokens(report->tokenizer, ids, count, true, size);
}

/* A unit's words in the prompt, without the white space around them; none of a unit that has no text there. */
static size_t words_of(const struct explanation *e, size_t unit, const char **words)
{
    const struct unit *u = &e->units[unit];
    if (u->kind == UNIT_PATCH || u->kind == UNIT_SPECIAL || u->kind == UNIT_TARGET)
        return 0;
    size_t start = u->start, end = u->end;
    while (start < end && strchr(" \t\r\n", e->prompt[start]))
        start++;
    while (end > start && strchr(" \t\r\n", e->prompt[end - 1]))
        end--;
    *words = e->prompt + start;
    return end - start;
}

bool report_same_words(const struct explanation *e, size_t unit, size_t other)
{
    const char *words, *others;
    size_t length = words_of(e, unit, &words);
    return length > 0 && words_of(e, other, &others) == length && memcmp(words, others, length) == 0;
}

const char *report_unit_ordinal(const struct explanation *e, size_t unit, char words[REPORT_ORDINAL])
{
    static const char *const endings[] = {"th", "st", "nd", "rd"};
    size_t number = 1, all = 0;
    if (e->units[unit].kind == UNIT_TARGET)
        return "answer's ";
    for (size_t u = 0; u < e->unit_count; u++)
        if (report_same_words(e, unit, u)) {
            number += u < unit;
            all++;
        }
    bool regular = number % 10 > 3 || number % 100 / 10 == 1;
    snprintf(words, REPORT_ORDINAL, "%zu%s ", number, endings[regular ? 0 : number % 10]);
    return all > 1 ? words : "";
}

char *report_output_text(const struct report *report, size_t *size)
{
    const struct explanation *e = report->explanation;
    int32_t *ids = malloc((e->output_count + 1) * sizeof *ids);
    if (!ids)
        return NULL;
    for (size_t t = 0; t < e->output_count; t++)
        ids[t] = e->output[t].id;
    char *text = text_of_tokens(report->tokenizer, ids, e->output_count, false, size);
    free(ids);
    return text;
}

static struct report_piece piece_of(const char *prompt, int unit, size_t start, size_t end)
{
    struct report_piece piece = {unit, start, end, start, end};
    while (piece.inner < piece.inner_end && strchr(" \t\r\n", prompt[piece.inner_end - 1]))
        piece.inner_end--;
    while (piece.inner < piece.inner_end && strchr(" \t\r\n", prompt[piece.inner]))
        piece.inner++;
    if (piece.inner == piece.inner_end) /* nothing else in it: then it is what the unit is about */
        piece.inner = start, piece.inner_end = end;
    return piece;
}

struct report_piece *report_pieces(const struct explanation *e, size_t *count)
{
    struct report_piece *pieces = malloc((2 * e->unit_count + 1) * sizeof *pieces);
    size_t n = 0, at = 0;
    if (!pieces)
        return NULL;
    for (size_t u = 0; u < e->unit_count && (size_t)e->units[u].first < e->token_count; u++) {
        const struct unit *unit = &e->units[u];
        if (unit->kind == UNIT_PATCH)
            continue;
        if (unit->kind == UNIT_SPECIAL) {
            pieces[n++] = piece_of(e->prompt, (int)u, at, at);
            continue;
        }
        size_t start = unit->start > at ? unit->start : at, end = unit->end > start ? unit->end : start;
        if (start > at)
            pieces[n++] = piece_of(e->prompt, -1, at, start);
        pieces[n++] = piece_of(e->prompt, (int)u, start, end);
        at = end;
    }
    if (at < e->prompt_length)
        pieces[n++] = piece_of(e->prompt, -1, at, e->prompt_length);
    *count = n;
    return pieces;
}

struct ranked {
    int unit;
    bool counts;
    double strength;
};

static int strongest_first(const void *a, const void *b)
{
    const struct ranked *x = a, *y = b;
    if (x->counts != y->counts)
        return x->counts ? -1 : 1;
    return x->strength != y->strength ? (x->strength < y->strength ? 1 : -1) : x->unit - y->unit;
}

int *report_ranking(const struct explanation *e, int token, size_t *count)
{
    struct ranked *ranked = malloc((e->unit_count + 1) * sizeof *ranked);
    int *units = malloc((e->unit_count + 1) * sizeof *units);
    size_t n = 0;
    for (size_t u = 0; ranked && u < e->unit_count; u++) {
        double strength = fabs(report_relevance(e, u, token));
        if (e->units[u].kind != UNIT_SPECIAL && strength > 0)
            ranked[n++] = (struct ranked){(int)u, unit_counts(&e->units[u]), strength};
    }
    if (ranked && units) {
        qsort(ranked, n, sizeof *ranked, strongest_first);
        for (size_t i = 0; i < n; i++)
            units[i] = ranked[i].unit;
        *count = n;
    } else {
        free(units);
        units = NULL;
    }
    free(ranked);
    return units;
}
