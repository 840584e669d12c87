/* atmanscope, or atmanscope tui: the interactive screen. */
#include "tui/command.h"

#include <stdio.h>
#include <stdlib.h>

#include "tui/prompt.h"
#include "tui/run.h"
#include "tui/screen.h"

struct terminal_options command_terminal(const struct options *o, const struct context *context)
{
    return (struct terminal_options){.term = context->term,
                                     .instead = "use --plain or `atmanscope explain`",
                                     .depth = context->depth,
                                     .ground = context->ground,
                                     .scale = (enum scale)o->scale,
                                     .graphics = o->graphics,
                                     .tmux = context->tmux};
}

int command_screen(const struct options *o, const struct context *context, int *signal, struct error *error)
{
    char model[PATHS_LENGTH], mmproj[PATHS_LENGTH], *prompt;
    struct image *images[OPTIONS_IMAGES];
    size_t length;
    int code = run_model(o, context, model, sizeof model, error);
    if (code == 0)
        code = run_mmproj(o, model, mmproj, sizeof mmproj, error);
    if (code || (code = prompt_read(o, PROMPT_MAY_BE_EMPTY, &prompt, &length, error)) != 0)
        return code;
    if ((code = prompt_read_images(o, images, error)) != 0) {
        free(prompt);
        return code;
    }
    char samples[PATHS_LENGTH];
    bool offered = paths_samples(&context->paths, o->model, samples, sizeof samples);
    struct screen_options screen = {
        .engine = {.model = model,
                   .mmproj = *mmproj ? mmproj : NULL,
                   .device = o->device,
                   .pre = o->pre,
                   .chat = o->chat_template,
                   .threads = o->threads,
                   .weights = o->weights,
                   .precision = o->precision,
                   .tf32 = o->tf32,
                   .memory = o->memory},
        .terminal = command_terminal(o, context),
        .paths = &context->paths,
        .samples = offered ? samples : NULL,
        .prompt = prompt,
        .prompt_length = length,
        .images = images,
        .image_paths = o->images,
        .history = o->no_history ? NULL : context->history,
        .image_count = o->image_count,
        .units = o->units,
        .image_units = o->patches,
        .method = o->method,
        .raw = o->raw,
        .chat = o->chat || o->system || o->chat_file,
        .record = o->record,
        .lost = o->no_history || !context->lost[0] ? NULL : context->lost,
        .found = context->found,
    };
    code = screen_run(&screen, error);
    prompt_release_images(images, o->image_count);
    free(prompt);
    *signal = code > 0 ? code : 0;
    return code > 0 ? 0 : code;
}
