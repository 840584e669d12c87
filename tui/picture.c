#include "tui/picture.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* A frame's lines are one of this many parts of the picture's shorter side. */
enum { FRAME_PARTS = 130, UNMEASURED_DARK = 0x38, UNMEASURED_LIGHT = 0xc8 };

/* The part of its opacity that a relevance of 0 has. */
#define WEAK 0.55

void picture_canvas_free(struct picture_canvas *canvas)
{
    image_release(canvas->scaled);
    free(canvas->rgb);
    free(canvas->units);
    *canvas = (struct picture_canvas){0};
}

void picture_fit(int width, int height, double box_width, double box_height, int *fit_width, int *fit_height)
{
    double scale = fmin(box_width / width, box_height / height);
    *fit_width = (int)fmax(1, floor(width * scale + 1e-6));
    *fit_height = (int)fmax(1, floor(height * scale + 1e-6));
}

/* -- patches ------------------------------------------------------------------------------------------------------- */

long picture_index(const struct explanation *e, size_t nth, const struct image *image)
{
    return nth < e->picture_count && e->pictures[nth].image->serial == image->serial ? (long)nth : -1;
}

static bool is_padding(const struct token *token)
{
    return !(token->rect[2] > 0 && token->rect[3] > 0);
}

int picture_token(const struct explanation *e, long index, int column, int row)
{
    if (index < 0)
        return -1;
    const struct picture *picture = &e->pictures[index];
    if (column < 0 || row < 0 || column >= picture->columns || row >= picture->rows)
        return -1;
    int token = picture->first + row * picture->columns + column;
    return is_padding(&e->tokens[token]) ? -1 : token;
}

long picture_unit(const struct explanation *e, int token)
{
    for (size_t u = 0; token >= 0 && u < e->unit_count; u++)
        if (e->units[u].kind == UNIT_PATCH && e->units[u].first <= token && unit_holds(&e->units[u], token))
            return (long)u;
    return -1;
}

long picture_place(const struct explanation *e, int token, int *column, int *row)
{
    for (size_t p = 0; p < e->picture_count; p++) {
        const struct picture *picture = &e->pictures[p];
        int at = token - picture->first;
        if (at >= 0 && at < picture->columns * picture->rows) {
            *column = at % picture->columns;
            *row = at / picture->columns;
            return (long)p;
        }
    }
    return -1;
}

int picture_token_at(const struct explanation *e, long index, double x, double y)
{
    if (index < 0)
        return -1;
    const struct picture *picture = &e->pictures[index];
    for (int i = 0; i < picture->columns * picture->rows; i++) {
        const float *rect = e->tokens[picture->first + i].rect;
        if (x >= rect[0] && y >= rect[1] && x < rect[0] + rect[2] && y < rect[1] + rect[3])
            return picture->first + i;
    }
    return -1;
}

size_t picture_alike(const struct explanation *e, long unit)
{
    size_t count = 0;
    for (size_t i = 0; i < e->alike_count; i++)
        count += e->alike[i].unit == unit;
    return count;
}

/* -- pixels -------------------------------------------------------------------------------------------------------- */

static int reserve(struct picture_canvas *canvas, const struct image *image, int width, int height, struct error *error)
{
    size_t pixels = (size_t)width * (size_t)height;
    if (pixels > canvas->capacity) {
        picture_canvas_free(canvas);
        canvas->rgb = malloc(pixels * 3);
        canvas->units = malloc(pixels * sizeof *canvas->units);
        if (!canvas->rgb || !canvas->units) {
            picture_canvas_free(canvas);
            return error_set(error, ERROR_MEMORY, "there is no memory to draw the picture");
        }
        canvas->capacity = pixels;
    }
    if (!canvas->scaled || canvas->width != width || canvas->height != height || canvas->serial != image->serial) {
        struct image *scaled;
        enum image_filter filter = width < image->width || height < image->height ? IMAGE_BOX : IMAGE_BILINEAR;
        int code = image_resize(image, width, height, filter, &scaled, error);
        if (code != 0)
            return code;
        image_release(canvas->scaled);
        canvas->scaled = scaled;
        canvas->serial = image->serial;
        canvas->width = width;
        canvas->height = height;
    }
    return 0;
}

/* Say of every pixel which unit it belongs to. */
static void find_units(struct picture_canvas *canvas, const struct picture_look *look)
{
    int width = canvas->width, height = canvas->height;
    for (int i = 0; i < width * height; i++)
        canvas->units[i] = -1;
    if (!look->map || look->picture < 0)
        return;
    const struct explanation *e = look->map->explanation;
    const struct picture *picture = &e->pictures[look->picture];
    double across = (double)width / look->image->width, down = (double)height / look->image->height;
    for (int i = 0; i < picture->columns * picture->rows; i++) {
        const float *rect = e->tokens[picture->first + i].rect;
        int32_t unit = (int32_t)picture_unit(e, picture->first + i);
        int left = (int)lround(rect[0] * across), right = (int)lround((rect[0] + rect[2]) * across);
        int top = (int)lround(rect[1] * down), bottom = (int)lround((rect[1] + rect[3]) * down);
        for (int y = top < 0 ? 0 : top; y < bottom && y < height; y++)
            for (int x = left < 0 ? 0 : left; x < right && x < width; x++)
                canvas->units[y * width + x] = unit;
    }
}

/* The colour that a unit gives to its pixels, and how much of it: 0 leaves the picture alone. */
struct tint {
    uint8_t rgb[3];
    double share;
};

static struct tint tint_of(const struct picture_look *look, long unit)
{
    bool measured = unit >= 0 && !isnan(map_value(look->map, unit));
    double position = measured ? map_position(look->map, unit) : 0, share = 0;
    if (look->mode == PICTURE_HEAT)
        share = 1;
    else if (look->mode == PICTURE_BOTH && measured) /* what matters little is dimmed little */
        share = look->opacity * (WEAK + (1 - WEAK) * sqrt(fabs(position)));
    unsigned rgb = look->ground == GROUND_LIGHT ? UNMEASURED_LIGHT : UNMEASURED_DARK;
    rgb = measured ? colour_rgb(look->scale, look->ground, position) : rgb << 16 | rgb << 8 | rgb;
    return (struct tint){{(uint8_t)(rgb >> 16), (uint8_t)(rgb >> 8), (uint8_t)rgb}, share};
}

/* Where there is heat the picture's own colours fade: colour is to mean relevance. */
static void blend(struct picture_canvas *canvas, const struct tint *tints)
{
    const uint8_t *from = canvas->scaled->rgb;
    uint8_t *to = canvas->rgb;
    for (int i = 0; i < canvas->width * canvas->height; i++, from += 3, to += 3) {
        const struct tint *tint = &tints[canvas->units[i] + 1];
        double grey = 0.299 * from[0] + 0.587 * from[1] + 0.114 * from[2], fade = sqrt(tint->share);
        for (int c = 0; c < 3; c++) {
            double own = from[c] + (grey - from[c]) * fade;
            to[c] = (uint8_t)lround(own + (tint->rgb[c] - own) * tint->share);
        }
    }
}

static bool is_unit(const struct picture_canvas *canvas, int x, int y, long unit)
{
    return x >= 0 && y >= 0 && x < canvas->width && y < canvas->height && canvas->units[y * canvas->width + x] == unit;
}

/* A frame inside of the unit's edge: white, and where there is room for a second line, black within. */
static void draw_frame(struct picture_canvas *canvas, long unit)
{
    int shorter = canvas->width < canvas->height ? canvas->width : canvas->height;
    int line = shorter / FRAME_PARTS < 1 ? 1 : shorter / FRAME_PARTS, lines = shorter >= FRAME_PARTS ? 2 : 1;
    for (int y = 0; y < canvas->height; y++)
        for (int x = 0; x < canvas->width; x++) {
            int depth = 0;
            if (!is_unit(canvas, x, y, unit))
                continue;
            while (depth < lines * line && is_unit(canvas, x - depth - 1, y, unit) &&
                   is_unit(canvas, x + depth + 1, y, unit) && is_unit(canvas, x, y - depth - 1, unit) &&
                   is_unit(canvas, x, y + depth + 1, unit))
                depth++;
            if (depth < lines * line)
                memset(canvas->rgb + 3 * (y * canvas->width + x), depth < line ? 255 : 0, 3);
        }
}

/* A dot in the middle of each patch that is suppressed along with the unit. */
static void draw_dots(struct picture_canvas *canvas, const struct picture_look *look)
{
    const struct explanation *e = look->map->explanation;
    int shorter = canvas->width < canvas->height ? canvas->width : canvas->height,
        side = 1 + 2 * (shorter / FRAME_PARTS);
    double across = (double)canvas->width / look->image->width, down = (double)canvas->height / look->image->height;
    for (size_t i = 0; i < e->alike_count; i++) {
        const struct token *token = &e->tokens[e->alike[i].token];
        int column, row;
        if (e->alike[i].unit != look->unit || picture_place(e, e->alike[i].token, &column, &row) != look->picture ||
            is_padding(token))
            continue;
        int left = (int)((token->rect[0] + token->rect[2] / 2) * across) - side / 2;
        int top = (int)((token->rect[1] + token->rect[3] / 2) * down) - side / 2;
        for (int y = top - 1; y <= top + side; y++)
            for (int x = left - 1; x <= left + side; x++) {
                bool edge = y < top || x < left || y == top + side || x == left + side;
                if (x >= 0 && y >= 0 && x < canvas->width && y < canvas->height && !(edge && side == 1))
                    memset(canvas->rgb + 3 * (y * canvas->width + x), edge ? 0 : 255, 3);
            }
    }
}

int picture_draw(struct picture_canvas *canvas, const struct picture_look *look, int width, int height,
                 struct error *error)
{
    size_t units = look->map && look->picture >= 0 ? look->map->explanation->unit_count : 0;
    int code = reserve(canvas, look->image, width, height, error);
    if (code != 0)
        return code;
    struct tint *tints = malloc((units + 1) * sizeof *tints);
    if (!tints)
        return error_set(error, ERROR_MEMORY, "there is no memory to draw the picture");
    tints[0] = tint_of(look, -1);
    for (size_t u = 0; u < units; u++)
        tints[u + 1] = tint_of(look, (long)u);
    find_units(canvas, look);
    blend(canvas, tints);
    free(tints);
    if (look->unit >= 0 && units > 0) {
        draw_dots(canvas, look);
        draw_frame(canvas, look->unit);
    }
    return 0;
}

static uint64_t add(uint64_t hash, uint64_t value)
{
    hash = (hash ^ value) * 0x9e3779b97f4a7c15u;
    return hash ^ hash >> 29;
}

uint64_t picture_hash(const struct picture_look *look)
{
    uint64_t hash = add(add(add(1, look->image->serial), look->mode), (uint64_t)(look->opacity * 1000));
    hash = add(add(add(hash, look->ground), look->scale), (uint64_t)look->unit);
    if (!look->map || look->picture < 0)
        return hash;
    const struct explanation *e = look->map->explanation;
    for (size_t u = 0; u < e->unit_count; u++) {
        if (e->units[u].kind != UNIT_PATCH)
            continue;
        struct tint tint = tint_of(look, (long)u);
        unsigned colour = (unsigned)tint.rgb[0] << 16 | (unsigned)tint.rgb[1] << 8 | tint.rgb[2];
        hash = add(hash, (uint64_t)e->units[u].first << 40 | (uint64_t)(tint.share * 255) << 32 | colour);
    }
    return hash;
}
