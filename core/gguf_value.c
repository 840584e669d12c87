/* gguf_value.c: metadata as C values.
 *
 * Files disagree about the width and sign of integers, so a number is taken from whatever type it was stored in, if it
 * fits.  Whether a value makes sense is the caller's question, asked through the range. */
#include "core/gguf.h"

#include "core/gguf_part.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

/* An array's element type, or a scalar's own. */
static enum gguf_type element_type(const struct gguf_entry *entry)
{
    return entry->type == GGUF_ARRAY ? entry->element : entry->type;
}

#define ELEMENT(type, data, i)                                                                                         \
    ({                                                                                                                 \
        type element_;                                                                                                 \
        memcpy(&element_, (data) + (i) * sizeof element_, sizeof element_);                                            \
        element_;                                                                                                      \
    })

/* Towards zero; what does not fit becomes the nearest that does, and NaN 0. */
static int64_t double_to_int(double value)
{
    if (isnan(value))
        return 0;
    return value >= 0x1p63 ? INT64_MAX : value < -0x1p63 ? INT64_MIN : (int64_t)value;
}

int64_t gguf_element_int(const struct gguf_entry *entry, uint64_t i)
{
    switch (element_type(entry)) {
    case GGUF_U8:
    case GGUF_BOOL:
        return ELEMENT(uint8_t, entry->data, i);
    case GGUF_I8:
        return ELEMENT(int8_t, entry->data, i);
    case GGUF_U16:
        return ELEMENT(uint16_t, entry->data, i);
    case GGUF_I16:
        return ELEMENT(int16_t, entry->data, i);
    case GGUF_U32:
        return ELEMENT(uint32_t, entry->data, i);
    case GGUF_I32:
        return ELEMENT(int32_t, entry->data, i);
    case GGUF_U64: {
        uint64_t value = ELEMENT(uint64_t, entry->data, i);
        return value > INT64_MAX ? INT64_MAX : (int64_t)value;
    }
    case GGUF_I64:
        return ELEMENT(int64_t, entry->data, i);
    case GGUF_F32:
    case GGUF_F64:
        return double_to_int(gguf_element_float(entry, i));
    case GGUF_STRING:
    case GGUF_ARRAY:
        break;
    }
    return 0;
}

double gguf_element_float(const struct gguf_entry *entry, uint64_t i)
{
    switch (element_type(entry)) {
    case GGUF_F32:
        return (double)ELEMENT(float, entry->data, i);
    case GGUF_F64:
        return ELEMENT(double, entry->data, i);
    case GGUF_U64:
        return (double)ELEMENT(uint64_t, entry->data, i);
    default:
        return (double)gguf_element_int(entry, i);
    }
}

static int refuse_type(const struct gguf_entry *entry, const char *wanted, struct error *error)
{
    return error_set(error, ERROR_FORMAT, "key '%.*s' is %s, not %s", (int)entry->key.length, entry->key.data,
                     gguf_type_text(entry->type), wanted);
}

static bool is_integer(enum gguf_type type)
{
    return type <= GGUF_I32 || type == GGUF_U64 || type == GGUF_I64;
}

int gguf_entry_int(const struct gguf_entry *entry, int64_t low, int64_t high, int64_t *value, struct error *error)
{
    if (!entry)
        return 0;
    if (!is_integer(entry->type))
        return refuse_type(entry, "an integer", error);
    if (entry->type == GGUF_U64 && gguf_element_float(entry, 0) >= 0x1p63)
        return error_set(error, ERROR_FORMAT, "key '%.*s' is too large", (int)entry->key.length, entry->key.data);
    int64_t found = gguf_element_int(entry, 0);
    if (found < low || found > high)
        return error_set(error, ERROR_FORMAT, "key '%.*s' is %" PRId64 ", outside %" PRId64 " to %" PRId64,
                         (int)entry->key.length, entry->key.data, found, low, high);
    *value = found;
    return 0;
}

int gguf_int(const struct gguf *gguf, const char *key, int64_t low, int64_t high, int64_t *value, struct error *error)
{
    return gguf_entry_int(gguf_find(gguf, key), low, high, value, error);
}

int gguf_float(const struct gguf *gguf, const char *key, double *value, struct error *error)
{
    const struct gguf_entry *entry = gguf_find(gguf, key);
    if (!entry)
        return 0;
    if (!is_integer(entry->type) && entry->type != GGUF_F32 && entry->type != GGUF_F64)
        return refuse_type(entry, "a number", error);
    double found = gguf_element_float(entry, 0);
    if (!isfinite(found))
        return error_set(error, ERROR_FORMAT, "key '%s' is not a finite number", key);
    *value = found;
    return 0;
}

int gguf_bool(const struct gguf *gguf, const char *key, bool *value, struct error *error)
{
    const struct gguf_entry *entry = gguf_find(gguf, key);
    if (!entry)
        return 0;
    if (entry->type != GGUF_BOOL)
        return refuse_type(entry, "true or false", error);
    *value = *entry->data != 0;
    return 0;
}

int gguf_text(const struct gguf *gguf, const char *key, struct gguf_string *value, struct error *error)
{
    const struct gguf_entry *entry = gguf_find(gguf, key);
    if (!entry)
        return 0;
    if (entry->type != GGUF_STRING)
        return refuse_type(entry, "a string", error);
    *value = entry->strings[0];
    return 0;
}
