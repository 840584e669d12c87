/* paths.h: which file a model's name means.
 *
 * Models live where their path says, in the user's data folder (XDG_DATA_HOME/atmanscope/models) under any name, or are
 * the shipped one.  Knows file names only; reads no model and no environment (main.c tells what that says). */
#ifndef TUI_PATHS_H
#define TUI_PATHS_H

#include <stdbool.h>
#include <stddef.h>

#include "gpu/error.h"

enum { PATHS_LENGTH = 4096 };

struct paths {
    char models[PATHS_LENGTH];  /* the user's folder of models; "" without a home */
    char program[PATHS_LENGTH]; /* the folder of the program itself; "" unknown */
};

/* home, data_home: $HOME and $XDG_DATA_HOME or NULL. */
void paths_init(struct paths *, const char *home, const char *data_home);

/* The file that name means: a path; else a model of the user's folder by its file name, the beginning or a part of
 * it, in any case; NULL: the shipped model.  ERROR_IO where there is none, ERROR_ARGUMENT where several fit. */
int paths_model(const struct paths *, const char *name, char *path, size_t size, struct error *);

/* The vision tower of a model: the file beside it named MODEL-mmproj*.gguf, or else mmproj*.gguf; "" where there is
 * none. ERROR_ARGUMENT where several fit. */
int paths_mmproj(const char *model, char *path, size_t size, struct error *);

/* The file of sample prompts: those made for the shipped model, where model is NULL, or those for any other.  false: it
 * is not there. */
bool paths_samples(const struct paths *, const char *model, char *path, size_t size);

struct paths_entry {
    char *name; /* to show: the file name without .gguf */
    char *path;
    size_t bytes; /* of this file (of the first shard) */
};

/* All models that can be opened by name: the shipped one first, then the user's in order of name.  *entries is
 * malloced [*count]; free with paths_list_free(). */
int paths_list(const struct paths *, struct paths_entry **entries, size_t *count, struct error *);
void paths_list_free(struct paths_entry *entries, size_t count); /* NULL ok */

#endif
