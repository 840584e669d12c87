/* kernels_choose.c: which levels of kernels this build has and this processor runs. */
#include "gpu/host/kernels.h"

#include <pthread.h>
#include <string.h>

#define DECLARE(which)                                                                                                 \
    void kernels_rows_##which(struct kernels *);                                                                       \
    void kernels_attend_##which(struct kernels *);                                                                     \
    void kernels_head_##which(struct kernels *);                                                                       \
    void kernels_int8_##which(struct kernels *);                                                                       \
    void kernels_product_##which(struct kernels *);                                                                    \
    void kernels_pack_##which(struct kernels *);                                                                       \
    const struct dtype_info *dtype_info_##which(uint32_t type);                                                        \
    static void fill_##which(struct kernels *kernels)                                                                  \
    {                                                                                                                  \
        kernels->level = #which;                                                                                       \
        kernels_rows_##which(kernels);                                                                                 \
        kernels_attend_##which(kernels);                                                                               \
        kernels_head_##which(kernels);                                                                                 \
        kernels_int8_##which(kernels);                                                                                 \
        kernels_product_##which(kernels);                                                                              \
        kernels_pack_##which(kernels);                                                                                 \
        kernels->dtype = dtype_info_##which;                                                                           \
    }

DECLARE(generic)
#ifdef KERNELS_X86_64
DECLARE(avx2)
DECLARE(avx512)
DECLARE(vnni)
#endif

/* Best first. */
static struct kernels levels[4];
static int level_count;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void find_levels(void)
{
#ifdef KERNELS_X86_64
    __builtin_cpu_init();
    bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("f16c");
    bool avx512 = avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                  __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
    if (avx512 && __builtin_cpu_supports("avx512vnni"))
        fill_vnni(&levels[level_count++]);
    if (avx512)
        fill_avx512(&levels[level_count++]);
    if (avx2)
        fill_avx2(&levels[level_count++]);
#endif
    fill_generic(&levels[level_count++]);
}

const struct kernels *kernels_choose(const char *level)
{
    pthread_once(&once, find_levels);
    for (int i = 0; i < level_count; i++)
        if (!level || !strcmp(levels[i].level, level))
            return &levels[i];
    return NULL;
}
