/* utf8.h: step through UTF-8 text that utf8_check() (tokenizer.h) has accepted.
 *
 * Pure functions; any thread.  None of them looks at a byte at or after `length`. */
#ifndef CORE_UTF8_H
#define CORE_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/tokenizer.h"

/* The code point at text[*at], *at < length; moves *at behind it. */
uint32_t utf8_next(const char *text, size_t length, size_t *at);

/* The code point that ends before text[*at], *at > 0; moves *at to its first byte. */
uint32_t utf8_previous(const char *text, size_t length, size_t *at);

/* The greatest character boundary that is not after `at`. */
size_t utf8_floor(const char *text, size_t length, size_t at);

/* Unicode's White_Space property (25 code points; U+180E, U+200B and U+FEFF are not among them). */
bool utf8_is_space(uint32_t code);

#endif
