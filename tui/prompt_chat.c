/* Conversations for prompt.c: a system message before the prompt, or a file of messages, as the text that
 * core/chat.h reads. */
#include "tui/prompt_chat.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/chat.h"
#include "tui/jsonl.h"
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
        return error_set(
            error, ERROR_ARGUMENT,
            "a message has a line that is nothing but a role, like \"user:\", and would be taken for several; "
            "change that line");
    fprintf(text, "%s:\n", roles[role]);
    fwrite(content, 1, length, text);
    fputc('\n', text);
    return 0;
}

static int read_message(const json_t *message, FILE *text, struct error *error)
{
    const char *role = json_string_value(json_object_get(message, "role"));
    const json_t *content = json_object_get(message, "content");
    int i = 0;
    while (role && i < 3 && strcmp(role, roles[i]) != 0)
        i++;
    if (!role || i == 3 || !json_is_string(content))
        return error_set(error, ERROR_FORMAT,
                         "a message is {\"role\": \"system\", \"user\" or \"assistant\", \"content\": TEXT}");
    return write_message(text, (enum chat_role)i, json_string_value(content), json_string_length(content), error);
}

/* The messages of a JSON array, as requests to servers have them. */
static int read_array(const char *path, const char *bytes, size_t length, FILE *text, struct error *error)
{
    json_error_t reason;
    json_t *messages = json_loadb(bytes, length, JSON_REJECT_DUPLICATES, &reason);
    int code = 0;
    if (!messages)
        code = error_set(error, ERROR_FORMAT, "%s: line %d: not JSON: %s", path, reason.line, reason.text);
    for (size_t i = 0; code == 0 && i < json_array_size(messages); i++)
        if ((code = read_message(json_array_get(messages, i), text, error)) != 0)
            code = error_add(error, code, "%s: message %zu", path, i + 1);
    json_decref(messages);
    return code;
}

/* The message of one line, as jsonl_each() wants it read. */
static int read_line(void *text, const char *line, size_t length, size_t number, struct error *error)
{
    (void)number;
    json_error_t reason;
    json_t *message = json_loadb(line, length, JSON_REJECT_DUPLICATES, &reason);
    int code = message ? read_message(message, text, error)
                       : error_set(error, ERROR_FORMAT, "not JSON: %s; write one message a line, or an array of them",
                                   reason.text);
    json_decref(message);
    return code;
}

static int read_messages(const char *path, FILE *text, struct error *error)
{
    char *bytes;
    size_t length;
    int code = prompt_read_file(path, &bytes, &length, error);
    if (code)
        return code;
    code = bytes[strspn(bytes, " \t\r\n")] == '[' ? read_array(path, bytes, length, text, error)
                                                  : jsonl_each(path, bytes, length, read_line, text, error);
    free(bytes);
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
