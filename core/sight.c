#include "core/sight.h"

#include <stdlib.h>

const struct picture_rows *picture_rows_find(const struct picture_rows *pictures, int n, int32_t id, int *row)
{
    for (int i = 0; i < n; i++) {
        int64_t r = (int64_t)pictures[i].id - id;
        if (id < 0 && r >= 0 && r < pictures[i].count) {
            *row = (int)r;
            return &pictures[i];
        }
    }
    return NULL;
}

int sight_new(struct sight *s, struct pool *pool, int capacity, int window)
{
    s->capacity = capacity;
    s->window = window;
    s->ahead = -1;
    for (int i = 0; i < (window ? 2 : 1); i++) {
        s->device[i] = pool_ints(pool, 2 * (size_t)capacity);
        s->host[i] = malloc(2 * (size_t)capacity * sizeof **s->host);
        if (!s->host[i])
            return ERROR_MEMORY;
    }
    return pool->status;
}

void sight_free(struct sight *s)
{
    free(s->host[0]);
    free(s->host[1]);
}

/* Whether ids [n] begin with all rows of a picture. */
static bool whole(const struct picture_rows *picture, const int32_t *ids, int n)
{
    if (picture->count > n)
        return false;
    for (int r = 0; r < picture->count; r++)
        if (ids[r] != picture->id - r)
            return false;
    return true;
}

static void add_positions(struct sight *s, int n, int last)
{
    for (int i = 0; i < n; i++) {
        int p = s->count++;
        s->host[0][2 * p] = 0;
        s->host[0][2 * p + 1] = last < p ? p : last;
        if (s->window) {
            s->host[1][2 * p] = p < s->window ? 0 : p - s->window + 1;
            s->host[1][2 * p + 1] = s->host[0][2 * p + 1];
        }
        if (s->ahead < 0 && last > p)
            s->ahead = p;
    }
}

int sight_add(struct sight *s, const int32_t *ids, int n, const struct picture_rows *pictures, int picture_count,
              struct error *error)
{
    int before = s->count, row;
    for (int i = 0, step; i < n; i += step) {
        const struct picture_rows *picture = picture_rows_find(pictures, picture_count, ids[i], &row);
        const char *wrong = ids[i] < 0 && !picture ? "is no picture's" : NULL;
        if (picture && picture->mutual && !whole(picture, ids + i, n - i))
            wrong = "begins a part of a picture that must be fed as a whole";
        if (wrong) {
            sight_cut(s, before);
            return error_set(error, ERROR_ARGUMENT, "id %d at position %d %s", (int)ids[i], before + i, wrong);
        }
        step = picture && picture->mutual ? picture->count : 1;
        add_positions(s, step, s->count + step - 1);
    }
    return 0;
}

int sight_cut(struct sight *s, int count)
{
    if (count > s->count)
        count = s->count;
    while (count > 0 && s->host[0][2 * count - 1] >= count)
        count--;
    s->count = count;
    if (s->ahead >= count)
        s->ahead = -1;
    if (s->uploaded > count)
        s->uploaded = count;
    return count;
}

void sight_upload(struct sight *s, struct device *device, struct stream *stream)
{
    size_t from = 2 * (size_t)s->uploaded, bytes = 2 * (size_t)(s->count - s->uploaded) * sizeof **s->host;
    if (s->ahead < 0 || bytes == 0)
        return;
    for (int i = 0; i < (s->window ? 2 : 1); i++)
        device->ops->upload(stream, s->host[i] + from, bytes, s->device[i] + from);
    s->uploaded = s->count;
}

const int32_t *sight_sees(const struct sight *s, bool window, int positions)
{
    return s->ahead >= 0 && s->ahead < positions ? s->device[window] : NULL;
}
