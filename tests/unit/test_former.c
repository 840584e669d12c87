/* What one explanation leaves for the next: equal to the bit to what it would say by itself, and told at once. */
#include <math.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "core/engine.h"
#include "tests/test.h"

static const char story[] = "Anna has a red ball. Tom has a blue hat.\n\nMia has a green car. What does Tom have? A";

static struct engine *engine;

static struct request ask(const char *prompt, int generate, const char *units)
{
    return (struct request){.prompt = prompt,
                            .prompt_length = strlen(prompt),
                            .generate = generate,
                            .explain = true,
                            .direct = true,
                            .resume = true,
                            .units = units,
                            .method = method_default()};
}

/* Read events until the request ends, or `stop` says so. */
static enum event_kind read_until(struct worker *w, struct explanation *e, bool (*stop)(const struct explanation *))
{
    enum event_kind kind = EVENT_PROMPT;
    for (;;) {
        struct pollfd wait = {worker_fd(w), POLLIN, 0};
        if (poll(&wait, 1, 60000) <= 0) {
            CHECK(false, "no event for a minute");
            exit(test_end());
        }
        while (worker_next(w, e, &kind))
            if (kind == EVENT_DONE || kind == EVENT_CANCELLED || kind == EVENT_FAILED ||
                (stop && kind == EVENT_RELEVANCE && stop(e)))
                return kind;
    }
}

static void explain(struct worker *w, struct explanation *e, const struct request *r)
{
    worker_submit(w, r);
    CHECK(read_until(w, e, NULL) == EVENT_DONE && e->complete, "%s", e->error.message);
    CHECK(e->cost.probes + e->cost.probes_kept == (int)e->unit_count && e->cost.probes == e->cost.probes_total,
          "%d probes of %d and %d kept, of %zu units", e->cost.probes, e->cost.probes_total, e->cost.probes_kept,
          e->unit_count);
}

static struct worker *new_worker(void)
{
    struct worker *w = NULL;
    struct error error = {0};
    CHECK(worker_new(engine, &w, &error) == 0, "%s", error.message);
    return w;
}

/* What e says is what a worker of its own says, within so many nats; 0: to the bit. */
static void check_near(const char *what, const struct explanation *e, const struct request *r, double tolerance)
{
    struct worker *w = new_worker();
    struct explanation *fresh = explanation_new();
    size_t different = 0, direct = 0;
    double worst = 0;
    explain(w, fresh, r);
    CHECK(fresh->cost.probes_kept == 0 && fresh->unit_count == e->unit_count && fresh->output_count == e->output_count,
          "%s: %zu units, %zu tokens", what, fresh->unit_count, fresh->output_count);
    for (size_t u = 0; u < e->unit_count && u < fresh->unit_count; u++)
        for (size_t t = 0; t < e->output_count; t++)
            for (int c = 0; c <= CANDIDATES; c++) {
                double off = fabs(explanation_relevance(e, u, t, c) - explanation_relevance(fresh, u, t, c));
                double direct_off = fabs(explanation_direct(e, u, t, c) - explanation_direct(fresh, u, t, c));
                worst = fmax(worst, off);
                different += !(off <= tolerance);
                direct += !(direct_off <= tolerance);
            }
    CHECK(direct == 0, "%s: %zu values of direct paths differ, or are not known", what, direct);
    CHECK(different == 0, "%s: %zu values differ, by up to %.2g nats", what, different, worst);
    CHECK(!isnan(e->noise_floor) && e->noise_floor >= 0, "%s: noise floor %g", what, e->noise_floor);
    explanation_free(fresh);
    worker_free(w);
}

static void check_fresh(const char *what, const struct explanation *e, const struct request *r)
{
    check_near(what, e, r, 0);
}

static void test_units(void)
{
    struct worker *w = new_worker();
    struct explanation *e = explanation_new();
    struct request r = ask(story, 4, "token");
    explain(w, e, &r);
    int all = e->cost.probes;
    double noise = e->noise_floor;
    explain(w, e, &r);
    CHECK(e->noise_floor == noise, "a noise floor of %g, of %g before", e->noise_floor, noise);
    CHECK(e->cost.probes == 0 && e->cost.probes_kept == all && e->cost.rows == 0,
          "the same again: %d probes, %lld rows", e->cost.probes, (long long)e->cost.rows);
    check_fresh("the same again", e, &r);
    r.units = "word";
    explain(w, e, &r);
    CHECK(e->cost.probes_kept > all / 2 && e->cost.probes < all / 2, "words: %d probes", e->cost.probes);
    check_fresh("words", e, &r);
    r.units = "paragraph";
    explain(w, e, &r);
    check_fresh("paragraphs", e, &r);
    r.zooms = &(struct zoom){0, 30, UNIT_SENTENCE};
    r.zoom_count = 1;
    explain(w, e, &r);
    CHECK(e->cost.probes_kept > 3, "nothing lies within the zoom: %d kept", e->cost.probes_kept);
    r.zooms = (struct zoom[]){{0, 50, UNIT_SENTENCE}, {0, 21, UNIT_WORD}};
    r.zoom_count = 2;
    explain(w, e, &r);
    CHECK(e->cost.probes > 4 && e->cost.probes_kept > 3, "zoomed: %d probes, %d kept", e->cost.probes,
          e->cost.probes_kept);
    check_fresh("zoomed", e, &r);
    r.method.factor = 0.5f;
    explain(w, e, &r);
    CHECK(e->cost.probes_kept == 0, "another factor: %d kept", e->cost.probes_kept);
    r.method.suppression = SUPPRESS_PRODUCT;
    explain(w, e, &r);
    CHECK(e->cost.probes_kept == 0, "another suppression: %d kept", e->cost.probes_kept);
    r.method.first_layer = 1;
    explain(w, e, &r);
    CHECK(e->cost.probes_kept == 0, "other layers: %d kept", e->cost.probes_kept);
    check_fresh("other layers", e, &r);
    r.fresh = true;
    explain(w, e, &r);
    CHECK(e->cost.probes_kept == 0, "fresh: %d kept", e->cost.probes_kept);
    r.fresh = r.explain = false;
    worker_submit(w, &r);
    CHECK(read_until(w, e, NULL) == EVENT_DONE, "the output alone");
    r.explain = true;
    explain(w, e, &r);
    CHECK(e->cost.probes == 0, "after an output alone: %d probes", e->cost.probes);
    explanation_free(e);
    worker_free(w);
}

/* A longer output shows at once what is known of the tokens before; a shorter one needs no probe. */
static void test_output(enum suppression suppression)
{
    struct worker *w = new_worker();
    struct explanation *e = explanation_new();
    struct request r = ask("Anna has a red ball. Tom has a blue hat. Mia has a", 3, "token");
    float before[256];
    size_t units, unknown = 0, different = 0;
    r.method.suppression = suppression;
    explain(w, e, &r);
    units = e->unit_count;
    CHECK(units < 256 && e->output_count == 3, "%zu units", units);
    for (size_t u = 0; u < units; u++)
        before[u] = (float)explanation_relevance(e, u, 1, 0);
    r.generate = 5;
    bool at_once = suppression != SUPPRESS_ROW_MIN; /* the minimum may be that of a later key */
    worker_submit(w, &r);
    enum event_kind kind = EVENT_PROMPT;
    while (kind != EVENT_RELEVANCE)
        worker_next(w, e, &kind);
    CHECK(!at_once || (e->cost.probes == 0 && e->unit_count == units + 2), "%d probes", e->cost.probes);
    for (size_t u = 0; u + 2 < units && at_once; u++) {
        unknown +=
            e->measured[u] || e->known[u] != 3 || explanation_estimated(e, u, 1) || !explanation_estimated(e, u, 4);
        different += (float)explanation_relevance(e, u, 1, 0) != before[u];
    }
    CHECK(unknown == 0 && different == 0, "of %zu units not known, of %zu otherwise than before", unknown, different);
    CHECK(read_until(w, e, NULL) == EVENT_DONE && e->complete);
    check_fresh("a longer output", e, &r);
    r.generate = 2;
    explain(w, e, &r);
    CHECK(!at_once || e->cost.probes == 0, "a shorter output: %d probes", e->cost.probes);
    check_fresh("a shorter output", e, &r);
    worker_retarget(w, 1, 40);
    while (kind != EVENT_CHOSEN)
        worker_next(w, e, &kind);
    CHECK(e->chosen && !isnan(e->chosen[0]), "another token's map, from states that were taken over");
    r.target = " blue";
    r.target_length = 5;
    r.foil = " red";
    r.foil_length = 4;
    explain(w, e, &r);
    CHECK(!at_once || e->cost.probes == 0, "a foil: %d probes", e->cost.probes);
    check_fresh("a foil", e, &r);
    explanation_free(e);
    worker_free(w);
}

/* The rows that the probes of all units have behind position `first` of a sequence. */
static int64_t rows_from(const struct explanation *e, int first)
{
    int positions = (int)(e->token_count + e->output_count) - 1;
    int64_t rows = 0;
    for (size_t u = 0; u < e->unit_count; u++)
        rows += positions - (e->units[u].first > first ? e->units[u].first : first);
    return rows;
}

/* A longer output, or another end of the prompt: of the probes only the rows behind what both have in common.  The
 * plain pass of a part of a prompt has other last bits. */
static void test_resumed(void)
{
    static const char begin[] = "Anna has a red ball. Tom has a blue hat. Mia has a green car. ";
    static const char *const end[] = {"What does Mia have? A", "What does Anna have? A", "What does Anna have? A red",
                                      "Tom has a", "Tom has a yellow kite. What does Tom have? A"};
    const double last_bits = 1e-4;
    struct worker *w = new_worker();
    struct explanation *e = explanation_new();
    char prompt[256];
    struct request r = ask(prompt, 3, "token");
    for (size_t i = 0, same = 0; i < sizeof end / sizeof *end; i++) {
        snprintf(prompt, sizeof prompt, "%s%s", begin, end[i]);
        r.prompt_length = strlen(prompt);
        explain(w, e, &r);
        int64_t direct = (int64_t)(e->unit_count * e->output_count), most = rows_from(e, (int)same) + direct;
        CHECK(e->cost.rows <= most, "%s: %lld rows, %lld behind the %zu that are the same", end[i],
              (long long)e->cost.rows, (long long)most, same);
        check_near(end[i], e, &r, last_bits);
        for (same = 0; same < e->token_count && e->tokens[same].end < sizeof begin - 1; same++)
            ;
    }
    r.generate = 5;
    explain(w, e, &r);
    int64_t left = rows_from(e, (int)e->token_count + 3 - 1);
    CHECK(e->cost.rows - left <= (int64_t)e->unit_count * 2, "two tokens more: %lld rows, %lld wanted",
          (long long)e->cost.rows, (long long)left);
    check_near("two tokens more", e, &r, last_bits);
    r.units = "word";
    r.generate = 7;
    explain(w, e, &r);
    check_near("words, two tokens more", e, &r, last_bits);
    r.resume = false;
    r.prompt_length -= sizeof "What does Tom have? A";
    explain(w, e, &r);
    r.prompt_length -= sizeof "kite";
    explain(w, e, &r);
    CHECK(e->cost.rows >= rows_from(e, 0), "nothing to go on from: %lld rows of %lld", (long long)e->cost.rows,
          (long long)rows_from(e, 0));
    explanation_free(e);
    worker_free(w);
}

static bool some_measured(const struct explanation *e)
{
    return e->cost.probes > 0;
}

/* What was stopped goes on where it was. */
static void test_stopped(void)
{
    struct worker *w = new_worker();
    struct explanation *e = explanation_new();
    struct request r = ask(story, 6, "token");
    for (int i = 0; i < 3; i++) {
        worker_submit(w, &r);
        if (read_until(w, e, some_measured) == EVENT_DONE) /* sooner than it could be stopped */
            continue;
        worker_cancel(w);
        read_until(w, e, NULL);
    }
    explain(w, e, &r);
    CHECK(e->cost.probes_kept > 0, "nothing was kept");
    check_fresh("stopped and gone on", e, &r);
    explanation_free(e);
    worker_free(w);
}

int main(int count, char **argument)
{
    char path[4096];
    struct error error = {0};
    snprintf(path, sizeof path, "%s/assets/demo.gguf", getenv("srcdir") ? getenv("srcdir") : ".");
    /* So much memory that activations are kept in any case: computed anew, they have other last bits. */
    struct engine_options options = {
        .model = count > 1 ? argument[1] : path, .precision = PRECISION_F32, .memory = (size_t)1 << 40};
    if (engine_open(&options, &engine, &error) < 0) {
        CHECK(false, "%s", error.message);
        return test_end();
    }
    test_units();
    test_output(SUPPRESS_ROW_MIN_CAUSAL);
    test_output(SUPPRESS_ROW_MIN);
    test_resumed();
    test_stopped();
    engine_close(engine);
    return test_end();
}
