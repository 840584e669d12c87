/* graphics.h: the picture's pixels on a terminal that draws sixel, past curses.
 *
 * Owns what stands there, when the next may be sent, and in how many bytes: nothing while the terminal has not drawn
 * the last one, so that a slow line is never flooded; nothing that has not changed; never more than the budget.  What
 * is to be seen, and where, the view says. */
#ifndef TUI_GRAPHICS_H
#define TUI_GRAPHICS_H

#include <stdbool.h>
#include <stdint.h>

#include "tui/view.h"

/* Bytes of a picture in a terminal of 80 x 24 or less; in a larger one as many for each cell, up to the most. */
enum { GRAPHICS_BYTES = 62 << 10, GRAPHICS_BYTES_MOST = 512 << 10 };

struct graphics {
    struct area stands;    /* the cells of the picture that the terminal shows; no columns: none */
    uint64_t hash, choice; /* of what it shows: all of it; what a person chose of it */
    bool damaged;          /* curses wrote over it, or cleared the screen */
    bool waiting;          /* for the terminal's answer to the last one */
    int64_t sent, took;    /* ms: when the last one was sent, how long the answer took */
    int step;              /* of the ladder of fewer bytes */
    struct picture_canvas canvas;
    uint8_t *rgb, *indices; /* [capacity] pixels as sent */
    size_t capacity;
};

void graphics_free(struct graphics *);
/* The screen was cleared: whatever stood there is gone. */
void graphics_damage(struct graphics *);
/* Between view_draw() and refresh(): make curses clean up behind a picture that moves or goes. */
void graphics_prepare(struct graphics *, const struct terminal *, const struct view *);
/* After refresh(): send the picture if it is not what stands there and may be sent.  Returns the milliseconds after
 * which to call again, -1: when something has changed.  now: ms of a clock. */
int graphics_show(struct graphics *, struct terminal *, const struct view *, int64_t now);

#endif
