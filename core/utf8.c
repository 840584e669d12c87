#include "core/utf8.h"

#include <string.h>

/* Bytes of the well-formed character at p, 0 if it is none (Unicode 15, table 3-7). */
static size_t character_bytes(const unsigned char *p, size_t left)
{
    unsigned char low = 0x80, high = 0xbf;
    size_t bytes;
    if (p[0] < 0x80)
        return 1;
    if (p[0] >= 0xc2 && p[0] <= 0xdf) {
        bytes = 2;
    } else if (p[0] >= 0xe0 && p[0] <= 0xef) {
        bytes = 3;
        low = p[0] == 0xe0 ? 0xa0 : low;   /* overlong */
        high = p[0] == 0xed ? 0x9f : high; /* surrogates */
    } else if (p[0] >= 0xf0 && p[0] <= 0xf4) {
        bytes = 4;
        low = p[0] == 0xf0 ? 0x90 : low;   /* overlong */
        high = p[0] == 0xf4 ? 0x8f : high; /* beyond U+10FFFF */
    } else {
        return 0;
    }
    if (left < bytes || p[1] < low || p[1] > high)
        return 0;
    for (size_t i = 2; i < bytes; i++)
        if (p[i] < 0x80 || p[i] > 0xbf)
            return 0;
    return bytes;
}

size_t utf8_check(const char *text, size_t length)
{
    const unsigned char *p = (const unsigned char *)text;
    size_t at = 0;
    while (at < length) {
        uint64_t eight;
        if (length - at >= 8 && (memcpy(&eight, p + at, 8), (eight & 0x8080808080808080) == 0)) {
            at += 8;
            continue;
        }
        size_t bytes = character_bytes(p + at, length - at);
        if (!bytes)
            return at;
        at += bytes;
    }
    return length;
}

uint32_t utf8_next(const char *text, size_t length, size_t *at)
{
    const unsigned char *p = (const unsigned char *)text;
    uint32_t code = p[(*at)++];
    if (code < 0x80)
        return code;
    code &= code < 0xe0 ? 0x1f : code < 0xf0 ? 0x0f : 0x07;
    while (*at < length && (p[*at] & 0xc0) == 0x80)
        code = code << 6 | (p[(*at)++] & 0x3f);
    return code;
}

uint32_t utf8_previous(const char *text, size_t length, size_t *at)
{
    *at = utf8_floor(text, length, *at - 1);
    size_t end = *at;
    return utf8_next(text, length, &end);
}

size_t utf8_floor(const char *text, size_t length, size_t at)
{
    while (at > 0 && at < length && ((unsigned char)text[at] & 0xc0) == 0x80)
        at--;
    return at;
}

bool utf8_is_space(uint32_t code)
{
    return (code >= 0x09 && code <= 0x0d) || code == 0x20 || code == 0x85 || code == 0xa0 || code == 0x1680 ||
           (code >= 0x2000 && code <= 0x200a) || code == 0x2028 || code == 0x2029 || code == 0x202f || code == 0x205f ||
           code == 0x3000;
}
