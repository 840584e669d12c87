#include "tui/chart.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

/* What is in each cell. */
struct canvas {
    int rows, columns, wide, high; /* cells; dots in a cell */
    uint8_t dots[CHART_ROWS][CHART_COLUMNS];
    int8_t line[CHART_ROWS][CHART_COLUMNS]; /* whose dots they are; behind the last: what is between; -1: none */
};

/* A line's y at x; NAN beyond its ends. */
static double line_at(const struct chart_line *line, double x)
{
    for (int i = 0; i + 1 < line->count; i++)
        if (x >= line->x[i] && x <= line->x[i + 1]) {
            double part = line->x[i + 1] > line->x[i] ? (x - line->x[i]) / (line->x[i + 1] - line->x[i]) : 0;
            return line->y[i] + part * (line->y[i + 1] - line->y[i]);
        }
    return NAN;
}

/* The row of dots of y, 0 at the top. */
static int dot_row(const struct chart *chart, const struct canvas *canvas, double y)
{
    int most = canvas->rows * canvas->high - 1;
    double row = (chart->top - y) / (chart->top - chart->bottom) * most;
    return row < 0 ? 0 : row > most ? most : (int)lround(row);
}

/* The x in the middle of a column of dots. */
static double dot_x(const struct chart *chart, const struct canvas *canvas, int column)
{
    int most = canvas->columns * canvas->wide - 1;
    return most > 0 ? chart->right * column / most : 0;
}

static void put_dot(struct canvas *canvas, int column, int row, int line)
{
    int cell_row = row / canvas->high, cell = column / canvas->wide, x = column % canvas->wide, y = row % canvas->high;
    int8_t *owner = &canvas->line[cell_row][cell];
    if (*owner >= 0 && *owner != line)
        return; /* an earlier line lies above */
    *owner = (int8_t)line;
    canvas->dots[cell_row][cell] |= (uint8_t)(1 << (y < 3 ? 3 * x + y : 6 + x)); /* as Braille counts them */
}

static void put_line(const struct chart *chart, struct canvas *canvas, const struct chart_line *line, int which)
{
    int before = -1;
    for (int column = 0; column < canvas->columns * canvas->wide; column++) {
        double y = line_at(line, dot_x(chart, canvas, column));
        if (isnan(y))
            continue;
        int row = dot_row(chart, canvas, y), from = before < 0 ? row : before + (before < row) - (before > row);
        for (int r = from < row ? from : row; r <= (from > row ? from : row); r++)
            if (!line->dotted || canvas->wide == 1 || (column + r) % 4 < 2)
                put_dot(canvas, column, r, which);
        before = row;
    }
}

/* Every other dot between two lines. */
static void fill_between(const struct chart *chart, struct canvas *canvas, const struct chart_line *lines, int which)
{
    for (int column = 0; column < canvas->columns * canvas->wide; column++) {
        double x = dot_x(chart, canvas, column), first = line_at(&lines[0], x), second = line_at(&lines[1], x);
        if (isnan(first) || isnan(second))
            continue;
        int a = dot_row(chart, canvas, first), b = dot_row(chart, canvas, second);
        for (int row = (a < b ? a : b) + 1; row < (a < b ? b : a); row++)
            if ((column + row) % 2 == 0)
                put_dot(canvas, column, row, which);
    }
}

static void draw_cell(const struct chart *chart, const struct canvas *canvas, const struct chart_line *lines, int count,
                      int row, int column)
{
    int owner = canvas->line[row][column];
    uint8_t dots = canvas->dots[row][column];
    char text[4] = " ";
    if (owner < 0)
        return;
    if (chart->ascii)
        text[0] = lines[owner].plain;
    else
        memcpy(text, (char[]){(char)0xe2, (char)(0xa0 | dots >> 6), (char)(0x80 | (dots & 63)), 0}, 4);
    paint_string(chart->area.row + row, chart->area.column + column, 1,
                 owner < count ? lines[owner].style : chart->between, text);
}

void chart_draw(const struct chart *chart, const struct chart_line *lines, int count)
{
    struct canvas canvas = {.rows = chart->area.rows < CHART_ROWS ? chart->area.rows : CHART_ROWS,
                            .columns = chart->area.columns < CHART_COLUMNS ? chart->area.columns : CHART_COLUMNS,
                            .wide = chart->ascii ? 1 : 2,
                            .high = chart->ascii ? 1 : 4};
    memset(canvas.line, -1, sizeof canvas.line);
    for (int i = 0; i < count; i++)
        put_line(chart, &canvas, &lines[i], i);
    if (chart->filled && !chart->ascii && count > 1)
        fill_between(chart, &canvas, lines, count);
    for (int row = 0; row < canvas.rows; row++)
        for (int column = 0; column < canvas.columns; column++)
            draw_cell(chart, &canvas, lines, count, row, column);
}
