/* screen_answer.c: what is asked beyond the map: its proof, and how units act together. */
#include "tui/screen_state.h"

bool screen_answers_busy(const struct screen *screen)
{
    const struct explanation *e = screen->explanation;
    return e->proof.answer.state == ANSWER_BUSY || e->pairs.answer.state == ANSWER_BUSY;
}

void screen_answers_end(struct screen *screen)
{
    struct answer *answers[] = {&screen->explanation->proof.answer, &screen->explanation->pairs.answer};
    for (int i = 0; i < 2; i++)
        if (answers[i]->state == ANSWER_BUSY)
            answers[i]->state = ANSWER_STOPPED;
}

unsigned screen_answer_event(struct screen *screen, enum event_kind kind)
{
    bool shown = screen->view.side == (kind == EVENT_PROOF ? SIDE_PROOF : SIDE_PAIRS);
    const struct explanation *e = screen->explanation;
    const struct answer *a = kind == EVENT_PROOF ? &e->proof.answer : &e->pairs.answer;
    if (shown && a->state == ANSWER_STOPPED)
        screen_say(screen, false, "stopped; Esc goes back to the candidates");
    if (shown && a->state == ANSWER_FAILED)
        screen_fail(screen, a->error.message, "Enter measures anew, then ask again");
    return DIRTY_DRAW;
}

void screen_answers_clear(struct screen *screen)
{
    screen->view.side = SIDE_CANDIDATES;
    screen->view.marked = -1;
}

/* Whether there is something to ask about; says why not. */
static bool can_ask(struct screen *screen)
{
    const struct view *view = &screen->view;
    bool output = view->token < screen->explanation->output_count;
    if (output && !view_is_stale(view) && screen->loaded.worker)
        return true;
    screen_say(screen, true, "%s",
               screen->replay ? "this is a recording, and that was not asked in it"
               : output       ? "the prompt is edited; Enter measures it, then ask"
                              : "there is no output to ask about yet; Enter continues the prompt");
    return false;
}

static unsigned ask(struct screen *screen, struct inquiry inquiry)
{
    struct view *view = &screen->view;
    if (screen->mix_latest) /* the probes' states are gone: once more; the inquiry waits for them */
        screen_measure(screen);
    if (!worker_inquire(screen->loaded.worker, &inquiry)) {
        screen_say(screen, true, "there is no memory to ask; shorten the prompt");
        return DIRTY_ALL;
    }
    view->side = inquiry.kind == INQUIRY_PROOF ? SIDE_PROOF : SIDE_PAIRS;
    view->marked = -1;
    return DIRTY_ALL;
}

unsigned screen_answer(struct screen *screen, enum inquiry_kind kind)
{
    struct view *view = &screen->view;
    const struct explanation *e = screen->explanation;
    const struct answer *a = kind == INQUIRY_PROOF ? &e->proof.answer : &e->pairs.answer;
    enum view_side side = kind == INQUIRY_PROOF ? SIDE_PROOF : SIDE_PAIRS;
    struct inquiry inquiry = {kind, (int)view->token, view_choice_id(view, view->choice), {-1, -1}};
    bool about = a->token == inquiry.token && a->id == inquiry.id;
    bool all = kind == INQUIRY_PROOF || !e->pairs.two;
    if (view->side == side && ((about && all) || a->state == ANSWER_NONE)) {
        view->side = SIDE_CANDIDATES;
        return DIRTY_ALL;
    }
    if (about && all && (a->state == ANSWER_BUSY || a->state == ANSWER_DONE)) { /* it is there, or will be */
        view->side = side;
        return DIRTY_ALL;
    }
    return can_ask(screen) ? ask(screen, inquiry) : DIRTY_DRAW;
}

unsigned screen_mark(struct screen *screen)
{
    struct view *view = &screen->view;
    long unit = view_is_stale(view) ? -1 : view_unit(view);
    char own[VIEW_NAME], name[VIEW_SHORT_BYTES];
    size_t length;
    if (!can_ask(screen))
        return DIRTY_DRAW;
    if (unit < 0 || (size_t)unit >= screen->explanation->unit_count) {
        screen_say(screen, true, "put the cursor on a word of the prompt to mark it");
        return DIRTY_DRAW;
    }
    if (view->marked >= 0 && view->marked != unit)
        return ask(screen, (struct inquiry){INQUIRY_PAIRS,
                                            (int)view->token,
                                            view_choice_id(view, view->choice),
                                            {(int)view->marked, (int)unit}});
    bool marked = view->marked < 0;
    view->marked = marked ? unit : -1;
    const char *text = view_unit_text(view, unit, own, &length);
    screen_say(screen, false,
               marked ? "\"%s\" marked; Alt-x on another asks about the two" : "\"%s\" not marked any more",
               view_shorten(text, length, name));
    return DIRTY_DRAW;
}

unsigned screen_answers_close(struct screen *screen)
{
    struct view *view = &screen->view;
    if (view->side == SIDE_CANDIDATES && view->marked < 0)
        return DIRTY_NONE;
    screen_answers_clear(screen);
    return DIRTY_ALL;
}
