/* view_list.c: lists of units in a line, best first: what the choice rests on, and what speaks against it.
 *
 * Says nothing of units whose values mean nothing: that are 0, as they stand behind the token, or within the noise. */
#include "tui/view.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "tui/report.h"

enum { MOST = 16 }; /* columns of a unit's words */

static const char AGAINST[] = ", against";

/* "blue", or in a contrast "blue" rather than "red". */
static int draw_chosen(const struct view *view, int row, int at, int columns, const char *rather)
{
    int from = at, against = view_against(view);
    at += view_draw_choice(view, row, at, columns, MOST, view->choice);
    if (against >= 0) {
        at += paint_string(row, at, columns - at, paint_plain(0), rather);
        at += view_draw_choice(view, row, at, columns, MOST, against);
    }
    return at - from;
}

/* Its words without the spaces around them; in an own buffer, those of a patch. */
static const char *words_of(const struct view *view, long unit, char name[VIEW_NAME], size_t *length)
{
    const char *words = view_unit_text(view, unit, name, length);
    for (; *length > 1 && *words == ' '; words++)
        --*length;
    while (*length > 1 && words[*length - 1] == ' ')
        --*length;
    return words;
}

/* What is said behind the nats of a unit that, with words of its own, has the first token: models rest attention there
 * whatever it says. */
static const char *remark(const struct view *view, long unit)
{
    const struct explanation *e = view->explanation;
    return unit_counts(&e->units[unit]) && !map_sets_scale(e, (size_t)unit) ? " (first token)" : "";
}

/* Columns of a unit of a list: ` "blue" +2.000`. */
static int entry_width(const struct view *view, long unit)
{
    char name[VIEW_NAME];
    size_t length;
    const char *words = words_of(view, unit, name, &length);
    int width = paint_width(words, length);
    return (width < MOST ? width : MOST) + 10 + (int)strlen(remark(view, unit));
}

/* Whether its words, which must be cut, begin as those of another of the list. */
static bool begins_alike(const struct view *view, const long *units, size_t count, size_t at)
{
    char name[VIEW_NAME], others[VIEW_NAME];
    size_t length, other;
    const char *words = words_of(view, units[at], name, &length);
    bool alike = false;
    for (size_t i = 0; paint_width(words, length) > MOST && !alike && i < count; i++) {
        const char *theirs = words_of(view, units[i], others, &other);
        alike = i != at && other >= MOST - 2 && memcmp(words, theirs, MOST - 2) == 0;
    }
    return alike;
}

/* The end of a unit's words in quotes. */
static int draw_end(const struct view *view, int row, int at, int end, long unit)
{
    char name[VIEW_NAME];
    size_t length;
    const char *words = words_of(view, unit, name, &length), *last = words + length;
    int from = at;
    if (length > 4 * MOST) /* bytes, of which so many columns take no more */
        words = last - 4 * MOST;
    while (words < last && ((*words & 0xc0) == 0x80 || paint_width(words, (size_t)(last - words)) > MOST - 2))
        words++;
    at += paint_string(row, at, end - at, paint_plain(0), "\"..");
    at += paint_text(row, at, end - at, paint_plain(COLOUR_BOLD), words, (size_t)(last - words));
    return at + paint_string(row, at, end - at, paint_plain(0), "\"") - from;
}

/* Whether a unit of the prompt has the words of a token of the output. */
static bool is_in_prompt(const struct view *view, long unit)
{
    const struct explanation *e = view->explanation;
    char name[VIEW_NAME], others[VIEW_NAME];
    size_t length, other;
    const char *words = words_of(view, unit, name, &length);
    for (size_t u = 0; u < e->unit_count && e->units[u].kind != UNIT_TARGET; u++) {
        const char *theirs = words_of(view, (long)u, others, &other);
        if (other == length && memcmp(words, theirs, length) == 0)
            return true;
    }
    return false;
}

/* "2nd " before a unit with the words of another of the list, "answer's " before a token of the output with words of
 * the prompt; else "". */
static const char *ordinal_in(const struct view *view, const long *units, size_t count, size_t at,
                              char words[REPORT_ORDINAL])
{
    const struct explanation *e = view->explanation;
    if (e->units[units[at]].kind == UNIT_TARGET)
        return is_in_prompt(view, units[at]) ? report_unit_ordinal(e, (size_t)units[at], words) : "";
    for (size_t i = 0; i < count; i++)
        if (i != at && report_same_words(e, (size_t)units[i], (size_t)units[at]))
            return report_unit_ordinal(e, (size_t)units[at], words);
    return "";
}

/* Columns of the first units of a list, with their ordinals or without; split: the word between supporters and the
 * others takes some too. */
static int list_width(const struct view *view, const long *units, const double *values, size_t count, bool split,
                      bool ordinals)
{
    char own[REPORT_ORDINAL];
    int width = 0;
    bool between = false;
    for (size_t i = 0; i < count; i++) {
        width += entry_width(view, units[i]);
        width += ordinals ? (int)strlen(ordinal_in(view, units, count, i, own)) : 0;
        between = between || (split && values[i] < 0);
    }
    return width + (between ? (int)strlen(AGAINST) : 0);
}

/* How many units of a list there is room for. */
static size_t fit_units(const struct view *view, int room, const long *units, const double *values, size_t count,
                        bool split)
{
    for (int ordinals = 0; ordinals < 2; ordinals++) /* they take a look at all units each */
        while (count > 0 && list_width(view, units, values, count, split, ordinals) > room)
            count--;
    return count;
}

/* Unit i of a list and its nats at a column, numbered if it must be.  Returns the columns used. */
static int draw_entry(const struct view *view, int row, int at, const long *units, const double *values, size_t count,
                      size_t i)
{
    char nats[32], own[REPORT_ORDINAL];
    int end = view->terminal->columns - 1, from = at++;
    colour_nats(values[i], nats, sizeof nats);
    at += paint_string(row, at, end - at, paint_plain(0), ordinal_in(view, units, count, i, own));
    at += begins_alike(view, units, count, i) ? draw_end(view, row, at, end, units[i])
                                              : view_draw_unit_text(view, row, at, end, MOST, units[i]);
    at += 1 + paint_string(row, at + 1, end - at - 1, paint_plain(0), nats);
    return at + paint_string(row, at, end - at, paint_plain(0), remark(view, units[i])) - from;
}

void view_draw_list(const struct view *view, int row, int at, const long *units, const double *values, size_t count)
{
    count = fit_units(view, view->terminal->columns - 1 - at, units, values, count, false);
    for (size_t i = 0; i < count; i++)
        at += draw_entry(view, row, at, units, values, count, i);
}

/* The same, those that support the choice first, the others behind a word that says so. */
static void draw_split(const struct view *view, int row, int at, const long *units, const double *values, size_t count)
{
    int end = view->terminal->columns - 1;
    bool between = false;
    count = fit_units(view, end - at, units, values, count, true);
    for (size_t i = 0; i < count; i++)
        if (values[i] > 0)
            at += draw_entry(view, row, at, units, values, count, i);
    for (size_t i = 0; i < count; i++)
        if (values[i] < 0) {
            at += between ? 0 : paint_string(row, at, end - at, paint_plain(0), AGAINST);
            between = true;
            at += draw_entry(view, row, at, units, values, count, i);
        }
}

/* The units of a kind that weigh most, best first, of those whose values mean something; at the end what has the first
 * token, whose value says less of it.  Returns how many. */
static size_t find_top(const struct view *view, enum map_units kind, long units[VIEW_LIST], double values[VIEW_LIST])
{
    long top[VIEW_LIST];
    size_t count = map_top(&view->map, kind, top, VIEW_LIST), found = 0;
    for (int last = 0; last < 2; last++)
        for (size_t i = 0; i < count; i++) {
            double value = map_value(&view->map, top[i]);
            if (value == 0 || view_is_noise(view, value))
                break; /* the rest is smaller */
            if (map_sets_scale(view->explanation, (size_t)top[i]) == last)
                continue;
            units[found] = top[i];
            values[found++] = value;
        }
    return found;
}

void view_draw_top(struct view *view, int row)
{
    static const char *const rests[MAP_PATHS] = {" rests on", " rests directly on", " rests through others on"},
                             *const depends[MAP_PATHS] = {" depends on", " depends directly on",
                                                          " depends through others on"};
    long units[VIEW_LIST];
    double values[VIEW_LIST];
    int columns = view->terminal->columns - 1, at = 1;
    bool narrow = columns < 60 && view_against(view) >= 0;
    if (view->token >= view->explanation->output_count)
        return;
    bool measured = map_top(&view->map, MAP_ALL, units, 1) > 0;
    size_t count = find_top(view, MAP_ALL, units, values);
    const char *how = view_unknown(view);
    if (count > 0)
        how = narrow ? ":" : (values[0] < 0 ? depends : rests)[view->paths];
    else if (measured && !(view->explanation->busy && isnan(view->explanation->noise_floor)))
        how = " rests on nothing that rises above the noise";
    at += draw_chosen(view, row, at, columns, narrow ? " over " : " rather than ");
    at += paint_string(row, at, columns - at, paint_plain(0), how);
    if (count > 0 && values[0] > 0)
        draw_split(view, row, at, units, values, count);
    else
        view_draw_list(view, row, at, units, values, count);
}

void view_draw_words(struct view *view, int row)
{
    long units[VIEW_LIST];
    double values[VIEW_LIST];
    int columns = view->terminal->columns - 1, at = 1;
    size_t alike = picture_alike(view->explanation, view_patch_unit(view));
    char text[64];
    snprintf(text, sizeof text, "and %zu patch%s like it (dots), ", alike, alike == 1 ? "" : "es");
    at += paint_string(row, at, columns - at, paint_plain(0), alike > 0 ? text : "");
    at += paint_string(row, at, columns - at, paint_plain(0), "with the words");
    bool measured = map_top(&view->map, MAP_WORDS, units, 1) > 0;
    size_t count = find_top(view, MAP_WORDS, units, values);
    if (count == 0)
        paint_string(row, at, columns - at, paint_plain(0),
                     measured ? ": none rises above the noise" : ": none is measured yet");
    view_draw_list(view, row, at, units, values, count);
}
