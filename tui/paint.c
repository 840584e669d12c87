#include "tui/paint.h"

#include <curses.h>
#include <string.h>

enum { PAIRS = 512 };

static struct {
    bool ascii, colours;
    enum colour_depth depth;
    enum colour_ground ground;
    int count, most;
    struct {
        int ink, background;
    } pairs[PAIRS]; /* pair n + 1 */
} paint;

void paint_begin(const struct terminal *terminal)
{
    memset(&paint, 0, sizeof paint);
    paint.ascii = terminal->ascii;
    paint.depth = terminal->depth;
    paint.ground = terminal->ground;
    paint.colours = terminal->depth != COLOUR_NONE && has_colors();
    paint.most = paint.colours ? COLOR_PAIRS - 1 : 0;
    if (paint.most > PAIRS)
        paint.most = PAIRS;
}

/* Below 8, direct colours mean the palette: the nearest that does not. */
static int curses_colour(int colour)
{
    return paint.depth == COLOUR_TRUE && colour >= 0 && colour < 8 ? 8 : colour;
}

/* The pair's number, made on first use; 0, the terminal's own, when there are no more. */
static int pair_of(struct colour_cell cell)
{
    if (!paint.colours || (cell.ink < 0 && cell.background < 0))
        return 0;
    for (int i = 0; i < paint.count; i++)
        if (paint.pairs[i].ink == cell.ink && paint.pairs[i].background == cell.background)
            return i + 1;
    if (paint.count >= paint.most)
        return 0;
    int pair = paint.count + 1;
    if (init_extended_pair(pair, curses_colour(cell.ink), curses_colour(cell.background)) == ERR)
        return 0;
    paint.pairs[paint.count].ink = cell.ink;
    paint.pairs[paint.count].background = cell.background;
    return ++paint.count;
}

static attr_t attributes_of(struct style style)
{
    unsigned wanted = style.cell.attributes | style.attributes;
    return (wanted & COLOUR_BOLD ? A_BOLD : 0) | (wanted & COLOUR_UNDERLINE ? A_UNDERLINE : 0) |
           (wanted & COLOUR_REVERSE ? A_REVERSE : 0) | (wanted & COLOUR_DIM ? A_DIM : 0);
}

struct style paint_plain(unsigned attributes)
{
    return (struct style){{-1, -1, 0}, attributes};
}

struct style paint_relevance(double position)
{
    enum { STEPS = 24 }; /* of a side: more would be more pairs than eyes can tell */
    double rounded = (double)(int)(position * STEPS + (position < 0 ? -0.5 : 0.5)) / STEPS;
    return (struct style){colour_cell(paint.colours ? paint.depth : COLOUR_NONE, paint.ground, rounded), 0};
}

struct style paint_error(void)
{
    return (struct style){{-1, !paint.colours ? -1 : paint.depth == COLOUR_TRUE ? 0xd03030 : 1, 0}, COLOUR_BOLD};
}

static void put(int row, int column, const wchar_t *show, attr_t attributes, int pair)
{
    cchar_t cell;
    wchar_t plain[2] = {*show, 0};
    if (paint.ascii && *show >= 128)
        plain[0] = '?';
    if (setcchar(&cell, paint.ascii ? plain : show, attributes, (short)pair, NULL) == OK)
        mvadd_wch(row, column, &cell);
}

static void put_glyph(int row, int column, int columns, const struct glyph *glyph, struct style style)
{
    attr_t attributes = attributes_of(style);
    int pair = pair_of(style.cell), drawn = wcwidth(glyph->show[0]);
    if (column + glyph->width > columns) {
        drawn = 0; /* a wide character that is cut */
    } else {
        put(row, column, glyph->show, attributes, pair);
        if (paint.ascii && drawn > 1)
            drawn = 1;
    }
    for (int c = drawn < 0 ? 1 : drawn; c < glyph->width && column + c < columns; c++)
        put(row, column + c, L" ", attributes, pair);
}

int paint_text(int row, int column, int columns, struct style style, const char *text, size_t length)
{
    struct layout layout = {0};
    int used = 0;
    if (columns <= 0)
        return 0;
    layout_text(&layout, text, length, 100000, paint.ascii ? L'|' : L'↵');
    for (size_t i = 0; i < layout.count && used < columns; i++) {
        put_glyph(row, column + used, column + columns, &layout.glyphs[i], style);
        used += layout.glyphs[i].width;
    }
    layout_free(&layout);
    return used < columns ? used : columns;
}

int paint_string(int row, int column, int columns, struct style style, const char *string)
{
    return paint_text(row, column, columns, style, string, strlen(string));
}

int paint_width(const char *text, size_t length)
{
    struct layout layout = {0};
    int used = 0;
    layout_text(&layout, text, length, 100000, L'|');
    for (size_t i = 0; i < layout.count; i++)
        used += layout.glyphs[i].width;
    layout_free(&layout);
    return used;
}

void paint_blank(int row, int column, int columns, struct style style)
{
    for (int c = 0; c < columns; c++)
        put(row, column + c, L" ", attributes_of(style), pair_of(style.cell));
}

void paint_rule(int row, int column, int columns, struct style style)
{
    for (int c = 0; c < columns; c++)
        put(row, column + c, paint.ascii ? L"-" : L"─", attributes_of(style), pair_of(style.cell));
}

void paint_vertical(int row, int column, int rows, struct style style)
{
    for (int r = 0; r < rows; r++)
        put(row + r, column, paint.ascii ? L"|" : L"│", attributes_of(style), pair_of(style.cell));
}

void paint_box(struct area area, struct style style)
{
    static const wchar_t *const corners[2][4] = {{L"┌", L"┐", L"└", L"┘"}, {L"+", L"+", L"+", L"+"}};
    int right = area.column + area.columns - 1, bottom = area.row + area.rows - 1;
    attr_t attributes = attributes_of(style);
    int pair = pair_of(style.cell);
    for (int row = area.row; row <= bottom; row++)
        paint_blank(row, area.column, area.columns, paint_plain(0));
    paint_rule(area.row, area.column, area.columns, style);
    paint_rule(bottom, area.column, area.columns, style);
    paint_vertical(area.row, area.column, area.rows, style);
    paint_vertical(area.row, right, area.rows, style);
    put(area.row, area.column, corners[paint.ascii][0], attributes, pair);
    put(area.row, right, corners[paint.ascii][1], attributes, pair);
    put(bottom, area.column, corners[paint.ascii][2], attributes, pair);
    put(bottom, right, corners[paint.ascii][3], attributes, pair);
}

void paint_bar(int row, int column, int columns, struct style style, double share)
{
    static const wchar_t *const eighths[] = {L"", L"▏", L"▎", L"▍", L"▌", L"▋", L"▊", L"▉"};
    share = share > 1 ? 1 : share > 0 ? share : 0;
    int parts = (int)(share * columns * 8 + 0.5), full = parts / 8;
    for (int c = 0; c < full; c++)
        put(row, column + c, paint.ascii ? L"#" : L"█", attributes_of(style), pair_of(style.cell));
    if (!paint.ascii && parts % 8)
        put(row, column + full, eighths[parts % 8], attributes_of(style), pair_of(style.cell));
}

void paint_glyph(struct area area, int first, const struct glyph *glyph, struct style style)
{
    int row = glyph->row - first;
    if (row >= 0 && row < area.rows && glyph->column < area.columns)
        put_glyph(area.row + row, area.column + glyph->column, area.column + area.columns, glyph, style);
}
