#include "tui/editor.h"

#include <stdlib.h>
#include <string.h>

enum { CHANGES = 500 }; /* that can be undone */

/* At byte `at`, `removed` bytes were replaced by `added`; both are kept, one behind the other. */
struct editor_change {
    size_t at, removed, added;
    char *bytes;
};

static void drop_changes(struct editor *editor, size_t from)
{
    for (size_t i = from; i < editor->change_count; i++)
        free(editor->changes[i].bytes);
    editor->change_count = from;
}

void editor_free(struct editor *editor)
{
    drop_changes(editor, 0);
    free(editor->changes);
    free(editor->text);
    free(editor->killed);
    *editor = (struct editor){0};
}

/* Exchange `removed` bytes at `at` for others. */
static bool splice(struct editor *editor, size_t at, size_t removed, const char *added, size_t length)
{
    size_t wanted = editor->length - removed + length;
    if (wanted > editor->capacity) {
        char *text = realloc(editor->text, 2 * wanted);
        if (!text)
            return false;
        editor->text = text;
        editor->capacity = 2 * wanted;
    }
    if (wanted > 0) {
        memmove(editor->text + at + length, editor->text + at + removed, editor->length - at - removed);
        if (length > 0)
            memcpy(editor->text + at, added, length);
    }
    editor->length = wanted;
    editor->cursor = at + length;
    editor->goal = -1;
    return true;
}

/* Room for one more change at the end of those done; what was undone is forgotten. */
static struct editor_change *new_change(struct editor *editor)
{
    if (!editor->changes && !(editor->changes = calloc(CHANGES, sizeof *editor->changes)))
        return NULL;
    drop_changes(editor, editor->change_done);
    if (editor->change_count == CHANGES) {
        free(editor->changes[0].bytes);
        memmove(editor->changes, editor->changes + 1, (CHANGES - 1) * sizeof *editor->changes);
        editor->change_count = --editor->change_done;
    }
    return &editor->changes[editor->change_count];
}

/* Typed characters that follow each other are one change, a word with the spaces before it; pasted ones all are. */
static bool merge_change(struct editor *editor, enum editor_kind kind, size_t at, const char *added, size_t length)
{
    struct editor_change *last = editor->change_done ? &editor->changes[editor->change_done - 1] : NULL;
    if (kind == EDITOR_OTHER || kind != editor->last || !last || last->removed > 0 || last->at + last->added != at ||
        editor->change_done != editor->change_count)
        return false;
    if (kind == EDITOR_TYPED && last->bytes[last->added - 1] != ' ' && *added == ' ')
        return false;
    char *bytes = realloc(last->bytes, last->added + length);
    if (!bytes)
        return false;
    memcpy(bytes + last->added, added, length);
    last->bytes = bytes;
    last->added += length;
    return true;
}

/* Replace and remember how to undo it. */
static void change(struct editor *editor, size_t at, size_t removed, const char *added, size_t length,
                   enum editor_kind kind)
{
    if (removed + length == 0)
        return;
    if (length > 0 && removed == 0 && merge_change(editor, kind, at, added, length)) {
        if (!splice(editor, at, 0, added, length))
            editor->changes[editor->change_done - 1].added -= length;
        return;
    }
    struct editor_change *new = new_change(editor);
    char *bytes = new ? malloc(removed + length) : NULL;
    if (!bytes)
        return;
    if (removed > 0)
        memcpy(bytes, editor->text + at, removed);
    if (length > 0)
        memcpy(bytes + removed, added, length);
    if (!splice(editor, at, removed, added, length)) {
        free(bytes);
        return;
    }
    *new = (struct editor_change){at, removed, length, bytes};
    editor->change_done = ++editor->change_count;
    editor->last = kind;
}

void editor_set(struct editor *editor, const char *text, size_t length)
{
    change(editor, 0, editor->length, text, length, EDITOR_OTHER);
    editor->killing = false;
}

void editor_insert(struct editor *editor, const char *text, size_t length)
{
    change(editor, editor->cursor, 0, text, length, EDITOR_TYPED);
    editor->killing = false;
}

void editor_paste(struct editor *editor, const char *text, size_t length)
{
    change(editor, editor->cursor, 0, text, length, EDITOR_PASTED);
    editor->killing = false;
}

bool editor_undo(struct editor *editor)
{
    if (editor->change_done == 0)
        return false;
    struct editor_change *last = &editor->changes[editor->change_done - 1];
    editor->last = EDITOR_OTHER;
    editor->killing = false;
    if (!splice(editor, last->at, last->added, last->bytes, last->removed))
        return false;
    editor->change_done--;
    return true;
}

bool editor_redo(struct editor *editor)
{
    if (editor->change_done == editor->change_count)
        return false;
    struct editor_change *next = &editor->changes[editor->change_done];
    editor->last = EDITOR_OTHER;
    editor->killing = false;
    if (!splice(editor, next->at, next->removed, next->bytes + next->removed, next->added))
        return false;
    editor->change_done++;
    return true;
}

/* -- moving -------------------------------------------------------------------------------------------------------- */

/* Whatever is not a plain ASCII sign belongs to a word. */
static bool in_word(const struct editor *editor, size_t at)
{
    unsigned char c = editor->text[at];
    return c >= 0x80 || (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_';
}

static size_t target_of(const struct editor *editor, enum editor_motion motion)
{
    size_t at = editor->cursor, length = editor->length;
    const char *text = editor->text;
    switch (motion) {
    case MOTION_LEFT:
        return layout_previous(text, length, at);
    case MOTION_RIGHT:
        return layout_next(text, length, at);
    case MOTION_WORD_LEFT:
        while (at > 0 && !in_word(editor, at - 1))
            at--;
        while (at > 0 && in_word(editor, at - 1))
            at--;
        return at;
    case MOTION_WORD_RIGHT:
        while (at < length && !in_word(editor, at))
            at++;
        while (at < length && in_word(editor, at))
            at++;
        return at;
    case MOTION_LINE_START:
        while (at > 0 && text[at - 1] != '\n')
            at--;
        return at;
    case MOTION_LINE_END:
        while (at < length && text[at] != '\n')
            at++;
        return at;
    case MOTION_TEXT_START:
        return 0;
    default:
        return length;
    }
}

void editor_move_to(struct editor *editor, size_t byte)
{
    editor->cursor = byte < editor->length ? byte : editor->length;
    editor->goal = -1;
    editor->last = EDITOR_OTHER;
    editor->killing = false;
}

void editor_move(struct editor *editor, enum editor_motion motion)
{
    editor_move_to(editor, target_of(editor, motion));
}

void editor_move_rows(struct editor *editor, const struct layout *layout, int rows)
{
    int row, column, goal = editor->goal;
    layout_place(layout, editor->cursor, &row, &column);
    if (goal < 0)
        goal = column;
    row += rows;
    editor_move_to(editor, layout_byte(layout, row < 0 ? 0 : row > layout->end_row ? layout->end_row : row, goal));
    editor->goal = goal;
}

/* -- killing ------------------------------------------------------------------------------------------------------- */

/* Keep bytes first .. last: alone, or added on their side to what was killed just before. */
static void keep(struct editor *editor, size_t first, size_t last)
{
    size_t length = last - first, before = editor->killing ? editor->killed_length : 0;
    char *killed = malloc(before + length);
    if (!killed)
        return;
    bool backward = first < editor->cursor;
    if (before > 0)
        memcpy(killed + (backward ? length : 0), editor->killed, before);
    memcpy(killed + (backward ? 0 : before), editor->text + first, length);
    free(editor->killed);
    editor->killed = killed;
    editor->killed_length = before + length;
}

void editor_erase(struct editor *editor, enum editor_motion motion, bool kill)
{
    size_t cursor = editor->cursor, target = target_of(editor, motion);
    if (kill && target == cursor && motion == MOTION_LINE_END)
        target = target_of(editor, MOTION_RIGHT); /* at a line's end: join it with the next */
    size_t first = target < cursor ? target : cursor, last = target < cursor ? cursor : target;
    if (first == last)
        return;
    if (kill)
        keep(editor, first, last);
    change(editor, first, last - first, NULL, 0, EDITOR_OTHER);
    editor->killing = kill;
}

void editor_yank(struct editor *editor)
{
    if (editor->killed_length > 0)
        change(editor, editor->cursor, 0, editor->killed, editor->killed_length, EDITOR_OTHER);
    editor->killing = false;
}
