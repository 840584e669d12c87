/* picture.h: a picture of the prompt with its heat, as pixels.
 *
 * Owns how the two are laid over each other: the picture is scaled, every patch is tinted with the colour of its
 * relevance on the scale that the words have, and the chosen one is framed.  Knows pixels only; which of them a
 * terminal can show is the business of others. */
#ifndef TUI_PICTURE_H
#define TUI_PICTURE_H

#include <stdint.h>

#include "core/engine.h"
#include "tui/colour.h"
#include "tui/map.h"

enum picture_mode { PICTURE_BOTH, PICTURE_PLAIN, PICTURE_HEAT, PICTURE_MODES };

/* What is to be seen. */
struct picture_look {
    const struct image *image;
    const struct map *map; /* of an explanation, or NULL: there is no heat */
    long picture;          /* which of the explanation's pictures the image is; -1: none */
    enum picture_mode mode;
    double opacity; /* of the heat over the picture, 0 .. 1 */
    enum colour_ground ground;
    enum scale scale;
    long unit; /* this one is framed, and those suppressed along with it are dotted; -1: none */
};

/* Pixels, and what is kept to draw the next ones sooner. */
struct picture_canvas {
    int width, height;
    uint8_t *rgb; /* [height, width, 3] */
    /* its own */
    struct image *scaled; /* the image in this size */
    uint64_t serial;      /* of the image */
    int32_t *units;       /* [height, width] the unit of each pixel, -1: none */
    size_t capacity;      /* pixels that the arrays hold */
};

void picture_canvas_free(struct picture_canvas *);

/* Draw onto a canvas of width x height pixels.  Pixels of no unit, and of units that are not measured yet, are the
 * picture's own; in PICTURE_HEAT they are grey.  ERROR_MEMORY; the canvas is then as before, or empty. */
int picture_draw(struct picture_canvas *, const struct picture_look *, int width, int height, struct error *);

/* What the pixels of such a look depend on, as one number; two looks that differ visibly differ in it. */
uint64_t picture_hash(const struct picture_look *);

/* The greatest size, in pixels, of an image of width x height that fits into a box, its shape kept; at least 1 x 1. */
void picture_fit(int width, int height, double box_width, double box_height, int *fit_width, int *fit_height);

/* -- patches ------------------------------------------------------------------------------------------------------- */

/* Which of an explanation's pictures an image is: the `nth` of the prompt, if it is still the same; else -1. */
long picture_index(const struct explanation *, size_t nth, const struct image *);
/* The token of a picture at a column and row of its grid, where it is no padding; else -1. */
int picture_token(const struct explanation *, long picture, int column, int row);
/* The unit that holds a token of a picture; -1: none (yet). */
long picture_unit(const struct explanation *, int token);
/* The column and row of a token in the picture that it belongs to, which is returned; -1: it belongs to none. */
long picture_place(const struct explanation *, int token, int *column, int *row);
/* How many tokens of other units are suppressed along with it, as they are like it. */
size_t picture_alike(const struct explanation *, long unit);
/* The token that looks at a place, in pixels of the image; -1: none. */
int picture_token_at(const struct explanation *, long picture, double x, double y);

#endif
