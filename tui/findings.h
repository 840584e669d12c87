/* findings.h: what `guard` found, case by case, and how that is written: a line each, JSON, or back into its file. */
#ifndef TUI_FINDINGS_H
#define TUI_FINDINGS_H

#include <stdio.h>

#include "tui/options.h"
#include "tui/verdict.h"

struct finding {
    struct error error;       /* code 0: it was run */
    char *answer;             /* the model's own; NULL: none was asked for */
    double probability;       /* of the target */
    double noise;             /* noise floor, nats; NAN: no relevance was asked for */
    struct verdict *verdicts; /* [check_count] */
    bool held;                /* all checks did */
    double seconds;
};

struct findings {
    const struct options *options;
    const struct engine_info *info;
    struct method method; /* with the layers resolved */
    struct guard *guard;
    struct finding *found; /* [done] of its first cases */
    size_t done;
};

/* "ok ID", "FAILED ID: why", or with --update "moved ID: why; what holds now".  Always one line. */
void findings_line(const struct findings *, size_t index, FILE *);
/* "3 held, 1 failed" */
void findings_closing(const struct findings *, FILE *);
/* What was measured of a case, whether or not it held, without an end of line. */
void findings_measured(const struct findings *, size_t index, FILE *);
size_t findings_failed(const struct findings *);  /* cases that were not run included */
size_t findings_unknown(const struct findings *); /* of those: the cases that could not be run */

/* One JSON object, or all lines and the closing one.  0 or ERROR_MEMORY. */
int findings_json(const struct findings *, FILE *, struct error *);
int findings_text(const struct findings *, FILE *, struct error *);

/* Note all that was measured in the guard's cases, and move what does not hold, for guard_write(). */
void findings_note(const struct findings *);

#endif
