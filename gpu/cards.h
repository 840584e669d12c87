/* cards.h: NVIDIA's cards by their names. */
#ifndef GPU_CARDS_H
#define GPU_CARDS_H

#include "gpu/device.h"

/* Open what options->name says: "cuda" or "cuda:0" the first card, "cuda:N" another, "cuda:all" all that this
 * build can use as one device.  ERROR_ARGUMENT for another name; ERROR_DEVICE without module, driver or card;
 * ERROR_UNSUPPORTED for TF32 on a card without it. */
int cards_open(const struct device_options *, struct device **, struct error *);

#endif
