/* former.h: what the explanation before this one measured, as far as it says the same in this one.
 *
 * Owns the last explanation's plan and probes from when the next request begins until its own probes are there.  A
 * probe is the same where the tokens, the keys that it turns up or down and the method are the same, whatever unit it
 * is of; its change of the final states then stands for the positions up to which that holds.  So a unit that was only
 * cut out of other words, or that stood there before as a token, is not measured again, and of a longer output the
 * tokens known before keep their values until its probes have run.  Where the sequences only begin with the same
 * tokens, the probes of what both have go on from what the former ones left (past.h). */
#ifndef CORE_FORMER_H
#define CORE_FORMER_H

#include "core/direct.h"

struct job;

struct former {
    struct plan *plan; /* NULL: there is none */
    struct probes *probes;
    int32_t *ids; /* [count] as the decoder was fed them */
    int count;
    size_t bytes;    /* of memory, about, but for the rows that its probes left */
    const struct rotation *rotation; /* by which positions were turned: long sequences have their own */
    int32_t *wanted; /* what its probes were asked about */
    double noise_floor;
    struct direct direct; /* what direct paths did */
    /* since former_recall(): */
    int shared; /* so many output tokens, from the first, are those of the job and follow the same tokens */
    int *from;  /* [job->unit_count] the unit whose probe was the same as far as these go, or -1; NULL: none */
};

/* Take over what the job's last request measured, in place of what was kept; nothing if it measured nothing, or so much
 * that it is not kept beside what comes. */
void former_keep(struct former *, struct job *);
void former_clear(struct former *);
/* Bytes of memory in all, about. */
size_t former_bytes(const struct former *);
/* Leave so many bytes at most of the rows that its probes left. */
void former_shrink(struct former *, size_t bytes);
/* Whether a prompt begins with the tokens that it was about. */
bool former_is_of(const struct former *, const int32_t *ids, int count);
/* Let the job's probes, which have not run, know all that the former ones say of them, with the noise floor, and have
 * what these left to go on from.  Then nothing is left of it but what direct paths did.  Sets job->recalled where there
 * was anything. */
int former_recall(struct former *, struct job *, struct error *);
/* What was measured together with output token t on direct paths, if all of that is about the job's tokens; else NULL.
 */
const struct direct_part *former_part(const struct former *, int t);
/* Let a part's probes, which have not run, know what those of a former one with the same tokens say of them. */
int former_recall_direct(const struct former *, struct job *, struct direct_part *, const struct direct_part *former,
                         struct error *);

#endif
