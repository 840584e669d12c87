/* engine.c: open a model file, and its vision tower's, with everything that is needed to run it. */
#include "core/engine_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/conversation.h"
#include "core/gguf.h"
#include "core/precision.h"
#include "core/probe.h"
#include "core/vision.h"

enum { FEW_BYTES = 64000000 };

/* Before the model is loaded: what is asked for and cannot be had is said at once. */
static int check_precision(const struct engine *e, const struct engine_options *options, struct error *error)
{
    const struct device_info *info = e->device->ops->info(e->device);
    int wanted = options->precision;
    if (wanted < 0)
        return 0;
    if (wanted > PRECISION_INT8 || !info->precision[wanted])
        return error_set(error, ERROR_UNSUPPORTED, "the %s device does not offer %s products; use --precision f32",
                         info->kind, wanted > PRECISION_INT8 ? "such" : precision_name((enum precision)wanted));
    bool copied = wanted == PRECISION_INT8 || (wanted == PRECISION_BF16 && info->threads > 0);
    if (copied && options->weights == WEIGHTS_MAPPED)
        return error_set(error, ERROR_ARGUMENT,
                         "%s products need a copy of the weights, and --weights mapped keeps none; use --precision "
                         "f32", precision_name((enum precision)wanted));
    return 0;
}

/* Weights in f32 are worth their memory where that is little. */
static enum weights choose_weights(const struct engine *e, const struct engine_options *options)
{
    uint64_t bytes = 0;
    for (size_t i = 0; i < gguf_tensors(e->file); i++) {
        const int64_t *size = gguf_tensor_at(e->file, i)->size;
        bytes += sizeof(float) * (uint64_t)(size[0] * size[1] * size[2] * size[3]);
    }
    if (options->weights != WEIGHTS_AUTO)
        return options->weights;
    return bytes <= FEW_BYTES && !options->memory ? WEIGHTS_EXPANDED : WEIGHTS_MAPPED;
}

static int choose_precision(struct engine *e, const struct engine_options *options, struct error *error)
{
    if (options->precision >= 0) {
        e->precision = (enum precision)options->precision;
        e->precision_asked = true;
        return 0;
    }
    e->precision = e->device->ops->info(e->device)->preferred;
    if (e->precision != PRECISION_F32 || options->weights == WEIGHTS_MAPPED)
        return 0;
    int status = precision_time(e->model, e->info.product_seconds, error);
    e->precision = precision_choose(e->info.product_seconds);
    return status < 0 ? error_add(error, status, "timing products") : 0;
}

static void describe(struct engine *e, const struct engine_options *options)
{
    const struct device_info *device = e->device->ops->info(e->device);
    const struct model *m = e->model;
    struct engine_info *i = &e->info;
    struct gguf_string name = {"", 0};
    gguf_text(e->file, "general.name", &name, NULL);
    snprintf(i->file, sizeof i->file, "%s", options->model);
    snprintf(i->name, sizeof i->name, "%.*s", (int)(name.length < sizeof i->name ? name.length : sizeof i->name),
             name.data);
    snprintf(i->architecture, sizeof i->architecture, "%s", m->architecture);
    snprintf(i->quantisation, sizeof i->quantisation, "%s", m->quantisation);
    snprintf(i->tokenizer, sizeof i->tokenizer, "%s", tokenizer_name(e->tokenizer));
    snprintf(i->device_kind, sizeof i->device_kind, "%s", device->kind);
    snprintf(i->device_name, sizeof i->device_name, "%s", device->name);
    snprintf(i->precision, sizeof i->precision, "%s", precision_name(e->precision));
    if (e->chat.family)
        snprintf(i->chat, sizeof i->chat, "%s", chat_name(e->chat.family));
    i->threads = device->threads;
    i->streams = device->streams;
    i->batch_rows = lanes_like(m, 1).rows;
    i->device_memory = e->device->ops->memory(e->device);
    i->layers = m->layers;
    i->width = m->width;
    i->heads = m->heads;
    i->vocabulary = m->vocabulary;
    i->context = m->context;
    i->parameters = m->parameters;
    i->weight_bytes = m->weight_bytes;
    i->file_bytes = gguf_file_bytes(e->file);
    if (e->vision) {
        snprintf(i->mmproj, sizeof i->mmproj, "%s", options->mmproj);
        i->vision = *vision_info(e->vision);
    }
}

/* The vision tower's file, likewise. */
static int open_mmproj(struct engine *e, const struct engine_options *options, struct error *error)
{
    struct vision_info info;
    int status = gguf_open(options->mmproj, &e->mmproj, error);
    if (status == 0 && (status = vision_check(e->mmproj, &info, error)) < 0)
        error_add(error, status, "%s", options->mmproj);
    return status;
}

/* The model file and its tokeniser, before any device is touched.  gguf_open() names the file by itself. */
static int open_files(struct engine *e, const struct engine_options *options, struct error *error)
{
    int status = gguf_open(options->model, &e->file, error);
    if (status < 0)
        return status;
    if ((status = model_check(e->file, error)) == 0)
        status = tokenizer_open(e->file, options->pre, &e->tokenizer, error);
    if (status < 0)
        return error_add(error, status, "%s", options->model);
    return options->mmproj ? open_mmproj(e, options, error) : 0;
}

/* The file's chat template, or the family asked for. */
static int choose_chat(struct engine *e, const struct engine_options *options, struct error *error)
{
    struct gguf_string template = {"", 0};
    gguf_text(e->file, "tokenizer.chat_template", &template, NULL);
    if (options->chat) {
        e->chat.family = chat_find(options->chat);
        return e->chat.family ? 0 : error_set(error, ERROR_ARGUMENT, "no family of chat templates is called %s",
                                              options->chat);
    }
    e->info.chat_unknown = template.length > 0 && !chat_detect(template.data, template.length, &e->chat);
    return 0;
}

/* Model and vision tower onto the device. */
static int load(struct engine *e, const struct engine_options *options, struct error *error)
{
    int status = model_load(e->file, e->device, &e->model, error);
    if (status < 0)
        return error_add(error, status, "%s", options->model);
    if (e->mmproj && (status = vision_open(e->mmproj, e->device, e->model->width, &e->vision, error)) < 0)
        return error_add(error, status, "%s with %s", options->mmproj, options->model);
    return 0;
}

int engine_open(const struct engine_options *options, struct engine **out, struct error *error)
{
    struct engine *e = calloc(1, sizeof *e);
    if (!e)
        return error_set(error, ERROR_MEMORY, "out of memory");
    struct device_options device = {.name = options->device ? options->device : "auto",
                                    .threads = options->threads,
                                    .tf32 = options->tf32};
    int status;
    if ((status = open_files(e, options, error)) < 0 || (status = choose_chat(e, options, error)) < 0) {
        engine_close(e);
        return status;
    }
    device.weights = choose_weights(e, options);
    e->memory = options->memory;
    if ((status = device_open(&device, &e->device, error)) < 0) {
        error_add(error, status, "device %s", device.name);
    } else if ((status = check_precision(e, options, error)) == 0 && (status = load(e, options, error)) == 0) {
        status = choose_precision(e, options, error);
    }
    if (status < 0) {
        engine_close(e);
        return status;
    }
    describe(e, options);
    *out = e;
    return 0;
}

void engine_close(struct engine *e)
{
    if (!e)
        return;
    vision_close(e->vision);
    model_free(e->model);
    if (e->device)
        e->device->ops->close(e->device);
    tokenizer_close(e->tokenizer);
    gguf_close(e->file);
    gguf_close(e->mmproj);
    free(e);
}

const struct engine_info *engine_info(const struct engine *e)
{
    return &e->info;
}

const struct tokenizer *engine_tokenizer(const struct engine *e)
{
    return e->tokenizer;
}

int engine_read(const struct engine *e, const struct request *r, struct sequence *sequence, struct error *error)
{
    const struct vision_info *vision = e->vision ? vision_info(e->vision) : NULL;
    *sequence = (struct sequence){0};
    if (!r->chat)
        return sequence_new(e->tokenizer, vision, r->prompt, r->prompt_length, NULL, 0, TOKENIZE_START, r->images,
                            r->image_count, sequence, error);
    if (!e->chat.family)
        return error_set(error, ERROR_ARGUMENT,
                         "this model has no chat template that is known; use --raw, or name a family with "
                         "--chat-template");
    return conversation_new(e->tokenizer, vision, &e->chat, r->prompt, r->prompt_length, r->images, r->image_count,
                            sequence, error);
}
