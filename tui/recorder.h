/* recorder.h: what is kept while a session is recorded. */
#ifndef TUI_RECORDER_H
#define TUI_RECORDER_H

#include "tui/recording.h"

enum { RECORDER_IMAGES = 1024 }; /* different pictures of one recording, at most */

struct recorder {
    struct recording_writer file;
    struct scene_writer scene;
    uint64_t serials[RECORDER_IMAGES]; /* of the pictures put so far, in their order */
    size_t image_count;
    const void *kept[2];     /* what it was compared with when that was last put, */
    uint64_t kept_request;   /* which never changes but for another */
    bool behind;             /* the screen has changed since the last frame */
    int64_t framed;          /* milliseconds: of the last frame; */
    int64_t flushed;         /* when the oldest one that is not written yet was added, 0: none */
};

#endif
