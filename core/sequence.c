#include "core/sequence.h"

#include <stdlib.h>
#include <string.h>

enum { MARK = sizeof SEQUENCE_MARK - 1 };

/* -- pictures ------------------------------------------------------------------------------------------------------ */

struct picture *pictures_copy(const struct picture *pictures, size_t count)
{
    struct picture *copy = malloc((count + 1) * sizeof *copy);
    for (size_t i = 0; copy && i < count; i++) {
        copy[i] = pictures[i];
        image_keep(copy[i].image);
    }
    return copy;
}

void pictures_free(struct picture *pictures, size_t count)
{
    for (size_t i = 0; pictures && i < count; i++)
        image_release(pictures[i].image);
    free(pictures);
}

/* -- making -------------------------------------------------------------------------------------------------------- */

struct maker {
    const struct tokenizer *tokenizer;
    const struct vision_info *vision;
    const char *text;
    const struct span *quoted; /* those of the pieces to come, the first perhaps begun */
    size_t quoted_count;
    unsigned flags; /* for the piece to come */
    struct sequence *sequence;
    struct error *error;
};

static int add_tokens(struct maker *m, const struct token *tokens, size_t count)
{
    struct sequence *s = m->sequence;
    if (count == 0)
        return 0;
    if (count > (size_t)INT32_MAX - s->token_count)
        return error_set(m->error, ERROR_LIMIT, "a prompt of so many tokens is too long");
    struct token *grown = realloc(s->tokens, (s->token_count + count + 1) * sizeof *grown);
    if (!grown)
        return error_set(m->error, ERROR_MEMORY, "out of memory");
    s->tokens = grown;
    memcpy(grown + s->token_count, tokens, count * sizeof *tokens);
    s->token_count += count;
    return 0;
}

/* The quoted parts of the text from start to end, counted from start; malloced [*count]. */
static struct span *quoted_within(struct maker *m, size_t start, size_t end, size_t *count)
{
    struct span *within = malloc((m->quoted_count + 1) * sizeof *within);
    *count = 0;
    for (; within && m->quoted_count && m->quoted->start < end; m->quoted++, m->quoted_count--) {
        size_t from = m->quoted->start > start ? m->quoted->start : start;
        size_t to = m->quoted->end < end ? m->quoted->end : end;
        if (from < to)
            within[(*count)++] = (struct span){from - start, to - start};
        if (m->quoted->end > end) /* the next piece has a part of it */
            break;
    }
    return within;
}

/* The text from start to end, as a piece of its own. */
static int add_text(struct maker *m, size_t start, size_t end)
{
    struct token *tokens = NULL;
    size_t count = 0, quoted_count;
    struct span *quoted = quoted_within(m, start, end, &quoted_count);
    if (!quoted)
        return error_set(m->error, ERROR_MEMORY, "out of memory");
    int code = tokenizer_encode_quoting(m->tokenizer, m->text + start, end - start, quoted, quoted_count, m->flags,
                                        &tokens, &count, m->error);
    free(quoted);
    for (size_t i = 0; i < count; i++) {
        tokens[i].start += start;
        tokens[i].end += start;
    }
    if (!code)
        code = add_tokens(m, tokens, count);
    free(tokens);
    m->flags = (m->flags & ~(unsigned)TOKENIZE_START) | TOKENIZE_PREFIX;
    return code;
}

/* What the model wants to read around a picture: control tokens, whatever they are spelled with. */
static int add_frame(struct maker *m, const char *spelling, size_t at)
{
    struct token *tokens = NULL;
    size_t count = 0;
    if (!spelling || !*spelling)
        return 0;
    int code = tokenizer_encode(m->tokenizer, spelling, strlen(spelling), TOKENIZE_SPECIALS, &tokens, &count, m->error);
    for (size_t i = 0; i < count; i++) {
        tokens[i].kind = TOKEN_SPECIAL;
        tokens[i].start = tokens[i].end = at;
    }
    if (!code)
        code = add_tokens(m, tokens, count);
    free(tokens);
    return code;
}

static int add_rows(struct maker *m, struct image *image, size_t at)
{
    struct sequence *s = m->sequence;
    const struct vision_info *v = m->vision;
    int count = v->columns * v->rows;
    struct token *tokens = malloc((size_t)count * sizeof *tokens);
    if (!tokens)
        return error_set(m->error, ERROR_MEMORY, "out of memory");
    for (int i = 0; i < count; i++) {
        struct rect r = vision_rect(v, image->width, image->height, i);
        tokens[i] = (struct token){.id = -1,
                                   .kind = TOKEN_IMAGE,
                                   .start = at,
                                   .end = at,
                                   .image = (int)s->picture_count,
                                   .rect = {r.x, r.y, r.width, r.height}};
    }
    struct picture picture = {image_keep(image), (int)s->token_count, v->columns, v->rows, at};
    s->pictures[s->picture_count++] = picture;
    int code = add_tokens(m, tokens, (size_t)count);
    free(tokens);
    return code;
}

static int add_picture(struct maker *m, struct image *image, size_t at)
{
    int code = add_frame(m, m->vision->before, at);
    if (!code)
        code = add_rows(m, image, at);
    return code ? code : add_frame(m, m->vision->after, at);
}

/* Pictures before the text, then text and pictures in turn. */
static int add_all(struct maker *m, size_t length, size_t marks, struct image *const *images, size_t image_count)
{
    size_t next = 0, at = 0;
    int code = 0;
    if (marks < image_count) /* what a sequence begins with stands before the first picture */
        code = add_text(m, 0, 0);
    while (!code && next + marks < image_count)
        code = add_picture(m, images[next++], 0);
    while (!code && next < image_count) {
        const char *mark = memmem(m->text + at, length - at, SEQUENCE_MARK, MARK);
        size_t place = (size_t)(mark - m->text);
        code = add_text(m, at, place);
        if (!code)
            code = add_picture(m, images[next++], place);
        at = place + MARK;
    }
    return code ? code : add_text(m, at, length);
}

size_t sequence_marks(const char *text, size_t length)
{
    size_t count = 0;
    const char *end = text + length;
    for (const char *p = text; (p = memmem(p, (size_t)(end - p), SEQUENCE_MARK, MARK)); p += MARK)
        count++;
    return count;
}

static int check(const struct vision_info *vision, const char *text, size_t length, size_t marks, size_t image_count,
                 struct error *error)
{
    size_t valid = utf8_check(text, length); /* of the pieces, offsets would be counted from each one's begin */
    if (valid < length)
        return error_set(error, ERROR_FORMAT, "invalid UTF-8 at byte %zu", valid);
    if (image_count && !vision)
        return error_set(error, ERROR_ARGUMENT, "no vision tower, so no pictures; open the model with --mmproj FILE");
    if (image_count && marks > image_count)
        return error_set(error, ERROR_ARGUMENT,
                         "the text has %zu places for pictures (" SEQUENCE_MARK
                         "), but there %s; give as many pictures",
                         marks, image_count == 1 ? "is one picture" : "are fewer pictures");
    if (image_count > SEQUENCE_PICTURES)
        return error_set(error, ERROR_LIMIT, "%zu pictures in one prompt; at most %d can be", image_count,
                         SEQUENCE_PICTURES);
    return 0;
}

int sequence_new(const struct tokenizer *tokenizer, const struct vision_info *vision, const char *text, size_t length,
                 const struct span *quoted, size_t quoted_count, unsigned flags, struct image *const *images,
                 size_t image_count, struct sequence *sequence, struct error *error)
{
    *sequence = (struct sequence){0};
    size_t marks = image_count ? sequence_marks(text, length) : 0;
    int code = check(vision, text, length, marks, image_count, error);
    if (code)
        return code;
    sequence->pictures = calloc(image_count + 1, sizeof *sequence->pictures);
    if (!sequence->pictures)
        return error_set(error, ERROR_MEMORY, "out of memory");
    struct maker maker = {tokenizer, vision, text, quoted, quoted_count, flags, sequence, error};
    code = add_all(&maker, length, marks, images, image_count);
    if (code)
        sequence_free(sequence);
    return code;
}

int sequence_cut(const struct sequence *s, const char *text, size_t length, const char *units, const char *image_units,
                 struct unit **out, size_t *count, struct error *error)
{
    int code = units_cut(text, length, s->tokens, s->token_count, units, out, count, error);
    if (!code && s->picture_count)
        code = units_tile(s->pictures, s->picture_count, image_units, out, count, error);
    if (code) {
        free(*out);
        *out = NULL;
        *count = 0;
    }
    return code;
}

void sequence_free(struct sequence *s)
{
    free(s->tokens);
    pictures_free(s->pictures, s->picture_count);
    *s = (struct sequence){0};
}
