/* What the views share: colours, words for numbers, clean text, names of models, the scale. */

#include "tests/test.h"
#include "tui/colour.h"
#include "tui/paths.h"
#include "tui/report.h"
#include "tui/text.h"

static void test_colours(void)
{
    for (int ground = 0; ground < 2; ground++)
        for (int step = -5; step <= 5; step++) {
            struct colour_cell cell = colour_cell(COLOUR_256, (enum colour_ground)ground, step / 5.0);
            CHECK((step == 0) == (cell.background < 0), "step %d: background %d", step, cell.background);
            for (int other = -5; other < step; other++)
                CHECK(colour_cell(COLOUR_256, (enum colour_ground)ground, other / 5.0).background != cell.background,
                      "steps %d and %d are both %d", other, step, cell.background);
            CHECK(step == 0 || cell.ink == 16 || cell.ink == 231, "ink %d", cell.ink);
        }
    CHECK(colour_cell(COLOUR_256, GROUND_LIGHT, 1).background == 52 &&
              colour_cell(COLOUR_256, GROUND_LIGHT, -1).background == 24,
          "the ends of the light table");
    CHECK(colour_cell(COLOUR_TRUE, GROUND_DARK, 99).background == colour_cell(COLOUR_TRUE, GROUND_DARK, 1).background,
          "positions are clamped");
    CHECK(colour_cell(COLOUR_TRUE, GROUND_DARK, NAN).background == -1, "no number, no colour");
    for (int step = 1; step <= 5; step++) { /* red (1) says support, blue (4) or cyan (6) the opposite */
        struct colour_cell support = colour_cell(COLOUR_16, GROUND_DARK, step / 5.0);
        struct colour_cell against = colour_cell(COLOUR_16, GROUND_DARK, -step / 5.0);
        CHECK((support.background < 0 ? support.ink : support.background) == 1, "step %d", step);
        CHECK((against.background < 0 ? against.ink : against.background) == (against.background < 0 ? 6 : 4),
              "step -%d", step);
    }
    CHECK(colour_cell(COLOUR_NONE, GROUND_DARK, 1).attributes != colour_cell(COLOUR_NONE, GROUND_DARK, -1).attributes,
          "the sign shows without colours");
    char sgr[48];
    colour_sgr(COLOUR_TRUE, (struct colour_cell){0xffffff, 0xffffff, 15}, sgr, sizeof sgr);
    CHECK(strcmp(sgr, "\033[0;1;2;4;7;38;2;255;255;255;48;2;255;255;255m") == 0, "%s", sgr + 1);
    colour_sgr(COLOUR_256, (struct colour_cell){-1, -1, 0}, sgr, sizeof sgr);
    CHECK(*sgr == '\0', "the terminal's own colours need no sequence");
}

static void test_terminals(void)
{
    static const struct {
        const char *term, *colorterm, *no_color;
        enum colour_depth depth;
    } cases[] = {
        {NULL, NULL, NULL, COLOUR_NONE},
        {"", NULL, NULL, COLOUR_NONE},
        {"dumb", "truecolor", NULL, COLOUR_NONE},
        {"xterm-256color", NULL, "1", COLOUR_NONE},
        {"xterm", NULL, "", COLOUR_16},
        {"xterm-256color", NULL, NULL, COLOUR_256},
        {"xterm", "truecolor", NULL, COLOUR_TRUE},
        {"xterm-direct", NULL, NULL, COLOUR_TRUE},
        {"vt100", NULL, NULL, COLOUR_NONE},
        {"vte-256color", NULL, NULL, COLOUR_256},
        {"foot", NULL, NULL, COLOUR_256},
        {"linux", NULL, NULL, COLOUR_16},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        CHECK(colour_depth_from(cases[i].term, cases[i].colorterm, cases[i].no_color) == cases[i].depth, "case %zu", i);
    CHECK(colour_ground_from("0;15") == GROUND_LIGHT && colour_ground_from("15;0") == GROUND_DARK, "COLORFGBG");
    CHECK(colour_ground_from(NULL) == GROUND_DARK && colour_ground_from("15;default;8") == GROUND_DARK, "no COLORFGBG");
}

static void test_numbers(void)
{
    static const struct {
        double nats;
        const char *number, *times;
    } cases[] = {
        {0.6931, "+0.693", "2.0 times less likely"},
        {-0.6931, "-0.693", "2.0 times more likely"},
        {0, "0", "no more or less likely"},
        {0.05, "+0.050", "1.05 times less likely"},
        {1.2e-5, "+1.2e-05", "no more or less likely"},
        {4.60517, "+4.605", "100 times less likely"},
        {12.345, "+12.35", "229808 times less likely"},
        {150, "+150.0", "over a million times less likely"},
        {-1000, "-1000.0", "over a million times more likely"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char number[24], times[64];
        colour_nats(cases[i].nats, number, sizeof number);
        colour_times(cases[i].nats, times, sizeof times);
        CHECK(strcmp(number, cases[i].number) == 0, "%g is %s, not %s", cases[i].nats, number, cases[i].number);
        CHECK(strcmp(times, cases[i].times) == 0, "%g is %s, not %s", cases[i].nats, times, cases[i].times);
    }
    CHECK(colour_position(1, 2, 0.1) == 0.5 && colour_position(-9, 2, 0.1) == -1, "positions");
    CHECK(colour_position(0.1, 2, 0.1) == 0 && colour_position(1, 0, NAN) == 0,
          "noise and an empty map have no colour");
}

static void check_clean(const char *text, size_t length, bool visible, const char *wanted)
{
    size_t size;
    char *clean = text_clean(text, length, visible, &size);
    CHECK(clean && size == strlen(wanted) && strcmp(clean, wanted) == 0, "\"%s\", not \"%s\"", clean, wanted);
    free(clean);
}

static void test_text(void)
{
#define BAD "\xef\xbf\xbd"
    check_clean("a\xc3\xa9\xe4\xb8\xad\xf0\x9f\x98\x80", 10, false, "a\xc3\xa9\xe4\xb8\xad\xf0\x9f\x98\x80");
    check_clean("\xff"
                "a\xc3",
                3, false, BAD "a" BAD);
    check_clean("\xc0\x80", 2, false, BAD BAD);                 /* overlong */
    check_clean("\xed\xa0\x80", 3, false, BAD BAD BAD);         /* a surrogate */
    check_clean("\xf4\x90\x80\x80", 4, false, BAD BAD BAD BAD); /* beyond U+10FFFF */
    check_clean("\xe4\xb8", 2, false, BAD BAD);                 /* not finished */
    check_clean("a\033[1m\n\t\x7f\xc2\x9b", 9, true, "a" BAD "[1m\n\t" BAD BAD);
    check_clean("a\033", 2, false, "a\033");
    static const struct {
        const char *text;
        size_t finished;
    } cases[] = {{"", 0},     {"ab", 2}, {"a\xe4", 1}, {"a\xe4\xb8", 1}, {"a\xe4\xb8\xad", 4}, {"\xf0\x9f\x98", 0},
                 {"a\xff", 2}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        CHECK(text_finished(cases[i].text, strlen(cases[i].text)) == cases[i].finished, "case %zu", i);
}

/* An explanation of `count` units for one token, with these relevances. */
static double limit_of(enum unit_kind first, size_t count, const float *values)
{
    struct unit units[4] = {{.kind = first}};
    float relevance[4 * (1 + CANDIDATES)] = {0};
    bool measured[4] = {true, true, true, true};
    struct output_token output = {.id = 0};
    for (size_t u = 0; u < count; u++) {
        units[u].first = units[u].last = (int)u;
        relevance[u * (1 + CANDIDATES)] = values[u];
    }
    struct explanation e = {.token_count = count,
                            .output = &output,
                            .output_count = 1,
                            .units = units,
                            .unit_count = count,
                            .measured = measured,
                            .relevance = relevance};
    return report_limit(&e, 0);
}

static void test_scale(void)
{
    CHECK(limit_of(UNIT_SPECIAL, 3, (float[]){9, 1, -2}) == 2, "a special sets the scale");
    CHECK(limit_of(UNIT_TOKEN, 3, (float[]){9, 1, -2}) == 2, "the first position sets the scale");
    CHECK(limit_of(UNIT_TOKEN, 1, (float[]){9}) == 9, "a unit alone sets none");
    CHECK(limit_of(UNIT_SPECIAL, 2, (float[]){9, 3}) == 3, "a unit behind a special sets none");
}

static void test_paths(void)
{
    struct paths paths;
    paths_init(&paths, "/home/anna", "relative");
    CHECK(strcmp(paths.models, "/home/anna/.local/share/atmanscope/models") == 0, "%s", paths.models);
    paths_init(&paths, "/home/anna", "/data");
    CHECK(strcmp(paths.models, "/data/atmanscope/models") == 0, "%s", paths.models);
    paths_init(&paths, NULL, NULL);
    CHECK(paths.models[0] == '\0' && paths.program[0] == '/', "%s, %s", paths.models, paths.program);
    struct paths_entry *entries;
    size_t count;
    CHECK(paths_list(&paths, &entries, &count, NULL) == 0 && count <= 1, "%zu models without a home", count);
    paths_list_free(entries, count);
    CHECK(paths_model(&paths, "nonesuch", paths.program, sizeof paths.program, NULL) == ERROR_IO, "a model of no name");
}

int main(void)
{
    test_colours();
    test_terminals();
    test_numbers();
    test_text();
    test_scale();
    test_paths();
    return test_end();
}
