/* bytes.h: numbers and texts as bytes, one behind the other, and back.
 *
 * Owns the growing buffer that is written to and the bounds of what is read from: a reader that would go beyond its end
 * gives zeros and says so once, at the end.  Numbers are little-endian or, where most are small, of as many bytes as
 * they need (7 bits in each). */
#ifndef TUI_BYTES_H
#define TUI_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Start with a zeroed one. */
struct bytes {
    uint8_t *data;
    size_t length, capacity;
    bool failed; /* there was no memory: something is missing */
};

void bytes_free(struct bytes *);
void bytes_put(struct bytes *, const void *data, size_t length);
/* The lowest `size` bytes of value, 1 to 8 of them. */
void bytes_put_number(struct bytes *, uint64_t value, size_t size);
void bytes_put_count(struct bytes *, uint64_t value);

struct bytes_reader {
    const uint8_t *at, *end;
    bool bad; /* it ended too early */
};

/* The next `length` bytes, or NULL. */
const uint8_t *bytes_take(struct bytes_reader *, size_t length);
uint64_t bytes_take_number(struct bytes_reader *, size_t size);
uint64_t bytes_take_count(struct bytes_reader *);

#endif
