#include "tui/truth.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static int no_memory(struct error *error)
{
    return error_set(error, ERROR_MEMORY, "out of memory");
}

/* -- masks --------------------------------------------------------------------------------------------------------- */

/* Edges in whole pixels of a side: what has any part in them lies between. */
static int pixel_floor(double x, int size)
{
    return x <= 0 ? 0 : x >= size ? size : (int)floor(x);
}

static int pixel_ceil(double x, int size)
{
    return x <= 0 ? 0 : x >= size ? size : (int)ceil(x);
}

static void fill_rect(const struct dataset_rect *r, const struct image *image, uint8_t *mask)
{
    int left = pixel_floor(r->x, image->width), right = pixel_ceil(r->x + r->width, image->width);
    int top = pixel_floor(r->y, image->height), bottom = pixel_ceil(r->y + r->height, image->height);
    for (int y = top; y < bottom && right > left; y++)
        memset(mask + (size_t)y * (size_t)image->width + left, 1, (size_t)(right - left));
}

static int fill_file(const char *path, const struct image *image, uint8_t *mask, struct error *error)
{
    struct image *file;
    int code = image_read(path, &file, error);
    if (code)
        return code;
    size_t n = (size_t)image->width * (size_t)image->height;
    if (file->width != image->width || file->height != image->height)
        code = error_set(error, ERROR_FORMAT, "%s: the mask is %d x %d, its picture %d x %d", path, file->width,
                         file->height, image->width, image->height);
    for (size_t i = 0; code == 0 && i < n; i++)
        mask[i] |= file->rgb[3 * i] > 127;
    image_release(file);
    return code;
}

int truth_masks_read(const struct dataset_case *c, struct image *const *images, struct truth_masks *m,
                     struct error *error)
{
    *m = (struct truth_masks){0};
    m->mask = calloc(c->image_count + 1, sizeof *m->mask);
    int code = m->mask ? 0 : no_memory(error);
    for (size_t i = 0; code == 0 && i < c->image_count; i++) {
        m->mask[i] = calloc((size_t)images[i]->width, (size_t)images[i]->height);
        m->count++;
        if (!m->mask[i])
            code = no_memory(error);
        else if (c->masks && c->masks[i])
            code = fill_file(c->masks[i], images[i], m->mask[i], error);
    }
    for (size_t r = 0; code == 0 && r < c->rect_count; r++)
        if (!c->masks || !c->masks[c->rects[r].image])
            fill_rect(&c->rects[r], images[c->rects[r].image], m->mask[c->rects[r].image]);
    if (code)
        truth_masks_free(m);
    return code;
}

void truth_masks_free(struct truth_masks *m)
{
    for (size_t i = 0; i < m->count; i++)
        free(m->mask[i]);
    free(m->mask);
    *m = (struct truth_masks){0};
}

/* -- units --------------------------------------------------------------------------------------------------------- */

static bool is_white(char c)
{
    return strchr(" \t\r\n", c) != NULL;
}

static bool text_decides(const struct explanation *e, const struct unit *u, const struct dataset_case *c)
{
    size_t start = u->start, end = u->end;
    while (start < end && is_white(e->prompt[start]))
        start++;
    while (start < end && is_white(e->prompt[end - 1]))
        end--;
    for (size_t i = 0; i < c->span_count; i++)
        if (start < c->spans[i].end && c->spans[i].start < end)
            return true;
    return false;
}

/* How much of [low, high) lies in pixel p. */
static double part_of(double low, double high, int p)
{
    return fmax(0, fmin(high, p + 1) - fmax(low, p));
}

/* The area of a token's rect, and how much of it decides. */
static void add_area(const struct explanation *e, const struct token *token, const struct truth_masks *m, double *all,
                     double *decides)
{
    const struct image *image = e->pictures[token->image].image;
    const uint8_t *mask = m->mask[token->image];
    double left = (double)token->rect[0], top = (double)token->rect[1];
    double right = left + (double)token->rect[2], bottom = top + (double)token->rect[3];
    *all += (right - left) * (bottom - top);
    for (int y = pixel_floor(top, image->height); y < pixel_ceil(bottom, image->height); y++)
        for (int x = pixel_floor(left, image->width); x < pixel_ceil(right, image->width); x++)
            if (mask[(size_t)y * (size_t)image->width + (size_t)x])
                *decides += part_of(left, right, x) * part_of(top, bottom, y);
}

static double patch_cover(const struct explanation *e, const struct unit *u, const struct truth_masks *m)
{
    double all = 0, decides = 0;
    for (int t = u->first; t <= u->last; t++)
        if (unit_holds(u, t) && (size_t)e->tokens[t].image < m->count)
            add_area(e, &e->tokens[t], m, &all, &decides);
    return all > 0 ? decides / all : 0;
}

static bool can_win(const struct unit *u, enum truth_side side)
{
    if (side == TRUTH_PICTURES)
        return u->kind == UNIT_PATCH;
    return u->kind != UNIT_PATCH && u->kind != UNIT_SPECIAL && u->kind != UNIT_TARGET;
}

int truth_find(const struct explanation *e, enum truth_side side, const struct dataset_case *c,
               const struct truth_masks *m, struct truth *t, struct error *error)
{
    size_t n = e->unit_count + 1;
    *t = (struct truth){
        .unit = malloc(n * sizeof *t->unit), .good = calloc(n, sizeof *t->good), .cover = calloc(n, sizeof *t->cover)};
    if (!t->unit || !t->good || !t->cover) {
        truth_free(t);
        return no_memory(error);
    }
    for (size_t u = 0; u < e->unit_count; u++) {
        const struct unit *unit = &e->units[u];
        if (!can_win(unit, side))
            continue;
        size_t i = t->count++;
        t->unit[i] = u;
        if (side == TRUTH_PICTURES)
            t->cover[i] = patch_cover(e, unit, m);
        t->good[i] = side == TRUTH_PICTURES ? t->cover[i] > 0 : text_decides(e, unit, c);
        t->good_count += t->good[i];
    }
    return 0;
}

void truth_free(struct truth *t)
{
    free(t->unit);
    free(t->good);
    free(t->cover);
    *t = (struct truth){0};
}
