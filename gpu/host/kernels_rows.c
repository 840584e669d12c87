/* kernels_rows.c: kernels that go over the columns of a row: norms, RoPE, gates, sums, and products with one row. */
#include "gpu/host/kernels.h"

#include <math.h>

#include "gpu/host/kernels_math.h"

/* -- norms --------------------------------------------------------------------------------------------------------- */

/* y = (x - mean) * scale * weight + bias */
struct moments {
    float mean, scale;
};

/* Sum of (x - mean)^power over a row, each lane by itself first. */
static inline __attribute__((always_inline)) float row_sum(const float *x, int n, float mean, int power)
{
    vector sum[2] = {{0}, {0}};
    int i = 0;
    for (; i + 2 * LANES <= n; i += 2 * LANES)
        for (int k = 0; k < 2; k++) {
            vector v = vector_load(x + i + k * LANES) - mean;
            sum[k] = power == 2 ? vector_madd(v, v, sum[k]) : sum[k] + v;
        }
    float rest = 0;
    for (; i < n; i++) {
        float v = x[i] - mean;
        rest = power == 2 ? madd(v, v, rest) : rest + v;
    }
    return vector_sum(sum[0] + sum[1]) + rest;
}

static inline float row_scale(const struct norm *norm, float squares)
{
    return 1.0f / sqrtf(squares / (float)norm->width + norm->epsilon);
}

static inline __attribute__((always_inline)) struct moments row_moments(const struct norm *norm, const float *x)
{
    struct moments m = {0, 0};
    if (norm->kind == NORM_LAYER)
        m.mean = row_sum(x, norm->width, 0, 1) / (float)norm->width;
    m.scale = row_scale(norm, row_sum(x, norm->width, m.mean, 2));
    return m;
}

static inline float normal(struct moments m, float x, float weight, float bias)
{
    return madd((x - m.mean) * m.scale, weight, bias);
}

static void norm_row(const struct norm *norm, const float *x, float *y)
{
    const float *weight = norm->weight, *bias = norm->bias;
    for (int g = 0; g < norm->groups; g++, x += norm->width, y += norm->width) {
        struct moments m = row_moments(norm, x);
        if (bias) {
#pragma GCC ivdep
            for (int i = 0; i < norm->width; i++)
                y[i] = normal(m, x[i], weight[i], bias[i]);
        } else {
#pragma GCC ivdep
            for (int i = 0; i < norm->width; i++)
                y[i] = normal(m, x[i], weight[i], 0.0f);
        }
    }
}

/* Sums over a row of (x - mean)^2 and of (x - mean + dx - shift)^2: with dx and shift 0 the same to the bit. */
struct squares {
    float base, probe;
};

static inline __attribute__((always_inline)) struct squares row_squares(const float *x, const float *dx, int n,
                                                                        float mean, float shift)
{
    enum { SUMS = 2 };
    vector base[SUMS] = {{0}}, probe[SUMS] = {{0}};
    int i = 0;
    for (; i + SUMS * LANES <= n; i += SUMS * LANES)
        for (int k = 0; k < SUMS; k++) {
            __builtin_prefetch(x + n + i + k * LANES); /* the next row's: in a map norms wait for memory */
            __builtin_prefetch(dx + n + i + k * LANES);
            vector v = vector_load(x + i + k * LANES) - mean, w = v + (vector_load(dx + i + k * LANES) - shift);
            base[k] = vector_madd(v, v, base[k]);
            probe[k] = vector_madd(w, w, probe[k]);
        }
    struct squares rest = {0, 0};
    for (; i < n; i++) {
        float v = x[i] - mean, w = v + (dx[i] - shift);
        rest.base = madd(v, v, rest.base);
        rest.probe = madd(w, w, rest.probe);
    }
    return (struct squares){vector_sum(base[0] + base[1]) + rest.base,
                            vector_sum(probe[0] + probe[1]) + rest.probe};
}

/* The change of (x - mean) * scale: (dx - shift) * the probe's scale + (x - mean) * the change of the scale.  The bias
 * falls out.  mean and shift are 0, and known to be, for NORM_RMS. */
static inline __attribute__((always_inline)) void norm_change(const struct norm *norm, const float *x, const float *dx,
                                                              float mean, float shift, float *dy)
{
    const float *weight = norm->weight;
    struct squares squares = row_squares(x, dx, norm->width, mean, shift);
    float scale = row_scale(norm, squares.probe), rise = scale - row_scale(norm, squares.base);
#pragma GCC ivdep
    for (int i = 0; i < norm->width; i++)
        dy[i] = madd(dx[i] - shift, scale, (x[i] - mean) * rise) * weight[i];
}

static void norm_delta_row(const struct norm *norm, const float *x, const float *dx, float *dy)
{
    int n = norm->width;
    for (int g = 0; g < norm->groups; g++, x += n, dx += n, dy += n) {
        if (norm->kind == NORM_LAYER)
            norm_change(norm, x, dx, row_sum(x, n, 0, 1) / (float)n, row_sum(dx, n, 0, 1) / (float)n, dy);
        else
            norm_change(norm, x, dx, 0, 0, dy);
    }
}

/* -- RoPE ---------------------------------------------------------------------------------------------------------- */

static void rope_row(const struct rope *rope, const float *cos, const float *sin, float *x)
{
    int pairs = rope->pairs;
    for (int head = 0; head < rope->heads; head++, x += rope->head_dim) {
        if (rope->neox) {
            float *a = x, *b = x + pairs;
#pragma GCC ivdep
            for (int i = 0; i < pairs; i++) {
                float u = a[i], v = b[i];
                a[i] = madd(u, cos[i], -(v * sin[i]));
                b[i] = madd(u, sin[i], v * cos[i]);
            }
        } else {
#pragma GCC ivdep
            for (int i = 0; i < pairs; i++) {
                float u = x[2 * i], v = x[2 * i + 1];
                x[2 * i] = madd(u, cos[i], -(v * sin[i]));
                x[2 * i + 1] = madd(u, sin[i], v * cos[i]);
            }
        }
    }
}

/* -- gates --------------------------------------------------------------------------------------------------------- */

/* x[0 .. n - 1], n <= LANES, then zeros */
static inline __attribute__((always_inline)) vector load_some(const float *x, size_t n)
{
    vector v = {0};
    memcpy(&v, x, n * sizeof *x);
    return v;
}

/* activation(gate) up of n elements, n <= LANES; up NULL: no such factor */
static inline __attribute__((always_inline)) vector gate_some(vector (*function)(vector), const float *gate,
                                                              const float *up, size_t n)
{
    vector y = function(load_some(gate, n));
    return up ? y * load_some(up, n) : y;
}

/* The last elements go through a whole vector too: an element comes out the same to the bit wherever it stands. */
static inline __attribute__((always_inline)) void gate_loop(vector (*function)(vector), const float *gate,
                                                            const float *up, size_t n, float *y)
{
    size_t i = 0;
    for (; i + LANES <= n; i += LANES)
        vector_store(y + i, gate_some(function, gate + i, up ? up + i : NULL, LANES));
    if (i < n) {
        vector v = gate_some(function, gate + i, up ? up + i : NULL, n - i);
        memcpy(y + i, &v, (n - i) * sizeof *y);
    }
}

static void gate_row(enum activation activation, const float *gate, const float *up, size_t n, float *y)
{
    switch (activation) {
    case ACTIVATION_SILU: gate_loop(vector_silu, gate, up, n, y); break;
    case ACTIVATION_GELU_TANH: gate_loop(vector_gelu_tanh, gate, up, n, y); break;
    case ACTIVATION_GELU_ERF: gate_loop(vector_gelu_erf, gate, up, n, y); break;
    case ACTIVATION_GELU_QUICK: gate_loop(vector_gelu_quick, gate, up, n, y); break;
    }
}

/* What a gate's change is made of. */
struct gate_change {
    const float *gate, *up, *dgate, *dup; /* up and dup NULL: no such factor */
};

/* x times up and y times up + dup */
static inline __attribute__((always_inline)) void times_up(const struct gate_change *c, size_t at, size_t n, vector *x,
                                                           vector *y)
{
    if (!c->up)
        return;
    vector up = load_some(c->up + at, n);
    *x *= up;
    *y *= up + load_some(c->dup + at, n);
}

/* Of x / (1 + E(x)) with E(x) = 2^exponent(x).  Over one denominator it is (y (1 + E(x)) - x (1 + E(y))) divided by
 * (1 + E(x)) (1 + E(y)): one division, and exactly 0 where x = y.  Below `least` the activation is nothing (1e-17) and
 * stays what it is there, so that the denominator is finite. */
static inline __attribute__((always_inline)) vector sigmoid_change(vector (*exponent)(vector), float least,
                                                                   const struct gate_change *c, size_t at, size_t n)
{
    vector gate = load_some(c->gate + at, n);
    vector x = vector_max(vector_set(least), gate);
    vector y = vector_max(vector_set(least), gate + load_some(c->dgate + at, n));
    vector ex = vector_exp2(exponent(x)), ey = vector_exp2(exponent(y));
    times_up(c, at, n, &x, &y);
    vector one = 1.0f + ex;
    return (vector_madd(y, ex, y) - vector_madd(x, ey, x)) / vector_madd(ey, one, one);
}

static inline __attribute__((always_inline)) vector erf_change(const struct gate_change *c, size_t at, size_t n)
{
    vector gate = load_some(c->gate + at, n);
    vector x = vector_gelu_erf(gate), y = vector_gelu_erf(gate + load_some(c->dgate + at, n));
    times_up(c, at, n, &x, &y);
    return y - x;
}

static inline __attribute__((always_inline)) vector change_some(enum activation activation, const struct gate_change *c,
                                                                size_t at, size_t n)
{
    switch (activation) {
    case ACTIVATION_SILU: return sigmoid_change(vector_silu_exponent, -43.0f, c, at, n);
    case ACTIVATION_GELU_TANH: return sigmoid_change(vector_gelu_tanh_exponent, -7.6f, c, at, n);
    case ACTIVATION_GELU_QUICK: return sigmoid_change(vector_gelu_quick_exponent, -25.0f, c, at, n);
    default: return erf_change(c, at, n);
    }
}

/* Ask for what comes a kilobyte later: in a map the loop waits for memory, where the baseline comes from anew. */
static inline __attribute__((always_inline)) void change_fetch(const struct gate_change *c, size_t at)
{
    enum { AHEAD = 256 };
    __builtin_prefetch(c->gate + at + AHEAD);
    __builtin_prefetch(c->dgate + at + AHEAD);
    if (c->up) {
        __builtin_prefetch(c->up + at + AHEAD);
        __builtin_prefetch(c->dup + at + AHEAD);
    }
}

static inline __attribute__((always_inline)) void gate_delta_loop(enum activation activation, struct gate_change c,
                                                                  size_t n, float *dy)
{
    size_t i = 0;
#pragma GCC unroll 2
    for (; i + LANES <= n; i += LANES) {
        change_fetch(&c, i);
        vector_store(dy + i, change_some(activation, &c, i, LANES));
    }
    if (i < n) {
        vector v = change_some(activation, &c, i, n - i);
        memcpy(dy + i, &v, (n - i) * sizeof *dy);
    }
}

static void gate_delta_row(enum activation activation, const float *gate, const float *up, const float *dgate,
                           const float *dup, size_t n, float *dy)
{
    struct gate_change c = {gate, up, dgate, dup};
    switch (activation) {
    case ACTIVATION_SILU: gate_delta_loop(ACTIVATION_SILU, c, n, dy); break;
    case ACTIVATION_GELU_TANH: gate_delta_loop(ACTIVATION_GELU_TANH, c, n, dy); break;
    case ACTIVATION_GELU_ERF: gate_delta_loop(ACTIVATION_GELU_ERF, c, n, dy); break;
    case ACTIVATION_GELU_QUICK: gate_delta_loop(ACTIVATION_GELU_QUICK, c, n, dy); break;
    }
}

/* -- sums and products --------------------------------------------------------------------------------------------- */

static void add_row(const float *x, float scale, size_t n, float *y)
{
#pragma GCC ivdep
    for (size_t i = 0; i < n; i++)
        y[i] = madd(scale, x[i], y[i]);
}

static void sum_row(const float *x, const float *y, size_t n, float *sum)
{
#pragma GCC ivdep
    for (size_t i = 0; i < n; i++)
        sum[i] = x[i] + y[i];
}

static void scaled_sum_row(const float *x, const float *y, float scale, size_t n, float *sum)
{
    if (y) {
#pragma GCC ivdep
        for (size_t i = 0; i < n; i++)
            sum[i] = scale * (x[i] + y[i]);
    } else {
#pragma GCC ivdep
        for (size_t i = 0; i < n; i++)
            sum[i] = scale * x[i];
    }
}

static void difference_row(const float *x, const float *y, size_t n, float *difference)
{
#pragma GCC ivdep
    for (size_t i = 0; i < n; i++)
        difference[i] = x[i] - y[i];
}

static void product_rows(const float *w, int rows, int columns, const float *x, float *y)
{
    for (int row = 0; row < rows; row++, w += columns) {
        vector sum[4] = {{0}, {0}, {0}, {0}};
        int i = 0;
        for (; i + 4 * LANES <= columns; i += 4 * LANES)
            for (int k = 0; k < 4; k++)
                sum[k] = vector_madd(vector_load(w + i + k * LANES), vector_load(x + i + k * LANES), sum[k]);
        for (; i + LANES <= columns; i += LANES)
            sum[0] = vector_madd(vector_load(w + i), vector_load(x + i), sum[0]);
        float rest = 0;
        for (; i < columns; i++)
            rest = madd(w[i], x[i], rest);
        y[row] = vector_sum((sum[0] + sum[1]) + (sum[2] + sum[3])) + rest;
    }
}

static void bf16_round(const float *x, size_t n, uint16_t *y)
{
#pragma GCC ivdep
    for (size_t i = 0; i < n; i++) {
        uint32_t bits = (uint32_t)bits_of_float(x[i]), even = bits >> 16 & 1;
        bool number = x[i] == x[i];
        y[i] = (uint16_t)((number ? bits + 0x7fff + even : bits | 0x400000) >> 16);
    }
}

#define JOIN(a, b) a##b
#define NAMED(prefix, level) JOIN(prefix, level)

/* This level's row of the table in kernels_choose.c. */
void NAMED(kernels_rows_, KERNELS)(struct kernels *kernels);
void NAMED(kernels_rows_, KERNELS)(struct kernels *kernels)
{
    kernels->norm = norm_row;
    kernels->norm_delta = norm_delta_row;
    kernels->rope = rope_row;
    kernels->gate = gate_row;
    kernels->gate_delta = gate_delta_row;
    kernels->add = add_row;
    kernels->sum = sum_row;
    kernels->scaled_sum = scaled_sum_row;
    kernels->difference = difference_row;
    kernels->product = product_rows;
    kernels->bf16_round = bf16_round;
}
