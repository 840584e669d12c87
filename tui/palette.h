/* palette.h: pixels of many colours to indices of few.
 *
 * Owns the choice of the few: a median cut over all pixels.  A picture that has no more colours than are wanted keeps
 * them as they are (to within 4 of 255 where two are nearly the same).  Pure. */
#ifndef TUI_PALETTE_H
#define TUI_PALETTE_H

#include <stddef.h>
#include <stdint.h>

#include "gpu/error.h"

enum { PALETTE_MOST = 256 };

struct palette {
    int count;
    uint8_t rgb[PALETTE_MOST][3];
};

/* rgb [count, 3] to indices [count] of at most `most` (2 .. PALETTE_MOST) colours.  ERROR_MEMORY. */
int palette_reduce(const uint8_t *rgb, size_t count, int most, struct palette *, uint8_t *indices, struct error *);

#endif
