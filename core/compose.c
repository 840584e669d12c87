/* UAX #15: decompose, sort marks by combining class, put together again what follows its starter unblocked. */
#include "core/compose.h"

#include <stdlib.h>

#include "core/compose_table.h"
#include "core/utf8.h"

#define COUNT(table) (sizeof(table) / sizeof *(table))

enum {
    HANGUL = 0xac00, LEAD = 0x1100, VOWEL = 0x1161, TRAIL = 0x11a7,
    LEADS = 19, VOWELS = 21, TRAILS = 28, SYLLABLES = LEADS * VOWELS * TRAILS,
    LONGEST_SPLIT = 4, /* no character decomposes into more */
};

struct mark {
    uint32_t code;
    uint8_t class;
    size_t source; /* byte where its character begins in the given text */
    size_t order;
};

struct marks {
    struct mark *at;
    size_t count;
};

/* -- tables -------------------------------------------------------------------------------------------------------- */

static uint8_t class_of(uint32_t code)
{
    size_t low = 0, high = COUNT(classes);
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (classes[middle].high < code)
            low = middle + 1;
        else
            high = middle;
    }
    return low < COUNT(classes) && classes[low].low <= code ? classes[low].value : 0;
}

/* The character made of two, or 0. */
static uint32_t pair_of(uint32_t first, uint32_t second)
{
    if (first - LEAD < LEADS && second - VOWEL < VOWELS)
        return HANGUL + ((first - LEAD) * VOWELS + (second - VOWEL)) * TRAILS;
    if (first - HANGUL < SYLLABLES && (first - HANGUL) % TRAILS == 0 && second - TRAIL - 1 < TRAILS - 1)
        return first + (second - TRAIL);
    size_t low = 0, high = COUNT(pairs);
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (pairs[middle].first < first || (pairs[middle].first == first && pairs[middle].second < second))
            low = middle + 1;
        else
            high = middle;
    }
    return low < COUNT(pairs) && pairs[low].first == first && pairs[low].second == second ? pairs[low].code : 0;
}

/* -- steps --------------------------------------------------------------------------------------------------------- */

static void add(struct marks *marks, uint32_t code, size_t source)
{
    marks->at[marks->count] = (struct mark){code, class_of(code), source, marks->count};
    marks->count++;
}

static void decompose(struct marks *marks, uint32_t code, size_t source)
{
    size_t low = 0, high = COUNT(splits);
    if (code - HANGUL < SYLLABLES) {
        uint32_t index = code - HANGUL;
        add(marks, LEAD + index / (VOWELS * TRAILS), source);
        add(marks, VOWEL + index / TRAILS % VOWELS, source);
        if (index % TRAILS)
            add(marks, TRAIL + index % TRAILS, source);
        return;
    }
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (splits[middle].code < code)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == COUNT(splits) || splits[low].code != code) {
        add(marks, code, source);
        return;
    }
    decompose(marks, splits[low].first, source);
    if (splits[low].second)
        add(marks, splits[low].second, source); /* a second part does not decompose further */
}

static int by_class(const void *a, const void *b)
{
    const struct mark *x = a, *y = b;
    if (x->class != y->class)
        return x->class < y->class ? -1 : 1;
    return x->order < y->order ? -1 : 1;
}

static void sort_marks(struct marks *marks)
{
    for (size_t i = 0, end; i < marks->count; i = end) {
        for (end = i + 1; end < marks->count && marks->at[end].class; end++)
            ;
        size_t first = marks->at[i].class ? i : i + 1; /* only at the very beginning is there no starter */
        if (end - first > 1)
            qsort(marks->at + first, end - first, sizeof *marks->at, by_class);
    }
}

static void compose(struct marks *marks)
{
    size_t count = 0, starter = 0;
    bool started = false;
    uint8_t last = 0; /* class of the last that was kept behind the starter */
    for (size_t i = 0; i < marks->count; i++) {
        struct mark mark = marks->at[i];
        bool adjacent = started && starter + 1 == count;
        if (started && (adjacent || (mark.class && last < mark.class))) {
            uint32_t both = pair_of(marks->at[starter].code, mark.code);
            if (both) {
                marks->at[starter].code = both;
                continue;
            }
        }
        if (!mark.class) {
            starter = count;
            started = true;
        }
        last = mark.class;
        marks->at[count++] = mark;
    }
    marks->count = count;
}

static size_t put(char *out, uint32_t code)
{
    if (code < 0x80) {
        out[0] = (char)code;
        return 1;
    }
    size_t bytes = code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    for (size_t i = bytes - 1; i > 0; i--, code >>= 6)
        out[i] = (char)(0x80 | (code & 0x3f));
    out[0] = (char)((bytes == 2 ? 0xc0 : bytes == 3 ? 0xe0 : 0xf0) | code);
    return bytes;
}

/* -- interface ----------------------------------------------------------------------------------------------------- */

bool compose_matters(const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if ((unsigned char)text[i] >= 0xcc) /* the first byte of U+0300 and all beyond */
            return true;
    return false;
}

int compose_text(const char *text, size_t length, struct composed *composed, struct error *error)
{
    size_t characters = 0;
    for (size_t at = 0; at < length; characters++)
        utf8_next(text, length, &at);
    *composed = (struct composed){0};
    struct marks marks = {malloc((characters * LONGEST_SPLIT + 1) * sizeof *marks.at), 0};
    if (!marks.at)
        return error_set(error, ERROR_MEMORY, "out of memory for a text of %zu bytes", length);
    for (size_t at = 0; at < length;) {
        size_t source = at;
        uint32_t code = utf8_next(text, length, &at);
        decompose(&marks, code, source);
    }
    sort_marks(&marks);
    compose(&marks);
    composed->text = malloc(marks.count * 4 + 1);
    composed->source = malloc((marks.count * 4 + 1) * sizeof *composed->source);
    if (!composed->text || !composed->source) {
        free(marks.at);
        composed_free(composed);
        return error_set(error, ERROR_MEMORY, "out of memory for a text of %zu bytes", length);
    }
    for (size_t i = 0; i < marks.count; i++) {
        size_t bytes = put(composed->text + composed->length, marks.at[i].code);
        for (size_t b = 0; b < bytes; b++)
            composed->source[composed->length++] = marks.at[i].source;
    }
    composed->source[composed->length] = length;
    for (size_t i = composed->length; i > 0; i--) /* sorting may have put a later mark before an earlier one */
        if (composed->source[i - 1] > composed->source[i])
            composed->source[i - 1] = composed->source[i];
    free(marks.at);
    return 0;
}

void composed_free(struct composed *composed)
{
    free(composed->text);
    free(composed->source);
    *composed = (struct composed){0};
}
