#include "tui/difference.h"

#include <math.h>
#include <stdlib.h>

#include "tui/align.h"
#include "tui/colour.h"
#include "tui/picture.h"

void difference_free(struct difference *d)
{
    free(d->unit_before);
    free(d->unit_after);
    free(d->token_before);
    free(d->token_after);
    free(d->fresh);
    free(d->gone);
    *d = (struct difference){0};
}

/* -- pairs --------------------------------------------------------------------------------------------------------- */

/* Words to be paired. */
struct list {
    struct align_text *words; /* without what is around them */
    size_t *which;            /* unit, or first byte, of each */
    size_t *ends;             /* byte behind each that is no unit */
    long *partners;
    size_t count;
};

static bool list_new(struct list *list, size_t most)
{
    list->words = malloc((most + 1) * sizeof *list->words);
    list->which = malloc((most + 1) * sizeof *list->which);
    list->ends = malloc((most + 1) * sizeof *list->ends);
    list->partners = malloc((most + 1) * sizeof *list->partners);
    return list->words && list->which && list->ends && list->partners;
}

static void list_free(struct list *list)
{
    free(list->words);
    free(list->which);
    free(list->ends);
    free(list->partners);
}

static bool pair_lists(struct list *a, struct list *b)
{
    return align_texts(a->words, a->count, b->words, b->count, a->partners, b->partners);
}

/* The units that stand for words of the prompt. */
static bool list_units(struct list *list, const struct explanation *e)
{
    if (!list_new(list, e->unit_count))
        return false;
    for (size_t u = 0; u < e->unit_count; u++) {
        const struct unit *unit = &e->units[u];
        if (unit->kind == UNIT_SPECIAL || unit->kind == UNIT_PATCH || unit->kind == UNIT_TARGET)
            continue;
        list->words[list->count] = align_word(e->prompt + unit->start, unit->end - unit->start);
        list->which[list->count++] = u;
    }
    return true;
}

static bool pair_units(struct difference *d, const struct explanation *before, const struct explanation *now)
{
    struct list a = {0}, b = {0};
    bool fine = list_units(&a, before) && list_units(&b, now) && pair_lists(&a, &b);
    for (size_t i = 0; fine && i < b.count; i++)
        if (b.partners[i] >= 0) {
            size_t unit = a.which[b.partners[i]];
            d->unit_before[b.which[i]] = (long)unit;
            d->unit_after[unit] = (long)b.which[i];
        }
    list_free(&a);
    list_free(&b);
    return fine;
}

static bool is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

/* The words of a text: what stands between white space; of scripts that need none between words (from U+3000 on) each
 * character. */
static bool list_words(struct list *list, const char *text, size_t length)
{
    if (!list_new(list, length))
        return false;
    for (size_t i = 0, start; i < length;) {
        while (i < length && is_space(text[i]))
            i++;
        if ((start = i) == length)
            break;
        bool alone = (unsigned char)text[i++] >= 0xe3;
        while (i < length &&
               (alone ? ((unsigned char)text[i] & 0xc0) == 0x80 : !is_space(text[i]) && (unsigned char)text[i] < 0xe3))
            i++;
        list->words[list->count] = align_word(text + start, i - start);
        list->which[list->count] = start;
        list->ends[list->count++] = i;
    }
    return true;
}

static bool *mark_alone(const struct list *list, size_t length)
{
    bool *marks = calloc(length + 1, sizeof *marks);
    for (size_t w = 0; marks && w < list->count; w++)
        for (size_t i = list->which[w]; list->partners[w] < 0 && i < list->ends[w]; i++)
            marks[i] = true;
    return marks;
}

static bool compare_texts(struct difference *d, const struct explanation *before, const struct explanation *now)
{
    struct list a = {0}, b = {0};
    bool fine = list_words(&a, before->prompt, before->prompt_length) &&
                list_words(&b, now->prompt, now->prompt_length) && pair_lists(&a, &b);
    d->gone = fine ? mark_alone(&a, before->prompt_length) : NULL;
    d->fresh = fine ? mark_alone(&b, now->prompt_length) : NULL;
    list_free(&a);
    list_free(&b);
    return d->gone && d->fresh;
}

/* Where a patch stands: in which picture, row and column. */
struct place {
    long picture;
    int row, column;
};

/* Go on to the next patch from unit *u on; false: there is none. */
static bool next_patch(const struct explanation *e, size_t *u, struct place *place)
{
    while (*u < e->unit_count && e->units[*u].kind != UNIT_PATCH)
        ++*u;
    if (*u == e->unit_count)
        return false;
    place->picture = picture_place(e, e->units[*u].first, &place->column, &place->row);
    return place->picture >= 0;
}

static long order_of(struct place a, struct place b)
{
    return a.picture != b.picture ? a.picture - b.picture : a.row != b.row ? a.row - b.row : a.column - b.column;
}

/* Patches of equal size at the same place of the same picture.  Both lists are in order of places. */
static void pair_patches(struct difference *d, const struct explanation *before, const struct explanation *now)
{
    struct place a = {0}, b = {0};
    for (size_t i = 0, k = 0; next_patch(before, &i, &a) && next_patch(now, &k, &b);) {
        long order = order_of(a, b);
        if (order == 0 && before->units[i].columns == now->units[k].columns &&
            before->units[i].rows == now->units[k].rows &&
            before->pictures[a.picture].image->serial == now->pictures[b.picture].image->serial) {
            d->unit_before[k] = (long)i;
            d->unit_after[i] = (long)k;
        }
        i += order <= 0;
        k += order >= 0;
    }
}

/* Output tokens that are units, where they say the same. */
static void pair_targets(struct difference *d, const struct explanation *before, const struct explanation *now,
                         const struct words *said)
{
    for (size_t t = 0; t < d->tokens; t++) {
        long was = d->token_before[t], unit = map_unit_of_output(now, t),
             old = was < 0 || said->changed[t] ? -1 : map_unit_of_output(before, (size_t)was);
        if (unit >= 0 && old >= 0) {
            d->unit_before[unit] = old;
            d->unit_after[old] = unit;
        }
    }
}

static long *none_of(size_t count)
{
    long *list = malloc((count + 1) * sizeof *list);
    for (size_t i = 0; list && i < count; i++)
        list[i] = -1;
    return list;
}

bool difference_make(struct difference *d, const struct explanation *before, struct words *before_said,
                     const struct explanation *now, struct words *now_said)
{
    difference_free(d);
    d->unit_before = none_of(now->unit_count);
    d->unit_after = none_of(before->unit_count);
    d->token_before = none_of(now_said->count);
    d->token_after = none_of(before_said->count);
    if (d->unit_before && d->unit_after && d->token_before && d->token_after &&
        words_align(before_said, now_said, d->token_after, d->token_before) && pair_units(d, before, now) &&
        compare_texts(d, before, now)) {
        d->length = now->prompt_length;
        d->length_before = before->prompt_length;
        d->units = now->unit_count;
        d->units_before = before->unit_count;
        d->tokens = now_said->count;
        d->tokens_before = before_said->count;
        pair_targets(d, before, now, now_said);
        pair_patches(d, before, now);
        return true;
    }
    difference_free(d);
    return false;
}

static long partner(const long *partners, size_t count, long i)
{
    return i >= 0 && (size_t)i < count ? partners[i] : -1;
}

long difference_unit_before(const struct difference *d, long unit)
{
    return partner(d->unit_before, d->units, unit);
}

long difference_unit_after(const struct difference *d, long unit_before)
{
    return partner(d->unit_after, d->units_before, unit_before);
}

long difference_token_before(const struct difference *d, size_t token)
{
    return partner(d->token_before, d->tokens, (long)token);
}

long difference_token_after(const struct difference *d, size_t token_before)
{
    return partner(d->token_after, d->tokens_before, (long)token_before);
}

bool difference_is_fresh(const struct difference *d, size_t byte)
{
    return byte < d->length && d->fresh[byte];
}

bool difference_is_gone(const struct difference *d, size_t byte_before)
{
    return byte_before < d->length_before && d->gone[byte_before];
}

/* -- values -------------------------------------------------------------------------------------------------------- */

double difference_value(const struct difference *d, const struct map *before, const struct map *now, long unit)
{
    return map_value(now, unit) - map_value(before, difference_unit_before(d, unit));
}

double difference_limit(const struct difference *d, const struct map *before, const struct map *now)
{
    double most = 0, any = 0;
    for (size_t u = 0; u < d->units; u++) {
        double value = fabs(difference_value(d, before, now, (long)u));
        if (isnan(value))
            continue;
        size_t was = (size_t)difference_unit_before(d, (long)u);
        any = fmax(any, value);
        if (map_sets_scale(now->explanation, u) && map_sets_scale(before->explanation, was))
            most = fmax(most, value);
    }
    return most > 0 ? most : any;
}

double difference_position(const struct difference *d, const struct map *before, const struct map *now, double limit,
                           long unit)
{
    double value = difference_value(d, before, now, unit), a = before->explanation->noise_floor,
           b = now->explanation->noise_floor;
    return isnan(value) ? 0 : colour_position(value, limit, (isnan(a) ? 0 : a) + (isnan(b) ? 0 : b));
}

size_t difference_top(const struct difference *d, const struct map *before, const struct map *now, long *units,
                      size_t n)
{
    size_t found = 0;
    for (size_t u = 0; u < d->units; u++) {
        double value = fabs(difference_value(d, before, now, (long)u));
        size_t at = found;
        if (isnan(value) || value == 0 || !unit_counts(&now->explanation->units[u]) ||
            !unit_counts(&before->explanation->units[difference_unit_before(d, (long)u)]))
            continue;
        while (at > 0 && fabs(difference_value(d, before, now, units[at - 1])) < value)
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
