#include "tui/player.h"

#include <math.h>
#include <stdlib.h>

#include "tui/scene_explanation.h"
#include "tui/scene_layout.h"

enum {
    PAUSE_MOST = 2000,     /* of a pause, this much is played */
    PIXELS_MOST = 1 << 26, /* of all pictures */
    JUST_NOW_MS = 400,     /* who is so near behind the end of an explanation wants the one before */
};

/* -- opening ------------------------------------------------------------------------------------------------------- */

static void shorten_pauses(struct recording *recording)
{
    uint64_t was = 0, now = 0;
    for (size_t i = 0; i < recording->frame_count; i++) {
        uint64_t after = recording->frames[i].milliseconds - was;
        was = recording->frames[i].milliseconds;
        now += after > PAUSE_MOST ? PAUSE_MOST : after;
        recording->frames[i].milliseconds = now;
    }
}

static void begin(struct player *player)
{
    shorten_pauses(&player->recording);
    player->end = (double)player->recording.frames[player->recording.frame_count - 1].milliseconds;
    player->speed = 1;
    player->damaged = player->recording.broken;
    player_seek(player, 0);
}

int player_open(const char *path, struct player *player, struct error *error)
{
    *player = (struct player){0};
    int code = recording_read(path, &player->recording, error);
    if (code == 0)
        begin(player);
    return code;
}

int player_decode(const char *name, const uint8_t *data, size_t length, struct player *player, struct error *error)
{
    *player = (struct player){0};
    int code = recording_decode(name, data, length, &player->recording, error);
    if (code == 0)
        begin(player);
    return code;
}

void player_close(struct player *player)
{
    recording_free(&player->recording);
    scene_free(&player->scene);
    free(player->info);
    tokenizer_close(player->tokenizer);
    tokenizer_close(player->kept_tokenizer);
    for (int i = 0; i < SCENE_EXPLANATIONS; i++)
        explanation_free(player->explanations[i]);
    for (size_t i = 0; i < player->image_count; i++)
        image_release(player->images[i]);
    *player = (struct player){0};
}

/* -- time ---------------------------------------------------------------------------------------------------------- */

static const struct recording_frame *frame_of(const struct player *player, size_t i)
{
    return &player->recording.frames[i];
}

/* Nothing behind frame `count` can be played. */
static void cut(struct player *player, size_t count)
{
    player->recording.frame_count = count;
    player->end = count > 0 ? (double)frame_of(player, count - 1)->milliseconds : 0;
    player->at = fmin(player->at, player->end);
    player->damaged = true;
}

static bool apply(struct player *player, const struct recording_frame *frame)
{
    const uint8_t *bytes = player->recording.bytes;
    struct bytes_reader in = {bytes + frame->start, bytes + frame->end, false};
    while (in.at < in.end)
        if (!scene_apply(&player->scene, &in))
            return false;
    return true;
}

static void begin_again(struct player *player)
{
    scene_free(&player->scene);
    for (int g = 0; g < SCENE_GROUPS; g++)
        player->scene.groups[g].changed = true;
    player->done = 0;
}

/* Apply frames up to the present moment; returns whether there were any. */
static bool catch_up(struct player *player)
{
    size_t from = player->done;
    while (player->done < player->recording.frame_count &&
           (double)frame_of(player, player->done)->milliseconds <= player->at) {
        if (!apply(player, frame_of(player, player->done))) {
            cut(player, player->done);
            begin_again(player);
            return catch_up(player);
        }
        player->done++;
    }
    return player->done > from;
}

bool player_tick(struct player *player, int64_t now)
{
    double passed = player->clock ? (double)(now - player->clock) * player->speed : 0;
    player->clock = now;
    if (player->paused)
        return false;
    player->at = fmin(player->at + passed, player->end);
    bool changed = catch_up(player);
    if (player_ended(player))
        player->paused = changed = true;
    return changed;
}

int player_due(const struct player *player)
{
    if (player->paused || player->done == player->recording.frame_count)
        return player->paused ? -1 : 0;
    double due = ((double)frame_of(player, player->done)->milliseconds - player->at) / player->speed;
    return due < 0 ? 0 : (int)ceil(due);
}

void player_seek(struct player *player, double milliseconds)
{
    double to = fmax(0, fmin(milliseconds, player->end));
    if (to < player->at || player->done == 0)
        begin_again(player);
    player->at = to;
    catch_up(player);
}

bool player_ended(const struct player *player)
{
    return player->done == player->recording.frame_count;
}

/* Whether a frame is the first with another request's explanation complete: the beginning of each is its end. */
static bool is_complete(const struct player *player, uint64_t *request)
{
    struct bytes_reader in = scene_read(&player->scene, SCENE_EXPLANATION + PART_FACTS, 0);
    struct explanation facts;
    if (in.at == in.end || !shape_take(&layout_explanation, &facts, &in) || facts.busy || !facts.complete)
        return false;
    *request = facts.request;
    return true;
}

void player_seek_explanation(struct player *player, bool next)
{
    double now = player->at, latest = 0, before = 0, behind = player->end;
    uint64_t last = UINT64_MAX, request;
    begin_again(player);
    for (; !player_ended(player) && apply(player, frame_of(player, player->done)); player->done++) {
        double at = (double)frame_of(player, player->done)->milliseconds;
        if (!is_complete(player, &request) || request == last)
            continue;
        last = request;
        if (at > now) {
            behind = at;
            break;
        }
        before = latest;
        latest = at;
    }
    begin_again(player);
    player_seek(player, next ? behind : now - latest > JUST_NOW_MS ? latest : before);
}

/* -- what it shows ------------------------------------------------------------------------------------------------- */

/* Whether a group changed since this was last asked. */
static bool changed(struct player *player, int group)
{
    bool was = player->scene.groups[group].changed;
    player->scene.groups[group].changed = false;
    return was;
}

static bool take_info(struct player *player)
{
    struct bytes_reader in = scene_read(&player->scene, SCENE_MODEL, 0);
    struct engine_info *info = in.at < in.end ? calloc(1, sizeof *info) : NULL;
    bool good = in.at == in.end || (info && shape_take(&layout_info, info, &in));
    if (!good) {
        free(info);
        return false;
    }
    free(player->info);
    player->info = info;
    return true;
}

static bool take_texts(struct player *player, int group, struct tokenizer **texts)
{
    size_t count = player->scene.groups[group].count, n = 0;
    struct tokenizer_piece *pieces = calloc(count + 1, sizeof *pieces);
    for (size_t i = 0; pieces && i < count; i++) {
        struct scene_piece text = scene_piece(&player->scene, group, i);
        if (text.length > 0)
            pieces[n++] =
                (struct tokenizer_piece){(int32_t)i, text.data[0] & 1, (const char *)text.data + 1, text.length - 1};
    }
    struct tokenizer *tokenizer;
    bool good = pieces && tokenizer_of_pieces(pieces, n, &tokenizer, NULL) == 0;
    free(pieces);
    if (!good)
        return false;
    tokenizer_close(*texts);
    *texts = tokenizer;
    return true;
}

/* The picture of a piece in its own size, which is not that of its file where that was too large to keep. */
static struct image *image_of(struct player *player, size_t number)
{
    struct bytes_reader in = scene_read(&player->scene, SCENE_IMAGES, number);
    uint64_t width = bytes_take_count(&in), height = bytes_take_count(&in);
    struct image *image = NULL, *whole = NULL;
    if (in.bad || width < 1 || height < 1 || width > IMAGE_SIDE || height > IMAGE_SIDE ||
        player->pixels + (double)width * (double)height > PIXELS_MOST ||
        image_decode("a picture", in.at, (size_t)(in.end - in.at), &image, NULL) != 0)
        return NULL;
    if ((uint64_t)image->width != width || (uint64_t)image->height != height) {
        image_resize(image, (int)width, (int)height, IMAGE_BILINEAR, &whole, NULL);
        image_release(image);
        image = whole;
    }
    player->pixels += (double)width * (double)height;
    return image;
}

/* They never change; those of a later moment are kept when one goes back. */
static bool take_images(struct player *player)
{
    while (player->image_count < RECORDER_IMAGES &&
           scene_piece(&player->scene, SCENE_IMAGES, player->image_count).length > 0) {
        struct image *image = image_of(player, player->image_count);
        if (!image)
            return false;
        player->images[player->image_count++] = image;
    }
    return true;
}

static bool take_explanation(struct player *player, int which)
{
    struct explanation *e = scene_take_explanation(&player->scene, which, player->images, player->image_count);
    if (!e)
        return false;
    explanation_free(player->explanations[which]);
    player->explanations[which] = e;
    return true;
}

int player_take(struct player *player, struct error *error)
{
    bool good = (!changed(player, SCENE_MODEL) || take_info(player)) &&
                (!changed(player, SCENE_TEXTS) || take_texts(player, SCENE_TEXTS, &player->tokenizer)) &&
                (!changed(player, SCENE_KEPT_TEXTS) ||
                 take_texts(player, SCENE_KEPT_TEXTS, &player->kept_tokenizer)) &&
                (!changed(player, SCENE_IMAGES) || take_images(player));
    for (int i = 0; i < SCENE_EXPLANATIONS; i++)
        if (good && (scene_explanation_changed(&player->scene, i) || !player->explanations[i]))
            good = take_explanation(player, i);
    if (good)
        return 0;
    cut(player, player->done);
    player->paused = true;
    return error_set(error, ERROR_FORMAT, "the recording is damaged here, or there is no memory for it");
}
