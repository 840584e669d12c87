/* open.c: stands in for gpu/module.c in programs that run on the emulated card. */
#include "gpu/module.h"

#include <stdlib.h>

#include "gpu/cuda/card.h"
#include "gpu/cuda/module.h"

int module_open_cuda(const char *name, struct device **device, struct error *error)
{
    int code = cuda_module_open(name[4] == ':' ? atoi(name + 5) : 0, device, error);
    if (code == 0) /* so little that small products too are done in pieces */
        ((struct card *)*device)->scratch_bytes = 64 << 10;
    return code;
}
