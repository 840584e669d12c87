/* prompt_chat.h: what --system and --chat-file say, around the prompt. */
#ifndef TUI_PROMPT_CHAT_H
#define TUI_PROMPT_CHAT_H

#include <stddef.h>

#include "gpu/error.h"
#include "tui/options.h"

/* Put the system's message, the file's messages and the prompt (NULL: none) into one text that core/chat.h reads, in
 * place of *prompt.  Without these options nothing changes. */
int prompt_chat(const struct options *, char **prompt, size_t *length, struct error *);

#endif
