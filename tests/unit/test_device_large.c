/* What only sizes of real models show, and takes too long for every day: weights that are multiplied in several pieces,
 * attention over thousands of keys, and more than 2^31 elements.  Only for a device that is named. */
#include "tests/unit/device_test.h"

enum { WIDTH = 1024, VOCABULARY = 70000, SEAM = 65536, ROWS = 33 };

static double dot(const float *w, const float *x, int n)
{
    double sum = 0;
    for (int i = 0; i < n; i++)
        sum += (double)w[i] * (double)x[i];
    return sum;
}

/* -- a vocabulary in pieces ---------------------------------------------------------------------------------------- */

struct vocabulary {
    struct weight *weight;
    uint16_t *stored; /* [VOCABULARY, WIDTH] bf16, */
    float *w;         /* and the same as f32 */
};

static struct vocabulary vocabulary_new(struct bench *b)
{
    size_t n = (size_t)VOCABULARY * WIDTH;
    struct vocabulary v = {NULL, malloc(n * sizeof *v.stored), random_floats(n, 1)};
    struct error error = {0};
    for (size_t i = 0; i < n; i++) {
        uint32_t bits;
        memcpy(&bits, &v.w[i], sizeof bits);
        v.stored[i] = (uint16_t)(bits >> 16);
        bits &= 0xffff0000;
        memcpy(&v.w[i], &bits, sizeof bits);
    }
    CHECK(b->ops->weight_new(b->device, DTYPE_BF16, VOCABULARY, WIDTH, v.stored, &v.weight, &error) == 0, "%s",
          error.message);
    return v;
}

/* The i-th of the outputs that are looked at: the ends, both sides of where pieces meet, and some. */
static int chosen(int i)
{
    static const int some[] = {0, 1, SEAM - 2, SEAM - 1, SEAM, SEAM + 1, VOCABULARY - 2, VOCABULARY - 1};
    return i < 8 ? some[i] : (int)(random_bits() % VOCABULARY);
}

/* Off by no more than so much of the product of the factors' lengths: many times what a precision's rounding does. */
static const double allowed[] = {2e-6, 0.01, 0.03};

static void check_pieces(struct bench *b, const struct vocabulary *v, enum precision precision)
{
    float *x = random_floats((size_t)ROWS * WIDTH, 1), *y = bench_output(b, (size_t)ROWS * VOCABULARY);
    double most = 0;
    b->ops->linear_delta(b->stream, v->weight, precision, bench_put(b, x, (size_t)ROWS * WIDTH), ROWS, y);
    float *got = bench_get(b, y, (size_t)ROWS * VOCABULARY);
    for (int r = 0; r < ROWS; r++)
        for (int i = 0; i < 64; i++) {
            int o = chosen(i);
            const float *w = v->w + (size_t)o * WIDTH, *row = x + (size_t)r * WIDTH;
            double length = sqrt(dot(w, w, WIDTH) * dot(row, row, WIDTH));
            double off = fabs((double)got[(size_t)r * VOCABULARY + o] - dot(w, row, WIDTH)) / length;
            most = off <= most ? most : off == off ? off : INFINITY;
        }
    CHECK(most <= allowed[precision], "%s: precision %d: a product in pieces is off by %g", b->name, precision, most);
    free(got);
    free(x);
    bench_clear(b);
}

static void check_lse(struct bench *b, const struct vocabulary *v, enum precision precision)
{
    enum { TARGETS = 2, CHANGED = 5 };
    float *h = random_floats(TARGETS * WIDTH, 0.25f), *dh = random_floats(CHANGED * WIDTH, 0.02f);
    int32_t target[CHANGED] = {0, 1, 1, 0, 1};
    double lse[TARGETS] = {0}, got[CHANGED], *logit = malloc(TARGETS * VOCABULARY * sizeof *logit);
    memset(dh, 0, WIDTH * sizeof *dh);
    for (int t = 0; t < TARGETS; t++) {
        for (int o = 0; o < VOCABULARY; o++)
            lse[t] += exp(logit[t * VOCABULARY + o] = dot(v->w + (size_t)o * WIDTH, h + t * WIDTH, WIDTH));
        lse[t] = log(lse[t]);
    }
    struct head head = {.weight = v->weight, .vocabulary = VOCABULARY, .width = WIDTH, .divisor = 1};
    b->ops->lse_delta(b->stream, &head, precision, bench_put(b, h, TARGETS * WIDTH), TARGETS, lse,
                      bench_put(b, dh, CHANGED * WIDTH), target, CHANGED, got);
    CHECK(b->ops->stream_finish(b->stream, NULL) == 0, "%s: lse_delta", b->name);
    for (int r = 0; r < CHANGED; r++) {
        double sum = 0;
        for (int o = 0; o < VOCABULARY; o++)
            sum += exp(logit[target[r] * VOCABULARY + o] - lse[target[r]] +
                       dot(v->w + (size_t)o * WIDTH, dh + r * WIDTH, WIDTH));
        CHECK(r ? fabs(got[r] - log(sum)) <= 2e-5 + 0.2 * allowed[precision] : got[r] == 0,
              "%s: precision %d: lse_delta of row %d: %g, not %g", b->name, precision, r, got[r], log(sum));
    }
    free(h);
    free(dh);
    free(logit);
    bench_clear(b);
}

/* -- attention over many keys -------------------------------------------------------------------------------------- */

/* Of one head that sees keys 0 .. last: out [dim]. */
static void reference_row(const float *q, const float *key, const float *value, size_t stride, int last, int dim,
                          double scale, const float *factor, double *out)
{
    double sum = 0, *s = malloc((size_t)(last + 1) * sizeof *s), most = -INFINITY;
    memset(out, 0, (size_t)dim * sizeof *out);
    for (int j = 0; j <= last; j++) {
        s[j] = dot(q, key + (size_t)j * stride, dim) * scale * (factor ? (double)factor[j] : 1);
        most = fmax(most, s[j]);
    }
    for (int j = 0; j <= last; j++) {
        double p = exp(s[j] - most);
        sum += p;
        for (int d = 0; d < dim; d++)
            out[d] += p * (double)value[(size_t)j * stride + d];
    }
    for (int d = 0; d < dim; d++)
        out[d] /= sum;
    free(s);
}

static void check_attention(struct bench *b, int dim)
{
    enum { POSITIONS = 3001, HEADS = 4, KV_HEADS = 2 };
    size_t wide = (size_t)HEADS * dim, narrow = (size_t)KV_HEADS * dim;
    float *query = random_floats(POSITIONS * wide, 2), *key = random_floats(POSITIONS * narrow, 2);
    float *value = random_floats(POSITIONS * narrow, 1), *factor = malloc(POSITIONS * sizeof *factor);
    for (int j = 0; j < POSITIONS; j++)
        factor[j] = j % 97 == 5 ? 0.1f : 1;
    struct attention a = {.heads = HEADS, .kv_heads = KV_HEADS, .head_dim = dim, .scale = 1.5f / sqrtf((float)dim),
                          .positions = POSITIONS, .key = bench_put(b, key, POSITIONS * narrow),
                          .value = bench_put(b, value, POSITIONS * narrow), .suppression = SUPPRESS_PRODUCT};
    float *q = bench_put(b, query, POSITIONS * wide), *f = bench_put(b, factor, POSITIONS);
    double want[256], most = 0;
    for (int with = 0; with < 2; with++) {
        float *y = bench_output(b, POSITIONS * wide);
        b->ops->attend(b->stream, &a, with ? f : NULL, 0, q, POSITIONS, y);
        float *got = bench_get(b, y, POSITIONS * wide);
        for (int position = 0; position < POSITIONS; position += 250)
            for (int head = 0; head < HEADS; head++) {
                size_t at = (size_t)position * wide + (size_t)head * dim, column = (size_t)(head / 2) * dim;
                reference_row(query + at, key + column, value + column, narrow, position, dim, (double)a.scale,
                              with ? factor : NULL, want);
                most = fmax(most, worst(got + at, want, (size_t)dim));
            }
        free(got);
    }
    CHECK(most < 2e-5, "%s: attention over %d keys, dim %d: off by %g", b->name, POSITIONS, dim, most);
    free(query);
    free(key);
    free(value);
    free(factor);
    bench_clear(b);
}

/* -- more than 2^31 elements --------------------------------------------------------------------------------------- */

/* Rows of COLUMNS; what an operation makes of the last ones is what it makes of them alone. */
#ifndef MANY
#define MANY ((1 << 19) + 9)
#endif
enum { COLUMNS = 4096, LAST = 8, POSITIONS = 16 };

struct many {
    float *x;                       /* device [MANY, COLUMNS] */
    float *base, *cosine, *alone;   /* device [POSITIONS, COLUMNS], [POSITIONS, COLUMNS], [LAST, COLUMNS] */
    int32_t *position;              /* device [MANY] */
};

/* One operation on n rows of x. */
static void run(struct bench *b, const struct many *m, int operation, const int32_t *position, int n, float *x)
{
    const struct device_ops *ops = b->ops;
    struct norm norm = {NORM_RMS, 1, COLUMNS, 1e-5f, m->base, NULL};
    struct rope rope = {COLUMNS / 64, 64, 32, true, m->cosine, m->base};
    size_t all = (size_t)n * COLUMNS;
    switch (operation) {
    case 0: ops->norm_delta(b->stream, &norm, m->base, position, x, n, x); break;
    case 1: ops->gate_delta(b->stream, ACTIVATION_SILU, m->base, m->cosine, position, x, x, n, COLUMNS, x); break;
    case 2: ops->rope(b->stream, &rope, position, n, x); break;
    case 3: ops->add(b->stream, x, 0.5f, all, x); break;
    default: ops->norm(b->stream, &norm, x, n, x);
    }
}

static void check_many(struct bench *b, const struct many *m)
{
    static const char *const names[] = {"gather", "norm_delta", "gate_delta", "rope", "add", "norm"};
    int32_t *index = malloc(MANY * sizeof *index);
    size_t end = (size_t)(MANY - LAST) * COLUMNS, n = (size_t)LAST * COLUMNS;
    for (int i = 0; i < MANY; i++)
        index[i] = i % POSITIONS;
    b->ops->upload(b->stream, index, MANY * sizeof *index, m->position);
    b->ops->gather(b->stream, m->base, index, MANY, COLUMNS, m->x);
    b->ops->gather(b->stream, m->base, index + MANY - LAST, LAST, COLUMNS, m->alone);
    for (int i = 0; i < 6; i++) {
        if (i > 0) {
            run(b, m, i - 1, m->position, MANY, m->x);
            run(b, m, i - 1, m->position + MANY - LAST, LAST, m->alone);
        }
        float *got = bench_get(b, m->x + end, n), *want = bench_get(b, m->alone, n);
        CHECK(!memcmp(got, want, n * sizeof *got) && isfinite(got[n - 1]), "%s: %s of %d rows: the last ones differ",
              b->name, names[i], MANY);
        free(got);
        free(want);
    }
    free(index);
}

/* Logits of so many rows that they are as many. */
static void check_logits(struct bench *b, const struct many *m)
{
    enum { NARROW = 64, WORDS = 70001 };
    size_t rows = (size_t)MANY * COLUMNS / WORDS;
    float *w = random_floats((size_t)WORDS * NARROW, 1), *h = random_floats(rows * NARROW, 1), off = 0;
    struct weight *weight = NULL;
    CHECK(b->ops->weight_new(b->device, DTYPE_F32, WORDS, NARROW, w, &weight, NULL) == 0, "%s", b->name);
    struct head head = {.weight = weight, .vocabulary = WORDS, .width = NARROW, .divisor = 1};
    b->ops->logits(b->stream, &head, bench_put(b, h, rows * NARROW), (int)rows, m->x);
    float *got = bench_get(b, m->x + (rows - 1) * WORDS, WORDS);
    for (int o = 0; o < WORDS; o += 97) {
        float wrong = fabsf(got[o] - (float)dot(w + (size_t)o * NARROW, h + (rows - 1) * NARROW, NARROW));
        off = wrong <= off ? off : wrong == wrong ? wrong : INFINITY;
    }
    CHECK(off < 1e-4f, "%s: logits of %zu rows: the last ones are off by %g", b->name, rows, (double)off);
    free(got);
    free(w);
    free(h);
    bench_clear(b);
    b->ops->weight_free(b->device, weight);
}

static void test_many(struct bench *b)
{
    size_t need = ((size_t)MANY * COLUMNS + ((size_t)1 << 29)) * sizeof(float), room = b->ops->memory(b->device);
    if (room && room < need) {
        SKIP("%s: %.0f GB free; more than 2^31 elements take %.0f", b->name, (double)room / 1e9, (double)need / 1e9);
        return;
    }
    float *base = random_floats((size_t)POSITIONS * COLUMNS, 1);
    struct many m = {.x = b->ops->alloc(b->device, (size_t)MANY * COLUMNS * sizeof(float), NULL)};
    if (m.x) {
        m.base = bench_put(b, base, (size_t)POSITIONS * COLUMNS);
        m.cosine = bench_put(b, base, (size_t)POSITIONS * COLUMNS);
        m.alone = bench_output(b, (size_t)LAST * COLUMNS);
        m.position = bench_room(b, MANY * sizeof(int32_t));
        check_many(b, &m);
        bench_clear(b);
        check_logits(b, &m);
        b->ops->free(b->device, m.x);
    } else {
        SKIP("%s: no room for more than 2^31 elements", b->name);
    }
    free(base);
}

static void test(struct bench *b)
{
    struct vocabulary v = vocabulary_new(b);
    for (int p = PRECISION_F32; p <= PRECISION_INT8; p++)
        if (b->ops->info(b->device)->precision[p]) {
            check_pieces(b, &v, (enum precision)p);
            check_lse(b, &v, (enum precision)p);
        }
    b->ops->weight_free(b->device, v.weight);
    free(v.stored);
    free(v.w);
    for (int dim = 64; dim <= 256; dim *= 2)
        check_attention(b, dim);
    test_many(b);
}

int main(int argc, char **argv)
{
    if (argc > 1)
        return bench_main(argc, argv, test);
    SKIP("this takes long: name a device");
    return test_end();
}
