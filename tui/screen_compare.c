/* screen_compare.c: the explanation that is kept to compare the present one with: when which one is kept. */
#include "tui/screen_state.h"

/* Take an explanation over that leaves the screen, if it is worth that and none is pinned. */
static bool keep(struct screen *screen, struct explanation *e)
{
    enum pin *pin = &screen->view.compare.pin;
    bool worth = e->output_count > 0 && (e->complete || *pin == PIN_SHOWN || !screen->kept);
    struct kept *kept = *pin != PIN_KEPT && worth ? kept_new(e, screen->view.tokenizer, &screen->about) : NULL;
    if (*pin == PIN_SHOWN)
        *pin = kept ? PIN_KEPT : PIN_NONE;
    if (!kept)
        return false;
    kept_free(screen->kept);
    screen->kept = kept;
    screen->view.compare.kept = kept;
    return true;
}

/* A new prompt has taken the place of the former explanation. */
static void take_former(struct screen *screen)
{
    struct explanation *e = screen->explanation, *former = e->former;
    e->former = NULL;
    if (former && (kept_is_same(former, &screen->about, e, &screen->asked) || !keep(screen, former)))
        explanation_free(former);
    screen->about = screen->asked;
}

unsigned screen_compare_event(struct screen *screen, enum event_kind kind)
{
    struct view_compare *compare = &screen->view.compare;
    bool others = kind == EVENT_PROMPT || kind == EVENT_TOKEN || kind == EVENT_UNITS ||
                  (kind == EVENT_DIRECT && screen->explanation->unit_count != compare->difference.units);
    if (kind == EVENT_PROMPT)
        take_former(screen);
    compare->aligned = compare->aligned && !others;
    return others && view_compare_mode(&screen->view) != COMPARE_OFF ? DIRTY_TEXT : DIRTY_NONE;
}

bool screen_compare_leave(struct screen *screen, const struct engine_info *next, bool chat)
{
    struct request request = screen->settings;
    request.chat = chat;
    struct about about = about_of(next, &request);
    screen->explanation->busy = false;
    return !about_is_same(&about, &screen->about) && keep(screen, screen->explanation);
}

unsigned screen_compare(struct screen *screen)
{
    static const char *const said[] = {
        [COMPARE_OFF] = "this one alone",
        [COMPARE_DIFFERENCE] = "what changed; again: side by side",
        [COMPARE_BESIDE] = "side by side, on one scale",
    };
    struct view_compare *compare = &screen->view.compare;
    if (!compare->kept) {
        screen_say(screen, true, "%s",
                   compare->pin == PIN_SHOWN ? "this one is pinned; edit the prompt, Enter, and compare"
                                             : "nothing to compare with yet; edit the prompt, then Enter");
        return DIRTY_DRAW;
    }
    compare->mode = (compare->mode + 1) % (COMPARE_BESIDE + 1);
    compare->aligned = false;
    screen_say(screen, false, "%s", said[compare->mode]);
    return DIRTY_ALL;
}

unsigned screen_pin(struct screen *screen)
{
    struct view_compare *compare = &screen->view.compare;
    if (compare->pin != PIN_NONE) {
        compare->pin = PIN_NONE;
        screen_say(screen, false, "not pinned any more: each is compared with the one before it");
        return DIRTY_ALL;
    }
    if (screen->explanation->output_count == 0) {
        screen_say(screen, true, "there is nothing to pin yet; Enter continues the prompt");
        return DIRTY_DRAW;
    }
    compare->pin = PIN_SHOWN;
    compare->kept = NULL;
    kept_free(screen->kept);
    screen->kept = NULL;
    screen_say(screen, false, "pinned: what follows is compared with this one");
    return DIRTY_ALL;
}
