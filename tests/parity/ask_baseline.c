/* ask_baseline.c: one baseline as a filter, for the parity test of what no text can ask for: rows of pictures in the
 * decoder's input, and pictures whose positions see each other.
 *
 *   ask_baseline MODEL keep|walk < lines > lines
 *
 * keep: the activations of all layers stay; walk: none do, and the probes make them anew.  A line is {"prompt": [ids],
 * "targets": [ids], "pictures": [[id of its first row, mutual, [rows]]...], "units": [[first, last]...], "suppression"
 * (its number), "factor", "similarity" (or null), "layers": [first, last], "direct": whether direct paths alone count}.
 * The prompt is fed at once, from where it leaves the line before, and the targets one by one.  The answer is
 * {"logprobs": [targets][vocabulary], "relevance": [units][targets], "plain": the same from a plain pass for each unit,
 * "fed": how much of the prompt was run}; where it failed, {"error"}. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "core/engine_internal.h"
#include "core/logits.h"
#include "core/probe.h"

enum { CAPACITY = 512, PICTURES = 8 };

/* One line, read. */
struct question {
    int prompt, targets, units, pictures;
    int32_t *ids;    /* [prompt + targets] */
    struct unit *unit;
    struct picture_rows picture[PICTURES];
    struct method method;
    struct pool pool; /* the pictures' rows */
};

/* What stays from one line to the next. */
struct setting {
    const struct model *model;
    struct stream *stream;
    struct lanes *lanes;
    struct baseline *baseline, *plain;
};

static const struct device_ops *ops;

static void *room(size_t n, size_t size)
{
    void *memory = calloc(n ? n : 1, size);
    if (!memory) {
        fprintf(stderr, "ask_baseline: out of memory\n");
        exit(1);
    }
    return memory;
}

/* -- reading ------------------------------------------------------------------------------------------------------- */

static struct picture_rows read_picture(const struct setting *s, struct question *q, const json_t *json)
{
    const json_t *rows = json_array_get(json, 2);
    size_t n = json_array_size(rows), d = (size_t)s->model->width;
    float *host = room(n * d, sizeof *host), *device = pool_floats(&q->pool, n, d);
    for (size_t i = 0; i < n * d; i++)
        host[i] = (float)json_number_value(json_array_get(json_array_get(rows, i / d), i % d));
    ops->upload(s->stream, host, n * d * sizeof *host, device);
    free(host);
    return (struct picture_rows){(int32_t)json_integer_value(json_array_get(json, 0)), (int)n,
                                 json_is_true(json_array_get(json, 1)), device};
}

static void read_question(const struct setting *s, struct question *q, const json_t *line)
{
    const json_t *prompt = json_object_get(line, "prompt"), *targets = json_object_get(line, "targets");
    const json_t *units = json_object_get(line, "units"), *pictures = json_object_get(line, "pictures");
    const json_t *similarity = json_object_get(line, "similarity"), *layers = json_object_get(line, "layers");
    *q = (struct question){.prompt = (int)json_array_size(prompt), .targets = (int)json_array_size(targets),
                           .units = (int)json_array_size(units), .pictures = (int)json_array_size(pictures)};
    pool_init(&q->pool, s->model->device);
    q->ids = room((size_t)(q->prompt + q->targets), sizeof *q->ids);
    for (int i = 0; i < q->prompt + q->targets; i++)
        q->ids[i] = (int32_t)json_integer_value(i < q->prompt ? json_array_get(prompt, (size_t)i)
                                                              : json_array_get(targets, (size_t)(i - q->prompt)));
    q->unit = room((size_t)q->units, sizeof *q->unit);
    for (int u = 0; u < q->units; u++) {
        const json_t *unit = json_array_get(units, (size_t)u);
        q->unit[u] = (struct unit){.first = (int)json_integer_value(json_array_get(unit, 0)),
                                   .last = (int)json_integer_value(json_array_get(unit, 1)),
                                   .first_share = 1, .last_share = 1};
    }
    for (int i = 0; i < q->pictures && i < PICTURES; i++)
        q->picture[i] = read_picture(s, q, json_array_get(pictures, (size_t)i));
    q->method = method_default();
    q->method.suppression = (enum suppression)json_integer_value(json_object_get(line, "suppression"));
    q->method.factor = (float)json_number_value(json_object_get(line, "factor"));
    q->method.similarity = json_is_number(similarity) ? (float)json_number_value(similarity) : NAN;
    q->method.paths = json_is_true(json_object_get(line, "direct")) ? PATHS_DIRECT : PATHS_ALL;
    q->method.first_layer = (int)json_integer_value(json_array_get(layers, 0));
    q->method.last_layer = (int)json_integer_value(json_array_get(layers, 1));
}

/* -- running ------------------------------------------------------------------------------------------------------- */

/* The prompt, from where it leaves what the baseline holds, then all targets but the last; *fed: how much of the
 * prompt. */
static int feed(const struct setting *s, const struct question *q, int *fed, struct error *error)
{
    struct baseline *b = s->baseline;
    int same = 0;
    baseline_pictures(b, q->picture, q->pictures);
    while (same < q->prompt && same < b->count && b->ids[same] == q->ids[same])
        same++;
    baseline_truncate(b, same);
    *fed = q->prompt - b->count;
    int status = baseline_run(b, s->stream, q->ids + b->count, *fed, NULL, NULL, error);
    for (int t = 0; status == 0 && t + 1 < q->targets; t++)
        status = baseline_run(b, s->stream, q->ids + q->prompt + t, 1, NULL, NULL, error);
    return status;
}

/* Log-probabilities [targets, vocabulary] as b has them, and their log-sum-exps. */
static int say(const struct setting *s, const struct question *q, struct baseline *b, float *logprob, double *lse,
               struct error *error)
{
    int vocabulary = s->model->vocabulary, status = 0;
    for (int t = 0; status == 0 && t < q->targets; t++) {
        float *row = logprob + (size_t)t * (size_t)vocabulary;
        status = baseline_logits(b, s->stream, q->prompt - 1 + t, row, error);
        lse[t] = logits_log_sum_exp(row, vocabulary);
        for (int v = 0; v < vocabulary; v++)
            row[v] = (float)(row[v] - lse[t]);
    }
    return status;
}

/* Relevance [units, targets] by one plain pass of values for each unit. */
static int run_plain(const struct setting *s, const struct question *q, const struct plan *plan, const float *logprob,
                     double *relevance, struct error *error)
{
    size_t n = (size_t)plan->positions, vocabulary = (size_t)s->model->vocabulary;
    float *turned = room((size_t)q->targets * vocabulary, sizeof *turned);
    double *lse = room((size_t)q->targets, sizeof *lse);
    struct pool pool;
    pool_init(&pool, s->model->device);
    float *factor = pool_floats(&pool, n, 1);
    struct steering steering = {factor, q->method.suppression, q->method.first_layer, q->method.last_layer};
    bool direct = q->method.paths == PATHS_DIRECT;
    int status = 0;
    baseline_pictures(s->plain, q->picture, q->pictures);
    for (int u = 0; status == 0 && u < q->units; u++) {
        ops->upload(s->stream, plan->factor + (size_t)u * n, n * sizeof *factor, factor);
        baseline_truncate(s->plain, 0);
        status = baseline_run(s->plain, s->stream, q->ids, (int)n, direct ? NULL : &steering, NULL, error);
        if (status == 0 && direct)
            status = baseline_run_again(s->plain, s->stream, q->prompt - 1, &steering, NULL, error);
        if (status == 0)
            status = say(s, q, s->plain, turned, lse, error);
        for (int t = 0; t < q->targets; t++) {
            size_t at = (size_t)t * vocabulary + (size_t)q->ids[q->prompt + t];
            relevance[u * q->targets + t] = (double)logprob[at] - (double)turned[at];
        }
    }
    pool_free(&pool);
    free(turned);
    free(lse);
    return status;
}

static void report(void *context, const int *units, int n, int64_t rows)
{
    (void)context, (void)units, (void)n, (void)rows;
}

/* The same by the probes. */
static int run_probes(const struct setting *s, const struct question *q, const struct plan *plan, const double *lse,
                      double *relevance, struct error *error)
{
    struct targets targets = {q->targets, q->prompt - 1, 1, q->ids + q->prompt, lse};
    atomic_bool cancelled = false;
    struct probe_watch watch = {.report = report, .cancelled = &cancelled};
    struct probes *p = NULL;
    int status = probes_new(s->baseline, s->stream, plan, &q->method, &targets, PRECISION_F32, &p, error);
    if (status == 0 && (status = probes_start(p, s->lanes, &watch, error)) == 0)
        status = probes_finish(s->lanes, error);
    for (int u = 0; status == 0 && u < q->units; u++)
        for (int t = probes_first_target(p, u); t < q->targets; t++)
            relevance[u * q->targets + t] = p->dlse[u * q->targets + t] - p->dlogit[u * q->targets + t];
    probes_free(p);
    return status;
}

/* -- answering ----------------------------------------------------------------------------------------------------- */

/* The embeddings as the baseline has them: what similarity is looked for in. */
static float *embeddings(const struct setting *s, int positions)
{
    size_t n = (size_t)positions * (size_t)s->model->width;
    float *host = room(n, sizeof *host);
    ops->download(s->stream, s->baseline->embedded, n * sizeof *host, host);
    return host;
}

static json_t *matrix(const double *wide, const float *narrow, int rows, int columns)
{
    json_t *all = json_array();
    for (int i = 0; i < rows; i++) {
        json_t *row = json_array();
        for (int k = i * columns; k < (i + 1) * columns; k++)
            json_array_append_new(row, json_real(wide ? wide[k] : (double)narrow[k]));
        json_array_append_new(all, row);
    }
    return all;
}

static json_t *answer(const struct setting *s, const struct question *q)
{
    size_t cells = (size_t)q->units * (size_t)q->targets;
    float *logprob = room((size_t)q->targets * (size_t)s->model->vocabulary, sizeof *logprob), *embedding = NULL;
    double *lse = room((size_t)q->targets, sizeof *lse);
    double *relevance = room(cells, sizeof *relevance), *plain = room(cells, sizeof *plain);
    struct plan *plan = NULL;
    struct error error = {0};
    int fed = 0, status = feed(s, q, &fed, &error);
    if (status == 0)
        status = say(s, q, s->baseline, logprob, lse, &error);
    if (status == 0) {
        embedding = embeddings(s, s->baseline->count);
        struct plan_ground ground = {
            s->baseline->count, baseline_sees(s->baseline), embedding, s->model->width, NULL, 0};
        status = plan_new(q->unit, q->units, &ground, &q->method, &plan, &error);
    }
    if (status == 0)
        status = run_probes(s, q, plan, lse, relevance, &error);
    if (status == 0)
        status = run_plain(s, q, plan, logprob, plain, &error);
    json_t *out = status < 0 ? json_pack("{ss}", "error", error.message)
                             : json_pack("{so so so si}",
                                         "logprobs", matrix(NULL, logprob, q->targets, s->model->vocabulary),
                                         "relevance", matrix(relevance, NULL, q->units, q->targets),
                                         "plain", matrix(plain, NULL, q->units, q->targets), "fed", fed);
    plan_free(plan);
    free(embedding);
    free(logprob);
    free(lse);
    free(relevance);
    free(plain);
    return out;
}

static void converse(const struct setting *s)
{
    json_t *line;
    while ((line = json_loadf(stdin, JSON_DISABLE_EOF_CHECK, NULL))) {
        struct question q;
        read_question(s, &q, line);
        json_t *out = answer(s, &q);
        json_dumpf(out, stdout, JSON_COMPACT);
        putchar('\n');
        fflush(stdout);
        pool_free(&q.pool);
        free(q.ids);
        free(q.unit);
        json_decref(out);
        json_decref(line);
    }
}

int main(int count, char **arguments)
{
    struct engine_options options = {.model = count == 3 ? arguments[1] : "", .precision = PRECISION_F32};
    bool keep = count == 3 && !strcmp(arguments[2], "keep");
    struct engine *engine;
    struct error error;
    if (engine_open(&options, &engine, &error)) {
        fprintf(stderr, "ask_baseline: %s\n", error.message);
        return 1;
    }
    struct setting s = {.model = engine->model};
    ops = s.model->device->ops;
    if (ops->stream_new(s.model->device, true, &s.stream, &error) ||
        lanes_new(s.model, CAPACITY, NULL, &s.lanes, &error) ||
        baseline_new(s.model, CAPACITY, keep, &s.baseline, &error) ||
        baseline_new(s.model, CAPACITY, false, &s.plain, &error)) {
        fprintf(stderr, "ask_baseline: %s\n", error.message);
        return 1;
    }
    converse(&s);
    lanes_free(s.lanes);
    baseline_free(s.baseline);
    baseline_free(s.plain);
    ops->stream_free(s.stream);
    engine_close(engine);
    return 0;
}
