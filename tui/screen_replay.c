/* screen_replay.c: the screen driven by a recording in place of a worker. */
#include "tui/screen_state.h"

#include <curses.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tui/scene_layout.h"
#include "tui/typing.h"

#define SLOWEST 0.25
#define FASTEST 16.0

enum { STEP_MS = 5000 };

/* -- showing ------------------------------------------------------------------------------------------------------- */

/* A text with its length before it, into room of `size`; false: it does not fit. */
static bool take_text(struct bytes_reader *in, char *to, size_t size)
{
    size_t length = bytes_take_count(in);
    const uint8_t *text = length < size ? bytes_take(in, length) : NULL;
    if (!text || memchr(text, 0, length) || utf8_check((const char *)text, length) < length)
        return false;
    memcpy(to, text, length);
    to[length] = '\0';
    return true;
}

static bool take_settings(struct screen *screen)
{
    struct replay *replay = screen->replay;
    struct bytes_reader in = scene_read(&replay->player.scene, SCENE_SETTINGS, 0);
    struct request settings = {.units = replay->units, .image_units = replay->image_units};
    if (!shape_take(&layout_settings, &settings, &in) || settings.method.suppression > SUPPRESS_LOG_ADDITIVE ||
        !take_text(&in, replay->units, sizeof replay->units) ||
        !take_text(&in, replay->image_units, sizeof replay->image_units) ||
        !take_text(&in, replay->loading, sizeof replay->loading))
        return false;
    screen->settings = settings;
    screen->view.loading = replay->loading;
    return true;
}

static bool take_editor(struct screen *screen)
{
    struct bytes_reader in = scene_read(&screen->replay->player.scene, SCENE_EDITOR, 0);
    struct editor facts = {0};
    if (!shape_take(&layout_editor, &facts, &in))
        return false;
    size_t length = (size_t)(in.end - in.at);
    if (facts.cursor > length || utf8_check((const char *)in.at, length) < length)
        return false;
    editor_free(&screen->editor); /* what was typed cannot be undone: it is not here that it was */
    screen->editor = (struct editor){0};
    editor_set(&screen->editor, (const char *)in.at, length);
    if (screen->editor.length == length)
        editor_move_to(&screen->editor, facts.cursor);
    return true;
}

static bool take_images(struct screen *screen)
{
    const struct player *player = &screen->replay->player;
    struct bytes_reader in = scene_read(&player->scene, SCENE_EDITED_IMAGES, 0);
    screen_pictures_clear(screen);
    while (in.at < in.end) {
        uint64_t number = bytes_take_count(&in);
        if (number >= player->image_count || screen->image_count == SCREEN_IMAGES)
            return false;
        screen_picture_put(screen, image_keep(player->images[number]), NULL);
    }
    return !in.bad;
}

static bool take_steers(struct screen *screen)
{
    struct bytes_reader in = scene_read(&screen->replay->player.scene, SCENE_STEERS, 0);
    screen->view.steer_count = 0;
    for (size_t n = 0; in.at < in.end; n++) {
        if (n == MIX_UNITS || !shape_take(&layout_steer, &screen->steers[n], &in) || screen->steers[n].unit < 0)
            return false;
        screen->view.steer_count = n + 1;
    }
    return true;
}

static bool take_view(struct screen *screen)
{
    struct bytes_reader in = scene_read(&screen->replay->player.scene, SCENE_VIEW, 0);
    struct view view = screen->view;
    const struct explanation *e = screen->explanation;
    if (!shape_take(&layout_view, &view, &in) || view.paths >= MAP_PATHS || view.special < -1 ||
        view.special >= (long)e->token_count || view.marked < -1 || view.marked >= (long)e->unit_count ||
        view.focus < PLACE_OUTPUT || view.focus > PLACE_EDITOR || view.side > SIDE_PAIRS ||
        view.picture_mode >= PICTURE_MODES || view.choice < 0 || view.choice > MAP_TYPED ||
        !(view.opacity >= 0 && view.opacity <= 1) || (view.shown > 0 && view.shown >= screen->image_count) ||
        (view.focus == PLACE_PICTURE && screen->image_count == 0))
        return false;
    screen->view = view;
    return true;
}

static bool take_compare(struct screen *screen)
{
    struct replay *replay = screen->replay;
    struct view_compare *compare = &screen->view.compare;
    struct bytes_reader in = scene_read(&replay->player.scene, SCENE_COMPARE, 0);
    uint64_t kept = bytes_take_number(&in, 1), pin = bytes_take_number(&in, 1), mode = bytes_take_number(&in, 1);
    if (pin > PIN_KEPT || mode > COMPARE_BESIDE || !shape_take(&layout_about, &screen->about, &in) ||
        !shape_take(&layout_about, &replay->kept.about, &in) || (kept && !replay->player.kept_tokenizer))
        return false;
    replay->kept.explanation = replay->player.explanations[2];
    replay->kept.tokenizer = replay->player.kept_tokenizer;
    compare->kept = kept ? &replay->kept : NULL;
    compare->pin = (enum pin)pin;
    compare->mode = (enum compare_mode)mode;
    compare->aligned = false;
    return true;
}

static void stop_damaged(struct screen *screen, const char *why)
{
    screen->replay->player.paused = true;
    screen_say(screen, true, "%s", why);
}

/* What is now at the player's moment. */
static void show(struct screen *screen)
{
    struct player *player = &screen->replay->player;
    struct error error;
    if (player_take(player, &error) != 0) {
        stop_damaged(screen, error.message);
        return;
    }
    if (!screen->replay->showing) {
        explanation_free(screen->explanation);
        explanation_free(screen->mixed);
    }
    screen->replay->showing = true;
    screen->explanation = player->explanations[0];
    screen->mixed = player->explanations[1];
    screen->view.explanation = screen->explanation;
    screen->view.mixed = screen->mixed;
    screen->view.info = player->info;
    screen->view.tokenizer = player->tokenizer;
    screen->submitted = screen->explanation->request;
    if (!take_settings(screen) || !take_editor(screen) || !take_images(screen) || !take_steers(screen) ||
        !take_view(screen) || !take_compare(screen))
        stop_damaged(screen, "the recording is damaged here");
    else if (player_ended(player) && player->damaged)
        screen_say(screen, true, "the recording breaks off here");
}

/* What stands in place of the hints: where it is, how fast, and what the space bar does. */
static void describe(struct replay *replay)
{
    const struct player *player = &replay->player;
    int at = (int)(player->at / 1000), end = (int)(player->end / 1000);
    snprintf(replay->line, sizeof replay->line, "%d:%02d/%d:%02d x%g  Space: %s  q quit", at / 60, at % 60, end / 60,
             end % 60, player->speed,
             player_ended(player) ? "again" : player->paused ? "go on" : "pause");
}

unsigned screen_replay_tick(struct screen *screen)
{
    int second = (int)(screen->replay->player.at / 1000);
    bool changed = player_tick(&screen->replay->player, screen_now());
    if (changed)
        show(screen);
    describe(screen->replay);
    return changed ? DIRTY_ALL : second != (int)(screen->replay->player.at / 1000) ? DIRTY_DRAW : DIRTY_NONE;
}

int screen_replay_due(const struct screen *screen)
{
    const struct player *player = &screen->replay->player;
    int due = player_due(player), second = (int)((1000 - fmod(player->at, 1000)) / player->speed) + 1;
    return due < 0 || due < second ? due : second;
}

int screen_replay_open(struct screen *screen, const char *path, double speed, struct error *error)
{
    screen->replay = calloc(1, sizeof *screen->replay);
    if (!screen->replay)
        return error_set(error, ERROR_MEMORY, "there is no memory for a replay");
    int code = player_open(path, &screen->replay->player, error);
    screen->replay->player.speed = speed;
    return code;
}

void screen_replay_begin(struct screen *screen)
{
    describe(screen->replay);
    screen->view.replay = screen->replay->line;
    show(screen);
}

void screen_replay_close(struct screen *screen)
{
    if (!screen->replay)
        return;
    if (screen->replay->showing) /* they are the player's */
        screen->explanation = screen->mixed = NULL;
    player_close(&screen->replay->player);
    free(screen->replay);
    screen->replay = NULL;
}

/* -- keys ---------------------------------------------------------------------------------------------------------- */

static unsigned seek(struct screen *screen, double to)
{
    player_seek(&screen->replay->player, to);
    show(screen);
    return DIRTY_ALL;
}

static unsigned seek_explanation(struct screen *screen, bool next)
{
    player_seek_explanation(&screen->replay->player, next);
    show(screen);
    return DIRTY_ALL;
}

static unsigned go_on(struct screen *screen)
{
    struct player *player = &screen->replay->player;
    unsigned dirty = DIRTY_DRAW;
    if (player_ended(player))
        dirty = seek(screen, 0);
    else if (player->paused)
        show(screen); /* what was looked at meanwhile is over */
    player->paused = !player->paused;
    return dirty | DIRTY_ALL;
}

static unsigned control(struct screen *screen, enum action action)
{
    struct player *player = &screen->replay->player;
    switch (action) {
    case ACTION_REPLAY_PAUSE:
        return go_on(screen);
    case ACTION_REPLAY_FASTER:
        player->speed = fmin(player->speed * 2, FASTEST);
        return DIRTY_DRAW;
    case ACTION_REPLAY_SLOWER:
        player->speed = fmax(player->speed / 2, SLOWEST);
        return DIRTY_DRAW;
    case ACTION_REPLAY_BACK:
        return seek(screen, player->at - STEP_MS);
    case ACTION_REPLAY_ON:
        return seek(screen, player->at + STEP_MS);
    case ACTION_REPLAY_FORMER:
        return seek_explanation(screen, false);
    case ACTION_REPLAY_NEXT:
        return seek_explanation(screen, true);
    case ACTION_REPLAY_START:
        return seek(screen, 0);
    case ACTION_REPLAY_END:
        return seek(screen, player->end);
    default:
        return DIRTY_NONE;
    }
}

/* What one may do with what is there: choose, look, save. */
static bool is_looking(enum action action)
{
    static const enum action looking[] = {
        ACTION_PANE, ACTION_SAVE, ACTION_HELP, ACTION_REDRAW, ACTION_QUIT, ACTION_SCALE, ACTION_COLOURS,
        ACTION_CONTRAST, ACTION_SPECIALS, ACTION_COMPARE, ACTION_PROOF, ACTION_PAIRS, ACTION_TOKEN_LEFT,
        ACTION_TOKEN_RIGHT, ACTION_TOKEN_FIRST, ACTION_TOKEN_LAST, ACTION_CHOICE_UP, ACTION_CHOICE_DOWN,
        ACTION_PICTURE_NEXT, ACTION_PICTURE_MODE, ACTION_HEAT_MORE, ACTION_HEAT_LESS, ACTION_PATCH_LEFT,
        ACTION_PATCH_RIGHT, ACTION_PATCH_UP, ACTION_PATCH_DOWN, ACTION_PATCH_BEST, ACTION_LEFT, ACTION_RIGHT,
        ACTION_UP, ACTION_DOWN, ACTION_PAGE_UP, ACTION_PAGE_DOWN, ACTION_WORD_LEFT, ACTION_WORD_RIGHT,
        ACTION_LINE_START, ACTION_LINE_END, ACTION_TEXT_START, ACTION_TEXT_END, ACTION_PATHS,
    };
    for (size_t i = 0; i < sizeof looking / sizeof *looking; i++)
        if (looking[i] == action)
            return true;
    return false;
}

bool screen_replay_shows(const struct key_binding *binding)
{
    return binding->place == PLACE_REPLAY || (binding->place == PLACE_ANY && is_looking(binding->action));
}

/* While it plays the arrows go back and on; else they look around, as always. */
static bool is_arrow(int key)
{
    return key == KEY_LEFT || key == KEY_RIGHT || key == KEY_HOME || key == KEY_END;
}

enum action screen_replay_action(struct screen *screen, const struct key *key, unsigned *dirty)
{
    struct player *player = &screen->replay->player;
    enum action action = keys_action(key->key, PLACE_REPLAY);
    if (dialog_is_open(&screen->dialog))
        return action;
    if (action == ACTION_NONE || (player->paused && is_arrow(key->key)))
        action = keys_action(key->key, screen->view.focus);
    if (action >= ACTION_REPLAY_PAUSE && action <= ACTION_REPLAY_END) {
        *dirty |= control(screen, action);
        describe(screen->replay);
        return ACTION_NONE;
    }
    if (action == ACTION_HELP || action == ACTION_REDRAW || action == ACTION_QUIT)
        return action;
    if (is_looking(action) || key->key == KEY_CLICK) {
        player->paused = true;
        describe(screen->replay);
        *dirty |= DIRTY_DRAW;
        return action;
    }
    if (action != ACTION_NONE || typing_is_text(key)) {
        screen_say(screen, true, "this is a recording, with no model to ask; ? lists the keys");
        *dirty |= DIRTY_DRAW;
    }
    return ACTION_NONE;
}
