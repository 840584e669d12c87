#include "tui/plain.h"

#include <stdlib.h>
#include <string.h>

#include "tui/export.h"
#include "tui/map.h"
#include "tui/prompt.h"

static int out_of_memory(struct error *error)
{
    return error_set(error, ERROR_MEMORY, "out of memory");
}

/* A whole number from low to high. */
static bool read_count(const char *text, long low, long high, long *number)
{
    char *end;
    *number = strtol(text, &end, 10);
    return end != text && *end == '\0' && *number >= low && *number <= high;
}

static int measure_again(struct plain *plain, struct error *error)
{
    return plain->prompt ? plain_measure(plain, error) : 0;
}

/* -- what is told -------------------------------------------------------------------------------------------------- */

static int act_token(struct plain *plain, const char *argument, struct error *error)
{
    size_t count = plain->run.explanation->output_count;
    long number;
    if (strcmp(argument, "all") == 0)
        plain->token = REPORT_ALL;
    else if (read_count(argument, 1, (long)count, &number))
        plain->token = (int)number - 1;
    else if (count == 0)
        return error_set(error, ERROR_ARGUMENT, "there is no answer yet; type a prompt");
    else
        return error_set(error, ERROR_ARGUMENT, ":token takes a number from 1 to %zu, or all", count);
    return plain_say_units(plain, error);
}

static int act_why(struct plain *plain, const char *argument, struct error *error)
{
    long number = (long)plain->units;
    if (*argument && !read_count(argument, 1, 1000, &number))
        return error_set(error, ERROR_ARGUMENT, ":why takes how many units to tell, from 1 to 1000");
    plain->units = (size_t)number;
    return plain_say_units(plain, error);
}

static int act_candidates(struct plain *plain, const char *argument, struct error *error)
{
    (void)argument;
    (void)error;
    plain_say_candidates(plain);
    return 0;
}

/* The answer up to the chosen token, and what could stand there: with a space before it where the token has one, as
 * nobody types it. */
static char *foil_of(const struct plain *plain, const char *typed)
{
    const struct explanation *e = plain->run.explanation;
    const struct tokenizer *tokenizer = engine_tokenizer(plain->run.engine);
    size_t chosen = plain->token == REPORT_ALL ? 0 : (size_t)plain->token, size, length;
    char *text = NULL;
    FILE *out = open_memstream(&text, &size);
    for (size_t t = 0; out && t < chosen && t < e->output_count; t++) {
        const char *before = tokenizer_text(tokenizer, e->output[t].id, &length);
        fwrite(before, 1, length, out);
    }
    if (out && chosen < e->output_count && *tokenizer_text(tokenizer, e->output[chosen].id, &length) == ' ' &&
        *typed != ' ')
        fputc(' ', out);
    if (!out || fprintf(out, "%s", typed) < 0 || fclose(out) != 0) {
        free(text);
        return NULL;
    }
    return text;
}

static int act_rather(struct plain *plain, const char *argument, struct error *error)
{
    if (!plain->prompt)
        return error_set(error, ERROR_ARGUMENT, "there is no answer yet; type a prompt");
    char *foil = *argument ? foil_of(plain, argument) : NULL;
    if (*argument && !foil)
        return out_of_memory(error);
    free(plain->foil);
    plain->options.foil = plain->foil = foil;
    int code = plain_measure(plain, error);
    free(plain->foil);
    plain->options.foil = plain->foil = NULL;
    return code;
}

/* -- how it is measured -------------------------------------------------------------------------------------------- */

static int act_units(struct plain *plain, const char *argument, struct error *error)
{
    static const char *const names[] = {"token", "word", "sentence", "paragraph", "auto"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(argument, names[i]) == 0) {
            plain->options.units = names[i];
            return measure_again(plain, error);
        }
    return error_set(error, ERROR_ARGUMENT, ":units takes token, word, sentence, paragraph or auto");
}

static int act_tokens(struct plain *plain, const char *argument, struct error *error)
{
    long number;
    if (!read_count(argument, 1, 4096, &number))
        return error_set(error, ERROR_ARGUMENT, ":tokens takes the length of the answer, from 1 to 4096");
    plain->options.generate = (int)number;
    return measure_again(plain, error);
}

static int act_open(struct plain *plain, const char *argument, struct error *error)
{
    const char *before = plain->options.model;
    char *name = strdup(argument);
    if (!name || !*name) {
        free(name);
        return error_set(error, ERROR_ARGUMENT, ":open takes a model's file or name");
    }
    plain->options.model = name;
    int code = plain_open(plain, error);
    if (code != 0) {
        plain->options.model = before;
        free(name);
        return code;
    }
    free(plain->model);
    plain->model = name;
    return 0;
}

/* -- prompts ------------------------------------------------------------------------------------------------------- */

static void drop_pictures(struct plain *plain)
{
    prompt_release_images(plain->run.images, plain->run.image_count);
    while (plain->picture_count > 0)
        free(plain->pictures[--plain->picture_count]);
    plain->run.image_count = plain->options.image_count = 0;
}

/* path is taken over. */
static int add_picture(struct plain *plain, char *path, struct error *error)
{
    size_t at = plain->run.image_count;
    if (!path)
        return out_of_memory(error);
    int code = at == OPTIONS_IMAGES
                   ? error_set(error, ERROR_LIMIT, "there are %zu pictures already; :picture none takes them out", at)
                   : image_read(path, &plain->run.images[at], error);
    if (code != 0) {
        free(path);
        return code;
    }
    plain->options.images[at] = plain->pictures[plain->picture_count++] = path;
    plain->run.image_count = plain->options.image_count = at + 1;
    return 0;
}

static int act_picture(struct plain *plain, const char *argument, struct error *error)
{
    int code = 0;
    if (!*argument)
        return error_set(error, ERROR_ARGUMENT, ":picture takes a file, PNG, JPEG or WebP, or none");
    if (strcmp(argument, "none") == 0)
        drop_pictures(plain);
    else
        code = add_picture(plain, strdup(argument), error);
    if (code == 0)
        printf("%zu picture%s in the prompt\n", plain->run.image_count, plain->run.image_count == 1 ? "" : "s");
    return code;
}

static int act_sample(struct plain *plain, const char *argument, struct error *error)
{
    struct sample sample;
    char path[PATHS_LENGTH], *text;
    int code = 0;
    (void)argument;
    if (!samples_next(&plain->samples, &sample))
        return error_set(error, ERROR_ARGUMENT, "the file of sample prompts is not there; type a prompt");
    if (!(text = strndup(sample.text, sample.length)))
        return out_of_memory(error);
    drop_pictures(plain);
    for (size_t i = 0; code == 0 && i < sample.image_count; i++)
        if (samples_path(&plain->samples, &sample.images[i], path, sizeof path))
            code = add_picture(plain, strdup(path), error);
    if (code != 0) {
        free(text);
        return code;
    }
    free(plain->prompt);
    plain->prompt = text;
    plain->length = sample.length;
    for (size_t i = 0; i < plain->run.image_count; i++)
        printf("picture: %s\n", plain->options.images[i]);
    printf("%s\n", text);
    return plain_measure(plain, error);
}

static int act_prompt(struct plain *plain, const char *argument, struct error *error)
{
    (void)argument;
    if (!plain->prompt)
        return error_set(error, ERROR_ARGUMENT, "there is no prompt yet; type one");
    printf("%s\n", plain->prompt);
    return 0;
}

/* -- the rest ------------------------------------------------------------------------------------------------------ */

static int act_save(struct plain *plain, const char *argument, struct error *error)
{
    struct report report = plain_report(plain);
    struct map_question question = {.token = (size_t)plain->token};
    if (plain->run.explanation->unit_count == 0)
        return error_set(error, ERROR_ARGUMENT, "nothing is measured yet; type a prompt");
    if (!export_knows(argument))
        return error_set(error, ERROR_ARGUMENT,
                         ":save takes a file whose ending says the format: " EXPORT_ENDINGS);
    report.scale = (enum scale)plain->options.scale;
    report.ground = plain->context->ground;
    if (plain->token != REPORT_ALL && plain->run.explanation->foil.token < 0)
        report.question = &question;
    int code = export_write(argument, &report, COLOUR_NONE, error);
    if (code == 0)
        printf("saved %s\n", argument);
    return code;
}

static int act_help(struct plain *plain, const char *argument, struct error *error)
{
    size_t count;
    const struct plain_command *table = plain_commands(&count);
    (void)plain;
    (void)argument;
    (void)error;
    printf("A line is a prompt; a \\ at its end goes on in the next one; :: at its beginning is a colon.\n");
    for (size_t i = 0; i < count; i++)
        printf(":%s%s%s: %s\n", table[i].name, *table[i].operand ? " " : "", table[i].operand, table[i].help);
    return 0;
}

static int act_quit(struct plain *plain, const char *argument, struct error *error)
{
    (void)argument;
    (void)error;
    plain->quit = true;
    return 0;
}

const struct plain_command *plain_commands(size_t *count)
{
    static const struct plain_command table[] = {
        {"token", "N", "tell about the N-th token of the answer, or about all", act_token},
        {"why", "[N]", "tell again, the N strongest units", act_why},
        {"rather", "TEXT", "why this answer rather than TEXT; alone: what supports it", act_rather},
        {"candidates", "", "what else could stand in place of the chosen token", act_candidates},
        {"units", "KIND", "what is turned down together: token, word, sentence, paragraph or auto", act_units},
        {"tokens", "N", "the length of the answer", act_tokens},
        {"sample", "", "try the next sample prompt", act_sample},
        {"picture", "FILE", "add a picture to the prompts from now on, or none", act_picture},
        {"prompt", "", "print the prompt", act_prompt},
        {"open", "MODEL", "open another model", act_open},
        {"save", "FILE", "write the explanation: " EXPORT_ENDINGS, act_save},
        {"help", "", "this list", act_help},
        {"quit", "", "leave; the end of the input does too", act_quit},
    };
    *count = sizeof table / sizeof *table;
    return table;
}

int plain_command(struct plain *plain, const char *line, struct error *error)
{
    size_t count, length = strcspn(line, " \t");
    const struct plain_command *table = plain_commands(&count);
    const char *argument = line + length + strspn(line + length, " \t");
    for (size_t i = 0; i < count; i++)
        if (strlen(table[i].name) == length && strncmp(table[i].name, line, length) == 0)
            return table[i].act(plain, argument, error);
    return error_set(error, ERROR_ARGUMENT, ":%.*s is no command; :help lists them", (int)(length < 40 ? length : 40),
                     line);
}
