/* dialog.h: what opens over the panes: the list of keys, and the list of models.
 *
 * Owns which one is open, its scrolling and its drawing.  Takes keys while open; loads nothing. */
#ifndef TUI_DIALOG_H
#define TUI_DIALOG_H

#include <stdbool.h>
#include <stddef.h>

#include "tui/paint.h"
#include "tui/paths.h"

enum dialog_kind { DIALOG_NONE, DIALOG_HELP, DIALOG_OPEN };

struct dialog {
    enum dialog_kind kind;
    struct area area;            /* as last drawn */
    int first, rows, total;      /* of the list: first row shown, rows that fit, rows there are */
    struct paths_entry *entries; /* DIALOG_OPEN */
    size_t count, chosen;
    const char *folder; /* where models are looked for; borrowed */
};

bool dialog_is_open(const struct dialog *);
void dialog_show_help(struct dialog *);
/* List the models again and show them; ERROR_* of paths_list(). */
int dialog_show_models(struct dialog *, const struct paths *, struct error *);
void dialog_close(struct dialog *);

/* Take a key.  Returns the path of a model that was picked, valid until the dialog is used again, or NULL. */
const char *dialog_key(struct dialog *, const struct key *);
void dialog_draw(struct dialog *, int rows, int columns);

#endif
