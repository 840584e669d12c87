/* test_replay.c: sessions on the engine without a model are recorded, and the program itself plays them back. */
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/test.h"
#include "tests/tui/guest.h"
#include "tui/keys.h"

enum { ROWS = 24, COLUMNS = 80 };

static char folder[] = "/tmp/atmanscope-replay-XXXXXX", file[60], setting[80];

/* A screen that records to `file`. */
static struct pty *record(const char *other)
{
    unlink(file);
    struct pty *pty = guest_start(&(struct guest){.settings = {setting, other}});
    CHECK(pty_wait(pty, "probes in"), "%s", pty_screen(pty));
    return pty;
}

static struct pty *replay(const char *path, int rows, int columns, const char *speed)
{
    const char *arguments[] = {"./atmanscope", "replay", path, "--speed", speed, NULL};
    const char *environment[] = {"TERM=xterm-256color", "LC_ALL=C.UTF-8", "COLORTERM", "NO_COLOR",
                                 "COLUMNS", "LINES", "TMUX", NULL};
    return pty_start(
        &(struct pty_options){.arguments = arguments, .environment = environment, .rows = rows, .columns = columns});
}

/* -- the same screen ----------------------------------------------------------------------------------------------- */

static struct pty_cell cells[ROWS][COLUMNS];
static char rows[ROWS][COLUMNS * 8];

static void keep(struct pty *pty)
{
    for (int row = 0; row < ROWS; row++) {
        snprintf(rows[row], sizeof rows[row], "%s", pty_row(pty, row));
        for (int column = 0; column < COLUMNS; column++)
            cells[row][column] = pty_cell(pty, row, column);
    }
}

/* All but the first row, which says that it is recorded, and the last one, with the hints and a message until the next
 * key. */
static void check_kept(struct pty *pty, const char *when)
{
    int different = 0;
    for (int row = 1; row < ROWS - 1; row++) {
        CHECK(strcmp(rows[row], pty_row(pty, row)) == 0, "%s: row %d was\n%s\nis\n%s", when, row, rows[row],
              pty_row(pty, row));
        for (int column = 0; column < COLUMNS; column++) {
            struct pty_cell is = pty_cell(pty, row, column), *was = &cells[row][column];
            different += is.background != was->background || is.ink != was->ink || is.bold != was->bold ||
                         is.underline != was->underline || is.reverse != was->reverse;
        }
    }
    CHECK(different == 0, "%s: %d cells look different", when, different);
}

/* What is on the screen when a session ends is there when its replay ends. */
struct step {
    const char *keys, *seen;
};

static void check_end(const char *name, const char *other, struct step first, struct step second)
{
    struct pty *pty = record(other);
    pty_send(pty, first.keys);
    CHECK(pty_wait(pty, first.seen), "%s: %s", name, pty_screen(pty));
    if (second.keys) {
        pty_send(pty, second.keys);
        CHECK(pty_wait(pty, second.seen), "%s: %s", name, pty_screen(pty));
    }
    pty_listen(pty, 200);
    keep(pty);
    pty_send(pty, CONTROL('Q'));
    CHECK(pty_wait_end(pty) == 0);
    pty_stop(pty);
    pty = replay(file, ROWS, COLUMNS, "16");
    CHECK(pty_wait(pty, "Space: again"), "%s: %s", name, pty_screen(pty));
    pty_listen(pty, 50);
    check_kept(pty, name);
    pty_send(pty, "0");
    CHECK(pty_wait_gone(pty, "Space: again") || pty_wait(pty, "Space"));
    pty_send(pty, "$");
    CHECK(pty_wait(pty, "Space: again"));
    pty_listen(pty, 50);
    check_kept(pty, name);
    pty_send(pty, "q");
    CHECK(pty_wait_end(pty) == 0);
    pty_stop(pty);
}

static void test_ends(void)
{
    static const struct step none;
    check_end("output", NULL, (struct step){"\t" RIGHT DOWN, "\"red\" rests on"}, none);
    check_end("contrast", NULL, (struct step){"\tr", "for \"A\""}, none);
    check_end("edited", NULL, (struct step){"\001Why? \xe6\x97\xa5" LEFT, "edited: Enter measures anew"}, none);
    check_end("mixed", NULL, (struct step){"\001\033f\033f\033f\033b\033[1;3B", "Alt-0 sets all back"}, none);
    check_end("picture", "FAKE_PICTURES=2", (struct step){"\t\t", "patch"}, none);
    check_end("proof", NULL, (struct step){"\t" RIGHT "e", "nats more than chance"}, none);
    check_end("compared", NULL, (struct step){"\001Why? \r", "27 probes in"}, (struct step){"\033w", "what changed"});
}

/* -- controls ------------------------------------------------------------------------------------------------------ */

static void make_session(void)
{
    struct pty *pty = record(NULL);
    pty_send(pty, "\t" RIGHT DOWN);
    CHECK(pty_wait(pty, "\"red\" rests on"));
    pty_send(pty, "u");
    CHECK(pty_wait(pty, "sentence") && pty_wait(pty, DONE), "%s", pty_screen(pty));
    pty_listen(pty, 500); /* the same is said of the explanation before: let this one be done as well */
    pty_send(pty, "u");
    CHECK(pty_wait(pty, "paragraph") && pty_wait(pty, DONE), "%s", pty_screen(pty));
    pty_listen(pty, 100);
    pty_send(pty, CONTROL('Q'));
    CHECK(pty_wait_end(pty) == 0);
    pty_stop(pty);
}

static void test_controls(void)
{
    size_t count;
    const struct key_binding *table = keys_table(&count);
    make_session();
    struct pty *pty = replay(file, 50, 120, "0.25");
    CHECK(pty_wait(pty, "x0.25  Space: pause"), "%s", pty_screen(pty));
    pty_send(pty, " ");
    CHECK(pty_wait(pty, "Space: go on"));
    pty_send(pty, "?");
    CHECK(pty_wait(pty, "While a recording is played") && pty_wait(pty, "slower, down") && pty_wait(pty, "q   "));
    for (size_t i = 0; i < count; i++) {
        char names[96];
        keys_names(&table[i], names, sizeof names);
        CHECK(table[i].place != PLACE_REPLAY || pty_find(pty, names, NULL, NULL), "%s", names);
    }
    CHECK(!pty_find(pty, "open another model", NULL, NULL));
    pty_send(pty, "\033");
    CHECK(pty_wait_gone(pty, "While a recording"));
    pty_send(pty, "+++");
    CHECK(pty_wait(pty, "x2 "));
    pty_send(pty, "$");
    CHECK(pty_wait(pty, "Space: again") && pty_wait(pty, "paragraph"));
    pty_send(pty, "{");
    CHECK(pty_wait(pty, "Space: go on") && pty_wait_gone(pty, "paragraph"));
    pty_send(pty, "}");
    CHECK(pty_wait(pty, "paragraph"));
    pty_send(pty, "\t\r");
    CHECK(pty_wait(pty, "this is a recording, with no model to ask"));
    pty_send(pty, "x");
    CHECK(pty_wait(pty, "this is a recording") && !pty_find(pty, "have?x", NULL, NULL));
    pty_send(pty, "\t" RIGHT RIGHT); /* paused: one may look around */
    CHECK(pty_wait(pty, " 4 of 12") || pty_wait(pty, " 3 of 12"), "%s", pty_screen(pty));
    pty_resize(pty, 12, 40);
    CHECK(pty_wait(pty, "Output"), "%s", pty_screen(pty));
    pty_send(pty, "q");
    CHECK(pty_wait_end(pty) == 0 && pty_cooked(pty) && !pty_alternate(pty));
    pty_stop(pty);
}

/* A recording is played in a terminal of any size. */
static void test_sizes(void)
{
    static const int sizes[][2] = {{12, 40}, {60, 200}};
    for (int i = 0; i < 2; i++) {
        struct pty *pty = replay(file, sizes[i][0], sizes[i][1], "16");
        CHECK(pty_wait(pty, "Anna has a red") && pty_wait(pty, "hat. not not") && pty_wait(pty, "0:0"), "%s",
              pty_screen(pty));
        CHECK(pty_wait_background(pty, "blue", -1, true), "%s", pty_screen(pty));
        pty_send(pty, "q");
        CHECK(pty_wait_end(pty) == 0);
        pty_stop(pty);
    }
}

/* -- ends that nobody chose ---------------------------------------------------------------------------------------- */

static void check_plays(const char *seen, const char *why)
{
    struct pty *pty = replay(file, ROWS, COLUMNS, "16");
    CHECK(pty_wait(pty, "Space: again") && pty_wait(pty, seen), "%s: %s", why, pty_screen(pty));
    pty_send(pty, "q");
    pty_wait_end(pty);
    pty_stop(pty);
}

static void test_lost_line(void)
{
    struct pty *pty = record(NULL);
    pty_send(pty, " Really?");
    CHECK(pty_wait(pty, "have? Really?"));
    pty_hang_up(pty);
    int status = pty_wait_end(pty);
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGHUP, "%x", (unsigned)status);
    pty_stop(pty);
    check_plays("have? Really?", "a dropped line");
}

/* Nobody had asked for a recording: what was there is kept all the same, and the next session says so. */
static void test_dropped(void)
{
    char lost[80], found[80];
    snprintf(lost, sizeof lost, "FAKE_LOST=%s/lost", folder);
    snprintf(found, sizeof found, "FAKE_FOUND=%s", file);
    struct guest guest = {.settings = {lost, found}};
    unlink(file);
    struct pty *pty = guest_start(&guest);
    CHECK(pty_wait(pty, DONE) && !pty_find(pty, "the line was dropped", NULL, NULL));
    pty_send(pty, " Really?");
    CHECK(pty_wait(pty, "have? Really?"));
    pty_hang_up(pty);
    pty_wait_end(pty);
    pty_stop(pty);
    pty = guest_start(&guest);
    CHECK(pty_wait(pty, "the line was dropped last time; atmanscope replay shows where"), "%s", pty_screen(pty));
    pty_send(pty, CONTROL('Q'));
    pty_wait_end(pty);
    pty_stop(pty);
    check_plays("have? Really?", "dropped, not recorded");
    CHECK(access(lost + strlen("FAKE_LOST="), F_OK) != 0);
}

static void test_killed(void)
{
    struct pty *pty = record(NULL);
    pty_send(pty, " Really?");
    CHECK(pty_wait(pty, "have? Really?"));
    pty_listen(pty, 1500); /* written within a second */
    kill(pty_process(pty), SIGKILL);
    pty_wait_end(pty);
    pty_stop(pty);
    check_plays("have? Really?", "killed");
    pty = replay(file, ROWS, COLUMNS, "16");
    CHECK(pty_wait(pty, "the recording breaks off here"));
    pty_stop(pty);
}

/* Begun and ended by a key; what cannot be written is said, and nothing else breaks. */
static void test_on_demand(void)
{
    struct pty *pty = guest_start(&(struct guest){0});
    CHECK(pty_wait(pty, DONE));
    pty_send(pty, "\tR");
    CHECK(pty_wait(pty, "Record what happens from here on"));
    pty_send(pty, CONTROL('U'));
    pty_send(pty, "/dev/full\r");
    CHECK(pty_wait(pty, "is there already; Enter again replaces it"));
    pty_send(pty, "\r");
    CHECK(pty_wait(pty, "No space left") && pty_wait(pty, "make room"), "%s", pty_screen(pty));
    pty_send(pty, CONTROL('U'));
    unlink(file);
    pty_send(pty, file);
    pty_send(pty, "\r");
    CHECK(pty_wait(pty, "recording to /tmp") && pty_wait(pty, " recording "));
    pty_send(pty, RIGHT);
    CHECK(pty_wait(pty, " 2 of 12"));
    pty_send(pty, "R");
    CHECK(pty_wait(pty, "recorded ") && pty_wait(pty, "atmanscope replay plays it") &&
          pty_wait_gone(pty, " recording "));
    pty_send(pty, RIGHT);
    CHECK(pty_wait(pty, " 3 of 12"));
    pty_stop(pty);
    check_plays(" 2 of 12", "on demand");
}

/* The last explanation as a file, without a screen. */
static void test_export(void)
{
    static const struct {
        const char *name, *holds;
    } files[] = {
        {"a.html", "<!doctype html"}, {"b.json", "{\"schema\""}, {"c.txt", "Anna has a red ball"}, {"d.svg", "<svg"}};
    char command[400], path[100], text[300];
    make_session();
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        snprintf(path, sizeof path, "%s/%s", folder, files[i].name);
        snprintf(command, sizeof command, "./atmanscope replay %s --to %s 2>%s.said", file, path, path);
        int status = system(command);
        snprintf(command, sizeof command, "%s%s", path, status == 0 ? "" : ".said");
        FILE *in = fopen(command, "r");
        text[in ? fread(text, 1, sizeof text - 1, in) : 0] = '\0';
        if (in)
            fclose(in);
        if (status != 0 && strstr(text, "built without Pango"))
            SKIP("%s: %s", files[i].name, text);
        else
            CHECK(status == 0 && strstr(text, files[i].holds), "%s: %d: %s", files[i].name, status, text);
        unlink(path);
        strcat(path, ".said");
        unlink(path);
    }
    snprintf(command, sizeof command, "./atmanscope replay %s --to %s/x.doc 2>/dev/null", file, folder);
    CHECK(WEXITSTATUS(system(command)) == 2);
}

/* In a pipe there is no screen: what is said is what replay has instead. */
static void test_no_terminal(void)
{
    char command[400], line[300] = "";
    make_session();
    snprintf(command, sizeof command, "./atmanscope replay %s </dev/null 2>&1", file);
    FILE *said = popen(command, "r");
    CHECK(fgets(line, sizeof line, said) && strstr(line, "needs a terminal") && strstr(line, "--to FILE") &&
              !strstr(line, "--plain"),
          "%s", line);
    CHECK(WEXITSTATUS(pclose(said)) == 1);
}

static void check_refused(const char *path, const char *why)
{
    struct pty *pty = replay(path, ROWS, COLUMNS, "1");
    CHECK(pty_wait(pty, why), "%s", pty_screen(pty));
    int status = pty_wait_end(pty);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 1, "%x", (unsigned)status);
    pty_stop(pty);
}

static void test_refused(void)
{
    char path[80];
    snprintf(path, sizeof path, "%s/other", folder);
    check_refused(path, "No such file");
    FILE *out = fopen(path, "w");
    fputs("{\"no\": \"recording\"}", out);
    fclose(out);
    check_refused(path, "no recording of a session");
    out = fopen(path, "w");
    fwrite("atmanrec\1\0\0\0abcd", 1, 16, out);
    fclose(out);
    check_refused(path, "recorded by another version");
    unlink(path);
}

int main(void)
{
    if (!mkdtemp(folder))
        return 1;
    snprintf(file, sizeof file, "%s/session", folder);
    snprintf(setting, sizeof setting, "FAKE_RECORD=%s", file);
    test_ends();
    test_controls();
    test_sizes();
    test_lost_line();
    test_dropped();
    test_killed();
    test_on_demand();
    test_export();
    test_no_terminal();
    test_refused();
    unlink(file);
    rmdir(folder);
    return test_end();
}
