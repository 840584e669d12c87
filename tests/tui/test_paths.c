/* test_paths.c: the output's sources while it is written, and the map of direct paths and of the others, in several
 * sizes. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "tests/test.h"
#include "tests/tui/guest.h"

static const struct {
    const char *locale;
    int rows, columns;
} sizes[] = {{NULL, 24, 80}, {NULL, 12, 40}, {NULL, 60, 200}, {"LC_ALL=C", 24, 80}};
enum { SIZES = sizeof sizes / sizeof *sizes };

static struct pty *start(size_t size, const char *one, const char *other)
{
    struct guest guest = {.rows = sizes[size].rows, .columns = sizes[size].columns};
    const char *settings[] = {one, other, sizes[size].locale};
    for (size_t i = 0, n = 0; i < 3; i++)
        if (settings[i])
            guest.settings[n++] = settings[i];
    return guest_start(&guest);
}

/* A screen whose output is held back until the file has as many bytes as it may have tokens. */
static struct pty *start_gated(size_t size, char *gate, int *fd)
{
    char setting[80];
    *fd = mkstemp(gate);
    snprintf(setting, sizeof setting, "FAKE_TOKEN_GATE=%s", gate);
    struct pty *pty = start(size, "FAKE_DIRECT=1", setting);
    CHECK(pty_wait(pty, "writing, 0 of 12"), "%s", pty_screen(pty));
    CHECK(write(*fd, "x", 1) == 1 && pty_wait(pty, "1 of 1 "), "%s", pty_screen(pty));
    pty_listen(pty, 300); /* a map stays for a while */
    CHECK(write(*fd, "x", 1) == 1 && pty_wait(pty, "2 of 2 "), "the newest token: %s", pty_screen(pty));
    return pty;
}

/* The map of the newest token is shown while the output is written, and each token that comes from the prompt has the
 * number of its source.  Who chooses a token stays with it. */
static void test_streaming(size_t size)
{
    char gate[] = "/tmp/atmanscope-tokens-XXXXXX";
    bool ascii = sizes[size].locale;
    int fd;
    struct pty *pty = start_gated(size, gate, &fd);
    CHECK(pty_wait(pty, "\"blue\" rests on \"blue\" +1.500"), "%s", pty_screen(pty));
    CHECK(pty_wait(pty, ascii ? " 1A2blue" : " ¹A²blue") && pty_wait(pty, ascii ? "a2blue" : "a²blue"), "%s",
          pty_screen(pty));
    CHECK(pty_cell_of(pty, "blue").background == PTY_INDEX + 222, "its source has its colour");
    pty_send(pty, "\t" LEFT);
    CHECK(pty_wait(pty, "1 of 2 ") && pty_wait(pty, "\"A\" rests on"), "%s", pty_screen(pty));
    pty_listen(pty, 300);
    CHECK(write(fd, "x", 1) == 1 && pty_wait(pty, "1 of 3 "), "%s", pty_screen(pty));
    CHECK(write(fd, "xxxxxxxxxxxx", 12) == 12 && pty_wait(pty, "1 of 12"), "%s", pty_screen(pty));
    CHECK(pty_wait(pty, DONE), "%s", pty_screen(pty));
    CHECK(pty_wait(pty, ascii ? "a2blue" : "a²blue"), "%s", pty_screen(pty));
    pty_send(pty, "\t");
    CHECK(pty_wait(pty, "a blue"), "numbers are there where tokens are chosen: %s", pty_screen(pty));
    pty_stop(pty);
    close(fd);
    unlink(gate);
}

/* Nobody chose: the first token again. */
static void test_chosen_again(size_t size)
{
    char gate[] = "/tmp/atmanscope-tokens-XXXXXX";
    int fd;
    struct pty *pty = start_gated(size, gate, &fd);
    CHECK(write(fd, "xxxxxxxxxxxx", 12) == 12 && pty_wait(pty, DONE) && pty_wait(pty, " 1 of 12 "), "%s",
          pty_screen(pty));
    CHECK(pty_wait(pty, "\"A\" rests on \"Anna\" +2.000") && pty_wait(pty, "a blue"), "%s", pty_screen(pty));
    pty_stop(pty);
    close(fd);
    unlink(gate);
}

/* All paths, direct ones, the others, on one scale; compared, and typed. */
static void test_paths(size_t size)
{
    bool narrow = sizes[size].columns < 80;
    struct pty *pty = start(size, "FAKE_DIRECT=1", NULL);
    CHECK(pty_wait(pty, DONE), "%s", pty_screen(pty));
    pty_send(pty, "\t" RIGHT "p");
    CHECK(pty_wait(pty, "direct: what the token itself"), "%s", pty_screen(pty));
    CHECK(pty_wait(pty, "\"blue\" rests directly on") &&
              pty_wait(pty, narrow ? "direct against -2.000" : "direct paths: contra"),
          "%s", pty_screen(pty));
    CHECK(narrow || pty_wait(pty, "rests directly on \"blue\" +1.500"), "%s", pty_screen(pty));
    pty_send(pty, "r");
    CHECK(narrow || pty_wait(pty, "\"blue\" rather than \"red\" depends directly on \"red\" -2.250"), "%s",
          pty_screen(pty));
    pty_send(pty, "rp");
    CHECK(pty_wait(pty, "\"blue\" rests through others on") &&
              pty_wait(pty, narrow ? "mediated against" : "mediated paths: "),
          "%s", pty_screen(pty));
    CHECK(narrow || pty_wait(pty, "through others on \"blue\" +0.500"), "%s", pty_screen(pty));
    pty_send(pty, "tcar\r");
    CHECK(narrow || pty_wait(pty, "\"blue\" rather than \"car\" rests through others on \"blue\" +0.750"), "%s",
          pty_screen(pty));
    pty_send(pty, "r\033v");
    CHECK(pty_wait(pty, "\"blue\" rests on \"blue\" +2.000"), "%s", pty_screen(pty));
    pty_stop(pty);
}

/* What no engine has told is not made up. */
static void test_unknown(size_t size)
{
    struct pty *pty = start(size, NULL, NULL);
    CHECK(pty_wait(pty, DONE), "%s", pty_screen(pty));
    pty_send(pty, "\tpp");
    CHECK(pty_wait(pty, "\"A\": measured on all paths only"), "%s", pty_screen(pty));
    pty_send(pty, "\tp\001"); /* in the prompt it is a letter */
    CHECK(pty_wait(pty, "Tom have?p"), "%s", pty_screen(pty));
    pty_stop(pty);
}

int main(void)
{
    for (size_t i = 0; i < SIZES; i++) {
        test_streaming(i);
        test_chosen_again(i);
        test_paths(i);
        test_unknown(i);
    }
    return test_end();
}
