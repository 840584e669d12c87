/* The engine as a front end sees it: requests in, events out, on the shipped model (or the one named on the command
 * line). */
#include <poll.h>

#include "core/clock.h"
#include "core/decoder.h"
#include "core/engine_internal.h"
#include "core/precision.h"
#include "core/probe.h"
#include "core/rollout.h"

#include "tests/test.h"

static const char story[] = "Anna has a red ball. Tom has a blue hat. Mia has a green car. What does Tom have? A";

static struct engine *engine;

static struct request ask(const char *prompt, int generate)
{
    return (struct request){.prompt = prompt, .prompt_length = strlen(prompt), .generate = generate, .explain = true,
                            .units = "token", .method = method_default()};
}

/* Read events until one that ends a request; returns its kind. */
static enum event_kind read_all(struct worker *w, struct explanation *e)
{
    enum event_kind kind = EVENT_PROMPT;
    for (;;) {
        struct pollfd wait = {worker_fd(w), POLLIN, 0};
        if (poll(&wait, 1, 60000) <= 0) {
            CHECK(false, "no event for a minute");
            exit(test_end());
        }
        while (worker_next(w, e, &kind))
            if (kind == EVENT_DONE || kind == EVENT_CANCELLED || kind == EVENT_FAILED)
                return kind;
    }
}

static struct worker *new_worker(void)
{
    struct worker *w = NULL;
    struct error error = {0};
    CHECK(worker_new(engine, &w, &error) == 0, "%s", error.message);
    return w;
}

/* Run one request on a worker of its own. */
static struct explanation *run(const struct request *r, enum event_kind want)
{
    struct worker *w = new_worker();
    struct explanation *e = explanation_new();
    CHECK(worker_submit(w, r) > 0, "not accepted");
    enum event_kind kind = read_all(w, e);
    CHECK(kind == want, "event %d in place of %d: %s", kind, want, e->error.message);
    worker_free(w);
    return e;
}

static double most_apart(const struct explanation *a, const struct explanation *b)
{
    double most = 0;
    if (a->unit_count != b->unit_count || a->output_count != b->output_count)
        return INFINITY;
    for (size_t u = 0; u < a->unit_count; u++)
        for (size_t t = 0; t < a->output_count; t++)
            for (int c = 0; c <= CANDIDATES; c++)
                most = fmax(most, fabs(explanation_relevance(a, u, t, c) - explanation_relevance(b, u, t, c)));
    return most;
}

static void test_explanation(void)
{
    struct request r = ask(story, 4);
    struct explanation *e = run(&r, EVENT_DONE);
    double most = 0;
    CHECK(e->complete && !e->busy, "complete");
    CHECK(e->output_count >= 1 && e->output_count <= 4, "%zu output tokens", e->output_count);
    CHECK(e->unit_count == e->token_count + e->output_count - 1, "%zu units", e->unit_count);
    CHECK(e->cost.probes == (int)e->unit_count && e->cost.probes_total == (int)e->unit_count, "%d probes",
          e->cost.probes);
    CHECK(e->noise_floor >= 0 && e->noise_floor < 1e-3, "noise floor %g", e->noise_floor);
    for (size_t u = 0; u < e->unit_count; u++) {
        CHECK(e->measured[u], "unit %zu was not measured", u);
        for (size_t t = 0; t < e->output_count; t++) {
            double x = explanation_relevance(e, u, t, 0);
            most = fmax(most, fabs(x));
            CHECK(isfinite(x), "unit %zu, token %zu", u, t);
            if (e->units[u].kind == UNIT_TARGET && (int)t <= e->units[u].first - (int)e->token_count)
                CHECK(x == 0, "an output token does not rest on a later one: %g", x);
        }
    }
    CHECK(most > 0.1, "something matters: %g", most);
    for (size_t t = 0; t < e->output_count; t++)
        CHECK(e->output[t].candidates[0].id == e->output[t].id && e->output[t].logprob <= 0, "greedy token %zu", t);
    explanation_free(e);
}

/* All that an output token is made of, by attention alone, is somewhere; none of it is after the token. */
static void test_rollout(void)
{
    struct request r = ask(story, 3);
    r.map = MAP_ROLLOUT;
    struct explanation *e = run(&r, EVENT_DONE);
    CHECK(e->complete && e->cost.probes == 0, "complete without probes");
    for (size_t t = 0; t < e->output_count; t++) {
        double sum = 0;
        for (size_t u = 0; u < e->unit_count; u++) {
            double x = explanation_relevance(e, u, t, 0);
            CHECK(x >= 0 && (x > 0) == (e->units[u].first < (int)(e->token_count + t)), "unit %zu, token %zu: %g", u, t,
                  x);
            sum += x;
        }
        CHECK(fabs(sum - 1) < 1e-5, "token %zu: %g in all", t, sum);
    }
    explanation_free(e);
}

static void test_factor_one_is_exactly_nothing(void)
{
    struct request r = ask(story, 2);
    r.method.factor = 1;
    struct explanation *e = run(&r, EVENT_DONE);
    for (size_t u = 0; u < e->unit_count; u++)
        for (size_t t = 0; t < e->output_count; t++)
            CHECK(explanation_relevance(e, u, t, 0) == 0, "unit %zu, token %zu", u, t);
    explanation_free(e);
}

/* What was kept of an earlier request does not change the next one. */
static void test_reuse(void)
{
    char other[sizeof story + 32];
    snprintf(other, sizeof other, "%.*s What does Mia have? A", (int)(strchr(story, '?') - story - 18), story);
    struct request first = ask(story, 3), second = ask(other, 3);
    struct explanation *fresh = run(&second, EVENT_DONE), *again = explanation_new();
    struct worker *w = new_worker();
    worker_submit(w, &first);
    read_all(w, again);
    worker_submit(w, &second);
    CHECK(read_all(w, again) == EVENT_DONE, "%s", again->error.message);
    double apart = most_apart(fresh, again);
    CHECK(apart < 1e-4, "apart by %g nats", apart);
    double kept = again->cost.prefill_seconds;
    CHECK(again->cost.expected_seconds > 0, "nobody says how long it will take");
    worker_submit(w, &second);
    read_all(w, again);
    printf("prompt pass %.1f ms, of a prompt known already %.3f ms\n", 1e3 * kept, 1e3 * again->cost.prefill_seconds);
    CHECK(most_apart(fresh, again) < 1e-4, "the same request once more");
    explanation_free(fresh);
    explanation_free(again);
    worker_free(w);
}

static void test_retarget(void)
{
    struct request r = ask(story, 2);
    struct worker *w = new_worker();
    struct explanation *e = explanation_new();
    worker_submit(w, &r);
    read_all(w, e);
    for (int k = 0; k < CANDIDATES; k += 3) {
        double before = clock_now();
        worker_retarget(w, 0, e->output[0].candidates[k].id);
        enum event_kind kind = EVENT_DONE;
        while (kind != EVENT_CHOSEN) {
            struct pollfd wait = {worker_fd(w), POLLIN, 0};
            CHECK(poll(&wait, 1, 60000) > 0, "no answer");
            while (kind != EVENT_CHOSEN && worker_next(w, e, &kind))
                ;
        }
        printf("re-targeted in %.3f ms\n", 1e3 * (clock_now() - before));
        CHECK(e->chosen && e->chosen_token == 0 && e->chosen_id == e->output[0].candidates[k].id, "candidate %d", k);
        for (size_t u = 0; u < e->unit_count; u++)
            CHECK(fabs(e->chosen[u] - explanation_relevance(e, u, 0, 1 + k)) < 1e-5, "unit %zu: %g, %g", u,
                  e->chosen[u], explanation_relevance(e, u, 0, 1 + k));
    }
    explanation_free(e);
    worker_free(w);
}

/* As read_all(), and a copy of what direct paths have said when the preview is there; malloced [units, outputs,
 * 1 + CANDIDATES], NAN where nothing is.  Only some of the last units are measured by then. */
static double *read_preview(struct worker *w, struct explanation *e)
{
    enum event_kind kind = EVENT_PROMPT;
    double *preview = NULL;
    while (kind != EVENT_DONE && kind != EVENT_CANCELLED && kind != EVENT_FAILED) {
        struct pollfd wait = {worker_fd(w), POLLIN, 0};
        if (poll(&wait, 1, 60000) <= 0)
            break;
        while (worker_next(w, e, &kind)) {
            if (kind == EVENT_UNITS) /* to be answered before the probes, by what is known then */
                worker_retarget(w, 0, e->output[0].candidates[3].id);
            if (kind != EVENT_DIRECT)
                continue;
            free(preview);
            double *value = preview = malloc(e->unit_count * e->output_count * (1 + CANDIDATES) * sizeof *preview);
            for (size_t u = 0; u < e->unit_count; u++)
                for (size_t t = 0; t < e->output_count; t++)
                    for (int c = 0; c <= CANDIDATES; c++)
                        *value++ = !explanation_knows(e, u, t) ? NAN
                                   : e->measured[u]            ? explanation_direct(e, u, t, c)
                                                               : explanation_relevance(e, u, t, c);
            for (size_t u = 1; u < e->unit_count; u++)
                CHECK(!e->measured[u - 1] || e->measured[u], "unit %zu and not the next", u - 1);
            CHECK(!e->measured[e->unit_count / 2], "half of the units");
        }
    }
    return preview;
}

static const char long_answer[] = " blue hat, and Mia has a green car.";

/* A target of more tokens than are previewed. */
static struct request ask_long(void)
{
    struct request r = ask(story, 1);
    r.target = long_answer;
    r.target_length = strlen(long_answer);
    return r;
}

/* Before the probes, all units have the values that direct paths give; in the end, their own. */
static void test_preview(void)
{
    struct request all = ask_long(), direct = all;
    direct.method.paths = PATHS_DIRECT;
    struct explanation *wanted = run(&direct, EVENT_DONE), *e = explanation_new();
    struct worker *w = new_worker();
    worker_submit(w, &all);
    double *preview = read_preview(w, e);
    CHECK(e->complete && preview && e->output_count == wanted->output_count, "complete");
    CHECK(e->direct_count >= 1 && e->direct_count < e->output_count, "%zu tokens are previewed", e->direct_count);
    size_t row = 1 + CANDIDATES;
    for (size_t u = 0; preview && u < e->unit_count; u++) {
        CHECK(e->measured[u] && !e->estimated[u], "unit %zu at the end", u);
        for (size_t t = 0; t < e->output_count; t++)
            for (size_t c = 0; c < row; c++) {
                double x = preview[(u * e->output_count + t) * row + c];
                double y = t < e->direct_count ? explanation_relevance(wanted, u, t, (int)c) : NAN;
                CHECK(isnan(y) ? isnan(x) : fabs(x - y) < 1e-5,
                      "unit %zu, token %zu, choice %zu: %g in the preview, %g by direct paths", u, t, c, x, y);
                double kept = explanation_direct(e, u, t, (int)c);
                CHECK(isnan(y) ? isnan(kept) : kept == x, "unit %zu, token %zu, choice %zu: %g is kept", u, t, c, kept);
                CHECK(explanation_direct(wanted, u, t, (int)c) == explanation_relevance(wanted, u, t, (int)c));
            }
        CHECK(e->chosen && fabs((double)e->chosen[u] - explanation_relevance(e, u, 0, 4)) < 1e-5, "unit %zu chosen", u);
        CHECK(fabs((double)e->chosen_direct[u] - explanation_direct(e, u, 0, 4)) < 1e-5, "unit %zu chosen, direct", u);
    }
    CHECK(most_apart(e, wanted) > 1e-3, "direct paths are not all");
    CHECK(wanted->direct_count == 0, "direct paths need no preview");
    free(preview);
    explanation_free(wanted);
    explanation_free(e);
    worker_free(w);
}

/* What direct paths do to every output token: told from the first one on, in their order, and measured once. */
static void test_direct(void)
{
    struct request all = ask_long(), direct = all;
    all.direct = true;
    direct.method.paths = PATHS_DIRECT;
    struct explanation *wanted = run(&direct, EVENT_DONE), *e = explanation_new();
    struct worker *w = new_worker();
    enum event_kind kind = EVENT_PROMPT;
    size_t early = 0, last = 0, rows = 0, seen = 0, tokens = 0;
    for (worker_submit(w, &all); kind != EVENT_DONE && kind != EVENT_FAILED;) {
        if (!worker_next(w, e, &kind)) {
            CHECK(poll(&(struct pollfd){worker_fd(w), POLLIN, 0}, 1, 60000) > 0, "no event for a minute");
            continue;
        }
        tokens += kind == EVENT_TOKEN;
        if (kind == EVENT_DIRECT) {
            CHECK(e->direct_count >= last, "in their order");
            last = e->direct_count;
            early += !e->relevance && e->unit_count >= e->token_count && explanation_knows(e, e->token_count - 1, 0);
            CHECK(e->direct_count <= tokens, "%zu tokens said, %zu measured", tokens, e->direct_count);
            rows += (size_t)e->cost.rows - seen;
        }
        seen = (size_t)e->cost.rows;
    }
    CHECK(e->complete && e->direct_count == e->output_count, "%zu of %zu tokens", e->direct_count, e->output_count);
    if (early == 0)
        SKIP("this machine is too slow for anything to be measured while the output is written");
    size_t once = 0;
    for (size_t t = 0; t < e->output_count; t++)
        once += e->token_count + t;
    CHECK(rows <= once && rows + e->output_count * e->token_count / 2 > once, "%zu rows, each once makes %zu", rows,
          once);
    for (size_t u = 0; u < e->unit_count; u++)
        for (size_t t = 0; t < e->output_count; t++)
            for (int c = 0; c <= CANDIDATES; c++) {
                double x = explanation_direct(e, u, t, c), y = explanation_relevance(wanted, u, t, c);
                CHECK(fabs(x - y) < 1e-4, "unit %zu, token %zu, choice %d: %g for %g", u, t, c, x, y);
            }
    struct request plain = ask_long();
    struct explanation *without = run(&plain, EVENT_DONE);
    CHECK(most_apart(e, without) < 1e-5, "what is measured is the same");
    explanation_free(without);
    explanation_free(wanted);
    explanation_free(e);
    worker_free(w);
}

static void test_cancel_preview(void)
{
    struct request r = ask_long();
    struct worker *w = new_worker();
    struct explanation *e = explanation_new();
    enum event_kind kind = EVENT_PROMPT;
    worker_submit(w, &r);
    while (kind != EVENT_UNITS)
        if (!worker_next(w, e, &kind))
            poll(&(struct pollfd){worker_fd(w), POLLIN, 0}, 1, 60000);
    worker_cancel(w);
    if (read_all(w, e) == EVENT_CANCELLED) {
        CHECK(!e->complete && isnan(e->noise_floor), "noise floor %g", e->noise_floor);
        for (size_t u = 0; u < e->unit_count; u++)
            CHECK(!e->measured[u] || e->cost.probes > 0, "unit %zu is measured", u);
    } else
        SKIP("the probes were faster than the cancel");
    worker_submit(w, &r);
    CHECK(read_all(w, e) == EVENT_DONE && e->complete, "works on after it");
    explanation_free(e);
    worker_free(w);
}

/* The foil is compared at the last token: that one is previewed. */
static void test_preview_of_foil(void)
{
    static const char foil[] = " blue hat, and Mia has a red car.";
    struct request r = ask_long();
    r.foil = foil;
    r.foil_length = strlen(foil);
    struct explanation *e = explanation_new();
    struct worker *w = new_worker();
    worker_submit(w, &r);
    free(read_preview(w, e));
    CHECK(e->foil.token + 1 == (int)e->output_count && isnan(explanation_direct(e, 1, 0, 0)) &&
              !isnan(explanation_direct(e, 1, e->output_count - 1, 0)),
          "foil at %d, %zu tokens", e->foil.token, e->direct_count);
    explanation_free(e);
    worker_free(w);
}

static void test_foil(void)
{
    struct request r = ask(story, 1);
    struct explanation *plain = run(&r, EVENT_DONE);
    size_t length = 0;
    const char *text = tokenizer_text(engine_tokenizer(engine), plain->output[0].candidates[1].id, &length);
    r.foil = text;
    r.foil_length = length;
    struct explanation *e = run(&r, EVENT_DONE);
    CHECK(e->foil.token == 0, "compared at token %d", e->foil.token);
    if (e->foil.id == plain->output[0].candidates[1].id)
        for (size_t u = 0; u < e->unit_count; u++) {
            double want = explanation_relevance(plain, u, 0, 0) - explanation_relevance(plain, u, 0, 2);
            CHECK(fabs(explanation_relevance(e, u, 0, 0) - want) < 1e-5, "unit %zu", u);
        }
    else
        SKIP("the runner-up's text is another token after the prompt");
    explanation_free(plain);
    explanation_free(e);
}

static void test_cancel_and_replace(void)
{
    struct request r = ask(story, 8);
    struct worker *w = new_worker();
    struct explanation *e = explanation_new();
    for (int i = 0; i < 20; i++)
        worker_submit(w, &r);
    uint64_t last = worker_submit(w, &r);
    CHECK(read_all(w, e) == EVENT_DONE && e->request == last, "request %llu", (unsigned long long)e->request);
    double worst = 0;
    for (int i = 0; i < 20; i++) {
        char prompt[64];
        snprintf(prompt, sizeof prompt, "Number %d has a red ball. What", i); /* nothing kept from before */
        struct request other = ask(prompt, 16);
        worker_submit(w, &other);
        poll(NULL, 0, i % 4 ? 1 << i / 2 : 0); /* 0 to 512 ms: before, in and after every step */
        double before = clock_now();
        worker_cancel(w);
        enum event_kind kind = read_all(w, e);
        CHECK(kind == EVENT_CANCELLED || kind == EVENT_DONE, "event %d", kind);
        CHECK(i % 4 || kind == EVENT_DONE || isnan(e->noise_floor), "noise floor %g of nothing", e->noise_floor);
        worst = fmax(worst, clock_now() - before);
    }
    printf("cancelled within %.3f ms\n", 1e3 * worst);
    worker_submit(w, &r);
    CHECK(read_all(w, e) == EVENT_DONE && e->complete, "works on after cancelling");
    worker_submit(w, &r);
    worker_free(w); /* in the middle of it */
    explanation_free(e);
}

static void test_budget(void)
{
    struct request r = ask_long();
    r.budget = 1e-9;
    struct explanation *e = run(&r, EVENT_DONE);
    CHECK(!e->complete && e->cost.probes > 0 && e->cost.probes < e->cost.probes_total, "%d of %d probes",
          e->cost.probes, e->cost.probes_total);
    int full = 0;
    for (size_t u = 0; u < e->unit_count; u++) {
        full += e->measured[u];
        CHECK(explanation_knows(e, u, e->output_count - 1) == e->measured[u], "unit %zu", u);
    }
    CHECK(full == e->cost.probes, "%d probes, %d of them run", full, e->cost.probes);
    explanation_free(e);
}

static void test_steering(void)
{
    struct request r = ask(story, 4);
    r.explain = false;
    struct explanation *plain = run(&r, EVENT_DONE);
    struct steer steer = {(int)plain->token_count / 2, 1};
    r.steers = &steer;
    r.steer_count = 1;
    struct explanation *same = run(&r, EVENT_DONE);
    steer.factor = 0;
    struct explanation *other = run(&r, EVENT_DONE);
    CHECK(same->output_count == plain->output_count, "%zu tokens", same->output_count);
    for (size_t t = 0; t < plain->output_count && t < same->output_count; t++)
        CHECK(same->output[t].id == plain->output[t].id &&
                  fabs(same->output[t].logprob - plain->output[t].logprob) < 1e-4,
              "token %zu", t);
    CHECK(fabs(other->output[0].logprob - plain->output[0].logprob) > 1e-6, "a unit turned off changes something");
    explanation_free(plain);
    explanation_free(same);
    explanation_free(other);
}

static void test_refusals(void)
{
    struct request good = ask(story, 1);
    struct { const char *what; struct request r; } cases[12];
    int n = 0;
#define REFUSE(name, ...)                                                                                              \
    do {                                                                                                               \
        cases[n].what = name;                                                                                          \
        cases[n].r = good;                                                                                             \
        struct request *r = &cases[n++].r;                                                                             \
        __VA_ARGS__;                                                                                                   \
    } while (0)
    REFUSE("empty prompt", r->prompt_length = 0);
    REFUSE("NUL in the prompt", r->prompt = "a\0b", r->prompt_length = 3);
    REFUSE("invalid UTF-8", r->prompt = "a\xff", r->prompt_length = 2);
    REFUSE("empty target", r->target = "", r->target_length = 0);
    REFUSE("nothing to generate", r->generate = 0);
    REFUSE("factor below 0", r->method.factor = -0.5f);
    REFUSE("factor not a number", r->method.factor = NAN);
    REFUSE("layers beyond the model", r->method.last_layer = 10000);
    REFUSE("layers the wrong way round", r->method.first_layer = 1; r->method.last_layer = 0);
    REFUSE("a similarity no cosine reaches", r->method.similarity = 2);
    REFUSE("an expression that does not compile", r->units = "(");
    struct steer steer = {100000, 0};
    REFUSE("no such unit", r->steers = &steer; r->steer_count = 1);
    for (int i = 0; i < n; i++) {
        struct explanation *e = run(&cases[i].r, EVENT_FAILED);
        CHECK(e->error.code < 0 && e->error.message[0], "%s", cases[i].what);
        explanation_free(e);
    }
    size_t length = 200000;
    char *endless = malloc(length);
    memset(endless, 'x', length);
    for (size_t i = 0; i < length; i += 2)
        endless[i] = ' ';
    good.prompt = endless;
    good.prompt_length = length;
    struct explanation *e = run(&good, EVENT_FAILED);
    CHECK(e->error.code == ERROR_LIMIT, "longer than the context: %s", e->error.message);
    explanation_free(e);
    free(endless);
}

static void ignore_report(void *context, const int *units, int n, int64_t rows)
{
    (void)context;
    (void)units;
    (void)n;
    (void)rows;
}

/* Baseline activations recomputed with every group instead of kept: the same numbers. */
static void test_recomputed_baseline(void)
{
    enum { N = 9, T = 2, WANT = 2 };
    const struct model *m = engine->model;
    const struct device_ops *ops = m->device->ops;
    int32_t ids[N], wanted[T * WANT] = {5, 6, 7, 8};
    struct unit units[N];
    for (int i = 0; i < N; i++) {
        ids[i] = 3 + 7 * i % (m->vocabulary - 3);
        units[i] = (struct unit){.first = i, .last = i, .first_share = 1, .last_share = 1};
    }
    double result[2][N * T * WANT];
    float share[2][T * N];
    for (int kept = 0; kept < 2; kept++) {
        struct stream *s = NULL;
        struct baseline *b = NULL;
        struct plan *plan = NULL;
        struct lanes *lanes = NULL;
        struct probes *p = NULL;
        struct error error = {0};
        struct method method = method_default();
        method.first_layer = 1; /* layers before it are walked through all the same */
        method.last_layer = m->layers - 1;
        double lse[T] = {0, 0}; /* any constant: dlogit does not depend on it */
        struct targets targets = {T, N - T, WANT, wanted, lse};
        atomic_bool cancelled = false;
        struct probe_watch watch = {.report = ignore_report, .cancelled = &cancelled};
        int status = ops->stream_new(m->device, true, &s, &error);
        if (status == 0)
            status = baseline_new(m, N, kept, &b, &error);
        if (status == 0)
            status = baseline_run(b, s, ids, N, NULL, NULL, &error);
        if (status == 0)
            status = plan_new(units, N, &(struct plan_ground){.positions = N}, &method, &plan, &error);
        if (status == 0)
            status = lanes_new(m, N, NULL, &lanes, &error);
        if (status == 0)
            status = probes_new(b, s, plan, &method, &targets, PRECISION_F32, &p, &error);
        if (status == 0)
            status = probes_start(p, lanes, &watch, &error);
        if (status == 0)
            status = probes_finish(lanes, &error);
        if (status == 0)
            status = rollout_run(b, s, N - T, T, &cancelled, share[kept], &error);
        CHECK(status == 0, "%s", error.message);
        CHECK(b && b->kept == kept, "kept");
        if (status < 0)
            return;
        memcpy(result[kept], p->dlogit, sizeof result[kept]);
        probes_free(p);
        lanes_free(lanes);
        plan_free(plan);
        baseline_free(b);
        ops->stream_free(s);
    }
    double most = 0;
    for (int i = 0; i < N * T * WANT; i++) {
        most = fmax(most, fabs(result[0][i]));
        CHECK(fabs(result[0][i] - result[1][i]) < 1e-4 * fmax(1e-3, fabs(result[1][i])), "entry %d: %g, %g", i,
              result[0][i], result[1][i]);
    }
    CHECK(most > 1e-6, "something changed: %g", most);
    for (int i = 0; i < T * N; i++)
        CHECK(fabsf(share[0][i] - share[1][i]) < 1e-6f, "share %d: %g, %g", i, (double)share[0][i],
              (double)share[1][i]);
}

/* Estimates, with f32 values in place of the strongest and of some others. */
static void test_refined(const struct engine_options *options)
{
    struct engine_options low = *options;
    struct engine *exact = engine;
    char longer[3 * sizeof story];
    snprintf(longer, sizeof longer, "%.*s%s", (int)(strchr(story, '?') - story - 18), story, story);
    struct request r = ask(longer, 3), few = ask("Anna has a red ball. What does Anna have? A", 3);
    struct error error = {0};
    low.precision = PRECISION_INT8;
    struct explanation *e = run(&r, EVENT_DONE);
    for (size_t u = 0; u < e->unit_count; u++)
        CHECK(!e->estimated[u], "f32 values are no estimates");
    if (engine_open(&low, &engine, &error) < 0) {
        SKIP("%s", error.message);
        engine = exact;
        explanation_free(e);
        return;
    }
    struct explanation *f = run(&few, EVENT_DONE);
    for (size_t u = 0; u < f->unit_count; u++)
        CHECK(!f->estimated[u], "few units are measured in f32 at once");
    explanation_free(f);
    f = run(&r, EVENT_DONE);
    size_t units = f->unit_count, measured = 0;
    double weakest = INFINITY, strongest = 0, noise = 0;
    CHECK(f->complete && units == e->unit_count && f->cost.probes == (int)units, "%d probes", f->cost.probes);
    for (size_t u = 0; u < units && units == e->unit_count; u++) {
        double most = 0;
        for (size_t t = 0; t < f->output_count; t++) {
            double x = explanation_relevance(f, u, t, 0), off = fabs(x - explanation_relevance(e, u, t, 0));
            most = fmax(most, fabs(x));
            noise = fmax(noise, f->estimated[u] ? off : 0);
            CHECK(f->estimated[u] || off < 1e-3, "unit %zu, token %zu: an f32 value is off by %g", u, t, off);
        }
        measured += !f->estimated[u];
        weakest = f->estimated[u] ? weakest : fmin(weakest, most);
        strongest = f->estimated[u] ? fmax(strongest, most) : strongest;
    }
    CHECK(measured >= 8 && measured < units, "%zu of %zu units in f32", measured, units);
    CHECK(weakest < strongest, "some of the weak ones are measured too");
    CHECK(f->noise_floor > 0 && noise > 0 && noise < 30 * f->noise_floor, "noise floor %g, deviations up to %g",
          f->noise_floor, noise);
    explanation_free(e);
    explanation_free(f);
    engine_close(engine);
    engine = exact;
}

/* By the clock, the more exact one where that decides nothing. */
static void test_precision(const struct engine_options *options)
{
    static const struct { double seconds[3]; enum precision best; } cases[] = {
        {{1, 0, 0}, PRECISION_F32},     {{1, 0, 0.6}, PRECISION_F32},      {{1, 0, 0.3}, PRECISION_INT8},
        {{1, 0.4, 0}, PRECISION_BF16},  {{1, 0.35, 0.3}, PRECISION_BF16},  {{1, 0.4, 0.3}, PRECISION_INT8},
        {{1, 3, 0.3}, PRECISION_INT8},  {{1, 0.6, 0.55}, PRECISION_F32},   {{1, 0.55, 0.45}, PRECISION_INT8},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        CHECK(precision_choose(cases[i].seconds) == cases[i].best, "case %zu", i);
    struct engine_options any = *options;
    struct engine *e = NULL;
    struct error error = {0};
    any.precision = -1;
    CHECK(engine_open(&any, &e, &error) == 0, "%s", error.message);
    if (!e)
        return;
    const double *seconds = engine_info(e)->product_seconds;
    CHECK(seconds[PRECISION_F32] > 0 && e->precision == precision_choose(seconds), "%g s in f32", seconds[0]);
    CHECK(engine_info(engine)->product_seconds[PRECISION_F32] == 0, "a precision asked for is not timed");
    engine_close(e);
}

int main(int count, char **argument)
{
    char path[4096];
    struct error error = {0};
    snprintf(path, sizeof path, "%s/assets/demo.gguf", getenv("srcdir") ? getenv("srcdir") : ".");
    struct engine_options options = {.model = count > 1 ? argument[1] : path, .precision = PRECISION_F32};
    if (engine_open(&options, &engine, &error) < 0) {
        CHECK(false, "%s", error.message);
        return test_end();
    }
    test_explanation();
    test_rollout();
    test_factor_one_is_exactly_nothing();
    test_reuse();
    test_retarget();
    test_preview();
    test_direct();
    test_cancel_preview();
    test_preview_of_foil();
    test_foil();
    test_cancel_and_replace();
    test_budget();
    test_steering();
    test_refusals();
    test_recomputed_baseline();
    test_refined(&options);
    test_precision(&options);
    engine_close(engine);
    return test_end();
}
