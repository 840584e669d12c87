/* past.h: the keys and values that probes changed, put away so that the next explanation's probes go on from there.
 *
 * What a probe made of the rows before reaches a row through their changed keys and values alone.  So where the next
 * sequence begins with the same tokens -- a longer output, an edited prompt --, the probe of a unit that was measured
 * before has to run only from the first row that is new.  Rows are packed (device.h) in the precision that they were
 * formed in; those in f32 and those in the lower one do not mix.  No more is kept than a limit allows: of the probes
 * that ran first, which promised most.
 *
 * Of one set of probes.  A unit's rows are used by one lane at a time; all else is the worker's thread's, and no lane
 * works meanwhile. */
#ifndef CORE_PAST_H
#define CORE_PAST_H

#include "core/model.h"

struct past;

/* first_layer: the first touched one, in which keys and values are still the baseline's.  limit: bytes. */
int past_new(const struct model *, int first_layer, int units, size_t limit, struct past **, struct error *);
void past_free(struct past *); /* NULL ok */
size_t past_bytes(const struct past *);
/* Forget, from the last units on, what is too much. */
void past_shrink(struct past *, size_t bytes);
/* Move what another past, of the same model and first layer, has of a unit, whose rows begin at `start`, before
 * position `end`. */
void past_take(struct past *, int unit, int start, int end, struct past *from, int from_unit);

/* Behind the last position whose rows are there; 0: there are none. */
int past_end(const struct past *, int unit, enum precision);
/* -- of a unit whose rows begin at `start` and which is now run from position `first` (all before being there) to
 * `end`, in this order; by the lane that runs it, whose stream is given -------------------------------------------- */
/* Make room as far as the limit allows; of the other precision nothing is left from `first` on.  0, or what the stream
 * said. */
int past_begin(struct past *, struct stream *, int unit, enum precision, int start, int first, int end,
               struct error *);
/* The rows before `first` in layer l, which is no first one: keys, values [first - start, kv_heads * head_dim]. */
void past_read(const struct past *, struct stream *, int unit, enum precision, int l, int first, float *keys,
               float *values);
/* Whether any row can be put away. */
bool past_has_room(const struct past *, int unit, enum precision);
enum past_part { PAST_KEYS, PAST_VALUES };
/* Put rows first .. first + count - 1 away, as far as there is room. */
void past_write(struct past *, struct stream *, int unit, enum precision, int l, enum past_part, int first, int count,
                const void *packed);
/* All rows up to `end` have been written, and the stream has finished. */
void past_done(struct past *, int unit, enum precision, int end);

#endif
