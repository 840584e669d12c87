/* Any bytes as a recording: it plays as far as it is one, and what it shows can be shown and written in every format.
 *
 * A checksum stands before every block and the blocks are compressed, so the input is what would be in one: frames as
 * they are inflated, behind a byte that says where to seek to. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "tui/map.h"
#include "tui/picture.h"
#include "tui/player.h"
#include "tui/report.h"
#include "tui/scene_layout.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A file with the input as its only block, of a stream that goes on. */
static uint8_t *wrap(const uint8_t *data, size_t size, size_t *length)
{
    z_stream stream = {.next_in = (Bytef *)data, .avail_in = (uInt)size};
    size_t room = compressBound(size) + 64;
    uint8_t *file = malloc(24 + room);
    if (!file || deflateInit(&stream, 1) != Z_OK)
        abort();
    stream.next_out = file + 24;
    stream.avail_out = (uInt)room;
    if (deflate(&stream, Z_SYNC_FLUSH) != Z_OK || stream.avail_out == 0)
        abort();
    room -= stream.avail_out;
    deflateEnd(&stream);
    uint32_t numbers[4] = {1, scene_layout(), (uint32_t)room, (uint32_t)crc32(0, file + 24, (uInt)room)};
    memcpy(file, "atmanrec", 8);
    for (int i = 0; i < 16; i++)
        file[8 + i] = (uint8_t)(numbers[i / 4] >> 8 * (i % 4));
    *length = 24 + room;
    return file;
}

static void write_all(const struct report *report)
{
    int (*const formats[])(const struct report *, FILE *, struct error *) = {format_html, format_json, format_ansi};
    for (int i = 0; i < 3; i++) {
        char *text = NULL;
        size_t length;
        FILE *out = open_memstream(&text, &length);
        formats[i](report, out, NULL);
        fclose(out);
        free(text);
    }
}

static void draw_picture(const struct explanation *e)
{
    struct map map = map_of(e, &(struct map_question){0});
    struct picture_canvas canvas = {0};
    for (size_t i = 0; i < e->picture_count; i++)
        picture_draw(&canvas,
                     &(struct picture_look){
                         .image = e->pictures[i].image, .map = &map, .picture = (long)i, .opacity = 0.5, .unit = 0},
                     16, 16, NULL);
    picture_canvas_free(&canvas);
}

static void show(struct player *player)
{
    if (player_take(player, NULL) != 0)
        return;
    for (int i = 0; i < SCENE_EXPLANATIONS; i++) {
        const struct explanation *e = player->explanations[i];
        struct report report = {
            .info = player->info, .tokenizer = player->tokenizer, .explanation = e, .depth = COLOUR_256};
        draw_picture(e);
        if (report.info && report.tokenizer && e->unit_count > 0 && e->unit_count * e->output_count < 4096)
            write_all(&report);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct player player;
    size_t length;
    if (size < 1 || size > 1 << 20)
        return 0;
    uint8_t *file = wrap(data + 1, size - 1, &length);
    if (player_decode("x", file, length, &player, NULL) == 0) {
        show(&player);
        player_seek(&player, player.end * data[0] / 255);
        show(&player);
        player_seek_explanation(&player, data[0] & 1);
        player_seek(&player, player.end);
        show(&player);
        player_close(&player);
    }
    free(file);
    return 0;
}
