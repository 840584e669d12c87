/* several.c: several devices of one kind behind one.
 *
 * A stream lives on one member: wide ones, which run the baseline, on the first; ordinary ones, which run probes, where
 * the fewest are.  Weights are on every member.  The memory of the whole is the first member's, with replicas on the
 * others: so the baseline travels once to every member, layer by layer as the probes come by, and everything else stays
 * where it is made.
 *
 * Nothing here computes, and nothing knows what kind of devices these are. */
#include "gpu/several.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gpu/replicas.h"

struct several {
    struct device device; /* first: a struct device * of this device points here */
    struct device_info info;
    struct device *member[SEVERAL_MOST];
    int count;
    struct replicas whole;
    pthread_mutex_t lock;      /* all below */
    int streams[SEVERAL_MOST]; /* ordinary ones there are */
};

/* `inner` and `part` are the members' own streams and weights, of which only their devices know what they are. */
struct stream {
    struct several *all;
    const struct device_ops *ops; /* the member's */
    struct stream *inner;
    int member;
    bool wide;
    struct error failure; /* code 0: none */
};

struct weight {
    struct weight *part[SEVERAL_MOST];
};

/* -- marks --------------------------------------------------------------------------------------------------------- */

static void fail(struct stream *s, const struct error *error)
{
    if (!s->failure.code)
        s->failure = *error;
}

static bool ready(const struct stream *s)
{
    return !s->failure.code;
}

/* -- memory -------------------------------------------------------------------------------------------------------- */

static void *several_alloc(struct device *device, size_t bytes, struct error *error)
{
    return replicas_alloc(&((struct several *)device)->whole, bytes, error);
}

static void several_release(struct device *device, void *memory)
{
    replicas_free(&((struct several *)device)->whole, memory);
}

static size_t several_memory(struct device *device)
{
    struct several *all = (struct several *)device;
    size_t least = SIZE_MAX;
    for (int i = 0; i < all->count; i++) {
        size_t memory = all->member[i]->ops->memory(all->member[i]);
        least = memory < least ? memory : least;
    }
    return least;
}

static size_t several_used(struct device *device)
{
    (void)device;
    return 0;
}

/* Where the stream's member finds what p points to, for reading.  NULL stays NULL. */
static const void *here(struct stream *s, const void *p)
{
    struct error error = {0};
    if (!ready(s))
        return p;
    const void *own = replicas_read(&s->all->whole, p, s->member, s->inner, &error);
    if (error.code)
        fail(s, &error);
    return own;
}

/* p, which the stream's member is about to write. */
static void *written(struct stream *s, void *p)
{
    struct error error;
    if (replicas_note(&s->all->whole, p) && s->member != 0) {
        error_set(&error, ERROR_DEVICE, "a stream of device %d writes memory of device 0", s->member);
        fail(s, &error);
    }
    return p;
}

/* -- life ---------------------------------------------------------------------------------------------------------- */

static void several_close(struct device *device)
{
    struct several *all = (struct several *)device;
    for (int i = 0; i < all->count; i++)
        all->member[i]->ops->close(all->member[i]);
    replicas_end(&all->whole);
    pthread_mutex_destroy(&all->lock);
    free(all);
}

static const struct device_info *several_info(const struct device *device)
{
    return &((const struct several *)device)->info;
}

/* The member with the fewest ordinary streams, which gets one more. */
static int choose_member(struct several *all)
{
    int least = 0;
    pthread_mutex_lock(&all->lock);
    for (int i = 1; i < all->count; i++)
        if (all->streams[i] < all->streams[least])
            least = i;
    all->streams[least]++;
    pthread_mutex_unlock(&all->lock);
    return least;
}

static void several_stream_free(struct stream *s)
{
    if (!s)
        return;
    if (s->inner)
        s->ops->stream_free(s->inner);
    if (!s->wide) {
        pthread_mutex_lock(&s->all->lock);
        s->all->streams[s->member]--;
        pthread_mutex_unlock(&s->all->lock);
    }
    free(s);
}

static int several_stream_new(struct device *device, bool wide, struct stream **out, struct error *error)
{
    struct several *all = (struct several *)device;
    struct stream *s = calloc(1, sizeof *s);
    *out = NULL;
    if (!s)
        return error_set(error, ERROR_MEMORY, "no memory for a stream");
    s->all = all;
    s->wide = wide;
    s->member = wide ? 0 : choose_member(all);
    s->ops = all->member[s->member]->ops;
    int code = s->ops->stream_new(all->member[s->member], wide, &s->inner, error);
    if (code < 0) {
        several_stream_free(s);
        return code;
    }
    *out = s;
    return 0;
}

static int several_stream_finish(struct stream *s, struct error *error)
{
    struct error inner = {0};
    if (s->ops->stream_finish(s->inner, &inner) < 0)
        fail(s, &inner);
    int code = s->failure.code;
    if (code)
        error_set(error, code, "%s", s->failure.message);
    s->failure.code = 0;
    return code;
}

static struct device *several_stream_device(struct stream *s)
{
    return s->all->member[s->member];
}

/* -- bytes on their way -------------------------------------------------------------------------------------------- */

static void several_upload(struct stream *s, const void *host, size_t bytes, void *device)
{
    written(s, device);
    if (ready(s))
        s->ops->upload(s->inner, host, bytes, device);
}

static void several_download(struct stream *s, const void *device, size_t bytes, void *host)
{
    device = here(s, device);
    if (ready(s))
        s->ops->download(s->inner, device, bytes, host);
}

/* The only operation that writes another member's memory. */
static void several_copy(struct stream *s, const void *from, size_t bytes, void *to)
{
    from = here(s, from);
    replicas_note(&s->all->whole, to);
    if (ready(s))
        s->ops->copy(s->inner, from, bytes, to);
}

/* -- weights ------------------------------------------------------------------------------------------------------- */

static void several_weight_free(struct device *device, struct weight *w)
{
    struct several *all = (struct several *)device;
    if (!w)
        return;
    for (int i = 0; i < all->count; i++)
        all->member[i]->ops->weight_free(all->member[i], w->part[i]);
    free(w);
}

static int several_weight_new(struct device *device, uint32_t type, int rows, int columns, const void *data,
                              struct weight **out, struct error *error)
{
    struct several *all = (struct several *)device;
    struct weight *w = calloc(1, sizeof *w);
    *out = NULL;
    if (!w)
        return error_set(error, ERROR_MEMORY, "no memory for a weight");
    for (int i = 0; i < all->count; i++) {
        int code = all->member[i]->ops->weight_new(all->member[i], type, rows, columns, data, &w->part[i], error);
        if (code < 0) {
            several_weight_free(device, w);
            return code;
        }
    }
    *out = w;
    return 0;
}

/* -- descriptions that hold pointers ------------------------------------------------------------------------------- */

static struct norm norm_here(struct stream *s, const struct norm *norm)
{
    struct norm own = *norm;
    own.weight = here(s, norm->weight);
    own.bias = here(s, norm->bias);
    return own;
}

static struct attention attention_here(struct stream *s, const struct attention *a)
{
    struct attention own = *a;
    own.sees = here(s, a->sees);
    own.key = here(s, a->key);
    own.value = here(s, a->value);
    return own;
}

static struct head head_here(struct stream *s, const struct head *head)
{
    struct head own = *head;
    own.weight = head->weight->part[s->member];
    own.bias = here(s, head->bias);
    return own;
}

/* -- values -------------------------------------------------------------------------------------------------------- */

static void several_embed(struct stream *s, const struct weight *w, const int32_t *ids, int n, float scale, float *x)
{
    x = written(s, x);
    if (ready(s))
        s->ops->embed(s->inner, w->part[s->member], ids, n, scale, x);
}

static void several_norm(struct stream *s, const struct norm *norm, const float *x, int rows, float *y)
{
    struct norm own = norm_here(s, norm);
    x = here(s, x);
    y = written(s, y);
    if (ready(s))
        s->ops->norm(s->inner, &own, x, rows, y);
}

static void several_linear(struct stream *s, const struct weight *w, const float *bias, const float *x, int rows,
                           float *y)
{
    bias = here(s, bias);
    x = here(s, x);
    y = written(s, y);
    if (ready(s))
        s->ops->linear(s->inner, w->part[s->member], bias, x, rows, y);
}

static void several_rope(struct stream *s, const struct rope *rope, const int32_t *position, int rows, float *x)
{
    struct rope own = *rope;
    own.cos = here(s, rope->cos);
    own.sin = here(s, rope->sin);
    position = here(s, position);
    x = written(s, x);
    if (ready(s))
        s->ops->rope(s->inner, &own, position, rows, x);
}

static void several_attend(struct stream *s, const struct attention *a, const float *factor, int first, const float *x,
                           int rows, float *y)
{
    struct attention own = attention_here(s, a);
    factor = here(s, factor);
    x = here(s, x);
    y = written(s, y);
    if (ready(s))
        s->ops->attend(s->inner, &own, factor, first, x, rows, y);
}

static void several_gate(struct stream *s, enum activation activation, const float *gate, const float *up, size_t n,
                         float *y)
{
    gate = here(s, gate);
    up = here(s, up);
    y = written(s, y);
    if (ready(s))
        s->ops->gate(s->inner, activation, gate, up, n, y);
}

static void several_add(struct stream *s, const float *x, float scale, size_t n, float *y)
{
    x = here(s, x);
    y = written(s, y);
    if (ready(s))
        s->ops->add(s->inner, x, scale, n, y);
}

static void several_logits(struct stream *s, const struct head *head, const float *h, int rows, float *logits)
{
    struct head own = head_here(s, head);
    h = here(s, h);
    logits = written(s, logits);
    if (ready(s))
        s->ops->logits(s->inner, &own, h, rows, logits);
}

/* -- differences --------------------------------------------------------------------------------------------------- */

static void several_norm_delta(struct stream *s, const struct norm *norm, const float *x, const int32_t *position,
                               const float *dx, int rows, float *dy)
{
    struct norm own = norm_here(s, norm);
    x = here(s, x);
    position = here(s, position);
    dx = here(s, dx);
    dy = written(s, dy);
    if (ready(s))
        s->ops->norm_delta(s->inner, &own, x, position, dx, rows, dy);
}

static void several_linear_delta(struct stream *s, const struct weight *w, enum precision precision, const float *dx,
                                 int rows, float *dy)
{
    dx = here(s, dx);
    dy = written(s, dy);
    if (ready(s))
        s->ops->linear_delta(s->inner, w->part[s->member], precision, dx, rows, dy);
}

static void several_attend_delta(struct stream *s, const struct attention *a, int probes, const struct probe_span *span,
                                 const float *factor, const float *query, const float *output, const float *dquery,
                                 const float *dkey, const float *dvalue, float *dy)
{
    struct attention own = attention_here(s, a);
    factor = here(s, factor);
    query = here(s, query);
    output = here(s, output);
    dquery = here(s, dquery);
    dkey = here(s, dkey);
    dvalue = here(s, dvalue);
    dy = written(s, dy);
    if (ready(s))
        s->ops->attend_delta(s->inner, &own, probes, span, factor, query, output, dquery, dkey, dvalue, dy);
}

static void several_gate_delta(struct stream *s, enum activation activation, const float *gate, const float *up,
                               const int32_t *position, const float *dgate, const float *dup, int rows, int width,
                               float *dy)
{
    gate = here(s, gate);
    up = here(s, up);
    position = here(s, position);
    dgate = here(s, dgate);
    dup = here(s, dup);
    dy = written(s, dy);
    if (ready(s))
        s->ops->gate_delta(s->inner, activation, gate, up, position, dgate, dup, rows, width, dy);
}

static void several_pack(struct stream *s, enum precision precision, const float *x, int rows, int width, void *packed)
{
    x = here(s, x);
    packed = written(s, packed);
    if (ready(s))
        s->ops->pack(s->inner, precision, x, rows, width, packed);
}

static void several_unpack(struct stream *s, enum precision precision, const void *packed, int rows, int width,
                           float *x)
{
    packed = here(s, packed);
    x = written(s, x);
    if (ready(s))
        s->ops->unpack(s->inner, precision, packed, rows, width, x);
}

static void several_gather(struct stream *s, const float *from, const int32_t *index, int n, int width, float *to)
{
    from = here(s, from);
    to = written(s, to);
    if (ready(s))
        s->ops->gather(s->inner, from, index, n, width, to);
}

static void several_lse_delta(struct stream *s, const struct head *head, enum precision precision, const float *h,
                              int targets, const double *lse, const float *dh, const int32_t *target, int rows,
                              double *dlse)
{
    struct head own = head_here(s, head);
    h = here(s, h);
    dh = here(s, dh);
    if (ready(s))
        s->ops->lse_delta(s->inner, &own, precision, h, targets, lse, dh, target, rows, dlse);
}

static void several_logit_delta(struct stream *s, const struct head *head, const float *h, const float *dh,
                                const int32_t *target, int rows, const int32_t *wanted, int n, double *dlogit)
{
    struct head own = head_here(s, head);
    h = here(s, h);
    dh = here(s, dh);
    if (ready(s))
        s->ops->logit_delta(s->inner, &own, h, dh, target, rows, wanted, n, dlogit);
}

/* -- the device ---------------------------------------------------------------------------------------------------- */

static const struct device_ops several_ops = {
    .close = several_close,
    .info = several_info,
    .stream_new = several_stream_new,
    .stream_free = several_stream_free,
    .stream_finish = several_stream_finish,
    .stream_device = several_stream_device,
    .alloc = several_alloc,
    .free = several_release,
    .memory = several_memory,
    .used = several_used,
    .upload = several_upload,
    .download = several_download,
    .copy = several_copy,
    .weight_new = several_weight_new,
    .weight_free = several_weight_free,
    .embed = several_embed,
    .norm = several_norm,
    .linear = several_linear,
    .rope = several_rope,
    .attend = several_attend,
    .gate = several_gate,
    .add = several_add,
    .logits = several_logits,
    .norm_delta = several_norm_delta,
    .linear_delta = several_linear_delta,
    .attend_delta = several_attend_delta,
    .gate_delta = several_gate_delta,
    .pack = several_pack,
    .unpack = several_unpack,
    .gather = several_gather,
    .lse_delta = several_lse_delta,
    .logit_delta = several_logit_delta,
};
/* All but weight_prepare, linears_delta and feed_delta, which no card has. */
_Static_assert(sizeof several_ops == 35 * sizeof(void (*)(void)), "an operation of device.h is missing here");

/* What all members can do. */
static void describe(struct several *all)
{
    struct device_info *info = &all->info;
    *info = *all->member[0]->ops->info(all->member[0]);
    bool alike = true;
    for (int i = 1; i < all->count; i++) {
        const struct device_info *other = all->member[i]->ops->info(all->member[i]);
        alike = alike && !strcmp(info->name, other->name);
        info->threads += other->threads;
        info->streams += other->streams;
        info->batch_rows = other->batch_rows < info->batch_rows ? other->batch_rows : info->batch_rows;
        info->memory = other->memory < info->memory ? other->memory : info->memory;
        if (other->head_dim && (!info->head_dim || other->head_dim < info->head_dim))
            info->head_dim = other->head_dim;
        for (int p = 0; p < 3; p++)
            info->precision[p] = info->precision[p] && other->precision[p];
    }
    if (!info->precision[info->preferred])
        info->preferred = PRECISION_F32;
    char name[sizeof info->name];
    memcpy(name, info->name, sizeof name);
    snprintf(info->name, sizeof info->name, "%d x %.*s%s", all->count, (int)sizeof name - 32, name,
             alike ? "" : " and others");
}

int several_open(struct device *const *members, int count, struct device **device, struct error *error)
{
    struct several *all = count >= 1 && count <= SEVERAL_MOST ? calloc(1, sizeof *all) : NULL;
    *device = NULL;
    if (!all) {
        for (int i = 0; i < count; i++)
            members[i]->ops->close(members[i]);
        return count >= 1 && count <= SEVERAL_MOST
                   ? error_set(error, ERROR_MEMORY, "no memory for the device")
                   : error_set(error, ERROR_ARGUMENT, "%d devices; 1 to %d can work together", count, SEVERAL_MOST);
    }
    all->device.ops = &several_ops;
    all->count = count;
    for (int i = 0; i < count; i++)
        all->member[i] = members[i];
    pthread_mutex_init(&all->lock, NULL);
    replicas_init(&all->whole, all->member, count);
    describe(all);
    *device = &all->device;
    return 0;
}
