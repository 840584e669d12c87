/* lane.c: the lanes' memory. */
#include "core/lane.h"

#include <stdlib.h>

/* Floats of a row on its way; of a row of a group; and of a row of a block. */
struct row_floats {
    size_t parked, group, block;
};

static struct row_floats row_floats(const struct model *m)
{
    size_t d = (size_t)m->width, q = (size_t)m->heads * (size_t)m->head_dim, f = (size_t)m->ffn;
    size_t kv = (size_t)m->kv_heads * (size_t)m->head_dim;
    return (struct row_floats){d, q + 2 * kv, 5 * d + q + 2 * f};
}

static int block_rows(const struct model *m, int rows)
{
    const struct device_info *info = m->device->ops->info(m->device);
    return info->block_rows > 0 && info->block_rows < rows ? info->block_rows : rows;
}

size_t lanes_bytes(const struct model *m, int capacity, const struct lanes_room *room)
{
    struct row_floats of = row_floats(m);
    size_t floats = (size_t)room->parked * of.parked + (size_t)room->rows * of.group +
                    (size_t)block_rows(m, room->rows) * of.block + 2 * (size_t)GROUP_PROBES * (size_t)capacity;
    size_t host = 6 * sizeof(int32_t) + sizeof(double) * 12; /* positions, and what is measured of a target row */
    return (size_t)room->count * (floats * sizeof(float) + (size_t)room->rows * host);
}

static size_t packed_most(int width)
{
    size_t bytes = packed_bytes(PRECISION_F32, width), low = packed_bytes(PRECISION_INT8, width);
    return bytes > low ? bytes : low;
}

size_t lanes_past_bytes(const struct model *m, const struct lanes_room *room)
{
    int kv = m->kv_heads * m->head_dim;
    return (size_t)room->count * (size_t)room->rows * (2 * (size_t)kv * sizeof(float) + packed_most(kv));
}

int lane_make_past(struct lane *lane, struct error *error)
{
    int kv = lane->all->model->kv_heads * lane->all->model->head_dim;
    size_t rows = (size_t)lane->all->room.rows;
    lane->keys = pool_floats(&lane->pool, rows, (size_t)kv);
    lane->values = pool_floats(&lane->pool, rows, (size_t)kv);
    lane->packed = pool_floats(&lane->pool, rows, packed_most(kv) / sizeof(float));
    if (lane->pool.status < 0 && error)
        *error = lane->pool.error;
    return lane->pool.status;
}

struct lanes_room lanes_like(const struct model *m, int capacity)
{
    const struct device_info *info = m->device->ops->info(m->device);
    struct row_floats of = row_floats(m);
    size_t memory = m->device->ops->memory(m->device); /* half of it: a baseline wants some too */
    size_t row = (of.parked + of.group + of.block + (m->ffn > m->width ? 2 * (size_t)m->ffn : 2 * (size_t)m->width)) *
                 sizeof(float); /* with a product's rounded operand and sums in the stream */
    size_t fit = memory / 2 / (size_t)info->streams / row;
    int rows = memory == 0 || fit > (size_t)info->batch_rows ? info->batch_rows : fit > 0 ? (int)fit : 1;
    rows = rows > capacity ? rows : capacity;
    return (struct lanes_room){info->streams, rows, rows};
}

static int lane_buffers(struct lane *lane, const struct lanes *all, struct error *error)
{
    const struct model *m = all->model;
    size_t rows = (size_t)all->room.rows, block = (size_t)all->block, d = (size_t)m->width, f = (size_t)m->ffn;
    size_t q = (size_t)m->heads * (size_t)m->head_dim, kv = (size_t)m->kv_heads * (size_t)m->head_dim;
    struct pool *pool = &lane->pool;
    pool_init(pool, m->device->ops->stream_device(lane->stream));
    lane->dx = pool_floats(pool, (size_t)all->room.parked, d);
    lane->dq = pool_floats(pool, rows, q);
    lane->dk = pool_floats(pool, rows, kv);
    lane->dv = pool_floats(pool, rows, kv);
    lane->dt = pool_floats(pool, block, d);
    lane->dh = pool_floats(pool, block, d);
    lane->dy = pool_floats(pool, block, d);
    lane->dfeed = pool_floats(pool, block, d);
    lane->zero = pool_floats(pool, block, d);
    lane->da = pool_floats(pool, block, q);
    if (!m->device->ops->feed_delta) { /* else as much is its scratch */
        lane->dgate = pool_floats(pool, block, f);
        lane->dup = pool_floats(pool, block, f);
    }
    lane->position = pool_ints(pool, rows);
    lane->target_position = pool_ints(pool, rows);
    lane->factor = pool_floats(pool, 2 * GROUP_PROBES, (size_t)all->capacity);
    lane->host.position = malloc(rows * sizeof(int32_t));
    lane->host.target_position = malloc(rows * sizeof(int32_t));
    lane->host.row = malloc(rows * sizeof(int32_t));
    lane->host.target = malloc(rows * sizeof(int32_t));
    lane->host.dlse = malloc(rows * sizeof(double));
    if (pool->status < 0) {
        if (error)
            *error = pool->error;
        return pool->status;
    }
    if (!lane->host.position || !lane->host.target_position || !lane->host.row || !lane->host.target ||
        !lane->host.dlse)
        return error_set(error, ERROR_MEMORY, "out of memory");
    return 0;
}

static int lane_new(struct lanes *all, struct lane *lane, struct error *error)
{
    const struct model *m = all->model;
    size_t n = (size_t)all->block * (size_t)m->width;
    lane->all = all;
    int status = m->device->ops->stream_new(m->device, false, &lane->stream, error);
    if (status < 0 || (status = lane_buffers(lane, all, error)) < 0)
        return status;
    float *zero = calloc(n, sizeof *zero);
    if (!zero)
        return error_set(error, ERROR_MEMORY, "out of memory");
    m->device->ops->upload(lane->stream, zero, n * sizeof *zero, lane->zero);
    status = m->device->ops->stream_finish(lane->stream, error);
    free(zero);
    return status;
}

static int lanes_try(const struct model *m, int capacity, const struct lanes_room *room, struct lanes **out,
                     struct error *error)
{
    struct lanes *all = calloc(1, sizeof *all);
    if (!all)
        return error_set(error, ERROR_MEMORY, "out of memory");
    pthread_mutex_init(&all->lock, NULL);
    meeting_new(&all->meeting, 0);
    all->model = m;
    all->capacity = capacity;
    all->room = *room;
    all->room.count = 0;
    all->block = block_rows(m, room->rows);
    all->lane = calloc((size_t)room->count, sizeof *all->lane);
    int status = all->lane ? 0 : error_set(error, ERROR_MEMORY, "out of memory");
    for (; status == 0 && all->room.count < room->count; all->room.count++)
        status = lane_new(all, &all->lane[all->room.count], error);
    if (status < 0) {
        lanes_free(all);
        return error_add(error, status, "making room for the probes");
    }
    *out = all;
    return 0;
}

int lanes_new(const struct model *m, int capacity, const struct lanes_room *wanted, struct lanes **out,
              struct error *error)
{
    struct lanes_room room = wanted ? *wanted : lanes_like(m, capacity);
    int status = lanes_try(m, capacity, &room, out, error);
    while (status == ERROR_MEMORY && room.rows > capacity) { /* smaller groups are slower, and better than none */
        room.rows = room.rows / 2 > capacity ? room.rows / 2 : capacity;
        room.parked = room.rows;
        status = lanes_try(m, capacity, &room, out, error);
    }
    return status;
}

int lanes_halve(struct lanes **all)
{
    const struct model *m = (*all)->model;
    struct lanes_room room = (*all)->room;
    int capacity = (*all)->capacity;
    room.rows /= 2;
    room.parked = room.rows;
    if (room.rows < capacity)
        return ERROR_MEMORY;
    lanes_free(*all);
    *all = NULL;
    return lanes_try(m, capacity, &room, all, NULL);
}

void lanes_free(struct lanes *all)
{
    if (!all)
        return;
    const struct device_ops *ops = all->model->device->ops;
    for (int i = 0; i < all->room.count; i++) {
        struct lane *lane = &all->lane[i];
        if (lane->stream)
            ops->stream_free(lane->stream);
        pool_free(&lane->pool);
        free(lane->host.position);
        free(lane->host.target_position);
        free(lane->host.row);
        free(lane->host.target);
        free(lane->host.dlse);
        free(lane->host.dlogit);
        free(lane->wave);
    }
    if (all->wide)
        ops->stream_free(all->wide);
    meeting_free(&all->meeting);
    pthread_mutex_destroy(&all->lock);
    free(all->lane);
    free(all);
}
