/* history.h: the prompts that were measured, kept from one run to the next.
 *
 * Owns the list and its file: one JSON object {"prompt", "images"} a line, oldest first, at most HISTORY_MOST of them,
 * readable by nobody else.  Several programs may share the file: each adds to what it finds there, under a lock, and
 * replaces the file as a whole.  A file that cannot be read or written is no error: the list then lives as long as the
 * program.  Reads no pictures. */
#ifndef TUI_HISTORY_H
#define TUI_HISTORY_H

#include <stdbool.h>
#include <stddef.h>

#include "tui/paths.h"

enum { HISTORY_MOST = 1000 };

struct history_entry {
    char *prompt; /* terminated */
    size_t length;
    char **images; /* [image_count] absolute paths */
    size_t image_count;
    bool unsaved;
};

struct history {
    char path[PATHS_LENGTH]; /* "": nothing is kept */
    struct history_entry *entries; /* [count] oldest first */
    size_t count;
};

/* The file's path as XDG has it; "" without a home.  home, state_home: $HOME and $XDG_STATE_HOME or NULL. */
void history_path(char *path, size_t size, const char *home, const char *state_home);

/* Read the file; path NULL or "": begin with nothing and keep nothing. */
void history_open(struct history *, const char *path);
void history_close(struct history *);

/* Put a prompt at the end of the list, from where it may stand already, and of the file.  images: paths, NULL where one
 * is not known, which is left out.  Empty prompts and enormous ones are not taken.  Waits for another program's lock at
 * most a tenth of a second; what could not be written goes into the file with the next one. */
void history_add(struct history *, const char *prompt, size_t length, char *const *images, size_t image_count);

#endif
