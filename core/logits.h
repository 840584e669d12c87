/* logits.h: from the logits of one position to probabilities.  Pure host arithmetic. */
#ifndef CORE_LOGITS_H
#define CORE_LOGITS_H

#include "core/engine.h"

/* log sum exp of logits [n] f32, in double. */
double logits_log_sum_exp(const float *logits, int n);

/* The log-probability of one token. */
double logits_logprob(const float *logits, int n, int32_t id);

/* The most probable tokens in order, ties by id: best [CANDIDATES].  Where the vocabulary is smaller than
 * that, what is left has id -1. */
void logits_best(const float *logits, int n, double lse, struct candidate *best);

#endif
