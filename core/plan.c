#include "core/plan.h"

#include <math.h>
#include <stdlib.h>

/* Rows of unit length; a zero row stays zero and is similar to nothing. */
static float *normalised(const float *embedding, int positions, int width)
{
    float *e = malloc((size_t)positions * (size_t)width * sizeof *e);
    for (int p = 0; e && p < positions; p++) {
        const float *from = embedding + (size_t)p * (size_t)width;
        float *to = e + (size_t)p * (size_t)width;
        double sum = 0;
        for (int i = 0; i < width; i++)
            sum += (double)from[i] * from[i];
        double scale = sum > 0 ? 1 / sqrt(sum) : 0;
        for (int i = 0; i < width; i++)
            to[i] = (float)(from[i] * scale);
    }
    return e;
}

static double cosine(const float *a, const float *b, int width)
{
    double sum = 0;
    for (int i = 0; i < width; i++)
        sum += (double)a[i] * b[i];
    return sum;
}

/* Which positions may be neighbours of a unit, and from which cosine on they are. */
struct reach {
    double similarity;             /* NAN: there are none */
    const struct picture *picture; /* only its patches, and only those near enough; NULL: any position */
    int radius;                    /* patches in each direction */
};

static struct reach reach_of(const struct unit *u, const struct method *method, const struct picture *pictures,
                             size_t count)
{
    struct reach reach = {.similarity = method->similarity};
    if (u->kind != UNIT_PATCH)
        return reach;
    reach.similarity = method->image_similarity;
    reach.radius = method->window / 2;
    for (size_t i = 0; method->window > 0 && i < count; i++)
        if (u->first >= pictures[i].first && u->first < pictures[i].first + pictures[i].columns * pictures[i].rows)
            reach.picture = &pictures[i];
    return reach;
}

/* Whether position p may be a neighbour of token i of the unit. */
static bool reaches(const struct reach *reach, int i, int p)
{
    const struct picture *picture = reach->picture;
    if (!picture)
        return true;
    int columns = picture->columns;
    p -= picture->first;
    i -= picture->first;
    return p >= 0 && p < columns * picture->rows && abs(p % columns - i % columns) <= reach->radius &&
           abs(p / columns - i / columns) <= reach->radius;
}

/* The cosine of position p to the nearest of those of the unit's tokens that it may be a neighbour of; without any,
 * less than all cosines. */
static double nearest(const float *e, int width, const struct unit *u, const struct reach *reach, int p)
{
    double best = -INFINITY;
    for (int i = u->first; i <= u->last; i++)
        if (unit_holds(u, i) && reaches(reach, i, p))
            best = fmax(best, cosine(e + (size_t)i * (size_t)width, e + (size_t)p * (size_t)width, width));
    return best;
}

static void fill_factors(const struct unit *u, const struct reach *reach, int positions, double down, const float *e,
                         int width, float *factor)
{
    for (int p = 0; p < positions; p++) {
        factor[p] = 1;
        if (unit_holds(u, p)) {
            double share = p == u->first ? u->first_share : p == u->last ? u->last_share : 1;
            factor[p] = (float)(1 - down * share);
        } else if (!isnan(reach->similarity)) {
            double s = nearest(e, width, u, reach, p);
            if (s >= reach->similarity)
                factor[p] = (float)fmax(0, 1 - down * s);
        }
    }
}

/* The first position that sees a key which the probe touches. */
static int first_row(const float *factor, int positions, const int32_t *sees)
{
    int key = 0;
    while (key < positions && factor[key] == 1)
        key++;
    int row = key;
    while (sees && key < positions && row > 0 && sees[2 * (row - 1) + 1] >= key)
        row--;
    return row;
}

bool plan_looks_around(const struct method *method, size_t picture_count)
{
    return !isnan(method->similarity) || (picture_count && !isnan(method->image_similarity));
}

/* Room for so many units; factors, starts and order are the caller's to fill. */
static int plan_allocate(int units, int positions, struct plan **out, struct error *error)
{
    size_t n = units > 0 ? (size_t)units : 1;
    struct plan *plan = calloc(1, sizeof *plan);
    if (plan) {
        plan->units = units;
        plan->positions = positions;
        plan->factor = malloc(n * (size_t)positions * sizeof *plan->factor);
        plan->start = malloc(n * sizeof *plan->start);
        plan->order = malloc(n * sizeof *plan->order);
    }
    if (!plan || !plan->factor || !plan->start || !plan->order) {
        plan_free(plan);
        return error_set(error, ERROR_MEMORY, "out of memory for %d probes of %d tokens", units, positions);
    }
    *out = plan;
    return 0;
}

/* Starts come ascending, or nearly so: from the last unit on, each insertion moves little or nothing. */
static void plan_sort(struct plan *plan)
{
    for (int u = plan->units - 1; u >= 0; u--) {
        int at = plan->units - 1 - u;
        for (; at > 0 && plan->start[plan->order[at - 1]] < plan->start[u]; at--)
            plan->order[at] = plan->order[at - 1];
        plan->order[at] = u;
    }
}

int plan_new(const struct unit *units, int unit_count, const struct plan_ground *ground, const struct method *method,
             struct plan **out, struct error *error)
{
    int positions = ground->positions;
    bool around = plan_looks_around(method, ground->picture_count);
    struct plan *plan;
    float *e = NULL;
    int status = plan_allocate(unit_count, positions, &plan, error);
    if (status < 0)
        return status;
    if (around && !(e = normalised(ground->embedding, positions, ground->width))) {
        plan_free(plan);
        return error_set(error, ERROR_MEMORY, "out of memory for %d probes of %d tokens", unit_count, positions);
    }
    for (int u = 0; u < unit_count; u++) {
        float *factor = plan->factor + (size_t)u * (size_t)positions;
        struct reach reach = reach_of(&units[u], method, ground->pictures, ground->picture_count);
        fill_factors(&units[u], &reach, positions, 1 - (double)method->factor, e, ground->width, factor);
        plan->start[u] = first_row(factor, positions, ground->sees);
    }
    free(e);
    plan_sort(plan);
    *out = plan;
    return 0;
}

int plan_join(const struct plan *plan, const struct plan_set *sets, int set_count, struct plan **out,
              struct error *error)
{
    size_t n = (size_t)plan->positions;
    struct plan *joined;
    int status = plan_allocate(set_count, plan->positions, &joined, error);
    if (status < 0)
        return status;
    for (int s = 0; s < set_count; s++) {
        float *factor = joined->factor + (size_t)s * n;
        joined->start[s] = plan->positions;
        for (size_t k = 0; k < n; k++)
            factor[k] = 1;
        for (int i = 0; i < sets[s].count; i++) {
            int unit = sets[s].unit[i];
            for (size_t k = 0; k < n; k++)
                factor[k] *= plan->factor[(size_t)unit * n + k];
            if (plan->start[unit] < joined->start[s])
                joined->start[s] = plan->start[unit];
        }
    }
    plan_sort(joined);
    *out = joined;
    return 0;
}

void plan_trim(struct plan *plan)
{
    free(plan->factor);
    free(plan->order);
    plan->factor = NULL;
    plan->order = NULL;
}

void plan_free(struct plan *plan)
{
    if (!plan)
        return;
    free(plan->factor);
    free(plan->start);
    free(plan->order);
    free(plan);
}
