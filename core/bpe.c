#include "core/bpe.h"

#include <stdlib.h>
#include <string.h>

#include "core/compose.h"
#include "core/utf8.h"

/* An open-addressed table; a slot with value -1 is free. */
struct merge {
    int32_t left, right;
    int32_t rank, id; /* lowest rank first; what the two become */
};

struct bpe {
    struct pretokenizer *pre;
    bool whole_words, compose;
    char *bytes;        /* of all tokens, one after the other */
    size_t *starts;     /* [count + 1] into bytes; empty: not to be found by its text */
    int32_t *words;     /* [words_mask + 1] id by text, -1 free */
    size_t words_mask;
    struct merge *merges; /* [merges_mask + 1], id -1 free */
    size_t merges_mask;
    int32_t single[256]; /* the token of a byte, or -1 */
};

/* -- bytes and their stand-ins ------------------------------------------------------------------------------------- */

/* GPT-2 writes the bytes 21-7e, a1-ac, ae-ff as the characters of the same number and the other 68, in order, as U+0100
 * and on. */
static int byte_of(uint32_t code)
{
    if ((code >= 0x21 && code <= 0x7e) || (code >= 0xa1 && code <= 0xac) || (code >= 0xae && code <= 0xff))
        return (int)code;
    if (code < 0x100 || code > 0x143)
        return -1;
    code -= 0x100;
    return (int)(code <= 0x20 ? code : code <= 0x42 ? 0x7f + code - 0x21 : 0xad);
}

ptrdiff_t bpe_bytes(const char *text, size_t length, char *bytes)
{
    ptrdiff_t count = 0;
    if (utf8_check(text, length) < length)
        return -1;
    for (size_t at = 0; at < length;) {
        int byte = byte_of(utf8_next(text, length, &at));
        if (byte < 0)
            return -1;
        bytes[count++] = (char)byte;
    }
    return count;
}

/* -- words by text ------------------------------------------------------------------------------------------------- */

static size_t hash_bytes(const char *bytes, size_t length)
{
    uint64_t hash = 0xcbf29ce484222325u;
    for (size_t i = 0; i < length; i++)
        hash = (hash ^ (unsigned char)bytes[i]) * 0x100000001b3u;
    return (size_t)(hash ^ hash >> 29);
}

/* The slot of a text, or the free one where it belongs. */
static int32_t *word_slot(const struct bpe *bpe, const char *bytes, size_t length)
{
    size_t slot = hash_bytes(bytes, length) & bpe->words_mask;
    for (;; slot = (slot + 1) & bpe->words_mask) {
        int32_t id = bpe->words[slot];
        if (id < 0)
            return &bpe->words[slot];
        size_t start = bpe->starts[id];
        if (bpe->starts[id + 1] - start == length && !memcmp(bpe->bytes + start, bytes, length))
            return &bpe->words[slot];
    }
}

static size_t table_size(size_t entries)
{
    size_t size = 16;
    while (size < 2 * entries)
        size *= 2;
    return size;
}

static int read_words(const struct vocabulary *v, struct bpe *bpe, struct error *error)
{
    size_t total = 0, slots = table_size(v->count);
    for (size_t i = 0; i < v->count; i++)
        total += v->texts[i].length;
    bpe->bytes = malloc(total + 1);
    bpe->starts = malloc((v->count + 1) * sizeof *bpe->starts);
    bpe->words = malloc(slots * sizeof *bpe->words);
    if (!bpe->bytes || !bpe->starts || !bpe->words)
        return error_set(error, ERROR_MEMORY, "out of memory for %zu tokens", v->count);
    bpe->words_mask = slots - 1;
    memset(bpe->words, 0xff, slots * sizeof *bpe->words);
    size_t end = 0;
    for (size_t i = 0; i < v->count; i++) {
        /* Only these can come out of merges; the others are spelled as they are and are cut out before. */
        bool merged = v->types[i] == TOKEN_TYPE_NORMAL || v->types[i] == TOKEN_TYPE_UNUSED;
        ptrdiff_t length = merged ? bpe_bytes(v->texts[i].data, v->texts[i].length, bpe->bytes + end) : -1;
        bpe->starts[i] = end;
        end += length > 0 ? (size_t)length : 0;
        bpe->starts[i + 1] = end;
        if (length <= 0)
            continue;
        int32_t *slot = word_slot(bpe, bpe->bytes + bpe->starts[i], (size_t)length);
        if (*slot < 0)
            *slot = (int32_t)i;
    }
    for (int byte = 0; byte < 256; byte++)
        bpe->single[byte] = *word_slot(bpe, &(char){(char)byte}, 1);
    return 0;
}

/* -- merges -------------------------------------------------------------------------------------------------------- */

static struct merge *merge_slot(const struct bpe *bpe, int32_t left, int32_t right)
{
    uint64_t key = (uint64_t)(uint32_t)left << 32 | (uint32_t)right;
    key *= 0x9e3779b97f4a7c15u;
    for (size_t slot = (size_t)(key ^ key >> 32) & bpe->merges_mask;; slot = (slot + 1) & bpe->merges_mask) {
        struct merge *merge = &bpe->merges[slot];
        if (merge->id < 0 || (merge->left == left && merge->right == right))
            return merge;
    }
}

/* "A B": split at the first space that is not the first character, look both up, and what they make together. */
static void read_merge(struct bpe *bpe, struct gguf_string line, int32_t rank, char *scratch)
{
    const char *space = line.length > 1 ? memchr(line.data + 1, ' ', line.length - 1) : NULL;
    if (!space)
        return;
    size_t cut = (size_t)(space - line.data);
    ptrdiff_t left = bpe_bytes(line.data, cut, scratch);
    ptrdiff_t right = left < 0 ? -1 : bpe_bytes(space + 1, line.length - cut - 1, scratch + left);
    if (left <= 0 || right <= 0)
        return;
    int32_t a = *word_slot(bpe, scratch, (size_t)left);
    int32_t b = *word_slot(bpe, scratch + left, (size_t)right);
    int32_t both = *word_slot(bpe, scratch, (size_t)(left + right));
    if (a < 0 || b < 0 || both < 0)
        return;
    struct merge *slot = merge_slot(bpe, a, b);
    if (slot->id < 0)
        *slot = (struct merge){a, b, rank, both};
}

static int read_merges(const struct gguf *file, struct bpe *bpe, struct error *error)
{
    const struct gguf_entry *entry = gguf_find(file, "tokenizer.ggml.merges");
    if (!entry || entry->type != GGUF_ARRAY || entry->element != GGUF_STRING || entry->count > INT32_MAX / 4)
        return error_set(error, ERROR_FORMAT, "the vocabulary has no merges (tokenizer.ggml.merges)");
    size_t slots = table_size((size_t)entry->count), longest = 0;
    for (uint64_t i = 0; i < entry->count; i++)
        longest = entry->strings[i].length > longest ? entry->strings[i].length : longest;
    char *scratch = malloc(longest + 1);
    bpe->merges = malloc(slots * sizeof *bpe->merges);
    if (!scratch || !bpe->merges) {
        free(scratch);
        return error_set(error, ERROR_MEMORY, "out of memory for %llu merges", (unsigned long long)entry->count);
    }
    bpe->merges_mask = slots - 1;
    memset(bpe->merges, 0xff, slots * sizeof *bpe->merges);
    for (uint64_t i = 0; i < entry->count; i++)
        read_merge(bpe, entry->strings[i], (int32_t)i, scratch);
    free(scratch);
    return 0;
}

int bpe_open(const struct gguf *file, const struct vocabulary *v, const struct pretokenizer_rule *rule,
             struct bpe **result, struct error *error)
{
    *result = NULL;
    struct bpe *bpe = calloc(1, sizeof *bpe);
    if (!bpe)
        return error_set(error, ERROR_MEMORY, "out of memory");
    bpe->whole_words = rule->whole_words;
    bpe->compose = rule->compose;
    int code = read_words(v, bpe, error);
    if (!code)
        code = read_merges(file, bpe, error);
    if (!code)
        code = pretokenizer_open(rule, &bpe->pre, error);
    if (code)
        bpe_close(bpe);
    else
        *result = bpe;
    return code;
}

void bpe_close(struct bpe *bpe)
{
    if (!bpe)
        return;
    pretokenizer_close(bpe->pre);
    free(bpe->bytes);
    free(bpe->starts);
    free(bpe->words);
    free(bpe->merges);
    free(bpe);
}

/* -- encoding ------------------------------------------------------------------------------------------------------ */

/* The symbols of a word are a linked list; candidates for a merge wait in a heap, lowest rank first, leftmost first
 * among equals.  A candidate whose symbols have changed since is dropped when its turn comes. */
struct symbol {
    int32_t id; /* -1: merged away */
    int32_t previous, next;
    int32_t start, end; /* bytes of the word */
};

struct candidate {
    int32_t rank, left, id;
    int32_t left_id, right_id; /* as they were when it was entered */
};

struct encoder {
    const struct bpe *bpe;
    const char *text; /* the whole, for character boundaries */
    size_t length, base;
    struct token_list *list;
    struct symbol *symbols;
    struct candidate *heap;
    size_t symbol_capacity, heap_count; /* the heap has room for two candidates of each symbol */
};

static bool comes_first(const struct candidate *a, const struct candidate *b)
{
    return a->rank < b->rank || (a->rank == b->rank && a->left < b->left);
}

static void heap_push(struct encoder *e, struct candidate candidate)
{
    size_t at = e->heap_count++;
    for (; at && comes_first(&candidate, &e->heap[(at - 1) / 2]); at = (at - 1) / 2)
        e->heap[at] = e->heap[(at - 1) / 2];
    e->heap[at] = candidate;
}

static struct candidate heap_pop(struct encoder *e)
{
    struct candidate top = e->heap[0], last = e->heap[--e->heap_count];
    size_t at = 0;
    for (;;) {
        size_t child = 2 * at + 1;
        if (child >= e->heap_count)
            break;
        if (child + 1 < e->heap_count && comes_first(&e->heap[child + 1], &e->heap[child]))
            child++;
        if (!comes_first(&e->heap[child], &last))
            break;
        e->heap[at] = e->heap[child];
        at = child;
    }
    e->heap[at] = last;
    return top;
}

static void consider(struct encoder *e, int32_t left)
{
    if (left < 0 || e->symbols[left].next < 0)
        return;
    int32_t a = e->symbols[left].id, b = e->symbols[e->symbols[left].next].id;
    const struct merge *merge = merge_slot(e->bpe, a, b);
    if (merge->id >= 0)
        heap_push(e, (struct candidate){merge->rank, left, merge->id, a, b});
}

static void merge_all(struct encoder *e)
{
    while (e->heap_count) {
        struct candidate best = heap_pop(e);
        struct symbol *left = &e->symbols[best.left];
        if (left->id != best.left_id || left->next < 0 || e->symbols[left->next].id != best.right_id)
            continue;
        struct symbol *right = &e->symbols[left->next];
        left->id = best.id;
        left->end = right->end;
        left->next = right->next;
        right->id = -1;
        if (left->next >= 0)
            e->symbols[left->next].previous = best.left;
        consider(e, left->previous);
        consider(e, best.left);
    }
}

static int reserve(struct encoder *e, size_t bytes, struct error *error)
{
    if (bytes > INT32_MAX / 4)
        return error_set(error, ERROR_LIMIT, "a word of %zu bytes is too long", bytes);
    if (bytes <= e->symbol_capacity)
        return 0;
    size_t capacity = bytes < 256 ? 256 : bytes;
    free(e->symbols);
    free(e->heap);
    e->symbols = malloc(capacity * sizeof *e->symbols);
    /* One candidate for each pair at the start, and at most two more for each of the merges. */
    e->heap = malloc(3 * capacity * sizeof *e->heap);
    e->symbol_capacity = e->symbols && e->heap ? capacity : 0;
    return e->symbol_capacity ? 0 : error_set(error, ERROR_MEMORY, "out of memory for a word of %zu bytes", bytes);
}

/* A token has those characters whose last byte it holds. */
static int add_token(struct encoder *e, int32_t id, size_t start, size_t end, struct error *error)
{
    struct token token = {.id = id,
                          .start = e->base + utf8_floor(e->text, e->length, start),
                          .end = e->base + utf8_floor(e->text, e->length, end)};
    return token_list_add(e->list, token, error);
}

static int encode_word(void *context, const char *word, size_t length, struct error *error)
{
    struct encoder *e = context;
    const struct bpe *bpe = e->bpe;
    size_t start = (size_t)(word - e->text);
    if (bpe->whole_words) {
        int32_t id = *word_slot(bpe, word, length);
        if (id >= 0)
            return add_token(e, id, start, start + length, error);
    }
    int code = reserve(e, length, error);
    if (code)
        return code;
    int32_t count = 0;
    for (size_t i = 0; i < length; i++) {
        int32_t id = bpe->single[(unsigned char)word[i]];
        if (id < 0)
            continue; /* the originals leave it out before they merge, so its neighbours can meet */
        e->symbols[count] = (struct symbol){id, count - 1, count + 1, (int32_t)i, (int32_t)i + 1};
        count++;
    }
    if (!count)
        return 0;
    e->symbols[count - 1].next = -1;
    e->heap_count = 0;
    for (int32_t i = 0; i + 1 < count; i++)
        consider(e, i);
    merge_all(e);
    for (int32_t i = 0; !code && i >= 0; i = e->symbols[i].next)
        code = add_token(e, e->symbols[i].id, start + (size_t)e->symbols[i].start, start + (size_t)e->symbols[i].end,
                         error);
    return code;
}

static int encode_as_is(const struct bpe *bpe, const char *text, size_t length, size_t base, struct token_list *list,
                        struct error *error)
{
    struct encoder e = {.bpe = bpe, .text = text, .length = length, .base = base, .list = list};
    int code = pretokenizer_run(bpe->pre, text, length, encode_word, &e, error);
    free(e.symbols);
    free(e.heap);
    return code;
}

int bpe_encode(const struct bpe *bpe, const char *text, size_t length, size_t base, struct token_list *list,
               struct error *error)
{
    if (!bpe->compose || !compose_matters(text, length))
        return encode_as_is(bpe, text, length, base, list, error);
    struct composed composed;
    size_t first = list->count;
    int code = compose_text(text, length, &composed, error);
    if (code)
        return code;
    code = encode_as_is(bpe, composed.text, composed.length, 0, list, error);
    for (size_t i = first; i < list->count; i++) {
        list->tokens[i].start = base + composed.source[list->tokens[i].start];
        list->tokens[i].end = base + composed.source[list->tokens[i].end];
    }
    composed_free(&composed);
    return code;
}
