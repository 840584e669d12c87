#include "core/inquiry.h"

#include <math.h>

static const double SLIGHT = 0.1; /* part of the greatest effect */

double pair_interaction(const struct pair *p)
{
    return p->both - p->alone[0] - p->alone[1];
}

/* 1: it supports by more than `slight`; -1: it opposes; 0: neither. */
static int side_of(double relevance, double slight)
{
    return relevance > slight ? 1 : relevance < -slight ? -1 : 0;
}

enum pair_bond pair_bond(const struct pairs *pairs, const struct pair *p)
{
    double noise = isnan(pairs->noise) ? 0 : pairs->noise, more = pair_interaction(p);
    double first = fabs(p->alone[0]), second = fabs(p->alone[1]), both = fabs(p->both), alone = fmax(first, second);
    double slight = fmax(noise, SLIGHT * fmax(alone, both));
    if (side_of(p->alone[0], slight) * side_of(p->alone[1], slight) < 0)
        return PAIR_OPPOSED;
    if (fabs(more) <= fmax(noise, SLIGHT * fmax(first + second, both)))
        return PAIR_INDEPENDENT;
    double strongest = both >= alone ? p->both : first >= second ? p->alone[0] : p->alone[1];
    return (more > 0) == (strongest > 0) ? PAIR_STANDING_IN : PAIR_BACKING;
}

const char *pair_bond_name(enum pair_bond bond)
{
    static const char *const names[] = {"independent", "backing", "standing-in", "opposed"};
    return names[bond];
}

double proof_area(const struct proof *p)
{
    double area = 0, gap = 0;
    int deleted = 0;
    for (int i = 0; i < p->point_count; i++) {
        double next = p->point[i].random - p->point[i].ranked;
        area += (gap + next) / 2 * (p->point[i].deleted - deleted);
        gap = next;
        deleted = p->point[i].deleted;
    }
    return deleted > 0 ? area / deleted : NAN;
}
