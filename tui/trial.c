#include "tui/trial.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/deletion.h"
#include "tui/format_json.h"
#include "tui/marks.h"
#include "tui/score.h"
#include "tui/text.h"

static const double COVERED = 0.2; /* of a unit's area, so that it counts as the object's */
static const size_t DELETED[] = {1, 2, 4, 8, 16, 32};

const char *trial_kind_name(enum trial_kind kind)
{
    static const char *const names[TRIAL_KINDS] = {
        "method",  "direct", "rollout", "leave_one_out", "random",    "uniform",
        "recency", "centre", "patch",   "2x2",           "no_window",
    };
    return names[kind];
}

const char *trial_score_name(enum trial_score score)
{
    static const char *const names[TRIAL_SCORES] = {"hit", "covered", "ap", "ar", "deletion"};
    return names[score];
}

/* One case while it runs. */
struct work {
    struct run *run;
    const struct options *options;
    const struct dataset_case *c;
    struct trial *t;
    struct image **images;
    struct truth_masks masks;
    struct truth truth[TRUTH_SIDES]; /* of the units that all maps but the variants have */
    struct chance random;
    struct marks words[TRIAL_KINDS]; /* maps over words, which deletion is to follow */
    struct span *words_at;           /* [truth[TRUTH_TEXT].count] bytes of the words */
    char *answer;                    /* what is explained, as text */
    double *logprob;                 /* [logprobs] of the answer's tokens after a prompt */
    size_t logprobs;
};

static int no_memory(struct error *error)
{
    return error_set(error, ERROR_MEMORY, "out of memory");
}

/* -- scores -------------------------------------------------------------------------------------------------------- */

static json_t *numbers(const double *values, size_t n)
{
    json_t *array = json_array();
    for (size_t i = 0; i < n; i++)
        json_array_append_new(array, format_json_number(values[i]));
    return array;
}

static json_t *record_of(struct work *w, enum truth_side side, enum trial_kind kind)
{
    return json_object_get(json_object_get(w->t->record[side], "maps"), trial_kind_name(kind));
}

/* Note a score, in the record too. */
static void put_score(struct work *w, enum truth_side side, enum trial_kind kind, enum trial_score score, double value)
{
    w->t->score[side][kind][score] = value;
    if (w->t->record[side])
        json_object_set_new(record_of(w, side, kind), trial_score_name(score), format_json_number(value));
}

/* Score a map against the truth; variants have units of their own, which are not recorded. */
static int judge(struct work *w, enum truth_side side, enum trial_kind kind, const struct truth *truth,
                 const struct marks *m, struct error *error)
{
    size_t n = truth->count;
    if (w->t->record[side]) {
        json_t *map = kind < TRIAL_PATCH
                          ? json_pack("{so so}", "relevance", numbers(m->relevance, n), "weight", numbers(m->weight, n))
                          : json_object();
        json_object_set_new(json_object_get(w->t->record[side], "maps"), trial_kind_name(kind), map);
    }
    if (n == 0 || truth->good_count == 0)
        return 0;
    put_score(w, side, kind, TRIAL_HIT, score_hit(m->relevance, truth->good, n));
    put_score(w, side, kind, TRIAL_PRECISION, score_precision(m->weight, truth->good, n));
    put_score(w, side, kind, TRIAL_RECALL, score_recall(m->weight, truth->good, n));
    if (side != TRUTH_PICTURES)
        return 0;
    bool *covered = malloc(n * sizeof *covered);
    if (!covered)
        return no_memory(error);
    for (size_t i = 0; i < n; i++)
        covered[i] = truth->cover[i] >= COVERED;
    put_score(w, side, kind, TRIAL_COVERED, score_hit(m->relevance, covered, n));
    free(covered);
    return 0;
}

/* Judge a map, and keep it if it is one over words. */
static int take(struct work *w, enum truth_side side, enum trial_kind kind, struct marks *m, struct error *error)
{
    int code = judge(w, side, kind, &w->truth[side], m, error);
    if (code == 0 && side == TRUTH_TEXT)
        w->words[kind] = *m;
    else
        marks_free(m);
    return code;
}

static int take_explained(struct work *w, enum trial_kind kind, struct error *error)
{
    int code = 0;
    for (int side = 0; code == 0 && side < TRUTH_SIDES; side++) {
        struct marks m = {0};
        if (!w->t->has[side])
            continue;
        code = marks_new(&m, w->truth[side].count, error);
        if (code == 0) {
            marks_read(&m, w->run->explanation, &w->truth[side], kind == TRIAL_ROLLOUT);
            code = take(w, side, kind, &m, error);
        } else
            marks_free(&m);
    }
    return code;
}

/* What each of the maps is that no model is needed for. */
static enum marks_guess guess_of(enum trial_kind kind)
{
    return kind == TRIAL_RANDOM    ? MARKS_RANDOM
           : kind == TRIAL_RECENCY ? MARKS_RECENCY
           : kind == TRIAL_CENTRE  ? MARKS_CENTRE
                                   : MARKS_UNIFORM;
}

static int take_guesses(struct work *w, struct error *error)
{
    int code = 0;
    for (int side = 0; code == 0 && side < TRUTH_SIDES; side++)
        for (int kind = TRIAL_RANDOM; code == 0 && kind <= TRIAL_CENTRE; kind++) {
            struct marks m = {0};
            if (!w->t->has[side] || kind == (side == TRUTH_TEXT ? TRIAL_CENTRE : TRIAL_RECENCY))
                continue;
            code = marks_new(&m, w->truth[side].count, error);
            if (code == 0) {
                marks_guess(&m, guess_of(kind), w->run->explanation, &w->truth[side], &w->random);
                code = take(w, side, kind, &m, error);
            } else
                marks_free(&m);
        }
    return code;
}

/* -- runs ---------------------------------------------------------------------------------------------------------- */

static struct request request_of(const struct work *w)
{
    struct request request = run_request(w->run, w->c->prompt, strlen(w->c->prompt));
    request.images = w->images;
    request.image_count = w->c->image_count;
    if (w->c->target) {
        request.target = w->c->target;
        request.target_length = strlen(w->c->target);
    }
    return request;
}

static int submit(struct work *w, const struct request *request, struct error *error)
{
    return run_submit(w->run, request, NULL, NULL, error);
}

/* The text of the output, malloced into *text. */
static int read_answer(struct work *w, char **text, struct error *error)
{
    struct report report = {.explanation = w->run->explanation, .tokenizer = engine_tokenizer(w->run->engine)};
    *text = report_output_text(&report, NULL);
    return *text ? 0 : no_memory(error);
}

/* What the model itself answers, where that is to be judged or explained. */
static int ask(struct work *w, struct error *error)
{
    struct request request = request_of(w);
    if (w->c->target && !w->c->answer)
        return 0;
    request.target = NULL;
    int code = submit(w, &request, error);
    if (code == 0)
        code = read_answer(w, &w->t->answer, error);
    if (code == 0 && w->c->answer) {
        w->t->judged = true;
        w->t->right = text_same(w->t->answer, w->c->answer);
    }
    return code;
}

static json_t *unit_record(const struct explanation *e, const struct truth *truth, size_t i, enum truth_side side)
{
    const struct unit *u = &e->units[truth->unit[i]];
    if (side == TRUTH_TEXT)
        return json_pack("{si sI sI sb}", "unit", (int)truth->unit[i], "start", (json_int_t)u->start, "end",
                         (json_int_t)u->end, "truth", truth->good[i]);
    return json_pack("{si s[ii] si sb so}", "unit", (int)truth->unit[i], "tokens", u->first, u->last, "image",
                     e->tokens[u->first].image, "truth", truth->good[i], "cover", format_json_number(truth->cover[i]));
}

/* The explanation's units: what can win, what should, and what the words' bytes are. */
static int find_units(struct work *w, struct error *error)
{
    const struct explanation *e = w->run->explanation;
    int code = 0;
    for (int side = 0; code == 0 && side < TRUTH_SIDES; side++) {
        struct truth *truth = &w->truth[side];
        if (!w->t->has[side] || (code = truth_find(e, side, w->c, &w->masks, truth, error)))
            continue;
        if (!w->options->per_case)
            continue;
        json_t *units = json_array();
        for (size_t i = 0; i < truth->count; i++)
            json_array_append_new(units, unit_record(e, truth, i, side));
        w->t->record[side] = json_pack("{so s{}}", "units", units, "maps");
    }
    size_t n = w->truth[TRUTH_TEXT].count;
    w->words_at = malloc((n + 1) * sizeof *w->words_at);
    if (code == 0 && !w->words_at)
        code = no_memory(error);
    for (size_t i = 0; code == 0 && i < n; i++) {
        const struct unit *unit = &e->units[w->truth[TRUTH_TEXT].unit[i]];
        w->words_at[i] = (struct span){unit->start, unit->end};
    }
    return code;
}

static int explain(struct work *w, enum trial_kind kind, struct error *error)
{
    struct request request = request_of(w);
    request.explain = true;
    request.method.paths = kind == TRIAL_DIRECT ? PATHS_DIRECT : request.method.paths;
    request.map = kind == TRIAL_ROLLOUT ? MAP_ROLLOUT : MAP_ATMAN;
    int code = submit(w, &request, error);
    if (code == 0 && kind == TRIAL_METHOD)
        code = find_units(w, error);
    return code ? code : take_explained(w, kind, error);
}

/* The method with single patches or tiles and nothing that is alike, or with what is alike anywhere. */
static int explain_variant(struct work *w, enum trial_kind kind, struct error *error)
{
    struct request request = request_of(w);
    struct truth truth = {0};
    struct marks m = {0};
    request.explain = true;
    if (kind == TRIAL_NO_WINDOW) {
        request.method.window = 0;
    } else {
        request.image_units = kind == TRIAL_PATCH ? "patch" : "2x2";
        request.method.image_similarity = NAN;
    }
    int code = submit(w, &request, error);
    if (code == 0)
        code = truth_find(w->run->explanation, TRUTH_PICTURES, w->c, &w->masks, &truth, error);
    if (code == 0 && (code = marks_new(&m, truth.count, error)) == 0) {
        marks_read(&m, w->run->explanation, &truth, false);
        code = judge(w, TRUTH_PICTURES, kind, &truth, &m, error);
    }
    marks_free(&m);
    truth_free(&truth);
    return code;
}

/* -- deletion ------------------------------------------------------------------------------------------------------ */

/* Log-probabilities of the answer after the prompt without the text of some words; *sum: of all its tokens.  NULL:
 * after the whole prompt. */
static int measure_without(struct work *w, const bool *deleted, double *sum, struct error *error)
{
    size_t n = w->truth[TRUTH_TEXT].count, spans = 0, kept;
    struct span *span = malloc((n + 1) * sizeof *span);
    for (size_t i = 0; span && deleted && i < n; i++)
        if (deleted[i])
            span[spans++] = w->words_at[i];
    char *prompt = span ? deletion_text(w->c->prompt, strlen(w->c->prompt), span, spans, &kept) : NULL;
    int code = prompt ? 0 : no_memory(error);
    if (code == 0) {
        struct request request = request_of(w);
        request.prompt = prompt;
        request.prompt_length = kept;
        request.target = w->answer;
        request.target_length = strlen(w->answer);
        code = submit(w, &request, error);
    }
    *sum = 0;
    for (size_t t = 0; code == 0 && t < w->run->explanation->output_count; t++)
        *sum += w->run->explanation->output[t].logprob;
    free(span);
    free(prompt);
    return code;
}

/* Mean drop of the answer's log-probability along a map's order of words. */
static int follow(struct work *w, enum trial_kind kind, double whole, struct error *error)
{
    size_t n = w->truth[TRUTH_TEXT].count, done = 0, rounds = 0;
    size_t *order = malloc((n + 1) * sizeof *order);
    bool *deleted = calloc(n + 1, sizeof *deleted);
    double drops = 0, left;
    int code = order && deleted ? 0 : no_memory(error);
    if (code == 0)
        score_order(w->words[kind].relevance, n, &w->random, order);
    for (size_t k = 0; code == 0 && k < sizeof DELETED / sizeof *DELETED && DELETED[k] < n; k++, rounds++) {
        while (done < DELETED[k])
            deleted[order[done++]] = true;
        code = measure_without(w, deleted, &left, error);
        drops += whole - left;
    }
    if (code == 0 && rounds > 0)
        put_score(w, TRUTH_TEXT, kind, TRIAL_DELETION, drops / (double)rounds);
    free(order);
    free(deleted);
    return code;
}

/* The log-probabilities of the last request's output, of which the first `logprobs` are kept. */
static int keep_logprobs(struct work *w, struct error *error)
{
    const struct explanation *e = w->run->explanation;
    w->logprob = malloc((e->output_count + 1) * sizeof *w->logprob);
    if (!w->logprob)
        return no_memory(error);
    for (w->logprobs = 0; w->logprobs < e->output_count; w->logprobs++)
        w->logprob[w->logprobs] = e->output[w->logprobs].logprob;
    return 0;
}

static int leave_one_out(struct work *w, struct error *error)
{
    const struct explanation *e = w->run->explanation;
    size_t n = w->truth[TRUTH_TEXT].count;
    struct marks m = {0};
    bool *deleted = calloc(n + 1, sizeof *deleted);
    int code = marks_new(&m, n, error);
    if (code == 0 && !deleted)
        code = no_memory(error);
    for (size_t i = 0; code == 0 && n > 1 && i < n; i++) {
        double sum;
        deleted[i] = true;
        code = measure_without(w, deleted, &sum, error);
        deleted[i] = false;
        for (size_t t = 0; code == 0 && t < w->logprobs && t < e->output_count; t++) {
            double drop = w->logprob[t] - e->output[t].logprob;
            m.relevance[i] += drop;
            m.weight[i] += drop * drop;
        }
    }
    if (code == 0)
        code = take(w, TRUTH_TEXT, TRIAL_LEAVE_ONE_OUT, &m, error);
    else
        marks_free(&m);
    free(deleted);
    return code;
}

/* What asks for runs of the prompt with words deleted. */
static int delete_words(struct work *w, struct error *error)
{
    double whole;
    if (!w->t->has[TRUTH_TEXT] || (w->t->judged && !w->t->right))
        return 0;
    w->answer = strdup(w->c->target ? w->c->target : w->t->answer);
    if (!w->answer)
        return no_memory(error);
    if (!*w->answer)
        return 0;
    int code = measure_without(w, NULL, &whole, error);
    if (code == 0)
        code = keep_logprobs(w, error);
    if (code == 0 && w->options->leave_one_out)
        code = leave_one_out(w, error);
    for (int kind = 0; code == 0 && kind < TRIAL_KINDS; kind++)
        if (w->words[kind].relevance)
            code = follow(w, kind, whole, error);
    return code;
}

/* -- a case -------------------------------------------------------------------------------------------------------- */

static int read_pictures(struct work *w, struct error *error)
{
    size_t n = w->c->image_count;
    int code = 0;
    w->images = calloc(n + 1, sizeof *w->images);
    if (!w->images)
        return no_memory(error);
    for (size_t i = 0; code == 0 && i < n; i++)
        code = image_read(w->c->images[i], &w->images[i], error);
    return code ? code : truth_masks_read(w->c, w->images, &w->masks, error);
}

static int run_all(struct work *w, struct error *error)
{
    int code = read_pictures(w, error);
    if (code == 0)
        code = ask(w, error);
    if (code == 0)
        code = explain(w, TRIAL_METHOD, error);
    if (code == 0)
        code = take_guesses(w, error);
    for (int kind = TRIAL_DIRECT; code == 0 && kind <= TRIAL_ROLLOUT; kind++)
        code = explain(w, kind, error);
    for (int kind = TRIAL_PATCH; code == 0 && w->options->variants && w->t->has[TRUTH_PICTURES] && kind < TRIAL_KINDS;
         kind++)
        code = explain_variant(w, kind, error);
    return code ? code : delete_words(w, error);
}

int trial_run(struct run *run, const struct dataset_case *c, struct trial *t, struct error *error)
{
    struct work w = {.run = run, .options = run->options, .c = c, .t = t};
    w.random.state = run->options->seed + c->line; /* the same for a case, whatever else is in the data set */
    *t = (struct trial){0};
    for (size_t i = 0; i < sizeof t->score / sizeof(double); i++)
        ((double *)t->score)[i] = NAN;
    t->has[TRUTH_TEXT] = c->span_count > 0 || c->image_count == 0;
    t->has[TRUTH_PICTURES] = c->image_count > 0;
    int code = run_all(&w, error);
    for (int kind = 0; kind < TRIAL_KINDS; kind++)
        marks_free(&w.words[kind]);
    for (int side = 0; side < TRUTH_SIDES; side++)
        truth_free(&w.truth[side]);
    for (size_t i = 0; w.images && i < c->image_count; i++)
        image_release(w.images[i]);
    truth_masks_free(&w.masks);
    free(w.images);
    free(w.words_at);
    free(w.answer);
    free(w.logprob);
    return code;
}

void trial_free(struct trial *t)
{
    for (int side = 0; side < TRUTH_SIDES; side++)
        json_decref(t->record[side]);
    free(t->answer);
    *t = (struct trial){0};
}
