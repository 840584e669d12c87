/* ask_worker.c: one worker as a filter, for the parity test of what the command line does not show: the relevance for
 * the candidates and for any other token, and what is kept from one request to the next.
 *
 *   ask_worker [-p PRECISION] [-t THREADS] [-m MEGABYTES] MODEL [MMPROJ] < lines > lines
 *
 * A line is {"prompt", "target" or "generate", "units", "suppression" (its number), "factor", "similarity" (or null),
 * "layers": [first, last], "foil" (or null), "images": [files] (or not), "zooms": [[start, end, kind]...] (or not),
 * "direct": true (or not), "both": true for what direct paths do beside it (or not), "fresh": true (or not), "resume":
 * true (or not)} or {"retarget": [token, id]}.  The answer is {"prompt": [ids], "output":
 * [[id, candidates' ids...]...], "units": [[first, last, first share, last share]...], "relevance": [units][tokens]
 * [choices], "direct": the same on direct paths, null where not known, "encoded": whether a picture had to be,
 * "probes": how many ran, "kept": how many did not have to, "rows" and "seconds" that took, "peak" in bytes, "noise":
 * the floor, and if the line says "shown": true,
 * "shown": [["token", "units", "relevance" or "done", seconds since the request, seconds of processors since then,
 * probes run, [the strongest units by the values known then, best first]]...]}, or {"chosen": [relevance of each unit],
 * "chosen_direct": [the same on direct paths]}; where it failed, {"error"}. */
#include <math.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <time.h>

#include <jansson.h>

#include "core/engine.h"

enum { STRONGEST = 5, ZOOMS = 16 };

static double seconds(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static double strength(const struct explanation *e, size_t unit)
{
    double sum = 0;
    for (size_t t = 0; t < e->output_count; t++)
        sum += explanation_relevance(e, unit, t, 0);
    return fabs(sum);
}

/* The units of greatest relevance for the whole output, as a screen would rank them. */
static json_t *strongest(const struct explanation *e)
{
    json_t *list = json_array();
    size_t best[STRONGEST], found = 0;
    for (size_t u = 0; u < e->unit_count; u++) {
        size_t at = found;
        if (e->units[u].kind == UNIT_SPECIAL || !explanation_knows(e, u, 0))
            continue;
        while (at > 0 && strength(e, best[at - 1]) < strength(e, u))
            at--;
        if (at == STRONGEST)
            continue;
        found += found < STRONGEST;
        memmove(best + at + 1, best + at, (found - at - 1) * sizeof *best);
        best[at] = u;
    }
    for (size_t i = 0; i < found; i++)
        json_array_append_new(list, json_integer((json_int_t)best[i]));
    return list;
}

/* What came when, and what is then shown. */
static json_t *moment(const struct explanation *e, enum event_kind kind, double start, double busy)
{
    static const char *const names[] = {
        [EVENT_TOKEN] = "token",         [EVENT_DIRECT] = "direct", [EVENT_UNITS] = "units",
        [EVENT_RELEVANCE] = "relevance", [EVENT_DONE] = "done"};
    return json_pack("[sffio]", names[kind], seconds(CLOCK_MONOTONIC) - start, seconds(CLOCK_PROCESS_CPUTIME_ID) - busy,
                     e->cost.probes, strongest(e));
}

/* Take events until one of the kinds wanted, or a failure; shown NULL: nobody looks. */
static enum event_kind wait_for(struct worker *worker, struct explanation *e, enum event_kind wanted, json_t *shown)
{
    double start = seconds(CLOCK_MONOTONIC), busy = seconds(CLOCK_PROCESS_CPUTIME_ID);
    enum event_kind kind;
    for (;;) {
        struct pollfd readable = {.fd = worker_fd(worker), .events = POLLIN};
        poll(&readable, 1, -1);
        while (worker_next(worker, e, &kind)) {
            if (shown && (kind == EVENT_TOKEN || kind == EVENT_DIRECT || kind == EVENT_UNITS ||
                          kind == EVENT_RELEVANCE || kind == EVENT_DONE))
                json_array_append_new(shown, moment(e, kind, start, busy));
            if (kind == wanted || kind == EVENT_FAILED)
                return kind;
        }
    }
}

/* What direct paths do to each output token; null where that is not known. */
static json_t *direct_json(const struct explanation *e, size_t unit)
{
    json_t *row = json_array();
    for (size_t t = 0; t < e->output_count; t++) {
        json_t *choices = json_array();
        for (int c = 0; c <= CANDIDATES; c++) {
            double value = explanation_direct(e, unit, t, c);
            json_array_append_new(choices, isnan(value) ? json_null() : json_real(value));
        }
        json_array_append_new(row, choices);
    }
    return row;
}

static json_t *explanation_json(const struct explanation *e)
{
    json_t *prompt = json_array(), *output = json_array(), *units = json_array(), *relevance = json_array();
    json_t *direct = json_array();
    for (size_t i = 0; i < e->token_count; i++)
        json_array_append_new(prompt, json_integer(e->tokens[i].id));
    for (size_t t = 0; t < e->output_count; t++) {
        json_t *ids = json_pack("[i]", (int)e->output[t].id);
        for (int k = 0; k < CANDIDATES; k++)
            json_array_append_new(ids, json_integer(e->output[t].candidates[k].id));
        json_array_append_new(output, ids);
    }
    for (size_t u = 0; u < e->unit_count; u++) {
        const struct unit *unit = &e->units[u];
        json_array_append_new(units, json_pack("[iiff]", unit->first, unit->last, (double)unit->first_share,
                                               (double)unit->last_share));
        json_t *row = json_array();
        for (size_t t = 0; t < e->output_count; t++) {
            json_t *choices = json_array();
            for (int c = 0; c <= CANDIDATES; c++)
                json_array_append_new(choices, json_real(explanation_relevance(e, u, t, c)));
            json_array_append_new(row, choices);
        }
        json_array_append_new(relevance, row);
        json_array_append_new(direct, direct_json(e, u));
    }
    return json_pack("{so so so so so sb si si sI sf sI so}", "prompt", prompt, "output", output, "units", units,
                     "relevance", relevance, "direct", direct, "encoded", e->cost.vision_seconds > 0, "probes",
                     e->cost.probes, "kept", e->cost.probes_kept, "rows", (json_int_t)e->cost.rows, "seconds",
                     e->cost.seconds, "peak", (json_int_t)e->cost.peak_bytes, "noise",
                     isnan(e->noise_floor) ? json_null() : json_real(e->noise_floor));
}

/* Each file is read once: the same picture again is the same image. */
static struct { char *path; struct image *image; } pictures[SEQUENCE_PICTURES];
static size_t picture_count;

static struct image *read_picture(const char *path)
{
    struct error error;
    for (size_t i = 0; i < picture_count; i++)
        if (strcmp(pictures[i].path, path) == 0)
            return pictures[i].image;
    if (picture_count == SEQUENCE_PICTURES || image_read(path, &pictures[picture_count].image, &error)) {
        fprintf(stderr, "ask_worker: %s: %s\n", path, picture_count == SEQUENCE_PICTURES ? "too many" : error.message);
        exit(1);
    }
    pictures[picture_count].path = strdup(path);
    return pictures[picture_count++].image;
}

static json_t *explain(struct worker *worker, struct explanation *e, const json_t *line)
{
    json_t *similarity = json_object_get(line, "similarity");
    const char *foil = json_string_value(json_object_get(line, "foil"));
    const char *target = json_string_value(json_object_get(line, "target"));
    struct request request = {
        .prompt = json_string_value(json_object_get(line, "prompt")),
        .prompt_length = json_string_length(json_object_get(line, "prompt")),
        .target = target,
        .target_length = target ? strlen(target) : 0,
        .generate = target ? 1 : (int)json_integer_value(json_object_get(line, "generate")),
        .foil = foil,
        .foil_length = foil ? strlen(foil) : 0,
        .explain = true,
        .units = json_string_value(json_object_get(line, "units")),
        .method = method_default(),
    };
    struct image *images[SEQUENCE_PICTURES];
    json_t *files = json_object_get(line, "images");
    for (size_t i = 0; i < json_array_size(files) && i < SEQUENCE_PICTURES; i++)
        images[request.image_count++] = read_picture(json_string_value(json_array_get(files, i)));
    request.images = images;
    struct zoom zooms[ZOOMS];
    json_t *spans = json_object_get(line, "zooms");
    for (size_t i = 0; i < json_array_size(spans) && i < ZOOMS; i++) {
        int start, end, kind;
        if (json_unpack(json_array_get(spans, i), "[iii]", &start, &end, &kind) == 0)
            zooms[request.zoom_count++] = (struct zoom){(size_t)start, (size_t)end, (enum unit_kind)kind};
    }
    request.zooms = zooms;
    request.fresh = json_is_true(json_object_get(line, "fresh"));
    request.resume = json_is_true(json_object_get(line, "resume"));
    request.direct = json_is_true(json_object_get(line, "both"));
    request.method.paths = json_is_true(json_object_get(line, "direct")) ? PATHS_DIRECT : PATHS_ALL;
    json_t *layers = json_object_get(line, "layers");
    request.method.suppression = (enum suppression)json_integer_value(json_object_get(line, "suppression"));
    request.method.factor = (float)json_number_value(json_object_get(line, "factor"));
    request.method.similarity = json_is_number(similarity) ? (float)json_number_value(similarity) : NAN;
    request.method.first_layer = (int)json_integer_value(json_array_get(layers, 0));
    request.method.last_layer = (int)json_integer_value(json_array_get(layers, 1));
    json_t *shown = json_is_true(json_object_get(line, "shown")) ? json_array() : NULL;
    worker_submit(worker, &request);
    if (wait_for(worker, e, EVENT_DONE, shown) != EVENT_DONE) {
        json_decref(shown);
        return json_pack("{ss}", "error", e->error.message);
    }
    json_t *answer = explanation_json(e);
    if (shown)
        json_object_set_new(answer, "shown", shown);
    return answer;
}

static json_t *retarget(struct worker *worker, struct explanation *e, const json_t *pair)
{
    worker_retarget(worker, (int)json_integer_value(json_array_get(pair, 0)),
                    (int32_t)json_integer_value(json_array_get(pair, 1)));
    if (wait_for(worker, e, EVENT_CHOSEN, NULL) != EVENT_CHOSEN)
        return json_pack("{ss}", "error", e->error.message);
    json_t *values = json_array(), *direct = json_array();
    for (size_t u = 0; e->chosen && u < e->unit_count; u++) {
        float value = e->chosen_direct[u];
        json_array_append_new(values, json_real(e->chosen[u]));
        json_array_append_new(direct, isnan(value) ? json_null() : json_real(value));
    }
    return json_pack("{so so}", "chosen", values, "chosen_direct", direct);
}

static int precision_named(const char *name)
{
    return strcmp(name, "int8") == 0 ? PRECISION_INT8 : strcmp(name, "bf16") == 0 ? PRECISION_BF16 : PRECISION_F32;
}

int main(int count, char **arguments)
{
    struct engine_options options = {.precision = PRECISION_F32};
    for (int c; (c = getopt(count, arguments, "p:t:m:")) != -1;)
        if (c == 'p')
            options.precision = precision_named(optarg);
        else if (c == 't')
            options.threads = atoi(optarg);
        else if (c == 'm')
            options.memory = (size_t)atoi(optarg) * 1000000;
        else
            return 2;
    options.model = optind < count ? arguments[optind] : "";
    options.mmproj = optind + 1 < count ? arguments[optind + 1] : NULL;
    struct engine *engine;
    struct worker *worker;
    struct error error;
    if (engine_open(&options, &engine, &error) || worker_new(engine, &worker, &error)) {
        fprintf(stderr, "ask_worker: %s\n", error.message);
        return 1;
    }
    struct explanation *e = explanation_new();
    json_t *line;
    while (e && (line = json_loadf(stdin, JSON_DISABLE_EOF_CHECK, NULL))) {
        json_t *pair = json_object_get(line, "retarget");
        json_t *answer = pair ? retarget(worker, e, pair) : explain(worker, e, line);
        json_dumpf(answer, stdout, JSON_COMPACT);
        putchar('\n');
        fflush(stdout);
        json_decref(answer);
        json_decref(line);
    }
    explanation_free(e);
    while (picture_count) {
        image_release(pictures[--picture_count].image);
        free(pictures[picture_count].path);
    }
    worker_free(worker);
    engine_close(engine);
    return 0;
}
