/* vision.h: the eye of a vision-language model: pictures to rows of the decoder's input.
 *
 * Owns a vision tower and its projector, from a file of architecture "clip" (mmproj), and how a picture is prepared for
 * it.  Three kinds: LLaVA 1.5 ("mlp"), SmolVLM ("idefics3", one overview of the whole picture) and Gemma 3 ("gemma3").
 * Knows nothing of prompts.  Immutable once open. */
#ifndef CORE_VISION_H
#define CORE_VISION_H

#include <stdatomic.h>
#include <stdbool.h>

#include "core/image.h"
#include "gpu/device.h"

struct gguf;
struct vision;

/* A place in a picture, in its pixels; width or height 0: none of it. */
struct rect {
    float x, y, width, height;
};

struct vision_info {
    char projector[32];      /* "mlp", "idefics3", "gemma3" */
    int side, patch;         /* pixels of the square that the tower sees, and of its patches */
    int columns, rows;       /* tokens of a picture; columns * rows in all, row-major */
    int width;               /* of a row: the decoder's */
    bool bidirectional;      /* a picture's tokens see each other in the decoder (Gemma 3) */
    const char *before, *after; /* control tokens' spellings around a picture's rows; may be "" */
    uint64_t parameters;
    size_t weight_bytes;
};

/* Whether the file holds a tower this program can run: 0, or ERROR_UNSUPPORTED, ERROR_FORMAT or ERROR_LIMIT with the
 * reason.  Looks at metadata and shapes only. */
int vision_check(const struct gguf *, struct vision_info *, struct error *);
/* Load onto the device; gguf must stay open as long.  width: of the decoder; another one is ERROR_ARGUMENT, and the
 * message names both. */
int vision_open(const struct gguf *, struct device *, int width, struct vision **, struct error *);
void vision_close(struct vision *); /* NULL ok */
const struct vision_info *vision_info(const struct vision *);

/* The picture's rows: out [columns * rows, width] f32 on the device.  cancelled is looked at between layers (NULL:
 * never).  stream is a wide one.  Has finished when it returns. */
int vision_encode(const struct vision *, struct stream *, const struct image *, const atomic_bool *cancelled,
                  float *out, struct error *);

/* Where a token of a picture of this size looks, in the picture's own pixels: its cell, cut to the picture; cells that
 * lie in padding are empty.  (Attention mixes patches in the tower, so a token is evidence about its place only
 * approximately.) */
struct rect vision_rect(const struct vision_info *, int image_width, int image_height, int token);

/* What the tower is given: pixels [3, side, side] f32, prepared and normalised as the original does; malloced.  For
 * vision_encode() and its tests. */
int vision_prepare(const struct vision *, const struct image *, const atomic_bool *cancelled, float **pixels,
                   struct error *);

#endif
