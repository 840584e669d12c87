/* scale.h: the diverging scales of colours that a person can choose among.
 *
 * Owns their names and tables; colour.c makes cells of them, format_html.c a style sheet.  All but grey are told apart
 * under every colour blindness; grey says by brightness how much, and by an underline, or in pictures by which side of
 * the middle grey, whether it contradicts.  Tables run from contradicts most over neutral to supports most. */
#ifndef TUI_SCALE_H
#define TUI_SCALE_H

enum scale { SCALE_BLUE_ORANGE, SCALE_BLUE_RED, SCALE_PURPLE_GREEN, SCALE_GREY, SCALES };

enum { SCALE_SIDE = 5, SCALE_STEPS = 2 * SCALE_SIDE + 1 }; /* steps of one side; all with the neutral one */

/* Of both signs, [0] contradicts, [1] supports.  In 16 colours (only 0 to 7 are used) weak relevances have an ink and
 * strong ones a background; ink -1: the terminal's own. */
struct scale_few {
    signed char weak[2], strong[2], strong_ink[2];
};

/* Index [2] is enum colour_ground: from the middle to both ends lightness falls on a light one, rises on a dark one. */
struct scale_table {
    const char *name;
    const char *sides[2]; /* in words */
    unsigned char palette[2][SCALE_STEPS]; /* of 256 colours: all distinct, which rounding 24 bits would not keep */
    unsigned rgb[2][SCALE_STEPS];          /* 0xRRGGBB */
    struct scale_few few[2];
    unsigned page[2][2]; /* [ground][sign] of a page: nine tenths of it over the page's ground let its ink be read */
};

const struct scale_table *scale_table(enum scale);
/* All names, NULL-terminated, in the order of the enum. */
extern const char *const scale_names[SCALES + 1];

#endif
