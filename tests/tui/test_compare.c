/* test_compare.c: one choice rather than another, and the output with units turned up or down, over the engine without
 * a model. */
#include "tests/test.h"
#include "tests/tui/guest.h"

static void test_contrast(void)
{
    struct pty *pty = guest_start(&(struct guest){0});
    CHECK(pty_wait(pty, DONE));
    pty_send(pty, "\t" RIGHT "r"); /* " blue" rather than its runner-up " red" */
    CHECK(pty_wait(pty, "for \"red\" -3.000") && pty_wait(pty, "+3.000 nats for \"blue\""), "%s", pty_row(pty, 20));
    CHECK(pty_wait(pty, "\"blue\" rather than \"red\" depends on \"red\" -3.000 \"blue\" +3.000"), "%s",
          pty_row(pty, 21));
    CHECK(pty_wait_background(pty, "blue", PTY_INDEX + 222, false) &&
              pty_wait_background(pty, "red", PTY_INDEX + 117, false),
          "%d", pty_cell_of(pty, "red").background - PTY_INDEX);
    CHECK(pty_cell_of(pty, "red    ").underline, "what it is compared with is marked");
    pty_send(pty, DOWN DOWN); /* " Anna" rather than " blue" */
    CHECK(pty_wait(pty, "\"Anna\" rather than \"blue\" depends on") && pty_wait(pty, "nats for \"Anna\""), "%s",
          pty_row(pty, 21));
    pty_send(pty, "\t");
    pty_send(pty, CONTROL('A'));
    CHECK(pty_wait(pty, "\"Anna\" over \"blue\" is 6.2 times less likely"), "%s", pty_row(pty, 21));
    CHECK(pty_wait(pty, DONE), "no new work");
    pty_send(pty, "\tr");
    CHECK(pty_wait(pty, "nats supports") && pty_wait(pty, "\"Anna\" rests on"));
    pty_stop(pty);
}

static void test_foil(void)
{
    struct pty *pty = guest_start(&(struct guest){0});
    CHECK(pty_wait(pty, DONE));
    pty_send(pty, "\tt");
    CHECK(pty_wait(pty, "What could stand in place of \"A\""));
    pty_send(pty, "\r");
    CHECK(pty_wait(pty, "type what could stand there"));
    pty_send(pty, "A blue\r");
    CHECK(pty_wait(pty, "the output says the same there"));
    pty_send(pty, CONTROL('U'));
    pty_send(pty, "A ball\r"); /* differs at the second token */
    CHECK(pty_wait_gone(pty, "What could") && pty_wait(pty, " 2 of 12") && pty_wait(pty, "typed"), "%s",
          pty_screen(pty));
    CHECK(pty_wait(pty, "for \"ball\" -3.0") && pty_wait(pty, "nats for \"blue\""), "%s", pty_row(pty, 20));
    CHECK(pty_wait_background(pty, "ball. Tom", PTY_INDEX + 31, false));
    pty_send(pty, "G" LEFT); /* the last choice of another token */
    CHECK(pty_wait(pty, "11 of 12") && pty_wait_gone(pty, "typed"));
    pty_send(pty, "g" RIGHT);
    pty_send(pty, UP);
    CHECK(pty_wait(pty, "\"ball\" rather than \"blue\" depends on \"blue\" -3.000 \"ball\" +2.000"), "%s",
          pty_row(pty, 21));
    pty_send(pty, F(2)); /* measured anew: what was typed is asked for again */
    CHECK(pty_wait(pty, "u sentence") && pty_wait(pty, "nats for \"blue\"") && pty_wait(pty, "for \"ball\""), "%s",
          pty_screen(pty));
    CHECK(pty_wait(pty, DONE));
    pty_send(pty, "tred\r"); /* one of the candidates */
    CHECK(pty_wait(pty, "for \"red\" -3.0") && pty_wait_gone(pty, "typed"));
    pty_stop(pty);
}

static void test_mix(void)
{
    struct pty *pty = guest_start(&(struct guest){0});
    CHECK(pty_wait(pty, DONE));
    pty_send(pty, "\033[1;3B");
    CHECK(pty_wait(pty, "put the cursor on a word"));
    pty_send(pty, CONTROL('A'));
    for (int i = 0; i < 9; i++)
        pty_send(pty, "\033f");
    pty_send(pty, "\033b");
    CHECK(pty_wait(pty, "\"blue\" -1.000 nats") && pty_wait(pty, "Alt-Up, Alt-Down: mix"));
    pty_send(pty, "\033[1;3B"); /* down: 0.5 */
    CHECK(pty_wait(pty, "\"blue\" x0.5; Alt-0") && pty_wait(pty, "With blue x0.5: the same") &&
              pty_wait(pty, "a½blue"),
          "%s", pty_screen(pty));
    pty_send(pty, "\033-"); /* 0.1 */
    CHECK(pty_wait(pty, "With blue x0.1 ─") && pty_wait(pty, "A red hat. not") && pty_wait(pty, "a↓blue"), "%s",
          pty_screen(pty));
    CHECK(pty_wait(pty, "A blue hat. not"), "the old output stays");
    CHECK(pty_cell_of(pty, "red hat. not").underline && !pty_cell_of(pty, "hat. not").underline, "%s", pty_screen(pty));
    CHECK(pty_cell_of(pty, "blue hat. not").underline, "the word that is replaced is marked as well");
    pty_send(pty, LEFT RIGHT);
    CHECK(pty_wait(pty, "\"blue\" x0.1 ") && pty_wait(pty, DONE), "%s", pty_row(pty, 21));
    pty_send(pty, "\033=\033=\033="); /* up to 2 */
    CHECK(pty_wait(pty, "With blue x2: the same") && pty_wait(pty, "a2blue") && pty_wait_gone(pty, "A red"));
    pty_send(pty, "\033f\033=");
    CHECK(pty_wait(pty, "With blue x2, hat. x2"), "%s", pty_screen(pty));
    pty_send(pty, "\0330");
    CHECK(pty_wait_gone(pty, "With") && pty_wait(pty, "a blue hat. What"), "%s", pty_screen(pty));
    pty_send(pty, "\033-\tt"); /* what is typed while mixed is measured anew */
    CHECK(pty_wait(pty, "in place of"));
    pty_send(pty, "A ball\r");
    CHECK(pty_wait(pty, "for \"ball\" -3.0") && pty_wait(pty, "With hat. x0.5"), "%s", pty_screen(pty));
    pty_send(pty, "\t!");
    CHECK(pty_wait(pty, "edited"));
    pty_send(pty, "\033-");
    CHECK(pty_wait(pty, "the prompt is edited"));
    pty_send(pty, "\r");
    CHECK(pty_wait_gone(pty, "With") && pty_wait_gone(pty, "edited"));
    pty_stop(pty);
}

int main(void)
{
    test_contrast();
    test_foil();
    test_mix();
    return test_end();
}
