/* screen_mix.c: units of the prompt turned up or down, and the output that the model then writes. */
#include "tui/screen_state.h"

#include <stdio.h>

void screen_mix_start(struct screen *screen)
{
    struct request request = screen->settings;
    const struct explanation *e = screen->explanation;
    bool measuring = !screen->mix_latest && (screen->view.pending || e->busy);
    screen->mix_wanted = measuring;
    if (measuring) { /* not to show until then what other factors gave */
        struct explanation *none = explanation_new();
        if (none) {
            explanation_free(screen->mixed);
            screen->mixed = none;
            screen->view.mixed = none;
        }
        return;
    }
    request.prompt = e->prompt;
    request.prompt_length = e->prompt_length;
    request.images = screen->images;
    request.image_count = screen->image_count;
    request.steers = screen->steers;
    request.steer_count = screen->view.steer_count;
    screen->view.mixing = worker_submit(screen->loaded.worker, &request) != 0;
    screen->mix_latest |= screen->view.mixing;
    screen_answers_end(screen);
    if (!screen->view.mixing)
        screen_say(screen, true, "there is no memory to mix; shorten the prompt");
}

unsigned screen_mix_event(struct screen *screen, enum event_kind kind)
{
    if (kind == EVENT_FAILED)
        screen_fail(screen, screen->mixed->error.message, "Alt-0 sets all units back");
    if (kind == EVENT_CANCELLED && screen->view.steer_count > 0)
        screen_say(screen, false, "stopped");
    if (kind == EVENT_FAILED || kind == EVENT_CANCELLED || kind == EVENT_DONE)
        screen->view.mixing = false;
    return DIRTY_TEXT;
}

unsigned screen_mix_reset(struct screen *screen)
{
    if (screen->view.mixing)
        worker_cancel(screen->loaded.worker);
    screen->view.mixing = screen->mix_wanted = false;
    screen->view.steer_count = 0;
    return DIRTY_ALL;
}

/* The next factor; 1 again: the unit leaves the list.  Returns the factor. */
static float turn(struct screen *screen, int unit, int by)
{
    static const float factors[] = {0, 0.1f, 0.5f, 1, 2, 4};
    enum { FACTORS = sizeof factors / sizeof *factors };
    size_t *count = &screen->view.steer_count, i = 0;
    int at = 0;
    while (i < *count && screen->steers[i].unit != unit)
        i++;
    if (i == *count)
        screen->steers[(*count)++] = (struct steer){unit, 1};
    while (at + 1 < FACTORS && factors[at] < screen->steers[i].factor)
        at++;
    at = at + by < 0 ? 0 : at + by >= FACTORS ? FACTORS - 1 : at + by;
    screen->steers[i].factor = factors[at];
    if (factors[at] == 1) {
        for (--*count; i < *count; i++)
            screen->steers[i] = screen->steers[i + 1];
    }
    return factors[at];
}

unsigned screen_mix(struct screen *screen, int by)
{
    struct view *view = &screen->view;
    long unit = view_is_stale(view) ? -1 : view_unit(view);
    char name[VIEW_SHORT_BYTES], own[VIEW_NAME];
    size_t length;
    if (unit < 0 || view->steer_count == MIX_UNITS) {
        screen_say(screen, true, "%s",
                   view_is_stale(view) ? "the prompt is edited; Enter measures it, then mix"
                   : unit < 0          ? "put the cursor on a word of the prompt to mix it"
                                       : "no more units can be mixed; Alt-0 sets all back");
        return DIRTY_DRAW;
    }
    float factor = turn(screen, (int)unit, by);
    const char *text = view_unit_text(view, unit, own, &length);
    view_shorten(text, length, name);
    if (view->steer_count == 0)
        screen_mix_reset(screen);
    else
        screen_mix_start(screen);
    screen_say(screen, false, "\"%s\" x%g%s; Alt-0 sets all back", name, (double)factor,
               screen->mix_wanted ? " when the measurement is done" : "");
    return DIRTY_ALL;
}
