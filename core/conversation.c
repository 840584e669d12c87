#include "core/conversation.h"

#include <stdlib.h>
#include <string.h>

/* -- where a token's text came from -------------------------------------------------------------------------------- */

/* The piece of the rendered text that holds byte `at`, or the first after it; the count if there is none.  from: start
 * with 0; keeps the place for the next question, whose byte is not smaller. */
static size_t piece_at(const struct chat_rendered *r, size_t at, size_t *from)
{
    while (*from < r->piece_count && r->pieces[*from].at + (r->pieces[*from].end - r->pieces[*from].start) <= at)
        ++*from;
    return *from;
}

/* The byte of the text where byte `at` of the rendered text would be, which is in none of the pieces before `piece`. */
static size_t place_of(const struct chat_rendered *r, size_t piece, size_t at)
{
    if (piece == r->piece_count)
        return piece ? r->pieces[piece - 1].end : 0;
    const struct chat_piece *p = &r->pieces[piece];
    if (at >= p->at)
        return p->start + (at - p->at);
    return piece ? r->pieces[piece - 1].end : p->start;
}

/* What lies in a piece, in whole or in part, is text at its place there; all else is the template's. */
static void map_token(const struct chat_rendered *r, struct token *token, size_t *from)
{
    size_t piece = piece_at(r, token->start, from);
    bool within = piece < r->piece_count && (token->end > r->pieces[piece].at || token->start >= r->pieces[piece].at);
    if (token->kind != TOKEN_TEXT || !within) {
        token->start = token->end = place_of(r, piece, token->start);
        if (token->kind == TOKEN_TEXT)
            token->kind = TOKEN_SPECIAL;
        return;
    }
    const struct chat_piece *p = &r->pieces[piece];
    size_t start = token->start > p->at ? token->start - p->at : 0, end = token->end > p->at ? token->end - p->at : 0;
    token->start = p->start + start;
    token->end = p->start + end < p->end ? p->start + end : p->end;
}

static void map_sequence(const struct chat_rendered *r, struct sequence *s)
{
    size_t from = 0;
    for (size_t i = 0; i < s->token_count; i++)
        map_token(r, &s->tokens[i], &from);
    from = 0;
    for (size_t i = 0; i < s->picture_count; i++) {
        size_t piece = piece_at(r, s->pictures[i].start, &from);
        s->pictures[i].start = place_of(r, piece, s->pictures[i].start);
    }
}

/* -- making -------------------------------------------------------------------------------------------------------- */

/* A mark for every picture that has none in the text; malloced. */
static char *marks_missing(const char *text, size_t length, size_t image_count)
{
    size_t marks = sequence_marks(text, length), missing = image_count > marks ? image_count - marks : 0;
    char *lead = malloc(missing * strlen(SEQUENCE_MARK) + 1);
    if (lead)
        *lead = 0;
    for (size_t i = 0; lead && i < missing; i++)
        memcpy(lead + i * strlen(SEQUENCE_MARK), SEQUENCE_MARK, sizeof SEQUENCE_MARK);
    return lead;
}

static int encode(const struct tokenizer *tokenizer, const struct vision_info *vision, const struct chat_rendered *r,
                  struct image *const *images, size_t image_count, struct sequence *s, struct error *error)
{
    struct span *quoted = malloc((r->piece_count + 1) * sizeof *quoted);
    if (!quoted)
        return error_set(error, ERROR_MEMORY, "out of memory");
    for (size_t i = 0; i < r->piece_count; i++)
        quoted[i] = (struct span){r->pieces[i].at, r->pieces[i].at + (r->pieces[i].end - r->pieces[i].start)};
    int code = sequence_new(tokenizer, vision, r->text, r->length, quoted, r->piece_count,
                            TOKENIZE_START | TOKENIZE_SPECIALS, images, image_count, s, error);
    free(quoted);
    return code;
}

int conversation_new(const struct tokenizer *tokenizer, const struct vision_info *vision,
                     const struct chat_template *template, const char *text, size_t length,
                     struct image *const *images, size_t image_count, struct sequence *s, struct error *error)
{
    struct chat_message *messages = NULL;
    size_t count = 0;
    struct chat_rendered rendered = {0};
    *s = (struct sequence){0};
    char *lead = marks_missing(text, length, image_count);
    int code = lead ? chat_read(text, length, &messages, &count, error)
                    : error_set(error, ERROR_MEMORY, "out of memory");
    if (!code)
        code = chat_render(template, text, messages, count, lead, &rendered, error);
    if (!code)
        code = encode(tokenizer, vision, &rendered, images, image_count, s, error);
    if (!code)
        map_sequence(&rendered, s);
    chat_rendered_free(&rendered);
    free(messages);
    free(lead);
    return code;
}
