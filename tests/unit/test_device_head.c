/* The output head of a device: logits, changes of the log-sum-exp and of single logits, against double precision. */
#include "tests/unit/device_test.h"

static const double tolerance = 1e-5;

/* A head in host memory; weight, h and dh hold f32 values. */
struct problem {
    struct head head; /* weight and bias are the device's */
    float *weight, *bias, *h, *dh;
    int32_t *target;
    int targets, rows;
};

static double capped(const struct head *head, double z)
{
    z /= (double)head->divisor;
    return head->softcap > 0 ? (double)head->softcap * tanh(z / (double)head->softcap) : z;
}

/* The raw logit of v: at the baseline, and of row r's change (r < 0: 0). */
static double raw(const struct problem *p, int v, int target, int r)
{
    double z = p->bias ? (double)p->bias[v] : 0;
    for (int i = 0; i < p->head.width; i++) {
        double x = (double)p->h[(size_t)target * p->head.width + i];
        if (r >= 0)
            x += (double)p->dh[(size_t)r * p->head.width + i];
        z += x * (double)p->weight[(size_t)v * p->head.width + i];
    }
    return z;
}

/* log(sum exp) over the vocabulary, less `shift`, in a way that keeps small differences. */
static double log_sum(const struct problem *p, int target, int r)
{
    double high = -INFINITY, sum = 0, *z = malloc((size_t)p->head.vocabulary * sizeof *z);
    for (int v = 0; v < p->head.vocabulary; v++) {
        z[v] = capped(&p->head, raw(p, v, target, r));
        high = z[v] > high ? z[v] : high;
    }
    for (int v = 0; v < p->head.vocabulary; v++)
        sum += exp(z[v] - high);
    free(z);
    return high + log(sum);
}

static void check_logits(struct bench *b, const struct problem *p, const float *h)
{
    size_t n = (size_t)p->targets * p->head.vocabulary;
    float *logits = bench_output(b, n);
    b->ops->logits(b->stream, &p->head, h, p->targets, logits);
    float *got = bench_get(b, logits, n);
    double *want = malloc(n * sizeof *want);
    for (int t = 0; t < p->targets; t++)
        for (int v = 0; v < p->head.vocabulary; v++)
            want[(size_t)t * p->head.vocabulary + v] = capped(&p->head, raw(p, v, t, -1));
    CHECK(worst(got, want, n) < tolerance, "%s: logits: %g", b->name, worst(got, want, n));
    free(got);
    free(want);
}

static void check_single(struct bench *b, const struct problem *p, const float *h, const float *dh)
{
    enum { N = 3 };
    int32_t *wanted = malloc((size_t)p->targets * N * sizeof *wanted);
    double *got = malloc((size_t)p->rows * N * sizeof *got), most = 0;
    for (int i = 0; i < p->targets * N; i++)
        wanted[i] = (int32_t)(random_bits() % (uint32_t)p->head.vocabulary);
    b->ops->logit_delta(b->stream, &p->head, h, dh, p->target, p->rows, wanted, N, got);
    CHECK(b->ops->stream_finish(b->stream, NULL) == 0, "%s: finish", b->name);
    for (int r = 0; r < p->rows; r++)
        for (int j = 0; j < N; j++) {
            int v = wanted[p->target[r] * N + j];
            double want = capped(&p->head, raw(p, v, p->target[r], r)) - capped(&p->head, raw(p, v, p->target[r], -1));
            double error = fabs(got[r * N + j] - want) / (1 + fabs(want));
            most = error <= most ? most : error;
        }
    CHECK(most < tolerance, "%s: logit_delta: %g", b->name, most);
    free(wanted);
    free(got);
}

static void check_sums(struct bench *b, const struct problem *p, const float *h, const float *dh, double size)
{
    double *lse = malloc((size_t)p->targets * sizeof *lse), *got = malloc((size_t)p->rows * sizeof *got), most = 0;
    for (int t = 0; t < p->targets; t++)
        lse[t] = log_sum(p, t, -1);
    b->ops->lse_delta(b->stream, &p->head, PRECISION_F32, h, p->targets, lse, dh, p->target, p->rows, got);
    CHECK(b->ops->stream_finish(b->stream, NULL) == 0, "%s: finish", b->name);
    for (int r = 0; r < p->rows && !strcmp(b->ops->info(b->device)->kind, "cpu"); r++) {
        double alone;
        b->ops->lse_delta(b->stream, &p->head, PRECISION_F32, h, p->targets, lse,
                          dh + (size_t)r * (size_t)p->head.width, p->target + r, 1, &alone);
        CHECK(b->ops->stream_finish(b->stream, NULL) == 0 && alone == got[r], "%s: row %d alone: off by %g", b->name, r,
              alone - got[r]);
    }
    CHECK(got[0] == 0, "%s: a row without change gives %g", b->name, got[0]);
    for (int r = 0; r < p->rows; r++) {
        double want = log_sum(p, p->target[r], r) - lse[p->target[r]];
        double error = fabs(got[r] - want) / (1 + fabs(want));
        most = error <= most ? most : error;
    }
    /* a sharp baseline hides what is left of its mass below an f32's digits */
    CHECK(most < tolerance * (size > 5 ? 10 : 1), "%s: lse_delta, changes of %g: %g", b->name, size, most);
    free(lse);
    free(got);
}

static void check_head(struct bench *b, int vocabulary, int width, int targets, int rows, struct head shape,
                       bool biased, float size)
{
    struct problem p = {.head = shape, .targets = targets, .rows = rows};
    p.head.vocabulary = vocabulary;
    p.head.width = width;
    p.weight = random_floats((size_t)vocabulary * width, 1);
    p.bias = biased ? random_floats((size_t)vocabulary, 1) : NULL;
    p.h = random_floats((size_t)targets * width, 8 / sqrtf((float)width));
    p.dh = random_floats((size_t)rows * width, size / sqrtf((float)width));
    p.target = malloc((size_t)rows * sizeof *p.target);
    for (int r = 0; r < rows; r++)
        p.target[r] = r % targets;
    memset(p.dh, 0, (size_t)width * sizeof *p.dh);

    /* Stored as BF16 where there is a bias, so that the vocabulary's tiles are also expanded ones. */
    uint16_t *stored = malloc((size_t)vocabulary * width * sizeof *stored);
    for (size_t i = 0; biased && i < (size_t)vocabulary * width; i++) {
        uint32_t bits;
        memcpy(&bits, &p.weight[i], sizeof bits);
        stored[i] = (uint16_t)(bits >> 16);
        bits &= 0xffff0000;
        memcpy(&p.weight[i], &bits, sizeof bits);
    }
    struct weight *w = NULL;
    struct error error = {0};
    CHECK(b->ops->weight_new(b->device, biased ? DTYPE_BF16 : DTYPE_F32, vocabulary, width,
                             biased ? (void *)stored : p.weight, &w, &error) == 0, "%s", error.message);
    p.head.weight = w;
    p.head.bias = biased ? bench_put(b, p.bias, (size_t)vocabulary) : NULL;
    float *h = bench_put(b, p.h, (size_t)targets * width), *dh = bench_put(b, p.dh, (size_t)rows * width);
    check_logits(b, &p, h);
    check_single(b, &p, h, dh);
    check_sums(b, &p, h, dh, (double)size);
    bench_clear(b);
    b->ops->weight_free(b->device, w);
    free(stored);
    free(p.weight);
    free(p.bias);
    free(p.h);
    free(p.dh);
    free(p.target);
}

static void test(struct bench *b)
{
    static const struct head plain = {.divisor = 1}, divided = {.divisor = 8}, both = {.divisor = 2, .softcap = 5};
    static const struct head capped_only = {.divisor = 1, .softcap = 30};
    static const float sizes[] = {1e-4f, 0.1f, 3, 60, 400};
    for (int i = 0; i < 5; i++) {
        check_head(b, 700, 32, 3, 9, plain, false, sizes[i]);
        check_head(b, 513, 20, 2, 5, divided, true, sizes[i]);
        check_head(b, 511, 33, 1, 4, both, true, sizes[i]);
        check_head(b, 130, 64, 4, 8, capped_only, false, sizes[i]);
    }
    check_head(b, 1, 8, 1, 2, plain, false, 1);
    check_head(b, 1025, 16, 33, 260, plain, true, 1);
}

int main(int argc, char **argv)
{
    return bench_main(argc, argv, test);
}
