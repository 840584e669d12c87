#include "tui/marks.h"

#include <math.h>
#include <stdlib.h>

#include "tui/report.h"

int marks_new(struct marks *m, size_t count, struct error *error)
{
    m->relevance = calloc(count + 1, sizeof *m->relevance);
    m->weight = calloc(count + 1, sizeof *m->weight);
    return m->relevance && m->weight ? 0 : error_set(error, ERROR_MEMORY, "out of memory");
}

void marks_free(struct marks *m)
{
    free(m->relevance);
    free(m->weight);
    *m = (struct marks){0};
}

void marks_read(struct marks *m, const struct explanation *e, const struct truth *truth, bool shares)
{
    for (size_t i = 0; i < truth->count; i++)
        for (size_t t = 0; t < e->output_count; t++) {
            double x = report_relevance(e, truth->unit[i], (int)t);
            m->relevance[i] += x;
            m->weight[i] += shares ? x : x * x;
        }
}

/* How near a unit of a picture is to its centre: 1 there, 0 in a corner. */
static double nearness(const struct explanation *e, const struct unit *u)
{
    double left = INFINITY, top = INFINITY, right = 0, bottom = 0;
    int picture = e->tokens[u->first].image;
    for (int t = u->first; t <= u->last; t++) {
        const float *rect = e->tokens[t].rect;
        if (!unit_holds(u, t) || !(rect[2] > 0 && rect[3] > 0))
            continue;
        left = fmin(left, (double)rect[0]);
        top = fmin(top, (double)rect[1]);
        right = fmax(right, (double)(rect[0] + rect[2]));
        bottom = fmax(bottom, (double)(rect[1] + rect[3]));
    }
    if (!(right > left) || (size_t)picture >= e->picture_count)
        return 0;
    const struct image *image = e->pictures[picture].image;
    double x = (left + right) / image->width - 1, y = (top + bottom) / image->height - 1;
    return fmax(0, 1 - sqrt((x * x + y * y) / 2));
}

void marks_guess(struct marks *m, enum marks_guess guess, const struct explanation *e, const struct truth *truth,
                 struct chance *random)
{
    for (size_t i = 0; i < truth->count; i++) {
        double x = 1;
        if (guess == MARKS_RANDOM)
            x = chance_next(random);
        else if (guess == MARKS_RECENCY)
            x = (double)(i + 1) / (double)truth->count;
        else if (guess == MARKS_CENTRE)
            x = nearness(e, &e->units[truth->unit[i]]);
        m->relevance[i] = m->weight[i] = x;
    }
}
