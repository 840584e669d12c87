#include "core/tokenizer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "core/bpe.h"
#include "core/gguf.h"
#include "core/pretokenizer.h"
#include "core/sentencepiece.h"
#include "core/spellings.h"
#include "core/utf8.h"
#include "core/vocabulary.h"

/* Offsets inside the libraries are 32 bits wide. */
enum { TEXT_LIMIT = 1 << 28 };

struct tokenizer {
    int32_t count;
    uint8_t *types;   /* [count] enum token_type */
    bool *ends;       /* [count] */
    char *bytes;      /* what the tokens stand for, one after the other */
    size_t *starts;   /* [count + 1] into bytes */
    size_t longest;   /* bytes of a token at most */
    bool kept[256];   /* bytes that are always part of a token: not left out, nor one of several that are unknown */
    int32_t start_id; /* BOS; -1 where a text begins without */
    bool texts_only;  /* there is no encoder */
    bool eats_spaces; /* white space after a control token belongs to it (Phi-3) */
    char name[64];
    struct bpe *bpe;                      /* this, */
    struct sentencepiece_model *plain;    /* or this for continuations */
    struct sentencepiece_model *prefixed; /* and this for beginnings where the model wants a dummy prefix */
    struct spellings *always, *trusted;   /* cut out of every text; out of template text */
};

/* -- opening: which encoder ---------------------------------------------------------------------------------------- */

static bool is_text(struct gguf_string text, const char *other)
{
    return text.length == strlen(other) && !memcmp(text.data, other, text.length);
}

/* Files from before pre-tokenisers had names: what the family's own tokeniser does. */
static struct gguf_string unnamed_rule(const struct gguf *file)
{
    static const char *const families[][2] = {
        {"gpt2", "gpt-2"}, {"gptneox", "gpt-neox"}, {"phi2", "phi-2"}, {"starcoder", "starcoder"}, {"falcon", "falcon"},
        {"bloom", "bloom"}, {"mpt", "mpt"}, {"qwen2", "qwen2"},
    };
    struct gguf_string architecture = {"", 0};
    gguf_text(file, "general.architecture", &architecture, NULL);
    for (size_t i = 0; i < sizeof families / sizeof *families; i++)
        if (is_text(architecture, families[i][0]))
            return (struct gguf_string){families[i][1], strlen(families[i][1])};
    return (struct gguf_string){"default", 7};
}

static int open_bpe(const struct gguf *file, const struct vocabulary *v, const char *pre, struct tokenizer *t,
                    bool *add_start, struct error *error)
{
    struct gguf_string name = unnamed_rule(file);
    if (pre && *pre) {
        name = (struct gguf_string){pre, strlen(pre)};
    } else {
        int code = gguf_text(file, "tokenizer.ggml.pre", &name, error);
        if (code)
            return code;
    }
    const struct pretokenizer_rule *rule = pretokenizer_find(name.data, name.length);
    if (!rule)
        return error_set(error, ERROR_UNSUPPORTED, "unknown pre-tokeniser \"%.*s\"; --pre NAME overrides it",
                         (int)(name.length < 80 ? name.length : 80), name.data);
    *add_start = rule->start_token;
    snprintf(t->name, sizeof t->name, "BPE %s", rule->name);
    int code = bpe_open(file, v, rule, &t->bpe, error);
    if (!code)
        code = spellings_open(v, 1u << TOKEN_TYPE_USER_DEFINED, &t->always, error);
    return code;
}

static int open_sentencepiece(const struct gguf *file, const struct vocabulary *v, bool unigram, struct tokenizer *t,
                              struct error *error)
{
    struct sentencepiece_options options = {.unigram = unigram, .dummy_prefix = true, .merge_spaces = unigram};
    const struct gguf_entry *table = gguf_find(file, "tokenizer.ggml.precompiled_charsmap");
    if (unigram && table && table->count)
        /* The library walks this table without looking where it goes, so it cannot come from a file nobody checked. */
        return error_set(error, ERROR_UNSUPPORTED, "a \"t5\" tokeniser with a normalisation table");
    int code = gguf_bool(file, "tokenizer.ggml.add_space_prefix", &options.dummy_prefix, error);
    if (!code && unigram)
        code = gguf_bool(file, "tokenizer.ggml.remove_extra_whitespaces", &options.merge_spaces, error);
    snprintf(t->name, sizeof t->name, "SentencePiece %s", unigram ? "unigram" : "BPE");
    if (!code && options.dummy_prefix) {
        code = sentencepiece_open(v, &options, &t->prefixed, error);
        options.dummy_prefix = false;
    }
    if (!code)
        code = sentencepiece_open(v, &options, &t->plain, error);
    if (!code) /* the library finds user-defined tokens itself */
        code = spellings_open(v, 0, &t->always, error);
    return code;
}

static int open_encoder(const struct gguf *file, const struct vocabulary *v, const char *pre, struct tokenizer *t,
                        struct error *error)
{
    struct gguf_string model = {"", 0};
    int code = gguf_text(file, "tokenizer.ggml.model", &model, error);
    if (code)
        return code;
    bool add_start = true;
    int32_t start = -1;
    if (is_text(model, "gpt2")) {
        add_start = false;
        code = open_bpe(file, v, pre, t, &add_start, error);
    } else if (is_text(model, "llama") || is_text(model, "t5")) {
        add_start = is_text(model, "llama");
        start = add_start && v->count > 1 ? 1 : -1;
        code = open_sentencepiece(file, v, is_text(model, "t5"), t, error);
    } else {
        code = error_set(error, ERROR_UNSUPPORTED, "tokeniser \"%.*s\"; \"llama\", \"t5\" and \"gpt2\" can be used",
                         (int)(model.length < 80 ? model.length : 80), model.data);
    }
    if (!code)
        code = vocabulary_id(file, "tokenizer.ggml.bos_token_id", v->count, &start, error);
    if (!code)
        code = gguf_bool(file, "tokenizer.ggml.add_bos_token", &add_start, error);
    t->start_id = add_start ? start : -1;
    return code;
}

/* -- opening: what tokens stand for -------------------------------------------------------------------------------- */

static bool type_is_special(int type)
{
    return type == TOKEN_TYPE_CONTROL || type == TOKEN_TYPE_UNKNOWN || type == TOKEN_TYPE_UNUSED;
}

/* The bytes of a SentencePiece token into out [length]; returns how many. */
static size_t sentencepiece_bytes(struct gguf_string text, int type, char *out)
{
    char name[7] = "";
    unsigned byte;
    memcpy(name, text.data, text.length < 6 ? text.length : 6);
    if (type == TOKEN_TYPE_BYTE && text.length == 6 && sscanf(name, "<0x%2X>", &byte) == 1) {
        out[0] = (char)byte;
        return 1;
    }
    size_t count = 0;
    for (size_t i = 0; i < text.length;) {
        if (text.length - i >= 3 && !memcmp(text.data + i, "\xe2\x96\x81", 3)) {
            out[count++] = ' ';
            i += 3;
        } else {
            out[count++] = text.data[i++];
        }
    }
    return count;
}

/* What tokenizer_least() needs.  White space is not kept: templates trim it, and several may be one. */
static void measure_texts(struct tokenizer *t)
{
    for (int32_t i = 0; i < t->count; i++) {
        const unsigned char *text = (const unsigned char *)t->bytes + t->starts[i];
        size_t length = t->starts[i + 1] - t->starts[i];
        t->longest = length > t->longest ? length : t->longest;
        if (length == 1 && !type_is_special(t->types[i]) && !memchr(" \n\t\r", *text, 4))
            t->kept[*text] = true;
    }
}

static int read_texts(const struct vocabulary *v, struct tokenizer *t, struct error *error)
{
    size_t total = 0;
    for (size_t i = 0; i < v->count; i++)
        total += v->texts[i].length;
    t->count = (int32_t)v->count;
    t->bytes = malloc(total + 1);
    t->starts = malloc((v->count + 1) * sizeof *t->starts);
    t->types = malloc(v->count);
    if (!t->bytes || !t->starts || !t->types)
        return error_set(error, ERROR_MEMORY, "out of memory for %zu tokens", v->count);
    memcpy(t->types, v->types, v->count);
    size_t end = 0;
    for (size_t i = 0; i < v->count; i++) {
        struct gguf_string text = v->texts[i];
        char *out = t->bytes + end;
        bool special = type_is_special(v->types[i]), whole = v->types[i] == TOKEN_TYPE_USER_DEFINED;
        ptrdiff_t length = -1;
        t->starts[i] = end;
        if (!special && !t->bpe)
            length = (ptrdiff_t)sentencepiece_bytes(text, v->types[i], out);
        else if (!special && !whole)
            length = bpe_bytes(text.data, text.length, out);
        if (length < 0) { /* spelled as it is */
            memcpy(out, text.data, text.length);
            length = (ptrdiff_t)text.length;
        }
        end += (size_t)length;
    }
    t->starts[v->count] = end;
    measure_texts(t);
    return 0;
}

/* -- opening: ends, spellings -------------------------------------------------------------------------------------- */

static int find_ends(const struct gguf *file, const struct vocabulary *v, struct tokenizer *t, struct error *error)
{
    static const char *const keys[] = {"tokenizer.ggml.eos_token_id", "tokenizer.ggml.eot_token_id",
                                       "tokenizer.ggml.eom_token_id"};
    /* Many files name only one of the tokens with which their model ends a turn. */
    static const char *const names[] = {
        "<|eot_id|>", "<|eom_id|>", "<|im_end|>", "<|end|>", "<end_of_turn>", "<|endoftext|>", "<|end_of_text|>",
        "<end_of_utterance>", "<|return|>", "<|call|>", "<EOT>", "_<EOT>",
        "<\xef\xbd\x9c" "end\xe2\x96\x81of\xe2\x96\x81sentence\xef\xbd\x9c>", /* DeepSeek's, with wide bars */
    };
    t->ends = calloc(v->count, sizeof *t->ends);
    if (!t->ends)
        return error_set(error, ERROR_MEMORY, "out of memory for %zu tokens", v->count);
    for (size_t i = 0; i < v->count; i++)
        if (v->types[i] == TOKEN_TYPE_CONTROL || v->types[i] == TOKEN_TYPE_USER_DEFINED)
            for (size_t n = 0; n < sizeof names / sizeof *names; n++)
                t->ends[i] |= is_text(v->texts[i], names[n]);
    struct gguf_string model = {"", 0};
    int code = gguf_text(file, "tokenizer.ggml.model", &model, error);
    for (size_t k = 0; !code && k < sizeof keys / sizeof *keys; k++) {
        int32_t id = k == 0 && is_text(model, "llama") && v->count > 2 ? 2 : -1;
        code = vocabulary_id(file, keys[k], v->count, &id, error);
        if (!code && id >= 0)
            t->ends[id] = true;
    }
    return code;
}

/* Phi-3's own tokeniser strips what follows a control token; no key of the file says so. */
static bool is_phi3(const struct gguf *file)
{
    struct gguf_string name = {"", 0};
    gguf_text(file, "general.name", &name, NULL);
    for (size_t i = 0; i + 4 <= name.length; i++)
        if (!strncasecmp(name.data + i, "phi3", 4) || (i + 5 <= name.length && !strncasecmp(name.data + i, "phi-3", 5)))
            return true;
    return false;
}

int tokenizer_open(const struct gguf *file, const char *pre, struct tokenizer **result, struct error *error)
{
    *result = NULL;
    struct tokenizer *t = calloc(1, sizeof *t);
    if (!t)
        return error_set(error, ERROR_MEMORY, "out of memory");
    struct vocabulary v;
    int code = vocabulary_open(file, &v, error);
    if (!code) {
        code = open_encoder(file, &v, pre, t, error);
        if (!code)
            code = read_texts(&v, t, error);
        if (!code)
            code = find_ends(file, &v, t, error);
        if (!code)
            code = spellings_open(&v,
                                  1u << TOKEN_TYPE_CONTROL | 1u << TOKEN_TYPE_USER_DEFINED | 1u << TOKEN_TYPE_UNKNOWN,
                                  &t->trusted, error);
        vocabulary_close(&v);
    }
    t->eats_spaces = is_phi3(file);
    if (code)
        tokenizer_close(t);
    else
        *result = t;
    return code;
}

/* -- opening: texts alone ------------------------------------------------------------------------------------------ */

int tokenizer_of_pieces(const struct tokenizer_piece *pieces, size_t count, struct tokenizer **result,
                        struct error *error)
{
    size_t total = 0, ids = count > 0 ? (size_t)pieces[count - 1].id + 1 : 1, end = 0, next = 0;
    for (size_t i = 0; i < count; i++)
        total += pieces[i].length;
    struct tokenizer *t = *result = calloc(1, sizeof *t);
    if (t) {
        t->types = calloc(ids, 1);
        t->ends = calloc(ids, sizeof *t->ends);
        t->bytes = malloc(total + 1);
        t->starts = malloc((ids + 1) * sizeof *t->starts);
    }
    if (!t || !t->types || !t->ends || !t->bytes || !t->starts) {
        tokenizer_close(t);
        *result = NULL;
        return error_set(error, ERROR_MEMORY, "out of memory for %zu tokens", count);
    }
    for (size_t id = 0; id < ids; id++) {
        t->starts[id] = end;
        for (; next < count && (size_t)pieces[next].id == id; next++) {
            memcpy(t->bytes + end, pieces[next].text, pieces[next].length);
            end += pieces[next].length;
            t->types[id] = pieces[next].special ? TOKEN_TYPE_CONTROL : TOKEN_TYPE_NORMAL;
        }
    }
    t->starts[ids] = end;
    t->count = (int32_t)ids;
    t->start_id = -1;
    t->texts_only = true;
    snprintf(t->name, sizeof t->name, "recorded");
    return 0;
}

void tokenizer_close(struct tokenizer *t)
{
    if (!t)
        return;
    bpe_close(t->bpe);
    sentencepiece_close(t->plain);
    sentencepiece_close(t->prefixed);
    spellings_close(t->always);
    spellings_close(t->trusted);
    free(t->types);
    free(t->ends);
    free(t->bytes);
    free(t->starts);
    free(t);
}

/* -- encoding ------------------------------------------------------------------------------------------------------ */

static int encode_text(const struct tokenizer *t, const char *text, size_t start, size_t end, bool beginning,
                       struct token_list *list, struct error *error)
{
    if (start == end)
        return 0;
    if (t->bpe)
        return bpe_encode(t->bpe, text + start, end - start, start, list, error);
    const struct sentencepiece_model *model = beginning && t->prefixed ? t->prefixed : t->plain;
    return sentencepiece_encode(model, text + start, end - start, start, list, error);
}

static size_t skip_spaces(const char *text, size_t length, size_t at)
{
    for (size_t next = at; next < length; at = next)
        if (!utf8_is_space(utf8_next(text, length, &next)))
            break;
    return at;
}

/* A text, and what in it is quoted. */
struct source {
    const char *text;
    size_t length;
    const struct span *quoted;
    size_t quoted_count;
    unsigned flags;
};

/* The token spelled at byte `at`, or -1.  next: the first quoted span that does not end before; moves on with `at`. */
static int32_t match(const struct tokenizer *t, const struct source *s, size_t at, size_t *next, size_t *matched)
{
    const char *text = s->text + at;
    size_t length = s->length - at;
    while (*next < s->quoted_count && s->quoted[*next].end <= at)
        ++*next;
    if (s->flags & TOKENIZE_SPECIALS) {
        int32_t id = spellings_match(t->trusted, text, length, matched);
        if (id < 0 || *next == s->quoted_count || s->quoted[*next].start >= at + *matched)
            return id;
    }
    return spellings_match(t->always, text, length, matched);
}

/* Cut out what is spelled in the text and encode what lies between. */
static int encode_pieces(const struct tokenizer *t, const struct source *s, struct token_list *list,
                         struct error *error)
{
    const char *text = s->text;
    size_t length = s->length, quoted = 0;
    bool beginning = s->flags & (TOKENIZE_START | TOKENIZE_PREFIX);
    size_t done = 0;
    int code = 0;
    for (size_t at = 0; !code && at < length;) {
        size_t matched;
        int32_t id = match(t, s, at, &quoted, &matched);
        if (id < 0) {
            at++;
            continue;
        }
        bool special = type_is_special(t->types[id]);
        code = encode_text(t, text, done, at, beginning, list, error);
        if (!code)
            code = token_list_add(list,
                                  (struct token){.id = id,
                                                 .kind = special ? TOKEN_SPECIAL : TOKEN_TEXT,
                                                 .start = at,
                                                 .end = special ? at : at + matched},
                                  error);
        beginning = special;
        at += matched;
        if (special && t->eats_spaces && id != t->start_id)
            at = skip_spaces(text, length, at);
        done = at;
    }
    return code ? code : encode_text(t, text, done, length, beginning, list, error);
}

/* Template text may spell the BOS token itself; a sequence begins with one, not two. */
static bool spells_start(const struct tokenizer *t, const char *text, size_t length)
{
    size_t matched;
    return spellings_match(t->trusted, text, length, &matched) == t->start_id;
}

int tokenizer_encode(const struct tokenizer *t, const char *text, size_t length, unsigned flags, struct token **tokens,
                     size_t *count, struct error *error)
{
    return tokenizer_encode_quoting(t, text, length, NULL, 0, flags, tokens, count, error);
}

int tokenizer_encode_quoting(const struct tokenizer *t, const char *text, size_t length, const struct span *quoted,
                             size_t quoted_count, unsigned flags, struct token **tokens, size_t *count,
                             struct error *error)
{
    const struct source source = {text, length, quoted, quoted_count, flags};
    *tokens = NULL;
    *count = 0;
    if (t->texts_only)
        return error_set(error, ERROR_UNSUPPORTED, "a recording has no tokeniser");
    if (length > TEXT_LIMIT)
        return error_set(error, ERROR_LIMIT, "a text of %zu bytes is too long", length);
    size_t valid = utf8_check(text, length);
    if (valid < length)
        return error_set(error, ERROR_FORMAT, "invalid UTF-8 at byte %zu", valid);
    struct token_list list = {0};
    int code = 0;
    bool trusted = flags & TOKENIZE_SPECIALS && !(quoted_count && quoted[0].start == 0);
    if (flags & TOKENIZE_START && t->start_id >= 0 && !(trusted && spells_start(t, text, length)))
        code = token_list_add(&list, (struct token){.id = t->start_id, .kind = TOKEN_SPECIAL}, error);
    if (!code)
        code = encode_pieces(t, &source, &list, error);
    if (code) {
        free(list.tokens);
        return code;
    }
    *tokens = list.tokens;
    *count = list.count;
    return 0;
}

/* -- questions ----------------------------------------------------------------------------------------------------- */

size_t tokenizer_least(const struct tokenizer *t, const char *text, size_t length)
{
    size_t kept = 0;
    for (size_t i = 0; i < length; i++)
        kept += t->kept[(unsigned char)text[i]];
    return kept > 0 ? (kept - 1) / t->longest + 1 : 0;
}

const char *tokenizer_text(const struct tokenizer *t, int32_t id, size_t *length)
{
    if (id < 0 || id >= t->count) {
        *length = 0;
        return "";
    }
    *length = t->starts[id + 1] - t->starts[id];
    return t->bytes + t->starts[id];
}

bool tokenizer_is_special(const struct tokenizer *t, int32_t id)
{
    return id >= 0 && id < t->count && type_is_special(t->types[id]);
}

bool tokenizer_is_end(const struct tokenizer *t, int32_t id)
{
    return id >= 0 && id < t->count && t->ends[id];
}

int tokenizer_size(const struct tokenizer *t)
{
    return t->count;
}

const char *tokenizer_name(const struct tokenizer *t)
{
    return t->name;
}
