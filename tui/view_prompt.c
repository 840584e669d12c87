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
    const struct engine_info *info = view->engine ? engine_info(view->engine) : NULL;
    bool focus = view->focus == PLACE_EDITOR;
    int columns = view->terminal->columns, left;
    char text[640];
    paint_rule(view->prompt_title, 0, columns, paint_plain(focus ? 0 : COLOUR_DIM));
    left = 2 + paint_string(view->prompt_title, 2, columns - 4,
                            paint_plain(focus ? COLOUR_BOLD | COLOUR_REVERSE : COLOUR_BOLD), " Prompt ");
    if (view_is_stale(view) && e->prompt_length > 0)
        snprintf(text, sizeof text, " edited: Enter measures anew ");
    else
        snprintf(text, sizeof text, " %zu token%s ", e->token_count, plural(e->token_count));
    if (e->token_count > 0)
        left += paint_string(view->prompt_title, left, columns - 2 - left, paint_plain(0), text);
    if (!info)
        return;
    const char *slash = strrchr(info->file, '/'), *name = slash ? slash + 1 : info->file, *end = strstr(name, ".gguf");
    int length = end ? (int)(end - name) : (int)strlen(name);
    snprintf(text, sizeof text, " %.*s, %s on %s, %s ", length, name, info->quantisation, info->device_kind,
             info->precision);
    int width = paint_width(text, strlen(text));
    if (width > columns - 3 - left) {
        snprintf(text, sizeof text, " %.*s ", length, name);
        width = paint_width(text, strlen(text));
    }
    if (width <= columns - 3 - left)
        paint_string(view->prompt_title, columns - 2 - width, width, paint_plain(0), text);
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
        paint_glyph(view->prompt, view->prompt_first, glyph, paint_relevance(map_position(&view->map, unit)));
    }
    if (view->editor->length == 0)
        paint_string(view->prompt.row, view->prompt.column, view->prompt.columns, paint_plain(COLOUR_DIM),
                     "Type a prompt, then Enter.");
    if (layout->rows > last)
        paint_string(view->output_title - 1, view->prompt.column + view->prompt.columns, 1, paint_plain(COLOUR_BOLD),
                     view->terminal->ascii ? "v" : "↓");
    if (view->prompt_first > 0)
        paint_string(view->prompt.row, view->prompt.column + view->prompt.columns, 1, paint_plain(COLOUR_BOLD),
                     view->terminal->ascii ? "^" : "↑");
}
