/* When the host waits for a card: never within a layer, for its own stream alone at the end of one, and for the whole
 * card only while streams, scratch and memory are made.  On the emulated card, which counts. */
#include <cuda_runtime_api.h>

#include "tests/unit/device_test.h"

enum { WIDTH = 64, HIDDEN = 96, POSITIONS = 40, PROBES = 2, ROWS = PROBES * POSITIONS, VOCABULARY = 300, LAYERS = 3 };

/* What a group of probes goes through, and its memory. */
struct group {
    struct weight *up, *down, *head;
    float *base, *output, *factor, *dx, *dh, *dy;
    int32_t *position;
    double dlse[ROWS], dlogit[ROWS];
};

static struct weight *weight(struct bench *b, int rows, int columns)
{
    float *data = random_floats((size_t)rows * columns, 0.2f);
    struct weight *w = NULL;
    CHECK(b->ops->weight_new(b->device, DTYPE_F32, rows, columns, data, &w, NULL) == 0, "a weight");
    free(data); /* the card has its own copy */
    return w;
}

static void group_new(struct bench *b, struct group *g)
{
    float *base = random_floats((size_t)POSITIONS * HIDDEN, 1), factor[PROBES * POSITIONS];
    int32_t position[ROWS];
    for (int i = 0; i < ROWS; i++) {
        factor[i] = i % 7 ? 1 : 0.1f;
        position[i] = i % POSITIONS;
    }
    g->up = weight(b, HIDDEN, WIDTH);
    g->down = weight(b, WIDTH, HIDDEN);
    g->head = weight(b, VOCABULARY, WIDTH);
    g->base = bench_put(b, base, (size_t)POSITIONS * HIDDEN);
    g->output = bench_put(b, base, (size_t)POSITIONS * WIDTH);
    g->factor = bench_put(b, factor, PROBES * POSITIONS);
    g->position = bench_put(b, position, ROWS);
    g->dx = bench_output(b, ROWS * WIDTH);
    g->dh = bench_output(b, ROWS * HIDDEN);
    g->dy = bench_output(b, ROWS * WIDTH);
    CHECK(b->ops->stream_finish(b->stream, NULL) == 0, "uploads"); /* other streams use it */
    free(base);
}

static void run_layer(struct bench *b, struct group *g, struct stream *s, enum precision precision)
{
    struct norm norm = {NORM_RMS, 1, WIDTH, 1e-5f, g->base, NULL};
    struct attention a = {.heads = 4, .kv_heads = 2, .head_dim = 16, .scale = 0.25f, .positions = POSITIONS,
                          .key = g->base, .value = g->base + 16, .suppression = SUPPRESS_ROW_MIN_CAUSAL};
    struct probe_span span[PROBES] = {{0, 0, POSITIONS, 0, 0}, {POSITIONS, 0, POSITIONS, 0, 0}};
    int32_t index[ROWS];
    for (int i = 0; i < ROWS; i++)
        index[i] = ROWS - 1 - i;
    b->ops->attend_delta(s, &a, PROBES, span, g->factor, g->base, g->output, NULL, NULL, NULL, g->dx);
    b->ops->norm_delta(s, &norm, g->base, g->position, g->dx, ROWS, g->dy);
    b->ops->linear_delta(s, g->up, precision, g->dy, ROWS, g->dh);
    b->ops->gate_delta(s, ACTIVATION_SILU, g->base, NULL, g->position, g->dh, NULL, ROWS, HIDDEN, g->dh);
    b->ops->linear_delta(s, g->down, precision, g->dh, ROWS, g->dy);
    b->ops->gather(s, g->dy, index, ROWS, WIDTH, g->dx);
    memset(index, 0, sizeof index); /* what is staged may change at once */
}

static void measure(struct bench *b, struct group *g, struct stream *s, enum precision precision)
{
    static const double lse[1] = {6};
    int32_t target[ROWS] = {0}, wanted[1] = {7};
    struct head head = {g->head, NULL, VOCABULARY, WIDTH, 1, 0};
    b->ops->lse_delta(s, &head, precision, g->base, 1, lse, g->dx, target, ROWS, g->dlse);
    b->ops->logit_delta(s, &head, g->base, g->dx, target, ROWS, wanted, 1, g->dlogit);
}

/* Waits for a stream, and for the whole card, since the call before. */
static void count(unsigned long *streams, unsigned long *cards)
{
    static unsigned long stream_before, card_before;
    unsigned long stream_now, card_now;
    emulation_waits(&stream_now, &card_now);
    *streams = stream_now - stream_before;
    *cards = card_now - card_before;
    stream_before = stream_now;
    card_before = card_now;
}

static void run_group(struct bench *b, struct group *g, struct stream *s, enum precision precision, bool warm)
{
    unsigned long streams, cards;
    count(&streams, &cards);
    for (int l = 0; l <= LAYERS; l++) {
        if (l < LAYERS)
            run_layer(b, g, s, precision);
        else
            measure(b, g, s, precision);
        count(&streams, &cards);
        CHECK(!warm || (streams == 0 && cards == 0), "layer %d: %lu waits for the stream, %lu for the card", l, streams,
              cards);
        CHECK(b->ops->stream_finish(s, NULL) == 0, "layer %d", l);
        count(&streams, &cards);
        CHECK(streams == 2 && cards == 0, "end of layer %d: %lu waits for the stream, %lu for the card", l, streams,
              cards);
    }
}

/* More than staging memory holds, each time from the same array of the host. */
static void check_uploads(struct bench *b, struct stream *s)
{
    enum { TIMES = 24, NUMBERS = 100000 };
    static float host[NUMBERS];
    float *memory[TIMES];
    for (int i = 0; i < TIMES; i++) {
        memory[i] = bench_room(b, sizeof host);
        for (int k = 0; k < NUMBERS; k++)
            host[k] = (float)(i * NUMBERS + k);
        b->ops->upload(s, host, sizeof host, memory[i]);
    }
    for (int i = 0; i < TIMES; i++) {
        int wrong = 0;
        b->ops->download(s, memory[i], sizeof host, host);
        for (int k = 0; k < NUMBERS; k++)
            wrong += host[k] != (float)(i * NUMBERS + k);
        CHECK(wrong == 0, "upload %d: %d numbers are wrong", i, wrong);
    }
    CHECK(b->ops->stream_finish(s, NULL) == 0, "uploads");
    for (int i = 0; i < TIMES; i++)
        b->ops->free(b->device, b->memory[--b->count]);
}

/* Groups that are each a little larger than all before: few of them wait for memory. */
static void check_growth(struct bench *b, struct group *g, struct stream *s)
{
    unsigned long streams, cards, all = 0;
    for (int rows = ROWS / 2; rows < ROWS; rows++) {
        count(&streams, &cards);
        b->ops->linear_delta(s, g->up, PRECISION_INT8, g->dx, rows, g->dh);
        count(&streams, &cards);
        all += cards;
    }
    CHECK(b->ops->stream_finish(s, NULL) == 0, "growth");
    CHECK(all <= 20, "%d groups that grow: %lu waits for the card", ROWS - ROWS / 2, all);
}

/* Results that nobody fetches in between arrive in their own places, even where there are many. */
static void check_results(struct bench *b, struct group *g, struct stream *s)
{
    enum { TIMES = 20 };
    static double many[TIMES][ROWS];
    static const double lse[1] = {6};
    static const int32_t target[ROWS];
    struct head head = {g->head, NULL, VOCABULARY, WIDTH, 1, 0};
    for (int i = 0; i < TIMES; i++)
        b->ops->lse_delta(s, &head, PRECISION_F32, g->base, 1, lse, i % 2 ? g->dy : g->dx, target, ROWS - i, many[i]);
    CHECK(b->ops->stream_finish(s, NULL) == 0, "many results");
    for (int i = 0; i < TIMES; i++)
        for (int r = 0; r < ROWS - i; r++)
            CHECK(many[i][r] == many[i % 2][r] && isfinite(many[i][r]), "result %d, row %d: %g", i, r, many[i][r]);
    CHECK(many[0][0] != many[1][0], "two kinds of results");
}

/* In several streams, for they differ in how hasty the emulation is. */
static void test(struct bench *b)
{
    static struct group g;
    struct stream *s[3];
    double dlse[ROWS], dlogit[ROWS];
    group_new(b, &g);
    for (int i = 0; i < 3; i++)
        CHECK(b->ops->stream_new(b->device, false, &s[i], NULL) == 0, "a stream");
    check_growth(b, &g, s[0]);
    for (int p = 0; p < 3; p++)
        for (int i = 0; i < 3; i++) {
            run_group(b, &g, s[i], (enum precision)p, false);
            memcpy(dlse, g.dlse, sizeof dlse);
            memcpy(dlogit, g.dlogit, sizeof dlogit);
            run_group(b, &g, s[i], (enum precision)p, true);
            for (int r = 0; r < ROWS; r++)
                CHECK(g.dlse[r] == dlse[r] && g.dlogit[r] == dlogit[r] && isfinite(dlse[r]), "row %d: %g, then %g", r,
                      dlse[r], g.dlse[r]);
        }

    for (int i = 0; i < 3; i++)
        check_uploads(b, s[i]);
    for (int i = 0; i < 3; i++)
        check_results(b, &g, s[i]);
    for (int i = 0; i < 3; i++)
        b->ops->stream_free(s[i]);
    b->ops->weight_free(b->device, g.up);
    b->ops->weight_free(b->device, g.down);
    b->ops->weight_free(b->device, g.head);
}

int main(int argc, char **argv)
{
    return bench_main(argc, argv, test);
}
