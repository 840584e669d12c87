/* atmanscope bench: how fast a model's explanations are here, and what memory they take.
 *
 * Measures what a user waits for, through the same worker: first the plain pass over a prompt, then, from a cold
 * worker, the whole explanation, and last what is asked after it and rests on what was kept. */
#include "tui/command.h"

#include <math.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tui/format_json.h"
#include "tui/output.h"
#include "tui/prompt.h"
#include "tui/run.h"

/* A text of our own to cut prompts from; it is repeated where it is too short. */
static const char BUILT_IN[] = "The harbour wakes before the town does. Two boats come in with the night's catch, and "
                               "a woman in a yellow coat counts the "
                               "boxes as they are lifted onto the quay: eleven of herring, three of crab, one of "
                               "something nobody has a name for. She "
                               "writes the numbers into a small book, tears out a page and gives it to the driver of "
                               "the only lorry. He reads it twice, "
                               "because last week he was sent to the wrong market and sold nothing. By seven the ice "
                               "has come, the gulls have left, and "
                               "the baker opens his window. His daughter, who is learning the clarinet, plays the same "
                               "four bars again and again; the "
                               "sailors say that they can tell the day of the week by how far she gets. On Thursdays "
                               "the judge walks past with her dog "
                               "and stops to ask what the strange fish was. Nobody knows, so they ask the teacher, who "
                               "looks it up, and by evening it "
                               "has a Latin name and a price. ";

/* One round's measurements; seconds, bytes. */
struct round {
    double vision_seconds, plain_seconds, map_seconds, rows_per_second;
    double first_seconds;    /* from the request to the first relevances */
    double preview_seconds;  /* from the request to an estimate for every unit */
    double retarget_seconds; /* another token of the answer, or a candidate, after the map */
    double units_seconds;    /* the same by other units: probes that are the same are not run again */
    double units_kept;       /* the share of its probes that are */
    double longer_seconds;   /* one token more of output, when the others are known */
    double edit_seconds;     /* the prompt without a word from its middle */
    double cancel_seconds;   /* from a cancel amid the probes to the end of all work */
    size_t plain_peak, map_peak;
};

/* What is summed up over the rounds, and its place in the JSON object. */
static const struct figure {
    const char *object, *key;
    size_t member; /* a double of struct round */
} figures[] = {
    {NULL, "vision_seconds", offsetof(struct round, vision_seconds)},
    {"plain", "seconds", offsetof(struct round, plain_seconds)},
    {"map", "seconds", offsetof(struct round, map_seconds)},
    {"map", "tokens_per_second", offsetof(struct round, rows_per_second)},
    {"map", "first_seconds", offsetof(struct round, first_seconds)},
    {"map", "preview_seconds", offsetof(struct round, preview_seconds)},
    {"again", "retarget_seconds", offsetof(struct round, retarget_seconds)},
    {"again", "units_seconds", offsetof(struct round, units_seconds)},
    {"again", "units_kept", offsetof(struct round, units_kept)},
    {"again", "longer_seconds", offsetof(struct round, longer_seconds)},
    {"again", "edit_seconds", offsetof(struct round, edit_seconds)},
    {"again", "cancel_seconds", offsetof(struct round, cancel_seconds)},
};
enum { FIGURES = sizeof figures / sizeof *figures };

/* What is the same in every round. */
struct shape {
    size_t pictures, prompt_tokens, target_tokens, units;
    int probes;
    int64_t rows;
    double open_seconds, noise_floor;
    char precision[8];
    size_t limit; /* bytes that the map was to keep to; 0: it had a card's memory */
    int again;    /* plain passes run once more for it, */
    double again_seconds; /* and the time they took */
};

/* A prompt of as near to `wanted` tokens as cutting a text behind a token gives; malloced. */
static int make_prompt(const struct run *run, const char *given, size_t given_length, size_t wanted, char **prompt,
                       size_t *length, struct error *error)
{
    const char *text = given ? given : BUILT_IN;
    size_t unit = given ? given_length : sizeof BUILT_IN - 1, used = 0;
    char *all = NULL;
    struct token *tokens = NULL;
    size_t count = 0;
    int code = 0;
    for (size_t times = 1; code == 0 && count < wanted; times *= 2) {
        free(tokens);
        tokens = NULL;
        char *grown = realloc(all, unit * times);
        if (!grown) {
            code = error_set(error, ERROR_MEMORY, "out of memory");
            break;
        }
        all = grown;
        for (; used < unit * times; used += unit)
            memcpy(all + used, text, unit);
        code = tokenizer_encode(engine_tokenizer(run->engine), all, used, TOKENIZE_START, &tokens, &count, error);
    }
    if (code == 0) {
        *length = tokens[wanted - 1].end ? tokens[wanted - 1].end : 1;
        *prompt = all;
        all = NULL;
    }
    free(all);
    free(tokens);
    return code;
}

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int measure_retarget(struct run *run, double *seconds, struct error *error)
{
    const struct explanation *e = run->explanation;
    struct pollfd answer = {worker_fd(run->worker), POLLIN, 0};
    enum event_kind kind = EVENT_DONE;
    double before = now();
    worker_retarget(run->worker, 0,
                    e->output[0].candidates[1].id < 0 ? e->output[0].id : e->output[0].candidates[1].id);
    while (kind != EVENT_CHOSEN) {
        if (poll(&answer, 1, 10000) == 0)
            return error_set(error, ERROR_MEMORY, "no answer for another token; there may be too little memory");
        while (kind != EVENT_CHOSEN && worker_next(run->worker, run->explanation, &kind))
            ;
    }
    *seconds = now() - before;
    return 0;
}

/* A copy of a text without a word from its middle; malloced.  NULL: no memory. */
static char *edited(const char *prompt, size_t length, size_t *left)
{
    char *text = malloc(length + 1);
    const char *from = memchr(prompt + length / 2, ' ', length - length / 2);
    const char *to = from ? memchr(from + 1, ' ', (size_t)(prompt + length - from - 1)) : NULL;
    if (!text)
        return NULL;
    if (!to)
        from = to = prompt + length;
    memcpy(text, prompt, (size_t)(from - prompt));
    memcpy(text + (from - prompt), to, (size_t)(prompt + length - to));
    *left = length - (size_t)(to - from);
    return text;
}

/* Cancel a map when it has its first measured unit, and wait for the end; else it is over before, and nothing is
 * said. */
static int cancel_amid(struct run *run, enum event_kind kind, void *data, struct error *error)
{
    double *asked = data;
    (void)error;
    if (kind == EVENT_RELEVANCE && run->explanation->cost.probes > 0 && *asked == 0) {
        *asked = now();
        worker_cancel(run->worker);
    }
    return 0;
}

static int measure_cancel(struct run *run, const struct request *request, double *seconds, struct error *error)
{
    double asked = 0;
    int code = run_submit(run, request, cancel_amid, &asked, error);
    *seconds = code == ERROR_CANCELLED && asked > 0 ? now() - asked : NAN;
    return asked > 0 && code == ERROR_CANCELLED ? 0 : code;
}

/* The request by words, or by tokens if it was by words. */
static int measure_units(struct run *run, struct request request, struct round *round, struct error *error)
{
    const struct cost *cost = &run->explanation->cost;
    request.units = request.units && strcmp(request.units, "word") == 0 ? "token" : "word";
    int code = run_submit(run, &request, NULL, NULL, error);
    round->units_seconds = cost->seconds;
    round->units_kept = (double)cost->probes_kept / (cost->probes + cost->probes_kept);
    return code;
}

/* What is asked of a worker that has just explained the request. */
static int measure_again(struct run *run, struct request request, struct round *round, struct error *error)
{
    size_t length;
    char *text = edited(request.prompt, request.prompt_length, &length);
    if (!text)
        return error_set(error, ERROR_MEMORY, "out of memory");
    int generate = request.generate;
    int code = measure_retarget(run, &round->retarget_seconds, error);
    if (code == 0)
        code = measure_units(run, request, round, error);
    request.explain = false;
    request.generate++;
    if (code == 0)
        code = run_submit(run, &request, NULL, NULL, error);
    round->longer_seconds = run->explanation->cost.prefill_seconds + run->explanation->cost.generate_seconds;
    request.prompt = text;
    request.prompt_length = length;
    request.generate = 1;
    if (code == 0)
        code = run_submit(run, &request, NULL, NULL, error);
    round->edit_seconds = run->explanation->cost.prefill_seconds;
    request.explain = true;
    request.generate = generate;
    if (code == 0)
        code = measure_cancel(run, &request, &round->cancel_seconds, error);
    free(text);
    return code;
}

/* When every unit has an estimate, or better. */
static int note_preview(struct run *run, enum event_kind kind, void *data, struct error *error)
{
    struct round *round = data;
    const struct explanation *e = run->explanation;
    size_t known = 0;
    (void)error;
    bool more = kind == EVENT_DIRECT || kind == EVENT_RELEVANCE;
    while (more && known < e->unit_count && explanation_knows(e, known, 0))
        known++;
    if (more && known == e->unit_count && round->preview_seconds < 0)
        round->preview_seconds = now() + round->preview_seconds;
    return 0;
}

static int measure(struct run *run, const char *prompt, size_t length, struct round *round, struct shape *shape,
                   struct error *error)
{
    const struct options *o = run->options;
    struct request request = run_request(run, prompt, length);
    request.generate = 1;
    request.chat = false;
    int code = run_restart(run, error);
    if (code == 0)
        code = run_submit(run, &request, NULL, NULL, error);
    if (code)
        return code;
    round->vision_seconds = run->explanation->cost.vision_seconds;
    round->plain_seconds = run->explanation->cost.prefill_seconds;
    round->plain_peak = run->explanation->cost.peak_bytes;
    request.generate = o->target_length;
    request.explain = true;
    code = run_restart(run, error);
    round->preview_seconds = -now();
    if (code == 0)
        code = run_submit(run, &request, note_preview, round, error);
    if (code)
        return code;
    const struct explanation *e = run->explanation;
    round->map_seconds = e->cost.seconds;
    round->rows_per_second = e->cost.tokens_per_second;
    round->first_seconds = e->cost.first_seconds;
    round->map_peak = run->explanation->cost.peak_bytes;
    shape->pictures = e->picture_count;
    shape->prompt_tokens = e->token_count;
    shape->target_tokens = e->output_count;
    shape->units = e->unit_count;
    shape->probes = e->cost.probes;
    shape->rows = e->cost.rows;
    shape->noise_floor = e->noise_floor;
    memcpy(shape->precision, e->precision, sizeof shape->precision);
    shape->limit = e->cost.limit_bytes;
    shape->again = e->cost.again;
    shape->again_seconds = e->cost.again_seconds;
    return measure_again(run, request, round, error);
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

/* Median of the member at offset of n rounds; values has room for n. */
static double median(const struct round *rounds, int n, size_t offset, double *values)
{
    for (int i = 0; i < n; i++)
        memcpy(&values[i], (const char *)&rounds[i] + offset, sizeof *values);
    qsort(values, (size_t)n, sizeof *values, by_size);
    return n % 2 ? values[n / 2] : (values[n / 2 - 1] + values[n / 2]) / 2;
}

/* The medians of all rounds; memory's peak only ever rises, so the plain pass's is the first round's. */
static int summarise(const struct round *rounds, int n, struct round *all, struct error *error)
{
    double *values = malloc((size_t)n * sizeof *values);
    if (!values)
        return error_set(error, ERROR_MEMORY, "out of memory");
    for (int i = 0; i < FIGURES; i++) {
        double value = median(rounds, n, figures[i].member, values);
        memcpy((char *)all + figures[i].member, &value, sizeof value);
    }
    all->plain_peak = rounds[0].plain_peak;
    all->map_peak = rounds[n - 1].map_peak;
    free(values);
    return 0;
}

struct result {
    const struct engine_info *info;
    struct shape shape;
    struct round medians;
    int repeat;
};

static int print_table(FILE *out, const void *data, struct error *error)
{
    const struct result *result = data;
    const struct engine_info *info = result->info;
    const struct shape *s = &result->shape;
    const struct round *r = &result->medians;
    (void)error;
    fprintf(out, "model        %s, %s\n", info->name[0] ? info->name : info->file, info->quantisation);
    fprintf(out, "device       %s, %d threads, %s products\n", info->device_name, info->threads, s->precision);
    fprintf(out, "prompt       %zu tokens, target %zu; %zu units, %d probes, %lld rows; %s%d\n\n", s->prompt_tokens,
            s->target_tokens, s->units, s->probes, (long long)s->rows,
            result->repeat > 1 ? "medians of " : "rounds: ", result->repeat);
    fprintf(out, "                  seconds  tokens/s  peak memory\n");
    if (s->pictures)
        fprintf(out, "%2zu pictures   %11.4f\n", s->pictures, r->vision_seconds);
    fprintf(out, "plain pass    %11.4f %9.0f  %8.1f MB\n", r->plain_seconds,
            (double)s->prompt_tokens / r->plain_seconds, (double)r->plain_peak / 1e6);
    fprintf(out, "full map      %11.4f %9.0f  %8.1f MB\n\n", r->map_seconds, r->rows_per_second,
            (double)r->map_peak / 1e6);
    fprintf(out, "the model was open in  %.3f s\n", s->open_seconds);
    fprintf(out, "a full map costs       %.1f plain passes\n", r->map_seconds / r->plain_seconds);
    fprintf(out, "first colours after    %.3f s, on every unit after %.3f s, the prompt's pass with it\n",
            r->first_seconds, r->preview_seconds);
    fprintf(out, "another answer's map   %.1f ms, from what was kept\n", 1e3 * r->retarget_seconds);
    fprintf(out, "the map by other units %.2f full maps, for %.0f %% of the probes are kept\n",
            r->units_seconds / r->map_seconds, 100 * r->units_kept);
    fprintf(out, "one more token         %.2f plain passes\n", r->longer_seconds / r->plain_seconds);
    fprintf(out, "a word less halfway    %.2f plain passes\n", r->edit_seconds / r->plain_seconds);
    if (isfinite(r->cancel_seconds))
        fprintf(out, "a cancel takes         %.1f ms\n", 1e3 * r->cancel_seconds);
    fprintf(out, "memory of the map      %.2f times the plain pass's, %.2f times the model file",
            (double)r->map_peak / (double)r->plain_peak, (double)r->map_peak / (double)info->file_bytes);
    if (s->limit)
        fprintf(out, "; it was to keep to %.1f MB", (double)s->limit / 1e6);
    fputc('\n', out);
    if (s->again)
        fprintf(out, "activations again      %d times, %.3f s\n", s->again, s->again_seconds);
    if (isfinite(s->noise_floor))
        fprintf(out, "noise floor            %.2g nats\n", s->noise_floor);
    return 0;
}

static int print_json(FILE *out, const void *data, struct error *error)
{
    const struct result *result = data;
    const struct engine_info *info = result->info;
    const struct shape *s = &result->shape;
    const struct round *r = &result->medians;
    json_t *json =
        json_pack("{ss so so sI sI si so s{sI} s{sI si sI so sI sI so} s{so so}}", "schema", "atmanscope.bench/1",
                  "model", format_json_model(info), "device", format_json_device(info, s->precision), "prompt_tokens",
                  (json_int_t)s->prompt_tokens, "target_tokens", (json_int_t)s->target_tokens, "repeat", result->repeat,
                  "open_seconds", format_json_number(s->open_seconds), "plain", "peak_bytes", (json_int_t)r->plain_peak,
                  "map", "units", (json_int_t)s->units, "probes", s->probes, "rows", (json_int_t)s->rows,
                  "plain_passes", format_json_number(r->map_seconds / r->plain_seconds), "peak_bytes",
                  (json_int_t)r->map_peak, "peak_over_plain_bytes", (json_int_t)(r->map_peak - r->plain_peak),
                  "noise_floor", format_json_number(s->noise_floor), "again", "longer_plain_passes",
                  format_json_number(r->longer_seconds / r->plain_seconds), "edit_plain_passes",
                  format_json_number(r->edit_seconds / r->plain_seconds));
    for (int i = 0; json && i < FIGURES; i++) {
        double value;
        memcpy(&value, (const char *)r + figures[i].member, sizeof value);
        json_object_set_new(figures[i].object ? json_object_get(json, figures[i].object) : json, figures[i].key,
                            format_json_number(value));
    }
    json_t *plain = json_object_get(json, "plain"), *map = json_object_get(json, "map");
    json_object_set_new(json, "file_bytes", json_integer((json_int_t)info->file_bytes));
    json_object_set_new(map, "limit_bytes", json_integer((json_int_t)s->limit));
    json_object_set_new(map, "again", json_integer(s->again));
    json_object_set_new(map, "again_seconds", format_json_number(s->again_seconds));
    json_object_set_new(plain, "tokens_per_second", format_json_number((double)s->prompt_tokens / r->plain_seconds));
    if (s->pictures)
        json_object_set_new(json, "pictures", json_integer((json_int_t)s->pictures));
    else
        json_object_del(json, "vision_seconds");
    return format_json_write(json, true, out, error);
}

static int write_result(const struct run *run, const struct round *rounds, const struct shape *shape,
                        struct error *error)
{
    const struct options *o = run->options;
    struct result result = {.info = engine_info(run->engine), .shape = *shape, .repeat = o->repeat};
    int code = summarise(rounds, o->repeat, &result.medians, error);
    return code ? code : output_fill(o->output, o->format == FORMAT_JSON ? print_json : print_table, &result, error);
}

static int bench(struct run *run, double open_seconds, const char *given, size_t given_length, struct error *error)
{
    const struct options *o = run->options;
    int context = engine_info(run->engine)->context;
    if (o->length + o->target_length > context + 1)
        return error_set(error, ERROR_LIMIT,
                         "--length %d and --target-length %d: the model's context holds %d tokens; take less",
                         o->length, o->target_length, context);
    char *prompt = NULL;
    size_t length = 0;
    struct shape shape = {.open_seconds = open_seconds};
    struct round *rounds = calloc((size_t)o->repeat, sizeof *rounds);
    int code = rounds ? make_prompt(run, given, given_length, (size_t)o->length, &prompt, &length, error)
                      : error_set(error, ERROR_MEMORY, "out of memory");
    if (code == 0) { /* the first pass after opening pays for page faults and kernels being made */
        struct request request = run_request(run, prompt, length);
        request.generate = 1;
        request.chat = false;
        code = run_submit(run, &request, NULL, NULL, error);
    }
    for (int i = 0; code == 0 && i < o->repeat; i++)
        code = measure(run, prompt, length, &rounds[i], &shape, error);
    if (code == 0)
        code = write_result(run, rounds, &shape, error);
    free(rounds);
    free(prompt);
    return code;
}

int command_bench(const struct options *o, const struct context *context, struct error *error)
{
    char *given;
    size_t length;
    int code = prompt_read(o, PROMPT_TEXT, &given, &length, error);
    if (code)
        return code;
    code = output_check(o->output, error);
    struct run run;
    double before = now();
    if (code == 0 && (code = run_open(&run, o, context, error)) == 0) {
        code = bench(&run, now() - before, given, length, error);
        run_close(&run);
    }
    free(given);
    return code;
}
