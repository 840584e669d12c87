/* answers.h: what the answers to inquiries say, in words and numbers.
 *
 * Short texts for screens and reports alike, each malloced (NULL: no memory); controls are made visible.  Draws
 * nothing. */
#ifndef TUI_ANSWERS_H
#define TUI_ANSWERS_H

#include "tui/format_json.h"
#include "tui/report.h"

/* "2.31 nats more than chance"; "" while it is not known. */
char *answers_area(const struct report *);
/* "without "blue hat", "Tom" it says "red""; "" while it is not known. */
char *answers_flip(const struct report *);
/* ""blue", 2nd "hat"": the texts of units, cut where they are long, and which one it is where several units of the
 * prompt have the same words. */
char *answers_units(const struct report *, const int *unit, int count);
/* What a bond of two units is: "stand in for each other". */
const char *answers_bond(enum pair_bond);

/* Lines below a report for a terminal; nothing where nothing was asked. */
void answers_put(const struct report *, FILE *);
/* The objects "proof" and "pairs" of a JSON report; NULL where that was not asked. */
json_t *answers_proof_json(const struct report *);
json_t *answers_pairs_json(const struct report *);

#endif
