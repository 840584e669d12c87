/* test_map.c: questions to an explanation, and the folding of the engine without a model. */
#include <poll.h>

#include "core/engine.h"
#include "tests/test.h"
#include "tui/sources.h"

static const char prompt[] = "Anna has a red ball. Tom has a blue hat.";

/* Run a request to its end. */
static struct explanation *explain(struct worker *worker, const char *text, enum event_kind *last)
{
    struct explanation *explanation = explanation_new();
    struct request request = {.prompt = text,
                              .prompt_length = strlen(text),
                              .generate = 4,
                              .explain = true,
                              .units = "word",
                              .method = method_default()};
    worker_submit(worker, &request);
    for (;;) {
        struct pollfd fd = {.fd = worker_fd(worker), .events = POLLIN};
        if (poll(&fd, 1, 10000) <= 0)
            return explanation;
        while (worker_next(worker, explanation, last))
            if (*last == EVENT_DONE || *last == EVENT_FAILED || *last == EVENT_CANCELLED)
                return explanation;
    }
}

static void test_values(const struct explanation *e)
{
    size_t from = 0;
    long blue = map_unit_at(e, 31, &from), special = 0, none = map_unit_at(e, sizeof prompt + 5, &from);
    CHECK(blue > 0 && none == -1, "%ld %ld", blue, none);
    struct map map = map_of(e, &(struct map_question){.token = 1}); /* token 1 is " blue" */
    CHECK(map.limit == 2, "specials do not set the scale: %g", map.limit);
    CHECK(e->units[special].kind == UNIT_SPECIAL && map_value(&map, special) == 9 && map_rank(&map, special) == 0);
    bool estimated[64] = {false};
    struct explanation low = *e;
    estimated[blue] = true;
    low.estimated = estimated;
    struct map low_map = map_of(&low, &(struct map_question){.token = 1});
    CHECK(map_estimated(&low_map, blue) && !map_estimated(&low_map, blue - 1) && !map_estimated(&map, blue) &&
          !map_estimated(&low_map, none));
    bool measured[64];
    memcpy(measured, e->measured, e->unit_count);
    measured[blue] = false;
    low.measured = measured;
    low.known = NULL;
    CHECK(isnan(map_value(&low_map, blue)) && map_rank(&low_map, blue) == 0);
    CHECK(map_value(&low_map, blue - 1) == map_value(&map, blue - 1), "what is measured stays");
    float value[64 * (1 + CANDIDATES)] = {0};
    low.direct = (struct direct_row[]){{0}, {(size_t)blue + 1, value}};
    low.direct_count = 2; /* token 1's is known */
    CHECK(!isnan(map_value(&low_map, blue)) && map_estimated(&low_map, blue));
    CHECK(map_value(&map, blue) == 2 && map_position(&map, blue) == 1 && map_rank(&map, blue) == 1);
    CHECK(map.measured == e->unit_count - 1);
    struct map_question red = {.token = 1, .contrast = true, .against = 2}, typed = {.token = 1, .choice = MAP_TYPED};
    struct map rather = map_of(e, &red), unasked = map_of(e, &typed);
    CHECK(rather.limit == 3 && map_value(&rather, blue) == 3 && map_value(&rather, special) == 0, "%g %g", rather.limit,
          map_value(&rather, blue));
    CHECK(isnan(map_value(&unasked, blue)) && map_position(&unasked, blue) == 0 &&
          map_top(&unasked, MAP_ALL, NULL, 0) == 0 && map_rank(&unasked, blue) == 0);
    long top[3];
    CHECK(map_top(&map, MAP_ALL, top, 3) == 3 && top[0] == blue);
    CHECK(fabs(map_value(&map, top[1])) == 1, "red is next: %g", map_value(&map, top[1]));
    CHECK(map_unit_of_output(e, 0) > 0 && map_unit_of_output(e, 3) == -1, "the last output token is no unit");
    struct map outside = map_of(e, &(struct map_question){.token = 99, .shared = true});
    CHECK(outside.limit == 0 && isnan(map_value(&outside, blue)));
}

/* Ranks are 1, 2, 3 .. in the order of map_top(); of two alike the one that stands first. */
static void test_ranks(const struct explanation *e)
{
    struct map map = map_of(e, &(struct map_question){.token = 1});
    long top[64];
    size_t n = map_top(&map, MAP_ALL, top, 64), ties = 0;
    for (size_t i = 0; i < n; i++) {
        CHECK(map_rank(&map, top[i]) == i + 1, "%zu: %zu", i + 1, map_rank(&map, top[i]));
        ties += i > 0 && fabs(map_value(&map, top[i])) == fabs(map_value(&map, top[i - 1])) && top[i] > top[i - 1];
    }
    CHECK(n > 3 && ties > 0);
}

/* Where tokens come from: what is within the noise is no source, and while measuring goes on direct paths decide. */
static void test_sources(const struct explanation *e)
{
    struct sources sources = {0};
    size_t from = 0;
    long red = map_unit_at(e, 11, &from), blue = map_unit_at(e, 31, &from);
    sources_find(&sources, e, MAP_ALL_PATHS);
    CHECK(sources_of_token(&sources, 1) > 0 && sources_of_token(&sources, 1) == sources_of_unit(&sources, blue));
    CHECK(sources_of_unit(&sources, red) == SOURCES_NONE && sources_of_token(&sources, 99) == SOURCES_NONE &&
          sources_of_unit(&sources, -1) == SOURCES_NONE);
    struct explanation other = *e;
    other.noise_floor = 2.5;
    sources_find(&sources, &other, MAP_ALL_PATHS);
    CHECK(sources_of_token(&sources, 1) == SOURCES_NONE, "2 nats, of which 2.5 are noise");
    float value[64 * (1 + CANDIDATES)] = {0};
    value[red * (1 + CANDIDATES)] = 3;
    other.noise_floor = e->noise_floor;
    other.direct = (struct direct_row[]){{0}, {e->unit_count, value}};
    other.direct_count = 2;
    sources_find(&sources, &other, MAP_ALL_PATHS);
    CHECK(sources_of_unit(&sources, red) == SOURCES_NONE && sources_of_unit(&sources, blue) > 0);
    other.busy = true;
    sources_find(&sources, &other, MAP_ALL_PATHS);
    CHECK(sources_of_unit(&sources, red) > 0 && sources_of_unit(&sources, blue) == SOURCES_NONE);
    sources_free(&sources);
    CHECK(sources_sign(1, true) == L'1' && sources_sign(9, true) == L'9' && sources_sign(9, false) == L'⁹' &&
          sources_sign(10, false) == L'a' && sources_sign(35, true) == L'z' && sources_sign(36, true) == L'+' &&
          sources_sign(SOURCES_PICTURE, true) == L'#');
}

static void test_scale(struct worker *worker)
{
    enum event_kind last;
    struct explanation *e = explain(worker, "Is the hat of Tom \n\n here?", &last);
    struct map own = map_of(e, &(struct map_question){.token = 1}),
               all = map_of(e, &(struct map_question){.token = 1, .shared = true}),
               choice = map_of(e, &(struct map_question){.token = 1, .choice = 8});
    size_t from = 0;
    CHECK(own.limit < 2 && all.limit == 2 && choice.limit >= own.limit, "%g %g %g", own.limit, all.limit, choice.limit);
    for (int c = 1; c <= CANDIDATES; c++) {
        struct map one = map_of(e, &(struct map_question){.token = 1, .choice = c});
        CHECK(one.limit >= own.limit, "candidate %d is seen on the token's own scale: %g", c, one.limit);
    }
    long hat = map_unit_at(e, 8, &from);
    CHECK(!map_is_margin(e, hat, 7) && map_is_margin(e, hat, 6) && !map_is_margin(e, -1, 6),
          "the space belongs to no word");
    explanation_free(e);
    e = explain(worker, "hat", &last);
    from = 0;
    struct map first = map_of(e, &(struct map_question){.token = 2});
    CHECK(first.limit == 2 || e->units[map_unit_at(e, 0, &from)].first > 0, "a prompt of one unit has a scale");
    explanation_free(e);
}

int main(void)
{
    struct engine_options options = {.model = "fake.gguf"};
    struct engine *engine = NULL;
    struct worker *worker = NULL;
    struct explanation *empty = explanation_new();
    enum event_kind last = EVENT_FAILED;
    struct map map = map_of(empty, &(struct map_question){.shared = true});
    size_t from = 0;
    CHECK(map.limit == 0 && map.measured == 0 && map_unit_at(empty, 0, &from) == -1 &&
          map_unit_of_output(empty, 0) == -1);
    explanation_free(empty);
    CHECK(engine_open(&options, &engine, NULL) == 0 && worker_new(engine, &worker, NULL) == 0);
    struct explanation *e = explain(worker, prompt, &last);
    CHECK(last == EVENT_DONE && e->complete && !e->busy && e->output_count == 4);
    test_values(e);
    test_ranks(e);
    test_sources(e);
    explanation_free(e);
    test_scale(worker);
    e = explain(worker, "this will FAIL", &last);
    CHECK(last == EVENT_FAILED && e->error.code == ERROR_LIMIT);
    explanation_free(e);
    worker_free(worker);
    engine_close(engine);
    return test_end();
}
