/* What answers to inquiries mean: bonds of two units, and the area between a proof's curves. */
#include "core/chance.h"
#include "core/deletion.h"
#include "core/inquiry.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tests/test.h"

/* The log-probabilities that a made-up model has with each of two units there or not. */
struct made_up {
    double both, first, second, none;
};

static struct pair pair_of(struct made_up p)
{
    return (struct pair){
        .unit = {0, 1}, .alone = {log(p.both / p.second), log(p.both / p.first)}, .both = log(p.both / p.none)};
}

static enum pair_bond bond_of(struct made_up p)
{
    struct pairs pairs = {.noise = 1e-3, .count = 1, .pair = {pair_of(p)}};
    return pair_bond(&pairs, &pairs.pair[0]);
}

static void test_bonds(void)
{
    const struct made_up and = {0.9, 0.1, 0.1, 0.1}, or = {0.9, 0.9, 0.9, 0.1}, alone = {0.8, 0.4, 0.2, 0.1};
    struct pair needs = pair_of(and), stands_in = pair_of(or);
    CHECK(pair_interaction(&needs) < -2, "both needed: %g", pair_interaction(&needs));
    CHECK(pair_interaction(&stands_in) > 2, "one is enough: %g", pair_interaction(&stands_in));
    CHECK(bond_of(and) == PAIR_BACKING, "an AND: %s", pair_bond_name(bond_of(and)));
    CHECK(bond_of(or) == PAIR_STANDING_IN, "an OR: %s", pair_bond_name(bond_of(or)));
    CHECK(bond_of(alone) == PAIR_INDEPENDENT, "factors of their own: %s", pair_bond_name(bond_of(alone)));
    CHECK(bond_of((struct made_up){0.8, 0.799, 0.7995, 0.7983}) == PAIR_INDEPENDENT, "hardly anything");
    /* the same of what both speak against: without either, without both */
    CHECK(bond_of((struct made_up){0.1, 0.9, 0.9, 0.9}) == PAIR_BACKING, "an AND against the token");
    CHECK(bond_of((struct made_up){0.1, 0.1, 0.1, 0.9}) == PAIR_STANDING_IN, "an OR against the token");
    CHECK(bond_of((struct made_up){0.9, 0.92, 0.91, 0.1}) == PAIR_STANDING_IN,
          "an OR, of which each alone is in the way");
    CHECK(bond_of((struct made_up){0.5, 0.9, 0.1, 0.5}) == PAIR_OPPOSED, "one for it, one against it");
}

static void test_noise(void)
{
    struct pairs pairs = {.noise = 0.5, .count = 1, .pair = {{.alone = {0.1, 0.1}, .both = 0.6}}};
    CHECK(pair_bond(&pairs, &pairs.pair[0]) == PAIR_INDEPENDENT, "within the noise");
    pairs.noise = 0.1;
    CHECK(pair_bond(&pairs, &pairs.pair[0]) == PAIR_STANDING_IN, "beyond it");
    pairs.noise = NAN;
    CHECK(pair_bond(&pairs, &pairs.pair[0]) == PAIR_STANDING_IN, "noise that is not known");
}

static void test_trifles(void)
{
    struct pairs pairs = {.count = 2, .pair = {{.alone = {4, 5}, .both = 9}, {.alone = {0.01, 0.01}, .both = 0.05}}};
    int order[PAIR_MOST];
    CHECK(pair_bond(&pairs, &pairs.pair[1]) == PAIR_INDEPENDENT, "a trifle beside the other");
    pairs_order(&pairs, order);
    CHECK(order[0] == 1 && order[1] == 0, "%d %d", order[0], order[1]);
    pairs.pair[0] = pairs.pair[1];
    CHECK(pair_bond(&pairs, &pairs.pair[1]) == PAIR_STANDING_IN, "all are small");
}

static void test_area(void)
{
    struct proof proof = {.point_count = 0};
    CHECK(isnan(proof_area(&proof)), "of nothing");
    proof = (struct proof){.point_count = 2, .point = {{1, -3, -1}, {3, -4, -4}}};
    CHECK(fabs(proof_area(&proof) - (1.0 + 2.0) / 3) < 1e-12, "two straight lines: %g", proof_area(&proof));
    for (int i = 0; i < 2; i++)
        proof.point[i].random = proof.point[i].ranked;
    CHECK(proof_area(&proof) == 0, "chance");
}

static void test_deletion(void)
{
    static const char text[] = "Tom has a hat";
    const struct span spans[] = {{9, 13}, {0, 3}, {10, 12}, {13, 99}};
    size_t kept;
    char *rest = deletion_text(text, strlen(text), spans, 4, &kept);
    CHECK(rest && kept == 6 && strcmp(rest, " has a") == 0, "\"%s\"", rest);
    free(rest);
    rest = deletion_text(text, strlen(text), NULL, 0, &kept);
    CHECK(rest && kept == strlen(text) && strcmp(rest, text) == 0, "\"%s\"", rest);
    free(rest);
}

int main(void)
{
    test_bonds();
    test_noise();
    test_trifles();
    test_area();
    test_deletion();
    return test_end();
}
