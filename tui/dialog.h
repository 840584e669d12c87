/* dialog.h: what opens over the panes: the list of keys, the list of models, and questions that a line answers.
 *
 * Owns which one is open, its scrolling, the line that is written and its drawing.  Takes keys while open; loads and
 * saves nothing. */
#ifndef TUI_DIALOG_H
#define TUI_DIALOG_H

#include <stdbool.h>
#include <stddef.h>

#include "tui/editor.h"
#include "tui/history.h"
#include "tui/keys.h"
#include "tui/paint.h"
#include "tui/paths.h"

/* DIALOG_SAVE: the name of a file.  DIALOG_PICTURE: that of a picture, which Tab completes.
 * DIALOG_PROMPT: that of a text file, which Tab completes too.  DIALOG_RECORD: that of a recording.
 * DIALOG_FOIL: what could stand in place of an output token. */
enum dialog_kind { DIALOG_NONE, DIALOG_HELP, DIALOG_OPEN, DIALOG_HISTORY, DIALOG_SAVE, DIALOG_FOIL, DIALOG_PICTURE,
                   DIALOG_PROMPT, DIALOG_RECORD };

struct dialog {
    enum dialog_kind kind;
    struct area area;            /* as last drawn */
    int first, rows, total;      /* of the list: first row shown, rows that fit, rows there are */
    struct paths_entry *entries; /* DIALOG_OPEN */
    size_t count, chosen;
    enum key_place place; /* DIALOG_HELP */
    bool (*shows)(const struct key_binding *);
    const char *folder; /* where models are looked for; borrowed */
    const struct history *history; /* DIALOG_HISTORY: borrowed */
    size_t *matches;               /* [count] entries that are shown */
    size_t picked;                 /* the entry that was picked; valid until the dialog is used again */
    struct editor line;            /* of a question; of the history: what entries must hold */
    char title[200], hint[200], answer[PATHS_LENGTH];
    int cursor_row, cursor_column; /* of the line, as last drawn */
};

bool dialog_is_open(const struct dialog *);
/* first: the place whose keys come first.  shows: which rows of the table are listed; NULL: all but those for
 * recordings that are played. */
void dialog_show_help(struct dialog *, enum key_place first, bool (*shows)(const struct key_binding *));
/* List the models again and show them; ERROR_* of paths_list(). */
int dialog_show_models(struct dialog *, const struct paths *, struct error *);
/* Show the former prompts, which must stay as they are while they are shown; false: no memory. */
bool dialog_show_history(struct dialog *, const struct history *);
/* Ask for a line; text: what stands there to begin with. */
void dialog_ask(struct dialog *, enum dialog_kind, const char *title, const char *hint, const char *text);
void dialog_close(struct dialog *);

/* Take a key.  Returns the path of a model or the former prompt that was picked, or the line that was entered, valid
 * until the dialog is used again, or NULL. */
const char *dialog_key(struct dialog *, const struct key *);
void dialog_draw(struct dialog *, int rows, int columns);
/* Where the cursor stands in the line that is written, as last drawn; false: nothing is written. */
bool dialog_cursor(const struct dialog *, int *row, int *column);

/* -- its parts ----------------------------------------------------------------------------------------------------- */

/* A box in the middle for `total` rows of text, with a title above and a hint below; returns its inside. */
struct area dialog_box(struct dialog *, int rows, int columns, int width, const char *title, const char *hint);
/* Choose an entry of a list, the nearest there is, and scroll to it. */
void dialog_choose(struct dialog *, long to);
const char *dialog_history_key(struct dialog *, const struct key *); /* dialog_history.c */
void dialog_history_draw(struct dialog *, int rows, int columns);

#endif
