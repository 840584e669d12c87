/* screen_units.c: units looked at more closely: zoomed into, and the specials, which are folded away. */
#include <math.h>

#include "tui/screen_state.h"

/* -- zooms --------------------------------------------------------------------------------------------------------- */

static enum unit_kind finer(const struct explanation *e, long unit)
{
    return units_finer(e->prompt, e->tokens, &e->units[unit]);
}

/* The strongest unit that can be cut finer, or -1. */
static long strongest(const struct screen *screen)
{
    const struct explanation *e = screen->explanation;
    long best = -1;
    for (size_t u = 0; u < e->unit_count; u++) {
        double value = fabs(map_value(&screen->view.map, (long)u));
        if (!isnan(value) && (best < 0 || value > fabs(map_value(&screen->view.map, best))) &&
            finer(e, (long)u) != UNIT_CUSTOM)
            best = (long)u;
    }
    return best;
}

/* Forget the zooms that the unit lies in, and those within them; false: it lies in none. */
static bool zoom_out(struct screen *screen, const struct unit *unit)
{
    size_t start = unit->start, end = unit->end, count = 0;
    for (size_t i = 0; i < screen->zoom_count; i++)
        if (screen->zooms[i].start <= start && screen->zooms[i].end >= end) {
            start = screen->zooms[i].start;
            end = screen->zooms[i].end;
        }
    for (size_t i = 0; i < screen->zoom_count; i++)
        if (screen->zooms[i].start < start || screen->zooms[i].end > end)
            screen->zooms[count++] = screen->zooms[i];
    bool any = count < screen->zoom_count;
    screen->zoom_count = count;
    return any;
}

/* One zoom more; false: there are too many. */
static bool zoom_in(struct screen *screen, const struct unit *unit, enum unit_kind kind)
{
    if (screen->zoom_count == SCREEN_ZOOMS)
        return false;
    screen->zooms[screen->zoom_count++] = (struct zoom){unit->start, unit->end, kind};
    return true;
}

unsigned screen_zoom(struct screen *screen)
{
    const struct view *view = &screen->view;
    const struct explanation *e = screen->explanation;
    bool stale = view_is_stale(view);
    long unit = stale || e->unit_count == 0 ? -1 : view->focus == PLACE_OUTPUT ? strongest(screen) : view_unit(view);
    if (unit < 0 || e->units[unit].kind > UNIT_CUSTOM) {
        screen_say(screen, true, "%s",
                   stale                         ? "the prompt is edited; Enter measures it, then zoom"
                   : view->focus == PLACE_OUTPUT ? "nothing that is measured can be cut finer"
                                                 : "put the cursor on a word of the prompt to zoom into it");
        return DIRTY_DRAW;
    }
    struct unit chosen = e->units[unit];
    enum unit_kind kind = finer(e, unit);
    bool in = kind != UNIT_CUSTOM;
    if (in ? !zoom_in(screen, &chosen, kind) : !zoom_out(screen, &chosen)) {
        screen_say(screen, true, "%s",
                   in ? "no more zooms; Enter measures without them"
                      : "a token cannot be cut finer; F2 takes larger units");
        return DIRTY_DRAW;
    }
    unsigned dirty = screen_mix_reset(screen) | screen_measure(screen);
    if (in)
        screen_say(screen, false,
                   view->focus == PLACE_OUTPUT ? "the strongest %s by %ss; z: the next strongest"
                                               : "this %s by %ss; Alt-z: finer, at last back out",
                   unit_kind_name(chosen.kind), unit_kind_name(kind));
    return dirty;
}

/* -- specials ------------------------------------------------------------------------------------------------------ */

unsigned screen_specials(struct screen *screen)
{
    struct view *view = &screen->view;
    view->specials = !view->specials;
    view->special = -1;
    if (view->specials && screen->explanation->token_count > 0 && view_next_special(view, -1, 1) < 0)
        screen_say(screen, false, "no special tokens stand around this prompt");
    return DIRTY_ALL;
}

bool screen_special_step(struct screen *screen, enum action action)
{
    struct view *view = &screen->view;
    long now = view->special, last = (long)screen->explanation->token_count;
    view->special = -1;
    if (view->strip.rows == 0 || (now < 0 && (action != ACTION_LEFT || screen->editor.cursor > 0)))
        return false;
    if (action == ACTION_LEFT)
        view->special = view_next_special(view, now < 0 ? last : now, -1);
    else if (action == ACTION_RIGHT)
        view->special = view_next_special(view, now, 1);
    if (action == ACTION_LEFT && view->special < 0)
        view->special = now;
    return action == ACTION_LEFT || action == ACTION_RIGHT;
}
