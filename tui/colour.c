#include "tui/colour.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static double clamp(double position)
{
    return position != position ? 0 : position < -1 ? -1 : position > 1 ? 1 : position;
}

static unsigned mix(const unsigned *table, double position)
{
    double at = (clamp(position) + 1) * SCALE_SIDE;
    int low = at >= SCALE_STEPS - 1 ? SCALE_STEPS - 2 : (int)at;
    double share = at - low;
    unsigned rgb = 0;
    for (int shift = 0; shift <= 16; shift += 8) {
        double a = table[low] >> shift & 255, b = table[low + 1] >> shift & 255;
        rgb |= (unsigned)lround(a + (b - a) * share) << shift;
    }
    return rgb;
}

/* WCAG 2's relative luminance, 0 .. 1. */
static double luminance(unsigned rgb)
{
    static const double share[3] = {0.0722, 0.7152, 0.2126}; /* blue, green, red */
    double sum = 0;
    for (int c = 0; c < 3; c++) {
        double v = (rgb >> 8 * c & 255) / 255.0;
        sum += share[c] * (v <= 0.03928 ? v / 12.92 : pow((v + 0.055) / 1.055, 2.4));
    }
    return sum;
}

double colour_contrast(unsigned a, unsigned b)
{
    double x = luminance(a) + 0.05, y = luminance(b) + 0.05;
    return x > y ? x / y : y / x;
}

/* Black or white, whichever reads better on rgb: one of them always has a contrast of 4.5 or more. */
static bool black_ink(unsigned rgb)
{
    return colour_contrast(rgb, 0) >= colour_contrast(rgb, 0xffffff);
}

unsigned colour_of_256(int index)
{
    if (index >= 232) {
        unsigned grey = 8 + 10 * (unsigned)(index - 232);
        return grey << 16 | grey << 8 | grey;
    }
    static const unsigned char level[6] = {0, 95, 135, 175, 215, 255};
    int cube = index - 16;
    return (unsigned)level[cube / 36] << 16 | (unsigned)level[cube / 6 % 6] << 8 | level[cube % 6];
}

/* The step of the cube that is nearest to a channel. */
static int cube_step(int v)
{
    return v < 48 ? 0 : v < 115 ? 1 : (v - 35) / 40;
}

static int distance(unsigned a, unsigned b)
{
    int sum = 0;
    for (int shift = 0; shift <= 16; shift += 8) {
        int d = (int)(a >> shift & 255) - (int)(b >> shift & 255);
        sum += d * d;
    }
    return sum;
}

int colour_256(unsigned rgb)
{
    int r = rgb >> 16 & 255, g = rgb >> 8 & 255, b = rgb & 255;
    int cube = 16 + 36 * cube_step(r) + 6 * cube_step(g) + cube_step(b);
    int step = ((r + g + b) / 3 - 3) / 10, grey = 232 + (step < 0 ? 0 : step > 23 ? 23 : step);
    return distance(rgb, colour_of_256(grey)) < distance(rgb, colour_of_256(cube)) ? grey : cube;
}

static struct colour_cell cell_of_16(const struct scale_few *few, int step)
{
    int sign = step > 0, ink = few->strong_ink[sign];
    if (abs(step) >= 4) /* bold black is grey on many terminals */
        return (struct colour_cell){few->strong[sign], ink, ink == 0 ? 0 : COLOUR_BOLD};
    struct colour_cell cell = {-1, few->weak[sign], abs(step) >= 2 ? COLOUR_BOLD : 0};
    if (cell.ink < 0)
        cell.attributes |= COLOUR_UNDERLINE;
    return cell;
}

static struct colour_cell cell_of_none(int step)
{
    struct colour_cell cell = {-1, -1, step > 0 ? COLOUR_BOLD : COLOUR_DIM};
    if (abs(step) >= 4)
        cell.attributes |= COLOUR_REVERSE;
    else if (abs(step) >= 2)
        cell.attributes |= COLOUR_UNDERLINE;
    return cell;
}

unsigned colour_rgb(enum scale scale, enum colour_ground ground, double position)
{
    return mix(scale_table(scale)->rgb[ground], position);
}

/* Grey on both sides: what contradicts is underlined. */
static struct colour_cell cell_of_grey(enum colour_depth depth, enum colour_ground ground, int step)
{
    const struct scale_table *table = scale_table(SCALE_GREY);
    int index = table->palette[ground][step + SCALE_SIDE];
    unsigned sign = step < 0 ? COLOUR_UNDERLINE : 0;
    if (depth == COLOUR_16) {
        const struct scale_few *few = &table->few[ground];
        if (abs(step) >= 4)
            return (struct colour_cell){few->strong[0], few->strong_ink[0], sign};
        return (struct colour_cell){-1, -1, sign | (abs(step) >= 2 || !sign ? COLOUR_BOLD : 0)};
    }
    unsigned rgb = colour_of_256(index);
    if (depth == COLOUR_256)
        return (struct colour_cell){index, black_ink(rgb) ? 16 : 231, sign};
    return (struct colour_cell){(int)rgb, black_ink(rgb) ? 0 : 0xffffff, sign};
}

struct colour_cell colour_cell(enum scale scale, enum colour_depth depth, enum colour_ground ground, double position)
{
    int step = (int)lround(clamp(position) * SCALE_SIDE);
    const struct scale_table *table = scale_table(scale);
    if (step == 0)
        return (struct colour_cell){-1, -1, 0};
    if (depth == COLOUR_NONE)
        return cell_of_none(step);
    if (scale == SCALE_GREY)
        return cell_of_grey(depth, ground, step);
    if (depth == COLOUR_16)
        return cell_of_16(&table->few[ground], step);
    if (depth == COLOUR_256) {
        int background = table->palette[ground][step + SCALE_SIDE];
        return (struct colour_cell){background, black_ink(colour_of_256(background)) ? 16 : 231, 0};
    }
    unsigned rgb = colour_rgb(scale, ground, position);
    return (struct colour_cell){(int)rgb, black_ink(rgb) ? 0 : 0xffffff, 0};
}

double colour_position(double value, double limit, double floor)
{
    if (!(limit > 0) || fabs(value) <= floor)
        return 0;
    return clamp(value / limit);
}

static void add_colour(char *sequence, size_t size, enum colour_depth depth, int base, int colour)
{
    if (colour < 0)
        return;
    size_t used = strlen(sequence);
    if (depth == COLOUR_TRUE)
        snprintf(sequence + used, size - used, ";%d;2;%d;%d;%d", base + 8, colour >> 16 & 255, colour >> 8 & 255,
                 colour & 255);
    else if (depth == COLOUR_256)
        snprintf(sequence + used, size - used, ";%d;5;%d", base + 8, colour);
    else
        snprintf(sequence + used, size - used, ";%d", base + colour);
}

void colour_sgr(enum colour_depth depth, struct colour_cell cell, char *sequence, size_t size)
{
    sequence[0] = '\0';
    if (cell.background < 0 && cell.ink < 0 && !cell.attributes)
        return;
    snprintf(sequence, size, "\033[0%s%s%s%s", cell.attributes & COLOUR_BOLD ? ";1" : "",
             cell.attributes & COLOUR_DIM ? ";2" : "", cell.attributes & COLOUR_UNDERLINE ? ";4" : "",
             cell.attributes & COLOUR_REVERSE ? ";7" : "");
    add_colour(sequence, size, depth, 30, cell.ink);
    add_colour(sequence, size, depth, 40, cell.background);
    size_t used = strlen(sequence);
    snprintf(sequence + used, size - used, "m");
}

enum colour_depth colour_depth_from(const char *term, const char *colorterm, const char *no_color)
{
    if ((no_color && *no_color) || !term || !*term || strcmp(term, "dumb") == 0)
        return COLOUR_NONE;
    if (strncmp(term, "vt", 2) == 0 && strncmp(term, "vte", 3) != 0)
        return COLOUR_NONE;
    if ((colorterm && (strcmp(colorterm, "truecolor") == 0 || strcmp(colorterm, "24bit") == 0)) ||
        strstr(term, "-direct"))
        return COLOUR_TRUE;
    return strstr(term, "256") || strncmp(term, "foot", 4) == 0 ? COLOUR_256 : COLOUR_16;
}

enum colour_ground colour_ground_from(const char *colorfgbg)
{
    const char *last = colorfgbg ? strrchr(colorfgbg, ';') : NULL;
    if (!last || last[1] < '0' || last[1] > '9')
        return GROUND_DARK;
    int background = atoi(last + 1);
    return background == 7 || background >= 9 ? GROUND_LIGHT : GROUND_DARK;
}

void colour_times(double nats, char *words, size_t size)
{
    double times = exp(fabs(nats));
    const char *way = nats < 0 ? "more" : "less";
    if (!(times >= 1.005))
        snprintf(words, size, "no more or less likely");
    else if (times < 9.95)
        snprintf(words, size, "%.*f times %s likely", times < 1.095 ? 2 : 1, times, way);
    else if (times < 1e6)
        snprintf(words, size, "%.0f times %s likely", times, way);
    else
        snprintf(words, size, "over a million times %s likely", way);
}

void colour_nats(double nats, char *words, size_t size)
{
    if (nats == 0)
        snprintf(words, size, "0");
    else if (fabs(nats) < 5e-4)
        snprintf(words, size, "%+.1e", nats);
    else
        snprintf(words, size, "%+.*f", fabs(nats) < 9.995 ? 3 : fabs(nats) < 99.95 ? 2 : 1, nats);
}

void colour_percent(double logprob, char *words, size_t size)
{
    double percent = 100 * exp(logprob);
    if (percent >= 0.095)
        snprintf(words, size, percent >= 9.95 ? "%.0f %%" : "%.1f %%", percent);
    else
        snprintf(words, size, percent >= 0.00095 ? "%.1g %%" : "<0.001 %%", percent);
}
