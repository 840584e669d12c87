#include "core/job.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/clock.h"
#include "core/peak.h"

int job_new(struct engine *engine, struct job **out, struct error *error)
{
    struct job *j = calloc(1, sizeof *j);
    if (!j)
        return error_set(error, ERROR_MEMORY, "out of memory");
    j->engine = engine;
    int status = engine->device->ops->stream_new(engine->device, true, &j->stream, error);
    if (status < 0) {
        free(j);
        return status;
    }
    pthread_mutex_init(&j->lock, NULL);
    *out = j;
    return 0;
}

static void job_clear(struct job *j)
{
    probes_free(j->probes);
    direct_clear(&j->direct);
    plan_free(j->plan);
    sequence_free(&j->prompt);
    free(j->ids);
    free(j->units);
    free(j->recalled);
    free(j->output);
    free(j->lse);
    free(j->wanted);
    j->probes = NULL;
    j->plan = NULL;
    j->ids = NULL;
    j->units = NULL;
    j->recalled = NULL;
    j->output = NULL;
    j->lse = NULL;
    j->wanted = NULL;
    j->unit_count = 0;
    j->output_count = 0;
    j->stopped = j->complete = j->refining = false;
    j->foil_token = j->chosen_token = -1;
    j->noise_floor = NAN;
    j->cost = (struct cost){0};
}

void job_free(struct job *j)
{
    if (!j)
        return;
    job_clear(j);
    former_clear(&j->former);
    lanes_free(j->lanes);
    baseline_free(j->baseline);
    gallery_clear(&j->gallery, j->engine->device);
    j->engine->device->ops->stream_free(j->stream);
    pthread_mutex_destroy(&j->lock);
    free(j);
}

struct event *job_event(struct job *j, enum event_kind kind)
{
    struct event *v = calloc(1, sizeof *v);
    if (!v)
        return NULL;
    size_t peak = peak_bytes();
    pthread_mutex_lock(&j->lock);
    j->cost.peak_bytes = peak;
    v->kind = kind;
    v->request = j->number;
    v->cost = j->cost;
    v->complete = j->complete;
    pthread_mutex_unlock(&j->lock);
    v->stopped = j->stopped;
    v->noise_floor = j->noise_floor;
    return v;
}

/* -- checks -------------------------------------------------------------------------------------------------------- */

static int check_method(struct job *j, struct error *error)
{
    const struct method *m = &j->request->method;
    int layers = j->engine->model->layers;
    if (!(m->factor >= 0 && m->factor <= 4))
        return error_set(error, ERROR_ARGUMENT, "the factor must be a number from 0 to 4");
    if ((!isnan(m->similarity) && !(m->similarity >= -1 && m->similarity <= 1)) ||
        (!isnan(m->image_similarity) && !(m->image_similarity >= -1 && m->image_similarity <= 1)))
        return error_set(error, ERROR_ARGUMENT, "the similarity must be a number from -1 to 1, or off");
    if (m->window < 0)
        return error_set(error, ERROR_ARGUMENT, "the window must be a number of patches, or off");
    j->method = *m;
    if (j->method.last_layer == -1)
        j->method.last_layer = layers - 1;
    if (j->method.first_layer < 0 || j->method.last_layer < j->method.first_layer || j->method.last_layer >= layers)
        return error_set(error, ERROR_ARGUMENT, "layers %d-%d: this model has layers 0-%d", m->first_layer,
                         m->last_layer, layers - 1);
    return 0;
}

static int check_prompt(struct job *j, struct error *error)
{
    const struct request *r = j->request;
    if (r->prompt_length == 0)
        return error_set(error, ERROR_ARGUMENT, "the prompt is empty; type some text to continue");
    const char *nul = memchr(r->prompt, 0, r->prompt_length);
    if (nul)
        return error_set(error, ERROR_FORMAT, "the prompt holds a NUL byte at byte %zu; is it a text file?",
                         (size_t)(nul - r->prompt));
    if (!r->target && r->generate < 1)
        return error_set(error, ERROR_ARGUMENT, "at least one token must be generated");
    if (r->target && r->target_length == 0)
        return error_set(error, ERROR_ARGUMENT, "the target is empty");
    return 0;
}

/* -- the prompt ---------------------------------------------------------------------------------------------------- */

static int post_prompt(struct job *j, struct error *error)
{
    const struct request *r = j->request;
    const struct sequence *s = &j->prompt;
    struct event *v = job_event(j, EVENT_PROMPT);
    if (v) {
        v->prompt = malloc(r->prompt_length + 1);
        v->tokens = malloc((s->token_count + 1) * sizeof *v->tokens);
        v->pictures = pictures_copy(s->pictures, s->picture_count);
        v->picture_count = s->picture_count;
    }
    if (!v || !v->prompt || !v->tokens || !v->pictures) {
        event_free(v);
        return error_set(error, ERROR_MEMORY, "out of memory");
    }
    memcpy(v->prompt, r->prompt, r->prompt_length);
    v->prompt[r->prompt_length] = 0;
    v->prompt_length = r->prompt_length;
    memcpy(v->tokens, s->tokens, s->token_count * sizeof *v->tokens);
    v->token_count = s->token_count;
    j->post(j->context, v);
    return 0;
}

/* A prompt is too long by its text, or by its pictures. */
static int check_length(const struct job *j, struct error *error)
{
    const struct sequence *s = &j->prompt;
    int context = j->engine->model->context;
    size_t of_pictures = 0;
    for (size_t i = 0; i < s->picture_count; i++)
        of_pictures += (size_t)s->pictures[i].columns * (size_t)s->pictures[i].rows;
    if (s->token_count == 0)
        return error_set(error, ERROR_ARGUMENT, "the prompt is empty; type some text to continue");
    if (s->token_count <= (size_t)context)
        return 0;
    if (of_pictures)
        return error_set(error, ERROR_LIMIT,
                         "the prompt has %zu tokens, %zu of them of pictures, the model's context holds %d; shorten it "
                         "or take fewer pictures",
                         s->token_count, of_pictures, context);
    return error_set(error, ERROR_LIMIT, "the prompt has %zu tokens, the model's context holds %d; shorten it",
                     s->token_count, context);
}

/* Tokens and units of the prompt. */
static int read_prompt(struct job *j, struct error *error)
{
    const struct request *r = j->request;
    size_t least = tokenizer_least(j->engine->tokenizer, r->prompt, r->prompt_length);
    if (least > (size_t)j->engine->model->context) /* tokens of a whole library would take a minute */
        return error_set(error, ERROR_LIMIT,
                         "the prompt has at least %zu tokens, the model's context holds %d; shorten it", least,
                         j->engine->model->context);
    int status = engine_read(j->engine, r, &j->prompt, error);
    if (status < 0)
        return error_add(error, status, "the prompt");
    if ((status = check_length(j, error)) == 0)
        status = sequence_cut(&j->prompt, r->prompt, r->prompt_length, r->units ? r->units : "token",
                              r->image_units ? r->image_units : "auto", &j->units, &j->unit_count, error);
    if (status == 0)
        status = units_zoom(r->prompt, j->prompt.tokens, r->zooms, r->zoom_count, &j->units, &j->unit_count, error);
    return status < 0 ? status : post_prompt(j, error);
}

int job_ids(const struct job *j, const struct sequence *s, int32_t **out, struct error *error)
{
    int32_t *ids = malloc((s->token_count + 1) * sizeof *ids);
    if (!ids)
        return error_set(error, ERROR_MEMORY, "out of memory");
    for (size_t i = 0; i < s->token_count; i++)
        ids[i] = s->tokens[i].id;
    for (size_t p = 0; p < s->picture_count; p++) {
        const struct picture *picture = &s->pictures[p];
        int32_t id = gallery_id(&j->gallery, picture->image);
        for (int i = 0; i < picture->columns * picture->rows; i++)
            ids[picture->first + i] = id - i;
    }
    *out = ids;
    return 0;
}

/* The pictures' rows, and the ids by which the decoder knows tokens and rows. */
static int encode_pictures(struct job *j, struct error *error)
{
    const struct sequence *s = &j->prompt;
    double before = clock_now();
    int64_t known = j->gallery.ids;
    int status = 0;
    if (s->picture_count)
        status = gallery_show(&j->gallery, j->engine->vision, j->engine->device, j->stream, s->pictures,
                              s->picture_count, &j->cancelled, error);
    if (j->gallery.ids > known)
        j->cost.vision_seconds = clock_now() - before;
    if (status == 0)
        status = job_ids(j, s, &j->ids, error);
    return status;
}

int job_run(struct job *j, const struct request *request, uint64_t number, struct error *error)
{
    former_keep(&j->former, j);
    job_clear(j);
    if (request->fresh)
        former_clear(&j->former);
    j->request = request;
    j->number = number;
    j->started = clock_now();
    int status;
    if ((status = check_prompt(j, error)) < 0 || (status = check_method(j, error)) < 0 ||
        (status = read_prompt(j, error)) < 0 || (status = encode_pictures(j, error)) < 0 ||
        (status = job_output(j, error)) < 0)
        return status;
    if (!request->explain) {
        j->complete = true;
        return 0;
    }
    return job_explain(j, error);
}
