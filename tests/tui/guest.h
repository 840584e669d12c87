/* guest.h: starting the screen over the engine without a model, for the programs that test it. */
#ifndef TESTS_TUI_GUEST_H
#define TESTS_TUI_GUEST_H

#include "tests/tui/pty.h"

/* What stands at the end of a run of the prompt that it begins with. */
#define DONE "26 probes in"

/* Keys as the terminals of the tests send them. */
#define LEFT "\033OD"
#define RIGHT "\033OC"
#define UP "\033OA"
#define DOWN "\033OB"
#define F(n)                                                                                                           \
    (n == 1 ? "\033OP" : n == 2 ? "\033OQ" : n == 3 ? "\033OR" : n == 4 ? "\033OS" : n == 6 ? "\033[17~" : "\033[19~")
#define CONTROL(letter) ((const char[]){(letter)&31, 0})

enum { GUEST_SETTINGS = 12 };

struct guest {
    int rows, columns;      /* 0: 24, 80 */
    const char *term;       /* NULL: xterm-256color */
    const char *model;      /* NULL: fake.gguf */
    const char *background; /* as pty_options */
    bool mute;
    bool sixel, cell_asked; /* and these */
    int cell_width, cell_height, registers, side;
    bool shell;                           /* behind bash, which is sent the command by the test */
    const char *settings[GUEST_SETTINGS]; /* "NAME=VALUE" */
};

/* The program's path: $FAKE_SCREEN or where make puts it. */
const char *guest_program(void);
struct pty *guest_start(const struct guest *);
/* The whole screen, without the signs of a scale whose colours do not tell its sides apart: that aside, screens of 16
 * colours are those of more.  The next call overwrites it. */
const char *guest_seen(struct pty *);
/* What the whole screen is to look like, when all has been drawn: the text of tests/tui/screens/NAME, "" where there is
 * no such file; or what it looks like, which is written there, where SCREENS_UPDATE is set. */
const char *guest_screen(struct pty *, const char *name);

#endif
