/* samples.h: prompts to begin with.
 *
 * Owns the sample prompts that ship beside the demo model: blocks of text with a line "--" between them.  A block may
 * begin with lines "image: FILE", a picture each, its path relative to the file of samples.  Opens no picture. */
#ifndef TUI_SAMPLES_H
#define TUI_SAMPLES_H

#include <stdbool.h>
#include <stddef.h>

enum { SAMPLE_IMAGES = 8 };

/* Parts of the file's text, not terminated. */
struct sample_path {
    const char *path;
    size_t length;
};
struct sample {
    const char *text;
    size_t length;
    struct sample_path images[SAMPLE_IMAGES];
    size_t image_count;
};

struct samples {
    char *text;
    size_t length;
    size_t next;        /* byte at which the next sample begins */
    const char *folder; /* the path of the file of samples: what is before its last slash */
};

/* Read a file of samples; NULL, or one that cannot be read: none.  path is borrowed. */
void samples_read(struct samples *, const char *path);
void samples_free(struct samples *);
/* The next sample, after the last the first again.  false: there is none. */
bool samples_next(struct samples *, struct sample *);
/* The path of a sample's picture; false: it is too long. */
bool samples_path(const struct samples *, const struct sample_path *, char *path, size_t size);

#endif
