/* truth.h: which units of an explanation decide, as a data set says it.
 *
 * Words are told by bytes of the prompt, patches by pixels of the pictures.  Reads the pictures' masks; runs nothing.
 */
#ifndef TUI_TRUTH_H
#define TUI_TRUTH_H

#include <stdint.h>

#include "core/engine.h"
#include "tui/dataset.h"

/* A map over words and one over patches are judged apart: they have different units. */
enum truth_side { TRUTH_TEXT, TRUTH_PICTURES, TRUTH_SIDES };

/* What a case says of its pictures: mask[i] [height, width] of picture i, 1 where an object that decides is. */
struct truth_masks {
    size_t count;
    uint8_t **mask;
};
/* From mask files (above 127 is the object), and for pictures without one from the case's rects.  ERROR_FORMAT where a
 * mask has another size than its picture. */
int truth_masks_read(const struct dataset_case *, struct image *const *images, struct truth_masks *, struct error *);
void truth_masks_free(struct truth_masks *); /* what it holds */

/* The units of one side that can win, and what is known of them; arrays [count]. */
struct truth {
    size_t count, good_count;
    size_t *unit;  /* index in the explanation */
    bool *good;    /* a byte of its text, white space at its ends left out, or a pixel of its patches decides */
    double *cover; /* patches: the share of the unit's area that decides */
};
/* Specials and the answer's own tokens cannot win.  ERROR_MEMORY. */
int truth_find(const struct explanation *, enum truth_side, const struct dataset_case *, const struct truth_masks *,
               struct truth *, struct error *);
void truth_free(struct truth *); /* what it holds */

#endif
