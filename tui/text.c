#include "tui/text.h"

#include <stdlib.h>
#include <string.h>

size_t text_character(const char *text, size_t length, bool *valid, bool *cut)
{
    const unsigned char *p = (const unsigned char *)text;
    size_t need = p[0] < 0x80                   ? 1
                  : p[0] >= 0xc2 && p[0] < 0xe0 ? 2
                  : (p[0] & 0xf0) == 0xe0       ? 3
                  : p[0] >= 0xf0 && p[0] < 0xf5 ? 4
                                                : 0;
    *valid = need != 0;
    if (cut)
        *cut = false;
    for (size_t i = 1; *valid && i < need; i++) {
        if (i == length) {
            *valid = false;
            if (cut)
                *cut = true;
            return 1;
        }
        *valid = (p[i] & 0xc0) == 0x80;
        if (i == 1) /* overlong forms, surrogates, beyond U+10FFFF */
            *valid = *valid && !(p[0] == 0xe0 && p[1] < 0xa0) && !(p[0] == 0xed && p[1] >= 0xa0) &&
                     !(p[0] == 0xf0 && p[1] < 0x90) && !(p[0] == 0xf4 && p[1] >= 0x90);
    }
    return *valid ? need : 1;
}

/* Marks that turn the direction of what stands behind them, in a page as in a terminal, and line separators: U+2028 to
 * U+202E, U+2066 to U+2069. */
static bool turns(const unsigned char *p, size_t n)
{
    return n == 3 && p[0] == 0xe2 &&
           ((p[1] == 0x80 && p[2] >= 0xa8 && p[2] <= 0xae) || (p[1] == 0x81 && p[2] >= 0xa6 && p[2] <= 0xa9));
}

char *text_clean(const char *text, size_t length, bool visible, size_t *size)
{
    char *copy = malloc(length * 3 + 1), *to = copy;
    if (!copy)
        return NULL;
    for (size_t i = 0; i < length;) {
        bool valid;
        size_t n = text_character(text + i, length - i, &valid, NULL);
        unsigned char c = (unsigned char)text[i];
        bool control = (c < 0x20 && c != '\n' && c != '\t') || c == 0x7f ||
                       (c == 0xc2 && n == 2 && (unsigned char)text[i + 1] < 0xa0) ||
                       turns((const unsigned char *)text + i, n);
        if (!valid || (visible && control)) {
            memcpy(to, "\xef\xbf\xbd", 3);
            to += 3;
        } else {
            memcpy(to, text + i, n);
            to += n;
        }
        i += n;
    }
    *to = '\0';
    if (size)
        *size = (size_t)(to - copy);
    return copy;
}

size_t text_finished(const char *text, size_t length)
{
    for (size_t back = length < 3 ? length : 3; back > 0; back--) {
        bool valid, cut;
        text_character(text + length - back, back, &valid, &cut);
        if (cut)
            return length - back;
    }
    return length;
}

bool text_same(const char *a, const char *b)
{
    static const char white[] = " \t\r\n";
    a += strspn(a, white);
    b += strspn(b, white);
    size_t length = strlen(a), other = strlen(b);
    while (length && strchr(white, a[length - 1]))
        length--;
    while (other && strchr(white, b[other - 1]))
        other--;
    return length == other && memcmp(a, b, length) == 0;
}

char *text_of_tokens(const struct tokenizer *tokenizer, const int32_t *ids, size_t count, bool specials, size_t *size)
{
    size_t total = 0, n;
    for (size_t i = 0; i < count; i++) {
        tokenizer_text(tokenizer, ids[i], &n);
        total += n;
    }
    char *bytes = malloc(total + 1);
    if (!bytes)
        return NULL;
    total = 0;
    for (size_t i = 0; i < count; i++) {
        if (!specials && tokenizer_is_special(tokenizer, ids[i]))
            continue;
        const char *text = tokenizer_text(tokenizer, ids[i], &n);
        memcpy(bytes + total, text, n);
        total += n;
    }
    char *clean = text_clean(bytes, total, false, size);
    free(bytes);
    return clean;
}
