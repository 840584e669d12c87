/* atmanscope tokenize: the tokens of a prompt, or of the text in every line of a file, with their byte offsets.
 *
 * Needs the tokeniser and, for pictures, what the vision tower's file says of itself: no weights are read, no device is
 * opened. */
#include "tui/command.h"

#include <stdlib.h>

#include "core/gguf.h"
#include "core/sequence.h"
#include "tui/format_json.h"
#include "tui/jsonl.h"
#include "tui/output.h"
#include "tui/prompt.h"
#include "tui/run.h"

/* Output is collected and written in pieces of this size, where it goes to standard output. */
enum { PIECE = 1 << 20 };

/* A text as a JSON string, so that line ends and tabs in it cannot be taken for ours. */
static void print_text(FILE *out, const char *text, size_t length)
{
    json_t *json = format_json_text(text, length);
    char *quoted = json ? json_dumps(json, JSON_ENCODE_ANY) : NULL;
    fputs(quoted ? quoted : "\"\"", out);
    free(quoted);
    json_decref(json);
}

/* What the pictures' tower says of itself. */
static int describe_tower(const struct options *o, const char *model, struct vision_info *vision, struct error *error)
{
    char mmproj[PATHS_LENGTH];
    struct gguf *file = NULL;
    int code = run_mmproj(o, model, mmproj, sizeof mmproj, error);
    if (code == 0)
        code = gguf_open(mmproj, &file, error);
    if (code == 0 && (code = vision_check(file, vision, error)) != 0)
        code = error_add(error, code, "%s", mmproj);
    gguf_close(file);
    return code;
}

static int tokenize_prompt(const struct options *o, const char *model, const struct tokenizer *tokenizer, FILE *out,
                           struct error *error)
{
    char *prompt;
    size_t length;
    struct image *images[OPTIONS_IMAGES];
    struct vision_info vision;
    struct sequence sequence;
    int code = o->image_count ? describe_tower(o, model, &vision, error) : 0;
    if (code || (code = prompt_read(o, PROMPT_ANY, &prompt, &length, error)) != 0)
        return code;
    if ((code = prompt_read_images(o, images, error)) == 0) {
        code = sequence_new(tokenizer, o->image_count ? &vision : NULL, prompt ? prompt : "", length, NULL, 0,
                            TOKENIZE_START, images, o->image_count, &sequence, error);
        prompt_release_images(images, o->image_count);
    }
    if (code == 0) {
        for (size_t i = 0; i < sequence.token_count; i++) {
            const struct token *token = &sequence.tokens[i];
            size_t n;
            const char *text = tokenizer_text(tokenizer, token->id, &n);
            fprintf(out, "%zu\t%d\t%zu\t%zu\t", i, token->id, token->start, token->end);
            print_text(out, text, n);
            fputc('\n', out);
        }
        sequence_free(&sequence);
    }
    free(prompt);
    return code;
}

/* {"text": ...} -> {"ids": [...], "offsets": [[start, end], ...]} */
static int tokenize_line(const struct tokenizer *tokenizer, const char *line, size_t length, FILE *out,
                         struct error *error)
{
    json_error_t where;
    json_t *object = json_loadb(line, length, JSON_ALLOW_NUL, &where);
    json_t *text = json_object_get(object, "text");
    struct token *tokens = NULL;
    size_t count = 0;
    int code;
    if (!object)
        code = error_set(error, ERROR_FORMAT, "no JSON: %s; write one {\"text\": ...} a line", where.text);
    else if (!json_is_string(text))
        code = error_set(error, ERROR_FORMAT, "no \"text\" that is a string; write one {\"text\": ...} a line");
    else
        code = tokenizer_encode(tokenizer, json_string_value(text), json_string_length(text), TOKENIZE_START, &tokens,
                                &count, error);
    if (code == 0) {
        fputs("{\"ids\": [", out);
        for (size_t i = 0; i < count; i++)
            fprintf(out, "%s%d", i ? ", " : "", tokens[i].id);
        fputs("], \"offsets\": [", out);
        for (size_t i = 0; i < count; i++)
            fprintf(out, "%s[%zu, %zu]", i ? ", " : "", tokens[i].start, tokens[i].end);
        fputs("]}\n", out);
    }
    free(tokens);
    json_decref(object);
    return code;
}

/* To standard output, what is there goes out before the buffer grows without bound; a file is written as a whole. */
static int flush(const struct options *o, FILE *out, char **text, size_t *size, size_t least, struct error *error)
{
    if (fflush(out) != 0)
        return error_set(error, ERROR_MEMORY, "out of memory");
    if (o->output || *size < least)
        return 0;
    int code = output_write(NULL, *text, *size, error);
    rewind(out);
    return code;
}

/* Where the tokens of lines go. */
struct lines {
    const struct options *options;
    const struct tokenizer *tokenizer;
    FILE *out;
    char **text;
    size_t *size;
};

static int take_line(void *data, const char *line, size_t length, size_t number, struct error *error)
{
    const struct lines *to = data;
    (void)number;
    int code = tokenize_line(to->tokenizer, line, length, to->out, error);
    return code ? code : flush(to->options, to->out, to->text, to->size, PIECE, error);
}

static int tokenize_lines(const struct options *o, const struct tokenizer *tokenizer, FILE *out, char **text,
                          size_t *size, struct error *error)
{
    char *lines;
    size_t length;
    int code = prompt_read_file(o->jsonl, &lines, &length, error);
    if (code)
        return code;
    struct lines sink = {o, tokenizer, out, text, size};
    code = jsonl_each(o->jsonl, lines, length, take_line, &sink, error);
    free(lines);
    return code;
}

static int tokenize(const struct options *o, const char *model, const struct tokenizer *tokenizer, struct error *error)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    if (!out)
        return error_set(error, ERROR_MEMORY, "out of memory");
    int code = o->jsonl ? tokenize_lines(o, tokenizer, out, &text, &size, error)
                        : tokenize_prompt(o, model, tokenizer, out, error);
    if (fclose(out) != 0 && code == 0)
        code = error_set(error, ERROR_MEMORY, "out of memory");
    if (code == 0)
        code = output_write(o->output, text, size, error);
    free(text);
    return code;
}

int command_tokenize(const struct options *o, const struct context *context, struct error *error)
{
    char model[PATHS_LENGTH];
    struct gguf *gguf = NULL;
    struct tokenizer *tokenizer = NULL;
    int code = output_check(o->output, error);
    if (code == 0)
        code = run_model(o, context, model, sizeof model, error);
    if (code == 0)
        code = gguf_open(model, &gguf, error);
    if (code == 0 && (code = tokenizer_open(gguf, o->pre, &tokenizer, error)) != 0)
        code = error_add(error, code, "%s", model);
    if (code == 0)
        code = tokenize(o, model, tokenizer, error);
    tokenizer_close(tokenizer);
    gguf_close(gguf);
    return code;
}
