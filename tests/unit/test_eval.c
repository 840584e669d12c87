/* What `eval` computes by itself: scores of maps, their intervals, and which units the truth names. */
#include "tui/score.h"
#include "tui/truth.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tests/test.h"

static bool near(double a, double b)
{
    return fabs(a - b) < 1e-9;
}

/* -- scores -------------------------------------------------------------------------------------------------------- */

static void test_hit(void)
{
    static const bool good[] = {false, true, true, false};
    CHECK(score_hit((double[]){1, 3, 2, 0}, good, 4) == 1, "the greatest is good");
    CHECK(score_hit((double[]){4, 3, 2, 0}, good, 4) == 0, "the greatest is not");
    CHECK(score_hit((double[]){-4, -3, -5, -9}, good, 4) == 1, "all are negative");
    CHECK(score_hit((double[]){3, 3, 2, 3}, good, 4) == 1.0 / 3, "one of three that tie");
    CHECK(score_hit((double[]){0, 0, 0, 0}, good, 4) == 0.5, "an even map has the share of good ones");
}

static void test_mass(void)
{
    static const bool good[] = {true, false, true, false};
    static const double map[] = {4, 2, 1, 1};
    CHECK(near(score_precision(map, good, 4), 5.0 / 8), "%g", score_precision(map, good, 4));
    CHECK(near(score_recall(map, good, 4), (1 + 0.25) / 2), "%g", score_recall(map, good, 4));
    CHECK(near(score_precision((double[]){2, 2, 2, 2}, good, 4), 0.5), "an even map has the share of good ones");
    CHECK(near(score_recall((double[]){2, 2, 2, 2}, good, 4), 1), "an even map finds all");
    CHECK(near(score_precision((double[]){0, 0, 0, 0}, good, 4), 0.5), "an empty map is an even one");
    CHECK(near(score_recall((double[]){0, 0, 0, 0}, good, 4), 1), "an empty map is an even one");
}

static void test_order(void)
{
    static const double map[] = {1, 5, 5, -2, 5, 3};
    int first[6] = {0};
    for (uint64_t seed = 0; seed < 3000; seed++) {
        struct chance random = {seed};
        size_t order[6];
        bool seen[6] = {false};
        score_order(map, 6, &random, order);
        for (int i = 0; i < 6; i++)
            seen[order[i]] = true;
        for (int i = 0; i < 6; i++)
            CHECK(seen[i] && (i == 0 || map[order[i - 1]] >= map[order[i]]), "seed %d, place %d", (int)seed, i);
        first[order[0]]++;
    }
    CHECK(first[1] + first[2] + first[4] == 3000, "only the greatest come first");
    for (int i = 0; i < 3; i++) /* 1000 each, 26 being the standard deviation */
        CHECK(abs(first[(int[]){1, 2, 4}[i]] - 1000) < 150, "of equals each as often as the others: %d",
              first[(int[]){1, 2, 4}[i]]);
}

static void test_random(void)
{
    struct chance random = {7}, again = {7};
    double sum = 0;
    for (int i = 0; i < 10000; i++) {
        double x = chance_next(&random);
        CHECK(x >= 0 && x < 1 && x == chance_next(&again), "number %d: %g", i, x);
        sum += x;
    }
    CHECK(fabs(sum / 10000 - 0.5) < 0.02, "mean %g", sum / 10000);
}

static void test_intervals(void)
{
    double rate[50] = {0}, numbers[400];
    for (int i = 0; i < 45; i++)
        rate[i] = 1;
    struct score_estimate e = score_rate(rate, 50); /* Wilson's for 45 of 50, from tables */
    CHECK(near(e.value, 0.9) && fabs(e.low - 0.7864) < 1e-4 && fabs(e.high - 0.9565) < 1e-4 && e.count == 50,
          "%g: %g..%g", e.value, e.low, e.high);
    e = score_rate(rate, 45);
    CHECK(e.value == 1 && fabs(e.low - 0.9213) < 1e-4 && e.high == 1, "all: %g..%g", e.low, e.high);

    struct chance random = {1};
    for (int i = 0; i < 400; i++) /* standard deviation 1 / sqrt(12), so of the mean 0.0144 */
        numbers[i] = chance_next(&random);
    e = score_mean(numbers, 400, 3);
    CHECK(e.low < e.value && e.value < e.high, "%g: %g..%g", e.value, e.low, e.high);
    CHECK(fabs(e.high - e.low - 2 * 1.96 * 0.01443) < 0.008, "wide %g", e.high - e.low);
    struct score_estimate same = score_mean(numbers, 400, 3);
    CHECK(same.low == e.low && same.high == e.high, "the same seed gives the same interval");
    e = score_mean((double[]){2, 2, 2}, 3, 0);
    CHECK(near(e.value, 2) && near(e.low, 2) && near(e.high, 2), "of equals");
    e = score_mean(NULL, 0, 0);
    CHECK(isnan(e.value) && e.count == 0 && isnan(score_rate(NULL, 0).low), "of nothing");
}

/* -- truth --------------------------------------------------------------------------------------------------------- */

static struct explanation explanation_of(const char *prompt, struct token *tokens, size_t token_count,
                                         struct unit *units, size_t unit_count)
{
    return (struct explanation){.prompt = (char *)prompt,
                                .prompt_length = strlen(prompt),
                                .tokens = tokens,
                                .token_count = token_count,
                                .units = units,
                                .unit_count = unit_count};
}

static void test_words(void)
{
    static const char prompt[] = "Tom has a  hat";
    struct unit units[] = {
        {.kind = UNIT_SPECIAL},
        {.kind = UNIT_WORD, .first = 1, .last = 1, .start = 0, .end = 4},
        {.kind = UNIT_WORD, .first = 2, .last = 2, .start = 4, .end = 8},
        {.kind = UNIT_WORD, .first = 3, .last = 3, .start = 8, .end = 11},
        {.kind = UNIT_WORD, .first = 4, .last = 4, .start = 11, .end = 14},
        {.kind = UNIT_TARGET, .first = 5, .last = 5, .start = 14, .end = 14},
        {.kind = UNIT_PATCH, .first = 0, .last = 0},
    };
    struct explanation e = explanation_of(prompt, NULL, 0, units, 7);
    struct dataset_span spans[] = {{3, 5}, {12, 13}};
    struct dataset_case c = {.prompt = (char *)prompt, .spans = spans, .span_count = 2};
    struct truth t;
    struct error error = {0};
    CHECK(truth_find(&e, TRUTH_TEXT, &c, &(struct truth_masks){0}, &t, &error) == 0, "%s", error.message);
    CHECK(t.count == 4 && t.unit[0] == 1 && t.unit[3] == 4, "%zu words can win", t.count);
    CHECK(!t.good[0], "only the space behind a word is meant");
    CHECK(t.good[1] && !t.good[2] && t.good[3] && t.good_count == 2, "a byte of it is");
    truth_free(&t);
}

static void test_patches(void)
{
    struct image *image = NULL;
    struct error error = {0};
    CHECK(image_new(9, 6, &image, &error) == 0, "%s", error.message);
    struct picture picture = {.image = image, .first = 0, .columns = 4, .rows = 2};
    struct token tokens[8];
    for (int i = 0; i < 8; i++) /* patches of 2.5 x 3 pixels; the last column hangs over into padding */
        tokens[i] = (struct token){.kind = TOKEN_IMAGE,
                                   .rect = {2.5f * (float)(i % 4), 3.0f * (float)(i / 4), i % 4 == 3 ? 1.5f : 2.5f, 3}};
    struct unit units[] = {
        {.kind = UNIT_PATCH, .first = 0, .last = 0},
        {.kind = UNIT_PATCH, .first = 1, .last = 1},
        {.kind = UNIT_PATCH, .first = 7, .last = 7},
        {.kind = UNIT_PATCH, .first = 0, .last = 5, .columns = 2, .rows = 2, .stride = 4},
        {.kind = UNIT_PATCH, .first = 2, .last = 7, .columns = 2, .rows = 2, .stride = 4},
    };
    struct explanation e = explanation_of("", tokens, 8, units, 5);
    e.pictures = &picture;
    e.picture_count = 1;
    struct dataset_rect rect = {
        .image = 0, .x = 2.2, .y = 1, .width = 0.5, .height = 1.5}; /* pixel 2 of rows 1 and 2 */
    struct dataset_case c = {.rects = &rect, .rect_count = 1, .images = (char *[]){NULL}, .image_count = 1};
    struct truth_masks masks;
    struct truth t;
    CHECK(truth_masks_read(&c, &image, &masks, &error) == 0, "%s", error.message);
    for (int i = 0; i < 54; i++)
        CHECK(masks.mask[0][i] == (i == 11 || i == 20), "pixel %d is %d", i, masks.mask[0][i]);
    CHECK(truth_find(&e, TRUTH_PICTURES, &c, &masks, &t, &error) == 0, "%s", error.message);
    CHECK(t.count == 5 && t.good_count == 3, "%zu of %zu", t.good_count, t.count);
    CHECK(t.good[0] && near(t.cover[0], 1 / 7.5), "half a column of two rows: %g", t.cover[0]);
    CHECK(t.good[1] && near(t.cover[1], 1 / 7.5), "and the other half: %g", t.cover[1]);
    CHECK(!t.good[2] && !t.good[4], "others are clear of it");
    CHECK(t.good[3] && near(t.cover[3], 2 / 30.0), "a tile: %g", t.cover[3]);
    truth_free(&t);
    truth_masks_free(&masks);
    image_release(image);
}

int main(void)
{
    test_hit();
    test_mass();
    test_order();
    test_random();
    test_intervals();
    test_words();
    test_patches();
    return test_end();
}
