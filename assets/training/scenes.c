/* Draws the demo model's scenes: one to four coloured things on a plain background, and which pixels each covers.
 *
 * Owns the chance and the geometry of a scene.  The shapes of the things are handed in (sprites.py), the questions
 * about them are asked elsewhere (questions.py).  A scene is 96 units wide whatever its size in pixels, and is decided
 * by its seed alone.  Built and called by scenes.py; no part of the program.
 */
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_THINGS = 4, INKS = 5, COLOURS = 7, SPREAD = 96 };

static const float APART_ACROSS = 8;   /* units between two centres, so that left and right are certain */
static const float SPRITE_SPAN = 2.3f; /* a sprite's side in radii */

struct thing {
    int32_t kind, colour;
    float x, y, radius; /* units */
};

struct sprites {
    const float *ink; /* [kinds, side, side, INKS]: how much of each ink, 0 to 1 in sum */
    int kinds, side;
};

/* How a thing is drawn: an affine map from units to its sprite, and its inks. */
struct pose {
    float cosine, sine, skew, across, down;
    float ink[INKS][3];
};

struct canvas {
    float *rgb; /* [size, size, 3] */
    int size;
    float scale; /* pixels a unit */
};

/* -- chance ------------------------------------------------------------------------------------------------------- */

static uint64_t random_next(uint64_t *state)
{
    uint64_t z = (*state += 0x9E3779B97F4A7C15u);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
}

static float random_between(uint64_t *state, float low, float high)
{
    return low + (high - low) * ((float)(random_next(state) >> 40) / 16777216.0f);
}

static int random_below(uint64_t *state, int count)
{
    return (int)((random_next(state) >> 32) * (uint64_t)count >> 32);
}

static int random_chance(uint64_t *state, float share)
{
    return random_between(state, 0, 1) < share;
}

/* -- colours ------------------------------------------------------------------------------------------------------ */

static void hsv_to_rgb(float hue, float saturation, float value, float rgb[3])
{
    for (int channel = 0; channel < 3; channel++) {
        float turn = fmodf(hue * 6 + (float)(5 - 2 * channel), 6.0f);
        if (turn < 0)
            turn += 6;
        float ramp = fmaxf(0, fminf(1, fminf(turn, 4 - turn)));
        rgb[channel] = value * (1 - saturation * ramp);
    }
}

/* A shade that everyone would call by the colour's name; the order is that of scenes.py's COLOURS. */
static void colour_pick(int colour, uint64_t *state, float rgb[3])
{
    static const float range[COLOURS][6] = {
        /* hue, saturation, value: from, to */
        {-.02f, .015f, .78f, 1, .7f, .95f}, /* red */
        {.068f, .09f, .85f, 1, .9f, 1},     /* orange */
        {.145f, .17f, .7f, 1, .88f, 1},     /* yellow */
        {.29f, .4f, .6f, 1, .45f, .8f},     /* green */
        {.58f, .66f, .65f, 1, .65f, 1},     /* blue */
        {.75f, .82f, .5f, .9f, .5f, .8f},   /* purple */
        {0, 1, 0, .05f, .92f, 1},           /* white */
    };
    const float *r = range[colour];
    float hue = random_between(state, r[0], r[1]);
    float saturation = random_between(state, r[2], r[3]);
    hsv_to_rgb(hue, saturation, random_between(state, r[4], r[5]), rgb);
}

/* -- where things stand ------------------------------------------------------------------------------------------- */

static int thing_fits(const struct thing *things, int count, const struct thing *new, int twins)
{
    for (int i = 0; i < count; i++) {
        float dx = new->x - things[i].x, dy = new->y - things[i].y;
        float apart = (new->radius + things[i].radius) * 1.02f;
        if (dx * dx + dy * dy < apart * apart || fabsf(dx) < APART_ACROSS)
            return 0;
        if (new->kind == things[i].kind && (!twins || new->colour == things[i].colour))
            return 0;
    }
    return 1;
}

/* Place things[at] beside those before it.  Returns 0 where no room was found. */
static int thing_place(struct thing *things, int at, int count, int kinds, int twins, uint64_t *state)
{
    float least = count <= 2 ? 13 : count == 3 ? 12.5f : 12, most = count <= 2 ? 20 : count == 3 ? 18 : 16;
    for (int tries = 0; tries < 200; tries++) {
        struct thing new = {.kind = random_below(state, kinds), .colour = random_below(state, COLOURS)};
        if (twins && at == 1)
            new.kind = things[0].kind;
        new.radius = random_between(state, least, most);
        new.x = random_between(state, new.radius - 2, SPREAD - new.radius + 2);
        new.y = random_between(state, new.radius - 2, SPREAD - new.radius + 2);
        if (thing_fits(things, at, &new, twins)) {
            things[at] = new;
            return 1;
        }
    }
    return 0;
}

static int thing_compare(const void *left, const void *right)
{
    float a = ((const struct thing *)left)->x, b = ((const struct thing *)right)->x;
    return (a > b) - (a < b);
}

/* Fill things[count], from left to right.  In three scenes of ten two are of one kind. */
static void scene_arrange(struct thing *things, int count, int kinds, uint64_t *state)
{
    int placed = 0, twins = 0;
    while (placed < count) {
        if (placed == 0)
            twins = random_chance(state, .3f);
        if (thing_place(things, placed, count, kinds, twins, state))
            placed++;
        else
            placed = 0;
    }
    qsort(things, (size_t)count, sizeof *things, thing_compare);
}

/* -- drawing ------------------------------------------------------------------------------------------------------ */

/* A gradient between four corners, in two scenes of five with a horizon. */
static void background_draw(struct canvas *canvas, uint64_t *state)
{
    float base[3], corner[4][3], ground[3];
    float hue = random_between(state, 0, 1), saturation = random_between(state, .02f, .28f);
    hsv_to_rgb(hue, saturation, random_between(state, .45f, .95f), base);
    for (int i = 0; i < 4; i++)
        for (int c = 0; c < 3; c++)
            corner[i][c] = base[c] + random_between(state, -.12f, .12f);
    float horizon = random_chance(state, .4f) ? random_between(state, .35f, .8f) : 2;
    float step = random_between(state, -.15f, .15f);
    for (int c = 0; c < 3; c++)
        ground[c] = step + random_between(state, -.05f, .05f);
    for (int y = 0; y < canvas->size; y++)
        for (int x = 0; x < canvas->size; x++) {
            float u = (float)x / (float)(canvas->size - 1), v = (float)y / (float)(canvas->size - 1);
            float *pixel = canvas->rgb + ((size_t)y * (size_t)canvas->size + (size_t)x) * 3;
            for (int c = 0; c < 3; c++) {
                pixel[c] = (corner[0][c] * (1 - u) + corner[1][c] * u) * (1 - v);
                pixel[c] += (corner[2][c] * (1 - u) + corner[3][c] * u) * v + (v > horizon ? ground[c] : 0);
            }
        }
}

/* The inks of a sprite: its colour, a shade of it, dark, light and brown. */
static struct pose pose_pick(const struct thing *thing, uint64_t *state)
{
    static const float light[3] = {.93f, .95f, .97f}, brown[3] = {.45f, .3f, .17f};
    struct pose pose;
    float dark, turn;
    colour_pick(thing->colour, state, pose.ink[0]);
    dark = random_between(state, .08f, .22f);
    for (int c = 0; c < 3; c++) {
        pose.ink[1][c] = pose.ink[0][c] * .68f;
        pose.ink[2][c] = dark;
        pose.ink[3][c] = light[c];
        pose.ink[4][c] = brown[c];
    }
    turn = random_between(state, -.3f, .3f);
    pose.cosine = cosf(turn);
    pose.sine = sinf(turn);
    pose.across = (random_chance(state, .5f) ? 1.0f : -1.0f) / (thing->radius * random_between(state, .9f, 1.1f));
    pose.down = 1 / (thing->radius * random_between(state, .9f, 1.1f));
    pose.skew = random_between(state, -.1f, .1f);
    return pose;
}

/* Add to ink a quarter of the sprite's inks at (dx, dy) units from the thing's centre, between the four texels there.
 */
static void sprite_sample(const struct sprites *sprites, int kind, const struct pose *pose, float dx, float dy,
                          float ink[INKS])
{
    int side = sprites->side;
    float u = dx * pose->cosine + dy * pose->sine, v = -dx * pose->sine + dy * pose->cosine;
    u = ((u + pose->skew * v) * pose->across / SPRITE_SPAN + .5f) * (float)side - .5f;
    v = (v * pose->down / SPRITE_SPAN + .5f) * (float)side - .5f;
    if (u < 0 || v < 0 || u >= (float)(side - 1) || v >= (float)(side - 1))
        return;
    int column = (int)u, row = (int)v;
    float right = u - (float)column, below = v - (float)row;
    size_t at = ((size_t)kind * (size_t)side + (size_t)row) * (size_t)side + (size_t)column;
    const float *texel = sprites->ink + at * INKS;
    const float *under = texel + (size_t)side * INKS;
    for (int i = 0; i < INKS; i++) {
        float upper = texel[i] * (1 - right) + texel[INKS + i] * right;
        float lower = under[i] * (1 - right) + under[INKS + i] * right;
        ink[i] += .25f * (upper * (1 - below) + lower * below);
    }
}

/* Paint a thing over the canvas.  mask: [size, size], its opacity from 0 to 255. */
static void thing_draw(struct canvas *canvas, const struct sprites *sprites, const struct thing *thing, uint64_t *state,
                       uint8_t *mask)
{
    struct pose pose = pose_pick(thing, state);
    float reach = thing->radius * 1.5f, last = (float)(canvas->size - 1);
    int left = (int)fmaxf(0, (thing->x - reach) * canvas->scale);
    int top = (int)fmaxf(0, (thing->y - reach) * canvas->scale);
    int right = (int)fminf(last, (thing->x + reach) * canvas->scale);
    int bottom = (int)fminf(last, (thing->y + reach) * canvas->scale);
    for (int y = top; y <= bottom; y++)
        for (int x = left; x <= right; x++) {
            float ink[INKS] = {0}, opacity = 0;
            for (int sub = 0; sub < 4; sub++) {
                float px = ((float)x + .25f + .5f * (float)(sub & 1)) / canvas->scale;
                float py = ((float)y + .25f + .5f * (float)(sub >> 1)) / canvas->scale;
                sprite_sample(sprites, thing->kind, &pose, px - thing->x, py - thing->y, ink);
            }
            for (int i = 0; i < INKS; i++)
                opacity += ink[i];
            if (opacity <= 0)
                continue;
            size_t at = (size_t)y * (size_t)canvas->size + (size_t)x;
            for (int c = 0; c < 3; c++) {
                float *value = canvas->rgb + at * 3 + c;
                *value *= 1 - opacity;
                for (int i = 0; i < INKS; i++)
                    *value += ink[i] * pose.ink[i][c];
            }
            mask[at] = (uint8_t)fminf(255, opacity * 255 + .5f);
        }
}

/* To bytes, with a change of brightness and with noise of up to `grain`. */
static void canvas_finish(const struct canvas *canvas, float grain, uint64_t *state, uint8_t *picture)
{
    float brightness = random_between(state, .88f, 1.05f), strength = random_between(state, 0, grain);
    for (size_t i = 0; i < (size_t)canvas->size * (size_t)canvas->size * 3; i++) {
        float noise = random_between(state, -.5f, .5f);
        noise += random_between(state, -.5f, .5f);
        noise += random_between(state, -.5f, .5f);
        float value = (canvas->rgb[i] * brightness + strength * noise) * 255 + .5f;
        picture[i] = (uint8_t)fmaxf(0, fminf(255, value));
    }
}

/* Draw `count` scenes of size x size pixels.
 *   numbers   [count] how many things each has, 1 to 4
 *   sprites   [kinds, side, side, INKS] f32
 *   pictures  [count, size, size, 3] u8, out
 *   things    [count, MOST_THINGS], out: from left to right, zeros after the last
 *   masks     [count, MOST_THINGS, size, size] u8, out: each thing's opacity
 *   grain     the strongest noise, as a share of the full brightness
 * Scene i of a call is that of seed + i.  Returns 0, or -1 where memory is short. */
int scenes_draw(int count, uint64_t seed, const int32_t *numbers, const float *sprites, int kinds, int side, int size,
                float grain, uint8_t *pictures, struct thing *things, uint8_t *masks)
{
    struct sprites bank = {.ink = sprites, .kinds = kinds, .side = side};
    size_t area = (size_t)size * (size_t)size;
    struct canvas canvas = {.rgb = malloc(area * 3 * sizeof(float)), .size = size, .scale = (float)size / SPREAD};
    if (!canvas.rgb)
        return -1;
    memset(things, 0, (size_t)count * MOST_THINGS * sizeof *things);
    memset(masks, 0, (size_t)count * MOST_THINGS * area);
    for (int i = 0; i < count; i++) {
        uint64_t state = (seed + (uint64_t)i) * 0x9E3779B97F4A7C15u;
        struct thing *row = things + (size_t)i * MOST_THINGS;
        random_next(&state);
        state ^= random_next(&state);
        scene_arrange(row, numbers[i], kinds, &state);
        background_draw(&canvas, &state);
        for (int j = 0; j < numbers[i]; j++)
            thing_draw(&canvas, &bank, &row[j], &state, masks + ((size_t)i * MOST_THINGS + (size_t)j) * area);
        canvas_finish(&canvas, grain, &state, pictures + (size_t)i * area * 3);
    }
    free(canvas.rgb);
    return 0;
}
