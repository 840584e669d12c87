#include "tui/scene.h"

#include <stdlib.h>
#include <string.h>

enum { GAP = 4 }; /* equal bytes between two differences that are not worth a splice of their own */

void scene_free(struct scene *scene)
{
    for (size_t g = 0; g < SCENE_GROUPS; g++) {
        for (size_t i = 0; i < scene->groups[g].count; i++)
            free(scene->groups[g].pieces[i].data);
        free(scene->groups[g].pieces);
    }
    *scene = (struct scene){0};
}

struct scene_piece scene_piece(const struct scene *scene, int group, size_t number)
{
    return number < scene->groups[group].count ? scene->groups[group].pieces[number] : (struct scene_piece){NULL, 0};
}

struct bytes_reader scene_read(const struct scene *scene, int group, size_t number)
{
    struct scene_piece piece = scene_piece(scene, group, number);
    return (struct bytes_reader){piece.data, piece.data ? piece.data + piece.length : NULL, false};
}

/* Room for a piece of this number; NULL: no memory. */
static struct scene_piece *reserve(struct scene *scene, int group, size_t number)
{
    size_t count = scene->groups[group].count;
    if (number >= count) {
        size_t more = number + 1 > 2 * count ? number + 1 : 2 * count;
        struct scene_piece *pieces = realloc(scene->groups[group].pieces, more * sizeof *pieces);
        if (!pieces)
            return NULL;
        memset(pieces + count, 0, (more - count) * sizeof *pieces);
        scene->groups[group].pieces = pieces;
        scene->groups[group].count = more;
    }
    return &scene->groups[group].pieces[number];
}

/* -- writing ------------------------------------------------------------------------------------------------------- */

void scene_writer_free(struct scene_writer *writer)
{
    scene_free(&writer->scene);
    bytes_free(&writer->changes);
    bytes_free(&writer->piece);
    *writer = (struct scene_writer){0};
}

struct bytes *scene_begin(struct scene_writer *writer)
{
    writer->piece.length = 0;
    return &writer->piece;
}

bool scene_failed(const struct scene_writer *writer)
{
    return writer->changes.failed || writer->piece.failed;
}

/* Keep `copy` bytes of what was, leave out `cut`, put in `length` new ones. */
static void put_splice(struct bytes *out, size_t copy, size_t cut, const uint8_t *data, size_t length)
{
    bytes_put_count(out, copy);
    bytes_put_count(out, cut);
    bytes_put_count(out, length);
    bytes_put(out, data, length);
}

/* Pieces of one length differ here and there. */
static size_t put_differences(struct bytes *out, const uint8_t *was, const uint8_t *is, size_t length)
{
    size_t splices = 0, done = 0;
    for (size_t at = 0; at < length;) {
        if (was[at] == is[at]) {
            at++;
            continue;
        }
        size_t end = at + 1, same = 0;
        while (end + same < length && same <= GAP) {
            if (was[end + same] == is[end + same]) {
                same++;
            } else {
                end += same + 1;
                same = 0;
            }
        }
        put_splice(out, at - done, end - at, is + at, end - at);
        splices++;
        done = at = end;
    }
    return splices;
}

/* Others begin alike and end alike. */
static size_t put_middle(struct bytes *out, const struct scene_piece *was, const struct bytes *is)
{
    size_t least = was->length < is->length ? was->length : is->length, before = 0, behind = 0;
    while (before < least && was->data[before] == is->data[before])
        before++;
    while (behind < least - before && was->data[was->length - 1 - behind] == is->data[is->length - 1 - behind])
        behind++;
    put_splice(out, before, was->length - before - behind, is->data + before, is->length - before - behind);
    return 1;
}

void scene_put(struct scene_writer *writer, int group, size_t number)
{
    const struct bytes *is = &writer->piece;
    struct scene_piece was = scene_piece(&writer->scene, group, number);
    if (writer->piece.failed || number >= SCENE_NUMBERS ||
        (is->length == was.length && (is->length == 0 || memcmp(is->data, was.data, is->length) == 0)))
        return;
    struct scene_piece *piece = reserve(&writer->scene, group, number);
    uint8_t *copy = malloc(is->length + 1);
    struct bytes splices = {0};
    if (!piece || !copy) {
        free(copy);
        writer->piece.failed = true;
        return;
    }
    size_t count = is->length == was.length ? put_differences(&splices, was.data, is->data, is->length)
                                            : put_middle(&splices, &was, is);
    bytes_put_count(&writer->changes, (uint64_t)group);
    bytes_put_count(&writer->changes, number);
    bytes_put_count(&writer->changes, is->length);
    bytes_put_count(&writer->changes, count);
    bytes_put(&writer->changes, splices.data, splices.length);
    writer->changes.failed |= splices.failed;
    writer->change_count++;
    bytes_free(&splices);
    if (is->length > 0)
        memcpy(copy, is->data, is->length);
    free(piece->data);
    *piece = (struct scene_piece){copy, is->length};
}

/* -- reading ------------------------------------------------------------------------------------------------------- */

/* One splice: from what was [at], to what is to be [used]. */
static bool take_splice(struct bytes_reader *in, const struct scene_piece *was, size_t *at, uint8_t *to, size_t length,
                        size_t *used)
{
    uint64_t copy = bytes_take_count(in), cut = bytes_take_count(in), more = bytes_take_count(in);
    if (in->bad || copy > was->length - *at || cut > was->length - *at - copy || copy > length - *used ||
        more > length - *used - copy)
        return false;
    const uint8_t *data = bytes_take(in, more);
    if (!data)
        return false;
    if (copy > 0)
        memcpy(to + *used, was->data + *at, copy);
    if (more > 0)
        memcpy(to + *used + copy, data, more);
    *at += copy + cut;
    *used += copy + more;
    return true;
}

bool scene_apply(struct scene *scene, struct bytes_reader *in)
{
    uint64_t group = bytes_take_count(in), number = bytes_take_count(in), length = bytes_take_count(in),
             count = bytes_take_count(in);
    if (in->bad || group >= SCENE_GROUPS || number >= SCENE_NUMBERS || length > SCENE_BYTES)
        return false;
    struct scene_piece *piece = reserve(scene, (int)group, number);
    size_t at = 0, used = 0;
    if (!piece || scene->bytes - piece->length + length > SCENE_BYTES)
        return false;
    uint8_t *to = malloc(length + 1);
    bool good = to != NULL;
    for (; good && count > 0; count--)
        good = take_splice(in, piece, &at, to, length, &used);
    if (!good || piece->length - at != length - used) {
        free(to);
        return false;
    }
    if (length > used)
        memcpy(to + used, piece->data + at, length - used);
    scene->bytes += length - piece->length;
    free(piece->data);
    *piece = (struct scene_piece){to, length};
    scene->groups[group].changed = true;
    return true;
}
