#include "tui/layout.h"

#include <stdint.h>
#include <stdlib.h>

#include "tui/text.h"

enum { TAB = 4, REPLACEMENT = 0xfffd, JOINER = 0x200d, DOTTED_CIRCLE = 0x25cc, VISIBLE_CONTROLS = 0x2400 };

/* The code point at `at`, or -1 for a byte that is none; *next: where it ends. */
static int32_t decode(const char *text, size_t length, size_t at, size_t *next)
{
    bool valid;
    size_t n = text_character(text + at, length - at, &valid, NULL);
    const unsigned char *p = (const unsigned char *)text + at;
    *next = at + n;
    if (!valid)
        return -1;
    switch (n) {
    case 1:
        return p[0];
    case 2:
        return (p[0] & 31) << 6 | (p[1] & 63);
    case 3:
        return (p[0] & 15) << 12 | (p[1] & 63) << 6 | (p[2] & 63);
    default:
        return (p[0] & 7) << 18 | (p[1] & 63) << 12 | (p[2] & 63) << 6 | (p[3] & 63);
    }
}

/* Marks without a width of their own that would turn the direction of the writing or hide: shown, never obeyed. */
static bool is_hostile(int32_t c)
{
    return (c >= 0x200e && c <= 0x200f) || (c >= 0x2028 && c <= 0x202e) || (c >= 0x2060 && c <= 0x206f) || c == 0x61c ||
           c == 0xad || c == 0xfeff || c == 0x180e || c == 0x200b || (c >= 0xfff9 && c <= 0xfffb);
}

static bool is_control(int32_t c)
{
    return c < 0x20 || (c >= 0x7f && c < 0xa0);
}

/* What is drawn for c, and its width; 0: it is drawn on the character before it. */
static wchar_t shown(int32_t c, int *width)
{
    *width = 1;
    if (c >= 0 && c < 0x20)
        return VISIBLE_CONTROLS + c;
    if (c == 0x7f)
        return VISIBLE_CONTROLS + 0x21;
    if (is_control(c) || is_hostile(c) || (*width = wcwidth((wchar_t)c)) < 0) {
        *width = 1;
        return REPLACEMENT;
    }
    return (wchar_t)c;
}

static bool is_mark(int32_t c)
{
    int width;
    shown(c, &width);
    return width == 0;
}

static bool is_skin(int32_t c)
{
    return c >= 0x1f3fb && c <= 0x1f3ff;
}

static bool is_flag_letter(int32_t c)
{
    return c >= 0x1f1e6 && c <= 0x1f1ff;
}

/* -- cursor steps -------------------------------------------------------------------------------------------------- */

size_t layout_next(const char *text, size_t length, size_t at)
{
    if (at >= length)
        return length;
    int32_t last = decode(text, length, at, &at);
    bool flag = is_flag_letter(last);
    while (last != '\n' && at < length) {
        size_t next;
        int32_t c = decode(text, length, at, &next);
        bool joined = is_mark(c) || last == JOINER || is_skin(c) || (flag && is_flag_letter(c));
        if (!joined || is_control(c))
            break;
        flag = flag && !is_flag_letter(c);
        last = c;
        at = next;
    }
    return at;
}

size_t layout_previous(const char *text, size_t length, size_t at)
{
    /* steps can only be found forwards: begin at a plain letter before, where one surely starts */
    size_t start = at > 0 ? at - 1 : 0;
    while (start > 0 && ((unsigned char)text[start] >= 0x80 || (unsigned char)text[start - 1] >= 0x80))
        start--;
    for (size_t next; (next = layout_next(text, length, start)) < at;)
        start = next;
    return start;
}

/* -- wrapping ------------------------------------------------------------------------------------------------------ */

static struct glyph *add_glyph(struct layout *layout)
{
    if (layout->count == layout->capacity) {
        size_t capacity = layout->capacity ? 2 * layout->capacity : 256;
        struct glyph *glyphs = realloc(layout->glyphs, capacity * sizeof *glyphs);
        if (!glyphs)
            return NULL;
        layout->glyphs = glyphs;
        layout->capacity = capacity;
    }
    return &layout->glyphs[layout->count++];
}

/* A text's glyphs in order, not placed yet. */
static bool cut_glyphs(struct layout *layout, const char *text, size_t length, wchar_t newline)
{
    for (size_t at = 0, next; at < length; at = next) {
        int width;
        int32_t c = decode(text, length, at, &next);
        wchar_t show = c == '\n' ? newline : c == '\t' ? L' ' : shown(c, &width);
        if (c == '\n' || c == '\t')
            width = c == '\t' ? TAB : 1;
        struct glyph *last = layout->count ? &layout->glyphs[layout->count - 1] : NULL;
        if (width == 0 && last && text[last->start] != '\n' && text[last->start] != '\t') {
            size_t marks = wcslen(last->show);
            if (marks < GLYPH_MARKS + 1) {
                last->show[marks] = show;
                last->show[marks + 1] = 0;
            }
            last->end = next;
            continue;
        }
        struct glyph *glyph = add_glyph(layout);
        if (!glyph)
            return false;
        *glyph = (struct glyph){.start = at, .end = next, .width = width ? width : 1, .show = {show}};
        if (width == 0) {
            glyph->show[0] = DOTTED_CIRCLE;
            glyph->show[1] = show;
        }
    }
    return true;
}

static void place_glyphs(struct layout *layout, const char *text, int columns)
{
    int row = 0, column = 0;
    size_t line = 0, word = 0; /* the row's first glyph; the first after the last space */
    for (size_t i = 0; i < layout->count; i++) {
        struct glyph *glyph = &layout->glyphs[i];
        char c = text[glyph->start];
        bool space = c == ' ' || c == '\n' || c == '\t';
        if (c == '\t')
            glyph->width =
                column < columns && TAB - column % TAB > columns - column ? columns - column : TAB - column % TAB;
        if (column + glyph->width > (space ? columns : columns - 1) && i > line) {
            size_t from = word > line && !space ? word : i;
            row++;
            column = 0;
            for (size_t k = from; k < i; k++) {
                layout->glyphs[k].row = row;
                layout->glyphs[k].column = column;
                column += layout->glyphs[k].width;
            }
            line = from;
            if (c == '\t')
                glyph->width = TAB;
        }
        glyph->row = row;
        glyph->column = column;
        column += glyph->width;
        if (space)
            word = i + 1;
        if (c == '\n') {
            row++;
            column = 0;
            line = i + 1;
        }
    }
    if (column >= columns) {
        row++;
        column = 0;
    }
    layout->rows = row + 1;
    layout->end_row = row;
    layout->end_column = column;
}

bool layout_text(struct layout *layout, const char *text, size_t length, int columns, wchar_t newline)
{
    layout->count = 0;
    layout->length = length;
    bool done = cut_glyphs(layout, text, length, newline);
    if (!done)
        layout->count = layout->length = 0;
    place_glyphs(layout, text, columns);
    return done;
}

void layout_free(struct layout *layout)
{
    free(layout->glyphs);
    *layout = (struct layout){0};
}

/* -- places -------------------------------------------------------------------------------------------------------- */

size_t layout_glyph(const struct layout *layout, size_t byte)
{
    size_t low = 0, high = layout->count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (layout->glyphs[middle].end <= byte)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

void layout_place(const struct layout *layout, size_t byte, int *row, int *column)
{
    size_t i = layout_glyph(layout, byte);
    *row = i < layout->count ? layout->glyphs[i].row : layout->end_row;
    *column = i < layout->count ? layout->glyphs[i].column : layout->end_column;
}

size_t layout_byte(const struct layout *layout, int row, int column)
{
    if (row < 0)
        return 0;
    size_t low = 0, high = layout->count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        const struct glyph *glyph = &layout->glyphs[middle];
        if (glyph->row < row || (glyph->row == row && glyph->column + glyph->width <= column))
            low = middle + 1;
        else
            high = middle;
    }
    if (low == layout->count && (layout->end_row <= row || low == 0))
        return layout->length;
    /* right of the row's end: before the glyph that ends it */
    if (low == layout->count || (layout->glyphs[low].row > row && low > 0))
        low--;
    return layout->glyphs[low].start;
}
