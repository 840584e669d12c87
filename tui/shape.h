/* shape.h: which fields a struct has, as a table, so that it can be written as bytes and read back.
 *
 * One row for each field; what is not to be kept has a row that says so.  tests/tui/test_recording.c fails where a
 * struct has a field that no row names.  Reading checks kinds of fields (a truth is 0 or 1, a text is UTF-8 and ends),
 * not what values mean. */
#ifndef TUI_SHAPE_H
#define TUI_SHAPE_H

#include <stddef.h>

#include "tui/bytes.h"

enum shape_kind {
    SHAPE_NUMBER, /* an integer or an enum, of 1 to 8 bytes */
    SHAPE_TRUTH,  /* a bool */
    SHAPE_FLOAT,  /* a float or a double */
    SHAPE_TEXT,   /* an array of char that ends with a NUL */
    SHAPE_STRUCT,
    SHAPE_LEFT_OUT, /* somebody else keeps it, or nobody */
};

struct shape_field {
    enum shape_kind kind;
    size_t offset, size; /* size of one, of a text of all */
    size_t count;        /* of an array; else 1 */
    const struct shape *shape; /* of a struct */
};

struct shape {
    const struct shape_field *fields;
    size_t count;
};

#define SHAPE_SIZE(type, member) sizeof(((type *)0)->member)
#define SHAPE_ROW(kind, type, member) {kind, offsetof(type, member), SHAPE_SIZE(type, member), 1, NULL}
/* of an array's elements */
#define SHAPE_ROWS(kind, type, member, n) {kind, offsetof(type, member), SHAPE_SIZE(type, member) / (n), n, NULL}
#define SHAPE_INNER(type, member, n, shape) \
    {SHAPE_STRUCT, offsetof(type, member), SHAPE_SIZE(type, member) / (n), n, &(shape)}
#define SHAPE_OF(table) {table, sizeof(table) / sizeof *(table)}

void shape_put(const struct shape *, const void *from, struct bytes *);
/* false: the bytes do not fit; what is left out stays as it is in `to`. */
bool shape_take(const struct shape *, void *to, struct bytes_reader *);

#endif
