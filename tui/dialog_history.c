/* dialog_history.c: the list of former prompts, cut down as one types. */
#include "tui/dialog.h"

#include <curses.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tui/typing.h"

enum { HISTORY_WIDTH = 78 };

/* Keep those that hold what is typed, in any case of letters; the latest first. */
static void find_matches(struct dialog *dialog)
{
    char typed[256];
    const struct editor *line = &dialog->line;
    snprintf(typed, sizeof typed, "%.*s", (int)(line->length < 255 ? line->length : 255),
             line->length ? line->text : "");
    dialog->count = dialog->chosen = 0;
    dialog->first = 0;
    for (size_t i = dialog->history->count; i-- > 0;)
        if (strcasestr(dialog->history->entries[i].prompt, typed))
            dialog->matches[dialog->count++] = i;
}

bool dialog_show_history(struct dialog *dialog, const struct history *history)
{
    size_t *matches = malloc((history->count + 1) * sizeof *matches);
    if (!matches)
        return false;
    dialog_close(dialog);
    dialog->kind = DIALOG_HISTORY;
    dialog->history = history;
    dialog->matches = matches;
    find_matches(dialog);
    return true;
}

static const char *pick(struct dialog *dialog)
{
    if (dialog->chosen >= dialog->count)
        return NULL;
    dialog->picked = dialog->matches[dialog->chosen];
    return dialog->history->entries[dialog->picked].prompt;
}

const char *dialog_history_key(struct dialog *dialog, const struct key *key)
{
    enum action action = typing_is_text(key) ? ACTION_NONE : keys_action(key->key, PLACE_EDITOR);
    int row = key->row - dialog->area.row - 1, page = dialog->rows > 1 ? dialog->rows - 1 : 1;
    if (typing_is_text(key)) {
        if ((key->key & KEY_CHARACTER) >= ' ')
            typing_insert(&dialog->line, key, 1);
        find_matches(dialog);
    } else if (key->key == KEY_CLICK) {
        if (row < 0 || row >= dialog->rows || (size_t)(row + dialog->first) >= dialog->count)
            return NULL;
        dialog_choose(dialog, row + dialog->first);
        return pick(dialog);
    } else if (action == ACTION_UP || action == ACTION_LATER || key->key == KEY_WHEEL_UP) {
        dialog_choose(dialog, (long)dialog->chosen - 1);
    } else if (action == ACTION_DOWN || action == ACTION_FORMER || key->key == KEY_WHEEL_DOWN) {
        dialog_choose(dialog, (long)dialog->chosen + 1);
    } else if (action == ACTION_PAGE_UP || action == ACTION_PAGE_DOWN) {
        dialog_choose(dialog, (long)dialog->chosen + (action == ACTION_PAGE_UP ? -page : page));
    } else if (action == ACTION_CONTINUE) {
        return pick(dialog);
    } else if (action == ACTION_CANCEL || action == ACTION_HISTORY) {
        dialog_close(dialog);
    } else {
        typing_act(&dialog->line, action);
        find_matches(dialog);
    }
    return NULL;
}

void dialog_history_draw(struct dialog *dialog, int rows, int columns)
{
    char title[64];
    int length = dialog->line.length < 40 ? (int)dialog->line.length : 40;
    dialog->total = (int)dialog->history->count;
    snprintf(title, sizeof title, " Former prompts%s%.*s ", length ? ": " : "", length,
             length ? dialog->line.text : "");
    struct area area =
        dialog_box(dialog, rows, columns, HISTORY_WIDTH, title,
                   columns < 60 ? " Enter: take " : " Enter: take; type to search; Esc: close ");
    dialog->cursor_row = area.row - 1;
    dialog->cursor_column = area.column + paint_width(title, strlen(title)) - 1;
    if (dialog->count == 0)
        paint_string(area.row, area.column, area.columns, paint_plain(COLOUR_DIM),
                     "None; Backspace takes a letter back.");
    for (int i = 0; i < area.rows && (size_t)(dialog->first + i) < dialog->count; i++) {
        const struct history_entry *entry = &dialog->history->entries[dialog->matches[dialog->first + i]];
        struct style style = paint_plain((size_t)(dialog->first + i) == dialog->chosen ? COLOUR_REVERSE : 0);
        int at = area.column, end = area.column + area.columns;
        paint_blank(area.row + i, at, area.columns, style);
        if (entry->image_count > 0)
            at +=
                paint_string(area.row + i, at, end - at, style, entry->image_count > 1 ? "[pictures] " : "[picture] ");
        /* a row shows no more of it: a long one is not laid out whole */
        paint_text(area.row + i, at, end - at, style, entry->prompt, entry->length < 400 ? entry->length : 400);
    }
}
