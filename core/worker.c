/* worker.c: the thread that owns the device, and the two queues between it and its reader.
 *
 * Requests go in (only the newest counts), events come out.  All of struct worker below `lock` is shared; the job is
 * the worker thread's own. */
#include <errno.h>
#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "core/job.h"

/* A request with copies of all it points to. */
struct order {
    struct request request;
    uint64_t number;
    char *prompt, *target, *foil, *units, *image_units;
    struct image **images; /* [request.image_count], an owner of each */
    struct steer *steers;
    struct zoom *zooms;
    struct event *end; /* its last event, should there be no memory left for one then: a reader waits for it */
};

/* An inquiry, and the last event of its answer, which a reader waits for. */
struct wish {
    struct inquiry inquiry;
    struct event *end;
};

struct worker {
    struct job *job;
    struct order *order; /* the last one taken: inquiries are about it */
    pthread_t thread;
    int wake; /* eventfd, readable while events wait */

    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct order *pending;
    struct wish *wish; /* until it is taken */
    bool running, inquiring, quit;
    struct { bool wanted; int token; int32_t id; } choice;
    uint64_t submitted; /* number of the newest request */
    struct event *first, **last;
};

/* -- orders -------------------------------------------------------------------------------------------------------- */

static void order_free(struct order *o)
{
    if (!o)
        return;
    free(o->prompt);
    free(o->target);
    free(o->foil);
    free(o->units);
    free(o->image_units);
    for (size_t i = 0; o->images && i < o->request.image_count; i++)
        image_release(o->images[i]);
    free(o->images);
    free(o->steers);
    free(o->zooms);
    event_free(o->end);
    free(o);
}

/* A copy with a NUL behind it, so that empty texts have an address too. */
static bool copy_bytes(const void *from, size_t bytes, void *to)
{
    char *copy = NULL;
    if (from) {
        copy = malloc(bytes + 1);
        if (!copy)
            return false;
        memcpy(copy, from, bytes);
        copy[bytes] = 0;
    }
    memcpy(to, &copy, sizeof copy);
    return true;
}

static struct order *order_new(const struct request *r)
{
    struct order *o = calloc(1, sizeof *o);
    if (!o)
        return NULL;
    o->end = calloc(1, sizeof *o->end);
    if (!o->end || !copy_bytes(r->prompt ? r->prompt : "", r->prompt_length, &o->prompt) ||
        !copy_bytes(r->target, r->target_length, &o->target) || !copy_bytes(r->foil, r->foil_length, &o->foil) ||
        !copy_bytes(r->units, r->units ? strlen(r->units) : 0, &o->units) ||
        !copy_bytes(r->image_units, r->image_units ? strlen(r->image_units) : 0, &o->image_units) ||
        !copy_bytes(r->images, r->image_count * sizeof *r->images, &o->images) ||
        !copy_bytes(r->steers, r->steer_count * sizeof *r->steers, &o->steers) ||
        !copy_bytes(r->zooms, r->zoom_count * sizeof *r->zooms, &o->zooms)) {
        order_free(o);
        return NULL;
    }
    o->request = *r;
    for (size_t i = 0; o->images && i < r->image_count; i++)
        image_keep(o->images[i]);
    o->request.images = o->images;
    o->request.image_units = o->image_units;
    o->request.prompt = o->prompt;
    o->request.target = o->target;
    o->request.foil = o->foil;
    o->request.units = o->units;
    o->request.steers = o->steers;
    o->request.zooms = o->zooms;
    return o;
}

/* The event that was kept for its end, once. */
static struct event *order_end(struct order *o, enum event_kind kind)
{
    struct event *v = o->end;
    o->end = NULL;
    v->kind = kind;
    v->request = o->number;
    v->noise_floor = NAN;
    return v;
}

/* -- wishes -------------------------------------------------------------------------------------------------------- */

static void wish_free(struct wish *wish)
{
    if (!wish)
        return;
    event_free(wish->end);
    free(wish);
}

/* An event that tells the state of an answer of which nothing is known yet. */
static struct event *answer_event(const struct inquiry *inquiry, enum answer_state state)
{
    struct answer answer = {.state = state, .token = inquiry->token, .id = inquiry->id};
    struct event *v = calloc(1, sizeof *v);
    if (!v)
        return NULL;
    v->proof = calloc(1, sizeof *v->proof);
    v->pairs = calloc(1, sizeof *v->pairs);
    if (!v->proof || !v->pairs) {
        event_free(v);
        return NULL;
    }
    v->kind = inquiry->kind == INQUIRY_PROOF ? EVENT_PROOF : EVENT_PAIRS;
    *v->proof = (struct proof){.answer = answer, .logprob = NAN, .area = NAN};
    *v->pairs = (struct pairs){.answer = answer, .noise = NAN, .two = inquiry->unit[0] >= 0};
    return v;
}

static struct wish *wish_new(const struct inquiry *inquiry)
{
    struct wish *wish = calloc(1, sizeof *wish);
    if (!wish)
        return NULL;
    wish->inquiry = *inquiry;
    wish->end = answer_event(inquiry, ANSWER_STOPPED);
    if (!wish->end) {
        wish_free(wish);
        return NULL;
    }
    return wish;
}

/* -- events -------------------------------------------------------------------------------------------------------- */

static void post_locked(struct worker *w, struct event *v)
{
    v->next = NULL;
    *w->last = v;
    w->last = &v->next;
    uint64_t one = 1;
    while (write(w->wake, &one, sizeof one) < 0 && errno == EINTR)
        ;
    pthread_cond_broadcast(&w->changed);
}

static void post(void *context, struct event *v)
{
    struct worker *w = context;
    pthread_mutex_lock(&w->lock);
    post_locked(w, v);
    pthread_mutex_unlock(&w->lock);
}

bool worker_next(struct worker *w, struct explanation *e, enum event_kind *kind)
{
    struct event *v;
    for (;;) {
        pthread_mutex_lock(&w->lock);
        v = w->first;
        if (v && !(w->first = v->next))
            w->last = &w->first;
        if (!w->first) {
            uint64_t count;
            while (read(w->wake, &count, sizeof count) < 0 && errno == EINTR)
                ;
        }
        bool stale = v && v->request < w->submitted;
        pthread_mutex_unlock(&w->lock);
        if (!v)
            return false;
        if (!stale)
            break;
        event_free(v);
    }
    *kind = v->kind;
    explanation_apply(e, v);
    return true;
}

/* -- the thread ---------------------------------------------------------------------------------------------------- */

/* Whether there is a wish for another target that can be answered now: one that comes while the output is written waits
 * for its probes. */
static bool may_answer(const struct worker *w)
{
    return w->choice.wanted && (w->job->probes || !w->running);
}

/* Take that wish, if there is one. */
static bool take_choice(struct worker *w, int *token, int32_t *id)
{
    bool taken = may_answer(w);
    *token = w->choice.token;
    *id = w->choice.id;
    if (taken)
        w->choice.wanted = false;
    return taken;
}

/* An answer that cannot be given is no failure of the request: the reader keeps what it has. */
static void answer_choice(struct worker *w)
{
    int token;
    int32_t id;
    pthread_mutex_lock(&w->lock);
    bool wanted = take_choice(w, &token, &id);
    pthread_mutex_unlock(&w->lock);
    if (wanted)
        job_retarget(w->job, token, id, NULL);
}

static void attend(void *context)
{
    answer_choice(context);
}

/* While the lanes work: sleep until an event was posted, a wish came in, or all must stop. */
static void wait_for_lanes(void *context)
{
    struct worker *w = context;
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until); /* as `changed` is: a clock that is set back would stop the reader's news */
    until.tv_nsec += 20 * 1000 * 1000;
    if (until.tv_nsec >= 1000 * 1000 * 1000) {
        until.tv_nsec -= 1000 * 1000 * 1000;
        until.tv_sec++;
    }
    pthread_mutex_lock(&w->lock);
    if (!may_answer(w))
        pthread_cond_timedwait(&w->changed, &w->lock, &until);
    pthread_mutex_unlock(&w->lock);
    answer_choice(w);
}

static void run_order(struct worker *w, struct order *o)
{
    struct error error = {0};
    int status = job_run(w->job, &o->request, o->number, &error);
    enum event_kind kind = status == 0 ? EVENT_DONE : status == ERROR_CANCELLED ? EVENT_CANCELLED : EVENT_FAILED;
    struct event *v = job_event(w->job, kind);
    if (!v)
        v = order_end(o, kind);
    if (kind == EVENT_FAILED)
        v->error = error;
    pthread_mutex_lock(&w->lock);
    w->running = false;
    post_locked(w, v);
    pthread_mutex_unlock(&w->lock);
}

/* Fill in the end of an answer with what was found. */
static void run_wish(struct worker *w, struct wish *wish)
{
    struct error error = {0};
    struct event *v = wish->end;
    int status = job_inquire(w->job, &wish->inquiry, &error);
    wish->end = NULL;
    v->request = w->job->number;
    *v->proof = w->job->proof;
    *v->pairs = w->job->pairs;
    struct answer *answer = v->kind == EVENT_PROOF ? &v->proof->answer : &v->pairs->answer;
    answer->state = status == 0 ? ANSWER_DONE : status == ERROR_CANCELLED ? ANSWER_STOPPED : ANSWER_FAILED;
    answer->error = error;
    pthread_mutex_lock(&w->lock);
    w->inquiring = false;
    if (w->wish && w->wish->inquiry.kind == wish->inquiry.kind) /* its reader has been told of the next one already */
        event_free(v);
    else
        post_locked(w, v);
    pthread_mutex_unlock(&w->lock);
}

/* The next thing to do is an order, a wish, or to answer a choice. */
static void *worker_main(void *argument)
{
    struct worker *w = argument;
    pthread_mutex_lock(&w->lock);
    while (!w->quit) {
        struct order *order = w->pending;
        struct wish *wish = order ? NULL : w->wish;
        if (order || wish)
            atomic_store(&w->job->cancelled, false);
        if (order) {
            w->pending = NULL;
            w->running = true;
            w->choice.wanted = false;
        }
        if (wish) {
            w->wish = NULL;
            w->inquiring = true;
        }
        bool choice = w->choice.wanted;
        if (!order && !wish && !choice) {
            pthread_cond_wait(&w->changed, &w->lock);
            continue;
        }
        pthread_mutex_unlock(&w->lock);
        if (order) {
            order_free(w->order);
            w->order = order;
            run_order(w, order);
        } else if (wish)
            run_wish(w, wish);
        else
            answer_choice(w);
        wish_free(wish);
        pthread_mutex_lock(&w->lock);
    }
    pthread_mutex_unlock(&w->lock);
    return NULL;
}

/* -- the reader's side --------------------------------------------------------------------------------------------- */

/* Its timed waits are by a clock that nobody sets. */
static void init_changed(pthread_cond_t *changed)
{
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(changed, &attributes);
    pthread_condattr_destroy(&attributes);
}

int worker_new(struct engine *engine, struct worker **out, struct error *error)
{
    struct worker *w = calloc(1, sizeof *w);
    if (!w)
        return error_set(error, ERROR_MEMORY, "out of memory");
    int status = job_new(engine, &w->job, error);
    if (status < 0) {
        free(w);
        return status;
    }
    w->job->post = post;
    w->job->wait = wait_for_lanes;
    w->job->attend = attend;
    w->job->context = w;
    w->last = &w->first;
    w->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    pthread_mutex_init(&w->lock, NULL);
    init_changed(&w->changed);
    if (w->wake < 0)
        status = error_set(error, ERROR_IO, "no descriptor for events: %s", strerror(errno));
    else if (pthread_create(&w->thread, NULL, worker_main, w) != 0)
        status = error_set(error, ERROR_MEMORY, "the system gives no thread to compute in");
    if (status < 0) {
        if (w->wake >= 0)
            close(w->wake);
        pthread_cond_destroy(&w->changed);
        pthread_mutex_destroy(&w->lock);
        job_free(w->job);
        free(w);
        return status;
    }
    *out = w;
    return 0;
}

void worker_free(struct worker *w)
{
    if (!w)
        return;
    pthread_mutex_lock(&w->lock);
    w->quit = true;
    atomic_store(&w->job->cancelled, true);
    pthread_cond_broadcast(&w->changed);
    pthread_mutex_unlock(&w->lock);
    pthread_join(w->thread, NULL);
    job_free(w->job);
    order_free(w->pending);
    order_free(w->order);
    wish_free(w->wish);
    while (w->first) {
        struct event *v = w->first;
        w->first = v->next;
        event_free(v);
    }
    close(w->wake);
    pthread_cond_destroy(&w->changed);
    pthread_mutex_destroy(&w->lock);
    free(w);
}

int worker_fd(const struct worker *w)
{
    return w->wake;
}

uint64_t worker_submit(struct worker *w, const struct request *request)
{
    struct order *o = order_new(request);
    if (!o)
        return 0;
    pthread_mutex_lock(&w->lock);
    struct order *old = w->pending;
    uint64_t number = o->number = ++w->submitted; /* unlocked, the thread may take the order, and free it */
    struct wish *wish = w->wish;
    w->pending = o;
    w->wish = NULL;
    atomic_store(&w->job->cancelled, true);
    pthread_cond_broadcast(&w->changed);
    pthread_mutex_unlock(&w->lock);
    order_free(old);
    wish_free(wish);
    return number;
}

/* The wish that was not taken yet ends here. */
static void drop_wish(struct worker *w)
{
    if (!w->wish)
        return;
    w->wish->end->request = w->submitted;
    post_locked(w, w->wish->end);
    w->wish->end = NULL;
    wish_free(w->wish);
    w->wish = NULL;
}

void worker_cancel(struct worker *w)
{
    pthread_mutex_lock(&w->lock);
    struct order *old = w->pending;
    w->pending = NULL;
    drop_wish(w);
    if (w->running || w->inquiring)
        atomic_store(&w->job->cancelled, true);
    if (old) /* the running one's end is stale by now: the latest request ends here */
        post_locked(w, order_end(old, EVENT_CANCELLED));
    pthread_mutex_unlock(&w->lock);
    order_free(old);
}

void worker_retarget(struct worker *w, int token, int32_t id)
{
    pthread_mutex_lock(&w->lock);
    w->choice.wanted = true;
    w->choice.token = token;
    w->choice.id = id;
    pthread_cond_broadcast(&w->changed);
    pthread_mutex_unlock(&w->lock);
}

bool worker_inquire(struct worker *w, const struct inquiry *inquiry)
{
    struct wish *wish = wish_new(inquiry);
    struct event *begin = wish ? answer_event(inquiry, ANSWER_BUSY) : NULL;
    if (!begin) {
        wish_free(wish);
        return false;
    }
    pthread_mutex_lock(&w->lock);
    drop_wish(w);
    if (w->inquiring)
        atomic_store(&w->job->cancelled, true);
    w->wish = wish;
    begin->request = w->submitted;
    post_locked(w, begin);
    pthread_mutex_unlock(&w->lock);
    return true;
}
