/* device.c: finds the device that a name means.  Knows which devices this build has, and nothing about them. */
#include "gpu/device.h"

#include <string.h>

#include "gpu/host/host.h"
#include "gpu/module.h"

int device_open(const struct device_options *options, struct device **device, struct error *error)
{
    const char *name = options->name ? options->name : "auto";
    *device = NULL;
    if (!strcmp(name, "auto") || !strcmp(name, "cpu"))
        return host_open(options->threads, NULL, device, error);
    if (!strcmp(name, "cuda") || !strncmp(name, "cuda:", 5))
        return module_open_cuda(name, device, error);
    return error_set(error, ERROR_ARGUMENT, "unknown device \"%s\"; known are auto, cpu, cuda and cuda:N", name);
}
