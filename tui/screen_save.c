/* screen_save.c: the explanation on the screen, written to a file. */
#include "tui/screen_state.h"

#include <string.h>
#include <unistd.h>

#include "tui/output.h"
#include "tui/report.h"

typedef int report_writer(const struct report *, FILE *, struct error *);

struct saving {
    struct report report;
    report_writer *writer;
};

static int fill(FILE *out, const void *data, struct error *error)
{
    const struct saving *saving = data;
    return saving->writer(&saving->report, out, error);
}

/* The format that a name's ending says: its writer, and the depth of colours; NULL: none. */
static report_writer *writer_of(const char *path, const struct terminal *terminal, enum colour_depth *depth)
{
    static const struct {
        const char *ending;
        report_writer *writer;
    } formats[] = {{".html", format_html}, {".json", format_json}, {".txt", format_ansi}, {".ansi", format_ansi}};
    const char *ending = strrchr(path, '.');
    for (size_t i = 0; ending && i < sizeof formats / sizeof *formats; i++)
        if (strcmp(ending, formats[i].ending) == 0) {
            *depth = strcmp(ending, ".ansi") != 0     ? COLOUR_NONE
                     : terminal->depth != COLOUR_NONE ? terminal->depth
                                                      : COLOUR_256;
            return formats[i].writer;
        }
    return NULL;
}

unsigned screen_ask_save(struct screen *screen)
{
    if (screen->explanation->unit_count == 0) {
        screen_say(screen, true, "there is nothing to save yet; Enter measures the prompt");
        return DIRTY_DRAW;
    }
    screen->replace_asked = false;
    dialog_ask(&screen->dialog, DIALOG_SAVE, "Save as .html, .json, .txt or .ansi", "Enter: save; Esc: close",
               screen->save_name[0] ? screen->save_name : "explanation.html");
    return DIRTY_DRAW;
}

unsigned screen_save(struct screen *screen, const char *path)
{
    struct error error;
    struct saving saving = {.report = {
                                .info = screen->view.info,
                                .tokenizer = screen->view.tokenizer,
                                .explanation = screen->explanation,
                                .ground = screen->terminal.ground,
                                .scale = screen->terminal.scale,
                            }};
    saving.writer = writer_of(path, &screen->terminal, &saving.report.depth);
    if (!saving.writer) {
        screen_say(screen, true, "the ending says the format: .html, .json, .txt or .ansi; add one");
        return DIRTY_DRAW;
    }
    if (!screen->replace_asked && access(path, F_OK) == 0) {
        screen->replace_asked = true;
        screen_say(screen, true, "%s is there already; Enter again replaces it", path);
        return DIRTY_DRAW;
    }
    screen->replace_asked = false;
    if (output_fill(path, fill, &saving, &error) != 0) {
        size_t length = strlen(path); /* the name stands in the dialog: room for the advice */
        bool named = strncmp(error.message, path, length) == 0 && strncmp(error.message + length, ": ", 2) == 0;
        screen_say(screen, true, "%s", error.message + (named ? length + 2 : 0));
        return DIRTY_DRAW;
    }
    screen_say(screen, false, "saved %s%s", path, screen->explanation->complete ? "" : ", as far as it is measured");
    snprintf(screen->save_name, sizeof screen->save_name, "%s", path);
    dialog_close(&screen->dialog);
    return DIRTY_DRAW;
}
