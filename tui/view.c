#include "tui/view.h"

#include <curses.h>
#include <stdlib.h>

void view_free(struct view *view)
{
    layout_free(&view->prompt_layout);
    words_free(&view->said);
    words_free(&view->remixed);
    words_free(&view->strip_words);
    view_free_compare(view);
    sources_free(&view->sources);
    picture_canvas_free(&view->canvas);
}

/* -- texts --------------------------------------------------------------------------------------------------------- */

const char *view_token_text(const struct view *view, int32_t id, size_t *length)
{
    *length = 0;
    return view->tokenizer && id >= 0 ? tokenizer_text(view->tokenizer, id, length) : "";
}

static bool same_pictures(const struct view *view)
{
    const struct explanation *e = view->explanation;
    if (e->picture_count != view->image_count)
        return false;
    for (size_t i = 0; i < e->picture_count; i++)
        if (e->pictures[i].image->serial != view->images[i]->serial)
            return false;
    return true;
}

bool view_is_stale(const struct view *view)
{
    return !same_pictures(view) || view->same_before < view->editor->length ||
           view->explanation->prompt_length != view->editor->length;
}

/* How much of the prompt stands as it was when it was explained: from its start, and from its end. */
static void compare_prompts(struct view *view)
{
    const char *now = view->editor->text, *then = view->explanation->prompt;
    size_t n = view->editor->length, m = view->explanation->prompt_length, least = n < m ? n : m, i = 0, k = 0;
    while (i < least && now[i] == then[i])
        i++;
    while (k < least - i && now[n - 1 - k] == then[m - 1 - k])
        k++;
    view->same_before = i;
    view->same_behind = k;
}

/* An output's tokens one behind the other. */
static void join_output(const struct view *view, const struct explanation *e, struct words *words)
{
    words_clear(words);
    for (size_t t = 0; t < e->output_count; t++) {
        size_t length;
        const char *text = view_token_text(view, e->output[t].id, &length);
        if (!words_add(words, text, length))
            break;
    }
}

/* -- places -------------------------------------------------------------------------------------------------------- */

/* Columns beside the output: for its candidates, or more for an answer; 0: none, an answer takes the whole pane
 * then. */
static int side_columns(int columns, bool answer)
{
    if (answer)
        return columns >= 160 ? 76 : columns >= 120 ? 60 : columns >= 72 ? columns / 2 : 0;
    return columns >= 120 ? 48 : columns >= 72 ? 32 : columns >= 36 ? columns * 2 / 5 : 0;
}

/* Rows of the lower pane, out of all. */
static int output_rows(int panes, bool answer)
{
    int rows = answer ? (panes + 1) / 2 : panes * 4 / 9, most = answer ? 20 : 10;
    rows = rows < 3 ? 3 : rows > most ? most : rows;
    return rows > panes - 1 ? panes - 1 : rows;
}

static void place_panes(struct view *view)
{
    int rows = view->terminal->rows, columns;
    bool answer = view->side != SIDE_CANDIDATES;
    view->too_small = rows < VIEW_ROWS || view->terminal->columns < VIEW_COLUMNS;
    view->line_count = rows >= 16 ? 4 : 3;
    view->lines = rows - view->line_count;
    view_place_picture(view);
    columns = view->columns;
    int panes = view->word_rows - 2, output = output_rows(panes, answer), side = side_columns(columns, answer);
    view->prompt_title = 0;
    view->prompt = (struct area){1, 1, panes - output, columns - 2};
    view->output_title = panes - output + 1;
    view->output = (struct area){view->output_title + 1, 1, output, columns - side - 2};
    view->candidates = (struct area){view->output_title + 1, columns - side + 1, output, side - 2};
    if (side == 0)
        view->candidates = (struct area){0};
    view->answer = answer ? side > 0 ? view->candidates : view->output : (struct area){0};
    view->mix = (struct area){0};
    if (view->steer_count > 0) {
        int upper = (output - 1) / 2;
        view->mix = view->output;
        view->output.rows = upper;
        view->mix.row += upper + 1;
        view->mix.rows = output - upper - 1;
    }
    view_place_compare(view);
    view_place_specials(view);
    if (answer && side == 0) /* it takes all */
        view->mix = view->compare.output = (struct area){0};
}

void view_arrange(struct view *view)
{
    wchar_t newline = view->terminal->ascii ? L'|' : L'↵';
    join_output(view, view->explanation, &view->said);
    view_align_compare(view);
    place_panes(view);
    if (view->too_small)
        return;
    compare_prompts(view);
    layout_text(&view->prompt_layout, view->editor->text, view->editor->length, view->prompt.columns, L' ');
    words_arrange(&view->said, view->output.columns, newline);
    view_layout_compare(view);
    if (view->steer_count == 0)
        return;
    join_output(view, view->mixed, &view->remixed);
    words_arrange(&view->remixed, view->mix.columns, newline);
    if (!view->mixing)
        words_align(&view->said, &view->remixed, NULL, NULL);
}

int view_scroll(int first, int row, int rows, int total)
{
    if (row < first)
        first = row;
    if (row >= first + rows)
        first = row - rows + 1;
    if (first > total - rows)
        first = total - rows;
    return first < 0 ? 0 : first;
}

void view_follow(struct view *view)
{
    int row, column, choices[VIEW_CHOICES], at = 0, count = view_choices(view, choices);
    if (view->too_small)
        return;
    layout_place(&view->prompt_layout, view->editor->cursor, &row, &column);
    view->prompt_first = view_scroll(view->prompt_first, row, view->prompt.rows, view->prompt_layout.rows);
    view_follow_special(view);
    bool any = view->token < view->said.count;
    layout_place(&view->said.layout, any && view->token > 0 ? view->said.ends[view->token - 1] : 0, &row, &column);
    view->output_first = view_scroll(view->output_first, row, view->output.rows, view->said.layout.rows);
    while (at + 1 < count && choices[at] != view->choice)
        at++;
    if (view->candidates.rows > 0 && view->answer.rows == 0)
        view->candidate_first = view_scroll(view->candidate_first, at, view->candidates.rows, count);
}

/* -- clicks -------------------------------------------------------------------------------------------------------- */

bool view_inside(struct area area, int row, int column)
{
    return row >= area.row && row < area.row + area.rows && column >= area.column &&
           column < area.column + area.columns;
}

bool view_prompt_at(const struct view *view, int row, int column, size_t *byte)
{
    if (view->too_small || !view_inside(view->prompt, row, column))
        return false;
    *byte =
        layout_byte(&view->prompt_layout, row - view->prompt.row + view->prompt_first, column - view->prompt.column);
    return true;
}

bool view_token_at(const struct view *view, int row, int column, size_t *token)
{
    size_t count = view->explanation->output_count;
    if (view->too_small || count == 0 || !view_inside(view->output, row, column) ||
        view_inside(view->answer, row, column))
        return false;
    size_t byte =
        layout_byte(&view->said.layout, row - view->output.row + view->output_first, column - view->output.column);
    for (*token = 0; *token + 1 < count && view->said.ends[*token] <= byte;)
        ++*token;
    return true;
}

bool view_choice_at(const struct view *view, int row, int column, int *choice)
{
    int choices[VIEW_CHOICES], count = view_choices(view, choices),
                               at = row - view->candidates.row + view->candidate_first;
    if (view->too_small || view->answer.rows > 0 || at >= count || !view_inside(view->candidates, row, column))
        return false;
    *choice = choices[at];
    return true;
}

/* -- drawing ------------------------------------------------------------------------------------------------------- */

/* The cursor stands where something is written or chosen, also for those who follow it with a reader or a magnifier. */
static void place_cursor(const struct view *view)
{
    int row, column;
    if (dialog_cursor(view->dialog, &row, &column)) {
        curs_set(1);
        move(row, column);
        return;
    }
    if (view->focus == PLACE_PICTURE && view_patch_cell(view, &row, &column)) {
        curs_set(0);
        move(row, column);
        return;
    }
    if (view->focus == PLACE_EDITOR && !dialog_is_open(view->dialog) && view_special_cell(view, &row, &column)) {
        curs_set(0);
        move(row, column);
        return;
    }
    bool writing = view->focus == PLACE_EDITOR && !dialog_is_open(view->dialog);
    struct area area = writing ? view->prompt : view->output;
    if (writing) {
        layout_place(&view->prompt_layout, view->editor->cursor, &row, &column);
        row -= view->prompt_first;
    } else {
        size_t start =
            view->token > 0 && view->token < view->explanation->output_count ? view->said.ends[view->token - 1] : 0;
        layout_place(&view->said.layout, start, &row, &column);
        row -= view->output_first;
    }
    bool seen = row >= 0 && row < area.rows;
    curs_set(writing && seen);
    if (seen)
        move(area.row + row, area.column + column);
}

void view_draw(struct view *view)
{
    erase();
    paint_frame();
    if (view->too_small) {
        char text[80];
        snprintf(text, sizeof text, "needs %dx%d cells", VIEW_COLUMNS, VIEW_ROWS);
        paint_string(0, 0, view->terminal->columns, paint_plain(0), text);
        curs_set(0);
    } else {
        int against = view_against(view);
        view->map = map_of(view->explanation, &(struct map_question){view->token, view->choice, against >= 0, against,
                                                                     view->typed.id, view->shared_scale, view->paths});
        view_find_sources(view);
        view_ask_compare(view);
        view_draw_specials(view);
        view_draw_prompt(view);
        view_draw_output(view);
        view_draw_compare(view);
        view_draw_picture(view);
        view_draw_lines(view);
        dialog_draw(view->dialog, view->terminal->rows, view->terminal->columns);
        place_cursor(view);
    }
}
