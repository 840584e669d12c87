/* export.h: an explanation written to a file, in the format that the file's name says. */
#ifndef TUI_EXPORT_H
#define TUI_EXPORT_H

#include "tui/report.h"

/* The endings there are, for a sentence. */
#define EXPORT_ENDINGS ".html, .json, .txt, .ansi, .png or .svg"

/* Whether the name's ending is one of them. */
bool export_knows(const char *path);
/* Write a report, whole or not at all.  depth: of the terminal, for .ansi.  ERROR_ARGUMENT for another ending, else as
 * output_fill(). */
int export_write(const char *path, const struct report *, enum colour_depth depth, struct error *);

#endif
