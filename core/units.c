/* Two steps.  Boundaries are cut into the text of each run of text tokens (what lies between two specials) by
 * regular expressions that know nothing of tokens; then tokens are dealt to the spans by the bytes they have in
 * each.
 * Word: begins behind white space; within what white space leaves, again at each further core: a run of letters,
 * marks and digits (with single inner marks as in "don't", "3.14", "e.g.", "well-known"), one ideograph, a run of
 * one kind of kana, a run of emoji.  Punctuation goes with the core before it, an opening bracket with the one
 * behind it, and alone between spaces it is a word.  Scripts without spaces that need a dictionary (Thai, Lao,
 * Khmer, Burmese) are cut at spaces only.
 * Sentence: ends behind . ! ? and their like in other scripts with closing quotes, before white space (behind
 * ideographic stops even without), but not behind usual abbreviations, single letters or the number of a list's
 * line, nor where the text goes on in lower case; and at the end of a line that does not go on in lower case.
 * Paragraph: ends at blank lines.
 * White space goes with the span before it. */
#include "core/units.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <limits.h>
#include <pcre2.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "core/sequence.h"
#include "core/utf8.h"

enum { WANTED_UNITS = 30, MOST_TILES = 256, MATCH_LIMIT = 1000000, HEAP_LIMIT_KIB = 65536 };

/* -- expressions --------------------------------------------------------------------------------------------------- */

/* All of ours need time linear in the text: a run is taken from its beginning only, and never given back. */
#define STOPS                                                                                                          \
    "!?\\x{2026}\\x{203c}\\x{203d}\\x{2047}-\\x{2049}\\x{589}\\x{61f}\\x{6d4}\\x{964}\\x{965}\\x{104b}" \
    "\\x{1362}\\x{1367}\\x{17d4}\\x{f0d}"
#define WIDE_STOPS "\\x{3002}\\x{ff01}\\x{ff0e}\\x{ff1f}\\x{ff61}"
#define CLOSERS "[\"'\\p{Pe}\\p{Pf}]*+"
#define NO_STOP_BEHIND                                                                                                 \
    "(?<!\\b\\p{L}|\\bMr|\\bMs|\\bDr|\\bSt|\\bNo|\\bvs|\\bcf|\\bal|\\bMrs|\\bFig|\\bfig|\\bSgt|\\bGen|\\bSen|\\bRep"   \
    "|\\bCol|\\bLt|\\bMme|\\bProf|\\bCapt|\\bapprox|(?m:^)\\d|(?m:^)\\d\\d)"
#define SENTENCE                                                                                                       \
    "[" WIDE_STOPS "]++" CLOSERS "|(?<![." STOPS "])(?:" NO_STOP_BEHIND "\\.|[" STOPS "])[." STOPS "]*+" CLOSERS       \
    "(?=\\s|\\z)\\s*+(?!\\p{Ll})|\\R\\s*+(?!\\p{Ll})"
#define PARAGRAPH "\\R(?:\\h*+\\R)++|\\x{2029}"

/* \p{Han} and the kana hold the punctuation that goes with them, hence the double negation: letters that are Han. */
#define LETTER "[^\\p{P}\\p{S}\\p{Z}\\p{C}\\p{Han}\\p{Hiragana}\\p{Katakana}\\x{30fc}]"
#define OPENING "(?:(?<![\\p{Ps}\\p{Pi}])[\\p{Ps}\\p{Pi}]++)?"
#define CORE                                                                                                           \
    OPENING "(?:" LETTER "++(?:(?:['\\x{2019}._\\-\\x{200c}\\x{200d}]|(?<=\\p{N})[,:](?=\\p{N}))" LETTER "++)*+"       \
    "|[^\\P{Xan}\\P{Han}][\\p{M}\\x{fe00}-\\x{fe0f}]*+|[^\\P{L}\\P{Hiragana}]++|[^\\P{L}\\P{Katakana}]++"             \
    "|\\p{So}[\\p{So}\\x{1f3fb}-\\x{1f3ff}\\x{200d}\\x{fe0f}\\x{20e3}\\x{e0020}-\\x{e007f}]*+)"

struct expression {
    pcre2_code *code;
    pcre2_match_data *match;
    pcre2_match_context *limits;
};

static void expression_close(struct expression *e)
{
    pcre2_match_context_free(e->limits);
    pcre2_match_data_free(e->match);
    pcre2_code_free(e->code);
}

static int expression_open(struct expression *e, const char *pattern, bool limited, struct error *error)
{
    int reason;
    PCRE2_SIZE at;
    *e = (struct expression){0};
    e->code = pcre2_compile((PCRE2_SPTR)pattern, PCRE2_ZERO_TERMINATED, PCRE2_UTF | PCRE2_UCP | PCRE2_NEVER_BACKSLASH_C,
                            &reason, &at, NULL);
    if (!e->code) {
        char why[160] = "";
        pcre2_get_error_message(reason, (PCRE2_UCHAR *)why, sizeof why);
        return error_set(error, ERROR_ARGUMENT, "units \"%.200s\" is no regular expression: character %zu: %s", pattern,
                         (size_t)at, why);
    }
    e->match = pcre2_match_data_create(1, NULL);
    e->limits = pcre2_match_context_create(NULL);
    if (!e->match || !e->limits) {
        expression_close(e);
        return error_set(error, ERROR_MEMORY, "out of memory");
    }
    if (limited) {
        pcre2_set_match_limit(e->limits, MATCH_LIMIT);
        pcre2_set_heap_limit(e->limits, HEAP_LIMIT_KIB);
    }
    return 0;
}

/* The next match from `at` on: 1 and its place, 0 if there is none, or an error. */
static int expression_next(const struct expression *e, const char *text, size_t length, size_t at, size_t *start,
                           size_t *end, struct error *error)
{
    int found = pcre2_match(e->code, (PCRE2_SPTR)text, length, at, PCRE2_NO_UTF_CHECK | PCRE2_NOTEMPTY, e->match,
                            e->limits);
    if (found == PCRE2_ERROR_NOMATCH)
        return 0;
    if (found < 0)
        return error_set(error, ERROR_LIMIT, "the units' expression takes too long on this text (PCRE2 error %d)",
                         found);
    const PCRE2_SIZE *span = pcre2_get_ovector_pointer(e->match);
    *start = span[0] < span[1] ? span[0] : span[1]; /* \K can set the start behind the end */
    *end = span[1] > at ? span[1] : at + 1;
    return 1;
}

/* -- where spans begin --------------------------------------------------------------------------------------------- */

struct cuts {
    size_t *at; /* ascending; the first is 0 */
    size_t count, capacity;
};

static int cuts_add(struct cuts *cuts, size_t at, struct error *error)
{
    if (cuts->count && cuts->at[cuts->count - 1] >= at)
        return 0;
    if (cuts->count == cuts->capacity) {
        size_t capacity = cuts->capacity ? 2 * cuts->capacity : 64;
        size_t *grown = realloc(cuts->at, capacity * sizeof *grown);
        if (!grown)
            return error_set(error, ERROR_MEMORY, "out of memory for %zu units", capacity);
        cuts->at = grown;
        cuts->capacity = capacity;
    }
    cuts->at[cuts->count++] = at;
    return 0;
}

static size_t skip(const char *text, size_t length, size_t at, bool spaces)
{
    for (size_t next = at; next < length; at = next)
        if (utf8_is_space(utf8_next(text, length, &next)) != spaces)
            break;
    return at;
}

static int cut_words(const char *text, size_t length, struct cuts *cuts, struct error *error)
{
    struct expression core;
    int code = expression_open(&core, CORE, false, error);
    if (code)
        return code;
    code = cuts_add(cuts, 0, error);
    for (size_t at = skip(text, length, 0, true); !code && at < length;) {
        size_t stop = skip(text, length, at, false), start, end = at;
        if (cuts->count > 1 || at > skip(text, length, 0, true))
            code = cuts_add(cuts, at, error);
        bool first = true;
        while (!code && end < stop && (code = expression_next(&core, text, stop, end, &start, &end, error)) == 1) {
            code = first ? 0 : cuts_add(cuts, start, error);
            first = false;
        }
        at = skip(text, length, stop, true);
    }
    expression_close(&core);
    return code < 0 ? code : 0;
}

/* Cut behind each match and the white space that follows it. */
static int cut_behind(const char *text, size_t length, const char *pattern, bool limited, struct cuts *cuts,
                      struct error *error)
{
    struct expression e;
    int code = expression_open(&e, pattern, limited, error);
    if (code)
        return code;
    size_t start, end = 0;
    code = cuts_add(cuts, 0, error);
    while (!code && end < length && (code = expression_next(&e, text, length, end, &start, &end, error)) == 1) {
        size_t *last = &cuts->at[cuts->count - 1], next = skip(text, length, end, true);
        bool empty = skip(text, length, *last, true) >= start;
        code = 0;
        if (!empty && next < length)
            code = cuts_add(cuts, next, error);
        else if (empty && cuts->count > 1 && next < length) /* delimiter after delimiter: both go with what is before */
            *last = next;
    }
    expression_close(&e);
    return code < 0 ? code : 0;
}

static int cut_text(const char *text, size_t length, enum unit_kind kind, const char *pattern, struct cuts *cuts,
                    struct error *error)
{
    switch (kind) {
    case UNIT_WORD:
        return cut_words(text, length, cuts, error);
    case UNIT_SENTENCE:
        return cut_behind(text, length, SENTENCE, false, cuts, error);
    case UNIT_PARAGRAPH:
        return cut_behind(text, length, PARAGRAPH, false, cuts, error);
    default:
        return cut_behind(text, length, pattern, true, cuts, error);
    }
}

/* -- dealing tokens ------------------------------------------------------------------------------------------------ */

struct unit_list {
    struct unit *units;
    size_t count, capacity;
};

/* A unit of whole tokens. */
static struct unit unit_of(enum unit_kind kind, int first, int last, size_t start, size_t end)
{
    return (struct unit){
        .kind = kind, .first = first, .last = last, .first_share = 1, .last_share = 1, .start = start, .end = end};
}

static int units_add(struct unit_list *list, struct unit unit, struct error *error)
{
    if (list->count == list->capacity) {
        size_t capacity = list->capacity ? 2 * list->capacity : 64;
        struct unit *grown = realloc(list->units, capacity * sizeof *grown);
        if (!grown)
            return error_set(error, ERROR_MEMORY, "out of memory for %zu units", capacity);
        list->units = grown;
        list->capacity = capacity;
    }
    list->units[list->count++] = unit;
    return 0;
}

/* The bytes by which a token is dealt: low .. high, of which there is at least one.  The space that begins or ends most
 * tokens must not tie each word to its neighbour, so only a token of nothing but white space counts by it; a first
 * piece of a character counts as the character's first byte. */
static void token_extent(const char *text, const struct token *token, size_t text_end, size_t *low, size_t *high)
{
    *low = skip(text, token->end, token->start, true);
    *high = token->end;
    if (*low == *high) {
        *low = token->start < text_end ? token->start : text_end - 1;
        *high = token->end > *low ? token->end : *low + 1;
        return;
    }
    for (size_t before = *high; utf8_is_space(utf8_previous(text, token->end, &before));)
        *high = before;
}

/* Deal tokens[first .. first + count) to the spans that begin at cuts, counted from base; the last ends at text_end. */
static int deal(const char *text, const struct token *tokens, int first, int count, size_t base, size_t text_end,
                const struct cuts *cuts, enum unit_kind kind, struct unit_list *list, struct error *error)
{
    int code = 0, from = first;
    for (size_t u = 0; !code && u < cuts->count; u++) {
        size_t begin = base + cuts->at[u], end = u + 1 < cuts->count ? base + cuts->at[u + 1] : text_end;
        struct unit unit = {.kind = kind, .first = -1, .start = begin, .end = end};
        for (int i = from; i < first + count; i++) {
            size_t low, high;
            token_extent(text, &tokens[i], text_end, &low, &high);
            if (low >= end)
                break;
            if (high <= end)
                from = i + 1; /* nothing of it is left for the spans behind */
            if (high <= begin)
                continue;
            unit.last = i;
            unit.last_share = (float)((high < end ? high : end) - (low > begin ? low : begin)) / (float)(high - low);
            if (unit.first < 0) {
                unit.first = i;
                unit.first_share = unit.last_share;
            }
        }
        if (unit.first >= 0)
            code = units_add(list, unit, error);
    }
    return code;
}

static int cut_run(const char *text, const struct token *tokens, int first, int count, enum unit_kind kind,
                   const char *pattern, struct unit_list *list, struct error *error)
{
    size_t base = tokens[first].start, text_end = tokens[first + count - 1].end;
    int code = 0;
    for (int i = first; !code && kind == UNIT_TOKEN && i < first + count; i++)
        code = units_add(list, unit_of(kind, i, i, tokens[i].start, tokens[i].end), error);
    if (kind == UNIT_TOKEN)
        return code;
    if (base == text_end) /* nothing but pieces of a character that is not there */
        return units_add(list, unit_of(kind, first, first + count - 1, base, base), error);
    struct cuts cuts = {0};
    code = cut_text(text + base, text_end - base, kind, pattern, &cuts, error);
    if (!code)
        code = deal(text, tokens, first, count, base, text_end, &cuts, kind, list, error);
    free(cuts.at);
    return code;
}

static int cut_all(const char *text, const struct token *tokens, int count, enum unit_kind kind, const char *pattern,
                   struct unit_list *list, struct error *error)
{
    int code = 0;
    for (int i = 0, end; !code && i < count; i = end) {
        end = i + 1;
        if (tokens[i].kind != TOKEN_TEXT) {
            if (tokens[i].kind == TOKEN_SPECIAL)
                code = units_add(list, unit_of(UNIT_SPECIAL, i, i, tokens[i].start, tokens[i].end), error);
            continue;
        }
        while (end < count && tokens[end].kind == TOKEN_TEXT)
            end++;
        code = cut_run(text, tokens, i, end - i, kind, pattern, list, error);
    }
    if (code) {
        free(list->units);
        *list = (struct unit_list){0};
    }
    return code;
}

/* -- granularities ------------------------------------------------------------------------------------------------- */

/* From how many units are wanted.  A single one, of a long text without paragraphs, says nothing: it is furthest. */
static size_t distance_from_wanted(const struct unit_list *list)
{
    size_t count = 0;
    for (size_t i = 0; i < list->count; i++)
        count += list->units[i].kind != UNIT_SPECIAL;
    if (count == 1)
        return SIZE_MAX;
    return count > WANTED_UNITS ? count - WANTED_UNITS : WANTED_UNITS - count;
}

static int cut_auto(const char *text, const struct token *tokens, int count, struct unit_list *best,
                    struct error *error)
{
    for (enum unit_kind kind = UNIT_TOKEN; kind <= UNIT_PARAGRAPH; kind++) {
        struct unit_list list = {0};
        int code = cut_all(text, tokens, count, kind, NULL, &list, error);
        if (code) {
            free(best->units);
            *best = (struct unit_list){0};
            return code;
        }
        if (kind == UNIT_TOKEN || distance_from_wanted(&list) < distance_from_wanted(best)) {
            free(best->units);
            *best = list;
        } else {
            free(list.units);
        }
    }
    return 0;
}

int units_cut(const char *text, size_t length, const struct token *tokens, size_t count, const char *granularity,
              struct unit **units, size_t *unit_count, struct error *error)
{
    struct unit_list list = {0};
    *units = NULL;
    *unit_count = 0;
    if (count > INT32_MAX)
        return error_set(error, ERROR_LIMIT, "%zu tokens are too many", count);
    for (size_t i = 0; i < count; i++)
        if (tokens[i].start > tokens[i].end || tokens[i].end > length || (i && tokens[i].start < tokens[i - 1].start))
            return error_set(error, ERROR_ARGUMENT, "token %zu lies outside the text", i);
    int code;
    if (!strcmp(granularity, "auto")) {
        code = cut_auto(text, tokens, (int)count, &list, error);
    } else {
        enum unit_kind kind = UNIT_TOKEN;
        while (kind < UNIT_CUSTOM && strcmp(granularity, unit_kind_name(kind)))
            kind++;
        code = cut_all(text, tokens, (int)count, kind, granularity, &list, error);
    }
    *units = list.units;
    *unit_count = list.count;
    return code;
}

/* -- pictures ------------------------------------------------------------------------------------------------------ */

/* How many tiles of side x side tokens cover columns x rows. */
static size_t tiles(const struct picture *p, int side)
{
    size_t n = (size_t)side;
    return ((size_t)p->columns + n - 1) / n * (((size_t)p->rows + n - 1) / n);
}

/* Tokens on a side of a tile; WHOLE: all there are; 0: no such granularity. */
enum { WHOLE = INT_MAX / 2 };
static int tile_side(const struct picture *pictures, size_t count, const char *granularity)
{
    static const struct {
        const char *name;
        int side;
    } sides[] = {{"patch", 1}, {"2x2", 2}, {"4x4", 4}, {"whole", WHOLE}};
    bool any = strcmp(granularity, "auto") == 0;
    for (size_t i = 0; i < sizeof sides / sizeof *sides; i++) {
        bool few = any;
        for (size_t p = 0; few && p < count; p++)
            few = tiles(&pictures[p], sides[i].side) <= MOST_TILES;
        if (few || strcmp(granularity, sides[i].name) == 0)
            return sides[i].side;
    }
    return 0;
}

static int tile_picture(const struct picture *p, int side, struct unit_list *list, struct error *error)
{
    int code = 0;
    for (int y = 0; !code && y < p->rows; y += side)
        for (int x = 0; !code && x < p->columns; x += side) {
            int columns = p->columns - x < side ? p->columns - x : side, rows = p->rows - y < side ? p->rows - y : side;
            int first = p->first + y * p->columns + x, last = first + (rows - 1) * p->columns + columns - 1;
            struct unit unit = unit_of(UNIT_PATCH, first, last, p->start, p->start);
            unit.columns = columns;
            unit.rows = rows;
            unit.stride = p->columns;
            code = units_add(list, unit, error);
        }
    return code;
}

int units_tile(const struct picture *pictures, size_t count, const char *granularity, struct unit **units,
               size_t *unit_count, struct error *error)
{
    struct unit_list list = {0};
    int side = tile_side(pictures, count, granularity), code = 0;
    size_t next = 0;
    if (side == 0)
        return error_set(error, ERROR_ARGUMENT, "units of pictures \"%.40s\"; use patch, 2x2, 4x4, whole or auto",
                         granularity);
    for (size_t p = 0; !code && p < count; p++) {
        for (; !code && next < *unit_count && (*units)[next].first < pictures[p].first; next++)
            code = units_add(&list, (*units)[next], error);
        if (!code)
            code = tile_picture(&pictures[p], side, &list, error);
    }
    for (; !code && next < *unit_count; next++)
        code = units_add(&list, (*units)[next], error);
    if (code) {
        free(list.units);
        return code;
    }
    free(*units);
    *units = list.units;
    *unit_count = list.count;
    return 0;
}

/* -- zooms --------------------------------------------------------------------------------------------------------- */

/* The unit's tokens, each with as much of it as the unit has. */
static int split(const struct token *tokens, const struct unit *u, struct unit_list *list, struct error *error)
{
    int code = 0;
    for (int i = u->first; !code && i <= u->last; i++) {
        size_t start = tokens[i].start > u->start ? tokens[i].start : u->start;
        size_t end = tokens[i].end < u->end ? tokens[i].end : u->end;
        struct unit unit = unit_of(UNIT_TOKEN, i, i, start, end > start ? end : start);
        unit.first_share = unit.last_share = i == u->first ? u->first_share : i == u->last ? u->last_share : 1;
        code = units_add(list, unit, error);
    }
    return code;
}

/* The unit cut into units of a kind. */
static int cut_unit(const char *text, const struct token *tokens, const struct unit *u, enum unit_kind kind,
                    struct unit_list *list, struct error *error)
{
    if (kind == UNIT_TOKEN)
        return split(tokens, u, list, error);
    if (u->start == u->end)
        return units_add(list, *u, error);
    struct cuts cuts = {0};
    int code = cut_text(text + u->start, u->end - u->start, kind, NULL, &cuts, error);
    if (!code)
        code = deal(text, tokens, u->first, u->last - u->first + 1, u->start, u->end, &cuts, kind, list, error);
    free(cuts.at);
    return code;
}

static bool is_text(const struct unit *u)
{
    return u->kind <= UNIT_CUSTOM;
}

int units_zoom(const char *text, const struct token *tokens, const struct zoom *zooms, size_t count,
               struct unit **units, size_t *unit_count, struct error *error)
{
    int code = 0;
    for (size_t z = 0; !code && z < count; z++) {
        struct unit_list list = {0};
        if (zooms[z].kind >= UNIT_PARAGRAPH)
            return error_set(error, ERROR_ARGUMENT, "units cannot be zoomed into by %s",
                             unit_kind_name(zooms[z].kind));
        for (size_t i = 0; !code && i < *unit_count; i++) {
            const struct unit *u = &(*units)[i];
            bool inside = is_text(u) && u->start >= zooms[z].start && u->end <= zooms[z].end;
            code = inside ? cut_unit(text, tokens, u, zooms[z].kind, &list, error) : units_add(&list, *u, error);
        }
        if (code) {
            free(list.units);
            break;
        }
        free(*units);
        *units = list.units;
        *unit_count = list.count;
    }
    return code;
}

enum unit_kind units_finer(const char *text, const struct token *tokens, const struct unit *u)
{
    int kind = u->kind == UNIT_CUSTOM ? UNIT_PARAGRAPH : (int)u->kind;
    while (is_text(u) && --kind >= UNIT_TOKEN) {
        struct unit_list list = {0};
        int code = cut_unit(text, tokens, u, (enum unit_kind)kind, &list, NULL);
        size_t parts = list.count;
        free(list.units);
        if (!code && parts > 1)
            return (enum unit_kind)kind;
    }
    return UNIT_CUSTOM;
}

bool unit_holds(const struct unit *u, int token)
{
    if (u->rows == 0)
        return token >= u->first && token <= u->last;
    int at = token - u->first;
    return at >= 0 && at / u->stride < u->rows && at % u->stride < u->columns;
}

bool unit_counts(const struct unit *u)
{
    return u->kind != UNIT_SPECIAL && (u->first > 0 || (u->kind != UNIT_TOKEN && u->kind != UNIT_WORD));
}

const char *unit_kind_name(enum unit_kind kind)
{
    static const char *const names[] = {"token",  "word",    "sentence", "paragraph",
                                        "custom", "special", "target",   "patch"};
    return names[kind];
}
