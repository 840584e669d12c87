#include "core/meeting.h"

void meeting_new(struct meeting *m, int members)
{
    *m = (struct meeting){.members = members};
    pthread_mutex_init(&m->lock, NULL);
    pthread_cond_init(&m->changed, NULL);
}

void meeting_free(struct meeting *m)
{
    pthread_cond_destroy(&m->changed);
    pthread_mutex_destroy(&m->lock);
}

/* Who is the last may change while one waits: so whoever wakes looks again. */
void meeting_attend(struct meeting *m, void (*hold)(void *), void *context)
{
    pthread_mutex_lock(&m->lock);
    unsigned long number = m->held;
    m->waiting++;
    while (m->held == number && m->waiting < m->members)
        pthread_cond_wait(&m->changed, &m->lock);
    if (m->held == number) {
        hold(context);
        m->waiting = 0;
        m->held++;
        pthread_cond_broadcast(&m->changed);
    }
    pthread_mutex_unlock(&m->lock);
}

void meeting_leave(struct meeting *m)
{
    pthread_mutex_lock(&m->lock);
    m->members--;
    pthread_cond_broadcast(&m->changed);
    pthread_mutex_unlock(&m->lock);
}
