/* fiber.h: runs the threads of one emulated CUDA block as fibers of a single OS thread.
 *
 * A fiber runs until it waits: at a barrier of the block, or at an operation of its warp.  This is stricter than a
 * card: lanes missing from a mask, lanes that disagree about it, barriers met at different lines and threads that wait
 * for ever end the program with a sentence.  Threads run in one of several orders, and warps either in turns or each as
 * far as it gets, because a missing barrier shows in some only.  One block at a time: callers hold a lock. */
#ifndef TESTS_CUDA_EMULATION_FIBER_H
#define TESTS_CUDA_EMULATION_FIBER_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum emulation_order { EMULATION_FORWARD, EMULATION_BACKWARD, EMULATION_SHUFFLED, EMULATION_ORDERS };
enum { EMULATION_WARP = 32, EMULATION_MOST_THREADS = 1024 };

/* Called with the number of the thread that runs from now on. */
typedef void (*emulation_turn)(int thread);

/* Run body(argument) as `threads` threads until all have ended. */
void emulation_block_run(int threads, enum emulation_order order, uint64_t seed, emulation_turn turn,
                         void (*body)(void *), void *argument);

/* For the running thread: wait for all threads of the block that still run; what is returned is whether any of them
 * brought a predicate other than 0. */
int emulation_barrier(int predicate, const char *file, int line);
/* Wait for the lanes of the mask, and take lane source's value. */
uint64_t emulation_shuffle(unsigned mask, uint64_t value, int source, const char *file, int line);

/* Print a sentence (printf style) and abort. */
void emulation_fail(const char *format, ...) __attribute__((noreturn, format(printf, 1, 2)));

#ifdef __cplusplus
}
#endif

#endif
