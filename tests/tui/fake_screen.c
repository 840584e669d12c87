/* fake_screen.c: the screen over the engine without a model, for tests to drive.  Settings come from the environment:
 * FAKE_OPEN_MS, FAKE_TOKEN_MS, FAKE_BATCH_MS, FAKE_ANSWER_MS, FAKE_BATCH, FAKE_ESTIMATES,
 * FAKE_EXPECTED, FAKE_SPIN, FAKE_GATE, FAKE_DIRECT, FAKE_TOKEN_GATE, FAKE_FLOOR as in fake_engine.h, FAKE_MODELS the
 * folder of the open dialog, FAKE_PROMPT, FAKE_SAMPLES a file of sample prompts, FAKE_HISTORY one of
 * former prompts, FAKE_PICTURES how many made-up
 * pictures there are, FAKE_NOISE that they are of noise, FAKE_IMAGE_UNITS their units, FAKE_GRAPHICS "sixel", "blocks"
 * or "none", FAKE_TOKENS how many tokens of output, FAKE_TMUX a tmux, FAKE_RECORD a file to record to, FAKE_LOST and
 * FAKE_FOUND where a session goes whose line is dropped.  TERM, COLORTERM
 * and NO_COLOR count as they do for the program. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/tui/fake_engine.h"
#include "tui/screen.h"

static int number(const char *name)
{
    const char *value = getenv(name);
    return value ? atoi(value) : 0;
}

static enum terminal_graphics graphics_of(const char *name)
{
    return !name                         ? GRAPHICS_AUTO
           : strcmp(name, "sixel") == 0  ? GRAPHICS_SIXEL
           : strcmp(name, "blocks") == 0 ? GRAPHICS_BLOCKS
                                         : GRAPHICS_NONE;
}

int main(int count, char **arguments)
{
    struct error error = {0};
    static struct paths paths;
    const char *prompt = getenv("FAKE_PROMPT"), *models = getenv("FAKE_MODELS"), *term = getenv("TERM");
    fake_settings = (struct fake_settings){
        .open_ms = number("FAKE_OPEN_MS"),
        .token_ms = number("FAKE_TOKEN_MS"),
        .batch_ms = number("FAKE_BATCH_MS"),
        .expected = number("FAKE_EXPECTED"),
        .answer_ms = number("FAKE_ANSWER_MS"),
        .batch = number("FAKE_BATCH"),
        .estimates = getenv("FAKE_ESTIMATES"),
        .spin = number("FAKE_SPIN"),
        .gate = getenv("FAKE_GATE"),
        .direct = getenv("FAKE_DIRECT") != NULL,
        .token_gate = getenv("FAKE_TOKEN_GATE"),
        .floor = number("FAKE_FLOOR"),
    };
    if (!prompt)
        prompt = "Anna has a red ball. Tom has a blue hat. What does Tom have?";
    paths_init(&paths, NULL, NULL);
    if (models)
        snprintf(paths.models, sizeof paths.models, "%s", models);
    struct image *images[8];
    size_t image_count = (size_t)number("FAKE_PICTURES");
    for (size_t i = 0; i < image_count; i++)
        images[i] = fake_picture(getenv("FAKE_NOISE") ? -1 : (int)i);
    struct screen_options options = {
        .engine = {.model = count > 1 ? arguments[1] : "fake.gguf",
                   .mmproj = count > 1 ? NULL : "fake-mmproj.gguf",
                   .precision = -1},
        .terminal = {.term = term,
                     .instead = "use --plain",
                     .depth = colour_depth_from(term, getenv("COLORTERM"), getenv("NO_COLOR")),
                     .ground = GROUND_DARK,
                     .scale = SCALE_BLUE_ORANGE,
                     .graphics = graphics_of(getenv("FAKE_GRAPHICS")),
                     .tmux = getenv("FAKE_TMUX") != NULL},
        .paths = &paths,
        .samples = getenv("FAKE_SAMPLES"),
        .history = getenv("FAKE_HISTORY"),
        .prompt = prompt,
        .prompt_length = strlen(prompt),
        .images = images,
        .image_count = image_count,
        .image_units = getenv("FAKE_IMAGE_UNITS"),
        .method = method_default(),
        .generate = number("FAKE_TOKENS"),
        .record = getenv("FAKE_RECORD"),
        .lost = getenv("FAKE_LOST"),
        .found = getenv("FAKE_FOUND"),
    };
    int code = screen_run(&options, &error);
    while (image_count > 0)
        image_release(images[--image_count]);
    if (code < 0)
        fprintf(stderr, "atmanscope: %s\n", error.message);
    if (code > 0)
        raise(code);
    return code != 0;
}
