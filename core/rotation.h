/* rotation.h: rotary position embedding (RoPE): by how much each pair of a head's columns turns with the position.
 *
 * Owns the frequencies and the ways to stretch them to longer texts (linear, YaRN, longrope).  The turning itself is
 * the device's. */
#ifndef CORE_ROTATION_H
#define CORE_ROTATION_H

#include <stdbool.h>

struct hyper;

enum { ROTATION_PAIRS = 512 };

/* Pair i at position p turns by p * turn[i]; cos and sin are then multiplied by magnitude. */
struct rotation {
    int pairs; /* 0: nothing turns */
    bool neox; /* pair i is columns (i, i + pairs) of a head; else (2i, 2i + 1) */
    double magnitude;
    double turn[ROTATION_PAIRS];
};

/* Read the settings of a model whose heads have head_dim columns, all of `pairs` columns turning by default. */
void rotation_read(struct hyper *, int head_dim, bool neox, struct rotation *);
/* The same with another base and nothing stretched: what layers with a sliding window use. */
void rotation_read_local(struct hyper *, double base, const struct rotation *global, struct rotation *);

/* cos and sin for the positions 0 .. positions - 1, host arrays [positions, pairs]. */
void rotation_tables(const struct rotation *, int positions, float *cosine, float *sine);

#endif
