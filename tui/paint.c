#include "tui/paint.h"

#include <curses.h>
#include <string.h>

/* Pairs, and places to find them at; a picture needs one for each of its cells. */
enum { PAIRS = 16384, PLACES = 2 * PAIRS };

static struct {
    bool ascii, colours;
    enum colour_depth depth;
    enum colour_ground ground;
    enum scale scale;
    int count, most;
    struct {
        int ink, background;
    } pairs[PAIRS];          /* pair n + 1 */
    uint16_t places[PLACES]; /* a pair's number at the hash of its colours or behind it; 0: none */
} paint;

void paint_begin(const struct terminal *terminal)
{
    memset(&paint, 0, sizeof paint);
    paint.ascii = terminal->ascii;
    paint.depth = terminal->depth;
    paint.ground = terminal->ground;
    paint.scale = terminal->scale;
    paint.colours = terminal->depth != COLOUR_NONE && has_colors();
    paint.most = paint.colours ? COLOR_PAIRS - 1 : 0;
    if (paint.most > PAIRS)
        paint.most = PAIRS;
}

void paint_set_scale(enum scale scale)
{
    paint.scale = scale;
}

void paint_frame(void)
{
    if (paint.count > paint.most / 2 && paint.most == PAIRS) {
        memset(paint.places, 0, sizeof paint.places);
        paint.count = 0;
    }
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
    uint32_t at = ((uint32_t)cell.ink * 2654435761u ^ (uint32_t)cell.background * 2246822519u) >> 7;
    for (at %= PLACES; paint.places[at]; at = (at + 1) % PLACES) {
        int pair = paint.places[at];
        if (paint.pairs[pair - 1].ink == cell.ink && paint.pairs[pair - 1].background == cell.background)
            return pair;
    }
    if (paint.count >= paint.most)
        return 0;
    int pair = paint.count + 1;
    if (init_extended_pair(pair, curses_colour(cell.ink), curses_colour(cell.background)) == ERR)
        return 0;
    paint.pairs[paint.count].ink = cell.ink;
    paint.pairs[paint.count].background = cell.background;
    paint.places[at] = (uint16_t)pair;
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
    enum colour_depth depth = paint.colours ? paint.depth : COLOUR_NONE;
    return (struct style){colour_cell(paint.scale, depth, paint.ground, rounded), 0};
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
    if (setcchar(&cell, paint.ascii ? plain : show, attributes, 0, &pair) == OK)
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

/* -- pixels -------------------------------------------------------------------------------------------------------- */

/* How bright a colour looks, 0 .. 255. */
static double brightness(unsigned rgb)
{
    return 0.299 * (rgb >> 16 & 255) + 0.587 * (rgb >> 8 & 255) + 0.114 * (rgb & 255);
}

/* The nearest of the 8 colours that every terminal has, after a nudge up or down that depends on the place, so that an
 * area in between is a mixture of both. */
static int colour_of_8(unsigned rgb, int row, int column)
{
    static const unsigned palette[8] = {0x000000, 0xcd0000, 0x00cd00, 0xcdcd00, 0x0000ee, 0xcd00cd, 0x00cdcd, 0xe5e5e5};
    static const signed char nudges[4][4] = {
        {-60, 4, -44, 20}, {36, -28, 52, -12}, {-36, 28, -52, 12}, {60, -4, 44, -20}};
    int nudge = nudges[row & 3][column & 3], best = 0;
    long least = -1;
    for (int i = 0; i < 8; i++) {
        long distance = 0;
        for (int shift = 0; shift <= 16; shift += 8) {
            long d = (long)(rgb >> shift & 255) + nudge - (long)(palette[i] >> shift & 255);
            distance += d * d;
        }
        if (least < 0 || distance < least) {
            least = distance;
            best = i;
        }
    }
    return best;
}

/* A pixel's colour as curses wants it. */
static int colour_of(unsigned rgb, int row, int column)
{
    if (paint.depth == COLOUR_16)
        return colour_of_8(rgb, row, column);
    return paint.depth == COLOUR_256 ? colour_256(rgb) : (int)(rgb & 0xfcfcfc); /* steps of 4 save pairs and bytes */
}

void paint_pixels(int row, int column, int above, int below, unsigned attributes)
{
    static const char ramp[] = " .:-=+*#%@";
    struct style style = {{-1, -1, 0}, attributes};
    if (!paint.colours || paint.ascii) {
        unsigned lower = (unsigned)(below < 0 ? above : below), upper = (unsigned)above;
        unsigned mean = ((upper >> 1 & 0x7f7f7f) + (lower >> 1 & 0x7f7f7f));
        int step = (int)(brightness(mean) * (sizeof ramp - 2) / 255 + 0.5);
        wchar_t show[2] = {(wchar_t)ramp[paint.colours ? 0 : step], 0};
        if (paint.colours)
            style.cell.background = colour_of(mean, row, column);
        put(row, column, show, attributes_of(style), pair_of(style.cell));
        return;
    }
    int up = colour_of((unsigned)above, 2 * row, column);
    int down = below < 0 ? -1 : colour_of((unsigned)below, 2 * row + 1, column);
    const wchar_t *show = up == down ? L" " : L"▀";
    style.cell = (struct colour_cell){down, up == down ? -1 : up, 0};
    if (paint.depth == COLOUR_16 && down > up) { /* half as many pairs: there are not many */
        style.cell = (struct colour_cell){up, down, 0};
        show = L"▄";
    }
    put(row, column, show, attributes_of(style), pair_of(style.cell));
}

void paint_held(int row, int column, int columns)
{
    for (int c = 0; c < columns; c++)
        put(row, column + c, paint.ascii ? L" " : L"\u00a0", paint.ascii ? A_INVIS : A_NORMAL, 0);
}

void paint_glyph(struct area area, int first, const struct glyph *glyph, struct style style)
{
    int row = glyph->row - first;
    if (row >= 0 && row < area.rows && glyph->column < area.columns)
        put_glyph(area.row + row, area.column + glyph->column, area.column + area.columns, glyph, style);
}
