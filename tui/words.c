#include "tui/words.h"

#include <stdlib.h>
#include <string.h>

void words_free(struct words *words)
{
    layout_free(&words->layout);
    free(words->text);
    free(words->ends);
    free(words->changed);
    *words = (struct words){0};
}

void words_clear(struct words *words)
{
    words->count = 0;
}

static size_t length_of(const struct words *words)
{
    return words->count > 0 ? words->ends[words->count - 1] : 0;
}

static bool reserve_token(struct words *words)
{
    size_t capacity = 2 * words->count + 16;
    if (words->count < words->ends_capacity)
        return true;
    size_t *ends = realloc(words->ends, capacity * sizeof *ends);
    words->ends = ends ? ends : words->ends;
    bool *changed = realloc(words->changed, capacity * sizeof *changed);
    words->changed = changed ? changed : words->changed;
    if (ends && changed)
        words->ends_capacity = capacity;
    return ends && changed;
}

bool words_add(struct words *words, const char *text, size_t length)
{
    size_t used = length_of(words), capacity = 2 * (used + length);
    if (!reserve_token(words))
        return false;
    if (used + length > words->capacity) {
        char *larger = realloc(words->text, capacity);
        if (!larger)
            return false;
        words->text = larger;
        words->capacity = capacity;
    }
    if (length > 0)
        memcpy(words->text + used, text, length);
    words->ends[words->count] = used + length;
    words->changed[words->count++] = false;
    return true;
}

void words_arrange(struct words *words, int columns, wchar_t newline)
{
    layout_text(&words->layout, words->text, length_of(words), columns, newline);
}

size_t words_start(const struct words *words, size_t token)
{
    size_t at = token > 0 ? words->ends[token - 1] : 0;
    while (at < words->ends[token] && words->text[at] == ' ')
        at++;
    return at;
}

const char *words_text(const struct words *words, size_t token, size_t *length)
{
    size_t start = token > 0 ? words->ends[token - 1] : 0;
    *length = words->ends[token] - start;
    return *length > 0 ? words->text + start : "";
}

struct align_text words_bare(const struct words *words, size_t token)
{
    size_t length;
    const char *text = words_text(words, token, &length);
    bool space = length > 1 && text[0] == ' ';
    return (struct align_text){text + space, length - space};
}

/* -- two outputs --------------------------------------------------------------------------------------------------- */

static struct align_text *texts_of(const struct words *words)
{
    struct align_text *texts = malloc((words->count + 1) * sizeof *texts);
    for (size_t i = 0; texts && i < words->count; i++)
        texts[i] = words_bare(words, i);
    return texts;
}

static void mark(struct words *words, const long *partners)
{
    for (size_t i = 0; i < words->count; i++)
        words->changed[i] = partners && partners[i] < 0;
}

/* Where two outputs part, each says what it says after the same words: that is compared, and not a word with the same
 * one of a later sentence.  A word that was put in or left out may move it by a little. */
static bool align_outputs(const struct align_text *a, size_t n, const struct align_text *b, size_t m, long *a_to_b,
                          long *b_to_a)
{
    enum { LITTLE = 2 };
    size_t part = 0;
    while (part < n && part < m && align_same(a[part], b[part]))
        part++;
    if (!align_texts(a, n, b, m, a_to_b, b_to_a))
        return false;
    if (part == n || part == m ||
        (a_to_b[part] <= (long)part + LITTLE && b_to_a[part] <= (long)part + LITTLE))
        return true;
    size_t rest = part + 1;
    a_to_b[part] = b_to_a[part] = -1;
    if (!align_texts(a + rest, n - rest, b + rest, m - rest, a_to_b + rest, b_to_a + rest))
        return false;
    for (size_t i = rest; i < n; i++)
        a_to_b[i] += a_to_b[i] < 0 ? 0 : (long)rest;
    for (size_t i = rest; i < m; i++)
        b_to_a[i] += b_to_a[i] < 0 ? 0 : (long)rest;
    return true;
}

bool words_align(struct words *a, struct words *b, long *a_to_b, long *b_to_a)
{
    struct align_text *a_texts = texts_of(a), *b_texts = texts_of(b);
    long *own = malloc((a->count + b->count + 1) * sizeof *own), *from_a = a_to_b ? a_to_b : own,
         *from_b = b_to_a ? b_to_a : own + a->count;
    bool fine = own && a_texts && b_texts &&
                align_outputs(a_texts, a->count, b_texts, b->count, from_a, from_b);
    mark(a, fine ? from_a : NULL);
    mark(b, fine ? from_b : NULL);
    if (fine)
        align_replaced(from_a, a->count, from_b, b->count);
    for (size_t i = 0; !fine && a_to_b && i < a->count; i++)
        a_to_b[i] = -1;
    for (size_t i = 0; !fine && b_to_a && i < b->count; i++)
        b_to_a[i] = -1;
    free(a_texts);
    free(b_texts);
    free(own);
    return fine;
}
