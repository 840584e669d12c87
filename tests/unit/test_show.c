/* What the views share: colours, words for numbers, clean text, names of models, the scale. */

#include "tests/test.h"
#include "tui/colour.h"
#include "tui/paths.h"
#include "tui/report.h"
#include "tui/text.h"

/* The 8 colours of 16 as xterm has them; -1 is the ground's own ink or the ground. */
static unsigned rgb_of(enum colour_depth depth, enum colour_ground ground, int colour, bool ink)
{
    static const unsigned eight[8] = {0x000000, 0xcd0000, 0x00cd00, 0xcdcd00, 0x0000ee, 0xcd00cd, 0x00cdcd, 0xe5e5e5};
    if (colour < 0)
        return (ground == GROUND_DARK) == ink ? 0xffffff : 0;
    return depth == COLOUR_TRUE ? (unsigned)colour : depth == COLOUR_16 ? eight[colour] : colour_of_256(colour);
}

static bool same_cell(struct colour_cell a, struct colour_cell b)
{
    return a.background == b.background && a.ink == b.ink && a.attributes == b.attributes;
}

/* Every step of every scale can be read, and no two steps look alike. */
static void test_steps(enum scale scale, enum colour_depth depth, enum colour_ground ground)
{
    const char *name = scale_table(scale)->name;
    for (int step = -5; step <= 5; step++) {
        struct colour_cell cell = colour_cell(scale, depth, ground, step / 5.0);
        unsigned ink = rgb_of(depth, ground, cell.ink, true), under = rgb_of(depth, ground, cell.background, false);
        double contrast = colour_contrast(ink, under), enough = depth == COLOUR_16 ? 3.5 : 4.5;
        CHECK(contrast >= (depth == COLOUR_16 && abs(step) > 3 ? 4.4 : enough),
              "%s, depth %d, ground %d, step %d: contrast %.2f", name, (int)depth, (int)ground, step, contrast);
        CHECK(depth != COLOUR_16 || cell.ink != 0 || !(cell.attributes & COLOUR_BOLD), "%s: bold black is grey", name);
        CHECK((step == 0) == same_cell(cell, (struct colour_cell){-1, -1, 0}), "%s, step %d", name, step);
        for (int other = -5; depth != COLOUR_16 && other < step; other++)
            CHECK(!same_cell(cell, colour_cell(scale, depth, ground, other / 5.0)), "%s, depth %d: %d and %d are alike",
                  name, (int)depth, step, other);
        if (step > 0)
            CHECK(!same_cell(cell, colour_cell(scale, depth, ground, -step / 5.0)), "%s, step %d: no sign", name, step);
    }
}

/* What a page writes on a unit can be read; see page.css. */
static void test_page(enum scale scale, enum colour_ground ground)
{
    unsigned under = ground == GROUND_DARK ? 0x161618 : 0xfdfdfc, ink = ground == GROUND_DARK ? 0xececee : 0x1c1c1e;
    for (int sign = 0; sign < 2; sign++) {
        unsigned full = scale_table(scale)->page[ground][sign], mixed = 0;
        for (int shift = 0; shift <= 16; shift += 8)
            mixed |= (unsigned)(0.9 * (full >> shift & 255) + 0.1 * (under >> shift & 255)) << shift;
        CHECK(colour_contrast(mixed, ink) >= 4.5, "%s, ground %d, sign %d: %.2f", scale_table(scale)->name, (int)ground,
              sign, colour_contrast(mixed, ink));
    }
}

static void test_colours(void)
{
    for (int scale = 0; scale < SCALES; scale++)
        for (int ground = 0; ground < 2; ground++) {
            for (int depth = COLOUR_16; depth <= COLOUR_TRUE; depth++)
                test_steps((enum scale)scale, (enum colour_depth)depth, (enum colour_ground)ground);
            test_page((enum scale)scale, (enum colour_ground)ground);
            CHECK(strcmp(scale_names[scale], scale_table((enum scale)scale)->name) == 0, "%s", scale_names[scale]);
        }
    CHECK(fabs(colour_contrast(0, 0xffffff) - 21) < 1e-9 && fabs(colour_contrast(0x777777, 0xffffff) - 4.48) < 0.01,
          "%f", colour_contrast(0x777777, 0xffffff));
    CHECK(colour_cell(SCALE_BLUE_ORANGE, COLOUR_256, GROUND_LIGHT, 1).background == 94 &&
              colour_cell(SCALE_BLUE_ORANGE, COLOUR_256, GROUND_LIGHT, -1).background == 18,
          "the ends of the light table");
    CHECK(colour_cell(SCALE_BLUE_ORANGE, COLOUR_TRUE, GROUND_DARK, 99).background == 0xffc27a, "positions are clamped");
    CHECK(colour_cell(SCALE_BLUE_ORANGE, COLOUR_TRUE, GROUND_DARK, NAN).background == -1, "no number, no colour");
    for (int step = 1; step <= 5; step++) { /* yellow (3) says support, blue (4) or cyan (6) the opposite */
        struct colour_cell support = colour_cell(SCALE_BLUE_ORANGE, COLOUR_16, GROUND_DARK, step / 5.0);
        struct colour_cell against = colour_cell(SCALE_BLUE_ORANGE, COLOUR_16, GROUND_DARK, -step / 5.0);
        CHECK((support.background < 0 ? support.ink : support.background) == 3, "step %d", step);
        CHECK((against.background < 0 ? against.ink : against.background) == (against.background < 0 ? 6 : 4),
              "step -%d", step);
        struct colour_cell grey = colour_cell(SCALE_GREY, COLOUR_256, GROUND_DARK, -step / 5.0);
        CHECK(grey.attributes == COLOUR_UNDERLINE && grey.background >= 232,
              "grey says what contradicts without colours");
    }
    CHECK(colour_cell(SCALE_GREY, COLOUR_NONE, GROUND_DARK, 1).attributes !=
              colour_cell(SCALE_GREY, COLOUR_NONE, GROUND_DARK, -1).attributes,
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
    static const struct {
        double p;
        const char *words;
    } shares[] = {{1, "100 %"},    {0.42, "42 %"},   {0.102, "10 %"},   {0.0994, "9.9 %"}, {0.042, "4.2 %"},
                  {1e-3, "0.1 %"}, {4e-4, "0.04 %"}, {1e-5, "0.001 %"}, {1e-6, "<0.001 %"}, {0, "<0.001 %"}};
    for (size_t i = 0; i < sizeof shares / sizeof *shares; i++) {
        char words[24];
        colour_percent(log(shares[i].p), words, sizeof words);
        CHECK(strcmp(words, shares[i].words) == 0, "%g is %s, not %s", shares[i].p, words, shares[i].words);
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
/* An explanation of one output token by units of a token each, of which the first is of this kind; the next call takes
 * it away. */
static const struct explanation *explained(enum unit_kind first, size_t count, const float *values)
{
    static struct unit units[4];
    static float relevance[4 * (1 + CANDIDATES)];
    static bool measured[4] = {true, true, true, true};
    static struct output_token output;
    static struct explanation e;
    units[0].kind = first;
    for (size_t u = 0; u < count; u++) {
        units[u].first = units[u].last = (int)u;
        relevance[u * (1 + CANDIDATES)] = values[u];
    }
    e = (struct explanation){.token_count = count,
                             .output = &output,
                             .output_count = 1,
                             .units = units,
                             .unit_count = count,
                             .measured = measured,
                             .relevance = relevance,
                             .foil = {.token = -1}};
    return &e;
}

static double limit_of(enum unit_kind first, size_t count, const float *values)
{
    return report_limit(explained(first, count, values), 0);
}

/* The units of a report's list, and of the screen's, as digits: "210" is the last one first. */
static void check_lists(const struct explanation *e, const char *report, const char *screen)
{
    size_t count = 0;
    char said[5] = "";
    int *ranking = report_ranking(e, 0, &count);
    for (size_t i = 0; ranking && i < count && i < 4; i++)
        said[i] = (char)('0' + ranking[i]);
    CHECK(ranking && strcmp(said, report) == 0, "a report lists %s, not %s", said, report);
    free(ranking);
    struct map map = map_of(e, &(struct map_question){.token = 0});
    long top[4];
    memset(said, 0, sizeof said);
    count = map_top(&map, MAP_ALL, top, 4);
    for (size_t i = 0; i < count; i++)
        said[i] = (char)('0' + top[i]);
    CHECK(strcmp(said, screen) == 0, "the screen lists %s, not %s", said, screen);
}

/* The first word draws attention whatever it says: it heads no list, though nothing hides it. */
static void test_lists(void)
{
    const struct explanation *e = explained(UNIT_TOKEN, 3, (float[]){9, 1, -2});
    struct map map = map_of(e, &(struct map_question){.token = 0});
    CHECK(map_rank(&map, 2) == 1 && map_rank(&map, 1) == 2 && map_rank(&map, 0) == 0 && map.measured == 2, "ranks");
    check_lists(e, "210", "21");
    check_lists(explained(UNIT_WORD, 3, (float[]){9, 1, -2}), "210", "21");
    check_lists(explained(UNIT_SPECIAL, 3, (float[]){9, 1, -2}), "21", "21");
    check_lists(explained(UNIT_SENTENCE, 3, (float[]){9, 1, -2}), "021", "021"); /* more than a word */
    check_lists(explained(UNIT_WORD, 1, (float[]){9}), "0", "0");                /* there is nothing else */
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
    test_lists();
    test_paths();
    return test_end();
}
