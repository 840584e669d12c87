/* kernels.cc: the card's kernels, the very same sources, compiled for the host. */
#include "gpu/cuda/kernels_weight.cu"

#include "gpu/cuda/kernels_rows.cu"

#include "gpu/cuda/kernels_attend.cu"

#include "gpu/cuda/kernels_head.cu"
