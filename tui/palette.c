#include "tui/palette.h"

#include <stdlib.h>

enum { BITS = 5, BINS = 1 << 3 * BITS };

/* Colours that are the same in their upper bits. */
struct bin {
    uint32_t count, sum[3];
    uint8_t mean[3];
    uint16_t place; /* among all bins */
};

/* Bins first .. first + count - 1 of the list: one colour of the palette. */
struct box {
    size_t first, count;
    int axis;    /* the channel in which its colours differ most */
    double need; /* how much a cut is worth */
};

static size_t place_of(const uint8_t *rgb)
{
    return (size_t)(rgb[0] >> (8 - BITS)) << 2 * BITS | (size_t)(rgb[1] >> (8 - BITS)) << BITS | rgb[2] >> (8 - BITS);
}

/* The bins that are not empty, to the front of the list.  Returns how many. */
static size_t collect(const uint8_t *rgb, size_t count, struct bin *bins)
{
    size_t used = 0;
    for (size_t i = 0; i < count; i++, rgb += 3) {
        struct bin *bin = &bins[place_of(rgb)];
        bin->count++;
        for (int c = 0; c < 3; c++)
            bin->sum[c] += rgb[c];
    }
    for (size_t place = 0; place < BINS; place++) {
        struct bin bin = bins[place];
        if (bin.count == 0)
            continue;
        for (int c = 0; c < 3; c++)
            bin.mean[c] = (uint8_t)((bin.sum[c] + bin.count / 2) / bin.count);
        bin.place = (uint16_t)place;
        bins[used++] = bin;
    }
    return used;
}

/* Find a box's longest side, and what a cut through it is worth. */
static void weigh(const struct bin *bins, struct box *box)
{
    uint8_t low[3] = {255, 255, 255}, high[3] = {0, 0, 0};
    double pixels = 0;
    for (size_t i = box->first; i < box->first + box->count; i++) {
        pixels += bins[i].count;
        for (int c = 0; c < 3; c++) {
            low[c] = bins[i].mean[c] < low[c] ? bins[i].mean[c] : low[c];
            high[c] = bins[i].mean[c] > high[c] ? bins[i].mean[c] : high[c];
        }
    }
    box->axis = 0;
    for (int c = 1; c < 3; c++)
        if (high[c] - low[c] > high[box->axis] - low[box->axis])
            box->axis = c;
    double side = high[box->axis] - low[box->axis];
    box->need = box->count < 2 ? 0 : side * side * pixels;
}

static int by_channel(const void *a, const void *b, void *channel)
{
    const struct bin *x = a, *y = b;
    int c = *(const int *)channel, order = x->mean[c] - y->mean[c];
    return order ? order : x->place - y->place;
}

/* Cut a box where half of its pixels are on each side. */
static struct box cut(struct bin *bins, struct box *box)
{
    double pixels = 0, seen = 0;
    size_t at = box->first, last = box->first + box->count - 1;
    qsort_r(bins + box->first, box->count, sizeof *bins, by_channel, &box->axis);
    for (size_t i = box->first; i <= last; i++)
        pixels += bins[i].count;
    do
        seen += bins[at++].count;
    while (at < last && seen + bins[at].count / 2.0 < pixels / 2);
    struct box behind = {.first = at, .count = last + 1 - at};
    box->count = at - box->first;
    weigh(bins, box);
    weigh(bins, &behind);
    return behind;
}

static void set_colour(const struct bin *bins, const struct box *box, uint8_t *rgb)
{
    uint64_t count = 0, sum[3] = {0};
    for (size_t i = box->first; i < box->first + box->count; i++) {
        count += bins[i].count;
        for (int c = 0; c < 3; c++)
            sum[c] += bins[i].sum[c];
    }
    for (int c = 0; c < 3; c++)
        rgb[c] = (uint8_t)((sum[c] + count / 2) / count);
}

int palette_reduce(const uint8_t *rgb, size_t count, int most, struct palette *palette, uint8_t *indices,
                   struct error *error)
{
    struct box boxes[PALETTE_MOST];
    struct bin *bins = calloc(BINS, sizeof *bins);
    uint8_t *index_of = calloc(BINS, 1);
    if (!bins || !index_of) {
        free(bins);
        free(index_of);
        return error_set(error, ERROR_MEMORY, "there is no memory for the picture's colours");
    }
    boxes[0] = (struct box){.count = collect(rgb, count, bins)};
    palette->count = count > 0;
    weigh(bins, &boxes[0]);
    while (palette->count > 0 && palette->count < most) {
        int widest = 0;
        for (int i = 1; i < palette->count; i++)
            if (boxes[i].need > boxes[widest].need)
                widest = i;
        if (!(boxes[widest].need > 0))
            break;
        boxes[palette->count++] = cut(bins, &boxes[widest]);
    }
    for (int i = 0; i < palette->count; i++) {
        set_colour(bins, &boxes[i], palette->rgb[i]);
        for (size_t k = boxes[i].first; k < boxes[i].first + boxes[i].count; k++)
            index_of[bins[k].place] = (uint8_t)i;
    }
    for (size_t i = 0; i < count; i++, rgb += 3)
        indices[i] = index_of[place_of(rgb)];
    free(bins);
    free(index_of);
    return 0;
}
