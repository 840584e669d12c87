/* sentencepiece.h: the SentencePiece library behind a C interface.
 *
 * The library has no C interface of its own.  This one loads a model rebuilt from a vocabulary (which is all a GGUF
 * keeps of the original model file) and encodes with byte offsets.  It lets no C++ exception out.  Immutable once open;
 * any thread may encode.  Control tokens are never found in a text, and byte order marks and invalid UTF-8 are not its
 * business: the caller hands it checked text. */
#ifndef CORE_SENTENCEPIECE_H
#define CORE_SENTENCEPIECE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" { /* the house's own headers are plain C */
#endif

#include "core/vocabulary.h"
#include "gpu/error.h"

struct sentencepiece_model;

struct sentencepiece_options {
    bool unigram;       /* else BPE by score */
    bool dummy_prefix;  /* put a space in front of every text */
    bool merge_spaces;  /* drop spaces at the ends and all but one of several (remove_extra_whitespaces) */
};

/* The vocabulary is copied.  Entries that the library would refuse, or that are unsafe for it, are disarmed where the
 * meaning of the others is kept, else ERROR_FORMAT. */
int sentencepiece_open(const struct vocabulary *, const struct sentencepiece_options *, struct sentencepiece_model **,
                       struct error *);
void sentencepiece_close(struct sentencepiece_model *); /* NULL ok */

/* Append the tokens of text [length] to the list; `base` is added to the offsets.
 * ERROR_UNSUPPORTED for a character that the vocabulary cannot spell if it has no unknown token either. */
int sentencepiece_encode(const struct sentencepiece_model *, const char *text, size_t length, size_t base,
                         struct token_list *, struct error *);

#ifdef __cplusplus
}
#endif
#endif
