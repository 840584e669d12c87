/* Attention of a device, values and differences, against plain loops in double precision. */
#include "tests/unit/device_test.h"

static const double tolerance = 2e-5;

/* One case: everything in host memory; a probe is a factor for every key and a difference from key_position on. */
struct problem {
    struct attention a; /* sees, key and value in host memory */
    int32_t *sees;
    float *key, *value, *query;
    int rows; /* = positions */
};

static size_t query_width(const struct attention *a)
{
    return (size_t)a->heads * a->head_dim;
}

static size_t key_width(const struct attention *a)
{
    return (size_t)a->kv_heads * a->head_dim;
}

static double score(const struct attention *a, const double *q, const double *k)
{
    double s = 0;
    for (int d = 0; d < a->head_dim; d++)
        s += q[d] * k[d];
    s *= (double)a->scale;
    return a->softcap > 0 ? (double)a->softcap * tanh(s / (double)a->softcap) : s;
}

static double suppressed(const struct attention *a, double s, double m, double low)
{
    switch (a->suppression) {
    case SUPPRESS_PRODUCT: return s * m;
    case SUPPRESS_LOG_ADDITIVE: return s + log(m);
    default: return s + (m - 1) * (s - low);
    }
}

/* The keys that a position's query sees: first .. last. */
static int first_seen(const struct attention *a, int position)
{
    if (a->sees)
        return a->sees[2 * position];
    return a->window > 0 && position - a->window + 1 > 0 ? position - a->window + 1 : 0;
}

static int last_seen(const struct attention *a, int position)
{
    return a->sees ? a->sees[2 * position + 1] : position;
}

/* The output of one query of one head: out [head_dim].  key, value [positions, kv_heads * head_dim]. */
static void reference_row(const struct attention *a, int head, int position, const double *q, const double *key,
                          const double *value, const float *factor, double *out)
{
    size_t column = (size_t)(head / (a->heads / a->kv_heads)) * a->head_dim;
    int first = first_seen(a, position), last = last_seen(a, position);
    double *s = malloc((size_t)a->positions * sizeof *s), low = INFINITY, high = -INFINITY, sum = 0;
    for (int j = 0; j < a->positions; j++) {
        s[j] = score(a, q, key + j * key_width(a) + column);
        bool seen = j >= first && j <= last;
        if ((seen || a->suppression == SUPPRESS_ROW_MIN) && s[j] < low)
            low = s[j];
    }
    for (int j = first; j <= last; j++) {
        s[j] = factor ? suppressed(a, s[j], (double)factor[j], low) : s[j];
        high = s[j] > high ? s[j] : high;
    }
    memset(out, 0, (size_t)a->head_dim * sizeof *out);
    for (int j = first; j <= last && high > -INFINITY; j++) {
        double p = exp(s[j] - high);
        sum += p;
        for (int d = 0; d < a->head_dim; d++)
            out[d] += p * value[j * key_width(a) + column + d];
    }
    for (int d = 0; d < a->head_dim && sum > 0; d++)
        out[d] /= sum;
    free(s);
}

/* All rows from `first` on; out [positions, heads * head_dim]. */
static void reference(const struct attention *a, int first, const double *query, const double *key, const double *value,
                      const float *factor, double *out)
{
    for (int position = first; position < a->positions; position++)
        for (int head = 0; head < a->heads; head++) {
            size_t at = position * query_width(a) + (size_t)head * a->head_dim;
            reference_row(a, head, position, query + at, key, value, factor, out + at);
        }
}

/* x, plus d from row `first` on where d is not NULL; freed by the caller */
static double *sums(const float *x, const float *d, int first, int rows, size_t width)
{
    double *out = malloc(rows * width * sizeof *out);
    for (size_t i = 0; i < rows * width; i++) {
        out[i] = (double)x[i];
        if (d && i >= first * width) /* the device's sum is an f32 */
            out[i] = (double)(x[i] + d[i - first * width]);
    }
    return out;
}

static struct problem problem_new(struct attention shape, const int32_t *sees)
{
    struct problem p = {.a = shape, .rows = shape.positions};
    if (sees) {
        size_t bytes = 2 * (size_t)p.rows * sizeof *sees;
        p.sees = malloc(bytes);
        memcpy(p.sees, sees, bytes);
        p.a.sees = p.sees;
    }
    p.key = random_floats(p.rows * key_width(&shape), 2);
    p.value = random_floats(p.rows * key_width(&shape), 1);
    p.query = random_floats(p.rows * query_width(&shape), 2);
    p.a.scale = 1.5f / sqrtf((float)shape.head_dim);
    return p;
}

static void problem_free(struct problem *p)
{
    free(p->key);
    free(p->value);
    free(p->query);
    free(p->sees);
}

static float *factors(int positions, int variant)
{
    static const float some[] = {0, 0.1f, 4, 0.5f};
    float *factor = malloc((size_t)positions * sizeof *factor);
    for (int j = 0; j < positions; j++)
        factor[j] = 1;
    for (int j = variant * 7; j < positions; j += 11 + 13 * variant)
        factor[j] = some[(j + variant) % 4];
    if (variant == 0) /* the first rows lose every key */
        factor[0] = factor[1 % positions] = 0;
    return factor;
}

/* Upload a problem's keys and values, and who sees which. */
static struct attention on_device(struct bench *b, const struct problem *p)
{
    struct attention a = p->a;
    a.key = bench_put(b, p->key, p->rows * key_width(&a));
    a.value = bench_put(b, p->value, p->rows * key_width(&a));
    if (p->sees)
        a.sees = bench_put(b, p->sees, 2 * (size_t)p->rows);
    return a;
}

/* -- values -------------------------------------------------------------------------------------------------------- */

static void check_values(struct bench *b, const struct problem *p)
{
    struct attention a = on_device(b, p);
    size_t width = query_width(&a), n = p->rows * width;
    double *query = sums(p->query, NULL, 0, p->rows, width), *want = malloc(n * sizeof *want);
    double *key = sums(p->key, NULL, 0, p->rows, key_width(&a)),
           *value = sums(p->value, NULL, 0, p->rows, key_width(&a));
    float *factor = factors(p->rows, 0);
    float *device_query = bench_put(b, p->query, n), *device_factor = bench_put(b, factor, (size_t)p->rows);
    for (int with = 0; with < 2; with++) {
        float *y = bench_output(b, n);
        b->ops->attend(b->stream, &a, with ? device_factor : NULL, 0, device_query, p->rows, y);
        float *got = bench_get(b, y, n);
        reference(&p->a, 0, query, key, value, with ? factor : NULL, want);
        CHECK(worst(got, want, n) < tolerance, "%s: %d positions, dim %d, suppression %d, factor %d: %g", b->name,
              p->rows, a.head_dim, a.suppression, with, worst(got, want, n));

        /* Row by row gives the same bits: rows do not depend on how they are grouped. */
        float *single = bench_output(b, n);
        int step = p->rows > 64 ? 29 : 1;
        for (int r = 0; r < p->rows; r += step)
            b->ops->attend(b->stream, &a, with ? device_factor : NULL, r, device_query + r * width, 1,
                           single + r * width);
        float *alone = bench_get(b, single, n);
        bool same = true;
        for (int r = 0; r < p->rows; r += step)
            same = same && !memcmp(alone + r * width, got + r * width, width * sizeof *got);
        CHECK(same, "%s: %d positions, dim %d: a row alone differs", b->name, p->rows, a.head_dim);
        free(got);
        free(alone);
    }
    free(query);
    free(want);
    free(key);
    free(value);
    free(factor);
    bench_clear(b);
}

/* -- differences --------------------------------------------------------------------------------------------------- */

enum { PROBES = 3 };

/* Spans whose keys begin at different places; targets: only the last queries are rows. */
static int lay_spans(int positions, bool targets, struct probe_span *span, int *key_rows)
{
    int query_rows = 0;
    *key_rows = 0;
    for (int i = 0; i < PROBES; i++) {
        int first = i * positions / PROBES;
        int count = targets ? (positions - first > 2 ? 2 : positions - first) : positions - first;
        span[i] = (struct probe_span){query_rows, positions - count, count, *key_rows, first};
        query_rows += count;
        *key_rows += positions - first;
    }
    return query_rows;
}

/* What differs from the baseline; the rest is NULL. */
enum changes { NOTHING, QUERIES, EVERYTHING, CHANGES };

static void check_differences(struct bench *b, const struct problem *p, bool targets, enum changes changed)
{
    struct attention a = on_device(b, p);
    size_t width = query_width(&a), narrow = key_width(&a), n = p->rows * width;
    struct probe_span span[PROBES];
    int key_rows, query_rows = lay_spans(p->rows, targets, span, &key_rows);
    float *dquery = random_floats(query_rows * width, 0.5f);
    float *dkey = random_floats(key_rows * narrow, 0.5f), *dvalue = random_floats(key_rows * narrow, 0.5f);
    float *factor = malloc((size_t)PROBES * p->rows * sizeof *factor);
    for (int i = 0; i < PROBES; i++) {
        float *own = factors(p->rows, i);
        memcpy(factor + (size_t)i * p->rows, own, (size_t)p->rows * sizeof *own);
        free(own);
    }
    float *query = bench_put(b, p->query, n), *output = bench_output(b, n), *dy = bench_output(b, query_rows * width);
    b->ops->attend(b->stream, &a, NULL, 0, query, p->rows, output);
    b->ops->attend_delta(b->stream, &a, PROBES, span, bench_put(b, factor, (size_t)PROBES * p->rows), query, output,
                         changed >= QUERIES ? bench_put(b, dquery, query_rows * width) : NULL,
                         changed == EVERYTHING ? bench_put(b, dkey, key_rows * narrow) : NULL,
                         changed == EVERYTHING ? bench_put(b, dvalue, key_rows * narrow) : NULL, dy);
    float *got = bench_get(b, dy, query_rows * width), *base = bench_get(b, output, n);

    double *want = malloc(n * sizeof *want), most = 0;
    for (int i = 0; i < PROBES; i++) {
        const struct probe_span *s = &span[i];
        size_t first = (size_t)s->query_row * width, count = (size_t)s->query_count * width;
        double *q = sums(p->query, changed >= QUERIES ? dquery + first : NULL, s->query_position, p->rows, width);
        double *k =
            sums(p->key, changed == EVERYTHING ? dkey + s->key_row * narrow : NULL, s->key_position, p->rows, narrow);
        double *v = sums(p->value, changed == EVERYTHING ? dvalue + s->key_row * narrow : NULL, s->key_position,
                         p->rows, narrow);
        reference(&p->a, s->query_position, q, k, v, factor + (size_t)i * p->rows, want);
        for (size_t j = 0; j < count; j++)
            want[s->query_position * width + j] -= (double)base[s->query_position * width + j];
        double error = worst(got + first, want + s->query_position * width, count);
        most = error > most ? error : most;
        free(q);
        free(k);
        free(v);
    }
    CHECK(most < tolerance,
          "%s: %d positions, dim %d, suppression %d, window %d, softcap %g, blocks %d, targets %d, changed %d: %g",
          b->name, p->rows, a.head_dim, a.suppression, a.window, (double)a.softcap, p->sees != NULL, targets, changed,
          most);
    free(want);
    free(got);
    free(base);
    free(dquery);
    free(dkey);
    free(dvalue);
    free(factor);
    bench_clear(b);
}

/* A probe that changes nothing gives exactly 0, whether its differences are left out or all zero. */
static void check_zero(struct bench *b, const struct problem *p)
{
    struct attention a = on_device(b, p);
    size_t width = query_width(&a), narrow = key_width(&a), n = p->rows * width;
    struct probe_span span[PROBES];
    for (int targets = 0; targets < 2; targets++) {
        int key_rows, query_rows = lay_spans(p->rows, targets, span, &key_rows);
        float *zeros = calloc(query_rows * width + key_rows * narrow, sizeof *zeros);
        float *ones = malloc((size_t)PROBES * p->rows * sizeof *ones);
        for (int j = 0; j < PROBES * p->rows; j++)
            ones[j] = 1;
        float *query = bench_put(b, p->query, n), *output = bench_output(b, n),
              *dy = bench_output(b, query_rows * width);
        float *factor = bench_put(b, ones, (size_t)PROBES * p->rows);
        float *none = bench_put(b, zeros, query_rows * width + key_rows * narrow);
        b->ops->attend(b->stream, &a, NULL, 0, query, p->rows, output);
        for (int left_out = 0; left_out < 2; left_out++) {
            float *zero = left_out ? NULL : none;
            b->ops->attend_delta(b->stream, &a, PROBES, span, factor, query, output, zero, zero, zero, dy);
            float *got = bench_get(b, dy, query_rows * width);
            CHECK(all_zero(got, query_rows * width), "%s: %d positions, dim %d, suppression %d, targets %d: not 0",
                  b->name, p->rows, a.head_dim, a.suppression, targets);
            free(got);
        }
        free(zeros);
        free(ones);
        bench_clear(b);
        a = on_device(b, p);
    }
    bench_clear(b);
}

/* What is not a number must not look like one: a NaN in a query shows in its own output, and in no other. */
static void check_nan(struct bench *b)
{
    struct problem p = problem_new((struct attention){.heads = 2, .kv_heads = 1, .head_dim = 8, .positions = 20}, NULL);
    struct attention a = on_device(b, &p);
    size_t width = query_width(&a), n = p.rows * width;
    p.query[7 * width + 3] = NAN;
    float *y = bench_output(b, n);
    b->ops->attend(b->stream, &a, NULL, 0, bench_put(b, p.query, n), p.rows, y);
    float *got = bench_get(b, y, n);
    bool right = true;
    for (size_t i = 0; i < n; i++)
        right = right && !isnan(got[i]) == !(i / 8 == 7 * 2);
    CHECK(right, "%s: NaN", b->name);
    free(got);
    problem_free(&p);
    bench_clear(b);
}

static void check_all(struct bench *b, struct attention shape)
{
    const int32_t *sees = shape.sees;
    shape.sees = NULL;
    for (int suppression = 0; suppression < 4; suppression++) {
        shape.suppression = (enum suppression)suppression;
        struct problem p = problem_new(shape, sees);
        check_values(b, &p);
        check_zero(b, &p);
        for (int targets = 0; targets < 2; targets++)
            for (int changed = 0; changed < CHANGES; changed++)
                check_differences(b, &p, targets, (enum changes)changed);
        problem_free(&p);
    }
}

/* -- blocks that look in both directions --------------------------------------------------------------------------- */

/* Text that sees what is before it, and blocks [count] of positions first .. end - 1 that see all of themselves too; a
 * window, where there is one (not 0), cuts off what is too far behind. */
static void lay_blocks(int positions, const int (*block)[2], int count, int window, int32_t *sees)
{
    for (int p = 0; p < positions; p++) {
        sees[2 * p] = window > 0 && p >= window ? p - window + 1 : 0;
        sees[2 * p + 1] = p;
        for (int i = 0; i < count; i++)
            if (p >= block[i][0] && p < block[i][1])
                sees[2 * p + 1] = block[i][1] - 1;
    }
}

static void check_blocks(struct bench *b, struct attention shape, const int (*block)[2], int count, int window)
{
    int32_t *sees = malloc(2 * (size_t)shape.positions * sizeof *sees);
    lay_blocks(shape.positions, block, count, window, sees);
    shape.sees = sees;
    shape.window = 3; /* not looked at */
    check_all(b, shape);
    free(sees);
}

/* Two blocks somewhere, the first before the middle; up to a third of the positions each. */
static void place_blocks(int positions, int (*block)[2])
{
    int part = positions / 3 > 0 ? positions / 3 : 1;
    for (int i = 0; i < 2; i++) {
        int first = i * positions / 2 + (int)(random_bits() % (uint32_t)part);
        int end = first + 1 + (int)(random_bits() % (uint32_t)part);
        int most = i ? positions : positions / 2;
        block[i][0] = first < most ? first : most;
        block[i][1] = end < most ? end : most;
    }
}

/* What says the same as no table gives the same bits. */
static void check_plain(struct bench *b, struct attention shape)
{
    int32_t *sees = malloc(2 * (size_t)shape.positions * sizeof *sees);
    lay_blocks(shape.positions, NULL, 0, shape.window, sees);
    struct problem p = problem_new(shape, sees);
    struct attention a = on_device(b, &p);
    size_t n = p.rows * query_width(&a);
    float *query = bench_put(b, p.query, n), *y[2] = {bench_output(b, n), bench_output(b, n)}, *got[2];
    for (int i = 0; i < 2; i++, a.sees = NULL)
        b->ops->attend(b->stream, &a, NULL, 0, query, p.rows, y[i]);
    for (int i = 0; i < 2; i++)
        got[i] = bench_get(b, y[i], n);
    CHECK(!memcmp(got[0], got[1], n * sizeof **got), "%s: window %d: a table that says so differs", b->name, a.window);
    free(got[0]);
    free(got[1]);
    free(sees);
    problem_free(&p);
    bench_clear(b);
}

static void test_blocks(struct bench *b)
{
    static const int middle[1][2] = {{13, 47}}, all[1][2] = {{0, 67}}, two[2][2] = {{1, 40}, {41, 129}};
    check_blocks(b, (struct attention){.heads = 3, .kv_heads = 1, .head_dim = 16, .positions = 65}, middle, 1, 0);
    check_blocks(b, (struct attention){.heads = 3, .kv_heads = 1, .head_dim = 16, .positions = 65}, middle, 1, 9);
    check_blocks(b, (struct attention){.heads = 2, .kv_heads = 2, .head_dim = 72, .positions = 67}, all, 1, 0);
    check_blocks(b, (struct attention){.heads = 6, .kv_heads = 2, .head_dim = 20, .positions = 131}, two, 2, 0);
    check_blocks(b, (struct attention){.heads = 6, .kv_heads = 2, .head_dim = 20, .positions = 131, .softcap = 3}, two,
                 2, 70);
    for (int i = 0; i < 4; i++) {
        static const int positions[] = {1, 2, 33, 98};
        int block[2][2];
        place_blocks(positions[i], block);
        check_blocks(b, (struct attention){.heads = 4, .kv_heads = 2, .head_dim = 12, .positions = positions[i]}, block,
                     2, i % 2 * (1 + positions[i] / 4));
    }
    check_plain(b, (struct attention){.heads = 4, .kv_heads = 2, .head_dim = 20, .positions = 131});
    check_plain(b, (struct attention){.heads = 4, .kv_heads = 2, .head_dim = 20, .positions = 131, .window = 21});
}

/* -- all of it ----------------------------------------------------------------------------------------------------- */

static void test(struct bench *b)
{
    check_nan(b);
    test_blocks(b);
    static const int positions[] = {1, 2, 31, 33, 64, 65};
    for (int i = 0; i < 6; i++)
        check_all(b, (struct attention){.heads = 3, .kv_heads = 1, .head_dim = 16, .positions = positions[i]});
    static const int dims[] = {20, 64, 80, 96, 128, 256};
    for (int i = 0; i < 6; i++)
        check_all(b, (struct attention){.heads = 2, .kv_heads = 1, .head_dim = dims[i], .positions = 19});
    check_all(b, (struct attention){.heads = 6, .kv_heads = 2, .head_dim = 20, .positions = 257});
    check_all(b, (struct attention){.heads = 2, .kv_heads = 2, .head_dim = 24, .positions = 131, .window = 70});
    check_all(
        b, (struct attention){.heads = 7, .kv_heads = 1, .head_dim = 12, .positions = 90, .window = 5, .softcap = 3});
    check_all(b, (struct attention){.heads = 32, .kv_heads = 1, .head_dim = 8, .positions = 40, .softcap = 1});
}

int main(int argc, char **argv)
{
    return bench_main(argc, argv, test);
}
