/* meeting.h: threads that wait for each other again and again, the last to come doing something for all of them.
 *
 * Owns no thread.  Who will not come any more has to leave, or the others wait for ever. */
#ifndef CORE_MEETING_H
#define CORE_MEETING_H

#include <pthread.h>

struct meeting {
    pthread_mutex_t lock; /* all below */
    pthread_cond_t changed;
    int members, waiting;
    unsigned long held; /* meetings so far */
};

void meeting_new(struct meeting *, int members);
void meeting_free(struct meeting *);

/* Wait for all other members.  The last one calls hold(context) before anybody goes on. Thread: a member's. */
void meeting_attend(struct meeting *, void (*hold)(void *context), void *context);
/* One member less. */
void meeting_leave(struct meeting *);

#endif
