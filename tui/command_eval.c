/* atmanscope eval: faithfulness and localisation over a data set: how often a map points at what is known to decide,
 * and what becomes of the answer when it is taken at its word, beside the same for maps that know less. */
#include "tui/command.h"

#include <stdlib.h>
#include <string.h>

#include "core/clock.h"
#include "tui/evaluation.h"
#include "tui/output.h"
#include "tui/text.h"

static int fill(FILE *out, const void *data, struct error *error)
{
    const struct evaluation *ev = data;
    return ev->options->format == FORMAT_ANSI ? evaluation_table(ev, out, error) : evaluation_json(ev, out, error);
}

/* For -v: a line for each case. */
static void say_cost(const struct dataset_case *c, const struct trial *t, double seconds)
{
    char *id = text_clean(c->id, strlen(c->id), true, NULL);
    fprintf(stderr, "%s: %.3f s%s\n", id ? id : "", seconds, t->judged ? t->right ? ", right" : ", wrong" : "");
    free(id);
}

/* Run the cases; what was run before a ^C counts.  Progress goes by cases: the requests that one is made of are
 * short. */
static int run_cases(struct run *run, struct evaluation *ev, struct error *error)
{
    struct progress progress = run->progress;
    double started = clock_now();
    int code = 0;
    run->progress.on = false;
    while (code == 0 && ev->done < ev->dataset->count) {
        const struct dataset_case *c = &ev->dataset->cases[ev->done];
        struct trial *t = &ev->trials[ev->done];
        progress_case(&progress, ev->done, ev->dataset->count, started);
        double before = clock_now();
        code = trial_run(run, c, t, error);
        if (code)
            trial_free(t);
        else
            ev->done++;
        if (code == 0 && run->options->verbose) {
            progress_clear(&progress);
            say_cost(c, t, clock_now() - before);
        }
        if (code && code != ERROR_CANCELLED)
            code = error_add(error, code, "%s: line %zu", run->options->dataset, c->line);
    }
    progress_clear(&progress);
    ev->seconds = clock_now() - started;
    return code;
}

static int evaluate(struct run *run, const struct dataset *dataset, struct error *error)
{
    struct evaluation ev = {.options = run->options, .info = engine_info(run->engine), .dataset = dataset};
    ev.chat = run_is_chat(ev.options, ev.info);
    ev.trials = calloc(dataset->count, sizeof *ev.trials);
    int code = ev.trials ? run_cases(run, &ev, error) : error_set(error, ERROR_MEMORY, "out of memory");
    ev.method = run->options->method;
    if (ev.method.last_layer < 0)
        ev.method.last_layer = ev.info->layers - 1;
    if (code == 0 || (code == ERROR_CANCELLED && ev.done > 0)) {
        struct error written;
        int failed = output_fill(run->options->output, fill, &ev, &written);
        if (failed && error)
            *error = written;
        code = failed ? failed : code;
    }
    for (size_t i = 0; i < ev.done; i++)
        trial_free(&ev.trials[i]);
    free(ev.trials);
    return code;
}

int command_eval(const struct options *o, const struct context *context, struct error *error)
{
    struct dataset dataset;
    int code = output_check(o->output, error);
    if (code == 0)
        code = dataset_read(o->dataset, (size_t)o->limit, &dataset, error);
    if (code)
        return code;
    struct run run;
    if ((code = run_open(&run, o, context, error)) == 0) {
        code = evaluate(&run, &dataset, error);
        run_close(&run);
    }
    dataset_free(&dataset);
    return code;
}
