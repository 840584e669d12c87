/* screen_contrast.c: why the one rather than the other: choices of an output token compared. */
#include "tui/screen_state.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool has_output(struct screen *screen)
{
    if (screen->view.token < screen->explanation->output_count)
        return true;
    screen_say(screen, true, "there is no output to compare yet; Enter continues the prompt");
    return false;
}

unsigned screen_contrast(struct screen *screen)
{
    if (!has_output(screen))
        return DIRTY_DRAW;
    screen->view.contrast = !screen->view.contrast;
    if (!screen->view.contrast)
        screen_say(screen, false, "what supports the choice");
    return DIRTY_DRAW;
}

unsigned screen_ask_foil(struct screen *screen)
{
    char title[200], name[VIEW_SHORT_BYTES];
    size_t length;
    if (!has_output(screen))
        return DIRTY_DRAW;
    const char *text = view_token_text(&screen->view, view_choice_id(&screen->view, 0), &length);
    snprintf(title, sizeof title, "What could stand in place of \"%s\"",
             view_shorten(text, length, name));
    dialog_ask(&screen->dialog, DIALOG_FOIL, title, "Enter: compare; Esc: close", "");
    return DIRTY_DRAW;
}

void screen_retarget(struct screen *screen)
{
    const struct view *view = &screen->view;
    if (view->typed.id < 0 || view->typed.token >= screen->explanation->output_count)
        return;
    if (screen->mix_latest) /* the probes' states are gone: once more, which comes here again */
        screen_measure(screen);
    else
        worker_retarget(screen->loaded.worker, (int)view->typed.token, view->typed.id);
}

/* The tokens of a text that stands where the chosen token stands: with a space before it where that has one, as nobody
 * sees or types it. */
static int encode(struct screen *screen, const char *text, struct token **tokens, size_t *count, struct error *error)
{
    size_t length, typed = strlen(text);
    const char *chosen = view_token_text(&screen->view, view_choice_id(&screen->view, 0), &length);
    bool space = length > 0 && chosen[0] == ' ' && text[0] != ' ';
    char *spaced = malloc(typed + 2);
    if (!spaced)
        return error_set(error, ERROR_MEMORY, "there is no memory for it");
    snprintf(spaced, typed + 2, "%s%s", space ? " " : "", text);
    int code =
        tokenizer_encode(screen->view.tokenizer, spaced, strlen(spaced), 0, tokens, count, error);
    free(spaced);
    return code;
}

unsigned screen_foil(struct screen *screen, const char *text)
{
    struct view *view = &screen->view;
    const struct explanation *e = screen->explanation;
    struct token *tokens = NULL;
    struct error error;
    size_t count = 0, at = 0;
    if (!*text || view->token >= e->output_count) {
        screen_say(screen, true, "type what could stand there, or Esc");
        return DIRTY_DRAW;
    }
    if (encode(screen, text, &tokens, &count, &error) != 0) {
        screen_fail(screen, error.message, "type something else");
        return DIRTY_DRAW;
    }
    while (at < count && view->token + at < e->output_count && tokens[at].id == e->output[view->token + at].id)
        at++;
    if (at == count || view->token + at == e->output_count) {
        screen_say(screen, true, "the output says the same there; type something else");
    } else {
        view->token += at;
        view->typed.token = view->token;
        view->typed.id = tokens[at].id;
        view->choice = 0;
        view->contrast = true;
        screen_retarget(screen);
        dialog_close(&screen->dialog);
    }
    free(tokens);
    return DIRTY_DRAW | DIRTY_FOLLOW;
}
