/* player.h: a recorded session, and where in it one is.
 *
 * Owns the recording, the scene at the moment that is shown, and what stands in place of a model: its facts, the texts
 * of its tokens, explanations and pictures.  Knows time but no clock: it is told.  Pauses in which nothing happened are
 * played shorter.  Shows nothing. */
#ifndef TUI_PLAYER_H
#define TUI_PLAYER_H

#include "core/engine.h"
#include "tui/recorder.h"

struct player {
    struct recording recording;
    struct scene scene;
    size_t done;     /* frames that the scene has */
    double at, end;  /* milliseconds */
    double speed;
    bool paused;
    bool damaged;    /* it was found out that it cannot be played further */
    int64_t clock;   /* as it was last told; 0: not yet */
    /* at this moment; what is NULL is not known yet */
    struct engine_info *info;
    struct tokenizer *tokenizer, *kept_tokenizer;
    struct explanation *explanations[SCENE_EXPLANATIONS];
    struct image *images[RECORDER_IMAGES];
    size_t image_count;
    double pixels; /* of all images */
};

/* Open a recording, at its beginning, going at a speed of 1.  Errors of recording_read(). */
int player_open(const char *path, struct player *, struct error *);
/* The same of bytes in memory, for tests; name is for messages. */
int player_decode(const char *name, const uint8_t *data, size_t length, struct player *, struct error *);
void player_close(struct player *);

/* Go on to where it is at this time, at its speed.  Returns whether anything changed. */
bool player_tick(struct player *, int64_t now);
/* Milliseconds until something changes; -1: nothing will by itself. */
int player_due(const struct player *);
/* Go to a moment; beyond the ends: to the end. */
void player_seek(struct player *, double milliseconds);
/* Go to where the next explanation (or the one before) was complete. */
void player_seek_explanation(struct player *, bool next);
bool player_ended(const struct player *);

/* After a change: make explanations and the rest of what the scene says.  ERROR_FORMAT where that is damaged, or
 * ERROR_MEMORY: it stays as it was, and nothing more is played. */
int player_take(struct player *, struct error *);

#endif
