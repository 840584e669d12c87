#include "tui/progress.h"

#include <math.h>
#include <stdio.h>

#include "core/clock.h"

void progress_say(struct progress *progress, const char *text)
{
    if (!progress->on)
        return;
    fprintf(stderr, "\r\033[K%s", text);
    fflush(stderr);
    progress->shown = true;
}

void progress_show(struct progress *progress, const struct explanation *e)
{
    double t = clock_now();
    if (!progress->on || t - progress->last < 0.1)
        return;
    progress->last = t;
    const struct cost *cost = &e->cost;
    char line[160];
    if (cost->probes_total > 0 && cost->probes > 0)
        snprintf(line, sizeof line, "probes %d of %d, %.0f tokens a second, %.0f s left", cost->probes,
                 cost->probes_total, cost->tokens_per_second, ceil(cost_seconds_left(cost)));
    else if (cost->expected_seconds > 0)
        snprintf(line, sizeof line, "%d probes, about %.*f s", cost->probes_total, cost->expected_seconds < 9.5,
                 cost->expected_seconds);
    else if (e->output_count)
        snprintf(line, sizeof line, "%zu token%s of output", e->output_count, e->output_count == 1 ? "" : "s");
    else
        snprintf(line, sizeof line, "prompt of %zu tokens", e->token_count);
    progress_say(progress, line);
}

void progress_answer(struct progress *progress, const struct answer *answer)
{
    double t = clock_now();
    char line[80];
    if (!progress->on || t - progress->last < 0.1)
        return;
    progress->last = t;
    snprintf(line, sizeof line, "asking more, step %d of about %d", answer->steps + 1, answer->steps_total);
    progress_say(progress, line);
}

void progress_case(struct progress *progress, size_t done, size_t count, double started)
{
    char line[160];
    int n = snprintf(line, sizeof line, "case %zu of %zu", done + 1, count);
    if (done)
        snprintf(line + n, sizeof line - (size_t)n, ", %.0f s left",
                 (clock_now() - started) / (double)done * (double)(count - done));
    progress_say(progress, line);
}

void progress_clear(struct progress *progress)
{
    if (progress->shown)
        fputs("\r\033[K", stderr);
    progress->shown = false;
}
