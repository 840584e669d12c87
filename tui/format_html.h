/* format_html.h: what the files that write the HTML page share. */
#ifndef TUI_FORMAT_HTML_H
#define TUI_FORMAT_HTML_H

#include <stdio.h>

#include "tui/report.h"

/* Bytes of a prompt, a model or a name, cleaned, with what HTML takes for markup made harmless. */
void format_html_text(FILE *, const char *text, size_t length);

/* "background:rgba(...)" for a unit of this relevance in a style attribute, "" for none; of the whole answer. */
void format_html_colour(const struct explanation *, size_t unit, double limit, char *style, size_t size);

/* The pictures of the prompt, each embedded whole with its units over it.  0 or ERROR_MEMORY. */
int format_html_pictures(const struct report *, FILE *, double limit, struct error *);

#endif
