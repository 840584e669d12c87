/* dataset.h: the cases of `eval`, from a file of JSON lines.
 *
 * {"id", "prompt", "images": [files], "target", "answer", "truth": {"spans", "rects", "masks"}}; other keys are left
 * alone. Names of files are relative to the data set's folder.  The whole file is checked before anything is run;
 * pictures are looked for, but not opened. */
#ifndef TUI_DATASET_H
#define TUI_DATASET_H

#include <stddef.h>

#include "gpu/error.h"

struct dataset_span {
    size_t start, end; /* bytes of the prompt, start < end */
};

struct dataset_rect {
    int image;
    double x, y, width, height; /* in its pixels */
};

struct dataset_case {
    size_t line;   /* in the file, from 1 */
    char *id;      /* or "line N" */
    char *prompt;  /* not empty */
    char *target;  /* or NULL: the greedy answer is explained */
    char *answer;  /* what a greedy answer is judged by; NULL: it is not */
    char **images; /* [image_count] paths */
    size_t image_count;
    struct dataset_span *spans;
    size_t span_count;
    struct dataset_rect *rects;
    size_t rect_count;
    char **masks; /* [image_count] paths, or NULL: none for this picture; NULL: no masks at all */
};

struct dataset {
    struct dataset_case *cases;
    size_t count;
};

/* Read at most `most` cases (0: all) from path, "-" for standard input (then files are relative to the current folder).
 * ERROR_IO; ERROR_FORMAT with the line's number, also for a file without a case. */
int dataset_read(const char *path, size_t most, struct dataset *, struct error *);
void dataset_free(struct dataset *); /* what it holds */

#endif
