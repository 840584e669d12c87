/* sixel_read.h: a sixel sequence back into pixels, for tests. */
#ifndef TESTS_TUI_SIXEL_READ_H
#define TESTS_TUI_SIXEL_READ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sixel_pixels {
    int width, height; /* as the raster attributes say */
    uint8_t *rgb;      /* [height, width, 3], malloced */
    bool *painted;     /* [height, width], malloced */
};

/* From the introducer to the terminator.  false: it is broken, names a colour that it does not define, or paints
 * outside of its raster. */
bool sixel_read(const char *bytes, size_t length, struct sixel_pixels *);
void sixel_pixels_free(struct sixel_pixels *);

#endif
