#include "tui/scene_explanation.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tui/scene_layout.h"

enum {
    CHOICES = 1 + CANDIDATES,
    DROPPED = 9,           /* of the 23 bits of a relevance's mantissa, */
    DROPPED_DIRECT = 13,   /* of one on direct paths alone, */
    DROPPED_CANDIDATE = 3, /* and of those for candidates so many more */
    PLANES = 3, /* bytes of a relevance that are kept */
};
enum row_flag { ROW_MEASURED = 1, ROW_ESTIMATED = 2, ROW_KNOWN = 4 }; /* KNOWN: of so many output tokens only */
#define UNKNOWN 0x3fe000u /* what is kept of a NAN */

static int group_of(int which, enum scene_part part)
{
    return SCENE_EXPLANATION + which * SCENE_PARTS + (int)part;
}

/* -- writing ------------------------------------------------------------------------------------------------------- */

static void put_array(struct scene_writer *writer, int group, const struct shape *shape, const void *array,
                      size_t count, size_t size)
{
    struct bytes *out = scene_begin(writer);
    bytes_put_count(out, count);
    for (size_t i = 0; i < count; i++)
        shape_put(shape, (const char *)array + i * size, out);
    scene_put(writer, group, 0);
}

static void put_pictures(struct scene_writer *writer, int group, const struct explanation *e,
                         scene_image_number *number, void *context)
{
    long numbers[SEQUENCE_PICTURES]; /* asking may put a picture's file, a piece of its own */
    size_t count = e->picture_count < SEQUENCE_PICTURES ? e->picture_count : SEQUENCE_PICTURES;
    for (size_t i = 0; i < count; i++)
        numbers[i] = number(context, e->pictures[i].image);
    struct bytes *out = scene_begin(writer);
    bytes_put_count(out, count);
    for (size_t i = 0; i < count; i++) {
        bytes_put_count(out, (uint64_t)(numbers[i] + 1));
        shape_put(&layout_picture, &e->pictures[i], out);
    }
    scene_put(writer, group, 0);
}

/* The bits of a relevance that are kept, rounded. */
static uint32_t kept_bits(float value, unsigned dropped)
{
    uint32_t bits;
    if (isnan(value))
        return UNKNOWN;
    memcpy(&bits, &value, sizeof bits);
    if ((bits & 0x7f800000u) < 0x7f000000u) /* rounding makes no infinity */
        bits += 1u << (dropped - 1);
    return bits >> dropped << (dropped - DROPPED);
}

/* Relevances [n], CHOICES for each: their highest bytes, their middle ones, their lowest.  The first candidate of
 * greedy output is the output itself: what differs from that is kept. */
static void put_values(struct bytes *out, const float *values, size_t n, unsigned dropped)
{
    for (int plane = PLANES - 1; plane >= 0; plane--)
        for (size_t i = 0; i < n; i++) {
            unsigned more = i % CHOICES > 1 ? DROPPED_CANDIDATE : 0;
            uint32_t bits = kept_bits(values[i], dropped + more);
            if (i % CHOICES == 1)
                bits ^= kept_bits(values[i - 1], dropped);
            bytes_put_number(out, bits >> 8 * plane & 255, 1);
        }
}

/* What is measured of each unit, and what direct paths do to each output token. */
static void put_relevance(struct scene_writer *writer, int which, const struct explanation *e)
{
    size_t n = e->output_count * CHOICES;
    for (size_t u = 0; e->measured && u < e->unit_count; u++) {
        struct bytes *out = scene_begin(writer);
        bool measured = e->measured[u] && e->relevance;
        size_t known = !measured && e->known && e->relevance ? e->known[u] : 0;
        bytes_put_number(out, (measured ? ROW_MEASURED : 0u) | (e->estimated[u] ? ROW_ESTIMATED : 0u) |
                                  (known > 0 ? ROW_KNOWN : 0u), 1);
        if (known > 0)
            bytes_put_count(out, known);
        if (measured || known > 0)
            put_values(out, e->relevance + u * n, n, DROPPED);
        scene_put(writer, group_of(which, PART_ROWS), u);
    }
    for (size_t t = 0; t < e->output_count; t++) {
        struct bytes *out = scene_begin(writer);
        const struct direct_row *row = t < e->direct_count ? &e->direct[t] : NULL;
        if (row && row->value) {
            bytes_put_count(out, row->unit_count);
            put_values(out, row->value, row->unit_count * CHOICES, DROPPED_DIRECT);
        }
        scene_put(writer, group_of(which, PART_DIRECT), t);
    }
}

static void put_floats(struct bytes *out, const float *values, size_t count)
{
    for (size_t i = 0; values && i < count; i++) {
        uint32_t bits;
        memcpy(&bits, &values[i], sizeof bits);
        bytes_put_number(out, bits, sizeof bits);
    }
}

void scene_put_explanation(struct scene_writer *writer, int which, const struct explanation *e,
                           scene_image_number *number, void *context)
{
    shape_put(&layout_explanation, e, scene_begin(writer));
    scene_put(writer, group_of(which, PART_FACTS), 0);
    bytes_put(scene_begin(writer), e->prompt, e->prompt_length);
    scene_put(writer, group_of(which, PART_PROMPT), 0);
    put_array(writer, group_of(which, PART_TOKENS), &layout_token, e->tokens, e->token_count, sizeof *e->tokens);
    put_pictures(writer, group_of(which, PART_PICTURES), e, number, context);
    put_array(writer, group_of(which, PART_OUTPUT), &layout_output, e->output, e->output_count, sizeof *e->output);
    put_array(writer, group_of(which, PART_UNITS), &layout_unit, e->units, e->unit_count, sizeof *e->units);
    put_array(writer, group_of(which, PART_ALIKE), &layout_alike, e->alike, e->alike_count, sizeof *e->alike);
    put_relevance(writer, which, e);
    struct bytes *out = scene_begin(writer);
    put_floats(out, e->chosen, e->unit_count);
    put_floats(out, e->chosen ? e->chosen_direct : NULL, e->unit_count);
    scene_put(writer, group_of(which, PART_CHOSEN), 0);
    shape_put(&layout_proof, &e->proof, scene_begin(writer));
    scene_put(writer, group_of(which, PART_PROOF), 0);
    shape_put(&layout_pairs, &e->pairs, scene_begin(writer));
    scene_put(writer, group_of(which, PART_PAIRS), 0);
}

void scene_each_token(const struct explanation *e, void (*take)(void *context, int32_t id), void *context)
{
    for (size_t i = 0; i < e->token_count; i++)
        take(context, e->tokens[i].id);
    for (size_t t = 0; t < e->output_count; t++) {
        take(context, e->output[t].id);
        for (int k = 0; k < CANDIDATES; k++)
            take(context, e->output[t].candidates[k].id);
    }
    if (e->foil.token >= 0)
        take(context, e->foil.id);
    take(context, e->chosen_id);
    take(context, e->proof.answer.id);
    take(context, e->proof.flip.id);
    take(context, e->pairs.answer.id);
}

/* -- reading ------------------------------------------------------------------------------------------------------- */

/* Malloced [*count]; NULL: damaged, or no memory. */
static void *take_array(const struct scene *scene, int group, const struct shape *shape, size_t size, size_t *count)
{
    struct bytes_reader in = scene_read(scene, group, 0);
    size_t n = in.at == in.end ? 0 : bytes_take_count(&in);
    if (n > (size_t)(in.end - in.at)) /* every element has a byte at least */
        return NULL;
    char *array = calloc(n + 1, size);
    bool good = array != NULL;
    for (size_t i = 0; good && i < n; i++)
        good = shape_take(shape, array + i * size, &in);
    if (good && in.at == in.end) {
        *count = n;
        return array;
    }
    free(array);
    return NULL;
}

static bool take_arrays(const struct scene *scene, int which, struct explanation *e)
{
    e->tokens = take_array(scene, group_of(which, PART_TOKENS), &layout_token, sizeof *e->tokens, &e->token_count);
    e->output = take_array(scene, group_of(which, PART_OUTPUT), &layout_output, sizeof *e->output, &e->output_count);
    e->units = take_array(scene, group_of(which, PART_UNITS), &layout_unit, sizeof *e->units, &e->unit_count);
    e->alike = take_array(scene, group_of(which, PART_ALIKE), &layout_alike, sizeof *e->alike, &e->alike_count);
    return e->tokens && e->output && e->units && e->alike;
}

static bool take_pictures(const struct scene *scene, int which, struct explanation *e, struct image *const *images,
                          size_t image_count)
{
    struct bytes_reader in = scene_read(scene, group_of(which, PART_PICTURES), 0);
    size_t n = in.at == in.end ? 0 : bytes_take_count(&in);
    if (n > SEQUENCE_PICTURES)
        return false;
    e->pictures = calloc(n + 1, sizeof *e->pictures);
    for (size_t i = 0; e->pictures && i < n; i++) {
        uint64_t number = bytes_take_count(&in);
        if (number < 1 || number > image_count || !images[number - 1] ||
            !shape_take(&layout_picture, &e->pictures[i], &in))
            return false;
        e->pictures[i].image = image_keep(images[number - 1]);
        e->picture_count = i + 1;
    }
    return e->pictures && in.at == in.end && !in.bad;
}

static bool take_values(struct bytes_reader *in, float *values, size_t n)
{
    const uint8_t *planes = bytes_take(in, PLANES * n);
    uint32_t before = 0;
    for (size_t i = 0; planes && i < n; i++) {
        uint32_t bits = (uint32_t)planes[i] << 16 | (uint32_t)planes[n + i] << 8 | planes[2 * n + i];
        bits = (bits ^ (i % CHOICES == 1 ? before : 0)) & 0x7fffff;
        before = bits;
        bits <<= DROPPED;
        memcpy(&values[i], &bits, sizeof bits);
    }
    return planes != NULL;
}

static bool take_rows(const struct scene *scene, int which, struct explanation *e)
{
    size_t units = e->unit_count, n = e->output_count * CHOICES;
    if (n > 0 && units > SCENE_BYTES / n / sizeof *e->relevance)
        return false;
    e->measured = calloc(units + 1, sizeof *e->measured);
    e->estimated = calloc(units + 1, sizeof *e->estimated);
    e->known = calloc(units + 1, sizeof *e->known);
    e->relevance = calloc(units * n + 1, sizeof *e->relevance);
    bool good = e->measured && e->estimated && e->known && e->relevance;
    for (size_t u = 0; good && u < units; u++) {
        struct bytes_reader in = scene_read(scene, group_of(which, PART_ROWS), u);
        uint64_t flags = in.at == in.end ? 0 : bytes_take_number(&in, 1);
        e->measured[u] = flags & ROW_MEASURED;
        e->estimated[u] = flags & ROW_ESTIMATED;
        e->known[u] = flags & ROW_KNOWN ? bytes_take_count(&in) : e->measured[u] ? e->output_count : 0;
        good = e->known[u] == 0 || (e->known[u] <= e->output_count && take_values(&in, e->relevance + u * n, n));
    }
    return good;
}

static bool take_direct(const struct scene *scene, int which, struct explanation *e)
{
    e->direct = calloc(e->output_count + 1, sizeof *e->direct);
    if (!e->direct)
        return false;
    e->direct_count = e->output_count;
    for (size_t t = 0; t < e->output_count; t++) {
        struct direct_row *row = &e->direct[t];
        struct bytes_reader in = scene_read(scene, group_of(which, PART_DIRECT), t);
        size_t units = in.at == in.end ? 0 : bytes_take_count(&in);
        if (units > (size_t)(in.end - in.at) / PLANES / CHOICES)
            return false;
        row->unit_count = units;
        if (in.at == in.end)
            continue;
        row->value = malloc((units * CHOICES + 1) * sizeof *row->value);
        if (!row->value || !take_values(&in, row->value, units * CHOICES))
            return false;
    }
    return true;
}

static float *take_floats(struct bytes_reader *in, size_t count)
{
    float *values = count <= (size_t)(in->end - in->at) / sizeof *values ? malloc((count + 1) * sizeof *values) : NULL;
    for (size_t i = 0; values && i < count; i++) {
        uint32_t bits = (uint32_t)bytes_take_number(in, sizeof bits);
        memcpy(&values[i], &bits, sizeof bits);
    }
    return values;
}

static bool take_chosen(const struct scene *scene, int which, struct explanation *e)
{
    struct bytes_reader in = scene_read(scene, group_of(which, PART_CHOSEN), 0);
    if (in.at == in.end)
        return true;
    e->chosen = take_floats(&in, e->unit_count);
    if (in.at < in.end)
        e->chosen_direct = take_floats(&in, e->unit_count);
    return e->chosen && in.at == in.end;
}

static bool take_answers(const struct scene *scene, int which, struct explanation *e)
{
    struct bytes_reader proof = scene_read(scene, group_of(which, PART_PROOF), 0),
                        pairs = scene_read(scene, group_of(which, PART_PAIRS), 0);
    return (proof.at == proof.end || shape_take(&layout_proof, &e->proof, &proof)) &&
           (pairs.at == pairs.end || shape_take(&layout_pairs, &e->pairs, &pairs));
}

static bool take_prompt(const struct scene *scene, int which, struct explanation *e)
{
    struct scene_piece piece = scene_piece(scene, group_of(which, PART_PROMPT), 0);
    e->prompt = malloc(piece.length + 1);
    if (!e->prompt)
        return false;
    if (piece.length > 0)
        memcpy(e->prompt, piece.data, piece.length);
    e->prompt[piece.length] = '\0';
    e->prompt_length = piece.length;
    return utf8_check(e->prompt, piece.length) == piece.length;
}

/* -- whether it can be shown --------------------------------------------------------------------------------------- */

static bool within(float value, double most)
{
    return value >= 0 && (double)value <= most; /* a NAN is not */
}

static bool good_token(const struct explanation *e, const struct token *token)
{
    if (token->kind > TOKEN_IMAGE || token->start > token->end || token->end > e->prompt_length)
        return false;
    if (token->kind != TOKEN_IMAGE)
        return true;
    if (token->image < 0 || (size_t)token->image >= e->picture_count)
        return false;
    const struct image *image = e->pictures[token->image].image;
    return within(token->rect[0], image->width) && within(token->rect[1], image->height) &&
           within(token->rect[2], image->width + 1.0) && within(token->rect[3], image->height + 1.0);
}

static bool good_picture(const struct explanation *e, size_t picture)
{
    const struct picture *p = &e->pictures[picture];
    if (p->first < 0 || p->columns < 1 || p->rows < 1 || p->start > e->prompt_length ||
        (uint64_t)p->first + (uint64_t)p->columns * (uint64_t)p->rows > e->token_count)
        return false;
    for (int i = p->first; i < p->first + p->columns * p->rows; i++)
        if (e->tokens[i].kind != TOKEN_IMAGE || e->tokens[i].image != (int)picture)
            return false;
    return true;
}

/* A unit of a picture is a rectangle of its grid. */
static bool good_patch(const struct explanation *e, const struct unit *u)
{
    if ((size_t)u->last >= e->token_count || e->tokens[u->first].kind != TOKEN_IMAGE || u->columns < 1 || u->rows < 1)
        return false;
    const struct picture *p = &e->pictures[e->tokens[u->first].image];
    int place = u->first - p->first;
    return place >= 0 && place < p->columns * p->rows && u->stride == p->columns &&
           place % p->columns + u->columns <= p->columns && place / p->columns + u->rows <= p->rows &&
           u->last == u->first + (u->rows - 1) * u->stride + u->columns - 1;
}

static bool good_unit(const struct explanation *e, const struct unit *u)
{
    if (u->kind > UNIT_PATCH || u->first < 0 || u->last < u->first || u->start > u->end || u->end > e->prompt_length ||
        (size_t)u->last >= e->token_count + e->output_count ||
        (u->kind == UNIT_TARGET) != ((size_t)u->first >= e->token_count))
        return false;
    return u->kind == UNIT_PATCH ? good_patch(e, u) : u->rows == 0;
}

static bool good_answer(const struct explanation *e, const struct answer *answer)
{
    return answer->state == ANSWER_NONE ||
           (answer->state <= ANSWER_FAILED && answer->token >= 0 && (size_t)answer->token < e->output_count);
}

static bool good_proof(const struct explanation *e)
{
    const struct flip *flip = &e->proof.flip;
    bool good = good_answer(e, &e->proof.answer) && e->proof.point_count >= 0 &&
                e->proof.point_count <= PROOF_POINTS && flip->state <= FLIP_NONE && flip->count >= 0 &&
                flip->count <= FLIP_UNITS;
    for (int i = 0; good && i < flip->count; i++)
        good = flip->unit[i] >= 0 && (size_t)flip->unit[i] < e->unit_count;
    return good;
}

static bool good_pairs(const struct explanation *e)
{
    const struct pairs *pairs = &e->pairs;
    bool good = good_answer(e, &pairs->answer) && pairs->count >= 0 && pairs->count <= PAIR_MOST;
    for (int i = 0; good && i < 2 * pairs->count; i++) {
        int unit = pairs->pair[i / 2].unit[i % 2];
        good = unit >= 0 && (size_t)unit < e->unit_count;
    }
    return good;
}

static bool is_good(const struct explanation *e)
{
    bool good = e->token_count < INT32_MAX / 2 && e->output_count < INT32_MAX / 2 &&
                e->method.suppression <= SUPPRESS_LOG_ADDITIVE && e->method.paths <= PATHS_DIRECT &&
                e->foil.token >= -1 && e->foil.token < (long)e->output_count && good_proof(e) && good_pairs(e);
    for (size_t i = 0; good && i < e->token_count; i++)
        good = good_token(e, &e->tokens[i]);
    for (size_t i = 0; good && i < e->picture_count; i++)
        good = good_picture(e, i);
    for (size_t i = 0; good && i < e->unit_count; i++)
        good = good_unit(e, &e->units[i]) && (i == 0 || e->units[i].first >= e->units[i - 1].first);
    for (size_t i = 0; good && i < e->alike_count; i++)
        good = e->alike[i].unit >= 0 && (size_t)e->alike[i].unit < e->unit_count && e->alike[i].token >= 0 &&
               (size_t)e->alike[i].token < e->token_count;
    return good;
}

struct explanation *scene_take_explanation(const struct scene *scene, int which, struct image *const *images,
                                           size_t image_count)
{
    struct explanation *e = explanation_new();
    if (!e)
        return NULL;
    struct bytes_reader in = scene_read(scene, group_of(which, PART_FACTS), 0);
    bool good = in.at == in.end || shape_take(&layout_explanation, e, &in);
    good = good && take_prompt(scene, which, e) && take_pictures(scene, which, e, images, image_count) &&
           take_arrays(scene, which, e) && take_answers(scene, which, e) && is_good(e) &&
           take_direct(scene, which, e) &&
           (e->unit_count == 0 || (take_rows(scene, which, e) && take_chosen(scene, which, e)));
    if (good)
        return e;
    explanation_free(e);
    return NULL;
}

bool scene_explanation_changed(struct scene *scene, int which)
{
    bool changed = false;
    for (int part = 0; part < SCENE_PARTS; part++) {
        changed |= scene->groups[group_of(which, (enum scene_part)part)].changed;
        scene->groups[group_of(which, (enum scene_part)part)].changed = false;
    }
    return changed;
}
