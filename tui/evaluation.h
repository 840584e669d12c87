/* evaluation.h: what `eval` found over the cases it has run, and how that is written. */
#ifndef TUI_EVALUATION_H
#define TUI_EVALUATION_H

#include <stdio.h>

#include "tui/trial.h"

struct evaluation {
    const struct options *options;
    const struct engine_info *info;
    struct method method; /* with the layers resolved */
    bool chat;            /* the model's chat template was put around the prompts */
    const struct dataset *dataset;
    struct trial *trials; /* [done] of the data set's first cases */
    size_t done;
    double seconds;
};

/* One JSON object, or a table for people.  0 or ERROR_MEMORY. */
int evaluation_json(const struct evaluation *, FILE *, struct error *);
int evaluation_table(const struct evaluation *, FILE *, struct error *);

#endif
