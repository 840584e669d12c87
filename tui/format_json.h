/* format_json.h: the pieces of JSON that several commands write. */
#ifndef TUI_FORMAT_JSON_H
#define TUI_FORMAT_JSON_H

#include <jansson.h>

#include "tui/report.h"

/* All return a new reference, NULL without memory. */
json_t *format_json_text(const char *text, size_t length); /* any bytes: what is not UTF-8 becomes U+FFFD */
json_t *format_json_number(double);                        /* null where it is not finite */
json_t *format_json_model(const struct engine_info *);
json_t *format_json_device(const struct engine_info *, const char *precision); /* of the probes' products */
json_t *format_json_method(const struct method *, bool pictures); /* "similarity" is the pictures', or the text's */
json_t *format_json_explanation(const struct report *);

/* Write json (NULL: memory ran out while making it) in full precision, with a newline, and give it up. */
int format_json_write(json_t *json, bool indented, FILE *, struct error *);

#endif
