#include "tui/map.h"

#include <math.h>

#include "tui/colour.h"

bool map_sets_scale(const struct explanation *e, size_t unit)
{
    return e->units[unit].kind != UNIT_SPECIAL && e->units[unit].first > 0;
}

/* What is known of a choice on all paths, an estimate included, and on direct ones; NAN where nothing is. */
static void find(const struct explanation *e, size_t unit, const struct map_question *q, int choice, double *all,
                 double *direct)
{
    bool answered = e->chosen && e->chosen_token == (int)q->token && e->chosen_id == q->typed;
    *all = *direct = NAN;
    if (choice == MAP_TYPED && answered) {
        *all = e->chosen[unit];
        *direct = e->chosen_direct ? e->chosen_direct[unit] : NAN;
    } else if (choice != MAP_TYPED) {
        *all = explanation_knows(e, unit, q->token) ? explanation_relevance(e, unit, q->token, choice) : NAN;
        *direct = explanation_direct(e, unit, q->token, choice);
    }
}

static double relevance(const struct explanation *e, size_t unit, const struct map_question *q, int choice)
{
    double all, direct;
    find(e, unit, q, choice, &all, &direct);
    if (q->paths == MAP_MEDIATED)
        return explanation_measured(e, unit, q->token) ? all - direct : NAN;
    return q->paths == MAP_DIRECT ? direct : all;
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
        if (e->units[u].kind != UNIT_SPECIAL && (all || map_sets_scale(e, u)))
            most = fmax(most, fabs(value_of(e, u, q))); /* of a NAN and a number it is the number */
    return most;
}

/* The scale that all output tokens, or that of the question, need. */
static double scale_of(const struct explanation *e, const struct map_question *q)
{
    double most = greatest(e, q, false);
    if (!q->contrast)
        most = fmax(most, greatest(e, &(struct map_question){.token = q->token, .paths = q->paths}, false));
    for (size_t t = 0; q->shared && t < e->output_count; t++)
        most = fmax(most, greatest(e, &(struct map_question){.token = t, .paths = q->paths}, false));
    return most;
}

struct map map_of(const struct explanation *e, const struct map_question *q)
{
    struct map map = {.explanation = e, .question = *q};
    struct map_question whole = *q;
    if (q->token >= e->output_count)
        return map;
    whole.paths = MAP_ALL_PATHS;
    for (size_t u = 0; u < e->unit_count; u++)
        map.measured += unit_counts(&e->units[u]) && !isnan(value_of(e, u, q));
    map.limit = fmax(scale_of(e, q), q->paths == MAP_ALL_PATHS ? 0 : scale_of(e, &whole));
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
    return unit < 0 || (size_t)unit >= e->unit_count ? NAN : value_of(e, (size_t)unit, &map->question);
}

bool map_estimated(const struct map *map, long unit)
{
    const struct explanation *e = map->explanation;
    bool typed = map->question.choice == MAP_TYPED || (map->question.contrast && map->question.against == MAP_TYPED);
    bool known = !isnan(map_value(map, unit)), open = typed && e->busy;
    if (map->question.paths == MAP_DIRECT) /* they are what is asked for, and not estimates of it */
        return known && open;
    return known && (explanation_estimated(e, (size_t)unit, map->question.token) || open);
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
    if (isnan(value) || !unit_counts(&e->units[unit]))
        return 0;
    size_t rank = 1;
    for (size_t u = 0; u < e->unit_count; u++)
        if (unit_counts(&e->units[u])) {
            double other = fabs(map_value(map, (long)u));
            rank += other > value || (other == value && (long)u < unit);
        }
    return rank;
}

/* counted: of the units that count, or of those that do not but are no specials. */
static size_t top_of(const struct map *map, enum map_units kind, bool counted, long *units, size_t n)
{
    const struct explanation *e = map->explanation;
    size_t found = 0;
    for (size_t u = 0; u < e->unit_count; u++) {
        bool patch = e->units[u].kind == UNIT_PATCH;
        double value = fabs(map_value(map, (long)u));
        if (e->units[u].kind == UNIT_SPECIAL || unit_counts(&e->units[u]) != counted || isnan(value) ||
            (kind != MAP_ALL && patch != (kind == MAP_PATCHES)))
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

size_t map_top(const struct map *map, enum map_units kind, long *units, size_t n)
{
    size_t found = top_of(map, kind, true, units, n);
    return found > 0 ? found : top_of(map, kind, false, units, n);
}
