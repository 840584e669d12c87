/* screen_record.c: the session written to a file while it goes on. */
#include "tui/screen_state.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <webp/encode.h>

#include "tui/scene_explanation.h"
#include "tui/scene_layout.h"

enum {
    FRAME_MS = 50,    /* between two frames while only the worker speaks */
    FLUSH_MS = 1000,  /* a frame waits at most so long to be written */
    EXACT = 1 << 16,  /* pictures of up to so many pixels are kept as they are, */
    MOST = 1 << 19,   /* larger ones as good as they can be seen, with at most so many */
    SIDE = 16383,     /* and no longer than WebP allows */
    QUALITY = 85,
};

/* -- pictures ------------------------------------------------------------------------------------------------------ */

/* As a WebP file, behind its size in pixels; nothing behind it: there is no memory. */
static void put_file(struct bytes *out, const struct image *image)
{
    struct image *small = NULL;
    uint8_t *file = NULL;
    double pixels = (double)image->width * image->height;
    double scale = fmin(sqrt(MOST / pixels), SIDE / fmax(image->width, image->height));
    bytes_put_count(out, (uint64_t)image->width);
    bytes_put_count(out, (uint64_t)image->height);
    if (scale < 1) {
        int width, height;
        picture_fit(image->width, image->height, image->width * scale, image->height * scale, &width, &height);
        if (image_resize(image, width, height, IMAGE_BOX, &small, NULL) == 0)
            image = small;
    }
    size_t size = pixels <= EXACT
                      ? WebPEncodeLosslessRGB(image->rgb, image->width, image->height, 3 * image->width, &file)
                      : WebPEncodeRGB(image->rgb, image->width, image->height, 3 * image->width, QUALITY, &file);
    bytes_put(out, file, size);
    out->failed |= size == 0;
    WebPFree(file);
    image_release(small);
}

static long number_of_image(void *context, struct image *image)
{
    struct recorder *recorder = context;
    for (size_t i = 0; i < recorder->image_count; i++)
        if (recorder->serials[i] == image->serial)
            return (long)i;
    if (recorder->image_count == RECORDER_IMAGES) {
        recorder->scene.piece.failed = true;
        return -1;
    }
    put_file(scene_begin(&recorder->scene), image);
    scene_put(&recorder->scene, SCENE_IMAGES, recorder->image_count);
    recorder->serials[recorder->image_count] = image->serial;
    return (long)recorder->image_count++;
}

/* -- a frame ------------------------------------------------------------------------------------------------------- */

static void put_text(struct bytes *out, const char *text)
{
    size_t length = text ? strlen(text) : 0;
    bytes_put_count(out, length);
    bytes_put(out, text, length);
}

/* Where texts of tokens come from, and go. */
struct texts {
    struct scene_writer *writer;
    const struct tokenizer *tokenizer;
    enum scene_group group;
};

static void put_token(void *context, int32_t id)
{
    const struct texts *texts = context;
    size_t length;
    if (id < 0 || !texts->tokenizer)
        return;
    const char *text = tokenizer_text(texts->tokenizer, id, &length);
    struct bytes *out = scene_begin(texts->writer);
    bytes_put_number(out, tokenizer_is_special(texts->tokenizer, id), 1);
    bytes_put(out, text, length);
    scene_put(texts->writer, texts->group, (size_t)id);
}

/* One of the scene's explanations, with the texts that it needs. */
static void put_explanation(struct screen *screen, int which, const struct explanation *e, struct texts texts)
{
    scene_each_token(e, put_token, &texts);
    scene_put_explanation(texts.writer, which, e, number_of_image, screen->recorder);
}

/* What is compared, and how. */
static void put_compare(struct screen *screen)
{
    struct recorder *recorder = screen->recorder;
    const struct view_compare *compare = &screen->view.compare;
    const struct kept *kept = compare->kept;
    bool same = kept && recorder->kept[0] == kept && recorder->kept[1] == kept->explanation &&
                recorder->kept_request == kept->explanation->request;
    if (kept && !same) {
        put_explanation(screen, 2, kept->explanation,
                        (struct texts){&recorder->scene, kept->tokenizer, SCENE_KEPT_TEXTS});
        recorder->kept[0] = kept;
        recorder->kept[1] = kept->explanation;
        recorder->kept_request = kept->explanation->request;
    }
    struct bytes *out = scene_begin(&recorder->scene);
    bytes_put_number(out, kept != NULL, 1);
    bytes_put_number(out, compare->pin, 1);
    bytes_put_number(out, compare->mode, 1);
    shape_put(&layout_about, compare->about, out);
    shape_put(&layout_about, kept ? &kept->about : compare->about, out);
    scene_put(&recorder->scene, SCENE_COMPARE, 0);
}

static void put_images(struct screen *screen)
{
    struct scene_writer *writer = &screen->recorder->scene;
    long numbers[SCREEN_IMAGES];
    for (size_t i = 0; i < screen->image_count; i++)
        numbers[i] = number_of_image(screen->recorder, screen->images[i]);
    struct bytes *out = scene_begin(writer);
    for (size_t i = 0; i < screen->image_count; i++)
        bytes_put_count(out, (uint64_t)numbers[i]);
    scene_put(writer, SCENE_EDITED_IMAGES, 0);
}

static void put_screen(struct screen *screen)
{
    struct scene_writer *writer = &screen->recorder->scene;
    struct bytes *out = scene_begin(writer);
    shape_put(&layout_view, &screen->view, out);
    scene_put(writer, SCENE_VIEW, 0);
    out = scene_begin(writer);
    shape_put(&layout_settings, &screen->settings, out);
    put_text(out, screen->settings.units);
    put_text(out, screen->settings.image_units);
    put_text(out, screen->view.loading);
    scene_put(writer, SCENE_SETTINGS, 0);
    out = scene_begin(writer);
    for (size_t i = 0; i < screen->view.steer_count; i++)
        shape_put(&layout_steer, &screen->view.steers[i], out);
    scene_put(writer, SCENE_STEERS, 0);
    out = scene_begin(writer);
    shape_put(&layout_editor, &screen->editor, out);
    bytes_put(out, screen->editor.text, screen->editor.length);
    scene_put(writer, SCENE_EDITOR, 0);
    put_images(screen);
}

static void put_all(struct screen *screen)
{
    struct scene_writer *writer = &screen->recorder->scene;
    struct texts texts = {writer, screen->view.tokenizer, SCENE_TEXTS};
    if (screen->view.info) {
        shape_put(&layout_info, screen->view.info, scene_begin(writer));
        scene_put(writer, SCENE_MODEL, 0);
    }
    put_explanation(screen, 0, screen->view.explanation, texts);
    put_explanation(screen, 1, screen->view.mixed, texts);
    put_token(&texts, screen->view.typed.id);
    put_compare(screen);
    put_screen(screen);
}

/* -- the file ------------------------------------------------------------------------------------------------------ */

static void forget(struct screen *screen)
{
    scene_writer_free(&screen->recorder->scene);
    free(screen->recorder);
    screen->recorder = NULL;
    screen->view.recording = false;
}

static void stop(struct screen *screen, const char *why)
{
    struct error error = {0};
    struct recording_writer *file = &screen->recorder->file;
    int code = recording_close(file, &error);
    const char *slash = strrchr(file->path, '/'), *name = slash ? slash + 1 : file->path;
    if (code == 0 && why)
        screen_say(screen, true, "%s; recording has stopped", why);
    else if (code == 0)
        screen_say(screen, false, "recorded %s, %.0f kB; atmanscope replay plays it", name,
                   ceil((double)file->written / 1000));
    else
        screen_say(screen, true, "%s; recording has stopped", error.message);
    forget(screen);
}

static void take_frame(struct screen *screen, int64_t now)
{
    struct recorder *recorder = screen->recorder;
    recorder->behind = false;
    put_all(screen);
    if (scene_failed(&recorder->scene)) {
        recorder->scene.changes.length = 0; /* they are not whole */
        stop(screen, "there is no memory to go on recording");
        return;
    }
    if (recorder->scene.change_count == 0)
        return;
    recording_add(&recorder->file, (uint64_t)(now - recorder->framed), &recorder->scene);
    recorder->framed = now;
    if (recorder->flushed == 0)
        recorder->flushed = now;
}

static void flush(struct screen *screen)
{
    struct error error;
    screen->recorder->flushed = 0;
    if (recording_flush(&screen->recorder->file, &error) == 0)
        return;
    screen_say(screen, true, "%s; recording has stopped", error.message);
    forget(screen);
}

void screen_record_frame(struct screen *screen, bool hurry)
{
    int64_t now = screen_now();
    if (!screen->recorder)
        return;
    screen->recorder->behind = true;
    if (hurry || now >= screen->recorder->framed + FRAME_MS)
        take_frame(screen, now);
}

unsigned screen_record_tick(struct screen *screen)
{
    int64_t now = screen_now();
    bool was = screen->recorder != NULL;
    if (was && screen->recorder->behind && now >= screen->recorder->framed + FRAME_MS)
        take_frame(screen, now);
    if (screen->recorder && screen->recorder->flushed && now >= screen->recorder->flushed + FLUSH_MS)
        flush(screen);
    return was && !screen->recorder ? DIRTY_DRAW : DIRTY_NONE;
}

int screen_record_due(const struct screen *screen)
{
    const struct recorder *recorder = screen->recorder;
    if (!recorder || (!recorder->flushed && !recorder->behind))
        return -1;
    int64_t due = recorder->flushed + FLUSH_MS, frame = recorder->framed + FRAME_MS, now = screen_now();
    due = recorder->behind && (!recorder->flushed || frame < due) ? frame : due;
    return due < now ? 0 : (int)(due - now);
}

int screen_record_start(struct screen *screen, const char *path, struct error *error)
{
    screen->recorder = calloc(1, sizeof *screen->recorder);
    if (!screen->recorder)
        return error_set(error, ERROR_MEMORY, "there is no memory to record");
    int code = recording_create(&screen->recorder->file, path, screen->replace_asked, error);
    screen->recorder->framed = screen_now();
    if (code != 0) {
        free(screen->recorder);
        screen->recorder = NULL;
        return code;
    }
    screen->view.recording = true;
    return 0;
}

void screen_record_end(struct screen *screen)
{
    if (screen->recorder)
        take_frame(screen, screen_now());
    if (!screen->recorder)
        return;
    recording_close(&screen->recorder->file, NULL);
    forget(screen);
}

void screen_record_lost(struct screen *screen)
{
    const char *path = screen->options->lost;
    if (screen->recorder || screen->replay || !path || screen->explanation->output_count == 0)
        return;
    umask(S_IRWXG | S_IRWXO); /* as with the history: nobody else's business */
    screen->replace_asked = true;
    if (screen_record_start(screen, path, NULL) == 0)
        screen_record_end(screen);
}

void screen_record_found(struct screen *screen)
{
    const struct screen_options *options = screen->options;
    if (options->lost && rename(options->lost, options->found) == 0)
        screen_say(screen, false, "the line was dropped last time; atmanscope replay shows where");
}

/* -- keys ---------------------------------------------------------------------------------------------------------- */

unsigned screen_ask_record(struct screen *screen)
{
    if (screen->recorder) {
        stop(screen, NULL);
        return DIRTY_DRAW;
    }
    screen->replace_asked = false;
    dialog_ask(&screen->dialog, DIALOG_RECORD, "Record what happens from here on, for atmanscope replay",
               "Enter: record; the same key stops; Esc: close", "session.atman");
    return DIRTY_DRAW;
}

unsigned screen_record(struct screen *screen, const char *path)
{
    struct error error;
    if (!screen->replace_asked && access(path, F_OK) == 0) {
        screen->replace_asked = true;
        screen_say(screen, true, "%s is there already; Enter again replaces it", path);
        return DIRTY_DRAW;
    }
    if (screen_record_start(screen, path, &error) != 0)
        screen_fail(screen, error.message, "choose another name");
    else
        screen_say(screen, false, "recording to %s", path);
    screen->replace_asked = false;
    if (screen->recorder)
        dialog_close(&screen->dialog);
    return DIRTY_DRAW;
}
