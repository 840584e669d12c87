#include "core/past.h"

#include <pthread.h>
#include <stdlib.h>

enum { LOW, EXACT, PRECISIONS }; /* slots of a unit */

/* Rows of one unit in one precision. */
struct slot {
    char *memory; /* device [layers behind the first, PAST_KEYS and PAST_VALUES, room] packed rows; NULL: none */
    enum precision precision;
    int start; /* position of the first */
    int room;  /* rows there is memory for */
    int end;   /* position behind the last one that is there */
};

struct past {
    const struct model *model;
    int first_layer, units;
    struct slot (*slot)[PRECISIONS]; /* [units] */
    pthread_mutex_t lock;            /* the next two */
    size_t bytes, limit;
};

static struct slot *slot_of(const struct past *p, int unit, enum precision precision)
{
    return &p->slot[unit][precision == PRECISION_F32 ? EXACT : LOW];
}

static size_t row_bytes(const struct past *p, enum precision precision)
{
    return packed_bytes(precision, p->model->kv_heads * p->model->head_dim);
}

static size_t slot_bytes(const struct past *p, enum precision precision, int rows)
{
    return (size_t)(p->model->layers - 1 - p->first_layer) * 2 * (size_t)rows * row_bytes(p, precision);
}

/* Where the row at a position lies. */
static char *slot_row(const struct past *p, const struct slot *s, int l, enum past_part part, int position)
{
    size_t block = (size_t)(l - 1 - p->first_layer) * 2 + (part == PAST_VALUES);
    return s->memory + (block * (size_t)s->room + (size_t)(position - s->start)) * row_bytes(p, s->precision);
}

/* Count so many bytes as taken, if the limit leaves them. */
static bool count_taken(struct past *p, size_t bytes)
{
    pthread_mutex_lock(&p->lock);
    bool fits = p->bytes < p->limit && bytes <= p->limit - p->bytes;
    p->bytes += fits ? bytes : 0;
    pthread_mutex_unlock(&p->lock);
    return fits;
}

static void count_given_back(struct past *p, size_t bytes)
{
    pthread_mutex_lock(&p->lock);
    p->bytes -= bytes;
    pthread_mutex_unlock(&p->lock);
}

static void slot_free(struct past *p, struct slot *s)
{
    if (s->memory) {
        p->model->device->ops->free(p->model->device, s->memory);
        count_given_back(p, slot_bytes(p, s->precision, s->room));
    }
    *s = (struct slot){0};
}

/* Nothing is there from `end` on. */
static void slot_cut(struct past *p, struct slot *s, int end)
{
    if (s->end > end)
        s->end = end;
    if (s->end <= s->start)
        slot_free(p, s);
}

/* -- all of it ----------------------------------------------------------------------------------------------------- */

int past_new(const struct model *m, int first_layer, int units, size_t limit, struct past **out, struct error *error)
{
    struct past *p = calloc(1, sizeof *p);
    if (p)
        p->slot = calloc((size_t)units + 1, sizeof *p->slot);
    if (!p || !p->slot) {
        free(p);
        return error_set(error, ERROR_MEMORY, "out of memory");
    }
    pthread_mutex_init(&p->lock, NULL);
    p->model = m;
    p->first_layer = first_layer;
    p->units = units;
    p->limit = limit;
    *out = p;
    return 0;
}

void past_free(struct past *p)
{
    if (!p)
        return;
    past_shrink(p, 0);
    pthread_mutex_destroy(&p->lock);
    free(p->slot);
    free(p);
}

size_t past_bytes(const struct past *p)
{
    return p->bytes;
}

void past_shrink(struct past *p, size_t bytes)
{
    for (int i = p->units * PRECISIONS - 1; i >= 0 && p->bytes > bytes; i--)
        slot_free(p, &p->slot[i / PRECISIONS][i % PRECISIONS]);
}

void past_take(struct past *p, int unit, int start, int end, struct past *from, int from_unit)
{
    for (int i = 0; i < PRECISIONS; i++) {
        struct slot *s = &from->slot[from_unit][i];
        size_t bytes = slot_bytes(p, s->precision, s->room);
        slot_cut(from, s, end);
        if (!s->memory || s->start != start)
            continue;
        p->slot[unit][i] = *s;
        p->bytes += bytes;
        from->bytes -= bytes;
        *s = (struct slot){0};
    }
}

/* -- of a unit ----------------------------------------------------------------------------------------------------- */

int past_end(const struct past *p, int unit, enum precision precision)
{
    const struct slot *s = slot_of(p, unit, precision);
    return s->precision == precision ? s->end : 0;
}

/* Memory for so many rows, within the limit; NULL: there is none. */
static char *reserve(struct past *p, enum precision precision, int rows)
{
    struct device *device = p->model->device;
    size_t bytes = slot_bytes(p, precision, rows);
    if (bytes == 0 || !count_taken(p, bytes))
        return NULL;
    char *memory = device->ops->alloc(device, bytes, NULL);
    if (!memory)
        count_given_back(p, bytes);
    return memory;
}

int past_begin(struct past *p, struct stream *stream, int unit, enum precision precision, int start, int first, int end,
               struct error *error)
{
    const struct device_ops *ops = p->model->device->ops;
    struct slot *s = slot_of(p, unit, precision), *other = &p->slot[unit][precision == PRECISION_F32 ? LOW : EXACT];
    slot_cut(p, other, first);
    slot_cut(p, s, s->precision == precision && s->start == start ? first : 0);
    if (s->memory && s->room >= end - start)
        return 0;
    struct slot more = {reserve(p, precision, end - start), precision, start, end - start, s->memory ? first : start};
    if (!more.memory)
        return 0;
    for (int l = p->first_layer + 1; s->memory && l < p->model->layers; l++)
        for (enum past_part part = PAST_KEYS; part <= PAST_VALUES; part++)
            ops->copy(stream, slot_row(p, s, l, part, start), (size_t)(first - start) * row_bytes(p, precision),
                      slot_row(p, &more, l, part, start));
    int status = s->memory ? ops->stream_finish(stream, error) : 0;
    slot_free(p, s);
    *s = more;
    return status;
}

void past_read(const struct past *p, struct stream *stream, int unit, enum precision precision, int l, int first,
               float *keys, float *values)
{
    const struct device_ops *ops = p->model->device->ops;
    const struct slot *s = slot_of(p, unit, precision);
    int rows = first - s->start, width = p->model->kv_heads * p->model->head_dim;
    ops->unpack(stream, precision, slot_row(p, s, l, PAST_KEYS, s->start), rows, width, keys);
    ops->unpack(stream, precision, slot_row(p, s, l, PAST_VALUES, s->start), rows, width, values);
}

bool past_has_room(const struct past *p, int unit, enum precision precision)
{
    return slot_of(p, unit, precision)->memory;
}

void past_write(struct past *p, struct stream *stream, int unit, enum precision precision, int l, enum past_part part,
                int first, int count, const void *packed)
{
    const struct slot *s = slot_of(p, unit, precision);
    int room = s->memory ? s->start + s->room - first : 0, rows = count < room ? count : room;
    if (rows > 0)
        p->model->device->ops->copy(stream, packed, (size_t)rows * row_bytes(p, precision),
                                    slot_row(p, s, l, part, first));
}

void past_done(struct past *p, int unit, enum precision precision, int end)
{
    struct slot *s = slot_of(p, unit, precision);
    if (s->memory)
        s->end = end < s->start + s->room ? end : s->start + s->room;
}
