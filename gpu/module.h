/* module.h: loads the CUDA device, which is a module of its own, so that one program serves machines with and without
 * NVIDIA's driver and libraries.  What is in the module: gpu/cuda/. */
#ifndef GPU_MODULE_H
#define GPU_MODULE_H

#include "gpu/device.h"

/* Open the card that `name` ("cuda" or "cuda:N") says.  The module is looked for beside the program, then where it is
 * installed; once loaded it stays.  ERROR_ARGUMENT for another name; ERROR_DEVICE without module, driver or card. */
int module_open_cuda(const char *name, struct device **, struct error *);

#endif
