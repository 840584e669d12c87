#include "core/tensors.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/gguf.h"

enum { NAME = 80 }; /* bytes of a tensor's whole name, as we write them */

bool tensors_have(const struct tensors *t, const char *name)
{
    return gguf_tensor(t->file, name);
}

const struct gguf_tensor *tensors_find(struct tensors *t, const char *name, int rows, int columns, bool optional)
{
    const struct gguf_tensor *tensor = gguf_tensor(t->file, name);
    int64_t wanted = rows ? rows : 1;
    if (!tensor) {
        if (!optional)
            error_set(t->error, ERROR_FORMAT, "tensor %s is missing", name);
        return NULL;
    }
    if (tensor->size[0] != columns || tensor->size[1] != wanted || tensor->size[2] != 1 || tensor->size[3] != 1) {
        error_set(t->error, ERROR_FORMAT, "tensor %s is %lld x %lld where %lld x %d is expected", name,
                  (long long)tensor->size[1], (long long)tensor->size[0], (long long)wanted, columns);
        return NULL;
    }
    const struct dtype_info *type = dtype_info(tensor->type);
    if (!type->expand) {
        error_set(t->error, ERROR_UNSUPPORTED, "tensor %s is stored as %s, which is not supported", name,
                  type->name ? type->name : "an unknown type");
        return NULL;
    }
    return tensor;
}

void tensors_count(struct tensors *t, const struct gguf_tensor *tensor)
{
    t->parameters += (uint64_t)(tensor->size[0] * tensor->size[1] * tensor->size[2] * tensor->size[3]);
    t->weight_bytes += tensor->bytes;
    if (tensor->size[1] == 1)
        return;
    const char *name = dtype_info(tensor->type)->name;
    int i = 0;
    while (i < t->type_count && strcmp(t->types[i].name, name) != 0)
        i++;
    if (i == (int)(sizeof t->types / sizeof t->types[0]))
        return;
    if (i == t->type_count)
        t->types[t->type_count++].name = name;
    t->types[i].bytes += tensor->bytes;
}

void tensors_quantisation(const struct tensors *t, char *out, size_t size)
{
    bool named[sizeof t->types / sizeof t->types[0]] = {false};
    size_t total = 0;
    char *end = out + size;
    for (int i = 0; i < t->type_count; i++)
        total += t->types[i].bytes;
    *out = '\0';
    for (int n = 0; n < t->type_count; n++) {
        int best = -1;
        for (int i = 0; i < t->type_count; i++)
            if (!named[i] && (best < 0 || t->types[i].bytes > t->types[best].bytes))
                best = i;
        if (t->types[best].bytes < total / 10 || t->types[best].bytes == 0 || end - out < 12)
            break;
        out += snprintf(out, (size_t)(end - out), "%s%s", n ? ", " : "", t->types[best].name);
        named[best] = true;
    }
}

/* Upload n floats as device memory that is held. */
static int hold(struct tensors *t, const float *host, size_t n, float **out)
{
    const struct device_ops *ops = t->device->ops;
    void **memory = realloc(t->held->memory, (t->held->count + 1) * sizeof *memory);
    if (!memory)
        return error_set(t->error, ERROR_MEMORY, "out of memory");
    t->held->memory = memory;
    float *device = ops->alloc(t->device, n * sizeof *device, t->error);
    if (!device)
        return ERROR_MEMORY;
    t->held->memory[t->held->count++] = device;
    ops->upload(t->stream, host, n * sizeof *device, device);
    *out = device;
    return ops->stream_finish(t->stream, t->error);
}

int tensors_floats(struct tensors *t, const char *name, int rows, int columns, bool optional, float **out)
{
    *out = NULL;
    if (optional && !tensors_have(t, name))
        return 0;
    const struct gguf_tensor *tensor = tensors_find(t, name, rows, columns, false);
    if (!tensor)
        return t->error->code;
    tensors_count(t, tensor);
    if (!t->device)
        return 0;
    size_t n = (size_t)(rows ? rows : 1) * (size_t)columns;
    float *host = malloc(n * sizeof *host);
    if (!host)
        return error_set(t->error, ERROR_MEMORY, "out of memory");
    dtype_info(tensor->type)->expand(tensor->data, host, n);
    int status = hold(t, host, n, out);
    free(host);
    return status;
}

int tensors_rows(struct tensors *t, const char *name, int total, int first, int outputs, int inputs,
                 struct weight **weight)
{
    const struct gguf_tensor *tensor = tensors_find(t, name, total, inputs, false);
    if (!tensor)
        return t->error->code;
    if (first == 0)
        tensors_count(t, tensor);
    if (!t->device)
        return 0;
    const char *data = (const char *)tensor->data + tensor->bytes / (size_t)total * (size_t)first;
    return t->device->ops->weight_new(t->device, tensor->type, outputs, inputs, data, weight, t->error);
}

int tensors_linear(struct tensors *t, const char *name, int outputs, int inputs, struct linear *linear)
{
    return tensors_fused(t, name, 1, &outputs, inputs, &linear);
}

int tensors_fused(struct tensors *t, const char *name, int count, const int *outputs, int inputs, struct linear **parts)
{
    char full[NAME];
    float *bias;
    int total = 0, first = 0, status;
    for (int i = 0; i < count; i++)
        total += outputs[i];
    snprintf(full, sizeof full, "%s.weight", name);
    for (int i = 0; i < count; first += outputs[i++])
        if ((status = tensors_rows(t, full, total, first, outputs[i], inputs, &parts[i]->weight)) < 0)
            return status;
    snprintf(full, sizeof full, "%s.bias", name);
    status = tensors_floats(t, full, 0, total, true, &bias);
    for (int i = 0; bias && i < count; bias += outputs[i++])
        parts[i]->bias = bias;
    return status;
}

int tensors_norm(struct tensors *t, const char *name, struct norm *norm)
{
    char full[NAME];
    float *weight = NULL, *bias = NULL;
    snprintf(full, sizeof full, "%s.weight", name);
    int status = tensors_floats(t, full, 0, norm->width, false, &weight);
    if (status == 0) {
        snprintf(full, sizeof full, "%s.bias", name);
        status = tensors_floats(t, full, 0, norm->width, true, &bias);
    }
    norm->weight = weight;
    norm->bias = bias;
    return status;
}

void holdings_free(struct holdings *held, struct device *device)
{
    for (size_t i = 0; i < held->count; i++)
        device->ops->free(device, held->memory[i]);
    free(held->memory);
    *held = (struct holdings){NULL, 0};
}
