#include "tui/graphics.h"

#include <curses.h>
#include <stdlib.h>
#include <string.h>

#include "tui/sixel.h"

enum {
    PATIENCE = 5000, /* ms after which a terminal that does not answer is taken to have drawn */
    CHOICE_GAP = 40, /* ms between two pictures that a person's key asks for */
    STREAM_GAP =
        150, /* ms between two that differ in what was measured; and as much again as the line is busy with one */
    SMALL = 80 * 24, /* cells */
};

/* The ladder: colours, and pixels drawn as squares of this side. */
static const struct {
    int colours, side;
} steps[] = {{64, 1}, {32, 1}, {16, 1}, {32, 2}, {16, 2}, {16, 3}, {8, 4}, {4, 8}};
enum { STEPS = sizeof steps / sizeof *steps };

void graphics_free(struct graphics *graphics)
{
    picture_canvas_free(&graphics->canvas);
    free(graphics->rgb);
    free(graphics->indices);
    *graphics = (struct graphics){0};
}

void graphics_damage(struct graphics *graphics)
{
    graphics->damaged = true;
    graphics->waiting = false;
}

/* -- encoding ------------------------------------------------------------------------------------------------------ */

static int reserve(struct graphics *graphics, size_t pixels, struct error *error)
{
    if (pixels <= graphics->capacity)
        return 0;
    free(graphics->rgb);
    free(graphics->indices);
    graphics->rgb = malloc(pixels * 3);
    graphics->indices = malloc(pixels);
    graphics->capacity = graphics->rgb && graphics->indices ? pixels : 0;
    return graphics->capacity ? 0 : error_set(error, ERROR_MEMORY, "there is no memory to draw the picture");
}

/* Draw in squares of a side; those at the right and lower edge may be cut. */
static int draw(struct graphics *graphics, const struct picture_look *look, int width, int height, int side,
                struct error *error)
{
    struct picture_canvas *canvas = &graphics->canvas;
    int code = picture_draw(canvas, look, (width + side - 1) / side, (height + side - 1) / side, error);
    if (code == 0)
        code = reserve(graphics, (size_t)width * (size_t)height, error);
    for (int y = 0; code == 0 && y < height; y++)
        for (int x = 0; x < width; x++)
            memcpy(graphics->rgb + 3 * (y * width + x), canvas->rgb + 3 * (y / side * canvas->width + x / side), 3);
    return code;
}

/* The sequence for a look of that size, of at most `most` bytes and in `registers` colours (0: enough): fewer colours,
 * then larger pixels, until it fits.  Malloced [*length]; ERROR_MEMORY, ERROR_ARGUMENT. */
static int encode(struct graphics *graphics, const struct picture_look *look, int width, int height, int registers,
                  size_t most, char **bytes, size_t *length, struct error *error)
{
    for (;; graphics->step++) {
        struct palette palette;
        int step = graphics->step, colours = steps[step].colours;
        if (registers > 0 && colours > registers)
            colours = registers < 2 ? 2 : registers;
        int code = draw(graphics, look, width, height, steps[step].side, error);
        if (code == 0)
            code = palette_reduce(graphics->rgb, (size_t)width * (size_t)height, colours, &palette, graphics->indices,
                                  error);
        if (code == 0)
            code = sixel_write(&palette, graphics->indices, width, height, bytes, length, error);
        if (code != 0 || *length <= most || step + 1 == STEPS)
            return code;
        free(*bytes);
    }
}

/* -- on the screen ------------------------------------------------------------------------------------------------- */

static bool same_area(struct area a, struct area b)
{
    return a.row == b.row && a.column == b.column && a.rows == b.rows && a.columns == b.columns;
}

static bool overlap(struct area a, struct area b)
{
    return a.row < b.row + b.rows && b.row < a.row + a.rows && a.column < b.column + b.columns &&
           b.column < a.column + a.columns;
}

/* Whether curses is about to write beside the picture, on its rows. */
static bool rows_change(struct area at, int columns)
{
    int row, column;
    bool changed = false;
    getyx(newscr, row, column);
    for (int r = at.row; r < at.row + at.rows; r++)
        for (int c = 0; c < columns && !changed; c++) {
            cchar_t now, next;
            changed = mvwin_wch(curscr, r, c, &now) == OK && mvwin_wch(newscr, r, c, &next) == OK &&
                      memcmp(&now, &next, sizeof now) != 0;
        }
    wmove(newscr, row, column);
    return changed;
}

void graphics_prepare(struct graphics *graphics, const struct terminal *terminal, const struct view *view)
{
    struct area at = view->too_small || terminal->graphics != GRAPHICS_SIXEL ? (struct area){0} : view->picture_at;
    struct area stands = graphics->stands;
    if (stands.columns == 0)
        return;
    if (!same_area(stands, at)) {
        if (stands.row < terminal->rows)
            wredrawln(stdscr, stands.row, stands.rows);
        graphics->stands = (struct area){0};
        return;
    }
    if (dialog_is_open(view->dialog) && overlap(view->dialog->area, at))
        graphics->damaged = true;
    if (terminal->shared && !graphics->damaged) {
        wnoutrefresh(stdscr);
        graphics->damaged = rows_change(at, terminal->columns);
    }
}

static size_t budget(const struct terminal *terminal)
{
    size_t cells = (size_t)terminal->rows * (size_t)terminal->columns;
    size_t bytes = cells <= SMALL ? GRAPHICS_BYTES : GRAPHICS_BYTES / 64 * cells / (SMALL / 64);
    return bytes < GRAPHICS_BYTES_MOST ? bytes : GRAPHICS_BYTES_MOST;
}

/* See whether the terminal has answered, or never will. */
static void take_answer(struct graphics *graphics, struct terminal *terminal, int64_t now)
{
    int64_t since = now - graphics->sent;
    if (!graphics->waiting || (terminal->fences > 0 && since < PATIENCE))
        return;
    graphics->waiting = false;
    graphics->took = since;
    terminal->fences = 0;
}

/* How long to wait before the next one; 0: it may be sent. */
static int64_t delay(const struct graphics *graphics, bool choice, int64_t now)
{
    int64_t since = now - graphics->sent, gap = choice ? CHOICE_GAP : STREAM_GAP + 2 * graphics->took;
    if (graphics->waiting)
        gap = PATIENCE;
    return since < gap ? gap - since : 0;
}

int graphics_show(struct graphics *graphics, struct terminal *terminal, const struct view *view, int64_t now)
{
    struct picture_look look, still;
    char *bytes;
    size_t length;
    if (terminal->graphics != GRAPHICS_SIXEL || !view_picture_look(view, &look))
        return -1;
    take_answer(graphics, terminal, now);
    if (dialog_is_open(view->dialog) && overlap(view->dialog->area, view->picture_at))
        return -1;
    still = look;
    still.map = NULL;
    uint64_t hash = picture_hash(&look), choice = picture_hash(&still);
    bool moved = !same_area(graphics->stands, view->picture_at);
    if (hash == graphics->hash && !moved && !graphics->damaged)
        return -1;
    int64_t wait = delay(graphics, moved || graphics->damaged || choice != graphics->choice, now);
    if (wait > 0)
        return (int)wait;
    if (moved)
        graphics->step = 0;
    int code = encode(graphics, &look, view->picture_width, view->picture_height, terminal->registers, budget(terminal),
                      &bytes, &length, NULL);
    graphics->stands = view->picture_at;
    graphics->hash = hash;
    graphics->choice = choice;
    graphics->damaged = false;
    if (code != 0) /* without memory there is no picture until something changes */
        return -1;
    terminal_picture(terminal, view->picture_at.row, view->picture_at.column, bytes, length);
    free(bytes);
    graphics->sent = now;
    graphics->waiting = true;
    return -1;
}
