/* direct.h: what direct paths do to the output tokens (method.paths PATHS_DIRECT), as far as that is known.
 *
 * Owns, of each output token, the probes that measured it and what they keep.  Measured once, they serve the mark that
 * a token carries while the output is still being written, the preview of all units and the order of their probes, and
 * the answer to which part of a relevance is direct. */
#ifndef CORE_DIRECT_H
#define CORE_DIRECT_H

#include <stddef.h>

#include "core/probe.h"

/* Output tokens that were measured together. */
struct direct_part {
    int first, end;
    double *lse;     /* [end - first] of the baseline */
    int32_t *wanted; /* [end - first, WANTED] */
    struct plan *plan;
    struct probes *probes;
};

struct direct {
    struct direct_part **part; /* [count] of each output token; neighbours may share one; NULL: nothing is known */
    int count;
    size_t bytes;   /* of states kept for re-targeting */
    double seconds; /* spent while the output was written */
};

void direct_clear(struct direct *);

#endif
