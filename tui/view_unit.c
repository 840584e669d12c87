/* view_unit.c: the unit under the cursor: which one it is, what it is called, and the line that tells of it. */
#include "tui/view.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { UNIT_MOST = 24, UNIT_LEAST = 10, CHOICE_MOST = 16 }; /* columns of their words */

/* -- names --------------------------------------------------------------------------------------------------------- */

/* "patch 7,3", "4x4 patches 2,1", "picture"; with several pictures, which one.  Columns and rows count from 1. */
static const char *patch_name(const struct view *view, const struct unit *unit, char name[VIEW_NAME], size_t *length)
{
    const struct explanation *e = view->explanation;
    int column = 0, row = 0, used = 0;
    long index = picture_place(e, unit->first, &column, &row);
    const struct picture *picture = index < 0 ? NULL : &e->pictures[index];
    bool whole = !picture || (unit->columns == picture->columns && unit->rows == picture->rows);
    if (e->picture_count > 1 || whole)
        used = snprintf(name, VIEW_NAME, e->picture_count > 1 ? "picture %ld%s" : "picture", index + 1,
                        whole ? "" : ", ");
    if (!whole && unit->columns == 1 && unit->rows == 1)
        used += snprintf(name + used, VIEW_NAME - (size_t)used, "patch %d,%d", column + 1, row + 1);
    else if (!whole)
        used += snprintf(name + used, VIEW_NAME - (size_t)used, "patches %d-%d,%d-%d", column + 1,
                         column + unit->columns, row + 1, row + unit->rows);
    *length = (size_t)used;
    return name;
}

const char *view_unit_text(const struct view *view, long unit, char name[VIEW_NAME], size_t *length)
{
    const struct explanation *e = view->explanation;
    *length = 0;
    if ((size_t)unit >= e->unit_count) /* mixed, and being measured anew */
        return "";
    const struct unit *u = &e->units[unit];
    size_t t = (size_t)u->first - e->token_count;
    if (u->kind == UNIT_PATCH)
        return patch_name(view, u, name, length);
    if (u->kind == UNIT_TARGET)
        return view_token_text(view, t < e->output_count ? e->output[t].id : -1, length);
    if (u->kind == UNIT_SPECIAL)
        return view_token_text(view, e->tokens[u->first].id, length);
    *length = u->end - u->start;
    return e->prompt + u->start;
}

const char *view_shorten(const char *text, size_t length, char name[VIEW_SHORT_BYTES])
{
    struct layout layout = {0};
    size_t end = 0;
    int columns = 0;
    for (; length > 1 && *text == ' '; text++)
        length--;
    while (length > 1 && text[length - 1] == ' ')
        length--;
    layout_text(&layout, text, length, 100000, L' ');
    for (size_t i = 0; i < layout.count; i++) {
        size_t next = i + 1 < layout.count ? layout.glyphs[i + 1].start : length;
        columns += layout.glyphs[i].width;
        if (columns <= VIEW_SHORT - 2 && next + 3 <= VIEW_SHORT_BYTES)
            end = next;
    }
    bool cut = columns > VIEW_SHORT || length + 1 > VIEW_SHORT_BYTES;
    snprintf(name, VIEW_SHORT_BYTES, "%.*s%s", (int)(cut ? end : length), text, cut ? ".." : "");
    layout_free(&layout);
    return name;
}

long view_unit(const struct view *view)
{
    size_t from = 0, cursor = view->editor->cursor, now = view->editor->length, then = view->explanation->prompt_length;
    if (view->focus == PLACE_PICTURE)
        return view_patch_unit(view);
    if (view->focus == PLACE_EDITOR && view->special >= 0)
        return view_special_unit(view);
    bool before = cursor < view->same_before, same = before || cursor >= now - view->same_behind;
    return same && then > 0 && cursor < now
               ? map_unit_at(view->explanation, before ? cursor : cursor + then - now, &from)
               : -1;
}

static double steer_of(const struct view *view, long unit)
{
    for (size_t i = 0; i < view->steer_count; i++)
        if (view->steers[i].unit == unit)
            return (double)view->steers[i].factor;
    return 1;
}

int view_draw_unit_text(const struct view *view, int row, int at, int columns, int most, long unit)
{
    char name[VIEW_NAME];
    size_t length;
    const char *text = view_unit_text(view, unit, name, &length);
    if ((size_t)unit >= view->explanation->unit_count || view->explanation->units[unit].kind != UNIT_PATCH)
        return view_draw_quoted(row, at, columns, most, text, length);
    return paint_text(row, at, columns - at, paint_plain(COLOUR_BOLD), text, length);
}

/* -- its line ------------------------------------------------------------------------------------------------------ */

const char *view_unknown(const struct view *view)
{
    return view->paths == MAP_ALL_PATHS || view->explanation->busy ? ": not measured yet"
                                                                   : ": measured on all paths only";
}

bool view_is_noise(const struct view *view, double value)
{
    return fabs(value) <= view->explanation->noise_floor;
}

static int quoted_width(const char *text, size_t length, int most)
{
    for (; length > 1 && *text == ' '; text++)
        length--;
    while (length > 1 && text[length - 1] == ' ')
        length--;
    int width = paint_width(text, length);
    return (width < most ? width : most) + 2;
}

static int choice_width(const struct view *view, int choice)
{
    size_t length;
    const char *text = view_token_text(view, view_choice_id(view, choice), &length);
    return quoted_width(text, length, CHOICE_MOST);
}

/* What a value means: `: without it "blue" is 3.4 times less likely`, or in a contrast "blue" over "red"; without names
 * `: 3.4 times less likely without it`; or nothing. */
enum meaning { MEANING_NONE, MEANING_SHORT, MEANING_NAMES };

static int meaning_width(const struct view *view, const char *times, enum meaning meaning)
{
    int against = view_against(view);
    if (meaning != MEANING_NAMES)
        return meaning == MEANING_NONE ? 0 : (int)(strlen(":  without it") + strlen(times));
    return (int)(strlen(": without it  is ") + strlen(times)) + choice_width(view, view->choice) +
           (against >= 0 ? (int)strlen(" over ") + choice_width(view, against) : 0);
}

static void draw_meaning(const struct view *view, int row, int at, const char *times, enum meaning meaning)
{
    int columns = view->terminal->columns - 1, against = view_against(view);
    struct style plain = paint_plain(0);
    if (meaning == MEANING_NONE)
        return;
    at += paint_string(row, at, columns - at, plain, meaning == MEANING_NAMES ? ": without it " : ": ");
    if (meaning == MEANING_NAMES)
        at += view_draw_choice(view, row, at, columns, CHOICE_MOST, view->choice);
    if (meaning == MEANING_NAMES && against >= 0) {
        at += paint_string(row, at, columns - at, plain, " over ");
        at += view_draw_choice(view, row, at, columns, CHOICE_MOST, against);
    }
    at += paint_string(row, at, columns - at, plain, meaning == MEANING_NAMES ? " is " : "");
    at += paint_string(row, at, columns - at, plain, times);
    paint_string(row, at, columns - at, plain, meaning == MEANING_SHORT ? " without it" : "");
}

/* ", rank 2 of 25", or why it has none. */
static void describe_rank(const struct view *view, long unit, char *text, size_t size)
{
    const struct explanation *e = view->explanation;
    size_t rank = map_rank(&view->map, unit);
    int used = rank > 0 ? snprintf(text, size, ", rank %zu", rank)
                        : snprintf(text, size,
                                   e->units[unit].kind == UNIT_SPECIAL ? ", a special" : ", the first word");
    if (rank > 0 && (view->terminal->columns >= 85 || view->focus != PLACE_PICTURE))
        used += snprintf(text + used, size - (size_t)used, " of %zu", view->map.measured);
    if (rank > 0 && !map_sets_scale(e, (size_t)unit))
        snprintf(text + used, size - (size_t)used, ", has the first token");
}

/* Its value: " x0.5 about +2.000 nats direct". */
static void describe_value(const struct view *view, long unit, double value, char *text, size_t size)
{
    char nats[32];
    double factor = steer_of(view, unit);
    int used = factor != 1 ? snprintf(text, size, " x%g", factor) : 0;
    if (isnan(value)) {
        snprintf(text + used, size - (size_t)used, "%s", view_unknown(view));
        return;
    }
    colour_nats(value, nats, sizeof nats);
    used += snprintf(text + used, size - (size_t)used, " %s%s nats%s%s",
                     map_estimated(&view->map, unit) ? "about " : "", nats, view->paths == MAP_ALL_PATHS ? "" : " ",
                     view_paths_name(view));
    if (view_is_noise(view, value))
        snprintf(text + used, size - (size_t)used, ": within the noise");
}

/* What there is no room for is left out whole: the rank, the end of the unit's words, names, what the value means. */
void view_draw_unit(struct view *view, int row)
{
    char name[VIEW_NAME], times[64], worth[96], rank[96];
    int columns = view->terminal->columns - 1, at = 1;
    long unit = view_unit(view);
    size_t length;
    if (unit < 0)
        return;
    double value = map_value(&view->map, unit);
    const char *words = view_unit_text(view, unit, name, &length);
    int width = quoted_width(words, length, UNIT_MOST), least = quoted_width(words, length, UNIT_LEAST);
    describe_value(view, unit, value, worth, sizeof worth);
    bool means = !isnan(value) && !view_is_noise(view, value);
    colour_times(means ? value : 0, times, sizeof times);
    int room = columns - at - (int)strlen(worth);
    enum meaning meaning = means ? MEANING_NAMES : MEANING_NONE;
    while (meaning != MEANING_NONE && room < least + meaning_width(view, times, meaning))
        meaning--;
    room -= meaning_width(view, times, meaning);
    at += view_draw_unit_text(view, row, at, columns, room < least ? UNIT_LEAST : room < width ? room - 2 : UNIT_MOST,
                              unit);
    at += paint_string(row, at, columns - at, paint_plain(0), worth);
    if (!means)
        return;
    describe_rank(view, unit, rank, sizeof rank);
    if (room - width >= (int)strlen(rank))
        at += paint_string(row, at, columns - at, paint_plain(0), rank);
    draw_meaning(view, row, at, times, meaning);
}
