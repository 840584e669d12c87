/* hyper.h: a model's hyper-parameters, by their names without the architecture in front.
 *
 * A reader remembers the first thing that goes wrong and does nothing from then on, so callers look at its status once.
 * Knows nothing of what the numbers mean. */
#ifndef CORE_HYPER_H
#define CORE_HYPER_H

#include <stdbool.h>
#include <stdint.h>

#include "gpu/error.h"

struct gguf;
struct gguf_entry;

struct hyper {
    const struct gguf *file;
    const char *architecture;
    struct error *error; /* not NULL */
    int status;          /* 0, or of the first that failed */
};

/* A key that is missing leaves *value as it is; one of another type or out of range is ERROR_FORMAT. */
void hyper_int(struct hyper *, const char *key, int low, int high, int *value);
void hyper_real(struct hyper *, const char *key, double *value);
void hyper_bool(struct hyper *, const char *key, bool *value);
/* Whether the text of a key, or `missing` where there is none, is `wanted`. */
bool hyper_is(struct hyper *, const char *key, const char *missing, const char *wanted);
const struct gguf_entry *hyper_find(struct hyper *, const char *key); /* NULL if there is none */

/* ERROR_FORMAT unless ok: "the model's WHAT make no sense together". */
void hyper_check(struct hyper *, bool ok, const char *what);

#endif
