/* screen_save.c: the explanation on the screen, written to a file. */
#include "tui/screen_state.h"

#include <string.h>
#include <unistd.h>

#include "tui/export.h"

unsigned screen_ask_save(struct screen *screen)
{
    if (screen->explanation->unit_count == 0) {
        screen_say(screen, true, "there is nothing to save yet; Enter measures the prompt");
        return DIRTY_DRAW;
    }
    screen->replace_asked = false;
    dialog_ask(&screen->dialog, DIALOG_SAVE, "Save as " EXPORT_ENDINGS, "Enter: save; Esc: close",
               screen->save_name[0] ? screen->save_name : "explanation.html");
    return DIRTY_DRAW;
}

unsigned screen_save(struct screen *screen, const char *path)
{
    struct error error;
    struct report report = {
        .info = screen->view.info,
        .tokenizer = screen->view.tokenizer,
        .explanation = screen->explanation,
        .ground = screen->terminal.ground,
        .scale = screen->terminal.scale,
        .question = &screen->view.map.question,
    };
    if (!export_knows(path)) {
        screen_say(screen, true, "the ending says the format: " EXPORT_ENDINGS "; add one");
        return DIRTY_DRAW;
    }
    if (!screen->replace_asked && access(path, F_OK) == 0) {
        screen->replace_asked = true;
        screen_say(screen, true, "%s is there already; Enter again replaces it", path);
        return DIRTY_DRAW;
    }
    screen->replace_asked = false;
    if (export_write(path, &report, screen->terminal.depth, &error) != 0) {
        size_t length = strlen(path); /* the name stands in the dialog: room for the advice */
        bool named = strncmp(error.message, path, length) == 0 && strncmp(error.message + length, ": ", 2) == 0;
        screen_fail(screen, error.message + (named ? length + 2 : 0), "choose another name");
        return DIRTY_DRAW;
    }
    screen_say(screen, false, "saved %s%s", path, screen->explanation->complete ? "" : ", as far as it is measured");
    snprintf(screen->save_name, sizeof screen->save_name, "%s", path);
    dialog_close(&screen->dialog);
    return DIRTY_DRAW;
}
