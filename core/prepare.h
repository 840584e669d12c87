/* prepare.h: how a picture becomes a vision tower's input, as the model's original preprocessing does it.
 *
 * Pure host code over struct image; which tower wants what is vision.c's knowledge, and so is where a patch lies.
 * Any thread. */
#ifndef CORE_PREPARE_H
#define CORE_PREPARE_H

#include <stdatomic.h>

#include "core/image.h"

enum prepare_kind {
    PREPARE_PAD_SQUARE, /* centred on a square of the longer side in the mean's colour (LLaVA 1.5) */
    PREPARE_STRETCH,    /* both sides to the square's, whatever the aspect (SmolVLM's overview, Gemma 3) */
};

struct preparation {
    enum prepare_kind kind;
    int side;    /* of the square that comes out */
    int longest; /* PREPARE_STRETCH: before that, bring the longer side to this many pixels, the aspect kept, as
                    Idefics3's preprocessing does (clip.vision.preproc_image_size); 0: do not */
    enum image_filter filter;
    float mean[3], deviation[3]; /* of pixels in 0..1; deviation > 0 */
};

/* pixels [3, side, side] f32: red, green, blue, each (value / 255 - mean) / deviation.  ERROR_ARGUMENT for a
 * preparation outside its ranges (sides go up to 4096), ERROR_LIMIT, ERROR_MEMORY; ERROR_CANCELLED: cancelled is looked
 * at between rows (NULL: never). */
int prepare_image(const struct image *, const struct preparation *, const atomic_bool *cancelled, float *pixels,
                  struct error *);

#endif
