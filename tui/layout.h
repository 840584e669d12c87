/* layout.h: where each character of a text stands on the screen.
 *
 * Owns the wrapping of UTF-8 text into rows of columns, the choice of what is shown for a character that must not reach
 * a terminal as it is (controls, marks that turn the writing direction, bytes that are no character), and the steps of
 * a cursor over what a person takes for one character.  Draws nothing.
 *
 * Needs a UTF-8 locale for wcwidth(). */
#ifndef TUI_LAYOUT_H
#define TUI_LAYOUT_H

#include <stdbool.h>
#include <stddef.h>
#include <wchar.h>

enum { GLYPH_MARKS = 4 }; /* combining marks shown on one character; more are left out */

/* One character with its marks.  A tab is as wide as it reaches and shown in its first column. */
struct glyph {
    size_t start, end; /* bytes of the text */
    int row, column, width;
    wchar_t show[GLYPH_MARKS + 2]; /* terminated */
};

struct layout {
    struct glyph *glyphs;
    size_t count, capacity;
    size_t length;           /* bytes of the text laid out */
    int rows;                /* >= 1 */
    int end_row, end_column; /* where a cursor behind the last character stands */
};

/* Lay text out anew in rows of `columns` >= 2: broken after spaces where possible; a space or a line's end may stand in
 * the last column, other characters may not, so that a cursor has its place behind them.
 * newline: what to show for a line's end.  false: no memory, the layout is empty then.  Start with a zeroed layout. */
bool layout_text(struct layout *, const char *text, size_t length, int columns, wchar_t newline);
void layout_free(struct layout *);

/* The glyph that holds the byte, or count. */
size_t layout_glyph(const struct layout *, size_t byte);
/* Where a cursor before the byte stands. */
void layout_place(const struct layout *, size_t byte, int *row, int *column);
/* The byte at which a cursor nearest to the place stands; rows beyond the text count as its ends. */
size_t layout_byte(const struct layout *, int row, int column);

/* The next or former place for a cursor: marks, joined emoji and flags are stepped over as one. */
size_t layout_next(const char *text, size_t length, size_t at);
size_t layout_previous(const char *text, size_t length, size_t at);

#endif
