/* sequence.h: a prompt of text and pictures as the tokens that the decoder is fed.
 *
 * Owns the rule where pictures go: each spelling <image> in the text is the place of one picture; pictures without such
 * a place come before the text, in their order.  Texts between pictures are tokenised on their own.  Pure: no device. */
#ifndef CORE_SEQUENCE_H
#define CORE_SEQUENCE_H

#include "core/image.h"
#include "core/tokenizer.h"
#include "core/vision.h"

#define SEQUENCE_MARK "<image>"

/* A picture of a sequence: tokens first .. first + columns * rows - 1, row-major. */
struct picture {
    struct image *image; /* an owner of it */
    int first, columns, rows;
};

struct sequence {
    struct token *tokens; /* offsets in the whole text; a picture's tokens stand where its mark begins, all start = end */
    size_t token_count;
    struct picture *pictures;
    size_t picture_count;
};

/* vision may be NULL where there is no picture.  Without pictures the mark is text like any other.  ERROR_ARGUMENT for
 * more marks than pictures, or for pictures without vision; the message says what to do. */
int sequence_new(const struct tokenizer *, const struct vision_info *vision, const char *text, size_t length,
                 unsigned flags, struct image *const *images, size_t image_count, struct sequence *, struct error *);
/* Frees what it holds, not itself. */
void sequence_free(struct sequence *);

#endif
