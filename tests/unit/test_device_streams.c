/* Streams of a device: several at once, wide and ordinary, give what one alone gives; marks; devices by name. */
#include "tests/unit/device_test.h"

#include <pthread.h>

enum {
    THREADS = 4,
    TIMES = 5,
    WIDTH = 96,
    HIDDEN = 160,
    POSITIONS = 70,
    PROBES = 2,
    ROWS = 2 * POSITIONS,
    VOCABULARY = 600
};

/* What all threads share: weights that are expanded when the first of them comes, and the baseline. */
struct shared {
    struct device *device;
    const struct device_ops *ops;
    struct weight *up, *down, *head;
    float *base, *factor, *output, *norm;
    int32_t *position;
    struct attention attention;
    struct probe_span span[PROBES];
};

struct job {
    const struct shared *shared;
    pthread_t thread;
    bool wide;
    float dx[ROWS * WIDTH];
    double dlse[ROWS];
    int code;
};

/* A small layer and the head, over and over. */
static void *run_job(void *argument)
{
    static const double lse[1] = {6};
    static const int32_t target[ROWS];
    struct job *job = argument;
    const struct shared *s = job->shared;
    const struct device_ops *ops = s->ops;
    struct stream *stream;
    if ((job->code = ops->stream_new(s->device, job->wide, &stream, NULL)))
        return NULL;
    float *dx = ops->alloc(s->device, ROWS * WIDTH * sizeof *dx, NULL);
    float *dh = ops->alloc(s->device, ROWS * HIDDEN * sizeof *dh, NULL);
    struct norm norm = {NORM_RMS, 1, WIDTH, 1e-5f, s->norm, NULL};
    struct head head = {s->head, NULL, VOCABULARY, WIDTH, 1, 0};
    for (int i = 0; i < TIMES; i++) {
        ops->attend_delta(stream, &s->attention, PROBES, s->span, s->factor, s->base, s->output, NULL, NULL, NULL, dx);
        ops->norm_delta(stream, &norm, s->base, s->position, dx, ROWS, dx);
        ops->linear_delta(stream, s->up, PRECISION_F32, dx, ROWS, dh);
        ops->gate_delta(stream, ACTIVATION_SILU, s->base, NULL, s->position, dh, NULL, ROWS, HIDDEN, dh);
        ops->linear_delta(stream, s->down, PRECISION_F32, dh, ROWS, dx);
        ops->lse_delta(stream, &head, PRECISION_F32, s->base, 1, lse, dx, target, ROWS, job->dlse);
    }
    ops->download(stream, dx, sizeof job->dx, job->dx);
    job->code = ops->stream_finish(stream, NULL);
    ops->free(s->device, dx);
    ops->free(s->device, dh);
    ops->stream_free(stream);
    return NULL;
}

static double difference(const struct job *a, const struct job *b)
{
    double most = 0;
    for (int i = 0; i < ROWS * WIDTH; i++)
        most = fmax(most, fabs((double)a->dx[i] - (double)b->dx[i]));
    for (int i = 0; i < ROWS; i++)
        most = fmax(most, fabs(a->dlse[i] - b->dlse[i]));
    return most;
}

static struct weight *q8_weight(struct device *device, int rows, uint8_t *data, struct error *error)
{
    struct weight *w = NULL;
    CHECK(device->ops->weight_new(device, DTYPE_Q8_0, rows, rows == HIDDEN || rows == VOCABULARY ? WIDTH : HIDDEN, data,
                                  &w, error) == 0,
          "%s", error->message);
    return w;
}

/* Side by side, each gives exactly what it gives alone. */
static void check_side_by_side(struct bench *b, uint8_t *data)
{
    static struct job alone[2], jobs[THREADS];
    struct error error = {0};
    struct shared s = {.device = b->device, .ops = b->ops};
    float *base = random_floats((size_t)POSITIONS * HIDDEN, 1), factor[PROBES * POSITIONS];
    int32_t position[ROWS];
    for (int i = 0; i < PROBES * POSITIONS; i++)
        factor[i] = i % 9 ? 1 : 0.1f;
    for (int i = 0; i < ROWS; i++)
        position[i] = i % POSITIONS;
    s.up = q8_weight(b->device, HIDDEN, data, &error);
    s.down = q8_weight(b->device, WIDTH, data, &error);
    s.head = q8_weight(b->device, VOCABULARY, data, &error);
    s.base = bench_put(b, base, (size_t)POSITIONS * HIDDEN);
    s.norm = s.base;
    s.factor = bench_put(b, factor, PROBES * POSITIONS);
    s.position = bench_put(b, position, ROWS);
    s.output = bench_output(b, (size_t)POSITIONS * WIDTH);
    s.attention = (struct attention){.heads = 6, .kv_heads = 2, .head_dim = 16, .scale = 0.25f, .positions = POSITIONS,
                                     .key = s.base, .value = s.base + 16, .suppression = SUPPRESS_ROW_MIN_CAUSAL};
    for (int i = 0; i < PROBES; i++)
        s.span[i] = (struct probe_span){i * POSITIONS, 0, POSITIONS, 0, 0};
    b->ops->attend(b->stream, &s.attention, NULL, 0, s.base, POSITIONS, s.output);
    CHECK(b->ops->stream_finish(b->stream, &error) == 0, "%s", error.message);

    for (int i = 0; i < THREADS; i++) {
        jobs[i] = (struct job){.shared = &s, .wide = i % 2};
        CHECK(pthread_create(&jobs[i].thread, NULL, run_job, &jobs[i]) == 0, "no thread");
    }
    for (int i = 0; i < THREADS; i++)
        pthread_join(jobs[i].thread, NULL);
    for (int i = 0; i < 2; i++) {
        alone[i] = (struct job){.shared = &s, .wide = i};
        run_job(&alone[i]);
    }
    for (int i = 0; i < THREADS; i++) {
        CHECK(jobs[i].code == 0, "%s: job %d: %d", b->name, i, jobs[i].code);
        CHECK(difference(&jobs[i], &alone[i % 2]) == 0, "%s: job %d: %g", b->name, i,
              difference(&jobs[i], &alone[i % 2]));
    }
    CHECK(difference(&alone[0], &alone[1]) < 1e-3, "%s: wide against ordinary: %g", b->name,
          difference(&alone[0], &alone[1]));
    bench_clear(b);
    b->ops->weight_free(b->device, s.up);
    b->ops->weight_free(b->device, s.down);
    b->ops->weight_free(b->device, s.head);
    free(base);
}

static void check_names(void)
{
    struct device *device;
    struct error error = {0};
    CHECK(device_open(&(struct device_options){.name = "abacus"}, &device, &error) == ERROR_ARGUMENT && !device,
          "a name");
    CHECK(device_open(&(struct device_options){.name = "cpu", .threads = -1}, &device, &error) == ERROR_ARGUMENT,
          "threads");
    CHECK(device_open(&(struct device_options){.name = NULL, .threads = 2}, &device, &error) == 0, "%s", error.message);
    const struct device_info *info = device->ops->info(device);
    CHECK(info->threads == 2 || strcmp(info->kind, "cpu"), "%d threads", info->threads);
    CHECK(info->streams >= 1 && info->batch_rows >= 1 && info->precision[PRECISION_F32] && info->name[0], "info");
    device->ops->close(device);
}

static void test(struct bench *b)
{
    /* Q8_0 blocks: a half as scale, 2^-7, and 32 bytes */
    enum { BLOCKS = VOCABULARY * HIDDEN / 32 };
    uint8_t *data = malloc((size_t)BLOCKS * 34);
    for (int i = 0; i < BLOCKS * 34; i++)
        data[i] = i % 34 == 0 ? 0 : i % 34 == 1 ? 0x20 : (uint8_t)(random_bits() % 31 - 15);
    check_side_by_side(b, data);
    free(data);
}

int main(int argc, char **argv)
{
    if (argc == 1)
        check_names();
    return bench_main(argc, argv, test);
}
