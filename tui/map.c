#include "tui/map.h"

#include <math.h>

#include "tui/colour.h"

static bool counts(const struct explanation *e, size_t unit, size_t token)
{
    return e->units[unit].kind != UNIT_SPECIAL && explanation_knows(e, unit, token);
}

bool map_sets_scale(const struct explanation *e, size_t unit)
{
    return e->units[unit].kind != UNIT_SPECIAL && e->units[unit].first > 0;
}

static double relevance(const struct explanation *e, size_t unit, const struct map_question *q, int choice)
{
    if (choice != MAP_TYPED)
        return explanation_relevance(e, unit, q->token, choice);
    bool answered = e->chosen && e->chosen_token == (int)q->token && e->chosen_id == q->typed;
    return answered ? e->chosen[unit] : NAN;
}

static double value_of(const struct explanation *e, size_t unit, const struct map_question *q)
{
    return relevance(e, unit, q, q->choice) - (q->contrast ? relevance(e, unit, q, q->against) : 0);
}

/* The greatest absolute value of units that set the scale; all: of the others but specials as well. */
static double greatest(const struct explanation *e, const struct map_question *q, bool all)
{
    double most = 0;
    for (size_t u = 0; u < e->unit_count; u++)
        if (counts(e, u, q->token) && (all || map_sets_scale(e, u)))
            most = fmax(most, fabs(value_of(e, u, q))); /* of a NAN and a number it is the number */
    return most;
}

struct map map_of(const struct explanation *e, const struct map_question *q)
{
    struct map map = {.explanation = e, .question = *q};
    for (size_t u = 0; u < e->unit_count; u++)
        map.measured += counts(e, u, q->token);
    if (q->token >= e->output_count)
        return map;
    map.limit = greatest(e, q, false);
    if (!q->contrast)
        map.limit = fmax(map.limit, greatest(e, &(struct map_question){.token = q->token}, false));
    for (size_t t = 0; q->shared && t < e->output_count; t++)
        map.limit = fmax(map.limit, greatest(e, &(struct map_question){.token = t}, false));
    if (!(map.limit > 0)) /* a prompt of one unit */
        map.limit = greatest(e, q, true);
    return map;
}

long map_unit_at(const struct explanation *e, size_t byte, size_t *from)
{
    while (*from < e->unit_count && e->units[*from].kind != UNIT_TARGET && e->units[*from].end <= byte)
        ++*from;
    bool inside = *from < e->unit_count && e->units[*from].start <= byte && byte < e->units[*from].end;
    return inside ? (long)*from : -1;
}

static bool is_space(char c)
{
    return c == ' ' || c == '\n' || c == '\t' || c == '\r';
}

bool map_is_margin(const struct explanation *e, long unit, size_t byte)
{
    if (unit < 0 || !is_space(e->prompt[byte]))
        return false;
    size_t first = e->units[unit].start, last = e->units[unit].end;
    while (first < last && is_space(e->prompt[first]))
        first++;
    while (last > first && is_space(e->prompt[last - 1]))
        last--;
    return first < last && (byte < first || byte >= last);
}

long map_unit_of_output(const struct explanation *e, size_t t)
{
    long wanted = (long)(e->token_count + t);
    for (size_t u = e->unit_count; u-- > 0 && e->units[u].kind == UNIT_TARGET;)
        if (e->units[u].first <= wanted && wanted <= e->units[u].last)
            return (long)u;
    return -1;
}

double map_value(const struct map *map, long unit)
{
    const struct explanation *e = map->explanation;
    if (unit < 0 || !explanation_knows(e, (size_t)unit, map->question.token))
        return NAN;
    return value_of(e, (size_t)unit, &map->question);
}

bool map_estimated(const struct map *map, long unit)
{
    const struct explanation *e = map->explanation;
    bool typed = map->question.choice == MAP_TYPED || (map->question.contrast && map->question.against == MAP_TYPED);
    return !isnan(map_value(map, unit)) && (explanation_estimated(e, (size_t)unit, map->question.token) || (typed && e->busy));
}

double map_position(const struct map *map, long unit)
{
    if (map->shown)
        return unit >= 0 && (size_t)unit < map->shown_count ? (double)map->shown[unit] : 0;
    double value = map_value(map, unit);
    return isnan(value) ? 0 : colour_position(value, map->limit, map->explanation->noise_floor);
}

size_t map_rank(const struct map *map, long unit)
{
    const struct explanation *e = map->explanation;
    double value = fabs(map_value(map, unit));
    if (isnan(value) || e->units[unit].kind == UNIT_SPECIAL)
        return 0;
    size_t rank = 1;
    for (size_t u = 0; u < e->unit_count; u++)
        if (counts(e, u, map->question.token)) {
            double other = fabs(map_value(map, (long)u));
            rank += other > value || (other == value && (long)u < unit);
        }
    return rank;
}

size_t map_top(const struct map *map, enum map_units kind, long *units, size_t n)
{
    const struct explanation *e = map->explanation;
    size_t found = 0;
    for (size_t u = 0; u < e->unit_count; u++) {
        bool patch = e->units[u].kind == UNIT_PATCH;
        double value = fabs(map_value(map, (long)u));
        if (e->units[u].kind == UNIT_SPECIAL || isnan(value) || (kind != MAP_ALL && patch != (kind == MAP_PATCHES)))
            continue;
        size_t at = found;
        while (at > 0 && fabs(map_value(map, units[at - 1])) < value)
            at--;
        if (at >= n)
            continue;
        found += found < n;
        for (size_t k = found - 1; k > at; k--)
            units[k] = units[k - 1];
        units[at] = (long)u;
    }
    return found;
}
