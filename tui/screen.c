#include "tui/screen.h"

#include <curses.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>

#include "tui/screen_state.h"

#define HEAT_OPACITY 0.6

enum { FRAME_MS = 30, OUTPUT_TOKENS = 12, RESET_ON_FORK = 1 /* of sched_setattr() */ };

int64_t screen_now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (int64_t)time.tv_sec * 1000 + time.tv_nsec / 1000000;
}

/* Ask for short turns of the processor: since Linux 6.12 who asks for less at once gets it sooner, also where other
 * programs keep all cores busy.  Older kernels do not listen, which does no harm.  Not passed on to other threads. */
static void take_short_turns(void)
{
    struct {
        uint32_t size, policy;
        uint64_t flags;
        int32_t nice;
        uint32_t priority;
        uint64_t runtime, deadline, period;
    } wish = {.size = sizeof wish,
              .policy = SCHED_OTHER,
              .flags = RESET_ON_FORK,
              .nice = getpriority(PRIO_PROCESS, 0),
              .runtime = 100000};
    syscall(SYS_sched_setattr, 0, &wish, 0);
}

static void draw(struct screen *screen, unsigned dirty)
{
    if (dirty & DIRTY_TEXT)
        view_arrange(&screen->view);
    if (dirty & DIRTY_FOLLOW)
        view_follow(&screen->view);
    view_draw(&screen->view);
    graphics_prepare(&screen->graphics, &screen->terminal, &screen->view);
    refresh();
}

/* The sooner of two times to wait, -1 of which is for ever. */
static int sooner(int a, int b)
{
    return a < 0 || (b >= 0 && b < a) ? b : a;
}

/* Milliseconds from one frame to the next, where no key asks for it: many while somebody waits for the first colours,
 * fewer when it takes long, as each costs bytes; and on a line that does not take them at once (`cost`: how long the
 * last one took) so few that there is time for keys between them. */
static int64_t frame_ms(int64_t since_key, int64_t cost)
{
    int64_t pace = since_key < 2000 ? FRAME_MS : since_key < 10000 ? 100 : 250;
    cost = cost < 250 ? 4 * cost : 1000;
    return cost > pace ? cost : pace;
}

/* The time to wait until the seconds that are shown are others; -1: none are shown. */
static int next_second(const struct screen *screen)
{
    return view_waits(&screen->view) ? 1000 - (int)((screen_now() - screen->since) % 1000) : -1;
}

/* Keys are shown at once; what the worker says as often as frame_ms() has it, however fast it is. */
static void run(struct screen *screen)
{
    unsigned dirty = DIRTY_ALL;
    int64_t drawn = 0, cost = 0, key = screen_now();
    bool hurry = true;
    screen->since = key;
    while (!screen->quit) {
        int64_t start = screen_now(), due = drawn + frame_ms(start - key, cost) - start;
        if (!view_waits(&screen->view))
            screen->since = start;
        screen->view.waited = (double)(start - screen->since) / 1e3;
        if (dirty && (hurry || due <= 0)) {
            draw(screen, dirty);
            drawn = screen_now();
            cost = drawn - start;
            dirty = DIRTY_NONE;
            screen_record_frame(screen, hurry);
        }
        int picture = dirty ? -1 : graphics_show(&screen->graphics, &screen->terminal, &screen->view, screen_now());
        int others[3] = {screen->loader.errand.fd, screen->loaded.worker ? worker_fd(screen->loaded.worker) : -1,
                         screen->fetcher.errand.fd};
        int rest = !dirty ? sooner(picture, next_second(screen)) : due > 0 ? (int)due : 0;
        rest = sooner(rest, screen->replay ? screen_replay_due(screen) : screen_record_due(screen));
        unsigned woke = terminal_wait(&screen->terminal, others, 3, rest);
        dirty |= screen->replay ? screen_replay_tick(screen) : screen_record_tick(screen);
        hurry = woke & ~(unsigned)(WOKE_OTHER << 1);
        if (hurry)
            key = screen_now();
        else if (!woke && view_waits(&screen->view))
            dirty |= DIRTY_DRAW;
        if (woke & WOKE_END)
            break;
        if (woke & WOKE_STOP)
            terminal_suspend(&screen->terminal);
        if (woke & (WOKE_STOP | WOKE_CONTINUE | WOKE_RESIZE)) {
            terminal_resize(&screen->terminal);
            graphics_damage(&screen->graphics);
            dirty |= DIRTY_ALL;
        }
        if (woke & WOKE_OTHER << 1) {
            bool busy = screen->explanation->busy;
            dirty |= screen_events(screen);
            hurry |= busy && !screen->explanation->busy; /* the end is worth a frame of its own */
        }
        if (woke & WOKE_OTHER)
            dirty |= screen_loaded(screen);
        if (woke & WOKE_OTHER << 2)
            dirty |= screen_picture_fetched(screen);
        if (woke & WOKE_KEYS) {
            terminal_read(&screen->terminal);
            dirty |= screen_keys(screen);
            if (screen->terminal.learned)
                dirty |= DIRTY_ALL;
            screen->terminal.learned = false;
        }
    }
}

static void set_up(struct screen *screen)
{
    const struct screen_options *options = screen->options;
    screen->settings = (struct request){.units = options->units ? options->units : "word",
                                        .image_units = options->image_units ? options->image_units : "auto",
                                        .method = options->method,
                                        .generate = options->generate > 0 ? options->generate : OUTPUT_TOKENS};
    screen->view = (struct view){
        .terminal = &screen->terminal,
        .editor = &screen->editor,
        .explanation = screen->explanation,
        .mixed = screen->mixed,
        .steers = screen->steers,
        .compare.about = &screen->about,
        .settings = &screen->settings,
        .loading = "",
        .dialog = &screen->dialog,
        .focus = PLACE_EDITOR,
        .typed.id = -1,
        .marked = -1,
        .special = -1,
        .images = screen->images,
        .offer = &screen->offer,
        .opacity = HEAT_OPACITY,
        .patch_column = -1,
        .patch_row = -1,
    };
    if (screen->replay) {
        paint_begin(&screen->terminal);
        screen_replay_begin(screen);
        return;
    }
    samples_read(&screen->samples, options->samples);
    for (size_t i = 0; i < options->image_count && i < SCREEN_IMAGES; i++)
        screen_picture_put(screen, image_keep(options->images[i]),
                           options->image_paths ? options->image_paths[i] : NULL);
    screen->view.shown = 0;
    screen->measure_loaded = options->prompt_length > 0;
    if (options->prompt_length > 0)
        editor_set(&screen->editor, options->prompt, options->prompt_length);
    else if (options->image_count == 0)
        offer_make(&screen->offer, &screen->samples);
    history_open(&screen->history, options->history);
    screen->recalled = screen->history.count;
    screen->first_load = true;
    if (options->record && screen_record_start(screen, options->record, &screen->error) != 0) {
        screen->code = screen->error.code;
        screen->quit = true;
        return;
    }
    screen_record_found(screen);
    paint_begin(&screen->terminal);
    screen_load(screen, options->engine.model);
}

int screen_run(const struct screen_options *options, struct error *error)
{
    static struct screen screen; /* too large for a stack */
    memset(&screen, 0, sizeof screen);
    screen.options = options;
    loader_init(&screen.loader);
    fetcher_init(&screen.fetcher);
    screen.explanation = explanation_new();
    screen.mixed = explanation_new();
    if (!screen.explanation || !screen.mixed) {
        explanation_free(screen.explanation);
        explanation_free(screen.mixed);
        return error_set(error, ERROR_MEMORY, "there is no memory for the screen");
    }
    screen.explanation->keeps_former = true;
    int code = options->replay ? screen_replay_open(&screen, options->replay, options->speed, error) : 0;
    if (code == 0)
        code = terminal_open(&screen.terminal, &options->terminal, error);
    if (code == 0) {
        set_up(&screen);
        take_short_turns();
        run(&screen);
        int signal = terminal_signal();
        if (signal == SIGHUP)
            screen_record_lost(&screen);
        screen_record_end(&screen);
        terminal_close(&screen.terminal);
        code = signal ? signal : screen.code;
        if (signal)
            return code; /* the caller raises it: nobody waits for what still runs */
        if (screen.code != 0 && error)
            *error = screen.error;
    }
    screen_replay_close(&screen);
    loader_free(&screen.loader);
    fetcher_free(&screen.fetcher);
    loaded_close(&screen.loaded);
    dialog_close(&screen.dialog);
    screen_history_free(&screen);
    samples_free(&screen.samples);
    screen_pictures_clear(&screen);
    graphics_free(&screen.graphics);
    view_free(&screen.view);
    editor_free(&screen.editor);
    explanation_free(screen.explanation);
    explanation_free(screen.mixed);
    kept_free(screen.kept);
    return code;
}
