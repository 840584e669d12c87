/* terminal_keys.c: what comes from the terminal, byte by byte, as keys and characters.
 *
 * Characters are put together here and not by curses' wget_wch(), which drops one whose bytes come in two packets, as
 * over SSH they may, and with it up to 24 bytes that follow.  The locale's encoding is always UTF-8: terminal.c sees to
 * it. */
#include "tui/terminal.h"

#include <curses.h>
#include <string.h>

#include "tui/keys.h"
#include "tui/text.h"

enum { REPLACEMENT = 0xfffd, PASTE_END_LENGTH = 6 };

/* The next byte, or a key of curses' (256 and more), or -1. */
static int next_byte(struct terminal *terminal)
{
    int c = terminal->put_back;
    terminal->put_back = 0;
    if (c)
        return c;
    if (terminal->typed_count > 0) {
        c = (unsigned char)terminal->typed[0];
        memmove(terminal->typed, terminal->typed + 1, --terminal->typed_count);
        return c;
    }
    c = wgetch(terminal->pad);
    return c == ERR ? -1 : c;
}

static int character_of(const char *text, size_t length)
{
    int c = (unsigned char)text[0] & (0xff >> (length + 1));
    for (size_t i = 1; i < length; i++)
        c = c << 6 | ((unsigned char)text[i] & 63);
    return c | KEY_TEXT;
}

/* The next key that waits, or -1; a character whose rest has not come yet waits for it.  What is not UTF-8 becomes
 * U+FFFD, and takes nothing that follows along. */
static int next_raw(struct terminal *terminal)
{
    for (;;) {
        bool valid, cut;
        int c = next_byte(terminal);
        if (c < 0 || (terminal->partial_length == 0 && (c < 128 || c > 255)))
            return c;
        if (c <= 255) {
            terminal->partial[terminal->partial_length++] = (char)c;
            size_t length = text_character(terminal->partial, terminal->partial_length, &valid, &cut);
            if (cut)
                continue;
            if (valid) {
                terminal->partial_length = 0;
                return character_of(terminal->partial, length);
            }
        }
        if (c > 255 || terminal->partial_length > 1)
            terminal->put_back = c;
        terminal->partial_length = 0;
        return REPLACEMENT | KEY_TEXT;
    }
}

/* true while the key belongs to an answer of the terminal, one that came late or that to a picture. */
static bool swallow(struct terminal *terminal, int key)
{
    if (key == KEY_LATE_CSI || key == KEY_LATE_OSC) {
        terminal->swallow = key;
        terminal->answer_length = 0;
        return true;
    }
    if (!terminal->swallow)
        return false;
    if (terminal->answer_length + 1 < sizeof terminal->answer)
        terminal->answer[terminal->answer_length++] = (char)key;
    bool last = terminal->swallow == KEY_LATE_OSC ? key == 7 || key == '\\' : key >= 0x40 && key <= 0x7e;
    if (last) {
        terminal->answer[terminal->answer_length] = '\0';
        if (terminal->swallow == KEY_LATE_CSI)
            terminal_take_answer(terminal, terminal->answer);
        terminal->swallow = 0;
    }
    return true;
}

static void read_mouse(struct key *key)
{
    MEVENT event;
    key->key = 0;
    if (getmouse(&event) != OK)
        return;
    key->row = event.y;
    key->column = event.x;
    key->key = event.bstate & BUTTON1_PRESSED   ? KEY_CLICK
               : event.bstate & BUTTON4_PRESSED ? KEY_WHEEL_UP
               : event.bstate & BUTTON5_PRESSED ? KEY_WHEEL_DOWN
                                                : 0;
}

static bool is_character(int key)
{
    return key & KEY_TEXT || (key >= ' ' && key < 127);
}

/* Put Esc and the key right behind it together; drop sequences that are unknown.  keys are all of one burst. */
static void join_escapes(struct terminal *terminal)
{
    size_t to = 0;
    for (size_t i = 0; i < terminal->key_count; i++) {
        struct key key = terminal->keys[i];
        int next = i + 1 < terminal->key_count ? terminal->keys[i + 1].key : -1;
        if (key.key == 27 && (next == '[' || next == 'O') && i + 2 < terminal->key_count) {
            for (i += 2; i < terminal->key_count && (terminal->keys[i].key < 0x40 || terminal->keys[i].key > 0x7e);)
                i++;
            continue;
        }
        if (key.key == 27 && next >= 0 && next != 27 && next < KEY_OWN) { /* no click, no pasted text */
            key.key = KEY_ALT | next;
            i++;
        }
        terminal->keys[to++] = key;
    }
    terminal->key_count = to;
}

/* A terminal that does not bracket what is pasted: an Enter in the middle of a burst that no fingers type is a newline.
 */
static void find_paste(struct terminal *terminal)
{
    for (size_t i = 1; terminal->key_count > 16 && i + 1 < terminal->key_count; i++) {
        if (terminal->keys[i].key == '\r' && is_character(terminal->keys[i - 1].key) &&
            is_character(terminal->keys[i + 1].key))
            terminal->keys[i].key = KEY_PASTED | '\n';
    }
}

static void add_key(struct terminal *terminal, struct key key)
{
    if (key.key && terminal->key_count < TERMINAL_KEYS)
        terminal->keys[terminal->key_count++] = key;
}

/* A key within what is pasted, of which only text counts.  The sequence that ends it may come in two packets; curses,
 * which waits no longer, then gives it out as Esc and text. */
static void add_pasted(struct terminal *terminal, int key)
{
    static const char end[] = "\033[201~";
    int c = key == '\r' ? '\n' : key;
    if (key == end[terminal->paste_end]) {
        terminal->paste_end++;
        if (!end[terminal->paste_end]) {
            terminal->pasting = false;
            terminal->paste_end = 0;
        }
        return;
    }
    for (size_t i = 1; i < terminal->paste_end; i++) /* it was not that */
        add_key(terminal, (struct key){.key = KEY_PASTED | end[i]});
    terminal->paste_end = key == end[0];
    if (c == '\n' || c == '\t' || (c >= ' ' && c < 127) || c & KEY_TEXT)
        add_key(terminal, (struct key){.key = KEY_PASTED | c});
}

void terminal_read(struct terminal *terminal)
{
    terminal->key_count = 0;
    while (terminal->key_count + PASTE_END_LENGTH < TERMINAL_KEYS) {
        struct key key = {.key = next_raw(terminal)};
        if (key.key < 0)
            break;
        if (key.key == KEY_PASTE_START || key.key == KEY_PASTE_END) {
            terminal->pasting = key.key == KEY_PASTE_START;
            terminal->paste_end = 0;
            continue;
        }
        if (swallow(terminal, key.key))
            continue;
        if (terminal->pasting) {
            add_pasted(terminal, key.key);
            continue;
        }
        if (key.key == KEY_MOUSE)
            read_mouse(&key);
        add_key(terminal, key);
    }
    join_escapes(terminal);
    find_paste(terminal);
}
