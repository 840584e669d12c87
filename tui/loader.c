#include "tui/loader.h"

#include <stdio.h>
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
    *loader = (struct loader){0};
    errand_init(&loader->errand);
}

static void load(void *data)
{
    struct loader *loader = data;
    /* on Linux niceness is a thread's own, and its children's */
    setpriority(PRIO_PROCESS, (id_t)syscall(SYS_gettid), getpriority(PRIO_PROCESS, 0) + NICE);
    loader->code = engine_open(&loader->options, &loader->loaded.engine, &loader->error);
    if (loader->code == 0)
        loader->code = worker_new(loader->loaded.engine, &loader->loaded.worker, &loader->error);
    if (loader->code != 0)
        loaded_close(&loader->loaded);
}

int loader_start(struct loader *loader, const struct engine_options *options, struct error *error)
{
    loader_free(loader);
    loader->options = *options;
    snprintf(loader->path, sizeof loader->path, "%s", options->model);
    loader->options.model = loader->path;
    if (options->mmproj) {
        snprintf(loader->mmproj, sizeof loader->mmproj, "%s", options->mmproj);
        loader->options.mmproj = loader->mmproj;
    }
    return errand_start(&loader->errand, load, loader, error);
}

int loader_finish(struct loader *loader, struct loaded *loaded, struct error *error)
{
    errand_finish(&loader->errand);
    *loaded = loader->loaded;
    loader->loaded = (struct loaded){0};
    if (error && loader->code != 0)
        *error = loader->error;
    return loader->code;
}

void loader_free(struct loader *loader)
{
    struct loaded loaded;
    if (!loader->errand.running)
        return;
    loader_finish(loader, &loaded, NULL);
    loaded_close(&loaded);
}
