#include "tui/typing.h"

static size_t encode(int c, char *to)
{
    if (c < 0x80) {
        to[0] = (char)c;
        return 1;
    }
    int extra = c < 0x800 ? 1 : c < 0x10000 ? 2 : 3;
    static const unsigned char lead[] = {0, 0xc0, 0xe0, 0xf0};
    to[0] = (char)(lead[extra] | c >> 6 * extra);
    for (int i = 1; i <= extra; i++)
        to[i] = (char)(0x80 | (c >> 6 * (extra - i) & 63));
    return (size_t)extra + 1;
}

bool typing_is_text(const struct key *key)
{
    return !(key->key & KEY_ALT) && (key->key & (KEY_TEXT | KEY_PASTED) || (key->key >= ' ' && key->key < 127));
}

size_t typing_insert(struct editor *editor, const struct key *keys, size_t count)
{
    static char text[4 * TERMINAL_KEYS];
    size_t length = 0, i = 0;
    bool pasted = keys[0].key & KEY_PASTED;
    do {
        length += encode(keys[i].key & KEY_CHARACTER, text + length);
        i++;
    } while (pasted && i < count && keys[i].key & KEY_PASTED && typing_is_text(&keys[i]));
    if (pasted)
        editor_paste(editor, text, length);
    else
        editor_insert(editor, text, length);
    return i;
}

/* Actions that move the cursor, or erase or cut what it would move over. */
static const struct {
    enum action action;
    enum editor_motion motion;
    enum { MOVES, ERASES, CUTS } what;
} motions[] = {
    {ACTION_LEFT, MOTION_LEFT, MOVES},
    {ACTION_RIGHT, MOTION_RIGHT, MOVES},
    {ACTION_WORD_LEFT, MOTION_WORD_LEFT, MOVES},
    {ACTION_WORD_RIGHT, MOTION_WORD_RIGHT, MOVES},
    {ACTION_LINE_START, MOTION_LINE_START, MOVES},
    {ACTION_LINE_END, MOTION_LINE_END, MOVES},
    {ACTION_TEXT_START, MOTION_TEXT_START, MOVES},
    {ACTION_TEXT_END, MOTION_TEXT_END, MOVES},
    {ACTION_BACKSPACE, MOTION_LEFT, ERASES},
    {ACTION_DELETE, MOTION_RIGHT, ERASES},
    {ACTION_KILL_WORD_BACK, MOTION_WORD_LEFT, CUTS},
    {ACTION_KILL_WORD, MOTION_WORD_RIGHT, CUTS},
    {ACTION_KILL_START, MOTION_LINE_START, CUTS},
    {ACTION_KILL_END, MOTION_LINE_END, CUTS},
};

void typing_act(struct editor *editor, enum action action)
{
    if (action == ACTION_YANK)
        editor_yank(editor);
    else if (action == ACTION_UNDO)
        editor_undo(editor);
    else if (action == ACTION_REDO)
        editor_redo(editor);
    for (size_t i = 0; i < sizeof motions / sizeof *motions; i++)
        if (motions[i].action == action && motions[i].what == MOVES)
            editor_move(editor, motions[i].motion);
        else if (motions[i].action == action)
            editor_erase(editor, motions[i].motion, motions[i].what == CUTS);
}
