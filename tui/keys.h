/* keys.h: which key does what.
 *
 * Owns the one table from which the screen acts, `?` lists and the man page is made.  A key is a character, a KEY_* of
 * curses, or one of the codes below.  Knows nothing of what the actions do. */
#ifndef TUI_KEYS_H
#define TUI_KEYS_H

#include <stddef.h>
#include <wchar.h>

enum action {
    ACTION_NONE,
    /* work */
    ACTION_CONTINUE, ACTION_CANCEL, ACTION_TOKENS_MORE, ACTION_TOKENS_LESS, ACTION_APPEND, ACTION_SAMPLE,
    ACTION_FORMER, ACTION_LATER, ACTION_HISTORY, ACTION_READ,
    /* how it is measured and shown */
    ACTION_UNITS, ACTION_IMAGE_UNITS, ACTION_FACTOR, ACTION_SUPPRESSION, ACTION_SIMILARITY, ACTION_CHAT,
    ACTION_SCALE, ACTION_COLOURS, ACTION_CONTRAST, ACTION_FOIL, ACTION_ZOOM, ACTION_SPECIALS, ACTION_PATHS,
    ACTION_PROOF, ACTION_PAIRS, ACTION_MARK,
    ACTION_MIX_UP, ACTION_MIX_DOWN, ACTION_MIX_RESET,
    ACTION_COMPARE, ACTION_PIN,
    /* the screen */
    ACTION_PANE, ACTION_OPEN, ACTION_DEVICE, ACTION_SAVE, ACTION_HELP, ACTION_REDRAW, ACTION_SUSPEND, ACTION_QUIT,
    /* pictures */
    ACTION_PICTURE_ADD, ACTION_PICTURE_REMOVE, ACTION_PICTURE_NEXT, ACTION_PICTURE_MODE,
    ACTION_HEAT_MORE, ACTION_HEAT_LESS,
    ACTION_PATCH_LEFT, ACTION_PATCH_RIGHT, ACTION_PATCH_UP, ACTION_PATCH_DOWN, ACTION_PATCH_BEST,
    /* choosing in the output */
    ACTION_TOKEN_LEFT, ACTION_TOKEN_RIGHT, ACTION_TOKEN_FIRST, ACTION_TOKEN_LAST,
    ACTION_CHOICE_UP, ACTION_CHOICE_DOWN,
    /* writing the prompt */
    ACTION_NEWLINE, ACTION_LEFT, ACTION_RIGHT, ACTION_UP, ACTION_DOWN, ACTION_PAGE_UP, ACTION_PAGE_DOWN,
    ACTION_WORD_LEFT, ACTION_WORD_RIGHT, ACTION_LINE_START, ACTION_LINE_END, ACTION_TEXT_START, ACTION_TEXT_END,
    ACTION_BACKSPACE, ACTION_DELETE, ACTION_KILL_WORD_BACK, ACTION_KILL_WORD, ACTION_KILL_START, ACTION_KILL_END,
    ACTION_YANK, ACTION_UNDO, ACTION_REDO,
    /* recordings */
    ACTION_RECORD, ACTION_REPLAY_PAUSE, ACTION_REPLAY_FASTER, ACTION_REPLAY_SLOWER, ACTION_REPLAY_BACK,
    ACTION_REPLAY_ON,
    ACTION_REPLAY_FORMER, ACTION_REPLAY_NEXT, ACTION_REPLAY_START, ACTION_REPLAY_END,
};

/* Where a key counts; the help's headings. */
enum key_place { PLACE_ANY, PLACE_OUTPUT, PLACE_PICTURE, PLACE_EDITOR, PLACE_REPLAY };

/* Added to a key typed with Alt or behind Esc; to a character from 128 on, which would look like a KEY_*; and to one
 * that was pasted, not typed. */
enum { KEY_ALT = 1 << 24, KEY_TEXT = 1 << 25, KEY_PASTED = 1 << 26, KEY_CHARACTER = (1 << 21) - 1 };

/* Keys that curses has no number for; terminal.c teaches them to it. */
enum key_own {
    KEY_OWN = 2000, /* beyond what curses gives out, within the 16 bits that it keeps */
    KEY_CONTROL_LEFT, KEY_CONTROL_RIGHT, KEY_CONTROL_HOME, KEY_CONTROL_END, KEY_ALT_UP, KEY_ALT_DOWN,
    KEY_PASTE_START, KEY_PASTE_END, /* brackets around pasted text */
    KEY_LATE_CSI, KEY_LATE_OSC,     /* the beginning of a late answer of the terminal */
    KEY_CLICK, KEY_WHEEL_UP, KEY_WHEEL_DOWN,
};

enum { KEYS_PER_ACTION = 4 };

struct key_binding {
    enum action action;
    enum key_place place;
    int keys[KEYS_PER_ACTION];
    const char *help;
};

/* The table, in the order of the help. */
const struct key_binding *keys_table(size_t *count);
const char *keys_place_name(enum key_place);

/* What a key means in a place (never PLACE_ANY). */
enum action keys_action(int key, enum key_place);
/* "^R", "Alt-Enter", "F5", "Page Up" ...; needs 24 bytes. */
void keys_name(int key, char *name, size_t size);
/* All keys of a row: "Enter, F5, ^R"; needs 96 bytes. */
void keys_names(const struct key_binding *, char *names, size_t size);

#endif
