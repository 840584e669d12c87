#include "tui/fetcher.h"

#include <stdio.h>

void fetcher_init(struct fetcher *fetcher)
{
    *fetcher = (struct fetcher){0};
    errand_init(&fetcher->errand);
}

static void fetch(void *data)
{
    struct fetcher *fetcher = data;
    fetcher->code = image_read(fetcher->path, &fetcher->image, &fetcher->error);
}

int fetcher_start(struct fetcher *fetcher, const char *path, struct error *error)
{
    fetcher->image = NULL;
    snprintf(fetcher->path, sizeof fetcher->path, "%s", path);
    return errand_start(&fetcher->errand, fetch, fetcher, error);
}

int fetcher_finish(struct fetcher *fetcher, struct image **image, struct error *error)
{
    errand_finish(&fetcher->errand);
    if (error && fetcher->code != 0)
        *error = fetcher->error;
    if (fetcher->code == 0)
        *image = fetcher->image;
    return fetcher->code;
}

void fetcher_free(struct fetcher *fetcher)
{
    struct image *image;
    if (fetcher->errand.running && fetcher_finish(fetcher, &image, NULL) == 0)
        image_release(image);
}
