/* test_zoom.c: units zoomed into, and the specials shown and folded away, in several sizes. */
#include "tests/test.h"
#include "tests/tui/guest.h"

static const struct {
    const char *locale;
    int rows, columns;
} sizes[] = {{NULL, 24, 80}, {NULL, 12, 40}, {NULL, 60, 200}, {"LC_ALL=C", 24, 80}};
enum { SIZES = sizeof sizes / sizeof *sizes };

static struct pty *start(size_t size, const char *prompt)
{
    struct pty *pty = guest_start(&(struct guest){
        .rows = sizes[size].rows, .columns = sizes[size].columns, .settings = {prompt, sizes[size].locale}});
    CHECK(pty_wait(pty, "probes in"), "%s", pty_screen(pty));
    return pty;
}

/* A word's three tokens are three units; once more, and it is one again.  The line below says which unit the cursor is
 * in. */
static void test_zoom(size_t size)
{
    struct pty *pty = start(size, "FAKE_PROMPT=Anna bluemarvellous hat");
    pty_send(pty, "\001\033f\033b\033f" RIGHT);
    CHECK(pty_wait(pty, "\"bluemarvellous\""), "%s", pty_screen(pty));
    pty_send(pty, "\033z");
    CHECK(pty_wait(pty, "this word by tokens") && pty_wait(pty, "\"bluema\""), "%s", pty_screen(pty));
    pty_send(pty, RIGHT);
    CHECK(pty_wait(pty, "17 probes in") && pty_wait(pty, "\"bluema\""), "%s", pty_screen(pty));
    pty_send(pty, "\033z");
    CHECK(pty_wait(pty, "\"bluemarvellous\"") && pty_wait(pty, "15 probes in"), "%s", pty_screen(pty));
    pty_send(pty, "\033z" RIGHT "\r");
    CHECK(pty_wait(pty, "\"bluemarvellous\""), "Enter forgets it: %s", pty_screen(pty));
    pty_send(pty, "\001\033z");
    CHECK(pty_wait(pty, "a token cannot be cut"), "%s", pty_screen(pty));
    pty_send(pty, "X\033z");
    CHECK(pty_wait(pty, "the prompt is edited"), "%s", pty_screen(pty));
    pty_stop(pty);
}

/* In the output the strongest unit that can be: not Anna, which is one token. */
static void test_strongest(size_t size)
{
    struct pty *pty = start(size, "FAKE_PROMPT=Anna bluemarvellous hat");
    pty_send(pty, "\tz");
    CHECK(pty_wait(pty, "strongest word by tokens"), "%s", pty_screen(pty));
    pty_send(pty, RIGHT);
    CHECK(pty_wait(pty, "17 probes in"), "%s", pty_screen(pty));
    pty_send(pty, "z");
    CHECK(pty_wait(pty, "nothing that is measured can be"), "%s", pty_screen(pty));
    pty_stop(pty);
}

/* The specials stand above the text; the cursor comes there from its start. */
static void test_specials(size_t size)
{
    struct pty *pty = start(size, "FAKE_PROMPT=Anna has a hat");
    int row, column;
    CHECK(!pty_find(pty, "<s>", &row, &column), "folded away at first");
    pty_send(pty, "\033s");
    CHECK(pty_wait(pty, "<s>") && pty_find(pty, "<s>", &row, &column) && row == 1, "%s", pty_screen(pty));
    CHECK(pty_wait(pty, "scale: <s>"), "that it never sets the scale: %s", pty_screen(pty));
    CHECK(pty_cell_of(pty, "<s>").background == pty_cell_of(pty, "Anna").background, "%d",
          pty_cell_of(pty, "<s>").background);
    CHECK(pty_find(pty, "Anna has a hat", &row, &column) && row == 2, "%s", pty_screen(pty));
    pty_send(pty, "\001" LEFT);
    CHECK(pty_wait(pty, "\"<s>\" +9.000"), "%s", pty_screen(pty));
    pty_send(pty, RIGHT);
    CHECK(pty_wait(pty, "\"Anna\" +2.000"), "%s", pty_screen(pty));
    pty_send(pty, LEFT "x");
    CHECK(pty_wait(pty, "xAnna"), "what is typed goes into the text: %s", pty_screen(pty));
    pty_send(pty, "\tS");
    CHECK(pty_wait_gone(pty, "<s>") && pty_find(pty, "xAnna", &row, &column) && row == 1, "%s", pty_screen(pty));
    pty_stop(pty);
}

static void test_click(void)
{
    struct pty *pty = start(0, "FAKE_PROMPT=Anna has a hat");
    int row, column;
    char click[60];
    pty_send(pty, "\033s");
    CHECK(pty_wait(pty, "<s>") && pty_find(pty, "<s>", &row, &column));
    snprintf(click, sizeof click, "\033[<0;%d;%dM\033[<0;%d;%dm", column + 2, row + 1, column + 2, row + 1);
    pty_send(pty, click);
    CHECK(pty_wait(pty, "\"<s>\" +9.000 nats, a special"), "%s", pty_screen(pty));
    pty_stop(pty);
}

int main(void)
{
    for (size_t i = 0; i < SIZES; i++) {
        test_zoom(i);
        test_strongest(i);
        test_specials(i);
    }
    test_click();
    return test_end();
}
