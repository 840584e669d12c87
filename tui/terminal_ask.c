/* terminal_ask.c: what the terminal says of itself when it is asked: background, pictures, size of a cell. */
#include "tui/terminal.h"

#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { PATIENCE_MS = 1000, NUMBERS = 24 };

/* The background; whether Alt and a key send Esc; colour registers and greatest size of pictures; synchronised output;
 * and behind them what every terminal answers, so that nobody waits for an answer that does not come.  All answers but
 * those to the first and to the size of a cell begin with "CSI ?", which terminal_keys.c knows to be no key when they
 * come late. */
#define ASK_BACKGROUND "\033]11;?\033\\"
#define ASK_ALT "\033[?1036$p"
#define ASK_PICTURES "\033[?1;1;0S\033[?2;4;0S\033[?2026$p"
#define ASK_CELL "\033[16t"
#define ASK_FENCE "\033[c"

/* Take "...11;rgb:RRRR/GGGG/BBBB..." apart. */
static bool parse_background(const char *answer, enum colour_ground *ground)
{
    unsigned red, green, blue;
    int first, last;
    const char *at = strstr(answer, "]11;rgb:");
    if (!at || sscanf(at + 8, "%n%4x%n/%4x/%4x", &first, &red, &last, &green, &blue) != 3)
        return false;
    double most = (1 << 4 * (last - first)) - 1;
    *ground = (0.3 * red + 0.59 * green + 0.11 * blue) / most > 0.5 ? GROUND_LIGHT : GROUND_DARK;
    return true;
}

static int read_numbers(const char *text, int *numbers)
{
    int count = 0, value = 0;
    for (; count < NUMBERS; text++) {
        if (*text >= '0' && *text <= '9') {
            value = value < 100000 ? 10 * value + *text - '0' : value;
        } else {
            numbers[count++] = value;
            value = 0;
            if (*text != ';')
                break;
        }
    }
    return count;
}

/* Device attributes: 4 among what follows the class is sixel, and nothing else says so. */
static void take_attributes(struct terminal *terminal, const int *numbers, int count)
{
    bool sixel = false;
    for (int i = 1; i < count; i++)
        sixel = sixel || numbers[i] == 4;
    if (terminal->fences > 0)
        terminal->fences--;
    if (!sixel || terminal->wanted != GRAPHICS_AUTO || terminal->graphics == GRAPHICS_SIXEL)
        return;
    terminal->graphics = GRAPHICS_SIXEL;
    terminal->learned = true;
}

void terminal_take_answer(struct terminal *terminal, const char *answer)
{
    int n[NUMBERS], count = read_numbers(answer, n);
    const char *end = answer + strspn(answer, "0123456789;");
    if (strcmp(end, "c") == 0) {
        take_attributes(terminal, n, count);
    } else if (strcmp(end, "S") == 0 && count >= 3 && n[1] == 0) {
        if (n[0] == 1)
            terminal->registers = n[2];
        if (n[0] == 2 && count >= 4) {
            terminal->picture_width = n[2];
            terminal->picture_height = n[3];
        }
    } else if (strcmp(end, "$y") == 0 && count >= 2 && n[0] == 2026) {
        terminal->synchronised = n[1] == 1 || n[1] == 2;
    } else if (strcmp(end, "$y") == 0 && count >= 2 && n[0] == 1036 && n[1] == 2) {
        terminal->alt_characters = true;
        if (terminal->screen) /* late: else terminal_open() does this */
            terminal_switch_modes(terminal, true);
    }
}

/* "6;HEIGHT;WIDTHt" */
static void take_cell(struct terminal *terminal, const char *answer)
{
    int n[NUMBERS], count = read_numbers(answer, n);
    if (count == 3 && n[0] == 6 && answer[strspn(answer, "0123456789;")] == 't') {
        terminal->cell_height = n[1];
        terminal->cell_width = n[2];
    }
}

/* Take all that was read apart: answers, and what a person typed meanwhile, which is all outside of escape sequences.
 */
static void take_all(struct terminal *terminal, const char *bytes, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        if (bytes[i] != 27) {
            if (terminal->typed_count < sizeof terminal->typed)
                terminal->typed[terminal->typed_count++] = bytes[i];
        } else if (i + 1 < length && bytes[i + 1] == ']') {
            while (i < length && bytes[i] != 7 && !(bytes[i] == '\\' && bytes[i - 1] == 27))
                i++;
        } else if (i + 1 < length && (bytes[i + 1] == '[' || bytes[i + 1] == 'O')) {
            char answer[128] = "";
            size_t first = i + 2;
            for (i = first; i < length && (unsigned char)(bytes[i] - 0x40) > 0x3e;)
                i++;
            if (i < length && i - first < sizeof answer - 1)
                memcpy(answer, bytes + first, i - first + 1);
            if (answer[0] == '?')
                terminal_take_answer(terminal, answer + 1);
            else
                take_cell(terminal, answer);
        }
    }
}

static int64_t now_ms(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (int64_t)time.tv_sec * 1000 + time.tv_nsec / 1000000;
}

/* The answer to the fence is there. */
static bool is_over(const char *answer)
{
    for (const char *at = answer; (at = strstr(at, "\033[?")); at += 3)
        if (at[3 + strspn(at + 3, "0123456789;")] == 'c')
            return true;
    return false;
}

static size_t read_answers(char *answer, size_t size)
{
    size_t length = 0;
    int64_t end = now_ms() + PATIENCE_MS;
    answer[0] = '\0';
    while (length + 1 < size && !is_over(answer)) {
        int64_t left = end - now_ms();
        struct pollfd tty = {.fd = STDIN_FILENO, .events = POLLIN};
        if (left <= 0 || poll(&tty, 1, (int)left) <= 0)
            break;
        ssize_t n = read(STDIN_FILENO, answer + length, size - 1 - length);
        if (n <= 0)
            break;
        length += (size_t)n;
        answer[length] = '\0';
    }
    return length;
}

void terminal_ask(struct terminal *terminal)
{
    struct termios quiet = terminal->saved;
    char question[128], answer[2048];
    quiet.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
    quiet.c_cc[VMIN] = 0;
    quiet.c_cc[VTIME] = 0;
    if (tcsetattr(STDIN_FILENO, TCSADRAIN, &quiet) != 0)
        return;
    bool pictures = terminal->wanted == GRAPHICS_AUTO || terminal->wanted == GRAPHICS_SIXEL;
    snprintf(question, sizeof question, ASK_BACKGROUND ASK_ALT "%s%s" ASK_FENCE, pictures ? ASK_PICTURES : "",
             pictures && terminal->cell_width == 0 ? ASK_CELL : "");
    terminal_send(question, strlen(question));
    size_t length = read_answers(answer, sizeof answer);
    parse_background(answer, &terminal->ground);
    take_all(terminal, answer, length);
    terminal->learned = false;
    tcsetattr(STDIN_FILENO, TCSADRAIN, &terminal->saved);
}
