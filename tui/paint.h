/* paint.h: words and colours onto curses' screen.
 *
 * Owns the curses colour pairs and the drawing of strings, rules, boxes, bars and laid out text, clipped to a
 * rectangle. Knows columns and attributes, not what the words mean.  Only after terminal_open(). */
#ifndef TUI_PAINT_H
#define TUI_PAINT_H

#include <stddef.h>

#include "tui/colour.h"
#include "tui/layout.h"
#include "tui/terminal.h"

struct area {
    int row, column, rows, columns;
};

/* How to draw: colours of colour.h and attributes on top. */
struct style {
    struct colour_cell cell;
    unsigned attributes; /* enum colour_attribute */
};

/* Forget all pairs: after every terminal_open(). */
void paint_begin(const struct terminal *);
/* Colours of relevances from the next drawing on. */
void paint_set_scale(enum scale);
/* Everything is going to be drawn anew: pairs that are not needed any more may go. */
void paint_frame(void);
struct style paint_plain(unsigned attributes);
/* The style of a relevance, -1 .. 1. */
struct style paint_relevance(double position);
/* What is wrong: red, or bold where there is no red. */
struct style paint_error(void);

/* Draw UTF-8 text at a place, cut at `columns` columns, controls made visible.  Returns the columns used. */
int paint_text(int row, int column, int columns, struct style, const char *text, size_t length);
int paint_string(int row, int column, int columns, struct style, const char *string);
/* Columns that a string takes. */
int paint_width(const char *text, size_t length);
void paint_blank(int row, int column, int columns, struct style);
/* A horizontal line. */
void paint_rule(int row, int column, int columns, struct style);
void paint_vertical(int row, int column, int rows, struct style);
/* A frame around the area's edge, its inside blank. */
void paint_box(struct area, struct style);
/* A bar of share (0 to 1) of the columns, in eighths where the characters are there. */
void paint_bar(int row, int column, int columns, struct style, double share);
/* Two pixels above each other in one cell, 0xRRGGBB; below -1: the ground.  Without colours their brightness is drawn
 * as a character; where the characters are missing, both are one. */
void paint_pixels(int row, int column, int above, int below, unsigned attributes);
/* Cells that belong to pixels drawn past curses: blank, but nothing that curses would clear by clearing a line. */
void paint_held(int row, int column, int columns);
/* A glyph of a layout whose row `first` is the area's first; what lies outside is not drawn. */
void paint_glyph(struct area, int first, const struct glyph *, struct style);

#endif
