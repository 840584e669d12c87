#include "tui/prompt.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/tokenizer.h"
#include "tui/prompt_chat.h"

enum { PROMPT_MOST = 256 << 20 };

static int read_all(int fd, const char *name, char **text, size_t *length, struct error *error)
{
    size_t room = 1 << 16, used = 0;
    char *bytes = malloc(room + 1);
    while (bytes) {
        ssize_t n = read(fd, bytes + used, room - used);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            int number = errno;
            free(bytes);
            return error_set(error, ERROR_IO, "%s: cannot read: %s", name, strerror(number));
        }
        used += (size_t)n;
        if (n == 0) {
            bytes[used] = '\0';
            *text = bytes;
            *length = used;
            return 0;
        }
        if (used >= PROMPT_MOST) {
            free(bytes);
            return error_set(error, ERROR_LIMIT, "%s: longer than 256 MiB; cut it", name);
        }
        if (used == room) {
            char *grown = realloc(bytes, (room *= 2) + 1);
            if (!grown)
                free(bytes);
            bytes = grown;
        }
    }
    return error_set(error, ERROR_MEMORY, "%s: out of memory", name);
}

int prompt_read_file(const char *path, char **text, size_t *length, struct error *error)
{
    if (strcmp(path, "-") == 0)
        return read_all(STDIN_FILENO, "standard input", text, length, error);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return error_set(error, ERROR_IO, "%s: cannot open: %s; give a text file, or - for standard input",
                         *path ? path : "\"\"", strerror(errno));
    int code = read_all(fd, path, text, length, error);
    close(fd);
    return code;
}

void prompt_cut_line_end(char *text, size_t *length)
{
    if (*length > 0 && text[*length - 1] == '\n')
        --*length;
    if (*length > 0 && text[*length - 1] == '\r')
        --*length;
    text[*length] = '\0';
}

int prompt_check(const char *what, const char *text, size_t length, struct error *error)
{
    const char *nul = memchr(text, '\0', length);
    if (nul)
        return error_set(error, ERROR_FORMAT, "%s: byte %zu is NUL, which no text holds; take it out", what,
                         (size_t)(nul - text));
    size_t bad = utf8_check(text, length);
    if (bad < length)
        return error_set(error, ERROR_FORMAT, "%s: byte %zu (0x%02x) is not UTF-8; convert the text to UTF-8 first",
                         what, bad, (unsigned char)text[bad]);
    return 0;
}

int prompt_read(const struct options *options, enum prompt_demand demand, char **text, size_t *length,
                struct error *error)
{
    *text = NULL;
    *length = 0;
    if (options->prompt_file) {
        int code = prompt_read_file(options->prompt_file, text, length, error);
        if (code)
            return code;
        prompt_cut_line_end(*text, length);
    } else if (options->prompt) {
        *text = strdup(options->prompt);
        if (!*text)
            return error_set(error, ERROR_MEMORY, "out of memory");
        *length = strlen(*text);
    }
    int code = demand == PROMPT_ANY ? 0 : prompt_chat(options, text, length, error);
    if (!*text)
        return code;
    if (code == 0 && demand == PROMPT_TEXT && *length == 0)
        code = error_set(error, ERROR_ARGUMENT, "the prompt is empty; write at least one word");
    else if (code == 0 && demand != PROMPT_ANY)
        code = prompt_check("the prompt", *text, *length, error);
    if (code) {
        free(*text);
        *text = NULL;
    }
    return code;
}

int prompt_read_images(const struct options *options, struct image **images, struct error *error)
{
    for (size_t i = 0; i < options->image_count; i++) {
        int code = image_read(options->images[i], &images[i], error);
        if (code) {
            prompt_release_images(images, i);
            return code;
        }
    }
    return 0;
}

void prompt_release_images(struct image **images, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        image_release(images[i]);
        images[i] = NULL;
    }
}
