#include "core/hyper.h"

#include <stdio.h>
#include <string.h>

#include "core/gguf.h"

struct key {
    char name[128];
};

static struct key full(const struct hyper *h, const char *key)
{
    struct key k;
    snprintf(k.name, sizeof k.name, "%s.%s", h->architecture, key);
    return k;
}

void hyper_int(struct hyper *h, const char *key, int low, int high, int *value)
{
    int64_t wide = *value;
    if (h->status < 0)
        return;
    h->status = gguf_int(h->file, full(h, key).name, low, high, &wide, h->error);
    *value = (int)wide;
}

void hyper_real(struct hyper *h, const char *key, double *value)
{
    if (h->status == 0)
        h->status = gguf_float(h->file, full(h, key).name, value, h->error);
}

void hyper_bool(struct hyper *h, const char *key, bool *value)
{
    if (h->status == 0)
        h->status = gguf_bool(h->file, full(h, key).name, value, h->error);
}

bool hyper_is(struct hyper *h, const char *key, const char *missing, const char *wanted)
{
    struct gguf_string text = {missing, strlen(missing)};
    if (h->status == 0)
        h->status = gguf_text(h->file, full(h, key).name, &text, h->error);
    return h->status == 0 && text.length == strlen(wanted) && memcmp(text.data, wanted, text.length) == 0;
}

const struct gguf_entry *hyper_find(struct hyper *h, const char *key)
{
    return h->status == 0 ? gguf_find(h->file, full(h, key).name) : NULL;
}

void hyper_check(struct hyper *h, bool ok, const char *what)
{
    if (h->status == 0 && !ok)
        h->status = error_set(h->error, ERROR_FORMAT, "the model's %s make no sense together", what);
}
