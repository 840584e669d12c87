/* conversation.h: a conversation as the tokens that a chat model is fed.
 *
 * The text is what a person wrote (chat_read() says who speaks in it); the template's marks around it become tokens of
 * kind special, and offsets are those of the person's text, as if the marks were not there. */
#ifndef CORE_CONVERSATION_H
#define CORE_CONVERSATION_H

#include "core/chat.h"
#include "core/sequence.h"

/* As sequence_new(), with the template around the messages of the text.  Pictures without a place of their own come
 * before the user's last message.  What a message spells is never a control token. */
int conversation_new(const struct tokenizer *, const struct vision_info *vision, const struct chat_template *,
                     const char *text, size_t length, struct image *const *images, size_t image_count,
                     struct sequence *, struct error *);

#endif
