#include "core/gallery.h"

static int find(const struct gallery *g, uint64_t serial)
{
    for (int i = 0; i < g->count; i++)
        if (g->serial[i] == serial)
            return i;
    return -1;
}

static void drop(struct gallery *g, struct device *device, int i)
{
    int last = --g->count;
    device->ops->free(device, (float *)g->rows[i].rows);
    g->rows[i] = g->rows[last];
    g->serial[i] = g->serial[last];
    g->used[i] = g->used[last];
}

/* Make room for so many more. */
static void drop_unused(struct gallery *g, struct device *device, int more)
{
    while (g->count > 0 && g->count + more > GALLERY_KEPT) {
        int oldest = 0;
        for (int i = 1; i < g->count; i++)
            if (g->used[i] < g->used[oldest])
                oldest = i;
        if (g->used[oldest] == g->requests)
            return;
        drop(g, device, oldest);
    }
}

static int add(struct gallery *g, const struct vision *vision, struct device *device, struct stream *stream,
               const struct image *image, const atomic_bool *cancelled, struct error *error)
{
    const struct vision_info *info = vision_info(vision);
    int count = info->columns * info->rows;
    if (g->ids + count > INT32_MAX)
        return error_set(error, ERROR_LIMIT,
                         "more pictures than one run of the program can tell apart; start it again");
    float *rows = device->ops->alloc(device, (size_t)count * (size_t)info->width * sizeof *rows, error);
    if (!rows)
        return ERROR_MEMORY;
    int code = vision_encode(vision, stream, image, cancelled, rows, error);
    if (code < 0) {
        device->ops->free(device, rows);
        return code;
    }
    g->rows[g->count] = (struct picture_rows){
        .id = (int32_t)(-1 - g->ids), .count = count, .mutual = info->bidirectional, .rows = rows};
    g->serial[g->count] = image->serial;
    g->used[g->count++] = g->requests;
    g->ids += count;
    return 0;
}

int gallery_show(struct gallery *g, const struct vision *vision, struct device *device, struct stream *stream,
                 const struct picture *pictures, size_t count, const atomic_bool *cancelled, struct error *error)
{
    int missing = 0, code = 0;
    g->requests++;
    for (size_t i = 0; i < count; i++) {
        int at = find(g, pictures[i].image->serial);
        if (at >= 0)
            g->used[at] = g->requests;
        else
            missing++; /* twice in one request counts twice: room to spare */
    }
    drop_unused(g, device, missing);
    for (size_t i = 0; code == 0 && i < count; i++)
        if (find(g, pictures[i].image->serial) < 0)
            code = add(g, vision, device, stream, pictures[i].image, cancelled, error);
    return code < 0 ? error_add(error, code, "a picture") : 0;
}

int32_t gallery_id(const struct gallery *g, const struct image *image)
{
    return g->rows[find(g, image->serial)].id;
}

void gallery_clear(struct gallery *g, struct device *device)
{
    while (g->count > 0)
        drop(g, device, g->count - 1);
}
