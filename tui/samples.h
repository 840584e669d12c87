/* samples.h: prompts to begin with.
 *
 * Owns the sample prompts that ship beside the demo model: blocks of text with a line "--" between them. */
#ifndef TUI_SAMPLES_H
#define TUI_SAMPLES_H

#include <stddef.h>

struct samples {
    char *text;
    size_t length;
    size_t next; /* byte at which the next sample begins */
};

/* Read a file of samples; NULL, or one that cannot be read: none. */
void samples_read(struct samples *, const char *path);
void samples_free(struct samples *);
/* The next sample, after the last the first again; not terminated.  NULL: there is none. */
const char *samples_next(struct samples *, size_t *length);

#endif
