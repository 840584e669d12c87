#include "tui/plain.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/clock.h"
#include "tui/command.h"
#include "tui/output.h"
#include "tui/prompt.h"

enum { LINE_MOST = 1 << 20, OUTPUT_TOKENS = 12 };

/* Seconds between two lines about the progress of the same work. */
#define PROGRESS_EVERY 5

/* -- measuring ----------------------------------------------------------------------------------------------------- */

static void tell_progress(struct plain *plain, const struct explanation *e)
{
    const struct cost *cost = &e->cost;
    double now = clock_now();
    if (now - plain->told < PROGRESS_EVERY || cost->probes == 0 || cost->probes == cost->probes_total)
        return;
    plain->told = now;
    printf("measuring: %d of %d, %.0f s left\n", cost->probes, cost->probes_total,
           cost->seconds / cost->probes * (cost->probes_total - cost->probes));
    fflush(stdout);
}

/* The output as it comes, a line end behind it, and then how far the probes are. */
static int listen(struct run *run, enum event_kind kind, void *data, struct error *error)
{
    struct plain *plain = data;
    int code = stream_take(&plain->stream, run->explanation, engine_tokenizer(run->engine), error);
    if (code == 0 && kind == EVENT_UNITS)
        code = stream_add(&plain->stream, "\n", 1, error);
    size_t ready = stream_ready(&plain->stream);
    if (code == 0 && ready > 0)
        code = stream_print(&plain->stream, ready, error);
    if (code == 0 && kind == EVENT_RELEVANCE)
        tell_progress(plain, run->explanation);
    return code;
}

/* ^C was for what has ended: the next one is another. */
static void take_interrupts(const struct plain *plain)
{
    struct pollfd fd = {plain->context->interrupt, POLLIN, 0};
    char byte;
    while (poll(&fd, 1, 0) > 0 && read(fd.fd, &byte, 1) == 1) {
    }
}

static void keep(struct plain *plain)
{
    char *paths[OPTIONS_IMAGES];
    size_t count = plain->options.image_count;
    for (size_t i = 0; i < count; i++)
        paths[i] = realpath(plain->options.images[i], NULL);
    history_add(&plain->history, plain->prompt, plain->length, paths, count);
    while (count > 0)
        free(paths[--count]);
}

int plain_measure(struct plain *plain, struct error *error)
{
    struct request request = run_request(&plain->run, plain->prompt, plain->length);
    request.explain = request.resume = true;
    plain->stream = (struct stream){.visible = true};
    plain->told = clock_now();
    fflush(stdout);
    int code = run_submit(&plain->run, &request, listen, plain, error);
    const struct explanation *e = plain->run.explanation;
    if (plain->stream.length > 0 && plain->stream.bytes[plain->stream.length - 1] != '\n')
        printf("\n");
    free(plain->stream.bytes);
    if (plain->token != REPORT_ALL && (size_t)plain->token >= e->output_count)
        plain->token = REPORT_ALL;
    if (code == ERROR_CANCELLED) {
        take_interrupts(plain);
        printf("stopped\n");
        return e->unit_count > 0 ? plain_say_units(plain, error) : 0;
    }
    if (code != 0)
        return code;
    keep(plain);
    return plain_say_units(plain, error);
}

/* -- opening ------------------------------------------------------------------------------------------------------- */

static void open_samples(struct plain *plain)
{
    static char path[PATHS_LENGTH];
    bool there = paths_samples(&plain->context->paths, plain->options.model, path, sizeof path);
    samples_free(&plain->samples);
    samples_read(&plain->samples, there ? path : NULL);
}

int plain_open(struct plain *plain, struct error *error)
{
    struct run run;
    printf("loading the model\n");
    fflush(stdout);
    int code = run_open(&run, &plain->options, plain->context, error);
    if (code != 0)
        return code;
    run_close(&plain->run);
    plain->run = run;
    const struct engine_info *info = engine_info(run.engine);
    const char *slash = strrchr(info->file, '/');
    printf("%s on %s\n", slash ? slash + 1 : info->file, info->device_kind);
    open_samples(plain);
    return 0;
}

/* -- lines --------------------------------------------------------------------------------------------------------- */

/* What was read of the input and is no whole line yet. */
struct reader {
    char *bytes; /* malloced [capacity] */
    size_t length, capacity;
    bool ended, asked; /* asked: ^C once while nothing runs */
};

/* Wait for more input; false: there is no more, or ^C twice. */
static bool read_more(struct reader *reader, const struct plain *plain)
{
    struct pollfd fds[2] = {{STDIN_FILENO, POLLIN, 0}, {plain->context->interrupt, POLLIN, 0}};
    if (reader->length + 4096 > reader->capacity) {
        char *grown = realloc(reader->bytes, reader->capacity + 65536);
        if (!grown)
            return false;
        reader->bytes = grown;
        reader->capacity += 65536;
    }
    if (poll(fds, 2, -1) < 0)
        return errno == EINTR;
    if (fds[1].revents) {
        take_interrupts(plain);
        if (reader->asked)
            return false;
        reader->asked = true;
        printf("\nnothing runs; ^C again quits\n");
        fflush(stdout);
        return true;
    }
    ssize_t n = read(STDIN_FILENO, reader->bytes + reader->length, 4096);
    if (n < 0)
        return errno == EINTR || errno == EAGAIN;
    reader->asked = false;
    reader->length += (size_t)n;
    return n > 0;
}

/* The next line, without its end, malloced and terminated; NULL: there is none.  One that is too long is cut. */
static char *next_line(struct reader *reader, const struct plain *plain)
{
    char *end;
    while (!(end = reader->length ? memchr(reader->bytes, '\n', reader->length) : NULL) && !reader->ended &&
           reader->length < LINE_MOST)
        reader->ended = !read_more(reader, plain);
    if (reader->asked && reader->ended)
        return NULL;
    size_t length = end ? (size_t)(end - reader->bytes) : reader->length, used = length + (end != NULL);
    if (used == 0)
        return NULL;
    char *line = strndup(reader->bytes, length);
    memmove(reader->bytes, reader->bytes + used, reader->length - used);
    reader->length -= used;
    return line;
}

/* Lines as long as they end with a backslash, joined. */
static char *next_lines(struct reader *reader, const struct plain *plain)
{
    char *text = next_line(reader, plain), *more;
    size_t length = text ? strlen(text) : 0;
    while (length > 0 && text[length - 1] == '\\' && (more = next_line(reader, plain))) {
        char *joined = realloc(text, length + strlen(more) + 1);
        if (joined) {
            text = joined;
            text[length - 1] = '\n';
            strcpy(text + length, more);
        }
        free(more);
        if (!joined)
            break;
        length = strlen(text);
    }
    return text;
}

/* -- the dialogue -------------------------------------------------------------------------------------------------- */

/* Take a prompt over and measure it. */
static int take_prompt(struct plain *plain, char *text, struct error *error)
{
    int code = prompt_check("the prompt", text, strlen(text), error);
    if (code != 0) {
        free(text);
        return code;
    }
    free(plain->prompt);
    plain->prompt = text;
    plain->length = strlen(text);
    plain->token = REPORT_ALL;
    return plain_measure(plain, error);
}

static int take_line(struct plain *plain, char *line, struct error *error)
{
    if (*line == ':' && line[1] != ':') {
        int code = plain_command(plain, line + 1, error);
        free(line);
        return code;
    }
    if (line[strspn(line, " \t")] == '\0') {
        free(line);
        return 0;
    }
    if (*line == ':')
        memmove(line, line + 1, strlen(line));
    return take_prompt(plain, line, error);
}

/* What went wrong goes on; only a reader that went away ends it. */
static int report_error(int code, const struct error *error)
{
    if (code == 0 || code == OUTPUT_CLOSED)
        return code;
    fflush(stdout);
    fprintf(stderr, "atmanscope: %s\n", error->message);
    return 0;
}

static int talk(struct plain *plain, struct error *error)
{
    struct reader reader = {0};
    bool invites = isatty(STDIN_FILENO) && plain->context->output_terminal;
    int code = 0;
    while (code == 0 && !plain->quit) {
        if (invites)
            printf("> ");
        if (fflush(stdout) != 0)
            code = OUTPUT_CLOSED;
        char *line = code == 0 ? next_lines(&reader, plain) : NULL;
        if (!line)
            break;
        code = report_error(take_line(plain, line, error), error);
    }
    free(reader.bytes);
    return code;
}

bool command_is_plain(const struct options *o, const struct context *context)
{
    bool dumb = context->term && strcmp(context->term, "dumb") == 0;
    return o->command == COMMAND_SCREEN && (o->plain || (dumb && context->output_terminal && isatty(STDIN_FILENO)));
}

int command_plain(const struct options *o, const struct context *context, struct error *error)
{
    struct plain plain = {.options = *o, .context = context, .token = REPORT_ALL, .units = PLAIN_UNITS};
    char *prompt = NULL;
    size_t length = 0;
    plain.options.quiet = true; /* lines are not to be wiped */
    plain.options.units = o->units ? o->units : "word";
    plain.options.generate = OUTPUT_TOKENS;
    int code = prompt_read(o, PROMPT_MAY_BE_EMPTY, &prompt, &length, error);
    if (code != 0)
        return code;
    if (!o->plain)
        printf("TERM=dumb cannot show the screen, so this is the plain mode of lines, as with --plain.\n");
    history_open(&plain.history, o->no_history ? NULL : context->history);
    code = plain_open(&plain, error);
    if (code == 0)
        printf("Type a prompt; :help lists the commands%s.\n", plain.samples.length ? ", :sample tries a sample" : "");
    if (code == 0 && length > 0)
        code = report_error(take_prompt(&plain, prompt, error), error);
    else
        free(prompt);
    if (code == 0)
        code = talk(&plain, error);
    run_close(&plain.run);
    samples_free(&plain.samples);
    history_close(&plain.history);
    while (plain.picture_count > 0)
        free(plain.pictures[--plain.picture_count]);
    free(plain.prompt);
    free(plain.foil);
    free(plain.model);
    return code;
}
