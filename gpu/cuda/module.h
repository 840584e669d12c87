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
        2, sizeof(struct device_ops), sizeof(struct device_info), sizeof(struct attention), sizeof(struct head),       \
            sizeof(struct norm), sizeof(struct rope), sizeof(struct probe_span)                                        \
    }

/* CUDA_MODULE_CONTRACT, as the module was built with it */
extern CUDA_MODULE_EXPORT const struct cuda_module_contract cuda_module_contract;

/* How many cards there are, at least 1; ERROR_DEVICE where there is none, or no driver that serves this build. */
CUDA_MODULE_EXPORT int cuda_module_count(int *cards, struct error *);
/* Open card number `ordinal`; errors as device_open(). */
CUDA_MODULE_EXPORT int cuda_module_open(int ordinal, bool tf32, struct device **, struct error *);

#endif
