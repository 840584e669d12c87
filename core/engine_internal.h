/* engine_internal.h: what an engine is made of; for core only. */
#ifndef CORE_ENGINE_INTERNAL_H
#define CORE_ENGINE_INTERNAL_H

#include <stdatomic.h>

#include "core/chat.h"
#include "core/engine.h"
#include "core/model.h"

struct gguf;

struct engine {
    struct gguf *file, *mmproj; /* mmproj and vision: NULL where no pictures are seen */
    struct tokenizer *tokenizer;
    struct device *device;
    struct model *model;
    struct vision *vision;
    enum precision precision;
    bool precision_asked;
    size_t memory; /* bytes that the user allows; 0: as many as budget.h says */
    atomic_bool rounded; /* the weights' copies in this precision are made */
    struct chat_template chat; /* family NULL: none */
    struct engine_info info;
};

#endif
