/* render_chat TEMPLATE: print the family of a Jinja chat template, and the conversation of standard input as it formats
 * it. */
#include <stdio.h>
#include <stdlib.h>

#include "core/chat.h"

enum { MOST = 1 << 20 };

static size_t read_all(FILE *file, char *text)
{
    return file ? fread(text, 1, MOST, file) : 0;
}

int main(int count, char **arguments)
{
    static char template[MOST], text[MOST];
    FILE *file = count == 2 ? fopen(arguments[1], "r") : NULL;
    struct chat_template chat;
    bool known = chat_detect(template, read_all(file, template), &chat);
    size_t length = read_all(stdin, text), messages;
    struct chat_message *message;
    struct chat_rendered rendered;
    struct error error;
    printf("%s\n", known ? chat_name(chat.family) : "unknown");
    if (!known)
        return 0;
    if (chat_read(text, length, &message, &messages, &error) < 0 ||
        chat_render(&chat, text, message, messages, NULL, &rendered, &error) < 0) {
        fprintf(stderr, "%s\n", error.message);
        return 1;
    }
    fwrite(rendered.text, 1, rendered.length, stdout);
    chat_rendered_free(&rendered);
    free(message);
    fclose(file);
    return 0;
}
