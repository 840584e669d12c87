/* atmanscope info: what a model file holds, and whether, and why not, it can be used. */
#include "tui/command.h"

#include <stdlib.h>
#include <string.h>

#include "core/chat.h"
#include "core/gguf.h"
#include "core/model.h"
#include "core/tokenizer.h"
#include "core/vision.h"
#include "tui/format_json.h"
#include "tui/output.h"
#include "tui/run.h"
#include "tui/text.h"

enum { TYPES = 64 };

/* Weights of one storage type. */
struct type_sum {
    uint32_t type;
    char name[24];
    size_t tensors, bytes;
};

/* Everything that is printed; -1 and "" where the file does not say. */
struct facts {
    const struct gguf *file;
    char *name, *architecture, *vocabulary_kind, *pre; /* malloced, cleaned */
    int64_t layers, width, heads, kv_heads, ffn, context, vocabulary;
    uint64_t parameters;
    struct type_sum types[TYPES];
    size_t type_count;
    char tokenizer[64]; /* as we run it; "" if we cannot */
    const char *chat;   /* family of the chat template; "unknown"; NULL: there is none */
    bool tower;         /* the file is a vision tower's, */
    struct vision_info vision; /* and what it is, if it is usable */
    int unusable;       /* 0 or an error code */
    struct error reason;
};

static char *text_key(const struct gguf *file, const char *key)
{
    struct gguf_string text = {"", 0};
    if (gguf_text(file, key, &text, NULL) != 0)
        text = (struct gguf_string){"", 0};
    return text_clean(text.data, text.length, true, NULL);
}

static int64_t int_key(const struct facts *f, const char *name)
{
    char key[256];
    int64_t value = -1;
    snprintf(key, sizeof key, "%s%s.%s", f->architecture, f->tower ? ".vision" : "", name);
    return gguf_int(f->file, key, 0, INT64_MAX, &value, NULL) == 0 ? value : -1;
}

static void sum_types(struct facts *f)
{
    for (size_t i = 0; i < gguf_tensors(f->file); i++) {
        const struct gguf_tensor *tensor = gguf_tensor_at(f->file, i);
        size_t t = 0;
        while (t < f->type_count && f->types[t].type != tensor->type)
            t++;
        if (t == TYPES)
            continue;
        if (t == f->type_count) {
            const char *name = dtype_info(tensor->type)->name;
            f->types[t].type = tensor->type;
            if (name)
                snprintf(f->types[t].name, sizeof f->types[t].name, "%s", name);
            else
                snprintf(f->types[t].name, sizeof f->types[t].name, "type %u", tensor->type);
            f->type_count++;
        }
        f->types[t].tensors++;
        f->types[t].bytes += tensor->bytes;
        f->parameters += (uint64_t)tensor->size[0] * (uint64_t)tensor->size[1] * (uint64_t)tensor->size[2] *
                         (uint64_t)tensor->size[3];
    }
}

static int most_bytes_first(const void *a, const void *b)
{
    const struct type_sum *x = a, *y = b;
    return x->bytes != y->bytes ? (x->bytes < y->bytes ? 1 : -1) : (int)x->type - (int)y->type;
}

/* A language model has to have a usable tokeniser too. */
static void check_model(struct facts *f)
{
    struct tokenizer *tokenizer = NULL;
    f->unusable = model_check(f->file, &f->reason);
    if (tokenizer_open(f->file, NULL, &tokenizer, f->unusable ? NULL : &f->reason) == 0)
        snprintf(f->tokenizer, sizeof f->tokenizer, "%s", tokenizer_name(tokenizer));
    else if (!f->unusable)
        f->unusable = f->reason.code ? f->reason.code : ERROR_UNSUPPORTED;
    tokenizer_close(tokenizer);
}

/* The family of the file's chat template. */
static const char *chat_family(const struct gguf *file)
{
    struct gguf_string template = {"", 0};
    struct chat_template chat;
    if (gguf_text(file, "tokenizer.chat_template", &template, NULL) != 0 || template.length == 0)
        return NULL;
    return chat_detect(template.data, template.length, &chat) ? chat_name(chat.family) : "unknown";
}

static int read_facts(struct facts *f, const struct gguf *file, struct error *error)
{
    *f = (struct facts){.file = file};
    f->name = text_key(file, "general.name");
    f->architecture = text_key(file, "general.architecture");
    f->vocabulary_kind = text_key(file, "tokenizer.ggml.model");
    f->pre = text_key(file, "tokenizer.ggml.pre");
    if (!f->name || !f->architecture || !f->vocabulary_kind || !f->pre)
        return error_set(error, ERROR_MEMORY, "out of memory");
    f->chat = chat_family(file);
    f->tower = strcmp(f->architecture, "clip") == 0;
    f->layers = int_key(f, "block_count");
    f->width = int_key(f, "embedding_length");
    f->heads = int_key(f, "attention.head_count");
    f->kv_heads = int_key(f, "attention.head_count_kv");
    f->ffn = int_key(f, "feed_forward_length");
    f->context = int_key(f, "context_length");
    const struct gguf_entry *tokens = gguf_find(file, "tokenizer.ggml.tokens");
    f->vocabulary = tokens && tokens->type == GGUF_ARRAY ? (int64_t)tokens->count : -1;
    sum_types(f);
    qsort(f->types, f->type_count, sizeof *f->types, most_bytes_first);
    if (f->tower)
        f->unusable = vision_check(file, &f->vision, &f->reason);
    else
        check_model(f);
    return 0;
}

static void free_facts(struct facts *f)
{
    free(f->name);
    free(f->architecture);
    free(f->vocabulary_kind);
    free(f->pre);
}

/* -- for people ------------------------------------------------------------------------------------------------------
 */

static void print_bytes(FILE *out, size_t bytes)
{
    if (bytes < 1000000)
        fprintf(out, "%.1f kB", (double)bytes / 1e3);
    else if (bytes < 1000000000)
        fprintf(out, "%.1f MB", (double)bytes / 1e6);
    else
        fprintf(out, "%.2f GB", (double)bytes / 1e9);
}

static void print_number(FILE *out, const char *what, int64_t value)
{
    if (value >= 0)
        fprintf(out, "%-14s %lld\n", what, (long long)value);
}

static void print_parameters(FILE *out, uint64_t parameters)
{
    if (parameters < 1000000000)
        fprintf(out, "%-14s %.1f million\n", "parameters", (double)parameters / 1e6);
    else
        fprintf(out, "%-14s %.2f billion\n", "parameters", (double)parameters / 1e9);
}

static void print_vision(FILE *out, const struct vision_info *v)
{
    int grid = v->side / v->patch;
    fprintf(out, "%-14s %s\n", "projector", v->projector);
    fprintf(out, "%-14s %d x %d pixels: %d patches of %d x %d\n", "picture", v->side, v->side, grid * grid, v->patch,
            v->patch);
    fprintf(out, "%-14s %d (%d x %d) for a picture, for models of width %d\n", "tokens", v->columns * v->rows,
            v->columns, v->rows, v->width);
}

static void print_tokenizer(FILE *out, const struct facts *f)
{
    fprintf(out, "%-14s %s", "tokenizer",
            *f->tokenizer         ? f->tokenizer
            : *f->vocabulary_kind ? f->vocabulary_kind
                                  : "none");
    if (!*f->tokenizer && *f->pre)
        fprintf(out, " %s", f->pre);
    if (f->vocabulary >= 0)
        fprintf(out, ", %lld tokens", (long long)f->vocabulary);
    fputc('\n', out);
}

static int print_facts(FILE *out, const void *data, struct error *error)
{
    const struct facts *f = data;
    const struct gguf *g = f->file;
    (void)error;
    fprintf(out, "%-14s %s", "file", gguf_path(g));
    if (gguf_shards(g) > 1)
        fprintf(out, " and %d more shards", gguf_shards(g) - 1);
    fprintf(out, "\n%-14s GGUF version %d, ", "format", gguf_version(g));
    print_bytes(out, gguf_file_bytes(g));
    fprintf(out, ", %zu entries, %zu tensors\n", gguf_entries(g), gguf_tensors(g));
    if (*f->name)
        fprintf(out, "%-14s %s\n", "name", f->name);
    fprintf(out, "%-14s %s\n", "architecture", f->architecture);
    print_parameters(out, f->parameters);
    for (size_t t = 0; t < f->type_count; t++) {
        fprintf(out, "%-14s %-8s %5zu tensors  ", t == 0 ? "weights" : "", f->types[t].name, f->types[t].tensors);
        print_bytes(out, f->types[t].bytes);
        fputc('\n', out);
    }
    print_number(out, "layers", f->layers);
    print_number(out, "width", f->width);
    if (f->heads >= 0 && f->kv_heads >= 0 && f->kv_heads != f->heads)
        fprintf(out, "%-14s %lld, for keys and values %lld\n", "heads", (long long)f->heads, (long long)f->kv_heads);
    else
        print_number(out, "heads", f->heads);
    print_number(out, "ffn", f->ffn);
    print_number(out, "context", f->context);
    if (!f->tower) {
        print_tokenizer(out, f);
        fprintf(out, "%-14s %s\n", "chat template", f->chat ? f->chat : "none");
    } else if (!f->unusable)
        print_vision(out, &f->vision);
    fprintf(out, "%-14s %s%s\n", "usable",
            f->unusable ? "no: "
            : f->tower  ? "yes: as --mmproj, beside the --model it belongs to"
                        : "yes",
            f->unusable ? f->reason.message : "");
    return 0;
}

/* -- for programs ----------------------------------------------------------------------------------------------------
 */

static json_t *count_or_null(int64_t value)
{
    return value < 0 ? json_null() : json_integer((json_int_t)value);
}

static json_t *vision_or_null(const struct facts *f)
{
    const struct vision_info *v = &f->vision;
    if (!f->tower || f->unusable)
        return json_null();
    return json_pack("{ss si si si si si sb}", "projector", v->projector, "side", v->side, "patch", v->patch, "columns",
                     v->columns, "rows", v->rows, "width", v->width, "bidirectional", v->bidirectional);
}

static int print_json(FILE *out, const void *data, struct error *error)
{
    const struct facts *f = data;
    json_t *types = json_array();
    for (size_t t = 0; t < f->type_count; t++)
        json_array_append_new(types,
                              json_pack("{ss sI sI}", "type", f->types[t].name, "tensors",
                                        (json_int_t)f->types[t].tensors, "bytes", (json_int_t)f->types[t].bytes));
    const char *path = gguf_path(f->file);
    json_t *json =
        json_pack("{ss so sI si sI ss ss sI so so so so so so so so s{ss ss ss} ss? so sb so}", "schema",
                  "atmanscope.info/1", "file", format_json_text(path, strlen(path)), "shards",
                  (json_int_t)gguf_shards(f->file), "version",
                  gguf_version(f->file), "bytes", (json_int_t)gguf_file_bytes(f->file), "name", f->name, "architecture",
                  f->architecture, "parameters", (json_int_t)f->parameters, "types", types, "layers",
                  count_or_null(f->layers), "width", count_or_null(f->width), "heads", count_or_null(f->heads),
                  "kv_heads", count_or_null(f->kv_heads < 0 ? f->heads : f->kv_heads), "ffn", count_or_null(f->ffn),
                  "context", count_or_null(f->context), "vocabulary", count_or_null(f->vocabulary), "tokenizer",
                  "model", f->vocabulary_kind, "pre", f->pre, "name", f->tokenizer, "chat_template", f->chat,
                  "vision", vision_or_null(f), "usable", f->unusable == 0, "reason",
                  f->unusable ? format_json_text(f->reason.message, strlen(f->reason.message)) : json_null());
    return format_json_write(json, true, out, error);
}

int command_info(const struct options *o, const struct context *context, struct error *error)
{
    char path[PATHS_LENGTH];
    struct gguf *file;
    int code = output_check(o->output, error);
    if (code == 0)
        code = run_model(o, context, path, sizeof path, error);
    if (code || (code = gguf_open(path, &file, error)) != 0)
        return code;
    struct facts facts;
    code = read_facts(&facts, file, error);
    if (code == 0)
        code = output_fill(o->output, o->format == FORMAT_JSON ? print_json : print_facts, &facts, error);
    if (code == 0 && facts.unusable)
        code = error_set(error, ERROR_UNSUPPORTED, "%s: %s", path, facts.reason.message);
    free_facts(&facts);
    gguf_close(file);
    return code;
}
