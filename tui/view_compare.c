/* view_compare.c: the explanation beside the one that was kept: which parts of them belong together, where the kept one
 * is shown, and what both are asked.  view_before.c draws. */
#include "tui/view.h"

#include <math.h>
#include <stdlib.h>

enum { BESIDE_COLUMNS = 72 }; /* in fewer, both stand above each other */

void view_free_compare(struct view *view)
{
    difference_free(&view->compare.difference);
    words_free(&view->compare.said);
    layout_free(&view->compare.layout);
    free(view->compare.shown);
}

enum compare_mode view_compare_mode(const struct view *view)
{
    return view->compare.kept ? view->compare.mode : COMPARE_OFF;
}

/* -- what belongs together ----------------------------------------------------------------------------------------- */

static void join_before(struct view_compare *compare)
{
    const struct explanation *e = compare->kept->explanation;
    words_clear(&compare->said);
    for (size_t t = 0; t < e->output_count; t++) {
        size_t length;
        const char *text = tokenizer_text(compare->kept->tokenizer, e->output[t].id, &length);
        if (!words_add(&compare->said, text, length))
            break;
    }
}

void view_align_compare(struct view *view)
{
    struct view_compare *compare = &view->compare;
    if (view_compare_mode(view) == COMPARE_OFF || compare->aligned)
        return;
    join_before(compare);
    compare->aligned = difference_make(&compare->difference, compare->kept->explanation, &compare->said,
                                       view->explanation, &view->said);
}

bool view_is_fresh(const struct view *view, size_t byte)
{
    return view_compare_mode(view) != COMPARE_OFF && difference_is_fresh(&view->compare.difference, byte);
}

static bool any_removed(const struct difference *difference)
{
    for (size_t i = 0; i < difference->length_before; i++)
        if (difference->gone[i])
            return true;
    return false;
}

bool view_token_changed(const struct view *view, size_t token)
{
    const struct view_compare *compare = &view->compare;
    if (view_compare_mode(view) == COMPARE_OFF || token >= compare->difference.tokens || token >= view->said.count)
        return false;
    long before = difference_token_before(&compare->difference, token);
    return before < 0 || !align_same(words_bare(&view->said, token), words_bare(&compare->said, (size_t)before));
}

/* -- places -------------------------------------------------------------------------------------------------------- */

/* The lower half of an area, below a row for a title. */
static struct area split_below(struct area *area)
{
    struct area below = *area;
    area->rows /= 2;
    below.row += area->rows + 1;
    below.rows -= area->rows + 1;
    return below;
}

/* The left half of an area, a column in which to scroll and a line. */
static struct area split_left(struct area *area)
{
    struct area left = *area;
    int half = (area->columns + 2) / 2;
    left.columns = half - 2;
    area->column += half;
    area->columns -= half;
    return left;
}

void view_place_compare(struct view *view)
{
    struct view_compare *compare = &view->compare;
    enum compare_mode mode = view_compare_mode(view);
    bool mixed = view->steer_count > 0; /* that takes the room below the output */
    compare->prompt = compare->output = (struct area){0};
    compare->removed = 0;
    if (mode == COMPARE_OFF || view->too_small)
        return;
    if (mode == COMPARE_BESIDE && view->columns >= BESIDE_COLUMNS) {
        compare->prompt = split_left(&view->prompt);
        compare->output = split_left(&view->output);
        return;
    }
    if (mode == COMPARE_BESIDE && view->prompt.rows >= 3)
        compare->prompt = split_below(&view->prompt);
    if (!mixed && view->output.rows >= 3)
        compare->output = split_below(&view->output);
    if (mode == COMPARE_DIFFERENCE && view->prompt.rows >= 3 && any_removed(&compare->difference)) {
        view->prompt.rows--;
        compare->removed = view->prompt.row + view->prompt.rows;
    }
}

void view_layout_compare(struct view *view)
{
    struct view_compare *compare = &view->compare;
    if (compare->prompt.rows > 0)
        layout_text(&compare->layout, compare->kept->explanation->prompt, compare->kept->explanation->prompt_length,
                    compare->prompt.columns, L' ');
    if (compare->output.rows > 0)
        words_arrange(&compare->said, compare->output.columns, view->terminal->ascii ? L'|' : L'↵');
}

/* -- clicks -------------------------------------------------------------------------------------------------------- */

bool view_before_prompt_at(const struct view *view, int row, int column, size_t *byte)
{
    const struct view_compare *compare = &view->compare;
    const struct explanation *now = view->explanation;
    size_t from = 0, length = view->editor->length;
    if (!compare->aligned || !view_inside(compare->prompt, row, column))
        return false;
    size_t at = layout_byte(&compare->layout, row - compare->prompt.row + compare->prompt_first,
                            column - compare->prompt.column);
    long unit = difference_unit_after(&compare->difference, map_unit_at(compare->kept->explanation, at, &from));
    if (unit < 0 || (size_t)unit >= now->unit_count)
        return false;
    *byte = now->units[unit].start;
    while (*byte + 1 < now->units[unit].end && now->prompt[*byte] == ' ')
        ++*byte;
    if (*byte < view->same_before)
        return true;
    *byte += length - now->prompt_length; /* where it stands since the prompt was edited */
    return *byte < length && *byte >= length - view->same_behind;
}

bool view_before_token_at(const struct view *view, int row, int column, size_t *token)
{
    const struct view_compare *compare = &view->compare;
    const struct words *said = &compare->said;
    size_t t = 0;
    if (!compare->aligned || !view_inside(compare->output, row, column) || said->count == 0)
        return false;
    size_t byte =
        layout_byte(&said->layout, row - compare->output.row + compare->output_first, column - compare->output.column);
    while (t + 1 < said->count && said->ends[t] <= byte)
        t++;
    long after = difference_token_after(&compare->difference, t);
    *token = (size_t)after;
    return after >= 0;
}

/* -- questions ----------------------------------------------------------------------------------------------------- */

/* What the kept explanation calls a choice: the candidate of the same text, whatever its vocabulary; -1: it has none.
 */
static int choice_before(const struct view *view, const struct output_token *token, int choice)
{
    size_t length;
    const char *text = view_token_text(view, view_choice_id(view, choice), &length);
    struct align_text wanted = align_word(text, length);
    for (int c = 0; c <= CANDIDATES; c++) {
        int32_t id = c == 0 ? token->id : token->candidates[c - 1].id;
        text = id < 0 ? NULL : tokenizer_text(view->compare.kept->tokenizer, id, &length);
        if (text && align_same(wanted, align_word(text, length)))
            return c;
    }
    return -1;
}

/* The colours of all units say what changed. */
static void show_difference(struct view *view)
{
    struct view_compare *compare = &view->compare;
    size_t count = view->explanation->unit_count;
    compare->limit = difference_limit(&compare->difference, &compare->before, &view->map);
    if (count > compare->shown_capacity) {
        float *more = realloc(compare->shown, 2 * count * sizeof *more);
        compare->shown = more ? more : compare->shown;
        compare->shown_capacity = more ? 2 * count : compare->shown_capacity;
    }
    size_t shown = count < compare->shown_capacity ? count : compare->shown_capacity;
    for (size_t u = 0; u < shown; u++)
        compare->shown[u] =
            (float)difference_position(&compare->difference, &compare->before, &view->map, compare->limit, (long)u);
    view->map.shown = compare->shown;
    view->map.shown_count = shown;
}

void view_ask_compare(struct view *view)
{
    struct view_compare *compare = &view->compare;
    int against = view_against(view);
    if (view_compare_mode(view) == COMPARE_OFF)
        return;
    const struct explanation *e = compare->kept->explanation;
    struct map_question question = view->map.question;
    question.token = e->output_count;
    question.typed = -1;
    compare->known = false;
    compare->token = difference_token_before(&compare->difference, view->token);
    if (compare->token >= 0 && (size_t)compare->token < e->output_count) {
        const struct output_token *token = &e->output[compare->token];
        bool own = view->choice == 0 && against < 0; /* what each of them said, the same or not */
        question.choice = own ? 0 : choice_before(view, token, view->choice);
        question.against = against < 0 ? 0 : choice_before(view, token, against);
        compare->known = question.choice >= 0 && question.against >= 0;
        question.token = compare->known ? (size_t)compare->token : e->output_count;
    }
    compare->before = map_of(e, &question);
    if (compare->mode == COMPARE_DIFFERENCE)
        show_difference(view);
    else
        view->map.limit = compare->before.limit = fmax(view->map.limit, compare->before.limit);
}
