/* Several devices as one: every stream computes the same bits wherever it lives, the whole's memory is seen by all and
 * renewed where it was written, and each member does its share.  On three CPU devices, or on three emulated cards. */
#include "tests/unit/device_test.h"

#include <pthread.h>

#include "gpu/several.h"
#ifdef TEST_CARDS
#include <cuda_runtime_api.h>
#endif

enum {
    MEMBERS = 3,
    STREAMS = 6,
    WIDTH = 64,
    HIDDEN = 96,
    POSITIONS = 37,
    PROBES = 2,
    ROWS = 2 * POSITIONS,
    VOCABULARY = 130
};

static struct device *whole;
static const struct device_ops *ops;

/* The baseline and all else that every stream reads; the whole's memory. */
struct shared {
    float *base, *output, *norm, *cosine, *factor;
    int32_t *position;
    struct weight *up, *down, *head;
    float *numbers; /* theirs */
    float *change; /* [STREAMS, ROWS, WIDTH]: what the streams leave there */
};

struct job {
    const struct shared *shared;
    struct stream *stream;
    pthread_t thread;
    int number, code;
    float dx[ROWS * WIDTH];
    double dlse[ROWS], dlogit[ROWS];
};

static struct device *open_whole(void)
{
    struct device *device = NULL;
    struct error error = {0};
#ifdef TEST_CARDS
    emulation_set_cards(TEST_CARDS);
    CHECK(device_open(&(struct device_options){.name = "cuda:all"}, &device, &error) == 0, "%s", error.message);
#else
    struct device *member[MEMBERS];
    for (int i = 0; i < MEMBERS; i++)
        CHECK(host_open(2, NULL, &member[i], &error) == 0, "%s", error.message);
    CHECK(several_open(member, MEMBERS, &device, &error) == 0, "%s", error.message);
#endif
    return device;
}

static void *put(struct stream *s, const void *host, size_t bytes)
{
    void *memory = ops->alloc(whole, bytes, NULL);
    ops->upload(s, host, bytes, memory);
    return memory;
}

static struct weight *weight(int rows, int columns, const float *data)
{
    struct weight *w = NULL;
    struct error error = {0};
    CHECK(ops->weight_new(whole, DTYPE_F32, rows, columns, data, &w, &error) == 0, "%s", error.message);
    return w;
}

static void shared_write_base(struct shared *shared, struct stream *s, float size)
{
    float *base = random_floats((size_t)POSITIONS * HIDDEN, size);
    struct attention a = {.heads = 4, .kv_heads = 2, .head_dim = 16, .scale = 0.25f, .positions = POSITIONS,
                          .key = shared->base, .value = shared->base + 32, .suppression = SUPPRESS_ROW_MIN_CAUSAL};
    ops->upload(s, base, (size_t)POSITIONS * HIDDEN * sizeof *base, shared->base);
    ops->attend(s, &a, NULL, 0, shared->base, POSITIONS, shared->output);
    CHECK(ops->stream_finish(s, NULL) == 0, "the baseline");
    free(base);
}

static void shared_new(struct shared *shared, struct stream *s)
{
    float *numbers = random_floats((size_t)POSITIONS * HIDDEN, 1), factor[PROBES * POSITIONS];
    int32_t position[ROWS];
    for (int i = 0; i < PROBES * POSITIONS; i++)
        factor[i] = i % 5 ? 1 : 0.1f;
    for (int i = 0; i < ROWS; i++)
        position[i] = i % POSITIONS;
    shared->base = put(s, numbers, (size_t)POSITIONS * HIDDEN * sizeof *numbers);
    shared->output = put(s, numbers, (size_t)POSITIONS * WIDTH * sizeof *numbers);
    shared->norm = put(s, numbers, WIDTH * sizeof *numbers);
    shared->cosine = put(s, numbers, (size_t)POSITIONS * 8 * sizeof *numbers);
    shared->factor = put(s, factor, sizeof factor);
    shared->position = put(s, position, sizeof position);
    shared->change = ops->alloc(whole, (size_t)STREAMS * ROWS * WIDTH * sizeof(float), NULL);
    shared->numbers = random_floats((size_t)VOCABULARY * HIDDEN, 0.2f);
    shared->up = weight(HIDDEN, WIDTH, shared->numbers);
    shared->down = weight(WIDTH, HIDDEN, shared->numbers);
    shared->head = weight(VOCABULARY, WIDTH, shared->numbers);
    free(numbers);
}

static void shared_free(struct shared *shared)
{
    void *memory[] = {shared->base,   shared->output,   shared->norm,  shared->cosine,
                      shared->factor, shared->position, shared->change};
    for (size_t i = 0; i < sizeof memory / sizeof *memory; i++)
        ops->free(whole, memory[i]);
    ops->weight_free(whole, shared->up);
    ops->weight_free(whole, shared->down);
    ops->weight_free(whole, shared->head);
    free(shared->numbers);
}

/* Every operation of a probe, with its own memory beside it; what comes out is left in the whole's memory too. */
static void *run_job(void *argument)
{
    static const double lse[1] = {6};
    static const int32_t target[ROWS], wanted[1] = {7};
    struct job *job = argument;
    const struct shared *x = job->shared;
    struct stream *s = job->stream;
    struct device *near = ops->stream_device(s);
    struct norm norm = {NORM_RMS, 1, WIDTH, 1e-5f, x->norm, x->norm};
    struct rope rope = {.heads = 4, .head_dim = 16, .pairs = 8, .cos = x->cosine, .sin = x->cosine};
    struct head head = {x->head, x->norm, VOCABULARY > WIDTH ? WIDTH : VOCABULARY, WIDTH, 1, 0};
    struct attention a = {.heads = 4, .kv_heads = 2, .head_dim = 16, .scale = 0.25f, .positions = POSITIONS,
                          .key = x->base, .value = x->base + 32, .suppression = SUPPRESS_ROW_MIN_CAUSAL};
    struct probe_span span[PROBES] = {{0, 0, POSITIONS, 0, 0}, {POSITIONS, 0, POSITIONS, 0, 0}};
    float *dx = near->ops->alloc(near, ROWS * WIDTH * sizeof *dx, NULL);
    float *dh = near->ops->alloc(near, ROWS * HIDDEN * sizeof *dh, NULL);
    float *du = near->ops->alloc(near, ROWS * HIDDEN * sizeof *du, NULL);
    float *change = x->change + (size_t)job->number * ROWS * WIDTH;
    ops->attend_delta(s, &a, PROBES, span, x->factor, x->base, x->output, NULL, NULL, NULL, dx);
    ops->rope(s, &rope, x->position, ROWS, dx);
    ops->norm_delta(s, &norm, x->base, x->position, dx, ROWS, dx);
    ops->linear_delta(s, x->up, PRECISION_F32, dx, ROWS, dh);
    ops->copy(s, dh, ROWS * HIDDEN * sizeof *dh, du);
    ops->gate_delta(s, ACTIVATION_SILU, x->base, x->base, x->position, dh, du, ROWS, HIDDEN, dh);
    ops->linear_delta(s, x->down, PRECISION_INT8, dh, ROWS, dx);
    ops->add(s, x->base, 0.5f, WIDTH, dx);
    ops->gather(s, x->base, target, 1, WIDTH, dh);
    ops->copy(s, dh, WIDTH * sizeof *dh, dx + WIDTH);
    ops->copy(s, x->output, WIDTH * sizeof *dh, dx + 2 * WIDTH);
    ops->pack(s, PRECISION_INT8, x->base, 2, WIDTH, du);
    ops->unpack(s, PRECISION_INT8, du, 2, WIDTH, dx + 3 * WIDTH);
    ops->lse_delta(s, &head, PRECISION_F32, x->base, 1, lse, dx, target, ROWS, job->dlse);
    ops->logit_delta(s, &head, x->base, dx, target, ROWS, wanted, 1, job->dlogit);
    ops->copy(s, dx, ROWS * WIDTH * sizeof *dx, change);
    job->code = ops->stream_finish(s, NULL);
    near->ops->free(near, dx);
    near->ops->free(near, dh);
    near->ops->free(near, du);
    return NULL;
}

/* All streams at once, then a wide one, against which they are compared. */
static void run_all(struct shared *shared, struct job *jobs, struct stream *wide, const char *when)
{
    static struct job reference;
    for (int i = 0; i < STREAMS; i++)
        CHECK(pthread_create(&jobs[i].thread, NULL, run_job, &jobs[i]) == 0, "no thread");
    for (int i = 0; i < STREAMS; i++)
        pthread_join(jobs[i].thread, NULL);
    for (int i = 0; i < STREAMS; i++) {
        CHECK(jobs[i].code == 0, "%s: stream %d: %d", when, i, jobs[i].code);
        ops->download(wide, shared->change + (size_t)i * ROWS * WIDTH, sizeof jobs[i].dx, jobs[i].dx);
    }
    reference = (struct job){.shared = shared, .stream = wide};
    run_job(&reference);
    ops->download(wide, shared->change, sizeof reference.dx, reference.dx);
    CHECK(reference.code == 0 && ops->stream_finish(wide, NULL) == 0, "%s: the wide stream", when);
    CHECK(reference.dlse[0] != 0 && reference.dlogit[0] != 0, "%s: something changes", when);
    for (int i = 0; i < STREAMS; i++) {
        double most = 0;
        for (int k = 0; k < ROWS * WIDTH; k++)
            most = fmax(most, fabs((double)jobs[i].dx[k] - (double)reference.dx[k]));
        for (int k = 0; k < ROWS; k++)
            most = fmax(most,
                        fmax(fabs(jobs[i].dlse[k] - reference.dlse[k]), fabs(jobs[i].dlogit[k] - reference.dlogit[k])));
        CHECK(most < 1e-5, "%s: stream %d: off by %g", when, i, most);
    }
}

/* Between cards goes what the streams elsewhere leave behind, and once to each member what was written: nothing
 * else. */
static void check_travelled(bool written)
{
#ifdef TEST_CARDS
    static size_t before;
    static bool first = true;
    size_t now = emulation_peer_bytes(),
           results = (size_t)STREAMS * ROWS * WIDTH * sizeof(float) / MEMBERS * (MEMBERS - 1);
    size_t baseline = (MEMBERS - 1) * ((size_t)POSITIONS * HIDDEN + (size_t)POSITIONS * WIDTH) * sizeof(float);
    size_t rest = (MEMBERS - 1) * ((size_t)WIDTH + POSITIONS * 8 + PROBES * POSITIONS + ROWS) * sizeof(float);
    size_t want = results + (written ? baseline : 0) + (first ? rest : 0);
    CHECK(now - before == want, "%zu bytes went from card to card, not %zu", now - before, want);
    before = now;
    first = false;
#else
    (void)written;
#endif
}

static void test_alike(void)
{
    static struct job jobs[STREAMS];
    struct shared shared = {0};
    struct stream *wide = NULL;
    struct error error = {0};
    CHECK(ops->stream_new(whole, true, &wide, &error) == 0, "%s", error.message);
    shared_new(&shared, wide);
    shared_write_base(&shared, wide, 1);
    int share[STREAMS] = {0};
    for (int i = 0; i < STREAMS; i++) {
        jobs[i] = (struct job){.shared = &shared, .number = i};
        CHECK(ops->stream_new(whole, false, &jobs[i].stream, &error) == 0, "%s", error.message);
        int first = 0;
        while (ops->stream_device(jobs[first].stream) != ops->stream_device(jobs[i].stream))
            first++;
        share[first]++;
    }
    for (int i = 0; i < MEMBERS; i++)
        CHECK(share[i] == STREAMS / MEMBERS, "member %d has %d streams", i, share[i]);
    run_all(&shared, jobs, wide, "at first");
    check_travelled(true);
    run_all(&shared, jobs, wide, "unchanged");
    check_travelled(false);
    shared_write_base(&shared, wide, 2);
    run_all(&shared, jobs, wide, "written anew");
    check_travelled(true);

    /* a stream elsewhere may not compute into the whole's memory, and lives on when it has tried */
    ops->add(jobs[1].stream, shared.norm, 1, WIDTH, shared.base);
    CHECK(ops->stream_finish(jobs[1].stream, &error) == ERROR_DEVICE && strstr(error.message, "memory"), "%s",
          error.message);
    run_all(&shared, jobs, wide, "after a refusal");
    for (int i = 0; i < STREAMS; i++)
        ops->stream_free(jobs[i].stream);
    ops->stream_free(wide);
    shared_free(&shared);
}

static void test_info(void)
{
    const struct device_info *info = ops->info(whole);
    struct error error = {0};
    CHECK(strstr(info->name, "3 x "), "%s", info->name);
    CHECK(info->streams >= MEMBERS && info->batch_rows > 0 && info->precision[PRECISION_F32], "%d streams",
          info->streams);
    CHECK(ops->memory(whole) > 0, "no memory");
#ifdef TEST_CARDS /* AddressSanitizer does not let the CPU's memory be asked for so much */
    CHECK(!ops->alloc(whole, (size_t)1 << 60, &error) && error.code == ERROR_MEMORY, "%s", error.message);
#endif
    ops->free(whole, NULL);
    ops->weight_free(whole, NULL);
    ops->stream_free(NULL);
    struct device *none = whole;
    CHECK(several_open(&none, 0, &none, &error) == ERROR_ARGUMENT && !none, "%s", error.message);
}

int main(void)
{
    if (!(whole = open_whole()))
        return test_end();
    ops = whole->ops;
    test_info();
    test_alike();
    ops->close(whole);
    return test_end();
}
