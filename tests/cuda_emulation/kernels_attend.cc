/* kernels_attend.cc: the card's kernels, the very same source, compiled for the host. */
#include "gpu/cuda/kernels_attend.cu"
