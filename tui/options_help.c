/* What the table of options says, for people: -h and the man page. */
#include "config.h"

#include "tui/options.h"

#include <string.h>

#include "tui/keys.h"
#include "tui/plain.h"

enum { WIDTH = 100, INDENT = 26 };

static const char SUMMARY[] = "see, while you watch, which words of a prompt a language model's answer rests on";

/* -- -h --------------------------------------------------------------------------------------------------------- */

/* text from column `at` on, wrapped, every line indented alike */
static void print_wrapped(FILE *out, const char *text, int at)
{
    if (at > INDENT - 2) {
        fputc('\n', out);
        at = 0;
    }
    fprintf(out, "%*s", INDENT - at, "");
    int column = INDENT;
    while (*text) {
        int word = (int)strcspn(text, " ");
        if (column > INDENT && column + 1 + word > WIDTH) {
            fprintf(out, "\n%*s", INDENT, "");
            column = INDENT;
        } else if (column > INDENT) {
            fputc(' ', out);
            column++;
        }
        fwrite(text, 1, (size_t)word, out);
        column += word;
        text += word + (text[word] == ' ');
    }
    fputc('\n', out);
}

static void print_row(FILE *out, const struct option_row *row)
{
    char letter[8] = "    ";
    if (row->letter)
        snprintf(letter, sizeof letter, "-%c, ", row->letter);
    int at = fprintf(out, "  %s--%s%s%s", letter, row->name, row->value ? " " : "", row->value ? row->value : "");
    print_wrapped(out, row->help, at);
}

static void print_options(FILE *out, enum command command)
{
    for (const struct option_group *group = options_groups; group->title; group++) {
        bool titled = false;
        for (const struct option_row *row = group->rows; row->name; row++) {
            if (!(row->commands & 1u << command))
                continue;
            if (!titled)
                fprintf(out, "\n%s\n", group->title);
            titled = true;
            print_row(out, row);
        }
    }
}

void options_help(FILE *out, enum command command)
{
    const struct command_row *c = &options_commands[command];
    if (command == COMMAND_SCREEN) {
        fprintf(out, "atmanscope: %s\n\nUsage\n  atmanscope [OPTIONS]\n", SUMMARY);
        for (int i = 1; i < COMMANDS; i++)
            fprintf(out, "  atmanscope %s [OPTIONS]%s%s\n", options_commands[i].name,
                    *options_commands[i].operand ? " " : "", options_commands[i].operand);
        fprintf(out, "\nCommands (atmanscope COMMAND -h tells their options)\n");
        for (int i = 0; i < COMMANDS; i++)
            print_wrapped(out, options_commands[i].summary,
                          fprintf(out, "  %s%s", i == 0 ? "(none) or " : "", options_commands[i].name));
    } else {
        fprintf(out, "atmanscope %s: %s\n\nUsage\n  atmanscope %s [OPTIONS]%s%s\n", c->name, c->summary, c->name,
                *c->operand ? " " : "", c->operand);
    }
    print_options(out, command);
    if (c->notes)
        fprintf(out, "\n%s\n", c->notes_title);
    for (const struct command_note *note = c->notes; note && note->name; note++)
        print_wrapped(out, note->help, fprintf(out, "  %s", note->name));
    fprintf(out, "\nExamples\n");
    for (int i = 0; c->examples[i]; i++)
        fprintf(out, "  %s\n", c->examples[i]);
}

/* -- the man page ------------------------------------------------------------------------------------------------- */

/* text with roff's own characters made harmless; at the start of a line a dot or quote would be a request */
static void man_text(FILE *out, const char *text)
{
    if (*text == '.' || *text == '\'')
        fputs("\\&", out);
    for (; *text; text++) {
        if (*text == '\\')
            fputs("\\e", out);
        else if (*text == '-')
            fputs("\\-", out);
        else
            fputc(*text, out);
    }
}

/* "Commands: explain, generate." unless all of them take the option */
static void man_commands(FILE *out, unsigned commands)
{
    if (commands == (1u << COMMANDS) - 1)
        return;
    const char *separator = " (";
    for (int c = 0; c < COMMANDS; c++)
        if (commands & 1u << c) {
            fprintf(out, "%s%s", separator, options_commands[c].name);
            separator = ", ";
        }
    fputs(")", out);
}

static void man_options(FILE *out)
{
    for (const struct option_group *group = options_groups; group->title; group++) {
        fprintf(out, ".SS %s\n", group->title);
        for (const struct option_row *row = group->rows; row->name; row++) {
            fputs(".TP\n.B ", out);
            if (row->letter)
                fprintf(out, "\\-%c\\fR,\\fB ", row->letter);
            fputs("\\-\\-", out);
            man_text(out, row->name);
            if (row->value)
                fprintf(out, " \\fI%s", row->value);
            fputs("\\fR\n", out);
            man_text(out, row->help);
            man_commands(out, row->commands);
            fputc('\n', out);
        }
    }
}

static void man_notes(FILE *out)
{
    for (int c = 0; c < COMMANDS; c++) {
        const struct command_row *row = &options_commands[c];
        if (row->notes)
            fprintf(out, ".SH FILE OF %s\n%s:\n", row->name, row->notes_title);
        for (const struct command_note *note = row->notes; note && note->name; note++) {
            fputs(".TP\n\\fB", out); /* .B would take the quotes for its own */
            man_text(out, note->name);
            fputs("\\fR\n", out);
            man_text(out, note->help);
            fputc('\n', out);
        }
    }
}

static void man_examples(FILE *out)
{
    fputs(".SH EXAMPLES\n.nf\n", out);
    for (int c = 0; c < COMMANDS; c++)
        for (int i = 0; options_commands[c].examples[i]; i++) {
            man_text(out, options_commands[c].examples[i]);
            fputc('\n', out);
        }
    fputs(".fi\n", out);
}

static void man_keys(FILE *out)
{
    size_t count;
    const struct key_binding *table = keys_table(&count);
    fputs(".SH KEYS\nOf the screen; F1 lists them there.\n", out);
    for (size_t i = 0; i < count; i++) {
        char names[96];
        keys_names(&table[i], names, sizeof names);
        if (i == 0 || table[i].place != table[i - 1].place)
            fprintf(out, ".SS %s\n", keys_place_name(table[i].place));
        fputs(".TP\n.B ", out);
        man_text(out, names);
        fputc('\n', out);
        man_text(out, table[i].help);
        fputc('\n', out);
    }
}

static void man_plain(FILE *out)
{
    size_t count;
    const struct plain_command *table = plain_commands(&count);
    fputs(
        ".SH COMMANDS OF \\-\\-plain\nA line is a prompt; a backslash at its end goes on in the next one. A line that "
        "begins with a colon is a command.\n",
        out);
    for (size_t i = 0; i < count; i++) {
        fprintf(out, ".TP\n\\fB:%s\\fR%s\\fI%s\\fR\n", table[i].name, *table[i].operand ? " " : "", table[i].operand);
        man_text(out, table[i].help);
        fputc('\n', out);
    }
}

static void man_rest(FILE *out)
{
    fputs(".SH EXIT STATUS\n"
          ".TP\n.B 0\nall went well; also when \\-\\-budget ran out, and the result says \"complete\": false\n"
          ".TP\n.B 1\nit failed; one line on standard error says what, why and what to do; of guard also: "
          "a case does not hold\n"
          ".TP\n.B 2\nwrong usage; of guard also: its file is wrong\n"
          ".TP\n.B 130\ncancelled by ^C; a result begun is written with \"complete\": false\n"
          ".SH FILES\n.TP\n.I ~/.local/share/atmanscope/models\nGGUF files that \\-m finds by name\n"
          ".TP\n.I ~/.local/state/atmanscope/history\nthe last 1,000 prompts measured on the screen, readable by their "
          "owner only; \\-\\-no\\-history leaves it alone\n"
          ".TP\n.I ~/.local/state/atmanscope/lost.atman\nwhat the last session whose line was dropped had measured, "
          "for atmanscope replay; found.atman once you were told of it\n"
          ".SH ENVIRONMENT\n"
          ".TP\n.B XDG_DATA_HOME\nused in place of ~/.local/share\n"
          ".TP\n.B XDG_STATE_HOME\nused in place of ~/.local/state\n"
          ".TP\n.B NO_COLOR\nif not empty: no colours\n"
          ".TP\n.B ESCDELAY\nmilliseconds that a key which begins with Esc may take to come whole (100); "
          "more for slow lines\n"
          ".TP\n.B TERM\\fR, \\fBCOLORTERM\\fR, \\fBCOLORFGBG\\fR, \\fBTMUX\n"
          "the terminal's colours and ground, and whether it is tmux\n",
          out);
}

void options_man(FILE *out)
{
    fprintf(out, ".TH ATMANSCOPE 1 \"\" \"atmanscope %s\" \"User Commands\"\n", VERSION);
    fprintf(out, ".SH NAME\natmanscope \\- %s\n.SH SYNOPSIS\n.nf\n.B atmanscope \\fR[\\fIOPTIONS\\fR]\n", SUMMARY);
    for (int c = 1; c < COMMANDS; c++)
        fprintf(out, ".B atmanscope %s \\fR[\\fIOPTIONS\\fR] \\fI%s\\fR\n", options_commands[c].name,
                options_commands[c].operand);
    fputs(".fi\n.SH DESCRIPTION\n"
          "The attention paid to each word of a prompt is turned down in turn, in every layer and head of the model, "
          "and what "
          "that does to\nthe answer is measured: the change of its log-probability, in nats, is the word's relevance. "
          "Positive supports the answer.\nThe method is AtMan (arXiv 2301.08110).\n.SH COMMANDS\n",
          out);
    for (int c = 0; c < COMMANDS; c++)
        fprintf(out, ".TP\n.B %s\n%s\n", options_commands[c].name, options_commands[c].summary);
    fputs(".SH OPTIONS\nIn brackets: the commands that take an option which not all of them take.\n", out);
    man_options(out);
    man_notes(out);
    man_keys(out);
    man_plain(out);
    man_rest(out);
    man_examples(out);
}
