/* typing.h: what keys do to a text that is being written.
 *
 * Shared by the prompt and by the dialogs that ask for a line.  Moves by rows, which need a layout, are the prompt's
 * own business. */
#ifndef TUI_TYPING_H
#define TUI_TYPING_H

#include "tui/editor.h"
#include "tui/keys.h"
#include "tui/terminal.h"

/* Whether a key stands for a character that is to be written. */
bool typing_is_text(const struct key *);
/* Write the character of keys[0], or all that was pasted with it; returns how many keys that took, at most count.
 * What is typed goes in one character after the other, so that undo knows where words end. */
size_t typing_insert(struct editor *, const struct key *keys, size_t count);
/* Move, erase, cut, paste, undo; any other action does nothing. */
void typing_act(struct editor *, enum action);

#endif
