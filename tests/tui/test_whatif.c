/* test_whatif.c: an edited prompt, other settings and another model held against what was there before, over the engine
 * without a model. */
#include <unistd.h>

#include "tests/test.h"
#include "tests/tui/guest.h"

#define COMPARE "\033w"
#define PIN "\033m"

static void check_screen(struct pty *pty, const char *size, const char *what)
{
    char name[60];
    snprintf(name, sizeof name, "%s-%s.txt", size, what);
    const char *expected = guest_screen(pty, name);
    CHECK(strcmp(expected, pty_screen(pty)) == 0, "%s: expected\n%sseen\n%s", name, expected, pty_screen(pty));
}

/* Tom's hat is green, and has a word more; one of the words of the output with it. */
static void edit(struct pty *pty)
{
    pty_send(pty, CONTROL('A'));
    for (int i = 0; i < 9; i++)
        pty_send(pty, "\033f");
    pty_send(pty, CONTROL('W'));
    pty_send(pty, "big green\r");
    CHECK(pty_wait(pty, "27 probes in"), "%s", pty_screen(pty));
}

static void test_screens(void)
{
    static const struct {
        const char *name, *locale;
        int rows, columns;
    } cases[] = {
        {"80x24", NULL, 24, 80},
        {"40x12", NULL, 12, 40},
        {"200x60", NULL, 60, 200},
        {"80x24-ascii", "LC_ALL=C", 24, 80},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct pty *pty = guest_start(
            &(struct guest){.rows = cases[i].rows, .columns = cases[i].columns, .settings = {cases[i].locale}});
        CHECK(pty_wait(pty, DONE));
        edit(pty);
        pty_send(pty, COMPARE);
        CHECK(pty_wait(pty, "Before") && pty_wait(pty, "removed: \"blue\" -1.000"), "%s", pty_screen(pty));
        pty_send(pty, LEFT);
        CHECK(pty_wait(pty, "is new"));
        check_screen(pty, cases[i].name, "difference");
        pty_send(pty, COMPARE);
        pty_send(pty, "\033b\033b\033b");
        CHECK(pty_wait(pty, "Before  18 tokens"));
        pty_send(pty, "\t" RIGHT);
        CHECK(pty_wait(pty, "Output  2 of 12"));
        check_screen(pty, cases[i].name, "beside");
        pty_stop(pty);
    }
}

static void test_difference(void)
{
    struct pty *pty = guest_start(&(struct guest){0});
    CHECK(pty_wait(pty, DONE));
    pty_send(pty, COMPARE);
    CHECK(pty_wait(pty, "nothing to compare with yet"));
    edit(pty);
    pty_send(pty, CONTROL('E'));
    CHECK(pty_wait(pty, "Alt-w: what changed"), "%s", pty_screen(pty));
    pty_send(pty, COMPARE);
    CHECK(pty_wait(pty, "less than before") && pty_wait(pty, "removed: \"blue\" -1.000"), "%s", pty_screen(pty));
    CHECK(pty_cell_of(pty, "big green").underline && !pty_cell_of(pty, "hat. What").underline);
    pty_send(pty, CONTROL('A'));
    CHECK(pty_wait(pty, "\"Anna\" +2.000 → +2.000 nats (0) for \"A\""), "%s", pty_row(pty, 21));
    pty_send(pty, "\t" RIGHT); /* " blue", of which nothing is left in the prompt */
    CHECK(pty_wait(pty, "removed: \"blue\" +2.000") && pty_wait(pty, "\"blue\" 60.0 → 60.0 %: most changed"), "%s",
          pty_screen(pty));
    pty_send(pty, "r");
    CHECK(pty_wait(pty, "\"blue\" rather than \"red\": most changed"), "%s", pty_row(pty, 21));
    pty_send(pty, "q");
    CHECK(pty_wait_end(pty) == 0);
    pty_stop(pty);
}

/* Less and more are told apart, and new words from old ones, in 16 colours and in none. */
static void test_colours(void)
{
    static const struct guest guests[] = {{.term = "xterm"}, {.settings = {"NO_COLOR=1"}}};
    for (size_t i = 0; i < sizeof guests / sizeof *guests; i++) {
        struct pty *pty = guest_start(&guests[i]);
        CHECK(pty_wait(pty, DONE));
        edit(pty);
        pty_send(pty, CONTROL('A'));
        pty_send(pty, COMPARE);
        CHECK(pty_wait(pty, "less than before") && pty_wait(pty, "what changed; again"), "%s", pty_screen(pty));
        struct pty_cell less = pty_cell_of(pty, "What does"), more = pty_cell_of(pty, "does Tom"),
                        same = pty_cell_of(pty, "Anna has");
        CHECK(less.background != more.background || less.ink != more.ink || less.bold != more.bold ||
                  less.reverse != more.reverse || less.underline != more.underline,
              "%d %d", less.background, more.background);
        CHECK(same.background == -1 && !same.bold && !same.reverse && pty_cell_of(pty, "big green").underline);
        pty_stop(pty);
    }
}

static void test_outputs(void)
{
    struct pty *pty = guest_start(&(struct guest){.settings = {"FAKE_PROMPT=Anna has a box"}});
    CHECK(pty_wait(pty, "probes in"));
    pty_send(pty, "\033b");
    pty_send(pty, CONTROL('K'));
    pty_send(pty, "hat\r");
    CHECK(pty_wait(pty, "A blue hat.") && pty_wait(pty, "probes in"));
    pty_send(pty, COMPARE "\t");
    CHECK(pty_wait(pty, "\"A\", before \"") && pty_cell_of(pty, "blue hat.").underline, "%s", pty_screen(pty));
    pty_send(pty, DOWN); /* a candidate that was none of before */
    CHECK(pty_wait(pty, "was not among the candidates before") && pty_wait(pty, "nothing to compare this choice with"),
          "%s", pty_screen(pty));
    pty_send(pty, "w");
    CHECK(pty_wait(pty, "side by side, on one scale"));
    pty_send(pty, "w");
    CHECK(pty_wait(pty, "this one alone") && pty_wait_gone(pty, "Before"));
    pty_stop(pty);
}

/* Units of another size have no values of before, but the words are compared all the same. */
static void test_units(void)
{
    struct pty *pty = guest_start(&(struct guest){0});
    CHECK(pty_wait(pty, DONE));
    edit(pty);
    pty_send(pty, F(2));
    CHECK(pty_wait(pty, "F2 sentence") && pty_wait(pty, "probes in"));
    pty_send(pty, F(2));
    pty_send(pty, F(2));
    pty_send(pty, F(2));
    CHECK(pty_wait(pty, "F2 token") && pty_wait(pty, "probes in"));
    pty_send(pty, COMPARE);
    CHECK(pty_wait(pty, "removed: \"blue\" -1.000") && pty_cell_of(pty, "big green").underline &&
              !pty_cell_of(pty, "red ball").underline,
          "%s", pty_screen(pty));
    pty_stop(pty);
}

/* A click on the kept prompt or output chooses what belongs to it. */
static void test_click(void)
{
    struct pty *pty = guest_start(&(struct guest){0});
    int row, column;
    char click[100];
    CHECK(pty_wait(pty, DONE));
    edit(pty);
    pty_send(pty, COMPARE COMPARE);
    CHECK(pty_wait(pty, "side by side, on one scale") && pty_find(pty, "hat. What", &row, &column) && column == 1);
    sprintf(click, "\033[<0;%d;%dM\033[<0;%d;%dm", column + 1, row + 1, column + 1, row + 1);
    pty_send(pty, click);
    CHECK(pty_wait(pty, "\"hat.\" +0.003 → -0.076 nats"), "%s", pty_row(pty, 21));
    pty_listen(pty, 30);
    CHECK(pty_cell(pty, row, column).reverse && pty_cell(pty, row, column + 3).reverse, "it is marked there");
    CHECK(pty_find(pty, "blue hat. not", &row, &column) && column < 20);
    sprintf(click, "\033[<0;%d;%dM\033[<0;%d;%dm", column + 7, row + 1, column + 7, row + 1);
    pty_send(pty, click);
    CHECK(pty_wait(pty, "Output  3 of 12") && pty_wait(pty, "Before  3 of 12") && pty_wait(pty, "\"hat\" 60.0"), "%s",
          pty_screen(pty));
    CHECK(pty_find(pty, "blue    │", &row, &column));
    sprintf(click, "\033[<0;%d;%dM\033[<0;%d;%dm", column + 1, row + 1, column + 1, row + 1);
    pty_send(pty, click); /* a word that is gone */
    pty_send(pty, "\t");
    CHECK(pty_wait(pty, "\"hat.\" "), "%s", pty_screen(pty));
    pty_stop(pty);
}

/* Patches of the picture change with the question. */
static void test_picture(void)
{
    struct pty *pty = guest_start(&(struct guest){.columns = 120, .settings = {"FAKE_PICTURES=1", "FAKE_BATCH=16"}});
    CHECK(pty_wait(pty, "probes in"));
    pty_send(pty, "!\r");
    CHECK(pty_wait(pty, "have?!") && pty_wait(pty, "Alt-w: what changed"), "%s", pty_screen(pty));
    pty_send(pty, COMPARE "\t\t");
    CHECK(pty_wait(pty, "Before  1 of 12") && pty_wait(pty, "patch ") && pty_wait(pty, " nats (0) for \"A\""), "%s",
          pty_screen(pty));
    pty_stop(pty);
}

/* The same prompt with other settings, and with none of them. */
static void test_settings(void)
{
    struct pty *pty = guest_start(&(struct guest){0});
    CHECK(pty_wait(pty, DONE));
    pty_send(pty, "\r"); /* the same once more is nothing to compare with */
    pty_send(pty, F(2)); /* nor are other units */
    CHECK(pty_wait(pty, "F2 sentence") && pty_wait(pty, DONE));
    pty_send(pty, COMPARE);
    CHECK(pty_wait(pty, "nothing to compare with yet"));
    pty_send(pty, F(3));
    CHECK(pty_wait(pty, "Alt-w: what changed"));
    pty_send(pty, COMPARE);
    CHECK(pty_wait(pty, "Before  1 of 12  factor 0.1") && pty_wait(pty, "No unit weighs more or less"), "%s",
          pty_screen(pty));
    pty_stop(pty);
}

static void test_pin(void)
{
    char folder[] = "/tmp/atmanscope-models-XXXXXX", command[300], setting[100];
    CHECK(mkdtemp(folder) != NULL);
    sprintf(command, "echo GGUF >%s/second.gguf", folder);
    CHECK(system(command) == 0);
    sprintf(setting, "FAKE_MODELS=%s", folder);
    struct pty *pty = guest_start(&(struct guest){.settings = {setting}});
    CHECK(pty_wait(pty, DONE));
    pty_send(pty, PIN);
    CHECK(pty_wait(pty, "pinned: what follows") && pty_wait(pty, "tokens, pinned"));
    pty_send(pty, COMPARE);
    CHECK(pty_wait(pty, "this one is pinned"));
    edit(pty);
    pty_send(pty, COMPARE);
    CHECK(pty_wait(pty, "Pinned  1 of 12") && pty_wait(pty, "A blue hat"), "%s", pty_screen(pty));
    pty_send(pty, CONTROL('E'));
    pty_send(pty, " Yes\r");
    CHECK(pty_wait(pty, "have? Yes") && pty_wait(pty, "28 probes in") && pty_wait(pty, "removed: \"blue\""), "%s",
          pty_screen(pty));
    pty_send(pty, CONTROL('O'));
    CHECK(pty_wait(pty, "Open a model"));
    pty_send(pty, "G\r");
    CHECK(pty_wait(pty, "Pinned  1 of 12  fake, Q8_0") && pty_wait(pty, "second, Q8_0") &&
              pty_wait(pty, "28 probes in"),
          "%s", pty_screen(pty));
    pty_send(pty, COMPARE);
    CHECK(pty_wait(pty, "Pinned  18 tokens  fake, Q8_0"), "%s", pty_screen(pty));
    pty_send(pty, PIN);
    CHECK(pty_wait(pty, "not pinned any more") && pty_wait(pty, "Before  18 tokens"), "%s", pty_screen(pty));
    pty_send(pty, "\b\r");
    CHECK(pty_wait_gone(pty, "have? Yes") && pty_wait(pty, "28 probes in") && pty_wait_gone(pty, "fake, Q8_0"), "%s",
          pty_screen(pty));
    pty_stop(pty);
    sprintf(command, "rm -r %s", folder);
    CHECK(system(command) == 0);
}

/* What was stopped half-way takes no place from what was measured. */
static void test_stopped(void)
{
    char gate[] = "/tmp/atmanscope-gate-XXXXXX", setting[64];
    int fd = mkstemp(gate);
    snprintf(setting, sizeof setting, "FAKE_GATE=%s", gate);
    struct pty *pty = guest_start(&(struct guest){.settings = {setting, "FAKE_PROMPT=a red ball"}});
    CHECK(write(fd, "xxxx", 4) == 4 && pty_wait(pty, "probes in"));
    CHECK(ftruncate(fd, 0) == 0);
    pty_send(pty, " or\r");
    CHECK(pty_wait(pty, "measuring 0"));
    pty_send(pty, " hat\r");
    CHECK(pty_wait(pty, "A blue hat"));
    pty_send(pty, COMPARE COMPARE);
    CHECK(pty_wait(pty, "Before  4 tokens"), "%s", pty_screen(pty));
    pty_send(pty, "\t" RIGHT RIGHT "\t");
    for (int rows = 10; rows < 40; rows += 3)
        pty_resize(pty, rows, 4 * rows);
    pty_resize(pty, 24, 80);
    CHECK(write(fd, "xxxxxxxxx", 9) == 9 && pty_wait(pty, "probes in"), "%s", pty_screen(pty));
    pty_send(pty, CONTROL('Q'));
    CHECK(pty_wait_end(pty) == 0);
    pty_stop(pty);
    close(fd);
    unlink(gate);
}

int main(void)
{
    test_screens();
    test_difference();
    test_colours();
    test_outputs();
    test_units();
    test_click();
    test_picture();
    test_settings();
    test_pin();
    test_stopped();
    return test_end();
}
