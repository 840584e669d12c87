/* module.h: loads the CUDA device, which is a module of its own, so that one program serves machines with and without
 * NVIDIA's driver and libraries.  What is in the module: gpu/cuda/. */
#ifndef GPU_MODULE_H
#define GPU_MODULE_H

#include "gpu/device.h"

/* The ways into the module, as gpu/cuda/module.h has them. */
struct cuda_module {
    int (*count)(int *cards, struct error *);
    int (*open)(int ordinal, bool tf32, struct device **, struct error *);
};

/* Load the module.  It is looked for beside the program, then where it is installed; once loaded it stays.
 * ERROR_DEVICE where it, or a library it needs, is missing. */
int module_load_cuda(struct cuda_module *, struct error *);

#endif
