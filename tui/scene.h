/* scene.h: all that a recording knows of the screen at one moment, as pieces of bytes, and how one moment differs from
 * the one before.
 *
 * A piece belongs to a group and has a number in it.  A recorder puts every piece as it is now: what is not as it was
 * becomes a change; a player applies the changes to a scene of its own.  Knows nothing of what the bytes mean:
 * scene_explanation.c, screen_record.c and screen_replay.c do. */
#ifndef TUI_SCENE_H
#define TUI_SCENE_H

#include "tui/bytes.h"

/* The pieces of an explanation, see scene_explanation.c. */
enum scene_part {
    PART_FACTS,
    PART_PROMPT,
    PART_TOKENS,
    PART_PICTURES,
    PART_OUTPUT,
    PART_UNITS,
    PART_ALIKE,
    PART_ROWS,   /* a piece for each unit */
    PART_DIRECT, /* a piece for each output token */
    PART_CHOSEN,
    PART_PROOF,
    PART_PAIRS,
    SCENE_PARTS,
};

enum { SCENE_EXPLANATIONS = 3 }; /* what is shown, the mixed one, and what it is compared with */

enum scene_group {
    SCENE_MODEL,  /* engine_info */
    SCENE_TEXTS,  /* of tokens, by their id */
    SCENE_KEPT_TEXTS, /* the same of what it is compared with, which may be another model's */
    SCENE_IMAGES, /* files of pictures, in the order in which they were first seen */
    SCENE_VIEW,
    SCENE_SETTINGS,
    SCENE_STEERS,
    SCENE_COMPARE,
    SCENE_EDITOR,
    SCENE_EDITED_IMAGES, /* which pictures the edited prompt has */
    SCENE_EXPLANATION,   /* from here on the parts of each */
    SCENE_GROUPS = SCENE_EXPLANATION + SCENE_EXPLANATIONS * SCENE_PARTS,
};

enum { SCENE_NUMBERS = 1 << 20, SCENE_BYTES = 1 << 28 }; /* at most: pieces of a group; bytes of all */

struct scene_piece {
    uint8_t *data;
    size_t length;
};

/* Start with a zeroed one. */
struct scene {
    struct {
        struct scene_piece *pieces;
        size_t count;
        bool changed; /* by scene_apply(); whoever acts on it resets this */
    } groups[SCENE_GROUPS];
    size_t bytes; /* of all pieces */
};

void scene_free(struct scene *);
/* A piece; one that was never put is empty. */
struct scene_piece scene_piece(const struct scene *, int group, size_t number);
struct bytes_reader scene_read(const struct scene *, int group, size_t number);

/* What a recorder writes with.  Start with a zeroed one. */
struct scene_writer {
    struct scene scene;   /* as it was last put */
    struct bytes changes; /* since the last frame */
    size_t change_count;
    struct bytes piece; /* being made */
};

void scene_writer_free(struct scene_writer *);
/* Begin a piece: append its bytes to what is returned, then put it. */
struct bytes *scene_begin(struct scene_writer *);
void scene_put(struct scene_writer *, int group, size_t number);
/* Whether memory was missing: then the changes are not whole. */
bool scene_failed(const struct scene_writer *);

/* Apply one change.  false: it is damaged, or there is no memory; the scene is then of no use. */
bool scene_apply(struct scene *, struct bytes_reader *);

#endif
