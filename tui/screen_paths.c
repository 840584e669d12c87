/* screen_paths.c: the map of the newest token while the output is written, and which paths a map is of. */
#include "tui/screen_state.h"

#include <math.h>

/* A map stays at least so long, to be seen, and at least such a part of the time since the first, for lines that carry
 * little: of a long output some thirty are shown. */
enum { FOLLOW_MS = 250, FOLLOW_PART = 8 };

unsigned screen_paths(struct screen *screen)
{
    static const char *const says[MAP_PATHS] = {
        [MAP_ALL_PATHS] = "all paths from a unit to the token",
        [MAP_DIRECT] = "direct: what the token itself takes from a unit",
        [MAP_MEDIATED] = "mediated: what comes from a unit through other tokens",
    };
    struct view *view = &screen->view;
    view->paths = (view->paths + 1) % MAP_PATHS;
    screen_say(screen, false, "%s", says[view->paths]);
    return DIRTY_DRAW;
}

void screen_follow_start(struct screen *screen)
{
    screen->following = true;
    screen->followed_from = screen->view.token;
    screen->followed_at = screen->follow_start = screen_now();
}

/* Whether the map was shown for long enough. */
static bool is_time(const struct screen *screen)
{
    int64_t now = screen_now(), stay = (now - screen->follow_start) / FOLLOW_PART;
    return now >= screen->followed_at + (stay > FOLLOW_MS ? stay : FOLLOW_MS);
}

/* Whether all that comes before the token has been asked about it. */
static bool is_known(const struct explanation *e, size_t t)
{
    const struct direct_row *row = &e->direct[t];
    for (size_t u = 0; u < row->unit_count; u++)
        if (isnan(explanation_direct(e, u, t, 0)))
            return false;
    return row->value;
}

unsigned screen_follow(struct screen *screen, enum event_kind kind)
{
    const struct explanation *e = screen->explanation;
    struct view *view = &screen->view;
    if (!screen->following)
        return DIRTY_NONE;
    if (kind == EVENT_UNITS || !e->busy) { /* the output is there */
        screen->following = false;
        view->token = screen->followed_from;
        return DIRTY_DRAW | DIRTY_FOLLOW;
    }
    size_t t = e->direct_count;
    while (t > 0 && !is_known(e, t - 1))
        t--;
    if (kind != EVENT_DIRECT || t == 0 || t - 1 <= view->token || !is_time(screen))
        return DIRTY_NONE;
    view->token = t - 1;
    view->choice = 0;
    screen->followed_at = screen_now();
    return DIRTY_DRAW | DIRTY_FOLLOW;
}
