#include "core/inquiry.h"

#include <math.h>

/* Parts of the greatest effect: of the two units, of all pairs. */
static const double SLIGHT = 0.1, TRIFLE = 0.01;

double pair_interaction(const struct pair *p)
{
    return p->both - p->alone[0] - p->alone[1];
}

/* 1: it supports by more than `slight`; -1: it opposes; 0: neither. */
static int side_of(double relevance, double slight)
{
    return relevance > slight ? 1 : relevance < -slight ? -1 : 0;
}

static double greatest_effect(const struct pair *p)
{
    return fmax(fabs(p->both), fmax(fabs(p->alone[0]), fabs(p->alone[1])));
}

/* Effects up to which nothing is said of two units. */
static double least_effect(const struct pairs *pairs)
{
    double most = 0;
    for (int i = 0; i < pairs->count; i++)
        most = fmax(most, greatest_effect(&pairs->pair[i]));
    return fmax(TRIFLE * most, pairs->noise); /* of a NAN and a number it is the number */
}

enum pair_bond pair_bond(const struct pairs *pairs, const struct pair *p)
{
    double least = least_effect(pairs), more = pair_interaction(p), most = greatest_effect(p);
    double first = fabs(p->alone[0]), second = fabs(p->alone[1]), slight = fmax(least, SLIGHT * most);
    if (side_of(p->alone[0], slight) * side_of(p->alone[1], slight) < 0)
        return PAIR_OPPOSED;
    if (fabs(more) <= fmax(least, SLIGHT * fmax(first + second, fabs(p->both))))
        return PAIR_INDEPENDENT;
    double strongest = most == fabs(p->both) ? p->both : most == first ? p->alone[0] : p->alone[1];
    return (more > 0) == (strongest > 0) ? PAIR_STANDING_IN : PAIR_BACKING;
}

void pairs_order(const struct pairs *pairs, int *order)
{
    for (int i = 0; i < pairs->count; i++) {
        int at = i;
        double size = fabs(pair_interaction(&pairs->pair[i]));
        for (; at > 0 && fabs(pair_interaction(&pairs->pair[order[at - 1]])) < size; at--)
            order[at] = order[at - 1];
        order[at] = i;
    }
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
