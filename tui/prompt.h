/* prompt.h: read the prompt that the options name, and refuse what no prompt can be. */
#ifndef TUI_PROMPT_H
#define TUI_PROMPT_H

#include <stddef.h>

#include "gpu/error.h"
#include "tui/options.h"

/* A whole file, "-" for standard input; malloced and terminated. */
int prompt_read_file(const char *path, char **text, size_t *length, struct error *);

/* The text of -p or --prompt-file (without the line end at its very end), malloced and terminated; NULL if neither is
 * given.  With `strict`, an empty text (ERROR_ARGUMENT) and NUL or invalid UTF-8 in it (ERROR_FORMAT) are refused. */
int prompt_read(const struct options *, bool strict, char **text, size_t *length, struct error *);

/* Refuse NUL and invalid UTF-8 in a text given by option `what`. */
int prompt_check(const char *what, const char *text, size_t length, struct error *);

#endif
