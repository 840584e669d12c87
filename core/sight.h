/* sight.h: what the ids of pictures stand for, and which keys each position of a sequence sees.
 *
 * In a sequence's ids a picture is a run of ids below 0, one for each of its rows.  Text, and most pictures, see what
 * stands before them; the positions of a `mutual` picture (Gemma 3) also see each other.  Only sequences that hold one
 * need the tables that are made here: for all others the device is told nothing, and computes as ever. */
#ifndef CORE_SIGHT_H
#define CORE_SIGHT_H

#include "core/pool.h"

/* A picture as the decoder reads it: rows that stand in the place of tokens' embeddings, and are not scaled as those
 * may be.  Row r has the id `id - r`; no two pictures share an id. */
struct picture_rows {
    int32_t id; /* of the first row, < 0 */
    int count;
    bool mutual;       /* its positions see each other, before and after: it is fed as a whole, or not at all */
    const float *rows; /* device [count, width] */
};

/* The picture that an id below 0 is a row of, and which; NULL: none. */
const struct picture_rows *picture_rows_find(const struct picture_rows *, int n, int32_t id, int *row);

struct sight {
    int capacity, count; /* positions there is room for, positions known */
    int window;          /* of the layers that have one; 0: none has */
    int ahead;           /* the first position that sees a later one; -1: none */
    int uploaded;        /* positions that the device's tables hold */
    int32_t *host[2];    /* [capacity, 2]: first and last key seen, in layers without a window and with one */
    int32_t *device[2];  /* the same; the pool's */
};

/* Zeroed *sight becomes one of no positions.  Device memory comes from pool.  0, ERROR_MEMORY, or the pool's status. */
int sight_new(struct sight *, struct pool *, int capacity, int window);
void sight_free(struct sight *); /* not the pool's memory */

/* n positions more.  ERROR_ARGUMENT and nothing added where an id is no picture's or a mutual picture is not whole. */
int sight_add(struct sight *, const int32_t *ids, int n, const struct picture_rows *, int pictures, struct error *);
/* Forget all positions from `count` on, and the rest of a mutual picture that this would cut; returns how many
 * are left. */
int sight_cut(struct sight *, int count);

/* Bring the device's tables up to date. */
void sight_upload(struct sight *, struct device *, struct stream *);
/* struct attention.sees for the first `positions` positions: the device's table, or NULL where none is needed. */
const int32_t *sight_sees(const struct sight *, bool window, int positions);

#endif
