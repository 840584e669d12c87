/* terminal.h: the terminal as a guest finds it, and leaves it.
 *
 * Owns opening curses on it, what it can do (colours, background, characters), keys as they come in, and every way out:
 * quitting, signals, suspension and crashes all give it back as it was.  One terminal at a time; all calls by the
 * thread that opened it, which is the only one that takes the signals.  Draws nothing. */
#ifndef TUI_TERMINAL_H
#define TUI_TERMINAL_H

#include <stdbool.h>
#include <stddef.h>
#include <termios.h>

#include "gpu/error.h"
#include "tui/colour.h"

/* How pictures are drawn: in pixels, in halves of cells, not at all; GRAPHICS_AUTO: as the terminal can. */
enum terminal_graphics { GRAPHICS_AUTO, GRAPHICS_SIXEL, GRAPHICS_BLOCKS, GRAPHICS_NONE };

struct terminal_options {
    const char *term;          /* $TERM or NULL */
    const char *instead;       /* where the screen cannot be: what to do, "use --plain" */
    enum colour_depth depth;   /* what the environment says; the terminal's description may allow less */
    enum colour_ground ground; /* for a terminal that does not answer */
    enum scale scale;
    enum terminal_graphics graphics;
    bool tmux; /* a tmux is between us and the terminal */
};

struct key {
    int key;         /* as keys.h says */
    int row, column; /* of KEY_CLICK and the wheel */
};

enum { TERMINAL_KEYS = 4096 };

struct terminal {
    enum colour_depth depth;
    enum colour_ground ground;
    enum scale scale; /* as asked for */
    bool ascii;  /* the locale knows no other characters: draw none */
    bool direct; /* colours are 0xRRGGBB to curses */
    bool gone;   /* it was hung up */
    int rows, columns;
    enum terminal_graphics graphics;            /* never GRAPHICS_AUTO */
    bool learned;                      /* graphics changed by a late answer: whoever acts on it resets this */
    int cell_width, cell_height;       /* pixels; 0: not known */
    int registers;                     /* colours of a picture; 0: not known */
    int picture_width, picture_height; /* pixels at most; 0: not known */
    int fences;                        /* pictures that were sent and, as far as we know, are not drawn yet */
    bool shared;                       /* a tmux draws for it: text on the rows of a picture takes the picture away */
    struct key keys[TERMINAL_KEYS]; /* what terminal_read() read */
    size_t key_count;
    /* its own */
    struct termios saved;
    void *screen, *pad; /* curses: the screen; a window that keys are read through, as reading refreshes a window */
    bool pasting;
    size_t paste_end; /* bytes of the sequence that ends it, where that comes in pieces */
    enum terminal_graphics wanted;
    bool synchronised;   /* it can hold back drawing */
    bool alt_characters; /* Alt and a key gave another character, as in a bare xterm: it is told to send Esc and key */
    int swallow;         /* within an answer that came late: the key it began with */
    char answer[64];     /* what followed */
    size_t answer_length;
    char typed[256];
    size_t typed_count; /* keys typed before curses was there */
    char partial[4];    /* a character whose last bytes have not come yet */
    size_t partial_length;
    int put_back; /* the byte or key that showed that they will not come; 0: none */
};

/* What woke terminal_wait(). */
enum {
    WOKE_KEYS = 1,
    WOKE_RESIZE = 2,
    WOKE_STOP = 4,     /* call terminal_suspend() */
    WOKE_CONTINUE = 8, /* somebody else stopped us: the screen was cleared for drawing anew */
    WOKE_END = 16,     /* a signal or a hang-up wants us to go: terminal_signal() */
    WOKE_OTHER = 32,   /* first descriptor of `others`; the second is twice that, and so on */
};

/* ERROR_DEVICE without a terminal on stdin and stdout, or with one that cannot be used; the message says why.
 * Asks the terminal for its background and for what it knows of pictures, which takes as long as it answers, at most a
 * second.  An answer that comes later still counts. */
int terminal_open(struct terminal *, const struct terminal_options *, struct error *);
/* Give the terminal back.  May be called twice. */
void terminal_close(struct terminal *);
/* Give it back and stop this process; returns after `fg`. */
void terminal_suspend(struct terminal *);

/* Sleep until something happens or timeout_ms (-1: for ever) is over; others: descriptors to watch, -1: none. */
unsigned terminal_wait(struct terminal *, const int *others, int count, int timeout_ms);
/* Read all keys that wait, up to TERMINAL_KEYS, into keys. */
void terminal_read(struct terminal *);
/* Take the new size. */
void terminal_resize(struct terminal *);
/* The signal that wants us to go, or 0. */
int terminal_signal(void);

/* Send a picture's sequence (sixel.h) to be drawn from a cell on, over what curses has drawn, and ask behind it for an
 * answer: until that comes, `fences` counts it. */
void terminal_picture(struct terminal *, int row, int column, const char *bytes, size_t length);

/* -- its parts, for terminal.c ------------------------------------------------------------------------------------- */

/* Write to the terminal, past curses. */
void terminal_send(const char *bytes, size_t length);
/* What curses does not know of and we want of the terminal; off: as we found it. */
void terminal_switch_modes(const struct terminal *, bool on);
/* Ask and wait for the answers: terminal_ask.c.  Before curses is there. */
void terminal_ask(struct terminal *);
/* An answer to a question, from behind "CSI ?" on. */
void terminal_take_answer(struct terminal *, const char *answer);

#endif
