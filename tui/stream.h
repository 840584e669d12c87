/* stream.h: the output's text as it grows, to be printed while it comes.
 *
 * Owns the bytes of the tokens so far, and how many of them were printed.  A character that is not finished waits for
 * its rest. */
#ifndef TUI_STREAM_H
#define TUI_STREAM_H

#include "core/engine.h"

struct stream {
    bool visible;  /* to a terminal: nothing that could steer it */
    size_t tokens; /* taken so far */
    char *bytes;   /* malloced [length]: all of them; the owner frees them */
    size_t length, printed;
};

/* Take the tokens that are new; specials are left out.  ERROR_MEMORY. */
int stream_take(struct stream *, const struct explanation *, const struct tokenizer *, struct error *);
/* Put more text behind them.  ERROR_MEMORY. */
int stream_add(struct stream *, const char *text, size_t length, struct error *);
/* How many bytes end a character, and are not printed yet. */
size_t stream_ready(const struct stream *);
/* Print `count` more bytes to standard output.  ERROR_MEMORY, or errors of output_write_fd(). */
int stream_print(struct stream *, size_t count, struct error *);

#endif
