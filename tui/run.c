#include "tui/run.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "tui/prompt.h"

int run_model(const struct options *options, const struct context *context, char *path, size_t size,
              struct error *error)
{
    return paths_model(&context->paths, options->model, path, size, error);
}

int run_mmproj(const struct options *options, const char *model, char *path, size_t size, struct error *error)
{
    *path = '\0';
    if (options->mmproj) {
        if ((size_t)snprintf(path, size, "%s", options->mmproj) >= size)
            return error_set(error, ERROR_LIMIT, "%s: the path is too long; move the file", options->mmproj);
        return 0;
    }
    if (options->image_count == 0) {
        if (options->command == COMMAND_SCREEN || options->command == COMMAND_EVAL ||
            options->command == COMMAND_GUARD || !options->model)
            paths_mmproj(model, path, size, NULL);
        return 0;
    }
    int code = paths_mmproj(model, path, size, error);
    if (code == 0 && !*path)
        code =
            error_set(error, ERROR_ARGUMENT,
                      "%s: no vision tower lies beside it, and pictures need one; give its file with --mmproj", model);
    return code;
}

static bool interrupted(const struct run *run)
{
    struct pollfd fd = {run->context->interrupt, POLLIN, 0};
    return poll(&fd, 1, 0) > 0;
}

/* What was opened; how long a product takes in each precision, where the engine chose among them. */
static void describe(const struct engine_info *info)
{
    static const char *const names[] = {"f32", "bf16", "int8"};
    fprintf(stderr, "%s: %s, %s, %s; %d layers, %.0f million parameters\n", info->file, info->architecture,
            info->quantisation, info->tokenizer, info->layers, (double)info->parameters / 1e6);
    fprintf(stderr, "%s: ", info->device_name);
    if (info->threads > 0)
        fprintf(stderr, "%d threads, ", info->threads);
    fprintf(stderr, "%s products; %d streams of up to %d rows a batch, %.1f GB free\n", info->precision, info->streams,
            info->batch_rows, (double)info->device_memory / 1e9);
    if (*info->chat)
        fprintf(stderr, "chat template: %s\n", info->chat);
    else if (info->chat_unknown)
        fprintf(stderr, "the file's chat template is of no known family: prompts are raw without --chat-template\n");
    if (*info->mmproj)
        fprintf(stderr, "%s: %s, %d x %d tokens a picture, %.0f million parameters\n", info->mmproj,
                info->vision.projector, info->vision.columns, info->vision.rows, (double)info->vision.parameters / 1e6);
    for (int p = 0; p < 3; p++)
        if (info->product_seconds[p] > 0)
            fprintf(stderr, "%s: %.3f ms a product, %.2f times the rate of f32\n", names[p],
                    1e3 * info->product_seconds[p], info->product_seconds[0] / info->product_seconds[p]);
}

int run_open(struct run *run, const struct options *options, const struct context *context, struct error *error)
{
    *run = (struct run){.options = options, .context = context};
    run->progress.on = context->error_terminal && !options->quiet;
    char model[PATHS_LENGTH], mmproj[PATHS_LENGTH];
    int code = run_model(options, context, model, sizeof model, error);
    if (code == 0)
        code = run_mmproj(options, model, mmproj, sizeof mmproj, error);
    if (code == 0 && (code = prompt_read_images(options, run->images, error)) == 0)
        run->image_count = options->image_count;
    if (code)
        return code;
    progress_say(&run->progress, "loading the model");
    struct engine_options engine = {.model = model,
                                    .mmproj = *mmproj ? mmproj : NULL,
                                    .device = options->device,
                                    .pre = options->pre,
                                    .chat = options->chat_template,
                                    .threads = options->threads,
                                    .weights = options->weights,
                                    .precision = options->precision,
                                    .tf32 = options->tf32,
                                    .memory = options->memory};
    code = engine_open(&engine, &run->engine, error);
    if (code == 0)
        code = worker_new(run->engine, &run->worker, error);
    if (code == 0 && !(run->explanation = explanation_new()))
        code = error_set(error, ERROR_MEMORY, "out of memory");
    if (code == 0 && interrupted(run))
        code = error_set(error, ERROR_CANCELLED, "cancelled");
    progress_clear(&run->progress);
    if (code) {
        run_close(run);
        return code;
    }
    if (options->verbose)
        describe(engine_info(run->engine));
    return 0;
}

void run_close(struct run *run)
{
    progress_clear(&run->progress);
    worker_free(run->worker);
    explanation_free(run->explanation);
    engine_close(run->engine);
    prompt_release_images(run->images, run->image_count);
    run->image_count = 0;
    run->worker = NULL;
    run->explanation = NULL;
    run->engine = NULL;
}

bool run_is_chat(const struct options *options, const struct engine_info *info)
{
    return !options->raw && (options->chat || options->system || options->chat_file || info->chat[0]);
}

struct request run_request(const struct run *run, const char *prompt, size_t length)
{
    const struct options *options = run->options;
    return (struct request){
        .prompt = prompt,
        .prompt_length = length,
        .chat = run_is_chat(options, engine_info(run->engine)),
        .images = run->images,
        .image_count = run->image_count,
        .target = options->target,
        .target_length = options->target ? strlen(options->target) : 0,
        .generate = options->generate,
        .foil = options->foil,
        .foil_length = options->foil ? strlen(options->foil) : 0,
        .units = options->units,
        .image_units = options->patches,
        .method = options->method,
        .budget = options->budget,
        .seed = options->seed,
    };
}

/* Wait until an event or ^C; true if it was ^C (which is asked for only while `listening`). */
static bool wait_for_event(const struct run *run, bool listening)
{
    struct pollfd fds[2] = {{worker_fd(run->worker), POLLIN, 0}, {run->context->interrupt, POLLIN, 0}};
    while (poll(fds, listening ? 2 : 1, -1) < 0 && errno == EINTR) {
    }
    return listening && (fds[1].revents & POLLIN);
}

static bool is_last(enum event_kind kind)
{
    return kind == EVENT_DONE || kind == EVENT_CANCELLED || kind == EVENT_FAILED;
}

/* What the last event of a request means for the command. */
static int outcome(const struct explanation *e, enum event_kind kind, struct error *error)
{
    if (kind == EVENT_DONE)
        return 0;
    if (kind == EVENT_CANCELLED)
        return error_set(error, ERROR_CANCELLED, "cancelled");
    if (error)
        *error = e->error;
    return e->error.code ? e->error.code : ERROR_DEVICE;
}

int run_submit(struct run *run, const struct request *request, run_listener *listener, void *data, struct error *error)
{
    if (worker_submit(run->worker, request) == 0)
        return error_set(error, ERROR_MEMORY, "out of memory");
    bool cancelled = false;
    int failed = 0; /* what the listener said */
    for (;;) {
        bool cancel = wait_for_event(run, !cancelled);
        enum event_kind kind;
        while (!cancel && worker_next(run->worker, run->explanation, &kind)) {
            progress_show(&run->progress, run->explanation);
            if (is_last(kind))
                progress_clear(&run->progress);
            if (listener && !failed)
                failed = listener(run, kind, data, error);
            if (is_last(kind))
                return failed ? failed : outcome(run->explanation, kind, error);
            cancel = failed && !cancelled;
        }
        if (cancel) {
            worker_cancel(run->worker);
            cancelled = true;
        }
    }
}

int run_inquire(struct run *run, const struct inquiry *inquiry, struct error *error)
{
    const struct explanation *e = run->explanation;
    const struct answer *answer = inquiry->kind == INQUIRY_PROOF ? &e->proof.answer : &e->pairs.answer;
    if (!worker_inquire(run->worker, inquiry))
        return error_set(error, ERROR_MEMORY, "out of memory");
    bool cancelled = false;
    do {
        enum event_kind kind;
        if (wait_for_event(run, !cancelled)) {
            worker_cancel(run->worker);
            cancelled = true;
        }
        while (worker_next(run->worker, run->explanation, &kind))
            progress_answer(&run->progress, answer);
    } while (answer->state == ANSWER_NONE || answer->state == ANSWER_BUSY);
    progress_clear(&run->progress);
    if (answer->state == ANSWER_STOPPED)
        return error_set(error, ERROR_CANCELLED, "cancelled");
    if (answer->state == ANSWER_FAILED && error)
        *error = answer->error;
    return answer->state == ANSWER_FAILED ? answer->error.code : 0;
}

int run_restart(struct run *run, struct error *error)
{
    worker_free(run->worker);
    run->worker = NULL;
    return worker_new(run->engine, &run->worker, error);
}
