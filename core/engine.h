/* engine.h: all that a front end needs.
 *
 * An *engine* is a loaded model with its tokeniser, vision tower and device; immutable once open.  A *worker* is the
 * thread that owns the device: it is told what is wanted (a request), makes it so batch by batch, and posts events,
 * waking its reader through a file descriptor.  An *explanation* is the reader's own copy of all that the events said
 * so far.
 *
 * Data flow: request -> tokens -> units -> probes -> device -> relevance -> events -> explanation -> screen, file. */
#ifndef CORE_ENGINE_H
#define CORE_ENGINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/image.h"
#include "core/inquiry.h"
#include "core/sequence.h"
#include "core/tokenizer.h"
#include "core/units.h"
#include "gpu/device.h"

/* -- engine -------------------------------------------------------------------------------------------------------- */

struct engine;

struct engine_options {
    const char *model;  /* path of a GGUF file */
    const char *mmproj; /* path of its vision tower's, or NULL */
    const char *device; /* as device_options.name; NULL: "auto" */
    const char *pre;    /* pre-tokeniser override or NULL */
    const char *chat;   /* family of chat templates to use, see chat.h; NULL: that of the file's own template */
    int threads;        /* 0: all cores */
    enum weights weights; /* as device_options */
    int precision;      /* an enum precision, or -1: chosen by the engine */
    bool tf32;          /* as device_options.tf32 */
    size_t memory;      /* bytes that the process may take on the CPU, see budget.h; 0: three times what a plain pass
                         * needs */
};

struct engine_info {
    char file[512];          /* as opened */
    char name[128];          /* general.name or "" */
    char architecture[32];
    char quantisation[32];   /* of most of the weights' bytes: "Q4_1", or "Q4_K, Q6_K" */
    char tokenizer[64];
    char chat[24];           /* the family of its chat template; "": none that is known */
    bool chat_unknown;       /* it has one of no known family */
    char device_kind[8], device_name[96];
    char precision[8];       /* "f32", "bf16", "int8" */
    double product_seconds[3]; /* a product, by enum precision, where the engine chose by time; 0: not timed */
    int threads;
    int streams, batch_rows;   /* probes run in so many streams, in batches of up to so many rows */
    size_t device_memory;      /* bytes free on the device once the model was there; 0: not known */
    int layers, width, heads, vocabulary, context;
    uint64_t parameters;
    size_t weight_bytes, file_bytes;
    char mmproj[512];          /* as opened; "": this engine sees no pictures */
    struct vision_info vision; /* if it does */
};

int engine_open(const struct engine_options *, struct engine **, struct error *);
void engine_close(struct engine *); /* NULL ok; after every worker of it is gone */
const struct engine_info *engine_info(const struct engine *);
const struct tokenizer *engine_tokenizer(const struct engine *);
struct request;
/* The prompt of a request as tokens and pictures; free it with sequence_free().  Thread: any. */
int engine_read(const struct engine *, const struct request *, struct sequence *, struct error *);

/* -- request ------------------------------------------------------------------------------------------------------- */

/* On which ways a unit is suppressed. */
enum method_paths {
    PATHS_ALL,    /* every position pays it less attention, also where that reaches the answer through others */
    PATHS_DIRECT, /* only the rows that predict the target do, among the plain pass's keys and values: about one plain
                   * pass for all units together */
};

/* How units are suppressed (AtMan, arXiv 2301.08110, section 3). */
struct method {
    enum suppression suppression;
    enum method_paths paths; /* default: all */
    float factor;      /* 0 to 4; 1 leaves alone; default 0.1 */
    float similarity;  /* text: cosine from which other positions are suppressed along, -1 to 1; NAN: off (default) */
    float image_similarity; /* the same of units of a picture; default 0.7 */
    int window;        /* of those: only patches of the same picture in the window x window around them, odd; 0: any
                        * position of the sequence, as in the paper; default 5 */
    int first_layer, last_layer; /* both included; last -1: the model's last */
};
struct method method_default(void);

/* What says how relevant a unit is. */
enum map_kind {
    MAP_ATMAN,   /* what turning the attention to it down does, as the method has it */
    MAP_ROLLOUT, /* a yardstick to hold that against: how much of the answer comes from it, by the plain pass's
                  * attention alone (rollout.h): shares from 0 to 1, the same for every candidate */
};

struct steer {
    int unit;     /* index into the units */
    float factor; /* 0 to 4 */
};

/* Everything that is wanted.  The worker keeps what it has already computed for the former request as far as it is
 * still valid: the same prompt is not run again, only what is new of a longer output is. */
struct request {
    const char *prompt;
    size_t prompt_length;
    bool chat;                   /* the prompt is a conversation, see chat_read(): put the model's chat template around
                                  * it */
    struct image *const *images; /* of the prompt, see sequence.h */
    size_t image_count;
    const char *target;      /* forced continuation; NULL: greedy */
    size_t target_length;
    int generate;            /* greedy: at most this many tokens (an end token stops earlier), >= 1 */
    const char *foil;        /* or NULL: relevance is then for the target rather than the foil, see explanation.foil */
    size_t foil_length;
    bool explain;            /* else stop after the output */
    bool direct;             /* with it: measure what direct paths do to every output token, from when it is there; else
                              * only as far as that is cheap, see explanation.direct */
    const char *units;       /* granularity, as units_cut() */
    const char *image_units; /* granularity of pictures, as units_tile(); NULL: "auto" */
    const struct zoom *zooms; /* where units are cut finer, as units_zoom() has it */
    size_t zoom_count;
    bool fresh;               /* measure also what is known from the request before */
    bool resume;              /* keep, as far as there is memory, what the next request's probes can go on from: of a
                               * longer output, of a prompt that begins alike */
    enum map_kind map;
    struct method method;    /* of MAP_ATMAN */
    double budget;           /* seconds for the probes; 0: no limit */
    const struct steer *steers; /* turn units up or down while the output is generated; the probes do not see it */
    size_t steer_count;
    uint64_t seed; /* kept for sampling; greedy output does not depend on it */
};

/* -- explanation --------------------------------------------------------------------------------------------------- */

enum { CANDIDATES = 8 }; /* kept per output token, most probable first */

struct candidate {
    int32_t id;     /* -1: none, the vocabulary has no more */
    double logprob; /* nats, unmanipulated */
};

struct output_token {
    int32_t id;
    double logprob; /* nats, unmanipulated (with steering: of the steered model) */
    struct candidate candidates[CANDIDATES];
};

/* A token that is suppressed along with a unit, as it is like it. */
struct alike {
    int unit, token;
};

struct cost {
    int probes;               /* run so far */
    int probes_total;         /* to be run */
    int probes_kept;          /* units whose values are those of the request before: their probes are not run again */
    int64_t rows;             /* (probe, position) rows run so far */
    int64_t rows_total;       /* about what they will come to */
    double seconds;           /* of the probes */
    double expected_seconds;  /* about what they will take, told with EVENT_UNITS; 0: not known */
    double vision_seconds;    /* of encoding pictures; 0 if all were kept from before */
    double prefill_seconds;   /* of the prompt's plain pass; 0 if it was kept from before */
    double generate_seconds;
    double first_seconds;     /* from the request to the first relevance */
    double tokens_per_second; /* rows / seconds */
    size_t peak_bytes;        /* of the process so far */
    size_t limit_bytes;       /* that it was to keep to; 0: it works in a card's memory */
    int again;                /* plain passes run once more, as their activations were not kept, */
    double again_seconds;     /* and the time they took */
};

/* About how many seconds the probes will still take: as expected at first, then by the rows that are done. */
double cost_seconds_left(const struct cost *);

/* What direct paths do to one output token, known before the units of later output tokens exist. */
struct direct_row {
    size_t unit_count; /* later units come after the token, and are like nothing before it */
    float *value;      /* [unit_count, 1 + CANDIDATES] f32 nats, NAN while not known */
};

/* relevance of unit u for output token t rather than choice c:
 *   c = 0               log p(token t) - log p_u(token t)   [nats], positive = the unit supports it
 *   c = 1 + k           the same for candidate k of token t
 * With a foil, and t = foil.token, c = 0 is (log p(target) - log p(foil)) - (the same with u suppressed). */
struct explanation {
    uint64_t request;              /* its number */
    char *prompt;                  /* own copy */
    size_t prompt_length;
    struct token *tokens;          /* of the prompt */
    size_t token_count;
    struct picture *pictures;      /* of the prompt; owns its images */
    size_t picture_count;
    struct output_token *output;   /* the target's tokens, forced or generated */
    size_t output_count;
    bool stopped;                  /* the model ended its output by itself */
    struct { int token; int32_t id; double logprob; } foil; /* token -1: no foil.  It is compared at the first token
                                                             * where it differs from the target, which ends there */
    struct unit *units;            /* units that are output tokens (UNIT_TARGET) count on from the prompt's tokens */
    size_t unit_count;
    struct alike *alike;           /* [alike_count] in order of their units: what the method's similarity adds to
                                    * those of pictures */
    size_t alike_count;
    bool *measured;                /* [unit_count] its probe has run */
    bool *estimated;               /* [unit_count] measured in low precision, and not in f32 since */
    size_t *known;                 /* [unit_count] output tokens before this one have a measured value already: all
                                    * of a unit that is measured; else those of the shorter output of a request before.
                                    * NULL: none */
    float *relevance;              /* [unit_count, output_count, 1 + CANDIDATES] f32 nats; 0 until measured */
    struct direct_row *direct;     /* [direct_count] of output tokens: what PATHS_DIRECT would say, kept beside the
                                    * measured relevance, see explanation_direct() */
    size_t direct_count;
    int32_t chosen_id;             /* of the last worker_retarget(), else -1 */
    int chosen_token;
    float *chosen;                 /* [unit_count] its relevance, NAN where not known by then, or NULL */
    float *chosen_direct;          /* [unit_count] the same on direct paths; NULL with chosen */
    struct method method;          /* with the layers resolved */
    char precision[8];             /* of the probes' products: the engine's, or "f32" where there are few units; "":
                                    * none */
    double noise_floor;            /* nats: how far off a value may be that is no preview; NAN until known */
    bool busy, complete;
    bool keeps_former;             /* the reader's wish, kept by all events: */
    struct explanation *former;    /* what the last EVENT_PROMPT replaced, or NULL; the reader may take it (and set
                                    * NULL), else the next EVENT_PROMPT frees it */
    struct cost cost;
    struct error error;            /* code 0: none */
    struct proof proof;            /* the last answers to worker_inquire() */
    struct pairs pairs;
};

struct explanation *explanation_new(void);
void explanation_free(struct explanation *);
/* Relevance of unit u for choice c of output token t; of a unit that is not measured what direct paths do, as an
 * estimate; 0 where not even that is known. */
double explanation_relevance(const struct explanation *, size_t unit, size_t token, int choice);
/* Whether it is known, be it as an estimate. */
bool explanation_knows(const struct explanation *, size_t unit, size_t token);
/* Whether it is measured, and not only known on direct paths. */
bool explanation_measured(const struct explanation *, size_t unit, size_t token);
/* Whether that is an estimate: what direct paths do, or measured in low precision. */
bool explanation_estimated(const struct explanation *, size_t unit, size_t token);
/* The same on direct paths alone; NAN where not known.  What is measured less this is what the unit does on all other
 * paths, through the positions between. */
double explanation_direct(const struct explanation *, size_t unit, size_t token, int choice);

/* -- worker -------------------------------------------------------------------------------------------------------- */

struct worker;

enum event_kind {
    EVENT_PROMPT,    /* tokens of the prompt are there; everything older is gone */
    EVENT_TOKEN,     /* one more output token */
    EVENT_DIRECT,    /* what direct paths do to some output tokens, from a batch of units; comes before EVENT_UNITS,
                      * while there is more output to come, and after it */
    EVENT_UNITS,     /* units are cut; the probes begin */
    EVENT_RELEVANCE, /* a batch of units was measured */
    EVENT_CHOSEN,    /* the answer to worker_retarget() */
    EVENT_PROOF,     /* worker_inquire(): explanation.proof has grown or ended, see its answer.state */
    EVENT_PAIRS,     /* the same of explanation.pairs */
    EVENT_DONE,      /* the request is fulfilled, or its budget used up (complete = false) */
    EVENT_CANCELLED,
    EVENT_FAILED,    /* explanation.error says why; the worker lives on */
};

int worker_new(struct engine *, struct worker **, struct error *);
/* Cancels, waits for the thread (at most one layer of one batch) and frees.  NULL ok. */
void worker_free(struct worker *);

/* Readable while events wait (poll it); level-triggered. */
int worker_fd(const struct worker *);
/* Replace whatever is running.  The request and its texts are copied.  Returns its number (1, 2, ...), 0 out of
 * memory. */
uint64_t worker_submit(struct worker *, const struct request *);
/* Stop what is running; events end with EVENT_CANCELLED within 100 ms. */
void worker_cancel(struct worker *);
/* Ask for the relevance of token `id` in place of output token `token`, from kept states, without a new pass. */
void worker_retarget(struct worker *, int token, int32_t id);
/* Ask more about the last explanation, once: the answers are events that leave it as it is.  An inquiry waits until the
 * probes are done; it takes the place of the one before; a newer request ends it without a word, worker_cancel() with
 * one.  All that within 100 ms.  false: no memory, and nothing changed. */
bool worker_inquire(struct worker *, const struct inquiry *);
/* Take the next event, fold it into the explanation, and say what it was.  false: none waits.  Never blocks.
 * Thread: the reader's, always the same one. */
bool worker_next(struct worker *, struct explanation *, enum event_kind *);

#endif
