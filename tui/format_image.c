/* format_image.c: an explanation as a picture, PNG or SVG: the words in their colours, the pictures with their heat,
 * the output, and the scale.  Text in any script is Pango's business; a module, built where that is. */
#include "tui/format_image.h"

#include <cairo-svg.h>
#include <math.h>
#include <pango/pangocairo.h>
#include <stdlib.h>
#include <string.h>

#include "tui/bytes.h"
#include "tui/text.h"

#define HEAT_OPACITY 0.6

enum {
    WIDTH = 1200, /* pixels */
    MARGIN = 40,
    GAP = 22,
    PICTURE = 520, /* the greatest side of a picture */
    FONT = 22,     /* pixels */
    SMALL = 16,
    TALLEST = 32000, /* cairo can no more */
    INK = 0x202020,
    DIM = 0x666666,
    STEPS = 41, /* of the scale that is drawn */
};

struct page {
    const struct report *report;
    struct map map;
    cairo_t *cairo;
    double y;
    int missing; /* characters that no font has */
};

/* -- text ---------------------------------------------------------------------------------------------------------- */

struct text {
    struct bytes bytes;
    PangoAttrList *attributes;
};

static PangoAttribute *colour(PangoAttribute *(*make)(guint16, guint16, guint16), unsigned rgb)
{
    return make((guint16)((rgb >> 16) * 257), (guint16)((rgb >> 8 & 255) * 257), (guint16)((rgb & 255) * 257));
}

static void add_attribute(struct text *text, PangoAttribute *attribute, size_t start)
{
    attribute->start_index = (guint)start;
    attribute->end_index = (guint)text->bytes.length;
    pango_attr_list_insert(text->attributes, attribute);
}

/* Bytes in the colours of a position on the scale; strong: as what was chosen. */
static void add_text(const struct page *page, struct text *text, const char *bytes, size_t length, double position,
                     bool strong)
{
    size_t size = 0, start = text->bytes.length;
    char *clean = text_clean(bytes, length, true, &size);
    struct colour_cell cell = colour_cell(page->report->scale, COLOUR_TRUE, GROUND_LIGHT, position);
    if (clean)
        bytes_put(&text->bytes, clean, size);
    free(clean);
    if (cell.background >= 0)
        add_attribute(text, colour(pango_attr_background_new, (unsigned)cell.background), start);
    if (cell.ink >= 0)
        add_attribute(text, colour(pango_attr_foreground_new, (unsigned)cell.ink), start);
    if (strong || cell.attributes & COLOUR_BOLD)
        add_attribute(text, pango_attr_weight_new(PANGO_WEIGHT_BOLD), start);
    if (strong || cell.attributes & COLOUR_UNDERLINE)
        add_attribute(text, pango_attr_underline_new(PANGO_UNDERLINE_SINGLE), start);
}

static void set_ink(cairo_t *cairo, unsigned rgb)
{
    cairo_set_source_rgb(cairo, (rgb >> 16) / 255.0, (rgb >> 8 & 255) / 255.0, (rgb & 255) / 255.0);
}

static PangoLayout *lay_out(struct page *page, const char *bytes, size_t length, int font, int width)
{
    PangoLayout *layout = pango_cairo_create_layout(page->cairo);
    PangoFontDescription *description = pango_font_description_from_string("Sans");
    pango_font_description_set_absolute_size(description, font * PANGO_SCALE);
    pango_layout_set_font_description(layout, description);
    pango_font_description_free(description);
    pango_layout_set_text(layout, bytes, (int)length);
    pango_layout_set_width(layout, width * PANGO_SCALE);
    pango_layout_set_wrap(layout, PANGO_WRAP_WORD_CHAR);
    return layout;
}

/* Draw a text below what there is; returns its height. */
static double draw_layout(struct page *page, PangoLayout *layout, double x, unsigned ink)
{
    int width, height;
    pango_layout_get_pixel_size(layout, &width, &height);
    page->missing += pango_layout_get_unknown_glyphs_count(layout);
    set_ink(page->cairo, ink);
    cairo_move_to(page->cairo, x, page->y);
    pango_cairo_show_layout(page->cairo, layout);
    g_object_unref(layout);
    return height;
}

static void draw_line(struct page *page, int font, unsigned ink, const char *line)
{
    char *clean = text_clean(line, strlen(line), true, NULL);
    if (clean)
        page->y += draw_layout(page, lay_out(page, clean, strlen(clean), font, WIDTH - 2 * MARGIN), MARGIN, ink);
    free(clean);
}

static void draw_text(struct page *page, struct text *text)
{
    PangoLayout *layout =
        lay_out(page, text->bytes.data ? (char *)text->bytes.data : "", text->bytes.length, FONT, WIDTH - 2 * MARGIN);
    pango_layout_set_attributes(layout, text->attributes);
    pango_layout_set_line_spacing(layout, 1.25f);
    page->y += draw_layout(page, layout, MARGIN, INK);
    pango_attr_list_unref(text->attributes);
    bytes_free(&text->bytes);
}

/* -- parts --------------------------------------------------------------------------------------------------------- */

static void draw_model(struct page *page)
{
    const struct engine_info *info = page->report->info;
    const char *slash = strrchr(info->file, '/');
    char line[700];
    snprintf(line, sizeof line, "atmanscope: %s, %s on %s, %s", slash ? slash + 1 : info->file, info->quantisation,
             info->device_kind, info->precision);
    draw_line(page, SMALL, DIM, line);
    page->y += GAP;
}

static int draw_prompt(struct page *page)
{
    const struct explanation *e = page->report->explanation;
    struct text text = {.attributes = pango_attr_list_new()};
    size_t count;
    struct report_piece *pieces = report_pieces(e, &count);
    if (!pieces) {
        pango_attr_list_unref(text.attributes);
        return ERROR_MEMORY;
    }
    for (size_t i = 0; i < count; i++) {
        const struct report_piece *p = &pieces[i];
        double position = p->unit >= 0 ? map_position(&page->map, p->unit) : 0;
        add_text(page, &text, e->prompt + p->start, p->inner - p->start, 0, false);
        add_text(page, &text, e->prompt + p->inner, p->inner_end - p->inner, position, false);
        add_text(page, &text, e->prompt + p->inner_end, p->end - p->inner_end, 0, false);
    }
    free(pieces);
    draw_text(page, &text);
    page->y += GAP;
    return 0;
}

/* A picture with its heat, its left upper corner at x and the page's y. */
static int draw_picture(struct page *page, size_t picture, double x, int width, int height, struct error *error)
{
    struct picture_canvas canvas = {0};
    struct picture_look look = {.image = page->report->explanation->pictures[picture].image,
                                .map = &page->map,
                                .picture = (long)picture,
                                .opacity = HEAT_OPACITY,
                                .ground = GROUND_LIGHT,
                                .scale = page->report->scale,
                                .unit = -1};
    int code = picture_draw(&canvas, &look, width, height, error);
    cairo_surface_t *surface = cairo_image_surface_create(CAIRO_FORMAT_RGB24, width, height);
    if (code == 0 && cairo_surface_status(surface) != CAIRO_STATUS_SUCCESS)
        code = error_set(error, ERROR_MEMORY, "there is no memory to draw the picture");
    for (int row = 0; code == 0 && row < height; row++) {
        uint32_t *to = (uint32_t *)(void *)(cairo_image_surface_get_data(surface) +
                                            row * cairo_image_surface_get_stride(surface));
        const uint8_t *from = canvas.rgb + 3 * (size_t)row * (size_t)width;
        for (int column = 0; column < width; column++, from += 3)
            to[column] = (uint32_t)from[0] << 16 | (uint32_t)from[1] << 8 | from[2];
    }
    cairo_surface_mark_dirty(surface);
    cairo_set_source_surface(page->cairo, surface, x, page->y);
    cairo_paint(page->cairo);
    cairo_surface_destroy(surface);
    picture_canvas_free(&canvas);
    return code;
}

/* As many beside each other as there is room for. */
static int draw_pictures(struct page *page, struct error *error)
{
    const struct explanation *e = page->report->explanation;
    double x = MARGIN, row = 0;
    int code = 0;
    for (size_t i = 0; code == 0 && i < e->picture_count; i++) {
        int width, height;
        picture_fit(e->pictures[i].image->width, e->pictures[i].image->height, PICTURE, PICTURE, &width, &height);
        if (x > MARGIN && x + width > WIDTH - MARGIN) {
            page->y += row + GAP;
            x = MARGIN;
            row = 0;
        }
        code = draw_picture(page, i, x, width, height, error);
        x += width + GAP;
        row = fmax(row, height);
    }
    page->y += row > 0 ? row + GAP : 0;
    return code;
}

/* The output, the chosen token of it strong. */
static void draw_output(struct page *page)
{
    const struct report *r = page->report;
    const struct explanation *e = r->explanation;
    struct text text = {.attributes = pango_attr_list_new()};
    for (size_t t = 0; t < e->output_count; t++) {
        size_t length;
        const char *bytes = tokenizer_text(r->tokenizer, e->output[t].id, &length);
        if (tokenizer_is_special(r->tokenizer, e->output[t].id))
            continue;
        for (; text.bytes.length == 0 && length > 1 && *bytes == ' '; length--)
            bytes++;
        bool strong = r->question && r->question->token == t;
        long unit = map_unit_of_output(e, t);
        size_t space = length > 1 && *bytes == ' ';
        add_text(page, &text, bytes, space, 0, false);
        add_text(page, &text, bytes + space, length - space, unit >= 0 ? map_position(&page->map, unit) : 0, strong);
    }
    cairo_rectangle(page->cairo, MARGIN, page->y, WIDTH - 2 * MARGIN, 1);
    set_ink(page->cairo, 0xc0c0c0);
    cairo_fill(page->cairo);
    page->y += GAP;
    draw_text(page, &text);
    page->y += GAP;
}

static int32_t id_of(const struct report *r, int choice)
{
    const struct map_question *q = r->question;
    const struct output_token *token = &r->explanation->output[q->token];
    return choice == 0 ? token->id : choice == MAP_TYPED ? q->typed : token->candidates[choice - 1].id;
}

/* "blue", or in a contrast "blue" rather than "red"; malloced. */
static char *subject(const struct report *r)
{
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    if (!out)
        return NULL;
    bool known = r->question && r->question->token < r->explanation->output_count;
    for (int i = 0; known && i <= r->question->contrast; i++) {
        char *name = report_token_text(r, id_of(r, i ? r->question->against : r->question->choice), true, &size);
        fprintf(out, "%s\"%s\"", i ? " rather than " : "", name ? name + (name[0] == ' ' && name[1]) : "");
        free(name);
    }
    if (!r->question)
        fputs("the output", out);
    else if (r->question->paths != MAP_ALL_PATHS)
        fputs(r->question->paths == MAP_DIRECT ? ", direct paths" : ", mediated paths", out);
    return fclose(out) == 0 ? text : NULL;
}

static void draw_scale(struct page *page)
{
    char *what = subject(page->report), nats[24], line[200];
    const char *name = what ? what : "it";
    if (!(page->map.limit > 0)) {
        draw_line(page, SMALL, DIM, "nothing is measured yet");
    } else {
        colour_nats(page->map.limit, nats, sizeof nats);
        snprintf(line, sizeof line, "contradicts %.60s  -%s", name, nats + 1);
        PangoLayout *layout = lay_out(page, line, utf8_check(line, strlen(line)), SMALL, WIDTH);
        int width, height;
        pango_layout_get_pixel_size(layout, &width, &height);
        draw_layout(page, layout, MARGIN, INK);
        double x = MARGIN + width + 12, step = 8;
        for (int i = 0; i < STEPS; i++) {
            set_ink(page->cairo, colour_rgb(page->report->scale, GROUND_LIGHT, 2.0 * i / (STEPS - 1) - 1));
            cairo_rectangle(page->cairo, x + i * step, page->y, step, height);
            cairo_fill(page->cairo);
        }
        snprintf(line, sizeof line, "%s nats  supports %.60s", nats, name);
        layout = lay_out(page, line, utf8_check(line, strlen(line)), SMALL, WIDTH);
        draw_layout(page, layout, x + STEPS * step + 12, INK);
        page->y += height + GAP / 2;
    }
    free(what);
}

static void draw_notes(struct page *page)
{
    const struct explanation *e = page->report->explanation;
    char line[200], nats[24];
    if (!e->complete) {
        snprintf(line, sizeof line, "not complete: %d of %d probes were run", e->cost.probes, e->cost.probes_total);
        draw_line(page, SMALL, DIM, line);
    }
    if (e->noise_floor > 0) {
        colour_nats(e->noise_floor, nats, sizeof nats);
        snprintf(line, sizeof line, "changes up to %s nats are noise", nats + 1);
        draw_line(page, SMALL, DIM, line);
    }
    if (page->missing > 0) {
        snprintf(line, sizeof line, "%d character%s cannot be shown: no font that is installed has %s", page->missing,
                 page->missing == 1 ? "" : "s", page->missing == 1 ? "it" : "them");
        draw_line(page, SMALL, 0xb00000, line);
    }
}

static int draw_page(struct page *page, struct error *error)
{
    page->y = MARGIN;
    page->missing = 0;
    set_ink(page->cairo, 0xffffff);
    cairo_paint(page->cairo);
    draw_model(page);
    int code = draw_prompt(page);
    if (code != 0)
        return error_set(error, code, "out of memory");
    code = draw_pictures(page, error);
    draw_output(page);
    draw_scale(page);
    draw_notes(page);
    page->y += MARGIN;
    return code;
}

/* -- what is drawn ------------------------------------------------------------------------------------------------- */

/* All output tokens as one: the explanation with each unit's sum in place of its relevances. */
struct sum {
    struct explanation explanation;
    float *relevance;
    bool *measured, *estimated;
};

static bool sum_up(const struct explanation *e, struct sum *sum)
{
    enum { CHOICES = 1 + CANDIDATES };
    *sum = (struct sum){*e, calloc(e->unit_count * CHOICES + 1, sizeof(float)), calloc(e->unit_count + 1, 1),
                        calloc(e->unit_count + 1, 1)};
    if (!sum->relevance || !sum->measured || !sum->estimated)
        return false;
    for (size_t u = 0; u < e->unit_count; u++) {
        sum->relevance[u * CHOICES] = (float)report_relevance(e, u, REPORT_ALL);
        sum->measured[u] = true;
    }
    sum->explanation.relevance = sum->relevance;
    sum->explanation.measured = sum->measured;
    sum->explanation.estimated = sum->estimated;
    sum->explanation.output_count = 1;
    sum->explanation.direct = NULL;
    sum->explanation.direct_count = 0;
    return true;
}

static cairo_status_t write_bytes(void *out, const unsigned char *bytes, unsigned length)
{
    return fwrite(bytes, 1, length, out) == length ? CAIRO_STATUS_SUCCESS : CAIRO_STATUS_WRITE_ERROR;
}

static bool there_are_fonts(void)
{
    PangoFontFamily **families = NULL;
    int count = 0;
    pango_font_map_list_families(pango_cairo_font_map_get_default(), &families, &count);
    g_free(families);
    return count > 0;
}

/* Once to know its height, then onto a surface of that. */
static int draw(struct page *page, bool svg, FILE *out, struct error *error)
{
    cairo_surface_t *surface = cairo_image_surface_create(CAIRO_FORMAT_RGB24, 1, 1);
    page->cairo = cairo_create(surface);
    int code = draw_page(page, error), height = (int)ceil(page->y);
    cairo_destroy(page->cairo);
    cairo_surface_destroy(surface);
    if (code != 0)
        return code;
    if (height > TALLEST)
        return error_set(error, ERROR_LIMIT, "the text is too long for a picture; .html has no such bound");
    surface = svg ? cairo_svg_surface_create_for_stream(write_bytes, out, WIDTH, height)
                  : cairo_image_surface_create(CAIRO_FORMAT_RGB24, WIDTH, height);
    page->cairo = cairo_create(surface);
    code = draw_page(page, error);
    cairo_destroy(page->cairo);
    if (code == 0 && !svg)
        cairo_surface_write_to_png_stream(surface, write_bytes, out);
    cairo_surface_finish(surface);
    if (code == 0 && cairo_surface_status(surface) != CAIRO_STATUS_SUCCESS &&
        cairo_surface_status(surface) != CAIRO_STATUS_SURFACE_FINISHED)
        code = error_set(error, ERROR_MEMORY, "the picture cannot be drawn: %s",
                         cairo_status_to_string(cairo_surface_status(surface)));
    cairo_surface_destroy(surface);
    return code;
}

const struct image_module_contract image_module_contract = IMAGE_MODULE_CONTRACT;

int format_image_draw(const struct report *report, bool svg, FILE *out, struct error *error)
{
    struct page page = {.report = report};
    struct sum sum = {0};
    if (!there_are_fonts())
        return error_set(error, ERROR_UNSUPPORTED,
                         "no font is installed to draw with; install one, for example Debian's fonts-dejavu-core");
    int code = 0;
    if (report->question)
        page.map = map_of(report->explanation, report->question);
    else if (sum_up(report->explanation, &sum))
        page.map = map_of(&sum.explanation, &(struct map_question){0});
    else
        code = error_set(error, ERROR_MEMORY, "out of memory");
    if (code == 0)
        code = draw(&page, svg, out, error);
    pango_cairo_font_map_set_default(NULL); /* what it keeps of fonts is freed */
    free(sum.relevance);
    free(sum.measured);
    free(sum.estimated);
    return code;
}
