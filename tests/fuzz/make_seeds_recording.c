/* Write seeds for fuzz_recording into a folder: the frames of small sessions, as they are inflated; one of words, one
 * of a picture and words, with what was asked of them. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <webp/encode.h>

#include "tui/scene_explanation.h"
#include "tui/scene_layout.h"

enum { UNITS = 3, CHOICES = 1 + CANDIDATES };

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

static long first_image(void *context, struct image *image)
{
    (void)context, (void)image;
    return 0;
}

static struct token tokens[] = {{.id = 1, .start = 0, .end = 3},
                                {.id = -1, .kind = TOKEN_IMAGE, .start = 3, .end = 3, .rect = {0, 0, 4, 4}},
                                {.id = 2, .start = 3, .end = 7}};
static struct unit units[UNITS] = {
    {.kind = UNIT_WORD, .first_share = 1, .last_share = 1, .end = 3},
    {0}, /* a patch, or a word of no bytes */
    {.kind = UNIT_WORD, .first = 2, .last = 2, .first_share = 1, .last_share = 1, .start = 3, .end = 7}};

/* The picture's file, behind its size. */
static void put_picture(struct scene_writer *writer, const struct image *image)
{
    uint8_t *file = NULL;
    struct bytes *out = scene_begin(writer);
    bytes_put_count(out, (uint64_t)image->width);
    bytes_put_count(out, (uint64_t)image->height);
    size_t size = WebPEncodeLosslessRGB(image->rgb, image->width, image->height, 3 * image->width, &file);
    bytes_put(out, file, size);
    WebPFree(file);
    scene_put(writer, SCENE_IMAGES, 0);
}

/* A prompt whose output comes, and then its map.  image: NULL, or one in the prompt; then all was asked. */
static int write_session(const char *folder, const char *name, struct image *image)
{
    static struct output_token output[] = {{.id = 3, .logprob = -1}};
    static float relevance[UNITS * CHOICES], chosen[UNITS] = {1, 2, 3};
    static bool measured[UNITS] = {true, true, true}, estimated[UNITS];
    struct direct_row direct = {UNITS, relevance};
    struct picture picture = {image, 1, 1, 1, 3};
    struct explanation e = {.prompt = (char[]){"one two"}, .prompt_length = 7, .tokens = tokens, .token_count = 3,
                            .pictures = &picture, .picture_count = image != NULL, .output = output,
                            .foil.token = -1, .chosen_id = -1, .noise_floor = 0.001};
    struct scene_writer writer = {0};
    struct bytes out = {0};
    char path[1000];
    tokens[1].kind = image ? TOKEN_IMAGE : TOKEN_TEXT;
    tokens[1].id = image ? -1 : 1;
    if (!image)
        units[1] = (struct unit){.kind = UNIT_WORD, .first = 1, .last = 1, .start = 3, .end = 3};
    else
        units[1] = (struct unit){
            .kind = UNIT_PATCH, .first = 1, .last = 1, .columns = 1, .rows = 1, .stride = 1, .start = 3, .end = 3};
    for (int i = 0; i < UNITS * CHOICES; i++)
        relevance[i] = (float)sin(i);
    bytes_put_number(&out, 255, 1);
    put_model(&writer);
    if (image)
        put_picture(&writer, image);
    scene_put_explanation(&writer, 0, &e, first_image, NULL);
    scene_put_explanation(&writer, 1, &e, first_image, NULL);
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
    if (image) {
        e.proof = (struct proof){
            .answer.state = ANSWER_DONE, .point_count = 2, .orders = 1, .flip = {.state = FLIP_FOUND, .count = 1}};
        e.pairs = (struct pairs){.answer.state = ANSWER_DONE, .count = 1, .pair = {{.unit = {0, 2}}}};
    }
    scene_put_explanation(&writer, 0, &e, first_image, NULL);
    put_frame(&out, &writer);
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "w");
    bool good = file && fwrite(out.data, 1, out.length, file) == out.length && fclose(file) == 0;
    scene_writer_free(&writer);
    bytes_free(&out);
    return good ? 0 : 1;
}

int main(int count, char **arguments)
{
    struct image *image;
    if (count < 2 || image_new(4, 4, &image, NULL) != 0)
        return 2;
    int status = write_session(arguments[1], "session", NULL);
    status = status ? status : write_session(arguments[1], "session-picture", image);
    image_release(image);
    return status;
}
