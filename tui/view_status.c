/* view_status.c: what goes on, or how it ended, in words: how far it is, how fast, and how long it will take. */
#include "tui/view.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* Waits shorter than this are not worth a word, seconds. */
#define SHORT_WAIT 2

/* And who waits longer than this for probes is told of a way to wait less, seconds. */
#define LONG_WAIT 60

/* ", 12 s left"; nothing while it is not known. */
static void add_left(char *text, size_t size, double seconds)
{
    size_t used = strlen(text);
    if (isnan(seconds) || seconds < 0)
        return;
    if (seconds < 100)
        snprintf(text + used, size - used, ", %.0f s left", ceil(seconds));
    else
        snprintf(text + used, size - used, ", %.0f min left", ceil(seconds / 60));
}

/* ", 830 rows/s", in two digits: the others would only flicker. */
static void add_rate(char *text, size_t size, double rate, const char *what)
{
    size_t used = strlen(text);
    if (!(rate > 0))
        return;
    double unit = pow(10, floor(log10(rate)) - 1);
    snprintf(text + used, size - used, ", %g %s/s", round(rate / unit) * unit, what);
}

/* ", 12 s": what has no measure of how far it is. */
static void add_waited(const struct view *view, char *text, size_t size)
{
    size_t used = strlen(text);
    if (view->waited >= SHORT_WAIT)
        snprintf(text + used, size - used, ", %.0f s", floor(view->waited));
}

static void describe_output(const struct explanation *e, int wanted, const char *what, char *text, size_t size)
{
    double done = (double)e->output_count, seconds = e->cost.generate_seconds;
    snprintf(text, size, "%s, %zu of %d tokens", what, e->output_count, wanted);
    if (done > 0 && seconds > 0) {
        add_left(text, size, seconds / done * (wanted - done));
        add_rate(text, size, done / seconds, "tokens");
    }
}

static void describe_probes(const struct view *view, char *text, size_t size)
{
    const struct cost *cost = &view->explanation->cost;
    const char *units = view->settings->units;
    double left = cost->probes > 0 ? cost_seconds_left(cost) : cost->expected_seconds;
    if (cost->probes == 0 && left > 0 && left < 100) {
        snprintf(text, size, "measuring %d, about %.*f s", cost->probes_total, left < 9.5, left);
    } else if (cost->probes > 0 && cost->probes == cost->probes_total) {
        snprintf(text, size, "%d measured, checking", cost->probes); /* estimates, and the noise */
    } else {
        snprintf(text, size, "measuring %d of %d", cost->probes, cost->probes_total);
        if (left > 0)
            add_left(text, size, left);
    }
    if (left > LONG_WAIT && !(units && (strcmp(units, "sentence") == 0 || strcmp(units, "paragraph") == 0)))
        snprintf(text + strlen(text), size - strlen(text), ", F2: larger units");
    else if (cost->probes > 0)
        add_rate(text, size, cost->tokens_per_second, "rows");
}

static void describe_end(const struct explanation *e, char *text, size_t size)
{
    const struct cost *cost = &e->cost;
    if (e->complete && cost->probes + cost->probes_kept > 0) {
        int used = snprintf(text, size, "%d probe%s in %.1f s", cost->probes, cost->probes == 1 ? "" : "s",
                            cost->seconds);
        if (!isnan(e->noise_floor))
            used += snprintf(text + used, size - (size_t)used, ", noise %.2g nats", e->noise_floor);
        if (cost->probes_kept > 0)
            snprintf(text + used, size - (size_t)used, ", %d kept", cost->probes_kept);
    } else if (e->unit_count > 0 && cost->probes_total == 0) {
        snprintf(text, size, "not measured");
    } else if (e->unit_count > 0) {
        snprintf(text, size, "stopped at %d of %d", cost->probes, cost->probes_total);
    } else {
        snprintf(text, size, "ready");
    }
}

static void describe_answer(const struct view *view, const struct answer *answer, char *text, size_t size)
{
    int total = answer->steps_total > answer->steps ? answer->steps_total : answer->steps + 1;
    snprintf(text, size, "%s, step %d of %d", answer == &view->explanation->proof.answer ? "proving" : "pairing",
             answer->steps + 1, total);
    if (answer->steps > 0)
        add_left(text, size, answer->seconds / answer->steps * (total - answer->steps));
}

bool view_waits(const struct view *view)
{
    const struct explanation *e = view->explanation;
    return view->loading[0] || view->pending || view->mixing || (e->busy && e->output_count == 0);
}

void view_describe_work(const struct view *view, char *text, size_t size)
{
    const struct explanation *e = view->explanation;
    const struct answer *answer = view_answer_busy(view);
    if (view->loading[0]) {
        snprintf(text, size, "loading %s", view->loading);
        add_waited(view, text, size);
    } else if (view->mixing) {
        describe_output(view->mixed, view->settings->generate, "mixing", text, size);
    } else if (view->pending) {
        snprintf(text, size, view->waited >= SHORT_WAIT ? "reading the prompt" : "starting");
        add_waited(view, text, size);
    } else if (e->busy && e->cost.probes_total == 0 && e->output_count == 0 && view->waited >= SHORT_WAIT) {
        snprintf(text, size, "reading the prompt of %zu tokens", e->token_count);
        add_waited(view, text, size);
    } else if (e->busy && e->cost.probes_total + e->cost.probes_kept == 0) {
        describe_output(e, view->settings->generate, "writing", text, size);
    } else if (e->busy) {
        describe_probes(view, text, size);
    } else if (answer) {
        describe_answer(view, answer, text, size);
    } else if (e->token_count == 0 && view->editor->length > 0) {
        snprintf(text, size, "ready: Enter continues the prompt");
    } else {
        describe_end(e, text, size);
    }
}
