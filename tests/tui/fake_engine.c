/* fake_engine.c: an engine without a model.
 *
 * Owns a made-up engine and worker of core/engine.h: a real thread, a real wake descriptor, but words from a list and
 * numbers from a hash; events are folded by the real explanation.c.  What it says for a request:
 *   output     words of a list, chosen by the prompt; the answer to a prompt with "hat" starts " A blue hat."
 *   relevance  a unit that holds the word of the choice: +2 nats; one that holds another colour: -1; special units: 9;
 * all others within 0.2; a picture is a grid of 12 x 12 patches, of which those around column FAKE_COLUMN, row FAKE_ROW
 * have 1.5 nats for " blue"
 * and -1 for others; direct paths have three quarters of it; with such a unit steered below 0.3 the output says " red"
 * where it said " blue".
 * A model named "broken" cannot be opened, and a prompt that holds "FAIL" fails, as one that
 * holds "CRASH" crashes; one that holds "LATE" is done all the same when it is stopped.
 * It does not pretend to keep anything between requests. */
#include "tests/tui/fake_engine.h"

#include <errno.h>
#include <math.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "core/event.h"

struct fake_settings fake_settings;

enum { CHOICES = 1 + CANDIDATES, OUTPUT_MOST = 256 };

/* -- engine -------------------------------------------------------------------------------------------------------- */

struct engine {
    struct engine_info info;
    struct tokenizer *tokenizer;
};

static void sleep_ms(int ms)
{
    struct timespec time = {ms / 1000, ms % 1000 * 1000000L};
    while (nanosleep(&time, &time) != 0 && errno == EINTR) {
    }
}

int engine_open(const struct engine_options *options, struct engine **engine, struct error *error)
{
    sleep_ms(fake_settings.open_ms);
    const char *model = options->model ? options->model : "fake.gguf";
    if (strstr(model, "broken"))
        return error_set(error, ERROR_FORMAT, "%s: not a GGUF file: it starts with something else; give another",
                         model);
    if (options->mmproj && strncmp(options->mmproj, model, strlen(model) - strlen(".gguf")) != 0)
        return error_set(error, ERROR_ARGUMENT, "%s: not the tower of %s", options->mmproj, model);
    *engine = calloc(1, sizeof **engine);
    struct engine_info *info = &(*engine)->info;
    *info = (struct engine_info){
        .name = "Made up",
        .architecture = "fake",
        .quantisation = "Q8_0",
        .tokenizer = "made up",
        .device_kind = "cpu",
        .device_name = "no processor",
        .precision = "f32",
        .threads = options->threads > 0 ? options->threads : 4,
        .layers = 4,
        .width = 64,
        .heads = 4,
        .vocabulary = 4096,
        .context = 4096,
        .parameters = 1000000,
        .weight_bytes = 1000000,
    };
    snprintf(info->file, sizeof info->file, "%s", model);
    (*engine)->tokenizer = fake_tokenizer_new();
    return 0;
}

void engine_close(struct engine *engine)
{
    if (!engine)
        return;
    tokenizer_close(engine->tokenizer);
    free(engine);
}

const struct engine_info *engine_info(const struct engine *engine)
{
    return &engine->info;
}

const struct tokenizer *engine_tokenizer(const struct engine *engine)
{
    return engine->tokenizer;
}

/* -- worker -------------------------------------------------------------------------------------------------------- */

enum { GRID = 12 };

struct job {
    char *prompt, *target, *units, *image_units;
    struct image **images;
    struct steer *steers;
    struct zoom *zooms;
    struct request request;
};

struct worker {
    struct engine *engine;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    int fd;
    bool quit;
    atomic_bool cancel;
    struct job *pending;
    uint64_t number;
    struct event *head, **tail;
    /* the thread's own: what the running request is made of, kept for worker_retarget() */
    struct token *tokens;
    struct picture *pictures;
    size_t picture_count;
    struct unit *units;
    int32_t output[OUTPUT_MOST];
    char *prompt;
    size_t token_count, unit_count, output_count;
    struct cost cost;
    int retarget_token;
    int32_t retarget_id;
    bool retarget;
    struct inquiry inquiry;
    bool inquire;
};

static void job_free(struct job *job)
{
    if (!job)
        return;
    free(job->prompt);
    free(job->target);
    free(job->units);
    free(job->image_units);
    for (size_t i = 0; i < job->request.image_count; i++)
        image_release(job->images[i]);
    free(job->images);
    free(job->steers);
    free(job->zooms);
    free(job);
}

static char *copy(const char *text, size_t length)
{
    char *to = malloc(length + 1);
    if (length > 0)
        memcpy(to, text, length);
    to[length] = 0;
    return to;
}

static void post(struct worker *worker, struct event *event)
{
    uint64_t one = 1;
    event->next = NULL;
    pthread_mutex_lock(&worker->lock);
    *worker->tail = event;
    worker->tail = &event->next;
    if (write(worker->fd, &one, sizeof one) != sizeof one)
        abort();
    pthread_mutex_unlock(&worker->lock);
}

static struct event *event_new(enum event_kind kind, uint64_t request)
{
    struct event *event = calloc(1, sizeof *event);
    event->kind = kind;
    event->request = request;
    return event;
}

static double hash(uint32_t a, uint32_t b, uint32_t c)
{
    uint32_t h = a * 2654435761u ^ (b + 1) * 2246822519u ^ (c + 7) * 3266489917u;
    h ^= h >> 15;
    h *= 2654435761u;
    h ^= h >> 13;
    return h % 10000 / 10000.0;
}

static bool holds(const char *text, size_t length, const char *word, size_t word_length)
{
    while (word_length > 0 && *word == ' ')
        word++, word_length--;
    for (size_t i = 0; word_length > 0 && i + word_length <= length; i++)
        if (memcmp(text + i, word, word_length) == 0)
            return true;
    return false;
}

static bool is_near(const struct worker *worker, int token)
{
    for (size_t p = 0; p < worker->picture_count; p++) {
        int i = token - worker->pictures[p].first;
        if (i >= 0 && i < GRID * GRID && abs(i % GRID - FAKE_COLUMN) < 2 && abs(i / GRID - FAKE_ROW) < 2)
            return true;
    }
    return false;
}

/* What unit u says for token `id`: see the top of the file. */
static double relevance(struct worker *worker, size_t u, int32_t id)
{
    static const char *const colours[] = {"blue", "red", "green"};
    struct unit *unit = &worker->units[u];
    size_t length, word_length;
    const char *text = worker->prompt + unit->start,
               *word = tokenizer_text(worker->engine->tokenizer, id, &word_length);
    length = unit->end - unit->start;
    if (unit->kind == UNIT_SPECIAL)
        return 9;
    if (unit->kind == UNIT_PATCH) {
        bool near = false;
        for (int k = unit->first; k <= unit->last; k++)
            near = near || (unit_holds(unit, k) && is_near(worker, k));
        double value = near ? id == FAKE_FIRST + 1 ? 1.5 : -1 : 0.4 * hash(id, u, 99) - 0.2;
        return holds("blue", 4, word, word_length) || near ? value : value / 4;
    }
    if (unit->kind == UNIT_TARGET)
        text = tokenizer_text(worker->engine->tokenizer, worker->output[unit->first - worker->token_count], &length);
    if (holds(text, length, word, word_length))
        return 2;
    for (int i = 0; i < 3; i++)
        if (holds(text, length, colours[i], strlen(colours[i])))
            return -1;
    return 0.4 * hash(id, u, 99) - 0.2;
}

/* Units of tokens, of words, or, for "auto", of what ends with a full stop; and the output's tokens but the last
 * one. */
static void cut_units(struct worker *worker, const struct job *job)
{
    bool words = job->units && strcmp(job->units, "token") != 0, large = words && strcmp(job->units, "auto") == 0;
    struct unit *units = malloc((worker->token_count + worker->output_count + 1) * sizeof *units);
    size_t n = 0;
    for (size_t i = 0; i < worker->token_count; i++) {
        struct token *token = &worker->tokens[i];
        if (token->kind == TOKEN_IMAGE)
            continue;
        bool special = token->kind == TOKEN_SPECIAL;
        bool starts =
            !words || n == 0 || special || units[n - 1].kind == UNIT_SPECIAL ||
            (worker->prompt[token->start] == ' ' && (!large || worker->prompt[token->start - 1] == '.'));
        if (starts)
            units[n++] = (struct unit){.kind = special ? UNIT_SPECIAL
                                               : large ? UNIT_PARAGRAPH
                                               : words ? UNIT_WORD
                                                       : UNIT_TOKEN,
                                       .first = i,
                                       .last = i,
                                       .first_share = 1,
                                       .last_share = 1,
                                       .start = token->start,
                                       .end = token->end};
        units[n - 1].last = i;
        units[n - 1].end = token->end;
    }
    if (units_zoom(worker->prompt, worker->tokens, job->zooms, job->request.zoom_count, &units, &n, NULL) != 0)
        abort();
    units = realloc(units, (n + worker->output_count + 1) * sizeof *units);
    for (size_t i = 0; i + 1 < worker->output_count; i++)
        units[n++] = (struct unit){.kind = UNIT_TARGET,
                                   .first = worker->token_count + i,
                                   .last = worker->token_count + i,
                                   .first_share = 1,
                                   .last_share = 1};
    free(worker->units);
    worker->units = units;
    worker->unit_count = n;
    if (worker->picture_count > 0 &&
        units_tile(worker->pictures, worker->picture_count, job->image_units ? job->image_units : "auto",
                   &worker->units, &worker->unit_count, NULL) != 0)
        abort();
}

/* Add the pictures' tokens before the text's: patches of equal size, all over each picture. */
static void add_pictures(struct worker *worker, const struct job *job)
{
    size_t count = job->request.image_count, more = count * GRID * GRID, first = 1; /* behind <s> */
    worker->pictures = calloc(count + 1, sizeof *worker->pictures);
    worker->picture_count = count;
    worker->tokens = realloc(worker->tokens, (worker->token_count + more + 1) * sizeof *worker->tokens);
    memmove(worker->tokens + first + more, worker->tokens + first,
            (worker->token_count - first) * sizeof *worker->tokens);
    worker->token_count += more;
    for (size_t p = 0; p < count; p++) {
        struct image *image = job->images[p];
        worker->pictures[p] = (struct picture){.image = image_keep(image),
                                                .first = (int)(first + p * GRID * GRID),
                                                .columns = GRID,
                                                .rows = GRID};
        for (int i = 0; i < GRID * GRID; i++) {
            float wide = (float)image->width / GRID, high = (float)image->height / GRID;
            worker->tokens[worker->pictures[p].first + i] =
                (struct token){.id = -1,
                               .kind = TOKEN_IMAGE,
                               .image = (int)p,
                               .rect = {(float)(i % GRID) * wide, (float)(i / GRID) * high, wide, high}};
        }
    }
}

static void drop_pictures(struct worker *worker)
{
    for (size_t p = 0; p < worker->picture_count; p++)
        image_release(worker->pictures[p].image);
    free(worker->pictures);
    worker->pictures = NULL;
    worker->picture_count = 0;
}

static bool cancelled(struct worker *worker)
{
    return atomic_load(&worker->cancel);
}

/* Sleep in small steps; false when cancelled meanwhile. */
static bool pause_ms(struct worker *worker, int ms)
{
    for (; ms > 0 && !cancelled(worker); ms -= 5)
        sleep_ms(ms < 5 ? ms : 5);
    return !cancelled(worker);
}

/* With a gate: wait until its file holds `batch` bytes. */
static bool pass_gate(struct worker *worker, const char *gate, int batch)
{
    struct stat status;
    while (gate && (stat(gate, &status) != 0 || status.st_size < batch))
        if (!pause_ms(worker, 5))
            return false;
    return !cancelled(worker);
}

static int32_t next_word(const struct job *job, size_t t)
{
    const char *prompt = job->prompt;
    if (strstr(prompt, "hat") && t < 4)
        return FAKE_FIRST + (int32_t)t;
    if (strstr(prompt, "hat") && strstr(prompt, "STOP"))
        return FAKE_END;
    return FAKE_FIRST + (int32_t)(hash(strlen(prompt), t, prompt[0]) * FAKE_WORDS);
}

/* A steered unit that holds "blue" and counts less turns " blue" into " red". */
static int32_t steered_word(struct worker *worker, const struct job *job, int32_t id)
{
    for (size_t i = 0; i < job->request.steer_count; i++) {
        const struct unit *unit = &worker->units[job->steers[i].unit];
        if (id == FAKE_FIRST + 1 && job->steers[i].factor < 0.3f &&
            holds(worker->prompt + unit->start, unit->end - unit->start, "blue", 4))
            return FAKE_FIRST + 4;
    }
    return id;
}

/* The relevance of units first .. first + count - 1 for all tokens and candidates. */
static float *batch_relevance(struct worker *worker, size_t first, size_t count)
{
    float *values = calloc(count * worker->output_count * CHOICES, sizeof *values);
    for (size_t u = 0; u < count; u++)
        for (size_t t = 0; t < worker->output_count; t++)
            for (int c = 0; c < CHOICES; c++) {
                struct unit *unit = &worker->units[first + u];
                int32_t id = worker->output[t];
                if (c > 0)
                    id = FAKE_FIRST + (id - FAKE_FIRST + 3 * (c - 1)) % FAKE_WORDS;
                bool after = unit->kind == UNIT_TARGET && unit->first >= (int)(worker->token_count + t);
                values[(u * worker->output_count + t) * CHOICES + c] = after ? 0 : relevance(worker, first + u, id);
            }
    return values;
}

/* What direct paths do to the newest token. */
static void tell_direct(struct worker *worker, struct job *job, uint64_t number)
{
    struct event *event = event_new(EVENT_DIRECT, number);
    size_t t = worker->output_count - 1;
    cut_units(worker, job);
    float *values = batch_relevance(worker, 0, worker->unit_count);
    event->unit_count = worker->unit_count;
    event->units = (struct unit *)copy((char *)worker->units, worker->unit_count * sizeof *worker->units);
    event->unit = calloc(worker->unit_count, sizeof *event->unit);
    event->values = calloc(worker->unit_count * CHOICES, sizeof *event->values);
    event->direct_first = (int)t;
    event->direct_end = (int)t + 1;
    for (size_t u = 0; u < worker->unit_count; u++, event->n++) {
        event->unit[u] = (int)u;
        for (size_t c = 0; c < CHOICES; c++)
            event->values[u * CHOICES + c] = 0.75f * values[(u * worker->output_count + t) * CHOICES + c];
    }
    free(values);
    post(worker, event);
}

static bool run_output(struct worker *worker, struct job *job, uint64_t number, bool *stopped)
{
    struct token *forced = NULL;
    size_t wanted = job->request.generate;
    if (job->target && tokenizer_encode(worker->engine->tokenizer, job->target, job->request.target_length, 0, &forced,
                                        &wanted, NULL) != 0)
        wanted = 0;
    for (size_t t = 0; t < wanted && t < OUTPUT_MOST; t++) {
        if (!pause_ms(worker, fake_settings.token_ms) || !pass_gate(worker, fake_settings.token_gate, (int)t + 1))
            break;
        struct event *event = event_new(EVENT_TOKEN, number);
        struct output_token *token = &event->token;
        token->id = forced ? forced[t].id : steered_word(worker, job, next_word(job, t));
        token->logprob = log(0.6);
        for (int c = 0; c < CANDIDATES; c++)
            token->candidates[c] = (struct candidate){FAKE_FIRST + (token->id - FAKE_FIRST + 3 * c) % FAKE_WORDS,
                                                      c == 0 ? log(0.6) : log(0.3 / (1 << c))};
        worker->output[worker->output_count++] = token->id;
        *stopped = event->stopped = token->id == FAKE_END;
        post(worker, event);
        if (*stopped)
            break;
        if (job->request.explain && job->request.direct && fake_settings.direct)
            tell_direct(worker, job, number);
    }
    free(forced);
    return !cancelled(worker);
}

/* All that look at the blue thing are alike. */
static struct alike *list_alike(const struct worker *worker, size_t *count)
{
    struct alike *alike = malloc((9 * 9 * worker->picture_count * worker->picture_count + 1) * sizeof *alike);
    *count = 0;
    for (size_t u = 0; u < worker->unit_count; u++)
        for (int k = 0; k < (int)worker->token_count; k++)
            if (worker->units[u].kind == UNIT_PATCH && is_near(worker, worker->units[u].first) && is_near(worker, k) &&
                !unit_holds(&worker->units[u], k))
                alike[(*count)++] = (struct alike){(int)u, k};
    return alike;
}

/* What direct paths would say: about what is measured later. */
static void post_estimates(struct worker *worker, uint64_t number)
{
    struct event *event = event_new(EVENT_DIRECT, number);
    size_t each = worker->output_count * CHOICES;
    event->values = batch_relevance(worker, 0, worker->unit_count);
    event->unit = calloc(worker->unit_count, sizeof *event->unit);
    for (size_t u = 0; u < worker->unit_count; u++) {
        event->unit[u] = (int)u;
        for (size_t i = 0; i < each; i++)
            event->values[u * each + i] *= 0.6f + 0.04f * (float)(u * 7 % 16);
    }
    event->n = (int)worker->unit_count;
    event->unit_count = worker->unit_count;
    event->direct_end = (int)worker->output_count;
    event->cost = worker->cost;
    post(worker, event);
}

static bool run_probes(struct worker *worker, struct job *job, uint64_t number)
{
    cut_units(worker, job);
    struct event *event = event_new(EVENT_UNITS, number);
    event->units = (struct unit *)copy((char *)worker->units, worker->unit_count * sizeof *worker->units);
    event->unit_count = worker->unit_count;
    event->alike = list_alike(worker, &event->alike_count);
    event->output_count = worker->output_count;
    event->foil_token = -1;
    event->method = job->request.method;
    event->method.last_layer = event->method.last_layer < 0 ? 3 : event->method.last_layer;
    worker->cost.probes_total = (int)worker->unit_count;
    worker->cost.expected_seconds = fake_settings.expected;
    event->cost = worker->cost;
    post(worker, event);
    if (fake_settings.estimates)
        post_estimates(worker, number);
    size_t batch = fake_settings.batch > 0 ? fake_settings.batch : 4;
    for (size_t first = 0, n = 0; first < worker->unit_count; first += batch) {
        if (!pause_ms(worker, fake_settings.batch_ms) || !pass_gate(worker, fake_settings.gate, ++n))
            return false;
        size_t count = worker->unit_count - first < batch ? worker->unit_count - first : batch;
        event = event_new(EVENT_RELEVANCE, number);
        event->values = batch_relevance(worker, first, count);
        event->unit = calloc(count, sizeof *event->unit);
        for (event->n = 0; event->n < (int)count; event->n++)
            event->unit[event->n] = (int)first + event->n;
        event->cost = worker->cost = (struct cost){.probes = first + count,
                                                   .probes_total = worker->unit_count,
                                                   .rows = 100 * (first + count),
                                                   .rows_total = 100 * worker->unit_count,
                                                   .seconds = 0.01 * (first + count),
                                                   .prefill_seconds = 0.01,
                                                   .first_seconds = 0.1,
                                                   .tokens_per_second = 10000};
        post(worker, event);
    }
    return true;
}

static void *spin(void *argument)
{
    struct worker *worker = argument;
    volatile double x = 1;
    while (!cancelled(worker) && x < 1e300)
        x = x * 1.0000001;
    return NULL;
}

static void end_request(struct worker *worker, uint64_t number, bool done, bool stopped, struct error *error)
{
    struct event *event = event_new(error->code ? EVENT_FAILED : done ? EVENT_DONE : EVENT_CANCELLED, number);
    event->error = *error;
    event->stopped = stopped;
    event->complete = done && !error->code;
    event->noise_floor = !event->complete ? NAN : fake_settings.floor ? fake_settings.floor : 0.001;
    event->cost = worker->cost;
    post(worker, event);
}

static void run_job(struct worker *worker, struct job *job, uint64_t number)
{
    struct error error = {0};
    bool stopped = false, done = false;
    free(worker->tokens);
    free(worker->units);
    free(worker->prompt);
    drop_pictures(worker);
    worker->tokens = NULL;
    worker->units = NULL;
    worker->cost = (struct cost){0};
    worker->token_count = worker->unit_count = worker->output_count = 0;
    size_t length = job->request.prompt_length;
    worker->prompt = copy(job->prompt, length);
    if (strstr(job->prompt, "CRASH"))
        raise(SIGSEGV);
    if (length == 0)
        error_set(&error, ERROR_ARGUMENT, "the prompt is empty; type one");
    else if (strstr(job->prompt, "FAIL"))
        error_set(&error, ERROR_LIMIT, "the prompt is longer than the model's context (4096 tokens); shorten it");
    else if (tokenizer_encode(worker->engine->tokenizer, job->prompt, length, TOKENIZE_START, &worker->tokens,
                              &worker->token_count, &error) == 0) {
        if (job->request.image_count > 0)
            add_pictures(worker, job);
        struct event *event = event_new(EVENT_PROMPT, number);
        event->pictures =
            (struct picture *)copy((char *)worker->pictures, worker->picture_count * sizeof *worker->pictures);
        for (size_t p = 0; p < worker->picture_count; p++)
            image_keep(worker->pictures[p].image);
        event->picture_count = worker->picture_count;
        event->tokens = (struct token *)copy((char *)worker->tokens, worker->token_count * sizeof *worker->tokens);
        event->token_count = worker->token_count;
        event->prompt = copy(job->prompt, length);
        event->prompt_length = length;
        post(worker, event);
        if (job->request.steer_count > 0)
            cut_units(worker, job);
        done = run_output(worker, job, number, &stopped) && (!job->request.explain || run_probes(worker, job, number));
        done = done || strstr(job->prompt, "LATE");
    }
    end_request(worker, number, done, stopped, &error);
}

static void run_retarget(struct worker *worker, uint64_t number, int token, int32_t id)
{
    struct event *event = event_new(EVENT_CHOSEN, number);
    float *values = calloc(worker->unit_count + 1, sizeof *values);
    for (size_t u = 0; u < worker->unit_count; u++)
        values[u] = relevance(worker, u, id);
    event->values = values;
    event->direct = calloc(worker->unit_count + 1, sizeof *event->direct);
    for (size_t u = 0; u < worker->unit_count; u++)
        event->direct[u] = fake_settings.direct ? 0.75f * values[u] : NAN;
    event->chosen_token = token;
    event->chosen_id = id;
    event->cost = worker->cost;
    post(worker, event);
}

static void post_answer(struct worker *worker, uint64_t number, const struct inquiry *inquiry,
                        const struct proof *proof, const struct pairs *pairs)
{
    struct event *event = event_new(inquiry->kind == INQUIRY_PROOF ? EVENT_PROOF : EVENT_PAIRS, number);
    event->proof = malloc(sizeof *proof);
    event->pairs = malloc(sizeof *pairs);
    *event->proof = *proof;
    *event->pairs = *pairs;
    post(worker, event);
}

static void run_inquiry(struct worker *worker, uint64_t number, const struct inquiry *inquiry)
{
    struct fake_ground ground = {worker->prompt, worker->units, worker->unit_count};
    struct proof proof;
    struct pairs pairs;
    int step = 0;
    bool more = fake_answer(&ground, inquiry, step, &proof, &pairs);
    while (more && pause_ms(worker, fake_settings.answer_ms)) {
        post_answer(worker, number, inquiry, &proof, &pairs);
        more = fake_answer(&ground, inquiry, ++step, &proof, &pairs);
    }
    proof.answer.state = pairs.answer.state = more ? ANSWER_STOPPED : ANSWER_DONE;
    post_answer(worker, number, inquiry, &proof, &pairs);
}

static void *worker_run(void *argument)
{
    struct worker *worker = argument;
    pthread_mutex_lock(&worker->lock);
    while (!worker->quit) {
        struct job *job = worker->pending;
        uint64_t number = worker->number;
        bool retarget = worker->retarget;
        worker->pending = NULL;
        struct inquiry inquiry = worker->inquiry;
        bool inquire = !job && worker->inquire;
        worker->retarget = false;
        worker->inquire = worker->inquire && job;
        if (!job && !retarget && !inquire) {
            pthread_cond_wait(&worker->wake, &worker->lock);
            continue;
        }
        atomic_store(&worker->cancel, false);
        pthread_mutex_unlock(&worker->lock);
        if (job) {
            pthread_t threads[64];
            int n = fake_settings.spin < 64 ? fake_settings.spin : 64;
            for (int i = 0; i < n; i++)
                pthread_create(&threads[i], NULL, spin, worker);
            run_job(worker, job, number);
            atomic_store(&worker->cancel, true);
            for (int i = 0; i < n; i++)
                pthread_join(threads[i], NULL);
        } else if (inquire) {
            run_inquiry(worker, number, &inquiry);
        } else {
            run_retarget(worker, number, worker->retarget_token, worker->retarget_id);
        }
        job_free(job);
        pthread_mutex_lock(&worker->lock);
    }
    pthread_mutex_unlock(&worker->lock);
    return NULL;
}

int worker_new(struct engine *engine, struct worker **result, struct error *error)
{
    struct worker *worker = calloc(1, sizeof *worker);
    worker->engine = engine;
    worker->tail = &worker->head;
    worker->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    pthread_mutex_init(&worker->lock, NULL);
    pthread_cond_init(&worker->wake, NULL);
    if (worker->fd < 0 || pthread_create(&worker->thread, NULL, worker_run, worker) != 0)
        return error_set(error, ERROR_MEMORY, "no thread");
    *result = worker;
    return 0;
}

void worker_free(struct worker *worker)
{
    if (!worker)
        return;
    pthread_mutex_lock(&worker->lock);
    worker->quit = true;
    atomic_store(&worker->cancel, true);
    pthread_cond_signal(&worker->wake);
    pthread_mutex_unlock(&worker->lock);
    pthread_join(worker->thread, NULL);
    while (worker->head) {
        struct event *event = worker->head;
        worker->head = event->next;
        event_free(event);
    }
    job_free(worker->pending);
    free(worker->tokens);
    free(worker->units);
    free(worker->prompt);
    drop_pictures(worker);
    close(worker->fd);
    pthread_mutex_destroy(&worker->lock);
    pthread_cond_destroy(&worker->wake);
    free(worker);
}

int worker_fd(const struct worker *worker)
{
    return worker->fd;
}

uint64_t worker_submit(struct worker *worker, const struct request *request)
{
    struct job *job = calloc(1, sizeof *job);
    job->request = *request;
    job->prompt = copy(request->prompt, request->prompt_length);
    job->target = request->target ? copy(request->target, request->target_length) : NULL;
    if (request->steer_count > 0)
        job->steers = (struct steer *)copy((const char *)request->steers, request->steer_count * sizeof *job->steers);
    if (request->zoom_count > 0)
        job->zooms = (struct zoom *)copy((const char *)request->zooms, request->zoom_count * sizeof *job->zooms);
    job->units = request->units ? copy(request->units, strlen(request->units)) : NULL;
    job->image_units = request->image_units ? copy(request->image_units, strlen(request->image_units)) : NULL;
    job->images = calloc(request->image_count + 1, sizeof *job->images);
    for (size_t i = 0; i < request->image_count; i++)
        job->images[i] = image_keep(request->images[i]);
    pthread_mutex_lock(&worker->lock);
    job_free(worker->pending);
    worker->pending = job;
    worker->retarget = worker->inquire = false;
    uint64_t number = ++worker->number;
    atomic_store(&worker->cancel, true);
    pthread_cond_signal(&worker->wake);
    pthread_mutex_unlock(&worker->lock);
    return number;
}

void worker_cancel(struct worker *worker)
{
    pthread_mutex_lock(&worker->lock);
    struct job *job = worker->pending;
    uint64_t number = worker->number;
    worker->pending = NULL;
    atomic_store(&worker->cancel, true);
    pthread_mutex_unlock(&worker->lock);
    if (job)
        post(worker, event_new(EVENT_CANCELLED, number));
    job_free(job);
}

void worker_retarget(struct worker *worker, int token, int32_t id)
{
    pthread_mutex_lock(&worker->lock);
    worker->retarget = true;
    worker->retarget_token = token;
    worker->retarget_id = id;
    pthread_cond_signal(&worker->wake);
    pthread_mutex_unlock(&worker->lock);
}

bool worker_inquire(struct worker *worker, const struct inquiry *inquiry)
{
    struct proof proof;
    struct pairs pairs;
    fake_answer(&(struct fake_ground){0}, inquiry, 0, &proof, &pairs);
    proof.answer.steps_total = pairs.answer.steps_total = 0;
    post_answer(worker, worker->number, inquiry, &proof, &pairs);
    pthread_mutex_lock(&worker->lock);
    worker->inquiry = *inquiry;
    worker->inquire = true;
    pthread_cond_signal(&worker->wake);
    pthread_mutex_unlock(&worker->lock);
    return true;
}

bool worker_next(struct worker *worker, struct explanation *explanation, enum event_kind *kind)
{
    uint64_t count;
    pthread_mutex_lock(&worker->lock);
    struct event *event = worker->head;
    if (event && !(worker->head = event->next)) {
        worker->tail = &worker->head;
        if (read(worker->fd, &count, sizeof count) != sizeof count)
            abort();
    }
    pthread_mutex_unlock(&worker->lock);
    if (!event)
        return false;
    *kind = event->kind;
    explanation_apply(explanation, event);
    return true;
}
