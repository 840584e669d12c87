/* test_bytes.c: how much a whole run sends over the line, from the first frame to the last.
 *
 * 256 words in a terminal of 200 columns and 60 rows: all of them estimated, then measured in batches, as fast or as
 * slowly as models do.  With an argument, a command line is run in its place: the program on a real model. */
#include <stdio.h>
#include <string.h>

#include "tests/test.h"
#include "tests/tui/guest.h"

enum { WORDS = 256, MOST = 60000 };

/* Read all there is until the run is over; returns the bytes behind the first frame. */
static size_t count_bytes(struct pty *pty)
{
    CHECK(pty_wait(pty, "Output"));
    size_t first = pty_received(pty);
    CHECK(pty_wait(pty, "probes in"), "%s", pty_screen(pty));
    pty_listen(pty, 100);
    return pty_received(pty) - first;
}

static void run(const char *term, const char *colorterm, const char *pace, const char *batch, const char *tokens)
{
    char prompt[20 * WORDS] = "FAKE_PROMPT=";
    for (int i = 0; i < WORDS; i++)
        snprintf(prompt + strlen(prompt), sizeof prompt - strlen(prompt), "%s%s", i ? " " : "",
                 i % 7 == 3   ? "blue"
                 : i % 5 == 1 ? "hat"
                 : i % 3 == 0 ? "ball."
                              : "something");
    struct pty *pty = guest_start(
        &(struct guest){.rows = 60,
                        .columns = 200,
                        .term = term,
                        .settings = {colorterm, prompt, pace, batch, tokens, "FAKE_ESTIMATES=1", "FAKE_TOKEN_MS=10"}});
    size_t bytes = count_bytes(pty);
    printf("%s, %s, %s, %s: %zu bytes\n", term, pace, batch, tokens, bytes);
    CHECK(bytes <= MOST, "%s, %s, %s, %s: %zu bytes", term, pace, batch, tokens, bytes);
    pty_stop(pty);
}

int main(int count, char **arguments)
{
    if (count > 1) {
        struct pty_options options = {.arguments = (const char *const *)arguments + 1, .rows = 60, .columns = 200};
        struct pty *pty = pty_start(&options);
        printf("%zu bytes\n", count_bytes(pty));
        pty_stop(pty);
        return test_end();
    }
    run("xterm-256color", "COLORTERM", "FAKE_BATCH_MS=20", "FAKE_BATCH=2", "FAKE_TOKENS=12");
    run("xterm-256color", "COLORTERM", "FAKE_BATCH_MS=20", "FAKE_BATCH=8", "FAKE_TOKENS=256");
    run("xterm-direct2", "COLORTERM", "FAKE_BATCH_MS=20", "FAKE_BATCH=2", "FAKE_TOKENS=12");
    return test_end();
}
