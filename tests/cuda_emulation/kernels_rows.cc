/* kernels_rows.cc: the card's kernels, the very same source, compiled for the host. */
#include "gpu/cuda/kernels_rows.cu"
