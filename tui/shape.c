#include "tui/shape.h"

#include <string.h>

#include "core/tokenizer.h"

/* Integers of any width and floats by their bits. */
static uint64_t load(const void *from, size_t size)
{
    uint64_t value = 0;
    if (size == 1) {
        value = *(const uint8_t *)from;
    } else if (size == 2) {
        uint16_t half;
        memcpy(&half, from, 2);
        value = half;
    } else if (size == 4) {
        uint32_t word;
        memcpy(&word, from, 4);
        value = word;
    } else {
        memcpy(&value, from, 8);
    }
    return value;
}

static void store(void *to, uint64_t value, size_t size)
{
    uint16_t half = (uint16_t)value;
    uint32_t word = (uint32_t)value;
    if (size == 1)
        *(uint8_t *)to = (uint8_t)value;
    else if (size == 2)
        memcpy(to, &half, 2);
    else if (size == 4)
        memcpy(to, &word, 4);
    else
        memcpy(to, &value, 8);
}

static void put_field(const struct shape_field *field, const char *from, struct bytes *out)
{
    switch (field->kind) {
    case SHAPE_NUMBER:
    case SHAPE_FLOAT:
        bytes_put_number(out, load(from, field->size), field->size);
        break;
    case SHAPE_TRUTH:
        bytes_put_number(out, *(const bool *)from, 1);
        break;
    case SHAPE_TEXT: {
        size_t length = utf8_check(from, strnlen(from, field->size - 1));
        bytes_put_count(out, length);
        bytes_put(out, from, length);
        break;
    }
    case SHAPE_STRUCT:
        shape_put(field->shape, from, out);
        break;
    case SHAPE_LEFT_OUT:
        break;
    }
}

void shape_put(const struct shape *shape, const void *from, struct bytes *out)
{
    for (size_t i = 0; i < shape->count; i++)
        for (size_t k = 0; k < shape->fields[i].count; k++)
            put_field(&shape->fields[i], (const char *)from + shape->fields[i].offset + k * shape->fields[i].size, out);
}

static bool take_text(char *to, size_t size, struct bytes_reader *in)
{
    size_t length = bytes_take_count(in);
    const uint8_t *text = length < size ? bytes_take(in, length) : NULL;
    if (!text || memchr(text, 0, length) || utf8_check((const char *)text, length) < length)
        return false;
    memset(to, 0, size);
    memcpy(to, text, length);
    return true;
}

static bool take_field(const struct shape_field *field, char *to, struct bytes_reader *in)
{
    uint64_t value;
    switch (field->kind) {
    case SHAPE_NUMBER:
    case SHAPE_FLOAT:
        store(to, bytes_take_number(in, field->size), field->size);
        return true;
    case SHAPE_TRUTH:
        value = bytes_take_number(in, 1);
        *(bool *)to = value != 0;
        return value <= 1;
    case SHAPE_TEXT:
        return take_text(to, field->size, in);
    case SHAPE_STRUCT:
        return shape_take(field->shape, to, in);
    case SHAPE_LEFT_OUT:
        return true;
    }
    return false;
}

bool shape_take(const struct shape *shape, void *to, struct bytes_reader *in)
{
    bool good = true;
    for (size_t i = 0; i < shape->count; i++)
        for (size_t k = 0; good && k < shape->fields[i].count; k++)
            good = take_field(&shape->fields[i], (char *)to + shape->fields[i].offset + k * shape->fields[i].size, in);
    return good && !in->bad;
}
