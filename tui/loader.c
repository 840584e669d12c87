#include "tui/loader.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { NICE = 5 };

void loaded_close(struct loaded *loaded)
{
    worker_free(loaded->worker);
    engine_close(loaded->engine);
    *loaded = (struct loaded){0};
}

void loader_init(struct loader *loader)
{
    *loader = (struct loader){.fd = -1};
}

static void *load(void *argument)
{
    struct loader *loader = argument;
    uint64_t one = 1;
    /* on Linux niceness is a thread's own, and its children's */
    setpriority(PRIO_PROCESS, (id_t)syscall(SYS_gettid), getpriority(PRIO_PROCESS, 0) + NICE);
    loader->code = engine_open(&loader->options, &loader->loaded.engine, &loader->error);
    if (loader->code == 0)
        loader->code = worker_new(loader->loaded.engine, &loader->loaded.worker, &loader->error);
    if (loader->code != 0)
        loaded_close(&loader->loaded);
    while (write(loader->fd, &one, sizeof one) < 0 && errno == EINTR) {
    }
    return NULL;
}

int loader_start(struct loader *loader, const struct engine_options *options, struct error *error)
{
    loader_free(loader);
    loader->options = *options;
    snprintf(loader->path, sizeof loader->path, "%s", options->model);
    loader->options.model = loader->path;
    loader->fd = eventfd(0, EFD_CLOEXEC);
    if (loader->fd < 0)
        return error_set(error, ERROR_IO, "no event descriptor: %s", strerror(errno));
    int code = pthread_create(&loader->thread, NULL, load, loader);
    if (code != 0) {
        close(loader->fd);
        loader->fd = -1;
        return error_set(error, ERROR_MEMORY, "no thread: %s", strerror(code));
    }
    loader->running = true;
    return 0;
}

int loader_finish(struct loader *loader, struct loaded *loaded, struct error *error)
{
    pthread_join(loader->thread, NULL);
    close(loader->fd);
    loader->running = false;
    loader->fd = -1;
    *loaded = loader->loaded;
    loader->loaded = (struct loaded){0};
    if (error && loader->code != 0)
        *error = loader->error;
    return loader->code;
}

void loader_free(struct loader *loader)
{
    struct loaded loaded;
    if (!loader->running)
        return;
    loader_finish(loader, &loaded, NULL);
    loaded_close(&loaded);
}
