/* Inquiries as a front end makes them, on the shipped model (or the one named on the command line): when they are
 * answered, what ends them, and what they leave alone. */
#include <math.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "core/clock.h"
#include "core/engine.h"

#include "tests/test.h"

static const char story[] = "Anna has a red ball. Tom has a blue hat. Mia has a green car. What does Tom have? A";

static struct engine *engine;

struct session {
    struct worker *w;
    struct explanation *e;
    int seen[EVENT_FAILED + 1]; /* events of each kind */
};

static struct session session_new(void)
{
    struct session s = {.e = explanation_new()};
    struct error error = {0};
    CHECK(worker_new(engine, &s.w, &error) == 0, "%s", error.message);
    return s;
}

static void session_free(struct session *s)
{
    worker_free(s->w);
    explanation_free(s->e);
}

/* Take the next event, whatever it is. */
static enum event_kind next(struct session *s)
{
    enum event_kind kind;
    while (!worker_next(s->w, s->e, &kind)) {
        struct pollfd wait = {worker_fd(s->w), POLLIN, 0};
        if (poll(&wait, 1, 60000) <= 0) {
            CHECK(false, "no event for a minute");
            exit(test_end());
        }
    }
    s->seen[kind]++;
    return kind;
}

static void wait_for(struct session *s, enum event_kind wanted)
{
    while (next(s) != wanted)
        ;
}

static bool is_over(const struct answer *a)
{
    return a->state != ANSWER_NONE && a->state != ANSWER_BUSY;
}

/* Until the answer is over; returns how. */
static enum answer_state finish(struct session *s, const struct answer *a)
{
    do
        next(s);
    while (!is_over(a));
    return a->state;
}

static struct request request_of(const char *prompt)
{
    return (struct request){.prompt = prompt,
                            .prompt_length = strlen(prompt),
                            .generate = 3,
                            .explain = true,
                            .units = "word",
                            .method = method_default()};
}

static void submit(struct session *s, const char *prompt, bool explain, enum map_kind map)
{
    struct request r = request_of(prompt);
    r.explain = explain;
    r.map = map;
    CHECK(worker_submit(s->w, &r) > 0, "not accepted");
}

static void submit_steered(struct session *s, const struct steer *steer)
{
    struct request r = request_of(story);
    r.steers = steer;
    r.steer_count = 1;
    CHECK(worker_submit(s->w, &r) > 0, "not accepted");
}

static void ask(struct session *s, enum inquiry_kind kind, int token, int32_t id)
{
    CHECK(worker_inquire(s->w, &(struct inquiry){kind, token, id, {-1, -1}}), "no memory");
}

static void test_nothing_to_ask_about(void)
{
    struct session s = session_new();
    ask(&s, INQUIRY_PROOF, 0, 1);
    CHECK(finish(&s, &s.e->proof.answer) == ANSWER_FAILED && s.e->proof.answer.error.message[0], "before any request");
    submit(&s, story, false, MAP_ATMAN);
    wait_for(&s, EVENT_DONE);
    ask(&s, INQUIRY_PAIRS, 0, 1);
    CHECK(finish(&s, &s.e->pairs.answer) == ANSWER_FAILED, "an output without an explanation");
    submit(&s, story, true, MAP_ROLLOUT);
    wait_for(&s, EVENT_DONE);
    ask(&s, INQUIRY_PAIRS, 0, 1);
    CHECK(finish(&s, &s.e->pairs.answer) == ANSWER_FAILED, "rollout has no probes");
    submit(&s, story, true, MAP_ATMAN);
    wait_for(&s, EVENT_DONE);
    ask(&s, INQUIRY_PROOF, (int)s.e->output_count, 1);
    CHECK(finish(&s, &s.e->proof.answer) == ANSWER_FAILED, "a token that is not there");
    ask(&s, INQUIRY_PROOF, 0, -1);
    CHECK(finish(&s, &s.e->proof.answer) == ANSWER_FAILED, "no token at all");
    worker_inquire(s.w, &(struct inquiry){INQUIRY_PAIRS, 0, 1, {2, 2}});
    CHECK(finish(&s, &s.e->pairs.answer) == ANSWER_FAILED, "a unit is no pair");
    worker_inquire(s.w, &(struct inquiry){INQUIRY_PAIRS, 0, 1, {2, (int)s.e->unit_count}});
    CHECK(finish(&s, &s.e->pairs.answer) == ANSWER_FAILED, "a unit that is not there");
    session_free(&s);
}

/* The explanation stays as it is, and the same question has the same answer. */
static void test_proof(void)
{
    struct session s = session_new();
    submit(&s, story, true, MAP_ATMAN);
    wait_for(&s, EVENT_DONE);
    size_t bytes = s.e->unit_count * s.e->output_count * (1 + CANDIDATES) * sizeof(float);
    float *before = malloc(bytes);
    memcpy(before, s.e->relevance, bytes);
    struct cost cost = s.e->cost;
    ask(&s, INQUIRY_PROOF, 1, s.e->output[1].id);
    CHECK(finish(&s, &s.e->proof.answer) == ANSWER_DONE, "%s", s.e->proof.answer.error.message);
    struct proof first = s.e->proof;
    CHECK(s.seen[EVENT_PROOF] > first.point_count && first.point_count > 3, "%d events", s.seen[EVENT_PROOF]);
    CHECK(first.orders == PROOF_ORDERS && isfinite(first.area), "%d orders, area %g", first.orders, first.area);
    CHECK(fabs(first.logprob - s.e->output[1].logprob) < 1e-5, "the whole prompt: %g", first.logprob);
    CHECK(first.flip.state != FLIP_UNKNOWN, "the flip set is not known");
    CHECK(memcmp(before, s.e->relevance, bytes) == 0 && s.e->complete && !s.e->busy, "the explanation is another");
    CHECK(memcmp(&cost, &s.e->cost, sizeof cost) == 0, "its cost is another");
    ask(&s, INQUIRY_PROOF, 1, s.e->output[1].id);
    finish(&s, &s.e->proof.answer);
    CHECK(s.e->proof.area == first.area && s.e->proof.flip.count == first.flip.count, "another answer");
    for (int i = 0; i < first.point_count; i++)
        CHECK(s.e->proof.point[i].ranked == first.point[i].ranked &&
                  s.e->proof.point[i].random == first.point[i].random,
              "point %d", i);
    free(before);
    session_free(&s);
}

/* What is not the most probable is to become so. */
static void test_flip_to_candidate(void)
{
    struct session s = session_new();
    submit(&s, story, true, MAP_ATMAN);
    wait_for(&s, EVENT_DONE);
    int32_t id = s.e->output[0].candidates[1].id;
    ask(&s, INQUIRY_PROOF, 0, id);
    finish(&s, &s.e->proof.answer);
    const struct flip *flip = &s.e->proof.flip;
    CHECK(fabs(s.e->proof.logprob - s.e->output[0].candidates[1].logprob) < 1e-5, "another's probability");
    CHECK(flip->state != FLIP_UNKNOWN && (flip->state == FLIP_NONE || flip->id == id), "it says %d, not %d", flip->id,
          id);
    session_free(&s);
}

/* A steered output is one that the model, left alone, would not say: what then is the most probable is its own. */
static void test_flip_of_steered(void)
{
    struct session s = session_new();
    submit(&s, story, true, MAP_ATMAN);
    wait_for(&s, EVENT_DONE);
    int32_t said = s.e->output[0].id, steered = said;
    double logprob = s.e->output[0].logprob;
    int units = (int)s.e->unit_count - (int)s.e->output_count + 1;
    for (int unit = 1; unit < units && steered == said; unit++) {
        struct steer steer = {unit, 0};
        submit_steered(&s, &steer);
        wait_for(&s, EVENT_DONE);
        steered = s.e->output[0].id;
    }
    CHECK(steered != said, "no unit steers the output");
    ask(&s, INQUIRY_PROOF, 0, steered);
    CHECK(finish(&s, &s.e->proof.answer) == ANSWER_DONE, "%s", s.e->proof.answer.error.message);
    const struct flip *flip = &s.e->proof.flip;
    CHECK(flip->state == FLIP_FOUND && flip->id == steered, "suppressed to %d, not to %d", flip->id, steered);
    ask(&s, INQUIRY_PROOF, 0, said);
    CHECK(finish(&s, &s.e->proof.answer) == ANSWER_DONE, "%s", s.e->proof.answer.error.message);
    CHECK(fabs(s.e->proof.logprob - logprob) < 1e-4, "its own token: %g, not %g", s.e->proof.logprob, logprob);
    CHECK(flip->state == FLIP_FOUND && flip->id != said && flip->asked_logprob < logprob, "still %d: %g", flip->id,
          flip->asked_logprob);
    session_free(&s);
}

/* An inquiry waits for the probes; a wish for another target is granted meanwhile. */
static void test_waits(void)
{
    struct session s = session_new();
    submit(&s, story, true, MAP_ATMAN);
    ask(&s, INQUIRY_PAIRS, 0, 1);
    wait_for(&s, EVENT_DONE);
    CHECK(!is_over(&s.e->pairs.answer), "answered before the map");
    CHECK(finish(&s, &s.e->pairs.answer) == ANSWER_DONE, "%s", s.e->pairs.answer.error.message);
    CHECK(s.e->pairs.count == PAIR_MOST, "%d pairs", s.e->pairs.count);
    ask(&s, INQUIRY_PROOF, 0, s.e->output[0].id);
    worker_retarget(s.w, 0, 5);
    wait_for(&s, EVENT_CHOSEN);
    CHECK(s.e->chosen_id == 5, "another target");
    CHECK(finish(&s, &s.e->proof.answer) == ANSWER_DONE, "%s", s.e->proof.answer.error.message);
    session_free(&s);
}

/* A wish for another target that comes while the output is written waits for its probes. */
static void test_early_choice(void)
{
    struct session s = session_new();
    struct request r = request_of(story);
    r.generate = 24;
    r.direct = true;
    r.method.similarity = NAN;
    CHECK(worker_submit(s.w, &r) > 0, "not accepted");
    wait_for(&s, EVENT_TOKEN);
    worker_retarget(s.w, 0, 5);
    wait_for(&s, EVENT_DONE);
    if (!s.seen[EVENT_CHOSEN] && s.e->chosen_id != 5)
        wait_for(&s, EVENT_CHOSEN);
    CHECK(s.e->chosen_id == 5, "the wish is forgotten");
    session_free(&s);
}

static void test_two_units(void)
{
    struct session s = session_new();
    submit(&s, story, true, MAP_ATMAN);
    wait_for(&s, EVENT_DONE);
    CHECK(worker_inquire(s.w, &(struct inquiry){INQUIRY_PAIRS, 0, s.e->output[0].id, {4, 2}}), "no memory");
    CHECK(finish(&s, &s.e->pairs.answer) == ANSWER_DONE, "%s", s.e->pairs.answer.error.message);
    const struct pair *pair = &s.e->pairs.pair[0];
    CHECK(s.e->pairs.count == 1 && pair->unit[0] == 4 && pair->unit[1] == 2, "another pair");
    for (int i = 0; i < 2; i++)
        CHECK(fabs(pair->alone[i] - explanation_relevance(s.e, (size_t)pair->unit[i], 0, 0)) < 1e-4, "alone: %g",
              pair->alone[i]);
    session_free(&s);
}

/* The nth unit that begins with a word, after the space before it. */
static int find_unit(const struct explanation *e, const char *word, int nth)
{
    for (int u = 0; u < (int)e->unit_count; u++) {
        const char *text = e->prompt + e->units[u].start;
        while (*text == ' ')
            text++;
        if (e->units[u].end > e->units[u].start && strncmp(text, word, strlen(word)) == 0 && nth-- == 0)
            return u;
    }
    CHECK(false, "there is no %s", word);
    return 0;
}

/* What two units of a prompt are to each other for an output token. */
static enum pair_bond bond_in(const char *prompt, int token, const char *first, int nth_first, const char *second,
                              int nth_second)
{
    struct session s = session_new();
    submit(&s, prompt, true, MAP_ATMAN);
    wait_for(&s, EVENT_DONE);
    struct inquiry inquiry = {INQUIRY_PAIRS,
                              token,
                              s.e->output[token].id,
                              {find_unit(s.e, first, nth_first), find_unit(s.e, second, nth_second)}};
    worker_inquire(s.w, &inquiry);
    CHECK(finish(&s, &s.e->pairs.answer) == ANSWER_DONE, "%s", s.e->pairs.answer.error.message);
    const struct pair *pair = &s.e->pairs.pair[0];
    printf("%s, %s: %.2f, %.2f, both %.2f\n", first, second, pair->alone[0], pair->alone[1], pair->both);
    enum pair_bond bond = pair_bond(&s.e->pairs, pair);
    session_free(&s);
    return bond;
}

/* What is said twice is an OR; what is had and who is asked about are an AND. */
static void test_and_or(void)
{
    static const char twice[] = "Tom has a blue hat. Tom has a blue hat. What has Tom?";
    enum pair_bond bond = bond_in(twice, 1, "blue", 0, "blue", 1);
    CHECK(bond == PAIR_STANDING_IN, "said twice: %s", pair_bond_name(bond));
    bond = bond_in(story, 0, "blue", 0, "Tom", 1);
    CHECK(bond == PAIR_BACKING, "both needed: %s", pair_bond_name(bond));
}

static void cancel(struct session *s)
{
    worker_cancel(s->w);
}

static void ask_for_pairs(struct session *s)
{
    ask(s, INQUIRY_PAIRS, 0, s->e->output[0].id);
}

/* Whether a proof under way is stopped by what ends it; tried again where a busy machine had finished it before. */
static bool ends_early(struct session *s, void (*end)(struct session *))
{
    for (int tries = 0; tries < 20; tries++) {
        ask(s, INQUIRY_PROOF, 0, s->e->output[0].id);
        while (s->e->proof.point_count == 0)
            next(s);
        double before = clock_now();
        end(s);
        if (finish(s, &s->e->proof.answer) == ANSWER_STOPPED) {
            printf("stopped in %.1f ms\n", 1e3 * (clock_now() - before));
            return true;
        }
    }
    return false;
}

static void test_ends(void)
{
    struct session s = session_new();
    submit(&s, story, true, MAP_ATMAN);
    ask(&s, INQUIRY_PROOF, 0, 1);
    worker_cancel(s.w);
    CHECK(finish(&s, &s.e->proof.answer) == ANSWER_STOPPED, "cancelled while it waited");
    submit(&s, story, true, MAP_ATMAN);
    wait_for(&s, EVENT_DONE);
    CHECK(ends_early(&s, cancel), "cancelled while it ran");
    CHECK(s.e->proof.point_count > 0 && isnan(s.e->proof.area) == (s.e->proof.orders == 0), "what was there is gone");
    CHECK(ends_early(&s, ask_for_pairs), "another inquiry came");
    CHECK(finish(&s, &s.e->pairs.answer) == ANSWER_DONE, "%s", s.e->pairs.answer.error.message);
    ask(&s, INQUIRY_PROOF, 0, s.e->output[0].id);
    while (s.e->proof.point_count == 0)
        next(&s);
    submit(&s, "The cat has a", true, MAP_ATMAN);
    s.seen[EVENT_PROOF] = 0;
    wait_for(&s, EVENT_DONE);
    CHECK(s.e->proof.answer.state == ANSWER_NONE && s.seen[EVENT_PROOF] == 0, "of an older request");
    ask(&s, INQUIRY_PROOF, 0, s.e->output[0].id);
    session_free(&s); /* while it is under way */
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
    test_nothing_to_ask_about();
    test_proof();
    test_flip_to_candidate();
    test_flip_of_steered();
    test_waits();
    test_early_choice();
    test_two_units();
    test_and_or();
    test_ends();
    engine_close(engine);
    return test_end();
}
