#include "tui/scale.h"

#include <stddef.h>

#define BLUES_DARK 0x9bd4f5, 0x5fadd8, 0x3382b5, 0x245a80, 0x1a3548
#define BLUES_LIGHT 0x08306b, 0x1f63a8, 0x4490c2, 0x90c3de, 0xd3e6f1

/* 16 colours have no orange: yellow, which many terminals draw as brown, stands in on dark grounds, red on light ones.
 * Nobody could read green on a light ground: there weak support is the terminal's own ink, underlined. */
static const struct scale_table tables[SCALES] = {
    [SCALE_BLUE_ORANGE] = {
        .name = "blue-orange",
        .sides = {"blue", "orange"},
        .palette = {{117, 74, 31, 24, 17, 16, 52, 130, 208, 215, 222},
                    {18, 25, 32, 111, 189, 231, 223, 215, 208, 166, 94}},
        .rgb = {{BLUES_DARK, 0x101010, 0x3d2a12, 0x6b4413, 0xa2630f, 0xdd8f2c, 0xffc27a},
                {BLUES_LIGHT, 0xf7f7f7, 0xfce3c5, 0xf7bd7c, 0xdd8427, 0xad5806, 0x6e3503}},
        .few = {{{6, 3}, {4, 3}, {7, 0}}, {{4, 1}, {4, 3}, {7, 0}}},
        .page = {{0x1f6fb0, 0xa85a08}, {0x5d9fe0, 0xf0913a}},
    },
    [SCALE_BLUE_RED] = {
        .name = "blue-red",
        .sides = {"blue", "red"},
        .palette = {{117, 74, 31, 24, 17, 16, 52, 88, 131, 173, 216},
                    {24, 25, 31, 117, 254, 231, 224, 216, 167, 88, 52}},
        .rgb = {{BLUES_DARK, 0x101010, 0x4a241e, 0x7f332a, 0xb84a3a, 0xdd7a5c, 0xf9b193},
                {BLUES_LIGHT, 0xf7f7f7, 0xfbd9c6, 0xf2a381, 0xd25d4b, 0xab1b2d, 0x660b20}},
        .few = {{{6, 1}, {4, 1}, {7, 7}}, {{4, 1}, {4, 1}, {7, 7}}},
        .page = {{0x1f6fb0, 0xc83c3c}, {0x5d9fe0, 0xf08070}},
    },
    [SCALE_PURPLE_GREEN] = {
        .name = "purple-green",
        .sides = {"purple", "green"},
        .palette = {{183, 140, 97, 54, 53, 16, 22, 28, 71, 114, 157},
                    {54, 97, 140, 183, 225, 231, 194, 157, 114, 71, 22}},
        .rgb = {{0xdcb8f2, 0xb788d6, 0x8d5cb2, 0x63407f, 0x3a2849, 0x101010, 0x1f3524, 0x2c5c36, 0x3c8a4a, 0x69b873,
                 0xace5ac},
                {0x40104f, 0x713a8c, 0x9e75b3, 0xc9aed6, 0xe9dded, 0xf7f7f7, 0xdbefd6, 0xa7d9a2, 0x5fb069, 0x218140,
                 0x064820}},
        .few = {{{5, 2}, {5, 2}, {0, 0}}, {{5, -1}, {5, 2}, {0, 0}}},
        .page = {{0x9455b8, 0x2c7a3e}, {0xb583d0, 0x55b066}},
    },
    [SCALE_GREY] = {
        .name = "grey",
        .sides = {"underlined", "plain"},
        .palette = {{255, 249, 244, 240, 236, 16, 236, 240, 244, 249, 255},
                    {235, 240, 245, 249, 253, 231, 253, 249, 245, 240, 235}},
        .rgb = {{0x181818, 0x2d2d2d, 0x424242, 0x575757, 0x6c6c6c, 0x808080, 0x969696, 0xacacac, 0xc2c2c2, 0xd8d8d8,
                 0xf0f0f0},
                {0x181818, 0x2d2d2d, 0x424242, 0x575757, 0x6c6c6c, 0x808080, 0x969696, 0xacacac, 0xc2c2c2, 0xd8d8d8,
                 0xf0f0f0}},
        .few = {{{-1, -1}, {7, 7}, {0, 0}}, {{-1, -1}, {0, 0}, {7, 7}}},
        .page = {{0x707070, 0x707070}, {0xa0a0a0, 0xa0a0a0}},
    },
};

const char *const scale_names[SCALES + 1] = {"blue-orange", "blue-red", "purple-green", "grey", NULL};

const struct scale_table *scale_table(enum scale scale)
{
    return &tables[scale];
}
