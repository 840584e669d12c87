/* module.c: finds, loads and checks the CUDA module.  Knows nothing about CUDA. */
#include "gpu/module.h"

#include <dlfcn.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "gpu/cuda/module.h"

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

/* ISO C has no conversion from an object's to a function's pointer. */
static bool find_function(void *module, const char *name, void *function)
{
    void *symbol = dlsym(module, name);
    memcpy(function, &symbol, sizeof symbol);
    return symbol;
}

int module_load_cuda(struct cuda_module *cuda, struct error *error)
{
    static const struct cuda_module_contract ours = CUDA_MODULE_CONTRACT;
    void *module = load(error);
    if (!module)
        return ERROR_DEVICE;
    const void *contract = dlsym(module, "cuda_module_contract");
    if (!contract || memcmp(contract, &ours, sizeof ours) != 0 ||
        !find_function(module, "cuda_module_count", &cuda->count) ||
        !find_function(module, "cuda_module_open", &cuda->open))
        return error_set(error, ERROR_DEVICE,
                         "the module %s belongs to another version of this program; install them "
                         "together",
                         CUDA_MODULE_FILE);
    return 0;
}
