/* precision.h: which precision the probes' products are formed in. */
#ifndef CORE_PRECISION_H
#define CORE_PRECISION_H

#include "core/model.h"

const char *precision_name(enum precision); /* "f32", "bf16", "int8" */

/* Time products of differences with some of the model's own weights, in every precision that the device offers:
 * seconds[p] for one of each, 0 where p is not offered.  Takes some tens of milliseconds.  0 or what the device
 * said. */
int precision_time(const struct model *, double seconds[3], struct error *);

/* The precision to take by these times: f32, unless a lower one is so much faster that measuring the strongest units
 * again in f32 does not eat it up; and bf16, which is the more exact one, unless int8 is clearly faster. */
enum precision precision_choose(const double seconds[3]);

#endif
