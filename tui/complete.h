/* complete.h: the rest of the name of a file. */
#ifndef TUI_COMPLETE_H
#define TUI_COMPLETE_H

#include <stdbool.h>
#include <stddef.h>

/* Complete the path that is typed as far as all that fits it agrees: folders, and files; with `pictures` only those
 * named like pictures.  What is hidden fits only where a dot is typed.  choices: the names that fit, as many as there
 * is room for, if they are more than one.  Returns how many fit; with 0 the path is as typed. */
size_t complete_path(const char *typed, bool pictures, char *path, size_t size, char *choices, size_t choices_size);

#endif
