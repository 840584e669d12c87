/* prompt.h: read the prompt that the options name, text and pictures, and refuse what no prompt can be. */
#ifndef TUI_PROMPT_H
#define TUI_PROMPT_H

#include <stddef.h>

#include "gpu/error.h"
#include "tui/options.h"

/* A whole file, "-" for standard input; malloced and terminated. */
int prompt_read_file(const char *path, char **text, size_t *length, struct error *);

enum prompt_demand {
    PROMPT_ANY,          /* whatever it is: the tokeniser will say */
    PROMPT_MAY_BE_EMPTY, /* NUL and invalid UTF-8 are ERROR_FORMAT */
    PROMPT_TEXT,         /* and an empty one is ERROR_ARGUMENT */
};

/* Leave out the line end, of either kind, at a terminated text's very end. */
void prompt_cut_line_end(char *text, size_t *length);

/* The text of -p or --prompt-file (without the line end at its very end) with what --system and --chat-file say before
 * it, malloced and terminated; NULL if nothing is given.  PROMPT_ANY: without the latter. */
int prompt_read(const struct options *, enum prompt_demand, char **text, size_t *length, struct error *);

/* The pictures of --image, in order, into images [OPTIONS_IMAGES]; what lies behind the last is left alone.  On failure
 * there is nothing to release. */
int prompt_read_images(const struct options *, struct image **images, struct error *);
void prompt_release_images(struct image **images, size_t count);

/* Refuse NUL and invalid UTF-8 in a text given by option `what`. */
int prompt_check(const char *what, const char *text, size_t length, struct error *);

#endif
