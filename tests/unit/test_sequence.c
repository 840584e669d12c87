/* Where pictures stand among tokens: marks, order, control tokens around them, offsets; and what is refused. */
#include "core/sequence.h"

#include "core/gguf.h"
#include "tests/test.h"
#include "tests/unit/gguf_build.h"

#define BAR "\xe2\x96\x81"

static struct tokenizer *tokenizer;
static void *copy;
static struct gguf *file;
static struct image *images[SEQUENCE_PICTURES + 1];

static void open_tokenizer(void)
{
    static const struct { const char *text; int type; float score; } words[] = {
        {"<unk>", 2, 0}, {"<s>", 3, 0}, {"</s>", 3, 0}, {BAR, 1, -9}, {"a", 1, -8}, {"b", 1, -8}, {BAR "a", 1, -1},
        {BAR "b", 1, -2}, {"<|in|>", 3, 0}, {"<|out|>", 3, 0}, {"<image>", 3, 0},
    };
    enum { COUNT = sizeof words / sizeof *words };
    struct build build = {0};
    struct error error = {0};
    build_header(&build, 3, 0, 5);
    build_key(&build, "general.architecture", GGUF_STRING);
    build_string(&build, "llama");
    build_key(&build, "tokenizer.ggml.model", GGUF_STRING);
    build_string(&build, "llama");
    build_key_array(&build, "tokenizer.ggml.tokens", GGUF_STRING, COUNT);
    for (int i = 0; i < COUNT; i++)
        build_string(&build, words[i].text);
    build_key_array(&build, "tokenizer.ggml.token_type", GGUF_I32, COUNT);
    for (int i = 0; i < COUNT; i++)
        build_u32(&build, (uint32_t)words[i].type);
    build_key_array(&build, "tokenizer.ggml.scores", GGUF_F32, COUNT);
    for (int i = 0; i < COUNT; i++)
        build_bytes(&build, &words[i].score, 4);
    CHECK(build_open(&build, &copy, &file, &error) == 0 && tokenizer_open(file, NULL, &tokenizer, &error) == 0, "%s",
          error.message);
    free(build.bytes);
}

/* Tokens as "id:start-end", specials with a star, pictures as "[which:start first]"; or the error. */
static void check_sequence(int line, const struct vision_info *vision, const char *text, size_t count, unsigned flags,
                           int code, const char *expected)
{
    struct sequence s;
    struct error error = {0};
    char got[600] = "";
    int status = sequence_new(tokenizer, vision, text, strlen(text), NULL, 0, flags, images, count, &s, &error);
    if (status)
        snprintf(got, sizeof got, "%.500s", error.message);
    for (size_t i = 0, at = 0; !status && i < s.token_count && at < sizeof got - 60; i++) {
        const struct token *t = &s.tokens[i];
        if (t->kind != TOKEN_IMAGE) {
            at += (size_t)snprintf(got + at, sizeof got - at, "%s%d%s:%zu-%zu", i ? " " : "", t->id,
                                   t->kind == TOKEN_SPECIAL ? "*" : "", t->start, t->end);
            continue;
        }
        const struct picture *p = &s.pictures[t->image];
        int place = (int)i - p->first;
        CHECK(t->id == -1 && t->start == p->start && t->end == p->start, "line %d: token %zu", line, i);
        CHECK(place >= 0 && place < 4 && p->image == images[t->image] && p->columns == 2 && p->rows == 2, "line %d",
              line);
        CHECK(t->rect[0] == 3.0f * (float)(place % 2) && t->rect[1] == 2.0f * (float)(place / 2) && t->rect[2] == 3 &&
                  t->rect[3] == 2,
              "line %d: row %d at %g, %g", line, place, (double)t->rect[0], (double)t->rect[1]);
        if (place == 0)
            at += (size_t)snprintf(got + at, sizeof got - at, "%s[%d:%zu %d]", i ? " " : "", t->image, t->start,
                                   p->first);
    }
    CHECK(status == code && (code ? strstr(got, expected) != NULL : !strcmp(got, expected)),
          "line %d: \"%s\"\n  got      %s\n  expected %s", line, text, got, expected);
    if (!status) {
        struct picture *other = pictures_copy(s.pictures, s.picture_count);
        CHECK(other && s.picture_count == count, "%zu pictures", s.picture_count);
        sequence_free(&s);
        CHECK(count == 0 || other[0].image->width == 6, "a copy's images live on");
        pictures_free(other, count);
    }
}
#define SEQUENCE(vision, text, count, flags, code, expected)                                                           \
    check_sequence(__LINE__, vision, text, count, flags, code, expected)

static void test_places(const struct vision_info *plain, const struct vision_info *framed)
{
    SEQUENCE(NULL, "a b", 0, TOKENIZE_START, 0, "1*:0-0 6:0-1 7:1-3");
    SEQUENCE(NULL, "", 0, TOKENIZE_START, 0, "1*:0-0");
    SEQUENCE(plain, "a<image>b", 1, TOKENIZE_START, 0, "1*:0-0 6:0-1 [0:1 2] 7:8-9");
    SEQUENCE(plain, "ab", 1, TOKENIZE_START, 0, "1*:0-0 [0:0 1] 6:0-1 5:1-2");
    SEQUENCE(plain, "ab", 1, 0, 0, "[0:0 0] 6:0-1 5:1-2");
    SEQUENCE(plain, "<image>", 1, TOKENIZE_START, 0, "1*:0-0 [0:0 1]");
    SEQUENCE(plain, "<image><image>", 2, TOKENIZE_START, 0, "1*:0-0 [0:0 1] [1:7 5]");
    SEQUENCE(plain, "a<image>b", 3, TOKENIZE_START, 0, "1*:0-0 [0:0 1] [1:0 5] 6:0-1 [2:1 10] 7:8-9");
    SEQUENCE(plain, "a <image> b", 1, TOKENIZE_START, 0, "1*:0-0 6:0-1 3:1-2 [0:2 3] 3:9-9 7:9-11");
    SEQUENCE(plain, "a<imageb", 1, TOKENIZE_START, 0, "1*:0-0 [0:0 1] 6:0-1 0:1-4 4:4-5 0:5-7 5:7-8");
    SEQUENCE(framed, "a<image>b", 1, TOKENIZE_START, 0, "1*:0-0 6:0-1 8*:1-1 [0:1 3] 9*:1-1 7:8-9");
    SEQUENCE(framed, "b", 2, TOKENIZE_START, 0, "1*:0-0 8*:0-0 [0:0 2] 9*:0-0 8*:0-0 [1:0 8] 9*:0-0 7:0-1");
    /* spelled in a template, the control token of that name is the picture's place, not a token */
    SEQUENCE(framed, "<s>a<image>b", 1, TOKENIZE_START | TOKENIZE_SPECIALS, 0,
             "1*:0-0 6:3-4 8*:4-4 [0:4 3] 9*:4-4 7:11-12");
    SEQUENCE(framed, "<|in|>a", 1, TOKENIZE_START, 0, "1*:0-0 8*:0-0 [0:0 2] 9*:0-0 3:0-0 0:0-6 4:6-7");
}

static void test_refusals(const struct vision_info *plain)
{
    SEQUENCE(NULL, "<image>", 0, 0, 0, "0:0-3 4:3-4 0:4-7");
    SEQUENCE(NULL, "a", 1, 0, ERROR_ARGUMENT, "--mmproj");
    SEQUENCE(plain, "<image><image>", 1, 0, ERROR_ARGUMENT, "2 places");
    SEQUENCE(plain, "<image>a\xff", 1, 0, ERROR_FORMAT, "byte 8");
    SEQUENCE(plain, "a", SEQUENCE_PICTURES + 1, 0, ERROR_LIMIT, "64");
}

static void test_cut(const struct vision_info *framed)
{
    static const char text[] = "a<image> b a";
    struct sequence s;
    struct unit *units;
    size_t count;
    struct error error = {0};
    CHECK(sequence_new(tokenizer, framed, text, sizeof text - 1, NULL, 0, TOKENIZE_START, images, 1, &s, &error) == 0,
          "%s", error.message);
    static const struct {
        const char *patches;
        size_t count;
    } cuts[] = {{"patch", 9}, {"2x2", 6}, {"whole", 6}, {"auto", 9}};
    for (size_t i = 0; i < sizeof cuts / sizeof *cuts; i++) {
        CHECK(sequence_cut(&s, text, sizeof text - 1, "word", cuts[i].patches, &units, &count, &error) == 0, "%s",
              error.message);
        CHECK(count == cuts[i].count + 1, "%s: %zu units", cuts[i].patches, count);
        for (size_t u = 0; u + 1 < count; u++)
            CHECK(units[u].first < units[u + 1].first, "%s: unit %zu is out of order", cuts[i].patches, u);
        CHECK(units[3].kind == UNIT_PATCH && units[3].start == 1 && units[3].end == 1, "the first patch");
        free(units);
    }
    CHECK(sequence_cut(&s, text, sizeof text - 1, "word", "3x3", &units, &count, &error) == ERROR_ARGUMENT && !units,
          "3x3");
    CHECK(sequence_cut(&s, text, sizeof text - 1, "(", "2x2", &units, &count, &error) == ERROR_ARGUMENT && !units, "(");
    sequence_free(&s);
}

int main(void)
{
    struct vision_info plain = {.projector = "gemma3", .side = 8, .patch = 4, .columns = 2, .rows = 2, .width = 4,
                                .before = "", .after = ""};
    struct vision_info framed = plain;
    framed.before = "<|in|>";
    framed.after = "<|out|>";
    open_tokenizer();
    for (int i = 0; i <= SEQUENCE_PICTURES; i++)
        CHECK(image_new(6, 4, &images[i], NULL) == 0, "no image");
    if (tokenizer) {
        test_places(&plain, &framed);
        test_refusals(&plain);
        test_cut(&framed);
    }
    for (int i = 0; i <= SEQUENCE_PICTURES; i++)
        image_release(images[i]);
    tokenizer_close(tokenizer);
    gguf_close(file);
    free(copy);
    return test_end();
}
