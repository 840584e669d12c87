/* An explanation as one self-contained page: the words coloured, and a script that shows any of the output tokens.
 *
 * Without scripts the page still shows the whole answer's colours.  page.css and page.js are compiled in; everything
 * that came out of a prompt or a model is escaped, in the text and in the embedded JSON. */
#include "tui/format_html.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tui/answers.h"
#include "tui/format_json.h"
#include "tui/page.h"
#include "tui/text.h"

/* A terminated text, with what HTML takes for markup made harmless. */
static void put_escaped(FILE *out, const char *text)
{
    for (; *text; text++) {
        switch (*text) {
        case '<':
            fputs("&lt;", out);
            break;
        case '>':
            fputs("&gt;", out);
            break;
        case '&':
            fputs("&amp;", out);
            break;
        case '"':
            fputs("&quot;", out);
            break;
        case '\'':
            fputs("&#39;", out);
            break;
        default:
            fputc(*text, out);
        }
    }
}

void format_html_text(FILE *out, const char *text, size_t length)
{
    char *clean = text_clean(text, length, true, NULL);
    put_escaped(out, clean ? clean : "");
    free(clean);
}

/* The explanation for the script.  In a script element only "</" and "<!" could end or bend it: no '<' is left. */
static int put_data(FILE *out, const struct report *r, struct error *error)
{
    json_t *json = format_json_explanation(r);
    char *text = json ? json_dumps(json, JSON_COMPACT | JSON_REAL_PRECISION(17)) : NULL;
    json_decref(json);
    if (!text)
        return error_set(error, ERROR_MEMORY, "out of memory");
    fputs("<script type=\"application/json\" id=\"data\">", out);
    for (const char *p = text; *p; p++) {
        if (*p == '<' || *p == '>' || *p == '&')
            fprintf(out, "\\u%04x", (unsigned)*p);
        else
            fputc(*p, out);
    }
    fputs("</script>\n", out);
    free(text);
    return 0;
}

void format_html_colour(const struct explanation *e, size_t unit, double limit, char *style, size_t size)
{
    double position = colour_position(report_relevance(e, unit, REPORT_ALL), limit, e->noise_floor);
    *style = '\0';
    if (e->units[unit].kind != UNIT_SPECIAL && position != 0)
        snprintf(style, size, "background:rgba(var(--%s),%.3f)", position > 0 ? "support" : "contradict",
                 0.9 * fabs(position));
}

/* The opening tag of a unit, coloured for the whole answer. */
static void open_unit(FILE *out, const struct explanation *e, int unit, double limit)
{
    bool special = e->units[unit].kind == UNIT_SPECIAL;
    double position = colour_position(report_relevance(e, (size_t)unit, REPORT_ALL), limit, e->noise_floor);
    fprintf(out, "<span class=\"%s%s\" data-unit=\"%d\"", special ? "special" : "unit",
            !special && position < 0 ? " against" : "", unit);
    char style[64];
    format_html_colour(e, (size_t)unit, limit, style, sizeof style);
    if (*style)
        fprintf(out, " style=\"%s\"", style);
    fputc('>', out);
}

static int put_prompt(FILE *out, const struct report *r, double limit, struct error *error)
{
    const struct explanation *e = r->explanation;
    size_t count;
    struct report_piece *pieces = report_pieces(e, &count);
    if (!pieces)
        return error_set(error, ERROR_MEMORY, "out of memory");
    fputs("<h2>Prompt</h2>\n<p class=\"text\" id=\"prompt\">", out);
    for (size_t i = 0; i < count; i++) {
        const struct report_piece *p = &pieces[i];
        format_html_text(out, e->prompt + p->start, p->inner - p->start);
        if (p->unit >= 0 && (p->inner_end > p->inner || e->units[p->unit].kind == UNIT_SPECIAL)) {
            open_unit(out, e, p->unit, limit);
            if (e->units[p->unit].kind == UNIT_SPECIAL) {
                char *name = report_unit_text(r, (size_t)p->unit, NULL);
                put_escaped(out, name ? name : "");
                free(name);
            }
        }
        format_html_text(out, e->prompt + p->inner, p->inner_end - p->inner);
        if (p->unit >= 0 && (p->inner_end > p->inner || e->units[p->unit].kind == UNIT_SPECIAL))
            fputs("</span>", out);
        format_html_text(out, e->prompt + p->inner_end, p->end - p->inner_end);
    }
    fputs("</p>\n", out);
    free(pieces);
    return 0;
}

static void put_output(FILE *out, const struct report *r, double limit)
{
    const struct explanation *e = r->explanation;
    fputs("<h2>Answer: choose a token to see what it rests on</h2>\n<p id=\"answer\">", out);
    for (size_t t = 0; t < e->output_count; t++) {
        int unit = -1;
        for (size_t u = 0; u < e->unit_count; u++)
            if ((size_t)e->units[u].first == e->token_count + t)
                unit = (int)u;
        char *text = report_token_text(r, e->output[t].id, true, NULL);
        fprintf(out, "<button type=\"button\" data-token=\"%zu\" aria-pressed=\"false\">", t);
        if (unit >= 0)
            open_unit(out, e, unit, limit);
        for (const char *p = text ? text : ""; *p; p++) {
            if (*p == '\n')
                fputs("\xe2\x8f\x8e", out); /* a line end has to be seen to be clicked */
            else
                put_escaped(out, (char[]){*p, '\0'});
        }
        fprintf(out, "%s</button>", unit >= 0 ? "</span>" : "");
        free(text);
    }
    if (e->output_count > 1 && e->foil.token < 0)
        fputs("<button type=\"button\" class=\"all\" data-token=\"-1\" aria-pressed=\"true\">all together</button>",
              out);
    fputs("</p>\n<p class=\"note\" id=\"said\"></p>\n", out);
}

static void put_legend(FILE *out, double limit)
{
    char nats[24], times[64];
    colour_nats(limit, nats, sizeof nats);
    colour_times(limit, times, sizeof times);
    const char *size = nats[0] == '+' ? nats + 1 : nats;
    fprintf(out,
            "<h2>Scale</h2>\n<div class=\"scale\"></div>\n<div class=\"ticks\"><span>contradicts <b "
            "id=\"low\">\xe2\x88\x92%s</b>"
            "</span><span>0</span><span>supports <b id=\"high\">%s</b> nats</span></div>\n"
            "<p class=\"note\" id=\"meaning\">%s nats: without such a unit the answer is %s</p>\n",
            size, nats, nats, times);
}

/* What was asked beyond the map, as it is told on a terminal. */
static int put_answers(FILE *out, const struct report *r, struct error *error)
{
    char *text = NULL;
    size_t size = 0;
    FILE *lines = open_memstream(&text, &size);
    if (!lines)
        return error_set(error, ERROR_MEMORY, "out of memory");
    answers_put(r, lines);
    int code = fclose(lines) == 0 ? 0 : error_set(error, ERROR_MEMORY, "out of memory");
    if (code == 0 && size > 0) {
        fputs("<h2>Proof</h2>\n<pre>", out);
        put_escaped(out, text + 1); /* without the line that parts it from what is above */
        fputs("</pre>\n", out);
    }
    free(text);
    return code;
}

static void put_footer(FILE *out, const struct report *r)
{
    static const char *const names[] = {"row-min", "row-min-causal", "product", "log-additive"};
    const struct explanation *e = r->explanation;
    const struct method *m = &e->method;
    fputs("<footer>\n", out);
    if (!e->complete)
        fprintf(out, "<p><b>Not complete:</b> %d of %d probes were run; what is marked ~ is an estimate.</p>\n",
                e->cost.probes, e->cost.probes_total);
    if (e->noise_floor > 0) {
        char nats[24];
        colour_nats(e->noise_floor, nats, sizeof nats);
        fprintf(out, "<p>Changes up to %s nats are noise.</p>\n", nats + 1);
    }
    fprintf(out,
            "<p>Method: AtMan (arXiv 2301.08110): the attention paid to a unit is turned down (%s, factor %g, layers "
            "%d to %d), "
            "and the change of the answer\xe2\x80\x99s log-probability is its relevance. Words that say the same hide "
            "each other; a "
            "relevance is about this answer under this model, not about truth.</p>\n",
            names[m->suppression], m->factor, m->first_layer, m->last_layer);
    fprintf(out, "<p>%d probes in %.2f s on %s.</p>\n</footer>\n", e->cost.probes, e->cost.seconds,
            r->info->device_kind);
}

/* The scale's colours for the style sheet, on a light ground and on a dark one. */
static void put_scale(FILE *out, enum scale scale)
{
    for (int ground = GROUND_LIGHT; ground >= GROUND_DARK; ground--) {
        const unsigned *page = scale_table(scale)->page[ground];
        fprintf(out, "%s:root { --contradict: %u, %u, %u; --support: %u, %u, %u; }%s\n",
                ground == GROUND_DARK ? "@media (prefers-color-scheme: dark) { " : "", page[0] >> 16,
                page[0] >> 8 & 255, page[0] & 255, page[1] >> 16, page[1] >> 8 & 255, page[1] & 255,
                ground == GROUND_DARK ? " }" : "");
    }
}

int format_html(const struct report *r, FILE *out, struct error *error)
{
    const struct explanation *e = r->explanation;
    double limit = report_limit(e, REPORT_ALL);
    const char *file = strrchr(r->info->file, '/');
    fputs(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
        "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; "
        "script-src 'unsafe-inline'; img-src data:\">\n<title>atmanscope: what the answer rests on</title>\n<style>\n",
        out);
    fputs(page_css, out);
    put_scale(out, r->scale);
    fprintf(out, "</style>\n</head>\n<body class=\"%s\">\n<header>\n<h1>What the answer rests on</h1>\n<p>",
            scale_table(r->scale)->name);
    format_html_text(out, r->info->name, strlen(r->info->name));
    fputs(r->info->name[0] ? ", " : "", out);
    format_html_text(out, file ? file + 1 : r->info->file, strlen(file ? file + 1 : r->info->file));
    fputs("</p>\n</header>\n<main>\n", out);
    int code = format_html_pictures(r, out, limit, error);
    if (code == 0)
        code = put_prompt(out, r, limit, error);
    put_output(out, r, limit);
    put_legend(out, limit);
    fputs("<h2>Strongest units</h2>\n<table><thead><tr><th>nats</th><th>without it the answer "
          "is</th><th>unit</th></tr></thead>"
          "<tbody id=\"ranking\"></tbody></table>\n",
          out);
    if (code == 0)
        code = put_answers(out, r, error);
    fputs("</main>\n", out);
    put_footer(out, r);
    if (code == 0)
        code = put_data(out, r, error);
    fputs("<script>\n", out);
    fputs(page_js, out);
    fputs("</script>\n</body>\n</html>\n", out);
    return code;
}
