/* sixel.h: indexed pixels as the sequence that draws them in a terminal that knows sixel.
 *
 * libsixel behind one call.  Only its low-level encoder is used: its loaders and decoders, and its quantiser, which
 * looks at every sixth pixel of a small picture, are not.  Writes to no terminal. */
#ifndef TUI_SIXEL_H
#define TUI_SIXEL_H

#include <stddef.h>
#include <stdint.h>

#include "gpu/error.h"
#include "tui/palette.h"

/* Pixels: a side at most; the height at least, as libsixel 1.10 misplaces a picture of one row. */
enum { SIXEL_SIDE = 4096, SIXEL_BAND = 6 };

/* indices [height, width] into the palette.  The sequence, malloced [*length], with its introducer and terminator.
 * ERROR_ARGUMENT for a size out of bounds, ERROR_MEMORY. */
int sixel_write(const struct palette *, const uint8_t *indices, int width, int height, char **bytes, size_t *length,
                struct error *);

#endif
