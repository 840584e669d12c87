#include "tui/dialog.h"

#include <curses.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tui/complete.h"
#include "tui/keys.h"
#include "tui/layout.h"
#include "tui/typing.h"

enum { KEYS_WIDTH = 21, HELP_WIDTH = 78, OPEN_WIDTH = 64 };

bool dialog_is_open(const struct dialog *dialog)
{
    return dialog->kind != DIALOG_NONE;
}

void dialog_close(struct dialog *dialog)
{
    if (dialog->kind == DIALOG_OPEN)
        paths_list_free(dialog->entries, dialog->count);
    editor_free(&dialog->line);
    free(dialog->matches);
    *dialog = (struct dialog){.kind = DIALOG_NONE};
}

void dialog_show_help(struct dialog *dialog, enum key_place first, bool (*shows)(const struct key_binding *))
{
    dialog_close(dialog);
    dialog->kind = DIALOG_HELP;
    dialog->place = first;
    dialog->shows = shows;
}

int dialog_show_models(struct dialog *dialog, const struct paths *paths, struct error *error)
{
    dialog_close(dialog);
    int code = paths_list(paths, &dialog->entries, &dialog->count, error);
    if (code != 0)
        return code;
    dialog->kind = DIALOG_OPEN;
    dialog->folder = paths->models;
    return 0;
}

void dialog_ask(struct dialog *dialog, enum dialog_kind kind, const char *title, const char *hint, const char *text)
{
    dialog_close(dialog);
    dialog->kind = kind;
    snprintf(dialog->title, sizeof dialog->title, " %s ", title);
    snprintf(dialog->hint, sizeof dialog->hint, " %s ", hint);
    if (*text)
        editor_set(&dialog->line, text, strlen(text));
}

static bool is_question(const struct dialog *dialog)
{
    return dialog->kind >= DIALOG_SAVE;
}

/* -- keys ---------------------------------------------------------------------------------------------------------- */

static void scroll_by(struct dialog *dialog, int by)
{
    int last = dialog->total - dialog->rows;
    dialog->first += by;
    if (dialog->first > last)
        dialog->first = last;
    if (dialog->first < 0)
        dialog->first = 0;
}

void dialog_choose(struct dialog *dialog, long to)
{
    if (dialog->count == 0)
        return;
    dialog->chosen = to < 0 ? 0 : to >= (long)dialog->count ? dialog->count - 1 : (size_t)to;
    if ((int)dialog->chosen < dialog->first)
        dialog->first = (int)dialog->chosen;
    if (dialog->rows > 0 && (int)dialog->chosen >= dialog->first + dialog->rows)
        dialog->first = (int)dialog->chosen - dialog->rows + 1;
}

static void move_by(struct dialog *dialog, int by)
{
    if (dialog->kind == DIALOG_OPEN)
        dialog_choose(dialog, (long)dialog->chosen + by);
    else
        scroll_by(dialog, by);
}

/* Tab: complete the path, and say below what fits. */
static void complete(struct dialog *dialog)
{
    char typed[PATHS_LENGTH], path[PATHS_LENGTH], choices[sizeof dialog->hint - 4];
    struct editor *line = &dialog->line;
    if (line->length >= sizeof typed)
        return;
    snprintf(typed, sizeof typed, "%.*s", (int)line->length, line->length ? line->text : "");
    bool picture = dialog->kind == DIALOG_PICTURE;
    size_t count = complete_path(typed, picture, path, sizeof path, choices, sizeof choices);
    editor_set(line, path, strlen(path));
    editor_move(line, MOTION_TEXT_END);
    snprintf(dialog->hint, sizeof dialog->hint, " %s ",
             count == 0   ? picture ? "no such picture" : "no such file"
             : choices[0] ? choices
             : picture    ? "Enter: add; Esc: close"
                          : "Enter: read; Esc: close");
}

/* A key for the line of a question; an end of line that is pasted is left out. */
static const char *line_key(struct dialog *dialog, const struct key *key)
{
    enum action action = typing_is_text(key) ? ACTION_NONE : keys_action(key->key, PLACE_EDITOR);
    struct editor *line = &dialog->line;
    if (typing_is_text(key) && (key->key & KEY_CHARACTER) >= ' ')
        typing_insert(line, key, 1);
    else if (action == ACTION_PANE && (dialog->kind == DIALOG_PICTURE || dialog->kind == DIALOG_PROMPT))
        complete(dialog);
    else if (action == ACTION_CANCEL)
        dialog_close(dialog);
    else if (action == ACTION_CONTINUE) {
        if (line->length >= sizeof dialog->answer)
            return NULL;
        snprintf(dialog->answer, sizeof dialog->answer, "%.*s", (int)line->length, line->length ? line->text : "");
        return dialog->answer;
    } else
        typing_act(line, action);
    return NULL;
}

const char *dialog_key(struct dialog *dialog, const struct key *key)
{
    if (is_question(dialog))
        return line_key(dialog, key);
    if (dialog->kind == DIALOG_HISTORY)
        return dialog_history_key(dialog, key);
    int row = key->row - dialog->area.row - 1 + dialog->first, page = dialog->rows > 1 ? dialog->rows - 1 : 1;
    bool pick = key->key == '\r' || key->key == KEY_ENTER;
    if (key->key == KEY_UP || key->key == 'k' || key->key == KEY_WHEEL_UP)
        move_by(dialog, -1);
    else if (key->key == KEY_DOWN || key->key == 'j' || key->key == KEY_WHEEL_DOWN)
        move_by(dialog, 1);
    else if (key->key == KEY_PPAGE)
        move_by(dialog, -page);
    else if (key->key == KEY_NPAGE || key->key == ' ')
        move_by(dialog, page);
    else if (key->key == KEY_HOME || key->key == 'g')
        move_by(dialog, -10000);
    else if (key->key == KEY_END || key->key == 'G')
        move_by(dialog, 10000);
    else if (key->key == KEY_CLICK && dialog->kind == DIALOG_OPEN && row >= 0 && row < (int)dialog->count &&
             key->row > dialog->area.row && key->row < dialog->area.row + dialog->area.rows - 1) {
        pick = dialog->chosen == (size_t)row;
        dialog_choose(dialog, row);
    } else if (!pick) {
        /* what follows would go to the prompt */
        bool stray = typing_is_text(key) && key->key != 'q' && key->key != '?';
        if (!stray)
            dialog_close(dialog);
        return NULL;
    }
    if (!pick)
        return NULL;
    if (dialog->kind == DIALOG_OPEN && dialog->chosen < dialog->count)
        return dialog->entries[dialog->chosen].path;
    dialog_close(dialog);
    return NULL;
}

/* -- drawing ------------------------------------------------------------------------------------------------------- */

struct area dialog_box(struct dialog *dialog, int rows, int columns, int width, const char *title, const char *hint)
{
    int high = dialog->total + 2 < rows - 2 ? dialog->total + 2 : rows - 2,
        wide = width < columns - 2 ? width : columns - 2;
    struct area box = {(rows - high) / 2, (columns - wide) / 2, high, wide};
    dialog->area = box;
    dialog->rows = high - 2;
    scroll_by(dialog, 0);
    paint_box(box, paint_plain(0));
    paint_string(box.row, box.column + 2, wide - 4, paint_plain(COLOUR_BOLD | COLOUR_REVERSE), title);
    bool more = dialog->first + dialog->rows < dialog->total;
    if (more)
        paint_string(box.row + high - 1, box.column + wide - 9, 6, paint_plain(COLOUR_BOLD), " more ");
    paint_string(box.row + high - 1, box.column + 2, more ? wide - 12 : wide - 4, paint_plain(0), hint);
    return (struct area){box.row + 1, box.column + 2, high - 2, wide - 4};
}

/* One row of the table from line `line` of the list on: its keys, and beside or below them what they do.  Returns how
 * many lines that takes. */
static int draw_binding(struct area area, int first, int line, const struct key_binding *binding, bool draw)
{
    char names[96];
    struct layout help = {0};
    bool below = area.columns < 2 * KEYS_WIDTH;
    int indent = below ? 2 : KEYS_WIDTH, width = area.columns - indent;
    layout_text(&help, binding->help, strlen(binding->help), width > 2 ? width : 2, L' ');
    keys_names(binding, names, sizeof names);
    if (draw && line >= first && line < first + area.rows)
        paint_string(area.row + line - first, area.column, area.columns, paint_plain(COLOUR_BOLD), names);
    struct area text = {area.row, area.column + indent, area.rows, width};
    for (size_t i = 0; draw && i < help.count; i++)
        paint_glyph(text, first - line - below, &help.glyphs[i], paint_plain(0));
    int rows = help.rows + below;
    layout_free(&help);
    return rows;
}

/* The keys of a place below its name, from line `line` of the list on, with an empty line before them if it is not the
 * first.  Returns how many lines that takes. */
static int draw_place(const struct dialog *dialog, struct area area, int first, int line, enum key_place place,
                      bool draw)
{
    size_t count;
    const struct key_binding *table = keys_table(&count);
    int from = line;
    bool named = false;
    for (size_t i = 0; i < count; i++) {
        if (table[i].place != place || (dialog->shows ? !dialog->shows(&table[i]) : place == PLACE_REPLAY))
            continue;
        if (!named) {
            line += line > 0;
            if (draw && line >= first && line < first + area.rows)
                paint_string(area.row + line - first, area.column, area.columns,
                             paint_plain(COLOUR_BOLD | COLOUR_UNDERLINE), keys_place_name(place));
            line++;
            named = true;
        }
        line += draw_binding(area, first, line, &table[i], draw);
    }
    return line - from;
}

/* The whole table, the place that one is in first.  Returns how many lines there are. */
static int draw_help_rows(const struct dialog *dialog, struct area area, int first, bool draw)
{
    int line = draw_place(dialog, area, first, 0, dialog->place, draw);
    for (enum key_place place = PLACE_ANY; place <= PLACE_REPLAY; place++)
        if (place != dialog->place)
            line += draw_place(dialog, area, first, line, place, draw);
    return line;
}

static void draw_help(struct dialog *dialog, int rows, int columns)
{
    int width = (HELP_WIDTH < columns - 2 ? HELP_WIDTH : columns - 2) - 4; /* as dialog_box() will leave */
    dialog->total = draw_help_rows(dialog, (struct area){0, 0, 0, width}, 0, false);
    struct area area = dialog_box(dialog, rows, columns, HELP_WIDTH, " Keys ",
                                columns < 60 ? " Esc: close " : " Down, Page Down: more; Esc: close ");
    draw_help_rows(dialog, area, dialog->first, true);
}

static void format_size(size_t bytes, char *text, size_t size)
{
    if (bytes >= 1000000000)
        snprintf(text, size, "%.1f GB", (double)bytes / 1e9);
    else
        snprintf(text, size, "%.1f MB", (double)bytes / 1e6);
}

static void draw_models(struct dialog *dialog, int rows, int columns)
{
    char size[32], text[PATHS_LENGTH + 64];
    dialog->total = dialog->count > 0 ? (int)dialog->count : 2;
    struct area area = dialog_box(dialog, rows, columns, OPEN_WIDTH, " Open a model ", " Enter: open; Esc: close ");
    if (dialog->count == 0) {
        snprintf(text, sizeof text, "There is no model in %s.", dialog->folder);
        paint_string(area.row, area.column, area.columns, paint_plain(0), text);
        paint_string(area.row + 1, area.column, area.columns, paint_plain(0),
                     "Copy a GGUF file there, or run ./start get smollm2.");
    }
    for (int i = 0; i < area.rows && (size_t)(dialog->first + i) < dialog->count; i++) {
        const struct paths_entry *entry = &dialog->entries[dialog->first + i];
        struct style style = paint_plain((size_t)(dialog->first + i) == dialog->chosen ? COLOUR_REVERSE : 0);
        format_size(entry->bytes, size, sizeof size);
        paint_blank(area.row + i, area.column, area.columns, style);
        paint_string(area.row + i, area.column, area.columns - 12, style, entry->name);
        paint_string(area.row + i, area.column + area.columns - (int)strlen(size), 11, style, size);
    }
}

static void draw_question(struct dialog *dialog, int rows, int columns)
{
    struct layout layout = {0};
    int row, column, width = (OPEN_WIDTH < columns - 2 ? OPEN_WIDTH : columns - 2) - 4; /* as dialog_box() will leave */
    layout_text(&layout, dialog->line.text, dialog->line.length, width, L' ');
    layout_place(&layout, dialog->line.cursor, &row, &column);
    dialog->total = layout.rows;
    struct area area = dialog_box(dialog, rows, columns, OPEN_WIDTH, dialog->title, dialog->hint);
    int first = row < area.rows ? 0 : row - area.rows + 1;
    for (size_t i = 0; i < layout.count; i++)
        paint_glyph(area, first, &layout.glyphs[i], paint_plain(0));
    dialog->cursor_row = area.row + row - first;
    dialog->cursor_column = area.column + column;
    layout_free(&layout);
}

bool dialog_cursor(const struct dialog *dialog, int *row, int *column)
{
    *row = dialog->cursor_row;
    *column = dialog->cursor_column;
    return is_question(dialog) || dialog->kind == DIALOG_HISTORY;
}

void dialog_draw(struct dialog *dialog, int rows, int columns)
{
    if (dialog->kind == DIALOG_HELP)
        draw_help(dialog, rows, columns);
    else if (dialog->kind == DIALOG_OPEN)
        draw_models(dialog, rows, columns);
    else if (dialog->kind == DIALOG_HISTORY)
        dialog_history_draw(dialog, rows, columns);
    else if (is_question(dialog))
        draw_question(dialog, rows, columns);
}
