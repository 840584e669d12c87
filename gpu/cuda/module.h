/* module.h: what the CUDA module shows to the program, which loads it at run time (gpu/module.c). */
#ifndef GPU_CUDA_MODULE_H
#define GPU_CUDA_MODULE_H

#include "gpu/device.h"

/* Program and module have to agree on gpu/device.h: this names its shape. */
#define CUDA_MODULE_CONTRACT "device 1"
#define CUDA_MODULE_FILE "atmanscope-cuda.so"
#define CUDA_MODULE_EXPORT __attribute__((visibility("default")))

/* CUDA_MODULE_CONTRACT, as the module was built with it */
extern CUDA_MODULE_EXPORT const char cuda_module_contract[];

/* Open card number `ordinal`; errors as device_open(). */
CUDA_MODULE_EXPORT int cuda_module_open(int ordinal, struct device **, struct error *);

#endif
