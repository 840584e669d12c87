/* machine.c: what this machine lets us use.  Every answer is a guess that may be absent, never an error. */
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "gpu/host/host.h"

void machine_processor(char *name, size_t size)
{
    snprintf(name, size, "CPU");
    FILE *file = fopen("/proc/cpuinfo", "r");
    if (!file)
        return;
    char line[512];
    while (fgets(line, sizeof line, file)) {
        char *value = strchr(line, ':');
        if (strncmp(line, "model name", 10) || !value)
            continue;
        value += strspn(value, ": \t");
        value[strcspn(value, "\n")] = 0;
        snprintf(name, size, "%s", value);
        break;
    }
    fclose(file);
}

int machine_cores(void)
{
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) == 0 && CPU_COUNT(&set) > 0)
        return CPU_COUNT(&set);
    long online = sysconf(_SC_NPROCESSORS_ONLN);
    return online > 0 ? (int)online : 1;
}

/* The number a one-line file holds; fallback where there is none ("max"). */
static uint64_t file_number(const char *path, uint64_t fallback)
{
    FILE *file = fopen(path, "r");
    unsigned long long value = 0;
    if (!file)
        return fallback;
    int found = fscanf(file, "%llu", &value);
    fclose(file);
    return found == 1 ? value : fallback;
}

size_t machine_memory(void)
{
    unsigned long long available = 0;
    FILE *file = fopen("/proc/meminfo", "r");
    if (file) {
        char line[256];
        while (fgets(line, sizeof line, file) && sscanf(line, "MemAvailable: %llu kB", &available) != 1)
            ;
        fclose(file);
    }
    uint64_t bytes = (uint64_t)available * 1024;

    /* A container's limit, where there is one, binds before the machine's memory does. */
    uint64_t limit = file_number("/sys/fs/cgroup/memory.max", UINT64_MAX);
    uint64_t used = file_number("/sys/fs/cgroup/memory.current", 0);
    if (limit != UINT64_MAX && limit - (used < limit ? used : limit) < bytes)
        bytes = limit - (used < limit ? used : limit);
    return bytes;
}

size_t machine_used(void)
{
    FILE *file = fopen("/proc/self/statm", "r");
    unsigned long long size, resident, shared;
    if (!file)
        return 0;
    int found = fscanf(file, "%llu %llu %llu", &size, &resident, &shared);
    fclose(file);
    return found == 3 && resident > shared ? (size_t)(resident - shared) * (size_t)sysconf(_SC_PAGESIZE) : 0;
}
