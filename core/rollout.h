/* rollout.h: attention rollout (Abnar and Zuidema, ACL 2020, section 3): what the plain pass's attention alone says of
 * which positions a prediction rests on.  A yardstick for the probes' maps, which it knows nothing of.
 *
 * Of every layer the mean A of the heads' attention is taken and mixed with the residual stream, (A + I) / 2; the
 * product over the layers says where a row's content comes from. */
#ifndef CORE_ROLLOUT_H
#define CORE_ROLLOUT_H

#include "core/decoder.h"

/* share [count, baseline->count] host: how much of row first + r is each position's; every row sums to 1.
 * ERROR_CANCELLED, ERROR_MEMORY, or what the device says.  Thread: the stream's.  Takes time that
 * grows with the square of the positions, on one processor; where the baseline does not keep its activations, also half
 * as many plain passes as there are layers. */
int rollout_run(const struct baseline *, struct stream *, int first, int count, const atomic_bool *cancelled,
                float *share, struct error *);

#endif
