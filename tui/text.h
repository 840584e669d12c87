/* text.h: UTF-8 as it comes out of models, made fit to be shown and stored.
 *
 * A token may be any bytes, a part of a character included.  What is no character becomes U+FFFD. */
#ifndef TUI_TEXT_H
#define TUI_TEXT_H

#include <stdbool.h>
#include <stddef.h>

#include "core/tokenizer.h"

/* Bytes of the character at text, 1 to 4; *valid: whether it is one (else it is a byte to replace).  length >= 1.
 * cut (NULL ok): whether the text ends within a character that was well so far. */
size_t text_character(const char *text, size_t length, bool *valid, bool *cut);

/* A terminated, malloced copy with every bad byte replaced by U+FFFD; *size (NULL ok): its length.  NULL: no memory.
 * visible: control characters but newline and tab are replaced too, so that nothing moves a terminal's cursor, and
 * marks that turn the direction of writing, so that a text looks like what the model was given. */
char *text_clean(const char *text, size_t length, bool visible, size_t *size);

/* How many bytes of text can be printed now: all but an unfinished character at the end. */
size_t text_finished(const char *text, size_t length);

/* Whether two texts are the same but for white space at their ends. */
bool text_same(const char *, const char *);

/* The text of tokens ids [count], put together and cleaned; malloced, NULL: no memory.  End tokens and other specials
 * give their names if `specials`, else nothing. */
char *text_of_tokens(const struct tokenizer *, const int32_t *ids, size_t count, bool specials, size_t *size);

#endif
