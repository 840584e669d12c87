/* atmanscope guard: whether what an answer rests on is still what it should be, for scripts and CI. */
#include "tui/command.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/clock.h"
#include "tui/findings.h"
#include "tui/output.h"
#include "tui/report.h"
#include "tui/run.h"

static int no_memory(struct error *error)
{
    return error_set(error, ERROR_MEMORY, "out of memory");
}

/* -- a case -------------------------------------------------------------------------------------------------------- */

static bool asks_for(const struct guard_case *c, enum guard_kind first, enum guard_kind last)
{
    for (size_t i = 0; i < c->check_count; i++)
        if (c->checks[i].kind >= first && c->checks[i].kind <= last)
            return true;
    return false;
}

static struct request request_of(const struct run *run, const struct guard_case *c, struct image *const *images)
{
    struct request request = run_request(run, c->text, strlen(c->text));
    request.images = images;
    request.image_count = c->image_count;
    request.target = c->target;
    request.target_length = c->target ? strlen(c->target) : 0;
    if (c->units)
        request.units = c->units;
    if (c->chat >= 0)
        request.chat = c->chat;
    return request;
}

/* The model's own answer; what is asked next finds its prompt already run. */
static int ask(struct run *run, struct request request, char **answer, struct error *error)
{
    request.target = NULL;
    int code = run_submit(run, &request, NULL, NULL, error);
    if (code)
        return code;
    struct report report = {.explanation = run->explanation, .tokenizer = engine_tokenizer(run->engine)};
    *answer = report_output_text(&report, NULL);
    return *answer ? 0 : no_memory(error);
}

static int judge(struct run *run, const struct guard_case *c, struct image *const *images, struct finding *f,
                 struct error *error)
{
    struct request request = request_of(run, c, images);
    bool relevance = asks_for(c, GUARD_SHARE, GUARD_RANK);
    int code = 0;
    if (!c->target || asks_for(c, GUARD_ANSWER, GUARD_ANSWER))
        code = ask(run, request, &f->answer, error);
    request.explain = relevance;
    if (code == 0 && (relevance || asks_for(c, GUARD_PROBABILITY, GUARD_PROBABILITY)))
        code = run_submit(run, &request, NULL, NULL, error);
    if (code)
        return code;
    f->probability = verdict_probability(run->explanation);
    f->noise = relevance ? run->explanation->noise_floor : (double)NAN;
    f->held = true;
    for (size_t i = 0; code == 0 && i < c->check_count; i++) {
        code = verdict_of(&c->checks[i], run->explanation, f->answer, &f->verdicts[i], error);
        f->held = f->held && f->verdicts[i].outcome == VERDICT_HELD;
    }
    return code;
}

/* Errors that are the case's own are its finding; the others are returned. */
static int run_case(struct run *run, const struct guard_case *c, struct finding *f, struct error *error)
{
    struct image **images = calloc(c->image_count + 1, sizeof *images);
    double started = clock_now();
    int code = 0;
    *f = (struct finding){.noise = NAN, .verdicts = calloc(c->check_count, sizeof *f->verdicts)};
    if (!images || !f->verdicts)
        code = no_memory(&f->error);
    for (size_t i = 0; code == 0 && i < c->image_count; i++)
        code = image_read(c->images[i], &images[i], &f->error);
    if (code == 0)
        code = judge(run, c, images, f, &f->error);
    for (size_t i = 0; images && i < c->image_count; i++)
        image_release(images[i]);
    free(images);
    f->seconds = clock_now() - started;
    f->held = f->held && code == 0;
    f->error.code = code;
    if (code != ERROR_MEMORY && code != ERROR_DEVICE && code != ERROR_CANCELLED)
        return 0;
    error_add(&f->error, code, "%s: line %zu", run->options->dataset, c->line);
    if (error)
        *error = f->error;
    return code;
}

static void finding_free(struct finding *f)
{
    free(f->answer);
    free(f->verdicts);
}

/* -- all of them --------------------------------------------------------------------------------------------------- */

static int fill_line(FILE *out, const void *data, struct error *error)
{
    const struct findings *all = data;
    (void)error;
    findings_line(all, all->done - 1, out);
    return 0;
}

static int fill_closing(FILE *out, const void *data, struct error *error)
{
    (void)error;
    findings_closing(data, out);
    return 0;
}

static int fill_all(FILE *out, const void *data, struct error *error)
{
    const struct findings *all = data;
    return all->options->format == FORMAT_JSON ? findings_json(all, out, error) : findings_text(all, out, error);
}

static int fill_file(FILE *out, const void *data, struct error *error)
{
    const struct findings *all = data;
    return guard_write(all->guard, out, error);
}

/* Lines on standard output come as soon as they are known. */
static bool is_streamed(const struct options *o)
{
    return o->format != FORMAT_JSON && !o->output;
}

static int run_cases(struct run *run, struct findings *all, struct error *error)
{
    struct progress progress = run->progress;
    double started = clock_now();
    int code = 0;
    run->progress.on = false;
    while (code == 0 && all->done < all->guard->count) {
        const struct guard_case *c = &all->guard->cases[all->done];
        struct finding *f = &all->found[all->done];
        progress_case(&progress, all->done, all->guard->count, started);
        code = run_case(run, c, f, error);
        progress_clear(&progress);
        if (code) {
            finding_free(f);
            break;
        }
        all->done++;
        if (is_streamed(run->options))
            code = output_fill(NULL, fill_line, all, error);
        if (run->options->verbose) {
            findings_measured(all, all->done - 1, stderr);
            fputc('\n', stderr);
        }
    }
    return code;
}

/* Once all cases have run: the file as it should be. */
static int update(const struct findings *all, struct error *error)
{
    size_t unknown = findings_unknown(all);
    if (unknown)
        return error_set(error, ERROR_FORMAT, "%s: is left as it was, as %zu of its cases cannot be run",
                         all->options->dataset, unknown);
    findings_note(all);
    return output_fill(all->options->dataset, fill_file, all, error);
}

static int watch(struct run *run, struct guard *guard, struct error *error)
{
    struct findings all = {
        .options = run->options, .info = engine_info(run->engine), .method = run->options->method, .guard = guard};
    if (all.method.last_layer < 0)
        all.method.last_layer = all.info->layers - 1;
    all.found = calloc(guard->count, sizeof *all.found);
    int code = all.found ? run_cases(run, &all, error) : no_memory(error);
    if (code == 0 || (code == ERROR_CANCELLED && all.done > 0)) {
        struct error written;
        int failed = is_streamed(run->options) ? output_fill(NULL, fill_closing, &all, &written)
                                               : output_fill(run->options->output, fill_all, &all, &written);
        if (failed && error)
            *error = written;
        code = failed ? failed : code;
    }
    if (code == 0 && run->options->update)
        code = update(&all, error);
    else if (code == 0 && findings_failed(&all))
        code = COMMAND_FAILED;
    for (size_t i = 0; i < all.done; i++)
        finding_free(&all.found[i]);
    free(all.found);
    return code;
}

int command_guard(const struct options *o, const struct context *context, struct error *error)
{
    struct guard guard;
    int code = output_check(o->output, error);
    if (code == 0 && o->update)
        code = output_check(o->dataset, error);
    if (code)
        return code;
    code = guard_read(o->dataset, &guard, error);
    if (code) /* that a case failed must not look like a file that is wrong */
        return code == ERROR_MEMORY ? code : ERROR_ARGUMENT;
    struct run run;
    if ((code = run_open(&run, o, context, error)) == 0) {
        code = watch(&run, &guard, error);
        run_close(&run);
    }
    guard_free(&guard);
    return code;
}
