#include "tests/tui/guest.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *guest_program(void)
{
    const char *program = getenv("FAKE_SCREEN");
    return program ? program : "tests/tui/fake_screen";
}

struct pty *guest_start(const struct guest *guest)
{
    static char term[128];
    const char *environment[16 + GUEST_SETTINGS] = {term,      "LC_ALL=C.UTF-8", "COLORTERM", "NO_COLOR",
                                                    "COLUMNS", "LINES",          "TMUX",      "PS1=$ "};
    int count = 8;
    snprintf(term, sizeof term, "TERM=%s", guest->term ? guest->term : "xterm-256color");
    for (int i = 0; i < GUEST_SETTINGS && guest->settings[i]; i++)
        environment[count++] = guest->settings[i];
    const char *arguments[] = {guest_program(), guest->model, NULL};
    const char *shell[] = {"bash", "--norc", "-i", NULL};
    struct pty_options options = {
        .arguments = guest->shell ? shell : arguments,
        .environment = environment,
        .rows = guest->rows ? guest->rows : 24,
        .columns = guest->columns ? guest->columns : 80,
        .background = guest->background,
        .mute = guest->mute,
        .sixel = guest->sixel,
        .cell_asked = guest->cell_asked,
        .cell_width = guest->cell_width,
        .cell_height = guest->cell_height,
        .registers = guest->registers,
        .side = guest->side,
    };
    return pty_start(&options);
}

const char *guest_seen(struct pty *pty)
{
    static const char *const scales[] = {"----------0++++++++++", "-----0+++++", "---0+++"};
    static char seen[100000];
    char *at = NULL;
    snprintf(seen, sizeof seen, "%s", pty_screen(pty));
    for (size_t i = 0; !at && i < sizeof scales / sizeof *scales; i++) {
        at = strstr(seen, scales[i]);
        for (size_t k = 0; at && scales[i][k]; k++)
            at[k] = scales[i][k] == '0' ? '0' : ' ';
    }
    return seen;
}

static bool is_screen(struct pty *pty, const void *expected)
{
    return strcmp(pty_screen(pty), expected) == 0 || strcmp(guest_seen(pty), expected) == 0;
}

const char *guest_screen(struct pty *pty, const char *name)
{
    static char path[600], expected[100000];
    const char *source = getenv("srcdir");
    snprintf(path, sizeof path, "%s/tests/tui/screens/%s", source ? source : "..", name);
    pty_listen(pty, 30); /* all that was drawn with what was waited for */
    FILE *file = fopen(path, getenv("SCREENS_UPDATE") ? "w+" : "r");
    expected[0] = '\0';
    if (!file)
        return expected;
    if (getenv("SCREENS_UPDATE"))
        fputs(pty_screen(pty), file);
    rewind(file);
    expected[fread(expected, 1, sizeof expected - 1, file)] = '\0';
    fclose(file);
    pty_until(pty, is_screen, expected); /* it may come in parts, on a machine that has much else to do */
    return expected;
}
