/* atmanscope generate: continue a prompt, with the attention to some of its units turned up or down. */
#include "tui/command.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tui/output.h"
#include "tui/prompt.h"
#include "tui/report.h"
#include "tui/run.h"
#include "tui/stream.h"
#include "tui/text.h"

struct generation {
    bool live; /* print as it comes */
    struct stream stream;
};

/* Print what is new. */
static int take_tokens(struct run *run, enum event_kind kind, void *data, struct error *error)
{
    (void)kind;
    struct generation *g = data;
    int code = stream_take(&g->stream, run->explanation, engine_tokenizer(run->engine), error);
    size_t ready = stream_ready(&g->stream);
    if (code != 0 || !g->live || ready == 0)
        return code;
    progress_clear(&run->progress);
    run->progress.on = false; /* the text itself shows how far it is */
    return stream_print(&g->stream, ready, error);
}

/* -- steering ----------------------------------------------------------------------------------------------------- */

/* A unit's text without white space around it. */
static bool unit_is(const struct unit *unit, const char *prompt, const char *text, size_t length)
{
    size_t start = unit->start, end = unit->end;
    while (start < end && strchr(" \t\r\n", prompt[start]))
        start++;
    while (end > start && strchr(" \t\r\n", prompt[end - 1]))
        end--;
    return end > start && end - start == length && memcmp(prompt + start, text, length) == 0;
}

/* Set the factor of each unit that one --steer means. */
static int find_units(const struct options_steer *wanted, const char *prompt, const struct unit *units, size_t count,
                      float *factors, struct error *error)
{
    if (strspn(wanted->unit, "0123456789") == wanted->length) { /* what follows is the '=' */
        unsigned long index = strtoul(wanted->unit, NULL, 10);
        if (index >= count)
            return error_set(error, ERROR_ARGUMENT,
                             "--steer %.*s: there is no such unit; the prompt has units 0 to %zu", (int)wanted->length,
                             wanted->unit, count - 1);
        factors[index] = wanted->factor;
        return 0;
    }
    bool any = false;
    for (size_t u = 0; u < count; u++)
        if (unit_is(&units[u], prompt, wanted->unit, wanted->length)) {
            factors[u] = wanted->factor;
            any = true;
        }
    if (!any)
        return error_set(
            error, ERROR_ARGUMENT,
            "--steer %.*s: no unit of the prompt has this text; give it whole, as --units cuts it, or its index",
            (int)wanted->length, wanted->unit);
    return 0;
}

/* All --steer options as the worker wants them; *steers is malloced [*count]. */
static int find_steers(const struct run *run, const char *prompt, size_t length, struct steer **steers, size_t *count,
                       struct error *error)
{
    const struct options *o = run->options;
    struct request request = run_request(run, prompt, length);
    struct sequence sequence;
    struct unit *units = NULL;
    size_t unit_count = 0;
    float *factors = NULL;
    int code = engine_read(run->engine, &request, &sequence, error);
    if (code)
        return code;
    code = sequence_cut(&sequence, prompt, length, o->units, o->patches ? o->patches : "auto", &units, &unit_count,
                        error);
    if (code == 0) {
        factors = malloc((unit_count + 1) * sizeof *factors);
        *steers = malloc((unit_count + 1) * sizeof **steers);
        if (!factors || !*steers)
            code = error_set(error, ERROR_MEMORY, "out of memory");
    }
    for (size_t u = 0; code == 0 && u < unit_count; u++)
        factors[u] = NAN;
    for (size_t i = 0; code == 0 && i < o->steer_count; i++)
        code = find_units(&o->steers[i], prompt, units, unit_count, factors, error);
    *count = 0;
    for (size_t u = 0; code == 0 && u < unit_count; u++)
        if (!isnan(factors[u]))
            (*steers)[(*count)++] = (struct steer){(int)u, factors[u]};
    free(factors);
    free(units);
    sequence_free(&sequence);
    return code;
}

/* -- results --------------------------------------------------------------------------------------------------------
 */

static int fill_json(FILE *out, const void *data, struct error *error)
{
    return format_generation(data, out, error);
}

static int write_json(const struct run *run, struct error *error)
{
    struct report report = {
        .info = engine_info(run->engine),
        .tokenizer = engine_tokenizer(run->engine),
        .explanation = run->explanation,
        .options = run->options,
    };
    return output_fill(run->options->output, fill_json, &report, error);
}

/* What is not printed yet, and a line end. */
static int write_rest(const struct run *run, struct generation *g, struct error *error)
{
    struct stream *s = &g->stream;
    int code = stream_add(s, "\n", 1, error);
    if (code != 0 || g->live)
        return code ? code : stream_print(s, s->length - s->printed, error);
    size_t size;
    char *clean = text_clean(s->bytes, s->length, false, &size);
    code = clean ? output_write(run->options->output, clean, size, error)
                 : error_set(error, ERROR_MEMORY, "out of memory");
    free(clean);
    return code;
}

static int generate(struct run *run, const char *prompt, size_t length, struct error *error)
{
    const struct options *o = run->options;
    bool json = o->format == FORMAT_JSON;
    struct generation g = {.live = !json && !o->output, .stream.visible = run->context->output_terminal};
    struct request request = run_request(run, prompt, length);
    struct steer *steers = NULL;
    int code = o->steer_count ? find_steers(run, prompt, length, &steers, &request.steer_count, error) : 0;
    if (code == 0) {
        request.steers = steers;
        code = run_submit(run, &request, take_tokens, &g, error);
    }
    if (code == 0 || (code == ERROR_CANCELLED && run->explanation->output_count)) {
        struct error written;
        int failed = json ? write_json(run, &written) : write_rest(run, &g, &written);
        if (failed && error)
            *error = written;
        code = failed ? failed : code;
    }
    if (code == 0 && o->verbose && run->explanation->picture_count)
        fprintf(stderr, "pictures %.3f s, ", run->explanation->cost.vision_seconds);
    if (code == 0 && o->verbose)
        fprintf(stderr, "prompt %.3f s, %zu tokens in %.3f s\n", run->explanation->cost.prefill_seconds,
                run->explanation->output_count, run->explanation->cost.generate_seconds);
    free(g.stream.bytes);
    free(steers);
    return code;
}

int command_generate(const struct options *o, const struct context *context, struct error *error)
{
    char *prompt;
    size_t length;
    int code = prompt_read(o, PROMPT_TEXT, &prompt, &length, error);
    if (code)
        return code;
    code = output_check(o->output, error);
    struct run run;
    if (code == 0 && (code = run_open(&run, o, context, error)) == 0) {
        code = generate(&run, prompt, length, error);
        run_close(&run);
    }
    free(prompt);
    return code;
}
