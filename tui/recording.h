/* recording.h: the file of a recorded session.
 *
 * Owns its format.  A header of 16 bytes says what it is and which layout of the pieces it has.  Blocks follow, each
 * with its length and a checksum, of one stream of zlib's: together they are frames, each with the milliseconds since
 * the one before and what changed (scene.h).  Written as it goes, so that a file that breaks off plays up to there; an
 * empty block says that it was ended.  Files are untrusted: all sizes are bounded. */
#ifndef TUI_RECORDING_H
#define TUI_RECORDING_H

#include <zlib.h>

#include "gpu/error.h"
#include "tui/scene.h"

/* -- writing ------------------------------------------------------------------------------------------------------- */

struct recording_writer {
    int fd; /* -1: closed */
    z_stream stream;
    struct bytes frames; /* not written yet */
    size_t written;      /* bytes of the file */
    char path[4096];
};

/* Make the file; ERROR_IO where it is there already (`replace`: it is written anew) or cannot be made; ERROR_MEMORY. */
int recording_create(struct recording_writer *, const char *path, bool replace, struct error *);
/* Add what has changed since the last frame, and forget it there; nothing is written yet. */
void recording_add(struct recording_writer *, uint64_t milliseconds, struct scene_writer *);
/* Write what was added.  ERROR_IO: the file is closed and plays up to the last time that this went well. */
int recording_flush(struct recording_writer *, struct error *);
/* Write the rest and end the file.  May be called when it is closed. */
int recording_close(struct recording_writer *, struct error *);

/* -- reading ------------------------------------------------------------------------------------------------------- */

struct recording_frame {
    uint64_t milliseconds; /* since the first */
    size_t start, end;     /* its changes, in bytes */
};

struct recording {
    uint8_t *bytes;
    size_t length, capacity;
    struct recording_frame *frames;
    size_t frame_count, frame_capacity;
    bool broken; /* it breaks off, or is damaged, behind the last frame */
};

/* Read a file.  ERROR_IO, ERROR_MEMORY; ERROR_FORMAT where it is no recording or not one frame can be had,
 * ERROR_UNSUPPORTED for one of another version, ERROR_LIMIT.  The message names path. */
int recording_read(const char *path, struct recording *, struct error *);
/* The same from memory; name is for messages. */
int recording_decode(const char *name, const uint8_t *data, size_t length, struct recording *, struct error *);
void recording_free(struct recording *);

#endif
