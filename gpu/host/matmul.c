#include "gpu/host/matmul.h"

#include <omp.h>
#include <oneapi/dnnl/dnnl.h>
#include <stdlib.h>

#include "gpu/host/host.h"

struct matmul {
    int outputs, columns;
    dnnl_data_type_t type; /* of the weight */
    dnnl_engine_t engine;
    dnnl_primitive_t product;
    dnnl_memory_desc_t x, weight, y, scratch;
    void *data;           /* the packed weight, */
    dnnl_memory_t packed; /* as oneDNN knows it: made once, for making it writes zeros to what pads it */
};

bool matmul_offered(enum matmul_kind kind)
{
    unsigned isa = (unsigned)dnnl_get_effective_cpu_isa();
    if (kind == MATMUL_BF16)
        return (isa & dnnl_cpu_isa_avx512_core) == dnnl_cpu_isa_avx512_core; /* others have no code for it */
    /* The instructions before VNNI add pairs of products in 16 bits, which may not hold them. */
    return (isa & dnnl_cpu_isa_avx512_core_vnni) == dnnl_cpu_isa_avx512_core_vnni ||
           (isa & dnnl_cpu_isa_avx2_vnni) == dnnl_cpu_isa_avx2_vnni;
}

static bool describe(dnnl_memory_desc_t *matrix, int rows, int columns, dnnl_data_type_t type, dnnl_format_tag_t tag)
{
    return dnnl_memory_desc_init_by_tag(matrix, 2, (dnnl_dims_t){rows, columns}, type, tag) == dnnl_success;
}

static bool make_product(struct matmul *m, enum matmul_kind kind, int rows)
{
    dnnl_data_type_t x = kind == MATMUL_BF16 ? dnnl_bf16 : dnnl_u8, y = kind == MATMUL_BF16 ? dnnl_f32 : dnnl_s32;
    dnnl_matmul_desc_t how;
    dnnl_primitive_attr_t attribute = NULL;
    dnnl_primitive_desc_t description = NULL;
    bool made = describe(&m->x, rows, m->columns, x, dnnl_ab) &&
                describe(&m->weight, m->columns, m->outputs, m->type, dnnl_format_tag_any) &&
                describe(&m->y, rows, m->outputs, y, dnnl_ab) &&
                dnnl_matmul_desc_init(&how, &m->x, &m->weight, NULL, &m->y) == dnnl_success &&
                dnnl_primitive_attr_create(&attribute) == dnnl_success &&
                dnnl_primitive_attr_set_scratchpad_mode(attribute, dnnl_scratchpad_mode_user) == dnnl_success &&
                dnnl_primitive_desc_create(&description, &how, attribute, m->engine, NULL) == dnnl_success &&
                dnnl_primitive_create(&m->product, description) == dnnl_success;
    if (made) {
        m->weight = *dnnl_primitive_desc_query_md(description, dnnl_query_weights_md, 0);
        m->scratch = *dnnl_primitive_desc_query_md(description, dnnl_query_scratchpad_md, 0);
    }
    dnnl_primitive_desc_destroy(description);
    dnnl_primitive_attr_destroy(attribute);
    return made;
}

/* An argument: memory of the caller's. */
struct part {
    int is; /* DNNL_ARG_... */
    const dnnl_memory_desc_t *matrix;
    const void *data;
};

/* Run a primitive on the packed weight, which is argument weight_is, and on some parts. */
static bool execute(const struct matmul *m, dnnl_primitive_t primitive, int weight_is, const struct part *part,
                    int parts)
{
    enum { MOST = 4 };
    dnnl_exec_arg_t argument[MOST] = {{weight_is, m->packed}};
    dnnl_stream_t stream = NULL;
    omp_set_num_threads(1); /* of the calling thread */
    bool done = dnnl_stream_create(&stream, m->engine, dnnl_stream_default_flags) == dnnl_success;
    for (int i = 0; i < parts; i++) {
        argument[i + 1].arg = part[i].is;
        done = done && dnnl_memory_create(&argument[i + 1].memory, part[i].matrix, m->engine, (void *)part[i].data) ==
                           dnnl_success;
    }
    done = done && dnnl_primitive_execute(primitive, stream, parts + 1, argument) == dnnl_success &&
           dnnl_stream_wait(stream) == dnnl_success;
    for (int i = 0; i < parts; i++)
        dnnl_memory_destroy(argument[i + 1].memory);
    dnnl_stream_destroy(stream);
    return done;
}

bool matmul_pack(struct matmul *m, const void *weight)
{
    dnnl_memory_desc_t plain;
    dnnl_primitive_desc_t description = NULL;
    dnnl_primitive_t reorder = NULL;
    bool done = describe(&plain, m->columns, m->outputs, m->type, dnnl_ba) &&
                dnnl_reorder_primitive_desc_create(&description, &plain, m->engine, &m->weight, m->engine, NULL) ==
                    dnnl_success &&
                dnnl_primitive_create(&reorder, description) == dnnl_success &&
                execute(m, reorder, DNNL_ARG_TO, &(struct part){DNNL_ARG_FROM, &plain, weight}, 1);
    dnnl_primitive_destroy(reorder);
    dnnl_primitive_desc_destroy(description);
    return done;
}

struct matmul *matmul_new(enum matmul_kind kind, int rows, int outputs, int columns)
{
    struct matmul *m = calloc(1, sizeof *m);
    if (!m)
        return NULL;
    *m = (struct matmul){.outputs = outputs, .columns = columns, .type = kind == MATMUL_BF16 ? dnnl_bf16 : dnnl_s8};
    omp_set_num_threads(1); /* of the calling thread: a product is made for as many as there are when it is made */
    if (dnnl_engine_create(&m->engine, dnnl_cpu, 0) == dnnl_success && make_product(m, kind, rows) &&
        (m->data = host_memory_new(dnnl_memory_desc_get_size(&m->weight))) &&
        dnnl_memory_create(&m->packed, &m->weight, m->engine, m->data) == dnnl_success)
        return m;
    matmul_free(m);
    return NULL;
}

void matmul_free(struct matmul *m)
{
    if (!m)
        return;
    dnnl_primitive_destroy(m->product);
    dnnl_memory_destroy(m->packed);
    dnnl_engine_destroy(m->engine);
    free(m->data);
    free(m);
}

size_t matmul_scratch(const struct matmul *m)
{
    return dnnl_memory_desc_get_size(&m->scratch);
}

bool matmul_run(const struct matmul *m, const void *x, void *scratch, void *y)
{
    const struct part part[] = {
        {DNNL_ARG_SRC, &m->x, x}, {DNNL_ARG_DST, &m->y, y}, {DNNL_ARG_SCRATCHPAD, &m->scratch, scratch}};
    return execute(m, m->product, DNNL_ARG_WEIGHTS, part, 3);
}
