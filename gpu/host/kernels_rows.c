/* kernels_rows.c: kernels that go over the columns of a row: norms, RoPE, gates, sums, and products with one row. */
#include "gpu/host/kernels.h"

#include <math.h>

#include "gpu/host/kernels_math.h"

/* -- norms --------------------------------------------------------------------------------------------------------- */

/* y = (x + dx - mean) * scale * weight + bias */
struct moments {
    float mean, scale;
};

/* Sum of (x + dx - mean)^power over a row, each lane by itself first; dx may be NULL. */
static inline __attribute__((always_inline)) float row_sum(const float *x, const float *dx, int n, float mean,
                                                           int power)
{
    vector sum[2] = {{0}, {0}};
    int i = 0;
    for (; i + 2 * LANES <= n; i += 2 * LANES)
        for (int k = 0; k < 2; k++) {
            vector v = vector_load(x + i + k * LANES);
            if (dx)
                v += vector_load(dx + i + k * LANES);
            v -= mean;
            sum[k] = power == 2 ? vector_madd(v, v, sum[k]) : sum[k] + v;
        }
    float rest = 0;
    for (; i < n; i++) {
        float v = (dx ? x[i] + dx[i] : x[i]) - mean;
        rest = power == 2 ? madd(v, v, rest) : rest + v;
    }
    return vector_sum(sum[0] + sum[1]) + rest;
}

static inline __attribute__((always_inline)) struct moments row_moments(const struct norm *norm, const float *x,
                                                                        const float *dx)
{
    int n = norm->width;
    struct moments m = {0, 0};
    if (norm->kind == NORM_LAYER)
        m.mean = row_sum(x, dx, n, 0, 1) / (float)n;
    m.scale = 1.0f / sqrtf(row_sum(x, dx, n, m.mean, 2) / (float)n + norm->epsilon);
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
        struct moments m = row_moments(norm, x, NULL);
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

static void norm_delta_row(const struct norm *norm, const float *x, const float *dx, float *dy)
{
    const float *weight = norm->weight, *bias = norm->bias;
    for (int g = 0; g < norm->groups; g++, x += norm->width, dx += norm->width, dy += norm->width) {
        struct moments base = row_moments(norm, x, NULL), probe = row_moments(norm, x, dx);
        if (bias) {
#pragma GCC ivdep
            for (int i = 0; i < norm->width; i++)
                dy[i] = normal(probe, x[i] + dx[i], weight[i], bias[i]) - normal(base, x[i], weight[i], bias[i]);
        } else {
#pragma GCC ivdep
            for (int i = 0; i < norm->width; i++)
                dy[i] = normal(probe, x[i] + dx[i], weight[i], 0.0f) - normal(base, x[i], weight[i], 0.0f);
        }
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

/* x[0 .. n - 1] + dx (NULL: nothing), n <= LANES, then zeros */
static inline __attribute__((always_inline)) vector load_some(const float *x, const float *dx, size_t n)
{
    vector v = {0}, dv = {0};
    memcpy(&v, x, n * sizeof *x);
    if (dx)
        memcpy(&dv, dx, n * sizeof *dx);
    return dx ? v + dv : v;
}

/* activation(gate + dgate) (up + dup) of n elements, n <= LANES; up NULL: no such factor */
static inline __attribute__((always_inline)) vector gate_some(vector (*function)(vector), const float *gate,
                                                              const float *dgate, const float *up, const float *dup,
                                                              size_t n)
{
    vector y = function(load_some(gate, dgate, n));
    return up ? y * load_some(up, dup, n) : y;
}

/* The last elements go through a whole vector too: the same element comes out the same to the bit wherever it stands. */
static inline __attribute__((always_inline)) void gate_loop(vector (*function)(vector), const float *gate,
                                                            const float *up, size_t n, float *y)
{
    size_t i = 0;
    for (; i + LANES <= n; i += LANES)
        vector_store(y + i, gate_some(function, gate + i, NULL, up ? up + i : NULL, NULL, LANES));
    if (i < n) {
        vector v = gate_some(function, gate + i, NULL, up ? up + i : NULL, NULL, n - i);
        memcpy(y + i, &v, (n - i) * sizeof *y);
    }
}

static inline __attribute__((always_inline)) vector gate_change(vector (*function)(vector), const float *gate,
                                                                const float *up, const float *dgate,
                                                                const float *dup, size_t n)
{
    return gate_some(function, gate, dgate, up, dup, n) - gate_some(function, gate, NULL, up, NULL, n);
}

static inline __attribute__((always_inline)) void gate_delta_loop(vector (*function)(vector), const float *gate,
                                                                  const float *up, const float *dgate,
                                                                  const float *dup, size_t n, float *dy)
{
    size_t i = 0;
    for (; i + LANES <= n; i += LANES)
        vector_store(dy + i, gate_change(function, gate + i, up ? up + i : NULL, dgate + i, up ? dup + i : NULL, LANES));
    if (i < n) {
        vector v = gate_change(function, gate + i, up ? up + i : NULL, dgate + i, up ? dup + i : NULL, n - i);
        memcpy(dy + i, &v, (n - i) * sizeof *dy);
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

static void gate_delta_row(enum activation activation, const float *gate, const float *up, const float *dgate,
                           const float *dup, size_t n, float *dy)
{
    switch (activation) {
    case ACTIVATION_SILU: gate_delta_loop(vector_silu, gate, up, dgate, dup, n, dy); break;
    case ACTIVATION_GELU_TANH: gate_delta_loop(vector_gelu_tanh, gate, up, dgate, dup, n, dy); break;
    case ACTIVATION_GELU_ERF: gate_delta_loop(vector_gelu_erf, gate, up, dgate, dup, n, dy); break;
    case ACTIVATION_GELU_QUICK: gate_delta_loop(vector_gelu_quick, gate, up, dgate, dup, n, dy); break;
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
        bool number = (bits & 0x7fffffff) <= 0x7f800000;
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
