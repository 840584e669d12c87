#include "tui/scene_layout.h"

#include "tui/scene.h"
#include "tui/view.h"

#define NUMBER(type, member) SHAPE_ROW(SHAPE_NUMBER, struct type, member)
#define TRUTH(type, member) SHAPE_ROW(SHAPE_TRUTH, struct type, member)
#define NUMBERS(type, member, n) SHAPE_ROWS(SHAPE_NUMBER, struct type, member, n)
#define FLOAT(type, member) SHAPE_ROW(SHAPE_FLOAT, struct type, member)
#define FLOATS(type, member, n) SHAPE_ROWS(SHAPE_FLOAT, struct type, member, n)
#define TEXT(type, member) SHAPE_ROW(SHAPE_TEXT, struct type, member)
#define LEFT_OUT(type, member) SHAPE_ROW(SHAPE_LEFT_OUT, struct type, member)
#define INNER(type, member, shape) SHAPE_INNER(struct type, member, 1, shape)

/* -- an explanation ------------------------------------------------------------------------------------------------ */

static const struct shape_field token_fields[] = {
    NUMBER(token, id), NUMBER(token, kind), NUMBER(token, start), NUMBER(token, end), NUMBER(token, image),
    FLOATS(token, rect, 4),
};
const struct shape layout_token = SHAPE_OF(token_fields);

static const struct shape_field picture_fields[] = {
    LEFT_OUT(picture, image), /* its number among all pictures stands before the rest */
    NUMBER(picture, first), NUMBER(picture, columns), NUMBER(picture, rows), NUMBER(picture, start),
};
const struct shape layout_picture = SHAPE_OF(picture_fields);

static const struct shape_field candidate_fields[] = {NUMBER(candidate, id), FLOAT(candidate, logprob)};
const struct shape layout_candidate = SHAPE_OF(candidate_fields);
static const struct shape_field output_fields[] = {
    NUMBER(output_token, id), FLOAT(output_token, logprob),
    SHAPE_INNER(struct output_token, candidates, CANDIDATES, layout_candidate),
};
const struct shape layout_output = SHAPE_OF(output_fields);

static const struct shape_field unit_fields[] = {
    NUMBER(unit, kind), NUMBER(unit, first), NUMBER(unit, last), FLOAT(unit, first_share), FLOAT(unit, last_share),
    NUMBER(unit, start), NUMBER(unit, end), NUMBER(unit, columns), NUMBER(unit, rows), NUMBER(unit, stride),
};
const struct shape layout_unit = SHAPE_OF(unit_fields);

static const struct shape_field alike_fields[] = {NUMBER(alike, unit), NUMBER(alike, token)};
const struct shape layout_alike = SHAPE_OF(alike_fields);

static const struct shape_field method_fields[] = {
    NUMBER(method, suppression), NUMBER(method, paths), FLOAT(method, factor), FLOAT(method, similarity),
    FLOAT(method, image_similarity), NUMBER(method, window), NUMBER(method, first_layer), NUMBER(method, last_layer),
};
const struct shape layout_method = SHAPE_OF(method_fields);

static const struct shape_field cost_fields[] = {
    NUMBER(cost, probes), NUMBER(cost, probes_total), NUMBER(cost, probes_kept), NUMBER(cost, rows),
    NUMBER(cost, rows_total),
    FLOAT(cost, seconds),
    FLOAT(cost, expected_seconds), FLOAT(cost, vision_seconds), FLOAT(cost, prefill_seconds),
    FLOAT(cost, generate_seconds), FLOAT(cost, first_seconds), FLOAT(cost, tokens_per_second), NUMBER(cost, peak_bytes),
    NUMBER(cost, limit_bytes), NUMBER(cost, again), FLOAT(cost, again_seconds),
};
const struct shape layout_cost = SHAPE_OF(cost_fields);

static const struct shape_field error_fields[] = {NUMBER(error, code), TEXT(error, message)};
const struct shape layout_error = SHAPE_OF(error_fields);

static const struct shape_field answer_fields[] = {
    NUMBER(answer, state), NUMBER(answer, token), NUMBER(answer, id), NUMBER(answer, steps),
    NUMBER(answer, steps_total), FLOAT(answer, seconds), INNER(answer, error, layout_error),
};
const struct shape layout_answer = SHAPE_OF(answer_fields);

static const struct shape_field proof_point_fields[] = {
    NUMBER(proof_point, deleted), FLOAT(proof_point, ranked), FLOAT(proof_point, random),
};
const struct shape layout_proof_point = SHAPE_OF(proof_point_fields);
static const struct shape_field flip_fields[] = {
    NUMBER(flip, state), NUMBER(flip, count), NUMBERS(flip, unit, FLIP_UNITS), NUMBER(flip, id), FLOAT(flip, logprob),
    FLOAT(flip, asked_logprob),
};
const struct shape layout_flip = SHAPE_OF(flip_fields);
static const struct shape_field proof_fields[] = {
    INNER(proof, answer, layout_answer), FLOAT(proof, logprob), NUMBER(proof, units), NUMBER(proof, orders),
    NUMBER(proof, point_count), SHAPE_INNER(struct proof, point, PROOF_POINTS, layout_proof_point), FLOAT(proof, area),
    INNER(proof, flip, layout_flip),
};
const struct shape layout_proof = SHAPE_OF(proof_fields);

static const struct shape_field pair_fields[] = {NUMBERS(pair, unit, 2), FLOATS(pair, alone, 2), FLOAT(pair, both)};
const struct shape layout_pair = SHAPE_OF(pair_fields);
static const struct shape_field pairs_fields[] = {
    INNER(pairs, answer, layout_answer), FLOAT(pairs, noise), TRUTH(pairs, two), NUMBER(pairs, count),
    SHAPE_INNER(struct pairs, pair, PAIR_MOST, layout_pair),
};
const struct shape layout_pairs = SHAPE_OF(pairs_fields);

static const struct shape_field explanation_fields[] = {
    NUMBER(explanation, request), TRUTH(explanation, stopped), NUMBER(explanation, foil.token),
    NUMBER(explanation, foil.id), FLOAT(explanation, foil.logprob), NUMBER(explanation, chosen_id),
    NUMBER(explanation, chosen_token), TEXT(explanation, precision),
    INNER(explanation, method, layout_method), FLOAT(explanation, noise_floor), TRUTH(explanation, busy),
    TRUTH(explanation, complete), INNER(explanation, cost, layout_cost), INNER(explanation, error, layout_error),
    /* parts of their own */
    LEFT_OUT(explanation, prompt), LEFT_OUT(explanation, prompt_length), LEFT_OUT(explanation, tokens),
    LEFT_OUT(explanation, token_count), LEFT_OUT(explanation, pictures), LEFT_OUT(explanation, picture_count),
    LEFT_OUT(explanation, output), LEFT_OUT(explanation, output_count), LEFT_OUT(explanation, units),
    LEFT_OUT(explanation, unit_count), LEFT_OUT(explanation, alike), LEFT_OUT(explanation, alike_count),
    LEFT_OUT(explanation, measured), LEFT_OUT(explanation, estimated), LEFT_OUT(explanation, known),
    LEFT_OUT(explanation, relevance),
    LEFT_OUT(explanation, direct), LEFT_OUT(explanation, direct_count), LEFT_OUT(explanation, chosen),
    LEFT_OUT(explanation, chosen_direct), LEFT_OUT(explanation, proof), LEFT_OUT(explanation, pairs),
    LEFT_OUT(explanation, keeps_former), LEFT_OUT(explanation, former), /* recorded where it is compared */
};
const struct shape layout_explanation = SHAPE_OF(explanation_fields);

/* -- a model ------------------------------------------------------------------------------------------------------- */

static const struct shape_field info_fields[] = {
    TEXT(engine_info, file), TEXT(engine_info, name), TEXT(engine_info, architecture), TEXT(engine_info, quantisation),
    TEXT(engine_info, tokenizer), TEXT(engine_info, chat), TRUTH(engine_info, chat_unknown),
    TEXT(engine_info, device_kind), TEXT(engine_info, device_name), TEXT(engine_info, precision),
    FLOATS(engine_info, product_seconds, 3), NUMBER(engine_info, threads), NUMBER(engine_info, streams),
    NUMBER(engine_info, batch_rows), NUMBER(engine_info, device_memory), NUMBER(engine_info, layers),
    NUMBER(engine_info, width), NUMBER(engine_info, heads), NUMBER(engine_info, vocabulary),
    NUMBER(engine_info, context), NUMBER(engine_info, parameters), NUMBER(engine_info, weight_bytes),
    NUMBER(engine_info, file_bytes),
    TEXT(engine_info, mmproj),
    LEFT_OUT(engine_info, vision), /* no view shows it */
};
const struct shape layout_info = SHAPE_OF(info_fields);

/* -- the screen ---------------------------------------------------------------------------------------------------- */

static const struct shape_field view_fields[] = {
    NUMBER(view, focus), NUMBER(view, token), NUMBER(view, choice), TRUTH(view, contrast), NUMBER(view, typed.token),
    NUMBER(view, typed.id), TRUTH(view, shared_scale), NUMBER(view, paths), NUMBER(view, side), NUMBER(view, marked),
    TRUTH(view, specials), NUMBER(view, special),
    TRUTH(view, pending), TRUTH(view, mixing), LEFT_OUT(view, waited), TEXT(view, message),
    TRUTH(view, message_bad), NUMBER(view, shown), NUMBER(view, picture_mode), FLOAT(view, opacity),
    NUMBER(view, patch_column), NUMBER(view, patch_row),
};
const struct shape layout_view = SHAPE_OF(view_fields);

static const struct shape_field settings_fields[] = {
    TRUTH(request, chat), NUMBER(request, generate), TRUTH(request, explain), TRUTH(request, direct),
    NUMBER(request, map),
    INNER(request, method, layout_method), FLOAT(request, budget), NUMBER(request, seed),
    /* texts of their own */
    LEFT_OUT(request, units), LEFT_OUT(request, image_units),
    /* not set in the screen's settings, or of no meaning without a model */
    LEFT_OUT(request, zooms), LEFT_OUT(request, zoom_count), LEFT_OUT(request, fresh),
    LEFT_OUT(request, resume),
    LEFT_OUT(request, prompt), LEFT_OUT(request, prompt_length), LEFT_OUT(request, images),
    LEFT_OUT(request, image_count), LEFT_OUT(request, target), LEFT_OUT(request, target_length),
    LEFT_OUT(request, foil), LEFT_OUT(request, foil_length), LEFT_OUT(request, steers), LEFT_OUT(request, steer_count),
};
const struct shape layout_settings = SHAPE_OF(settings_fields);

static const struct shape_field steer_fields[] = {NUMBER(steer, unit), FLOAT(steer, factor)};
const struct shape layout_steer = SHAPE_OF(steer_fields);

static const struct shape_field editor_fields[] = {
    NUMBER(editor, cursor),
    LEFT_OUT(editor, text), LEFT_OUT(editor, length), LEFT_OUT(editor, capacity), /* the text stands behind */
    LEFT_OUT(editor, goal), LEFT_OUT(editor, killed), LEFT_OUT(editor, killed_length), LEFT_OUT(editor, changes),
    LEFT_OUT(editor, change_count), LEFT_OUT(editor, change_done), LEFT_OUT(editor, last), LEFT_OUT(editor, killing),
};
const struct shape layout_editor = SHAPE_OF(editor_fields);

static const struct shape_field about_fields[] = {
    TEXT(about, model), SHAPE_ROWS(SHAPE_TEXT, struct about, settings, ABOUT_SETTINGS),
};
const struct shape layout_about = SHAPE_OF(about_fields);

/* -- all ----------------------------------------------------------------------------------------------------------- */

static uint32_t add(uint32_t sum, size_t value)
{
    return (sum ^ (uint32_t)value) * 0x01000193u;
}

static uint32_t add_shape(uint32_t sum, const struct shape *shape)
{
    for (size_t i = 0; i < shape->count; i++) {
        const struct shape_field *field = &shape->fields[i];
        if (field->kind == SHAPE_LEFT_OUT)
            continue;
        sum = add(add(sum, field->kind), field->count);
        sum = field->kind == SHAPE_STRUCT ? add_shape(sum, field->shape) : add(sum, field->size);
    }
    return add(sum, shape->count);
}

uint32_t scene_layout(void)
{
    static const struct shape *const all[] = {
        &layout_explanation, &layout_token, &layout_picture, &layout_output, &layout_unit, &layout_alike,
        &layout_proof, &layout_pairs, &layout_info, &layout_view, &layout_settings, &layout_steer, &layout_editor,
        &layout_about,
    };
    uint32_t sum = add(add(0x811c9dc5u, SCENE_GROUPS), SCENE_PARTS);
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        sum = add_shape(sum, all[i]);
    return sum;
}
