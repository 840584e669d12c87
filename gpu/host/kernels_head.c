/* kernels_head.c: kernels of the output head: capping of logits, and what a column of the vocabulary adds to the change
 * of the log-sum-exp. */
#include "gpu/host/kernels.h"

#include <math.h>

#include "gpu/host/kernels_math.h"

/* Above this a change of a logit could overflow exp() once multiplied by a tiny probability. */
static const float large_change = 60.0f;

static void cap(float divisor, float softcap, size_t n, float *logit)
{
    if (divisor != 1.0f)
        for (size_t i = 0; i < n; i++)
            logit[i] /= divisor;
    if (softcap > 0.0f)
        for (size_t i = 0; i < n; i++)
            logit[i] = softcap * fast_tanh(logit[i] / softcap);
}

static void lse_target(const struct lse_tile *tile, const float *bias, double lse)
{
    float *logit = tile->logit;
    if (bias)
        for (int i = 0; i < tile->count; i++)
            logit[i] += bias[i];
    if (tile->softcap > 0.0f)
        for (int i = 0; i < tile->count; i++)
            tile->scaled[i] = logit[i] / tile->divisor / tile->softcap;
    cap(tile->divisor, tile->softcap, (size_t)tile->count, logit);
    for (int i = 0; i < tile->count; i++)
        logit[i] = (float)((double)logit[i] - lse);
    for (int i = 0; i < tile->count; i++)
        tile->share[i] = fast_exp(logit[i]);
}

/* Changes of raw logits into changes of capped ones. */
static void cap_changes(const struct lse_tile *tile, float *dlogit)
{
    int n = tile->count;
    if (tile->divisor != 1.0f)
        for (int i = 0; i < n; i++)
            dlogit[i] /= tile->divisor;
    if (tile->softcap > 0.0f) {
        const float softcap = tile->softcap, *scaled = tile->scaled;
        for (int i = 0; i < n; i++)
            dlogit[i] = softcap * (fast_tanh(scaled[i] + dlogit[i] / softcap) - fast_tanh(scaled[i]));
    }
}

/* The sum of exp(log share + change), each less the greatest one so far. */
static void add_shifted(const struct lse_tile *tile, const float *dlogit, struct lse_sum *sum)
{
    double most = sum->shift;
    for (int i = 0; i < tile->count; i++) {
        double exponent = (double)tile->logit[i] + (double)dlogit[i];
        most = exponent > most ? exponent : most;
    }
    sum->total *= exp(sum->shift - most);
    sum->shift = most;
    for (int i = 0; i < tile->count; i++)
        sum->total += exp((double)tile->logit[i] + (double)dlogit[i] - most);
}

static void lse_row(const struct lse_tile *tile, float *dlogit, struct lse_sum *sum)
{
    enum { DOUBLES = 8, PART = 128 };
    const float *share = tile->share;
    int n = tile->count;
    cap_changes(tile, dlogit);
    if (sum->shift > 0 || greatest(dlogit, n) > large_change) {
        sum->large = true;
        add_shifted(tile, dlogit, sum);
        return;
    }
    double change[DOUBLES] = {0}, total[DOUBLES] = {0};
    float gain[PART] = {0}, left[PART] = {0};
    for (int start = 0; start < n; start += PART) {
        int count = n - start < PART ? n - start : PART;
        for (int i = 0; i < count; i++) {
            gain[i] = share[start + i] * fast_expm1(dlogit[start + i]);
            left[i] = share[start + i] * fast_exp(dlogit[start + i]);
        }
        for (int i = count; i < PART; i++)
            gain[i] = left[i] = 0;
        for (int i = 0; i < PART; i += DOUBLES)
            for (int k = 0; k < DOUBLES; k++) {
                change[k] += (double)gain[i + k];
                total[k] += (double)left[i + k];
            }
    }
    for (int k = 0; k < DOUBLES; k++) {
        sum->change += change[k];
        sum->total += total[k];
    }
}

#define JOIN(a, b) a##b
#define NAMED(prefix, level) JOIN(prefix, level)

/* This level's row of the table in kernels_choose.c. */
void NAMED(kernels_head_, KERNELS)(struct kernels *kernels);
void NAMED(kernels_head_, KERNELS)(struct kernels *kernels)
{
    kernels->cap = cap;
    kernels->lse_target = lse_target;
    kernels->lse_row = lse_row;
}
