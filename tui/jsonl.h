/* jsonl.h: files of JSON lines, and the pieces that their objects are made of, with every check.
 *
 * What the objects mean is the caller's.  Keys that are missing, or null, leave alone what they would be read into. */
#ifndef TUI_JSONL_H
#define TUI_JSONL_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "gpu/error.h"

/* Takes a line without its end.  Positive: that is enough. */
typedef int jsonl_taker(void *data, const char *line, size_t length, size_t number, struct error *);
/* Hand over the lines of text [length] one by one, numbered from 1, but not the blank ones.  Its errors get the path
 * and the line's number. */
int jsonl_each(const char *path, const char *text, size_t length, jsonl_taker *, void *data, struct error *);

/* The object of a line, to be given up; flags: jansson's.  ERROR_FORMAT. */
int jsonl_object(const char *line, size_t length, size_t flags, json_t **, struct error *);

/* The text of a key, malloced; an empty one is refused.  ERROR_FORMAT, as below. */
int jsonl_text(const json_t *, const char *key, char **text, struct error *);
/* The "id", a text or a whole number, malloced; "line N" without one. */
int jsonl_id(const json_t *, size_t line, char **id, struct error *);
/* An array, borrowed; NULL where it is missing or empty. */
int jsonl_array(const json_t *, const char *key, const json_t **, struct error *);
/* Whether it is an array of exactly n numbers. */
bool jsonl_numbers(const json_t *, size_t n, double *numbers);

/* The folder of a path, malloced: "" for the current one.  NULL: no memory. */
char *jsonl_folder(const char *path);
/* The path of the file that value names, from a folder's point of view, malloced; it must be there: ERROR_IO. */
int jsonl_file(const json_t *value, const char *key, const char *folder, char **path, struct error *);
/* An array of them, malloced [*count].  On failure too, *count of them are there to be freed. */
int jsonl_files(const json_t *, const char *key, const char *folder, char ***paths, size_t *count, struct error *);

#endif
