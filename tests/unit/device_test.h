/* device_test.h: what the tests of a device share.
 *
 * A test knows device.h only, so every device passes the same ones: `test_device_NAME DEVICE` tests that device,
 * without an argument every level of the CPU device's kernels is tested, in a wide and in an ordinary stream, and its
 * level "avx2" once more with oneDNN's kernels of that level, as on a processor that has no other. */
#ifndef TESTS_UNIT_DEVICE_TEST_H
#define TESTS_UNIT_DEVICE_TEST_H

#include <stdint.h>
#include <sys/wait.h>
#include <unistd.h>

#include "gpu/device.h"
#include "gpu/host/host.h"
#include "tests/test.h"

#ifndef TEST_DEVICE
#define TEST_DEVICE NULL
#endif

/* A stream under test, and the device memory that a case has taken. */
struct bench {
    struct device *device;
    const struct device_ops *ops;
    struct stream *stream;
    const char *name;
    void *memory[64];
    int count;
};

/* -- numbers ------------------------------------------------------------------------------------------------------- */

static uint64_t random_state = 88172645463325252ull;

static inline uint32_t random_bits(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return (uint32_t)(random_state >> 32);
}

/* Uniform in [-size, size). */
static inline float random_float(float size)
{
    return size * ((float)(random_bits() >> 8) / (float)(1 << 23) - 1.0f);
}

/* n of them in host memory, freed by the caller. */
static inline float *random_floats(size_t n, float size)
{
    float *x = malloc((n ? n : 1) * sizeof *x);
    for (size_t i = 0; i < n; i++)
        x[i] = random_float(size);
    return x;
}

/* The greatest |got - want| / (1 + |want|); infinite where one is not finite and they differ. */
static inline double worst(const float *got, const double *want, size_t n)
{
    double most = 0;
    for (size_t i = 0; i < n; i++) {
        double error = fabs((double)got[i] - want[i]) / (1 + fabs(want[i]));
        if (!(error <= most))
            most = error == error ? error : INFINITY;
    }
    return most;
}

static inline bool all_zero(const float *x, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (x[i] != 0.0f)
            return false;
    return true;
}

/* -- device memory ------------------------------------------------------------------------------------------------- */

static inline void *bench_room(struct bench *b, size_t bytes)
{
    void *memory = b->ops->alloc(b->device, bytes, NULL);
    if (!memory || b->count == (int)(sizeof b->memory / sizeof *b->memory)) {
        printf("no device memory\n");
        exit(1);
    }
    return b->memory[b->count++] = memory;
}

/* n floats, or int32_t, from the host to the device; freed by bench_clear() */
static inline void *bench_put(struct bench *b, const void *host, size_t n)
{
    void *memory = bench_room(b, n * 4);
    b->ops->upload(b->stream, host, n * 4, memory);
    return memory;
}

/* An output of n floats, filled with NaN so that what is not written shows. */
static inline float *bench_output(struct bench *b, size_t n)
{
    float *host = malloc((n ? n : 1) * sizeof *host);
    for (size_t i = 0; i < n; i++)
        host[i] = NAN;
    float *memory = bench_put(b, host, n);
    free(host);
    return memory;
}

/* Back to the host, freed by the caller. */
static inline float *bench_get(struct bench *b, const float *memory, size_t n)
{
    float *host = malloc((n ? n : 1) * sizeof *host);
    b->ops->download(b->stream, memory, n * sizeof *host, host);
    return host;
}

static inline void bench_clear(struct bench *b)
{
    struct error error = {0};
    CHECK(b->ops->stream_finish(b->stream, &error) == 0, "%s: %s", b->name, error.message);
    while (b->count)
        b->ops->free(b->device, b->memory[--b->count]);
}

/* -- devices ------------------------------------------------------------------------------------------------------- */

static inline void bench_device(struct device *device, const char *name, void (*test)(struct bench *))
{
    bool alike = !strcmp(device->ops->info(device)->kind, "cuda"); /* every stream of a card has all of it */
    for (int wide = alike; wide < 2; wide++) {
        char full[64];
        snprintf(full, sizeof full, "%s, %s stream", name, wide ? "wide" : "ordinary");
        struct bench b = {.device = device, .ops = device->ops, .name = full};
        struct error error = {0};
        CHECK(b.ops->stream_new(device, wide, &b.stream, &error) == 0, "%s", error.message);
        if (!b.stream)
            continue;
        test(&b);
        bench_clear(&b);
        b.ops->stream_free(b.stream);
    }
    device->ops->close(device);
}

/* One level of the CPU device's kernels. */
static inline void bench_level(const char *level, void (*test)(struct bench *))
{
    struct device *device;
    struct error error = {0};
    if (host_open(3, level, &device, &error)) {
        SKIP("%s", error.message);
        return;
    }
    if (!strcmp(level, "generic")) /* as with a model that does not fit: weights are expanded tile by tile */
        ((struct host_device *)device)->keep_limit = 0;
    bench_device(device, level, test);
}

/* A process of its own, which must be made before oneDNN has looked at the processor. */
static inline void bench_avx2_only(void (*test)(struct bench *))
{
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        setenv("DNNL_MAX_CPU_ISA", "AVX2", true);
        bench_level("avx2", test);
        exit(test_end());
    }
    int status = -1;
    CHECK(child > 0 && waitpid(child, &status, 0) == child && WIFEXITED(status) &&
              (WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == 77),
          "oneDNN kept to AVX2: status %d", status);
}

/* Run a test on the devices that the command line asks for; returns the exit status. */
static inline int bench_main(int argc, char **argv, void (*test)(struct bench *))
{
    static const char *const levels[] = {"generic", "avx2", "avx512", "vnni"};
    struct device *device;
    struct error error = {0};
    const char *name = argc > 1 ? argv[1] : TEST_DEVICE;
    if (name) {
        if (device_open(&(struct device_options){.name = name}, &device, &error) == 0)
            bench_device(device, name, test);
        else if (error.code == ERROR_DEVICE)
            SKIP("%s", error.message);
        else
            CHECK(false, "%s", error.message);
        return test_end();
    }
    bench_avx2_only(test);
    for (int i = 0; i < 4; i++)
        bench_level(levels[i], test);
    return test_end();
}

#endif
