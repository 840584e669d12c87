/* cuda_runtime_api.h: stands in for NVIDIA's header of this name: the part of the run-time library that the CUDA device
 * uses, on a host without a card (runtime.cc).
 *
 * Work of a stream is put off until somebody waits for it, so that a result that is read too early, or a host array
 * that changes too soon, shows; in some streams it is done at once instead, so that what is overwritten too early shows
 * too.  Pointers, sizes and directions are checked: what a card might forgive ends the program.  A machine may have
 * several cards, and each sees its own memory only. */
#ifndef TESTS_CUDA_EMULATION_CUDA_RUNTIME_API_H
#define TESTS_CUDA_EMULATION_CUDA_RUNTIME_API_H

#include <stdbool.h>
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
    cudaErrorInvalidResourceHandle = 400,
    cudaErrorNotReady = 600,
    cudaErrorLaunchFailure = 719,
} cudaError_t;

typedef struct emulation_stream *cudaStream_t;
typedef struct emulation_event *cudaEvent_t;

enum cudaMemcpyKind { cudaMemcpyHostToDevice = 1, cudaMemcpyDeviceToHost = 2, cudaMemcpyDefault = 4 };
enum cudaFuncAttribute { cudaFuncAttributeMaxDynamicSharedMemorySize = 8 };
enum { cudaStreamNonBlocking = 1, cudaEventDisableTiming = 2 };

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
cudaError_t cudaStreamQuery(cudaStream_t);
cudaError_t cudaStreamWaitEvent(cudaStream_t, cudaEvent_t, unsigned flags);
cudaError_t cudaEventCreateWithFlags(cudaEvent_t *, unsigned);
cudaError_t cudaEventDestroy(cudaEvent_t);
cudaError_t cudaEventRecord(cudaEvent_t, cudaStream_t);
cudaError_t cudaFuncSetAttribute(const void *, enum cudaFuncAttribute, int);

/* -- for tests ----------------------------------------------------------------------------------------------------- */

enum { EMULATION_CARDS = 8 };
/* The machine has so many cards from now on; none may be in use. */
void emulation_set_cards(int);
/* Each card has so many bytes from now on. */
void emulation_set_memory(size_t);
/* The nth allocation on a card from now on finds no memory; 0: none does. */
void emulation_fail_allocation(int n);
/* Whether it has come to that. */
bool emulation_allocation_failed(void);
/* The nth kernel from now on fails, and everything after it on its card until emulation_reset(); 0: none. */
void emulation_fail_kernel(int n);
/* What looking for cards answers. */
void emulation_set_device_status(cudaError_t);
/* The cards' compute capability, times 10. */
void emulation_set_capability(int);
void emulation_set_first_capability(int); /* of card 0 alone */
void emulation_reset(void);
/* How often the host has waited for one stream, and how often it did what makes it wait for a whole card (allocating
 * and freeing do); counted since the program began. */
void emulation_waits(unsigned long *stream, unsigned long *card);
/* How many bytes of a card's memory are in use. */
size_t emulation_used(int card);
/* How many bytes were copied from card to card. */
size_t emulation_peer_bytes(void);

#ifdef __cplusplus
}
#endif

#endif
