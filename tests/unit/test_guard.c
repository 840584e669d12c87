/* What `guard` computes by itself: places of words, shares and ranks with their noise, verdicts, and moved limits. */
#include "tests/test.h"
#include "tui/guard.h"
#include "tui/verdict.h"

static bool near(double a, double b)
{
    return fabs(a - b) < 1e-9;
}

static bool is_range(struct verdict_range r, double value, double low, double high)
{
    return near(r.value, value) && near(r.low, low) && near(r.high, high);
}

/* -- places -------------------------------------------------------------------------------------------------------- */

/* Where words are, as "start-end start-end". */
static const char *places(const char *text, const char *words)
{
    static char list[200];
    size_t count;
    struct dataset_span *spans = guard_find(text, words, &count);
    *list = '\0';
    for (size_t i = 0; i < count; i++)
        snprintf(list + strlen(list), sizeof list - strlen(list), "%s%zu-%zu", i ? " " : "", spans[i].start,
                 spans[i].end);
    free(spans);
    return list;
}

static void test_places(void)
{
    static const struct {
        const char *text, *words, *places;
    } cases[] = {
        {"Tom has Tom.", "Tom", "0-3 8-11"},
        {"Tomato, aTom, Tom_, Tom1", "Tom", ""},
        {"(Tom)-Tom\nTom", "Tom", "1-4 6-9 10-13"},
        {"a blue hat, blue  hat", "blue hat", "2-10"},
        {"the red, red", " red", "4-7 9-12"},
        {"aa aa aa", "aa aa", "0-5 3-8"},
        {"caf\xc3\xa9 caf", "caf", "6-9"},
        {"caf\xc3\xa9s caf\xc3\xa9", "caf\xc3\xa9", "7-12"},
        {"\xe6\x88\x91Tom\xe6\x98\xaf\xe6\x98\xaf", "Tom", "3-6"}, /* a script that sets no words apart */
        {"\xe6\x88\x91Tom\xe6\x98\xaf\xe6\x98\xaf", "\xe6\x98\xaf", "6-9 9-12"},
        {"what?? why?", "?", "4-5 5-6 10-11"},
        {"", "Tom", ""},
        {"Tom", "Tom has", ""},
        {"a b", " \n", ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        CHECK(strcmp(places(cases[i].text, cases[i].words), cases[i].places) == 0, "\"%s\" in \"%s\": %s",
              cases[i].words, cases[i].text, places(cases[i].text, cases[i].words));
}

/* -- ranges -------------------------------------------------------------------------------------------------------- */

static void test_share(void)
{
    static const double relevance[] = {1, -2, 3, 0, 4};
    static const bool named[] = {true, true, false, false, true}, none[5] = {false};
    CHECK(is_range(verdict_share(relevance, named, 5, 0), 5 / 8.0, 5 / 8.0, 5 / 8.0),
          "what is negative does not count");
    CHECK(is_range(verdict_share(relevance, named, 5, 0.5), 5 / 8.0, 4 / 8.0, 6 / 8.5), "half a nat of noise");
    CHECK(is_range(verdict_share(relevance, none, 5, 0), 0, 0, 0), "nothing is named");
    CHECK(is_range(verdict_share((double[]){-1, 0}, (bool[]){true, false}, 2, 0), 0, 0, 0), "nothing supports");
    CHECK(is_range(verdict_share((double[]){0, 0}, (bool[]){true, false}, 2, 0.1), 0, 0, 1), "nothing is known");
    CHECK(is_range(verdict_share((double[]){2, -1}, (bool[]){true, false}, 2, 0), 1, 1, 1), "all of it");
}

static void test_rank(void)
{
    static const double relevance[] = {1, -2, 3, 0, 4, 1};
    CHECK(is_range(verdict_rank(relevance, (bool[]){0, 0, 0, 0, 1, 0}, 6, 0), 1, 1, 1), "the first");
    CHECK(is_range(verdict_rank(relevance, (bool[]){0, 1, 0, 0, 0, 0}, 6, 0), 6, 6, 6),
          "what speaks against comes last");
    CHECK(is_range(verdict_rank(relevance, (bool[]){0, 1, 1, 0, 0, 0}, 6, 0), 2, 2, 2), "the best of two");
    CHECK(is_range(verdict_rank(relevance, (bool[]){1, 0, 0, 0, 0, 0}, 6, 0), 3, 3, 4), "a tie leaves both places");
    CHECK(is_range(verdict_rank(relevance, (bool[]){0, 0, 1, 0, 0, 0}, 6, 0.5), 2, 1, 2), "a nat apart, half off each");
    CHECK(is_range(verdict_rank(relevance, (bool[]){0, 0, 1, 0, 0, 0}, 6, 0.4), 2, 2, 2), "further apart than that");
}

static void test_judge(void)
{
    static const struct verdict_range r = {0.5, 0.4, 0.6};
    CHECK(verdict_judge(&r, 0.4, 0.6) == VERDICT_HELD);
    CHECK(verdict_judge(&r, NAN, NAN) == VERDICT_HELD);
    CHECK(verdict_judge(&r, 0.41, NAN) == VERDICT_UNDECIDED);
    CHECK(verdict_judge(&r, 0.6, NAN) == VERDICT_UNDECIDED);
    CHECK(verdict_judge(&r, 0.61, NAN) == VERDICT_FAILED);
    CHECK(verdict_judge(&r, NAN, 0.59) == VERDICT_UNDECIDED);
    CHECK(verdict_judge(&r, NAN, 0.39) == VERDICT_FAILED);
    CHECK(verdict_judge(&r, 0.7, 0.8) == VERDICT_FAILED);
}

static void test_move(void)
{
    struct guard_check share = {.kind = GUARD_SHARE, .min = 0.45, .max = 0.55};
    struct guard_check rank = {.kind = GUARD_RANK, .min = NAN, .max = 2};
    struct verdict v = {.range = {0.5, 0.4, 0.6}};
    double min, max;
    verdict_move(&share, &v, &min, &max);
    CHECK(near(min, 0.36) && near(max, 0.66), "%g %g", min, max);
    v.range = (struct verdict_range){0.98, 0.97, 0.99};
    verdict_move(&share, &v, &min, &max);
    CHECK(isnan(min) && max == 1, "what holds stays, and no share is above 1: %g %g", min, max);
    v.range = (struct verdict_range){4, 3, 5};
    verdict_move(&rank, &v, &min, &max);
    CHECK(isnan(min) && max == 5, "%g %g", min, max);
}

/* -- explanations -------------------------------------------------------------------------------------------------- */

enum { UNITS = 6, TOKENS = 2, CHOICES = 1 + CANDIDATES };

static const char prompt[] = "Tom has a blue hat";

/* <s>, then the words; the answer has two tokens, of which the first is a unit for the second. */
static struct explanation *make(void)
{
    static struct unit units[UNITS] = {
        {.kind = UNIT_SPECIAL, .first = 0, .last = 0},
        {.kind = UNIT_WORD, .first = 1, .last = 1, .start = 0, .end = 4},
        {.kind = UNIT_WORD, .first = 2, .last = 3, .start = 4, .end = 10},
        {.kind = UNIT_WORD, .first = 4, .last = 4, .start = 10, .end = 15},
        {.kind = UNIT_WORD, .first = 5, .last = 5, .start = 15, .end = 18},
        {.kind = UNIT_TARGET, .first = 6, .last = 6},
    };
    static const float relevance[UNITS][TOKENS] = {{50, 50}, {1, 2}, {-1, 0.5f}, {4, 0}, {0, 3}, {0, 70}};
    static float values[UNITS * TOKENS * CHOICES];
    static bool measured[UNITS] = {true, true, true, true, true, true};
    static struct output_token output[TOKENS];
    static struct explanation e;
    for (size_t u = 0; u < UNITS; u++)
        for (size_t t = 0; t < TOKENS; t++)
            values[(u * TOKENS + t) * CHOICES] = relevance[u][t];
    output[0].logprob = log(0.5);
    output[1].logprob = log(0.8);
    e = (struct explanation){.units = units,
                             .unit_count = UNITS,
                             .token_count = 6,
                             .output = output,
                             .output_count = TOKENS,
                             .relevance = values,
                             .measured = measured,
                             .noise_floor = 0.25,
                             .foil = {.token = -1}};
    return &e;
}

static struct verdict verdict_on(struct explanation *e, enum guard_kind kind, const char *words, double min, double max)
{
    struct guard_check k = {.kind = kind, .name = "it", .min = min, .max = max, .answer = "A blue hat."};
    struct verdict v = {0};
    if (words)
        k.spans = guard_find(prompt, words, &k.span_count);
    CHECK(verdict_of(&k, e, " A blue hat.\n", &v, NULL) == 0);
    free(k.spans);
    return v;
}

static void test_explanation(void)
{
    struct explanation *e = make();
    struct verdict v = verdict_on(e, GUARD_SHARE, "blue", 0.2, NAN);
    CHECK(v.outcome == VERDICT_HELD && is_range(v.range, 4 / 10.0, 3.5 / (3.5 + 7), 4.5 / (4.5 + 5)),
          "summed over two tokens, with twice the noise: %g %g %g", v.range.value, v.range.low, v.range.high);
    v = verdict_on(e, GUARD_SHARE, "Tom has", 0.31, NAN);
    CHECK(v.outcome == VERDICT_UNDECIDED && near(v.range.value, 0.3), "two units: %g", v.range.value);
    struct dataset_span has = {4, 10};
    struct guard_check beside = {
        .kind = GUARD_SHARE, .name = "it", .min = 0, .max = NAN, .spans = &has, .span_count = 1};
    CHECK(verdict_of(&beside, e, NULL, &v, NULL) == 0 && near(v.range.value, 0),
          "what ends where it begins, or begins where it ends, is not named: %g", v.range.value);
    v = verdict_on(e, GUARD_RANK, "Tom", NAN, 2);
    CHECK(v.outcome == VERDICT_UNDECIDED && is_range(v.range, 2, 1, 3),
          "specials and the target have no rank: %g %g %g", v.range.value, v.range.low, v.range.high);
    v = verdict_on(e, GUARD_RANK, "a", 4, 4);
    CHECK(v.outcome == VERDICT_HELD, "\"a\" is in \"has a\", the last: %g", v.range.value);
    e->noise_floor = NAN;
    v = verdict_on(e, GUARD_RANK, "blue", 1, 1);
    CHECK(v.outcome == VERDICT_HELD && is_range(v.range, 1, 1, 1), "no noise is known");
    v = verdict_on(e, GUARD_PROBABILITY, NULL, 0.5, NAN);
    CHECK(v.outcome == VERDICT_FAILED && near(v.range.value, 0.4), "of the whole target: %g", v.range.value);
    CHECK(verdict_on(e, GUARD_ANSWER, NULL, NAN, NAN).outcome == VERDICT_HELD, "white space at its ends is left out");
}

static void test_nothing_named(void)
{
    struct explanation *e = make();
    struct guard_check k = {.kind = GUARD_SHARE, .name = "it", .min = 0.1, .max = NAN};
    struct verdict v;
    struct error error;
    CHECK(verdict_of(&k, e, NULL, &v, &error) == ERROR_ARGUMENT && strstr(error.message, "it is no unit"), "%s",
          error.message);
    e->units[1].first = 0; /* the first token of all: its unit does not count */
    k.spans = guard_find(prompt, "Tom", &k.span_count);
    CHECK(verdict_of(&k, e, NULL, &v, &error) == ERROR_ARGUMENT);
    e->units[1].first = 1;
    CHECK(verdict_of(&k, e, NULL, &v, &error) == 0);
    free(k.spans);
    k = (struct guard_check){.kind = GUARD_ANSWER, .answer = "A blue hat."};
    CHECK(verdict_of(&k, e, "A blue  hat.", &v, NULL) == 0 && v.outcome == VERDICT_FAILED);
    CHECK(verdict_of(&k, e, NULL, &v, NULL) == 0 && v.outcome == VERDICT_FAILED, "no answer is none");
}

int main(void)
{
    test_places();
    test_share();
    test_rank();
    test_judge();
    test_move();
    test_explanation();
    test_nothing_named();
    return test_end();
}
