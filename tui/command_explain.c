/* atmanscope explain: one explanation, in one of six formats. */
#include "tui/command.h"

#include <stdlib.h>
#include <string.h>

#include "tui/output.h"
#include "tui/prompt.h"
#include "tui/report.h"
#include "tui/run.h"

/* Colours are for terminals, and for whoever asks for them by name; with no terminal to be known, 256 of them. */
static enum colour_depth depth_of(const struct options *o, const struct context *c)
{
    if (c->colour_refused)
        return COLOUR_NONE;
    if (o->format == FORMAT_ANSI)
        return c->depth == COLOUR_NONE ? COLOUR_256 : c->depth;
    return c->output_terminal && !o->output ? c->depth : COLOUR_NONE;
}

static int fill(FILE *out, const void *data, struct error *error)
{
    const struct report *report = data;
    switch (report->options->format) {
    case FORMAT_JSON:
        return format_json(report, out, error);
    case FORMAT_HTML:
        return format_html(report, out, error);
    case FORMAT_REFERENCE:
        return format_reference(report, out, error);
    case FORMAT_PNG:
        return format_png(report, out, error);
    case FORMAT_SVG:
        return format_svg(report, out, error);
    default:
        return format_ansi(report, out, error);
    }
}

static int write_report(const struct run *run, struct error *error)
{
    struct report report = {
        .info = engine_info(run->engine),
        .tokenizer = engine_tokenizer(run->engine),
        .explanation = run->explanation,
        .depth = depth_of(run->options, run->context),
        .ground = run->context->ground,
        .scale = (enum scale)run->options->scale,
        .options = run->options,
    };
    return output_fill(run->options->output, fill, &report, error);
}

static void say_cost(const struct explanation *e)
{
    if (e->picture_count)
        fprintf(stderr, "pictures %.3f s, ", e->cost.vision_seconds);
    fprintf(stderr,
            "prompt %.3f s, output %.3f s, %d probes %.3f s (%.3f expected, %.0f tokens a second), peak %.0f MB\n",
            e->cost.prefill_seconds, e->cost.generate_seconds, e->cost.probes, e->cost.seconds,
            e->cost.expected_seconds, e->cost.tokens_per_second, (double)e->cost.peak_bytes / 1e6);
    if (e->cost.again > 0)
        fprintf(stderr, "within %.0f MB, activations of the plain pass were computed again %d times, in %.3f s\n",
                (double)e->cost.limit_bytes / 1e6, e->cost.again, e->cost.again_seconds);
}

/* What --proof and --pairs ask. */
static int inquire(struct run *run, struct error *error)
{
    const struct explanation *e = run->explanation;
    const struct options *o = run->options;
    int token = o->about >= 0 ? o->about : e->foil.token >= 0 ? e->foil.token : 0, code = 0;
    if ((o->proof || o->pairs) && (size_t)token >= e->output_count)
        return error_set(error, ERROR_ARGUMENT, "--about %d: the answer has %zu token%s, counted from 0", token,
                         e->output_count, e->output_count == 1 ? "" : "s");
    for (int kind = INQUIRY_PROOF; code == 0 && kind <= INQUIRY_PAIRS; kind++)
        if (kind == INQUIRY_PROOF ? o->proof : o->pairs)
            code = run_inquire(run,
                               &(struct inquiry){.kind = (enum inquiry_kind)kind,
                                                 .token = token,
                                                 .id = e->output[token].id,
                                                 .unit = {-1, -1}},
                               error);
    return code;
}

static int explain(struct run *run, const char *prompt, size_t length, struct error *error)
{
    struct request request = run_request(run, prompt, length);
    request.explain = true;
    int asked = 0, code = run_submit(run, &request, NULL, NULL, error);
    if (code == 0)
        code = asked = inquire(run, error);
    /* cancelled, or more was asked in vain: what was measured is worth having, as soon as there is a prompt and an
     * answer */
    if (code && !asked && (code != ERROR_CANCELLED || run->explanation->output_count == 0))
        return code;
    struct error written;
    int failed = write_report(run, &written);
    if (failed) {
        if (error)
            *error = written;
        return failed;
    }
    if (run->options->verbose)
        say_cost(run->explanation);
    return code;
}

int command_explain(const struct options *o, const struct context *context, struct error *error)
{
    char *prompt;
    size_t length;
    int code = prompt_read(o, PROMPT_TEXT, &prompt, &length, error);
    if (code)
        return code;
    if (o->target)
        code = prompt_check("--target", o->target, strlen(o->target), error);
    if (code == 0 && o->foil)
        code = prompt_check("--foil", o->foil, strlen(o->foil), error);
    if (code == 0)
        code = output_check(o->output, error);
    if (code == 0 && o->format == FORMAT_PNG && !o->output && context->output_terminal)
        code = error_set(error, ERROR_ARGUMENT, "--format png: a terminal cannot show it; write it to a file with -o");
    struct run run;
    if (code == 0 && (code = run_open(&run, o, context, error)) == 0) {
        code = explain(&run, prompt, length, error);
        run_close(&run);
    }
    free(prompt);
    return code;
}
