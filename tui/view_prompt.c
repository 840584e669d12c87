/* view_prompt.c: the upper pane, the prompt in the colours of its units. */
#include "tui/view.h"

#include <stdio.h>
#include <string.h>

static const char *plural(size_t n)
{
    return n == 1 ? "" : "s";
}

/* What stands at a byte of the prompt now stood there when it was explained, or (size_t)-1. */
static size_t explained_byte(const struct view *view, size_t byte)
{
    size_t now = view->editor->length, then = view->explanation->prompt_length;
    if (byte < view->same_before)
        return byte;
    return byte >= now - view->same_behind ? byte + then - now : (size_t)-1;
}

static void draw_title(struct view *view)
{
    const struct explanation *e = view->explanation;
    const struct engine_info *info = view->info;
    bool focus = view->focus == PLACE_EDITOR;
    int left = view->prompt.column - 1, columns = left + view->prompt.columns + 2;
    char text[640];
    paint_rule(view->prompt_title, left, columns - left, paint_plain(focus ? 0 : COLOUR_DIM));
    left += 2;
    left += paint_string(view->prompt_title, left, columns - 2 - left,
                         paint_plain(focus ? COLOUR_BOLD | COLOUR_REVERSE : COLOUR_BOLD), " Prompt ");
    if (view_is_stale(view) && e->token_count > 0)
        snprintf(text, sizeof text, " edited: Enter measures anew ");
    else
        snprintf(text, sizeof text, " %zu token%s%s ", e->token_count, plural(e->token_count),
                 view->compare.pin == PIN_SHOWN ? ", pinned" : "");
    if (e->token_count > 0)
        left += paint_string(view->prompt_title, left, columns - 2 - left, paint_plain(0), text);
    if (view->recording)
        left += paint_string(view->prompt_title, left, columns - 2 - left, paint_plain(COLOUR_BOLD), " recording ");
    if (!info)
        return;
    const char *slash = strrchr(info->file, '/'), *name = slash ? slash + 1 : info->file, *end = strstr(name, ".gguf");
    int length = end ? (int)(end - name) : (int)strlen(name);
    snprintf(text, sizeof text, " %.*s, %s on %s, %s, %s ", length, name, info->quantisation, info->device_kind,
             info->precision, view->settings->chat ? info->chat : "raw");
    int width = paint_width(text, strlen(text));
    if (width > columns - 3 - left) {
        snprintf(text, sizeof text, " %.*s ", length, name);
        width = paint_width(text, strlen(text));
    }
    if (width <= columns - 3 - left)
        paint_string(view->prompt_title, columns - 2 - width, width, paint_plain(0), text);
}

/* The mixed unit whose words begin behind the space at a byte of the explained prompt, or NULL. */
static const struct steer *steer_behind(const struct view *view, size_t byte)
{
    const struct explanation *e = view->explanation;
    for (size_t i = 0; i < view->steer_count && (size_t)view->steers[i].unit < e->unit_count; i++) {
        size_t start = e->units[view->steers[i].unit].start;
        while (start < e->prompt_length && e->prompt[start] == ' ')
            start++;
        if (start == byte + 1 && e->prompt[byte] == ' ')
            return &view->steers[i];
    }
    return NULL;
}

static bool is_mixed(const struct view *view, long unit)
{
    for (size_t i = 0; i < view->steer_count; i++)
        if (view->steers[i].unit == unit)
            return true;
    return false;
}

/* Whether the words of the unit begin at the byte. */
static bool begins(const struct view *view, long unit, size_t byte)
{
    const struct explanation *e = view->explanation;
    return byte == e->units[unit].start || map_is_margin(e, unit, byte - 1);
}

/* A unit's factor on the space before it. */
static void draw_mark(const struct view *view, struct glyph glyph, float factor)
{
    bool ascii = view->terminal->ascii;
    glyph.show[0] = factor <= 0     ? L'0'
                    : factor < 0.3f ? (ascii ? L'v' : L'↓')
                    : factor < 1    ? (ascii ? L'-' : L'½')
                    : factor < 3    ? L'2'
                                    : L'4';
    glyph.show[1] = 0;
    paint_glyph(view->prompt, view->prompt_first, &glyph, paint_plain(COLOUR_REVERSE | COLOUR_BOLD));
}

/* -- the offer ----------------------------------------------------------------------------------------------------- */

bool view_offers(const struct view *view)
{
    return view->offer->count > 0 && view->editor->length == 0 && view->image_count == 0 &&
           view->explanation->token_count == 0 && !view->pending && view->focus == PLACE_EDITOR;
}

/* The row of the first sample: with an empty one above where there is room. */
static int offer_row(const struct view *view)
{
    return view->prompt.row + (view->prompt.rows > (int)view->offer->count + 1 ? 2 : 1);
}

int view_offer_at(const struct view *view, int row)
{
    int at = row - offer_row(view);
    return at >= 0 && at < (int)view->offer->count ? at : -1;
}

static void draw_offer(const struct view *view)
{
    const struct offer *offer = view->offer;
    int end = view->prompt.column + view->prompt.columns;
    paint_string(view->prompt.row, view->prompt.column, view->prompt.columns, paint_plain(COLOUR_DIM),
                 end < 60 ? "Type a prompt, or take one:"
                          : "Type a prompt, then Enter; or take one of these with Enter or its number:");
    for (size_t i = 0; i < offer->count; i++) {
        const struct sample *sample = &offer->samples[i];
        int row = offer_row(view) + (int)i, at = view->prompt.column;
        struct style style = paint_plain(i == offer->chosen ? COLOUR_REVERSE : 0);
        char number[24];
        if (row >= view->prompt.row + view->prompt.rows)
            break;
        snprintf(number, sizeof number, " %zu ", i + 1);
        at += paint_string(row, at, end - at, paint_plain(COLOUR_BOLD), number);
        at += paint_string(row, at, end - at, style, sample->image_count > 0 ? "[picture] " : "");
        int width = paint_text(row, at, end - at, style, sample->text, sample->length);
        if (paint_width(sample->text, sample->length) > width)
            paint_string(row, end - 2, 2, style, "..");
    }
}

void view_draw_prompt(struct view *view)
{
    const struct layout *layout = &view->prompt_layout;
    size_t from = 0, at = 0;
    draw_title(view);
    int last = view->prompt_first + view->prompt.rows;
    while (at < layout->count && layout->glyphs[at].row < view->prompt_first)
        at++;
    for (; at < layout->count && layout->glyphs[at].row < last; at++) {
        const struct glyph *glyph = &layout->glyphs[at];
        size_t byte = explained_byte(view, glyph->start);
        long unit = byte == (size_t)-1 ? -1 : map_unit_at(view->explanation, byte, &from);
        if (map_is_margin(view->explanation, unit, byte))
            unit = -1;
        struct style style = paint_relevance(map_position(&view->map, unit));
        if (is_mixed(view, unit) || (byte != (size_t)-1 && view_is_fresh(view, byte)) ||
            (unit >= 0 && view_answer_flips(view, unit)))
            style.attributes |= COLOUR_UNDERLINE;
        if (unit >= 0 && unit == view->marked)
            style.attributes |= COLOUR_REVERSE;
        paint_glyph(view->prompt, view->prompt_first, glyph, style);
        int number = sources_of_unit(&view->sources, unit);
        if (number != SOURCES_NONE && begins(view, unit, byte))
            view_draw_number(view, view->prompt, view->prompt_first, layout, at, number, paint_plain(COLOUR_DIM));
        const struct steer *steer = byte == (size_t)-1 ? NULL : steer_behind(view, byte);
        if (steer)
            draw_mark(view, *glyph, steer->factor);
    }
    if (view_offers(view))
        draw_offer(view);
    else if (view->editor->length == 0)
        paint_string(view->prompt.row, view->prompt.column, view->prompt.columns, paint_plain(COLOUR_DIM),
                     "Type a prompt, then Enter.");
    if (layout->rows > last)
        paint_string(view->prompt.row + view->prompt.rows - 1, view->prompt.column + view->prompt.columns, 1,
                     paint_plain(COLOUR_BOLD), view->terminal->ascii ? "v" : "↓");
    if (view->prompt_first > 0)
        paint_string(view->prompt.row, view->prompt.column + view->prompt.columns, 1, paint_plain(COLOUR_BOLD),
                     view->terminal->ascii ? "^" : "↑");
}
