/* module.c: finds, loads and checks the CUDA module.  Knows nothing about CUDA. */
#include "gpu/module.h"

#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "gpu/cuda/module.h"

typedef int open_function(int ordinal, struct device **, struct error *);

/* The number in "cuda" (0) or "cuda:N"; negative: an error. */
static int card_number(const char *name, struct error *error)
{
    const char *text = name + strlen("cuda");
    if (!strcmp(text, ":all"))
        return error_set(error, ERROR_ARGUMENT, "several cards at once cannot be used yet; name one, as in \"cuda:0\"");
    if (!*text)
        return 0;
    char *end = NULL;
    errno = 0;
    long number = *text == ':' && text[1] >= '0' && text[1] <= '9' ? strtol(text + 1, &end, 10) : -1;
    if (number < 0 || *end || errno || number > INT_MAX)
        return error_set(error, ERROR_ARGUMENT, "unknown device \"%s\"; a card is \"cuda\" or \"cuda:N\"", name);
    return (int)number;
}

/* The module beside the program that runs, as in a build folder; false where that cannot be said. */
static bool path_beside_program(char *path, size_t size)
{
    ssize_t length = readlink("/proc/self/exe", path, size - 1);
    if (length <= 0)
        return false;
    path[length] = '\0';
    char *slash = strrchr(path, '/');
    if (!slash || (size_t)(slash - path) + 2 + strlen(CUDA_MODULE_FILE) > size)
        return false;
    strcpy(slash + 1, CUDA_MODULE_FILE);
    return true;
}

static void *load(struct error *error)
{
    char beside[PATH_MAX];
    static const char installed[] = MODULEDIR "/" CUDA_MODULE_FILE;
    const char *path = installed;
    if (path_beside_program(beside, sizeof beside) && access(beside, R_OK) == 0)
        path = beside;
    else if (access(installed, R_OK) != 0) {
        error_set(error, ERROR_DEVICE, "this build has no CUDA device (%s is missing); use \"cpu\"", installed);
        return NULL;
    }
    void *module = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!module)
        error_set(error, ERROR_DEVICE,
                  "the CUDA device cannot be loaded: %s; install NVIDIA's CUDA libraries, or use "
                  "\"cpu\"",
                  dlerror());
    return module;
}

int module_open_cuda(const char *name, struct device **device, struct error *error)
{
    *device = NULL;
    int number = card_number(name, error);
    if (number < 0)
        return number;
    void *module = load(error);
    if (!module)
        return ERROR_DEVICE;
    static const struct cuda_module_contract ours = CUDA_MODULE_CONTRACT;
    const void *contract = dlsym(module, "cuda_module_contract");
    open_function *open = NULL;
    void *symbol = dlsym(module, "cuda_module_open");
    memcpy(&open, &symbol, sizeof open); /* ISO C has no conversion from an object's to a function's pointer */
    if (!contract || !open || memcmp(contract, &ours, sizeof ours) != 0)
        return error_set(error, ERROR_DEVICE,
                         "the module %s belongs to another version of this program; install them "
                         "together",
                         CUDA_MODULE_FILE);
    return open(number, device, error);
}
