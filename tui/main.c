/* atmanscope: the program.
 *
 * The only place that reads the environment, prints errors and exits. */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tui/command.h"
#include "tui/history.h"
#include "tui/output.h"
#include "tui/text.h"

enum { EXIT_USAGE = 2, EXIT_CANCELLED = 130 };

static int interrupt_pipe[2];

/* ^C once: whoever waits on the pipe stops the work and writes what there is.  Once more before that took the first one
 * out of the pipe: at once. */
static void on_interrupt(int number)
{
    int saved = errno;
    struct pollfd waiting = {interrupt_pipe[0], POLLIN, 0};
    (void)number;
    if (poll(&waiting, 1, 0) > 0)
        _exit(EXIT_CANCELLED);
    ssize_t written = write(interrupt_pipe[1], "", 1);
    (void)written;
    errno = saved;
}

static int watch_interrupt(struct error *error)
{
    struct sigaction interrupt = {.sa_handler = on_interrupt, .sa_flags = SA_RESTART};
    sigemptyset(&interrupt.sa_mask);
    if (pipe2(interrupt_pipe, O_CLOEXEC) != 0 || sigaction(SIGINT, &interrupt, NULL) != 0)
        return error_set(error, ERROR_IO, "cannot start: %s", strerror(errno));
    return 0;
}

static void beside_history(const struct context *c, const char *name, char path[PATHS_LENGTH])
{
    const char *slash = strrchr(c->history, '/');
    int folder = slash ? (int)(slash - c->history) : 0;
    if (!slash || snprintf(path, PATHS_LENGTH, "%.*s/%s", folder, c->history, name) >= PATHS_LENGTH)
        path[0] = '\0';
}

static void look_around(struct context *c)
{
    const char *term = getenv("TERM"), *no_color = getenv("NO_COLOR");
    memset(c, 0, sizeof *c);
    paths_init(&c->paths, getenv("HOME"), getenv("XDG_DATA_HOME"));
    history_path(c->history, sizeof c->history, getenv("HOME"), getenv("XDG_STATE_HOME"));
    beside_history(c, "lost.atman", c->lost);
    beside_history(c, "found.atman", c->found);
    c->term = term;
    c->depth = colour_depth_from(term, getenv("COLORTERM"), no_color);
    c->tmux = getenv("TMUX") || (term && (strncmp(term, "tmux", 4) == 0 || strncmp(term, "screen", 6) == 0));
    c->ground = colour_ground_from(getenv("COLORFGBG"));
    c->colour_refused = (no_color && *no_color) || (term && strcmp(term, "dumb") == 0);
    c->output_terminal = isatty(STDOUT_FILENO);
    c->error_terminal = isatty(STDERR_FILENO) && term && strcmp(term, "dumb") != 0;
}

static int print_own(FILE *out, const void *data, struct error *error)
{
    const struct options *o = data;
    (void)error;
    if (o->version)
        fprintf(out, "atmanscope %s\n", VERSION);
    else if (o->help)
        options_help(out, o->command);
    else if (o->completion)
        options_completion(out, o->completion);
    else
        options_man(out);
    return 0;
}

/* signal: as command_screen() and command_replay() say */
static int run(const struct options *o, const struct context *c, int *signal, struct error *error)
{
    if (o->help || o->version || o->man || o->completion)
        return output_fill(NULL, print_own, o, error);
    switch (o->command) {
    case COMMAND_EXPLAIN:
        return command_explain(o, c, error);
    case COMMAND_GENERATE:
        return command_generate(o, c, error);
    case COMMAND_INFO:
        return command_info(o, c, error);
    case COMMAND_TOKENIZE:
        return command_tokenize(o, c, error);
    case COMMAND_BENCH:
        return command_bench(o, c, error);
    case COMMAND_EVAL:
        return command_eval(o, c, error);
    case COMMAND_GUARD:
        return command_guard(o, c, error);
    case COMMAND_REPLAY:
        return command_replay(o, c, signal, error);
    case COMMAND_SCREEN:
    case COMMANDS:
        break;
    }
    return command_is_plain(o, c) ? command_plain(o, c, error) : command_screen(o, c, signal, error);
}

/* Names of files may hold any bytes; a terminal gets UTF-8. */
static void print_error(const struct error *error)
{
    char *clean = text_clean(error->message, strlen(error->message), true, NULL);
    fprintf(stderr, "atmanscope: %s\n", clean ? clean : error->message);
    free(clean);
}

int main(int argc, char **argv)
{
    /* texts in the user's encoding for curses; numbers stay as C and JSON write them */
    setlocale(LC_CTYPE, "");
    signal(SIGPIPE, SIG_IGN); /* a closed pipe is an error like others, and a quiet one */
    struct error error = {0};
    struct options options;
    struct context context;
    int ended_by = 0, code = options_parse(&options, argc, argv, &error);
    look_around(&context);
    bool screen = options.command == COMMAND_SCREEN || options.command == COMMAND_REPLAY;
    if (code == 0 && (!screen || command_is_plain(&options, &context))) /* the screen has its own use for ^C */
        code = watch_interrupt(&error);
    context.interrupt = interrupt_pipe[0];
    if (code == 0)
        code = run(&options, &context, &ended_by, &error);
    if (ended_by)
        raise(ended_by);
    if (code == 0)
        return EXIT_SUCCESS;
    if (code == ERROR_CANCELLED)
        return EXIT_CANCELLED;
    if (code != OUTPUT_CLOSED && code != COMMAND_FAILED)
        print_error(&error);
    return code == ERROR_ARGUMENT ? EXIT_USAGE : EXIT_FAILURE;
}
