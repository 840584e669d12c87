/* fiber.c: see fiber.h.  Compiled without sanitizers: it moves the stack pointer under their feet, and tells
 * AddressSanitizer or ThreadSanitizer so where that is linked. */
#include "tests/cuda_emulation/fiber.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { STACK = 256 << 10, GUARD = 4 << 10 };

enum wait { RUNS, AT_BARRIER, AT_WARP, ENDED };

struct fiber {
    void *pointer; /* its stack pointer while it does not run */
    char *stack;   /* NULL until it first runs, and after its end */
    void *fake;    /* AddressSanitizer's */
    void *context; /* ThreadSanitizer's; goes with the stack */
    enum wait wait;
    const char *file; /* where it waits */
    int line;
    uint64_t value; /* brought to a shuffle, or taken from it */
    int source;
};

static struct {
    struct fiber fiber[EMULATION_MOST_THREADS];
    int threads, alive, at_barrier, current;
    int predicate, answer;
    unsigned mask[EMULATION_MOST_THREADS / EMULATION_WARP]; /* of the operation its lanes wait at */
    unsigned arrived[EMULATION_MOST_THREADS / EMULATION_WARP];
    unsigned living[EMULATION_MOST_THREADS / EMULATION_WARP]; /* lanes that exist and have not ended */
    int first[EMULATION_MOST_THREADS / EMULATION_WARP];       /* lane that came first */
    int order[EMULATION_MOST_THREADS];
    void (*body)(void *);
    void *argument;
    void *pointer, *fake, *context; /* the scheduler's own */
    const void *stack_bottom;
    size_t stack_size;
    struct { char *stack; void *context; } spare[EMULATION_MOST_THREADS];
    int spares;
} block;

void __sanitizer_start_switch_fiber(void **, const void *, size_t) __attribute__((weak));
void __sanitizer_finish_switch_fiber(void *, const void **, size_t *) __attribute__((weak));
void *__tsan_get_current_fiber(void) __attribute__((weak));
void *__tsan_create_fiber(unsigned) __attribute__((weak));
void __tsan_switch_to_fiber(void *, unsigned) __attribute__((weak));

void emulation_fail(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fprintf(stderr, "cuda emulation: ");
    vfprintf(stderr, format, arguments);
    fprintf(stderr, "\n");
    va_end(arguments);
    abort();
}

/* -- switching ----------------------------------------------------------------------------------------------------- */

#ifdef __x86_64__
/* Save the registers that a call keeps and the stack pointer, and go on with another stack. */
void emulation_switch(void **save, void *load);
__asm__(".text\n"
        ".globl emulation_switch\n"
        ".type emulation_switch, @function\n"
        "emulation_switch:\n"
        "  pushq %rbp\n  pushq %rbx\n  pushq %r12\n  pushq %r13\n  pushq %r14\n  pushq %r15\n"
        "  movq %rsp, (%rdi)\n"
        "  movq %rsi, %rsp\n"
        "  popq %r15\n  popq %r14\n  popq %r13\n  popq %r12\n  popq %rbx\n  popq %rbp\n"
        "  ret\n"
        ".size emulation_switch, .-emulation_switch\n");

static void *stack_start(char *stack, void (*entry)(void))
{
    uintptr_t *top = (uintptr_t *)(stack + STACK);
    *--top = 0; /* where a return address would be: the entry never returns */
    *--top = (uintptr_t)entry;
    for (int i = 0; i < 6; i++)
        *--top = 0;
    return top;
}
#else
#include <ucontext.h>

/* The slow way of all other processors: a context for each stack pointer, kept at the low end of the stack. */
static void emulation_switch(void **save, void *load)
{
    ucontext_t own;
    *save = &own;
    swapcontext(&own, load);
}

static void *stack_start(char *stack, void (*entry)(void))
{
    ucontext_t *context = (ucontext_t *)stack;
    getcontext(context);
    context->uc_stack.ss_sp = stack + sizeof *context;
    context->uc_stack.ss_size = STACK - sizeof *context;
    context->uc_link = NULL;
    makecontext(context, entry, 0);
    return context;
}
#endif

static void stack_take(struct fiber *f)
{
    if (block.spares) {
        f->stack = block.spare[--block.spares].stack;
        f->context = block.spare[block.spares].context;
        return;
    }
    char *memory =
        mmap(NULL, GUARD + STACK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED || mprotect(memory, GUARD, PROT_NONE) != 0)
        emulation_fail("no memory for the stack of a thread");
    f->stack = memory + GUARD;
    f->context = __tsan_create_fiber ? __tsan_create_fiber(0) : NULL;
}

/* From the running fiber back to the scheduler. */
static void leave(bool ended)
{
    struct fiber *f = &block.fiber[block.current];
    if (__sanitizer_start_switch_fiber)
        __sanitizer_start_switch_fiber(ended ? NULL : &f->fake, block.stack_bottom, block.stack_size);
    if (__tsan_switch_to_fiber)
        __tsan_switch_to_fiber(block.context, 0);
    emulation_switch(&f->pointer, block.pointer);
    if (__sanitizer_finish_switch_fiber)
        __sanitizer_finish_switch_fiber(f->fake, NULL, NULL);
}

static void fiber_main(void)
{
    if (__sanitizer_finish_switch_fiber)
        __sanitizer_finish_switch_fiber(NULL, &block.stack_bottom, &block.stack_size);
    block.body(block.argument);
    block.fiber[block.current].wait = ENDED;
    leave(true);
    abort();
}

static void enter(int thread)
{
    struct fiber *f = &block.fiber[thread];
    block.current = thread;
    if (!f->stack) {
        stack_take(f);
        f->pointer = stack_start(f->stack, fiber_main);
    }
    if (__sanitizer_start_switch_fiber)
        __sanitizer_start_switch_fiber(&block.fake, f->stack, STACK);
    if (__tsan_switch_to_fiber) {
        block.context = __tsan_get_current_fiber();
        __tsan_switch_to_fiber(f->context, 0);
    }
    emulation_switch(&block.pointer, f->pointer);
    if (__sanitizer_finish_switch_fiber)
        __sanitizer_finish_switch_fiber(block.fake, NULL, NULL);
    if (f->wait == ENDED) {
        block.spare[block.spares].stack = f->stack;
        block.spare[block.spares++].context = f->context;
        f->stack = NULL;
    }
}

/* -- waiting ------------------------------------------------------------------------------------------------------- */

static void release_barrier(void)
{
    const struct fiber *first = NULL;
    for (int i = 0; i < block.threads; i++) {
        struct fiber *f = &block.fiber[i];
        if (f->wait != AT_BARRIER)
            continue;
        if (!first)
            first = f;
        if (f->line != first->line || f->file != first->file)
            emulation_fail("threads meet at different barriers: %s:%d and %s:%d", first->file, first->line, f->file,
                           f->line);
        f->wait = RUNS;
    }
    block.answer = block.predicate;
    block.predicate = block.at_barrier = 0;
}

int emulation_barrier(int predicate, const char *file, int line)
{
    struct fiber *f = &block.fiber[block.current];
    f->wait = AT_BARRIER;
    f->file = file;
    f->line = line;
    block.predicate |= predicate != 0;
    if (++block.at_barrier == block.alive)
        release_barrier();
    leave(false);
    return block.answer;
}

static void complete_warp(struct fiber *lane, unsigned mask)
{
    uint64_t value[EMULATION_WARP];
    for (int i = 0; i < EMULATION_WARP; i++)
        value[i] = lane[i].value;
    for (int i = 0; i < EMULATION_WARP; i++) {
        if (!(mask >> i & 1))
            continue;
        int source = lane[i].source;
        if (source < 0 || source >= EMULATION_WARP || !(mask >> source & 1))
            emulation_fail("%s:%d: lane %d reads lane %d, which is not in the mask %08x", lane[i].file, lane[i].line, i,
                           source, mask);
        lane[i].value = value[source];
        lane[i].wait = RUNS;
    }
}

uint64_t emulation_shuffle(unsigned mask, uint64_t value, int source, const char *file, int line)
{
    int warp = block.current / EMULATION_WARP, own = block.current % EMULATION_WARP;
    struct fiber *lane = &block.fiber[warp * EMULATION_WARP], *f = &lane[own];
    if (!(mask >> own & 1))
        emulation_fail("%s:%d: lane %d is not in its own mask %08x", file, line, own, mask);
    if (mask & ~block.living[warp])
        emulation_fail("%s:%d: the mask %08x names lanes that have ended or do not exist; there are %08x", file, line,
                       mask, block.living[warp]);
    if (block.arrived[warp] == 0) {
        block.mask[warp] = mask;
        block.first[warp] = own;
    }
    const struct fiber *first = &lane[block.first[warp]];
    if (block.arrived[warp] && (mask != block.mask[warp] || first->line != line || first->file != file))
        emulation_fail("%s:%d: lanes of a warp disagree: lane %d with mask %08x, lane %d at %s:%d with mask %08x", file,
                       line, own, mask, block.first[warp], first->file, first->line, block.mask[warp]);
    f->wait = AT_WARP;
    f->file = file;
    f->line = line;
    f->value = value;
    f->source = source;
    block.arrived[warp] |= 1u << own;
    if (block.arrived[warp] == mask) {
        complete_warp(lane, mask);
        block.arrived[warp] = 0;
    }
    leave(false);
    return f->value;
}

/* A thread has ended: the others may have waited for nothing but that, or wait for it in vain. */
static void thread_ended(int thread)
{
    int warp = thread / EMULATION_WARP, own = thread % EMULATION_WARP;
    block.living[warp] &= ~(1u << own);
    if (block.arrived[warp] && block.mask[warp] >> own & 1)
        emulation_fail("lane %d of warp %d ends while others wait for it (mask %08x)", own, warp, block.mask[warp]);
    if (--block.alive && block.at_barrier == block.alive)
        release_barrier();
}

/* -- the scheduler ------------------------------------------------------------------------------------------------- */

static void lay_order(enum emulation_order order, uint64_t seed)
{
    for (int i = 0; i < block.threads; i++)
        block.order[i] = order == EMULATION_BACKWARD ? block.threads - 1 - i : i;
    for (int i = block.threads - 1; i > 0 && order == EMULATION_SHUFFLED; i--) {
        seed = seed * 6364136223846793005u + 1442695040888963407u;
        int j = (int)((seed >> 33) % (uint64_t)(i + 1)), swap = block.order[i];
        block.order[i] = block.order[j];
        block.order[j] = swap;
    }
}

static void report_deadlock(void)
{
    for (int i = 0; i < block.threads; i++)
        if (block.fiber[i].wait == AT_BARRIER || block.fiber[i].wait == AT_WARP)
            fprintf(stderr, "cuda emulation: thread %d waits at %s:%d\n", i, block.fiber[i].file, block.fiber[i].line);
    emulation_fail("the threads of a block wait for each other for ever");
}

/* Run a thread until it waits; false where it does so already. */
static bool run_thread(int thread, emulation_turn turn)
{
    if (block.fiber[thread].wait != RUNS)
        return false;
    turn(thread);
    enter(thread);
    if (block.fiber[thread].wait == ENDED)
        thread_ended(thread);
    return true;
}

/* Run the threads of a warp until each waits; whether any ran. */
static bool run_warp(int warp, emulation_turn turn)
{
    bool any = false;
    for (int i = 0; i < EMULATION_WARP && warp * EMULATION_WARP + i < block.threads; i++)
        any |= run_thread(warp * EMULATION_WARP + i, turn);
    return any;
}

void emulation_block_run(int threads, enum emulation_order order, uint64_t seed, emulation_turn turn,
                         void (*body)(void *), void *argument)
{
    memset(block.fiber, 0, (size_t)threads * sizeof *block.fiber);
    memset(block.arrived, 0, sizeof block.arrived);
    memset(block.living, 0, sizeof block.living);
    for (int i = 0; i < threads; i++)
        block.living[i / EMULATION_WARP] |= 1u << i % EMULATION_WARP;
    block.threads = block.alive = threads;
    block.at_barrier = block.predicate = 0;
    block.body = body;
    block.argument = argument;
    lay_order(order, seed);
    bool hasty = seed & 1; /* a warp runs as far as it can before the next has its turn */
    while (block.alive) {
        bool any = false;
        for (int i = 0; i < threads; i++) {
            if (!run_thread(block.order[i], turn))
                continue;
            any = true;
            while (hasty && run_warp(block.order[i] / EMULATION_WARP, turn))
                continue;
        }
        if (!any)
            report_deadlock();
    }
}
