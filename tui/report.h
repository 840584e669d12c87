/* report.h: an explanation as all formats see it.
 *
 * Texts cleaned, signs settled, the scale found; and each format's one function, which writes the whole result to a
 * stream in memory. */
#ifndef TUI_REPORT_H
#define TUI_REPORT_H

#include <stdio.h>

#include "core/engine.h"
#include "tui/colour.h"
#include "tui/map.h"
#include "tui/options.h"

struct report {
    const struct engine_info *info;
    const struct tokenizer *tokenizer;
    const struct explanation *explanation;
    enum colour_depth depth; /* ansi only */
    enum colour_ground ground;
    enum scale scale; /* all but json */
    const struct map_question *question; /* png and svg: the map that is drawn; NULL: of all output tokens together */
    const struct options *options;
};

enum { REPORT_ALL = -1 }; /* in place of a target token: the sum over all of them; with a foil, only where it differs */

/* Relevance of a unit for a target token (or REPORT_ALL), nats; 0 for a unit at or after the token. */
double report_relevance(const struct explanation *, size_t unit, int token);
/* Whether that is an estimate by direct paths, or 0 for want of one, as the explanation is not complete. */
bool report_estimated(const struct explanation *, size_t unit);
/* The greatest absolute relevance of any unit that may set the scale, see map_sets_scale(). */
double report_limit(const struct explanation *, int token);
/* A unit's text, of prompt or output; a special's name; the place of a unit of a picture, as "picture 1, row 3, column
 * 5". Cleaned, malloced; NULL: no memory. */
char *report_unit_text(const struct report *, size_t unit, size_t *size);
/* Whether two units have the same words in the prompt, white space around them left out.  false: they differ, or one
 * has no text there. */
bool report_same_words(const struct explanation *, size_t unit, size_t other);
/* Which one a unit is of those with its words, to stand before its text: "2nd ", or "answer's " for a token of the
 * output; "" where there is no other. */
enum { REPORT_ORDINAL = 24 };
const char *report_unit_ordinal(const struct explanation *, size_t unit, char words[REPORT_ORDINAL]);
/* The text of token id, cleaned, malloced; with `visible` no control characters but newline and tab. */
char *report_token_text(const struct report *, int32_t id, bool visible, size_t *size);
/* All output tokens' text, malloced. */
char *report_output_text(const struct report *, size_t *size);

/* Which picture a unit of a picture is of, and where in it: the box around its patches, x, y, width and height in the
 * picture's pixels; width and height 0: in its padding alone. */
size_t report_unit_picture(const struct explanation *, size_t unit);
void report_unit_rect(const struct explanation *, size_t unit, float rect[4]);
/* The unit of each token of a picture, malloced [columns * rows]; -1: in none.  NULL: no memory. */
int *report_picture_units(const struct explanation *, size_t picture);
/* "picture 1: cat.png, 640 x 480 pixels, 24 x 24 patches" */
void report_picture_title(const struct report *, size_t picture, char *title, size_t size);

/* The prompt's text in order, cut where units begin and end.  A special's piece is empty, its unit is not; units of
 * pictures are left out. */
struct report_piece {
    int unit;                /* or -1: in none */
    size_t start, end;       /* bytes of the prompt */
    size_t inner, inner_end; /* the same without white space at both ends: what is coloured */
};
/* Malloced [*count]; NULL: no memory. */
struct report_piece *report_pieces(const struct explanation *, size_t *count);

/* Indices of all units but specials, strongest first, those without relevance left out; behind them the first word,
 * which does not count (units.h).  Malloced [*count]; NULL: no memory. */
int *report_ranking(const struct explanation *, int token, size_t *count);

/* Each writes the whole result.  0 or ERROR_MEMORY, where nothing else is said. */
int format_ansi(const struct report *, FILE *, struct error *);
int format_json(const struct report *, FILE *, struct error *);
int format_html(const struct report *, FILE *, struct error *);
/* image_module.c; ERROR_UNSUPPORTED without Pango or fonts, ERROR_LIMIT for what is too long. */
int format_png(const struct report *, FILE *, struct error *);
int format_svg(const struct report *, FILE *, struct error *);
int format_reference(const struct report *, FILE *, struct error *);
/* generate --format json */
int format_generation(const struct report *, FILE *, struct error *);

#endif
