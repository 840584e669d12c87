#include "tests/tui/sixel_read.h"

#include <stdlib.h>
#include <string.h>

enum { COLOURS = 1024, NUMBERS = 8 };

/* "1;2;3" at *at; returns how many there are. */
static int read_numbers(const char *bytes, size_t length, size_t *at, int *numbers)
{
    int count = 0;
    memset(numbers, 0, NUMBERS * sizeof *numbers);
    for (; *at < length; ++*at) {
        char c = bytes[*at];
        if (c >= '0' && c <= '9' && count < NUMBERS) {
            numbers[count] = numbers[count] * 10 + c - '0';
        } else if (c == ';') {
            count++;
        } else {
            break;
        }
    }
    return count + 1;
}

static bool paint(struct sixel_pixels *pixels, int x, int y, int bits, int run, const uint8_t *rgb)
{
    for (int bit = 0; bit < 6; bit++)
        for (int i = 0; bits >> bit & 1 && i < run; i++) {
            if (x + i >= pixels->width || y + bit >= pixels->height)
                return false;
            size_t at = (size_t)(y + bit) * (size_t)pixels->width + (size_t)(x + i);
            memcpy(pixels->rgb + 3 * at, rgb, 3);
            pixels->painted[at] = true;
        }
    return true;
}

/* The body, from behind the raster attributes on. */
static bool read_body(const char *bytes, size_t length, size_t at, struct sixel_pixels *pixels)
{
    static uint8_t rgb[COLOURS][3];
    static bool defined[COLOURS];
    int x = 0, y = 0, run = 1, colour = -1, n[NUMBERS];
    memset(defined, 0, sizeof defined);
    while (at < length && bytes[at] != 27) {
        char c = bytes[at++];
        if (c == '#') {
            int count = read_numbers(bytes, length, &at, n);
            if ((colour = n[0]) >= COLOURS || (count > 1 && (count != 5 || n[1] != 2)))
                return false;
            for (int i = 0; count > 1 && i < 3; i++)
                rgb[colour][i] = (uint8_t)((n[2 + i] * 255 + 50) / 100);
            defined[colour] |= count > 1;
        } else if (c == '!') {
            read_numbers(bytes, length, &at, n);
            run = n[0];
        } else if (c == '$') {
            x = 0;
        } else if (c == '-') {
            x = 0;
            y += 6;
        } else if (c >= '?' && c <= '~') {
            if (colour < 0 || !defined[colour] || !paint(pixels, x, y, c - '?', run, rgb[colour]))
                return false;
            x += run;
            run = 1;
        } else {
            return false;
        }
    }
    return at + 1 < length && bytes[at + 1] == '\\';
}

bool sixel_read(const char *bytes, size_t length, struct sixel_pixels *pixels)
{
    size_t at = 2;
    int n[NUMBERS];
    *pixels = (struct sixel_pixels){0};
    if (length < 4 || memcmp(bytes, "\033P", 2) != 0)
        return false;
    read_numbers(bytes, length, &at, n);
    if (at + 1 >= length || bytes[at] != 'q' || bytes[at + 1] != '"')
        return false;
    at += 2;
    if (read_numbers(bytes, length, &at, n) != 4 || n[2] < 1 || n[3] < 1 || n[2] > 10000 || n[3] > 10000)
        return false;
    pixels->width = n[2];
    pixels->height = n[3];
    size_t count = (size_t)n[2] * (size_t)n[3];
    pixels->rgb = calloc(count, 3);
    pixels->painted = calloc(count, sizeof(bool));
    return pixels->rgb && pixels->painted && read_body(bytes, length, at, pixels);
}

void sixel_pixels_free(struct sixel_pixels *pixels)
{
    free(pixels->rgb);
    free(pixels->painted);
    *pixels = (struct sixel_pixels){0};
}
