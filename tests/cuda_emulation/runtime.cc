/* runtime.cc: the stand-in for the CUDA run-time library (cuda_runtime_api.h) and for launching kernels. */
#include <cuda_runtime.h>

#include <cstdio>
#include <cstdlib>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <sys/mman.h>
#include <vector>

#include "tests/cuda_emulation/runtime.h"

dim3 threadIdx, blockIdx, blockDim, gridDim;

/* What a stream does, on which card (ALL_CARDS: it reaches the memory of all), and whether a lost card does it too. */
struct emulation_work {
    int card;
    bool always;
    std::function<void()> run;
};

struct emulation_stream {
    int card;
    bool eager; /* its work is done at once */
    std::deque<emulation_work> work;
};

struct emulation_event {
    std::shared_ptr<bool> done; /* of the last recording */
    emulation_stream *stream;
};

namespace
{

constexpr size_t canary_bytes = 64, page = 256;
constexpr unsigned char canary = 0xa5;
constexpr size_t static_shared_limit = 48 << 10;  /* what every card gives without asking */
constexpr size_t dynamic_shared_limit = 64 << 10; /* what the least card gives when asked: compute capability 7.5 */

constexpr int HOST = -1, ALL_CARDS = -1;

struct memory {
    size_t bytes;
    int card; /* or HOST */
    size_t mapped; /* bytes of its mapping, in a machine with several cards; else 0 */
};

struct shared {
    char *data;
    size_t bytes;
};

std::recursive_mutex lock;
emulation_stream default_stream; /* what copies without a stream leave behind */
std::map<uintptr_t, memory> allocations;
std::set<emulation_stream *> streams;
std::map<std::pair<int, const void *>, size_t> dynamic_limits;
std::map<const void *, shared> block_shared; /* of the block that runs */
shared dynamic_shared;
constexpr int CAPABILITY = 90;
int cards = 1, exposed = ALL_CARDS, capability = CAPABILITY, first_capability = CAPABILITY;
size_t card_bytes = (size_t)2 << 30, used_bytes[EMULATION_CARDS], peer_bytes;
uint64_t launches;
unsigned long stream_count, stream_waits, card_waits;
int fail_countdown, allocation_countdown;
bool lost[EMULATION_CARDS];
cudaError_t device_status = cudaSuccess;
thread_local cudaError_t last_error = cudaSuccess;
thread_local int current; /* card */

cudaError_t note(cudaError_t status)
{
    if (status != cudaSuccess)
        last_error = status;
    return status;
}

char *guarded_new(size_t bytes)
{
    void *memory = nullptr;
    if (posix_memalign(&memory, page, bytes + canary_bytes) != 0)
        emulation_fail("the host has no memory for %zu bytes", bytes);
    memset(memory, 0xff, bytes);
    memset((char *)memory + bytes, canary, canary_bytes);
    return (char *)memory;
}

void check_canary(const char *memory, size_t bytes, const char *what)
{
    for (size_t i = 0; i < canary_bytes; i++)
        if ((unsigned char)memory[bytes + i] != canary)
            emulation_fail("%s memory of %zu bytes was written beyond its end", what, bytes);
}

void guarded_free(char *memory, size_t bytes, const char *what)
{
    check_canary(memory, bytes, what);
    free(memory);
}

/* AddressSanitizer sees reads beyond the end too, if there is nothing behind it. */
#if defined __SANITIZE_ADDRESS__
#define EXACT 1
#else
#define EXACT 0
#endif

char *region_new(size_t bytes)
{
    if (!EXACT)
        return guarded_new(bytes);
    void *memory = nullptr;
    if (posix_memalign(&memory, page, bytes) != 0)
        emulation_fail("the host has no memory for %zu bytes", bytes);
    memset(memory, 0xff, bytes);
    return (char *)memory;
}

void region_free(char *memory, size_t bytes, const char *what)
{
    if (EXACT)
        free(memory);
    else
        guarded_free(memory, bytes, what);
}

/* Memory of a card in a machine with several: a mapping of its own, so that it can be hidden from the others. */
char *mapped_new(size_t bytes, size_t *mapped)
{
    *mapped = (bytes + canary_bytes + 4095) / 4096 * 4096;
    void *memory = mmap(nullptr, *mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
        emulation_fail("the host has no memory for %zu bytes", bytes);
    memset(memory, 0xff, bytes);
    memset((char *)memory + bytes, canary, canary_bytes);
    return (char *)memory;
}

/* Let this card's memory be seen and no other's, or all of it. */
void expose(int card)
{
    if (cards == 1 || exposed == card)
        return;
    for (auto &entry : allocations)
        if (entry.second.mapped) {
            bool seen = card == ALL_CARDS || entry.second.card == card;
            mprotect((void *)entry.first, entry.second.mapped, seen ? PROT_READ | PROT_WRITE : PROT_NONE);
        }
    exposed = card;
}

void run_one(emulation_stream *stream)
{
    auto work = std::move(stream->work.front());
    stream->work.pop_front();
    if (lost[stream->card] && !work.always)
        return;
    expose(work.card);
    work.run();
}

void run(emulation_stream *stream)
{
    while (!stream->work.empty())
        run_one(stream);
}

void run_card(int card)
{
    card_waits++;
    run(&default_stream);
    for (auto stream : streams)
        if (stream->card == card)
            run(stream);
}

void add_work(emulation_stream *stream, int card, std::function<void()> work, bool always = false)
{
    if (stream != &default_stream && !streams.count(stream))
        emulation_fail("work for a stream that does not exist");
    stream->work.push_back({card, always, std::move(work)});
    if (stream->eager)
        run(stream);
}

/* The allocation that so many bytes from there on lie in; NULL: none. */
const memory *find(const void *pointer, size_t bytes)
{
    auto it = allocations.upper_bound((uintptr_t)pointer);
    if (it == allocations.begin())
        return nullptr;
    --it;
    return (uintptr_t)pointer + bytes <= it->first + it->second.bytes ? &it->second : nullptr;
}

cudaError_t allocate(void **out, size_t bytes, bool device)
{
    std::lock_guard<std::recursive_mutex> guard(lock);
    *out = nullptr;
    if (lost[current])
        return note(cudaErrorLaunchFailure);
    if (bytes == 0)
        return cudaSuccess;
    size_t &used = used_bytes[current], mapped = 0;
    bool failed = device && allocation_countdown > 0 && --allocation_countdown == 0;
    if (failed || (device && bytes > card_bytes - (used < card_bytes ? used : card_bytes)))
        return note(cudaErrorMemoryAllocation);
    if (device)
        used += bytes;
    card_waits++; /* a card may wait, and need not */
    expose(ALL_CARDS);
    char *memory = device && cards > 1 ? mapped_new(bytes, &mapped) : region_new(bytes);
    allocations[(uintptr_t)memory] = {bytes, device ? current : HOST, mapped};
    *out = memory;
    return cudaSuccess;
}

cudaError_t release(void *pointer, bool device)
{
    std::lock_guard<std::recursive_mutex> guard(lock);
    if (!pointer)
        return cudaSuccess;
    auto it = allocations.find((uintptr_t)pointer);
    if (it == allocations.end() || device != (it->second.card != HOST))
        emulation_fail("freed memory was never allocated, or freed before");
    int card = device ? it->second.card : current;
    run_card(card); /* as a card does */
    expose(ALL_CARDS);
    if (device)
        used_bytes[card] -= it->second.bytes;
    if (it->second.mapped) {
        check_canary((char *)pointer, it->second.bytes, "device");
        munmap(pointer, it->second.mapped);
    } else {
        region_free((char *)pointer, it->second.bytes, device ? "device" : "pinned");
    }
    allocations.erase(it);
    return lost[card] ? note(cudaErrorLaunchFailure) : cudaSuccess;
}

/* Both ends of a copy: whole pieces of memory, on the sides that the kind says. */
void check_copy(void *to, const void *from, size_t bytes, enum cudaMemcpyKind kind)
{
    bool to_device = kind != cudaMemcpyDeviceToHost, from_device = kind != cudaMemcpyHostToDevice;
    if (to_device != emulation_on_device(to, to_device ? bytes : 1))
        emulation_fail("a copy of %zu bytes goes to the wrong side, or beyond the end", bytes);
    if (from_device != emulation_on_device(from, from_device ? bytes : 1))
        emulation_fail("a copy of %zu bytes comes from the wrong side, or beyond the end", bytes);
}

void do_copy(void *to, const void *from, size_t bytes, enum cudaMemcpyKind kind)
{
    if (kind == cudaMemcpyDefault && find(to, bytes)->card != find(from, bytes)->card)
        peer_bytes += bytes;
    memcpy(to, from, bytes);
}

/* -- launches ------------------------------------------------------------------------------------------------------ */

void turn(int thread)
{
    threadIdx = dim3((unsigned)thread, 0, 0);
}

void call(void *thread)
{
    (*(const std::function<void()> *)thread)();
}

/* dynamic: bytes that the launch asked for; with what is static they may be `most`. */
void end_block(const char *name, size_t dynamic, size_t most)
{
    size_t all = 0;
    for (auto &entry : block_shared) {
        all += entry.second.bytes;
        region_free(entry.second.data, entry.second.bytes, "shared");
    }
    block_shared.clear();
    if (all > static_shared_limit || all + dynamic > most)
        emulation_fail("%s has %zu bytes of static shared memory and asks for %zu more", name, all, dynamic);
}

void run_grid(const char *name, dim3 grid, dim3 block, size_t shared_bytes, size_t most_shared,
              const std::function<void()> &thread)
{
    uint64_t launch = launches++, blocks = (uint64_t)grid.x * grid.y * grid.z;
    blockDim = block;
    gridDim = grid;
    for (uint64_t i = 0; i < blocks; i++) {
        uint64_t b = launch % 2 ? blocks - 1 - i : i;
        blockIdx = dim3((unsigned)(b % grid.x), (unsigned)(b / grid.x % grid.y), (unsigned)(b / grid.x / grid.y));
        if (shared_bytes)
            dynamic_shared = {region_new(shared_bytes), shared_bytes};
        enum emulation_order order = (enum emulation_order)((launch + i) % EMULATION_ORDERS);
        emulation_block_run((int)block.x, order, launch * 1000003 + i, turn, call, (void *)&thread);
        if (shared_bytes)
            region_free(dynamic_shared.data, shared_bytes, "dynamic shared");
        dynamic_shared = {nullptr, 0};
        end_block(name, shared_bytes, most_shared);
    }
}

} // namespace

bool emulation_on_device(const void *pointer, size_t bytes)
{
    std::lock_guard<std::recursive_mutex> guard(lock);
    const memory *memory = find(pointer, bytes);
    return memory && memory->card != HOST;
}

void emulation_add_work(cudaStream_t stream, std::function<void()> work)
{
    std::lock_guard<std::recursive_mutex> guard(lock);
    add_work(stream, stream->card, std::move(work));
}

int emulation_card(void)
{
    return current;
}

int emulation_capability(void)
{
    return current == 0 ? first_capability : capability;
}

int emulation_stream_card(cudaStream_t stream)
{
    return stream->card;
}

void *emulation_shared(const void *site, size_t bytes)
{
    shared &memory = block_shared[site];
    if (!memory.data)
        memory = {region_new(bytes), bytes};
    return memory.data;
}

void *emulation_dynamic_shared(void)
{
    if (!dynamic_shared.data)
        emulation_fail("the launch asks for no dynamic shared memory");
    return dynamic_shared.data;
}

void emulation_enqueue(const char *name, const void *function, dim3 grid, dim3 block, size_t shared_bytes,
                       cudaStream_t stream, std::function<void()> thread)
{
    std::lock_guard<std::recursive_mutex> guard(lock);
    auto limit = dynamic_limits.find({current, function});
    size_t most = limit == dynamic_limits.end() ? static_shared_limit : limit->second;
    bool fits = grid.x >= 1 && grid.x <= INT32_MAX && grid.y >= 1 && grid.y <= 65535 && grid.z >= 1 &&
                grid.z <= 65535 && block.x >= 1 && block.x <= EMULATION_MOST_THREADS && block.y == 1 && block.z == 1 &&
                shared_bytes <= most;
    if (!fits || lost[current] || stream->card != current) {
        note(lost[current]              ? cudaErrorLaunchFailure
             : stream->card != current ? cudaErrorInvalidResourceHandle
                                        : cudaErrorInvalidConfiguration);
        return;
    }
    add_work(stream, current, [=] {
        if (fail_countdown && --fail_countdown == 0)
            lost[stream->card] = true;
        else
            run_grid(name, grid, block, shared_bytes, most > static_shared_limit ? dynamic_shared_limit : static_shared_limit,
                     thread);
    });
}

/* -- the library --------------------------------------------------------------------------------------------------- */

cudaError_t cudaGetLastError(void)
{
    cudaError_t status = lost[current] ? cudaErrorLaunchFailure : last_error;
    last_error = cudaSuccess;
    return status;
}

const char *cudaGetErrorName(cudaError_t status)
{
    switch (status) {
    case cudaSuccess:
        return "cudaSuccess";
    case cudaErrorInvalidValue:
        return "cudaErrorInvalidValue";
    case cudaErrorMemoryAllocation:
        return "cudaErrorMemoryAllocation";
    case cudaErrorInvalidConfiguration:
        return "cudaErrorInvalidConfiguration";
    case cudaErrorInsufficientDriver:
        return "cudaErrorInsufficientDriver";
    case cudaErrorNoDevice:
        return "cudaErrorNoDevice";
    case cudaErrorInvalidDevice:
        return "cudaErrorInvalidDevice";
    case cudaErrorNotReady:
        return "cudaErrorNotReady";
    case cudaErrorInvalidResourceHandle:
        return "cudaErrorInvalidResourceHandle";
    case cudaErrorLaunchFailure:
        return "cudaErrorLaunchFailure";
    }
    return "unknown";
}

const char *cudaGetErrorString(cudaError_t status)
{
    return status == cudaErrorLaunchFailure ? "unspecified launch failure" : "an error of the emulation";
}

cudaError_t cudaDriverGetVersion(int *version)
{
    *version = 11040;
    return cudaSuccess;
}

cudaError_t cudaRuntimeGetVersion(int *version)
{
    *version = 13000;
    return cudaSuccess;
}

cudaError_t cudaGetDeviceCount(int *count)
{
    *count = device_status == cudaSuccess ? cards : 0;
    return note(device_status);
}

cudaError_t cudaSetDevice(int ordinal)
{
    if (ordinal < 0 || ordinal >= cards)
        return note(cudaErrorInvalidDevice);
    current = ordinal;
    return note(lost[current] ? cudaErrorLaunchFailure : cudaSuccess);
}

cudaError_t cudaGetDeviceProperties(struct cudaDeviceProp *properties, int ordinal)
{
    memset(properties, 0, sizeof *properties);
    snprintf(properties->name, sizeof properties->name, "emulated card");
    int its = ordinal == 0 ? first_capability : capability;
    properties->major = its / 10;
    properties->minor = its % 10;
    return note(ordinal >= 0 && ordinal < cards ? cudaSuccess : cudaErrorInvalidDevice);
}

cudaError_t cudaMemGetInfo(size_t *available, size_t *total)
{
    std::lock_guard<std::recursive_mutex> guard(lock);
    *total = card_bytes;
    *available = used_bytes[current] < card_bytes ? card_bytes - used_bytes[current] : 0;
    return note(lost[current] ? cudaErrorLaunchFailure : cudaSuccess);
}

cudaError_t cudaMalloc(void **out, size_t bytes)
{
    return allocate(out, bytes, true);
}

cudaError_t cudaFree(void *pointer)
{
    return release(pointer, true);
}

cudaError_t cudaMallocHost(void **out, size_t bytes)
{
    return allocate(out, bytes, false);
}

cudaError_t cudaFreeHost(void *pointer)
{
    return release(pointer, false);
}

cudaError_t cudaMemcpyAsync(void *to, const void *from, size_t bytes, enum cudaMemcpyKind kind, cudaStream_t stream)
{
    std::lock_guard<std::recursive_mutex> guard(lock);
    if (lost[stream->card])
        return note(cudaErrorLaunchFailure);
    check_copy(to, from, bytes, kind);
    std::shared_ptr<std::vector<char>> staged;
    if (kind == cudaMemcpyHostToDevice && !find(from, bytes)) /* not pinned: taken at once */
        staged = std::make_shared<std::vector<char>>((const char *)from, (const char *)from + bytes);
    add_work(stream, ALL_CARDS, [=] {
        if (!staged)
            check_copy(to, from, bytes, kind);
        do_copy(to, staged ? staged->data() : from, bytes, kind);
    });
    return cudaSuccess;
}

/* From the host to the card it returns as soon as the host's memory may change; other streams do not wait for it. */
cudaError_t cudaMemcpy(void *to, const void *from, size_t bytes, enum cudaMemcpyKind kind)
{
    std::lock_guard<std::recursive_mutex> guard(lock);
    card_waits++;
    cudaError_t status = cudaMemcpyAsync(to, from, bytes, kind, &default_stream);
    if (kind == cudaMemcpyDeviceToHost)
        run(&default_stream);
    return status;
}

cudaError_t cudaMemsetAsync(void *to, int value, size_t bytes, cudaStream_t stream)
{
    std::lock_guard<std::recursive_mutex> guard(lock);
    if (!emulation_on_device(to, bytes))
        emulation_fail("%zu bytes are set beyond the end", bytes);
    add_work(stream, stream->card, [=] { memset(to, value, bytes); });
    return cudaSuccess;
}

/* Streams come in pairs as a program makes them; in some pairs the first, in some the second is hasty. */
cudaError_t cudaStreamCreateWithFlags(cudaStream_t *stream, unsigned)
{
    std::lock_guard<std::recursive_mutex> guard(lock);
    unsigned long number = stream_count++, pair = number / 2 % 3;
    *stream = new emulation_stream{current, pair == 1 + number % 2, {}};
    streams.insert(*stream);
    return cudaSuccess;
}

cudaError_t cudaStreamDestroy(cudaStream_t stream)
{
    std::lock_guard<std::recursive_mutex> guard(lock);
    run(stream);
    streams.erase(stream);
    delete stream;
    return cudaSuccess;
}

cudaError_t cudaStreamSynchronize(cudaStream_t stream)
{
    std::lock_guard<std::recursive_mutex> guard(lock);
    (stream ? stream_waits : card_waits)++;
    stream = stream ? stream : &default_stream;
    run(stream);
    return note(lost[stream->card] ? cudaErrorLaunchFailure : cudaSuccess);
}

/* "Not ready" is no failure, yet remembered like one. */
cudaError_t cudaStreamQuery(cudaStream_t stream)
{
    std::lock_guard<std::recursive_mutex> guard(lock);
    return note(lost[stream->card] ? cudaErrorLaunchFailure : stream->work.empty() ? cudaSuccess : cudaErrorNotReady);
}

cudaError_t cudaEventCreateWithFlags(cudaEvent_t *event, unsigned)
{
    *event = new emulation_event{nullptr, nullptr};
    return cudaSuccess;
}

cudaError_t cudaEventDestroy(cudaEvent_t event)
{
    delete event;
    return cudaSuccess;
}

cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream)
{
    std::lock_guard<std::recursive_mutex> guard(lock);
    auto done = std::make_shared<bool>(false);
    event->done = done;
    event->stream = stream;
    add_work(stream, ALL_CARDS, [=] { *done = true; }, true);
    return cudaSuccess;
}

/* What the event stands for is fixed by now; recording it again changes nothing. */
cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t event, unsigned)
{
    std::lock_guard<std::recursive_mutex> guard(lock);
    auto done = event->done;
    auto other = event->stream;
    if (done)
        add_work(stream, ALL_CARDS, [=] {
            while (!*done)
                run_one(other);
        }, true);
    return cudaSuccess;
}

cudaError_t cudaFuncSetAttribute(const void *function, enum cudaFuncAttribute, int bytes)
{
    std::lock_guard<std::recursive_mutex> guard(lock);
    if (bytes < 0 || (size_t)bytes > dynamic_shared_limit)
        return note(cudaErrorInvalidValue);
    dynamic_limits[{current, function}] = (size_t)bytes;
    return cudaSuccess;
}

/* -- for tests ----------------------------------------------------------------------------------------------------- */

void emulation_set_cards(int count)
{
    if (count < 1 || count > EMULATION_CARDS)
        emulation_fail("a machine with %d cards; it may have 1 to %d", count, EMULATION_CARDS);
    cards = count;
}

void emulation_set_capability(int value)
{
    capability = first_capability = value;
}

void emulation_set_first_capability(int value)
{
    first_capability = value;
}

void emulation_waits(unsigned long *stream, unsigned long *card)
{
    std::lock_guard<std::recursive_mutex> guard(lock);
    *stream = stream_waits;
    *card = card_waits;
}

size_t emulation_used(int card)
{
    std::lock_guard<std::recursive_mutex> guard(lock);
    return used_bytes[card];
}

size_t emulation_peer_bytes(void)
{
    std::lock_guard<std::recursive_mutex> guard(lock);
    return peer_bytes;
}

void emulation_set_memory(size_t bytes)
{
    card_bytes = bytes;
}

void emulation_fail_allocation(int n)
{
    allocation_countdown = n;
}

bool emulation_allocation_failed(void)
{
    return allocation_countdown == 0;
}

void emulation_fail_kernel(int n)
{
    fail_countdown = n;
}

void emulation_set_device_status(cudaError_t status)
{
    device_status = status;
}

void emulation_reset(void)
{
    memset(lost, 0, sizeof lost);
    fail_countdown = allocation_countdown = 0;
    cards = 1;
    capability = first_capability = CAPABILITY;
    device_status = last_error = cudaSuccess;
    card_bytes = (size_t)2 << 30;
}
