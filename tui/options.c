#include "tui/options.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* Where the parser stands. */
struct arguments {
    int count, next;
    char **values;
};

static void set_defaults(struct options *o)
{
    memset(o, 0, sizeof *o);
    o->precision = -1;
    o->generate = 1;
    o->about = -1;
    o->method = method_default();
    o->length = 256;
    o->target_length = 1;
    o->repeat = 1;
}

static const struct option_row *find_row(enum command command, char letter, const char *name, size_t length)
{
    for (const struct option_group *group = options_groups; group->title; group++)
        for (const struct option_row *row = group->rows; row->name; row++)
            if ((row->commands & 1u << command) &&
                (letter ? row->letter == letter : strlen(row->name) == length && strncmp(row->name, name, length) == 0))
                return row;
    return NULL;
}

static int store_number(struct options *o, const struct option_row *row, const char *value, struct error *error)
{
    char *end;
    double number = strtod(value, &end);
    bool whole = row->kind == OPTION_COUNT;
    if (end == value || *end || *value == ' ' || !(number >= row->low && number <= row->high) ||
        (whole && number != floor(number)))
        return error_set(error, ERROR_ARGUMENT, "--%s %s: not a %s from %g to %.0f", row->name, value,
                         whole ? "whole number" : "number", row->low, row->high);
    if (whole)
        *(int *)((char *)o + row->offset) = (int)number;
    else
        *(double *)((char *)o + row->offset) = number;
    return 0;
}

static int store_word(struct options *o, const struct option_row *row, const char *value, struct error *error)
{
    for (int i = 0; row->words[i]; i++)
        if (strcmp(row->words[i], value) == 0) {
            *(int *)((char *)o + row->offset) = i + row->base;
            return 0;
        }
    char list[200] = "";
    for (int i = 0; row->words[i]; i++) {
        size_t used = strlen(list);
        snprintf(list + used, sizeof list - used, "%s%s",
                 i == 0              ? ""
                 : row->words[i + 1] ? ", "
                                     : " or ",
                 row->words[i]);
    }
    return error_set(error, ERROR_ARGUMENT, "--%s %s: not known; use %s", row->name, value, list);
}

static int store(struct options *o, const struct option_row *row, const char *value, struct error *error)
{
    switch (row->kind) {
    case OPTION_FLAG:
        *(bool *)((char *)o + row->offset) = true;
        return 0;
    case OPTION_TEXT:
        *(const char **)((char *)o + row->offset) = value;
        return 0;
    case OPTION_COUNT:
    case OPTION_NUMBER:
        return store_number(o, row, value, error);
    case OPTION_WORD:
        return store_word(o, row, value, error);
    case OPTION_OWN:
        break;
    }
    return row->read(o, value, error);
}

/* "atmanscope explain -h" */
static const char *help_of(enum command command)
{
    static const char *const words[COMMANDS] = {
        "atmanscope -h",      "atmanscope explain -h",  "atmanscope generate -h",
        "atmanscope info -h", "atmanscope tokenize -h", "atmanscope bench -h",
        "atmanscope eval -h", "atmanscope guard -h",    "atmanscope replay -h",
    };
    return words[command];
}

/* An option that is not this command's: say whether it is another's. */
static int unknown(const struct options *o, const char *argument, struct error *error)
{
    return error_set(error, ERROR_ARGUMENT, "%.*s: no such option; see %s", (int)strcspn(argument, "="), argument,
                     help_of(o->command));
}

/* The value of row: what follows `=` or the letter (rest, or NULL), else the next argument. */
static int store_with_value(struct options *o, const struct option_row *row, struct arguments *a, const char *argument,
                            const char *rest, struct error *error)
{
    if (!rest && a->next < a->count)
        rest = a->values[a->next++];
    if (!rest)
        return error_set(error, ERROR_ARGUMENT, "%s: its %s is missing; see %s", argument, row->value,
                         help_of(o->command));
    return store(o, row, rest, error);
}

static int parse_own(struct options *o, const char *name, struct error *error)
{
    static const char *const shells[] = {"completion", "completion=bash", "completion=zsh", "completion=fish"};
    o->man = name[0] == 'm';
    for (int i = 0; i < 4; i++)
        if (strcmp(name, shells[i]) == 0)
            o->completion = i == 0 ? SHELL_BASH : (enum shell)i;
    if (!o->man && !o->completion)
        return error_set(error, ERROR_ARGUMENT, "--%s: no such shell; use bash, zsh or fish", name);
    return 0;
}

static int parse_long(struct options *o, struct arguments *a, const char *argument, struct error *error)
{
    const char *name = argument + 2, *equals = strchr(name, '=');
    size_t length = equals ? (size_t)(equals - name) : strlen(name);
    if (strcmp(name, "man") == 0 || strncmp(name, "completion", 10) == 0) /* for the build only, so not in the table */
        return parse_own(o, name, error);
    const struct option_row *row = find_row(o->command, 0, name, length);
    if (!row)
        return unknown(o, argument, error);
    if (row->value)
        return store_with_value(o, row, a, argument, equals ? equals + 1 : NULL, error);
    if (equals)
        return error_set(error, ERROR_ARGUMENT, "--%s: takes no value; leave it out", row->name);
    return store(o, row, NULL, error);
}

/* -vq, -n5, -n 5 */
static int parse_letters(struct options *o, struct arguments *a, const char *argument, struct error *error)
{
    for (const char *p = argument + 1; *p; p++) {
        const struct option_row *row = find_row(o->command, *p, NULL, 0);
        if (!row)
            return unknown(o, argument, error);
        if (row->value)
            return store_with_value(o, row, a, argument, p[1] ? p + 1 : NULL, error);
        int code = store(o, row, NULL, error);
        if (code)
            return code;
    }
    return 0;
}

/* The command of this name, or COMMANDS. */
static int find_command(const char *name)
{
    int c = 0;
    while (c < COMMANDS && strcmp(name, options_commands[c].name) != 0)
        c++;
    return c;
}

static int parse_operand(struct options *o, const char *argument, struct error *error)
{
    if ((o->command == COMMAND_EVAL || o->command == COMMAND_GUARD || o->command == COMMAND_REPLAY) && !o->dataset) {
        o->dataset = argument;
        return 0;
    }
    if (o->command == COMMAND_INFO && !o->model) {
        o->model = argument;
        return 0;
    }
    if (o->command == COMMAND_SCREEN && find_command(argument) < COMMANDS)
        return error_set(error, ERROR_ARGUMENT, "%s: a command comes first; write atmanscope %s ...", argument,
                         argument);
    if (o->command == COMMAND_SCREEN)
        return error_set(error, ERROR_ARGUMENT, "%s: no such command; see atmanscope -h",
                         *argument ? argument : "\"\"");
    return error_set(error, ERROR_ARGUMENT, "%s: not expected here; a prompt is given with -p, see %s",
                     *argument ? argument : "\"\"", help_of(o->command));
}

/* "words" would be a regular expression, and a prompt without this word a single unit: nobody means that. */
static bool is_near_kind(const char *units)
{
    static const char *const kinds[] = {"token", "word", "sentence", "paragraph"};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        bool letters = !units[strspn(units, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")];
        if (letters && strncasecmp(units, kinds[i], 4) == 0 && strcmp(units, kinds[i]) != 0)
            return true;
    }
    return false;
}

/* Options that cannot go together or are missing. */
static int check(const struct options *o, struct error *error)
{
    enum command c = o->command;
    int sources = (o->prompt != NULL) + (o->prompt_file != NULL) + (o->jsonl != NULL);
    if (sources > 1)
        return error_set(error, ERROR_ARGUMENT, "the prompt is given twice; keep one of -p, --prompt-file%s",
                         c == COMMAND_TOKENIZE ? " and --jsonl" : "");
    if (sources == 0 && !o->chat_file && (c == COMMAND_EXPLAIN || c == COMMAND_GENERATE || c == COMMAND_TOKENIZE))
        return error_set(error, ERROR_ARGUMENT,
                         "%s: the prompt is missing; give it with -p TEXT or --prompt-file FILE (-: standard input)",
                         options_commands[c].name);
    if (c == COMMAND_INFO && !o->model)
        return error_set(error, ERROR_ARGUMENT, "info: the model file is missing; write atmanscope info FILE");
    if (c == COMMAND_EVAL && !o->dataset)
        return error_set(error, ERROR_ARGUMENT, "eval: the data set is missing; write atmanscope eval DATASET.jsonl");
    if (c == COMMAND_GUARD && !o->dataset)
        return error_set(error, ERROR_ARGUMENT, "guard: the file is missing; write atmanscope guard FILE.jsonl");
    if (o->record && o->plain)
        return error_set(error, ERROR_ARGUMENT, "--record is of the screen, --plain has none; keep one of them");
    if (o->update && strcmp(o->dataset, "-") == 0)
        return error_set(error, ERROR_ARGUMENT, "--update rewrites a file; give one in place of standard input");
    if (o->target && !*o->target)
        return error_set(error, ERROR_ARGUMENT,
                         "--target: the text is empty; leave it out to explain the model's own answer");
    if (o->foil && !*o->foil)
        return error_set(error, ERROR_ARGUMENT, "--foil: the text is empty; leave it out to compare with nothing");
    if (o->about >= 0 && !o->proof && !o->pairs)
        return error_set(error, ERROR_ARGUMENT, "--about says what --proof and --pairs ask about; give one of them");
    if (o->units && !*o->units)
        return error_set(error, ERROR_ARGUMENT,
                         "--units: the kind is empty; use token, word, sentence, paragraph, auto or a "
                         "regular expression");
    if (o->units && is_near_kind(o->units))
        return error_set(error, ERROR_ARGUMENT, "--units %s: no kind is called so; use token, word, sentence or "
                         "paragraph, or [%c]%s for the expression", o->units, *o->units, o->units + 1);
    if (o->jsonl && o->image_count)
        return error_set(error, ERROR_ARGUMENT, "--image belongs to one prompt, --jsonl has many; keep one of them");
    if (o->raw && (o->system || o->chat_file || o->chat_template))
        return error_set(error, ERROR_ARGUMENT,
                         "--raw gives the model no conversation; leave out --system, --chat-file and "
                         "--chat-template, or --raw");
    if (o->chat && o->raw)
        return error_set(error, ERROR_ARGUMENT, "--chat and --raw exclude each other; keep one");
    return 0;
}

/* Where no format is asked for, the name of the file says it, as where the screen saves one. */
static void take_ending(struct options *o)
{
    static const struct {
        const char *ending;
        enum format format;
    } endings[] = {{".json", FORMAT_JSON}, {".html", FORMAT_HTML}, {".png", FORMAT_PNG}, {".svg", FORMAT_SVG}};
    const char *ending = o->output ? strrchr(o->output, '.') : NULL;
    for (size_t i = 0; ending && i < sizeof endings / sizeof *endings; i++)
        if (o->command == COMMAND_EXPLAIN && o->format == FORMAT_DEFAULT && strcmp(ending, endings[i].ending) == 0)
            o->format = endings[i].format;
}

int options_parse(struct options *o, int argc, char **argv, struct error *error)
{
    set_defaults(o);
    struct arguments a = {argc, 1, argv};
    int command = argc > 1 ? find_command(argv[1]) : COMMANDS;
    if (command < COMMANDS) {
        o->command = (enum command)command;
        a.next = 2;
    }
    if (o->command == COMMAND_GENERATE)
        o->generate = 64;
    if (o->command == COMMAND_EVAL || o->command == COMMAND_GUARD)
        o->generate = 32;
    if (o->command != COMMAND_SCREEN)
        o->units = o->command == COMMAND_GUARD ? "word" : "token";
    if (o->command == COMMAND_EVAL || o->command == COMMAND_GUARD || o->command == COMMAND_GENERATE)
        o->precision = PRECISION_F32; /* their records are compared from machine to machine */
    bool operands_only = false;
    while (a.next < a.count) {
        const char *argument = a.values[a.next++];
        int code;
        if (operands_only || argument[0] != '-' || !argument[1])
            code = parse_operand(o, argument, error);
        else if (strcmp(argument, "--") == 0)
            operands_only = true, code = 0;
        else if (argument[1] == '-')
            code = parse_long(o, &a, argument, error);
        else
            code = parse_letters(o, &a, argument, error);
        if (code)
            return code;
    }
    take_ending(o);
    return o->help || o->version || o->man || o->completion ? 0 : check(o, error);
}
