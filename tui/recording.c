#include "tui/recording.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tui/output.h"
#include "tui/scene_layout.h"

static const char magic[8] = {'a', 't', 'm', 'a', 'n', 'r', 'e', 'c'};
enum {
    VERSION = 1,
    HEADER = 16, /* magic, version, layout */
    BLOCK = 8,   /* length, checksum */
    BLOCK_MOST = 1 << 28,
    FILE_MOST = 1 << 28,
    INFLATED_MOST = 1 << 29,
    FRAMES_MOST = 1 << 24,
};

/* -- writing ------------------------------------------------------------------------------------------------------- */

static int write_header(struct recording_writer *writer, struct error *error)
{
    struct bytes header = {0};
    bytes_put(&header, magic, sizeof magic);
    bytes_put_number(&header, VERSION, 4);
    bytes_put_number(&header, scene_layout(), 4);
    int code = header.failed ? error_set(error, ERROR_MEMORY, "out of memory")
                             : output_write_fd(writer->fd, writer->path, header.data, header.length, error);
    bytes_free(&header);
    writer->written = HEADER;
    return code;
}

int recording_create(struct recording_writer *writer, const char *path, bool replace, struct error *error)
{
    *writer = (struct recording_writer){.fd = -1};
    snprintf(writer->path, sizeof writer->path, "%s", path);
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | (replace ? O_TRUNC : O_EXCL), 0644);
    if (fd < 0 && errno == EEXIST)
        return error_set(error, ERROR_IO, "%s is there already; take another name", path);
    if (fd < 0)
        return error_set(error, ERROR_IO, "%s: cannot write: %s", path, strerror(errno));
    if (deflateInit(&writer->stream, Z_DEFAULT_COMPRESSION) != Z_OK) {
        close(fd);
        return error_set(error, ERROR_MEMORY, "there is no memory to record");
    }
    writer->fd = fd;
    int code = write_header(writer, error);
    if (code != 0) {
        deflateEnd(&writer->stream);
        close(fd);
        writer->fd = -1;
    }
    return code;
}

void recording_add(struct recording_writer *writer, uint64_t milliseconds, struct scene_writer *scene)
{
    bytes_put_count(&writer->frames, milliseconds);
    bytes_put_count(&writer->frames, scene->change_count);
    bytes_put(&writer->frames, scene->changes.data, scene->changes.length);
    scene->changes.length = 0;
    scene->change_count = 0;
}

static void finish(struct recording_writer *writer)
{
    close(writer->fd);
    deflateEnd(&writer->stream);
    bytes_free(&writer->frames);
    writer->fd = -1;
}

static int write_block(struct recording_writer *writer, const uint8_t *data, size_t length, struct error *error)
{
    struct bytes block = {0};
    bytes_put_number(&block, length, 4);
    bytes_put_number(&block, crc32(0, data, (uInt)length), 4);
    bytes_put(&block, data, length);
    int code = block.failed ? error_set(error, ERROR_MEMORY, "out of memory")
                            : output_write_fd(writer->fd, writer->path, block.data, block.length, error);
    writer->written += block.length;
    bytes_free(&block);
    return code;
}

int recording_flush(struct recording_writer *writer, struct error *error)
{
    z_stream *stream = &writer->stream;
    size_t room = deflateBound(stream, writer->frames.length) + 64;
    if (writer->fd < 0 || writer->frames.length == 0)
        return 0;
    uint8_t *data = writer->frames.failed || writer->frames.length > BLOCK_MOST ? NULL : malloc(room);
    int code = data ? 0 : error_set(error, ERROR_MEMORY, "%s: there is no memory to record", writer->path);
    if (data) {
        stream->next_in = writer->frames.data;
        stream->avail_in = (uInt)writer->frames.length;
        stream->next_out = data;
        stream->avail_out = (uInt)room;
        deflate(stream, Z_SYNC_FLUSH);
        code = write_block(writer, data, room - stream->avail_out, error);
        writer->frames.length = 0;
    }
    free(data);
    if (code != 0)
        finish(writer);
    return code;
}

int recording_close(struct recording_writer *writer, struct error *error)
{
    int code = recording_flush(writer, error);
    if (writer->fd < 0)
        return code;
    code = write_block(writer, (const uint8_t *)"", 0, error);
    finish(writer);
    return code;
}

/* -- reading ------------------------------------------------------------------------------------------------------- */

void recording_free(struct recording *recording)
{
    free(recording->bytes);
    free(recording->frames);
    *recording = (struct recording){0};
}

/* One block's bytes behind those of the others; false: it is damaged, or there is no room. */
static bool inflate_block(struct recording *r, z_stream *stream, const uint8_t *data, size_t length)
{
    stream->next_in = (Bytef *)data;
    stream->avail_in = (uInt)length;
    for (;;) {
        if (r->length == r->capacity) {
            size_t capacity = r->capacity ? 2 * r->capacity : 1 << 16;
            uint8_t *larger = capacity <= INFLATED_MOST ? realloc(r->bytes, capacity) : NULL;
            if (!larger)
                return false;
            r->bytes = larger;
            r->capacity = capacity;
        }
        stream->next_out = r->bytes + r->length;
        stream->avail_out = (uInt)(r->capacity - r->length);
        int status = inflate(stream, Z_SYNC_FLUSH);
        r->length = r->capacity - stream->avail_out;
        if (status != Z_OK && status != Z_BUF_ERROR)
            return false;
        if (stream->avail_out > 0)
            return stream->avail_in == 0;
    }
}

static bool skip_change(struct bytes_reader *in)
{
    for (int i = 0; i < 3; i++)
        bytes_take_count(in);
    for (uint64_t splices = bytes_take_count(in); splices > 0 && !in->bad; splices--) {
        bytes_take_count(in);
        bytes_take_count(in);
        bytes_take(in, bytes_take_count(in));
    }
    return !in->bad;
}

static bool add_frame(struct recording *r, uint64_t milliseconds, size_t start, size_t end)
{
    if (r->frame_count == r->frame_capacity) {
        size_t capacity = r->frame_capacity ? 2 * r->frame_capacity : 256;
        struct recording_frame *frames =
            capacity <= FRAMES_MOST ? realloc(r->frames, capacity * sizeof *frames) : NULL;
        if (!frames)
            return false;
        r->frames = frames;
        r->frame_capacity = capacity;
    }
    r->frames[r->frame_count++] = (struct recording_frame){milliseconds, start, end};
    return true;
}

/* Where the frames of bytes [from] on begin and end; false: they are damaged. */
static bool find_frames(struct recording *r, size_t from)
{
    struct bytes_reader in = {r->bytes + from, r->bytes + r->length, false};
    uint64_t now = r->frame_count > 0 ? r->frames[r->frame_count - 1].milliseconds : 0;
    while (in.at < in.end) {
        uint64_t after = bytes_take_count(&in), changes = bytes_take_count(&in);
        size_t start = (size_t)(in.at - r->bytes);
        while (changes > 0 && skip_change(&in))
            changes--;
        now += after;
        if (in.bad || after > INT32_MAX || now > (uint64_t)1 << 40 ||
            !add_frame(r, r->frame_count > 0 ? now : 0, start, (size_t)(in.at - r->bytes)))
            return false;
        if (r->frame_count == 1)
            now = 0;
    }
    return true;
}

static void read_blocks(struct recording *r, const uint8_t *data, size_t length)
{
    z_stream stream = {0};
    struct bytes_reader in = {data + HEADER, data + length, false};
    r->broken = true;
    if (inflateInit(&stream) != Z_OK)
        return;
    for (;;) {
        size_t size = bytes_take_number(&in, 4), from = r->length;
        uint32_t sum = (uint32_t)bytes_take_number(&in, 4);
        const uint8_t *block = bytes_take(&in, size);
        if (!block || size > BLOCK_MOST || (uint32_t)crc32(0, block, (uInt)size) != sum)
            break;
        if (size == 0) {
            r->broken = in.at != in.end;
            break;
        }
        if (!inflate_block(r, &stream, block, size) || !find_frames(r, from))
            break;
    }
    inflateEnd(&stream);
}

int recording_decode(const char *name, const uint8_t *data, size_t length, struct recording *r, struct error *error)
{
    struct bytes_reader in = {data, data + length, false};
    *r = (struct recording){0};
    const uint8_t *begin = bytes_take(&in, sizeof magic);
    if (!begin || memcmp(begin, magic, sizeof magic) != 0)
        return error_set(error, ERROR_FORMAT, "%s: no recording of a session; --record makes one", name);
    uint64_t version = bytes_take_number(&in, 4), layout = bytes_take_number(&in, 4);
    if (in.bad)
        return error_set(error, ERROR_FORMAT, "%s: the recording ends within its header", name);
    if (version != VERSION || layout != scene_layout())
        return error_set(error, ERROR_UNSUPPORTED,
                         "%s: recorded by another version of atmanscope; play it with the one that made it", name);
    read_blocks(r, data, length);
    if (r->frame_count > 0)
        return 0;
    recording_free(r);
    return error_set(error, ERROR_FORMAT, "%s: the recording is empty or damaged at its beginning", name);
}

int recording_read(const char *path, struct recording *r, struct error *error)
{
    struct stat facts;
    *r = (struct recording){0};
    int code = 0, fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0 || fstat(fd, &facts) != 0)
        code = error_set(error, ERROR_IO, "%s: %s", path, strerror(errno));
    else if (!S_ISREG(facts.st_mode))
        code = error_set(error, ERROR_IO, "%s: is no file; give the name of a recording", path);
    else if (facts.st_size > FILE_MOST)
        code = error_set(error, ERROR_LIMIT, "%s: larger than any recording (256 MiB)", path);
    size_t length = code == 0 ? (size_t)facts.st_size : 0, got = 0;
    uint8_t *data = code == 0 ? malloc(length + 1) : NULL;
    if (code == 0 && !data)
        code = error_set(error, ERROR_MEMORY, "%s: there is no memory for it", path);
    while (code == 0 && got < length) {
        ssize_t n = read(fd, data + got, length - got);
        if (n < 0 && errno != EINTR)
            code = error_set(error, ERROR_IO, "%s: cannot read: %s", path, strerror(errno));
        if (n == 0)
            break;
        got += n > 0 ? (size_t)n : 0;
    }
    if (code == 0)
        code = recording_decode(path, data, got, r, error);
    free(data);
    if (fd >= 0)
        close(fd);
    return code;
}
