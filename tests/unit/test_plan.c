/* Which keys a probe touches, against the formulas in plan.h worked out by hand. */
#include "core/plan.h"

#include "tests/test.h"

static struct plan *make(const struct unit *units, int n, int positions, const int32_t *sees,
                         const struct method *method, const float *e)
{
    struct plan *plan = NULL;
    struct error error = {0};
    struct plan_ground ground = {.positions = positions, .sees = sees, .embedding = e, .width = 2};
    int status = plan_new(units, n, &ground, method, &plan, &error);
    CHECK(status == 0, "%s", error.message);
    return plan;
}

static bool near(float a, double b)
{
    return fabs(a - b) < 1e-6;
}

static void test_single_tokens(void)
{
    struct unit units[3];
    for (int i = 0; i < 3; i++)
        units[i] = (struct unit){.first = i, .last = i, .first_share = 1, .last_share = 1};
    struct method method = method_default();
    struct plan *plan = make(units, 3, 4, NULL, &method, NULL);
    for (int u = 0; u < 3; u++) {
        CHECK(plan->start[u] == u, "unit %d starts at %d", u, plan->start[u]);
        for (int p = 0; p < 4; p++)
            CHECK(near(plan->factor[u * 4 + p], p == u ? 0.1 : 1), "unit %d, key %d: %g", u, p,
                  plan->factor[u * 4 + p]);
    }
    CHECK(plan->order[0] == 2 && plan->order[1] == 1 && plan->order[2] == 0, "the cheapest probe runs first");
    plan_free(plan);
}

static void test_shares(void)
{
    struct unit unit = {.first = 1, .last = 3, .first_share = 0.25f, .last_share = 0.5f};
    struct method method = {.factor = 0, .similarity = NAN};
    struct plan *plan = make(&unit, 1, 5, NULL, &method, NULL);
    const double want[5] = {1, 0.75, 0, 0.5, 1};
    for (int p = 0; p < 5; p++)
        CHECK(near(plan->factor[p], want[p]), "key %d: %g", p, plan->factor[p]);
    plan_free(plan);
}

static void test_factor_one_touches_nothing(void)
{
    struct unit unit = {.first = 0, .last = 2, .first_share = 1, .last_share = 1};
    struct method method = {.factor = 1, .similarity = 0.1f};
    const float e[8] = {1, 0, 1, 1, 0, 1, 1, 0};
    struct plan *plan = make(&unit, 1, 4, NULL, &method, e);
    CHECK(plan->start[0] == 4, "it starts at %d", plan->start[0]);
    plan_free(plan);
}

static void test_neighbours(void)
{
    /* cosines to token 0: 1, 0.6, 0.8, -1, and a zero embedding, similar to nothing */
    const float e[10] = {2, 0, 3, 4, 4, 3, -1, 0, 0, 0};
    struct unit unit = {.first = 0, .last = 0, .first_share = 1, .last_share = 1};
    struct method method = {.factor = 0.1f, .similarity = 0.7f};
    struct plan *plan = make(&unit, 1, 5, NULL, &method, e);
    const double want[5] = {0.1, 1, 1 - 0.9 * 0.8, 1, 1};
    for (int p = 0; p < 5; p++)
        CHECK(near(plan->factor[p], want[p]), "key %d: %g", p, plan->factor[p]);
    plan_free(plan);

    struct unit two = {.first = 3, .last = 4, .first_share = 1, .last_share = 1};
    method = (struct method){.factor = 4, .similarity = -1};
    plan = make(&two, 1, 5, NULL, &method, e);
    CHECK(near(plan->factor[0], 1), "amplified along a nearest cosine of 0: %g", plan->factor[0]);
    CHECK(near(plan->factor[3], 4) && near(plan->factor[4], 4), "the unit's own tokens");
    plan_free(plan);
    method.factor = 0;
    struct unit late = {.first = 3, .last = 3, .first_share = 1, .last_share = 1};
    plan = make(&late, 1, 5, NULL, &method, e);
    CHECK(plan->start[0] == 0 && near(plan->factor[0], 2), "a neighbour before the anchor is the start: %d, %g",
          plan->start[0], plan->factor[0]);
    plan_free(plan);
}

/* A cosine of 1 may come out as a little more: off is 0, and never turned round. */
static void test_rounded_cosine(void)
{
    struct unit unit = {.first = 0, .last = 0, .first_share = 1, .last_share = 1};
    struct method method = {.factor = 0, .similarity = 0.5f};
    for (int i = 1; i < 200; i++) {
        const float e[4] = {(float)i / 7, 3, (float)i / 7, 3};
        struct plan *plan = make(&unit, 1, 2, NULL, &method, e);
        CHECK(plan->factor[1] >= 0 && near(plan->factor[1], 0), "%d: %g", i, plan->factor[1]);
        plan_free(plan);
    }
}

static void test_blocks(void)
{
    /* positions 2 .. 4 see each other, and so do 6 and 7 */
    const int32_t sees[18] = {0, 0, 0, 1, 0, 4, 0, 4, 0, 4, 0, 5, 0, 7, 0, 7, 0, 8};
    const int want[9] = {0, 1, 2, 2, 2, 5, 6, 6, 8};
    struct unit units[9];
    for (int i = 0; i < 9; i++)
        units[i] = (struct unit){.first = i, .last = i, .first_share = 1, .last_share = 1};
    struct method method = method_default();
    struct plan *plan = make(units, 9, 9, sees, &method, NULL);
    for (int u = 0; u < 9; u++)
        CHECK(plan->start[u] == want[u], "unit %d starts at %d", u, plan->start[u]);
    for (int i = 1; i < 9; i++)
        CHECK(plan->start[plan->order[i]] <= plan->start[plan->order[i - 1]], "probe %d runs too early", i);
    plan_free(plan);
    method.factor = 1;
    plan = make(units, 9, 9, sees, &method, NULL);
    CHECK(plan->start[3] == 9, "nothing touched starts at %d", plan->start[3]);
    plan_free(plan);
}

/* A picture of 5 x 4 patches at positions 2 .. 21; text around it.  All patches point the same way, but for a few. */
enum { COLUMNS = 5, ROWS = 4, BEFORE = 2, POSITIONS = BEFORE + COLUMNS * ROWS + 2 };

static int at(int x, int y)
{
    return BEFORE + y * COLUMNS + x;
}

static struct plan *make_picture(const struct unit *unit, const struct method *method)
{
    float e[2 * POSITIONS];
    for (int p = 0; p < POSITIONS; p++) {
        e[2 * p] = 1;
        e[2 * p + 1] = 0;
    }
    e[2 * at(2, 1)] = 0.6f, e[2 * at(2, 1) + 1] = 0.8f;
    e[2 * at(1, 2)] = 8, e[2 * at(1, 2) + 1] = 6;
    struct picture picture = {NULL, BEFORE, COLUMNS, ROWS, 0};
    struct plan_ground ground = {
        .positions = POSITIONS, .embedding = e, .width = 2, .pictures = &picture, .picture_count = 1};
    struct plan *plan = NULL;
    CHECK(plan_new(unit, 1, &ground, method, &plan, NULL) == 0, "no plan");
    return plan;
}

static void test_window(void)
{
    struct unit patch = {.kind = UNIT_PATCH, .first = at(1, 1), .last = at(1, 1), .first_share = 1, .last_share = 1,
                         .columns = 1, .rows = 1, .stride = COLUMNS};
    struct method method = method_default();
    for (method.window = 1; method.window <= 5; method.window += 2) {
        struct plan *plan = make_picture(&patch, &method);
        for (int p = 0; p < POSITIONS; p++) {
            int x = (p - BEFORE) % COLUMNS, y = (p - BEFORE) / COLUMNS;
            bool near_by = p >= BEFORE && p < BEFORE + COLUMNS * ROWS && abs(x - 1) <= method.window / 2 &&
                           abs(y - 1) <= method.window / 2;
            double want = !near_by || p == at(2, 1) ? 1 : p == at(1, 2) ? 1 - 0.9 * 0.8 : 0.1;
            CHECK(near(plan->factor[p], want), "window %d, position %d: %g", method.window, p, plan->factor[p]);
        }
        CHECK(plan->start[0] == (method.window == 1 ? at(1, 1) : at(0, 0)), "window %d: start %d", method.window,
              plan->start[0]);
        plan_free(plan);
    }
    method.window = 0;
    struct plan *plan = make_picture(&patch, &method);
    for (int p = 0; p < POSITIONS; p++)
        CHECK(near(plan->factor[p], p == at(2, 1) ? 1 : p == at(1, 2) ? 1 - 0.9 * 0.8 : 0.1),
              "no window, position %d: %g", p, plan->factor[p]);
    plan_free(plan);
    method.image_similarity = NAN;
    method.similarity = -1; /* of text alone */
    plan = make_picture(&patch, &method);
    for (int p = 0; p < POSITIONS; p++)
        CHECK(near(plan->factor[p], p == at(1, 1) ? 0.1 : 1), "off, position %d: %g", p, plan->factor[p]);
    plan_free(plan);
}

static void test_tile(void)
{
    struct unit tile = {.kind = UNIT_PATCH, .first = at(2, 0), .last = at(3, 1), .first_share = 1, .last_share = 1,
                        .columns = 2, .rows = 2, .stride = COLUMNS};
    struct method method = method_default();
    method.window = 1;
    struct plan *plan = make_picture(&tile, &method);
    for (int p = 0; p < POSITIONS; p++) {
        bool inside = p == at(2, 0) || p == at(3, 0) || p == at(2, 1) || p == at(3, 1);
        CHECK(near(plan->factor[p], inside ? 0.1 : 1), "tile, position %d: %g", p, plan->factor[p]);
    }
    plan_free(plan);
    /* (1, 2) is in the window of (2, 1) alone, with cosine 0.96, though (3, 1) and others are less similar or
     * farther */
    method.window = 3;
    plan = make_picture(&tile, &method);
    CHECK(near(plan->factor[at(1, 2)], 1 - 0.9 * 0.96), "beside one of the tile's patches: %g", plan->factor[at(1, 2)]);
    CHECK(near(plan->factor[at(4, 2)], 0.1) && near(plan->factor[at(0, 1)], 1), "at the window's edge");
    plan_free(plan);
    method.image_similarity = NAN;
    plan = make_picture(&tile, &method);
    CHECK(near(plan->factor[at(4, 0)], 1) && near(plan->factor[at(0, 1)], 1), "between a tile's rows");
    plan_free(plan);
}

int main(void)
{
    test_rounded_cosine();
    test_blocks();
    test_window();
    test_tile();
    test_single_tokens();
    test_shares();
    test_factor_one_touches_nothing();
    test_neighbours();
    return test_end();
}
