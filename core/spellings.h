/* spellings.h: find tokens in a text by how they are spelled, before any encoder sees it.
 *
 * For user-defined tokens, and for control tokens in trusted template text.  Immutable once open; any thread. */
#ifndef CORE_SPELLINGS_H
#define CORE_SPELLINGS_H

#include <stddef.h>

#include "core/vocabulary.h"

struct spellings;

/* The tokens whose type's bit (1 << enum token_type) is set in `types`.  Those with an empty text or one of more than
 * 256 bytes are left out.  The texts are copied. */
int spellings_open(const struct vocabulary *, unsigned types, struct spellings **, struct error *);
void spellings_close(struct spellings *); /* NULL ok */

/* The id of the longest token spelled at the beginning of text [length], its length in *matched; -1 if there is
 * none. */
int32_t spellings_match(const struct spellings *, const char *text, size_t length, size_t *matched);

#endif
