/* colour.h: from nats to colours and words, for the screen and all formats alike.
 *
 * Owns what a scale (scale.h) looks like in 24-bit, 256 and 16 colours and none, and the words of its legend.  Writes
 * nothing and asks no terminal anything.
 *
 * A *position* is relevance / limit, -1 (contradicts most) to 1 (supports most).  The limit of a map is the greatest
 * absolute relevance of its units, specials left out: they may be off the scale and are then clamped. */
#ifndef TUI_COLOUR_H
#define TUI_COLOUR_H

#include <stdbool.h>
#include <stddef.h>

#include "tui/scale.h"

enum colour_depth { COLOUR_NONE, COLOUR_16, COLOUR_256, COLOUR_TRUE };

/* What the words stand on: weak colours are near the ground's, strong ones far from it. */
enum colour_ground { GROUND_DARK, GROUND_LIGHT };

enum colour_attribute { COLOUR_BOLD = 1, COLOUR_UNDERLINE = 2, COLOUR_REVERSE = 4, COLOUR_DIM = 8 };

/* How to draw a word.  background and ink: -1 the terminal's own, else an index (16 and 256 colours; 16 uses 0 to 7
 * only) or 0xRRGGBB (24-bit). */
struct colour_cell {
    int background, ink;
    unsigned attributes; /* enum colour_attribute */
};

/* NAN and 0 give the terminal's own colours; positions outside -1 .. 1 are clamped. */
struct colour_cell colour_cell(enum scale, enum colour_depth, enum colour_ground, double position);

/* The scale itself as 0xRRGGBB, its neutral middle too, for what has no letters on it. */
unsigned colour_rgb(enum scale, enum colour_ground, double position);

/* WCAG 2's contrast of two colours 0xRRGGBB, 1 .. 21; 4.5 is enough for text. */
double colour_contrast(unsigned, unsigned);

/* The nearest to 0xRRGGBB of the 240 colours of 256 that are the same everywhere. */
int colour_256(unsigned rgb);
/* What such an index, 16 .. 255, looks like. */
unsigned colour_of_256(int index);

/* value / limit; 0 where |value| <= floor (the noise floor, NAN: none) or limit is not positive. */
double colour_position(double value, double limit, double floor);

/* The escape sequence that switches to a cell's colours from the terminal's own ("" for those); needs 48 bytes. */
void colour_sgr(enum colour_depth, struct colour_cell, char *sequence, size_t size);

/* What the environment says of the terminal (each may be NULL): NO_COLOR set and not empty, TERM dumb or unset:
 * none. */
enum colour_depth colour_depth_from(const char *term, const char *colorterm, const char *no_color);
/* COLORFGBG ("15;0"), which some terminals set; dark where nothing is said. */
enum colour_ground colour_ground_from(const char *colorfgbg);

/* A relevance in words: 0.69 gives "2.0 times less likely" (without the unit), -0.69 "2.0 times more likely". */
void colour_times(double nats, char *words, size_t size);
/* A relevance in nats with a sign, in three significant digits: "+0.693", "-1.2e-05", "0". */
void colour_nats(double nats, char *words, size_t size);
/* A probability in percent: "42 %", "4.2 %", "0.04 %", "<0.001 %", never a zero. */
void colour_percent(double logprob, char *words, size_t size);

#endif
