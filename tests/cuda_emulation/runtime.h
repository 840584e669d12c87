/* runtime.h: what the stand-ins for the CUDA libraries tell each other. */
#ifndef TESTS_CUDA_EMULATION_RUNTIME_H
#define TESTS_CUDA_EMULATION_RUNTIME_H

#include <cuda_runtime_api.h>

#include <functional>

/* Whether so many bytes from there on lie in one piece of the card's memory. */
bool emulation_on_device(const void *pointer, size_t bytes);
/* Put work off until the stream is waited for. */
void emulation_add_work(cudaStream_t stream, std::function<void()> work);
/* The calling thread's card, and its compute capability times 10; the card that a stream is on. */
int emulation_card(void);
int emulation_capability(void);
int emulation_stream_card(cudaStream_t);

#endif
