/* fake_answer.c: made-up answers to inquiries, step by step; see fake_engine.h. */
#include "tests/tui/fake_engine.h"

#include <math.h>
#include <string.h>

static const int DELETED[PROOF_POINTS] = {1, 2, 3, 4, 6, 8, 12, 16, 24, 32};

/* The units of the prompt's text, in their order; returns how many. */
static int list_units(const struct fake_ground *g, int *unit, int most)
{
    int n = 0;
    for (int u = 0; u < (int)g->unit_count && n < most; u++)
        if (g->units[u].kind == UNIT_TOKEN || g->units[u].kind == UNIT_WORD)
            unit[n++] = u;
    return n;
}

static bool holds(const struct fake_ground *g, int unit, const char *word)
{
    const struct unit *u = &g->units[unit];
    const char *at = strstr(g->prompt + u->start, word);
    return at && (size_t)(at - g->prompt) + strlen(word) <= u->end;
}

static void make_points(struct proof *p, int units, int step, int points)
{
    p->logprob = log(0.6);
    p->units = units;
    p->point_count = step < points ? step : points;
    for (int i = 0; i < p->point_count; i++)
        p->point[i] = (struct proof_point){DELETED[i], p->logprob - 6 * (1 - exp(-0.7 * DELETED[i])), NAN};
    p->orders = step > points + 1 ? step - points - 1 : 0;
    for (int i = 0; i < p->point_count && p->orders > 0; i++)
        p->point[i].random = p->logprob - 0.3 * DELETED[i];
    if (p->orders > 0)
        p->area = proof_area(p);
}

/* " red" where the units that hold Tom and blue are suppressed. */
static void make_flip(const struct fake_ground *g, const int *unit, int units, struct flip *flip)
{
    for (int i = 0; i < units; i++)
        if (holds(g, unit[i], "Tom") || holds(g, unit[i], "blue"))
            if (flip->count < 2)
                flip->unit[flip->count++] = unit[i];
    flip->state = flip->count > 0 ? FLIP_FOUND : FLIP_NONE;
    flip->id = FAKE_FIRST + 4;
    flip->logprob = flip->asked_logprob = log(0.4);
}

static bool make_proof(const struct fake_ground *g, int step, struct proof *p)
{
    int unit[512], units = list_units(g, unit, 512), points = 0;
    while (points < PROOF_POINTS && DELETED[points] <= units / 2)
        points++;
    make_points(p, units, step, points);
    if (step > points)
        make_flip(g, unit, units, &p->flip);
    p->answer.steps = step;
    p->answer.steps_total = points + 1 + PROOF_ORDERS;
    return step < p->answer.steps_total;
}

/* All bonds in turn. */
static bool make_pairs(const struct fake_ground *g, const struct inquiry *inquiry, int step, struct pairs *p)
{
    static const double more[] = {-2, 3, 0, 0.5}, first[] = {2, 0.1, 1, -1};
    int unit[PAIR_UNITS] = {inquiry->unit[0], inquiry->unit[1]};
    int units = inquiry->unit[0] >= 0 ? 2 : list_units(g, unit, PAIR_UNITS), n = 0, total = units * (units - 1) / 2;
    for (int b = 1; b < units; b++)
        for (int a = 0; a < b; a++, n++)
            p->pair[n] = (struct pair){{unit[a], unit[b]}, {first[n % 4], 2}, first[n % 4] + 2 + more[n % 4]};
    p->count = 5 * step < total ? 5 * step : total;
    p->noise = 1e-4;
    p->answer.steps = step;
    p->answer.steps_total = (total + 4) / 5;
    return step < p->answer.steps_total;
}

bool fake_answer(const struct fake_ground *g, const struct inquiry *inquiry, int step, struct proof *proof,
                 struct pairs *pairs)
{
    struct answer answer = {.state = ANSWER_BUSY, .token = inquiry->token, .id = inquiry->id};
    *proof = (struct proof){.answer = answer, .logprob = NAN, .area = NAN};
    *pairs = (struct pairs){.answer = answer, .noise = NAN, .two = inquiry->unit[0] >= 0};
    return inquiry->kind == INQUIRY_PROOF ? make_proof(g, step, proof) : make_pairs(g, inquiry, step, pairs);
}
