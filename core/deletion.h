/* deletion.h: a prompt without the text of some of its parts.
 *
 * What is deleted is gone, not turned down: its tokens, and its place.  Pure. */
#ifndef CORE_DELETION_H
#define CORE_DELETION_H

#include "core/tokenizer.h"

/* The text without the bytes of spans [count], which may overlap: malloced, *kept bytes and a NUL.  NULL: no memory. */
char *deletion_text(const char *text, size_t length, const struct span *, size_t count, size_t *kept);

#endif
