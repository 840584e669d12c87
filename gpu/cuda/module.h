/* module.h: what the CUDA module shows to the program, which loads it at run time (gpu/module.c). */
#ifndef GPU_CUDA_MODULE_H
#define GPU_CUDA_MODULE_H

#include "gpu/device.h"

#define CUDA_MODULE_FILE "atmanscope-cuda.so"
#define CUDA_MODULE_EXPORT __attribute__((visibility("default")))

/* Program and module have to agree on gpu/device.h: its version, raised where a meaning changes, and its shapes. */
struct cuda_module_contract {
    uint32_t version, ops, info, attention, head, norm, rope, span;
};
#define CUDA_MODULE_CONTRACT                                                                                           \
    {                                                                                                                  \
        1, sizeof(struct device_ops), sizeof(struct device_info), sizeof(struct attention), sizeof(struct head),       \
            sizeof(struct norm), sizeof(struct rope), sizeof(struct probe_span)                                        \
    }

/* CUDA_MODULE_CONTRACT, as the module was built with it */
extern CUDA_MODULE_EXPORT const struct cuda_module_contract cuda_module_contract;

/* Open card number `ordinal`; errors as device_open(). */
CUDA_MODULE_EXPORT int cuda_module_open(int ordinal, struct device **, struct error *);

#endif
