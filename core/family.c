#include "core/family.h"

#include <stdio.h>
#include <string.h>

#include "core/gguf.h"

static const struct family families[] = {
    /* Llama 1 to 3, Mistral, TinyLlama, Vicuna, SmolLM 1 and 2: converters permuted the rows of q and k */
    {.name = "llama", .rope = ROPE_PAIRS},
    {.name = "mistral3", .rope = ROPE_PAIRS},
    {.name = "smollm3", .rope = ROPE_PAIRS, .unturned_period = 4},
    {.name = "granite", .rope = ROPE_PAIRS, .rope_optional = true},
    {.name = "qwen2", .rope = ROPE_HALVES},
    {.name = "qwen3", .rope = ROPE_HALVES, .query_norm = QUERY_NORM_HEADS},
    {.name = "phi3", .rope = ROPE_HALVES, .window_period = EVERY_LAYER},
    /* converters added the 1 to Gemma's norm weights */
    {.name = "gemma", .rope = ROPE_HALVES, .activation = ACTIVATION_GELU_TANH, .scaled_embedding = true},
    {.name = "gemma2", .rope = ROPE_HALVES, .activation = ACTIVATION_GELU_TANH, .scaled_embedding = true,
     .post_norms = true, .window_period = 2, .score_cap = 50, .logit_cap = 30, .wide_scale_layers = 46},
    {.name = "gemma3", .rope = ROPE_HALVES, .activation = ACTIVATION_GELU_TANH, .scaled_embedding = true,
     .post_norms = true, .query_norm = QUERY_NORM_HEADS, .window_period = 6, .local_base = 10000,
     .wide_scale_layers = 62},
    /* OLMo 2, and OLMo 3 with its windows */
    {.name = "olmo2", .rope = ROPE_HALVES, .no_pre_norms = true, .post_norms = true, .query_norm = QUERY_NORM_WHOLE,
     .window_period = 4},
    {.name = "gpt2", .norm = NORM_LAYER, .activation = ACTIVATION_GELU_TANH, .ungated = true,
     .learned_positions = true},
    /* Pythia */
    {.name = "gptneox", .norm = NORM_LAYER, .activation = ACTIVATION_GELU_ERF, .ungated = true, .rope = ROPE_HALVES,
     .parallel = true},
};

enum { FAMILIES = sizeof families / sizeof families[0] };

/* What other architectures are, by a part of their name. */
static const struct { const char *part, *what; } others[] = {
    {"moe", "a mixture of experts"}, {"deepseek2", "a mixture of experts"}, {"gpt-oss", "a mixture of experts"},
    {"llama4", "a mixture of experts"}, {"dbrx", "a mixture of experts"}, {"arctic", "a mixture of experts"},
    {"grok", "a mixture of experts"}, {"mamba", "a state-space model"}, {"falcon-h1", "a state-space hybrid"},
    {"jamba", "a state-space hybrid"}, {"nemotron_h", "a state-space hybrid"},
    {"granitehybrid", "a state-space hybrid"}, {"plamo2", "a state-space hybrid"}, {"lfm2", "a convolution hybrid"},
    {"rwkv", "a recurrent network"}, {"bert", "an encoder"}, {"t5", "an encoder and decoder"},
};

static bool has_part(const struct gguf_string *name, const char *part)
{
    return memmem(name->data, name->length, part, strlen(part)) != NULL;
}

const struct family *family_find(const struct gguf *file, struct error *error)
{
    struct gguf_string name = {"", 0};
    if (gguf_text(file, "general.architecture", &name, error) < 0)
        return NULL;
    for (int i = 0; i < FAMILIES; i++)
        if (name.length == strlen(families[i].name) && memcmp(name.data, families[i].name, name.length) == 0)
            return &families[i];
    if (name.length == 4 && memcmp(name.data, "clip", 4) == 0) {
        error_set(error, ERROR_UNSUPPORTED, "this is a vision tower without a language model; give it as --mmproj, "
                  "beside the --model it belongs to");
        return NULL;
    }
    const char *what = NULL;
    for (size_t i = 0; i < sizeof others / sizeof others[0] && !what; i++)
        if (has_part(&name, others[i].part))
            what = others[i].what;
    char known[256] = "";
    for (int i = 0, at = 0; i < FAMILIES; i++)
        at += snprintf(known + at, sizeof known - (size_t)at, "%s%s", i ? ", " : "", families[i].name);
    error_set(error, ERROR_UNSUPPORTED, "architecture \"%.*s\"%s%s%s is not supported; supported: %s", (int)name.length,
              name.data, what ? " (" : "", what ? what : "", what ? ")" : "", known);
    return NULL;
}
