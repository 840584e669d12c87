/* test_screen.c: the screen driven by keys and read back cell by cell, over the engine without a model. */
#include <signal.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/test.h"
#include "tests/tui/guest.h"
#include "tui/colour.h"
#include "tui/keys.h"

static double now_ms(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec * 1e3 + (double)time.tv_nsec / 1e6;
}

/* Wait until the cursor stands in a place. */
struct place {
    int row, column;
};

static bool is_at(struct pty *pty, const void *data)
{
    const struct place *place = data;
    int row, column;
    bool visible;
    pty_cursor(pty, &row, &column, &visible);
    return visible && row == place->row && column == place->column;
}

static bool wait_cursor(struct pty *pty, int row, int column)
{
    struct place place = {row, column};
    return pty_until(pty, is_at, &place);
}

/* The terminal as a shell wants it back. */
static void check_sane(struct pty *pty, const char *after)
{
    int row, column;
    bool visible;
    pty_cursor(pty, &row, &column, &visible);
    CHECK(visible && !pty_alternate(pty) && !pty_paste(pty) && !pty_mouse(pty) && !pty_alt(pty) && pty_cooked(pty),
          "after %s: cursor %d, alternate %d, paste %d, mouse %d, cooked %d", after, visible, pty_alternate(pty),
          pty_paste(pty), pty_mouse(pty), pty_cooked(pty));
}

static void check_screen(struct pty *pty, const char *name)
{
    const char *expected = guest_screen(pty, name), *seen = guest_seen(pty);
    CHECK(strcmp(expected, seen) == 0, "%s: expected\n%sseen\n%s", name, expected, seen);
}

static bool is_known(const char *term)
{
    char command[100];
    snprintf(command, sizeof command, "infocmp %s >/dev/null 2>&1", term);
    if (system(command) == 0)
        return true;
    SKIP("24-bit colours: terminfo does not know %s (package ncurses-term)", term);
    return false;
}

/* Text on a colour can be read: of 256 colours and 24 bits, which are the same everywhere. */
static void check_contrast(struct pty *pty, int rows, int columns)
{
    for (int row = 0; row < rows; row++)
        for (int column = 0; column < columns; column++) {
            struct pty_cell cell = pty_cell(pty, row, column);
            int ink = cell.ink & (PTY_INDEX - 1), under = cell.background & (PTY_INDEX - 1);
            if (cell.background < 0 || cell.ink < 0)
                continue;
            unsigned rgb[2] = {cell.ink & PTY_INDEX ? colour_of_256(ink) : (unsigned)ink,
                               cell.background & PTY_INDEX ? colour_of_256(under) : (unsigned)under};
            CHECK(colour_contrast(rgb[0], rgb[1]) >= 4.5, "row %d, column %d: %06x on %06x", row, column, rgb[0],
                  rgb[1]);
        }
}

/* Whole screens: the prompt's pane, the output's, and the help. */
static void test_screens(int rows, int columns, bool ascii, const char *term)
{
    char name[60], size[30];
    struct pty *pty = guest_start(&(struct guest){
        .rows = rows, .columns = columns, .term = term, .settings = {ascii ? "LC_ALL=C" : "LC_ALL=C.UTF-8"}});
    CHECK(pty_wait(pty, DONE));
    snprintf(size, sizeof size, "%dx%d%s", columns, rows, ascii ? "-ascii" : "");
    snprintf(name, sizeof name, "%s-prompt.txt", size);
    check_screen(pty, name);
    if (strcmp(term, "xterm") != 0)
        check_contrast(pty, rows, columns);
    pty_send(pty, "\t" RIGHT DOWN);
    CHECK(pty_wait(pty, " 2 of 12") && pty_wait(pty, "\"red\" rests on"));
    snprintf(name, sizeof name, "%s-output.txt", size);
    check_screen(pty, name);
    pty_send(pty, "?");
    CHECK(pty_wait(pty, "In the output"));
    snprintf(name, sizeof name, "%s-help.txt", size);
    check_screen(pty, name);
    pty_stop(pty);
}

static void test_matrix(void)
{
    static const int sizes[][2] = {{24, 80}, {12, 40}, {60, 200}};
    static const char *const terms[] = {"xterm-256color", "xterm-direct2", "xterm"};
    bool update = getenv("SCREENS_UPDATE");
    for (size_t i = 0; i < 3; i++)
        for (int ascii = 0; ascii < 2; ascii++)
            for (size_t t = 0; t < (update ? 1 : 3); t++) /* the others must look like the first */
                if (t != 1 || is_known("xterm-direct2"))
                    test_screens(sizes[i][0], sizes[i][1], ascii, terms[t]);
}

/* -- what is seen first -------------------------------------------------------------------------------------------- */

static void test_first_view(void)
{
    struct pty *pty = guest_start(&(struct guest){0});
    CHECK(pty_wait(pty, DONE));
    CHECK(pty_wait(pty, "Anna has a red ball") && pty_wait(pty, "A blue hat"));
    CHECK(pty_cell_of(pty, "Anna").background == PTY_INDEX + 222, "%d", pty_cell_of(pty, "Anna").background);
    CHECK(pty_cell_of(pty, "red").background == PTY_INDEX + 31, "%d", pty_cell_of(pty, "red").background);
    CHECK(pty_cell_of(pty, "Prompt").reverse && pty_cell_of(pty, "A blue").reverse &&
          !pty_cell_of(pty, "blue hat").reverse);
    CHECK(pty_wait(pty, "+2.000 nats supports"), "the special unit's 9 nats do not set the scale");
    CHECK(wait_cursor(pty, 1, 61), "the cursor is behind the prompt");
    CHECK(pty_mouse(pty) && pty_paste(pty) && pty_alternate(pty) && pty_alt(pty));
    size_t before = pty_received(pty);
    pty_send(pty, "x");
    CHECK(pty_wait(pty, "have?x"));
    pty_listen(pty, 50);
    CHECK(pty_received(pty) - before < 400, "a key sends little: %zu bytes", pty_received(pty) - before);
    pty_send(pty, CONTROL('Q'));
    CHECK(pty_wait_end(pty) == 0);
    check_sane(pty, "^Q");
    pty_stop(pty);
}

/* What cannot say how far it is says how long it has taken. */
static void test_waiting(void)
{
    struct pty *pty = guest_start(&(struct guest){.settings = {"FAKE_OPEN_MS=60000"}});
    CHECK(pty_wait(pty, "loading fake.gguf, 2 s") && pty_wait(pty, "loading fake.gguf, 3 s"));
    pty_stop(pty);
}

static void test_batches(void)
{
    char gate[] = "/tmp/atmanscope-gate-XXXXXX", setting[64];
    int fd = mkstemp(gate);
    snprintf(setting, sizeof setting, "FAKE_GATE=%s", gate);
    struct pty *pty = guest_start(&(struct guest){.settings = {setting}});
    CHECK(pty_wait(pty, "measuring 0 of 26"));
    CHECK(pty_cell_of(pty, "Anna").background == -1);
    CHECK(write(fd, "x", 1) == 1 && pty_wait(pty, "measuring 4 of 26, 1 s left, 10000 rows/s"));
    CHECK(pty_cell_of(pty, "Anna").background == PTY_INDEX + 222 && pty_cell_of(pty, "blue").background == -1);
    CHECK(write(fd, "xx", 2) == 2 && pty_wait(pty, "measuring 12 of 26"));
    CHECK(pty_cell_of(pty, "blue").background == PTY_INDEX + 31);
    pty_send(pty, "\033");
    CHECK(pty_wait(pty, "stopped; Enter measures anew"));
    CHECK(pty_cell_of(pty, "blue").background == PTY_INDEX + 31, "what was measured stays");
    pty_send(pty, "LATE\r");
    CHECK(pty_wait(pty, "measuring 12 of"));
    pty_send(pty, "\033");
    CHECK(pty_wait(pty, "12 probes in") && !pty_find(pty, "stopping", NULL, NULL), "it was done before it was stopped");
    pty_stop(pty);
    close(fd);
    unlink(gate);
}

/* -- colours ------------------------------------------------------------------------------------------------------- */

static void test_light(void)
{
    struct pty *pty = guest_start(&(struct guest){.background = "rgb:ffff/ffff/dddd"});
    CHECK(pty_wait(pty, DONE));
    CHECK(pty_cell_of(pty, "Anna").background == PTY_INDEX + 94 && pty_cell_of(pty, "red").background == PTY_INDEX + 32,
          "%d %d", pty_cell_of(pty, "Anna").background, pty_cell_of(pty, "red").background);
    pty_stop(pty);
}

/* Alt-C, and C outside of the prompt, go through the scales; words, legend and what is saved follow. */
static void test_scales(void)
{
    struct pty *pty = guest_start(&(struct guest){0});
    CHECK(pty_wait(pty, DONE));
    pty_send(pty, "\033C");
    CHECK(pty_wait(pty, "blue-red: blue contradicts, red supports") &&
          pty_wait_background(pty, "Anna", PTY_INDEX + 216, false));
    pty_send(pty, "\tC");
    CHECK(pty_wait(pty, "purple-green: ") && pty_wait_background(pty, "Anna", PTY_INDEX + 157, false) &&
          pty_wait_background(pty, "red", PTY_INDEX + 97, false));
    pty_send(pty, "C");
    CHECK(pty_wait(pty, "grey: underlined contradicts, plain supports") && pty_wait(pty, "-----0+++++"));
    struct pty_cell anna = pty_cell_of(pty, "Anna"), red = pty_cell_of(pty, "red");
    CHECK(anna.background == PTY_INDEX + 255 && !anna.underline && red.background == PTY_INDEX + 244 && red.underline,
          "%d %d", anna.background, red.background);
    pty_send(pty, "C");
    CHECK(pty_wait(pty, "blue-orange") && pty_wait_background(pty, "Anna", PTY_INDEX + 222, false));
    pty_stop(pty);
}

static void test_few_colours(void)
{
    struct pty *pty = guest_start(&(struct guest){.term = "xterm"});
    CHECK(pty_wait(pty, DONE));
    struct pty_cell anna = pty_cell_of(pty, "Anna"), red = pty_cell_of(pty, "red");
    CHECK(anna.background == PTY_INDEX + 3 && anna.ink == PTY_INDEX && !anna.bold, "%d", anna.background);
    CHECK(red.background == -1 && red.ink == PTY_INDEX + 6 && red.bold, "%d %d", red.background, red.ink);
    pty_stop(pty);
}

static void test_no_colour(const char *term, const char *setting)
{
    struct pty *pty = guest_start(&(struct guest){.term = term, .settings = {setting}});
    CHECK(pty_wait(pty, DONE));
    for (int row = 0; row < 24; row++)
        for (int column = 0; column < 80; column++)
            if (pty_cell(pty, row, column).background != -1 || pty_cell(pty, row, column).ink != -1)
                CHECK(false, "%s: a colour in row %d, column %d", term, row, column);
    struct pty_cell anna = pty_cell_of(pty, "Anna");
    CHECK(anna.bold && anna.reverse, "support is bold, strong support reversed");
    pty_stop(pty);
}

static void test_direct(const char *term, const char *colorterm)
{
    if (!is_known(term))
        return;
    struct pty *pty = guest_start(&(struct guest){.term = term, .settings = {colorterm}});
    CHECK(pty_wait(pty, DONE));
    CHECK(pty_cell_of(pty, "Anna").background == 0xffc27a, "%x", pty_cell_of(pty, "Anna").background);
    CHECK(pty_cell_of(pty, "red").background == 0x2b6e9a || pty_cell_of(pty, "red").background > 8, "%x",
          pty_cell_of(pty, "red").background);
    pty_stop(pty);
}

/* -- writing ------------------------------------------------------------------------------------------------------- */

static void test_edit(void)
{
    struct pty *pty = guest_start(&(struct guest){0});
    CHECK(pty_wait(pty, DONE));
    pty_send(pty, " Really?");
    CHECK(pty_wait(pty, "edited: Enter measures anew") && pty_wait(pty, "have? Really?"));
    CHECK(pty_cell_of(pty, "Anna").background == PTY_INDEX + 222, "the map is kept where the text is");
    pty_send(pty, CONTROL('_'));
    pty_send(pty, CONTROL('A'));
    pty_send(pty, "Yes, ");
    CHECK(pty_wait(pty, "Yes, Anna") && pty_wait_background(pty, "Anna", PTY_INDEX + 222, false) &&
          pty_wait_background(pty, "Yes", -1, false));
    pty_send(pty, "\r");
    CHECK(pty_wait(pty, "tokens") && pty_wait_gone(pty, "edited:"));
    pty_send(pty, CONTROL('U'));
    pty_send(pty, CONTROL('K'));
    CHECK(pty_wait(pty, "Type a prompt, then Enter."));
    pty_send(pty, "\r");
    CHECK(pty_wait(pty, "the prompt is empty; type one"));
    pty_send(pty, "first\033\rsecond\nthird" UP "\b");
    CHECK(pty_wait(pty, "third") && pty_wait_gone(pty, "second"));
    CHECK(wait_cursor(pty, 2, 5), "%s", pty_screen(pty));
    pty_send(pty, CONTROL('_'));
    CHECK(pty_wait(pty, "second"));
    pty_stop(pty);
}

static void test_wide(void)
{
    struct pty *pty = guest_start(&(struct guest){.settings = {"FAKE_PROMPT=x"}});
    int row, left;
    CHECK(pty_wait(pty, "probes in"));
    pty_send(pty, "日本 e\xcc\x81 \xf0\x9f\x98\x80!");
    CHECK(pty_wait(pty, "!"));
    CHECK(pty_find(pty, "x日本 e\xcc\x81 \xf0\x9f\x98\x80!", &row, &left), "%s", pty_screen(pty));
    CHECK(wait_cursor(pty, row, left + 11));
    pty_send(pty, "\b\b\b");
    CHECK(pty_wait_gone(pty, "\xf0\x9f\x98\x80"));
    CHECK(wait_cursor(pty, row, left + 7));
    pty_send(pty, "\b");
    pty_send(pty, LEFT LEFT "-");
    CHECK(pty_wait(pty, "x日-本"), "%s", pty_screen(pty));
    pty_send(pty, "\033[200~\xe2\x80\xae\xff\x01\x1b[31m\033[201~");
    CHECK(pty_wait(pty, "\xef\xbf\xbd"), "turned writing is shown, not obeyed");
    pty_stop(pty);
}

static void test_plain_locale(void)
{
    struct pty *pty = guest_start(&(struct guest){.settings = {"LC_ALL=C", "FAKE_PROMPT=hat"}});
    CHECK(pty_wait(pty, "probes in"));
    pty_send(pty, "日\xc3\xa9z");
    CHECK(pty_wait(pty, "hat? ?z"), "%s", pty_screen(pty));
    for (const char *c = pty_screen(pty); *c; c++)
        if ((unsigned char)*c >= 128) {
            CHECK(false, "%s", pty_screen(pty));
            break;
        }
    pty_stop(pty);
}

static void test_paste(void)
{
    static char text[40000];
    size_t length = (size_t)sprintf(text, "\033[200~");
    struct pty *pty = guest_start(&(struct guest){.settings = {"FAKE_PROMPT=x"}});
    CHECK(pty_wait(pty, "probes in"));
    for (int line = 0; line < 500; line++)
        length += (size_t)sprintf(text + length, "line %d of what is pasted, with q and ?\r", line);
    sprintf(text + length, "the end\033[201~");
    double start = now_ms();
    pty_send(pty, text);
    CHECK(pty_wait(pty, "the end") && pty_wait(pty, "line 499 of"));
    printf("%zu bytes pasted in %.0f ms\n", length, now_ms() - start);
    CHECK(pty_wait(pty, "edited"), "nothing of it was taken for a key");
    pty_send(pty, CONTROL('_'));
    CHECK(pty_wait_gone(pty, "the end") && pty_wait_gone(pty, "edited"));
    pty_send(pty, "without brackets,\rin a burst\rof three lines");
    CHECK(pty_wait(pty, "of three lines") && pty_wait(pty, "in a burst") && pty_wait(pty, "edited"));
    pty_stop(pty);
}

/* A line cuts what it carries where it likes, and not all of it is UTF-8: nothing else may be lost. */
static void test_packets(void)
{
    static const char *const packets[] = {"\033[200~na\xc3", "\xafve \xe6\x97", "\xa5 \xf0\x9f", "\x98",
                                          "\x80 bad \xff\xfe here, \xc3 there\033[201~", " b\xc3", "\xa4h."};
    struct pty *pty = guest_start(&(struct guest){.settings = {"FAKE_PROMPT=x"}});
    CHECK(pty_wait(pty, "probes in"));
    for (size_t i = 0; i < sizeof packets / sizeof *packets; i++) {
        pty_send(pty, packets[i]);
        usleep(30000); /* so that it is read by itself */
    }
    CHECK(pty_wait(pty, "na\xc3\xafve \xe6\x97\xa5 \xf0\x9f\x98\x80 bad"), "%s", pty_screen(pty));
    CHECK(pty_wait(pty, "here, \xef\xbf\xbd there b\xc3\xa4h."), "%s", pty_screen(pty));
    pty_send(pty, "\033[200~ a\033[20x b\033[20"); /* the end of a paste may be cut too */
    pty_listen(pty, 100);
    pty_send(pty, "1~c" "\x15" "last");
    CHECK(pty_wait(pty, "last") && pty_wait_gone(pty, "there"), "%s", pty_screen(pty));
    pty_stop(pty);
}

/* A key that comes in two packets is no Esc, and no text. */
static void test_split_key(void)
{
    struct pty *pty = guest_start(&(struct guest){.settings = {"ESCDELAY=5000", "FAKE_PROMPT=x"}});
    CHECK(pty_wait(pty, "probes in"));
    pty_send(pty, "yz\033");
    pty_listen(pty, 60);
    pty_send(pty, "OD");
    pty_listen(pty, 60);
    pty_send(pty, "\033O");
    pty_listen(pty, 60);
    pty_send(pty, "D.");
    CHECK(pty_wait(pty, "x.yz"), "%s", pty_screen(pty));
    pty_stop(pty);
}

/* -- choosing ------------------------------------------------------------------------------------------------------ */

/* What is less than the noise is not told as if it meant something. */
static void test_noise(void)
{
    struct pty *pty = guest_start(&(struct guest){.settings = {"FAKE_FLOOR=3"}});
    CHECK(pty_wait(pty, DONE));
    CHECK(pty_wait(pty, "\"A\" rests on nothing that rises above the noise"), "%s", pty_row(pty, 21));
    pty_send(pty, "\t\t" LEFT LEFT);
    CHECK(pty_wait(pty, "nats: within the noise"), "%s", pty_row(pty, 21));
    pty_stop(pty);
    pty = guest_start(&(struct guest){.settings = {"FAKE_FLOOR=1"}});
    CHECK(pty_wait(pty, DONE));
    CHECK(pty_wait(pty, "\"A\" rests on \"Anna\" +2.000") && !pty_find(pty, "-1.000", NULL, NULL),
          "nor is it in the list: %s", pty_row(pty, 21));
    pty_stop(pty);
}

/* What is compared with something else is told in a narrow window too, and rests on what stands in that line. */
static void test_narrow_contrast(void)
{
    struct pty *pty = guest_start(&(struct guest){.rows = 12, .columns = 40});
    CHECK(pty_wait(pty, "1 of 12") && pty_wait(pty, "26 probes"));
    pty_send(pty, "\t" RIGHT "r");
    CHECK(pty_wait(pty, "\"blue\" over \"red\": \"red\" -3.000"), "%s", pty_screen(pty));
    pty_send(pty, "rt");
    CHECK(pty_wait(pty, "Enter: compare; Esc: close"), "%s", pty_screen(pty));
    pty_stop(pty);
}

static void test_choose(void)
{
    struct pty *pty = guest_start(&(struct guest){0});
    CHECK(pty_wait(pty, DONE));
    pty_send(pty, "\t" RIGHT);
    CHECK(pty_wait_background(pty, "blue", PTY_INDEX + 222, false), "%s", pty_screen(pty));
    CHECK(pty_cell_of(pty, "Anna").background != PTY_INDEX + 222);
    CHECK(pty_wait(pty, "\"blue\" rests on \"blue\" +2.000"), "%s", pty_row(pty, 21));
    CHECK(pty_wait(pty, DONE), "no new work");
    pty_send(pty, DOWN); /* " red" in place of " blue" */
    CHECK(pty_wait_background(pty, "red", PTY_INDEX + 222, false) &&
          pty_wait_background(pty, "blue", PTY_INDEX + 31, false));
    pty_send(pty, UP);
    CHECK(pty_wait_background(pty, "blue", PTY_INDEX + 222, false));
    pty_send(pty, RIGHT RIGHT RIGHT RIGHT RIGHT RIGHT RIGHT);
    CHECK(pty_wait(pty, "\"blue\" rests on \"blue\" +2.000 answer's \"blue\" +2.000"), "%s", pty_row(pty, 21));
    pty_send(pty, "G");
    CHECK(pty_wait(pty, "12 of 12"));
    pty_send(pty, "g");
    CHECK(pty_wait(pty, " 1 of 12"));
    pty_send(pty, RIGHT "a");
    CHECK(pty_wait(pty, "What does Tom have? A blue"), "%s", pty_screen(pty));
    pty_send(pty, "\t!\t");
    CHECK(pty_wait(pty, "edited"));
    pty_send(pty, "q");
    CHECK(pty_wait(pty, "would be lost; q again quits"), "%s", pty_screen(pty));
    pty_send(pty, "g");
    CHECK(pty_wait_gone(pty, "q again quits"));
    pty_send(pty, "q");
    CHECK(pty_wait(pty, "would be lost; q again quits"), "another key in between: %s", pty_screen(pty));
    pty_send(pty, "q");
    CHECK(pty_wait_end(pty) == 0);
    pty_stop(pty);
}

static void test_units_under_cursor(void)
{
    struct pty *pty = guest_start(&(struct guest){0});
    CHECK(pty_wait(pty, DONE));
    pty_send(pty, CONTROL('A'));
    CHECK(pty_wait(pty, "\"Anna\" +2.000 nats, rank 1 of 25: without it \"A\" is 7.4 times less likely"), "%s",
          pty_row(pty, 21));
    pty_send(pty, "\033f\033f\033f");
    CHECK(pty_wait(pty, "\"red\" -1.000 nats"), "%s", pty_row(pty, 21));
    pty_resize(pty, 12, 40);
    CHECK(pty_wait(pty, "\"red\" -1.000 nats, rank 2 of 25"), "what has no room is left out whole: %s",
          pty_screen(pty));
    pty_stop(pty);
}

/* Long units are cut so that what is said of them has room, at a character, and where they can be told apart. */
static void test_long_units(void)
{
    static const char prompt[] = "FAKE_PROMPT=Anna has a red ball in the house. Anna has a red ball in the barn.";
    struct pty *pty = guest_start(&(struct guest){.settings = {prompt}});
    CHECK(pty_wait(pty, "probes in"));
    pty_send(pty, F(2));
    CHECK(pty_wait(pty, "F2 sentence"));
    pty_send(pty, F(2));
    pty_send(pty, F(2));
    CHECK(pty_wait(pty, "F2 auto") && pty_wait(pty, "probes in"));
    CHECK(pty_wait(pty, "\".. in the house.\" ") && pty_wait(pty, "\"..l in the barn.\" "), "%s", pty_row(pty, 21));
    pty_send(pty, CONTROL('A'));
    CHECK(pty_wait(pty, "\"Anna has a red") && pty_wait(pty, "without it \"hat\" is 2.7 times more likely"), "%s",
          pty_row(pty, 21));
    pty_stop(pty);
    pty = guest_start(&(struct guest){.settings = {"FAKE_PROMPT=日本日本日本日本日本日本日本日本 hat"}});
    CHECK(pty_wait(pty, "probes in"));
    pty_send(pty, CONTROL('A'));
    pty_send(pty, "\033x");
    CHECK(pty_wait(pty, "\"日本日本日本日本日..\" marked"), "%s", pty_screen(pty));
    pty_stop(pty);
}

static void test_mouse(void)
{
    struct pty *pty = guest_start(&(struct guest){0});
    int row, column;
    char click[100];
    CHECK(pty_wait(pty, DONE));
    CHECK(pty_find(pty, "blue hat. not", &row, &column));
    sprintf(click, "\033[<0;%d;%dM\033[<0;%d;%dm", column + 1, row + 1, column + 1, row + 1);
    pty_send(pty, click);
    CHECK(pty_wait(pty, " 2 of 12") && pty_wait_background(pty, "blue", PTY_INDEX + 222, false));
    CHECK(pty_wait(pty, "␣red") && pty_find(pty, "␣red", &row, &column));
    sprintf(click, "\033[<0;%d;%dM\033[<0;%d;%dm", column + 1, row + 1, column + 1, row + 1);
    pty_send(pty, click);
    CHECK(pty_wait_background(pty, "red", PTY_INDEX + 222, false));
    pty_send(pty, "\033[<0;7;2M"); /* the prompt's sixth character */
    CHECK(pty_wait(pty, "\"has\""), "%s", pty_row(pty, 21));
    CHECK(wait_cursor(pty, 1, 6));
    pty_stop(pty);
}

/* -- settings and dialogs ------------------------------------------------------------------------------------------ */

static void test_settings(void)
{
    struct pty *pty = guest_start(&(struct guest){0});
    CHECK(pty_wait(pty, DONE));
    pty_send(pty, F(2));
    CHECK(pty_wait(pty, "F2 sentence"));
    pty_send(pty, F(3));
    CHECK(pty_wait(pty, "factor 0.3"));
    pty_send(pty, F(4));
    CHECK(pty_wait(pty, "F4 product"));
    pty_send(pty, F(6));
    CHECK(pty_wait(pty, "similarity 0.5"));
    pty_send(pty, F(8));
    CHECK(pty_wait(pty, "F8 16 tokens") && pty_wait(pty, "1 of 16"));
    pty_send(pty, "\tv-");
    CHECK(pty_wait(pty, "v log-additive") && pty_wait(pty, "1 of 12"));
    pty_send(pty, "c");
    CHECK(pty_wait(pty, "shared scale"));
    pty_stop(pty);
}

static bool sees(struct pty *pty, const void *text)
{
    return pty_find(pty, text, NULL, NULL);
}

static void test_help(void)
{
    size_t count;
    const struct key_binding *table = keys_table(&count);
    struct pty *pty = guest_start(&(struct guest){.rows = 120, .columns = 100});
    CHECK(pty_wait(pty, DONE));
    pty_send(pty, "\t?");
    CHECK(pty_wait(pty, "Everywhere") && pty_wait(pty, "do again"));
    for (size_t i = 0; i < count; i++) {
        char names[96];
        keys_names(&table[i], names, sizeof names);
        CHECK((sees(pty, table[i].help) && sees(pty, names)) || table[i].place == PLACE_REPLAY, "%s: %s", names,
              table[i].help);
    }
    pty_send(pty, "\033");
    CHECK(pty_wait_gone(pty, "Everywhere"));
    pty_stop(pty);
    pty = guest_start(&(struct guest){.rows = 12, .columns = 40});
    CHECK(pty_wait(pty, "1 of 12"));
    pty_send(pty, "\t?");
    CHECK(pty_wait(pty, "In the output") && pty_wait(pty, "choose the token before"), "where one is comes first");
    pty_send(pty, "\033");
    CHECK(pty_wait_gone(pty, "In the output"));
    pty_send(pty, "\t");
    pty_send(pty, F(1));
    CHECK(pty_wait(pty, "Everywhere") && pty_wait(pty, "Enter, F5"));
    pty_send(pty, "G");
    CHECK(pty_wait(pty, "do again"));
    pty_send(pty, CONTROL('Q'));
    CHECK(pty_wait_end(pty) == 0);
    pty_stop(pty);
}

static void test_open(void)
{
    char folder[] = "/tmp/atmanscope-models-XXXXXX", command[300], setting[100];
    CHECK(mkdtemp(folder) != NULL);
    sprintf(command, "cd %s && echo GGUF >second.gguf && echo GGUF >broken.gguf", folder);
    CHECK(system(command) == 0);
    sprintf(setting, "FAKE_MODELS=%s", folder);
    struct pty *pty = guest_start(&(struct guest){.settings = {setting, "FAKE_OPEN_MS=300"}});
    CHECK(pty_wait(pty, "loading fake.gguf"));
    pty_send(pty, "!");
    CHECK(pty_wait(pty, "have?!") && pty_wait(pty, "loading"), "typing goes on while a model is loaded");
    CHECK(pty_wait(pty, "probes in"));
    pty_send(pty, CONTROL('O'));
    CHECK(pty_wait(pty, "Open a model") && pty_wait(pty, "second") && pty_wait(pty, "broken"));
    pty_send(pty, "zz");
    pty_listen(pty, 100);
    CHECK(pty_wait(pty, "Open a model") && !pty_find(pty, "have?z", NULL, NULL),
          "a list takes no text, nor the prompt");
    pty_send(pty, "G\r");
    CHECK(pty_wait(pty, "loading second.gguf") && pty_wait_gone(pty, "Open a model") && pty_wait_gone(pty, "loading"));
    CHECK(pty_wait(pty, "probes in"));
    pty_send(pty, CONTROL('O'));
    CHECK(pty_wait(pty, "broken"));
    pty_send(pty, "k\r");
    CHECK(pty_wait(pty, "not a GGUF file") && pty_wait(pty, "A blue hat"), "%s", pty_screen(pty));
    pty_send(pty, CONTROL('Q'));
    CHECK(pty_wait_end(pty) == 0);
    pty_stop(pty);
    sprintf(command, "rm -r %s", folder);
    CHECK(system(command) == 0);
}

/* The beginning of a file, in a buffer of its own; "" where there is none. */
static const char *file_text(const char *path)
{
    static char text[4096];
    FILE *file = fopen(path, "r");
    text[file ? fread(text, 1, sizeof text - 1, file) : 0] = '\0';
    if (file)
        fclose(file);
    return text;
}

static void test_save(void)
{
    char folder[] = "/tmp/atmanscope-save-XXXXXX", keys[200], path[100], command[100];
    CHECK(mkdtemp(folder) != NULL);
    struct pty *pty = guest_start(&(struct guest){0});
    CHECK(pty_wait(pty, DONE));
    pty_send(pty, CONTROL('S'));
    CHECK(pty_wait(pty, "Save as") && pty_wait(pty, "explanation.html"));
    pty_send(pty, CONTROL('U'));
    CHECK(pty_wait_gone(pty, "explanation.html"));
    static const struct {
        const char *name, *starts;
    } files[] = {{"a.html", "<!doctype html"}, {"b.json", "{\"schema\""}, {"c.txt", "Anna has"}, {"d.ansi", "\033["}};
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        if (i > 0)
            pty_send(pty, CONTROL('S'));
        CHECK(pty_wait(pty, "Save as"));
        pty_send(pty, CONTROL('U'));
        snprintf(path, sizeof path, "%s/%s", folder, files[i].name);
        snprintf(keys, sizeof keys, "%s\r", path);
        pty_send(pty, keys);
        CHECK(pty_wait_gone(pty, "Save as") && pty_wait(pty, "saved /tmp"), "%s", pty_screen(pty));
        CHECK(strncmp(file_text(path), files[i].starts, strlen(files[i].starts)) == 0, "%s: %.60s", files[i].name,
              file_text(path));
    }
    CHECK(truncate(path, 0) == 0);
    pty_send(pty, CONTROL('S'));
    CHECK(pty_wait(pty, "Save as") && pty_wait(pty, "d.ansi"), "the last name stands there");
    pty_send(pty, "\r");
    CHECK(pty_wait(pty, "Enter again replaces it") && file_text(path)[0] == '\0');
    pty_send(pty, "\r");
    CHECK(pty_wait(pty, "saved /tmp") && file_text(path)[0] != '\0');
    pty_send(pty, CONTROL('S'));
    CHECK(pty_wait(pty, "Save as"));
    pty_send(pty, "\b\b\b\b\b/x.json\r");
    CHECK(pty_wait(pty, "make the folder first") && pty_wait(pty, "Save as"), "%s", pty_screen(pty));
    pty_send(pty, ".doc\r");
    CHECK(pty_wait(pty, "the ending says the format"));
    pty_send(pty, "\033");
    CHECK(pty_wait_gone(pty, "Save as") && pty_wait(pty, DONE));
    pty_stop(pty);
    sprintf(command, "rm -r %s", folder);
    CHECK(system(command) == 0);
}

/* -- work ---------------------------------------------------------------------------------------------------------- */

static void test_cancel(void)
{
    struct pty *pty = guest_start(&(struct guest){.settings = {"FAKE_BATCH_MS=60000"}});
    CHECK(pty_wait(pty, "measuring 0 of 26"));
    double start = now_ms();
    pty_send(pty, "\033");
    CHECK(pty_wait(pty, "stopped; Enter"));
    printf("cancelled in %.0f ms\n", now_ms() - start);
    pty_send(pty, CONTROL('C'));
    CHECK(pty_wait(pty, "^C again quits"));
    pty_send(pty, CONTROL('C'));
    CHECK(pty_wait_end(pty) == 0);
    check_sane(pty, "^C ^C");
    pty_stop(pty);
}

static void test_failures(void)
{
    struct pty *pty = guest_start(&(struct guest){.settings = {"FAKE_PROMPT=this will FAIL"}});
    CHECK(pty_wait(pty, "longer than the model's context"));
    pty_resize(pty, 12, 40);
    CHECK(pty_wait(pty, "the prompt is longer than the model's") && pty_wait(pty, "context (4096 tokens); shorten it"),
          "%s", pty_screen(pty));
    pty_stop(pty);
    pty = guest_start(&(struct guest){.model = "broken.gguf"});
    int status = pty_wait_end(pty);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 1);
    CHECK(pty_wait(pty, "atmanscope: broken.gguf: not a GGUF file"));
    check_sane(pty, "a model that cannot be opened");
    pty_stop(pty);
}

/* -- the guest's manners ------------------------------------------------------------------------------------------- */

static bool is_large(struct pty *pty, const void *data)
{
    (void)data;
    return strstr(pty_row(pty, 59), DONE) != NULL;
}

static void test_resize(void)
{
    struct pty *pty = guest_start(&(struct guest){0});
    CHECK(pty_wait(pty, DONE));
    pty_resize(pty, 12, 40);
    CHECK(pty_wait(pty, "F1 help") && pty_wait_gone(pty, "^Q quit"));
    CHECK(pty_wait(pty, "What does Tom") && pty_wait(pty, "A blue hat"), "%s", pty_screen(pty));
    pty_resize(pty, 5, 20);
    CHECK(pty_wait(pty, "needs 36x10 cells"), "%s", pty_screen(pty));
    pty_send(pty, "x" LEFT UP DOWN "\t" RIGHT "\t");
    for (int rows = 6; rows < 60; rows += 9)
        pty_resize(pty, rows, 3 * rows);
    pty_resize(pty, 60, 200);
    CHECK(pty_until(pty, is_large, NULL) && pty_wait(pty, "have?x") && pty_wait(pty, "^Q quit"), "%s", pty_screen(pty));
    pty_stop(pty);
}

static void test_suspend(void)
{
    struct pty *pty = guest_start(&(struct guest){.shell = true});
    char command[600];
    CHECK(pty_wait(pty, "$"));
    snprintf(command, sizeof command, "%s\r", guest_program());
    pty_send(pty, command);
    CHECK(pty_wait(pty, DONE));
    for (int i = 0; i < 2; i++) {
        pty_send(pty, CONTROL('Z'));
        CHECK(pty_wait(pty, "Stopped"));
        CHECK(!pty_alternate(pty) && !pty_mouse(pty) && !pty_alt(pty)); /* the other modes are the shell's own now */
        pty_send(pty, "fg\r");
        CHECK(pty_wait(pty, DONE) && pty_alternate(pty) && pty_paste(pty) && pty_mouse(pty) && pty_alt(pty));
    }
    pty_send(pty, "y");
    CHECK(pty_wait(pty, "have?y"));
    pty_send(pty, CONTROL('Q'));
    CHECK(pty_wait(pty, "$"));
    pty_send(pty, "echo status $?\r");
    CHECK(pty_wait(pty, "status 0"));
    pty_stop(pty);
}

/* Who would wait for minutes is told of larger units, as long as there are any. */
static void test_long_wait(void)
{
    struct pty *pty = guest_start(&(struct guest){.settings = {"FAKE_BATCH_MS=60000", "FAKE_EXPECTED=700"}});
    CHECK(pty_wait(pty, "measuring 0 of 26, 12 min left, F2: larger units"), "%s", pty_screen(pty));
    pty_send(pty, F(2));
    CHECK(pty_wait_gone(pty, "F2: larger units") && pty_wait(pty, "min left"), "%s", pty_screen(pty));
    pty_stop(pty);
    pty = guest_start(&(struct guest){.settings = {"FAKE_BATCH_MS=60000", "FAKE_EXPECTED=7"}});
    CHECK(pty_wait(pty, "measuring 26, about 7.0 s"), "%s", pty_screen(pty));
    pty_stop(pty);
}

static void test_signal(int number, const char *name)
{
    struct pty *pty = guest_start(&(struct guest){.settings = {"FAKE_BATCH_MS=60000"}});
    CHECK(pty_wait(pty, "measuring"));
    kill(pty_process(pty), number);
    int status = pty_wait_end(pty);
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == number, "%s: %x", name, status);
    check_sane(pty, name);
    pty_stop(pty);
}

static void test_hang_up(void)
{
    struct pty *pty = guest_start(&(struct guest){.settings = {"FAKE_BATCH_MS=60000"}});
    CHECK(pty_wait(pty, "measuring"));
    pty_hang_up(pty);
    int status = pty_wait_end(pty);
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGHUP, "%x", status);
    pty_stop(pty);
}

static void test_crash(void)
{
    struct pty *pty = guest_start(&(struct guest){.settings = {"FAKE_PROMPT=x"}});
    CHECK(pty_wait(pty, "probes in"));
    pty_send(pty, "CRASH\r");
    int status = pty_wait_end(pty);
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV, "%x", status);
    check_sane(pty, "a crash");
    pty_stop(pty);
}

static void test_late_answers(void)
{
    struct pty *pty = guest_start(&(struct guest){.mute = true});
    CHECK(pty_wait(pty, DONE));
    pty_send(pty, "a\033[?62;22cb\033]11;rgb:0000/0000/0000\033\\c");
    CHECK(pty_wait(pty, "have?abc"), "%s", pty_screen(pty));
    pty_send(pty, "\033[1;6Rd"); /* a key that nobody knows */
    CHECK(pty_wait(pty, "have?abcd"), "%s", pty_screen(pty));
    pty_stop(pty);
}

static void test_refused(const char *term, const char *expected)
{
    struct pty *pty = guest_start(&(struct guest){.term = term});
    int status = pty_wait_end(pty);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 1, "TERM=%s: %x", term, status);
    CHECK(pty_wait(pty, expected), "%s", pty_screen(pty));
    check_sane(pty, "a refusal");
    pty_stop(pty);
}

static void test_no_terminal(void)
{
    char command[600], line[300] = "";
    snprintf(command, sizeof command, "%s </dev/null 2>&1", guest_program());
    FILE *file = popen(command, "r");
    CHECK(fgets(line, sizeof line, file) && strstr(line, "needs a terminal"), "%s", line);
    int status = pclose(file);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 1);
}

int main(void)
{
    test_matrix();
    test_first_view();
    test_batches();
    test_waiting();
    test_light();
    test_scales();
    test_few_colours();
    test_no_colour("xterm-256color", "NO_COLOR=1");
    test_no_colour("vt100", NULL);
    test_direct("xterm-direct2", NULL);
    test_direct("konsole-256color", "COLORTERM=truecolor");
    test_edit();
    test_wide();
    test_plain_locale();
    test_paste();
    test_packets();
    test_split_key();
    test_noise();
    test_narrow_contrast();
    test_choose();
    test_units_under_cursor();
    test_long_units();
    test_mouse();
    test_settings();
    test_help();
    test_open();
    test_save();
    test_long_wait();
    test_cancel();
    test_failures();
    test_resize();
    test_suspend();
    test_signal(SIGTERM, "SIGTERM");
    test_signal(SIGHUP, "SIGHUP");
    test_signal(SIGINT, "SIGINT");
    test_signal(SIGABRT, "SIGABRT");
    test_hang_up();
    test_crash();
    test_late_answers();
    test_refused("", "TERM is not set");
    test_refused("no-such-terminal", "TERM=no-such-terminal is not known");
    test_refused("dumb", "cannot move its cursor");
    test_no_terminal();
    return test_end();
}
