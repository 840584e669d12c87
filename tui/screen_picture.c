/* screen_picture.c: the prompt's pictures: adding, removing, walking over them, and how they are shown. */
#include "tui/screen_state.h"

#include <stdlib.h>
#include <string.h>

static unsigned changed(struct screen *screen)
{
    struct view *view = &screen->view;
    view->image_count = screen->image_count;
    view->patch_column = view->patch_row = -1;
    if (view->shown >= screen->image_count)
        view->shown = screen->image_count > 0 ? screen->image_count - 1 : 0;
    if (view->focus == PLACE_PICTURE && !view_has_picture(view))
        view->focus = PLACE_EDITOR;
    return DIRTY_ALL;
}

void screen_pictures_clear(struct screen *screen)
{
    while (screen->image_count > 0) {
        image_release(screen->images[--screen->image_count]);
        free(screen->image_paths[screen->image_count]);
    }
    screen->view.shown = 0;
    changed(screen);
}

bool screen_picture_put(struct screen *screen, struct image *image, const char *path)
{
    if (screen->image_count == SCREEN_IMAGES)
        return false;
    screen->image_paths[screen->image_count] = path ? realpath(path, NULL) : NULL;
    screen->images[screen->image_count++] = image;
    screen->view.shown = screen->image_count - 1;
    changed(screen);
    return true;
}

/* Ask for the name of a picture's file. */
static unsigned ask_picture(struct screen *screen)
{
    dialog_ask(&screen->dialog, DIALOG_PICTURE, "Add a picture: PNG, JPEG or WebP",
               "Tab: complete; Enter: add; Esc: close", screen->picture_name);
    return DIRTY_DRAW;
}

unsigned screen_picture_add(struct screen *screen, const char *path)
{
    struct error error;
    if (screen->image_count == SCREEN_IMAGES)
        screen_say(screen, true, "a prompt has at most %d pictures; remove one", SCREEN_IMAGES);
    else if (screen->fetcher.errand.running)
        screen_say(screen, true, "another picture is still being read; wait for it");
    else if (fetcher_start(&screen->fetcher, path, &error) != 0)
        screen_fail(screen, error.message, "try again");
    else
        screen_say(screen, false, "reading the picture");
    return DIRTY_DRAW;
}

/* Begin with the same folder the next time. */
static void keep_folder(struct screen *screen, size_t length)
{
    memcpy(screen->picture_name, screen->fetcher.path, length);
    screen->picture_name[length] = '\0';
}

unsigned screen_picture_fetched(struct screen *screen)
{
    struct error error;
    struct image *image;
    const char *path = screen->fetcher.path, *slash = strrchr(path, '/');
    size_t folder = slash ? (size_t)(slash - path) + 1 : 0;
    if (fetcher_finish(&screen->fetcher, &image, &error) != 0) {
        bool named = strncmp(error.message, path, folder) == 0; /* the folder stands in the dialog */
        screen_fail(screen, error.message + (named ? folder : 0), "give another");
        return DIRTY_DRAW;
    }
    if (!screen_picture_put(screen, image, path)) {
        image_release(image);
        return DIRTY_DRAW;
    }
    keep_folder(screen, folder);
    screen->view.message[0] = '\0';
    if (screen->dialog.kind == DIALOG_PICTURE)
        dialog_close(&screen->dialog);
    view_arrange(&screen->view);
    return (screen->editor.length > 0 ? screen_submit(screen) : 0) | DIRTY_ALL;
}

static unsigned take_out(struct screen *screen)
{
    size_t at = screen->view.shown;
    if (at >= screen->image_count)
        return DIRTY_NONE;
    image_release(screen->images[at]);
    free(screen->image_paths[at]);
    for (screen->image_count--; at < screen->image_count; at++) {
        screen->images[at] = screen->images[at + 1];
        screen->image_paths[at] = screen->image_paths[at + 1];
    }
    screen_say(screen, false, "taken out; Enter measures without it, ^G adds one");
    return changed(screen);
}

/* -- the chosen patch ---------------------------------------------------------------------------------------------- */

/* The patches' units from the strongest on: the one behind the chosen one's place among them, or the strongest. */
static bool choose_best(struct view *view, bool next)
{
    enum { MOST = 16 };
    long units[MOST], index = view_picture_index(view), at = view_patch_unit(view);
    size_t count = map_top(&view->map, MAP_PATCHES, units, MOST), first = 0;
    int column, row;
    for (size_t i = 0; next && i < count; i++)
        if (units[i] == at)
            first = i + 1;
    for (size_t i = 0; i < count; i++) {
        const struct unit *unit = &view->explanation->units[units[(first + i) % count]];
        if (picture_place(view->explanation, unit->first, &column, &row) != index)
            continue;                                          /* of another picture */
        for (int k = 0; k < unit->columns * unit->rows; k++) { /* the first that is no padding */
            int x = column + k % unit->columns, y = row + k / unit->columns;
            if (picture_token(view->explanation, index, x, y) >= 0) {
                view->patch_column = x;
                view->patch_row = y;
                return true;
            }
        }
    }
    return false;
}

/* Go on until another unit is reached, or the edge. */
static void walk(struct view *view, int across, int down)
{
    long from = view_patch_unit(view), index = view_picture_index(view);
    int column = view->patch_column, row = view->patch_row;
    do {
        column += across;
        row += down;
        if (picture_token(view->explanation, index, column, row) < 0)
            return;
    } while (from >= 0 &&
             picture_unit(view->explanation, picture_token(view->explanation, index, column, row)) == from);
    view->patch_column = column;
    view->patch_row = row;
}

unsigned screen_picture_focus(struct screen *screen)
{
    struct view *view = &screen->view;
    const struct explanation *e = view->explanation;
    long index = view_picture_index(view);
    view->focus = PLACE_PICTURE;
    if (index < 0 || picture_token(e, index, view->patch_column, view->patch_row) >= 0 || choose_best(view, false))
        return DIRTY_ALL;
    view->patch_column = e->pictures[index].columns / 2;
    view->patch_row = e->pictures[index].rows / 2;
    return DIRTY_ALL;
}

bool screen_picture_click(struct screen *screen, int row, int column)
{
    struct view *view = &screen->view;
    int x, y;
    if (!view_inside(view->picture_at, row, column) || view->too_small)
        return false;
    if (view_patch_at(view, row, column, &x, &y)) {
        view->patch_column = x;
        view->patch_row = y;
    }
    screen_picture_focus(screen);
    return true;
}

/* -- keys ---------------------------------------------------------------------------------------------------------- */

static unsigned show_next(struct screen *screen)
{
    struct view *view = &screen->view;
    if (screen->image_count < 2)
        return DIRTY_NONE;
    view->shown = (view->shown + 1) % screen->image_count;
    view->patch_column = view->patch_row = -1;
    return view->focus == PLACE_PICTURE ? screen_picture_focus(screen) : DIRTY_ALL;
}

static unsigned set_opacity(struct view *view, double by)
{
    view->opacity += by;
    view->opacity = view->opacity < 0.1 ? 0.1 : view->opacity > 1 ? 1 : view->opacity;
    view->picture_mode = PICTURE_BOTH;
    return DIRTY_DRAW;
}

unsigned screen_picture_act(struct screen *screen, enum action action)
{
    struct view *view = &screen->view;
    switch (action) {
    case ACTION_PATCH_LEFT:
        walk(view, -1, 0);
        return DIRTY_DRAW;
    case ACTION_PATCH_RIGHT:
        walk(view, 1, 0);
        return DIRTY_DRAW;
    case ACTION_PATCH_UP:
        walk(view, 0, -1);
        return DIRTY_DRAW;
    case ACTION_PATCH_DOWN:
        walk(view, 0, 1);
        return DIRTY_DRAW;
    case ACTION_PATCH_BEST:
        choose_best(view, true);
        return DIRTY_DRAW;
    case ACTION_PICTURE_ADD:
        return ask_picture(screen);
    case ACTION_PICTURE_REMOVE:
        return take_out(screen);
    case ACTION_PICTURE_NEXT:
        return show_next(screen);
    case ACTION_PICTURE_MODE:
        view->picture_mode = (view->picture_mode + 1) % PICTURE_MODES;
        return DIRTY_DRAW;
    case ACTION_HEAT_MORE:
        return set_opacity(view, 0.1);
    case ACTION_HEAT_LESS:
        return set_opacity(view, -0.1);
    default:
        return DIRTY_NONE;
    }
}
