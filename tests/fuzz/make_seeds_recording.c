/* Write seeds for fuzz_recording into a folder: the frames of a small session, as they are inflated. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "tui/scene_explanation.h"
#include "tui/scene_layout.h"

enum { UNITS = 2, CHOICES = 1 + CANDIDATES };

static void put_frame(struct bytes *out, struct scene_writer *writer)
{
    bytes_put_count(out, 100);
    bytes_put_count(out, writer->change_count);
    bytes_put(out, writer->changes.data, writer->changes.length);
    writer->changes.length = writer->change_count = 0;
}

static void put_model(struct scene_writer *writer)
{
    static struct engine_info info = {.file = "demo.gguf", .architecture = "llama", .quantisation = "F16"};
    shape_put(&layout_info, &info, scene_begin(writer));
    scene_put(writer, SCENE_MODEL, 0);
    for (size_t id = 0; id < 4; id++) {
        struct bytes *out = scene_begin(writer);
        bytes_put_number(out, id == 0, 1);
        bytes_put(out, " word", 5);
        scene_put(writer, SCENE_TEXTS, id);
    }
}

static long no_image(void *context, struct image *image)
{
    (void)context, (void)image;
    return 0;
}

int main(int count, char **arguments)
{
    static struct token tokens[] = {{.id = 1, .start = 0, .end = 3}, {.id = 2, .start = 3, .end = 7}};
    static struct unit units[] = {{.kind = UNIT_WORD, .first_share = 1, .last_share = 1, .end = 3},
                                  {.kind = UNIT_WORD, .first = 1, .last = 1, .start = 3, .end = 7}};
    static struct output_token output[] = {{.id = 3, .logprob = -1}};
    static float relevance[UNITS * CHOICES], chosen[UNITS] = {1, 2};
    static bool measured[UNITS] = {true, true}, estimated[UNITS];
    struct direct_row direct = {UNITS, relevance};
    struct explanation e = {.prompt = (char[]){"one two"}, .prompt_length = 7, .tokens = tokens, .token_count = 2,
                            .output = output, .foil.token = -1, .chosen_id = -1, .noise_floor = 0.001};
    struct scene_writer writer = {0};
    struct bytes out = {0};
    char path[1000];
    if (count < 2)
        return 2;
    for (int i = 0; i < UNITS * CHOICES; i++)
        relevance[i] = (float)sin(i);
    bytes_put_number(&out, 255, 1);
    put_model(&writer);
    scene_put_explanation(&writer, 0, &e, no_image, NULL);
    scene_put_explanation(&writer, 1, &e, no_image, NULL);
    put_frame(&out, &writer);
    e.output_count = 1;
    e.units = units;
    e.unit_count = UNITS;
    e.measured = measured;
    e.estimated = estimated;
    e.relevance = relevance;
    e.direct = &direct;
    e.direct_count = 1;
    e.chosen = chosen;
    e.complete = true;
    scene_put_explanation(&writer, 0, &e, no_image, NULL);
    put_frame(&out, &writer);
    snprintf(path, sizeof path, "%s/session", arguments[1]);
    FILE *file = fopen(path, "w");
    if (!file || fwrite(out.data, 1, out.length, file) != out.length || fclose(file) != 0)
        return 1;
    scene_writer_free(&writer);
    bytes_free(&out);
    return 0;
}
