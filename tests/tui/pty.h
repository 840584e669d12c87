/* pty.h: a program in a terminal of our own: keys go in, the screen is read back.
 *
 * The terminal is libvterm behind a pseudo-terminal.  What libvterm does not understand (device control strings, as
 * pictures are) is taken out of the stream before and kept, and questions are answered here, so that a test says what
 * kind of terminal it is.  Tests wait for what should be seen, never for a time. */
#ifndef TESTS_TUI_PTY_H
#define TESTS_TUI_PTY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { PTY_PATIENCE = 20000 }; /* ms after which what is waited for will not come */

struct pty;

struct pty_options {
    const char *const *arguments;   /* NULL-terminated, the program first */
    const char *const *environment; /* "NAME=VALUE" or "NAME" (unset), NULL-terminated; NULL: as it is */
    int rows, columns;
    const char *background; /* answer to OSC 11, "rgb:ffff/ffff/ffff"; NULL: none */
    bool mute;              /* answers no question at all */
    bool sixel;             /* says that it draws pictures */
    int cell_width, cell_height; /* pixels of a cell; 0: it does not say */
    bool cell_asked;             /* it says so only when asked */
    int registers, side;         /* colours of a picture, its greatest width and height; 0: it does not say */
};

/* A picture that was drawn. */
struct pty_picture {
    char *bytes; /* the whole sequence */
    size_t length;
    int row, column; /* where the cursor stood */
};

struct pty_cell {
    uint32_t character[6]; /* Unicode, marks behind it; 0-terminated if there is room */
    int width;             /* 0: the right half of a wide character */
    int ink, background;   /* -1 the terminal's own, 0xRRGGBB, or PTY_INDEX + palette index */
    bool bold, underline, reverse;
};
enum { PTY_INDEX = 1 << 24 };

struct pty *pty_start(const struct pty_options *);
/* Ends the program if it still runs. */
void pty_stop(struct pty *);

void pty_send(struct pty *, const char *text);
void pty_send_bytes(struct pty *, const char *bytes, size_t length);
void pty_resize(struct pty *, int rows, int columns);
int pty_process(const struct pty *); /* id */

/* Read what comes until the condition holds: true, or false out of patience or because the program ended. */
bool pty_until(struct pty *, bool (*condition)(struct pty *, const void *), const void *data);
bool pty_wait(struct pty *, const char *text); /* the text is somewhere on the screen, in one row */
bool pty_wait_gone(struct pty *, const char *text);
/* Read whatever comes within ms; returns how many bytes that was. */
size_t pty_listen(struct pty *, int ms);
/* Hang up, as a lost connection does. */
void pty_hang_up(struct pty *);
/* Wait for the program's end; its wait status, or -1. */
int pty_wait_end(struct pty *);

/* A row's text without the spaces at its end; the next call overwrites it. */
const char *pty_row(struct pty *, int row);
/* All rows, each with a newline. */
const char *pty_screen(struct pty *);
bool pty_find(struct pty *, const char *text, int *row, int *column);
struct pty_cell pty_cell(struct pty *, int row, int column);
/* The cell in which a text begins; its background is -2 where there is none. */
struct pty_cell pty_cell_of(struct pty *, const char *text);
/* Wait until a text's background is a colour, or, inverted, another. */
bool pty_wait_background(struct pty *, const char *text, int background, bool inverted);
void pty_cursor(struct pty *, int *row, int *column, bool *visible);
size_t pty_received(const struct pty *); /* bytes so far */

/* How many pictures were drawn so far; the last one, NULL: none. */
int pty_pictures(const struct pty *);
const struct pty_picture *pty_picture(const struct pty *);
/* More pictures than so many were drawn. */
bool pty_wait_picture(struct pty *, int more_than);
/* How often text was written into these cells, from now on or since the last call. */
int pty_written(struct pty *, int row, int column, int rows, int columns);
/* Answer no more, or answer all that was asked meanwhile, as a slow line does. */
void pty_hold(struct pty *, bool hold);

/* How the program left its terminal. */
bool pty_alternate(const struct pty *); /* on the second screen */
bool pty_paste(const struct pty *);     /* pastes are bracketed */
bool pty_mouse(const struct pty *);
bool pty_alt(const struct pty *);    /* Alt and a key send Esc and the key, not another character as in a bare xterm */
bool pty_cooked(const struct pty *); /* lines are read, echoed, and ^C interrupts */

#endif
