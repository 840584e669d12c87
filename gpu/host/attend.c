/* attend.c: attention of the baseline and of probes: lays out keys in panels and queries in tiles for the kernel in
 * kernels_attend.c, and puts its output where it belongs.
 *
 * The baseline's keys are packed once for a call and shared by all its probes; a probe packs only from the panel on in
 * which its own keys begin. */
#include <math.h>
#include <string.h>

#include "gpu/host/host.h"
#include "gpu/host/kernels.h"

enum {
    TILE_ROWS = 12,          /* query rows of a tile: positions times the heads that share a key-value head */
    LONG_TILE_ROWS = 48,     /* where keys and values are too long for the second cache, from which a tile reads them */
    LONG = 1 << 17,          /* that is: positions times head size */
    VALUES_ROWS = 64,        /* queries for which a head's values are gathered: they lie between those of other heads */
    WORTH_SHARING = 1 << 19, /* scores times head size: less is done before the team is awake */
};

/* One probe's factors, in the form the kernel takes them. */
struct factors {
    const float *factor;
    int touched[2];
};

/* One call: what all its probes share. */
struct call {
    const struct kernels *kernels;
    struct team *team; /* that shares the work, or NULL */
    const struct attention *a;
    int group, tile_positions; /* heads that share a key-value head; positions of a tile */
    int panels;                /* that hold all positions */
    const float *base;         /* [kv_heads, panels, head_dim, KERNEL_PANEL] the baseline's keys, as far as needed */
    const float *values; /* [kv_heads, panels, KERNEL_PANEL, head_dim] its values; NULL: as they stand in attention */
    const float *query, *dquery, *output, *dkey, *dvalue;
    float *y;
    bool difference; /* y is to be the difference to output */
    const struct probe_span *span;   /* [probes] */
    const struct factors *factors;   /* [probes] */
    char *memory;                    /* every member's buffers, member_bytes each */
    size_t member_bytes;
};

/* A member's own buffers. */
struct buffers {
    float *query, *output;  /* [tile rows, head_dim] */
    float *share;           /* [tile rows] */
    float *score;           /* [tile rows, panels * KERNEL_PANEL] */
    float *value;           /* [positions, head_dim] */
    float *panel;           /* [panels, head_dim, KERNEL_PANEL] */
    const float **panels;   /* [panels] */
    const char **soon;      /* [6 tile positions + 1] what is needed after a tile */
};

static int greatest(int a, int b)
{
    return a > b ? a : b;
}

static size_t panel_floats(const struct attention *a)
{
    return (size_t)a->head_dim * KERNEL_PANEL;
}

/* Positions of a tile: what is left of its rows after register tiles is nothing, or enough to be worth one. */
static int tile_positions(const struct attention *a, int group)
{
    int rows = (size_t)a->positions * a->head_dim > LONG ? LONG_TILE_ROWS : TILE_ROWS,
        first = greatest(1, rows / group);
    for (int count = first; count == first || count * group <= LONG_TILE_ROWS; count++) {
        int left = count * group % KERNEL_ATTEND_ROWS;
        if (left == 0 || left > KERNEL_ATTEND_ROWS / 2)
            return count;
    }
    return first;
}

static struct call call_start(struct stream *stream, const struct attention *a, int rows)
{
    struct call call = {.kernels = stream->kernels, .a = a, .group = a->heads / a->kv_heads};
    size_t work = (size_t)rows * a->heads * a->head_dim * a->positions;
    call.team = work < WORTH_SHARING ? NULL : stream->team;
    call.tile_positions = tile_positions(a, call.group);
    call.panels = (a->positions + KERNEL_PANEL - 1) / KERNEL_PANEL;
    return call;
}

/* -- buffers ------------------------------------------------------------------------------------------------------- */

static size_t round_up(size_t bytes)
{
    return (bytes + 63) / 64 * 64;
}

/* Cut a piece off *memory (NULL: only count). */
static void *cut(char **memory, size_t *total, size_t bytes)
{
    void *piece = *memory;
    *total += round_up(bytes);
    if (*memory)
        *memory += round_up(bytes);
    return piece;
}

/* Lay a member's buffers out from memory on; returns the bytes they take. */
static size_t buffers_lay(const struct call *call, char *memory, struct buffers *b)
{
    const struct attention *a = call->a;
    size_t rows = (size_t)call->tile_positions * call->group, total = 0, real = sizeof(float);
    b->query = cut(&memory, &total, rows * a->head_dim * real);
    b->output = cut(&memory, &total, rows * a->head_dim * real);
    b->share = cut(&memory, &total, rows * real);
    b->score = cut(&memory, &total, rows * call->panels * KERNEL_PANEL * real);
    b->value = cut(&memory, &total, (size_t)a->positions * a->head_dim * real);
    b->panel = cut(&memory, &total, call->panels * panel_floats(a) * real);
    b->panels = cut(&memory, &total, call->panels * sizeof *b->panels);
    b->soon = cut(&memory, &total, (6 * (size_t)call->tile_positions + 1) * sizeof *b->soon);
    return total;
}

/* -- factors ------------------------------------------------------------------------------------------------------- */

/* factor [positions] or NULL; out [panels * KERNEL_PANEL]: memory for what the kernel is to take. */
static struct factors factors_prepare(const struct attention *a, const float *factor, float *out)
{
    struct factors f = {factor ? out : NULL, {a->positions, 0}};
    bool log = a->suppression == SUPPRESS_LOG_ADDITIVE, product = a->suppression == SUPPRESS_PRODUCT;
    for (int j = 0; factor && j < (a->positions + KERNEL_PANEL - 1) / KERNEL_PANEL * KERNEL_PANEL; j++) {
        float x = j < a->positions ? factor[j] : 1.0f;
        out[j] = product ? x : !log ? x - 1.0f : x == 1.0f ? 0.0f : log2f(x);
        if (x != 1.0f) {
            f.touched[0] = least(f.touched[0], j);
            f.touched[1] = j + 1;
        }
    }
    return f;
}

/* -- keys and values ----------------------------------------------------------------------------------------------- */

/* Pack keys first .. end - 1 of a head into panels; dkey: what is to be added to them, from row dkey_row on, or NULL.
 * The kernel looks at no vector of a panel's columns in which there is no key. */
static void pack_keys(const struct call *call, int kv_head, int first, int end, const float *dkey, int dkey_row,
                      float *panels)
{
    const struct attention *a = call->a;
    size_t stride = (size_t)a->kv_heads * a->head_dim, head = (size_t)kv_head * a->head_dim;
    for (int key = first, count; key < end; key += count) {
        int column = key % KERNEL_PANEL;
        count = least(KERNEL_PANEL - column, end - key);
        call->kernels->pack(a->key + key * stride + head,
                            dkey ? dkey + (size_t)(dkey_row + key - first) * stride + head : NULL, stride, count,
                            a->head_dim, column, panels + key / KERNEL_PANEL * panel_floats(a));
    }
}

/* Pack a probe's own keys, and those of the baseline before them in the same panel. */
static void pack_probe(const struct call *call, int kv_head, const struct probe_span *span, int end, struct buffers *b)
{
    int own = span->key_position;
    pack_keys(call, kv_head, own / KERNEL_PANEL * KERNEL_PANEL, own, NULL, 0, b->panel);
    pack_keys(call, kv_head, own, end, call->dkey, span->key_row, b->panel);
}

static void sum_values(const struct call *call, int kv_head, const struct probe_span *span, int end, float *value)
{
    const struct attention *a = call->a;
    size_t stride = (size_t)a->kv_heads * a->head_dim, head = (size_t)kv_head * a->head_dim;
    int own = span->key_position;
    call->kernels->sum_rows(a->value + own * stride + head, call->dvalue + span->key_row * stride + head, stride,
                            end - own, a->head_dim, value);
}

/* -- tiles --------------------------------------------------------------------------------------------------------- */

/* Queries first .. first + count - 1 of a span, for the heads of one key-value head. */
static void attend_tile(const struct call *call, int kv_head, const struct probe_span *span, int first, int count,
                        struct attend_tile *tile, struct buffers *b)
{
    const struct attention *a = call->a;
    size_t width = (size_t)a->heads * a->head_dim, heads = (size_t)call->group * a->head_dim;
    size_t column = kv_head * heads;
    size_t row = (size_t)(span->query_row + first), position = (size_t)(span->query_position + first);
    const float *query = call->query + (call->difference ? position : row) * width + column;
    for (int i = 0; i < count; i++)
        call->kernels->scaled_sum(query + i * width, call->dquery ? call->dquery + (row + i) * width + column : NULL,
                                  a->scale * (float)M_LOG2E, heads, b->query + i * heads);
    tile->position = span->query_position + first;
    tile->count = count;
    tile->y = call->y + row * width + column;
    tile->base = call->difference ? call->output + position * width + column : NULL;
    tile->y_stride = width;
    call->kernels->attend(tile);
}

static const char **list_rows(const float *row, size_t stride, int rows, const char **list)
{
    for (int i = 0; i < rows; i++)
        *list++ = (const char *)(row + i * stride);
    return list;
}

/* What is wanted after queries first .. next - 1 of a span: the rows that the tile after them reads and writes, and the
 * differences in keys and values of the same positions for the next head.  The rows of a group of probes are more than
 * the second cache holds. */
static void list_soon(const struct call *call, int kv_head, const struct probe_span *span, int first, int next,
                      const char **list)
{
    const struct attention *a = call->a;
    size_t width = (size_t)a->heads * a->head_dim, column = (size_t)kv_head * call->group * a->head_dim;
    size_t row = (size_t)(span->query_row + next), position = (size_t)(span->query_position + next);
    int count = least(call->tile_positions, span->query_count - next);
    if (call->dquery)
        list = list_rows(call->dquery + row * width + column, width, count, list);
    list = list_rows(call->y + row * width + column, width, count, list);
    list = list_rows(call->query + position * width + column, width, count, list);
    list = list_rows(call->output + position * width + column, width, count, list);
    int own = span->query_position + first - span->key_position;
    if (call->dkey && own >= 0 && kv_head + 1 < a->kv_heads) {
        size_t stride = (size_t)a->kv_heads * a->head_dim;
        size_t at = (size_t)(span->key_row + own) * stride + (size_t)(kv_head + 1) * a->head_dim;
        list = list_rows(call->dvalue + at, stride, next - first, list);
        list = list_rows(call->dkey + at, stride, next - first, list);
    }
    *list = NULL;
}

static struct attend_tile tile_start(const struct call *call, const struct factors *factors, struct buffers *b)
{
    return (struct attend_tile){.attention = call->a,
                                .group = call->group,
                                .softcap = call->a->softcap * (float)M_LOG2E,
                                .query = b->query,
                                .panel = b->panels,
                                .factor = factors->factor,
                                .touched = {factors->touched[0], factors->touched[1]},
                                .score = b->score,
                                .score_stride = (size_t)call->panels * KERNEL_PANEL,
                                .share = b->share,
                                .output = b->output,
                                .soon = b->soon};
}

/* Keys and values that are the baseline's throughout. */
static void use_base(const struct call *call, int kv_head, struct attend_tile *tile, struct buffers *b)
{
    const struct attention *a = call->a;
    for (int p = 0; p < call->panels; p++)
        b->panels[p] = call->base + ((size_t)kv_head * call->panels + p) * panel_floats(a);
    if (call->values) {
        tile->value[0] = tile->value[1] = call->values + (size_t)kv_head * call->panels * panel_floats(a);
        tile->value_stride[0] = tile->value_stride[1] = (size_t)a->head_dim;
    } else {
        tile->value[0] = tile->value[1] = a->value + (size_t)kv_head * a->head_dim;
        tile->value_stride[0] = tile->value_stride[1] = (size_t)a->kv_heads * a->head_dim;
    }
    tile->split = a->positions;
}

/* One past the last key that a span's queries see. */
static int seen_end(const struct attention *a, const struct probe_span *span)
{
    return span->query_count > 0 ? attend_end(a, span->query_position + span->query_count - 1) : 0;
}

/* The same for the last key that they need. */
static int needed_end(const struct attention *a, const struct probe_span *span, bool factor)
{
    return factor && a->suppression == SUPPRESS_ROW_MIN ? a->positions : seen_end(a, span);
}

/* One probe's queries of one key-value head. */
static void attend_probe(const struct call *call, int kv_head, const struct probe_span *span,
                         const struct factors *factors, struct buffers *b)
{
    const struct attention *a = call->a;
    struct attend_tile tile = tile_start(call, factors, b);
    use_base(call, kv_head, &tile, b);
    int end = needed_end(a, span, true);
    if (call->dkey && span->key_position < end) {
        pack_probe(call, kv_head, span, end, b);
        sum_values(call, kv_head, span, seen_end(a, span), b->value);
        for (int p = span->key_position / KERNEL_PANEL; p < call->panels; p++)
            b->panels[p] = b->panel + p * panel_floats(a);
        tile.value[1] = b->value;
        tile.value_stride[1] = (size_t)a->head_dim;
        tile.split = span->key_position;
    }
    for (int i = 0, next; i < span->query_count; i = next) {
        next = least(i + call->tile_positions, span->query_count);
        list_soon(call, kv_head, span, i, next, b->soon);
        attend_tile(call, kv_head, span, i, next - i, &tile, b);
    }
}

/* -- operations ---------------------------------------------------------------------------------------------------- */

struct packing {
    const struct call *call;
    float *base, *values;   /* values NULL: stay where they are */
    int panel, panels, end; /* first panel, how many, and where the keys end */
};

static void pack_task(void *context, size_t i, int member)
{
    (void)member;
    const struct packing *p = context;
    const struct attention *a = p->call->a;
    int kv_head = (int)i / p->panels, panel = p->panel + (int)i % p->panels;
    int first = panel * KERNEL_PANEL, end = least(p->end, first + KERNEL_PANEL);
    size_t before = (size_t)kv_head * p->call->panels * panel_floats(a);
    pack_keys(p->call, kv_head, first, end, NULL, 0, p->base + before);
    for (size_t key = first; p->values && key < (size_t)end; key++)
        memcpy(p->values + before + key * a->head_dim, a->value + (key * a->kv_heads + kv_head) * a->head_dim,
               a->head_dim * sizeof *p->values);
}

/* Pack the baseline's keys from the panel of key `first` to key end - 1, of all heads, and its values. */
static bool pack_all(struct stream *stream, struct call *call, int rows, int first, int end)
{
    const struct attention *a = call->a;
    struct packing p = {.call = call, .panel = first / KERNEL_PANEL, .end = end};
    p.panels = (end + KERNEL_PANEL - 1) / KERNEL_PANEL - p.panel;
    size_t floats = (size_t)a->kv_heads * call->panels * panel_floats(a);
    bool values = a->kv_heads > 1 && rows >= VALUES_ROWS;
    p.base = host_scratch(stream, SCRATCH_PANELS, (values ? 2 : 1) * floats * sizeof *p.base);
    if (!p.base)
        return false;
    p.values = values ? p.base + floats : NULL;
    call->base = p.base;
    call->values = p.values;
    if (p.panels > 0)
        team_run(call->team, (size_t)a->kv_heads * p.panels, pack_task, &p);
    return true;
}

/* Buffers for every member of the stream's team; false: the stream is marked. */
static bool member_buffers(struct stream *stream, struct call *call)
{
    struct buffers b;
    call->member_bytes = buffers_lay(call, NULL, &b);
    call->memory = host_scratch(stream, SCRATCH_ATTEND, team_size(call->team) * call->member_bytes);
    return call->memory;
}

/* One key-value head of one tile; the last tiles, which see most keys, come first. */
static void attend_task(void *context, size_t i, int member)
{
    const struct call *call = context;
    struct buffers b;
    buffers_lay(call, call->memory + (size_t)member * call->member_bytes, &b);
    struct attend_tile tile = tile_start(call, call->factors, &b);
    int kv_head = (int)i % call->a->kv_heads, last = (call->span->query_count - 1) / call->tile_positions;
    int start = (last - (int)i / call->a->kv_heads) * call->tile_positions;
    use_base(call, kv_head, &tile, &b);
    b.soon[0] = NULL;
    attend_tile(call, kv_head, call->span, start, least(call->tile_positions, call->span->query_count - start), &tile,
                &b);
}

void host_attend(struct stream *stream, const struct attention *a, const float *factor, int first, const float *x,
                 int rows, float *y)
{
    if (stream->failure.code || rows == 0)
        return;
    struct call call = call_start(stream, a, rows);
    struct probe_span span = {.query_row = 0, .query_position = first, .query_count = rows};
    float *own = host_scratch(stream, SCRATCH_FACTORS, (size_t)call.panels * KERNEL_PANEL * sizeof *own);
    if (!own || !member_buffers(stream, &call))
        return;
    struct factors factors = factors_prepare(a, factor, own);
    call.query = x;
    call.y = y;
    call.span = &span;
    call.factors = &factors;
    bool whole = factor && a->suppression == SUPPRESS_ROW_MIN;
    int first_key = whole ? 0 : attend_first(a, first);
    int tiles = (rows + call.tile_positions - 1) / call.tile_positions;
    if (pack_all(stream, &call, rows, first_key, needed_end(a, &span, factor)))
        team_run(call.team, (size_t)tiles * a->kv_heads, attend_task, &call);
}

/* One key-value head of one probe. */
static void attend_delta_task(void *context, size_t i, int member)
{
    const struct call *call = context;
    int probe = (int)i / call->a->kv_heads, kv_head = (int)i % call->a->kv_heads;
    struct buffers b;
    buffers_lay(call, call->memory + (size_t)member * call->member_bytes, &b);
    attend_probe(call, kv_head, &call->span[probe], &call->factors[probe], &b);
}

void host_attend_delta(struct stream *stream, const struct attention *a, int probes, const struct probe_span *span,
                       const float *factor, const float *query, const float *output, const float *dquery,
                       const float *dkey, const float *dvalue, float *dy)
{
    if (stream->failure.code || probes == 0)
        return;
    int rows = 0;
    for (int p = 0; p < probes; p++)
        rows += span[p].query_count;
    struct call call = call_start(stream, a, rows);
    size_t stride = (size_t)call.panels * KERNEL_PANEL, floats = round_up(probes * stride * sizeof(float));
    float *own = host_scratch(stream, SCRATCH_FACTORS, floats + probes * sizeof(struct factors));
    if (!own || !member_buffers(stream, &call))
        return;
    struct factors *factors = (struct factors *)((char *)own + floats);
    int end = 0;
    for (int p = 0; p < probes; p++) {
        factors[p] = factors_prepare(a, factor + (size_t)p * a->positions, own + p * stride);
        int last = needed_end(a, &span[p], true);
        end = greatest(end, dkey ? least(last, span[p].key_position) : last);
    }
    call.query = query;
    call.dquery = dquery;
    call.output = output;
    call.dkey = dkey;
    call.dvalue = dvalue;
    call.y = dy;
    call.difference = true;
    call.span = span;
    call.factors = factors;
    if (pack_all(stream, &call, rows, 0, end))
        team_run(call.team, (size_t)probes * a->kv_heads, attend_delta_task, &call);
}
