#include "tui/sources.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const double LEAST = 0.5; /* nats */

static bool make_room(int **numbers, size_t *room, size_t count)
{
    if (count > *room) {
        int *more = realloc(*numbers, count * sizeof *more);
        if (!more)
            return false;
        *numbers = more;
        *room = count;
    }
    memset(*numbers, 0, count * sizeof **numbers);
    return true;
}

/* The unit of the prompt that supports output token t most, or -1. */
static long strongest(const struct explanation *e, size_t t, enum map_paths paths)
{
    struct map map = {.explanation = e, .question = {.token = t, .paths = paths}};
    double most = fmax(LEAST, isnan(e->noise_floor) ? 0 : e->noise_floor);
    long best = -1;
    for (size_t u = 0; u < e->unit_count; u++) {
        bool asked = map_sets_scale(e, u) && e->units[u].kind != UNIT_TARGET;
        double value = asked ? map_value(&map, (long)u) : NAN;
        if (value >= most) {
            most = value;
            best = (long)u;
        }
    }
    return best;
}

void sources_clear(struct sources *s)
{
    s->token_count = s->unit_count = 0;
    s->count = 0;
}

void sources_find(struct sources *s, const struct explanation *e, enum map_paths paths)
{
    sources_clear(s);
    if (!make_room(&s->token, &s->token_room, e->output_count + 1) ||
        !make_room(&s->unit, &s->unit_room, e->unit_count + 1))
        return;
    s->token_count = e->output_count;
    s->unit_count = e->unit_count;
    if (e->busy && e->direct_count > 0)
        paths = MAP_DIRECT;
    for (size_t t = 0; t < e->output_count; t++) {
        long unit = strongest(e, t, paths);
        if (unit < 0)
            continue;
        if (e->units[unit].kind == UNIT_PATCH)
            s->token[t] = SOURCES_PICTURE;
        else
            s->token[t] = s->unit[unit] = s->unit[unit] ? s->unit[unit] : ++s->count;
    }
}

void sources_free(struct sources *s)
{
    free(s->token);
    free(s->unit);
    *s = (struct sources){0};
}

int sources_of_token(const struct sources *s, size_t token)
{
    return token < s->token_count ? s->token[token] : SOURCES_NONE;
}

int sources_of_unit(const struct sources *s, long unit)
{
    return unit >= 0 && (size_t)unit < s->unit_count ? s->unit[unit] : SOURCES_NONE;
}

wchar_t sources_sign(int number, bool ascii)
{
    static const wchar_t digits[] = L"¹²³⁴⁵⁶⁷⁸⁹", plain[] = L"123456789", letters[] = L"abcdefghijklmnopqrstuvwxyz";
    if (number == SOURCES_PICTURE)
        return ascii ? L'#' : L'▫';
    if (number < 10)
        return ascii ? plain[number - 1] : digits[number - 1];
    return number < 36 ? letters[number - 10] : L'+'; /* so many that none can be told from the others */
}
