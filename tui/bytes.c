#include "tui/bytes.h"

#include <stdlib.h>
#include <string.h>

void bytes_free(struct bytes *bytes)
{
    free(bytes->data);
    *bytes = (struct bytes){0};
}

void bytes_put(struct bytes *bytes, const void *data, size_t length)
{
    if (length > bytes->capacity - bytes->length) {
        size_t capacity = 2 * (bytes->length + length) + 64;
        uint8_t *larger = capacity > length ? realloc(bytes->data, capacity) : NULL;
        if (!larger) {
            bytes->failed = true;
            return;
        }
        bytes->data = larger;
        bytes->capacity = capacity;
    }
    if (length > 0)
        memcpy(bytes->data + bytes->length, data, length);
    bytes->length += length;
}

void bytes_put_number(struct bytes *bytes, uint64_t value, size_t size)
{
    uint8_t digits[8];
    for (size_t i = 0; i < size; i++)
        digits[i] = (uint8_t)(value >> 8 * i);
    bytes_put(bytes, digits, size);
}

void bytes_put_count(struct bytes *bytes, uint64_t value)
{
    uint8_t digits[10];
    size_t n = 0;
    for (; value >= 128; value >>= 7)
        digits[n++] = (uint8_t)(value | 128);
    digits[n++] = (uint8_t)value;
    bytes_put(bytes, digits, n);
}

const uint8_t *bytes_take(struct bytes_reader *reader, size_t length)
{
    const uint8_t *at = reader->at;
    if (reader->bad || length > (size_t)(reader->end - at)) {
        reader->bad = true;
        return NULL;
    }
    reader->at += length;
    return at;
}

uint64_t bytes_take_number(struct bytes_reader *reader, size_t size)
{
    const uint8_t *digits = bytes_take(reader, size);
    uint64_t value = 0;
    for (size_t i = 0; digits && i < size; i++)
        value |= (uint64_t)digits[i] << 8 * i;
    return value;
}

uint64_t bytes_take_count(struct bytes_reader *reader)
{
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
        const uint8_t *digit = bytes_take(reader, 1);
        if (!digit)
            return 0;
        value |= (uint64_t)(*digit & 127) << shift;
        if (!(*digit & 128))
            return value;
    }
    reader->bad = true;
    return 0;
}
