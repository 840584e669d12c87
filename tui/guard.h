/* guard.h: the cases of `guard`, from a file of JSON lines, and what must hold of each.
 *
 * {"id", "prompt", "system", "chat", "images": [files], "target", "units", "hold": [checks]}, and a check is one of
 *   {"text": words | "span": [start, end] | "rect": [image, x, y, width, height], "share" | "rank": {"min", "max"}}
 *   {"probability": {"min", "max"}}
 *   {"answer": text}
 * Strict: a key that is not known is refused, as a limit that would go unseen is worse than none.  The whole file is
 * checked before anything is run.  Can be written back with new limits; measures nothing itself. */
#ifndef TUI_GUARD_H
#define TUI_GUARD_H

#include <jansson.h>
#include <stdio.h>

#include "tui/dataset.h"

enum guard_kind {
    GUARD_SHARE,       /* of the units in the relevance that supports the target */
    GUARD_RANK,        /* of the best of them, 1 supports the target most */
    GUARD_PROBABILITY, /* of the target */
    GUARD_ANSWER,      /* the model's own */
    GUARD_KINDS,
};
const char *guard_kind_name(enum guard_kind); /* its key */

struct guard_check {
    enum guard_kind kind;
    char *name;                 /* of its units, for people: "\"Tom\"", "bytes 3 to 7"; else NULL */
    struct dataset_span *spans; /* [span_count] bytes of the case's text that they touch */
    size_t span_count;
    struct dataset_rect rect; /* or what they touch of a picture; width 0: nothing */
    double min, max;          /* NAN: no such limit */
    char *answer;             /* GUARD_ANSWER */
    json_t *json;             /* its object in the case's */
};

struct guard_case {
    size_t line;          /* in the file, from 1 */
    size_t start, length; /* of its object in the file's text */
    char *id;             /* or "line N" */
    char *text;           /* prompt, and system's message, as a request takes them */
    int chat;             /* whether it is a conversation: 0, 1; -1: as the options and the model say */
    char **images;        /* [image_count] paths */
    size_t image_count;
    char *target; /* or NULL: the greedy answer */
    char *units;  /* or NULL: as the options say */
    struct guard_check *checks;
    size_t check_count;
    json_t *json; /* its object */
};

struct guard {
    char *text; /* of the file [length] */
    size_t length;
    struct guard_case *cases;
    size_t count;
};

/* Read path, "-" for standard input.  ERROR_IO; ERROR_FORMAT with the line's number, also for a file without a case. */
int guard_read(const char *path, struct guard *, struct error *);
void guard_free(struct guard *); /* what it holds */

/* The places of words in a text, malloced [*count]; NULL: nowhere, or no memory.  Where a place begins or ends within a
 * longer word it does not count; white space at the ends of what is looked for must be there, but is not part of a
 * place. */
struct dataset_span *guard_find(const char *text, const char *words, size_t *count);

/* What a case may now be written back with: the value measured, and in place of a limit another one; NAN: none. */
void guard_note(struct guard_check *, double measured, double min, double max);
/* In place of the answer that is wanted. */
void guard_expect(struct guard_check *, const char *answer);
/* The file's text with all cases as they are now, line for line; as read where nothing was noted.  0 or ERROR_MEMORY.
 */
int guard_write(const struct guard *, FILE *, struct error *);

#endif
