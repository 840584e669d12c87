#include "tui/plain.h"

#include <math.h>
#include <stdlib.h>

#include "tui/text.h"

enum { TEXT_MOST = 60 };

struct report plain_report(const struct plain *plain)
{
    return (struct report){
        .info = engine_info(plain->run.engine),
        .tokenizer = engine_tokenizer(plain->run.engine),
        .explanation = plain->run.explanation,
        .depth = COLOUR_NONE,
        .options = &plain->options,
    };
}

/* Print a text on one line, in quotes, cut at `most` characters. */
static void say_quoted(const char *text, size_t length, int most)
{
    while (length > 1 && *text == ' ')
        text++, length--;
    while (length > 1 && text[length - 1] == ' ')
        length--;
    char *clean = text_clean(text, length, true, NULL);
    putchar('"');
    for (const char *p = clean ? clean : ""; *p; p++) {
        if (((unsigned char)*p & 0xc0) != 0x80 && most-- == 0) {
            fputs("...", stdout);
            break;
        }
        if (*p == '\n' || *p == '\t')
            fputs(*p == '\n' ? "\\n" : "\\t", stdout);
        else
            putchar(*p);
    }
    putchar('"');
    free(clean);
}

static void say_token(const struct plain *plain, int32_t id)
{
    size_t length;
    const char *text = tokenizer_text(engine_tokenizer(plain->run.engine), id, &length);
    say_quoted(text, length, TEXT_MOST);
}

/* " 4.2 %" and the end of the line. */
static void say_percent(double logprob)
{
    char words[24];
    colour_percent(logprob, words, sizeof words);
    printf(" %s\n", words);
}

/* "The answer", or the token that was chosen, and in a contrast what it is held against. */
static void say_subject(const struct plain *plain)
{
    const struct explanation *e = plain->run.explanation;
    if (e->foil.token >= 0) {
        say_token(plain, e->output[e->foil.token].id);
        fputs(" rather than ", stdout);
        say_token(plain, e->foil.id);
    } else if (plain->token == REPORT_ALL && e->output_count != 1) {
        fputs("The answer", stdout);
    } else {
        size_t t = plain->token == REPORT_ALL ? 0 : (size_t)plain->token;
        printf("Token %zu, ", t + 1);
        say_token(plain, e->output[t].id);
        fputc(',', stdout);
    }
}

static void say_unit(const struct report *report, size_t unit, double value)
{
    const struct explanation *e = report->explanation;
    char nats[24], times[64], ordinal[REPORT_ORDINAL], *way;
    size_t size;
    char *text = report_unit_text(report, unit, &size);
    colour_nats(value, nats, sizeof nats);
    colour_times(value, times, sizeof times);
    way = value < 0 ? "contradicts" : "supports";
    printf("%s: %s", way, report_unit_ordinal(e, unit, ordinal));
    if (text && e->units[unit].kind == UNIT_PATCH)
        fputs(text, stdout);
    else if (text)
        say_quoted(text, size, TEXT_MOST);
    printf(" %s%s nats (%s without it)%s\n", report_estimated(e, unit) ? "about " : "", nats, times,
           !unit_counts(&e->units[unit]) ? ", the first word, where models rest attention"
           : !map_sets_scale(e, unit)    ? ", has the first token, where models rest attention"
                                         : "");
    free(text);
}

int plain_say_units(const struct plain *plain, struct error *error)
{
    struct report report = plain_report(plain);
    const struct explanation *e = report.explanation;
    int token = e->foil.token >= 0 ? REPORT_ALL : plain->token;
    size_t count, ranked = 0, told = 0;
    if (e->unit_count == 0)
        return error_set(error, ERROR_ARGUMENT, "nothing is measured yet; type a prompt");
    if (token != REPORT_ALL && (size_t)token >= e->output_count)
        return error_set(error, ERROR_ARGUMENT, "the answer has %zu tokens; :token 1 is the first", e->output_count);
    int *units = report_ranking(e, token, &count);
    if (!units)
        return error_set(error, ERROR_MEMORY, "out of memory");
    say_subject(plain);
    while (told < count && told < plain->units &&
           !(fabs(report_relevance(e, (size_t)units[told], token)) <= e->noise_floor))
        told++;
    while (ranked < count && unit_counts(&e->units[units[ranked]]))
        ranked++;
    fputs(told > 0 ? " rests on:\n" : " rests on nothing that rises above the noise.\n", stdout);
    for (size_t i = 0; i < told; i++)
        say_unit(&report, (size_t)units[i], report_relevance(e, (size_t)units[i], token));
    if (ranked > told && told > 0)
        printf("%zu more unit%s less.\n", ranked - told, ranked - told == 1 ? " weighs" : "s weigh");
    if (!e->complete)
        printf("%d of %d probes were run; the rest is estimated.\n", e->cost.probes, e->cost.probes_total);
    free(units);
    return 0;
}

void plain_say_candidates(const struct plain *plain)
{
    const struct explanation *e = plain->run.explanation;
    size_t t = plain->token == REPORT_ALL ? 0 : (size_t)plain->token;
    if (t >= e->output_count) {
        printf("There is no such token yet.\n");
        return;
    }
    printf("Token %zu: ", t + 1);
    say_token(plain, e->output[t].id);
    say_percent(e->output[t].logprob);
    for (int k = 0; k < CANDIDATES && e->output[t].candidates[k].id >= 0; k++) {
        if (e->output[t].candidates[k].id == e->output[t].id)
            continue;
        fputs("or ", stdout);
        say_token(plain, e->output[t].candidates[k].id);
        say_percent(e->output[t].candidates[k].logprob);
    }
}
