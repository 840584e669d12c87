#include "tui/errand.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

void errand_init(struct errand *errand)
{
    *errand = (struct errand){.fd = -1};
}

static void *run(void *argument)
{
    struct errand *errand = argument;
    uint64_t one = 1;
    errand->work(errand->data);
    while (write(errand->fd, &one, sizeof one) < 0 && errno == EINTR) {
    }
    return NULL;
}

int errand_start(struct errand *errand, void (*work)(void *data), void *data, struct error *error)
{
    errand->work = work;
    errand->data = data;
    errand->fd = eventfd(0, EFD_CLOEXEC);
    if (errand->fd < 0)
        return error_set(error, ERROR_IO, "no event descriptor: %s", strerror(errno));
    int code = pthread_create(&errand->thread, NULL, run, errand);
    if (code != 0) {
        close(errand->fd);
        errand->fd = -1;
        return error_set(error, ERROR_MEMORY, "no thread: %s", strerror(code));
    }
    errand->running = true;
    return 0;
}

void errand_finish(struct errand *errand)
{
    pthread_join(errand->thread, NULL);
    close(errand->fd);
    errand->fd = -1;
    errand->running = false;
}
