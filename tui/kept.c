#include "tui/kept.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct about about_of(const struct engine_info *info, const struct request *request)
{
    static const char *const variants[] = {"row-min", "row-min-causal", "product", "log-additive"};
    struct about about = {0};
    const struct method *method = &request->method;
    const char *slash = strrchr(info->file, '/'), *name = slash ? slash + 1 : info->file, *end = strstr(name, ".gguf");
    char(*settings)[sizeof about.settings[0]] = about.settings;
    snprintf(about.model, sizeof about.model, "%.*s, %s", end ? (int)(end - name) : (int)strlen(name), name,
             info->quantisation);
    snprintf(settings[0], sizeof settings[0], "%s", request->chat ? info->chat : "raw");
    snprintf(settings[1], sizeof settings[1], "factor %g", (double)method->factor);
    snprintf(settings[2], sizeof settings[2], "%s", variants[method->suppression]);
    snprintf(settings[3], sizeof settings[3], isnan(method->similarity) ? "similarity off" : "similarity %g",
             (double)method->similarity);
    return about;
}

bool about_is_same(const struct about *a, const struct about *b)
{
    bool same = strcmp(a->model, b->model) == 0;
    for (size_t i = 0; i < ABOUT_SETTINGS; i++)
        same = same && strcmp(a->settings[i], b->settings[i]) == 0;
    return same;
}

static int by_id(const void *a, const void *b)
{
    int32_t x = *(const int32_t *)a, y = *(const int32_t *)b;
    return (x > y) - (x < y);
}

/* The ids of the output and its candidates, each once and rising.  *ids is malloced [*count]. */
static bool list_ids(const struct explanation *e, int32_t **ids, size_t *count)
{
    size_t n = 0, kept = 0;
    *ids = malloc((e->output_count * (1 + CANDIDATES) + 1) * sizeof **ids);
    if (!*ids)
        return false;
    for (size_t t = 0; t < e->output_count; t++) {
        (*ids)[n++] = e->output[t].id;
        for (int k = 0; k < CANDIDATES; k++)
            if (e->output[t].candidates[k].id >= 0)
                (*ids)[n++] = e->output[t].candidates[k].id;
    }
    qsort(*ids, n, sizeof **ids, by_id);
    for (size_t i = 0; i < n; i++)
        if (kept == 0 || (*ids)[i] != (*ids)[kept - 1])
            (*ids)[kept++] = (*ids)[i];
    *count = kept;
    return true;
}

static struct tokenizer *texts_of(const struct explanation *e, const struct tokenizer *tokenizer)
{
    int32_t *ids;
    size_t count;
    struct tokenizer *texts = NULL;
    if (!list_ids(e, &ids, &count))
        return NULL;
    struct tokenizer_piece *pieces = malloc((count + 1) * sizeof *pieces);
    for (size_t i = 0; pieces && i < count; i++) {
        pieces[i].id = ids[i];
        pieces[i].special = tokenizer_is_special(tokenizer, ids[i]);
        pieces[i].text = tokenizer_text(tokenizer, ids[i], &pieces[i].length);
    }
    if (pieces && tokenizer_of_pieces(pieces, count, &texts, NULL) != 0)
        texts = NULL;
    free(pieces);
    free(ids);
    return texts;
}

struct kept *kept_new(struct explanation *e, const struct tokenizer *tokenizer, const struct about *about)
{
    struct kept *kept = malloc(sizeof *kept);
    struct tokenizer *texts = kept ? texts_of(e, tokenizer) : NULL;
    if (!texts) {
        free(kept);
        return NULL;
    }
    *kept = (struct kept){e, texts, *about};
    return kept;
}

void kept_free(struct kept *kept)
{
    if (!kept)
        return;
    explanation_free(kept->explanation);
    tokenizer_close(kept->tokenizer);
    free(kept);
}

bool kept_is_same(const struct explanation *a, const struct about *about_a, const struct explanation *b,
                  const struct about *about_b)
{
    if (a->prompt_length != b->prompt_length || a->picture_count != b->picture_count ||
        !about_is_same(about_a, about_b))
        return false;
    for (size_t i = 0; i < a->picture_count; i++)
        if (a->pictures[i].image->serial != b->pictures[i].image->serial)
            return false;
    return memcmp(a->prompt, b->prompt, a->prompt_length) == 0;
}
