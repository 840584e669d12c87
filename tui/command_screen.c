/* atmanscope, or atmanscope tui: the interactive screen. */
#include "tui/command.h"

#include <stdlib.h>

#include "tui/prompt.h"
#include "tui/run.h"
#include "tui/screen.h"

int command_screen(const struct options *o, const struct context *context, int *signal, struct error *error)
{
    char model[PATHS_LENGTH], *prompt;
    size_t length;
    int code = run_refuse(o, error);
    if (code == 0)
        code = run_model(o, context, model, sizeof model, error);
    if (code || (code = prompt_read(o, PROMPT_MAY_BE_EMPTY, &prompt, &length, error)) != 0)
        return code;
    struct screen_options screen = {
        .engine = {model, o->device, o->pre, o->threads, o->precision},
        .terminal = {context->term, context->depth, context->ground},
        .paths = &context->paths,
        .prompt = prompt,
        .prompt_length = length,
        .units = o->units,
        .method = o->method,
    };
    code = screen_run(&screen, error);
    free(prompt);
    *signal = code > 0 ? code : 0;
    return code > 0 ? 0 : code;
}
