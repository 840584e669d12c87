/* gallery.h: pictures as rows of the decoder's input, kept from one request to the next.
 *
 * A picture is encoded once, however often the text around it changes; and as its rows keep their ids, whatever the
 * decoder made of them is found again.  Belongs to a job: the worker's thread alone. */
#ifndef CORE_GALLERY_H
#define CORE_GALLERY_H

#include <stdatomic.h>

#include "core/sequence.h"
#include "core/sight.h"

enum { GALLERY_KEPT = 8 }; /* pictures of earlier requests and this one, unless this one has more */

/* Zeroed: empty. */
struct gallery {
    struct picture_rows rows[SEQUENCE_PICTURES]; /* [count], in no order; see baseline_pictures() */
    uint64_t serial[SEQUENCE_PICTURES];          /* of the images */
    uint64_t used[SEQUENCE_PICTURES];            /* the last request that showed it */
    int count;
    uint64_t requests;
    int64_t ids; /* given away so far */
};

/* Have the rows of all these pictures, and drop others, the longest unused first, where there are too many.  stream is
 * a wide one of the vision tower's device.  ERROR_CANCELLED, or what the tower said; what is there then stays. */
int gallery_show(struct gallery *, const struct vision *, struct device *, struct stream *, const struct picture *,
                 size_t count, const atomic_bool *cancelled, struct error *);
/* The id of the first row of a picture that is there. */
int32_t gallery_id(const struct gallery *, const struct image *);
/* Drop all. */
void gallery_clear(struct gallery *, struct device *);

#endif
