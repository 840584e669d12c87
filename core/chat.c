#include "core/chat.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* -- the families -------------------------------------------------------------------------------------------------- */

enum { NEEDED = 3 };

/* A template belongs to the first family all of whose `needed` texts it contains, and not `without`. */
struct chat_family {
    const char *name;
    const char *needed[NEEDED], *without;
    bool trim;                           /* white space around messages is the template's to drop */
    bool merged;                         /* the system's text goes into the user's first turn, behind `user` */
    const char *start;                   /* before everything; NULL: nothing */
    const char *system, *system_end;
    const char *user, *user_end;
    const char *assistant, *assistant_end; /* `assistant` is also what the model goes on from */
    const char *said;                      /* between `assistant` and what was said already; NULL: nothing */
};

#define IM_START(role) "<|im_start|>" role "\n"
#define HEADER(role) "<|start_header_id|>" role "<|end_header_id|>\n\n"
#define ROLE(role) "<|start_of_role|>" role "<|end_of_role|>"

static const struct chat_family families[] = {
    {.name = "phi4", .needed = {"<|im_start|>", "<|im_sep|>"},
     .system = "<|im_start|>system<|im_sep|>", .system_end = "<|im_end|>",
     .user = "<|im_start|>user<|im_sep|>", .user_end = "<|im_end|>",
     .assistant = "<|im_start|>assistant<|im_sep|>", .assistant_end = "<|im_end|>"},
    {.name = "smolvlm", .needed = {"<|im_start|>", "<end_of_utterance>"},
     .start = "<|im_start|>", .system = "System: ", .system_end = "<end_of_utterance>\n",
     .user = "User: ", .user_end = "<end_of_utterance>\n",
     .assistant = "Assistant:", .assistant_end = "<end_of_utterance>\n", .said = " "},
    {.name = "chatml", .needed = {"<|im_start|>"},
     .system = IM_START("system"), .system_end = "<|im_end|>\n",
     .user = IM_START("user"), .user_end = "<|im_end|>\n",
     .assistant = IM_START("assistant"), .assistant_end = "<|im_end|>\n"},
    {.name = "mistral-v7", .needed = {"[INST] ", "[SYSTEM_PROMPT]"},
     .system = "[SYSTEM_PROMPT] ", .system_end = "[/SYSTEM_PROMPT]",
     .user = "[INST] ", .user_end = "[/INST]", .assistant = "", .assistant_end = "</s>", .said = " "},
    {.name = "mistral-v7-tekken", .needed = {"[INST]", "[SYSTEM_PROMPT]"},
     .system = "[SYSTEM_PROMPT]", .system_end = "[/SYSTEM_PROMPT]",
     .user = "[INST]", .user_end = "[/INST]", .assistant = "", .assistant_end = "</s>"},
    {.name = "mistral-v1", .needed = {" [INST]", "[/INST]"}, .without = "<<SYS>>", .merged = true,
     .system = "", .system_end = "\n\n",
     .user = " [INST] ", .user_end = " [/INST]", .assistant = "", .assistant_end = "</s>", .said = " "},
    {.name = "mistral-v3-tekken", .needed = {"\"[INST]\"", "[AVAILABLE_TOOLS]"}, .merged = true,
     .system = "", .system_end = "\n\n",
     .user = "[INST]", .user_end = "[/INST]", .assistant = "", .assistant_end = "</s>"},
    {.name = "mistral-v3", .needed = {"[INST]", "[AVAILABLE_TOOLS]"}, .merged = true,
     .system = "", .system_end = "\n\n",
     .user = "[INST] ", .user_end = "[/INST]", .assistant = "", .assistant_end = "</s>", .said = " "},
    {.name = "llama2", .needed = {"[INST]"}, .trim = true, .merged = true,
     .system = "<<SYS>>\n", .system_end = "\n<</SYS>>\n\n",
     .user = "[INST] ", .user_end = " [/INST]", .assistant = "", .assistant_end = " </s>", .said = " "},
    {.name = "phi3", .needed = {"<|assistant|>", "<|end|>"},
     .system = "<|system|>\n", .system_end = "<|end|>\n",
     .user = "<|user|>\n", .user_end = "<|end|>\n",
     .assistant = "<|assistant|>\n", .assistant_end = "<|end|>\n"},
    /* the same marks, told apart by what follows a user's message */
    {.name = "zephyr", .needed = {"<|user|>", "<|assistant|>", "message['content'] + eos_token"},
     .without = "bos_token",
     .system = "<|system|>\n", .system_end = "</s>\n",
     .user = "<|user|>\n", .user_end = "</s>\n",
     .assistant = "<|assistant|>\n", .assistant_end = "</s>\n"},
    {.name = "olmo2", .needed = {"<|user|>", "<|assistant|>", "bos_token"},
     .system = "<|system|>\n", .system_end = "\n",
     .user = "<|user|>\n", .user_end = "\n",
     .assistant = "<|assistant|>\n", .assistant_end = "<|endoftext|>\n"},
    {.name = "stablelm", .needed = {"<|user|>", "<|endoftext|>"},
     .system = "<|system|>\n", .system_end = "<|endoftext|>\n",
     .user = "<|user|>\n", .user_end = "<|endoftext|>\n",
     .assistant = "<|assistant|>\n", .assistant_end = "<|endoftext|>\n"},
    {.name = "gemma", .needed = {"<start_of_turn>"}, .trim = true, .merged = true,
     .system = "", .system_end = "\n\n",
     .user = "<start_of_turn>user\n", .user_end = "<end_of_turn>\n",
     .assistant = "<start_of_turn>model\n", .assistant_end = "<end_of_turn>\n"},
    {.name = "vicuna", .needed = {"USER: ", "ASSISTANT: "},
     .system = "", .system_end = " ", .user = "USER: ", .user_end = " ",
     .assistant = "ASSISTANT:", .assistant_end = "</s>", .said = " "},
    {.name = "llama3", .needed = {"<|start_header_id|>", "<|end_header_id|>"}, .trim = true,
     .system = HEADER("system"), .system_end = "<|eot_id|>",
     .user = HEADER("user"), .user_end = "<|eot_id|>", .assistant = HEADER("assistant"), .assistant_end = "<|eot_id|>"},
    {.name = "deepseek3", .needed = {"<｜Assistant｜>", "<｜User｜>"},
     .system = "", .system_end = "", .user = "<｜User｜>", .user_end = "",
     .assistant = "<｜Assistant｜>", .assistant_end = "<｜end▁of▁sentence｜>"},
    {.name = "granite", .needed = {"<|start_of_role|>"},
     .system = ROLE("system"), .system_end = "<|end_of_text|>\n",
     .user = ROLE("user"), .user_end = "<|end_of_text|>\n",
     .assistant = ROLE("assistant"), .assistant_end = "<|end_of_text|>\n"},
};
enum { FAMILIES = sizeof families / sizeof families[0] };

const char *chat_name(const struct chat_family *family)
{
    return family->name;
}

const struct chat_family *chat_at(size_t index)
{
    return index < FAMILIES ? &families[index] : NULL;
}

const struct chat_family *chat_find(const char *name)
{
    for (int i = 0; i < FAMILIES; i++)
        if (strcmp(families[i].name, name) == 0)
            return &families[i];
    return NULL;
}

static bool belongs(const struct chat_family *f, const char *template, size_t length)
{
    if (f->without && memmem(template, length, f->without, strlen(f->without)))
        return false;
    for (int i = 0; i < NEEDED && f->needed[i]; i++)
        if (!memmem(template, length, f->needed[i], strlen(f->needed[i])))
            return false;
    return true;
}

/* What stands, as plain text and not as part of an expression, between the marks of a system message.  A line end is
 * itself or spelled \\n. */
static void find_default(const struct chat_family *f, const char *template, size_t length, struct chat_template *out)
{
    size_t mark = strcspn(f->system, "\n");
    const char *end = template + length, *at = template;
    while (mark > 0 && (at = memmem(at, (size_t)(end - at), f->system, mark))) {
        at += mark;
        const char *text = at;
        if (end - text > 2 && text[0] == '\\' && text[1] == 'n')
            text += 2;
        else if (end - text > 1 && text[0] == '\n')
            text++;
        size_t most = (size_t)(end - text), size = 0;
        while (size < most && !strchr("<{}\\'\"", text[size]))
            size++;
        if (size > 0 && size < most && size < sizeof out->system && text[size] == '<') {
            memcpy(out->system, text, size);
            out->system[size] = 0;
            return;
        }
    }
}

bool chat_detect(const char *template, size_t length, struct chat_template *out)
{
    *out = (struct chat_template){0};
    for (int i = 0; i < FAMILIES && !out->family; i++)
        if (belongs(&families[i], template, length))
            out->family = &families[i];
    if (out->family)
        find_default(out->family, template, length, out);
    return out->family;
}

/* -- reading a conversation ---------------------------------------------------------------------------------------- */

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static void trim(const char *text, size_t *start, size_t *end)
{
    while (*start < *end && is_space(text[*start]))
        ++*start;
    while (*end > *start && is_space(text[*end - 1]))
        --*end;
}

/* Whether the line text[start .. end) is a role and a colon. */
static bool is_role(const char *text, size_t start, size_t end, enum chat_role *role)
{
    static const char *const names[] = {"system:", "user:", "assistant:"};
    trim(text, &start, &end);
    for (int i = 0; i < 3; i++)
        if (end - start == strlen(names[i]) && memcmp(text + start, names[i], end - start) == 0) {
            *role = (enum chat_role)i;
            return true;
        }
    return false;
}

struct reading {
    struct chat_message *messages;
    size_t count;
};

static int reading_add(struct reading *r, struct chat_message message, struct error *error)
{
    struct chat_message *grown = realloc(r->messages, (r->count + 1) * sizeof *grown);
    if (!grown)
        return error_set(error, ERROR_MEMORY, "out of memory");
    r->messages = grown;
    r->messages[r->count++] = message;
    return 0;
}

/* What is said from `start` to `end`, among other messages; nothing, if that is white space. */
static int reading_say(struct reading *r, const char *text, enum chat_role role, size_t start, size_t end,
                       struct error *error)
{
    trim(text, &start, &end);
    return start < end ? reading_add(r, (struct chat_message){role, start, end}, error) : 0;
}

int chat_read(const char *text, size_t length, struct chat_message **messages, size_t *count, struct error *error)
{
    struct reading reading = {0};
    enum chat_role speaker = CHAT_USER, role;
    size_t start = 0; /* of what the speaker says */
    bool turns = false;
    int status = 0;
    for (size_t line = 0, next; status == 0 && line < length; line = next) {
        const char *newline = memchr(text + line, '\n', length - line);
        size_t end = newline ? (size_t)(newline - text) : length;
        next = newline ? end + 1 : length;
        if (!is_role(text, line, end, &role))
            continue;
        status = reading_say(&reading, text, speaker, start, line, error);
        speaker = role;
        start = next;
        turns = true;
    }
    if (status == 0 && turns)
        status = reading_say(&reading, text, speaker, start, length, error);
    else if (status == 0 && length > 0)
        status = reading_add(&reading, (struct chat_message){CHAT_USER, 0, length}, error);
    if (status == 0 && reading.count == 0)
        status = error_set(error, ERROR_ARGUMENT, "the prompt is empty; type some text to continue");
    if (status < 0) {
        free(reading.messages);
        return status;
    }
    *messages = reading.messages;
    *count = reading.count;
    return 0;
}

/* -- rendering ----------------------------------------------------------------------------------------------------- */

static size_t text_length(const char *text)
{
    return text ? strlen(text) : 0;
}

/* The most bytes that a conversation can take. */
static size_t rendered_most(const struct chat_template *t, const struct chat_message *messages, size_t count,
                            const char *lead)
{
    const struct chat_family *f = t->family;
    size_t around = text_length(f->system) + text_length(f->system_end) + text_length(f->user) +
                    text_length(f->user_end) + text_length(f->assistant) + text_length(f->said) +
                    text_length(f->assistant_end);
    size_t bytes =
        text_length(lead) + text_length(f->start) + around + strlen(t->system) + text_length(f->assistant) + 1;
    for (size_t i = 0; i < count; i++)
        bytes += around + (messages[i].end - messages[i].start);
    return bytes;
}

static void put(struct chat_rendered *r, const char *text)
{
    size_t length = text_length(text);
    if (length)
        memcpy(r->text + r->length, text, length);
    r->length += length;
}

static void put_message(struct chat_rendered *r, const struct chat_family *f, const char *text,
                        const struct chat_message *m)
{
    size_t start = m->start, end = m->end;
    if (f->trim)
        trim(text, &start, &end);
    if (start == end)
        return;
    r->pieces[r->piece_count++] = (struct chat_piece){r->length, start, end};
    memcpy(r->text + r->length, text + start, end - start);
    r->length += end - start;
}

/* A message with its marks.  merged: the system's, to be said in this turn; lead: what the user's begins with. */
static void put_turn(struct chat_rendered *r, const struct chat_family *f, const char *text,
                     const struct chat_message *m, const struct chat_message *merged, const char *lead, bool last)
{
    if (m->role == CHAT_SYSTEM) {
        put(r, f->system);
        put_message(r, f, text, m);
        put(r, f->system_end);
    } else if (m->role == CHAT_USER) {
        put(r, f->user);
        if (merged)
            put_turn(r, f, text, merged, NULL, NULL, false);
        put(r, lead);
        put_message(r, f, text, m);
        put(r, f->user_end);
    } else {
        put(r, f->assistant);
        if (m->end > m->start)
            put(r, f->said);
        put_message(r, f, text, m);
        if (!last)
            put(r, f->assistant_end);
    }
}

int chat_render(const struct chat_template *t, const char *text, const struct chat_message *messages, size_t count,
                const char *lead, struct chat_rendered *out, struct error *error)
{
    const struct chat_family *f = t->family;
    struct chat_rendered r = {0};
    size_t led = 0; /* the user's last message */
    for (size_t i = 0; i < count; i++)
        if (messages[i].role == CHAT_USER)
            led = i;
    for (size_t i = 1; i < count; i++)
        if (messages[i].role == CHAT_SYSTEM)
            return error_set(error, ERROR_ARGUMENT, "message %zu is the system's; only the first one can be", i + 1);
    r.text = malloc(rendered_most(t, messages, count, lead));
    r.pieces = malloc((count + 1) * sizeof *r.pieces);
    if (!r.text || !r.pieces) {
        chat_rendered_free(&r);
        return error_set(error, ERROR_MEMORY, "out of memory");
    }
    put(&r, f->start);
    if (t->system[0] && (count == 0 || messages[0].role != CHAT_SYSTEM)) {
        put(&r, f->system);
        put(&r, t->system);
        put(&r, f->system_end);
    }
    bool merging = f->merged && count > 1 && messages[0].role == CHAT_SYSTEM && messages[1].role == CHAT_USER;
    for (size_t i = merging; i < count; i++)
        put_turn(&r, f, text, &messages[i], merging && i == 1 ? &messages[0] : NULL, i == led ? lead : NULL,
                 i + 1 == count);
    if (count == 0 || messages[count - 1].role != CHAT_ASSISTANT)
        put(&r, f->assistant);
    r.text[r.length] = 0;
    *out = r;
    return 0;
}

void chat_rendered_free(struct chat_rendered *r)
{
    free(r->text);
    free(r->pieces);
    *r = (struct chat_rendered){0};
}
