/* view_sources.c: the numbers that output tokens and their sources in the prompt share, and which paths are shown. */
#include "tui/view.h"

void view_find_sources(struct view *view)
{
    const struct explanation *e = view->explanation;
    bool compared = view_compare_mode(view) != COMPARE_OFF; /* then what differs is what is looked for */
    if (!compared && (e->busy || view->focus == PLACE_OUTPUT))
        sources_find(&view->sources, e, view->paths);
    else
        sources_clear(&view->sources);
}

void view_draw_number(const struct view *view, struct area area, int first, const struct layout *layout, size_t glyph,
                      int number, struct style style)
{
    struct glyph sign = layout->glyphs[glyph];
    const struct glyph *before = glyph > 0 ? &layout->glyphs[glyph - 1] : NULL;
    bool blank = before && before->row == sign.row && before->width == 1 && before->show[0] == L' ';
    if (number == SOURCES_NONE || (sign.column > 0 && !blank))
        return;
    sign.show[0] = sources_sign(number, view->terminal->ascii);
    sign.show[1] = 0;
    sign.width = 1;
    if (sign.column == 0) { /* all panes leave a column free before them */
        area.column--;
        area.columns++;
    } else {
        sign.column--;
    }
    paint_glyph(area, first, &sign, style);
}

const char *view_paths_name(const struct view *view)
{
    static const char *const names[MAP_PATHS] = {
        [MAP_ALL_PATHS] = "", [MAP_DIRECT] = "direct", [MAP_MEDIATED] = "mediated"};
    return names[view->paths];
}
