/* screen_prompt.c: what takes the place of the whole prompt: samples, former prompts, the text of a file. */
#include "tui/screen_state.h"

#include <curses.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "tui/prompt.h"

enum { FILE_MOST = 1 << 20 }; /* bytes: far more than any model takes */

/* -- pictures ------------------------------------------------------------------------------------------------------ */

static struct image *find_picture(const struct screen_prompt *prompt, const char *path)
{
    for (size_t i = 0; i < prompt->image_count; i++)
        if (prompt->image_paths[i] && strcmp(prompt->image_paths[i], path) == 0)
            return prompt->images[i];
    return NULL;
}

/* The picture of a path: one of those before or of the draft, which may be explained already, or read from its file;
 * NULL: it was said why not. */
static struct image *picture_of(struct screen *screen, const struct screen_prompt *before, const char *path)
{
    struct error error;
    struct image *image = find_picture(before, path);
    if (image || (image = find_picture(&screen->draft, path)))
        return image_keep(image);
    if (image_read(path, &image, &error) == 0)
        return image;
    screen_say(screen, true, "%s; the prompt is without it", error.message);
    return NULL;
}

static void free_prompt(struct screen_prompt *prompt)
{
    while (prompt->image_count > 0) {
        image_release(prompt->images[--prompt->image_count]);
        free(prompt->image_paths[prompt->image_count]);
    }
    free(prompt->text);
    prompt->text = NULL;
}

/* What is written now, with its pictures; text NULL: no memory. */
static void copy_prompt(const struct screen *screen, struct screen_prompt *prompt)
{
    const char *text = screen->editor.length ? screen->editor.text : "";
    *prompt = (struct screen_prompt){.length = screen->editor.length, .text = strndup(text, screen->editor.length)};
    for (; prompt->image_count < screen->image_count; prompt->image_count++) {
        const char *path = screen->image_paths[prompt->image_count];
        prompt->images[prompt->image_count] = image_keep(screen->images[prompt->image_count]);
        prompt->image_paths[prompt->image_count] = path ? strdup(path) : NULL;
    }
}

/* Put a text and the pictures of these paths in the place of what is written; undo brings the text back. */
static void put_prompt(struct screen *screen, const char *text, size_t length, char *const *paths, size_t count)
{
    struct screen_prompt before;
    copy_prompt(screen, &before);
    screen_pictures_clear(screen);
    for (size_t i = 0; i < count; i++) {
        struct image *image = picture_of(screen, &before, paths[i]);
        if (image && !screen_picture_put(screen, image, paths[i]))
            image_release(image);
    }
    free_prompt(&before);
    screen->view.shown = 0;
    screen->view.focus = PLACE_EDITOR;
    editor_set(&screen->editor, text, length);
    view_arrange(&screen->view);
}

/* -- samples ------------------------------------------------------------------------------------------------------- */

static unsigned put_sample(struct screen *screen, const struct sample *sample)
{
    char path[PATHS_LENGTH], *paths[SAMPLE_IMAGES] = {0};
    size_t count = 0;
    for (size_t i = 0; i < sample->image_count; i++)
        if (samples_path(&screen->samples, &sample->images[i], path, sizeof path) && (paths[count] = strdup(path)))
            count++;
    put_prompt(screen, sample->text, sample->length, paths, count);
    while (count > 0)
        free(paths[--count]);
    screen_submit(screen);
    screen->view.sampled = !memchr(sample->text, '\n', sample->length); /* ^U erases one line */
    return DIRTY_ALL;
}

static unsigned next_sample(struct screen *screen)
{
    struct sample sample;
    if (samples_next(&screen->samples, &sample))
        return put_sample(screen, &sample);
    screen_say(screen, true, "the file of sample prompts is not there; type a prompt");
    return DIRTY_DRAW;
}

static unsigned take_offer(struct screen *screen, size_t which)
{
    screen->samples.next = screen->offer.behind[which]; /* ^T goes on from there */
    return put_sample(screen, &screen->offer.samples[which]);
}

bool screen_offer_key(struct screen *screen, const struct key *key, unsigned *dirty)
{
    struct offer *offer = &screen->offer;
    size_t byte, count = offer->count;
    *dirty = DIRTY_DRAW;
    if (!view_offers(&screen->view) || dialog_is_open(&screen->dialog))
        return false;
    if (key->key == '\r' || key->key == KEY_ENTER)
        *dirty = take_offer(screen, offer->chosen);
    else if (key->key >= '1' && key->key < '1' + (int)count)
        *dirty = take_offer(screen, (size_t)(key->key - '1'));
    else if (key->key == KEY_DOWN)
        offer->chosen = (offer->chosen + 1) % count;
    else if (key->key == KEY_UP)
        offer->chosen = (offer->chosen + count - 1) % count;
    else if (key->key == KEY_CLICK && view_prompt_at(&screen->view, key->row, key->column, &byte) &&
             view_offer_at(&screen->view, key->row) >= 0)
        *dirty = take_offer(screen, (size_t)view_offer_at(&screen->view, key->row));
    else
        return false;
    return true;
}

/* -- former prompts ------------------------------------------------------------------------------------------------ */

void screen_history_add(struct screen *screen)
{
    if (screen->dialog.kind == DIALOG_HISTORY) /* a model was loaded behind it */
        dialog_close(&screen->dialog);
    history_add(&screen->history, screen->editor.text, screen->editor.length, screen->image_paths, screen->image_count);
    screen->recalled = screen->history.count;
    free_prompt(&screen->draft);
}

/* Whether an entry is what is written. */
static bool stands(const struct screen *screen, size_t at)
{
    const struct history_entry *entry = &screen->history.entries[at];
    bool same = entry->length == screen->editor.length && entry->image_count == screen->image_count &&
                memcmp(entry->prompt, entry->length ? screen->editor.text : "", entry->length) == 0;
    for (size_t i = 0; same && i < entry->image_count; i++)
        same = screen->image_paths[i] && strcmp(entry->images[i], screen->image_paths[i]) == 0;
    return same;
}

bool screen_history_has(const struct screen *screen)
{
    return screen->history.count > 0 && stands(screen, screen->history.count - 1);
}

static unsigned recall(struct screen *screen, size_t at)
{
    const struct history_entry *entry = &screen->history.entries[at];
    if (screen->recalled >= screen->history.count || !stands(screen, screen->recalled)) { /* keep what was typed */
        free_prompt(&screen->draft);
        copy_prompt(screen, &screen->draft);
    }
    screen->recalled = at;
    put_prompt(screen, entry->prompt, entry->length, entry->images, entry->image_count);
    return DIRTY_ALL;
}

static unsigned put_draft(struct screen *screen)
{
    struct screen_prompt draft = screen->draft;
    screen->draft = (struct screen_prompt){0};
    screen->recalled = screen->history.count;
    screen_pictures_clear(screen);
    for (size_t i = 0; i < draft.image_count; i++)
        screen_picture_put(screen, image_keep(draft.images[i]), draft.image_paths[i]);
    screen->view.shown = 0;
    editor_set(&screen->editor, draft.text, draft.length);
    free_prompt(&draft);
    view_arrange(&screen->view);
    return DIRTY_ALL;
}

static unsigned former(struct screen *screen)
{
    size_t at = screen->recalled;
    while (at > 0 && stands(screen, at - 1)) /* what is written may be the last one measured */
        at--;
    if (at > 0)
        return recall(screen, at - 1);
    screen_say(screen, false,
               screen->history.count > 0 ? "this is the oldest prompt that is kept"
                                         : "no former prompts; those that are measured are kept");
    return DIRTY_DRAW;
}

static unsigned later(struct screen *screen)
{
    size_t at = screen->recalled + 1;
    while (at < screen->history.count && stands(screen, at))
        at++;
    if (at < screen->history.count)
        return recall(screen, at);
    if (screen->recalled < screen->history.count && screen->draft.text)
        return put_draft(screen);
    screen_say(screen, false, "this is the latest prompt; Alt-p goes to former ones");
    return DIRTY_DRAW;
}

static unsigned show_history(struct screen *screen)
{
    if (screen->history.count == 0)
        screen_say(screen, false, "no former prompts; those that are measured are kept");
    else if (!dialog_show_history(&screen->dialog, &screen->history))
        screen_say(screen, true, "there is no memory for the list of former prompts; Alt-p goes through them");
    return DIRTY_DRAW;
}

unsigned screen_history_picked(struct screen *screen)
{
    size_t at = screen->dialog.picked;
    dialog_close(&screen->dialog);
    return at < screen->history.count ? recall(screen, at) : DIRTY_DRAW;
}

void screen_history_free(struct screen *screen)
{
    free_prompt(&screen->draft);
    history_close(&screen->history);
}

/* -- a file -------------------------------------------------------------------------------------------------------- */

static unsigned ask_file(struct screen *screen)
{
    dialog_ask(&screen->dialog, DIALOG_PROMPT, "Read the prompt from a text file",
               "Tab: complete; Enter: read; Esc: close", screen->prompt_name);
    return DIRTY_DRAW;
}

/* The text of a file, malloced, without the line end at its very end. */
static int read_text(const char *path, char **text, size_t *length, struct error *error)
{
    struct stat found;
    if (stat(path, &found) != 0)
        return error_set(error, ERROR_IO, "%s: cannot open: %s", path, strerror(errno));
    if (!S_ISREG(found.st_mode))
        return error_set(error, ERROR_ARGUMENT, "%s: is no file; Tab completes to one", path);
    if (found.st_size > FILE_MOST)
        return error_set(error, ERROR_LIMIT, "%s: %.1f MB are too long for a prompt; cut it to 1 MB", path,
                         (double)found.st_size / 1e6);
    int code = prompt_read_file(path, text, length, error);
    if (code == 0 && (code = prompt_check(path, *text, *length, error)) != 0)
        free(*text);
    if (code == 0)
        prompt_cut_line_end(*text, length);
    return code;
}

unsigned screen_read_prompt(struct screen *screen, const char *path)
{
    struct error error;
    char *text;
    size_t length;
    if (read_text(path, &text, &length, &error) != 0) {
        const char *slash = strrchr(path, '/');
        size_t folder = slash ? (size_t)(slash - path) + 1 : 0; /* it stands in the dialog */
        screen_fail(screen, error.message + (strncmp(error.message, path, folder) == 0 ? folder : 0), "give another");
        return DIRTY_DRAW;
    }
    snprintf(screen->prompt_name, sizeof screen->prompt_name, "%s", path);
    dialog_close(&screen->dialog);
    editor_set(&screen->editor, text, length);
    free(text);
    screen->view.focus = PLACE_EDITOR;
    view_arrange(&screen->view);
    screen_say(screen, false, "%zu bytes read; Enter measures them", length);
    return DIRTY_ALL;
}

unsigned screen_prompt_act(struct screen *screen, enum action action)
{
    switch (action) {
    case ACTION_SAMPLE:
        return next_sample(screen);
    case ACTION_FORMER:
        return former(screen);
    case ACTION_LATER:
        return later(screen);
    case ACTION_HISTORY:
        return show_history(screen);
    case ACTION_READ:
        return ask_file(screen);
    default:
        return DIRTY_NONE;
    }
}
