/* cuda_runtime_api.h: stands in for NVIDIA's header of this name: the part of the run-time library that the CUDA device
 * uses, on a host without a card (runtime.cc).
 *
 * Work of a stream is put off until somebody waits for it, so that a result that is read too early, or a host array
 * that changes too soon, shows.  Pointers, sizes and directions are checked: what a card might forgive ends the
 * program. */
#ifndef TESTS_CUDA_EMULATION_CUDA_RUNTIME_API_H
#define TESTS_CUDA_EMULATION_CUDA_RUNTIME_API_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum {
    cudaSuccess = 0,
    cudaErrorInvalidValue = 1,
    cudaErrorMemoryAllocation = 2,
    cudaErrorInvalidConfiguration = 9,
    cudaErrorInsufficientDriver = 35,
    cudaErrorNoDevice = 100,
    cudaErrorInvalidDevice = 101,
    cudaErrorLaunchFailure = 719,
} cudaError_t;

typedef struct emulation_stream *cudaStream_t;

enum cudaMemcpyKind { cudaMemcpyHostToDevice = 1, cudaMemcpyDeviceToHost = 2, cudaMemcpyDeviceToDevice = 3 };
enum cudaFuncAttribute { cudaFuncAttributeMaxDynamicSharedMemorySize = 8 };
enum { cudaStreamNonBlocking = 1 };

struct cudaDeviceProp {
    char name[256];
    int major, minor;
};

cudaError_t cudaGetLastError(void);
const char *cudaGetErrorName(cudaError_t);
const char *cudaGetErrorString(cudaError_t);
cudaError_t cudaDriverGetVersion(int *);
cudaError_t cudaRuntimeGetVersion(int *);
cudaError_t cudaGetDeviceCount(int *);
cudaError_t cudaSetDevice(int);
cudaError_t cudaGetDeviceProperties(struct cudaDeviceProp *, int);
cudaError_t cudaMemGetInfo(size_t *free, size_t *total);

cudaError_t cudaMalloc(void **, size_t);
cudaError_t cudaFree(void *);
cudaError_t cudaMallocHost(void **, size_t);
cudaError_t cudaFreeHost(void *);
cudaError_t cudaMemcpy(void *to, const void *from, size_t, enum cudaMemcpyKind);
cudaError_t cudaMemcpyAsync(void *to, const void *from, size_t, enum cudaMemcpyKind, cudaStream_t);
cudaError_t cudaMemsetAsync(void *, int, size_t, cudaStream_t);

cudaError_t cudaStreamCreateWithFlags(cudaStream_t *, unsigned);
cudaError_t cudaStreamDestroy(cudaStream_t);
cudaError_t cudaStreamSynchronize(cudaStream_t);
cudaError_t cudaFuncSetAttribute(const void *, enum cudaFuncAttribute, int);

/* -- for tests ----------------------------------------------------------------------------------------------------- */

/* The card has so many bytes from now on. */
void emulation_set_memory(size_t);
/* The nth kernel from now on fails, and everything after it until emulation_reset(); 0: none. */
void emulation_fail_kernel(int n);
/* What looking for cards answers. */
void emulation_set_device_status(cudaError_t);
void emulation_reset(void);

#ifdef __cplusplus
}
#endif

#endif
