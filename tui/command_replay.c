/* atmanscope replay: a recorded session, on the screen or as a file. */
#include "tui/command.h"

#include <unistd.h>

#include "tui/export.h"
#include "tui/output.h"
#include "tui/player.h"
#include "tui/screen.h"

/* The explanation that the recording ends with, as a file. */
static int write_end(const struct options *o, const struct context *context, const char *path, struct error *error)
{
    static struct player player; /* large for a stack */
    int code = output_check(o->to, error);
    if (code == 0 && !export_knows(o->to))
        code = error_set(error, ERROR_ARGUMENT, "--to %s: the ending says the format; use " EXPORT_ENDINGS, o->to);
    if (code == 0)
        code = player_open(path, &player, error);
    if (code != 0)
        return code;
    player_seek(&player, player.end);
    code = player_take(&player, error);
    const struct explanation *e = player.explanations[0];
    if (code == 0 && (!player.info || !player.tokenizer || e->unit_count == 0))
        code = error_set(error, ERROR_FORMAT, "it ends before anything was explained");
    if (code == 0) {
        struct report report = {.info = player.info,
                                .tokenizer = player.tokenizer,
                                .explanation = e,
                                .ground = context->ground,
                                .scale = (enum scale)o->scale};
        code = export_write(o->to, &report, context->depth, error);
    } else {
        error_add(error, code, "%s", path);
    }
    player_close(&player);
    return code;
}

/* The recording that is meant: without a name the last session whose line was dropped. */
static const char *path_of(const struct options *o, const struct context *context, struct error *error)
{
    if (o->dataset)
        return o->dataset;
    if (context->lost[0] && access(context->lost, R_OK) == 0)
        return context->lost;
    if (context->found[0] && access(context->found, R_OK) == 0)
        return context->found;
    error_set(error, ERROR_ARGUMENT, "replay: the file is missing; write atmanscope replay FILE");
    return NULL;
}

int command_replay(const struct options *o, const struct context *context, int *signal, struct error *error)
{
    const char *path = path_of(o, context, error);
    if (!path)
        return ERROR_ARGUMENT;
    if (o->to)
        return write_end(o, context, path, error);
    struct screen_options screen = {
        .terminal = command_terminal(o, context),
        .paths = &context->paths,
        .replay = path,
        .speed = o->speed > 0 ? o->speed : 1,
        .method = o->method,
    };
    screen.terminal.instead = "use --to FILE, which writes the last explanation of the recording";
    int code = screen_run(&screen, error);
    *signal = code > 0 ? code : 0;
    return code > 0 ? 0 : code;
}
