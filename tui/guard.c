#include "tui/guard.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tui/jsonl.h"
#include "tui/prompt.h"
#include "tui/prompt_chat.h"

static const char *const kind_names[GUARD_KINDS] = {
    [GUARD_SHARE] = "share",
    [GUARD_RANK] = "rank",
    [GUARD_PROBABILITY] = "probability",
    [GUARD_ANSWER] = "answer",
};

const char *guard_kind_name(enum guard_kind kind)
{
    return kind_names[kind];
}

static int no_memory(struct error *error)
{
    return error_set(error, ERROR_MEMORY, "out of memory");
}

/* Refuse keys that are not among `known`, words set apart by spaces. */
static int check_keys(const json_t *object, const char *what, const char *known, struct error *error)
{
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)object, key, value)
    {
        size_t length = strlen(key);
        const char *found = length ? strstr(known, key) : NULL;
        while (found && ((found > known && found[-1] != ' ') || (found[length] && found[length] != ' ')))
            found = strstr(found + 1, key);
        if (!found || strchr(key, ' '))
            return error_set(error, ERROR_FORMAT, "\"%s\" is no key of %s; known are %s", key, what, known);
    }
    return 0;
}

/* -- places in the text -------------------------------------------------------------------------------------------- */

static bool is_white(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* Whether the character that holds the byte is a letter, digit or '_': beyond ASCII, all from U+00C0 up to U+07FF are
 * taken for letters, and none of the scripts behind, many of which set no words apart. */
static bool is_letter(const char *text, size_t at)
{
    const unsigned char *p = (const unsigned char *)text + at;
    while (at > 0 && (*p & 0xc0) == 0x80)
        p--, at--;
    if (*p < 0x80)
        return (*p >= '0' && *p <= '9') || (*p >= 'A' && *p <= 'Z') || (*p >= 'a' && *p <= 'z') || *p == '_';
    return *p >= 0xc3 && *p <= 0xdf;
}

static bool is_inside_word(const char *text, size_t length, size_t at)
{
    return at > 0 && at < length && is_letter(text, at - 1) && is_letter(text, at);
}

struct dataset_span *guard_find(const char *text, const char *words, size_t *count)
{
    size_t length = strlen(text), n = strlen(words), head = 0, tail = n, room = 0;
    struct dataset_span *spans = NULL;
    *count = 0;
    while (head < n && is_white(words[head]))
        head++;
    while (tail > head && is_white(words[tail - 1]))
        tail--;
    for (const char *found = text; head < tail && (found = strstr(found, words)); found++) {
        size_t start = (size_t)(found - text) + head, end = (size_t)(found - text) + tail;
        if (is_inside_word(text, length, start) || is_inside_word(text, length, end))
            continue;
        if (*count == room) {
            struct dataset_span *grown = realloc(spans, (room = 2 * room + 4) * sizeof *grown);
            if (!grown) {
                free(spans);
                return NULL;
            }
            spans = grown;
        }
        spans[(*count)++] = (struct dataset_span){start, end};
    }
    return spans;
}

/* -- checks -------------------------------------------------------------------------------------------------------- */

/* What a check's units are named against. */
struct prompt_text {
    const char *text;
    size_t prompt_at, prompt_length; /* where the prompt itself lies in it */
    size_t image_count;
};

static int name_units(struct guard_check *k, const char *format, ...) __attribute__((format(printf, 2, 3)));

static int name_units(struct guard_check *k, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int length = vasprintf(&k->name, format, arguments);
    va_end(arguments);
    if (length < 0)
        k->name = NULL;
    return k->name ? 0 : ERROR_MEMORY;
}

static int read_words(const json_t *value, const struct prompt_text *p, struct guard_check *k, struct error *error)
{
    const char *words = json_string_value(value);
    if (!words || words[strspn(words, " \t\r\n")] == '\0')
        return error_set(error, ERROR_FORMAT, "\"text\" names no words");
    k->spans = guard_find(p->text, words, &k->span_count);
    if (k->span_count == 0)
        return error_set(error, ERROR_FORMAT, "\"%s\" does not occur in the prompt as whole words", words);
    return k->spans && name_units(k, "\"%s\"", words) == 0 ? 0 : no_memory(error);
}

static int read_span(const json_t *value, const struct prompt_text *p, struct guard_check *k, struct error *error)
{
    double n[2];
    if (!jsonl_numbers(value, 2, n) || !(n[0] >= 0) || !(n[0] < n[1]) || !(n[1] <= (double)p->prompt_length))
        return error_set(error, ERROR_FORMAT, "\"span\" is not [start, end] in bytes of the prompt, which has %zu",
                         p->prompt_length);
    k->spans = malloc(sizeof *k->spans);
    if (!k->spans || name_units(k, "bytes %.0f to %.0f", n[0], n[1]))
        return no_memory(error);
    k->spans[k->span_count++] = (struct dataset_span){p->prompt_at + (size_t)n[0], p->prompt_at + (size_t)n[1]};
    return 0;
}

static int read_rect(const json_t *value, const struct prompt_text *p, struct guard_check *k, struct error *error)
{
    double r[5];
    if (!jsonl_numbers(value, 5, r) || !(r[0] >= 0) || !(r[0] < (double)p->image_count) || r[0] != floor(r[0]) ||
        !(r[3] > 0) || !(r[4] > 0))
        return error_set(error, ERROR_FORMAT,
                         "\"rect\" is not [image, x, y, width, height] of one of the case's %zu pictures",
                         p->image_count);
    k->rect = (struct dataset_rect){(int)r[0], r[1], r[2], r[3], r[4]};
    if (name_units(k, "picture %.0f at %g, %g, %g x %g", r[0] + 1, r[1], r[2], r[3], r[4]))
        return no_memory(error);
    return 0;
}

/* Exactly one of "text", "span" and "rect". */
static int read_units(const json_t *object, const struct prompt_text *p, struct guard_check *k, struct error *error)
{
    const json_t *text = json_object_get(object, "text"), *span = json_object_get(object, "span"),
                 *rect = json_object_get(object, "rect");
    if ((text != NULL) + (span != NULL) + (rect != NULL) != 1)
        return error_set(error, ERROR_FORMAT, "\"%s\" is of the units of one \"text\", \"span\" or \"rect\"",
                         kind_names[k->kind]);
    return text ? read_words(text, p, k, error) : span ? read_span(span, p, k, error) : read_rect(rect, p, k, error);
}

static int read_bound(const json_t *limits, const char *key, const struct guard_check *k, double *bound,
                      struct error *error)
{
    const json_t *value = json_object_get(limits, key);
    double number = json_number_value(value);
    *bound = NAN;
    if (!value)
        return 0;
    bool good = json_is_number(value) && number >= 0;
    good = good && (k->kind == GUARD_RANK ? number >= 1 && number == floor(number) : number <= 1);
    if (!good)
        return error_set(error, ERROR_FORMAT, "\"%s\" of \"%s\" is no %s", key, kind_names[k->kind],
                         k->kind == GUARD_RANK ? "whole number from 1 on" : "number from 0 to 1");
    *bound = number;
    return 0;
}

static int read_limits(const json_t *limits, struct guard_check *k, struct error *error)
{
    const char *kind = kind_names[k->kind];
    if (!json_is_object(limits))
        return error_set(error, ERROR_FORMAT, "\"%s\" is no object; write {\"min\": NUMBER}, {\"max\": NUMBER} or both",
                         kind);
    int code = check_keys(limits, kind, "min max measured", error);
    if (code || (code = read_bound(limits, "min", k, &k->min, error)) ||
        (code = read_bound(limits, "max", k, &k->max, error)))
        return code;
    if (isnan(k->min) && isnan(k->max))
        return error_set(error, ERROR_FORMAT, "\"%s\" has neither \"min\" nor \"max\"", kind);
    if (k->min > k->max)
        return error_set(error, ERROR_FORMAT, "\"min\" of \"%s\" is above its \"max\"", kind);
    return 0;
}

static int read_check(json_t *object, const struct prompt_text *p, struct guard_check *k, struct error *error)
{
    static const char *const known[GUARD_KINDS] = {"text span rect share", "text span rect rank", "probability",
                                                   "answer"};
    int kinds = 0;
    k->json = object;
    k->min = k->max = NAN;
    for (int kind = 0; kind < GUARD_KINDS; kind++)
        if (json_object_get(object, kind_names[kind])) {
            k->kind = (enum guard_kind)kind;
            kinds++;
        }
    if (kinds != 1)
        return error_set(error, ERROR_FORMAT, "says not one of \"share\", \"rank\", \"probability\" and \"answer\"");
    char what[40];
    snprintf(what, sizeof what, "a check of \"%s\"", kind_names[k->kind]);
    int code = check_keys(object, what, known[k->kind], error);
    if (code)
        return code;
    if (k->kind == GUARD_ANSWER) {
        code = jsonl_text(object, "answer", &k->answer, error);
        return code || k->answer ? code : error_set(error, ERROR_FORMAT, "\"answer\" is no text");
    }
    code = read_limits(json_object_get(object, kind_names[k->kind]), k, error);
    return code || k->kind == GUARD_PROBABILITY ? code : read_units(object, p, k, error);
}

static int read_checks(const json_t *object, const struct prompt_text *p, struct guard_case *c, struct error *error)
{
    const json_t *array;
    int code = jsonl_array(object, "hold", &array, error);
    if (code)
        return code;
    if (!array)
        return error_set(error, ERROR_FORMAT, "\"hold\" is missing or empty: nothing must hold");
    size_t n = json_array_size(array);
    c->checks = calloc(n, sizeof *c->checks);
    if (!c->checks)
        return no_memory(error);
    while (code == 0 && c->check_count < n) {
        size_t i = c->check_count++;
        code = read_check(json_array_get(array, i), p, &c->checks[i], error);
        if (code)
            code = error_add(error, code, "\"hold\" number %zu", i + 1);
    }
    return code;
}

/* -- cases --------------------------------------------------------------------------------------------------------- */

/* The text that a request takes, and where the prompt lies in it. */
static int read_prompt(const json_t *object, struct guard_case *c, struct prompt_text *p, struct error *error)
{
    char *system = NULL;
    const json_t *chat = json_object_get(object, "chat");
    int code = jsonl_text(object, "prompt", &c->text, error);
    if (code || (code = jsonl_text(object, "system", &system, error)))
        return code;
    c->chat = chat && !json_is_null(chat) ? json_is_true(chat) : system ? 1 : -1;
    if (!c->text)
        code = error_set(error, ERROR_FORMAT, "\"prompt\" is missing");
    else if (chat && !json_is_null(chat) && !json_is_boolean(chat))
        code = error_set(error, ERROR_FORMAT, "\"chat\" is neither true nor false");
    else if (system && c->chat == 0)
        code = error_set(error, ERROR_FORMAT, "\"system\" belongs to a conversation; leave it out, or \"chat\"");
    if (code == 0) {
        size_t length = strlen(c->text), whole = length;
        p->prompt_length = length;
        while (system && length > 0 && c->text[length - 1] == '\n') /* which a conversation leaves out */
            length--;
        code = prompt_chat(&(struct options){.system = system}, &c->text, &whole, error);
        p->prompt_at = system ? whole - length : 0;
        p->text = c->text;
    }
    free(system);
    return code;
}

static int read_case(const struct guard *g, const char *folder, struct guard_case *c, struct error *error)
{
    struct prompt_text p = {0};
    int code = check_keys(c->json, "a case", "id prompt system chat images target units hold", error);
    if (code || (code = jsonl_id(c->json, c->line, &c->id, error)) || (code = read_prompt(c->json, c, &p, error)) ||
        (code = jsonl_files(c->json, "images", folder, &c->images, &c->image_count, error)) ||
        (code = jsonl_text(c->json, "target", &c->target, error)) ||
        (code = jsonl_text(c->json, "units", &c->units, error)))
        return code;
    for (const struct guard_case *other = g->cases; other < c; other++)
        if (strcmp(other->id, c->id) == 0)
            return error_set(error, ERROR_FORMAT, "its id is that of line %zu", other->line);
    p.image_count = c->image_count;
    return read_checks(c->json, &p, c, error);
}

/* What lines are read into. */
struct reading {
    struct guard *guard;
    const char *folder;
};

static int add_line(void *data, const char *line, size_t length, size_t number, struct error *error)
{
    const struct reading *r = data;
    struct guard *g = r->guard;
    struct guard_case *grown = realloc(g->cases, (g->count + 1) * sizeof *grown);
    if (!grown)
        return no_memory(error);
    g->cases = grown;
    struct guard_case *c = &g->cases[g->count++];
    while (is_white(line[length - 1]))
        length--;
    *c = (struct guard_case){.line = number, .start = (size_t)(line - g->text), .length = length};
    int code = jsonl_object(line, length, JSON_REJECT_DUPLICATES, &c->json, error);
    return code ? code : read_case(g, r->folder, c, error);
}

int guard_read(const char *path, struct guard *g, struct error *error)
{
    char *folder = jsonl_folder(path);
    *g = (struct guard){0};
    int code = folder ? prompt_read_file(path, &g->text, &g->length, error) : no_memory(error);
    if (code == 0)
        code = jsonl_each(path, g->text, g->length, add_line, &(struct reading){g, folder}, error);
    if (code == 0 && g->count == 0)
        code = error_set(error, ERROR_FORMAT, "%s: holds no case; write one {\"prompt\": ..., \"hold\": [...]} a line",
                         path);
    if (code)
        guard_free(g);
    free(folder);
    return code;
}

static void case_free(struct guard_case *c)
{
    for (size_t i = 0; i < c->check_count; i++) {
        free(c->checks[i].name);
        free(c->checks[i].spans);
        free(c->checks[i].answer);
    }
    for (size_t i = 0; i < c->image_count; i++)
        free(c->images[i]);
    free(c->checks);
    free(c->images);
    free(c->id);
    free(c->text);
    free(c->target);
    free(c->units);
    json_decref(c->json);
}

void guard_free(struct guard *g)
{
    for (size_t i = 0; i < g->count; i++)
        case_free(&g->cases[i]);
    free(g->cases);
    free(g->text);
    *g = (struct guard){0};
}

/* -- written back -------------------------------------------------------------------------------------------------- */

/* In so many digits, as people write them; ranks as whole numbers. */
static void set_number(json_t *object, const char *key, double value, int digits, bool whole)
{
    char text[40];
    snprintf(text, sizeof text, "%.*g", digits, value);
    if (!isnan(value))
        json_object_set_new(object, key, whole ? json_integer((json_int_t)value) : json_real(strtod(text, NULL)));
}

void guard_note(struct guard_check *k, double measured, double min, double max)
{
    json_t *limits = json_object_get(k->json, kind_names[k->kind]);
    bool whole = k->kind == GUARD_RANK;
    set_number(limits, "min", min, 3, whole);
    set_number(limits, "max", max, 3, whole);
    set_number(limits, "measured", measured, 4, whole);
}

void guard_expect(struct guard_check *k, const char *answer)
{
    json_object_set_new(k->json, "answer", json_string(answer));
}

int guard_write(const struct guard *g, FILE *out, struct error *error)
{
    size_t at = 0;
    for (size_t i = 0; i < g->count; i++) {
        const struct guard_case *c = &g->cases[i];
        json_t *old = json_loadb(g->text + c->start, c->length, 0, NULL);
        char *text = json_equal(old, c->json) ? strndup(g->text + c->start, c->length)
                                              : json_dumps(c->json, JSON_REAL_PRECISION(15));
        json_decref(old);
        if (!text)
            return no_memory(error);
        fwrite(g->text + at, 1, c->start - at, out);
        fputs(text, out);
        at = c->start + c->length;
        free(text);
    }
    fwrite(g->text + at, 1, g->length - at, out);
    return 0;
}
