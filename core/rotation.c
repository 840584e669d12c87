#include "core/rotation.h"

#include <math.h>

#include "core/hyper.h"

static double clamp(double x, double low, double high)
{
    return x < low ? low : x > high ? high : x;
}

static void set_turns(struct rotation *r, double base, double factor)
{
    for (int i = 0; i < r->pairs; i++)
        r->turn[i] = pow(base, -(double)i / r->pairs) / factor;
}

static double yarn_magnitude(double factor, double weight)
{
    return factor > 1 ? 1 + 0.1 * weight * log(factor) : 1;
}

/* YaRN (arXiv 2309.00071, section 3): pairs that turn often within the original context keep their speed, those that
 * turn less than once are slowed down by the factor, with a ramp between. */
static void stretch_yarn(struct hyper *h, double base, double factor, struct rotation *r)
{
    int original = 0;
    double fast = 32, slow = 1, extrapolation = 1, weight = 0, magnitude = 0;
    hyper_int(h, "context_length", 1, 1 << 24, &original);
    hyper_int(h, "rope.scaling.original_context_length", 1, 1 << 24, &original);
    hyper_real(h, "rope.scaling.yarn_beta_fast", &fast);
    hyper_real(h, "rope.scaling.yarn_beta_slow", &slow);
    hyper_real(h, "rope.scaling.yarn_ext_factor", &extrapolation);
    hyper_real(h, "rope.scaling.yarn_log_multiplier", &weight);
    hyper_real(h, "rope.scaling.yarn_attn_factor", &magnitude);
    hyper_check(h, original > 0 && fast > 0 && slow > 0 && base > 1 && magnitude >= 0, "YaRN settings");
    if (h->status < 0)
        return;
    double columns = 2.0 * r->pairs, per_turn = columns / (2 * log(base));
    double low = floor(per_turn * log(original / (2 * M_PI * fast))),
           high = ceil(per_turn * log(original / (2 * M_PI * slow)));
    low = fmax(low, 0);
    high = fmin(high, columns - 1);
    for (int i = 0; i < r->pairs; i++) {
        double kept = extrapolation * (1 - clamp((i - low) / fmax(high - low, 0.001), 0, 1));
        r->turn[i] *= kept + (1 - kept) / factor;
    }
    r->magnitude *=
        magnitude > 0 ? magnitude : yarn_magnitude(factor, 1) / (weight > 0 ? yarn_magnitude(factor, weight) : 1);
}

void rotation_read(struct hyper *h, int head_dim, bool neox, struct rotation *r)
{
    int rotated = head_dim;
    double base = 10000, factor = 0;
    r->neox = neox;
    r->magnitude = 1;
    hyper_int(h, "rope.dimension_count", 2, head_dim, &rotated);
    hyper_real(h, "rope.freq_base", &base);
    hyper_real(h, "rope.scale_linear", &factor);
    hyper_real(h, "rope.scaling.factor", &factor);
    hyper_real(h, "rope.scaling.attn_factor", &r->magnitude);
    hyper_check(h, rotated % 2 == 0, "head size and RoPE dimensions");
    hyper_check(h, base > 0 && factor >= 0 && r->magnitude > 0, "RoPE settings");
    if (h->status < 0)
        return;
    if (factor == 0)
        factor = 1;
    r->pairs = rotated / 2;
    const char *key = "rope.scaling.type", *missing = "linear";
    if (hyper_is(h, key, missing, "linear"))
        set_turns(r, base, factor);
    else if (hyper_is(h, key, missing, "none") || hyper_is(h, key, missing, "longrope"))
        set_turns(r, base, 1);
    else if (hyper_is(h, key, missing, "yarn")) {
        set_turns(r, base, 1);
        stretch_yarn(h, base, factor, r);
    } else if (h->status == 0)
        h->status = error_set(h->error, ERROR_UNSUPPORTED,
                              "this kind of RoPE scaling (%s.rope.scaling.type) is not supported", h->architecture);
}

void rotation_read_local(struct hyper *h, double base, const struct rotation *global, struct rotation *r)
{
    if (base == 0) {
        base = 10000;
        hyper_real(h, "rope.freq_base", &base);
    }
    hyper_real(h, "rope.freq_base_swa", &base);
    hyper_check(h, base > 0, "RoPE settings");
    *r = (struct rotation){.pairs = global->pairs, .neox = global->neox, .magnitude = 1};
    set_turns(r, base, 1);
}

void rotation_tables(const struct rotation *r, int positions, float *cosine, float *sine)
{
    for (int p = 0; p < positions; p++)
        for (int i = 0; i < r->pairs; i++) {
            double angle = p * r->turn[i];
            *cosine++ = (float)(r->magnitude * cos(angle));
            *sine++ = (float)(r->magnitude * sin(angle));
        }
}
