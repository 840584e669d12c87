/* compose.h: Unicode's normal form C, with a way back to the places in the text.
 *
 * Some byte-level tokenisers (Qwen2, GPT-NeoX) were trained on normalised text.  Pure functions; any thread. */
#ifndef CORE_COMPOSE_H
#define CORE_COMPOSE_H

#include <stdbool.h>
#include <stddef.h>

#include "gpu/error.h"

struct composed {
    char *text;     /* [length] UTF-8 */
    size_t length;
    size_t *source; /* [length + 1] for each byte where the character that holds it begins in the given text; not
                       descending */
};

/* Whether normalising could change text [length]: no if it holds nothing beyond U+02FF. */
bool compose_matters(const char *text, size_t length);

/* text: valid UTF-8.  Time: n log n. */
int compose_text(const char *text, size_t length, struct composed *, struct error *);
void composed_free(struct composed *);

#endif
