/* JSON: an explanation, a generation, and the reference repository's own schema. */
#include "tui/format_json.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tui/answers.h"
#include "tui/options.h"
#include "tui/text.h"

json_t *format_json_text(const char *text, size_t length)
{
    size_t size;
    char *clean = text_clean(text, length, false, &size);
    json_t *json = clean ? json_stringn(clean, size) : NULL;
    free(clean);
    return json;
}

static json_t *owned_text(char *text, size_t size)
{
    json_t *json = text ? json_stringn(text, size) : NULL;
    free(text);
    return json;
}

json_t *format_json_number(double value)
{
    return isfinite(value) ? json_real(value) : json_null();
}

int format_json_write(json_t *json, bool indented, FILE *out, struct error *error)
{
    char *text = json ? json_dumps(json, JSON_REAL_PRECISION(17) | (indented ? JSON_INDENT(1) : JSON_COMPACT)) : NULL;
    json_decref(json);
    if (!text)
        return error_set(error, ERROR_MEMORY, "out of memory");
    fprintf(out, "%s\n", text);
    free(text);
    return 0;
}

json_t *format_json_model(const struct engine_info *info)
{
    return json_pack("{so ss ss}", "file", format_json_text(info->file, strlen(info->file)), "architecture",
                     info->architecture, "quantisation", info->quantisation);
}

json_t *format_json_device(const struct engine_info *info, const char *precision)
{
    return json_pack("{ss ss si}", "kind", info->device_kind, "precision", precision, "threads", info->threads);
}

static json_t *token_text(const struct report *r, int32_t id)
{
    size_t size = 0;
    char *text = report_token_text(r, id, false, &size);
    return owned_text(text, size);
}

static json_t *rect_json(const float rect[4])
{
    return json_pack("[f f f f]", (double)rect[0], (double)rect[1], (double)rect[2], (double)rect[3]);
}

static json_t *images_json(const struct report *r)
{
    const struct explanation *e = r->explanation;
    json_t *images = json_array();
    for (size_t i = 0; i < e->picture_count; i++) {
        const struct picture *p = &e->pictures[i];
        json_t *json = json_object();
        if (r->options && i < r->options->image_count)
            json_object_set_new(json, "file", format_json_text(r->options->images[i], strlen(r->options->images[i])));
        json_object_set_new(json, "width", json_integer(p->image->width));
        json_object_set_new(json, "height", json_integer(p->image->height));
        json_object_set_new(json, "columns", json_integer(p->columns));
        json_object_set_new(json, "rows", json_integer(p->rows));
        json_object_set_new(json, "first", json_integer(p->first));
        json_array_append_new(images, json);
    }
    return images;
}

static json_t *prompt_json(const struct report *r)
{
    static const char *const kinds[] = {
        [TOKEN_TEXT] = "text",
        [TOKEN_SPECIAL] = "special",
        [TOKEN_IMAGE] = "image",
    };
    const struct explanation *e = r->explanation;
    json_t *tokens = json_array();
    for (size_t i = 0; i < e->token_count; i++) {
        const struct token *token = &e->tokens[i];
        json_t *json = json_pack("{sI sI so sI sI ss}", "index", (json_int_t)i, "id", (json_int_t)token->id, "text",
                                 token_text(r, token->id), "start", (json_int_t)token->start, "end",
                                 (json_int_t)token->end, "kind", kinds[token->kind]);
        if (token->kind == TOKEN_IMAGE) {
            json_object_set_new(json, "image", json_integer(token->image));
            json_object_set_new(json, "rect", rect_json(token->rect));
        }
        json_array_append_new(tokens, json);
    }
    return json_pack("{so so so}", "text", format_json_text(e->prompt ? e->prompt : "", e->prompt_length), "tokens",
                     tokens, "images", images_json(r));
}

static json_t *output_tokens(const struct report *r)
{
    const struct explanation *e = r->explanation;
    json_t *tokens = json_array();
    for (size_t t = 0; t < e->output_count; t++) {
        const struct output_token *token = &e->output[t];
        json_t *candidates = json_array();
        for (int k = 0; k < CANDIDATES && token->candidates[k].id >= 0; k++)
            json_array_append_new(candidates, json_pack("{sI so so}", "id", (json_int_t)token->candidates[k].id, "text",
                                                        token_text(r, token->candidates[k].id), "logprob",
                                                        format_json_number(token->candidates[k].logprob)));
        json_array_append_new(tokens, json_pack("{sI sI so so so}", "index", (json_int_t)t, "id", (json_int_t)token->id,
                                                "text", token_text(r, token->id), "logprob",
                                                format_json_number(token->logprob), "candidates", candidates));
    }
    return tokens;
}

static json_t *output_text(const struct report *r)
{
    size_t size = 0;
    char *text = report_output_text(r, &size);
    return owned_text(text, size);
}

static json_t *units_json(const struct report *r)
{
    const struct explanation *e = r->explanation;
    json_t *units = json_array();
    for (size_t u = 0; u < e->unit_count; u++) {
        size_t size = 0;
        char *text = report_unit_text(r, u, &size);
        json_t *json = json_pack("{sI ss s[ii] so}", "index", (json_int_t)u, "kind", unit_kind_name(e->units[u].kind),
                                 "tokens", e->units[u].first, e->units[u].last, "text", owned_text(text, size));
        if (e->units[u].kind == UNIT_PATCH) {
            float rect[4];
            report_unit_rect(e, u, rect);
            json_object_set_new(json, "image", json_integer((json_int_t)report_unit_picture(e, u)));
            json_object_set_new(json, "columns", json_integer(e->units[u].columns));
            json_object_set_new(json, "rows", json_integer(e->units[u].rows));
            json_object_set_new(json, "rect", rect_json(rect));
        }
        json_array_append_new(units, json);
    }
    return units;
}

static json_t *relevance_json(const struct explanation *e)
{
    json_t *rows = json_array();
    for (size_t u = 0; u < e->unit_count; u++) {
        json_t *row = json_array();
        for (size_t t = 0; t < e->output_count; t++)
            json_array_append_new(row, format_json_number(report_relevance(e, u, (int)t)));
        json_array_append_new(rows, row);
    }
    return rows;
}

/* What direct paths do to each output token, beside what all paths do; null where that is not known.  NULL: it is known
 * of none, or is what the relevance is. */
static json_t *direct_json(const struct explanation *e)
{
    if (e->direct_count == 0)
        return NULL;
    json_t *rows = json_array();
    for (size_t u = 0; u < e->unit_count; u++) {
        json_t *row = json_array();
        for (size_t t = 0; t < e->output_count; t++)
            json_array_append_new(row, format_json_number(explanation_direct(e, u, t, 0)));
        json_array_append_new(rows, row);
    }
    return rows;
}

/* Where an explanation is not complete: whether a unit's relevance is but an estimate, by direct paths, or 0 for want
 * of one.  NULL: no unit's is. */
static json_t *estimated_json(const struct explanation *e)
{
    json_t *list = json_array();
    bool any = false;
    for (size_t u = 0; u < e->unit_count; u++) {
        bool estimated = report_estimated(e, u);
        any |= estimated;
        json_array_append_new(list, json_boolean(estimated));
    }
    if (any)
        return list;
    json_decref(list);
    return NULL;
}

/* A setting as it was given: 0.1, not what the float nearest to it is in full. */
static json_t *as_given(float setting)
{
    char text[32];
    snprintf(text, sizeof text, "%.7g", setting);
    return format_json_number(strtod(text, NULL));
}

json_t *format_json_method(const struct method *m, bool pictures)
{
    static const char *const names[] = {
        [SUPPRESS_ROW_MIN] = "row-min",
        [SUPPRESS_ROW_MIN_CAUSAL] = "row-min-causal",
        [SUPPRESS_PRODUCT] = "product",
        [SUPPRESS_LOG_ADDITIVE] = "log-additive",
    };
    return json_pack("{ss so so so so s[ii] ss}", "suppression", names[m->suppression], "factor", as_given(m->factor),
                     "similarity", as_given(pictures ? m->image_similarity : m->similarity), "similarity_text",
                     as_given(m->similarity), "window", m->window > 0 ? json_integer(m->window) : json_null(), "layers",
                     m->first_layer, m->last_layer, "paths", m->paths == PATHS_DIRECT ? "direct" : "all");
}

static json_t *cost_json(const struct cost *cost)
{
    json_t *json = json_pack("{si sI so so so sI}", "probes", cost->probes, "rows", (json_int_t)cost->rows, "seconds",
                     format_json_number(cost->seconds), "tokens_per_second",
                     format_json_number(cost->tokens_per_second), "vision_seconds",
                     format_json_number(cost->vision_seconds), "peak_bytes", (json_int_t)cost->peak_bytes);
    if (json && cost->probes_kept > 0)
        json_object_set_new(json, "probes_kept", json_integer(cost->probes_kept));
    return json;
}

json_t *format_json_explanation(const struct report *r)
{
    const struct explanation *e = r->explanation;
    json_t *json = json_pack("{ss so so so so s{so so} so so so sb so}", "schema", "atmanscope.explanation/1", "model",
                             format_json_model(r->info), "device",
                             format_json_device(r->info, *e->precision ? e->precision : r->info->precision), "method",
                             format_json_method(&e->method, e->picture_count > 0), "prompt", prompt_json(r), "target",
                             "text", output_text(r), "tokens", output_tokens(r), "units", units_json(r), "relevance",
                             relevance_json(e), "noise_floor", format_json_number(e->noise_floor), "complete",
                             (int)e->complete, "cost", cost_json(&e->cost));
    json_t *estimated = estimated_json(e);
    json_t *direct = direct_json(e);
    if (json && estimated)
        json_object_set(json, "estimated", estimated);
    if (json && direct)
        json_object_set(json, "direct", direct);
    json_decref(estimated);
    json_decref(direct);
    if (json && e->foil.token >= 0)
        json_object_set_new(json, "foil",
                            json_pack("{si si so so}", "token", e->foil.token, "id", (int)e->foil.id, "text",
                                      token_text(r, e->foil.id), "logprob", format_json_number(e->foil.logprob)));
    json_object_set_new(json, "proof", answers_proof_json(r)); /* NULL where it was not asked for: sets nothing */
    json_object_set_new(json, "pairs", answers_pairs_json(r));
    return json;
}

int format_json(const struct report *r, FILE *out, struct error *error)
{
    return format_json_write(format_json_explanation(r), false, out, error);
}

int format_generation(const struct report *r, FILE *out, struct error *error)
{
    const struct explanation *e = r->explanation;
    json_t *steers = json_array();
    for (size_t i = 0; i < r->options->steer_count; i++) {
        const struct options_steer *steer = &r->options->steers[i];
        json_array_append_new(steers, json_pack("{so so}", "unit", format_json_text(steer->unit, steer->length),
                                                "factor", as_given(steer->factor)));
    }
    json_t *json = json_pack(
        "{ss so so so so so so sb sb s{so so sI}}", "schema", "atmanscope.generation/1", "model",
        format_json_model(r->info), "device", format_json_device(r->info, r->info->precision), "prompt", prompt_json(r),
        "steer", steers,
        "text", output_text(r), "tokens", output_tokens(r), "stopped", (int)e->stopped, "complete", (int)e->complete,
        "cost", "prefill_seconds", format_json_number(e->cost.prefill_seconds), "generate_seconds",
        format_json_number(e->cost.generate_seconds), "peak_bytes", (json_int_t)e->cost.peak_bytes);
    return format_json_write(json, false, out, error);
}
