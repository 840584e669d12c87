#include "core/family.h"

#include <stdio.h>
#include <string.h>

#include "core/gguf.h"

static const struct family families[] = {
    /* Llama 1 to 3, Mistral, TinyLlama, Vicuna, SmolLM 1 and 2: converters permuted the rows of q and k */
    {.name = "llama", .rope = ROPE_PAIRS},
};

enum { FAMILIES = sizeof families / sizeof families[0] };

/* What other architectures are, by a part of their name. */
static const struct { const char *part, *what; } others[] = {
    {"moe", "a mixture of experts"}, {"deepseek2", "a mixture of experts"}, {"gpt-oss", "a mixture of experts"},
    {"llama4", "a mixture of experts"}, {"dbrx", "a mixture of experts"}, {"arctic", "a mixture of experts"},
    {"grok", "a mixture of experts"}, {"mamba", "a state-space model"}, {"falcon-h1", "a state-space hybrid"},
    {"jamba", "a state-space hybrid"}, {"nemotron_h", "a state-space hybrid"}, {"granitehybrid", "a state-space hybrid"},
    {"plamo2", "a state-space hybrid"}, {"lfm2", "a convolution hybrid"}, {"rwkv", "a recurrent network"},
    {"bert", "an encoder"}, {"t5", "an encoder and decoder"}, {"clip", "a vision tower without a language model"},
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
