#include "tui/fetcher.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

void fetcher_init(struct fetcher *fetcher)
{
    *fetcher = (struct fetcher){.fd = -1};
}

static void *fetch(void *argument)
{
    struct fetcher *fetcher = argument;
    uint64_t one = 1;
    fetcher->code = image_read(fetcher->path, &fetcher->image, &fetcher->error);
    while (write(fetcher->fd, &one, sizeof one) < 0 && errno == EINTR) {
    }
    return NULL;
}

int fetcher_start(struct fetcher *fetcher, const char *path, struct error *error)
{
    fetcher->image = NULL;
    snprintf(fetcher->path, sizeof fetcher->path, "%s", path);
    fetcher->fd = eventfd(0, EFD_CLOEXEC);
    if (fetcher->fd < 0)
        return error_set(error, ERROR_IO, "no event descriptor: %s", strerror(errno));
    int code = pthread_create(&fetcher->thread, NULL, fetch, fetcher);
    if (code != 0) {
        close(fetcher->fd);
        fetcher->fd = -1;
        return error_set(error, ERROR_MEMORY, "no thread: %s", strerror(code));
    }
    fetcher->running = true;
    return 0;
}

int fetcher_finish(struct fetcher *fetcher, struct image **image, struct error *error)
{
    pthread_join(fetcher->thread, NULL);
    close(fetcher->fd);
    fetcher->fd = -1;
    fetcher->running = false;
    if (error && fetcher->code != 0)
        *error = fetcher->error;
    if (fetcher->code == 0)
        *image = fetcher->image;
    return fetcher->code;
}

void fetcher_free(struct fetcher *fetcher)
{
    struct image *image;
    if (fetcher->running && fetcher_finish(fetcher, &image, NULL) == 0)
        image_release(image);
}
