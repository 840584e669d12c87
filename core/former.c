#include "core/former.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/job.h"

static const size_t MOST_BYTES = (size_t)1 << 28; /* kept beside those of the next explanation */

/* All but what direct paths did. */
static void drop(struct former *f)
{
    probes_free(f->probes);
    plan_free(f->plan);
    free(f->ids);
    free(f->wanted);
    f->probes = NULL;
    f->plan = NULL;
    f->ids = f->wanted = NULL;
    f->count = 0;
    f->bytes = 0;
}

void former_clear(struct former *f)
{
    drop(f);
    direct_clear(&f->direct);
    free(f->from);
    *f = (struct former){0};
}

/* Final states, changes, factors. */
static size_t state_bytes(const struct probes *p)
{
    size_t cells = (size_t)p->plan->units * (size_t)p->targets.count, wanted = (size_t)p->targets.wanted_count;
    return cells * ((size_t)p->baseline->model->width * sizeof(float) + (1 + wanted) * sizeof(double)) +
           (size_t)p->plan->units * (size_t)p->plan->positions * sizeof(float);
}

size_t former_bytes(const struct former *f)
{
    return f->bytes + (f->probes && f->probes->past ? past_bytes(f->probes->past) : 0);
}

void former_shrink(struct former *f, size_t bytes)
{
    if (f->probes && f->probes->past)
        past_shrink(f->probes->past, bytes);
}

static const struct rotation *rotation_of(const struct baseline *b)
{
    return model_rotation(b->model, ROTATION_GLOBAL, b->capacity);
}

void former_keep(struct former *f, struct job *j)
{
    int prompt = (int)j->prompt.token_count, count = prompt + j->output_count - 1;
    size_t bytes = j->probes ? state_bytes(j->probes) + j->direct.bytes : 0;
    if (!j->probes || bytes > MOST_BYTES)
        return;
    int32_t *ids = malloc((size_t)count * sizeof *ids);
    if (!ids)
        return;
    memcpy(ids, j->ids, (size_t)prompt * sizeof *ids);
    for (int t = 0; prompt + t < count; t++)
        ids[prompt + t] = j->output[t].id;
    former_clear(f);
    *f = (struct former){.plan = j->plan,
                         .probes = j->probes,
                         .ids = ids,
                         .count = count,
                         .bytes = bytes,
                         .rotation = rotation_of(j->baseline),
                         .wanted = j->wanted,
                         .noise_floor = j->noise_floor,
                         .direct = j->direct};
    j->plan = NULL;
    j->probes = NULL;
    j->wanted = NULL;
    j->direct = (struct direct){0};
}

bool former_is_of(const struct former *f, const int32_t *ids, int count)
{
    return f->plan && f->count >= count && memcmp(f->ids, ids, (size_t)count * sizeof *ids) == 0;
}

/* -- what is the same ---------------------------------------------------------------------------------------------- */

static bool same_method(const struct method *a, const struct method *b)
{
    return a->suppression == b->suppression && a->paths == b->paths && a->first_layer == b->first_layer &&
           a->last_layer == b->last_layer; /* all else is in the plans' factors */
}

/* How many positions, from the first on, say the same in both. */
static int shared_positions(const struct former *f, const struct job *j)
{
    int positions = j->plan->positions, prompt = (int)j->prompt.token_count, same = 0;
    while (same < f->count && same < positions &&
           f->ids[same] == (same < prompt ? j->ids[same] : j->output[same - prompt].id))
        same++;
    if (!same_method(&f->probes->method, &j->probes->method) || f->rotation != rotation_of(j->baseline))
        return 0;
    /* The minimum of a row may be that of a later key. */
    if (j->method.suppression == SUPPRESS_ROW_MIN && (same < positions || f->plan->positions != positions))
        return 0;
    return same;
}

/* How many of the job's output tokens, from the first on, the former probes were asked about, after the same tokens. */
static int shared_targets(const struct former *f, const struct job *j, int same)
{
    const struct targets *then = &f->probes->targets, *now = &j->probes->targets;
    int end = then->first + then->count < same ? then->first + then->count : same;
    return now->first >= then->first && end > now->first ? end - now->first : 0;
}

struct key {
    uint64_t hash;
    int unit;
};

static int by_hash(const void *a, const void *b)
{
    const struct key *x = a, *y = b;
    return x->hash < y->hash ? -1 : x->hash > y->hash ? 1 : x->unit - y->unit;
}

static uint64_t hash_of(const float *factor, int count)
{
    uint64_t hash = 0x9e3779b97f4a7c15u;
    for (int i = 0; i < count; i++) {
        uint32_t bits;
        memcpy(&bits, &factor[i], sizeof bits);
        hash = (hash ^ bits) * 0xff51afd7ed558ccdu;
        hash ^= hash >> 29;
    }
    return hash;
}

static const float *factors(const struct plan *plan, int unit)
{
    return plan->factor + (size_t)unit * (size_t)plan->positions;
}

/* The former unit that turns down the same of the first `length` keys, if any, or -1. */
static int find(const struct former *f, const struct key *keys, const float *factor, int length)
{
    struct key wanted = {hash_of(factor, length), 0};
    int low = 0, high = f->plan->units;
    while (low < high) {
        int middle = low + (high - low) / 2;
        if (keys[middle].hash < wanted.hash)
            low = middle + 1;
        else
            high = middle;
    }
    for (; low < f->plan->units && keys[low].hash == wanted.hash; low++)
        if (memcmp(factors(f->plan, keys[low].unit), factor, (size_t)length * sizeof *factor) == 0)
            return keys[low].unit;
    return -1;
}

/* For each of the plan's units the former one whose probe is the same up to position `length`, or -1; malloced. */
static int *match(const struct former *f, const struct plan *plan, int length)
{
    int *from = malloc(((size_t)plan->units + 1) * sizeof *from);
    struct key *keys = malloc(((size_t)f->plan->units + 1) * sizeof *keys);
    for (int u = 0; keys && u < f->plan->units; u++)
        keys[u] = (struct key){hash_of(factors(f->plan, u), length), u};
    if (keys)
        qsort(keys, (size_t)f->plan->units, sizeof *keys, by_hash);
    for (int u = 0; from && keys && u < plan->units; u++)
        from[u] = plan->start[u] < length ? find(f, keys, factors(plan, u), length) : -1;
    if (!keys) {
        free(from);
        from = NULL;
    }
    free(keys);
    return from;
}

/* -- what it says -------------------------------------------------------------------------------------------------- */

/* How many of the new targets, from the first on, unit `old` of the former probes says something of. */
static int known_targets(const struct probes *then, int old, int shared, int offset)
{
    int known = atomic_load(&then->measured[old]) ? then->targets.count : then->known[old];
    known -= offset;
    return known < 0 ? 0 : known < shared ? known : shared;
}

/* Take over what unit `old` says of targets from the unit's first to `known` - 1. */
static void take(struct probes *now, struct stream *s, int unit, const struct probes *then, int old, int known,
                 int offset)
{
    size_t d = (size_t)now->baseline->model->width, wanted = (size_t)now->targets.wanted_count;
    int first = probes_first_target(now, unit);
    if (first >= known)
        return;
    size_t n = (size_t)(known - first);
    size_t to = (size_t)unit * (size_t)now->targets.count + (size_t)first;
    size_t from = (size_t)old * (size_t)then->targets.count + (size_t)(first + offset);
    if (then->change && now->change)
        now->baseline->model->device->ops->copy(s, then->change + from * d, n * d * sizeof(float),
                                                now->change + to * d);
    memcpy(now->dlse + to, then->dlse + from, n * sizeof *now->dlse);
    memcpy(now->dlogit + to * wanted, then->dlogit + from * wanted, n * wanted * sizeof *now->dlogit);
}

/* Form the changes of target t's wanted logits from the states of all units that know it: another run wanted others. */
static int form_wanted(struct probes *p, struct stream *s, int t, struct error *error)
{
    const struct model *m = p->baseline->model;
    const struct device_ops *ops = m->device->ops;
    size_t units = (size_t)p->plan->units, targets = (size_t)p->targets.count, d = (size_t)m->width;
    size_t wanted = (size_t)p->targets.wanted_count;
    int32_t *row = malloc((units + 1) * sizeof *row), *zero = calloc(units + 1, sizeof *zero);
    double *dlogit = malloc((units * wanted + 1) * sizeof *dlogit);
    struct pool pool;
    int n = 0, status = 0;
    pool_init(&pool, m->device);
    float *change = pool_floats(&pool, units, d);
    for (size_t u = 0; row && u < units; u++)
        if (t >= probes_first_target(p, (int)u) && t < p->known[u])
            row[n++] = (int32_t)(u * targets + (size_t)t);
    if (!row || !zero || !dlogit || !change) {
        status = error_set(error, ERROR_MEMORY, "out of memory");
    } else {
        ops->gather(s, p->change, row, n, m->width, change);
        ops->logit_delta(s, &m->head, p->hidden + (size_t)t * d, change, zero, n,
                         p->targets.wanted + (size_t)t * wanted, (int)wanted, dlogit);
        status = ops->stream_finish(s, error);
    }
    for (int i = 0; status == 0 && i < n; i++)
        memcpy(p->dlogit + (size_t)row[i] * wanted, dlogit + (size_t)i * wanted, wanted * sizeof *dlogit);
    pool_free(&pool);
    free(row);
    free(zero);
    free(dlogit);
    return status;
}

/* Take over what is the same of the first `shared` targets, which were the former probes' from `offset` on. */
static int take_all(struct probes *now, struct stream *s, const struct probes *then, const int *from, int shared,
                    int offset, struct error *error)
{
    for (int u = 0; u < now->plan->units; u++) {
        bool there = from[u] >= 0 && from[u] < then->plan->units;
        bool fine = there && (then->exact[from[u]] || now->precision != PRECISION_F32);
        int known = fine ? known_targets(then, from[u], shared, offset) : 0;
        if (known == 0)
            continue;
        take(now, s, u, then, from[u], known, offset);
        now->known[u] = known;
        now->exact[u] = then->exact[from[u]];
        atomic_store(&now->measured[u], known == now->targets.count);
    }
    return now->baseline->model->device->ops->stream_finish(s, error);
}

/* The same of the job's own probes, also where they are asked about other tokens. */
static int recall_all(const struct former *f, struct job *j, struct error *error)
{
    struct probes *now = j->probes;
    size_t wanted = (size_t)now->targets.wanted_count;
    int offset = now->targets.first - f->probes->targets.first;
    int status = take_all(now, j->stream, f->probes, f->from, f->shared, offset, error);
    for (int t = 0; status == 0 && t < f->shared; t++)
        if (memcmp(now->targets.wanted + (size_t)t * wanted, f->wanted + (size_t)(t + offset) * wanted,
                   wanted * sizeof *f->wanted))
            status = form_wanted(now, j->stream, t, error);
    for (size_t u = 0; status == 0 && u < j->unit_count; u++)
        if ((j->recalled[u] = now->known[u] > 0))
            j->noise_floor = f->noise_floor;
    return status;
}

/* Let the job's probes go on from the rows of the first `same` positions. */
static void take_past(struct former *f, struct probes *now, int same)
{
    struct past *past = f->probes->past;
    for (int u = 0; past && now->past && u < now->plan->units; u++)
        if (f->from[u] >= 0)
            past_take(now->past, u, now->plan->start[u], same, past, f->from[u]);
}

int former_recall(struct former *f, struct job *j, struct error *error)
{
    int status = 0, same = f->plan ? shared_positions(f, j) : 0;
    f->shared = same > 0 ? shared_targets(f, j, same) : 0;
    if (same > 0 && !(f->from = match(f, j->plan, same)))
        status = error_set(error, ERROR_MEMORY, "out of memory");
    if (status == 0 && same > 0)
        take_past(f, j->probes, same);
    if (status == 0 && f->shared > 0) {
        j->recalled = calloc(j->unit_count + 1, sizeof *j->recalled);
        status = j->recalled ? recall_all(f, j, error) : error_set(error, ERROR_MEMORY, "out of memory");
    }
    /* Of output that is now the prompt's end the tokens have other numbers. */
    if (f->shared == 0 || j->probes->targets.first != f->probes->targets.first)
        direct_clear(&f->direct);
    drop(f);
    return status;
}

const struct direct_part *former_part(const struct former *f, int t)
{
    const struct direct_part *part = t < f->direct.count ? f->direct.part[t] : NULL;
    return part && f->from && part->end <= f->shared ? part : NULL;
}

int former_recall_direct(const struct former *f, struct job *j, struct direct_part *part,
                         const struct direct_part *former, struct error *error)
{
    size_t tokens = (size_t)(part->end - part->first);
    if (memcmp(part->wanted, former->wanted, tokens * WANTED * sizeof *part->wanted))
        return 0;
    return take_all(part->probes, j->stream, former->probes, f->from, (int)tokens, 0, error);
}
