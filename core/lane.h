/* lane.h: the lanes that carry probes through the model: memory for rows on their way, and what is done with them
 * there.
 *
 * A lane takes *groups* of probes, as many rows as a device likes at once.  Where the baseline keeps its activations, a
 * lane carries one group after the other through all layers, without waiting for anyone.  Where it does not, each
 * layer's have to be computed once more for whoever needs them: then all lanes go through a layer together, with as
 * many groups as there is room to park between two layers (a *wave*), so that few such passes do for all.  Within a
 * wave whoever has no group of its own left takes another lane's.
 *
 * Within a layer, rows go block by block through everything that widens them, so that only keys, values and queries are
 * there for a whole group. */
#ifndef CORE_LANE_H
#define CORE_LANE_H

#include "core/meeting.h"
#include "core/probe.h"

enum { GROUP_PROBES = 64 }; /* most probes in a group */

/* Some probes of one plan as packed rows. */
struct group {
    int count;
    int unit[GROUP_PROBES];
    struct probe_span span[GROUP_PROBES];        /* queries: all rows; on direct paths those that predict a target */
    struct probe_span target_span[GROUP_PROBES]; /* queries: rows that predict a target */
    int rows, target_rows;
    bool resumed; /* some probe goes on from rows that are in probes->past */
    float *dx;    /* device [rows, width]: where they are */
};

/* One lane's thread, stream and memory. */
struct lane {
    struct lanes *all;
    pthread_t thread;
    bool started;
    struct stream *stream;
    struct pool pool;
    float *dx;                 /* [parked, width] of all rows on their way */
    float *dq;                 /* [rows, heads * head_dim] of a group */
    float *dk, *dv;            /* [rows, kv_heads * head_dim] of a group */
    float *keys, *values;      /* the same of a few probes that go on, with those before; NULL: none did so far */
    void *packed;              /* [rows] of either, with them */
    float *dt, *dh, *dy, *dfeed; /* [block, width] */
    float *zero;               /* [block, width] */
    float *da;                 /* [block, heads * head_dim] */
    float *dgate, *dup;        /* [block, ffn]; NULL where the device has feed_delta */
    int32_t *position;         /* [rows] of all rows of the group */
    int32_t *target_position;  /* [rows] of those that predict a target */
    float *factor;             /* [GROUP_PROBES, capacity], then as many rows of ones */
    struct { int32_t *position, *target_position, *row, *target; double *dlse, *dlogit; size_t wanted; } host;
    struct group *wave; /* [wave_room]: those of the wave whose rows are in dx */
    int wave_count, wave_room;
    int64_t wave_rows;
    atomic_int wave_next; /* the first of them that no lane has taken through the layer yet */
};

struct lanes {
    const struct model *model;
    struct lanes_room room;
    int capacity, block; /* positions; rows of a block */
    struct lane *lane;
    struct probes *probes; /* of the run in progress */
    struct probe_watch watch;
    double started;
    /* and the next six, where activations are computed again: for all lanes, by one of them, while the others wait */
    struct meeting meeting;
    struct walker *walker;  /* else NULL */
    struct stream *wide;
    const struct activations *activations;
    int layer;       /* the next whose activations are computed */
    int wave_groups; /* of the wave, on all lanes; 0: there is none any more */
    pthread_mutex_t lock; /* all below */
    const int *order;     /* [order_count] units of the run */
    int order_count, next;
    int groups, waves;    /* taken so far */
    int64_t rows_left, rows_done;
    double again_seconds; /* spent on activations once more */
    int running;
    int status;
    struct error error;
};

/* Room for what probes->past has, which the lane keeps; asked for by the lane itself. */
int lane_make_past(struct lane *, struct error *);
/* The bytes that this takes of all lanes. */
size_t lanes_past_bytes(const struct model *, const struct lanes_room *);

/* -- wave.c -------------------------------------------------------------------------------------------------------- */

/* From the lane's own thread: all groups of a run that it can get, through all layers. */
int lane_run(struct lane *, struct error *);

/* -- group.c ------------------------------------------------------------------------------------------------------- */

void group_add(struct group *, const struct probes *, int unit);
/* Before its first layer. */
int group_begin(struct lane *, const struct group *, struct error *);
/* Bring what the group's rows are to the device. */
void group_upload(struct lane *, const struct group *);
/* The group's rows from layer l to the next; activations: the layer's. */
void group_layer(struct lane *, const struct group *, int l, const struct activations *);
/* Behind the last layer: the change of log-sum-exp and wanted logits, and the states kept for other targets. */
int group_measure(struct lane *, const struct group *, struct error *);

#endif
