/* joint.h: sets of units suppressed together, measured on the baseline of the last explanation.
 *
 * Owns the probes of sets, see plan_join().  They run in f32 through the same lanes as the units', for the same
 * targets, and keep their final states as those do.  Posts nothing. */
#ifndef CORE_JOINT_H
#define CORE_JOINT_H

#include "core/job.h"

struct joint {
    struct plan *plan; /* a "unit" of it is a set */
    struct probes *probes;
};

/* Run the probes of sets.  After an explanation's probes, and while no others run; j->wait is called meanwhile.
 * ERROR_CANCELLED when job->cancelled was set.  joint_free() afterwards in any case. */
int joint_run(struct job *, const struct plan_set *, int set_count, struct joint *, struct error *);
void joint_free(struct joint *); /* what it holds; NULLs ok */

/* relevance [sets] host: what the sets support of token id in place of output token t, nats. */
int joint_relevance(const struct joint *, struct job *, int t, int32_t id, float *relevance, struct error *);
/* What the model says in place of output token t with set s suppressed: logits [vocabulary] host. */
int joint_logits(const struct joint *, struct job *, int s, int t, float *logits, struct error *);

#endif
