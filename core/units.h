/* units.h: cut a prompt into the units whose attention is turned down together.
 *
 * Pure functions over text and tokens (AtMan, arXiv 2301.08110, section 3). */
#ifndef CORE_UNITS_H
#define CORE_UNITS_H

#include <stdbool.h>
#include <stddef.h>

#include "core/tokenizer.h"
#include "gpu/error.h"

struct picture; /* sequence.h */

enum unit_kind {
    UNIT_TOKEN,
    UNIT_WORD,
    UNIT_SENTENCE,
    UNIT_PARAGRAPH,
    UNIT_CUSTOM,
    UNIT_SPECIAL,
    UNIT_TARGET,
    UNIT_PATCH,
};

/* Tokens first .. last (both included).  A token that lies in two units belongs to each in part: `first_share` and
 * `last_share` (0 < share <= 1) say how much of the outermost tokens, by bytes, is this unit's, and the multiplier is
 * interpolated by it.  A unit of one token uses first_share.  White space at the ends of a token does not count, unless
 * there is nothing else in it: the space that begins most tokens must not tie a word to its neighbour. */
struct unit {
    enum unit_kind kind;
    int first, last;
    float first_share, last_share;
    size_t start, end; /* bytes of the prompt; equal for specials and patches */
    int columns, rows, stride; /* UNIT_PATCH: tokens first + y * stride + x for x < columns, y < rows; last is the last
                                * of them.  rows 0: all tokens first .. last */
};

/* Whether the unit holds this token. */
bool unit_holds(const struct unit *, int token);
/* Whether suppressing the unit says something of what stands there, so that it may be named among what an answer rests
 * on. Models let attention that has nowhere to go rest on the very first position and on specials, whatever is written
 * there: so a special does not count, nor a token or word at that position.  A longer unit that begins there does. */
bool unit_counts(const struct unit *);

/* Cut tokens [count] of text by granularity: "token", "word", "sentence", "paragraph", "auto" (the one that gives the
 * number of units nearest to 30, but a single one only if no other gives more) or a PCRE2 regular expression that
 * matches the delimiters.  Delimiters and white space go with the unit before them, so that every text token is in a
 * unit.  A token of kind special is a unit UNIT_SPECIAL of its own; tokens of pictures are in no unit.  Units come in
 * order of their first token.  *units is malloced [*unit_count].  ERROR_ARGUMENT for an expression that does not
 * compile, with its position. */
int units_cut(const char *text, size_t length, const struct token *tokens, size_t count, const char *granularity,
              struct unit **units, size_t *unit_count, struct error *);

/* The pictures' units (in order of their first token), by granularity: "patch", "2x2", "4x4", "whole" or "auto" (the
 * finest of which no picture has more than 256), put among units [*unit_count] (malloced, replaced) in order of their
 * first token.  A tile at the edge is cut to the picture.  ERROR_ARGUMENT for another granularity; units stay as they
 * are on errors. */
int units_tile(const struct picture *, size_t count, const char *granularity, struct unit **units, size_t *unit_count,
               struct error *);

/* Where units are cut finer than elsewhere. */
struct zoom {
    size_t start, end;   /* bytes of the prompt */
    enum unit_kind kind; /* UNIT_SENTENCE, UNIT_WORD or UNIT_TOKEN */
};

/* In place of each unit of text that lies within a zoom's span: the units of the zoom's kind that it is made of, whose
 * shares of a token are as much as the unit itself has of it.  One zoom after the other, so that what a former one cut
 * may be cut again.  All other units stay.  units [*unit_count] are as units_cut() made them (malloced, replaced); they
 * stay as they are on errors.  ERROR_ARGUMENT for another kind. */
int units_zoom(const char *text, const struct token *tokens, const struct zoom *, size_t count, struct unit **units,
               size_t *unit_count, struct error *);
/* The coarsest kind that cuts the unit into more than one; UNIT_CUSTOM: none does, or there is no memory. */
enum unit_kind units_finer(const char *text, const struct token *tokens, const struct unit *);

const char *unit_kind_name(enum unit_kind);

#endif
