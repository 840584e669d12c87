/* bpe.h: byte-level byte pair encoding ("gpt2" vocabularies).
 *
 * Works on bytes throughout: the printable stand-ins that files write for bytes are undone when the vocabulary is read.
 * Immutable once open; any thread may encode. */
#ifndef CORE_BPE_H
#define CORE_BPE_H

#include <stddef.h>

#include "core/pretokenizer.h"
#include "core/vocabulary.h"

struct bpe;

/* Neither file nor vocabulary is kept.  Merges of tokens that the vocabulary lacks are left out. */
int bpe_open(const struct gguf *, const struct vocabulary *, const struct pretokenizer_rule *, struct bpe **,
             struct error *);
void bpe_close(struct bpe *); /* NULL ok */

/* Append the tokens of text [length], valid UTF-8, to the list; `base` is added to the offsets.  A byte that the
 * vocabulary lacks is left out, as the original tokenisers do.  Time: n log n for a word of n bytes. */
int bpe_encode(const struct bpe *, const char *text, size_t length, size_t base, struct token_list *, struct error *);

/* Undo the stand-ins of text [length] into bytes [length]; the result's length, or -1 if it is not made of them. */
ptrdiff_t bpe_bytes(const char *text, size_t length, char *bytes);

#endif
