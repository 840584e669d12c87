/* test_image.c: explanations as PNG and SVG, read back with our own reader. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/test.h"
#include "tests/tui/fake_engine.h"
#include "tui/format_image.h"

enum { WIDTH = 1200, UNITS = 4, CHOICES = 1 + CANDIDATES };

static const char prompt[] = "red blue dull";

/* Three words and a picture of two patches: the first word and the left patch support, the second word contradicts. */
struct example {
    struct explanation explanation;
    struct token tokens[5];
    struct unit units[UNITS];
    struct picture picture;
    struct output_token output[2];
    bool measured[UNITS], estimated[UNITS];
    float relevance[UNITS * 2 * CHOICES];
    struct engine_info info;
};

static void make(struct example *x)
{
    static const size_t ends[] = {3, 8, 13};
    *x = (struct example){
        .info = {.file = "/models/fake.gguf", .quantisation = "Q8_0", .device_kind = "cpu", .precision = "f32"}};
    for (int i = 0; i < 3; i++) {
        size_t start = i > 0 ? ends[i - 1] : 0;
        x->tokens[i + 1] = (struct token){.id = FAKE_FIRST + i, .start = start, .end = ends[i]};
        x->units[i + 1 - (i == 0)] = (struct unit){.kind = UNIT_WORD, .first = i + 1, .last = i + 1, .first_share = 1,
                                                   .last_share = 1, .start = start, .end = ends[i]};
        x->units[i] = x->units[i + 1 - (i == 0)];
    }
    CHECK(image_new(64, 32, &x->picture.image, NULL) == 0);
    memset(x->picture.image->rgb, 255, 64 * 32 * 3);
    x->picture.first = 4, x->picture.columns = x->picture.rows = 1;
    x->tokens[4] = (struct token){.id = -1, .kind = TOKEN_IMAGE, .start = 13, .end = 13, .rect = {0, 0, 32, 32}};
    x->units[3] = (struct unit){
        .kind = UNIT_PATCH, .first = 4, .last = 4, .start = 13, .end = 13, .columns = 1, .rows = 1, .stride = 1};
    for (int u = 0; u < UNITS; u++) {
        x->measured[u] = true;
        for (int t = 0; t < 2; t++)
            x->relevance[(u * 2 + t) * CHOICES] = t == 1 ? 0 : u == 0 || u == 3 ? 2 : u == 1 ? -1 : 0;
    }
    x->output[0].id = FAKE_FIRST;
    x->output[1].id = FAKE_FIRST + 1;
    x->explanation = (struct explanation){
        .prompt = (char *)prompt, .prompt_length = sizeof prompt - 1, .tokens = x->tokens, .token_count = 5,
        .pictures = &x->picture, .picture_count = 1, .output = x->output, .output_count = 2, .foil.token = -1,
        .units = x->units, .unit_count = UNITS, .measured = x->measured, .estimated = x->estimated,
        .relevance = x->relevance, .chosen_id = -1, .noise_floor = 0.01, .complete = true,
        .method = method_default(),
    };
}

static int draw(const struct report *report, bool svg, char **bytes, size_t *length, struct error *error)
{
    *bytes = NULL;
    FILE *out = open_memstream(bytes, length);
    int code = format_image_draw(report, svg, out, error);
    fclose(out);
    return code;
}

/* The box around all pixels of a colour within rows; false: there is none. */
static bool find_colour(const struct image *image, unsigned rgb, int first, int end, int box[4])
{
    bool found = false;
    for (int y = first; y < end; y++)
        for (int x = 0; x < image->width; x++) {
            const uint8_t *p = image->rgb + 3 * ((size_t)y * (size_t)image->width + (size_t)x);
            if ((unsigned)(p[0] << 16 | p[1] << 8 | p[2]) != rgb)
                continue;
            box[0] = found && box[0] < x ? box[0] : x;
            box[1] = found ? box[1] : y;
            box[2] = found && box[2] > x ? box[2] : x;
            box[3] = y;
            found = true;
        }
    return found;
}

static unsigned background(enum scale scale, double position)
{
    return (unsigned)colour_cell(scale, COLOUR_TRUE, GROUND_LIGHT, position).background;
}

static void check_words(const struct image *image, enum scale scale)
{
    int red[4], blue[4], any[4];
    bool words = find_colour(image, background(scale, 1), 0, 130, red) &&
                 find_colour(image, background(scale, -0.5), 0, 130, blue);
    CHECK(words, "the words have their colours");
    if (!words)
        return;
    CHECK(red[0] >= 38 && red[0] <= 42 && red[2] < blue[0], "one after the other: %d-%d, %d-%d", red[0], red[2],
          blue[0], blue[2]);
    CHECK(abs(red[1] - blue[1]) <= 2 && red[3] - red[1] > 15, "in one row");
    CHECK(!find_colour(image, background(scale, 1), 0, 30, any), "and nowhere above");
}

static void test_png(enum scale scale)
{
    struct example x;
    make(&x);
    struct tokenizer *tokenizer = fake_tokenizer_new();
    struct report report = {.info = &x.info, .tokenizer = tokenizer, .explanation = &x.explanation, .scale = scale};
    struct error error = {0};
    struct image *image = NULL;
    char *bytes;
    size_t length;
    int code = draw(&report, false, &bytes, &length, &error);
    if (code == ERROR_UNSUPPORTED) {
        SKIP("PNG: %s", error.message);
    } else {
        CHECK(code == 0 && image_decode("x", bytes, length, &image, &error) == 0, "%s", error.message);
    }
    free(bytes);
    if (image) {
        CHECK(image->width == WIDTH && image->height > 300 && image->height < 700, "%d x %d", image->width,
              image->height);
        check_words(image, scale);
        const uint8_t *left = image->rgb + 3 * (250 * WIDTH + 100), *right = image->rgb + 3 * (250 * WIDTH + 500);
        CHECK(right[0] == 255 && right[1] == 255 && right[2] == 255, "beside the patch the picture is as it was");
        CHECK(left[0] != 255 || left[1] != 255 || left[2] != 255, "the patch has its heat");
        image_release(image);
    }
    image_release(x.picture.image);
    tokenizer_close(tokenizer);
}

/* One choice in place of all: its own map, and its name. */
static void test_question(void)
{
    struct example x;
    make(&x);
    struct tokenizer *tokenizer = fake_tokenizer_new();
    struct map_question question = {.token = 1};
    struct report report = {
        .info = &x.info, .tokenizer = tokenizer, .explanation = &x.explanation, .question = &question};
    struct error error = {0};
    struct image *image = NULL;
    char *bytes;
    size_t length;
    int box[4], code = draw(&report, false, &bytes, &length, &error);
    if (code == ERROR_UNSUPPORTED)
        SKIP("PNG: %s", error.message);
    else
        CHECK(code == 0 && image_decode("x", bytes, length, &image, &error) == 0, "%s", error.message);
    CHECK(!image || !find_colour(image, background(SCALE_BLUE_ORANGE, 1), 0, 130, box),
          "nothing supports the second token");
    free(bytes);
    code = draw(&report, true, &bytes, &length, &error);
    CHECK(code == ERROR_UNSUPPORTED || (code == 0 && length > 1000 && strstr(bytes, "<svg")), "%s", error.message);
    free(bytes);
    image_release(image);
    image_release(x.picture.image);
    tokenizer_close(tokenizer);
}

int main(void)
{
    test_png(SCALE_BLUE_ORANGE);
    test_png(SCALE_PURPLE_GREEN);
    test_question();
    return test_end();
}
