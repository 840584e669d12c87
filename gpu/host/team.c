/* team.c: one operation at a time: a mutex and two conditions for coming and going, an atomic counter for the pieces.
 *
 * A plain pass is some 400 operations of a few hundred microseconds, and waking a thread that sleeps takes tens: so who
 * has nothing to do looks around for about as long before going to sleep, and no longer, for the core may be wanted. */
#include "gpu/host/team.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>

/* One operation in progress. */
struct round {
    team_task *task;
    void *context;
    size_t pieces;
    atomic_size_t next;
};

struct member {
    struct team *team;
    pthread_t thread;
    int index;
};

struct team {
    int size, started; /* members; threads of them that were started */
    struct member *member;
    pthread_mutex_t turn; /* held for a whole round by the thread that called for it */
    pthread_mutex_t lock; /* all below */
    pthread_cond_t begun, finished;
    struct round *round;
    atomic_ulong number; /* of rounds begun; read without the lock too, */
    atomic_int busy;     /* as is this: members at work on the round */
    bool quit;
};

enum { LOOKS = 1500 }; /* some 50 microseconds */

static void look_aside(void)
{
#if defined __x86_64__ || defined __i386__
    __builtin_ia32_pause();
#endif
}

static void work(struct round *round, int member)
{
    size_t piece;
    while ((piece = atomic_fetch_add(&round->next, 1)) < round->pieces)
        round->task(round->context, piece, member);
}

static void *member_main(void *argument)
{
    struct member *member = argument;
    struct team *team = member->team;
    unsigned long seen = 0;
    for (;;) {
        for (int i = 0; i < LOOKS && atomic_load_explicit(&team->number, memory_order_relaxed) == seen; i++)
            look_aside();
        pthread_mutex_lock(&team->lock);
        while (!team->quit && (team->number == seen || !team->round)) {
            seen = team->number; /* a round that is over already needs nobody */
            pthread_cond_wait(&team->begun, &team->lock);
        }
        if (team->quit)
            break; /* with the lock */
        seen = team->number;
        struct round *round = team->round;
        team->busy++;
        pthread_mutex_unlock(&team->lock);
        work(round, member->index);
        pthread_mutex_lock(&team->lock);
        if (--team->busy == 0)
            pthread_cond_signal(&team->finished);
        pthread_mutex_unlock(&team->lock);
    }
    pthread_mutex_unlock(&team->lock);
    return NULL;
}

int team_new(int size, struct team **out, struct error *error)
{
    struct team *team = calloc(1, sizeof *team);
    if (!team || !(team->member = calloc((size_t)size, sizeof *team->member))) {
        free(team);
        return error_set(error, ERROR_MEMORY, "no memory for %d threads", size);
    }
    team->size = size;
    pthread_mutex_init(&team->turn, NULL);
    pthread_mutex_init(&team->lock, NULL);
    pthread_cond_init(&team->begun, NULL);
    pthread_cond_init(&team->finished, NULL);
    for (int i = 1; i < size; i++) {
        struct member *member = &team->member[team->started];
        *member = (struct member){.team = team, .index = i};
        if (pthread_create(&member->thread, NULL, member_main, member) != 0) {
            team_free(team);
            return error_set(error, ERROR_MEMORY, "the system gives no more than %d threads", i);
        }
        team->started++;
    }
    *out = team;
    return 0;
}

void team_free(struct team *team)
{
    if (!team)
        return;
    pthread_mutex_lock(&team->lock);
    team->quit = true;
    pthread_cond_broadcast(&team->begun);
    pthread_mutex_unlock(&team->lock);
    for (int i = 0; i < team->started; i++)
        pthread_join(team->member[i].thread, NULL);
    pthread_cond_destroy(&team->begun);
    pthread_cond_destroy(&team->finished);
    pthread_mutex_destroy(&team->lock);
    pthread_mutex_destroy(&team->turn);
    free(team->member);
    free(team);
}

int team_size(const struct team *team)
{
    return team ? team->size : 1;
}

void team_run(struct team *team, size_t pieces, team_task *task, void *context)
{
    struct round round = {task, context, pieces, 0};
    if (!team || team->started == 0 || pieces < 2) {
        work(&round, 0);
        return;
    }
    pthread_mutex_lock(&team->turn);
    pthread_mutex_lock(&team->lock);
    team->round = &round;
    team->number++;
    pthread_cond_broadcast(&team->begun);
    pthread_mutex_unlock(&team->lock);
    work(&round, 0);
    pthread_mutex_lock(&team->lock);
    team->round = NULL; /* late risers find nothing to do; those at work still hold the round */
    pthread_mutex_unlock(&team->lock);
    for (int i = 0; i < LOOKS && atomic_load_explicit(&team->busy, memory_order_relaxed) > 0; i++)
        look_aside();
    pthread_mutex_lock(&team->lock);
    while (team->busy > 0)
        pthread_cond_wait(&team->finished, &team->lock);
    pthread_mutex_unlock(&team->lock);
    pthread_mutex_unlock(&team->turn);
}
