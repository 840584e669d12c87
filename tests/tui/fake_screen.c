/* fake_screen.c: the screen over the engine without a model, for tests to drive.  Settings come from the environment:
 * FAKE_OPEN_MS, FAKE_TOKEN_MS, FAKE_BATCH_MS, FAKE_BATCH, FAKE_SPIN, FAKE_GATE as in fake_engine.h, FAKE_MODELS the
 * folder of the open dialog, FAKE_PROMPT, FAKE_SAMPLES a file of sample prompts.  TERM, COLORTERM and NO_COLOR count as
 * they do for the program. */
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

int main(int count, char **arguments)
{
    struct error error = {0};
    static struct paths paths;
    const char *prompt = getenv("FAKE_PROMPT"), *models = getenv("FAKE_MODELS"), *term = getenv("TERM");
    fake_settings = (struct fake_settings){
        .open_ms = number("FAKE_OPEN_MS"),
        .token_ms = number("FAKE_TOKEN_MS"),
        .batch_ms = number("FAKE_BATCH_MS"),
        .batch = number("FAKE_BATCH"),
        .spin = number("FAKE_SPIN"),
        .gate = getenv("FAKE_GATE"),
    };
    if (!prompt)
        prompt = "Anna has a red ball. Tom has a blue hat. What does Tom have?";
    paths_init(&paths, NULL, NULL);
    if (models)
        snprintf(paths.models, sizeof paths.models, "%s", models);
    struct screen_options options = {
        .engine = {.model = count > 1 ? arguments[1] : "fake.gguf", .precision = -1},
        .terminal = {term, colour_depth_from(term, getenv("COLORTERM"), getenv("NO_COLOR")), GROUND_DARK},
        .paths = &paths,
        .samples = getenv("FAKE_SAMPLES"),
        .prompt = prompt,
        .prompt_length = strlen(prompt),
        .method = method_default(),
    };
    int code = screen_run(&options, &error);
    if (code < 0)
        fprintf(stderr, "atmanscope: %s\n", error.message);
    if (code > 0)
        raise(code);
    return code != 0;
}
