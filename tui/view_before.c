/* view_before.c: the kept explanation's prompt and output, and what the lines at the bottom say of the difference. */
#include "tui/view.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* -- titles -------------------------------------------------------------------------------------------------------- */

/* In what the kept explanation was asked otherwise: its model, and those of its settings that are others. */
static void describe_about(const struct view *view, char *text, size_t size)
{
    const struct about *before = &view->compare.kept->about, *now = view->compare.about;
    size_t used = 0;
    text[0] = '\0';
    if (strcmp(before->model, now->model) != 0)
        used = (size_t)snprintf(text, size, "%s", before->model);
    for (size_t i = 0; i < ABOUT_SETTINGS && used < size; i++)
        if (strcmp(before->settings[i], now->settings[i]) != 0)
            used += (size_t)snprintf(text + used, size - used, "%s%s", used ? ", " : "", before->settings[i]);
}

/* The kept one has the left half, not the lower one. */
static bool is_left(const struct view *view, struct area area)
{
    return area.column < view->prompt.column && area.column < view->output.column;
}

static void draw_title(const struct view *view, struct area area, const char *what)
{
    int row = area.row - 1, at = area.column + 1, end = area.column + area.columns;
    bool beside_candidates = end + 1 < view->columns && !is_left(view, area); /* whose line goes on */
    char about[sizeof(struct about) + 2 * ABOUT_SETTINGS];
    describe_about(view, about, sizeof about);
    paint_rule(row, area.column - 1, area.columns + (beside_candidates ? 1 : 2), paint_plain(COLOUR_DIM));
    at += paint_string(row, at, end - at, paint_plain(COLOUR_BOLD),
                       view->compare.pin == PIN_KEPT ? " Pinned " : " Before ");
    if (what[0] && end - at > 1) {
        at += paint_string(row, at, end - at, paint_plain(0), " ");
        at += paint_string(row, at, end - at, paint_plain(0), what);
        at += paint_string(row, at, end - at, paint_plain(0), " ");
    }
    if (about[0] && end - at > 8) {
        at += paint_string(row, at, end - at, paint_plain(0), " ");
        at += paint_string(row, at, end - 1 - at, paint_plain(0), about);
        paint_string(row, at, end - at, paint_plain(0), " ");
    }
}

/* The line between two halves beside each other. */
static void draw_border(const struct view *view, struct area before)
{
    int column = before.column + before.columns + 1;
    if (!is_left(view, before))
        return;
    paint_string(before.row - 1, column, 1, paint_plain(COLOUR_DIM), view->terminal->ascii ? "+" : "┬");
    paint_vertical(before.row, column, before.rows, paint_plain(COLOUR_DIM));
}

/* -- the prompt ---------------------------------------------------------------------------------------------------- */

static void draw_prompt(struct view *view)
{
    struct view_compare *compare = &view->compare;
    const struct explanation *e = compare->kept->explanation;
    const struct layout *layout = &compare->layout;
    long unit_now = view->focus == PLACE_EDITOR ? view_unit(view) : -1,
         marked = difference_unit_before(&compare->difference, unit_now);
    size_t from = 0;
    int row, column;
    layout_place(layout, marked < 0 ? 0 : e->units[marked].start, &row, &column);
    int top = view->prompt_first;
    compare->prompt_first = view_scroll(top, marked < 0 ? top : row, compare->prompt.rows, layout->rows);
    for (size_t i = 0; i < layout->count; i++) {
        const struct glyph *glyph = &layout->glyphs[i];
        if (glyph->row < compare->prompt_first)
            continue;
        if (glyph->row >= compare->prompt_first + compare->prompt.rows)
            break;
        long unit = map_unit_at(e, glyph->start, &from);
        if (map_is_margin(e, unit, glyph->start))
            unit = -1;
        struct style style = paint_relevance(map_position(&compare->before, unit));
        if (difference_is_gone(&compare->difference, glyph->start))
            style.attributes |= COLOUR_UNDERLINE;
        if (unit >= 0 && unit == marked)
            style = paint_plain(COLOUR_REVERSE | COLOUR_BOLD);
        paint_glyph(compare->prompt, compare->prompt_first, glyph, style);
    }
    char what[64];
    snprintf(what, sizeof what, "%zu token%s", e->token_count, e->token_count == 1 ? "" : "s");
    draw_title(view, compare->prompt, what);
    draw_border(view, compare->prompt);
}

/* Whether nothing of the kept prompt's unit is in the prompt any more. */
static bool is_gone(const struct view *view, long unit)
{
    const struct explanation *e = view->compare.kept->explanation;
    for (size_t i = e->units[unit].start; i < e->units[unit].end; i++)
        if (e->prompt[i] > ' ' && !difference_is_gone(&view->compare.difference, i))
            return false;
    return true;
}

/* What is no more in the prompt: whole units with what they weighed, and parts of others. */
static void draw_removed(const struct view *view)
{
    const struct view_compare *compare = &view->compare;
    const struct explanation *e = compare->kept->explanation;
    int row = compare->removed, at = view->prompt.column, columns = at + view->prompt.columns;
    size_t from = 0;
    at += paint_string(row, at, columns - at, paint_plain(COLOUR_DIM), "removed:");
    for (size_t i = 0; i < e->prompt_length && columns - at > 4;) {
        size_t start = i;
        if (!difference_is_gone(&compare->difference, i++))
            continue;
        long unit = map_unit_at(e, start, &from);
        bool whole = unit >= 0 && is_gone(view, unit);
        double value = whole ? map_value(&compare->before, unit) : NAN;
        char nats[32] = "";
        while (i < e->prompt_length && (whole ? i < e->units[unit].end : difference_is_gone(&compare->difference, i)))
            i++;
        at += 1 + view_draw_quoted(row, at + 1, columns, 16, e->prompt + start, i - start);
        if (!isnan(value))
            colour_nats(value, nats, sizeof nats);
        at += 1 + paint_string(row, at + 1, columns - at - 1, paint_plain(COLOUR_DIM), nats);
    }
}

/* -- the output ---------------------------------------------------------------------------------------------------- */

/* The kept output's token is not in the present output. */
static bool is_replaced(const struct view *view, size_t token)
{
    long after = difference_token_after(&view->compare.difference, token);
    return after < 0 || view_token_changed(view, (size_t)after);
}

static void draw_output(struct view *view)
{
    struct view_compare *compare = &view->compare;
    const struct explanation *e = compare->kept->explanation;
    const struct words *said = &compare->said;
    bool any = compare->token >= 0 && (size_t)compare->token < said->count;
    size_t chosen = any ? (size_t)compare->token : 0, start = any && chosen > 0 ? said->ends[chosen - 1] : 0;
    int row, column;
    layout_place(&said->layout, start, &row, &column);
    int top = view->output_first;
    compare->output_first = view_scroll(top, any ? row : top, compare->output.rows, said->layout.rows);
    for (size_t i = 0, t = 0; i < said->layout.count; i++) {
        const struct glyph *glyph = &said->layout.glyphs[i];
        while (t + 1 < said->count && said->ends[t] <= glyph->start)
            t++;
        struct style style = paint_plain(0);
        if (compare->mode == COMPARE_BESIDE && any && t < chosen)
            style = paint_relevance(map_position(&compare->before, map_unit_of_output(e, t)));
        if (is_replaced(view, t))
            style.attributes |= COLOUR_UNDERLINE;
        if (any && glyph->start < said->ends[chosen] && start < glyph->end)
            style = paint_plain(COLOUR_REVERSE);
        paint_glyph(compare->output, compare->output_first, glyph, style);
    }
    char what[64] = "";
    if (any)
        snprintf(what, sizeof what, "%zu of %zu", chosen + 1, said->count);
    draw_title(view, compare->output, what);
    draw_border(view, compare->output);
}

void view_draw_compare(struct view *view)
{
    if (view->compare.prompt.rows > 0)
        draw_prompt(view);
    if (view->compare.output.rows > 0)
        draw_output(view);
    if (view->compare.removed > 0)
        draw_removed(view);
}

/* -- the lines at the bottom --------------------------------------------------------------------------------------- */

/* Some unit has a weight in both. */
static bool has_common(const struct view *view)
{
    const struct view_compare *compare = &view->compare;
    for (size_t u = 0; u < compare->difference.units; u++)
        if (!isnan(difference_value(&compare->difference, &compare->before, &view->map, (long)u)))
            return true;
    return false;
}

bool view_draw_compare_legend(struct view *view, int row)
{
    int columns = view->terminal->columns, at = 1;
    bool narrow = columns < 60, waits = view->pending || view->explanation->busy;
    if (view_compare_mode(view) != COMPARE_DIFFERENCE)
        return false;
    if (!(view->compare.limit > 0)) {
        paint_string(row, 1, columns - 2, paint_plain(COLOUR_DIM),
                     !view->compare.known ? "There is nothing to compare this choice with."
                     : waits              ? "The difference comes with the first values."
                     : !has_common(view)  ? "No measured unit was there before."
                     : narrow             ? "No unit weighs more or less."
                                          : "No unit weighs more or less than before.");
        return true;
    }
    at += paint_string(row, at, columns - at, paint_plain(0), narrow ? "less" : "less than before");
    at += view_draw_scale(view, row, at, columns, view->compare.limit);
    paint_string(row, at, columns - at, paint_plain(0), narrow ? " more" : " nats more than before");
    return true;
}

/* , before for "red": where what was said there is something else. */
static int draw_other_target(const struct view *view, int row, int at, int columns, const char *words)
{
    int from = at;
    size_t length;
    if (view->choice != 0 || view_against(view) >= 0 || !view_token_changed(view, view->token))
        return 0;
    const char *text = words_text(&view->compare.said, (size_t)view->compare.token, &length);
    at += paint_string(row, at, columns - at, paint_plain(0), words);
    return at - from + view_draw_quoted(row, at, columns, 14, text, length);
}

/* What the choice is contrasted with. */
static int draw_against(const struct view *view, int row, int at, int columns, const char *words)
{
    int from = at, against = view_against(view);
    if (against < 0)
        return 0;
    at += paint_string(row, at, columns - at, paint_plain(0), words);
    return at - from + view_draw_choice(view, row, at, columns, 14, against);
}

/* Something in the unit was not there before. */
static bool has_fresh(const struct view *view, long unit)
{
    const struct unit *u = &view->explanation->units[unit];
    for (size_t i = u->start; i < u->end; i++)
        if (view_is_fresh(view, i))
            return true;
    return false;
}

/* The unit under the cursor: what it weighed, and what it weighs. */
static void draw_unit(const struct view *view, int row, long unit)
{
    const struct view_compare *compare = &view->compare;
    int columns = view->terminal->columns - 1, at = 1;
    char was[32], is[32], by[32], text[120];
    double now = map_value(&view->map, unit),
           before = map_value(&compare->before, difference_unit_before(&compare->difference, unit));
    bool alone = difference_unit_before(&compare->difference, unit) < 0, fresh = alone && has_fresh(view, unit);
    at += view_draw_unit_text(view, row, at, columns, 24, unit);
    if (isnan(now)) {
        paint_string(row, at, columns - at, paint_plain(0), ": not measured yet");
        return;
    }
    colour_nats(now, is, sizeof is);
    colour_nats(before, was, sizeof was);
    colour_nats(now - before, by, sizeof by);
    const char *about = map_estimated(&view->map, unit) ? "about " : "";
    if (isnan(before))
        snprintf(text, sizeof text, "%s %s%s nats for ", fresh ? " is new:" : "", about, is);
    else
        snprintf(text, sizeof text, columns < 60 ? " %s %s %s%s for " : " %s %s %s%s nats (%s) for ", was,
                 view->terminal->ascii ? "->" : "→", about, is, by);
    at += paint_string(row, at, columns - at, paint_plain(0), text);
    at += view_draw_choice(view, row, at, columns, 14, view->choice);
    at += draw_against(view, row, at, columns, " over ");
    if (!isnan(before))
        draw_other_target(view, row, at, columns, ", before for ");
    else if (!fresh)
        paint_string(row, at, columns - at, paint_plain(0),
                     alone ? ", in other units before" : ", which is not known of before");
}

/* Units that changed most, as far as there is room. */
static void draw_changes(const struct view *view, int row, int at)
{
    const struct view_compare *compare = &view->compare;
    long units[VIEW_LIST];
    double values[VIEW_LIST];
    size_t count = difference_top(&compare->difference, &compare->before, &view->map, units, VIEW_LIST);
    for (size_t i = 0; i < count; i++)
        values[i] = difference_value(&compare->difference, &compare->before, &view->map, units[i]);
    view_draw_list(view, row, at, units, values, count);
}

/* The chosen token or candidate: how likely it was and is, and what changed most for it. */
static void draw_choice(const struct view *view, int row)
{
    const struct view_compare *compare = &view->compare;
    int columns = view->terminal->columns - 1, at = 1, choice = compare->before.question.choice;
    char text[64];
    if (view->token >= view->explanation->output_count)
        return;
    at += view_draw_choice(view, row, at, columns, 16, view->choice);
    int contrast = draw_against(view, row, at, columns, " rather than ");
    at += contrast;
    if (compare->token < 0 || !compare->known) {
        paint_string(row, at, columns - at, paint_plain(0),
                     compare->token < 0 ? " has no counterpart in the output before"
                                        : " was not among the candidates before");
        return;
    }
    const struct output_token *token = &compare->kept->explanation->output[compare->token];
    double now = 100 * exp(view_choice_logprob(view, view->choice)),
           before = 100 * exp(choice == 0 ? token->logprob : token->candidates[choice - 1].logprob);
    int other = draw_other_target(view, row, at, columns, ", before ");
    at += other;
    snprintf(text, sizeof text, " %.1f %s %.1f %%", before, view->terminal->ascii ? "->" : "→", now);
    at += paint_string(row, at, columns - at, paint_plain(0), other || contrast || isnan(now) ? "" : text);
    long most;
    if (difference_top(&compare->difference, &compare->before, &view->map, &most, 1) == 0)
        return;
    at += paint_string(row, at, columns - at, paint_plain(0), columns < 60 ? ":" : ": most changed");
    draw_changes(view, row, at);
}

bool view_draw_compare_line(struct view *view, int row)
{
    long unit = view_unit(view);
    bool patch = view->focus == PLACE_PICTURE && unit >= 0, special = view->focus == PLACE_EDITOR && view->special >= 0;
    if (view_compare_mode(view) == COMPARE_OFF || special)
        return false;
    if (!patch && (view->focus != PLACE_EDITOR || view->editor->cursor >= view->editor->length))
        draw_choice(view, row);
    else if (unit >= 0)
        draw_unit(view, row, unit);
    return true;
}
