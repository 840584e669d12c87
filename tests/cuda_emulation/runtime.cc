/* runtime.cc: the stand-in for the CUDA run-time library (cuda_runtime_api.h) and for launching kernels. */
#include <cuda_runtime.h>

#include <cstdio>
#include <cstdlib>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <vector>

#include "tests/cuda_emulation/runtime.h"

dim3 threadIdx, blockIdx, blockDim, gridDim;

struct emulation_stream {
    std::deque<std::function<void()>> work;
};

namespace
{

constexpr size_t canary_bytes = 64, page = 256;
constexpr unsigned char canary = 0xa5;
constexpr size_t static_shared_limit = 48 << 10;  /* what every card gives without asking */
constexpr size_t dynamic_shared_limit = 64 << 10; /* what the least card gives when asked: compute capability 7.5 */

struct memory {
    size_t bytes;
    bool device;
};

struct shared {
    char *data;
    size_t bytes;
};

std::recursive_mutex lock;
emulation_stream default_stream; /* what copies without a stream leave behind */
std::map<uintptr_t, memory> allocations;
std::set<emulation_stream *> streams;
std::map<const void *, size_t> dynamic_limits;
std::map<const void *, shared> block_shared; /* of the block that runs */
shared dynamic_shared;
size_t card_bytes = (size_t)2 << 30, used_bytes;
uint64_t launches;
int fail_countdown;
bool lost;
cudaError_t device_status = cudaSuccess;
thread_local cudaError_t last_error = cudaSuccess;

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

void guarded_free(char *memory, size_t bytes, const char *what)
{
    for (size_t i = 0; i < canary_bytes; i++)
        if ((unsigned char)memory[bytes + i] != canary)
            emulation_fail("%s memory of %zu bytes was written beyond its end", what, bytes);
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

void run(emulation_stream *stream)
{
    while (!stream->work.empty()) {
        auto work = std::move(stream->work.front());
        stream->work.pop_front();
        if (!lost)
            work();
    }
}

void run_all()
{
    run(&default_stream);
    for (auto stream : streams)
        run(stream);
}

void add_work(emulation_stream *stream, std::function<void()> work)
{
    if (stream != &default_stream && !streams.count(stream))
        emulation_fail("work for a stream that does not exist");
    stream->work.push_back(std::move(work));
}

bool inside(const void *pointer, size_t bytes, bool device)
{
    auto it = allocations.upper_bound((uintptr_t)pointer);
    if (it == allocations.begin())
        return false;
    --it;
    return it->second.device == device && (uintptr_t)pointer + bytes <= it->first + it->second.bytes;
}

cudaError_t allocate(void **out, size_t bytes, bool device)
{
    std::lock_guard<std::recursive_mutex> guard(lock);
    *out = nullptr;
    if (lost)
        return note(cudaErrorLaunchFailure);
    if (bytes == 0)
        return cudaSuccess;
    if (device && bytes > card_bytes - (used_bytes < card_bytes ? used_bytes : card_bytes))
        return note(cudaErrorMemoryAllocation);
    if (device)
        used_bytes += bytes;
    char *memory = region_new(bytes);
    allocations[(uintptr_t)memory] = {bytes, device};
    *out = memory;
    return cudaSuccess;
}

cudaError_t release(void *pointer, bool device)
{
    std::lock_guard<std::recursive_mutex> guard(lock);
    if (!pointer)
        return cudaSuccess;
    auto it = allocations.find((uintptr_t)pointer);
    if (it == allocations.end() || it->second.device != device)
        emulation_fail("freed memory was never allocated, or freed before");
    run_all(); /* as a card does */
    if (device)
        used_bytes -= it->second.bytes;
    region_free((char *)pointer, it->second.bytes, device ? "device" : "pinned");
    allocations.erase(it);
    return lost ? note(cudaErrorLaunchFailure) : cudaSuccess;
}

void check_copy(void *to, const void *from, size_t bytes, enum cudaMemcpyKind kind)
{
    bool to_device = kind != cudaMemcpyDeviceToHost, from_device = kind != cudaMemcpyHostToDevice;
    if (to_device != emulation_on_device(to, to_device ? bytes : 1))
        emulation_fail("a copy of %zu bytes goes to the wrong side, or beyond the end", bytes);
    if (from_device != emulation_on_device(from, from_device ? bytes : 1))
        emulation_fail("a copy of %zu bytes comes from the wrong side, or beyond the end", bytes);
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

void end_block(const char *name)
{
    size_t all = 0;
    for (auto &entry : block_shared) {
        all += entry.second.bytes;
        region_free(entry.second.data, entry.second.bytes, "shared");
    }
    block_shared.clear();
    if (all > static_shared_limit)
        emulation_fail("%s has %zu bytes of static shared memory", name, all);
}

void run_grid(const char *name, dim3 grid, dim3 block, size_t shared_bytes, const std::function<void()> &thread)
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
        end_block(name);
    }
}

} // namespace

bool emulation_on_device(const void *pointer, size_t bytes)
{
    std::lock_guard<std::recursive_mutex> guard(lock);
    return inside(pointer, bytes, true);
}

void emulation_add_work(cudaStream_t stream, std::function<void()> work)
{
    std::lock_guard<std::recursive_mutex> guard(lock);
    add_work(stream, std::move(work));
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
    auto limit = dynamic_limits.find(function);
    size_t most = limit == dynamic_limits.end() ? static_shared_limit : limit->second;
    bool fits = grid.x >= 1 && grid.x <= INT32_MAX && grid.y >= 1 && grid.y <= 65535 && grid.z >= 1 &&
                grid.z <= 65535 && block.x >= 1 && block.x <= EMULATION_MOST_THREADS && block.y == 1 && block.z == 1 &&
                shared_bytes <= most;
    if (!fits || lost) {
        note(lost ? cudaErrorLaunchFailure : cudaErrorInvalidConfiguration);
        return;
    }
    add_work(stream, [=] {
        if (fail_countdown && --fail_countdown == 0)
            lost = true;
        else
            run_grid(name, grid, block, shared_bytes, thread);
    });
}

/* -- the library --------------------------------------------------------------------------------------------------- */

cudaError_t cudaGetLastError(void)
{
    cudaError_t status = lost ? cudaErrorLaunchFailure : last_error;
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
    *count = device_status == cudaSuccess ? 1 : 0;
    return note(device_status);
}

cudaError_t cudaSetDevice(int ordinal)
{
    return note(lost ? cudaErrorLaunchFailure : ordinal == 0 ? cudaSuccess : cudaErrorInvalidDevice);
}

cudaError_t cudaGetDeviceProperties(struct cudaDeviceProp *properties, int ordinal)
{
    memset(properties, 0, sizeof *properties);
    snprintf(properties->name, sizeof properties->name, "emulated card");
    properties->major = 9;
    return note(ordinal == 0 ? cudaSuccess : cudaErrorInvalidDevice);
}

cudaError_t cudaMemGetInfo(size_t *available, size_t *total)
{
    std::lock_guard<std::recursive_mutex> guard(lock);
    *total = card_bytes;
    *available = used_bytes < card_bytes ? card_bytes - used_bytes : 0;
    return cudaSuccess;
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
    if (lost)
        return note(cudaErrorLaunchFailure);
    check_copy(to, from, bytes, kind);
    std::shared_ptr<std::vector<char>> staged;
    if (kind == cudaMemcpyHostToDevice && !inside(from, bytes, false)) /* not pinned: taken at once */
        staged = std::make_shared<std::vector<char>>((const char *)from, (const char *)from + bytes);
    add_work(stream, [=] {
        if (!staged)
            check_copy(to, from, bytes, kind);
        memcpy(to, staged ? staged->data() : from, bytes);
    });
    return cudaSuccess;
}

/* From the host to the card it returns as soon as the host's memory may change; other streams do not wait for it. */
cudaError_t cudaMemcpy(void *to, const void *from, size_t bytes, enum cudaMemcpyKind kind)
{
    std::lock_guard<std::recursive_mutex> guard(lock);
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
    add_work(stream, [=] { memset(to, value, bytes); });
    return cudaSuccess;
}

cudaError_t cudaStreamCreateWithFlags(cudaStream_t *stream, unsigned)
{
    std::lock_guard<std::recursive_mutex> guard(lock);
    *stream = new emulation_stream;
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
    run(stream ? stream : &default_stream);
    return note(lost ? cudaErrorLaunchFailure : cudaSuccess);
}

cudaError_t cudaFuncSetAttribute(const void *function, enum cudaFuncAttribute, int bytes)
{
    std::lock_guard<std::recursive_mutex> guard(lock);
    if (bytes < 0 || (size_t)bytes > dynamic_shared_limit)
        return note(cudaErrorInvalidValue);
    dynamic_limits[function] = (size_t)bytes;
    return cudaSuccess;
}

/* -- for tests ----------------------------------------------------------------------------------------------------- */

void emulation_set_memory(size_t bytes)
{
    card_bytes = bytes;
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
    lost = false;
    fail_countdown = 0;
    device_status = last_error = cudaSuccess;
    card_bytes = (size_t)2 << 30;
}
