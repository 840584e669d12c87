/* test_difference.c: two explanations by the engine without a model, held against each other. */
#include <poll.h>

#include "core/engine.h"
#include "tests/test.h"
#include "tui/difference.h"
#include "tui/kept.h"

static const struct tokenizer *tokenizer;

static struct explanation *explain(struct worker *worker, struct explanation *explanation, const char *text,
                                   const char *units)
{
    enum event_kind last;
    struct request request = {.prompt = text,
                              .prompt_length = strlen(text),
                              .generate = 4,
                              .explain = true,
                              .units = units,
                              .method = method_default()};
    worker_submit(worker, &request);
    for (;;) {
        struct pollfd fd = {.fd = worker_fd(worker), .events = POLLIN};
        if (poll(&fd, 1, 10000) <= 0)
            return explanation;
        while (worker_next(worker, explanation, &last))
            if (last == EVENT_DONE || last == EVENT_FAILED || last == EVENT_CANCELLED)
                return explanation;
    }
}

static void say(struct words *words, const struct explanation *e, const struct tokenizer *texts)
{
    words_clear(words);
    for (size_t t = 0; t < e->output_count; t++) {
        size_t length;
        const char *text = tokenizer_text(texts, e->output[t].id, &length);
        CHECK(words_add(words, text, length));
    }
}

/* The unit that holds the n-th (0, 1 ..) place of a word in the prompt. */
static long unit_of(const struct explanation *e, const char *word, int n)
{
    const char *at = strstr(e->prompt, word);
    size_t from = 0;
    while (at && n-- > 0)
        at = strstr(at + 1, word);
    return at ? map_unit_at(e, (size_t)(at - e->prompt), &from) : -1;
}

static void test_pairs(const struct explanation *before, const struct explanation *now)
{
    struct words was = {0}, is = {0};
    struct difference d = {0};
    say(&was, before, tokenizer);
    say(&is, now, tokenizer);
    CHECK(difference_make(&d, before, &was, now, &is));
    CHECK(difference_unit_before(&d, unit_of(now, "hat", 0)) == unit_of(before, "hat", 0));
    CHECK(difference_unit_before(&d, unit_of(now, "has", 1)) == unit_of(before, "has", 1));
    CHECK(difference_unit_after(&d, unit_of(before, "have", 0)) == unit_of(now, "have", 0), "have? is have");
    CHECK(difference_unit_before(&d, unit_of(now, "green", 0)) == -1);
    CHECK(difference_unit_after(&d, unit_of(before, "blue", 0)) == -1);
    CHECK(difference_unit_before(&d, 0) == -1, "special units are not paired");
    CHECK(difference_unit_before(&d, 1000000) == -1 && difference_unit_after(&d, -1) == -1);
    CHECK(difference_token_before(&d, 2) == 2 && difference_token_after(&d, 1) == 1);
    CHECK(difference_unit_before(&d, map_unit_of_output(now, 1)) == map_unit_of_output(before, 1));

    size_t at = (size_t)(strstr(now->prompt, "green") - now->prompt),
           was_at = (size_t)(strstr(before->prompt, "blue") - before->prompt);
    CHECK(difference_is_fresh(&d, at) && difference_is_fresh(&d, at + 4) && !difference_is_fresh(&d, at - 1) &&
          !difference_is_fresh(&d, at + 6) && !difference_is_fresh(&d, 1000000));
    CHECK(difference_is_gone(&d, was_at) && !difference_is_gone(&d, was_at + 4) && !difference_is_gone(&d, 0));

    struct map map_before = map_of(before, &(struct map_question){.token = 2}),
               map_now = map_of(now, &(struct map_question){.token = 2});
    long hat = unit_of(now, "hat", 0), green = unit_of(now, "green", 0), top[3];
    CHECK(difference_value(&d, &map_before, &map_now, hat) == 0 &&
          isnan(difference_value(&d, &map_before, &map_now, green)));
    double limit = difference_limit(&d, &map_before, &map_now);
    CHECK(limit > 0 && limit < 0.41, "what is made up of others differs by 0.4 at most: %g", limit);
    size_t count = difference_top(&d, &map_before, &map_now, top, 3);
    CHECK(count == 3 && fabs(difference_value(&d, &map_before, &map_now, top[0])) >=
                            fabs(difference_value(&d, &map_before, &map_now, top[1])));
    CHECK(fabs(difference_position(&d, &map_before, &map_now, limit, top[0])) <= 1 &&
          difference_position(&d, &map_before, &map_now, limit, green) == 0);
    map_before = map_of(before, &(struct map_question){.token = before->output_count});
    CHECK(difference_limit(&d, &map_before, &map_now) == 0, "nothing to compare with");
    difference_free(&d);
    words_free(&was);
    words_free(&is);
}

/* Scripts that set no spaces between words: what changed is told by the character. */
static void test_no_spaces(struct worker *worker, struct explanation *now)
{
    struct words was = {0}, is = {0};
    struct difference d = {0};
    explain(worker, now, "我的猫hat在家", "word");
    explain(worker, now, "我的狗hat在家", "word");
    struct explanation *before = now->former;
    now->former = NULL;
    say(&was, before, tokenizer);
    say(&is, now, tokenizer);
    CHECK(difference_make(&d, before, &was, now, &is));
    for (size_t at = 0; at < strlen(now->prompt); at++)
        CHECK(difference_is_fresh(&d, at) == (at / 3 == 2) && difference_is_gone(&d, at) == (at / 3 == 2), "%zu", at);
    difference_free(&d);
    words_free(&was);
    words_free(&is);
    explanation_free(before);
}

/* A word before the first one: what that weighs less now is not what changed most. */
static void test_first_word(void)
{
    struct unit was[] = {{.kind = UNIT_WORD, .first = 0}, {.kind = UNIT_WORD, .first = 1}},
                is[] = {
                    {.kind = UNIT_WORD, .first = 0}, {.kind = UNIT_WORD, .first = 1}, {.kind = UNIT_WORD, .first = 2}};
    float was_nats[2 * (1 + CANDIDATES)] = {90}, is_nats[3 * (1 + CANDIDATES)] = {80};
    bool measured[] = {true, true, true};
    struct output_token output = {.id = 0};
    struct explanation before = {.token_count = 2, .output = &output, .output_count = 1, .units = was, .unit_count = 2,
                                 .measured = measured, .relevance = was_nats, .foil = {.token = -1}},
                       now = {.token_count = 3, .output = &output, .output_count = 1, .units = is, .unit_count = 3,
                              .measured = measured, .relevance = is_nats, .foil = {.token = -1}};
    struct difference d = {.unit_before = (long[]){-1, 0, 1}, .units = 3};
    struct map map_before = map_of(&before, &(struct map_question){0}),
               map_now = map_of(&now, &(struct map_question){0});
    long top[3];
    was_nats[1 + CANDIDATES] = 2;
    is_nats[1 + CANDIDATES] = 3;
    is_nats[2 * (1 + CANDIDATES)] = 1;
    CHECK(difference_value(&d, &map_before, &map_now, 1) == -87 &&
          difference_value(&d, &map_before, &map_now, 2) == -1);
    CHECK(difference_limit(&d, &map_before, &map_now) == 1, "%g", difference_limit(&d, &map_before, &map_now));
    CHECK(difference_top(&d, &map_before, &map_now, top, 3) == 1 && top[0] == 2);
}

/* The answer itself is compared with the answer, though it comes up again in what the other one says later. */
static void test_parting(void)
{
    char was[] = " Rome. The capital of Spain is Madrid.", is[] = " Madrid. The answer is 1.", moved[] = " Oh Rome.";
    size_t was_ends[] = {5, 6, 10, 18, 21, 27, 30, 37, 38}, is_ends[] = {7, 8, 12, 19, 22, 24, 25},
           moved_ends[] = {3, 8, 9};
    bool was_changed[9], is_changed[7], moved_changed[3];
    struct words a = {.text = was, .ends = was_ends, .changed = was_changed, .count = 9},
                 b = {.text = is, .ends = is_ends, .changed = is_changed, .count = 7},
                 c = {.text = moved, .ends = moved_ends, .changed = moved_changed, .count = 3};
    long a_to_b[9], b_to_a[7], c_to_a[3];
    CHECK(words_align(&a, &b, a_to_b, b_to_a));
    CHECK(a_to_b[0] == 0 && b_to_a[0] == 0 && was_changed[0] && is_changed[0], "Rome, Madrid");
    CHECK(a_to_b[1] == 1 && a_to_b[2] == 2 && !was_changed[2] && a_to_b[6] == 4 && !is_changed[4], "the rest as ever");
    CHECK(a_to_b[8] == 6 && b_to_a[6] == 8 && is_changed[3], "behind it too");
    CHECK(words_align(&a, &c, NULL, NULL) && !was_changed[0] && moved_changed[0] && !moved_changed[1], "a word put in");
    CHECK(words_align(&c, &a, c_to_a, NULL) && c_to_a[0] < 0 && c_to_a[1] == 0);
}

/* What was kept has the texts of its tokens, and no other; it is another question if anything of it is. */
static void test_kept(struct explanation *e, const struct engine_info *info)
{
    struct request request = {.method = method_default()}, other = request;
    other.method.factor = 0.5f;
    struct about about = about_of(info, &request), about_other = about_of(info, &other);
    CHECK(strcmp(about.model, "fake, Q8_0") == 0 && strcmp(about.settings[0], "raw") == 0, "%s", about.model);
    CHECK(kept_is_same(e, &about, e, &about) && !kept_is_same(e, &about, e, &about_other));
    size_t length, count = e->output_count;
    const int32_t id = e->output[1].id, candidate = e->output[1].candidates[3].id;
    struct kept *kept = kept_new(e, tokenizer, &about);
    CHECK(kept && kept->explanation == e && count == 4);
    const char *text = tokenizer_text(kept->tokenizer, id, &length);
    CHECK(length == 5 && memcmp(text, " blue", 5) == 0);
    tokenizer_text(kept->tokenizer, candidate, &length);
    CHECK(length > 0);
    kept_free(kept);
}

int main(void)
{
    struct engine *engine;
    struct worker *worker;
    CHECK(engine_open(&(struct engine_options){.model = "fake.gguf"}, &engine, NULL) == 0);
    CHECK(worker_new(engine, &worker, NULL) == 0);
    tokenizer = engine_tokenizer(engine);
    struct explanation *now = explanation_new();
    now->keeps_former = true;
    explain(worker, now, "Anna has a red ball. Tom has a blue hat. What does Tom have?", "word");
    CHECK(now->former == NULL, "nothing was there before");
    explain(worker, now, "Anna has a red ball. Tom now has a green hat. What does Tom have now?", "word");
    struct explanation *before = now->former;
    now->former = NULL;
    CHECK(before && before->complete && !before->busy && strstr(before->prompt, "blue") &&
          strstr(now->prompt, "green"));
    if (before) {
        test_pairs(before, now);
        test_kept(before, engine_info(engine));
    }
    test_parting();
    test_first_word();
    test_no_spaces(worker, now);
    explain(worker, now, "x", "word");
    explain(worker, now, "hat", "word");
    CHECK(now->former && strcmp(now->former->prompt, "x") == 0, "what nobody took is gone");
    explanation_free(now);
    worker_free(worker);
    engine_close(engine);
    return test_end();
}
