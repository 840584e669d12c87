/* open.c: stands in for gpu/device.c in programs that run on the emulated card: "cuda" is that card. */
#include <string.h>

#include "gpu/cuda/module.h"
#include "gpu/device.h"
#include "gpu/host/host.h"

int device_open(const struct device_options *options, struct device **device, struct error *error)
{
    *device = NULL;
    if (options->name && !strncmp(options->name, "cuda", 4))
        return cuda_module_open(0, device, error);
    return host_open(options->threads, NULL, device, error);
}
