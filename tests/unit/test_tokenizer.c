/* The tokenisers on vocabularies small enough to know every answer: flags, specials, offsets, hostile files and
 * texts. */
#include "core/tokenizer.h"

#include <stdio.h>

#include "core/compose.h"
#include "core/utf8.h"
#include "tests/test.h"
#include "tests/unit/gguf_build.h"

struct word {
    const char *text;
    int type;
    float score;
};

enum { NORMAL = 1, UNKNOWN, CONTROL, USER, UNUSED, BYTE };

/* A file of nothing but a vocabulary; merges NULL for SentencePiece. */
static struct gguf *vocabulary(const char *model, const char *pre, const struct word *words, size_t count,
                               const char *const *merges, size_t merge_count, void **copy)
{
    struct build build = {0};
    build_header(&build, 3, 0, merges ? 6 : 5);
    build_key(&build, "general.architecture", GGUF_STRING);
    build_string(&build, "llama");
    build_key(&build, "tokenizer.ggml.model", GGUF_STRING);
    build_string(&build, model);
    build_key_array(&build, "tokenizer.ggml.tokens", GGUF_STRING, count);
    for (size_t i = 0; i < count; i++)
        build_string(&build, words[i].text);
    build_key_array(&build, "tokenizer.ggml.token_type", GGUF_I32, count);
    for (size_t i = 0; i < count; i++)
        build_u32(&build, (uint32_t)words[i].type);
    if (merges) {
        build_key_array(&build, "tokenizer.ggml.merges", GGUF_STRING, merge_count);
        for (size_t i = 0; i < merge_count; i++)
            build_string(&build, merges[i]);
        build_key(&build, "tokenizer.ggml.pre", GGUF_STRING);
        build_string(&build, pre);
    } else {
        build_key_array(&build, "tokenizer.ggml.scores", GGUF_F32, count);
        for (size_t i = 0; i < count; i++)
            build_bytes(&build, &words[i].score, 4);
    }
    struct gguf *file = NULL;
    struct error error;
    CHECK(build_open(&build, copy, &file, &error) == 0, "%s", file ? "" : error.message);
    free(build.bytes);
    return file;
}

/* The tokens of a text as "id:start-end", specials with a star, or the error. */
static void check_tokens(int line, const struct tokenizer *tokenizer, const char *text, unsigned flags,
                         const char *expected)
{
    struct error error;
    struct token *tokens;
    size_t count;
    char got[400] = "";
    if (tokenizer_encode(tokenizer, text, strlen(text), flags, &tokens, &count, &error)) {
        snprintf(got, sizeof got, "%.300s", error.message);
    } else {
        for (size_t i = 0, at = 0; i < count && at < sizeof got - 40; i++)
            at += (size_t)snprintf(got + at, sizeof got - at, "%s%d%s:%zu-%zu", i ? " " : "", tokens[i].id,
                                   tokens[i].kind == TOKEN_SPECIAL ? "*" : "", tokens[i].start, tokens[i].end);
        free(tokens);
    }
    CHECK(!strcmp(got, expected), "line %d: \"%s\"\n  got      %s\n  expected %s", line, text, got, expected);
}
#define TOKENS(tokenizer, text, flags, expected) check_tokens(__LINE__, tokenizer, text, flags, expected)

static void check_text(const struct tokenizer *tokenizer, int32_t id, const char *expected)
{
    size_t length;
    const char *text = tokenizer_text(tokenizer, id, &length);
    CHECK(length == strlen(expected) && !memcmp(text, expected, length), "token %d: \"%.*s\"", id, (int)length, text);
}

/* Opening must fail with this code and a message that holds this text. */
static void check_refused(struct gguf *file, const char *pre, int code, const char *part)
{
    struct tokenizer *tokenizer = NULL;
    struct error error = {0};
    int got = file ? tokenizer_open(file, pre, &tokenizer, &error) : 0;
    CHECK(got == code && strstr(error.message, part) && !tokenizer, "%d: %s", got, error.message);
    tokenizer_close(tokenizer);
}

/* -- SentencePiece ------------------------------------------------------------------------------------------------- */

#define BAR "\xe2\x96\x81"

static void test_sentencepiece(void)
{
    static const struct word words[] = {
        {"<unk>", UNKNOWN, 0}, {"<s>", CONTROL, 0},     {"</s>", CONTROL, 0},  {BAR, NORMAL, -9},
        {"a", NORMAL, -8},     {"b", NORMAL, -8},       {BAR "a", NORMAL, -1}, {"ab", NORMAL, -2},
        {"[X]", USER, 0},      {"  ", USER, 0},         {"", NORMAL, -3},      {"ab", NORMAL, -4},
        {"<0x41>", BYTE, 0},   {"<|end|>", CONTROL, 0}, {"other", UNKNOWN, 0},
    };
    void *copy;
    struct gguf *file = vocabulary("llama", "", words, sizeof words / sizeof *words, NULL, 0, &copy);
    struct tokenizer *t;
    struct error error;
    int code = tokenizer_open(file, NULL, &t, &error);
    CHECK(code == 0, "%s", code ? error.message : "");
    if (code)
        return;
    CHECK(tokenizer_size(t) == 15 && !strcmp(tokenizer_name(t), "SentencePiece BPE"), "%s", tokenizer_name(t));
    TOKENS(t, "ab", TOKENIZE_START, "1*:0-0 6:0-1 5:1-2");
    TOKENS(t, "ab", 0, "7:0-2");
    TOKENS(t, "a b a", 0, "4:0-1 3:1-2 5:2-3 6:3-5");
    TOKENS(t, "", TOKENIZE_START, "1*:0-0");
    TOKENS(t, "", 0, "");
    TOKENS(t, "a[X]b", 0, "4:0-1 8:1-4 5:4-5");
    TOKENS(t, "b  b", 0, "5:0-1 9:1-3 5:3-4");
    TOKENS(t, "ab<|end|>ab", TOKENIZE_SPECIALS, "7:0-2 13*:2-2 6:9-10 5:10-11");
    TOKENS(t, "<s>b", TOKENIZE_START | TOKENIZE_SPECIALS, "1*:0-0 3:3-3 5:3-4");
    TOKENS(t, "zz b", 0, "0:0-2 3:2-3 5:3-4");
    TOKENS(t, "b\xc3", 0, "invalid UTF-8 at byte 1");
    check_text(t, 6, " a");
    check_text(t, 9, "  ");
    check_text(t, 12, "A");
    check_text(t, 1, "<s>");
    check_text(t, 99, "");
    check_text(t, -1, "");
    CHECK(tokenizer_is_end(t, 2) && tokenizer_is_end(t, 13) && !tokenizer_is_end(t, 1) && !tokenizer_is_end(t, 15),
          "ends");
    CHECK(tokenizer_is_special(t, 1) && tokenizer_is_special(t, 0) && !tokenizer_is_special(t, 8), "specials");
    struct token *tokens;
    size_t count;
    CHECK(!tokenizer_encode(t, "b\0b", 3, 0, &tokens, &count, NULL) && count == 3 && tokens[2].start == 2, "NUL");
    free(tokens);
    tokenizer_close(t);
    gguf_close(file);
    free(copy);
}

static void test_bytes_of_a_character(void)
{
    struct word words[260] = {{"<unk>", UNKNOWN, 0}, {"<s>", CONTROL, 0}, {"</s>", CONTROL, 0}, {BAR, NORMAL, -1}};
    char names[256][8];
    for (int i = 0; i < 256; i++) {
        snprintf(names[i], sizeof names[i], "<0x%02X>", i);
        words[4 + i] = (struct word){names[i], BYTE, 0};
    }
    void *copy;
    struct gguf *file = vocabulary("llama", "", words, 260, NULL, 0, &copy);
    struct tokenizer *t = NULL;
    CHECK(!tokenizer_open(file, NULL, &t, NULL), "open");
    if (t)
        TOKENS(t, "\xe6\x88\x91 ", 0, "234:0-0 140:0-0 149:0-3 3:3-4");
    tokenizer_close(t);
    gguf_close(file);
    free(copy);
}

static void test_sentencepiece_hostile(void)
{
    void *copy;
    static char nested[70][80];
    struct word words[72] = {{"<unk>", UNKNOWN, 0}, {"x", NORMAL, 0}};
    for (int i = 0; i < 70; i++) {
        memset(nested[i], 'a', (size_t)i + 1);
        words[2 + i] = (struct word){nested[i], USER, 0};
    }
    struct gguf *file = vocabulary("llama", "", words, 72, NULL, 0, &copy);
    check_refused(file, NULL, ERROR_FORMAT, "start each other");
    gguf_close(file);
    free(copy);

    words[1].score = NAN;
    file = vocabulary("llama", "", words, 2, NULL, 0, &copy);
    check_refused(file, NULL, ERROR_FORMAT, "score");
    gguf_close(file);
    free(copy);

    static const struct word knows_all[] = {{"a", NORMAL, 0}, {"b", NORMAL, 0}};
    file = vocabulary("llama", "", knows_all, 2, NULL, 0, &copy);
    struct tokenizer *t = NULL;
    CHECK(!tokenizer_open(file, NULL, &t, NULL), "no unknown token");
    if (t)
        TOKENS(t, "abz", 0, "the vocabulary has no token for the character at byte 2");
    tokenizer_close(t);
    gguf_close(file);
    free(copy);

    file = vocabulary("bert", "", knows_all, 2, NULL, 0, &copy);
    check_refused(file, NULL, ERROR_UNSUPPORTED, "\"bert\"");
    gguf_close(file);
    free(copy);
}

/* -- byte pairs ---------------------------------------------------------------------------------------------------- */

#define DOT "\xc4\xa0" /* stands for a space */

static const struct word pair_words[] = {
    {"<|endoftext|>", CONTROL, 0}, {"a", NORMAL, 0}, {"b", NORMAL, 0}, {DOT, NORMAL, 0}, {"ab", NORMAL, 0},
    {DOT "ab", NORMAL, 0}, {"<tool>", USER, 0}, {"<tool>s", USER, 0}, {"\xc3\xa6", NORMAL, 0}, {"\xc4\xaa", NORMAL, 0},
    {"\xc4\xb3", NORMAL, 0}, {"\xc3\xa6\xc4\xaa", NORMAL, 0}, {"aa", NORMAL, 0}, {"aaaa", NORMAL, 0},
    {"[PAD14]", USER, 0},
};
static const char *const pair_merges[] = {"a b", DOT " ab", "\xc3\xa6 \xc4\xaa", "a a", "aa aa", "a nowhere", "",
                                          " ",   "x"};

static struct gguf *pair_vocabulary(const char *pre, void **copy)
{
    return vocabulary("gpt2", pre, pair_words, sizeof pair_words / sizeof *pair_words, pair_merges,
                      sizeof pair_merges / sizeof *pair_merges, copy);
}

static void test_byte_pairs(void)
{
    void *copy;
    struct gguf *file = pair_vocabulary("gpt-2", &copy);
    struct tokenizer *t = NULL;
    struct error error;
    int code = tokenizer_open(file, "", &t, &error);
    CHECK(code == 0 && !strcmp(tokenizer_name(t), "BPE gpt-2"), "%s", code ? error.message : tokenizer_name(t));
    if (code)
        return;
    TOKENS(t, "ab abb", TOKENIZE_START, "4:0-2 5:2-5 2:5-6");
    TOKENS(t, "a<|endoftext|>", 0, "1:0-1"); /* text, whose letters the vocabulary lacks */
    TOKENS(t, "a<|endoftext|>b", TOKENIZE_SPECIALS, "1:0-1 0*:1-1 2:14-15");
    TOKENS(t, "a<tool>b<tool>s", 0, "1:0-1 6:1-7 2:7-8 7:8-15");
    TOKENS(t, "\xe6\x88\x91", 0, "11:0-0 10:0-3");
    TOKENS(t, "a\xe6\x88", 0, "invalid UTF-8 at byte 1");
    TOKENS(t, "aaaaab", 0, "13:0-4 4:4-6");
    TOKENS(t, "a\x01" "b", 0, "1:0-1 2:2-3");
    TOKENS(t, "[PAD14]", 0, "");
    check_text(t, 5, " ab");
    check_text(t, 11, "\xe6\x88");
    check_text(t, 6, "<tool>");
    CHECK(tokenizer_is_end(t, 0) && tokenizer_is_special(t, 14), "end");
    tokenizer_close(t);
    check_refused(file, "no-such", ERROR_UNSUPPORTED, "unknown pre-tokeniser \"no-such\"; --pre NAME");
    gguf_close(file);
    free(copy);

    file = pair_vocabulary("martian", &copy);
    check_refused(file, NULL, ERROR_UNSUPPORTED, "\"martian\"");
    CHECK(!tokenizer_open(file, "qwen2", &t, NULL), "override");
    TOKENS(t, "ab", 0, "4:0-2");
    tokenizer_close(t);
    gguf_close(file);
    free(copy);
}

/* What is known of the length without encoding is never too much: white space and unknown letters do not count. */
static void test_least(void)
{
    static const char *const texts[] = {"", "ab", "aaaaaaaaaaaaaaaaaaaaaaaaaaa", "a b  a\n\n\n",
                                        "zzzzzzzzzzzzzzzzzzzzzzz a"};
    static const size_t pairs[] = {0, 1, 3, 1, 1}; /* the longest token has 13 bytes */
    void *copy;
    struct gguf *file = pair_vocabulary("llama-bpe", &copy);
    struct tokenizer *t = NULL;
    CHECK(!tokenizer_open(file, NULL, &t, NULL), "open");
    for (size_t i = 0; t && i < sizeof texts / sizeof *texts; i++) {
        struct token *tokens = NULL;
        size_t count = 0, least = tokenizer_least(t, texts[i], strlen(texts[i]));
        CHECK(!tokenizer_encode(t, texts[i], strlen(texts[i]), 0, &tokens, &count, NULL));
        CHECK(least == pairs[i] && least <= count, "\"%s\": %zu, has %zu", texts[i], least, count);
        free(tokens);
    }
    tokenizer_close(t);
    gguf_close(file);
    free(copy);
}

/* A megabyte of one letter, of which every pair merges, takes n log n. */
static void test_long_word(void)
{
    enum { SIZE = 1 << 20 };
    void *copy;
    struct gguf *file = pair_vocabulary("llama-bpe", &copy);
    struct tokenizer *t = NULL;
    struct token *tokens;
    size_t count = 0;
    char *text = malloc(SIZE);
    CHECK(text && !tokenizer_open(file, NULL, &t, NULL), "open");
    if (text && t) {
        memset(text, 'a', SIZE);
        CHECK(!tokenizer_encode(t, text, SIZE, 0, &tokens, &count, NULL) && count == SIZE / 4, "%zu", count);
        free(tokens);
        memset(text, ' ', SIZE);
        CHECK(!tokenizer_encode(t, text, SIZE, 0, &tokens, &count, NULL) && count == SIZE, "%zu", count);
        free(tokens);
    }
    free(text);
    tokenizer_close(t);
    gguf_close(file);
    free(copy);
}

/* What a recording knows of a vocabulary. */
static void test_pieces(void)
{
    static const struct tokenizer_piece pieces[] = {{3, true, "<s>", 3}, {7, false, " ball", 5}, {9, false, "\xe6", 1}};
    struct tokenizer *t = NULL;
    struct token *tokens;
    size_t count;
    struct error error;
    CHECK(tokenizer_of_pieces(pieces, 3, &t, NULL) == 0);
    if (!t)
        return;
    check_text(t, 3, "<s>");
    check_text(t, 7, " ball");
    check_text(t, 9, "\xe6");
    check_text(t, 8, "");
    check_text(t, 10, "");
    CHECK(tokenizer_is_special(t, 3) && !tokenizer_is_special(t, 7) && !tokenizer_is_end(t, 3));
    CHECK(tokenizer_encode(t, "a", 1, 0, &tokens, &count, &error) == ERROR_UNSUPPORTED && count == 0);
    tokenizer_close(t);
    CHECK(tokenizer_of_pieces(NULL, 0, &t, NULL) == 0);
    if (t)
        check_text(t, 0, "");
    tokenizer_close(t);
}

/* -- text ---------------------------------------------------------------------------------------------------------- */

static void test_utf8(void)
{
    static const struct {
        const char *text;
        size_t bad;
    } cases[] = {
        {"", 0}, {"abcdefghijkl", 12}, {"\xc3\xa9", 2}, {"\xf0\x9f\x99\x82", 4}, {"abcdefgh\x80", 8}, {"a\xc0\x80", 1},
        {"\xc1\xbf", 0}, {"\xe0\x9f\xbf", 0}, {"\xe0\xa0\x80", 3}, {"\xed\x9f\xbf", 3}, {"\xed\xa0\x80", 0},
        {"\xf0\x8f\xbf\xbf", 0},
        {"\xf4\x8f\xbf\xbf", 4}, {"\xf4\x90\x80\x80", 0}, {"\xf5\x80\x80\x80", 0}, {"ab\xe2\x82", 2},
        {"\xef\xbf\xbd\xff", 3},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        CHECK(utf8_check(cases[i].text, strlen(cases[i].text)) == cases[i].bad, "case %zu", i);
    CHECK(utf8_is_space(0x2003) && utf8_is_space(0x85) && !utf8_is_space(0x180e) && !utf8_is_space(0x200b), "spaces");
}

static void check_composed(const char *text, const char *expected)
{
    struct composed composed;
    size_t length = strlen(text);
    CHECK(compose_matters(text, length) && !compose_text(text, length, &composed, NULL), "%s", text);
    CHECK(composed.length == strlen(expected) && !memcmp(composed.text, expected, composed.length), "%s", expected);
    for (size_t i = 0; i < composed.length; i++)
        CHECK(composed.source[i] <= composed.source[i + 1] && composed.source[i] < length, "source %zu", i);
    CHECK(composed.source[composed.length] == length, "end");
    composed_free(&composed);
}

static void test_compose(void)
{
    CHECK(!compose_matters("na\xc3\xafve", 6), "already composed");
    check_composed("e\xcc\x81t", "\xc3\xa9t");
    check_composed("a\xcc\x88\xcc\xa3", "\xe1\xba\xa1\xcc\x88");                       /* marks are sorted */
    check_composed("\xe1\x84\x92\xe1\x85\xa1\xe1\x86\xab", "\xed\x95\x9c");            /* Hangul */
    check_composed("\xe2\x84\xab", "\xc3\x85"); /* the angstrom sign is a letter */
    check_composed("\xe0\xa4\x95\xe0\xa4\xbc", "\xe0\xa4\x95\xe0\xa4\xbc");            /* excluded from composition */
    check_composed("\xcc\x81\xcc\xa3", "\xcc\xa3\xcc\x81");                            /* no starter */
}

int main(void)
{
    test_sentencepiece();
    test_bytes_of_a_character();
    test_sentencepiece_hostile();
    test_byte_pairs();
    test_least();
    test_long_word();
    test_pieces();
    test_utf8();
    test_compose();
    return test_end();
}
