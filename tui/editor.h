/* editor.h: a text that is being written.
 *
 * Owns a text of any length in UTF-8, a cursor in it, one piece of killed text and the changes that can be undone.
 * Knows nothing of keys or of the screen; a layout tells it where rows begin.  Functions that need memory and get none
 * leave everything as it was. */
#ifndef TUI_EDITOR_H
#define TUI_EDITOR_H

#include <stdbool.h>
#include <stddef.h>

#include "tui/layout.h"

struct editor_change; /* one step of undo */
enum editor_kind { EDITOR_OTHER, EDITOR_TYPED, EDITOR_PASTED };

struct editor {
    char *text; /* not terminated; NULL while empty */
    size_t length, capacity;
    size_t cursor;
    int goal; /* column that moves up and down try to keep, or -1 */
    char *killed;
    size_t killed_length;
    struct editor_change *changes;
    size_t change_count, change_done; /* changes before change_done are in the text, those after it were undone */
    enum editor_kind last;            /* the next change of this kind may join the last one, but for OTHER */
    bool killing;                     /* the next kill adds to the killed text */
};

enum editor_motion {
    MOTION_LEFT,
    MOTION_RIGHT,
    MOTION_WORD_LEFT,
    MOTION_WORD_RIGHT,
    MOTION_LINE_START, /* lines end at newlines, rows where the screen wraps them */
    MOTION_LINE_END,
    MOTION_TEXT_START,
    MOTION_TEXT_END,
};

/* Start with a zeroed editor. */
void editor_free(struct editor *);

/* Replace the whole text; can be undone.  The cursor goes to the end. */
void editor_set(struct editor *, const char *text, size_t length);
/* Typed: undone word by word. */
void editor_insert(struct editor *, const char *text, size_t length);
/* Pasted: pieces that follow each other are undone together. */
void editor_paste(struct editor *, const char *text, size_t length);
void editor_move(struct editor *, enum editor_motion);
/* Up (negative) or down by screen rows; the layout must be that of the text. */
void editor_move_rows(struct editor *, const struct layout *, int rows);
void editor_move_to(struct editor *, size_t byte);
/* Erase from the cursor to where the motion leads; kill: keep it for editor_yank(). */
void editor_erase(struct editor *, enum editor_motion, bool kill);
void editor_yank(struct editor *);
/* false: there is nothing (more) to undo or to do again. */
bool editor_undo(struct editor *);
bool editor_redo(struct editor *);

#endif
