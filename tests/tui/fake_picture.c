/* fake_picture.c: pictures made up for tests, of 240 pixels' width. */
#include <stdlib.h>
#include <string.h>

#include "tests/tui/fake_engine.h"

enum { WIDTH = 240, RADIUS = 28 };

struct image *fake_picture(int nth)
{
    struct image *image;
    uint32_t state = 1;
    int height = nth == 1 ? WIDTH / 2 : WIDTH;
    if (image_new(WIDTH, height, &image, NULL) != 0)
        abort();
    for (int i = 0; i < 3 * WIDTH * height; i++) {
        state = state * 1664525u + 1013904223u;
        image->rgb[i] = (uint8_t)(state >> 24);
    }
    for (int y = 0; nth >= 0 && y < height; y++)
        for (int x = 0; x < WIDTH; x++) {
            uint8_t *rgb = image->rgb + 3 * (y * WIDTH + x), grey = (uint8_t)(120 + x / 4 + y / 4);
            int across = x - (2 * FAKE_COLUMN + 1) * WIDTH / 24, down = y - (2 * FAKE_ROW + 1) * height / 24;
            rgb[0] = rgb[1] = rgb[2] = grey;
            if (across * across + down * down < RADIUS * RADIUS)
                memcpy(rgb, "\x20\x50\xd0", 3);
            across = x - WIDTH / 4;
            down = y - height * 2 / 3;
            if (across * across + down * down < RADIUS * RADIUS)
                memcpy(rgb, "\xd0\x30\x20", 3);
        }
    return image;
}
