/* view_answer.c: the answers to inquiries, in the place of the candidates: the proof's curves and flip set, or how
 * units act together.  Where the candidates have too little room, an answer takes the whole of the lower pane. */
#include "tui/view.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tui/answers.h"
#include "tui/chart.h"

enum { AXIS = 7, CHART_LEAST_ROWS = 3, CHART_LEAST_COLUMNS = 16, FLIP_ROWS = 4, FULL_ROOM = 66 };

static const struct answer *answer_of(const struct view *view)
{
    return view->side == SIDE_PROOF ? &view->explanation->proof.answer : &view->explanation->pairs.answer;
}

bool view_answer_flips(const struct view *view, long unit)
{
    const struct proof *p = &view->explanation->proof;
    for (int i = 0; view->side == SIDE_PROOF && p->flip.state == FLIP_FOUND && i < p->flip.count; i++)
        if (p->flip.unit[i] == unit)
            return true;
    return false;
}

const struct answer *view_answer_busy(const struct view *view)
{
    const struct explanation *e = view->explanation;
    return e->proof.answer.state == ANSWER_BUSY   ? &e->proof.answer
           : e->pairs.answer.state == ANSWER_BUSY ? &e->pairs.answer
                                                  : NULL;
}

/* -- words --------------------------------------------------------------------------------------------------------- */

/* A text in rows of an area from `row` on; NULL draws nothing.  Returns the rows it takes; draw false: only that. */
static int put_words(struct area area, int row, int rows, struct style style, const char *text, bool draw)
{
    struct layout layout = {0};
    int used = 0;
    if (!text || !*text || rows <= 0 || !layout_text(&layout, text, strlen(text), area.columns + 1, L' '))
        return 0;
    used = layout.rows < rows ? layout.rows : rows;
    for (size_t i = 0; draw && i < layout.count && layout.glyphs[i].row < used; i++)
        paint_glyph((struct area){area.row + row, area.column, used, area.columns}, 0, &layout.glyphs[i], style);
    layout_free(&layout);
    return used;
}

/* A probability in at most 6 columns. */
static void put_percent(double logprob, char *text, size_t size)
{
    double percent = 100 * exp(logprob);
    snprintf(text, size,
             percent >= 9.95     ? "%.0f%%"
             : percent >= 0.995  ? "%.1f%%"
             : percent >= 0.0005 ? "%.3f%%"
                                 : "<.001%%",
             percent);
}

/* How far it is, or what there is instead of an answer.  false: there is an answer. */
static bool draw_state(const struct view *view, struct area area, int row, bool empty)
{
    const struct answer *a = answer_of(view);
    char text[80];
    if (a->state == ANSWER_FAILED)
        return put_words(area, row, area.rows - row, paint_plain(0), a->error.message, true) > 0;
    if (a->state == ANSWER_NONE || (a->state == ANSWER_STOPPED && empty))
        return put_words(area, row, area.rows - row, paint_plain(COLOUR_DIM),
                         a->state == ANSWER_NONE ? "Nothing was asked yet." : "Stopped.", true) > 0;
    if (a->state != ANSWER_BUSY)
        return false;
    if (a->steps_total == 0 && view->explanation->busy)
        snprintf(text, sizeof text, "after the measurement");
    else
        snprintf(text, sizeof text, "step %d of %d ", a->steps + 1,
                 a->steps_total > a->steps ? a->steps_total : a->steps + 1);
    int used = paint_string(area.row + row, area.column, area.columns, paint_plain(0), text);
    if (a->steps_total > 0 && area.columns - used > 4)
        paint_bar(area.row + row, area.column + used, area.columns - used, paint_plain(0),
                  (double)a->steps / a->steps_total);
    return true;
}

/* -- the proof ----------------------------------------------------------------------------------------------------- */

/* Points of both curves with nothing deleted in front. */
struct curves {
    double deleted[PROOF_POINTS + 1], ranked[PROOF_POINTS + 1], random[PROOF_POINTS + 1];
    int count;
    double top, bottom;
};

static struct curves read_curves(const struct proof *p)
{
    struct curves c = {.ranked = {p->logprob}, .random = {p->logprob}, .count = p->point_count + 1};
    c.top = c.bottom = p->logprob;
    for (int i = 1; i < c.count; i++) {
        c.deleted[i] = p->point[i - 1].deleted;
        c.ranked[i] = p->point[i - 1].ranked;
        c.random[i] = p->point[i - 1].random;
        c.top = fmax(c.top, fmax(c.ranked[i], c.random[i])); /* a NAN is left out */
        c.bottom = fmin(c.bottom, fmin(c.ranked[i], c.random[i]));
    }
    if (c.top - c.bottom < 0.1)
        c.bottom = c.top - 0.1;
    return c;
}

static void draw_axes(struct area area, const struct curves *c)
{
    char text[24];
    int bottom = area.row + area.rows - 1, left = area.column + AXIS, right = area.column + area.columns;
    put_percent(c->top, text, sizeof text);
    paint_string(area.row, area.column, AXIS - 1, paint_plain(COLOUR_DIM), text);
    put_percent(c->bottom, text, sizeof text);
    paint_string(bottom - 1, area.column, AXIS - 1, paint_plain(COLOUR_DIM), text);
    paint_string(bottom, left, 1, paint_plain(COLOUR_DIM), "0");
    snprintf(text, sizeof text, "%.0f", c->deleted[c->count - 1]);
    paint_string(bottom, right - (int)strlen(text), (int)strlen(text), paint_plain(COLOUR_DIM), text);
    int room = right - left - 4 - (int)strlen(text);
    const char *words = room >= 13 ? "units deleted" : room >= 7 ? "deleted" : "";
    paint_string(bottom, left + 2 + (room - (int)strlen(words)) / 2, room, paint_plain(COLOUR_DIM), words);
}

/* The colour of a relevance as ink; plain where there are none. */
static struct style ink_of(double position)
{
    struct style style = paint_relevance(position);
    int ink = style.cell.background;
    style = paint_plain(0);
    style.cell.ink = ink;
    return style;
}

/* The curves over the number of units deleted, on a scale of nats: the number that is told is the area between them. */
static void draw_chart(const struct view *view, struct area area)
{
    const struct proof *p = &view->explanation->proof;
    struct curves c = read_curves(p);
    struct style strong = ink_of(1), faint = ink_of(0.5);
    bool coloured = strong.cell.ink >= 0;
    strong.attributes |= COLOUR_BOLD;
    struct chart chart = {.area = {area.row, area.column + AXIS, area.rows - 1, area.columns - AXIS},
                          .ascii = view->terminal->ascii,
                          .right = c.deleted[c.count - 1],
                          .top = c.top,
                          .bottom = c.bottom,
                          .filled = coloured && view->terminal->depth >= COLOUR_256,
                          .between = faint};
    const struct chart_line lines[] = {
        {c.deleted, c.ranked, c.count, false, '*', strong},
        {c.deleted, c.random, c.count, true, '.', paint_plain(coloured ? 0 : COLOUR_DIM)},
    };
    draw_axes(area, &c);
    chart_draw(&chart, lines, p->orders > 0 ? 2 : 1);
}

/* "1: 0.012% (38%)": as many points as there is room for, in so many rows. */
static void draw_numbers(const struct view *view, struct area area, int row, int rows)
{
    const struct proof *p = &view->explanation->proof;
    int at = 0, last = row + rows;
    for (int i = 0; i < p->point_count && row < last; i++) {
        char ranked[16], random[16], text[64];
        put_percent(p->point[i].ranked, ranked, sizeof ranked);
        put_percent(p->point[i].random, random, sizeof random);
        snprintf(text, sizeof text, isnan(p->point[i].random) ? "%d: %s" : "%d: %s (%s)", p->point[i].deleted, ranked,
                 random);
        int width = (int)strlen(text);
        if (at > 0 && at + width > area.columns) {
            at = 0;
            row++;
        }
        if (row < last)
            at += 2 + paint_string(area.row + row, area.column + at, area.columns - at, paint_plain(0), text);
    }
}

/* What the curves are, where there is a row for it. */
static void draw_key(const struct view *view, struct area area, int row)
{
    bool ascii = view->terminal->ascii;
    int at = AXIS;
    at += paint_string(area.row + row, area.column + at, area.columns - at, ink_of(1), ascii ? "*** " : "━━ ");
    at += paint_string(area.row + row, area.column + at, area.columns - at, paint_plain(0), "strongest first  ");
    at += paint_string(area.row + row, area.column + at, area.columns - at, paint_plain(COLOUR_DIM),
                       ascii ? "... " : "┈┈ ");
    paint_string(area.row + row, area.column + at, area.columns - at, paint_plain(0), "at random");
}

static void draw_proof(const struct view *view, struct area area)
{
    const struct proof *p = &view->explanation->proof;
    struct report report = {.tokenizer = view->tokenizer, .explanation = view->explanation};
    char *gap = answers_area(&report), *flip = answers_flip(&report), text[96] = "";
    bool drawn = draw_state(view, area, 0, p->point_count == 0);
    if (!drawn && gap && *gap)
        snprintf(text, sizeof text, "falls %s", gap);
    if (!drawn)
        put_words(area, 0, 1, paint_plain(COLOUR_BOLD), *text ? text : "too few units to delete", true);
    int words = put_words(area, 0, area.rows > 8 ? FLIP_ROWS : area.rows > 3 ? 2 : 1, paint_plain(0), flip, false);
    int rows = area.rows - 1 - words;
    bool key = rows > 8;
    if (p->point_count > 0 && rows - 1 >= CHART_LEAST_ROWS && area.columns >= AXIS + CHART_LEAST_COLUMNS) {
        if (key)
            draw_key(view, area, 1);
        draw_chart(view, (struct area){area.row + 1 + key, area.column, rows - key, area.columns});
    } else if (p->point_count > 0)
        draw_numbers(view, area, 1, rows);
    put_words(area, area.rows - words, words, paint_plain(p->flip.state == FLIP_FOUND ? COLOUR_BOLD : 0), flip, true);
    free(gap);
    free(flip);
}

/* -- pairs --------------------------------------------------------------------------------------------------------- */

static const char *short_bond(enum pair_bond bond)
{
    static const char *const names[] = {[PAIR_INDEPENDENT] = "independent",
                                        [PAIR_BACKING] = "needs both",
                                        [PAIR_STANDING_IN] = "one will do",
                                        [PAIR_OPPOSED] = "opposed"};
    return names[bond];
}

/* `"hat", "Tom"`; where that is too wide, the longer is cut. */
static void draw_names(const struct view *view, int row, int column, int columns, unsigned attributes, const int *unit)
{
    struct report report = {.tokenizer = view->tokenizer, .explanation = view->explanation};
    char *name[2] = {answers_units(&report, &unit[0], 1), answers_units(&report, &unit[1], 1)};
    int wide[2], half = (columns - 2) / 2;
    for (int i = 0; i < 2; i++)
        wide[i] = name[i] ? paint_width(name[i], strlen(name[i])) : 0;
    for (int i = 0; i < 2; i++)
        if (wide[0] + wide[1] > columns - 2 && wide[i] > half)
            wide[i] = wide[1 - i] < half ? columns - 2 - wide[1 - i] : half;
    for (int i = 0; i < 2; i++) {
        column += paint_string(row, column, wide[i], paint_plain(attributes), name[i] ? name[i] : "");
        column += paint_string(row, column, i == 0 ? 2 : 0, paint_plain(attributes), ", ");
        free(name[i]);
    }
}

/* `"hat", "Tom"  -2.13 needs both`, or with more room what each does and words for it. */
static void draw_pair(const struct view *view, struct area area, int row, const struct pair *pair)
{
    enum pair_bond bond = pair_bond(&view->explanation->pairs, pair);
    char numbers[96];
    bool full = area.columns >= FULL_ROOM;
    int said = full ? 24 : 12, wide = full ? 26 : 6, room = area.columns - said - wide;
    unsigned attributes = bond == PAIR_INDEPENDENT ? COLOUR_DIM : 0;
    if (full)
        snprintf(numbers, sizeof numbers, "%+6.2f%+6.2f %+6.2f%+7.2f", pair->alone[0], pair->alone[1], pair->both,
                 pair_interaction(pair));
    else
        snprintf(numbers, sizeof numbers, "%+6.*f", fabs(pair_interaction(pair)) < 99.995 ? 2 : 1,
                 pair_interaction(pair));
    row += area.row;
    draw_names(view, row, area.column, room - 1, attributes, pair->unit);
    paint_string(row, area.column + room, wide, paint_plain(attributes | (bond == PAIR_INDEPENDENT ? 0 : COLOUR_BOLD)),
                 numbers);
    paint_string(row, area.column + room + wide + 1, said - 1, paint_plain(attributes),
                 full ? answers_bond(bond) : short_bond(bond));
}

/* Two units that were named: what each does, what both do, and what that means. */
static void draw_two(const struct view *view, struct area area)
{
    const struct pair *pair = &view->explanation->pairs.pair[0];
    struct report report = {.tokenizer = view->tokenizer, .explanation = view->explanation};
    char *names[2] = {answers_units(&report, &pair->unit[0], 1), answers_units(&report, &pair->unit[1], 1)}, text[96];
    const char *const labels[] = {names[0] ? names[0] : "", names[1] ? names[1] : "", "each alone, in sum",
                                  "both together"};
    const double values[] = {pair->alone[0], pair->alone[1], pair->alone[0] + pair->alone[1], pair->both};
    for (int i = 0; i < 4; i++) {
        snprintf(text, sizeof text, "%+.3f nats", values[i]);
        int width = (int)strlen(text), left = (area.columns < 44 ? area.columns : 44) - width;
        paint_string(area.row + i, area.column, left - 1, paint_plain(i == 3 ? COLOUR_BOLD : 0), labels[i]);
        paint_string(area.row + i, area.column + left, width, paint_plain(i == 3 ? COLOUR_BOLD : 0), text);
    }
    snprintf(text, sizeof text, "They %s (%+.3f).", answers_bond(pair_bond(&view->explanation->pairs, pair)),
             pair_interaction(pair));
    put_words(area, area.rows > 5 ? 5 : 4, area.rows > 6 ? 2 : 1, paint_plain(COLOUR_BOLD), text, true);
    free(names[0]);
    free(names[1]);
}

static void draw_pairs(const struct view *view, struct area area)
{
    const struct pairs *p = &view->explanation->pairs;
    int order[PAIR_MOST], count = p->count, row = 0;
    pairs_order(p, order);
    if (draw_state(view, area, 0, count == 0))
        row = 1;
    else if (p->two && count == 1 && area.rows > 4) {
        draw_two(view, area);
        return;
    } else if (area.rows > 4) {
        bool full = area.columns >= FULL_ROOM;
        int at = full ? area.columns - 24 - 26 : 0;
        paint_string(area.row, area.column + at, area.columns - at, paint_plain(COLOUR_DIM),
                     full ? " alone alone   both  extra" : "nats beyond what each does alone");
        row = 1;
    }
    for (int i = 0; i < count && row < area.rows; i++)
        draw_pair(view, area, row++, &p->pair[order[i]]);
}

/* -- both ---------------------------------------------------------------------------------------------------------- */

void view_draw_answer_title(const struct view *view, int row, int column, int end)
{
    const struct answer *a = answer_of(view);
    bool proof = view->side == SIDE_PROOF;
    size_t length = 0;
    const char *text = a->state == ANSWER_NONE ? "" : view_token_text(view, a->id, &length);
    for (; length > 1 && *text == ' '; text++)
        length--;
    column += paint_string(row, column, end - column, paint_plain(COLOUR_BOLD), proof ? " Proof" : " Pairs");
    if (length > 0) {
        column += paint_string(row, column, end - column, paint_plain(0), " for \"");
        column +=
            paint_text(row, column, end - column < 14 ? end - column : 14, paint_plain(COLOUR_BOLD), text, length);
        column += paint_string(row, column, end - column, paint_plain(0), "\"");
    }
    column += paint_string(row, column, end - column, paint_plain(0), " ");
    view_draw_key(view, row, column, end, proof ? ACTION_PROOF : ACTION_PAIRS, "back ");
}

void view_draw_answer(const struct view *view)
{
    if (view->side == SIDE_PROOF)
        draw_proof(view, view->answer);
    else
        draw_pairs(view, view->answer);
}
