/* The engine on an emulated machine: what a front end sees of cards, of several, and of cards that run out of memory or
 * fail.  On the shipped model, or the one named on the command line. */
#include <cuda_runtime_api.h>
#include <poll.h>

#include "core/engine.h"

#include "tests/test.h"

static const char story[] = "Anna has a red ball. Tom has a blue hat. What does Tom have? A";

static const char *model;

static struct engine *open_engine(const char *device, int precision)
{
    struct engine *engine = NULL;
    struct error error = {0};
    struct engine_options options = {.model = model, .device = device, .threads = 2, .precision = precision};
    CHECK(engine_open(&options, &engine, &error) == 0, "%s: %s", device, error.message);
    return engine;
}

static struct worker *new_worker(struct engine *engine)
{
    struct worker *w = NULL;
    struct error error = {0};
    CHECK(worker_new(engine, &w, &error) == 0, "%s", error.message);
    return w;
}

/* Submit a story of so many bytes and read events until the last; returns its kind. */
static enum event_kind run(struct worker *w, struct explanation *e, size_t length)
{
    struct request r = {.prompt = story,
                        .prompt_length = length,
                        .generate = 2,
                        .explain = true,
                        .direct = true,
                        .resume = true,
                        .units = "token",
                        .method = method_default()};
    enum event_kind kind = EVENT_PROMPT;
    CHECK(worker_submit(w, &r) > 0, "not accepted");
    for (;;) {
        struct pollfd wait = {worker_fd(w), POLLIN, 0};
        if (poll(&wait, 1, 120000) <= 0) {
            CHECK(false, "no event for two minutes");
            exit(test_end());
        }
        while (worker_next(w, e, &kind))
            if (kind == EVENT_DONE || kind == EVENT_CANCELLED || kind == EVENT_FAILED)
                return kind;
    }
}

/* Ask about the first output token: its pairs, then its proof. */
static void inquire(struct worker *w, struct explanation *e)
{
    const struct answer *answers[] = {[INQUIRY_PROOF] = &e->proof.answer, [INQUIRY_PAIRS] = &e->pairs.answer};
    for (int kind = INQUIRY_PAIRS; kind >= INQUIRY_PROOF; kind--) {
        worker_inquire(w, &(struct inquiry){(enum inquiry_kind)kind, 0, e->output[0].id, {-1, -1}});
        enum event_kind event;
        do {
            struct pollfd wait = {worker_fd(w), POLLIN, 0};
            if (poll(&wait, 1, 120000) <= 0)
                break;
            while (worker_next(w, e, &event))
                ;
        } while (answers[kind]->state == ANSWER_BUSY || answers[kind]->state == ANSWER_NONE);
        CHECK(answers[kind]->state == ANSWER_DONE, "%s", answers[kind]->error.message);
    }
}

/* How far two answers to the same are from each other; of ranked points only the first, for orders may differ by
 * ties. */
static double answers_apart(const struct explanation *a, const struct explanation *b)
{
    const struct proof *p = &a->proof, *q = &b->proof;
    double most = fabs(p->point[0].ranked - q->point[0].ranked);
    if (p->point_count != q->point_count || p->flip.count != q->flip.count || p->flip.id != q->flip.id ||
        a->pairs.count != b->pairs.count || a->pairs.count == 0)
        return INFINITY;
    for (int i = 0; i < p->point_count; i++)
        most = fmax(most, fabs(p->point[i].random - q->point[i].random));
    for (int i = 0; i < a->pairs.count; i++)
        most = fmax(most, fabs(a->pairs.pair[i].both - b->pairs.pair[i].both));
    return most;
}

static double most_apart(const struct explanation *a, const struct explanation *b)
{
    double most = 0;
    if (a->unit_count != b->unit_count || a->output_count != b->output_count)
        return INFINITY;
    for (size_t u = 0; u < a->unit_count; u++)
        for (size_t t = 0; t < a->output_count; t++)
            for (int c = 0; c <= CANDIDATES; c++) {
                double x = explanation_direct(a, u, t, c), y = explanation_direct(b, u, t, c);
                most = fmax(most, fabs(explanation_relevance(a, u, t, c) - explanation_relevance(b, u, t, c)));
                most = fmax(most, isnan(x) || isnan(y) ? INFINITY : fabs(x - y));
            }
    return most;
}

/* What the CPU says of the first `length` bytes of the story. */
static struct explanation *on_cpu(size_t length)
{
    struct engine *engine = open_engine("cpu", PRECISION_F32);
    struct worker *w = new_worker(engine);
    struct explanation *e = explanation_new();
    CHECK(run(w, e, length) == EVENT_DONE, "%s", e->error.message);
    if (length == sizeof story - 1)
        inquire(w, e);
    worker_free(w);
    engine_close(engine);
    return e;
}

static void check_like_cpu(const char *device, int precision, double allowed)
{
    struct explanation *cpu = on_cpu(sizeof story - 1), *e = explanation_new();
    struct engine *engine = open_engine(device, precision);
    struct worker *w = new_worker(engine);
    CHECK(run(w, e, 45) == EVENT_DONE, "%s: %s", device, e->error.message); /* to go on from */
    CHECK(run(w, e, sizeof story - 1) == EVENT_DONE, "%s: %s", device, e->error.message);
    CHECK(e->cost.rows < cpu->cost.rows * 3 / 4, "%s: %lld rows of %lld", device, (long long)e->cost.rows,
          (long long)cpu->cost.rows);
    CHECK(e->complete && most_apart(e, cpu) < allowed, "%s: off by %g", device, most_apart(e, cpu));
    if (precision == PRECISION_F32 && strcmp(device, "cuda:all") == 0) {
        inquire(w, e);
        CHECK(answers_apart(e, cpu) < allowed, "%s: answers are off by %g", device, answers_apart(e, cpu));
    }
    worker_retarget(w, 0, e->output[0].candidates[1].id);
    enum event_kind kind = EVENT_DONE;
    while (kind != EVENT_CHOSEN) {
        struct pollfd wait = {worker_fd(w), POLLIN, 0};
        if (poll(&wait, 1, 120000) <= 0)
            break;
        worker_next(w, e, &kind);
    }
    CHECK(kind == EVENT_CHOSEN && fabs((double)e->chosen[1] - explanation_relevance(e, 1, 0, 2)) < allowed,
          "%s: re-targeted", device);
    worker_free(w);
    engine_close(engine);
    explanation_free(e);
    explanation_free(cpu);
}

static void test_several(void)
{
    emulation_set_cards(3);
    check_like_cpu("cuda:all", PRECISION_F32, 1e-3);
    check_like_cpu("cuda:all", -1, 2e-2);
    check_like_cpu("cuda:2", PRECISION_F32, 1e-3);
    CHECK(emulation_peer_bytes() > 0 && emulation_used(0) + emulation_used(1) + emulation_used(2) == 0,
          "all is given back");
    emulation_reset();
}

/* A card that fails ends the job with a sentence; so does the next job; the CPU serves in its place. */
static void test_lost(void)
{
    struct engine *engine = open_engine("cuda", -1);
    struct worker *w = new_worker(engine);
    struct explanation *e = explanation_new();
    emulation_fail_kernel(300);
    CHECK(run(w, e, sizeof story - 1) == EVENT_FAILED, "a lost card");
    CHECK(e->error.code == ERROR_DEVICE && strstr(e->error.message, "unspecified launch failure"), "%s",
          e->error.message);
    CHECK(run(w, e, 30) == EVENT_FAILED, "a card that is lost already");
    CHECK(e->error.code == ERROR_DEVICE && strstr(e->error.message, "computes no more"), "%s", e->error.message);
    explanation_free(on_cpu(30));
    worker_free(w);
    engine_close(engine);
    explanation_free(e);
    emulation_reset();
}

/* One allocation after the other fails: the CPU's numbers, in smaller batches where that helps, or a sentence. */
static void test_failing_allocations(const struct explanation *cpu)
{
    struct explanation *e = explanation_new();
    struct engine *engine = open_engine("cuda", PRECISION_F32);
    int done = 0, failed = 0;
    for (int n = 1; n < 300; n += 1 + n) {
        struct worker *w = new_worker(engine);
        emulation_fail_allocation(n);
        enum event_kind kind = run(w, e, sizeof story - 1);
        bool met = emulation_allocation_failed();
        emulation_fail_allocation(0);
        if (kind == EVENT_DONE)
            CHECK(e->complete && most_apart(e, cpu) < 1e-3, "allocation %d: off by %g", n, most_apart(e, cpu));
        else
            CHECK(e->error.code == ERROR_MEMORY && strstr(e->error.message, "no memory left"), "allocation %d: %s", n,
                  e->error.message);
        done += met && kind == EVENT_DONE;
        failed += kind == EVENT_FAILED;
        worker_free(w);
    }
    CHECK(done > 0 && failed > 0, "after a failure %d times done, %d times not", done, failed);
    engine_close(engine);
    explanation_free(e);
}

/* From far too little memory to enough: the CPU's numbers or a sentence, never anything else. */
static void test_little_memory(const struct explanation *cpu)
{
    static const size_t megabytes[] = {1, 76, 200};
    struct explanation *e = explanation_new();
    struct engine *engine = open_engine("cuda", PRECISION_F32);
    int done = 0, failed = 0;
    size_t base = emulation_used(0);
    for (size_t i = 0; i < sizeof megabytes / sizeof *megabytes; i++) {
        struct worker *w = NULL;
        struct error error = {0};
        emulation_set_memory(base + (megabytes[i] << 20));
        enum event_kind kind = EVENT_FAILED;
        if (worker_new(engine, &w, &error) == 0) {
            kind = run(w, e, sizeof story - 1);
            error = e->error;
        }
        if (kind == EVENT_DONE)
            CHECK(most_apart(e, cpu) < 1e-3, "%zu MB: off by %g", megabytes[i], most_apart(e, cpu));
        else
            CHECK(error.code == ERROR_MEMORY && strstr(error.message, "no memory left"), "%zu MB: %s", megabytes[i],
                  error.message);
        done += kind == EVENT_DONE;
        failed += kind == EVENT_FAILED;
        worker_free(w);
    }
    CHECK(done > 0 && failed > 0, "%d times done, %d times too little", done, failed);
    engine_close(engine);
    explanation_free(e);
    emulation_reset();
}

static void test_memory(void)
{
    struct explanation *cpu = on_cpu(sizeof story - 1);
    test_failing_allocations(cpu);
    test_little_memory(cpu);
    explanation_free(cpu);
}

int main(int argc, char **argv)
{
    model = argc > 1 ? argv[1] : "assets/demo.gguf";
    test_several();
    test_lost();
    test_memory();
    return test_end();
}
