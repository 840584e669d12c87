#include "core/probe.h"

#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "core/clock.h"

enum { GROUP_PROBES = 64 }; /* most probes in a group */

/* One lane's thread, stream and scratch for `rows` packed rows. */
struct lane {
    struct lanes *all;
    pthread_t thread;
    bool started;
    struct stream *stream;
    struct pool pool;
    struct walker *walker;
    float *dx, *dh, *dy;       /* [rows, width] */
    float *zero;               /* [rows, width] */
    float *dq, *da;            /* [rows, heads * head_dim] */
    float *dk, *dv;            /* [rows, kv_heads * head_dim] */
    float *dgate, *dup;        /* [rows, ffn] */
    int32_t *position;         /* [rows] of all rows of the group */
    int32_t *target_position;  /* [rows] of those that predict a target */
    float *factor;             /* [GROUP_PROBES, capacity], then as many rows of ones */
    struct { int32_t *position, *target_position, *row, *target; double *dlse, *dlogit; size_t wanted; } host;
};

struct lanes {
    const struct model *model;
    int count, rows, capacity;
    struct lane *lane;
    struct probes *probes; /* of the run in progress */
    struct probe_watch watch;
    pthread_mutex_t lock; /* all below */
    const int *order;     /* [order_count] units of the run */
    int order_count, next;
    int groups;           /* taken so far */
    int64_t rows_left;
    int running;
    int status;
    struct error error;
};

/* Some probes of one plan as packed rows. */
struct group {
    int count;
    int unit[GROUP_PROBES];
    struct probe_span span[GROUP_PROBES];        /* queries: all rows; on direct paths those that predict a target */
    struct probe_span target_span[GROUP_PROBES]; /* queries: rows that predict a target */
    int rows, target_rows;
};

/* -- the store ----------------------------------------------------------------------------------------------------- */

int probes_new(const struct baseline *b, struct stream *s, const struct plan *plan, const struct method *method,
               const struct targets *targets, enum precision precision, struct probes **out, struct error *error)
{
    const struct model *m = b->model;
    size_t units = (size_t)plan->units, t = (size_t)targets->count, d = (size_t)m->width;
    struct probes *p = calloc(1, sizeof *p);
    if (!p)
        return error_set(error, ERROR_MEMORY, "out of memory");
    p->baseline = b;
    p->plan = plan;
    p->method = *method;
    p->targets = *targets;
    p->precision = precision;
    pthread_mutex_init(&p->results, NULL);
    pool_init(&p->pool, m->device);
    p->hidden = pool_floats(&p->pool, t, d);
    p->change = pool_floats(&p->pool, units * t, d);
    p->dlse = calloc(units * t + 1, sizeof *p->dlse);
    p->dlogit = calloc(units * t * (size_t)targets->wanted_count + 1, sizeof *p->dlogit);
    p->measured = calloc(units + 1, sizeof *p->measured);
    int status = p->pool.status;
    if (status < 0 && error)
        *error = p->pool.error;
    if (status == 0 && (!p->dlse || !p->dlogit || !p->measured))
        status = error_set(error, ERROR_MEMORY, "out of memory");
    if (status == 0) {
        m->device->ops->norm(s, &m->output_norm, b->final + (size_t)targets->first * d, targets->count, p->hidden);
        status = m->device->ops->stream_finish(s, error);
    }
    if (status < 0) {
        probes_free(p);
        return status;
    }
    *out = p;
    return 0;
}

void probes_free(struct probes *p)
{
    if (!p)
        return;
    pool_free(&p->pool);
    pthread_mutex_destroy(&p->results);
    free(p->dlse);
    free(p->dlogit);
    free(p->measured);
    free(p);
}

void probes_drop_states(struct probes *p)
{
    pool_free(&p->pool);
    pool_init(&p->pool, p->baseline->model->device);
    p->hidden = p->change = NULL;
}

int probes_first_target(const struct probes *p, int unit)
{
    int t = p->plan->start[unit] - p->targets.first;
    return t < 0 ? 0 : t < p->targets.count ? t : p->targets.count;
}

int probes_retarget(struct probes *p, struct stream *s, int t, int32_t id, float *relevance, struct error *error)
{
    const struct model *m = p->baseline->model;
    const struct device_ops *ops = m->device->ops;
    size_t units = (size_t)p->plan->units, targets = (size_t)p->targets.count, d = (size_t)m->width;
    int32_t *row = malloc((units + 1) * sizeof *row), *zero = calloc(units + 1, sizeof *zero);
    double *dlogit = malloc((units + 1) * sizeof *dlogit);
    struct pool pool;
    int n = 0, status;
    pool_init(&pool, m->device);
    float *change = pool_floats(&pool, units, d);
    if (!row || !zero || !dlogit || !change) {
        status = error_set(error, ERROR_MEMORY, "out of memory");
        goto out;
    }
    pthread_mutex_lock(&p->results);
    for (size_t u = 0; u < units; u++) {
        bool known = atomic_load(&p->measured[u]);
        relevance[u] = known ? 0 : NAN;
        if (known && probes_first_target(p, (int)u) <= t)
            row[n++] = (int32_t)(u * targets + (size_t)t);
    }
    ops->gather(s, p->change, row, n, m->width, change);
    ops->logit_delta(s, &m->head, p->hidden + (size_t)t * d, change, zero, n, &id, 1, dlogit);
    status = ops->stream_finish(s, error);
    for (int i = 0; status == 0 && i < n; i++)
        relevance[(size_t)row[i] / targets] = (float)(p->dlse[row[i]] - dlogit[i]);
    pthread_mutex_unlock(&p->results);
out:
    pool_free(&pool);
    free(row);
    free(zero);
    free(dlogit);
    return status;
}

/* -- lanes --------------------------------------------------------------------------------------------------------- */

static int lane_new(struct lanes *all, struct lane *lane, struct error *error)
{
    const struct model *m = all->model;
    size_t rows = (size_t)all->rows, d = (size_t)m->width, capacity = (size_t)all->capacity;
    size_t q = (size_t)m->heads * (size_t)m->head_dim, kv = (size_t)m->kv_heads * (size_t)m->head_dim;
    lane->all = all;
    int status = m->device->ops->stream_new(m->device, false, &lane->stream, error);
    if (status < 0)
        return status;
    pool_init(&lane->pool, m->device->ops->stream_device(lane->stream));
    lane->dx = pool_floats(&lane->pool, rows, d);
    lane->dh = pool_floats(&lane->pool, rows, d);
    lane->dy = pool_floats(&lane->pool, rows, d);
    lane->zero = pool_floats(&lane->pool, rows, d);
    lane->dq = pool_floats(&lane->pool, rows, q);
    lane->da = pool_floats(&lane->pool, rows, q);
    lane->dk = pool_floats(&lane->pool, rows, kv);
    lane->dv = pool_floats(&lane->pool, rows, kv);
    lane->dgate = pool_floats(&lane->pool, rows, (size_t)m->ffn);
    lane->dup = pool_floats(&lane->pool, rows, (size_t)m->ffn);
    lane->position = pool_ints(&lane->pool, rows);
    lane->target_position = pool_ints(&lane->pool, rows);
    lane->factor = pool_floats(&lane->pool, 2 * GROUP_PROBES, capacity);
    lane->host.position = malloc(rows * sizeof(int32_t));
    lane->host.target_position = malloc(rows * sizeof(int32_t));
    lane->host.row = malloc(rows * sizeof(int32_t));
    lane->host.target = malloc(rows * sizeof(int32_t));
    lane->host.dlse = malloc(rows * sizeof(double));
    if (lane->pool.status < 0) {
        if (error)
            *error = lane->pool.error;
        return lane->pool.status;
    }
    if (!lane->host.position || !lane->host.target_position || !lane->host.row || !lane->host.target || !lane->host.dlse)
        return error_set(error, ERROR_MEMORY, "out of memory");
    float *zero = calloc(rows * d, sizeof *zero);
    if (!zero)
        return error_set(error, ERROR_MEMORY, "out of memory");
    m->device->ops->upload(lane->stream, zero, rows * d * sizeof *zero, lane->zero);
    status = m->device->ops->stream_finish(lane->stream, error);
    free(zero);
    return status;
}

/* Lanes for groups of so many rows. */
static int lanes_try(const struct model *m, int capacity, int rows, struct lanes **out, struct error *error)
{
    const struct device_info *info = m->device->ops->info(m->device);
    struct lanes *all = calloc(1, sizeof *all);
    if (!all)
        return error_set(error, ERROR_MEMORY, "out of memory");
    pthread_mutex_init(&all->lock, NULL);
    all->model = m;
    all->capacity = capacity;
    all->rows = rows;
    all->lane = calloc((size_t)info->streams, sizeof *all->lane);
    int status = all->lane ? 0 : error_set(error, ERROR_MEMORY, "out of memory");
    for (; status == 0 && all->count < info->streams; all->count++)
        status = lane_new(all, &all->lane[all->count], error);
    if (status < 0) {
        lanes_free(all);
        return error_add(error, status, "making room for the probes");
    }
    *out = all;
    return 0;
}

/* What a row takes in a lane: its differences, and a product's rounded operand and sums in the stream. */
static size_t row_bytes(const struct model *m)
{
    size_t d = (size_t)m->width, q = (size_t)m->heads * (size_t)m->head_dim, f = (size_t)m->ffn;
    size_t kv = (size_t)m->kv_heads * (size_t)m->head_dim, wide = q > f ? q : f;
    return (4 * d + 2 * q + 2 * kv + 2 * f + 2 * (wide > d ? wide : d)) * sizeof(float);
}

int lanes_rows(const struct model *m)
{
    const struct device_info *info = m->device->ops->info(m->device);
    size_t memory = m->device->ops->memory(m->device); /* half of it: a baseline wants some too */
    size_t fit = memory / 2 / (size_t)info->streams / row_bytes(m);
    return memory == 0 || fit > (size_t)info->batch_rows ? info->batch_rows : fit > 0 ? (int)fit : 1;
}

int lanes_new(const struct model *m, int capacity, struct lanes **out, struct error *error)
{
    int like = lanes_rows(m), rows = like > capacity ? like : capacity;
    int status = lanes_try(m, capacity, rows, out, error);
    while (status == ERROR_MEMORY && rows > capacity) { /* smaller groups are slower, and better than none */
        rows = rows / 2 > capacity ? rows / 2 : capacity;
        status = lanes_try(m, capacity, rows, out, error);
    }
    return status;
}

int lanes_halve(struct lanes **all)
{
    const struct model *m = (*all)->model;
    int capacity = (*all)->capacity, rows = (*all)->rows / 2;
    if (rows < capacity)
        return ERROR_MEMORY;
    lanes_free(*all);
    *all = NULL;
    return lanes_try(m, capacity, rows, all, NULL);
}

void lanes_free(struct lanes *all)
{
    if (!all)
        return;
    for (int i = 0; i < all->count; i++) {
        struct lane *lane = &all->lane[i];
        if (lane->stream)
            all->model->device->ops->stream_free(lane->stream);
        pool_free(&lane->pool);
        free(lane->host.position);
        free(lane->host.target_position);
        free(lane->host.row);
        free(lane->host.target);
        free(lane->host.dlse);
        free(lane->host.dlogit);
    }
    pthread_mutex_destroy(&all->lock);
    free(all->lane);
    free(all);
}

/* -- one group through the model ----------------------------------------------------------------------------------- */

/* The position of a probe's first row that predicts a target; the sequence's end if there is none. */
static int first_target_row(const struct probes *p, int unit)
{
    int start = p->plan->start[unit], first = p->targets.first, end = p->plan->positions;
    return start < first ? first : start < end ? start : end;
}

static bool is_direct(const struct probes *p)
{
    return p->method.paths == PATHS_DIRECT;
}

/* The position of a probe's first row: none before it changes. */
static int first_row(const struct probes *p, int unit)
{
    return is_direct(p) ? first_target_row(p, unit) : p->plan->start[unit];
}

int probes_row_count(const struct probes *p, int unit)
{
    return p->plan->positions - first_row(p, unit);
}

static void group_add(struct group *g, const struct probes *p, int unit)
{
    int start = first_row(p, unit), first = first_target_row(p, unit), end = p->plan->positions;
    g->unit[g->count] = unit;
    g->span[g->count] = (struct probe_span){g->rows, start, end - start, g->rows, start};
    g->target_span[g->count] = (struct probe_span){g->target_rows, first, end - first, g->rows, start};
    g->rows += end - start;
    g->target_rows += end - first;
    g->count++;
}

/* How many rows the next group should have: few at first, so that something is seen soon, then as many as the device
 * likes, and few again towards the end, so that no lane waits long for the last. */
static int group_size(const struct lanes *all)
{
    if (all->watch.rows)
        return all->watch.rows < all->rows ? all->watch.rows : all->rows;
    int64_t like = all->rows, size = like >> 3;
    for (int i = all->groups / all->count; i > 0 && size < like; i--)
        size *= 2;
    int64_t share = all->rows_left / (2 * all->count);
    if (size > share)
        size = share;
    return (int)(size < like >> 3 ? like >> 3 : size < like ? size : like);
}

/* Take the next group; false when there is none, or none may begin any more.  Probes that can change nothing are
 * measured without a row. */
static bool group_take(struct lanes *all, struct group *g)
{
    struct probes *p = all->probes;
    pthread_mutex_lock(&all->lock);
    memset(g, 0, sizeof *g);
    bool stop = all->status < 0 || atomic_load(all->watch.cancelled) ||
                (all->watch.deadline > 0 && all->next > 0 && clock_now() > all->watch.deadline);
    int size = group_size(all);
    while (!stop && all->next < all->order_count && g->count < GROUP_PROBES) {
        int unit = all->order[all->next], rows = probes_row_count(p, unit);
        if (g->count && g->rows + rows > size)
            break;
        group_add(g, p, unit);
        all->next++;
        all->rows_left -= rows;
    }
    all->groups++;
    pthread_mutex_unlock(&all->lock);
    return g->count > 0;
}

static void group_upload(struct lane *lane, const struct group *g)
{
    const struct probes *p = lane->all->probes;
    const struct device_ops *ops = lane->all->model->device->ops;
    size_t n = (size_t)p->plan->positions;
    int row = 0, target = 0;
    for (int i = 0; i < g->count; i++) {
        const struct probe_span *all = &g->span[i], *queries = &g->target_span[i];
        for (int r = 0; r < all->query_count; r++)
            lane->host.position[row++] = all->query_position + r;
        for (int r = 0; r < queries->query_count; r++) {
            int position = queries->query_position + r;
            lane->host.target_position[target] = position;
            lane->host.target[target] = position - p->targets.first;
            lane->host.row[target++] = all->query_row + position - all->query_position;
        }
        ops->upload(lane->stream, p->plan->factor + (size_t)g->unit[i] * n, n * sizeof(float),
                    lane->factor + (size_t)i * n);
    }
    ops->upload(lane->stream, lane->host.position, (size_t)row * sizeof(int32_t), lane->position);
    ops->upload(lane->stream, lane->host.target_position, (size_t)target * sizeof(int32_t), lane->target_position);
}

/* What a norm makes of a change dx of x: into dy; dx itself where the model has no such norm. */
static const float *group_norm(struct lane *lane, const struct norm *norm, const float *x, const int32_t *position,
                               const float *dx, int rows, float *dy)
{
    if (!norm->weight)
        return dx;
    lane->all->model->device->ops->norm_delta(lane->stream, norm, x, position, dx, rows, dy);
    return dy;
}

/* Queries' or keys' change from that of what they are made of: y = norm(W dh), turned; plain feeds the norm. */
static void group_project(struct lane *lane, int l, const struct linear *linear, const struct norm *norm, int heads,
                          const float *plain, const int32_t *position, const float *dh, int rows, float *y)
{
    const struct probes *p = lane->all->probes;
    const struct device_ops *ops = lane->all->model->device->ops;
    struct rope rope = baseline_rope(p->baseline, l, heads);
    float *dplain = norm->weight ? lane->da : y;
    ops->linear_delta(lane->stream, linear->weight, p->precision, dh, rows, dplain);
    group_norm(lane, norm, plain, position, dplain, rows, y);
    ops->rope(lane->stream, &rope, position, rows, y);
}

/* What changes in the attention's output, before its last matrix: into lane->da for `rows` rows.  In the last layer only
 * rows that predict a target go on.  In the first touched layer queries, keys and values are still the baseline's; on
 * direct paths keys and values are so throughout. */
static void group_attend(struct lane *lane, const struct group *g, int l, const struct activations *a, bool first,
                         bool last)
{
    const struct probes *p = lane->all->probes;
    const struct model *m = lane->all->model;
    const struct device_ops *ops = m->device->ops;
    const struct layer *layer = &m->layer[l];
    struct stream *s = lane->stream;
    const float *dq = NULL, *dk = NULL, *dv = NULL;
    if (!first) {
        const float *dh = group_norm(lane, &layer->attention_norm, a->input, lane->position, lane->dx, g->rows, lane->dh);
        if (!is_direct(p)) {
            group_project(lane, l, &layer->key, &layer->key_norm, m->kv_heads, a->plain_key, lane->position, dh, g->rows,
                          lane->dk);
            ops->linear_delta(s, layer->value.weight, p->precision, dh, g->rows, lane->dv);
            dk = lane->dk, dv = lane->dv;
        }
        if (last) {
            ops->gather(s, dh, lane->host.row, g->target_rows, m->width, lane->dy);
            dh = lane->dy;
        }
        group_project(lane, l, &layer->query, &layer->query_norm, m->heads, a->plain_query,
                      last ? lane->target_position : lane->position, dh, last ? g->target_rows : g->rows, lane->dq);
        dq = lane->dq;
    }
    struct attention attention = baseline_attention(p->baseline, l, p->plan->positions);
    attention.suppression = p->method.suppression;
    const float *factor = lane->factor;
    if (l > p->method.last_layer)
        factor += (size_t)GROUP_PROBES * (size_t)p->plan->positions; /* ones */
    ops->attend_delta(s, &attention, g->count, last ? g->target_span : g->span, factor, a->query, a->attended, dq, dk, dv,
                      lane->da);
}

/* The feed-forward half of a change lane->dx of x, up to its last matrix: into lane->dgate. */
static void group_gate(struct lane *lane, int l, const struct activations *a, const float *x, const int32_t *position,
                       int rows)
{
    const struct probes *p = lane->all->probes;
    const struct model *m = lane->all->model;
    const struct device_ops *ops = m->device->ops;
    const struct layer *layer = &m->layer[l];
    struct stream *s = lane->stream;
    const float *dh = group_norm(lane, &layer->ffn_norm, x, position, lane->dx, rows, lane->dh);
    ops->linear_delta(s, layer->gate.weight, p->precision, dh, rows, lane->dgate);
    if (a->up)
        ops->linear_delta(s, layer->up.weight, p->precision, dh, rows, lane->dup);
    ops->gate_delta(s, m->activation, a->gate, a->up, position, lane->dgate, a->up ? lane->dup : NULL, rows, m->ffn,
                    lane->dgate);
}

/* lane->dx += the change of post(W x); branch feeds the norm. */
static void group_join(struct lane *lane, const struct linear *linear, const struct norm *post, const float *branch,
                       const int32_t *position, const float *dx, int rows)
{
    const struct model *m = lane->all->model;
    const struct device_ops *ops = m->device->ops;
    ops->linear_delta(lane->stream, linear->weight, lane->all->probes->precision, dx, rows, lane->dy);
    const float *dy = group_norm(lane, post, branch, position, lane->dy, rows, lane->dh);
    ops->add(lane->stream, dy, m->residual_scale, (size_t)rows * (size_t)m->width, lane->dx);
}

static void group_layer(struct lane *lane, const struct group *g, int l)
{
    const struct probes *p = lane->all->probes;
    const struct model *m = lane->all->model;
    const struct device_ops *ops = m->device->ops;
    const struct layer *layer = &m->layer[l];
    bool first = l == p->method.first_layer, last = l == m->layers - 1;
    int rows = last ? g->target_rows : g->rows;
    const int32_t *position = last ? lane->target_position : lane->position;
    const struct activations *a = baseline_layer(p->baseline, lane->walker, lane->stream, l);
    group_attend(lane, g, l, a, first, last);
    if (first)
        ops->copy(lane->stream, lane->zero, (size_t)rows * (size_t)m->width * sizeof(float), lane->dx);
    else if (last) {
        float *all = lane->dx;
        ops->gather(lane->stream, all, lane->host.row, rows, m->width, lane->dh);
        lane->dx = lane->dh;
        lane->dh = all;
    }
    if (m->parallel)
        group_gate(lane, l, a, a->input, position, rows);
    group_join(lane, &layer->output, &layer->attention_post, a->attention_branch, position, lane->da, rows);
    if (!m->parallel)
        group_gate(lane, l, a, a->middle, position, rows);
    group_join(lane, &layer->down, &layer->ffn_post, a->ffn_branch, position, lane->dgate, rows);
}

/* Final norm, the change of log-sum-exp and wanted logits, and the states kept for other targets. */
static int group_measure(struct lane *lane, const struct group *g, struct error *error)
{
    struct probes *p = lane->all->probes;
    const struct model *m = lane->all->model;
    const struct device_ops *ops = m->device->ops;
    struct stream *s = lane->stream;
    size_t d = (size_t)m->width, wanted = (size_t)p->targets.wanted_count;
    ops->norm_delta(s, &m->output_norm, p->baseline->final, lane->target_position, lane->dx, g->target_rows, lane->dh);
    ops->lse_delta(s, &m->head, p->precision, p->hidden, p->targets.count, p->targets.lse, lane->dh, lane->host.target,
                   g->target_rows, lane->host.dlse);
    ops->logit_delta(s, &m->head, p->hidden, lane->dh, lane->host.target, g->target_rows, p->targets.wanted,
                     p->targets.wanted_count, lane->host.dlogit);
    pthread_mutex_lock(&p->results);
    for (int i = 0; i < g->count; i++) {
        const struct probe_span *span = &g->target_span[i];
        size_t to = (size_t)g->unit[i] * (size_t)p->targets.count + (size_t)(span->query_position - p->targets.first);
        ops->copy(s, lane->dh + (size_t)span->query_row * d, (size_t)span->query_count * d * sizeof(float),
                  p->change + to * d);
    }
    int status = ops->stream_finish(s, error);
    for (int i = 0; status == 0 && i < g->count; i++) {
        const struct probe_span *span = &g->target_span[i];
        size_t from = (size_t)span->query_row, count = (size_t)span->query_count;
        size_t to = (size_t)g->unit[i] * (size_t)p->targets.count + (size_t)(span->query_position - p->targets.first);
        memcpy(p->dlse + to, lane->host.dlse + from, count * sizeof(double));
        memcpy(p->dlogit + to * wanted, lane->host.dlogit + from * wanted, count * wanted * sizeof(double));
    }
    pthread_mutex_unlock(&p->results);
    return status;
}

static int group_run(struct lane *lane, const struct group *g, struct error *error)
{
    const struct lanes *all = lane->all;
    const struct device_ops *ops = all->model->device->ops;
    if (g->target_rows == 0)
        return 0;
    group_upload(lane, g);
    for (int l = lane->walker ? 0 : all->probes->method.first_layer; l < all->model->layers; l++) {
        if (atomic_load(all->watch.cancelled)) {
            ops->stream_finish(lane->stream, NULL);
            return error_set(error, ERROR_CANCELLED, "cancelled");
        }
        if (l < all->probes->method.first_layer)
            baseline_layer(all->probes->baseline, lane->walker, lane->stream, l);
        else
            group_layer(lane, g, l);
        int status = ops->stream_finish(lane->stream, error);
        if (status < 0)
            return error_add(error, status, "layer %d", l);
    }
    return group_measure(lane, g, error);
}

/* -- the run ------------------------------------------------------------------------------------------------------- */

/* Everything of a lane that depends on the run: the ones that stand for "untouched", and room for the wanted logits. */
static int lane_prepare(struct lane *lane, struct error *error)
{
    const struct lanes *all = lane->all;
    const struct probes *p = all->probes;
    const struct device_ops *ops = all->model->device->ops;
    size_t ones = (size_t)GROUP_PROBES * (size_t)p->plan->positions;
    size_t wanted = (size_t)all->rows * (size_t)p->targets.wanted_count;
    if (wanted > lane->host.wanted) {
        double *room = realloc(lane->host.dlogit, wanted * sizeof *room);
        if (!room)
            return error_set(error, ERROR_MEMORY, "out of memory");
        lane->host.dlogit = room;
        lane->host.wanted = wanted;
    }
    if (p->method.last_layer < all->model->layers - 1) {
        float *host = malloc(ones * sizeof *host);
        if (!host)
            return error_set(error, ERROR_MEMORY, "out of memory");
        for (size_t i = 0; i < ones; i++)
            host[i] = 1;
        ops->upload(lane->stream, host, ones * sizeof *host, lane->factor + ones);
        int status = ops->stream_finish(lane->stream, error);
        free(host);
        if (status < 0)
            return status;
    }
    return walker_new(p->baseline, ops->stream_device(lane->stream), &lane->walker, error);
}

static void *lane_main(void *argument)
{
    struct lane *lane = argument;
    struct lanes *all = lane->all;
    struct error error = {0};
    struct group *group = malloc(sizeof *group);
    int status = group ? lane_prepare(lane, &error) : error_set(&error, ERROR_MEMORY, "out of memory");
    while (status == 0 && group_take(all, group)) {
        status = group_run(lane, group, &error);
        if (status < 0)
            break;
        pthread_mutex_lock(&all->lock);
        for (int i = 0; i < group->count; i++)
            atomic_store(&all->probes->measured[group->unit[i]], true);
        all->watch.report(all->watch.context, group->unit, group->count, group->rows);
        pthread_mutex_unlock(&all->lock);
    }
    walker_free(lane->walker);
    lane->walker = NULL;
    free(group);
    pthread_mutex_lock(&all->lock);
    if (status < 0 && all->status == 0) {
        all->status = status;
        all->error = error;
    }
    all->running--;
    if (all->running == 0)
        all->watch.report(all->watch.context, NULL, 0, 0);
    pthread_mutex_unlock(&all->lock);
    return NULL;
}

int probes_start(struct probes *p, struct lanes *all, const struct probe_watch *watch, struct error *error)
{
    all->probes = p;
    all->watch = *watch;
    all->next = all->groups = all->status = 0;
    all->rows_left = 0;
    all->order = watch->units ? watch->units : p->plan->order;
    all->order_count = watch->units ? watch->count : p->plan->units;
    for (int i = 0; i < all->order_count; i++)
        all->rows_left += probes_row_count(p, all->order[i]);
    all->running = all->count;
    for (int i = 0; i < all->count; i++) {
        struct lane *lane = &all->lane[i];
        lane->started = pthread_create(&lane->thread, NULL, lane_main, lane) == 0;
        if (lane->started)
            continue;
        pthread_mutex_lock(&all->lock);
        all->running--;
        if (i == 0)
            all->status = error_set(&all->error, ERROR_MEMORY, "the system gives no thread for the probes");
        pthread_mutex_unlock(&all->lock);
    }
    return all->status < 0 && !all->lane[0].started ? error_set(error, all->status, "%s", all->error.message) : 0;
}

bool probes_running(struct lanes *all)
{
    pthread_mutex_lock(&all->lock);
    bool running = all->running > 0;
    pthread_mutex_unlock(&all->lock);
    return running;
}

int probes_finish(struct lanes *all, struct error *error)
{
    for (int i = 0; i < all->count; i++)
        if (all->lane[i].started) {
            pthread_join(all->lane[i].thread, NULL);
            all->lane[i].started = false;
        }
    if (all->status < 0 && error)
        *error = all->error;
    if (all->status == 0 && atomic_load(all->watch.cancelled))
        return error_set(error, ERROR_CANCELLED, "cancelled");
    return all->status;
}
