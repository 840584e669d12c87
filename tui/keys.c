#include "tui/keys.h"

#include <curses.h>
#include <stdio.h>
#include <string.h>

enum { ENTER = '\r', ESCAPE = 27, DELETE = 127 };
#define CONTROL(letter) ((letter) & 31)
#define ALT(key) (KEY_ALT | (key))

static const struct key_binding table[] = {
    {ACTION_CONTINUE, PLACE_ANY, {ENTER, KEY_F(5), CONTROL('R')}, "continue the prompt and measure what it rests on"},
    {ACTION_CANCEL, PLACE_ANY, {ESCAPE, CONTROL('C')}, "stop the work; ^C again when idle: quit"},
    {ACTION_PANE, PLACE_ANY, {'\t', KEY_BTAB}, "go to the output, the picture, back to the prompt"},
    {ACTION_HELP, PLACE_ANY, {KEY_F(1)}, "this list"},
    {ACTION_QUIT, PLACE_ANY, {CONTROL('Q'), KEY_F(10)}, "quit"},
    {ACTION_UNITS, PLACE_ANY, {KEY_F(2)}, "units: token, word, sentence, paragraph, auto"},
    {ACTION_ZOOM, PLACE_ANY, {ALT('z')}, "zoom into a unit; at the finest, back out"},
    {ACTION_TOKENS_LESS, PLACE_ANY, {KEY_F(7)}, "shorter output"},
    {ACTION_TOKENS_MORE, PLACE_ANY, {KEY_F(8)}, "longer output"},
    {ACTION_COMPARE, PLACE_ANY, {ALT('w')}, "what changed by an edit; then both side by side"},
    {ACTION_PIN, PLACE_ANY, {ALT('m')}, "pin: compare what follows with this; unpin"},
    {ACTION_PROOF, PLACE_ANY, {ALT('e')}, "proof: the strongest words deleted; what flips it"},
    {ACTION_PAIRS, PLACE_ANY, {ALT('a')}, "pairs: how the strongest units act together"},
    {ACTION_SAVE, PLACE_ANY, {CONTROL('S')}, "save: .html, .json, .txt, .ansi, .png or .svg"},
    {ACTION_SAMPLE, PLACE_ANY, {CONTROL('T')}, "try the next sample prompt"},
    {ACTION_FORMER, PLACE_ANY, {ALT('p')}, "the prompt measured before this one"},
    {ACTION_LATER, PLACE_ANY, {ALT('n')}, "the next one; at last what was being typed"},
    {ACTION_HISTORY, PLACE_ANY, {ALT('h')}, "list of former prompts, also of earlier sessions"},
    {ACTION_READ, PLACE_ANY, {ALT('o')}, "read the prompt from a text file"},
    {ACTION_PICTURE_ADD, PLACE_ANY, {CONTROL('G')}, "add a picture to the prompt"},
    {ACTION_PICTURE_MODE, PLACE_ANY, {CONTROL('V')}, "picture and heat, the picture alone, the heat alone"},
    {ACTION_IMAGE_UNITS, PLACE_ANY, {KEY_F(12)}, "units of pictures: patch, 2x2, 4x4, whole, auto"},
    {ACTION_OPEN, PLACE_ANY, {CONTROL('O'), KEY_F(9)}, "open another model"},
    {ACTION_PATHS, PLACE_ANY, {ALT('v')}, "all paths, a token's own attention only, or the rest"},
    {ACTION_SPECIALS, PLACE_ANY, {ALT('s')}, "special tokens around the text: shown, folded away"},
    {ACTION_CHAT, PLACE_ANY, {ALT('c')}, "the chat template around the prompt, or none"},
    {ACTION_MIX_RESET, PLACE_ANY, {ALT('0')}, "mix: set all units back"},
    {ACTION_COLOURS, PLACE_ANY, {ALT('C')}, "colours: blue-orange, blue-red, purple-green, grey"},
    {ACTION_FACTOR, PLACE_ANY, {KEY_F(3)}, "factor of the attention to a unit"},
    {ACTION_SUPPRESSION, PLACE_ANY, {KEY_F(4)}, "variant of the suppression"},
    {ACTION_SIMILARITY, PLACE_ANY, {KEY_F(6)}, "suppress similar tokens along, from this cosine on"},
    {ACTION_DEVICE, PLACE_ANY, {CONTROL('X')}, "compute on the CPU, or on the card again"},
    {ACTION_RECORD, PLACE_ANY, {ALT('R')}, "record what happens to a file; again: stop"},
    {ACTION_REDRAW, PLACE_ANY, {CONTROL('L')}, "draw the screen anew"},
    {ACTION_SUSPEND, PLACE_ANY, {CONTROL('Z')}, "suspend; fg comes back"},

    {ACTION_TOKEN_LEFT, PLACE_OUTPUT, {KEY_LEFT, 'h'}, "choose the token before"},
    {ACTION_TOKEN_RIGHT, PLACE_OUTPUT, {KEY_RIGHT, 'l'}, "choose the next token"},
    {ACTION_CHOICE_UP, PLACE_OUTPUT, {KEY_UP, 'k'}, "ask for a likelier candidate"},
    {ACTION_CHOICE_DOWN, PLACE_OUTPUT, {KEY_DOWN, 'j'}, "ask for a less likely candidate"},
    {ACTION_CONTRAST, PLACE_OUTPUT, {'r'}, "why this, not the model's choice or its runner-up"},
    {ACTION_FOIL, PLACE_OUTPUT, {'t'}, "type what could stand here, and compare with it"},
    {ACTION_UNITS, PLACE_OUTPUT, {'u'}, "units: token, word, sentence, paragraph, auto"},
    {ACTION_ZOOM, PLACE_OUTPUT, {'z'}, "zoom into the strongest unit that can be cut finer"},
    {ACTION_PROOF, PLACE_OUTPUT, {'e'}, "proof: the strongest words deleted; what flips it"},
    {ACTION_PAIRS, PLACE_OUTPUT, {'b'}, "pairs: how the strongest units act together"},
    {ACTION_COMPARE, PLACE_OUTPUT, {'w'}, "what changed by an edit; then both side by side"},
    {ACTION_PIN, PLACE_OUTPUT, {'m'}, "pin: compare what follows with this; unpin"},
    {ACTION_APPEND, PLACE_OUTPUT, {'a'}, "take the output up to this choice into the prompt"},
    {ACTION_TOKENS_LESS, PLACE_OUTPUT, {'-'}, "shorter output"},
    {ACTION_TOKENS_MORE, PLACE_OUTPUT, {'+', '='}, "longer output"},
    {ACTION_TOKEN_FIRST, PLACE_OUTPUT, {KEY_HOME, 'g'}, "choose the first token"},
    {ACTION_TOKEN_LAST, PLACE_OUTPUT, {KEY_END, 'G'}, "choose the last token"},
    {ACTION_HELP, PLACE_OUTPUT, {'?'}, "this list"},
    {ACTION_QUIT, PLACE_OUTPUT, {'q'}, "quit"},
    {ACTION_SCALE, PLACE_OUTPUT, {'c'}, "colour scale: each token's own, or one for all"},
    {ACTION_PATHS, PLACE_OUTPUT, {'p'}, "all paths, a token's own attention only, or the rest"},
    {ACTION_COLOURS, PLACE_OUTPUT, {'C'}, "colours: blue-orange, blue-red, purple-green, grey"},
    {ACTION_SPECIALS, PLACE_OUTPUT, {'S'}, "special tokens around the text: shown, folded away"},
    {ACTION_IMAGE_UNITS, PLACE_OUTPUT, {'U'}, "units of pictures: patch, 2x2, 4x4, whole, auto"},
    {ACTION_FACTOR, PLACE_OUTPUT, {'f'}, "factor of the attention to a unit"},
    {ACTION_SUPPRESSION, PLACE_OUTPUT, {'v'}, "variant of the suppression"},
    {ACTION_SIMILARITY, PLACE_OUTPUT, {'s'}, "suppress similar tokens along, from this cosine on"},
    {ACTION_RECORD, PLACE_OUTPUT, {'R'}, "record what happens to a file; again: stop"},
    {ACTION_OPEN, PLACE_OUTPUT, {'o'}, "open another model"},

    {ACTION_PATCH_LEFT, PLACE_PICTURE, {KEY_LEFT, 'h'}, "choose the patch to the left"},
    {ACTION_PATCH_RIGHT, PLACE_PICTURE, {KEY_RIGHT, 'l'}, "choose the patch to the right"},
    {ACTION_PATCH_UP, PLACE_PICTURE, {KEY_UP, 'k'}, "choose the patch above"},
    {ACTION_PATCH_DOWN, PLACE_PICTURE, {KEY_DOWN, 'j'}, "choose the patch below"},
    {ACTION_PATCH_BEST, PLACE_PICTURE, {KEY_HOME, 'g'}, "the patch that weighs most; again: the next"},
    {ACTION_PICTURE_MODE, PLACE_PICTURE, {'v'}, "both, the picture or the heat"},
    {ACTION_HEAT_MORE, PLACE_PICTURE, {'+', '='}, "stronger heat over the picture"},
    {ACTION_HEAT_LESS, PLACE_PICTURE, {'-'}, "weaker heat"},
    {ACTION_PICTURE_NEXT, PLACE_PICTURE, {'n', KEY_NPAGE}, "the next picture of the prompt"},
    {ACTION_PICTURE_REMOVE, PLACE_PICTURE, {'d', KEY_DC}, "take this picture out of the prompt"},
    {ACTION_TOKEN_LEFT, PLACE_PICTURE, {'<', ','}, "choose the output token before"},
    {ACTION_TOKEN_RIGHT, PLACE_PICTURE, {'>', '.'}, "choose the next output token"},
    {ACTION_MIX_UP, PLACE_PICTURE, {KEY_ALT_UP, ALT(KEY_UP), ALT('+'), ALT('=')}, "mix: this patch counts more"},
    {ACTION_MIX_DOWN, PLACE_PICTURE, {KEY_ALT_DOWN, ALT(KEY_DOWN), ALT('-')}, "mix: this patch counts less"},
    {ACTION_MARK, PLACE_PICTURE, {ALT('x')}, "mark a patch; on another: the two together"},
    {ACTION_IMAGE_UNITS, PLACE_PICTURE, {'u', 'U'}, "units of pictures"},
    {ACTION_OPEN, PLACE_PICTURE, {'o'}, "open another model"},
    {ACTION_HELP, PLACE_PICTURE, {'?'}, "this list"},
    {ACTION_QUIT, PLACE_PICTURE, {'q'}, "quit"},

    {ACTION_MIX_UP, PLACE_EDITOR, {KEY_ALT_UP, ALT(KEY_UP), ALT('+'), ALT('=')}, "mix: this unit counts more, to 4x"},
    {ACTION_MIX_DOWN, PLACE_EDITOR, {KEY_ALT_DOWN, ALT(KEY_DOWN), ALT('-')}, "mix: this unit counts less, to 0"},
    {ACTION_MARK, PLACE_EDITOR, {ALT('x')}, "mark a unit; on another: how the two act together"},
    {ACTION_NEWLINE, PLACE_EDITOR, {CONTROL('J'), ALT(ENTER)}, "new line"},
    {ACTION_LEFT, PLACE_EDITOR, {KEY_LEFT, CONTROL('B')}, "left"},
    {ACTION_RIGHT, PLACE_EDITOR, {KEY_RIGHT, CONTROL('F')}, "right"},
    {ACTION_UP, PLACE_EDITOR, {KEY_UP, CONTROL('P')}, "up"},
    {ACTION_DOWN, PLACE_EDITOR, {KEY_DOWN, CONTROL('N')}, "down"},
    {ACTION_WORD_LEFT, PLACE_EDITOR, {KEY_CONTROL_LEFT, ALT('b')}, "a word left"},
    {ACTION_WORD_RIGHT, PLACE_EDITOR, {KEY_CONTROL_RIGHT, ALT('f')}, "a word right"},
    {ACTION_LINE_START, PLACE_EDITOR, {KEY_HOME, CONTROL('A')}, "start of the line"},
    {ACTION_LINE_END, PLACE_EDITOR, {KEY_END, CONTROL('E')}, "end of the line"},
    {ACTION_TEXT_START, PLACE_EDITOR, {KEY_CONTROL_HOME, ALT('<')}, "start of the prompt"},
    {ACTION_TEXT_END, PLACE_EDITOR, {KEY_CONTROL_END, ALT('>')}, "end of the prompt"},
    {ACTION_PAGE_UP, PLACE_EDITOR, {KEY_PPAGE}, "a page up"},
    {ACTION_PAGE_DOWN, PLACE_EDITOR, {KEY_NPAGE}, "a page down"},
    {ACTION_BACKSPACE, PLACE_EDITOR, {KEY_BACKSPACE, DELETE, CONTROL('H')}, "erase the character before"},
    {ACTION_DELETE, PLACE_EDITOR, {KEY_DC, CONTROL('D')}, "erase the character under the cursor"},
    {ACTION_KILL_WORD_BACK, PLACE_EDITOR, {CONTROL('W'), ALT(DELETE), ALT(KEY_BACKSPACE)}, "cut the word before"},
    {ACTION_KILL_WORD, PLACE_EDITOR, {ALT('d')}, "cut the word behind"},
    {ACTION_KILL_START, PLACE_EDITOR, {CONTROL('U')}, "cut to the start of the line"},
    {ACTION_KILL_END, PLACE_EDITOR, {CONTROL('K')}, "cut to the end of the line"},
    {ACTION_YANK, PLACE_EDITOR, {CONTROL('Y')}, "paste what was cut"},
    {ACTION_UNDO, PLACE_EDITOR, {CONTROL('_'), ALT('u')}, "undo"},
    {ACTION_REDO, PLACE_EDITOR, {ALT('r')}, "do again"},

    {ACTION_REPLAY_PAUSE, PLACE_REPLAY, {' '}, "pause, and look around with all keys that need no model; go on"},
    {ACTION_REPLAY_BACK, PLACE_REPLAY, {'[', KEY_LEFT}, "5 seconds back; paused, Left looks around"},
    {ACTION_REPLAY_ON, PLACE_REPLAY, {']', KEY_RIGHT}, "5 seconds on"},
    {ACTION_REPLAY_FORMER, PLACE_REPLAY, {KEY_PPAGE, '{'}, "back to the end of the explanation before"},
    {ACTION_REPLAY_NEXT, PLACE_REPLAY, {KEY_NPAGE, '}'}, "on to the end of the next explanation"},
    {ACTION_REPLAY_START, PLACE_REPLAY, {KEY_HOME, '0'}, "to the beginning"},
    {ACTION_REPLAY_END, PLACE_REPLAY, {KEY_END, '$'}, "to the end"},
    {ACTION_REPLAY_FASTER, PLACE_REPLAY, {'+', '='}, "faster, up to 16 times"},
    {ACTION_REPLAY_SLOWER, PLACE_REPLAY, {'-'}, "slower, down to a quarter"},
    {ACTION_HELP, PLACE_REPLAY, {'?'}, "this list"},
    {ACTION_QUIT, PLACE_REPLAY, {'q'}, "quit"},
};
enum { ROWS = sizeof table / sizeof *table };

const struct key_binding *keys_table(size_t *count)
{
    *count = ROWS;
    return table;
}

const char *keys_place_name(enum key_place place)
{
    static const char *const names[] = {"Everywhere", "In the output", "In the picture", "In the prompt",
                                        "While a recording is played"};
    return names[place];
}

enum action keys_action(int key, enum key_place place)
{
    if (key == KEY_ENTER)
        key = ENTER;
    for (size_t i = 0; i < ROWS; i++)
        for (int k = 0; k < KEYS_PER_ACTION && table[i].keys[k]; k++)
            if (table[i].keys[k] == key && (table[i].place == place || table[i].place == PLACE_ANY))
                return table[i].action;
    return ACTION_NONE;
}

void keys_name(int key, char *name, size_t size)
{
    static const struct {
        int key;
        const char *name;
    } names[] = {
        {ENTER, "Enter"}, {ESCAPE, "Esc"}, {' ', "Space"}, {DELETE, "Backspace"}, {KEY_BACKSPACE, "Backspace"},
        {'\t', "Tab"},
        {KEY_BTAB, "Shift-Tab"}, {KEY_LEFT, "Left"}, {KEY_RIGHT, "Right"}, {KEY_UP, "Up"}, {KEY_DOWN, "Down"},
        {KEY_HOME, "Home"}, {KEY_END, "End"}, {KEY_PPAGE, "Page Up"}, {KEY_NPAGE, "Page Down"}, {KEY_DC, "Delete"},
        {KEY_CONTROL_LEFT, "Ctrl-Left"}, {KEY_CONTROL_RIGHT, "Ctrl-Right"}, {KEY_CONTROL_HOME, "Ctrl-Home"},
        {KEY_CONTROL_END, "Ctrl-End"}, {KEY_ALT_UP, "Alt-Up"}, {KEY_ALT_DOWN, "Alt-Down"},
    };
    const char *alt = key & KEY_ALT ? "Alt-" : "";
    int plain = *alt ? key & ~KEY_ALT : key;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (names[i].key == plain) {
            snprintf(name, size, "%s%s", alt, names[i].name);
            return;
        }
    if (plain >= KEY_F0 && plain <= KEY_F(63))
        snprintf(name, size, "%sF%d", alt, plain - KEY_F0);
    else if (plain >= 0 && plain < 32)
        snprintf(name, size, "%s^%c", alt, plain + 64);
    else
        snprintf(name, size, "%s%c", alt, plain);
}

void keys_names(const struct key_binding *binding, char *names, size_t size)
{
    char name[24], seen[24] = "";
    size_t used = 0;
    names[0] = '\0';
    for (int k = 0; k < KEYS_PER_ACTION && binding->keys[k]; k++) {
        keys_name(binding->keys[k], name, sizeof name);
        if (strcmp(name, seen) == 0)
            continue; /* two codes of one key */
        used += (size_t)snprintf(names + used, size - used, "%s%s", used ? ", " : "", name);
        memcpy(seen, name, sizeof seen);
    }
}
