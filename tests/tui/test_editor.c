/* test_editor.c: the text editor, the wrapping of text, the key table, without any terminal. */
#include <locale.h>

#include "tests/test.h"
#include "tui/editor.h"
#include "tui/keys.h"
#include "tui/layout.h"

static bool text_is(const struct editor *editor, const char *text)
{
    return editor->length == strlen(text) && (editor->length == 0 || memcmp(editor->text, text, editor->length) == 0);
}

static void type(struct editor *editor, const char *text)
{
    for (size_t i = 0, next; i < strlen(text); i = next) {
        next = i + 1;
        while (((unsigned char)text[next] & 0xc0) == 0x80)
            next++;
        editor_insert(editor, text + i, next - i);
    }
}

static void test_insert_and_erase(void)
{
    struct editor editor = {0};
    editor_erase(&editor, MOTION_LEFT, false);
    editor_erase(&editor, MOTION_RIGHT, true);
    CHECK(editor.length == 0 && editor.cursor == 0);
    type(&editor, "one two");
    CHECK(text_is(&editor, "one two") && editor.cursor == 7);
    editor_move(&editor, MOTION_WORD_LEFT);
    CHECK(editor.cursor == 4, "%zu", editor.cursor);
    type(&editor, "日é");
    CHECK(text_is(&editor, "one 日étwo"));
    editor_erase(&editor, MOTION_LEFT, false);
    editor_erase(&editor, MOTION_LEFT, false);
    CHECK(text_is(&editor, "one two") && editor.cursor == 4);
    editor_move(&editor, MOTION_TEXT_START);
    editor_erase(&editor, MOTION_LEFT, false);
    editor_erase(&editor, MOTION_RIGHT, false);
    CHECK(text_is(&editor, "ne two"));
    editor_free(&editor);
}

static void test_kill_and_yank(void)
{
    struct editor editor = {0};
    type(&editor, "one two three");
    editor_erase(&editor, MOTION_WORD_LEFT, true);
    editor_erase(&editor, MOTION_WORD_LEFT, true); /* kills add up */
    CHECK(text_is(&editor, "one "));
    editor_move(&editor, MOTION_TEXT_START);
    editor_yank(&editor);
    CHECK(text_is(&editor, "two threeone "));
    editor_erase(&editor, MOTION_LINE_END, true);
    CHECK(text_is(&editor, "two three"));
    editor_set(&editor, "a\nb", 3);
    editor_move(&editor, MOTION_TEXT_START);
    editor_move(&editor, MOTION_RIGHT);
    editor_erase(&editor, MOTION_LINE_END, true); /* at the end of a line: joins it with the next */
    CHECK(text_is(&editor, "ab"));
    editor_free(&editor);
}

static void test_undo(void)
{
    struct editor editor = {0};
    CHECK(!editor_undo(&editor) && !editor_redo(&editor));
    type(&editor, "one two");
    editor_undo(&editor);
    CHECK(text_is(&editor, "one"), "%.*s", (int)editor.length, editor.text);
    editor_undo(&editor);
    CHECK(editor.length == 0);
    editor_redo(&editor);
    editor_redo(&editor);
    CHECK(text_is(&editor, "one two") && !editor_redo(&editor));
    editor_erase(&editor, MOTION_LINE_START, true);
    editor_undo(&editor);
    CHECK(text_is(&editor, "one two") && editor.cursor == 7);
    type(&editor, "!");
    CHECK(!editor_redo(&editor), "what was undone is forgotten");
    editor_undo(&editor);
    editor_undo(&editor);
    CHECK(text_is(&editor, "one"), "not gone through on the way back: %.*s", (int)editor.length, editor.text);
    editor_redo(&editor);
    editor_redo(&editor);
    CHECK(text_is(&editor, "one two!"), "%.*s", (int)editor.length, editor.text);
    for (int i = 0; i < 3000; i++) {
        editor_insert(&editor, "\n", 1);
        if (i % 3 == 0)
            editor_erase(&editor, MOTION_LEFT, i % 2);
    }
    while (editor_undo(&editor)) {
    }
    while (editor_redo(&editor)) {
    }
    CHECK(editor.length == 8 + 2000, "%zu", editor.length);
    editor_free(&editor);
}

static void test_rows(void)
{
    struct editor editor = {0};
    struct layout layout = {0};
    type(&editor, "alpha beta\nx\ngamma delta");
    layout_text(&layout, editor.text, editor.length, 40, L' ');
    CHECK(layout.rows == 3);
    editor_move_rows(&editor, &layout, -1);
    CHECK(editor.cursor == 12, "%zu: the short line's end", editor.cursor);
    editor_move_rows(&editor, &layout, -1);
    CHECK(editor.cursor == 10, "%zu: the goal was kept, the line is shorter", editor.cursor);
    editor_move_rows(&editor, &layout, -5);
    CHECK(editor.cursor == 10);
    editor_move_rows(&editor, &layout, 9);
    CHECK(editor.cursor == editor.length, "%zu", editor.cursor);
    layout_free(&layout);
    editor_free(&editor);
}

/* Every glyph in its row, in order, within the columns, and found again by its place. */
static void check_layout(const char *text, size_t length, int columns)
{
    struct layout layout = {0};
    CHECK(layout_text(&layout, text, length, columns, L' '));
    size_t end = 0;
    int row = 0, column = 0;
    bool sound = true;
    for (size_t i = 0; i < layout.count; i++) {
        struct glyph *glyph = &layout.glyphs[i];
        sound = sound && glyph->start == end && glyph->end > glyph->start && glyph->width > 0;
        sound = sound && (glyph->row > row ? glyph->row == row + 1 && glyph->column == 0
                                           : glyph->row == row && glyph->column == column);
        sound = sound && (glyph->column + glyph->width <= columns || glyph->column == 0);
        sound = sound && layout_glyph(&layout, glyph->start) == i &&
                layout_byte(&layout, glyph->row, glyph->column) == glyph->start;
        end = glyph->end;
        row = glyph->row;
        column = glyph->column + glyph->width;
    }
    CHECK(sound && end == length && layout.rows == layout.end_row + 1, "%d columns", columns);
    layout_free(&layout);
}

static void test_layout(void)
{
    static const char *const texts[] = {
        "",
        "a",
        "hello world, this is a longer line of text that wraps",
        "\n\n\n",
        "no-break-anywhere-in-this-one-long-word",
        "日本語のテキストは折り返される",
        "tab\there\t\tand\tthere",
        "e\xcc\x81\xcc\x82\xcc\x83\xcc\x84\xcc\x85\xcc\x86 many marks",
        "\xcc\x81 a mark alone",
        "bad \xff\xfe bytes \xe6\x97",
        "\x1b[31mred\x07\x7f",
        "turn \xe2\x80\xae around",
        "\xf0\x9f\x91\xa9\xe2\x80\x8d\xf0\x9f\x91\xa7 family",
        "spaces        many          of them     ",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        for (int columns = 2; columns < 90; columns += columns < 12 ? 1 : 13)
            check_layout(texts[i], strlen(texts[i]), columns);
    check_layout("nul \0 inside", 12, 20);
}

static void test_shown(void)
{
    struct layout layout = {0};
    const char *text = "a\x1b\xe2\x80\xae\xff";
    layout_text(&layout, text, strlen(text), 20, L' ');
    CHECK(layout.count == 4);
    CHECK(layout.glyphs[1].show[0] == 0x241b && layout.glyphs[2].show[0] == 0xfffd &&
              layout.glyphs[3].show[0] == 0xfffd,
          "controls, turned writing and bad bytes are shown as signs");
    layout_text(&layout, "the quick brown", 15, 9, L' ');
    CHECK(layout.rows == 3 && layout.glyphs[10].row == 2 && layout.glyphs[10].column == 0, "words stay whole");
    layout_free(&layout);
}

static void test_steps(void)
{
    static const char *const steps[] = {
        "a",
        "e\xcc\x81",
        "\xf0\x9f\x91\xa9\xe2\x80\x8d\xf0\x9f\x91\xa7",
        "\xf0\x9f\x91\x8d\xf0\x9f\x8f\xbd",
        "\xf0\x9f\x87\xa9\xf0\x9f\x87\xaa",
        "\xf0\x9f\x87\xab\xf0\x9f\x87\xb7",
        "\n",
        "\xe6\x97\xa5",
        "\xff",
        " ",
    };
    char text[256] = "";
    size_t ends[16], count = sizeof steps / sizeof *steps;
    for (size_t i = 0; i < count; i++) {
        strcat(text, steps[i]);
        ends[i] = strlen(text);
    }
    size_t at = 0, length = strlen(text);
    for (size_t i = 0; i < count; i++) {
        at = layout_next(text, length, at);
        CHECK(at == ends[i], "step %zu right: %zu, not %zu", i, at, ends[i]);
    }
    CHECK(layout_next(text, length, length) == length);
    for (size_t i = count; i-- > 0;) {
        at = layout_previous(text, length, at);
        CHECK(at == (i ? ends[i - 1] : 0), "step %zu left: %zu", i, at);
    }
    CHECK(layout_previous(text, length, 0) == 0);
}

static void test_keys(void)
{
    size_t count;
    const struct key_binding *table = keys_table(&count);
    char name[24], names[96];
    for (size_t i = 0; i < count; i++) {
        keys_names(&table[i], names, sizeof names);
        CHECK(names[0] && table[i].help[0]);
        for (int k = 0; k < KEYS_PER_ACTION && table[i].keys[k]; k++) {
            enum key_place place = table[i].place == PLACE_ANY ? PLACE_OUTPUT : table[i].place;
            keys_name(table[i].keys[k], name, sizeof name);
            CHECK(keys_action(table[i].keys[k], place) == table[i].action, "%s means two things", name);
            CHECK(table[i].place != PLACE_ANY || keys_action(table[i].keys[k], PLACE_EDITOR) == table[i].action,
                  "%s means two things", name);
        }
    }
    CHECK(keys_action('q', PLACE_EDITOR) == ACTION_NONE && keys_action('q', PLACE_OUTPUT) == ACTION_QUIT);
    keys_name(KEY_ALT | '\r', name, sizeof name);
    CHECK(strcmp(name, "Alt-Enter") == 0, "%s", name);
}

int main(void)
{
    setlocale(LC_CTYPE, "C.UTF-8");
    test_insert_and_erase();
    test_kill_and_yank();
    test_undo();
    test_rows();
    test_layout();
    test_shown();
    test_steps();
    test_keys();
    return test_end();
}
