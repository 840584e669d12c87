/* test_answer.c: the proof and the pairs in the place of the candidates, in several sizes. */
#include <stdio.h>

#include "tests/test.h"
#include "tests/tui/guest.h"

static const struct {
    const char *locale;
    int rows, columns;
} sizes[] = {{NULL, 24, 80}, {NULL, 12, 40}, {NULL, 60, 200}, {"LC_ALL=C", 24, 80}};
enum { SIZES = sizeof sizes / sizeof *sizes };

static struct pty *start(size_t size, const char *setting)
{
    struct pty *pty = guest_start(
        &(struct guest){.rows = sizes[size].rows,
                        .columns = sizes[size].columns,
                        .settings = {setting ? setting : sizes[size].locale, setting ? sizes[size].locale : NULL}});
    CHECK(pty_wait(pty, DONE), "%s", pty_screen(pty));
    return pty;
}

/* Characters of Braille on the screen. */
static int count_dots(struct pty *pty, size_t size)
{
    int count = 0;
    for (int row = 0; row < sizes[size].rows; row++)
        for (int column = 0; column < sizes[size].columns; column++) {
            uint32_t c = pty_cell(pty, row, column).character[0];
            count += c > 0x2800 && c < 0x2900;
        }
    return count;
}

/* The curve, its number and the flip set, which is underlined in the prompt; the same key goes back. */
static void test_proof(size_t size)
{
    struct pty *pty = start(size, NULL);
    bool narrow = sizes[size].columns < 72;
    pty_send(pty, "\t" RIGHT "e");
    CHECK(pty_wait(pty, "Proof for \"blue\"") && pty_wait(pty, "nats more than chance"), "%s", pty_screen(pty));
    CHECK(pty_wait(pty, "it says") && pty_wait(pty, "\"red\"") && pty_wait(pty, "without 1st \"Tom\", \"blue\""), "%s",
          pty_screen(pty));
    CHECK(pty_cell_of(pty, "Tom has").underline && pty_cell_of(pty, "blue").underline &&
              !pty_cell_of(pty, "hat. What").underline,
          "%s", pty_screen(pty));
    CHECK(pty_wait_gone(pty, "Candidates"), "%s", pty_screen(pty));
    if (narrow)
        CHECK(pty_wait(pty, "1: ") && count_dots(pty, size) == 0, "numbers only: %s", pty_screen(pty));
    else
        CHECK(pty_wait(pty, "60%") && pty_wait(pty, "deleted"), "%s", pty_screen(pty));
    if (!narrow && !sizes[size].locale)
        CHECK(count_dots(pty, size) > 20, "%d cells of dots", count_dots(pty, size));
    if (sizes[size].locale)
        CHECK(pty_wait(pty, "*****") && pty_wait(pty, "...."), "%s", pty_screen(pty));
    pty_send(pty, "e");
    CHECK(pty_wait_gone(pty, "Proof for") && !pty_cell_of(pty, "Tom has").underline, "%s", pty_screen(pty));
    pty_send(pty, "\t\033e");
    CHECK(pty_wait(pty, "Proof for \"blue\""), "from the prompt: %s", pty_screen(pty));
    pty_send(pty, "\033");
    CHECK(pty_wait_gone(pty, "Proof for"), "Esc goes back: %s", pty_screen(pty));
    pty_stop(pty);
}

static void test_pairs(size_t size)
{
    struct pty *pty = start(size, NULL);
    bool wide = sizes[size].columns > 150;
    pty_send(pty, "\tb");
    CHECK(pty_wait(pty, "Pairs for \"A\"") && pty_wait(pty, "+3.00"), "%s", pty_screen(pty));
    CHECK(pty_wait(pty, wide ? "stand in for each other" : "one will do"), "%s", pty_screen(pty));
    if (sizes[size].rows > 12)
        CHECK(pty_wait(pty, wide ? "back each other up" : "needs both"), "%s", pty_screen(pty));
    if (wide)
        CHECK(pty_wait(pty, "pull opposite ways") && pty_wait(pty, "act independently"), "%s", pty_screen(pty));
    pty_send(pty, RIGHT "b");
    CHECK(pty_wait(pty, "Pairs for \"blue\""), "of another token: %s", pty_screen(pty));
    pty_send(pty, "e");
    CHECK(pty_wait(pty, "Proof for \"blue\""), "%s", pty_screen(pty));
    pty_send(pty, "b");
    CHECK(pty_wait(pty, "Pairs for \"blue\""), "%s", pty_screen(pty));
    pty_send(pty, "b");
    CHECK(pty_wait_gone(pty, "Pairs for"), "%s", pty_screen(pty));
    pty_stop(pty);
}

/* Two marked units are a pair; the first is seen, and can be taken back. */
static void test_mark(size_t size)
{
    struct pty *pty = start(size, NULL);
    pty_send(pty, "\001\033f\033f\033f" RIGHT "\033x"); /* on "red" */
    CHECK(pty_wait(pty, "\"red\" marked"), "%s", pty_screen(pty));
    CHECK(pty_cell_of(pty, "red ball").reverse, "%s", pty_screen(pty));
    pty_send(pty, "\033x");
    CHECK(pty_wait(pty, "\"red\" not marked") && !pty_cell_of(pty, "red ball").reverse, "%s", pty_screen(pty));
    pty_send(pty, "\033x\033f\033f" RIGHT "\033x");
    if (sizes[size].rows > 12)
        CHECK(pty_wait(pty, "\"Tom\"  ") && pty_wait(pty, "They back each other up (-2.000)"), "%s", pty_screen(pty));
    else
        CHECK(pty_wait(pty, "\"red\", 1st \"Tom\"") && pty_wait(pty, "-2.00"), "%s", pty_screen(pty));
    CHECK(!pty_cell_of(pty, "red ball").reverse, "%s", pty_screen(pty));
    pty_send(pty, "\033a");
    CHECK(pty_wait(pty, "+3.00"), "all pairs are another question: %s", pty_screen(pty));
    pty_send(pty, "x\033x");
    CHECK(pty_wait(pty, "the prompt is edited"), "%s", pty_screen(pty));
    pty_stop(pty);
}

/* The curve in the colour of what supports, as far as there are colours. */
static void test_colours(void)
{
    static const struct {
        const char *term, *setting;
        int ink;
    } cases[] = {{"xterm-256color", NULL, PTY_INDEX + 222},
                 {"xterm", NULL, PTY_INDEX + 3},
                 {"xterm-256color", "NO_COLOR=1", -1}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct pty *pty = guest_start(&(struct guest){.term = cases[i].term, .settings = {cases[i].setting}});
        int row, column;
        CHECK(pty_wait(pty, DONE), "%s", pty_screen(pty));
        pty_send(pty, "\te");
        CHECK(pty_wait(pty, "it says") && pty_wait(pty, "\"red\"") && pty_find(pty, "60% ", &row, &column), "%s",
              pty_screen(pty));
        struct pty_cell cell = pty_cell(pty, row, column + 7);
        CHECK(cell.character[0] > 0x2800 && cell.ink == cases[i].ink && cell.bold, "%s: ink %d", cases[i].term,
              cell.ink > PTY_INDEX ? cell.ink - PTY_INDEX : cell.ink);
        pty_stop(pty);
    }
}

/* Its progress is told, Esc stops it, and again goes back; a new request does so too. */
static void test_long(void)
{
    struct pty *pty = start(0, "FAKE_ANSWER_MS=60");
    pty_send(pty, "\te");
    CHECK(pty_wait(pty, "proving, step") && pty_wait(pty, "Esc stops"), "%s", pty_screen(pty));
    CHECK(pty_wait(pty, "deleted"), "what is there is shown: %s", pty_screen(pty));
    pty_send(pty, "\033");
    CHECK(pty_wait(pty, "stopped; Esc goes back") && pty_wait(pty, "Proof for"), "%s", pty_screen(pty));
    pty_send(pty, "\033");
    CHECK(pty_wait_gone(pty, "Proof for"), "%s", pty_screen(pty));
    pty_send(pty, "e");
    CHECK(pty_wait(pty, "it says") && pty_wait(pty, "\"red\""), "it is asked again: %s", pty_screen(pty));
    pty_send(pty, "\r");
    CHECK(pty_wait_gone(pty, "Proof for") && pty_wait(pty, DONE), "%s", pty_screen(pty));
    pty_send(pty, "b\t\033[1;3A"); /* the mix takes the worker */
    CHECK(pty_wait(pty, "Pairs for"), "%s", pty_screen(pty));
    pty_stop(pty);
}

int main(void)
{
    for (size_t size = 0; size < SIZES; size++) {
        test_proof(size);
        test_pairs(size);
        test_mark(size);
    }
    test_colours();
    test_long();
    return test_end();
}
