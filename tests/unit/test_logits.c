/* The best tokens of a position, also where the vocabulary has fewer than are asked for. */
#include "core/logits.h"

#include <math.h>

#include "tests/test.h"

static void test_order(void)
{
    float logits[12] = {0, 3, -1, 3, 5, 0.5f, 2, -7, 4, 1, 0, 6};
    int32_t expected[CANDIDATES] = {11, 4, 8, 1, 3, 6, 9, 5};
    struct candidate best[CANDIDATES];
    double lse = logits_log_sum_exp(logits, 12), sum = 0;
    for (int i = 0; i < 12; i++)
        sum += exp(logits[i] - lse);
    CHECK(fabs(sum - 1) < 1e-12, "probabilities sum to %g", sum);
    logits_best(logits, 12, lse, best);
    for (int k = 0; k < CANDIDATES; k++)
        CHECK(best[k].id == expected[k] && fabs(best[k].logprob - (logits[best[k].id] - lse)) < 1e-12,
              "candidate %d is %d at %g", k, best[k].id, best[k].logprob);
}

static void test_small_vocabulary(void)
{
    float logits[2] = {-1, 1};
    struct candidate best[CANDIDATES];
    logits_best(logits, 2, logits_log_sum_exp(logits, 2), best);
    CHECK(best[0].id == 1 && best[1].id == 0, "%d, then %d", best[0].id, best[1].id);
    for (int k = 2; k < CANDIDATES; k++)
        CHECK(best[k].id == -1, "candidate %d of two tokens is %d", k, best[k].id);
}

static void test_large(void)
{
    float logits[3] = {1e30f, -1e30f, 88};
    CHECK(logits_log_sum_exp(logits, 3) == 1e30f, "far from what exp() can hold");
}

int main(void)
{
    test_order();
    test_small_vocabulary();
    test_large();
    return test_end();
}
