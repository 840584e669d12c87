/* vision.c: run a vision tower: a picture's pixels become patches, these go through the tower's layers, and its rows
 * through the projector.
 *
 * All is computed block by block of rows, so that scratch stays small beside the tower's state: of a layer only keys
 * and values are there for all rows at once. */
#include "core/vision_internal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/pool.h"

enum { BLOCK = 512 }; /* rows; a cancel waits for one at most */

const struct vision_info *vision_info(const struct vision *v)
{
    return &v->info;
}

/* -- pixels -------------------------------------------------------------------------------------------------------- */

int vision_prepare(const struct vision *v, const struct image *image, const atomic_bool *cancelled, float **pixels,
                   struct error *error)
{
    size_t side = (size_t)v->info.side;
    *pixels = malloc(3 * side * side * sizeof **pixels);
    if (!*pixels)
        return error_set(error, ERROR_MEMORY, "out of memory");
    int status = prepare_image(image, &v->preparation, cancelled, *pixels, error);
    if (status < 0) {
        free(*pixels);
        *pixels = NULL;
    }
    return status;
}

/* Patches as rows [grid * grid, 3 * patch * patch]: channel, y, x; malloced. */
static float *cut_patches(const struct vision *v, const float *pixels)
{
    size_t side = (size_t)v->info.side, patch = (size_t)v->info.patch, grid = (size_t)v->grid;
    float *rows = malloc(grid * grid * 3 * patch * patch * sizeof *rows), *to = rows;
    if (!rows)
        return NULL;
    for (size_t p = 0; p < grid * grid; p++)
        for (size_t channel = 0; channel < 3; channel++)
            for (size_t y = 0; y < patch; y++, to += patch) {
                size_t row = channel * side + p / grid * patch + y;
                memcpy(to, pixels + row * side + p % grid * patch, patch * sizeof *to);
            }
    return rows;
}

/* -- the tower ----------------------------------------------------------------------------------------------------- */

/* One picture's way through.  All memory is the device's. */
struct run {
    const struct vision *v;
    const struct device_ops *ops;
    struct stream *s;
    const atomic_bool *cancelled;
    struct pool pool;
    int rows;                   /* the class's and the patches' */
    float *state, *key, *value; /* [rows, width] */
    float *kept;                /* [features, rows, width] */
    float *narrow, *query;      /* [BLOCK, width] */
    float *wide;                /* [BLOCK, the widest within a layer or the projector] */
    float *token;               /* [BLOCK, a token's width before or within the projector] */
    int32_t *sees;              /* [rows, 2] */
};

static bool stopped(const struct run *r)
{
    return r->cancelled && atomic_load(r->cancelled);
}

static int block_rows(int first, int rows)
{
    return rows - first < BLOCK ? rows - first : BLOCK;
}

static size_t greatest(size_t a, size_t b)
{
    return a > b ? a : b;
}

static int run_new(struct run *r)
{
    const struct vision *v = r->v;
    size_t rows = (size_t)r->rows, d = (size_t)v->width, hidden = (size_t)v->hidden;
    pool_init(&r->pool, v->device);
    r->state = pool_floats(&r->pool, rows, d);
    r->key = pool_floats(&r->pool, rows, d);
    r->value = pool_floats(&r->pool, rows, d);
    if (v->features)
        r->kept = pool_floats(&r->pool, (size_t)v->features * rows, d);
    r->narrow = pool_floats(&r->pool, BLOCK, d);
    r->query = pool_floats(&r->pool, BLOCK, d);
    r->wide = pool_floats(&r->pool, BLOCK, greatest(greatest((size_t)v->ffn, hidden), (size_t)v->info.width));
    r->token = pool_floats(&r->pool, BLOCK, greatest((size_t)vision_token_width(v), hidden));
    r->sees = pool_ints(&r->pool, 2 * rows);
    return r->pool.status;
}

/* y = norm(x), block by block in place; a norm without weight does nothing. */
static void norm_all(const struct run *r, const struct norm *norm, float *x)
{
    size_t d = (size_t)r->v->width;
    for (int first = 0; norm->weight && first < r->rows; first += BLOCK) {
        int n = block_rows(first, r->rows);
        r->ops->norm(r->s, norm, x + (size_t)first * d, n, r->narrow);
        r->ops->copy(r->s, r->narrow, (size_t)n * d * sizeof *x, x + (size_t)first * d);
    }
}

/* What enters the first layer, from patches [grid * grid, 3 * patch * patch] on the device.  Every row sees every
 * other. */
static int enter(const struct run *r, const float *patches, struct error *error)
{
    const struct vision *v = r->v;
    size_t d = (size_t)v->width, rows = (size_t)r->rows, class_rows = v->class_row ? 1 : 0;
    int32_t *sees = malloc(2 * rows * sizeof *sees);
    if (!sees)
        return error_set(error, ERROR_MEMORY, "out of memory");
    for (size_t i = 0; i < rows; i++) {
        sees[2 * i] = 0;
        sees[2 * i + 1] = (int32_t)rows - 1;
    }
    r->ops->upload(r->s, sees, 2 * rows * sizeof *sees, r->sees);
    if (v->class_row)
        r->ops->copy(r->s, v->class_row, d * sizeof *r->state, r->state);
    r->ops->linear(r->s, v->patch.weight, v->patch.bias, patches, v->grid * v->grid, r->state + class_rows * d);
    r->ops->add(r->s, v->place, 1, rows * d, r->state);
    norm_all(r, &v->pre, r->state);
    int status = r->ops->stream_finish(r->s, error);
    free(sees);
    return status;
}

static void linear(const struct run *r, const struct linear *l, const float *x, int rows, float *y)
{
    r->ops->linear(r->s, l->weight, l->bias, x, rows, y);
}

/* Both branches of a layer for rows first .. first + n - 1, whose keys and values are there. */
static void run_block(const struct run *r, const struct tower_layer *layer, int first, int n)
{
    const struct vision *v = r->v;
    size_t d = (size_t)v->width, count = (size_t)n * d;
    float *x = r->state + (size_t)first * d;
    struct attention attention = {.heads = v->heads, .kv_heads = v->heads, .head_dim = v->width / v->heads,
                                  .scale = 1 / sqrtf((float)(v->width / v->heads)), .sees = r->sees,
                                  .positions = r->rows, .key = r->key, .value = r->value};
    r->ops->norm(r->s, &layer->norm[0], x, n, r->narrow);
    linear(r, &layer->query, r->narrow, n, r->query);
    r->ops->attend(r->s, &attention, NULL, first, r->query, n, r->narrow);
    linear(r, &layer->output, r->narrow, n, r->query);
    r->ops->add(r->s, r->query, 1, count, x);
    r->ops->norm(r->s, &layer->norm[1], x, n, r->narrow);
    linear(r, &layer->up, r->narrow, n, r->wide);
    r->ops->gate(r->s, v->activation, r->wide, NULL, (size_t)n * (size_t)v->ffn, r->wide);
    linear(r, &layer->down, r->wide, n, r->narrow);
    r->ops->add(r->s, r->narrow, 1, count, x);
}

static void run_layer(const struct run *r, const struct tower_layer *layer)
{
    size_t d = (size_t)r->v->width;
    for (int first = 0; first < r->rows && !stopped(r); first += BLOCK) {
        int n = block_rows(first, r->rows);
        r->ops->norm(r->s, &layer->norm[0], r->state + (size_t)first * d, n, r->narrow);
        linear(r, &layer->key, r->narrow, n, r->key + (size_t)first * d);
        linear(r, &layer->value, r->narrow, n, r->value + (size_t)first * d);
    }
    for (int first = 0; first < r->rows && !stopped(r); first += BLOCK)
        run_block(r, layer, first, block_rows(first, r->rows));
}

/* Keep the state after so many layers where it is a feature. */
static void keep(const struct run *r, int layers)
{
    size_t count = (size_t)r->rows * (size_t)r->v->width;
    for (int i = 0; i < r->v->features; i++)
        if (r->v->feature[i] == layers)
            r->ops->copy(r->s, r->state, count * sizeof *r->state, r->kept + (size_t)i * count);
}

static int run_tower(const struct run *r, struct error *error)
{
    keep(r, 0);
    for (int l = 0; l < r->v->layers; l++) {
        run_layer(r, &r->v->layer[l]);
        keep(r, l + 1);
        int status = r->ops->stream_finish(r->s, error);
        if (status < 0)
            return error_add(error, status, "the vision tower's layer %d", l);
        if (stopped(r))
            return error_set(error, ERROR_CANCELLED, "cancelled");
    }
    norm_all(r, &r->v->post, r->state);
    return 0;
}

/* -- the projector ------------------------------------------------------------------------------------------------- */

/* Row of the state that is neighbour i of a token. */
static int32_t neighbour(const struct vision *v, int token, int i)
{
    int y = token / v->info.columns * v->merge + i / v->merge, x = token % v->info.columns * v->merge + i % v->merge;
    return (v->class_row ? 1 : 0) + y * v->grid + x;
}

/* Tokens first .. first + n - 1 as the projector's input, in r->token.  index: host memory for a block's rows. */
static void gather_tokens(const struct run *r, int first, int n, int32_t *index)
{
    const struct vision *v = r->v;
    int parts = v->features ? v->features : v->merge * v->merge;
    for (int t = 0; t < n; t++)
        for (int i = 0; i < parts; i++)
            index[t * parts + i] = v->features ? i * r->rows + neighbour(v, first + t, 0) : neighbour(v, first + t, i);
    r->ops->gather(r->s, v->features ? r->kept : r->state, index, n * parts, v->width, r->token);
}

/* The same as sums of neighbours. */
static void sum_tokens(const struct run *r, int first, int n, int32_t *index)
{
    const struct vision *v = r->v;
    for (int i = 0; i < v->merge * v->merge; i++) {
        for (int t = 0; t < n; t++)
            index[t] = neighbour(v, first + t, i);
        r->ops->gather(r->s, r->state, index, n, v->width, i ? r->narrow : r->token);
        if (i)
            r->ops->add(r->s, r->narrow, 1, (size_t)n * (size_t)v->width, r->token);
    }
}

/* Tokens from r->token, which is changed, to out [n, info.width]. */
static void project(const struct run *r, int n, float *out)
{
    const struct vision *v = r->v;
    size_t hidden = (size_t)n * (size_t)v->hidden;
    switch (v->projector) {
    case PROJECTOR_IDEFICS3:
        linear(r, &v->first, r->token, n, out);
        return;
    case PROJECTOR_GEMMA3:
        r->ops->norm(r->s, &v->norm[0], r->token, n, r->narrow);
        linear(r, &v->first, r->narrow, n, out);
        return;
    case PROJECTOR_MLP:
        linear(r, &v->first, r->token, n, r->wide);
        r->ops->gate(r->s, ACTIVATION_GELU_ERF, r->wide, NULL, hidden, r->wide);
        linear(r, &v->second, r->wide, n, out);
        return;
    case PROJECTOR_MLP_NORM:
        linear(r, &v->first, r->token, n, r->wide);
        r->ops->norm(r->s, &v->norm[0], r->wide, n, r->token);
        r->ops->gate(r->s, ACTIVATION_GELU_ERF, r->token, NULL, hidden, r->token);
        linear(r, &v->second, r->token, n, r->wide);
        r->ops->norm(r->s, &v->norm[1], r->wide, n, out);
        return;
    }
}

static int run_projector(const struct run *r, float *out, struct error *error)
{
    const struct vision *v = r->v;
    int tokens = v->info.columns * v->info.rows, status = 0;
    int32_t *index = malloc((size_t)BLOCK * VISION_PARTS * sizeof *index);
    if (!index)
        return error_set(error, ERROR_MEMORY, "out of memory");
    for (int first = 0; first < tokens && status == 0; first += BLOCK) {
        int n = block_rows(first, tokens);
        if (v->projector == PROJECTOR_GEMMA3)
            sum_tokens(r, first, n, index);
        else
            gather_tokens(r, first, n, index);
        project(r, n, out + (size_t)first * (size_t)v->info.width);
        status = r->ops->stream_finish(r->s, error); /* index is free again */
    }
    free(index);
    return status < 0 ? error_add(error, status, "the projector") : 0;
}

/* -- all of it ----------------------------------------------------------------------------------------------------- */

static int run_all(struct run *r, const float *pixels, float *out, struct error *error)
{
    const struct vision *v = r->v;
    size_t count = (size_t)v->grid * (size_t)v->grid * 3 * (size_t)v->info.patch * (size_t)v->info.patch;
    float *patches = cut_patches(v, pixels), *device = NULL;
    int status = 0;
    if (!patches)
        return error_set(error, ERROR_MEMORY, "out of memory");
    device = r->ops->alloc(v->device, count * sizeof *device, error);
    if (!device) {
        status = ERROR_MEMORY;
    } else {
        r->ops->upload(r->s, patches, count * sizeof *patches, device);
        if ((status = enter(r, device, error)) < 0)
            r->ops->stream_finish(r->s, NULL); /* patches may still be on their way */
    }
    free(patches);
    r->ops->free(v->device, device);
    if (status == 0 && (status = run_tower(r, error)) == 0)
        status = run_projector(r, out, error);
    return status;
}

int vision_encode(const struct vision *v, struct stream *stream, const struct image *image,
                  const atomic_bool *cancelled, float *out, struct error *error)
{
    struct run r = {.v = v, .ops = v->device->ops, .s = stream, .cancelled = cancelled,
                    .rows = vision_tower_rows(v, v->class_row != NULL)};
    float *pixels;
    int status = vision_prepare(v, image, cancelled, &pixels, error);
    if (status < 0)
        return error_add(error, status, "preparing the picture");
    if ((status = run_new(&r)) < 0)
        error_set(error, status, "%s", r.pool.error.message);
    else
        status = run_all(&r, pixels, out, error);
    free(pixels);
    pool_free(&r.pool);
    return status;
}
