/* test_recording.c: what a recording keeps: every field, exactly or nearly so, whatever happens to the file. */
#include "tui/recording.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <webp/encode.h>

#include "tests/test.h"
#include "tui/player.h"
#include "tui/scene_explanation.h"
#include "tui/scene_layout.h"
#include "tui/view.h"

/* -- fields -------------------------------------------------------------------------------------------------------- */

static void check_named(const char *name, const struct shape *shape, uint8_t *bytes, size_t start, size_t end)
{
    for (size_t i = 0; i < shape->count; i++)
        memset(bytes + shape->fields[i].offset, 0, shape->fields[i].size * shape->fields[i].count);
    for (size_t i = start; i < end; i++)
        if (bytes[i]) {
            CHECK(false, "struct %s: scene_layout.c has no row for the field at byte %zu (see offsetof)", name, i);
            return;
        }
    CHECK(true);
}

/* Of a struct all bytes but the padding must be named, from one field to another. */
#define NAMED_BETWEEN(type, layout, start, end)                              \
    do {                                                                     \
        static struct type whole;                                            \
        memset(&whole, 0xff, sizeof whole);                                  \
        __builtin_clear_padding(&whole);                                     \
        check_named(#type, &layout, (uint8_t *)&whole, start, end);          \
    } while (0)
#define NAMED(type, layout) NAMED_BETWEEN(type, layout, 0, sizeof(struct type))

static void test_every_field(void)
{
#if defined(__GNUC__) && !defined(__clang__) && __GNUC__ >= 11
    NAMED(explanation, layout_explanation);
    NAMED(token, layout_token);
    NAMED(picture, layout_picture);
    NAMED(output_token, layout_output);
    NAMED(unit, layout_unit);
    NAMED(alike, layout_alike);
    NAMED(proof, layout_proof);
    NAMED(pairs, layout_pairs);
    NAMED(engine_info, layout_info);
    NAMED(request, layout_settings);
    NAMED(steer, layout_steer);
    NAMED(editor, layout_editor);
    NAMED(about, layout_about);
    NAMED(candidate, layout_candidate);
    NAMED(method, layout_method);
    NAMED(cost, layout_cost);
    NAMED(error, layout_error);
    NAMED(answer, layout_answer);
    NAMED(proof_point, layout_proof_point);
    NAMED(flip, layout_flip);
    NAMED(pair, layout_pair);
    NAMED_BETWEEN(view, layout_view, LAYOUT_VIEW_START, LAYOUT_VIEW_END);
#else
    SKIP("whether every field is recorded: that takes gcc 11");
#endif
}

/* -- differences --------------------------------------------------------------------------------------------------- */

static bool apply_all(struct scene *scene, const struct scene_writer *writer)
{
    struct bytes_reader in = {writer->changes.data, writer->changes.data + writer->changes.length, false};
    while (in.at < in.end)
        if (!scene_apply(scene, &in))
            return false;
    return true;
}

static void test_differences(void)
{
    static const char *const texts[] = {
        "", "a", "ab", "aXb", "XaXbYYYYYYYYYYYYYYYY", "XbXbYYYYZYYYYYYYYYZY", "b", "", "abcabc", "abcabcabc", "cba"};
    struct scene_writer writer = {0};
    struct scene scene = {0};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        writer.changes.length = writer.change_count = 0;
        bytes_put(scene_begin(&writer), texts[i], strlen(texts[i]));
        scene_put(&writer, SCENE_TEXTS, 7);
        scene_put(&writer, SCENE_TEXTS, 7); /* the same again is no change */
        CHECK(writer.change_count == (i > 0), "%zu", writer.change_count);
        CHECK(apply_all(&scene, &writer));
        struct scene_piece piece = scene_piece(&scene, SCENE_TEXTS, 7);
        CHECK(piece.length == strlen(texts[i]) &&
                  memcmp(texts[i], piece.data ? (char *)piece.data : "", piece.length) == 0,
              "%s", texts[i]);
    }
    CHECK(scene_piece(&scene, SCENE_TEXTS, 1000000).length == 0);
    scene_free(&scene);
    scene_writer_free(&writer);
}

/* Two bytes far apart are told as two bytes. */
static void test_sparse(void)
{
    uint8_t bytes[1000] = {0};
    struct scene_writer writer = {0};
    for (int i = 0; i < 2; i++) {
        writer.changes.length = 0;
        bytes_put(scene_begin(&writer), bytes, sizeof bytes);
        scene_put(&writer, SCENE_TEXTS, 0);
        bytes[10] = bytes[900] = 1;
    }
    CHECK(writer.changes.length < 30, "%zu bytes", writer.changes.length);
    scene_writer_free(&writer);
}

/* A change that takes more of a piece than there is. */
static void test_hostile(void)
{
    static const uint8_t counts[][10] = {
        {SCENE_EDITOR, 0, 4, 2, /* cut beyond the end, then copy */ 0, 100, 0, 4, 0, 0},
        {SCENE_EDITOR, 0, 4, 1, /* copy what is not there */ 4, 0, 0},
        {SCENE_EDITOR, 0, 1, 1, /* more than the piece's new length */ 0, 0, 3, 'a', 'b', 'c'},
        {SCENE_GROUPS, 0, 0, 0},
    };
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        struct scene scene = {0};
        struct bytes_reader in = {counts[i], counts[i] + sizeof counts[i], false};
        CHECK(!scene_apply(&scene, &in), "change %zu", i);
        scene_free(&scene);
    }
}

/* -- an explanation ------------------------------------------------------------------------------------------------ */

enum { UNITS = 3, OUTPUT = 2, CHOICES = 1 + CANDIDATES };

static void *copy(const void *from, size_t size)
{
    void *to = malloc(size);
    memcpy(to, from, size);
    return to;
}

static struct explanation *example(struct image *image)
{
    static const struct token tokens[] = {
        {.id = 5, .start = 0, .end = 3},
        {.id = -1, .kind = TOKEN_IMAGE, .start = 3, .end = 3, .rect = {0, 0, 4, 4}},
        {.id = 6, .start = 3, .end = 6},
    };
    static const struct unit units[UNITS] = {
        {.kind = UNIT_WORD, .first = 0, .last = 0, .first_share = 1, .last_share = 1, .start = 0, .end = 3},
        {.kind = UNIT_PATCH, .first = 1, .last = 1, .columns = 1, .rows = 1, .stride = 1, .start = 3, .end = 3},
        {.kind = UNIT_TARGET, .first = 3, .last = 3, .start = 6, .end = 6},
    };
    struct explanation *e = explanation_new();
    e->prompt = copy("one two", 7);
    e->prompt_length = 6;
    e->tokens = copy(tokens, sizeof tokens);
    e->token_count = 3;
    e->pictures = calloc(1, sizeof *e->pictures);
    e->pictures[0] = (struct picture){image_keep(image), 1, 1, 1, 3};
    e->picture_count = 1;
    e->units = copy(units, sizeof units);
    e->unit_count = UNITS;
    e->output = calloc(OUTPUT, sizeof *e->output);
    e->output_count = OUTPUT;
    e->output[1].logprob = -0.123456789;
    e->measured = calloc(UNITS, sizeof *e->measured);
    e->estimated = calloc(UNITS, sizeof *e->estimated);
    e->relevance = calloc(UNITS * OUTPUT * CHOICES, sizeof *e->relevance);
    e->measured[0] = e->measured[1] = e->estimated[1] = true;
    for (int i = 0; i < UNITS * OUTPUT * CHOICES; i++)
        e->relevance[i] = (float)(i % CHOICES == 1 ? (double)e->relevance[i - 1] : sin(i) * pow(10, i % 7 - 4));
    e->direct = calloc(1, sizeof *e->direct);
    e->direct_count = 1;
    e->direct[0].unit_count = 2;
    e->direct[0].value = copy(e->relevance, 2 * CHOICES * sizeof(float));
    e->direct[0].value[CHOICES] = NAN;
    e->chosen = copy(e->relevance, UNITS * sizeof(float));
    e->chosen[2] = NAN;
    e->noise_floor = 1e-7;
    e->request = 77;
    e->cost.probes = 12;
    return e;
}

static long first_number(void *context, struct image *image)
{
    (void)context, (void)image;
    return 0;
}

static bool near(double a, double b, double share)
{
    return (isnan(a) && isnan(b)) || fabs(a - b) <= share * fabs(b);
}

static void check_same(const struct explanation *a, const struct explanation *b)
{
    CHECK(a->prompt_length == 6 && memcmp(a->prompt, b->prompt, 6) == 0 && a->token_count == 3 &&
          a->unit_count == UNITS);
    CHECK(a->tokens[1].kind == TOKEN_IMAGE && a->tokens[1].rect[2] == 4 && a->tokens[2].end == 6);
    CHECK(a->pictures[0].first == 1 && a->pictures[0].image == b->pictures[0].image);
    CHECK(a->output_count == OUTPUT && a->output[1].logprob == b->output[1].logprob);
    CHECK(a->measured[1] && !a->measured[2] && a->estimated[1] && !a->estimated[0]);
    for (size_t u = 0; u < 2; u++)
        for (size_t i = 0; i < OUTPUT * CHOICES; i++) {
            size_t at = u * OUTPUT * CHOICES + i;
            CHECK(near((double)a->relevance[at], (double)b->relevance[at], i % CHOICES < 2 ? 3.1e-5 : 2.5e-4),
                  "%zu: %g %g", at, (double)a->relevance[at], (double)b->relevance[at]);
        }
    CHECK(a->relevance[1] == a->relevance[0]);
    for (size_t i = 0; i < 2 * CHOICES; i++)
        CHECK(near((double)a->direct[0].value[i], (double)b->direct[0].value[i], 4e-3), "%g",
              (double)a->direct[0].value[i]);
    CHECK(isnan(explanation_direct(a, 0, 1, 0)) && a->chosen[1] == b->chosen[1] && isnan(a->chosen[2]));
    CHECK(a->noise_floor == b->noise_floor && a->request == 77 && a->cost.probes == 12);
}

static void test_explanation(void)
{
    struct image *image;
    struct scene_writer writer = {0};
    struct scene scene = {0};
    CHECK(image_new(4, 4, &image, NULL) == 0);
    struct explanation *e = example(image);
    scene_put_explanation(&writer, 1, e, first_number, NULL);
    CHECK(!scene_failed(&writer) && apply_all(&scene, &writer));
    CHECK(!scene_explanation_changed(&scene, 0) && scene_explanation_changed(&scene, 1) &&
          !scene_explanation_changed(&scene, 1));
    struct explanation *back = scene_take_explanation(&scene, 1, &image, 1);
    CHECK(back != NULL);
    if (back)
        check_same(back, e);
    CHECK(scene_take_explanation(&scene, 1, NULL, 0) == NULL, "its picture is not there");
    struct explanation *none = scene_take_explanation(&scene, 0, &image, 1);
    CHECK(none && none->token_count == 0 && none->prompt_length == 0);
    explanation_free(none);
    explanation_free(back);
    size_t before = writer.changes.length;
    e->cost.probes = 13;
    e->measured[2] = true;
    scene_put_explanation(&writer, 1, e, first_number, NULL);
    CHECK(writer.changes.length - before < 100, "%zu bytes for one unit more", writer.changes.length - before);
    explanation_free(e);
    scene_free(&scene);
    scene_writer_free(&writer);
    image_release(image);
}

/* What no worker would say is not taken. */
static void test_wrong(void)
{
    struct image *image;
    CHECK(image_new(4, 4, &image, NULL) == 0);
    for (int wrong = 0; wrong < 12; wrong++) {
        struct scene_writer writer = {0};
        struct scene scene = {0};
        struct explanation *e = example(image);
        switch (wrong) {
        case 0: e->tokens[0].end = 7; break;
        case 1: e->tokens[1].image = 1; break;
        case 2: e->tokens[1].rect[0] = NAN; break;
        case 3: e->pictures[0].columns = 3; break;
        case 4: e->pictures[0].first = -1; break;
        case 5: e->units[0].last = 5; break;
        case 6: e->units[0].first = -1; break;
        case 7: e->units[1].rows = 2; break;
        case 8: e->units[2].kind = UNIT_WORD; break;
        case 9: e->foil.token = 2; break;
        case 10: e->prompt[0] = '\xff'; break;
        case 11: e->pairs.count = 1, e->pairs.pair[0].unit[1] = UNITS; break;
        }
        scene_put_explanation(&writer, 0, e, first_number, NULL);
        CHECK(apply_all(&scene, &writer) && scene_take_explanation(&scene, 0, &image, 1) == NULL, "wrong %d", wrong);
        explanation_free(e);
        scene_free(&scene);
        scene_writer_free(&writer);
    }
    image_release(image);
}

/* -- files --------------------------------------------------------------------------------------------------------- */

enum { FRAMES = 20 };

/* A recording of FRAMES frames, each of which makes a text longer; returns the file's bytes, malloced [*length]. */
static uint8_t *record(size_t *length)
{
    char path[] = "/tmp/atmanscope-recording-XXXXXX";
    struct recording_writer file;
    struct scene_writer writer = {0};
    struct error error;
    close(mkstemp(path));
    CHECK(recording_create(&file, path, false, &error) == ERROR_IO && strstr(error.message, "is there already"));
    CHECK(recording_create(&file, path, true, &error) == 0);
    for (int i = 0; i < FRAMES; i++) {
        struct bytes *out = scene_begin(&writer);
        for (int k = 0; k <= i; k++)
            bytes_put_number(out, (uint64_t)(k * 37 % 251), 1);
        scene_put(&writer, SCENE_EDITOR, 0);
        recording_add(&file, i == 5 ? 10000 : 100, &writer);
        CHECK(recording_flush(&file, &error) == 0);
    }
    CHECK(recording_close(&file, &error) == 0 && recording_close(&file, &error) == 0);
    scene_writer_free(&writer);
    FILE *in = fopen(path, "r");
    uint8_t *bytes = malloc(1 << 16);
    *length = fread(bytes, 1, 1 << 16, in);
    fclose(in);
    unlink(path);
    return bytes;
}

static void test_file(void)
{
    size_t length;
    uint8_t *bytes = record(&length);
    struct recording recording;
    struct player player;
    struct error error;
    CHECK(recording_decode("x", bytes, length, &recording, &error) == 0 && recording.frame_count == FRAMES &&
          !recording.broken && recording.frames[FRAMES - 1].milliseconds == 11800,
          "%zu frames", recording.frame_count);
    recording_free(&recording);
    CHECK(player_decode("x", bytes, length, &player, &error) == 0);
    CHECK(player.end == 3800, "pauses are shortened: %g", player.end);
    CHECK(scene_piece(&player.scene, SCENE_EDITOR, 0).length == 1);
    player_tick(&player, 1000);
    CHECK(player_due(&player) == 100);
    CHECK(!player_tick(&player, 1099) && player_tick(&player, 1100) && player.done == 2);
    player.speed = 2;
    CHECK(player_tick(&player, 1200) && player.done == 4);
    player_seek(&player, 3800);
    CHECK(player_ended(&player) && scene_piece(&player.scene, SCENE_EDITOR, 0).length == FRAMES);
    player_seek(&player, 250);
    CHECK(player.done == 3 && scene_piece(&player.scene, SCENE_EDITOR, 0).length == 3);
    player_close(&player);
    free(bytes);
}

/* A picture is small in the file and may say that it was large, but not beyond all bounds. */
static void test_pixels(void)
{
    static const uint8_t rgb[4 * 4 * 3];
    static const struct {
        uint64_t width, height;
        double others; /* pixels of pictures before it */
        bool fine;
    } sizes[] = {{4, 4, 0, true},  {40, 30, 1 << 20, true},     {4, 4, (1 << 26) - 15, false},
                 {0, 4, 0, false}, {1 << 16, 1025, 0, false}, {1 << 17, 1, 0, false}};
    uint8_t *file;
    size_t length = WebPEncodeLosslessRGB(rgb, 4, 4, 12, &file);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        struct player player = {0};
        struct scene_writer writer = {0};
        struct bytes *out = scene_begin(&writer);
        bytes_put_count(out, sizes[i].width);
        bytes_put_count(out, sizes[i].height);
        bytes_put(out, file, length);
        scene_put(&writer, SCENE_IMAGES, 0);
        CHECK(apply_all(&player.scene, &writer));
        player.pixels = sizes[i].others;
        CHECK((player_take(&player, NULL) == 0) == sizes[i].fine, "%d x %d", (int)sizes[i].width, (int)sizes[i].height);
        CHECK(!sizes[i].fine || player.images[0]->width == (int)sizes[i].width);
        player_close(&player);
        scene_writer_free(&writer);
    }
    WebPFree(file);
}

/* Broken off anywhere, it plays up to there; a wrong byte ends it, or is no recording's. */
static void test_damage(void)
{
    size_t length, last = 0;
    uint8_t *bytes = record(&length);
    struct recording recording;
    struct error error;
    for (size_t cut = 0; cut < length; cut++) {
        bool good = recording_decode("x", bytes, cut, &recording, &error) == 0;
        CHECK(good ? recording.broken && recording.frame_count >= last : last == 0, "cut at %zu", cut);
        last = recording.frame_count;
        recording_free(&recording);
    }
    CHECK(last == FRAMES, "%zu", last);
    for (size_t at = 0; at < length; at++) {
        bytes[at] ^= 0x10;
        bool good = recording_decode("x", bytes, length, &recording, &error) == 0;
        CHECK(good ? recording.broken : error.code == ERROR_FORMAT || error.code == ERROR_UNSUPPORTED, "byte %zu", at);
        recording_free(&recording);
        bytes[at] ^= 0x10;
    }
    free(bytes);
    CHECK(recording_read("/", &recording, &error) == ERROR_IO &&
          recording_read("/none", &recording, &error) == ERROR_IO);
    CHECK(recording_read("/dev/zero", &recording, &error) == ERROR_IO && strstr(error.message, "is no file"));
}

int main(void)
{
    test_every_field();
    test_differences();
    test_sparse();
    test_hostile();
    test_explanation();
    test_wrong();
    test_file();
    test_pixels();
    test_damage();
    return test_end();
}
