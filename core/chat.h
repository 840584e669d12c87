/* chat.h: conversations as the text that a chat model was trained on.
 *
 * A GGUF file carries its chat template as a Jinja program, which is never executed: the family it belongs to is told
 * by what it contains, and each family is a row of texts (chat.c) to put around the messages.  A system message that
 * the template says by itself where there is none is found if it stands there as plain text.  Pure functions; any
 * thread. */
#ifndef CORE_CHAT_H
#define CORE_CHAT_H

#include <stdbool.h>
#include <stddef.h>

#include "gpu/error.h"

enum chat_role { CHAT_SYSTEM, CHAT_USER, CHAT_ASSISTANT };

/* Bytes start .. end - 1 of a text. */
struct chat_message {
    enum chat_role role;
    size_t start, end;
};

struct chat_family; /* a row of the table */

struct chat_template {
    const struct chat_family *family; /* NULL: none */
    char system[1024];                /* its own system message, or "" */
};

/* Whether the template [length] is of a family that is known, and if so, what it is. */
bool chat_detect(const char *template, size_t length, struct chat_template *);
/* The family of that name, or NULL. */
const struct chat_family *chat_find(const char *name);
const char *chat_name(const struct chat_family *);
/* Family 0, 1, ... of the table; NULL beyond its end. */
const struct chat_family *chat_at(size_t index);

/* Who says what.  In a text with lines that are nothing but a role and a colon ("system:", "user:", "assistant:") each
 * such line begins a message, and what stands before the first is the user's; white space around messages is not part
 * of them, and empty ones are left out.  Any other text is one message of the user, as it is.  *messages is malloced
 * [*count].  ERROR_ARGUMENT where nobody says anything. */
int chat_read(const char *text, size_t length, struct chat_message **messages, size_t *count, struct error *);

/* Bytes of a rendered conversation that come from the text: rendered[at ...] is text[start .. end). */
struct chat_piece {
    size_t at, start, end;
};

struct chat_rendered {
    char *text; /* [length], terminated */
    size_t length;
    struct chat_piece *pieces; /* ascending in both texts; what lies between them is the template's */
    size_t piece_count;
};

/* The conversation with the template around it, up to where the assistant is to speak.  A last message of the assistant
 * is left open, to be continued.  lead: what the template is to say before the user's last message (NULL: nothing).
 * ERROR_ARGUMENT for a system message that is not the first. */
int chat_render(const struct chat_template *, const char *text, const struct chat_message *, size_t count,
                const char *lead, struct chat_rendered *, struct error *);
void chat_rendered_free(struct chat_rendered *); /* what it holds */

#endif
