#include "core/spellings.h"

#include <stdlib.h>
#include <string.h>

enum { SPELLING_LIMIT = 256 };

struct spelling {
    const unsigned char *text;
    size_t length;
    int32_t id;
};

struct spellings {
    unsigned char *bytes; /* of all texts */
    size_t count;
    size_t first[257]; /* where the spellings that begin with a byte start */
    struct spelling sorted[];
};

static int compare(const void *a, const void *b)
{
    const struct spelling *x = a, *y = b;
    int order = memcmp(x->text, y->text, x->length < y->length ? x->length : y->length);
    if (order)
        return order;
    if (x->length != y->length)
        return x->length < y->length ? -1 : 1;
    return x->id < y->id ? -1 : x->id > y->id;
}

static bool is_wanted(const struct vocabulary *v, size_t i, unsigned types)
{
    return types >> v->types[i] & 1 && v->texts[i].length > 0 && v->texts[i].length <= SPELLING_LIMIT;
}

int spellings_open(const struct vocabulary *v, unsigned types, struct spellings **result, struct error *error)
{
    size_t count = 0, bytes = 0;
    for (size_t i = 0; i < v->count; i++)
        if (is_wanted(v, i, types)) {
            count++;
            bytes += v->texts[i].length;
        }
    struct spellings *s = calloc(1, sizeof *s + count * sizeof *s->sorted);
    *result = s;
    if (s)
        s->bytes = malloc(bytes + 1);
    if (!s || !s->bytes)
        return error_set(error, ERROR_MEMORY, "out of memory for %zu tokens", count);
    unsigned char *end = s->bytes;
    for (size_t i = 0; i < v->count; i++)
        if (is_wanted(v, i, types)) {
            memcpy(end, v->texts[i].data, v->texts[i].length);
            s->sorted[s->count++] = (struct spelling){end, v->texts[i].length, (int32_t)i};
            end += v->texts[i].length;
        }
    qsort(s->sorted, s->count, sizeof *s->sorted, compare);
    for (size_t byte = 0, at = 0; byte <= 256; byte++) {
        while (at < s->count && s->sorted[at].text[0] < byte)
            at++;
        s->first[byte] = at;
    }
    return 0;
}

void spellings_close(struct spellings *s)
{
    if (!s)
        return;
    free(s->bytes);
    free(s);
}

/* The first of sorted[low .. high), which agree in their first `depth` bytes, whose byte there is at least `byte`;
 * one that ends there comes before all. */
static size_t lower_bound(const struct spellings *s, size_t low, size_t high, size_t depth, unsigned byte)
{
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const struct spelling *x = &s->sorted[middle];
        if (x->length <= depth || x->text[depth] < byte)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

int32_t spellings_match(const struct spellings *s, const char *text, size_t length, size_t *matched)
{
    const unsigned char *p = (const unsigned char *)text;
    int32_t best = -1;
    if (!length || !s->count)
        return best;
    size_t low = s->first[p[0]], high = s->first[p[0] + 1];
    for (size_t depth = 1; low < high; depth++) {
        if (s->sorted[low].length == depth) {
            best = s->sorted[low].id;
            *matched = depth;
        }
        if (depth == length)
            break;
        high = lower_bound(s, low, high, depth, p[depth] + 1u);
        low = lower_bound(s, low, high, depth, p[depth]);
    }
    return best;
}
