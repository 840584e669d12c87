/* The table of options and commands: see options.h. */
#include "tui/options.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "core/chat.h"
#include "tui/scale.h"
#include "tui/terminal.h"

#define AT(member) offsetof(struct options, member)

enum {
    SCREEN = 1 << COMMAND_SCREEN,
    EXPLAIN = 1 << COMMAND_EXPLAIN,
    GENERATE = 1 << COMMAND_GENERATE,
    INFO = 1 << COMMAND_INFO,
    TOKENIZE = 1 << COMMAND_TOKENIZE,
    BENCH = 1 << COMMAND_BENCH,
    EVAL = 1 << COMMAND_EVAL,
    GUARD = 1 << COMMAND_GUARD,
    REPLAY = 1 << COMMAND_REPLAY,
    ALL = (1 << COMMANDS) - 1,
    COMPUTING = SCREEN | EXPLAIN | GENERATE | BENCH | EVAL | GUARD,
    PROMPTED = SCREEN | EXPLAIN | GENERATE | TOKENIZE | BENCH,
};

static const char *const precision_words[] = {"auto", "f32", "bf16", "int8", NULL};
static const char *const weights_words[] = {"auto", "mapped", "expanded", NULL};
static const char *const suppress_words[] = {"row-min", "row-min-causal", "product", "log-additive", NULL};
static const char *const device_words[] = {"auto", "cpu", "cuda", "cuda:all", NULL};
static const char *const units_words[] = {"token", "word", "sentence", "paragraph", "auto", NULL};
static const char *const patches_words[] = {"patch", "2x2", "4x4", "whole", "auto", NULL};
static const char *const paths_words[] = {"all", "direct", NULL};
static const char *const graphics_words[] = {"auto", "sixel", "blocks", "none", NULL};
static const char *const explain_formats[] = {"ansi", "json", "html", "reference", "png", "svg", NULL};
static const char *const other_formats[] = {"text", "json", NULL};

/* -- values of their own kind ---------------------------------------------------------------------------------- */

/* The whole of text[0 .. length) as a finite number. */
static bool read_number(const char *text, size_t length, double *number)
{
    char copy[64];
    if (length == 0 || length >= sizeof copy)
        return false;
    memcpy(copy, text, length);
    copy[length] = '\0';
    char *end;
    *number = strtod(copy, &end);
    return *end == '\0' && end != copy && copy[0] != ' ' && isfinite(*number);
}

static int read_factor(struct options *o, const char *value, struct error *error)
{
    double factor;
    if (!read_number(value, strlen(value), &factor) || factor < 0 || factor > 4)
        return error_set(error, ERROR_ARGUMENT,
                         "--factor %s: not a number from 0 to 4; 0.1 is usual, 1 changes nothing", value);
    o->method.factor = (float)factor;
    return 0;
}

static int read_similarity(struct options *o, const char *value, struct error *error)
{
    double cosine = NAN;
    if (strcmp(value, "off") != 0 && (!read_number(value, strlen(value), &cosine) || cosine < -1 || cosine > 1))
        return error_set(error, ERROR_ARGUMENT, "--similarity %s: neither a cosine from -1 to 1 nor off; 0.7 is usual",
                         value);
    o->method.similarity = o->method.image_similarity = (float)cosine; /* said outright, it is meant for all units */
    return 0;
}

static int read_window(struct options *o, const char *value, struct error *error)
{
    double patches = 0;
    if (strcmp(value, "off") != 0 &&
        (!read_number(value, strlen(value), &patches) || patches < 1 || patches > 999 || fmod(patches, 2) != 1))
        return error_set(error, ERROR_ARGUMENT,
                         "--window %s: neither an odd number of patches nor off; 5 is usual, 1 looks at none around",
                         value);
    o->method.window = (int)patches;
    return 0;
}

static int read_image(struct options *o, const char *value, struct error *error)
{
    if (o->image_count == OPTIONS_IMAGES)
        return error_set(error, ERROR_LIMIT, "--image: more than %d pictures; take fewer", OPTIONS_IMAGES);
    o->images[o->image_count++] = value;
    return 0;
}

static int read_patches(struct options *o, const char *value, struct error *error)
{
    for (size_t i = 0; patches_words[i]; i++)
        if (strcmp(value, patches_words[i]) == 0) {
            o->patches = patches_words[i];
            return 0;
        }
    return error_set(error, ERROR_ARGUMENT, "--patches %s: not known; use patch, 2x2, 4x4, whole or auto", value);
}

/* "A-B" or "A": layers counted from 0, both included. */
static int read_layers(struct options *o, const char *value, struct error *error)
{
    const char *dash = strchr(value, '-');
    size_t first_length = dash ? (size_t)(dash - value) : strlen(value);
    double first, last;
    bool good = read_number(value, first_length, &first);
    last = first;
    if (dash)
        good = good && read_number(dash + 1, strlen(dash + 1), &last);
    if (!good || first < 0 || last < first || last > 100000 || first != floor(first) || last != floor(last))
        return error_set(error, ERROR_ARGUMENT,
                         "--layers %s: not a range A-B of layers; count from 0, both are included, as in 0-11", value);
    o->method.first_layer = (int)first;
    o->method.last_layer = (int)last;
    return 0;
}

static int read_chat_template(struct options *o, const char *value, struct error *error)
{
    char names[512] = "";
    if (chat_find(value)) {
        o->chat_template = value;
        return 0;
    }
    for (size_t i = 0; chat_at(i); i++)
        snprintf(names + strlen(names), sizeof names - strlen(names), "%s%s", i ? ", " : "", chat_name(chat_at(i)));
    return error_set(error, ERROR_ARGUMENT, "--chat-template %s: no such family; known are %s", value, names);
}

static int read_device(struct options *o, const char *value, struct error *error)
{
    bool good = strcmp(value, "auto") == 0 || strcmp(value, "cpu") == 0 || strcmp(value, "cuda") == 0;
    if (strncmp(value, "cuda:", 5) == 0) {
        size_t digits = strspn(value + 5, "0123456789");
        good = (digits > 0 && digits < 4 && value[5 + digits] == '\0') || strcmp(value + 5, "all") == 0;
    }
    if (!good)
        return error_set(error, ERROR_ARGUMENT, "--device %s: no such device; use auto, cpu, cuda, cuda:N or cuda:all",
                         value);
    o->device = value;
    return 0;
}

/* A number of bytes: "300M", "1.5G", "512MiB". */
static int read_memory(struct options *o, const char *value, struct error *error)
{
    static const struct { const char *name; double bytes; } units[] = {
        {"K", 1e3}, {"M", 1e6}, {"G", 1e9}, {"T", 1e12},
        {"Ki", 0x1p10}, {"Mi", 0x1p20}, {"Gi", 0x1p30}, {"Ti", 0x1p40}};
    size_t digits = strspn(value, "0123456789."), length = strlen(value + digits);
    double number, unit = 0;
    if (length > 1 && value[digits + length - 1] == 'B')
        length--;
    for (size_t i = 0; i < sizeof units / sizeof *units; i++)
        if (strlen(units[i].name) == length && strncasecmp(value + digits, units[i].name, length) == 0)
            unit = units[i].bytes;
    if (!read_number(value, digits, &number) || unit == 0 || number <= 0 || number * unit > 0x1p60)
        return error_set(error, ERROR_ARGUMENT, "--memory %s: not an amount of memory; write for example 300M or 2G",
                         value);
    o->memory = (size_t)(number * unit);
    return 0;
}

static int read_seed(struct options *o, const char *value, struct error *error)
{
    char *end;
    errno = 0;
    o->seed = strtoull(value, &end, 10);
    if (errno || *end || end == value || *value == '-' || *value == ' ')
        return error_set(error, ERROR_ARGUMENT, "--seed %s: not a whole number from 0 on", value);
    return 0;
}

static int read_steer(struct options *o, const char *value, struct error *error)
{
    const char *equals = strrchr(value, '=');
    double factor;
    if (!equals || equals == value || !read_number(equals + 1, strlen(equals + 1), &factor) || factor < 0 || factor > 4)
        return error_set(error, ERROR_ARGUMENT,
                         "--steer %s: not UNIT=FACTOR with a factor from 0 to 4; write for example --steer ball=0.1",
                         value);
    if (o->steer_count == OPTIONS_STEERS)
        return error_set(error, ERROR_LIMIT, "--steer: more than %d; use larger --units", OPTIONS_STEERS);
    o->steers[o->steer_count++] = (struct options_steer){value, (size_t)(equals - value), (float)factor};
    return 0;
}

/* -- the table -------------------------------------------------------------------------------------------------- */

static const struct option_row model_rows[] = {
    {.commands = ALL & ~REPLAY,
     .letter = 'm',
     .name = "model",
     .value = "FILE",
     .kind = OPTION_TEXT,
     .offset = AT(model),
     .help = "GGUF file, or the name of one in the folder of models or a part of it (default: the shipped demo model)"},
    {.commands = COMPUTING | TOKENIZE,
     .name = "mmproj",
     .value = "FILE",
     .kind = OPTION_TEXT,
     .offset = AT(mmproj),
     .help = "GGUF file of the model's vision tower, for pictures (default: the one beside the model named "
             "MODEL-mmproj*.gguf or mmproj*.gguf)"},
    {.commands = COMPUTING | TOKENIZE,
     .name = "pre",
     .value = "NAME",
     .kind = OPTION_TEXT,
     .offset = AT(pre),
     .help = "pre-tokeniser to use in place of the one the model file names (default: the file's)"},
    {.commands = COMPUTING,
     .name = "device",
     .value = "NAME",
     .kind = OPTION_OWN,
     .words = device_words,
     .read = read_device,
     .help = "auto, cpu, cuda, cuda:N or cuda:all, which spreads the probes over all cards (default: auto)"},
    {.commands = COMPUTING,
     .name = "threads",
     .value = "N",
     .kind = OPTION_COUNT,
     .offset = AT(threads),
     .low = 1,
     .high = 1024,
     .help = "threads to compute with (default: all cores)"},
    {.commands = COMPUTING,
     .name = "precision",
     .value = "NAME",
     .kind = OPTION_WORD,
     .offset = AT(precision),
     .words = precision_words,
     .base = -1,
     .help = "of the probes' products: f32, bf16, int8, or auto: f32 unless another takes less than half its time "
             "here; plain passes are always f32 (default: auto; eval, guard and generate f32)"},
    {.commands = COMPUTING,
     .name = "tf32",
     .kind = OPTION_FLAG,
     .offset = AT(tf32),
     .help = "on a card: plain passes in TF32, with 10 bits of mantissa, which is faster (default: f32)"},
    {.commands = COMPUTING,
     .name = "weights",
     .value = "NAME",
     .kind = OPTION_WORD,
     .offset = AT(weights),
     .words = weights_words,
     .help = "of a quantised model on the CPU: mapped leaves them in the file and takes the least memory, expanded "
             "keeps them in f32, which makes plain passes faster, auto does that with small models (default: auto)"},
    {.commands = COMPUTING,
     .name = "memory",
     .value = "LIMIT",
     .kind = OPTION_OWN,
     .read = read_memory,
     .help = "on the CPU, what the program may take in all, as in 300M or 2G, at some cost in time; refused where it "
             "does not do (default: three times what a plain pass of the prompt needs)"},
    {0},
};

static const struct option_row prompt_rows[] = {
    {.commands = PROMPTED, .letter = 'p', .name = "prompt", .value = "TEXT", .kind = OPTION_TEXT, .offset = AT(prompt),
     .help = "the prompt"},
    {.commands = PROMPTED, .name = "prompt-file", .value = "FILE", .kind = OPTION_TEXT, .offset = AT(prompt_file),
     .help = "read the prompt from FILE, - for standard input"},
    {.commands = TOKENIZE, .name = "jsonl", .value = "FILE", .kind = OPTION_TEXT, .offset = AT(jsonl),
     .help = "for every line {\"text\": ...} of FILE (- for standard input) print one line {\"ids\", \"offsets\"}"},
    {.commands = PROMPTED, .name = "image", .value = "FILE", .kind = OPTION_OWN, .read = read_image,
     .help = "a picture (PNG, JPEG or still WebP, at most 67 million pixels) of the prompt: its place is the next "
             "<image> in the text, else before the text; repeatable"},
    {.commands = COMPUTING & ~BENCH, .name = "chat", .kind = OPTION_FLAG, .offset = AT(chat),
     .help = "the prompt is a conversation: put the model's chat template around it (default where the model file has "
             "one); lines that are nothing but system:, user: or assistant: say who speaks, else all of it is the "
             "user's"},
    {.commands = COMPUTING & ~BENCH, .name = "raw", .kind = OPTION_FLAG, .offset = AT(raw),
     .help = "give the model the prompt as it is (default where the model file has no chat template)"},
    {.commands = COMPUTING & ~BENCH & ~EVAL & ~GUARD, .name = "system", .value = "TEXT",
     .kind = OPTION_TEXT, .offset = AT(system),
     .help = "begin the conversation with this message of the system"},
    {.commands = COMPUTING & ~BENCH & ~EVAL & ~GUARD, .name = "chat-file", .value = "FILE",
     .kind = OPTION_TEXT, .offset = AT(chat_file),
     .help = "read messages {\"role\": \"system\", \"user\" or \"assistant\", \"content\": TEXT} from FILE, one a line "
             "or a JSON array of them, - for standard input; a prompt comes after them"},
    {.commands = COMPUTING & ~BENCH, .name = "chat-template", .value = "NAME", .kind = OPTION_OWN,
     .read = read_chat_template,
     .help = "family of chat templates to use in place of the file's own: chatml, llama3, gemma, phi3, ... (a wrong "
             "name lists them all)"},
    {0},
};

static const struct option_row target_rows[] = {
    {.commands = EXPLAIN, .name = "target", .value = "TEXT", .kind = OPTION_TEXT, .offset = AT(target),
     .help = "explain this continuation of the prompt, tokenised as it follows it, whatever the model would say"},
    {.commands = EXPLAIN, .name = "generate", .value = "N", .kind = OPTION_COUNT, .offset = AT(generate), .low = 1,
     .high = 1 << 20, .help = "explain the model's own, most probable continuation of up to N tokens (default: 1)"},
    {.commands = EVAL | GUARD, .name = "generate", .value = "N", .kind = OPTION_COUNT, .offset = AT(generate), .low = 1,
     .high = 1 << 20,
     .help = "where a case has no target, explain the model's own answer of up to N tokens (default: 32)"},
    {.commands = EXPLAIN, .name = "foil", .value = "TEXT", .kind = OPTION_TEXT, .offset = AT(foil),
     .help = "explain why the target rather than TEXT, at the first token where they differ"},
    {.commands = EXPLAIN, .name = "proof", .kind = OPTION_FLAG, .offset = AT(proof),
     .help = "then delete the text of the strongest units, and of others at random, and tell how the answer's "
             "probability falls; and find a small set of units without which the answer is another"},
    {.commands = EXPLAIN, .name = "pairs", .kind = OPTION_FLAG, .offset = AT(pairs),
     .help = "then suppress the strongest units two at a time, and tell which back each other up or stand in for each "
             "other"},
    {.commands = EXPLAIN, .name = "about", .value = "N", .kind = OPTION_COUNT, .offset = AT(about), .low = 0,
     .high = 1 << 20, .help = "output token that --proof and --pairs ask about, from 0 on (default: the one where "
                              "target and foil differ, else the first)"},
    {.commands = GENERATE, .letter = 'n', .name = "tokens", .value = "N", .kind = OPTION_COUNT, .offset = AT(generate),
     .low = 1, .high = 1 << 20, .help = "continue by up to N tokens (default: 64)"},
    {.commands = GENERATE, .name = "steer", .value = "UNIT=FACTOR", .kind = OPTION_OWN, .read = read_steer,
     .help = "turn the attention to a unit of the prompt up or down while generating; UNIT is its index from 0 or its "
             "text (all units of that text), FACTOR is from 0 to 4; repeatable"},
    {.commands = EXPLAIN | GENERATE, .name = "seed", .value = "N", .kind = OPTION_OWN, .read = read_seed,
     .help = "of sampling; the most probable continuation does not depend on it (default: 0)"},
    {.commands = EVAL, .name = "seed", .value = "N", .kind = OPTION_OWN, .read = read_seed,
     .help = "of the random map, of ties and of the intervals (default: 0)"},
    {0},
};

static const struct option_row method_rows[] = {
    {.commands = SCREEN | EXPLAIN | GENERATE | EVAL | GUARD, .name = "units", .value = "KIND", .kind = OPTION_TEXT,
     .offset = AT(units), .words = units_words,
     .help = "what is turned down together: token, word, sentence, paragraph, auto (the one that gives nearest to 30) "
             "or a regular expression of the delimiters (default: token, on the screen and of guard word)"},
    {.commands = SCREEN | EXPLAIN | GENERATE | EVAL | GUARD, .name = "patches", .value = "KIND", .kind = OPTION_OWN,
     .read = read_patches, .words = patches_words,
     .help = "pictures: what is turned down together: patch, 2x2, 4x4, whole or auto, the finest that cuts no picture "
             "into more than 256 (default: auto)"},
    {.commands = SCREEN | EXPLAIN | GENERATE | EVAL | GUARD, .name = "suppress", .value = "NAME", .kind = OPTION_WORD,
     .offset = AT(method.suppression), .words = suppress_words,
     .help = "how: row-min, row-min-causal, product or log-additive (default: row-min-causal)"},
    {.commands = SCREEN | EXPLAIN | EVAL | GUARD, .name = "factor", .value = "F",
     .kind = OPTION_OWN, .read = read_factor,
     .help = "how far: 0 turns off, 1 changes nothing, up to 4 turns up (default: 0.1)"},
    {.commands = SCREEN | EXPLAIN | EVAL | GUARD, .name = "similarity", .value = "COSINE",
     .kind = OPTION_OWN, .read = read_similarity,
     .help = "turn down, with a unit, positions whose embeddings are this similar, or off (default: off, for units of "
             "pictures 0.7)"},
    {.commands = SCREEN | EXPLAIN | EVAL | GUARD, .name = "window", .value = "N",
     .kind = OPTION_OWN, .read = read_window,
     .help = "pictures: only patches in the N x N around a patch may be similar to it (N is odd), or off: any "
             "position; text has no window (default: 5)"},
    {.commands = EXPLAIN | GUARD, .name = "paths", .value = "NAME", .kind = OPTION_WORD, .offset = AT(method.paths),
     .words = paths_words,
     .help = "where: all rows, or direct: only those that predict the answer, which costs about one plain pass for all "
             "units together, and whose order of weak units is not to be trusted (default: all)"},
    {.commands = SCREEN | EXPLAIN | GENERATE | EVAL | GUARD, .name = "layers", .value = "A-B",
     .kind = OPTION_OWN, .read = read_layers,
     .help = "only in these layers, counted from 0, both included (default: all)"},
    {.commands = EXPLAIN | BENCH, .name = "budget", .value = "SECONDS", .kind = OPTION_NUMBER, .offset = AT(budget),
     .low = 0, .high = 1e9,
     .help = "stop the probes after this time; the result then says \"complete\": false, and which values are "
             "estimates (default: no limit)"},
    {0},
};

static const struct option_row bench_rows[] = {
    {.commands = BENCH, .name = "length", .value = "N", .kind = OPTION_COUNT, .offset = AT(length), .low = 1,
     .high = 1 << 24, .help = "tokens of the prompt's text, cut from a built-in one or from -p (default: 256)"},
    {.commands = BENCH, .name = "target-length", .value = "N", .kind = OPTION_COUNT, .offset = AT(target_length),
     .low = 1, .high = 1 << 20, .help = "tokens to explain (default: 1)"},
    {.commands = BENCH, .name = "repeat", .value = "N", .kind = OPTION_COUNT, .offset = AT(repeat), .low = 1,
     .high = 1000, .help = "measure N times and give the medians (default: 1)"},
    {0},
};

static const struct option_row eval_rows[] = {
    {.commands = EVAL, .name = "limit", .value = "N",
     .kind = OPTION_COUNT, .offset = AT(limit), .low = 1, .high = 1 << 30,
     .help = "only the first N cases (default: all)"},
    {.commands = EVAL, .name = "leave-one-out", .kind = OPTION_FLAG, .offset = AT(leave_one_out),
     .help = "words: also the map that deleting every unit's text in turn gives, which takes a plain pass for each"},
    {.commands = EVAL, .name = "variants", .kind = OPTION_FLAG, .offset = AT(variants),
     .help = "pictures: also the method with single patches, with tiles of 2x2, and without a window"},
    {.commands = EVAL, .name = "per-case", .kind = OPTION_FLAG, .offset = AT(per_case),
     .help = "json: also every case with its answer, its units, the maps over them and their scores"},
    {.commands = GUARD, .name = "update", .kind = OPTION_FLAG, .offset = AT(update),
     .help = "once all cases have run, write into the file what was measured, and move the limits that do not hold to "
             "a tenth beyond it: the file is rewritten whole or not at all, and the status is 0"},
    {0},
};

static const struct option_row result_rows[] = {
    {.commands = EXPLAIN, .name = "format", .value = "NAME", .kind = OPTION_WORD, .offset = AT(format),
     .words = explain_formats, .base = FORMAT_ANSI,
     .help = "ansi (for terminals), json, html (one page), reference (the AtMan repository's JSON, whose sign is "
             "opposite), png or svg (a picture, into a file with -o) (default: what FILE of -o ends in, else ansi)"},
    {.commands = GENERATE | INFO | BENCH | GUARD, .name = "format", .value = "NAME",
     .kind = OPTION_WORD, .offset = AT(format),
     .words = other_formats, .base = FORMAT_ANSI, .help = "text or json (default: text)"},
    {.commands = EVAL, .name = "format", .value = "NAME", .kind = OPTION_WORD, .offset = AT(format),
     .words = other_formats, .base = FORMAT_ANSI, .help = "text (a table) or json (default: json)"},
    {.commands = EXPLAIN | GENERATE | INFO | TOKENIZE | BENCH | EVAL | GUARD, .letter = 'o', .name = "output",
     .value = "FILE",
     .kind = OPTION_TEXT, .offset = AT(output),
     .help = "write the result to FILE, whole or not at all (default: standard output)"},
    {0},
};

static const struct option_row recording_rows[] = {
    {.commands = SCREEN, .name = "record", .value = "FILE", .kind = OPTION_TEXT, .offset = AT(record),
     .help = "record what happens on the screen to FILE, a new one, for atmanscope replay: texts, maps and pictures, "
             "written as they come (default: nothing is recorded; a key begins it at any time)"},
    {.commands = REPLAY, .name = "speed", .value = "N", .kind = OPTION_NUMBER, .offset = AT(speed), .low = 0.25,
     .high = 16,
     .help = "play N times as fast; pauses of more than 2 seconds are always shortened to that (default: 1)"},
    {.commands = REPLAY, .name = "to", .value = "FILE", .kind = OPTION_TEXT, .offset = AT(to),
     .help = "no screen: write the last explanation to FILE, in the format that its ending says: .html, .json, .txt, "
             ".ansi, .png or .svg"},
    {0},
};

static const struct option_row common_rows[] = {
    {.commands = SCREEN | REPLAY, .name = "graphics", .value = "NAME", .kind = OPTION_WORD, .offset = AT(graphics),
     .words = graphics_words, .base = GRAPHICS_AUTO,
     .help = "how the screen draws pictures: sixel, blocks (halves of characters), none, or auto, sixel where the "
             "terminal says that it knows it (default: auto)"},
    {.commands = SCREEN | EXPLAIN | REPLAY, .name = "scale", .value = "NAME", .kind = OPTION_WORD, .offset = AT(scale),
     .words = scale_names, .base = SCALE_BLUE_ORANGE,
     .help = "colours of what contradicts and of what supports: blue-orange, blue-red, purple-green, or grey, whose "
             "brightness says how much, and where a word is underlined that it contradicts (default: blue-orange)"},
    {.commands = SCREEN, .name = "plain", .kind = OPTION_FLAG, .offset = AT(plain),
     .help = "lines of text in place of the screen, for screen readers, pipes and terminals that cannot move their "
             "cursor (the default where TERM is dumb)"},
    {.commands = SCREEN, .name = "no-history", .kind = OPTION_FLAG, .offset = AT(no_history),
     .help = "neither read nor keep former prompts, nor a session whose line is dropped (default: kept in "
             "~/.local/state/atmanscope)"},
    {.commands = ALL, .letter = 'v', .name = "verbose", .kind = OPTION_FLAG, .offset = AT(verbose),
     .help = "say on standard error what is used and what it cost"},
    {.commands = ALL, .letter = 'q', .name = "quiet", .kind = OPTION_FLAG, .offset = AT(quiet),
     .help = "no progress on standard error"},
    {.commands = ALL, .name = "version", .kind = OPTION_FLAG, .offset = AT(version), .help = "print the version"},
    {.commands = ALL, .letter = 'h', .name = "help", .kind = OPTION_FLAG, .offset = AT(help),
     .help = "print this help"},
    {0},
};

const struct option_group options_groups[] = {
    {"Model", model_rows},   {"Prompt", prompt_rows}, {"Answer", target_rows}, {"Method", method_rows},
    {"Measure", bench_rows}, {"Cases", eval_rows},   {"Result", result_rows},
    {"Recording", recording_rows}, {"Common", common_rows}, {NULL, NULL},
};

static const char *const screen_examples[] = {
    "atmanscope",
    "atmanscope -m smollm2 -p \"What is the capital of France?\"",
    "atmanscope explain -p \"Anna has a red ball. What does Anna have? A red\"",
    NULL,
};
static const char *const explain_examples[] = {
    "atmanscope explain -m smollm2 -p \"What is the capital of France?\" --generate 8",
    "atmanscope explain -m smollm2 --raw -p \"The capital of France is\" --target \" Paris\" --foil \" Rome\"",
    "atmanscope explain -m llava.gguf --image cat.png -p \"A picture of a\" --format html -o why.html",
    "atmanscope explain -m model.gguf --prompt-file question.txt --generate 8 --format html -o why.html",
    "atmanscope explain -p \"Tom has a blue hat.\" --units token --format json | jq .relevance",
    NULL,
};
static const char *const generate_examples[] = {
    "atmanscope generate -m smollm2 --raw -p \"The capital of France is\" -n 20",
    "atmanscope generate -m smollm2 --raw -p \"The capital of France is\" --steer France=0.1",
    NULL,
};
static const char *const info_examples[] = {
    "atmanscope info model.gguf",
    "atmanscope info smollm2 --format json",
    NULL,
};
static const char *const tokenize_examples[] = {
    "atmanscope tokenize -m smollm2 -p \"The capital of France\"",
    "printf '{\"text\": \"one\\\\u0000two\"}\\n' | atmanscope tokenize -m smollm2 --jsonl -",
    NULL,
};
static const char *const bench_examples[] = {
    "atmanscope bench -m smollm2 --length 256 --target-length 8",
    "atmanscope bench -m smollm2 --threads 2 --repeat 3 --format json",
    NULL,
};
static const char *const eval_examples[] = {
    "atmanscope eval cases.jsonl --format text",
    "atmanscope eval -m smollm2 cases.jsonl --units word --leave-one-out --per-case -o result.json",
    NULL,
};
static const char *const replay_examples[] = {
    "atmanscope --record session.atman",
    "atmanscope replay session.atman --speed 4",
    "atmanscope replay session.atman --to why.html",
    NULL,
};
static const char *const guard_examples[] = {
    "atmanscope guard prompts.jsonl",
    "atmanscope guard -m smollm2 prompts.jsonl --format json -o guard.json",
    "atmanscope guard -m new.gguf prompts.jsonl --update && git diff prompts.jsonl",
    NULL,
};

/* What a line of guard's file may hold. */
static const struct command_note guard_notes[] = {
    {"\"id\": TEXT", "what the case is called (default: line N)"},
    {"\"prompt\": TEXT", "must be there"},
    {"\"system\": TEXT", "the system's message before it, in a conversation"},
    {"\"chat\": BOOL", "true as --chat, false as --raw, for this case"},
    {"\"images\": [FILE, ...]", "pictures of the prompt, relative to the file's folder"},
    {"\"target\": TEXT", "the continuation that is explained (default: the model's own answer)"},
    {"\"units\": KIND", "as --units, for this case"},
    {"\"hold\": [CHECK, ...]", "must be there: what must hold, each check one of"},
    {"{UNITS, \"share\": LIMIT}", "the units' share, from 0 to 1, in all that supports the target: in the sum of "
                                  "positive relevances over the prompt's units, without specials and the first token"},
    {"{UNITS, \"rank\": LIMIT}", "the place of the best of them, 1 for what supports the target most"},
    {"{\"probability\": LIMIT}", "of the whole target"},
    {"{\"answer\": TEXT}", "the model's own answer, of up to --generate tokens, white space at its ends left out"},
    {"LIMIT", "{\"min\": NUMBER}, {\"max\": NUMBER} or both; --update adds \"measured\". A limit that the noise floor "
              "does not let decide counts as failed"},
    {"UNITS", "\"text\": WORDS, all units that touch these words wherever they stand in the prompt as whole words; "
              "\"span\": [START, END], bytes of the prompt; or \"rect\": [IMAGE, X, Y, WIDTH, HEIGHT], pixels of a "
              "picture counted from 0"},
    {NULL, NULL},
};

const struct command_row options_commands[COMMANDS] = {
    [COMMAND_SCREEN] = {"tui", "", "type a prompt, choose an output token, watch the words light up", screen_examples},
    [COMMAND_EXPLAIN] = {"explain", "", "one explanation: which words of a prompt an answer rests on",
                         explain_examples},
    [COMMAND_GENERATE] = {"generate", "", "continue a prompt, optionally with units turned up or down",
                          generate_examples},
    [COMMAND_INFO] = {"info", "FILE", "what a model file holds, and whether it can be used", info_examples},
    [COMMAND_TOKENIZE] = {"tokenize", "", "the tokens of a text with their byte offsets", tokenize_examples},
    [COMMAND_BENCH] = {"bench", "", "speed and memory of a model on this machine", bench_examples},
    [COMMAND_EVAL] = {"eval", "DATASET.jsonl", "how often maps point at what is known to decide, over a data set",
                      eval_examples},
    [COMMAND_GUARD] = {"guard", "FILE.jsonl", "check that answers still rest on what they should, for scripts and CI",
                       guard_examples, "A line of FILE.jsonl", guard_notes},
    [COMMAND_REPLAY] = {"replay", "[FILE]", "play a recorded session, or the last one whose line was dropped",
                        replay_examples},
};
