/* bench_device.c: how fast a device is at what a probe engine asks of it, at the shapes of a model of 135 million
 * weights.
 *
 * `bench_device [DEVICE [THREADS [NAME]]]` prints a line for each operation (those whose name begins so): in one wide
 * stream, and in as many ordinary streams as the device likes, side by side.  "a core" is the work by seconds of
 * processor time, which tells more on a busy machine.  No test: it only measures. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "gpu/device.h"

enum {
    WIDTH = 576, HIDDEN = 1536, HEADS = 9, KV_HEADS = 3, HEAD_DIM = 64, VOCABULARY = 49152,
    POSITIONS = 256, PROBES = 8, ROWS = PROBES * POSITIONS / 2, TARGET_ROWS = 128, MOST_STREAMS = 256,
};

/* What the operations work on; every stream has its own memory but for the weights and the baseline. */
struct model {
    struct device *device;
    const struct device_ops *ops;
    struct weight *down, *up, *head, *packed;
    float *base, *key, *value, *output, *factor, *norm;
    struct attention attention;
};

struct task {
    const struct model *model;
    struct stream *stream;
    void (*operation)(struct task *);
    int times;
    float *x, *y, *z;
    int32_t *position;
    struct probe_span span[PROBES];
    pthread_t thread;
    bool failed;
};

static double now(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void stop(const char *what)
{
    fprintf(stderr, "bench_device: %s\n", what);
    exit(1);
}

static float *floats(const struct model *m, struct stream *stream, size_t n, float size)
{
    float *host = malloc(n * sizeof *host), *memory = m->ops->alloc(m->device, n * sizeof *host, NULL);
    if (!host || !memory)
        stop("no memory");
    for (size_t i = 0; i < n; i++)
        host[i] = size * ((float)(i * 2654435761u % 1009) / 504.5f - 1.0f);
    m->ops->upload(stream, host, n * sizeof *host, memory);
    free(host);
    return memory;
}

static struct weight *weight(const struct model *m, uint32_t type, int rows, int columns)
{
    const struct dtype_info *info = dtype_info(type);
    size_t bytes = (size_t)rows * columns / info->block * info->bytes;
    uint8_t *data = malloc(bytes); /* kept until the program ends */
    struct weight *w;
    struct error error;
    if (!data)
        stop("no memory");
    for (size_t i = 0; i < bytes; i++)
        data[i] = (uint8_t)(i * 40503 >> 7 & 0x3b);
    if (m->ops->weight_new(m->device, type, rows, columns, data, &w, &error))
        stop(error.message);
    return w;
}

/* -- operations ---------------------------------------------------------------------------------------------------- */

static void run_up(struct task *t)
{
    t->model->ops->linear_delta(t->stream, t->model->up, PRECISION_F32, t->x, ROWS, t->y);
}

static void run_down(struct task *t)
{
    t->model->ops->linear_delta(t->stream, t->model->down, PRECISION_F32, t->y, ROWS, t->x);
}

static void run_up_int8(struct task *t)
{
    t->model->ops->linear_delta(t->stream, t->model->up, PRECISION_INT8, t->x, ROWS, t->y);
}

static void run_down_int8(struct task *t)
{
    t->model->ops->linear_delta(t->stream, t->model->down, PRECISION_INT8, t->y, ROWS, t->x);
}

static void run_feed_int8(struct task *t)
{
    const struct model *m = t->model;
    const struct feed feed = {NULL, NULL, ACTIVATION_SILU, m->up, m->up, m->down, m->base, m->output, false};
    if (m->ops->feed_delta)
        m->ops->feed_delta(t->stream, &feed, PRECISION_INT8, t->position, t->x, ROWS, t->z);
}

static void run_attend(struct task *t)
{
    const struct model *m = t->model;
    m->ops->attend_delta(t->stream, &m->attention, PROBES, t->span, m->factor, m->base, m->output, t->x, t->z, t->z,
                         t->y);
}

static void run_gate(struct task *t)
{
    const struct model *m = t->model;
    m->ops->gate_delta(t->stream, ACTIVATION_SILU, m->base, m->base, t->position, t->y, t->y, ROWS, HIDDEN, t->z);
}

static void run_norm(struct task *t)
{
    struct norm norm = {NORM_RMS, 1, WIDTH, 1e-5f, t->model->norm, NULL};
    t->model->ops->norm_delta(t->stream, &norm, t->model->base, t->position, t->x, ROWS, t->y);
}

/* Keys or values: rows are narrow there. */
static void run_pack(struct task *t)
{
    t->model->ops->pack(t->stream, PRECISION_INT8, t->x, ROWS, KV_HEADS * HEAD_DIM, t->z);
}

static void run_unpack(struct task *t)
{
    t->model->ops->unpack(t->stream, PRECISION_INT8, t->z, ROWS, KV_HEADS * HEAD_DIM, t->y);
}

static void run_pack_bf16(struct task *t)
{
    t->model->ops->pack(t->stream, PRECISION_BF16, t->x, ROWS, KV_HEADS * HEAD_DIM, t->z);
}

static void run_unpack_bf16(struct task *t)
{
    t->model->ops->unpack(t->stream, PRECISION_BF16, t->z, ROWS, KV_HEADS * HEAD_DIM, t->y);
}

static void run_lse(struct task *t)
{
    static const double lse[1] = {11};
    static const int32_t target[TARGET_ROWS];
    static double out[TARGET_ROWS]; /* filled when the stream is finished */
    struct head head = {t->model->head, NULL, VOCABULARY, WIDTH, 1, 0};
    t->model->ops->lse_delta(t->stream, &head, PRECISION_F32, t->model->base, 1, lse, t->x, target, TARGET_ROWS, out);
}

static void run_vector(struct task *t)
{
    t->model->ops->linear(t->stream, t->model->head, NULL, t->x, 1, t->z);
}

static void run_packed(struct task *t)
{
    t->model->ops->linear(t->stream, t->model->packed, NULL, t->x, 1, t->z);
}

static const struct operation {
    const char *name;
    void (*run)(struct task *);
    double amount; /* of work, in `unit` times 10^9 */
    const char *unit;
    bool ordinary; /* measured in ordinary streams too */
} operations[] = {
    {"linear_delta 1024 x 576 x 1536", run_up, 2e-9 * ROWS * WIDTH * HIDDEN, "GFLOP/s", true},
    {"linear_delta 1024 x 1536 x 576", run_down, 2e-9 * ROWS * WIDTH * HIDDEN, "GFLOP/s", true},
    {"the same in int8, x 576 x 1536", run_up_int8, 2e-9 * ROWS * WIDTH * HIDDEN, "GFLOP/s", true},
    {"the same in int8, x 1536 x 576", run_down_int8, 2e-9 * ROWS * WIDTH * HIDDEN, "GFLOP/s", true},
    {"feed_delta in int8, x 576 x 1536 x 3", run_feed_int8, 6e-9 * ROWS * WIDTH * HIDDEN, "GFLOP/s", true},
    {"attend_delta 8 probes of 128 / 256", run_attend, 4e-9 * HEADS * HEAD_DIM * PROBES * POSITIONS * POSITIONS * 3 / 8,
     "GFLOP/s", true},
    {"gate_delta 1024 x 1536", run_gate, 1e-9 * ROWS * HIDDEN, "G elements/s", true},
    {"norm_delta 1024 x 576", run_norm, 1e-9 * ROWS * WIDTH, "G elements/s", true},
    {"pack 1024 x 192 in 8 bits", run_pack, 1e-9 * ROWS * KV_HEADS * HEAD_DIM, "G elements/s", true},
    {"unpack 1024 x 192 in 8 bits", run_unpack, 1e-9 * ROWS * KV_HEADS * HEAD_DIM, "G elements/s", true},
    {"pack 1024 x 192 in bf16", run_pack_bf16, 1e-9 * ROWS * KV_HEADS * HEAD_DIM, "G elements/s", true},
    {"unpack 1024 x 192 in bf16", run_unpack_bf16, 1e-9 * ROWS * KV_HEADS * HEAD_DIM, "G elements/s", true},
    {"lse_delta 128 x 576 x 49152", run_lse, 2e-9 * TARGET_ROWS * WIDTH * VOCABULARY, "GFLOP/s", true},
    {"linear 1 x 576 x 49152, Q8_0", run_vector, 1e-9 * WIDTH * VOCABULARY / 32 * 34, "GB/s stored", false},
    {"linear 1 x 576 x 49152, Q4_1", run_packed, 1e-9 * WIDTH * VOCABULARY / 32 * 20, "GB/s stored", false},
};

/* -- measuring ----------------------------------------------------------------------------------------------------- */

static void task_start(struct task *t, const struct model *m, bool wide)
{
    struct error error;
    t->model = m;
    if (m->ops->stream_new(m->device, wide, &t->stream, &error))
        stop(error.message);
    t->x = floats(m, t->stream, (size_t)ROWS * HIDDEN, 0.1f);
    t->y = floats(m, t->stream, (size_t)ROWS * HIDDEN, 0.1f);
    t->z = floats(m, t->stream, (size_t)ROWS * HIDDEN, 0.1f);
    int32_t position[ROWS];
    for (int i = 0, row = 0; i < PROBES; i++) {
        t->span[i] = (struct probe_span){row, POSITIONS / 2, POSITIONS / 2, row, POSITIONS / 2};
        for (int p = POSITIONS / 2; p < POSITIONS; p++)
            position[row++] = p;
    }
    t->position = m->ops->alloc(m->device, sizeof position, NULL);
    m->ops->upload(t->stream, position, sizeof position, t->position);
}

static void task_end(struct task *t)
{
    t->model->ops->free(t->model->device, t->x);
    t->model->ops->free(t->model->device, t->y);
    t->model->ops->free(t->model->device, t->z);
    t->model->ops->free(t->model->device, t->position);
    t->model->ops->stream_free(t->stream);
}

static void *task_run(void *argument)
{
    struct task *t = argument;
    for (int i = 0; i < t->times; i++)
        t->operation(t);
    t->failed = t->model->ops->stream_finish(t->stream, NULL) != 0;
    return NULL;
}

struct seconds {
    double wall, processor; /* of all threads */
};

/* What a run of the operation takes, in `count` streams side by side. */
static struct seconds measure(struct task *tasks, int count, void (*run)(struct task *), int times)
{
    double start = now(CLOCK_MONOTONIC), start_processor = now(CLOCK_PROCESS_CPUTIME_ID);
    for (int i = 0; i < count; i++) {
        tasks[i].operation = run;
        tasks[i].times = times;
        if (pthread_create(&tasks[i].thread, NULL, task_run, &tasks[i]))
            stop("no thread");
    }
    for (int i = 0; i < count; i++) {
        pthread_join(tasks[i].thread, NULL);
        if (tasks[i].failed)
            stop("an operation failed");
    }
    return (struct seconds){(now(CLOCK_MONOTONIC) - start) / times,
                            (now(CLOCK_PROCESS_CPUTIME_ID) - start_processor) / times};
}

static void report(const struct operation *operation, struct task *tasks, int count)
{
    measure(tasks, count, operation->run, 1); /* memory is touched, weights expanded */
    double once = measure(tasks, count, operation->run, 1).wall;
    int times = once > 0.5 ? 1 : once < 1e-5 ? 20000 : (int)(0.5 / once) + 1;
    struct seconds seconds = measure(tasks, count, operation->run, times);
    printf("%-36s %3d stream%s %9.3f ms %9.2f, %8.2f a core: %s\n", operation->name, count, count > 1 ? "s" : " ",
           1e3 * seconds.wall, operation->amount * count / seconds.wall, operation->amount * count / seconds.processor,
           operation->unit);
}

static void model_start(struct model *m, struct stream *stream)
{
    m->up = weight(m, DTYPE_Q8_0, HIDDEN, WIDTH);
    m->down = weight(m, DTYPE_Q8_0, WIDTH, HIDDEN);
    m->head = weight(m, DTYPE_Q8_0, VOCABULARY, WIDTH);
    m->packed = weight(m, DTYPE_Q4_1, VOCABULARY, WIDTH);
    m->base = floats(m, stream, (size_t)POSITIONS * HIDDEN, 1);
    m->output = floats(m, stream, (size_t)POSITIONS * HIDDEN, 1);
    m->key = floats(m, stream, (size_t)POSITIONS * KV_HEADS * HEAD_DIM, 1);
    m->value = floats(m, stream, (size_t)POSITIONS * KV_HEADS * HEAD_DIM, 1);
    m->factor = floats(m, stream, (size_t)POSITIONS * PROBES, 1);
    m->norm = floats(m, stream, WIDTH, 1);
    m->attention = (struct attention){.heads = HEADS, .kv_heads = KV_HEADS, .head_dim = HEAD_DIM, .scale = 0.125f,
                                      .positions = POSITIONS, .key = m->key, .value = m->value,
                                      .suppression = SUPPRESS_ROW_MIN_CAUSAL};
}

int main(int argc, char **argv)
{
    static struct task wide, ordinary[MOST_STREAMS];
    struct device_options options = {.name = argc > 1 ? argv[1] : "auto", .threads = argc > 2 ? atoi(argv[2]) : 0};
    struct model m;
    struct error error;
    if (device_open(&options, &m.device, &error))
        stop(error.message);
    m.ops = m.device->ops;
    const struct device_info *info = m.ops->info(m.device);
    int streams = info->streams < MOST_STREAMS ? info->streams : MOST_STREAMS;
    printf("%s: %s, %d threads, %d streams\n", info->kind, info->name, info->threads, streams);
    task_start(&wide, &m, true);
    model_start(&m, wide.stream);
    for (int i = 0; i < streams; i++)
        task_start(&ordinary[i], &m, false);

    for (size_t i = 0; i < sizeof operations / sizeof *operations; i++) {
        if (argc > 3 && strncmp(operations[i].name, argv[3], strlen(argv[3])))
            continue;
        report(&operations[i], &wide, 1);
        if (operations[i].ordinary)
            report(&operations[i], ordinary, streams);
    }

    task_end(&wide);
    for (int i = 0; i < streams; i++)
        task_end(&ordinary[i]);
    return 0;
}
