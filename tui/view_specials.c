/* view_specials.c: the strip above the prompt that shows the special tokens: the marks of the chat template and all
 * else that has no place in the prompt's text.  They stand one behind the other in their own colours, with dots where
 * the text is. */
#include "tui/view.h"

#include <stdio.h>
#include <string.h>

enum { MOST_BYTES = 56 }; /* of a token's text that are shown */

static bool is_special(const struct explanation *e, size_t token)
{
    return e->tokens[token].kind == TOKEN_SPECIAL && e->tokens[token].start == e->tokens[token].end;
}

long view_next_special(const struct view *view, long token, int by)
{
    const struct explanation *e = view->explanation;
    for (token += by; token >= 0 && token < (long)e->token_count; token += by)
        if (is_special(e, (size_t)token))
            return token;
    return -1;
}

static long unit_of_token(const struct explanation *e, size_t token)
{
    for (size_t u = 0; u < e->unit_count; u++)
        if (e->units[u].kind == UNIT_SPECIAL && e->units[u].first == (int)token)
            return (long)u;
    return -1;
}

long view_special_unit(const struct view *view)
{
    return view->special < 0 ? -1 : unit_of_token(view->explanation, (size_t)view->special);
}

/* -- places -------------------------------------------------------------------------------------------------------- */

/* What stands for a token: its text in one line, or dots for a run of others. */
static bool add_token(struct view *view, size_t token)
{
    const struct explanation *e = view->explanation;
    const char *newline = view->terminal->ascii ? "|" : "↵", *dots = view->terminal->ascii ? " .. " : " … ";
    char line[MOST_BYTES + 8];
    size_t length, used = 0;
    if (!is_special(e, token))
        return words_add(&view->strip_words, dots, token > 0 && is_special(e, token - 1) ? strlen(dots) : 0);
    const char *text = view_token_text(view, e->tokens[token].id, &length);
    for (size_t i = 0; i < length && used < MOST_BYTES; i++)
        if (text[i] == '\n')
            used += (size_t)snprintf(line + used, sizeof line - used, "%s", newline);
        else
            line[used++] = text[i];
    return words_add(&view->strip_words, line, used);
}

void view_place_specials(struct view *view)
{
    const struct explanation *e = view->explanation;
    struct words *words = &view->strip_words;
    const char *heading = view->prompt.columns < 60 ? "No scale: " : "Specials, which set no scale: ";
    view->strip = (struct area){0};
    words_clear(words);
    if (!view->specials || view->prompt.rows < 2 || view_next_special(view, -1, 1) < 0 ||
        !words_add(words, heading, strlen(heading)))
        return;
    for (size_t t = 0; t < e->token_count && add_token(view, t); t++) {
    }
    words_arrange(words, view->prompt.columns, L' ');
    view->strip = view->prompt;
    view->strip.rows = words->layout.rows < view->prompt.rows / 2 ? words->layout.rows : view->prompt.rows / 2;
    view->prompt.row += view->strip.rows;
    view->prompt.rows -= view->strip.rows;
    if (view->strip_first > words->layout.rows - view->strip.rows)
        view->strip_first = words->layout.rows - view->strip.rows;
}

/* Where the chosen special stands in the layout; false: nowhere. */
static bool place(const struct view *view, int *row, int *column)
{
    if (view->special < 0 || view->special + 1 >= (long)view->strip_words.count)
        return false;
    layout_place(&view->strip_words.layout, view->strip_words.ends[view->special], row, column);
    return true;
}

void view_follow_special(struct view *view)
{
    int row, column;
    if (!place(view, &row, &column))
        return;
    if (row < view->strip_first)
        view->strip_first = row;
    if (row >= view->strip_first + view->strip.rows)
        view->strip_first = row - view->strip.rows + 1;
}

bool view_special_cell(const struct view *view, int *row, int *column)
{
    if (!place(view, row, column))
        return false;
    *row += view->strip.row - view->strip_first;
    *column += view->strip.column;
    return view_inside(view->strip, *row, *column);
}

/* The token whose text holds the byte of the strip, from `from` on; -1: that is what the strip is called. */
static long token_at(const struct view *view, size_t byte, long from)
{
    const struct words *words = &view->strip_words;
    size_t word = (size_t)(from + 1);
    while (word + 1 < words->count && words->ends[word] <= byte)
        word++;
    return (long)word - 1;
}

bool view_special_at(const struct view *view, int row, int column, long *token)
{
    if (view->too_small || !view_inside(view->strip, row, column))
        return false;
    long at = token_at(
        view,
        layout_byte(&view->strip_words.layout, row - view->strip.row + view->strip_first, column - view->strip.column),
        -1);
    if (at < 0 || at >= (long)view->explanation->token_count || !is_special(view->explanation, (size_t)at))
        return false;
    *token = at;
    return true;
}

/* -- drawing ------------------------------------------------------------------------------------------------------- */

void view_draw_specials(struct view *view)
{
    const struct explanation *e = view->explanation;
    const struct layout *layout = &view->strip_words.layout;
    long token = -1;
    for (size_t i = 0; view->strip.rows > 0 && i < layout->count; i++) {
        const struct glyph *glyph = &layout->glyphs[i];
        token = token_at(view, glyph->start, token);
        bool special = token >= 0 && is_special(e, (size_t)token);
        struct style style = special ? paint_relevance(map_position(&view->map, unit_of_token(e, (size_t)token)))
                                     : paint_plain(COLOUR_DIM);
        if (special && view->special == token && view->focus == PLACE_EDITOR)
            style.attributes |= COLOUR_UNDERLINE | COLOUR_BOLD;
        paint_glyph(view->strip, view->strip_first, glyph, style);
    }
}
