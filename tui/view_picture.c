/* view_picture.c: the picture's pane: where it goes, what it shows, and, in a terminal that draws no pixels, its
 * drawing in halves of cells.  In one that does, only the place is kept free here: graphics.c sends the pixels. */
#include "tui/view.h"

#include <math.h>
#include <stdio.h>

enum {
    BESIDE_COLUMNS = 72,
    BELOW_ROWS = 24, /* the least of the screen for a pane beside the words, or below them */
    LEAST_COLUMNS = 8,
    LEAST_ROWS = 4, /* of the picture */
    CELL_WIDTH = 8,
    CELL_HEIGHT = 16, /* pixels, where the terminal does not say */
    SIDE_UNKNOWN = 1000,
    SIDE = 768, /* pixels: of a terminal that does not say its greatest; the greatest of ours */
    BAND = 6,   /* rows of pixels that are sent together */
};

static const struct image *shown_image(const struct view *view)
{
    return view->shown < view->image_count ? view->images[view->shown] : NULL;
}

bool view_has_picture(const struct view *view)
{
    return shown_image(view) && view->terminal->graphics != GRAPHICS_NONE;
}

/* -- places -------------------------------------------------------------------------------------------------------- */

static bool in_pixels(const struct view *view)
{
    return view->terminal->graphics == GRAPHICS_SIXEL;
}

/* The size of the picture in at most that many cells: its pixels, and the cells that they cover. */
static void fit(struct view *view, int columns, int rows)
{
    const struct terminal *terminal = view->terminal;
    const struct image *image = shown_image(view);
    double wide = terminal->cell_width > 0 ? terminal->cell_width : CELL_WIDTH;
    double high = terminal->cell_height > 0 ? terminal->cell_height : CELL_HEIGHT;
    int width, height;
    if (in_pixels(view)) {
        int most_width = terminal->picture_width > 0 ? terminal->picture_width : SIDE_UNKNOWN;
        int most_height = terminal->picture_height > 0 ? terminal->picture_height : SIDE_UNKNOWN;
        picture_fit(image->width, image->height, fmin(columns * wide, fmin(most_width, SIDE)),
                    fmin(rows * high, fmin(most_height, SIDE)), &width, &height);
        height -= height % BAND;
        view->picture_width = width;
        view->picture_height = height;
        view->picture_at.columns = (int)ceil(width / wide);
        view->picture_at.rows = (int)ceil(height / high);
    } else {
        picture_fit(image->width, image->height, columns * wide, rows * high, &width, &height);
        view->picture_width = (int)fmax(1, round(width / wide));
        view->picture_height = (int)fmax(1, round(height / (high / 2)));
        view->picture_at.columns = view->picture_width;
        view->picture_at.rows = (view->picture_height + 1) / 2;
    }
}

void view_place_picture(struct view *view)
{
    int rows = view->lines, columns = view->terminal->columns;
    view->picture_at = (struct area){0};
    view->picture_border = view->picture_title = -1;
    view->columns = columns;
    view->word_rows = rows;
    if (!view_has_picture(view))
        return;
    bool beside = columns >= BESIDE_COLUMNS || view->terminal->rows < BELOW_ROWS;
    if (!beside) {
        fit(view, columns - 2, rows * 9 / 20);
    } else if (columns >= BESIDE_COLUMNS) {
        fit(view, columns * 48 / 100, rows - 1);
    } else if (view->focus != PLACE_OUTPUT) { /* no room for three things beside each other */
        fit(view, columns * 2 / 5, rows - 1);
    }
    if (view->picture_at.columns < LEAST_COLUMNS || view->picture_at.rows < LEAST_ROWS) {
        view->picture_at = (struct area){0};
        return;
    }
    if (beside) {
        view->picture_title = 0;
        view->picture_at.column = columns - 1 - view->picture_at.columns;
        view->picture_border = view->columns = view->picture_at.column - 1;
    } else {
        view->word_rows = view->picture_title = rows - 1 - view->picture_at.rows;
        view->picture_at.column = 1;
    }
    view->picture_at.row = view->picture_title + 1;
}

/* -- what it shows ------------------------------------------------------------------------------------------------- */

long view_picture_index(const struct view *view)
{
    const struct image *image = shown_image(view);
    return image ? picture_index(view->explanation, view->shown, image) : -1;
}

long view_patch_unit(const struct view *view)
{
    const struct explanation *e = view->explanation;
    return picture_unit(e, picture_token(e, view_picture_index(view), view->patch_column, view->patch_row));
}

bool view_picture_look(const struct view *view, struct picture_look *look)
{
    if (view->picture_at.columns == 0 || view->too_small)
        return false;
    bool focus = view->focus == PLACE_PICTURE;
    *look = (struct picture_look){
        .image = shown_image(view),
        .map = &view->map,
        .picture = view_picture_index(view),
        .mode = view->picture_mode,
        .opacity = view->opacity,
        .ground = view->terminal->ground,
        .scale = view->terminal->scale,
        .unit = focus ? view_patch_unit(view) : -1,
    };
    return true;
}

bool view_patch_at(const struct view *view, int row, int column, int *patch_column, int *patch_row)
{
    const struct image *image = shown_image(view);
    if (view->too_small || !image || !view_inside(view->picture_at, row, column))
        return false;
    double x = (column - view->picture_at.column + 0.5) / view->picture_at.columns * image->width;
    double y = (row - view->picture_at.row + 0.5) / view->picture_at.rows * image->height;
    int token = picture_token_at(view->explanation, view_picture_index(view), x, y);
    return token >= 0 && picture_place(view->explanation, token, patch_column, patch_row) >= 0;
}

bool view_patch_cell(const struct view *view, int *row, int *column)
{
    const struct image *image = shown_image(view);
    const struct explanation *e = view->explanation;
    int token = image ? picture_token(e, view_picture_index(view), view->patch_column, view->patch_row) : -1;
    if (token < 0 || view->picture_at.columns == 0)
        return false;
    const float *rect = e->tokens[token].rect;
    double x = (rect[0] + rect[2] / 2) / (float)image->width, y = (rect[1] + rect[3] / 2) / (float)image->height;
    *column = view->picture_at.column + (int)fmin(x * view->picture_at.columns, view->picture_at.columns - 1);
    *row = view->picture_at.row + (int)fmin(y * view->picture_at.rows, view->picture_at.rows - 1);
    return true;
}

/* -- drawing ------------------------------------------------------------------------------------------------------- */

static const char *mode_name(enum picture_mode mode)
{
    static const char *const names[PICTURE_MODES] = {"both", "picture", "heat"};
    return names[mode];
}

static void draw_title(struct view *view)
{
    bool focus = view->focus == PLACE_PICTURE;
    int row = view->picture_title, from = view->picture_border, end = view->terminal->columns;
    bool ascii = view->terminal->ascii;
    struct style line = paint_plain(focus ? 0 : COLOUR_DIM);
    char text[64] = " Picture ";
    paint_rule(row, from + 1, end - from - 1, line);
    if (from >= 0) {
        paint_string(row, from, 1, line, ascii ? "+" : "┬");
        paint_vertical(1, from, view->lines - 1, line);
        paint_string(view->output_title, from, 1, line, ascii ? "+" : "┤");
    }
    int at = from + 2;
    at += paint_string(row, at, end - at, paint_plain(focus ? COLOUR_BOLD | COLOUR_REVERSE : COLOUR_BOLD), text);
    if (view->image_count > 1) {
        snprintf(text, sizeof text, " %zu of %zu ", view->shown + 1, view->image_count);
        at += paint_string(row, at, end - at, paint_plain(0), text);
    }
    if (!focus)
        return;
    at += view_draw_key(view, row, at + 1, end - 1, ACTION_PICTURE_MODE, mode_name(view->picture_mode));
    snprintf(text, sizeof text, "%.0f %%", 100 * view->opacity);
    if (view->picture_mode == PICTURE_BOTH)
        view_draw_key(view, row, at + 3, end - 1, ACTION_HEAT_MORE, text);
}

/* Without colours the heat is in the attributes of the characters, and a sign where there is no picture. */
static void draw_plain_cell(const struct view *view, int row, int column, int above, int below, long unit)
{
    struct style style = paint_relevance(map_position(&view->map, unit));
    if (view->picture_mode == PICTURE_PLAIN)
        style = paint_plain(0);
    double position = map_position(&view->map, unit);
    if (view->picture_mode == PICTURE_HEAT)
        paint_string(row, column, 1, style, position > 0 ? "+" : position < 0 ? "-" : ".");
    else
        paint_pixels(row, column, above, below, style.cell.attributes);
}

static int pixel(const struct picture_canvas *canvas, int x, int y)
{
    const uint8_t *rgb = canvas->rgb + 3 * (y * canvas->width + x);
    return y < canvas->height ? rgb[0] << 16 | rgb[1] << 8 | rgb[2] : -1;
}

static void draw_cells(struct view *view)
{
    struct picture_look look;
    struct picture_canvas *canvas = &view->canvas;
    struct area at = view->picture_at;
    bool plain = view->terminal->depth == COLOUR_NONE;
    if (!view_picture_look(view, &look))
        return;
    if (plain)
        look.mode = PICTURE_PLAIN;
    if (picture_draw(canvas, &look, view->picture_width, view->picture_height, NULL) != 0)
        return;
    for (int r = 0; r < at.rows; r++)
        for (int c = 0; c < at.columns; c++) {
            int above = pixel(canvas, c, 2 * r), below = pixel(canvas, c, 2 * r + 1);
            if (plain)
                draw_plain_cell(view, at.row + r, at.column + c, above, below,
                                canvas->units[2 * r * canvas->width + c]);
            else
                paint_pixels(at.row + r, at.column + c, above, below, 0);
        }
}

void view_draw_picture(struct view *view)
{
    struct area at = view->picture_at;
    if (at.columns == 0)
        return;
    draw_title(view);
    if (!in_pixels(view)) {
        draw_cells(view);
        return;
    }
    for (int r = 0; r < at.rows; r++)
        paint_held(at.row + r, at.column, at.columns);
}
