/* test_latency.c: how long a typed key takes to the screen while all cores compute.
 *
 * Types at 30 Hz into the screen over the engine without a model, whose threads burn every core meanwhile, and waits
 * for each character to be drawn.  With an argument, a command line is run in its place: the program on a real model.
 * Prints the median, the 99th percentile and the greatest; slowness fails nothing, a lost key does. */
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "tests/test.h"
#include "tests/tui/guest.h"

enum { KEYS = 300, PERIOD_US = 33333 };

static double now_ms(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec * 1e3 + (double)time.tv_nsec / 1e6;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* The character typed last stands before the cursor. */
static bool is_drawn(struct pty *pty, const void *letter)
{
    int row, column;
    bool visible;
    pty_cursor(pty, &row, &column, &visible);
    return column > 0 && pty_cell(pty, row, column - 1).character[0] == *(const uint32_t *)letter;
}

static void measure(struct pty *pty, const char *what)
{
    static double times[KEYS];
    for (int i = 0; i < KEYS; i++) {
        char key[2] = {(char)('a' + i % 23), 0};
        uint32_t letter = (uint32_t)key[0];
        double start = now_ms();
        pty_send(pty, key);
        CHECK(pty_until(pty, is_drawn, &letter), "key %d was never drawn", i);
        times[i] = now_ms() - start;
        while (now_ms() - start < PERIOD_US / 1000.0)
            pty_listen(pty, 1);
    }
    qsort(times, KEYS, sizeof *times, by_value);
    printf("key to screen over %d keys at 30 Hz%s: median %.1f ms, p99 %.1f ms, greatest %.1f ms\n", KEYS, what,
           times[KEYS / 2], times[KEYS * 99 / 100], times[KEYS - 1]);
}

int main(int count, char **arguments)
{
    char spin[40];
    snprintf(spin, sizeof spin, "FAKE_SPIN=%ld", sysconf(_SC_NPROCESSORS_ONLN));
    struct pty *pty;
    if (count > 1) {
        struct pty_options options = {.arguments = (const char *const *)arguments + 1, .rows = 24, .columns = 80};
        pty = pty_start(&options);
        CHECK(pty_wait(pty, "measuring"));
    } else {
        pty = guest_start(
            &(struct guest){.settings = {spin, "FAKE_BATCH_MS=2", "FAKE_BATCH=1", "FAKE_GATE=/nonexistent"}});
        CHECK(pty_wait(pty, "measuring 0 of"));
    }
    if (setpriority(PRIO_PROCESS, 0, -10) != 0)
        printf("the test itself could not be put before the load: its own waiting is in the numbers\n");
    measure(pty, "");
    pty_stop(pty);
    if (count == 1) {
        pty = guest_start(&(struct guest){
            .sixel = true,
            .cell_width = 9,
            .cell_height = 18,
            .settings = {spin, "FAKE_BATCH_MS=35", "FAKE_BATCH=1", "FAKE_PICTURES=2", "FAKE_NOISE=1"}});
        CHECK(pty_wait(pty, "measuring"));
        measure(pty, ", beside a picture that is sent again and again");
        printf("%d pictures\n", pty_pictures(pty));
        pty_stop(pty);
    }
    return test_end();
}
