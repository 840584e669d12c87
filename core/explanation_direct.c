/* explanation_direct.c: what an explanation knows of direct paths, row by row as output tokens come.
 *
 * Kept beside the measured relevance, which would overwrite it, so that one can be held against the other. */
#include <math.h>
#include <stdlib.h>

#include "core/event.h"

enum { CHOICES = 1 + CANDIDATES };

double explanation_direct(const struct explanation *e, size_t unit, size_t token, int choice)
{
    if (unit >= e->unit_count || token >= e->output_count || choice < 0 || choice >= CHOICES)
        return NAN;
    if (e->method.paths == PATHS_DIRECT && explanation_measured(e, unit, token))
        return explanation_relevance(e, unit, token, choice);
    if (token >= e->direct_count || !e->direct[token].value)
        return NAN;
    const struct direct_row *row = &e->direct[token];
    return unit < row->unit_count ? (double)row->value[unit * CHOICES + (size_t)choice] : 0;
}

void explanation_clear_direct(struct explanation *e)
{
    for (size_t t = 0; t < e->direct_count; t++)
        free(e->direct[t].value);
    free(e->direct);
    e->direct = NULL;
    e->direct_count = 0;
}

/* Rows for the first `count` output tokens. */
static bool grow(struct explanation *e, size_t count)
{
    if (count <= e->direct_count)
        return true;
    struct direct_row *rows = realloc(e->direct, count * sizeof *rows);
    if (!rows)
        return false;
    e->direct = rows;
    for (; e->direct_count < count; e->direct_count++)
        rows[e->direct_count] = (struct direct_row){0};
    return true;
}

/* The row of a token that the first `units` units can matter to, with nothing known if it is new. */
static struct direct_row *row_of(struct explanation *e, size_t token, size_t units)
{
    struct direct_row *row = &e->direct[token];
    if (row->value)
        return row;
    row->value = malloc((units * CHOICES + 1) * sizeof *row->value);
    for (size_t i = 0; row->value && i < units * CHOICES; i++)
        row->value[i] = NAN;
    row->unit_count = units;
    return row->value ? row : NULL;
}

bool explanation_take_direct(struct explanation *e, const struct event *v)
{
    size_t tokens = (size_t)(v->direct_end - v->direct_first);
    if (!grow(e, (size_t)v->direct_end))
        return false;
    for (size_t k = 0; k < tokens; k++) {
        struct direct_row *row = row_of(e, (size_t)v->direct_first + k, v->unit_count);
        if (!row)
            return false;
        for (int i = 0; i < v->n; i++)
            for (size_t c = 0; c < CHOICES && (size_t)v->unit[i] < row->unit_count; c++)
                row->value[(size_t)v->unit[i] * CHOICES + c] = v->values[((size_t)i * tokens + k) * CHOICES + c];
    }
    return true;
}
