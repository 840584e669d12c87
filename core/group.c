/* group.c: a group of probes on its way through the model, as differences to the baseline. */
#include "core/lane.h"

#include <string.h>

/* Rows that a step takes: those of a block. */
struct rows {
    int first, count;
    float *dx;               /* [count, width] */
    const int32_t *position; /* device [count] */
};

static int least(int a, int b)
{
    return a < b ? a : b;
}

void group_add(struct group *g, const struct probes *p, int unit)
{
    int begin = probes_first_row(p, unit), first = probes_first_target_row(p, unit), end = probes_end_row(p);
    int start = probes_are_direct(p) ? begin : p->plan->start[unit];
    g->unit[g->count] = unit;
    g->span[g->count] = (struct probe_span){g->rows, begin, end - begin, g->rows, start};
    g->target_span[g->count] = (struct probe_span){g->target_rows, first, end - first, g->rows, start};
    g->resumed |= begin > start;
    g->rows += end - begin;
    g->target_rows += end - first;
    g->count++;
}

int group_begin(struct lane *lane, const struct group *g, struct error *error)
{
    struct probes *p = lane->all->probes;
    int status = 0;
    for (int i = 0; p->past && g->target_rows > 0 && status == 0 && i < g->count; i++)
        status = past_begin(p->past, lane->stream, g->unit[i], p->precision, g->span[i].key_position,
                            g->span[i].query_position, probes_end_row(p), error);
    return status;
}

void group_upload(struct lane *lane, const struct group *g)
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
static const float *delta_norm(struct lane *lane, const struct norm *norm, const float *x, const int32_t *position,
                               const float *dx, int rows, float *dy)
{
    if (!norm->weight)
        return dx;
    lane->all->model->device->ops->norm_delta(lane->stream, norm, x, position, dx, rows, dy);
    return dy;
}

/* dy[i] = W[i] dh for n weights. */
static void multiply(struct lane *lane, int n, const struct weight *const *w, const float *dh, int rows,
                     float *const *dy)
{
    const struct device_ops *ops = lane->all->model->device->ops;
    enum precision precision = lane->all->probes->precision;
    if (ops->linears_delta)
        ops->linears_delta(lane->stream, n, w, precision, dh, rows, false, dy);
    for (int i = 0; !ops->linears_delta && i < n; i++)
        ops->linear_delta(lane->stream, w[i], precision, dh, rows, dy[i]);
}

/* Make queries' or keys' change of that of what they are made of: norm (if any) and turn dy in place; plain feeds the
 * norm. */
static void turn(struct lane *lane, int l, const struct norm *norm, int heads, const float *plain,
                 const struct rows *rows, float *dy)
{
    struct rope rope = baseline_rope(lane->all->probes->baseline, l, heads);
    delta_norm(lane, norm, plain, rows->position, dy, rows->count, dy);
    lane->all->model->device->ops->rope(lane->stream, &rope, rows->position, rows->count, dy);
}

/* Queries, keys and values of rows of a change rows->dx of x, as far as they are asked for. */
static void project(struct lane *lane, int l, const struct activations *a, const struct rows *rows, bool queries,
                    bool keys)
{
    const struct model *m = lane->all->model;
    const struct layer *layer = &m->layer[l];
    size_t kv = (size_t)rows->first * (size_t)(m->kv_heads * m->head_dim);
    float *dq = lane->dq + (size_t)rows->first * (size_t)(m->heads * m->head_dim);
    float *dy[] = {dq, lane->dk + kv, lane->dv + kv};
    const struct weight *w[] = {layer->query.weight, layer->key.weight, layer->value.weight};
    int first = queries ? 0 : 1, count = (queries ? 1 : 0) + (keys ? 2 : 0);
    if (count == 0)
        return;
    const float *dh =
        delta_norm(lane, &layer->attention_norm, a->input, rows->position, rows->dx, rows->count, lane->dh);
    multiply(lane, count, w + first, dh, rows->count, dy + first);
    if (queries)
        turn(lane, l, &layer->query_norm, m->heads, a->plain_query, rows, dy[0]);
    if (keys)
        turn(lane, l, &layer->key_norm, m->kv_heads, a->plain_key, rows, dy[1]);
}

/* The part of the probes' spans whose queries are rows first .. first + count - 1, counted from first; *probe is the
 * first of them.  Returns how many there are, those without a row among them included. */
static int cut_spans(const struct probe_span *from, int count, const struct rows *rows, struct probe_span *to,
                     int *probe)
{
    int n = 0;
    for (int i = 0; i < count; i++) {
        int first = from[i].query_row - rows->first, end = least(first + from[i].query_count, rows->count);
        int skipped = first < 0 ? -first : 0, left = end - first - skipped;
        if (first >= rows->count)
            break;
        if (n == 0 && left <= 0)
            continue;
        if (n == 0)
            *probe = i;
        to[n] = from[i];
        to[n].query_row = first + skipped;
        to[n].query_position += skipped;
        to[n++].query_count = left;
    }
    return n;
}

/* -- keys and values of the rows before ---------------------------------------------------------------------------- */

/* Put away what the group's rows make of keys or values in layer l: rows [g->rows]. */
static void put_away(struct lane *lane, const struct group *g, int l, enum past_part part, const float *rows)
{
    const struct probes *p = lane->all->probes;
    const struct model *m = lane->all->model;
    int width = m->kv_heads * m->head_dim;
    bool room = false;
    for (int i = 0; i < g->count; i++)
        room |= past_has_room(p->past, g->unit[i], p->precision);
    if (!room)
        return;
    m->device->ops->pack(lane->stream, p->precision, rows, g->rows, width, lane->packed);
    for (int i = 0; i < g->count; i++) {
        const struct probe_span *span = &g->span[i];
        past_write(p->past, lane->stream, g->unit[i], p->precision, l, part, span->query_position, span->query_count,
                   (const char *)lane->packed + (size_t)span->query_row * packed_bytes(p->precision, width));
    }
}

/* Keys and values of all rows of a probe, the group's i-th: to lane->keys and values, from row `at` on. */
static void bring_back(struct lane *lane, const struct group *g, int i, int l, int at)
{
    const struct probes *p = lane->all->probes;
    const struct model *m = lane->all->model;
    const struct probe_span *span = &g->span[i];
    size_t width = (size_t)(m->kv_heads * m->head_dim), kept = (size_t)(span->query_position - span->key_position);
    size_t from = (size_t)span->query_row * width, bytes = (size_t)span->query_count * width * sizeof(float);
    float *keys = lane->keys + (size_t)at * width, *values = lane->values + (size_t)at * width;
    if (kept > 0)
        past_read(p->past, lane->stream, g->unit[i], p->precision, l, span->query_position, keys, values);
    m->device->ops->copy(lane->stream, lane->dk + from, bytes, keys + kept * width);
    m->device->ops->copy(lane->stream, lane->dv + from, bytes, values + kept * width);
}

/* The same of the group's probes from the i-th on, as many of the spans' as there is room for, which then say where.
 * Returns how many. */
static int bring_some_back(struct lane *lane, const struct group *g, int i, int l, struct probe_span *span, int count)
{
    int rows = 0, n = 0;
    for (; n < count; n++) {
        int more = lane->all->probes->plan->positions - span[n].key_position;
        if (rows + more > lane->all->room.rows)
            break;
        span[n].key_row = rows;
        bring_back(lane, g, i + n, l, rows);
        rows += more;
    }
    return n;
}

/* -- a layer ------------------------------------------------------------------------------------------------------- */

/* What changes in the attention's output, before its last matrix: into lane->da.  In the first touched layer queries,
 * keys and values are still the baseline's. */
static void attend(struct lane *lane, const struct group *g, int l, const struct activations *a,
                   const struct rows *rows, bool first, bool last)
{
    const struct probes *p = lane->all->probes;
    const struct model *m = lane->all->model;
    struct probe_span span[GROUP_PROBES];
    size_t positions = (size_t)p->plan->positions;
    int probe = 0, count = cut_spans(last ? g->target_span : g->span, g->count, rows, span, &probe);
    struct attention attention = baseline_attention(p->baseline, l, p->plan->positions);
    attention.suppression = p->method.suppression;
    const float *factor =
        lane->factor + (size_t)(l > p->method.last_layer ? GROUP_PROBES /* ones */ : probe) * positions;
    const float *dq = first ? NULL : lane->dq + (size_t)rows->first * (size_t)(m->heads * m->head_dim);
    bool own = !first && !probes_are_direct(p), again = own && g->resumed;
    const float *dk = again ? lane->keys : own ? lane->dk : NULL, *dv = again ? lane->values : own ? lane->dv : NULL;
    for (int at = 0, n = count; at < count; at += n) {
        if (again)
            n = bring_some_back(lane, g, probe + at, l, span + at, count - at);
        m->device->ops->attend_delta(lane->stream, &attention, n, span + at, factor + (size_t)at * positions, a->query,
                                     a->attended, dq, dk, dv, lane->da);
    }
}

/* Whether the device adds a branch's change to rows->dx as it is formed: nothing stands between, and the device gains
 * by it, which none does but in 8 bits. */
static bool joins_at_once(const struct lane *lane, const struct norm *post)
{
    const struct model *m = lane->all->model;
    const struct device_ops *ops = m->device->ops;
    return !post->weight && m->residual_scale == 1 && ops->linears_delta && ops->feed_delta &&
           lane->all->probes->precision == PRECISION_INT8;
}

/* The feed-forward half of a change rows->dx of x: into lane->dfeed, or onto rows->dx. */
static void feed(struct lane *lane, int l, const struct activations *a, const float *x, const struct rows *rows,
                 bool onto)
{
    const struct model *m = lane->all->model;
    const struct device_ops *ops = m->device->ops;
    const struct layer *layer = &m->layer[l];
    const struct norm *norm = &layer->ffn_norm;
    enum precision precision = lane->all->probes->precision;
    struct stream *s = lane->stream;
    const struct weight *up = a->up ? layer->up.weight : NULL;
    float *dup = up ? lane->dup : NULL;
    if (ops->feed_delta) {
        struct feed feed = {.norm = norm->weight ? norm : NULL,
                            .x = x,
                            .activation = m->activation,
                            .gate = layer->gate.weight,
                            .up = up,
                            .down = layer->down.weight,
                            .gate_value = a->gate,
                            .up_value = a->up,
                            .onto = onto};
        ops->feed_delta(s, &feed, precision, rows->position, rows->dx, rows->count, onto ? rows->dx : lane->dfeed);
        return;
    }
    const float *dh = delta_norm(lane, norm, x, rows->position, rows->dx, rows->count, lane->dh);
    ops->linear_delta(s, layer->gate.weight, precision, dh, rows->count, lane->dgate);
    if (up)
        ops->linear_delta(s, up, precision, dh, rows->count, dup);
    ops->gate_delta(s, m->activation, a->gate, a->up, rows->position, lane->dgate, dup, rows->count, m->ffn,
                    lane->dgate);
    ops->linear_delta(s, layer->down.weight, precision, lane->dgate, rows->count, lane->dfeed);
}

/* rows->dx += the change dy of a branch, after its norm, if it has one; branch feeds the norm. */
static void join(struct lane *lane, const struct norm *post, const float *branch, const struct rows *rows,
                 const float *dy)
{
    const struct model *m = lane->all->model;
    dy = delta_norm(lane, post, branch, rows->position, dy, rows->count, lane->dh);
    m->device->ops->add(lane->stream, dy, m->residual_scale, (size_t)rows->count * (size_t)m->width, rows->dx);
}

/* The attention's change lane->da through its last matrix, and onto rows->dx. */
static void output(struct lane *lane, int l, const struct activations *a, const struct rows *rows)
{
    const struct device_ops *ops = lane->all->model->device->ops;
    const struct layer *layer = &lane->all->model->layer[l];
    const struct weight *w = layer->output.weight;
    enum precision precision = lane->all->probes->precision;
    float *dx = rows->dx;
    if (joins_at_once(lane, &layer->attention_post)) {
        ops->linears_delta(lane->stream, 1, &w, precision, lane->da, rows->count, true, &dx);
        return;
    }
    ops->linear_delta(lane->stream, w, precision, lane->da, rows->count, lane->dy);
    join(lane, &layer->attention_post, a->attention_branch, rows, lane->dy);
}

/* Whether the feed-forward half is an operation by itself, onto the rows: then all of a group go through it at once. */
static bool feeds_apart(const struct lane *lane, const struct layer *layer)
{
    return !lane->all->model->parallel && joins_at_once(lane, &layer->ffn_post);
}

static void through(struct lane *lane, const struct group *g, int l, const struct activations *a,
                    const struct rows *rows, bool first, bool last)
{
    const struct model *m = lane->all->model;
    const struct layer *layer = &m->layer[l];
    bool onto = feeds_apart(lane, layer);
    attend(lane, g, l, a, rows, first, last);
    if (m->parallel)
        feed(lane, l, a, a->input, rows, false);
    output(lane, l, a, rows);
    if (onto && !last)
        return; /* group_layer() goes on */
    if (!m->parallel)
        feed(lane, l, a, a->middle, rows, onto);
    if (!onto)
        join(lane, &layer->ffn_post, a->ffn_branch, rows, lane->dfeed);
}

/* In the last layer only rows that predict a target go on.  They end as the group's first rows: behind each block lie
 * only rows that later blocks take. */
static void through_last(struct lane *lane, const struct group *g, int l, const struct activations *a, int at,
                         bool first)
{
    const struct model *m = lane->all->model;
    const struct device_ops *ops = m->device->ops;
    size_t d = (size_t)m->width;
    struct rows rows = {at, least(lane->all->block, g->target_rows - at), lane->dt, lane->target_position + at};
    ops->gather(lane->stream, g->dx, lane->host.row + at, rows.count, m->width, lane->dt);
    project(lane, l, a, &rows, !first, false);
    through(lane, g, l, a, &rows, first, true);
    ops->copy(lane->stream, lane->dt, (size_t)rows.count * d * sizeof(float), g->dx + (size_t)at * d);
}

void group_layer(struct lane *lane, const struct group *g, int l, const struct activations *a)
{
    const struct lanes *all = lane->all;
    const struct model *m = all->model;
    size_t d = (size_t)m->width;
    bool first = l == all->probes->method.first_layer, last = l == m->layers - 1;
    for (int at = 0; at < g->rows; at += all->block) {
        struct rows rows = {at, least(all->block, g->rows - at), g->dx + (size_t)at * d, lane->position + at};
        if (first)
            m->device->ops->copy(lane->stream, lane->zero, (size_t)rows.count * d * sizeof(float), rows.dx);
        else
            project(lane, l, a, &rows, !last, !probes_are_direct(all->probes));
    }
    if (all->probes->past && !first) {
        put_away(lane, g, l, PAST_KEYS, lane->dk);
        put_away(lane, g, l, PAST_VALUES, lane->dv);
    }
    for (int at = 0; at < (last ? g->target_rows : g->rows); at += all->block) {
        struct rows rows = {at, least(all->block, g->rows - at), g->dx + (size_t)at * d, lane->position + at};
        if (last)
            through_last(lane, g, l, a, at, first);
        else
            through(lane, g, l, a, &rows, first, false);
    }
    struct rows rows = {0, g->rows, g->dx, lane->position};
    if (!last && feeds_apart(lane, &m->layer[l]))
        feed(lane, l, a, a->middle, &rows, true);
}

/* What the group's probes found replaces what was there before, all at once. */
static int keep(struct lane *lane, const struct group *g, struct error *error)
{
    struct probes *p = lane->all->probes;
    const struct device_ops *ops = lane->all->model->device->ops;
    size_t d = (size_t)lane->all->model->width, wanted = (size_t)p->targets.wanted_count;
    pthread_mutex_lock(&p->results);
    for (int i = 0; i < g->count; i++) {
        const struct probe_span *span = &g->target_span[i];
        size_t to = (size_t)g->unit[i] * (size_t)p->targets.count + (size_t)(span->query_position - p->targets.first);
        ops->copy(lane->stream, g->dx + (size_t)span->query_row * d, (size_t)span->query_count * d * sizeof(float),
                  p->change + to * d);
    }
    int status = ops->stream_finish(lane->stream, error);
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

int group_measure(struct lane *lane, const struct group *g, struct error *error)
{
    const struct probes *p = lane->all->probes;
    const struct model *m = lane->all->model;
    const struct device_ops *ops = m->device->ops;
    struct stream *s = lane->stream;
    size_t d = (size_t)m->width, wanted = (size_t)p->targets.wanted_count;
    for (int at = 0; at < g->target_rows; at += lane->all->block) {
        int rows = least(lane->all->block, g->target_rows - at);
        float *dx = g->dx + (size_t)at * d;
        const int32_t *target = lane->host.target + at;
        ops->norm_delta(s, &m->output_norm, p->baseline->final, lane->target_position + at, dx, rows, lane->dh);
        ops->lse_delta(s, &m->head, p->precision, p->hidden, p->targets.count, p->targets.lse, lane->dh, target, rows,
                       lane->host.dlse + at);
        ops->logit_delta(s, &m->head, p->hidden, lane->dh, target, rows, p->targets.wanted, p->targets.wanted_count,
                         lane->host.dlogit + (size_t)at * wanted);
        ops->copy(s, lane->dh, (size_t)rows * d * sizeof(float), dx);
    }
    int status = ops->stream_finish(s, error);
    model_let_go(m);
    return status < 0 ? status : keep(lane, g, error);
}
