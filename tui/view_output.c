/* view_output.c: the lower panes, the output's tokens and the candidates for the chosen one. */
#include "tui/view.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* The choice that what was typed is, or -1: nothing was typed for this token. */
static int typed_choice(const struct view *view)
{
    const struct explanation *e = view->explanation;
    if (view->typed.id < 0 || view->typed.token != view->token || view->token >= e->output_count ||
        e->output[view->token].id == view->typed.id)
        return -1;
    for (int k = 0; k < CANDIDATES; k++)
        if (e->output[view->token].candidates[k].id == view->typed.id)
            return 1 + k;
    return MAP_TYPED;
}

int view_choices(const struct view *view, int *choices)
{
    const struct explanation *e = view->explanation;
    int count = 0;
    bool among = false;
    if (view->token >= e->output_count)
        return 0;
    const struct output_token *token = &e->output[view->token];
    for (int k = 0; k < CANDIDATES; k++)
        among = among || token->candidates[k].id == token->id;
    if (typed_choice(view) == MAP_TYPED) /* first, as it has no probability to stand by */
        choices[count++] = MAP_TYPED;
    if (!among)
        choices[count++] = 0;
    for (int k = 0; k < CANDIDATES; k++)
        if (token->candidates[k].id >= 0)
            choices[count++] = token->candidates[k].id == token->id ? 0 : 1 + k;
    return count;
}

int view_against(const struct view *view)
{
    const struct explanation *e = view->explanation;
    int typed = typed_choice(view);
    if (!view->contrast || view->token >= e->output_count)
        return -1;
    if (typed >= 0 && view->choice != typed)
        return typed;
    if (view->choice != 0)
        return 0;
    const struct output_token *token = &e->output[view->token];
    for (int k = 0; k < CANDIDATES; k++)
        if (token->candidates[k].id >= 0 && token->candidates[k].id != token->id)
            return 1 + k;
    return -1;
}

int32_t view_choice_id(const struct view *view, int choice)
{
    const struct explanation *e = view->explanation;
    if (view->token >= e->output_count)
        return -1;
    const struct output_token *token = &e->output[view->token];
    return choice == 0 ? token->id : choice == MAP_TYPED ? view->typed.id : token->candidates[choice - 1].id;
}

double view_choice_logprob(const struct view *view, int choice)
{
    const struct output_token *token = &view->explanation->output[view->token];
    return choice == 0 ? token->logprob : choice == MAP_TYPED ? NAN : token->candidates[choice - 1].logprob;
}

/* -- the output ---------------------------------------------------------------------------------------------------- */

static void draw_titles(struct view *view)
{
    const struct explanation *e = view->explanation;
    bool focus = view->focus == PLACE_OUTPUT;
    int columns = view->columns, row = view->output_title, left = view->output.column + 1,
        side = view->candidates.columns > 0 ? view->candidates.column - 2 : columns;
    char text[64];
    paint_rule(row, 0, columns, paint_plain(focus ? 0 : COLOUR_DIM));
    left += paint_string(row, left, side - left, paint_plain(focus ? COLOUR_BOLD | COLOUR_REVERSE : COLOUR_BOLD),
                         " Output ");
    if (e->output_count > 0) {
        snprintf(text, sizeof text, " %zu of %zu ", view->token + 1, e->output_count);
        left += paint_string(row, left, side - left, paint_plain(0), text);
    }
    if (view->answer.rows > 0 && view->candidates.columns == 0)
        view_draw_answer_title(view, row, left + 1, columns - 1);
    const char *marks = view->terminal->ascii ? " 1 2 3: where it comes from " : " ¹ ² ³: where it comes from ";
    if (view->sources.count > 0 && paint_width(marks, strlen(marks)) + 2 < side - left)
        paint_string(row, left + 1, side - left, paint_plain(COLOUR_DIM), marks);
    if (view->candidates.columns == 0)
        return;
    if (view->answer.rows > 0)
        view_draw_answer_title(view, row, side + 1, columns - 1);
    else if (e->output_count > 0) {
        int at = side + 1 + paint_string(row, side + 1, columns - side - 2, paint_plain(COLOUR_BOLD), " Candidates ");
        if (focus)
            at += view_draw_key(view, row, at, columns, ACTION_CONTRAST, "compare ");
        if (focus)
            view_draw_key(view, row, at, columns, ACTION_FOIL, "type ");
    }
    paint_string(row, side, 1, paint_plain(focus ? 0 : COLOUR_DIM), view->terminal->ascii ? "+" : "┬");
    paint_vertical(view->candidates.row, side, view->candidates.rows, paint_plain(COLOUR_DIM));
}

static void draw_tokens(struct view *view)
{
    const struct explanation *e = view->explanation;
    const struct layout *layout = &view->said.layout;
    for (size_t i = 0, t = 0; i < layout->count; i++) {
        const struct glyph *glyph = &layout->glyphs[i];
        while (t + 1 < e->output_count && view->said.ends[t] <= glyph->start)
            t++;
        size_t start = view->token > 0 && view->token < e->output_count ? view->said.ends[view->token - 1] : 0;
        bool chosen = view->token < e->output_count &&
                      (t == view->token || (glyph->start < view->said.ends[view->token] && start < glyph->end));
        struct style style = paint_relevance(map_position(&view->map, map_unit_of_output(e, t)));
        if (t >= view->token)
            style = paint_plain(0);
        if (view->steer_count > 0 ? view->said.changed[t] : view_token_changed(view, t))
            style.attributes |= COLOUR_UNDERLINE;
        if (chosen)
            style = paint_plain(COLOUR_REVERSE | (view->focus == PLACE_OUTPUT ? COLOUR_BOLD : 0));
        paint_glyph(view->output, view->output_first, glyph, style);
        if (glyph->start == words_start(&view->said, t))
            view_draw_number(view, view->output, view->output_first, layout, i, sources_of_token(&view->sources, t),
                             paint_plain(chosen && glyph->column > 0 ? COLOUR_REVERSE : COLOUR_DIM));
    }
    if (e->output_count == 0)
        paint_string(view->output.row, view->output.column, view->output.columns, paint_plain(COLOUR_DIM),
                     view->pending || e->busy ? "..." : "Nothing yet.");
}

/* -- the mixed output ---------------------------------------------------------------------------------------------- */

enum { MIX_NAME = 14 }; /* columns of a unit's words */

/* " With blue x0.5, Tom x2 " */
static void draw_mix_title(const struct view *view, int row, int columns)
{
    int at = 1;
    paint_rule(row, 0, columns, paint_plain(COLOUR_DIM));
    at += paint_string(row, at, columns - at, paint_plain(COLOUR_BOLD), " With");
    for (size_t i = 0; i < view->steer_count; i++) {
        char factor[32], name[VIEW_NAME];
        size_t length;
        const char *text = view_unit_text(view, view->steers[i].unit, name, &length);
        for (; length > 1 && *text == ' '; text++)
            length--;
        while (length > 1 && text[length - 1] == ' ')
            length--;
        at += paint_string(row, at, columns - at, paint_plain(0), " ");
        bool cut = paint_width(text, length) > MIX_NAME;
        int room = cut ? MIX_NAME - 2 : MIX_NAME;
        at += paint_text(row, at, columns - at < room ? columns - at : room, paint_plain(COLOUR_BOLD), text, length);
        at += cut ? paint_string(row, at, columns - at, paint_plain(COLOUR_BOLD), "..") : 0;
        snprintf(factor, sizeof factor, " x%g%s", (double)view->steers[i].factor, i + 1 < view->steer_count ? "," : "");
        at += paint_string(row, at, columns - at, paint_plain(0), factor);
    }
    bool same = !view->mixing && view->mixed->output_count == view->explanation->output_count;
    for (size_t t = 0; same && t < view->mixed->output_count; t++)
        same = !view->remixed.changed[t];
    paint_string(row, at, columns - at, paint_plain(0), same ? ": the same " : " ");
}

static void draw_mixed(const struct view *view)
{
    const struct explanation *e = view->mixed;
    const struct layout *layout = &view->remixed.layout;
    int most = layout->rows - view->mix.rows, first = view->output_first < most ? view->output_first : most;
    draw_mix_title(view, view->mix.row - 1, view->mix.columns + 1);
    for (size_t i = 0, t = 0; i < layout->count && t < e->output_count; i++) {
        while (t + 1 < e->output_count && view->remixed.ends[t] <= layout->glyphs[i].start)
            t++;
        bool changed = view->remixed.changed[t];
        paint_glyph(view->mix, first > 0 ? first : 0, &layout->glyphs[i],
                    paint_plain(changed ? COLOUR_BOLD | COLOUR_UNDERLINE : 0));
    }
    if (e->output_count == 0)
        paint_string(view->mix.row, view->mix.column, view->mix.columns, paint_plain(COLOUR_DIM), "...");
}

/* -- candidates ---------------------------------------------------------------------------------------------------- */

/* "blue" with its spaces seen: a token that begins with a space is drawn with a low line in its place. */
static int draw_token(const struct view *view, int row, int column, int columns, struct style style, int32_t id)
{
    size_t length;
    const char *text = view_token_text(view, id, &length);
    struct style faint = style;
    int used = 0;
    if (!(style.attributes & COLOUR_REVERSE))
        faint.attributes |= COLOUR_DIM;
    for (; length > 0 && *text == ' ' && used < columns; text++, length--)
        used += paint_string(row, column + used, 1, faint, view->terminal->ascii ? "_" : "␣");
    return used + paint_text(row, column + used, columns - used, style, text, length);
}

static void draw_candidate(const struct view *view, int row, int choice)
{
    struct area area = view->candidates;
    bool chosen = choice == view->choice;
    double p = exp(view_choice_logprob(view, choice));
    char percent[16];
    int bar = area.columns >= 44 ? 21 : area.columns >= 28 ? 7 : 0, right = area.column + area.columns - bar - 7;
    struct style style = paint_plain(chosen ? COLOUR_REVERSE | (view->focus == PLACE_OUTPUT ? COLOUR_BOLD : 0) : 0);
    if (choice == view_against(view))
        style.attributes |= COLOUR_UNDERLINE;
    if (choice == MAP_TYPED)
        snprintf(percent, sizeof percent, "  typed");
    else
        snprintf(percent, sizeof percent, p >= 0.00995 ? "%5.1f %%" : p >= 5e-5 ? "%5.2f %%" : "<0.01 %%", 100 * p);
    if (chosen)
        paint_blank(row, area.column, area.columns - bar, style);
    draw_token(view, row, area.column, right - area.column, style, view_choice_id(view, choice));
    if (choice == 0) /* what the output says */
        paint_string(row, area.column - 1, 1, paint_plain(COLOUR_BOLD), view->terminal->ascii ? "*" : "•");
    paint_string(row, right, 7, style, percent);
    if (bar && choice != MAP_TYPED)
        paint_bar(row, right + 8, bar - 1, paint_plain(0), p);
}

void view_draw_output(struct view *view)
{
    int choices[VIEW_CHOICES], count = view_choices(view, choices);
    draw_titles(view);
    if (view->answer.rows > 0)
        view_draw_answer(view);
    if (view->answer.rows > 0 && view->candidates.columns == 0)
        return;
    draw_tokens(view);
    if (view->mix.rows > 0)
        draw_mixed(view);
    for (int i = view->candidate_first;
         view->answer.rows == 0 && i < count && i - view->candidate_first < view->candidates.rows; i++)
        draw_candidate(view, view->candidates.row + i - view->candidate_first, choices[i]);
}
