/* device.c: finds the device that a name means.  Knows which devices this build has, and nothing about them. */
#include "gpu/device.h"

#include <string.h>

#include "gpu/cards.h"
#include "gpu/host/host.h"

int device_open(const struct device_options *options, struct device **device, struct error *error)
{
    const char *name = options->name ? options->name : "auto";
    *device = NULL;
    if (!strcmp(name, "cuda") || !strncmp(name, "cuda:", 5))
        return cards_open(options, device, error);
    if (strcmp(name, "auto") != 0 && strcmp(name, "cpu") != 0)
        return error_set(error, ERROR_ARGUMENT,
                         "unknown device \"%s\"; known are auto, cpu, cuda, cuda:N and cuda:all", name);
    if (options->tf32)
        return error_set(error, ERROR_UNSUPPORTED, "the CPU has no TF32 products; leave it out, or use a card");
    int status = host_open(options->threads, NULL, device, error);
    if (status == 0)
        host_keep_weights(*device, options->weights);
    return status;
}
