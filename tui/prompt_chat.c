/* Conversations for prompt.c: a system message before the prompt, or a file of messages, as the text that
 * core/chat.h reads. */
#include "tui/prompt_chat.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/chat.h"
#include "tui/prompt.h"

static const char *const roles[] = {[CHAT_SYSTEM] = "system", [CHAT_USER] = "user", [CHAT_ASSISTANT] = "assistant"};

/* Whether the content stays one message among others. */
static bool is_one_message(const char *content, size_t length)
{
    struct chat_message *messages = NULL;
    size_t count = 0;
    bool one = chat_read(content, length, &messages, &count, NULL) < 0 ||
               (count == 1 && messages[0].start == 0 && messages[0].end == length);
    free(messages);
    return one;
}

/* One more message at the end of the text. */
static int write_message(FILE *text, enum chat_role role, const char *content, size_t length, struct error *error)
{
    if (!is_one_message(content, length))
        return error_set(error, ERROR_ARGUMENT,
                         "a message has a line that is nothing but a role, like \"user:\", and would be taken for several; "
                         "change that line");
    fprintf(text, "%s:\n", roles[role]);
    fwrite(content, 1, length, text);
    fputc('\n', text);
    return 0;
}

static int read_message(const char *line, size_t length, FILE *text, struct error *error)
{
    json_error_t reason;
    json_t *json = json_loadb(line, length, JSON_REJECT_DUPLICATES, &reason);
    const char *role = json_string_value(json_object_get(json, "role"));
    const json_t *content = json_object_get(json, "content");
    int code = 0, i = 0;
    while (role && i < 3 && strcmp(role, roles[i]) != 0)
        i++;
    if (!json)
        code = error_set(error, ERROR_FORMAT, "not JSON: %s", reason.text);
    else if (!role || i == 3 || !json_is_string(content))
        code = error_set(error, ERROR_FORMAT,
                         "a message is {\"role\": \"system\", \"user\" or \"assistant\", \"content\": TEXT}");
    else
        code = write_message(text, (enum chat_role)i, json_string_value(content), json_string_length(content), error);
    json_decref(json);
    return code;
}

static int read_messages(const char *path, FILE *text, struct error *error)
{
    char *lines;
    size_t length, number = 0;
    int code = prompt_read_file(path, &lines, &length, error);
    if (code)
        return code;
    for (const char *line = lines, *end; code == 0 && line < lines + length; line = end + 1) {
        end = memchr(line, '\n', (size_t)(lines + length - line));
        if (!end)
            end = lines + length;
        number++;
        if (strspn(line, " \t\r") < (size_t)(end - line) &&
            (code = read_message(line, (size_t)(end - line), text, error)) != 0)
            code = error_add(error, code, "%s: line %zu", path, number);
    }
    free(lines);
    return code;
}

int prompt_chat(const struct options *options, char **prompt, size_t *length, struct error *error)
{
    char *written = NULL;
    size_t size = 0;
    if (!options->system && !options->chat_file)
        return 0;
    FILE *text = open_memstream(&written, &size);
    if (!text)
        return error_set(error, ERROR_MEMORY, "out of memory");
    int code = 0;
    if (options->system)
        code = write_message(text, CHAT_SYSTEM, options->system, strlen(options->system), error);
    if (code == 0 && options->chat_file)
        code = read_messages(options->chat_file, text, error);
    if (code == 0 && *prompt)
        code = write_message(text, CHAT_USER, *prompt, *length, error);
    if (fclose(text) != 0 && code == 0)
        code = error_set(error, ERROR_MEMORY, "out of memory");
    if (code) {
        free(written);
        return code;
    }
    while (size > 0 && written[size - 1] == '\n') /* of the last message: the text shows it as it was given */
        written[--size] = 0;
    free(*prompt);
    *prompt = written;
    *length = size;
    return 0;
}
