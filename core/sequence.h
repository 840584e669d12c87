/* sequence.h: a prompt of text and pictures as the tokens that the decoder is fed.
 *
 * Owns the rule where pictures go: each spelling <image> in the text is the place of one picture; where there are more
 * pictures than places, the first ones come before the text, so that pictures always stand in their order.  Texts
 * between pictures are tokenised on their own, each with the dummy-prefix space where the tokeniser has one.  Around a
 * picture stand the tokens that its tower's kind asks for.  Pure: no device. */
#ifndef CORE_SEQUENCE_H
#define CORE_SEQUENCE_H

#include "core/image.h"
#include "core/tokenizer.h"
#include "core/units.h"
#include "core/vision.h"

#define SEQUENCE_MARK "<image>"
enum { SEQUENCE_PICTURES = 64 }; /* at most, in one prompt */

/* A picture of a sequence: tokens first .. first + columns * rows - 1, row-major. */
struct picture {
    struct image *image; /* an owner of it */
    int first, columns, rows;
    size_t start; /* byte of the text at which its mark begins; 0 without one */
};

/* Copies with owners of their own, malloced; NULL: no memory. */
struct picture *pictures_copy(const struct picture *, size_t count);
void pictures_free(struct picture *, size_t count); /* NULL ok */

struct sequence {
    struct token *tokens; /* offsets in the whole text; a picture's tokens, and those around it, stand where its mark
                           * begins, all start = end */
    size_t token_count;
    struct picture *pictures;
    size_t picture_count;
};

/* vision may be NULL where there is no picture.  Without pictures the mark is text like any other.  ERROR_ARGUMENT for
 * more marks than pictures, or for pictures without vision, ERROR_LIMIT for too many; the message says what to do.
 * Else as tokenizer_encode_quoting(), whose `quoted` and flags these are. */
int sequence_new(const struct tokenizer *, const struct vision_info *vision, const char *text, size_t length,
                 const struct span *quoted, size_t quoted_count, unsigned flags, struct image *const *images,
                 size_t image_count, struct sequence *, struct error *);
/* How many marks the text has. */
size_t sequence_marks(const char *text, size_t length);
/* Its units: of the text by `units`, of the pictures by `image_units` (as units_cut() and units_tile() have them).
 * *out is malloced [*count]. */
int sequence_cut(const struct sequence *, const char *text, size_t length, const char *units, const char *image_units,
                 struct unit **out, size_t *count, struct error *);
/* Frees what it holds, not itself. */
void sequence_free(struct sequence *);

#endif
