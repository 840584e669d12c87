/* screen_state.h: what the parts of the interactive screen share.
 *
 * screen.c has its life and its loop,
 * screen_work.c talks to the worker,
 * screen_answer.c asks it more,
 * screen_contrast.c compares choices,
 * screen_compare.c compares explanations,
 * screen_mix.c turns units up and down,
 * screen_paths.c follows the output as it is written, and chooses which paths are shown,
 * screen_units.c zooms into units and walks among the specials,
 * screen_picture.c has the pictures,
 * screen_prompt.c puts other prompts in the place of the one that is written,
 * screen_save.c writes files,
 * screen_keys.c turns keys into actions.
 * None of their handlers draws: they return what has become dirty. */
#ifndef TUI_SCREEN_STATE_H
#define TUI_SCREEN_STATE_H

#include "tui/dialog.h"
#include "tui/fetcher.h"
#include "tui/graphics.h"
#include "tui/history.h"
#include "tui/loader.h"
#include "tui/offer.h"
#include "tui/player.h"
#include "tui/recorder.h"
#include "tui/samples.h"
#include "tui/screen.h"
#include "tui/view.h"

enum { MIX_UNITS = 32, SCREEN_IMAGES = SEQUENCE_PICTURES, SCREEN_ZOOMS = 64 };

enum dirty {
    DIRTY_NONE = 0,
    DIRTY_DRAW = 1,   /* something looks different */
    DIRTY_TEXT = 2,   /* the prompt, the output or their places changed: arrange, then draw */
    DIRTY_FOLLOW = 4, /* the cursor or the choice moved: scroll to it */
    DIRTY_ALL = 7,
};

/* A whole prompt that is put aside. */
struct screen_prompt {
    char *text; /* NULL: none is */
    size_t length;
    struct image *images[SCREEN_IMAGES]; /* an owner of each */
    char *image_paths[SCREEN_IMAGES];
    size_t image_count;
};

/* A recording that is played in place of a worker. */
struct replay {
    struct player player;
    bool showing; /* the screen's explanations are the player's */
    struct kept kept; /* so is what this holds */
    char units[256], image_units[32], loading[256]; /* texts of the settings, and of the view */
    char line[80];                                  /* in place of the hints */
};

struct screen {
    const struct screen_options *options;
    struct terminal terminal;
    struct editor editor;
    struct explanation *explanation;
    struct explanation *mixed;       /* the output with the units below turned up or down */
    struct kept *kept;               /* to compare the explanation with; NULL: none */
    struct about about, asked;       /* what it was asked; what the latest request asks */
    struct steer steers[MIX_UNITS];
    bool mix_latest; /* the worker's latest request is that of the mix: events are about it */
    bool mix_wanted; /* as soon as the measurement is done */
    struct loaded loaded;
    struct loader loader;
    struct fetcher fetcher;
    struct dialog dialog;
    struct samples samples;
    struct offer offer;         /* what an empty start offers */
    struct history history;     /* the prompts that were measured */
    size_t recalled;            /* the one that stands in the prompt; history.count: none */
    struct screen_prompt draft; /* what was typed before one was recalled */
    struct view view;
    struct graphics graphics;
    struct image *images[SCREEN_IMAGES]; /* of the prompt; an owner of each */
    char *image_paths[SCREEN_IMAGES];    /* absolute; NULL: not known */
    size_t image_count;
    char prompt_name[PATHS_LENGTH];  /* the last file that a prompt was read from */
    char picture_name[PATHS_LENGTH]; /* the folder of the last picture that was added */
    struct request settings; /* prompt fields unused; units and method as chosen */
    struct zoom zooms[SCREEN_ZOOMS]; /* where the prompt is cut finer than that */
    size_t zoom_count;
    struct recorder *recorder; /* NULL: nothing is recorded */
    struct replay *replay;     /* NULL: there is a worker, or will be */
    char save_name[PATHS_LENGTH];
    bool replace_asked;      /* Enter once on the name of a file that is there */
    bool following;          /* the chosen token is the newest one that is measured, until the output is there */
    size_t followed_from;    /* then this one is chosen again */
    int64_t follow_start, followed_at; /* since when, and when it last changed, milliseconds */
    uint64_t submitted;      /* number of the latest request, 0: none */
    int64_t since; /* screen_now() when what view_waits() for began */
    bool quit, quit_asked;   /* asked: ^C once while nothing runs, q once where it would lose a prompt */
    bool first_load;         /* the first model is not there yet */
    bool measure_loaded;     /* the prompt is to be measured as soon as it is */
    bool on_cpu;             /* models are opened on the CPU, whatever device was asked for */
    int code;                /* why we quit, if that is an error */
    struct error error;
};

/* Milliseconds of a clock that only goes forward. */
int64_t screen_now(void);

/* -- screen_work.c: what is asked of the worker, and what it says -------------------------------------------------- */

/* Show a line until the next key; bad: it is an error. */
void screen_say(struct screen *, bool bad, const char *format, ...) __attribute__((format(printf, 3, 4)));
/* Show what went wrong, and where the message does not say what to do, the advice. */
void screen_fail(struct screen *, const char *message, const char *advice);
/* Continue and explain the prompt as it is now. */
unsigned screen_submit(struct screen *);
/* The next scale of colours. */
unsigned screen_colours(struct screen *);
/* The same again: the mix stays. */
unsigned screen_measure(struct screen *);
unsigned screen_cancel(struct screen *);
/* Take all events that wait. */
unsigned screen_events(struct screen *);
unsigned screen_load(struct screen *, const char *path);
/* Open the model again, on the CPU in place of the device that was asked for, or back on that. */
unsigned screen_device(struct screen *);
/* The loader is done. */
unsigned screen_loaded(struct screen *);
/* The next (or former) value of a setting; the prompt is explained anew. */
unsigned screen_setting(struct screen *, enum action);

/* -- screen_contrast.c --------------------------------------------------------------------------------------------- */

/* The chosen one rather than another, or back to what supports it. */
unsigned screen_contrast(struct screen *);
/* Ask for what could stand in place of the chosen token. */
unsigned screen_ask_foil(struct screen *);
/* Compare the output with it, at the first token where they differ. */
unsigned screen_foil(struct screen *, const char *text);
/* Ask the worker for what was typed, where that is needed: the answer is an EVENT_CHOSEN. */
void screen_retarget(struct screen *);

/* -- screen_compare.c ---------------------------------------------------------------------------------------------- */

/* What was cycled through: the explanation alone, what changed, both side by side. */
unsigned screen_compare(struct screen *);
/* The one on the screen stays that with which all that follows is compared, or it does no more. */
unsigned screen_pin(struct screen *);
/* The explanation has changed: a new prompt may leave the former one to be kept. */
unsigned screen_compare_event(struct screen *, enum event_kind);
/* The explanation is about to leave the screen for another model.  true: it is kept, and not the caller's any more. */
bool screen_compare_leave(struct screen *, const struct engine_info *next, bool chat);

/* -- screen_answer.c ----------------------------------------------------------------------------------------------- */

/* Ask for the proof of the choice or the pairs of its strongest units, show what is there, or go back to the
 * candidates. */
unsigned screen_answer(struct screen *, enum inquiry_kind);
/* Mark the unit under the cursor; if another is marked, ask about the two. */
unsigned screen_mark(struct screen *);
/* Back to the candidates, nothing marked; DIRTY_NONE where that is so. */
unsigned screen_answers_close(struct screen *);
/* The same without a word: the prompt is explained anew. */
void screen_answers_clear(struct screen *);
/* An event of an answer was folded. */
unsigned screen_answer_event(struct screen *, enum event_kind);
bool screen_answers_busy(const struct screen *);
/* The worker's next request will end what is being worked out, and not say so. */
void screen_answers_end(struct screen *);

/* -- screen_mix.c -------------------------------------------------------------------------------------------------- */

/* Turn the unit under the cursor up (1) or down (-1), and write the output anew with it. */
unsigned screen_mix(struct screen *, int by);
/* All units as they are, and the mixed output gone. */
unsigned screen_mix_reset(struct screen *);
/* Write the mixed output, now or when the measurement is done. */
void screen_mix_start(struct screen *);
/* An event of the mix was folded. */
unsigned screen_mix_event(struct screen *, enum event_kind);

/* -- screen_paths.c ------------------------------------------------------------------------------------------------ */

/* The map of all paths, of direct ones, or of the others. */
unsigned screen_paths(struct screen *);
/* A request was submitted: show the map of its newest token from the first to the last; then that of the chosen one. */
void screen_follow_start(struct screen *);
/* An event of it was folded. */
unsigned screen_follow(struct screen *, enum event_kind);

/* -- screen_units.c ------------------------------------------------------------------------------------------------ */

/* Cut the unit under the cursor finer, in the output pane the strongest that can be; at the finest, back out. */
unsigned screen_zoom(struct screen *);
/* Show the special tokens, or fold them away. */
unsigned screen_specials(struct screen *);
/* The cursor goes among the specials, which stand before the text, or steps there, or comes back; false: the action is
 * another one, and the cursor is in the text. */
bool screen_special_step(struct screen *, enum action);

/* -- screen_picture.c ---------------------------------------------------------------------------------------------- */

/* Add an image to the prompt's; false: there are too many.  Takes it over.  path: its file's, or NULL. */
bool screen_picture_put(struct screen *, struct image *, const char *path);
void screen_pictures_clear(struct screen *);
/* Read the file; when that is done, add the picture and explain the prompt with it. */
unsigned screen_picture_add(struct screen *, const char *path);
unsigned screen_picture_fetched(struct screen *);
/* Go to the picture, and to its strongest patch if none is chosen. */
unsigned screen_picture_focus(struct screen *);
/* A click on the picture chooses a patch; false: there is no picture. */
bool screen_picture_click(struct screen *, int row, int column);
/* What is done in the picture's pane, and with pictures. */
unsigned screen_picture_act(struct screen *, enum action);

/* -- screen_prompt.c ----------------------------------------------------------------------------------------------- */

/* What puts another prompt in the place of the one that is written: a sample, which is measured, former ones, a
 * file. */
unsigned screen_prompt_act(struct screen *, enum action);
/* A key for the samples that an empty start offers; false: it is none of theirs, or they are not shown. */
bool screen_offer_key(struct screen *, const struct key *, unsigned *dirty);
/* The prompt is going to be measured: keep it. */
void screen_history_add(struct screen *);
/* Whether what is written is its newest entry. */
bool screen_history_has(const struct screen *);
void screen_history_free(struct screen *);
/* What was picked in the list of them. */
unsigned screen_history_picked(struct screen *);
/* Put the text of a file in the place of the prompt. */
unsigned screen_read_prompt(struct screen *, const char *path);

/* -- screen_save.c ------------------------------------------------------------------------------------------------- */

/* Ask for the name of a file. */
unsigned screen_ask_save(struct screen *);
/* Write the explanation to it, in the format that its ending says; what is there is replaced when asked twice. */
unsigned screen_save(struct screen *, const char *path);

/* -- screen_record.c ----------------------------------------------------------------------------------------------- */

/* Record from here on, into a new file; with `replace_asked` into one that is there. */
int screen_record_start(struct screen *, const char *path, struct error *);
/* The screen is another: keep what it is now, at once (hurry) or soon. */
void screen_record_frame(struct screen *, bool hurry);
/* Do what is due: keep what the screen is, write what was kept. */
unsigned screen_record_tick(struct screen *);
/* Milliseconds until that has something to do; -1: nothing. */
int screen_record_due(const struct screen *);
/* Write the rest, without a word. */
void screen_record_end(struct screen *);
/* The line was dropped, and nothing was recorded: keep what the screen is. */
void screen_record_lost(struct screen *);
/* Say so if that was the end of the last session. */
void screen_record_found(struct screen *);
/* Ask for the name of a file to record to; or stop recording. */
unsigned screen_ask_record(struct screen *);
unsigned screen_record(struct screen *, const char *path);

/* -- screen_replay.c ----------------------------------------------------------------------------------------------- */

/* Open a recording.  Errors of player_open(). */
int screen_replay_open(struct screen *, const char *path, double speed, struct error *);
/* Show its beginning. */
void screen_replay_begin(struct screen *);
void screen_replay_close(struct screen *); /* its explanations are the screen's: they are gone with it */
/* Go on playing. */
unsigned screen_replay_tick(struct screen *);
/* Milliseconds until it goes on; -1: it does not. */
int screen_replay_due(const struct screen *);
/* Act on a key that controls the replay; else the action that it may have here. */
enum action screen_replay_action(struct screen *, const struct key *, unsigned *dirty);
/* Whether the list of keys has a row while a recording is played. */
bool screen_replay_shows(const struct key_binding *);

/* -- screen_keys.c ------------------------------------------------------------------------------------------------- */

/* Act on all keys just read. */
unsigned screen_keys(struct screen *);

#endif
