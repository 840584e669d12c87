#include "tui/screen_state.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { TOKENS_MOST = 256 };

static const char stopping[] = "stopping";

void screen_say(struct screen *screen, bool bad, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(screen->view.message, sizeof screen->view.message, format, arguments);
    va_end(arguments);
    screen->view.message_bad = bad;
}

void screen_fail(struct screen *screen, const char *message, const char *advice)
{
    bool advised = strstr(message, "; ") != NULL;
    screen_say(screen, true, "%s%s%s", message, advised ? "" : "; ", advised ? "" : advice);
}

/* -- requests ------------------------------------------------------------------------------------------------------ */

unsigned screen_submit(struct screen *screen)
{
    screen->zoom_count = 0;
    screen->view.sampled = false;
    return screen_mix_reset(screen) | screen_measure(screen);
}

unsigned screen_measure(struct screen *screen)
{
    struct request request = screen->settings;
    if (!screen->loaded.worker)
        screen->measure_loaded = true;
    if (!screen->loaded.worker)
        return DIRTY_DRAW;
    if (screen->editor.length == 0) {
        screen_say(screen, true, "the prompt is empty; type one");
        return DIRTY_DRAW;
    }
    request.prompt = screen->editor.text;
    request.prompt_length = screen->editor.length;
    request.images = screen->images;
    request.image_count = screen->image_count;
    request.explain = request.direct = request.resume = true;
    if (view_is_stale(&screen->view)) {
        screen->view.token = 0;
        screen->view.typed.id = -1;
        screen->zoom_count = 0;
    }
    request.zooms = screen->zooms;
    request.zoom_count = screen->zoom_count;
    screen->view.choice = 0;
    screen_answers_clear(screen);
    screen->mix_latest = false;
    screen->asked = about_of(screen->view.info, &request);
    screen->submitted = worker_submit(screen->loaded.worker, &request);
    if (screen->submitted == 0)
        screen_say(screen, true, "there is no memory for this prompt; shorten it");
    else
        screen_history_add(screen);
    screen->view.pending = screen->submitted != 0;
    screen_follow_start(screen);
    return DIRTY_ALL;
}

static bool is_busy(const struct screen *screen)
{
    return screen->view.pending || screen->explanation->busy || screen->view.mixing || screen_answers_busy(screen);
}

unsigned screen_cancel(struct screen *screen)
{
    if (!is_busy(screen))
        return DIRTY_NONE;
    screen->mix_wanted = false;
    worker_cancel(screen->loaded.worker);
    screen_say(screen, false, stopping);
    return DIRTY_DRAW;
}

/* -- colours ------------------------------------------------------------------------------------------------------- */

unsigned screen_colours(struct screen *screen)
{
    enum scale scale = (screen->terminal.scale + 1) % SCALES;
    const struct scale_table *table = scale_table(scale);
    screen->terminal.scale = scale;
    paint_set_scale(scale);
    screen_say(screen, false, "%s: %s contradicts, %s supports", table->name, table->sides[0], table->sides[1]);
    return DIRTY_DRAW;
}

/* -- events -------------------------------------------------------------------------------------------------------- */

static unsigned event(struct screen *screen, enum event_kind kind)
{
    const struct explanation *e = screen->explanation;
    bool latest = e->request == screen->submitted;
    if (kind == EVENT_PROOF || kind == EVENT_PAIRS)
        return screen_answer_event(screen, kind);
    if (latest)
        screen->view.pending = false;
    if (kind == EVENT_FAILED && latest) {
        bool card = e->error.code == ERROR_DEVICE && !screen->on_cpu;
        screen_fail(screen, e->error.message, card ? "^X goes on there" : "Enter tries again");
    }
    if (kind == EVENT_CANCELLED && latest)
        screen_say(screen, false, "stopped; Enter measures anew");
    if (latest && screen->mix_wanted && !e->busy)
        screen_mix_start(screen);
    if (kind == EVENT_UNITS)
        screen_retarget(screen);
    if (kind == EVENT_PROMPT)
        screen->view.special = -1;
    if (kind == EVENT_PROMPT)
        screen->view.patch_column = screen->view.patch_row = -1;
    unsigned dirty = screen_compare_event(screen, kind) | (latest ? screen_follow(screen, kind) : 0);
    if (kind == EVENT_PROMPT || kind == EVENT_TOKEN)
        dirty |= DIRTY_TEXT | (e->output_count == screen->view.token + 1 ? DIRTY_FOLLOW : 0);
    return dirty | DIRTY_DRAW;
}

unsigned screen_events(struct screen *screen)
{
    enum event_kind kind;
    unsigned dirty = DIRTY_NONE;
    while (screen->loaded.worker &&
           worker_next(screen->loaded.worker, screen->mix_latest ? screen->mixed : screen->explanation, &kind))
        dirty |= screen->mix_latest ? screen_mix_event(screen, kind) : event(screen, kind);
    if (dirty && !is_busy(screen) && strcmp(screen->view.message, stopping) == 0)
        screen->view.message[0] = '\0'; /* it was done before it was stopped */
    return dirty;
}

/* -- models -------------------------------------------------------------------------------------------------------- */

unsigned screen_load(struct screen *screen, const char *path)
{
    struct engine_options options = screen->options->engine;
    struct error error;
    const char *slash = strrchr(path, '/');
    char mmproj[PATHS_LENGTH];
    if (screen->loader.errand.running) {
        screen_say(screen, true, "%s is still being loaded; wait for it", screen->view.loading);
        return DIRTY_DRAW;
    }
    options.model = path;
    if (strcmp(path, screen->options->engine.model) != 0) /* the first one's tower is not this one's */
        options.mmproj = paths_mmproj(path, mmproj, sizeof mmproj, NULL) == 0 && mmproj[0] ? mmproj : NULL;
    if (screen->on_cpu) {
        options.device = "cpu";
        options.tf32 = false;
    }
    if (loader_start(&screen->loader, &options, &error) != 0) {
        screen_fail(screen, error.message, "try again");
        return DIRTY_DRAW;
    }
    screen->view.loading = slash ? strrchr(screen->loader.path, '/') + 1 : screen->loader.path;
    return DIRTY_DRAW;
}

unsigned screen_device(struct screen *screen)
{
    const char *asked = screen->options->engine.device;
    if (!asked || strncmp(asked, "cuda", 4) != 0) {
        screen_say(screen, true, "there is only the CPU; start with --device cuda for a card");
        return DIRTY_DRAW;
    }
    if (!screen->loaded.engine || screen->loader.errand.running)
        return DIRTY_NONE;
    screen->on_cpu = !screen->on_cpu;
    return screen_load(screen, engine_info(screen->loaded.engine)->file);
}

unsigned screen_loaded(struct screen *screen)
{
    struct loaded loaded;
    struct error error = {0};
    int code = loader_finish(&screen->loader, &loaded, &error);
    screen->view.loading = "";
    if (code != 0) {
        if (screen->first_load) { /* there is nothing to show: say it where it stays to be read */
            screen->code = code;
            screen->error = error;
            screen->quit = true;
        }
        screen_fail(screen, error.message, "^O opens another");
        return DIRTY_DRAW;
    }
    struct explanation *explanation = explanation_new();
    if (!explanation) {
        loaded_close(&loaded);
        screen_say(screen, true, "no memory for another model; end other programs, or open a smaller one");
        return DIRTY_DRAW;
    }
    screen_mix_reset(screen);
    screen->mix_latest = false;
    bool chat = !screen->options->raw && (screen->options->chat || engine_info(loaded.engine)->chat[0]);
    if (!screen_compare_leave(screen, engine_info(loaded.engine), chat))
        explanation_free(screen->explanation);
    screen->view.info = engine_info(loaded.engine);
    screen->view.tokenizer = engine_tokenizer(loaded.engine);
    screen->view.explanation = explanation;
    screen->view.compare.aligned = false;
    loaded_close(&screen->loaded);
    screen->explanation = explanation;
    explanation->keeps_former = true;
    screen->loaded = loaded;
    screen->settings.chat = chat;
    bool measure = screen->editor.length > 0 && (!screen->first_load || screen->measure_loaded);
    screen->first_load = screen->view.pending = false;
    screen->view.typed.id = -1; /* another model's vocabulary is another */
    screen->view.token = 0;
    view_arrange(&screen->view);
    return (measure ? screen_submit(screen) : 0) | DIRTY_ALL;
}

/* -- settings ------------------------------------------------------------------------------------------------------ */

/* The name behind `now` in a list, or the first: an expression comes before all names. */
static const char *next_name(const char *now, const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(names[i], now) == 0)
            return names[(i + 1) % count];
    return names[0];
}

/* The first value of a rising list that is greater, or the first of all. */
static float next_value(float value, const float *values, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (values[i] > value + 1e-6f)
            return values[i];
    return values[0];
}

unsigned screen_setting(struct screen *screen, enum action action)
{
    static const float factors[] = {0, 0.1f, 0.3f, 0.5f, 1.5f, 2, 4}, similarities[] = {0.5f, 0.6f, 0.7f, 0.8f, 0.9f};
    struct method *method = &screen->settings.method;
    int *generate = &screen->settings.generate;
    static const char *const units[] = {"token", "word", "sentence", "paragraph", "auto"},
                             *const tiles[] = {"patch", "2x2", "4x4", "whole", "auto"};
    if (action == ACTION_UNITS)
        screen->settings.units = next_name(screen->settings.units, units, sizeof units / sizeof *units);
    else if (action == ACTION_IMAGE_UNITS)
        screen->settings.image_units = next_name(screen->settings.image_units, tiles, sizeof tiles / sizeof *tiles);
    else if (action == ACTION_FACTOR)
        method->factor = next_value(method->factor, factors, sizeof factors / sizeof *factors);
    else if (action == ACTION_SUPPRESSION)
        method->suppression = (method->suppression + 1) % (SUPPRESS_LOG_ADDITIVE + 1);
    else if (action == ACTION_SIMILARITY && isnan(method->similarity))
        method->similarity = similarities[0];
    else if (action == ACTION_SIMILARITY)
        method->similarity = method->similarity > 0.89f ? NAN : next_value(method->similarity, similarities, 5);
    else if (action == ACTION_TOKENS_MORE && *generate < TOKENS_MOST)
        *generate = *generate < 4 ? *generate + 1 : *generate < 16 ? *generate + 4 : *generate * 2;
    else if (action == ACTION_TOKENS_LESS && *generate > 1)
        *generate = *generate <= 4 ? *generate - 1 : *generate <= 16 ? *generate - 4 : *generate / 2;
    if (*generate > TOKENS_MOST)
        *generate = TOKENS_MOST;
    if (action == ACTION_CHAT && screen->loaded.engine && !engine_info(screen->loaded.engine)->chat[0]) {
        screen_say(screen, true, "this model file has no known chat template; --chat-template names one");
        return DIRTY_DRAW;
    }
    if (action == ACTION_CHAT)
        screen->settings.chat = !screen->settings.chat;
    if (action == ACTION_UNITS)
        screen->zoom_count = 0;
    return screen->editor.length > 0 ? screen_mix_reset(screen) | screen_measure(screen) : DIRTY_DRAW;
}
