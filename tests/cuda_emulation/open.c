/* open.c: stands in for gpu/module.c in programs that run on the emulated machine.  EMULATED_CARDS says how many cards
 * it has (default: 1). */
#include "gpu/module.h"

#include <cuda_runtime_api.h>
#include <stdlib.h>

#include "gpu/cuda/card.h"
#include "gpu/cuda/module.h"

static int open_card(int ordinal, bool tf32, struct device **device, struct error *error)
{
    int code = cuda_module_open(ordinal, tf32, device, error);
    struct card *card = (struct card *)*device;
    if (code == 0) { /* so little that small products are done in pieces too, and a few probes in several batches */
        card->scratch_bytes = 64 << 10;
        card->attend_products = 1e6;
        card->info.batch_rows = 256;
    }
    return code;
}

int module_load_cuda(struct cuda_module *cuda, struct error *error)
{
    const char *cards = getenv("EMULATED_CARDS");
    (void)error;
    if (cards)
        emulation_set_cards(atoi(cards));
    *cuda = (struct cuda_module){cuda_module_count, open_card};
    return 0;
}
