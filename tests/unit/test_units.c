/* Where prompts are cut, in many scripts, and how tokens are dealt to the pieces. */
#include "core/units.h"

#include <stdint.h>

#include "core/sequence.h"
#include "tests/test.h"

/* One token for each byte range between the bars of "a| b|c"; '~' stands before a special of no bytes. */
static size_t split(const char *marked, char *text, struct token *tokens)
{
    size_t length = 0, count = 0, start = 0;
    for (const char *p = marked;; p++) {
        if ((*p == '|' || *p == 0 || *p == '~') && length > start) {
            tokens[count] = (struct token){.id = (int32_t)count, .start = start, .end = length};
            count++;
            start = length;
        }
        if (*p == '~') {
            tokens[count] = (struct token){.id = (int32_t)count, .kind = TOKEN_SPECIAL, .start = length, .end = length};
            count++;
        }
        if (!*p)
            break;
        if (*p != '|' && *p != '~')
            text[length++] = *p;
    }
    text[length] = 0;
    return count;
}

/* The units of a text of one-byte tokens, with bars between them. */
static void check_cut(int line, const char *text, const char *granularity, const char *expected)
{
    struct token tokens[400];
    size_t length = strlen(text);
    for (size_t i = 0; i < length; i++)
        tokens[i] = (struct token){.start = i, .end = i + 1};
    struct unit *units;
    size_t count;
    struct error error;
    int code = units_cut(text, length, tokens, length, granularity, &units, &count, &error);
    CHECK(code == 0, "line %d: %s", line, code ? error.message : "");
    if (code)
        return;
    char got[1000] = "";
    for (size_t i = 0, at = 0; i < count; i++)
        at += (size_t)snprintf(got + at, sizeof got - at, "%s%.*s", i ? "|" : "", (int)(units[i].end - units[i].start),
                               text + units[i].start);
    CHECK(!strcmp(got, expected), "line %d: %s\n  got      %s\n  expected %s", line, granularity, got, expected);
    for (size_t i = 0; i < count; i++) {
        CHECK(units[i].first <= units[i].last && (i == 0 || units[i].first >= units[i - 1].first), "line %d", line);
        CHECK(units[i].first_share > 0 && units[i].first_share <= 1, "line %d", line);
    }
    free(units);
}
#define CUT(text, granularity, expected) check_cut(__LINE__, text, granularity, expected)

static void test_words(void)
{
    CUT("Hello, world!", "word", "Hello, |world!");
    CUT("  Hello  world ", "word", "  Hello  |world ");
    CUT("I don't owe $3.14 (or 1,000).", "word", "I |don't |owe |$3.14 |(or |1,000).");
    CUT("e.g. well-known x_1", "word", "e.g. |well-known |x_1");
    CUT("2 + 3 = ?", "word", "2 |+ |3 |= |?");
    CUT("f(x, y)[0]", "word", "f|(x, |y)|[0]");
    CUT("good\xf0\x9f\x99\x82!", "word", "good|\xf0\x9f\x99\x82!");
    CUT("\xf0\x9f\x91\xa9\xe2\x80\x8d\xf0\x9f\x9a\x80 ok", "word", "\xf0\x9f\x91\xa9\xe2\x80\x8d\xf0\x9f\x9a\x80 |ok");
    CUT("\xe6\x88\x91\xe6\x83\xb3\xe5\x90\x83\xe3\x80\x82", "word",
        "\xe6\x88\x91|\xe6\x83\xb3|\xe5\x90\x83\xe3\x80\x82");
    CUT("\xe3\x82\xab\xe3\x83\xbc\xe3\x81\xae\xe8\x89\xb2", "word",
        "\xe3\x82\xab\xe3\x83\xbc|\xe3\x81\xae|\xe8\x89\xb2");
    CUT("\xd0\xbc\xd0\xb8\xd1\x80 \xd9\x85\xd8\xb1", "word", "\xd0\xbc\xd0\xb8\xd1\x80 |\xd9\x85\xd8\xb1");
    CUT("na\xc3\xafve e\xcc\x81t\xc3\xa9", "word", "na\xc3\xafve |e\xcc\x81t\xc3\xa9");
    CUT("a\xc2\xa0""b\xe3\x80\x80""c", "word", "a\xc2\xa0|b\xe3\x80\x80|c");
    CUT("   ", "word", "   ");
    CUT("", "word", "");
}

static void test_sentences(void)
{
    CUT("One. Two! Three?", "sentence", "One. |Two! |Three?");
    CUT("Pi is 3.14. It is, e.g. in circles, used.", "sentence", "Pi is 3.14. |It is, e.g. in circles, used.");
    CUT("Mr. Smith met J. R. Ewing. He left.", "sentence", "Mr. Smith met J. R. Ewing. |He left.");
    CUT("He said \"Stop!\" and ran. (Really.) Yes...  so", "sentence",
        "He said \"Stop!\" and ran. |(Really.) |Yes...  so");
    CUT("Question: who\nAnswer: me", "sentence", "Question: who\n|Answer: me");
    CUT("a long line\nthat goes on", "sentence", "a long line\nthat goes on");
    CUT("1. First\n2. Second", "sentence", "1. First\n|2. Second");
    CUT("\xe6\x88\x91\xe3\x80\x82\xe4\xbd\xa0\xef\xbc\x9f\xe5\xa5\xbd", "sentence",
        "\xe6\x88\x91\xe3\x80\x82|\xe4\xbd\xa0\xef\xbc\x9f|\xe5\xa5\xbd");
    CUT("\xe0\xa4\x95\xe0\xa5\xa4 \xe0\xa4\x96", "sentence", "\xe0\xa4\x95\xe0\xa5\xa4 |\xe0\xa4\x96");
    CUT("... One. ?! Two", "sentence", "... One. ?! |Two");
}

static void test_paragraphs_and_custom(void)
{
    CUT("a\nb\n\nc\r\n \r\n\r\nd\n", "paragraph", "a\nb\n\n|c\r\n \r\n\r\n|d\n");
    CUT("a, b,, c;d", "[,;]", "a, |b,, |c;|d");
    CUT(",a,b,", ",", ",a,|b,");
    CUT("axxb", "x*", "axx|b");
    CUT("abc", "(?=b)", "abc");
    struct unit *units;
    size_t count;
    struct error error;
    struct token token = {.end = 1};
    CHECK(units_cut("a", 1, &token, 1, "(", &units, &count, &error) == ERROR_ARGUMENT && strstr(error.message, "1"),
          "open");
    CHECK(units_cut("a", 1, &token, 1, "\\C", &units, &count, &error) == ERROR_ARGUMENT, "half characters");
    token.end = 2;
    CHECK(units_cut("a", 1, &token, 1, "word", &units, &count, &error) == ERROR_ARGUMENT, "beyond the text");
    token.end = 60;
    const char *slow = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab";
    CHECK(units_cut(slow, 60, &token, 1, "(a+)+[cd]", &units, &count, &error) == ERROR_LIMIT,
          "catastrophic expression");
}

static void test_sharing(void)
{
    char text[100];
    struct token tokens[40];
    struct unit *units;
    size_t count;
    size_t n = split("~Hel|lo| wor|ld|,| b", text, tokens);
    CHECK(!units_cut(text, strlen(text), tokens, n, "word", &units, &count, NULL) && count == 4, "%zu", count);
    CHECK(units[0].kind == UNIT_SPECIAL && units[0].first == 0 && units[0].last == 0, "special");
    CHECK(units[1].first == 1 && units[1].last == 2 && units[1].last_share == 1, "the space of \" wor\" ties nothing");
    CHECK(units[2].first == 3 && units[2].last == 5 && units[2].first_share == 1, "word and comma");
    free(units);

    n = split("a|b. C|d", text, tokens); /* "b. C" lies in two sentences: 2 of its 4 bytes and 1 */
    CHECK(!units_cut(text, strlen(text), tokens, n, "sentence", &units, &count, NULL) && count == 2, "%zu", count);
    CHECK(units[0].first == 0 && units[0].last == 1 && units[0].last_share == 0.75f, "%g", units[0].last_share);
    CHECK(units[1].first == 1 && units[1].last == 2 && units[1].first_share == 0.25f, "%g", units[1].first_share);
    free(units);

    /* three pieces of one ideograph, the last of which has its bytes */
    struct token pieces[] = {{.end = 1},
                             {.id = 1, .start = 1, .end = 1},
                             {.id = 2, .start = 1, .end = 1},
                             {.id = 3, .start = 1, .end = 4}};
    CHECK(!units_cut("a\xe6\x88\x91", 4, pieces, 4, "word", &units, &count, NULL) && count == 2, "%zu", count);
    CHECK(units[1].first == 1 && units[1].last == 3 && units[1].first_share == 1 && units[1].last_share == 1, "pieces");
    free(units);

    n = split("one two|~three. ~Four", text, tokens); /* specials cut whatever stands around them */
    CHECK(!units_cut(text, strlen(text), tokens, n, "paragraph", &units, &count, NULL) && count == 5, "%zu", count);
    free(units);
    CHECK(!units_cut("", 0, NULL, 0, "word", &units, &count, NULL) && count == 0, "nothing");
    free(units);
}

/* 44 tokens in 21 words: of the two, 21 is nearer to 30. */
static void test_auto_aim(void)
{
    char text[45] = "";
    struct token tokens[44];
    struct unit *units;
    size_t count;
    for (int i = 0; i < 44; i++) {
        text[i] = i < 40 && i % 2 ? ' ' : 'a';
        tokens[i] = (struct token){.id = i, .start = (size_t)i, .end = (size_t)i + 1};
    }
    CHECK(!units_cut(text, 44, tokens, 44, "auto", &units, &count, NULL) && count == 21, "%zu", count);
    free(units);
}

static void test_auto(void)
{
    char text[400] = "";
    struct token tokens[400];
    for (int i = 0; i < 28; i++)
        strcat(text, i % 7 == 6 ? "wordy. " : "Words ");
    size_t length = strlen(text);
    for (size_t i = 0; i < length; i++)
        tokens[i] = (struct token){.start = i, .end = i + 1};
    struct unit *units;
    size_t count;
    CHECK(!units_cut(text, length, tokens, length, "auto", &units, &count, NULL) && count == 28, "%zu", count);
    CHECK(units[0].kind == UNIT_WORD, "%s", unit_kind_name(units[0].kind));
    free(units);
    CHECK(!units_cut(text, length, tokens, 10, "auto", &units, &count, NULL) && units[0].kind == UNIT_TOKEN,
          "few tokens");
    free(units);
    for (size_t i = 0; i < 360; i++) { /* 90 sentences of a word each, in one paragraph */
        text[i] = "Aa. "[i % 4];
        tokens[i] = (struct token){.start = i, .end = i + 1};
    }
    CHECK(!units_cut(text, 360, tokens, 360, "auto", &units, &count, NULL) && count == 90, "%zu", count);
    free(units);
}

/* A megabyte of what expressions find hardest takes no longer than any other. */
static void test_hostile(void)
{
    enum { SIZE = 1 << 20 };
    static const char *const fills[] = {
        "(", ".", "\n", " ", "a.", "a", "\xe6\x88\x91", ". ", "!\"", "\xf0\x9f\x99\x82"};
    char *text = malloc(SIZE);
    struct token token = {0};
    for (size_t f = 0; text && f < sizeof fills / sizeof *fills; f++) {
        size_t part = strlen(fills[f]), length = SIZE / part * part;
        for (size_t i = 0; i < length; i++)
            text[i] = fills[f][i % part];
        token.end = length;
        for (enum unit_kind kind = UNIT_WORD; kind <= UNIT_PARAGRAPH; kind++) {
            struct unit *units;
            size_t count;
            struct error error;
            int code = units_cut(text, length, &token, 1, unit_kind_name(kind), &units, &count, &error);
            CHECK(code == 0 && count > 0, "%s of \"%s\": %s", unit_kind_name(kind), fills[f],
                  code ? error.message : "");
            free(units);
        }
    }
    free(text);
}

/* Text, a picture of 5 x 3, text, a picture of 20 x 15, text: what is cut of it, as "first-last" with the kind's
 * letter. */
static void check_tiles(int line, const char *granularity, size_t expected, const char *begin)
{
    static const char text[] = "one two <image> three<image>";
    struct token tokens[4 + 15 + 300] = {{.id = 1, .kind = TOKEN_SPECIAL}, {.end = 3}, {.start = 3, .end = 7}};
    size_t count = 3;
    struct picture pictures[2] = {{NULL, 3, 5, 3, 8}, {NULL, 19, 20, 15, 21}};
    while (count < 18)
        tokens[count++] = (struct token){.id = -1, .kind = TOKEN_IMAGE, .start = 8, .end = 8};
    tokens[count++] = (struct token){.start = 15, .end = 21};
    while (count < 19 + 300)
        tokens[count++] = (struct token){.id = -1, .kind = TOKEN_IMAGE, .start = 21, .end = 21, .image = 1};
    struct unit *units;
    size_t n;
    struct error error = {0};
    char got[200] = "";
    CHECK(!units_cut(text, sizeof text - 1, tokens, count, "word", &units, &n, &error) && n == 4, "%zu units", n);
    int code = units_tile(pictures, 2, granularity, &units, &n, &error);
    for (size_t u = 0, at = 0; u < n && at < 100; u++)
        at += (size_t)snprintf(got + at, sizeof got - at, "%s%c%d-%d", u ? " " : "", unit_kind_name(units[u].kind)[0],
                               units[u].first, units[u].last);
    CHECK(code == (expected ? 0 : ERROR_ARGUMENT) && (!expected || n == expected) &&
              !strncmp(got, begin, strlen(begin)),
          "line %d: %s: %zu units: %s", line, granularity, n, got);
    bool held[sizeof tokens / sizeof *tokens] = {0};
    for (size_t u = 0; u < n; u++)
        for (size_t t = 0; t < count; t++)
            if (unit_holds(&units[u], (int)t)) {
                CHECK(!held[t], "%s: token %zu is in two units", granularity, t);
                held[t] = true;
            }
    for (size_t t = 0; t < count && expected; t++)
        CHECK(held[t], "%s: token %zu is in no unit", granularity, t);
    free(units);
}

static void test_tiles(void)
{
    check_tiles(__LINE__, "patch", 4 + 15 + 300, "s0-0 w1-1 w2-2 p3-3 p4-4");
    check_tiles(__LINE__, "2x2", 4 + 3 * 2 + 10 * 8,
                "s0-0 w1-1 w2-2 p3-9 p5-11 p7-12 p13-14 p15-16 p17-17 w18-18 p19-40");
    check_tiles(__LINE__, "4x4", 4 + 2 + 5 * 4, "s0-0 w1-1 w2-2 p3-16 p7-17 w18-18 p19-82");
    check_tiles(__LINE__, "whole", 6, "s0-0 w1-1 w2-2 p3-17 w18-18 p19-318");
    check_tiles(__LINE__, "auto", 4 + 3 * 2 + 10 * 8, "s0-0 w1-1 w2-2 p3-9");
    check_tiles(__LINE__, "3x3", 0, "s0-0 w1-1 w2-2 w18-18");
    struct unit *units = NULL;
    size_t n = 0;
    struct picture large = {NULL, 0, 400, 400, 0}, empty = {0};
    CHECK(!units_tile(&large, 1, "auto", &units, &n, NULL) && n == 1, "%zu", n);
    free(units);
    units = NULL, n = 0;
    CHECK(!units_tile(&empty, 0, "auto", &units, &n, NULL) && n == 0, "no pictures: %zu", n);
    free(units);
}

/* -- zooms --------------------------------------------------------------------------------------------------------- */

/* The units of a text of marked tokens after zooms, as "kind first-last share share text|...". */
static void check_zoom(int line, const char *marked, const char *granularity, const struct zoom *zooms,
                       size_t zoom_count, const char *expected)
{
    static const char letters[] = "twsp";
    char text[200], got[1000] = "";
    struct token tokens[100];
    size_t count, tokens_count = split(marked, text, tokens);
    struct unit *units;
    struct error error;
    int code = units_cut(text, strlen(text), tokens, tokens_count, granularity, &units, &count, &error);
    if (code == 0)
        code = units_zoom(text, tokens, zooms, zoom_count, &units, &count, &error);
    CHECK(code == 0, "line %d: %s", line, code ? error.message : "");
    for (size_t i = 0, at = 0; i < count && code == 0; i++) {
        const struct unit *u = &units[i];
        at += (size_t)snprintf(got + at, sizeof got - at, "%s%c%d-%d", i ? "|" : "",
                               u->kind == UNIT_SPECIAL ? '~' : letters[u->kind], u->first, u->last);
        if (u->first_share < 1 || u->last_share < 1)
            at += (size_t)snprintf(got + at, sizeof got - at, " %.2f %.2f", (double)u->first_share,
                                   (double)u->last_share);
        at += (size_t)snprintf(got + at, sizeof got - at, " %.*s", (int)(u->end - u->start), text + u->start);
    }
    CHECK(!strcmp(got, expected), "line %d:\n  got      %s\n  expected %s", line, got, expected);
    free(units);
}
#define ZOOM(marked, granularity, expected, ...)                                                                       \
    check_zoom(__LINE__, marked, granularity, (struct zoom[]){__VA_ARGS__},                                            \
               sizeof(struct zoom[]){__VA_ARGS__} / sizeof(struct zoom), expected)

static void test_zooms(void)
{
    const char *text = "~A| cat|. One| do|g.\n\nEnd|.";
    ZOOM(text, "paragraph", "~0-0 |p1-5 1.00 0.57 A cat. One dog.\n\n|p5-6 0.43 1.00 End.", {40, 50, UNIT_WORD});
    ZOOM(text, "paragraph", "~0-0 |s1-3 1.00 0.40 A cat. |s3-5 0.60 0.57 One dog.\n\n|p5-6 0.43 1.00 End.",
         {0, 17, UNIT_SENTENCE});
    ZOOM(text, "paragraph",
         "~0-0 |s1-3 1.00 0.40 A cat. |w3-3 0.60 0.60 One |w4-5 1.00 0.57 dog.\n\n|p5-6 0.43 1.00 End.",
         {0, 17, UNIT_SENTENCE}, {7, 17, UNIT_WORD});
    ZOOM(text, "paragraph",
         "~0-0 |s1-3 1.00 0.40 A cat. |w3-3 0.60 0.60 One |t4-4 do|t5-5 0.57 0.57 g.\n\n|p5-6 0.43 1.00 End.",
         {0, 17, UNIT_SENTENCE}, {7, 17, UNIT_WORD}, {11, 17, UNIT_TOKEN});
    ZOOM(text, "sentence", "~0-0 |t1-1 A|t2-2  cat|t3-3 0.40 0.40 . |s3-5 0.60 0.57 One dog.\n\n|s5-6 0.43 1.00 End.",
         {0, 7, UNIT_TOKEN});
    struct token tokens[] = {{.start = 0, .end = 3}, {.start = 3, .end = 6}};
    struct unit *units;
    size_t count;
    struct error error;
    CHECK(units_cut("one.", 4, tokens, 1, "paragraph", &units, &count, &error) == 0);
    CHECK(units_zoom("one.", tokens, &(struct zoom){0, 4, UNIT_PARAGRAPH}, 1, &units, &count, &error) ==
          ERROR_ARGUMENT);
    CHECK(count == 1 && units[0].kind == UNIT_PARAGRAPH, "they stay");
    free(units);
}

static struct unit one(enum unit_kind kind, int first, int last, float share, size_t start, size_t end)
{
    return (struct unit){
        .kind = kind, .first = first, .last = last, .first_share = share, .last_share = 1, .start = start, .end = end};
}

/* From a paragraph down to tokens, leaving out what would cut nothing. */
static void test_finer(void)
{
    char text[200];
    struct token tokens[100];
    size_t n = split("A| cat|. One| do|g.", text, tokens);
    struct unit all = one(UNIT_PARAGRAPH, 0, (int)n - 1, 1, 0, strlen(text));
    CHECK(units_finer(text, tokens, &all) == UNIT_SENTENCE);
    struct unit sentence = one(UNIT_PARAGRAPH, 2, 4, 0.5f, 7, strlen(text));
    CHECK(units_finer(text, tokens, &sentence) == UNIT_WORD, "one sentence: words");
    struct unit word = one(UNIT_SENTENCE, 3, 4, 1, 11, strlen(text));
    CHECK(units_finer(text, tokens, &word) == UNIT_TOKEN, "one word: tokens");
    struct unit token = one(UNIT_WORD, 1, 1, 1, 1, 5), special = one(UNIT_SPECIAL, 0, 0, 1, 0, 0);
    CHECK(units_finer(text, tokens, &token) == UNIT_CUSTOM && units_finer(text, tokens, &special) == UNIT_CUSTOM);
    struct unit custom = one(UNIT_CUSTOM, 0, (int)n - 1, 1, 0, strlen(text));
    CHECK(units_finer(text, tokens, &custom) == UNIT_SENTENCE);
}

int main(void)
{
    test_zooms();
    test_finer();
    test_tiles();
    test_words();
    test_sentences();
    test_paragraphs_and_custom();
    test_sharing();
    test_auto();
    test_auto_aim();
    test_hostile();
    return test_end();
}
