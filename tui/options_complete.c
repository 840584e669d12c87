/* options_complete.c: completions for bash, zsh and fish, from the table of options. */
#include "tui/options.h"

#include <string.h>

enum { HELP_MOST = 70 };

/* What a row's help says first, as far as a list of completions has room for it. */
static size_t short_help(const char *help)
{
    size_t length = strcspn(help, ";("), last;
    if (length > HELP_MOST) {
        for (last = HELP_MOST; last > 1 && help[last] != ' '; last--) {
        }
        length = last;
    }
    while (length > 0 && strchr(" ,", help[length - 1]))
        length--;
    return length;
}

static bool is_file(const struct option_row *row)
{
    return row->value && strcmp(row->value, "FILE") == 0;
}

static bool is_repeatable(const struct option_row *row)
{
    return strstr(row->help, "repeatable") != NULL;
}

static void put_words(FILE *out, const struct option_row *row)
{
    for (int i = 0; row->words[i]; i++)
        fprintf(out, "%s%s", i ? " " : "", row->words[i]);
}

/* Text [length] between single quotes: those in it, and every character of `special`, get `escape` in front; quote:
 * what stands for a single quote. */
static void put_quoted(FILE *out, const char *text, size_t length, const char *special, const char *quote)
{
    for (size_t i = 0; i < length; i++) {
        if (text[i] == '\'')
            fputs(quote, out);
        else
            fprintf(out, "%s%c", strchr(special, text[i]) ? "\\" : "", text[i]);
    }
}

/* -- bash ---------------------------------------------------------------------------------------------------------- */

/* "tui:--model|explain:--model" of the commands that take the row, and in the same way its letter. */
static void put_pattern(FILE *out, const struct option_row *row)
{
    const char *separator = "    ";
    for (int c = 0; c < COMMANDS; c++)
        if (row->commands & 1u << c) {
            fprintf(out, "%s%s:--%s", separator, options_commands[c].name, row->name);
            if (row->letter)
                fprintf(out, "|%s:-%c", options_commands[c].name, row->letter);
            separator = "|";
        }
}

static void bash_values(FILE *out)
{
    for (const struct option_group *group = options_groups; group->title; group++)
        for (const struct option_row *row = group->rows; row->name; row++) {
            if (!row->value)
                continue;
            put_pattern(out, row);
            if (row->words) {
                fputs(") COMPREPLY=($(compgen -W \"", out);
                put_words(out, row);
                fputs("\" -- \"$word\")); return;;\n", out);
            } else {
                fputs(is_file(row) ? ") COMPREPLY=($(compgen -f -- \"$word\")); return;;\n" : ") return;;\n", out);
            }
        }
}

static void put_names(FILE *out, enum command command)
{
    for (const struct option_group *group = options_groups; group->title; group++)
        for (const struct option_row *row = group->rows; row->name; row++)
            if (row->commands & 1u << command)
                fprintf(out, " --%s", row->name);
}

static void put_commands(FILE *out, const char *separator)
{
    for (int c = 0; c < COMMANDS; c++)
        fprintf(out, "%s%s", c ? separator : "", options_commands[c].name);
}

static void complete_bash(FILE *out)
{
    fputs("# bash completion for atmanscope, made by the program itself\n"
          "_atmanscope()\n{\n"
          "    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]} command=tui options\n"
          "    COMPREPLY=()\n    case ${COMP_WORDS[1]} in ",
          out);
    put_commands(out, "|");
    fputs(") command=${COMP_WORDS[1]};; esac\n    case $command:$before in\n", out);
    bash_values(out);
    fputs("    esac\n    case $command in\n", out);
    for (int c = 0; c < COMMANDS; c++) {
        fprintf(out, "    %s) options=\"", options_commands[c].name);
        put_names(out, (enum command)c);
        fputs("\";;\n", out);
    }
    fputs("    esac\n    [[ $COMP_CWORD -gt 1 ]] || options+=\" ", out);
    put_commands(out, " ");
    fputs("\"\n    if [[ $word == -* || $COMP_CWORD -eq 1 ]]; then\n"
          "        COMPREPLY=($(compgen -W \"$options\" -- \"$word\"))\n"
          "    else\n        COMPREPLY=($(compgen -f -- \"$word\"))\n    fi\n}\n"
          "complete -o filenames -F _atmanscope atmanscope\n",
          out);
}

/* -- zsh ----------------------------------------------------------------------------------------------------------- */

/* '(-m --model)'{-m,--model}'[help]:FILE:_files' */
static void zsh_row(FILE *out, const struct option_row *row)
{
    const char *many = is_repeatable(row) ? "*" : "";
    fputs(" \\\n            ", out);
    if (row->letter)
        fprintf(out, "'%s(-%c --%s)'{-%c,--%s}'", many, row->letter, row->name, row->letter, row->name);
    else
        fprintf(out, "'%s--%s", many, row->name);
    fputc('[', out);
    put_quoted(out, row->help, short_help(row->help), "\\[]:", "'\\''");
    fputc(']', out);
    if (row->value)
        fprintf(out, ":%s:", row->value);
    if (row->value && row->words) {
        fputc('(', out);
        put_words(out, row);
        fputc(')', out);
    } else if (is_file(row)) {
        fputs("_files", out);
    }
    fputc('\'', out);
}

static void complete_zsh(FILE *out)
{
    fputs("#compdef atmanscope\n# zsh completion for atmanscope, made by the program itself\n"
          "_atmanscope() {\n    local command=tui\n    local -a commands\n    commands=(\n",
          out);
    for (int c = 0; c < COMMANDS; c++) {
        fprintf(out, "        '%s:", options_commands[c].name);
        put_quoted(out, options_commands[c].summary, strlen(options_commands[c].summary), "\\", "'\\''");
        fputs("'\n", out);
    }
    fputs("    )\n    if (( CURRENT == 2 )) && [[ $PREFIX != -* ]]; then\n        _describe command commands\n        "
          "return\n"
          "    fi\n    case $words[2] in ",
          out);
    put_commands(out, "|");
    fputs(") command=$words[2]; shift words; (( CURRENT-- ));; esac\n    case $command in\n", out);
    for (int c = 0; c < COMMANDS; c++) {
        fprintf(out, "        %s) _arguments", options_commands[c].name);
        for (const struct option_group *group = options_groups; group->title; group++)
            for (const struct option_row *row = group->rows; row->name; row++)
                if (row->commands & 1u << c)
                    zsh_row(out, row);
        fputs(" \\\n            '*:file:_files';;\n", out);
    }
    fputs("    esac\n}\n_atmanscope \"$@\"\n", out);
}

/* -- fish ---------------------------------------------------------------------------------------------------------- */

/* -n 'CONDITION': one of the row's commands was given; none of all is the screen. */
static void fish_condition(FILE *out, unsigned commands)
{
    if (commands == (1u << COMMANDS) - 1)
        return;
    const char *separator = "";
    fputs(" -n '", out);
    if (commands & 1u << COMMAND_SCREEN) {
        fputs("not __fish_seen_subcommand_from ", out);
        put_commands(out, " ");
        separator = "; or ";
    }
    fprintf(out, "%s__fish_seen_subcommand_from", separator);
    for (int c = 0; c < COMMANDS; c++)
        if (commands & 1u << c)
            fprintf(out, " %s", options_commands[c].name);
    fputc('\'', out);
}

static void fish_row(FILE *out, const struct option_row *row)
{
    fputs("complete -c atmanscope", out);
    fish_condition(out, row->commands);
    fprintf(out, " -l %s", row->name);
    if (row->letter)
        fprintf(out, " -s %c", row->letter);
    if (row->value && row->words) {
        fputs(" -x -a '", out);
        put_words(out, row);
        fputc('\'', out);
    } else if (row->value) {
        fputs(is_file(row) ? " -r -F" : " -x", out);
    }
    fputs(" -d '", out);
    put_quoted(out, row->help, short_help(row->help), "\\", "\\'");
    fputs("'\n", out);
}

static void complete_fish(FILE *out)
{
    fputs("# fish completion for atmanscope, made by the program itself\ncomplete -c atmanscope -n "
          "__fish_use_subcommand -f\n",
          out);
    for (int c = 0; c < COMMANDS; c++) {
        fprintf(out, "complete -c atmanscope -n __fish_use_subcommand -a %s -d '", options_commands[c].name);
        put_quoted(out, options_commands[c].summary, strlen(options_commands[c].summary), "\\", "\\'");
        fputs("'\n", out);
    }
    for (const struct option_group *group = options_groups; group->title; group++)
        for (const struct option_row *row = group->rows; row->name; row++)
            fish_row(out, row);
}

void options_completion(FILE *out, enum shell shell)
{
    if (shell == SHELL_ZSH)
        complete_zsh(out);
    else if (shell == SHELL_FISH)
        complete_fish(out);
    else
        complete_bash(out);
}
