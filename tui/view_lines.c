/* view_lines.c: the lines at the bottom: the scale, what it says of the chosen thing (view_unit.c, view_list.c),
 * the settings, the state of the work. */
#include "tui/view.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { SCALE_WIDTH = 15 };

/* -- settings ------------------------------------------------------------------------------------------------------ */

int view_draw_key(const struct view *view, int row, int column, int end, enum action action, const char *value)
{
    size_t count;
    const struct key_binding *table = keys_table(&count);
    char name[24] = "";
    for (size_t i = 0; i < count; i++)
        if (table[i].action == action && (table[i].place == PLACE_ANY || table[i].place == view->focus))
            keys_name(table[i].keys[0], name, sizeof name);
    int width = paint_width(value, strlen(value)) + (int)strlen(name) + 1;
    if (column + width > end)
        return 0;
    column += paint_string(row, column, width, paint_plain(COLOUR_BOLD), name);
    column += paint_string(row, column, width, paint_plain(0), " ");
    paint_string(row, column, width, paint_plain(0), value);
    return width;
}

/* A setting of the row of settings, and the space behind it. */
static int draw_setting(const struct view *view, int row, int at, enum action action, const char *value)
{
    int width = view_draw_key(view, row, at, view->terminal->columns - 1, action, value);
    return width > 0 ? width + 2 : 0;
}

int view_draw_quoted(int row, int at, int columns, int most, const char *text, size_t length)
{
    int from = at;
    for (; length > 1 && *text == ' '; text++)
        length--;
    while (length > 1 && text[length - 1] == ' ')
        length--;
    at += paint_string(row, at, columns - at, paint_plain(0), "\"");
    int room = columns - at < most ? columns - at : most, width = paint_width(text, length);
    at += paint_text(row, at, width > room ? room - 2 : room, paint_plain(COLOUR_BOLD), text, length);
    at += paint_string(row, at, columns - at, paint_plain(0), width > room ? "..\"" : "\"");
    return at - from;
}

int view_draw_choice(const struct view *view, int row, int at, int columns, int most, int choice)
{
    size_t length;
    const char *text = view_token_text(view, view_choice_id(view, choice), &length);
    return view_draw_quoted(row, at, columns, most, text, length);
}

/* -- the legend ---------------------------------------------------------------------------------------------------- */

int view_draw_scale(const struct view *view, int row, int column, int end, double nats)
{
    int columns = view->terminal->columns, at = column, bar = columns >= 96 ? 21 : columns >= 60 ? 11 : 7;
    bool coloured = view->terminal->depth >= COLOUR_256 && view->terminal->scale != SCALE_GREY;
    char limit[32];
    colour_nats(nats, limit, sizeof limit);
    at += paint_string(row, at, end - at, paint_plain(0), " -");
    at += paint_string(row, at, end - at, paint_plain(0), limit + 1);
    at++;
    for (int i = 0; i < bar; i++) {
        double position = 2.0 * i / (bar - 1) - 1;
        const char *sign = position < 0 ? "-" : position > 0 ? "+" : "0";
        at += paint_string(row, at, end - at, paint_relevance(position), coloured && i != bar / 2 ? " " : sign);
    }
    at++;
    at += paint_string(row, at, end - at, paint_plain(0), limit);
    return at - column;
}

static void draw_legend(struct view *view, int row)
{
    int columns = view->terminal->columns, at = 1;
    char times[64];
    double nats = view->map.limit;
    if (!(nats > 0)) {
        bool comes = view->pending || view->explanation->busy;
        paint_string(row, 1, columns - 2, paint_plain(COLOUR_DIM),
                     comes ? "The colours come with the first values." : "Colours show what an answer rests on.");
        return;
    }
    colour_times(nats, times, sizeof times);
    bool narrow = columns < 60;
    int against = view_against(view);
    if (view->paths != MAP_ALL_PATHS) {
        at += paint_string(row, at, columns - at, paint_plain(COLOUR_BOLD), view_paths_name(view));
        at += paint_string(row, at, columns - at, paint_plain(0), columns < 80 ? " " : " paths: ");
    }
    if (against >= 0) {
        at += paint_string(row, at, columns - at, paint_plain(0), narrow ? "" : "for ");
        at += view_draw_choice(view, row, at, columns, narrow ? 6 : 14, against);
    } else {
        at += paint_string(row, at, columns - at, paint_plain(0), narrow ? "against" : "contradicts");
    }
    at += view_draw_scale(view, row, at, columns, nats);
    if (against >= 0) {
        at += paint_string(row, at, columns - at, paint_plain(0), narrow ? " " : " nats for ");
        at += view_draw_choice(view, row, at, columns, narrow ? 6 : 14, view->choice);
    } else {
        at += paint_string(row, at, columns - at, paint_plain(0), narrow ? " for" : " nats supports");
    }
    if (against < 0 && columns - at > 26 + (view->focus == PLACE_OUTPUT ? SCALE_WIDTH : 0)) {
        at += paint_string(row, at, columns - at, paint_plain(0), " (");
        at += paint_string(row, at, columns - at, paint_plain(0), times);
        at += paint_string(row, at, columns - at, paint_plain(0), ")");
    }
    if (view->focus == PLACE_OUTPUT && columns - at > SCALE_WIDTH)
        draw_setting(view, row, columns - SCALE_WIDTH, ACTION_SCALE,
                     view->shared_scale ? "shared scale" : "token scale");
}

/* -- settings ------------------------------------------------------------------------------------------------------ */

static const char *suppression_name(enum suppression suppression)
{
    static const char *const names[] = {"row-min", "row-min-causal", "product", "log-additive"};
    return names[suppression];
}

static void draw_settings(struct view *view, int row)
{
    const struct request *settings = view->settings;
    char text[64];
    int at = 1;
    at += draw_setting(view, row, at, ACTION_UNITS, settings->units);
    if (view->image_count > 0)
        at += draw_setting(view, row, at, ACTION_IMAGE_UNITS, settings->image_units ? settings->image_units : "auto");
    snprintf(text, sizeof text, "factor %g", (double)settings->method.factor);
    at += draw_setting(view, row, at, ACTION_FACTOR, text);
    at += draw_setting(view, row, at, ACTION_SUPPRESSION, suppression_name(settings->method.suppression));
    if (isnan(settings->method.similarity))
        snprintf(text, sizeof text, view->image_count > 0 ? "word similarity off" : "similarity off");
    else
        snprintf(text, sizeof text, "similarity %g", (double)settings->method.similarity);
    at += draw_setting(view, row, at, ACTION_SIMILARITY, text);
    snprintf(text, sizeof text, "%d token%s", settings->generate, settings->generate == 1 ? "" : "s");
    draw_setting(view, row, at, ACTION_TOKENS_MORE, text);
}

/* -- the work ------------------------------------------------------------------------------------------------------ */

/* An error, whose end says what to do, takes two rows where one is too short; other messages hide nothing. */
static void draw_message(const struct view *view, int row, int columns)
{
    struct style style = view->message_bad ? paint_error() : paint_plain(COLOUR_BOLD);
    const char *text = view->message, *rest = text;
    bool cut = view->message_bad && paint_width(text, strlen(text)) > columns;
    for (const char *c = text; cut && (c = strchr(c, ' ')); c++)
        if (paint_width(text, (size_t)(c - text)) <= columns)
            rest = c + 1;
    if (rest > text) {
        paint_blank(row - 1, 0, view->terminal->columns, paint_plain(0));
        paint_text(row - 1, 1, columns, style, text, (size_t)(rest - text) - 1);
    }
    paint_string(row, 1, columns, style, rest);
}

static void draw_status(struct view *view, int row)
{
    const struct explanation *e = view->explanation;
    int columns = view->terminal->columns, at = 1;
    bool busy = view->pending || view->mixing || e->busy || view_answer_busy(view);
    bool to_picture = view->focus == PLACE_OUTPUT && view_has_picture(view);
    const char *hint = view->focus == PLACE_EDITOR
                           ? busy ? "Esc stops  F1 help  ^Q quit" : "Tab: output  F1 help  ^Q quit"
                       : busy       ? "Esc stops  ? help  q quit"
                       : to_picture ? "Tab: picture  ? help  q quit"
                                    : "Tab: prompt  ? help  q quit";
    bool edits = view->focus == PLACE_EDITOR,
         compares = !busy && view->compare.kept && view->compare.mode == COMPARE_OFF;
    if (edits && !busy && view->sampled && !view_is_stale(view) && view_unit(view) < 0)
        hint = "^U clears the prompt  Tab: output  F1 help";
    else if (compares && view->focus != PLACE_PICTURE)
        hint = edits ? "Alt-w: what changed  Tab: output  F1 help" : "w: what changed  Tab: prompt  ? help";
    else if (edits && !busy && view_unit(view) >= 0)
        hint = "Alt-Up, Alt-Down: mix  Tab: output  F1 help";
    char text[VIEW_MESSAGE];
    hint = view->replay ? view->replay : hint;
    int hint_width = (int)strlen(hint);
    if (columns < 60 && view->replay)
        hint_width = (int)strcspn(hint, " ");
    else if (columns < 60)
        hint_width = (int)strlen(hint = view->focus == PLACE_EDITOR ? "F1 help" : "? help");
    if (view->message[0]) {
        int width = paint_width(view->message, strlen(view->message));
        if (width > columns - 3 - hint_width) /* it is worth more than the hint */
            hint_width = -2;
        draw_message(view, row, columns - 2 - (hint_width > 0 ? hint_width + 1 : 0));
    } else {
        view_describe_work(view, text, sizeof text);
        for (char *comma; paint_width(text, strlen(text)) > columns - hint_width - 3 && (comma = strrchr(text, ','));)
            *comma = '\0'; /* half a number would be another one */
        at += paint_string(row, at, columns - hint_width - 3, paint_plain(0), text);
        int bar = columns - hint_width - 4 - at;
        if (e->busy && e->cost.probes_total > 0 && bar >= 4)
            paint_bar(row, at + 1, bar > 12 ? 12 : bar, paint_plain(0), (double)e->cost.probes / e->cost.probes_total);
    }
    if (hint_width > 0)
        paint_string(row, columns - 1 - hint_width, hint_width, paint_plain(COLOUR_DIM), hint);
}

void view_draw_lines(struct view *view)
{
    int row = view->lines;
    bool patch = view->focus == PLACE_PICTURE && view_patch_unit(view) >= 0;
    if (!view_draw_compare_legend(view, row))
        draw_legend(view, row);
    row++;
    if (view_draw_compare_line(view, row))
        row++;
    else if (patch ||
             (view->focus == PLACE_EDITOR && (view->special >= 0 || view->editor->cursor < view->editor->length)))
        view_draw_unit(view, row++);
    else
        view_draw_top(view, row++);
    if (view->line_count > 3 && patch)
        view_draw_words(view, row++);
    else if (view->line_count > 3)
        draw_settings(view, row++);
    draw_status(view, row);
}
