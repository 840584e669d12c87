#include "tui/screen_state.h"

#include <curses.h>
#include <stdlib.h>

#include "tui/typing.h"

/* -- the prompt ---------------------------------------------------------------------------------------------------- */

/* Insert the text that begins with key i; returns how many keys that were. */
static size_t insert_text(struct screen *screen, size_t i)
{
    return typing_insert(&screen->editor, screen->terminal.keys + i, screen->terminal.key_count - i);
}

static unsigned edit(struct screen *screen, enum action action)
{
    struct editor *editor = &screen->editor;
    int page = screen->view.prompt.rows > 1 ? screen->view.prompt.rows - 1 : 1;
    int rows = action == ACTION_UP          ? -1
               : action == ACTION_DOWN      ? 1
               : action == ACTION_PAGE_UP   ? -page
               : action == ACTION_PAGE_DOWN ? page
                                            : 0;
    if (screen_special_step(screen, action))
        return DIRTY_DRAW | DIRTY_FOLLOW;
    if (rows != 0) {
        view_arrange(&screen->view); /* keys of the same burst may have changed the text */
        editor_move_rows(editor, &screen->view.prompt_layout, rows);
    } else if (action == ACTION_NEWLINE) {
        editor_insert(editor, "\n", 1);
    } else {
        typing_act(editor, action);
    }
    return DIRTY_ALL;
}

/* -- choosing ------------------------------------------------------------------------------------------------------ */

static unsigned choose_token(struct screen *screen, long token)
{
    long count = (long)screen->explanation->output_count;
    if (count == 0)
        return DIRTY_NONE;
    screen->following = false;
    screen->view.token = token < 0 ? 0 : token >= count ? (size_t)count - 1 : (size_t)token;
    screen->view.choice = 0;
    return DIRTY_DRAW | DIRTY_FOLLOW;
}

static unsigned choose_candidate(struct screen *screen, int by)
{
    int choices[VIEW_CHOICES], count = view_choices(&screen->view, choices), at = 0;
    while (at < count && choices[at] != screen->view.choice)
        at++;
    at += by;
    if (at < 0 || at >= count)
        return DIRTY_NONE;
    screen->view.choice = choices[at];
    return DIRTY_DRAW | DIRTY_FOLLOW;
}

/* The output before the chosen token, and the choice, become the end of the prompt, which is continued. */
static unsigned append_output(struct screen *screen)
{
    struct view *view = &screen->view;
    size_t length;
    if (view->token >= screen->explanation->output_count || view_is_stale(view)) {
        screen_say(screen, true, "there is no output of this prompt to take; continue it first");
        return DIRTY_DRAW;
    }
    const char *text = view_token_text(view, view_choice_id(view, view->choice), &length);
    size_t before = view->token > 0 ? view->said.ends[view->token - 1] : 0;
    char *joined = malloc(before + length + 1);
    if (!joined)
        return DIRTY_NONE;
    for (size_t i = 0; i < before; i++)
        joined[i] = view->said.text[i];
    for (size_t i = 0; i < length; i++)
        joined[before + i] = text[i];
    editor_move(&screen->editor, MOTION_TEXT_END);
    if (utf8_check(joined, before + length) < before + length)
        screen_say(screen, true, "the choice ends within a character; choose a later token");
    else
        editor_paste(&screen->editor, joined, before + length);
    free(joined);
    view_arrange(view);
    return view->message[0] ? DIRTY_DRAW : screen_submit(screen);
}

/* -- mouse --------------------------------------------------------------------------------------------------------- */

static unsigned click(struct screen *screen, const struct key *key)
{
    struct view *view = &screen->view;
    size_t byte, token;
    int choice;
    if (screen_picture_click(screen, key->row, key->column))
        return DIRTY_ALL;
    if (view_special_at(view, key->row, key->column, &view->special)) {
        view->focus = PLACE_EDITOR;
    } else if (view_prompt_at(view, key->row, key->column, &byte) ||
               view_before_prompt_at(view, key->row, key->column, &byte)) {
        view->focus = PLACE_EDITOR;
        view->special = -1;
        editor_move_to(&screen->editor, byte);
    } else if (view_token_at(view, key->row, key->column, &token) ||
               view_before_token_at(view, key->row, key->column, &token)) {
        view->focus = PLACE_OUTPUT;
        return choose_token(screen, (long)token) | DIRTY_ALL;
    } else if (view_choice_at(view, key->row, key->column, &choice)) {
        view->focus = PLACE_OUTPUT;
        view->choice = choice;
    } else {
        return DIRTY_NONE;
    }
    return DIRTY_ALL;
}

static int clamp_first(int first, int rows, int total)
{
    first = first > total - rows ? total - rows : first;
    return first < 0 ? 0 : first;
}

static unsigned wheel(struct screen *screen, const struct key *key)
{
    struct view *view = &screen->view;
    int by = key->key == KEY_WHEEL_UP ? -2 : 2;
    if (view_inside(view->prompt, key->row, key->column))
        view->prompt_first = clamp_first(view->prompt_first + by, view->prompt.rows, view->prompt_layout.rows);
    else if (view_inside(view->output, key->row, key->column))
        view->output_first = clamp_first(view->output_first + by, view->output.rows, view->said.layout.rows);
    else if (view_inside(view->candidates, key->row, key->column))
        return choose_candidate(screen, by / 2);
    return DIRTY_DRAW;
}

/* -- all keys ------------------------------------------------------------------------------------------------------ */

static unsigned cancel(struct screen *screen, int key)
{
    unsigned dirty = screen_cancel(screen);
    if (!dirty && key != ('C' & 31))
        dirty = screen_answers_close(screen);
    if (dirty || key != ('C' & 31))
        return dirty | DIRTY_DRAW;
    if (screen->quit_asked)
        screen->quit = true;
    screen->quit_asked = true;
    screen_say(screen, false, "nothing runs; ^C again quits");
    return DIRTY_DRAW;
}

/* A letter is soon pressed by who takes the output for the prompt: not at the price of what was typed there. */
static unsigned quit(struct screen *screen, int key)
{
    bool lost = !screen->replay && screen->editor.length > 0 && view_is_stale(&screen->view) &&
                !screen_history_has(screen);
    screen->quit = key != 'q' || !lost || screen->quit_asked;
    screen->quit_asked = true;
    if (!screen->quit)
        screen_say(screen, false, "this prompt has not been measured and would be lost; q again quits");
    return DIRTY_DRAW;
}

/* The keys of where one is come first; who writes the prompt looks for other keys than those of writing. */
static unsigned show_help(struct screen *screen)
{
    enum key_place focus = screen->view.focus;
    if (screen->replay)
        dialog_show_help(&screen->dialog, PLACE_REPLAY, screen_replay_shows);
    else
        dialog_show_help(&screen->dialog, focus == PLACE_EDITOR ? PLACE_ANY : focus, NULL);
    return DIRTY_DRAW;
}

static unsigned show_models(struct screen *screen)
{
    struct error error;
    if (dialog_show_models(&screen->dialog, screen->options->paths, &error) != 0)
        screen_fail(screen, error.message, "-m FILE opens one");
    return DIRTY_DRAW;
}

/* Prompt, output, picture, prompt. */
static unsigned next_pane(struct screen *screen)
{
    struct view *view = &screen->view;
    if (view->focus == PLACE_OUTPUT && view_has_picture(view))
        return screen_picture_focus(screen);
    view->focus = view->focus == PLACE_EDITOR ? PLACE_OUTPUT : PLACE_EDITOR;
    return DIRTY_ALL;
}

/* What is asked of the output and of the prompt's text. */
static unsigned act_on_text(struct screen *screen, enum action action)
{
    struct view *view = &screen->view;
    switch (action) {
    case ACTION_APPEND:
        return append_output(screen);
    case ACTION_CONTRAST:
        return screen_contrast(screen);
    case ACTION_FOIL:
        return screen_ask_foil(screen);
    case ACTION_SCALE:
        view->shared_scale = !view->shared_scale;
        return DIRTY_DRAW;
    case ACTION_TOKEN_LEFT:
        return choose_token(screen, (long)view->token - 1);
    case ACTION_TOKEN_RIGHT:
        return choose_token(screen, (long)view->token + 1);
    case ACTION_TOKEN_FIRST:
        return choose_token(screen, 0);
    case ACTION_TOKEN_LAST:
        return choose_token(screen, (long)screen->explanation->output_count - 1);
    case ACTION_CHOICE_UP:
        return choose_candidate(screen, -1);
    case ACTION_CHOICE_DOWN:
        return choose_candidate(screen, 1);
    default:
        if (action == ACTION_KILL_START && view->sampled && !view_is_stale(view))
            screen_pictures_clear(screen); /* a whole sample goes, as its hint says */
        return view->focus == PLACE_EDITOR ? edit(screen, action) : DIRTY_NONE;
    }
}

static unsigned redraw(struct screen *screen)
{
    clearok(curscr, TRUE);
    graphics_damage(&screen->graphics);
    return DIRTY_DRAW;
}

static unsigned act(struct screen *screen, enum action action, int key)
{
    switch (action) {
    case ACTION_CONTINUE:
        return screen_submit(screen);
    case ACTION_CANCEL:
        return cancel(screen, key);
    case ACTION_UNITS:
    case ACTION_IMAGE_UNITS:
    case ACTION_FACTOR:
    case ACTION_SUPPRESSION:
    case ACTION_SIMILARITY:
    case ACTION_CHAT:
    case ACTION_TOKENS_MORE:
    case ACTION_TOKENS_LESS:
        return screen_setting(screen, action);
    case ACTION_ZOOM:
        return screen_zoom(screen);
    case ACTION_SPECIALS:
        return screen_specials(screen);
    case ACTION_PATHS:
        return screen_paths(screen);
    case ACTION_COLOURS:
        return screen_colours(screen);
    case ACTION_PROOF:
    case ACTION_PAIRS:
        return screen_answer(screen, action == ACTION_PROOF ? INQUIRY_PROOF : INQUIRY_PAIRS);
    case ACTION_MARK:
        return screen_mark(screen);
    case ACTION_MIX_UP:
    case ACTION_MIX_DOWN:
        return screen_mix(screen, action == ACTION_MIX_UP ? 1 : -1);
    case ACTION_MIX_RESET:
        return screen_mix_reset(screen);
    case ACTION_COMPARE:
        return screen_compare(screen);
    case ACTION_PIN:
        return screen_pin(screen);
    case ACTION_PANE:
        return next_pane(screen);
    case ACTION_DEVICE:
        return screen_device(screen);
    case ACTION_OPEN:
        return show_models(screen);
    case ACTION_SAVE:
        return screen_ask_save(screen);
    case ACTION_RECORD:
        return screen_ask_record(screen);
    case ACTION_HELP:
        return show_help(screen);
    case ACTION_REDRAW:
        return redraw(screen);
    case ACTION_QUIT:
        return quit(screen, key);
    default:
        return action >= ACTION_SAMPLE && action <= ACTION_READ ? screen_prompt_act(screen, action)
               : action >= ACTION_PICTURE_ADD && action <= ACTION_PATCH_BEST
                   ? screen_picture_act(screen, action)
                   : act_on_text(screen, action);
    }
}

static unsigned dialog_takes(struct screen *screen, const struct key *key)
{
    const char *answer = dialog_key(&screen->dialog, key);
    if (!answer) {
        screen->replace_asked = false;
        return DIRTY_DRAW;
    }
    if (screen->dialog.kind == DIALOG_SAVE)
        return screen_save(screen, answer);
    if (screen->dialog.kind == DIALOG_FOIL)
        return screen_foil(screen, answer);
    if (screen->dialog.kind == DIALOG_PICTURE)
        return screen_picture_add(screen, answer);
    if (screen->dialog.kind == DIALOG_PROMPT)
        return screen_read_prompt(screen, answer);
    if (screen->dialog.kind == DIALOG_HISTORY)
        return screen_history_picked(screen);
    if (screen->dialog.kind == DIALOG_RECORD)
        return screen_record(screen, answer);
    unsigned dirty = screen_load(screen, answer);
    dialog_close(&screen->dialog);
    return dirty | DIRTY_DRAW;
}

unsigned screen_keys(struct screen *screen)
{
    unsigned dirty = DIRTY_NONE;
    size_t count = screen->terminal.key_count;
    for (size_t i = 0; i < count && !screen->quit; i++) {
        const struct key *key = &screen->terminal.keys[i];
        bool asked = screen->quit_asked;
        unsigned taken;
        if (screen->view.message[0])
            dirty |= DIRTY_DRAW;
        screen->view.message[0] = '\0';
        enum action action = screen->replay ? screen_replay_action(screen, key, &dirty)
                             : typing_is_text(key) && screen->view.focus == PLACE_EDITOR
                                 ? ACTION_NONE
                                 : keys_action(key->key, screen->view.focus);
        if (action == ACTION_QUIT && (key->key < ' ' || !dialog_is_open(&screen->dialog)))
            dirty |= quit(screen, key->key);
        else if (dialog_is_open(&screen->dialog))
            dirty |= dialog_takes(screen, key);
        else if (screen_offer_key(screen, key, &taken))
            dirty |= taken;
        else if (key->key == KEY_CLICK)
            dirty |= click(screen, key);
        else if (key->key == KEY_WHEEL_UP || key->key == KEY_WHEEL_DOWN)
            dirty |= wheel(screen, key);
        else if (action != ACTION_NONE)
            dirty |= act(screen, action, key->key);
        else if (!screen->replay && typing_is_text(key) && screen->view.focus == PLACE_EDITOR) {
            i += insert_text(screen, i) - 1;
            screen->view.special = -1;
            dirty |= DIRTY_ALL;
        }
        if (asked)
            screen->quit_asked = false;
    }
    return dirty;
}
