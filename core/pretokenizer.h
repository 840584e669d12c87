/* pretokenizer.h: cut a text into the words that byte-level BPE never merges across.
 *
 * A table says, by the names files use (tokenizer.ggml.pre), which regular expressions a model was trained with; PCRE2
 * applies them.  Immutable once open; any thread may run one. */
#ifndef CORE_PRETOKENIZER_H
#define CORE_PRETOKENIZER_H

#include <stdbool.h>
#include <stddef.h>

#include "gpu/error.h"

enum { PRETOKENIZER_STEPS = 6 };

/* How a family of models cuts its text. */
struct pretokenizer_rule {
    const char *name;
    const char *const *steps; /* expressions, at most PRETOKENIZER_STEPS, NULL at the end.  One after the other cuts
                               * what the former left: a match and what lies between two matches both become pieces */
    bool whole_words;         /* a word that is a token is taken whole, whatever the merges say */
    bool start_token;         /* a text begins with BOS unless the file says otherwise */
    bool compose;             /* the text is brought into normal form C first */
};

/* The rule of this name, or NULL.  name: not terminated. */
const struct pretokenizer_rule *pretokenizer_find(const char *name, size_t length);

struct pretokenizer;

int pretokenizer_open(const struct pretokenizer_rule *, struct pretokenizer **, struct error *);
void pretokenizer_close(struct pretokenizer *); /* NULL ok */

/* Called with each word in order, none of them empty; a code other than 0 ends the run and is returned by it. */
typedef int pretokenizer_word(void *context, const char *word, size_t length, struct error *);

/* text: valid UTF-8.  ERROR_LIMIT if an expression needs more steps than are allowed. */
int pretokenizer_run(const struct pretokenizer *, const char *text, size_t length, pretokenizer_word *, void *context,
                     struct error *);

#endif
