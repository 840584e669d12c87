/* test_program.c: the program itself on a real model: the shipped one, else smollm2 where it was fetched. */
#include <sys/wait.h>
#include <time.h>

#include "tests/test.h"
#include "tests/tui/pty.h"

static double now_ms(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec * 1e3 + (double)time.tv_nsec / 1e6;
}

static struct pty *start(const char *model)
{
    const char *arguments[] = {
        "./atmanscope",      "--no-history", "-p",  "Anna has a red ball. Tom has a blue hat. What does Tom have?",
        model ? "-m" : NULL, model, NULL};
    const char *environment[] = {
        "TERM=xterm-256color", "LC_ALL=C.UTF-8", "COLORTERM", "NO_COLOR", "COLUMNS", "LINES", NULL};
    return pty_start(
        &(struct pty_options){.arguments = arguments, .environment = environment, .rows = 24, .columns = 80});
}

static bool has_begun(struct pty *pty, const void *data)
{
    (void)data;
    return pty_find(pty, "measuring", NULL, NULL) || pty_find(pty, "probes in", NULL, NULL);
}

static bool has_colours(struct pty *pty, const void *data)
{
    (void)data;
    for (int row = 1; row < 4; row++)
        for (int column = 0; column < 80; column++)
            if (pty_cell(pty, row, column).background != -1)
                return true;
    return false;
}

static void drive(struct pty *pty)
{
    double start = now_ms();
    CHECK(pty_until(pty, has_colours, NULL), "%s", pty_screen(pty));
    printf("first colours %.0f ms after the start of measuring was seen\n", now_ms() - start);
    CHECK(pty_wait(pty, "probes in") && pty_wait(pty, "rests on"));
    pty_send(pty, "\t\033OB");
    CHECK(pty_wait(pty, "token scale") && pty_wait(pty, "Candidates"));
    pty_send(pty, "v");
    CHECK(pty_wait(pty, "v product") && pty_until(pty, has_begun, NULL));
    start = now_ms();
    pty_send(pty, "+\033"); /* a new request, and away with it */
    CHECK(pty_wait(pty, "stopped") || pty_wait(pty, "probes in"));
    printf("stopped after %.0f ms\n", now_ms() - start);
    pty_send(pty, "q");
    CHECK(pty_wait_end(pty) == 0 && !pty_alternate(pty) && pty_cooked(pty));
}

int main(void)
{
    static const char *const models[] = {NULL, "smollm2"};
    for (int i = 0; i < 2; i++) {
        struct pty *pty = start(models[i]);
        bool begun = pty_until(pty, has_begun, NULL);
        if (begun)
            drive(pty);
        else if (pty_wait_end(pty) >= 0)
            SKIP("the screen on %s: %s", models[i] ? models[i] : "the shipped model", pty_row(pty, 0));
        else
            CHECK(false, "%s", pty_screen(pty));
        pty_stop(pty);
        if (begun)
            break;
    }
    return test_end();
}
