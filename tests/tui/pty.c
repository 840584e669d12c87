#include "tests/tui/pty.h"

#include <errno.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>
#include <vterm.h>

enum { SEQUENCE = 256, ROW_TEXT = 4096 };

/* Where the filter is within an escape sequence. */
enum filter { FILTER_PLAIN, FILTER_ESCAPE, FILTER_CSI, FILTER_OSC, FILTER_DCS };

struct pty {
    int fd;
    pid_t process;
    int status;
    bool ended, mute;
    int rows, columns;
    const char *background;
    bool sixel, cell_asked, hold;
    int cell_width, cell_height, registers, side, held;
    int pictures;
    struct pty_picture picture, coming; /* the last one; the one that is being sent */
    size_t coming_capacity, picture_capacity;
    VTermRect watched;
    int written;
    VTerm *vterm;
    VTermScreen *screen;
    VTermPos cursor;
    bool visible, alternate, paste, mouse, alt;
    enum filter filter;
    char sequence[SEQUENCE];
    size_t sequence_length, received;
    char row_text[ROW_TEXT], *screen_text;
};

/* -- the terminal -------------------------------------------------------------------------------------------------- */

static int on_move(VTermPos to, VTermPos from, int visible, void *user)
{
    struct pty *pty = user;
    (void)from;
    (void)visible;
    pty->cursor = to;
    return 1;
}

static int on_property(VTermProp property, VTermValue *value, void *user)
{
    struct pty *pty = user;
    if (property == VTERM_PROP_CURSORVISIBLE)
        pty->visible = value->boolean;
    else if (property == VTERM_PROP_ALTSCREEN)
        pty->alternate = value->boolean;
    return 1;
}

static int on_damage(VTermRect rect, void *user)
{
    struct pty *pty = user;
    VTermRect *w = &pty->watched;
    pty->written += rect.start_row < w->end_row && w->start_row < rect.end_row && rect.start_col < w->end_col &&
                    w->start_col < rect.end_col;
    return 1;
}

static const VTermScreenCallbacks callbacks = {.damage = on_damage, .movecursor = on_move, .settermprop = on_property};

static void feed(struct pty *pty, const char *bytes, size_t length)
{
    vterm_input_write(pty->vterm, bytes, length);
}

static void answer_question(struct pty *pty, const char *sequence, size_t length)
{
    char answer[64] = "";
    if (pty->mute)
        return;
    if (length > 4 && memcmp(sequence, "\033[?1;", 5) == 0 && pty->registers)
        snprintf(answer, sizeof answer, "\033[?1;0;%dS", pty->registers);
    else if (length > 4 && memcmp(sequence, "\033[?2;", 5) == 0 && pty->side)
        snprintf(answer, sizeof answer, "\033[?2;0;%d;%dS", pty->side, pty->side);
    else if (length == 5 && memcmp(sequence, "\033[16t", 5) == 0 && pty->cell_asked)
        snprintf(answer, sizeof answer, "\033[6;%d;%dt", pty->cell_height, pty->cell_width);
    else if (length == 9 && memcmp(sequence, "\033[?1036$p", 9) == 0)
        snprintf(answer, sizeof answer, "\033[?1036;%d$y", pty->alt ? 1 : 2);
    pty_send(pty, answer);
}

/* A whole control sequence: a question is answered, a mode noted; false: libvterm should not see it. */
static bool take_csi(struct pty *pty, const char *sequence, size_t length)
{
    if (length >= 3 && sequence[length - 1] == 'c' && (length == 3 || sequence[2] == '0')) {
        if (pty->hold)
            pty->held++;
        else if (!pty->mute)
            pty_send(pty, pty->sixel ? "\033[?62;4;22c" : "\033[?62;22c");
        return false;
    }
    char last = sequence[length - 1], before = length > 1 ? sequence[length - 2] : 0;
    bool asks = last == 'S' && length > 2 && sequence[2] == '?'; /* else it scrolls */
    if (asks || last == 't' || (last == 'p' && before == '$')) {
        answer_question(pty, sequence, length);
        return false;
    }
    bool set = sequence[length - 1] == 'h';
    if (length < 4 || sequence[2] != '?' || (!set && sequence[length - 1] != 'l'))
        return true;
    for (size_t i = 3; i + 4 < length; i++) {
        if (memcmp(sequence + i, "2004", 4) == 0)
            pty->paste = set;
        else if (memcmp(sequence + i, "1000", 4) == 0)
            pty->mouse = set;
        else if (memcmp(sequence + i, "1036", 4) == 0)
            pty->alt = set;
    }
    return true;
}

static void take_osc(struct pty *pty, const char *sequence, size_t length)
{
    char answer[64];
    if (length < 6 || memcmp(sequence, "\033]11;?", 6) != 0 || !pty->background || pty->mute)
        return;
    snprintf(answer, sizeof answer, "\033]11;%s\033\\", pty->background);
    pty_send(pty, answer);
}

static void take_picture_bytes(struct pty *pty, const char *bytes, size_t length)
{
    struct pty_picture *coming = &pty->coming;
    if (coming->length + length > pty->coming_capacity) {
        pty->coming_capacity = 2 * (coming->length + length);
        coming->bytes = realloc(coming->bytes, pty->coming_capacity);
    }
    memcpy(coming->bytes + coming->length, bytes, length);
    coming->length += length;
}

/* One more byte of a device control string. */
static void take_picture(struct pty *pty, char c, bool done)
{
    struct pty_picture *coming = &pty->coming;
    if (coming->length == 0) {
        coming->row = pty->cursor.row;
        coming->column = pty->cursor.col;
        take_picture_bytes(pty, "\033P", 2);
    }
    take_picture_bytes(pty, &c, 1);
    if (!done)
        return;
    char *old = pty->picture.bytes;
    size_t capacity = pty->coming_capacity;
    pty->picture = *coming;
    *coming = (struct pty_picture){.bytes = old};
    pty->coming_capacity = old ? pty->picture_capacity : 0;
    pty->picture_capacity = capacity;
    pty->pictures++;
}

/* Pass output on to libvterm byte by byte, but for the sequences that are ours. */
static void filter(struct pty *pty, char c)
{
    enum filter was = pty->filter;
    if (was == FILTER_PLAIN && c != 27) {
        feed(pty, &c, 1);
        return;
    }
    if (pty->sequence_length < SEQUENCE)
        pty->sequence[pty->sequence_length++] = c;
    char before = pty->sequence_length > 1 ? pty->sequence[pty->sequence_length - 2] : 0;
    bool done = false, show = false;
    if (was == FILTER_PLAIN) {
        pty->filter = FILTER_ESCAPE;
    } else if (was == FILTER_ESCAPE) {
        pty->filter = c == '[' ? FILTER_CSI : c == ']' ? FILTER_OSC : c == 'P' ? FILTER_DCS : FILTER_PLAIN;
        done = show = pty->filter == FILTER_PLAIN && !(c >= ' ' && c < '0'); /* "ESC ( B" has one more */
        if (!done && pty->filter == FILTER_PLAIN)
            pty->filter = pty->sequence_length < 3 ? FILTER_ESCAPE : FILTER_PLAIN;
    } else if (was == FILTER_CSI) {
        done = c >= 0x40 && c <= 0x7e;
        show = done && take_csi(pty, pty->sequence, pty->sequence_length);
    } else {
        done = c == 7 || (c == '\\' && before == 27);
        if (done && was == FILTER_OSC)
            take_osc(pty, pty->sequence, pty->sequence_length);
        if (was == FILTER_DCS)
            take_picture(pty, c, done);
    }
    if (show)
        feed(pty, pty->sequence, pty->sequence_length);
    if (done) {
        pty->filter = FILTER_PLAIN;
        pty->sequence_length = 0;
    }
    if (pty->filter == FILTER_DCS && pty->sequence_length > 2) { /* keep only what tells its end */
        pty->sequence[0] = pty->sequence[pty->sequence_length - 1];
        pty->sequence_length = 1;
    }
}

/* -- the program --------------------------------------------------------------------------------------------------- */

static void become(const struct pty_options *options)
{
    for (const char *const *entry = options->environment; entry && *entry; entry++)
        if (strchr(*entry, '='))
            putenv((char *)*entry);
        else
            unsetenv(*entry);
    execvp(options->arguments[0], (char *const *)options->arguments);
    perror(options->arguments[0]);
    _exit(127);
}

static struct winsize size_of(const struct pty *pty, int rows, int columns)
{
    struct winsize size = {.ws_row = (unsigned short)rows, .ws_col = (unsigned short)columns};
    if (!pty->cell_asked) {
        size.ws_xpixel = (unsigned short)(columns * pty->cell_width + (pty->cell_width ? 4 : 0)); /* and a border */
        size.ws_ypixel = (unsigned short)(rows * pty->cell_height + (pty->cell_width ? 4 : 0));
    }
    return size;
}

struct pty *pty_start(const struct pty_options *options)
{
    struct pty *pty = calloc(1, sizeof *pty);
    pty->sixel = options->sixel;
    pty->cell_width = options->cell_width;
    pty->cell_height = options->cell_height;
    pty->cell_asked = options->cell_asked;
    pty->registers = options->registers;
    pty->side = options->side;
    struct winsize size = size_of(pty, options->rows, options->columns);
    pty->rows = options->rows;
    pty->columns = options->columns;
    pty->background = options->background;
    pty->mute = options->mute;
    pty->visible = true;
    pty->vterm = vterm_new(options->rows, options->columns);
    vterm_set_utf8(pty->vterm, 1);
    pty->screen = vterm_obtain_screen(pty->vterm);
    vterm_screen_set_callbacks(pty->screen, &callbacks, pty);
    vterm_screen_enable_altscreen(pty->screen, 1);
    vterm_screen_reset(pty->screen, 1);
    pty->process = forkpty(&pty->fd, NULL, NULL, &size);
    if (pty->process == 0)
        become(options);
    if (pty->process < 0) {
        perror("forkpty");
        exit(1);
    }
    return pty;
}

void pty_stop(struct pty *pty)
{
    if (!pty->ended) {
        kill(pty->process, SIGKILL);
        waitpid(pty->process, &pty->status, 0);
    }
    if (pty->fd >= 0)
        close(pty->fd);
    vterm_free(pty->vterm);
    free(pty->picture.bytes);
    free(pty->coming.bytes);
    free(pty->screen_text);
    free(pty);
}

int pty_process(const struct pty *pty)
{
    return pty->process;
}

void pty_send_bytes(struct pty *pty, const char *bytes, size_t length)
{
    while (length > 0) {
        struct pollfd fd = {.fd = pty->fd, .events = POLLOUT};
        if (poll(&fd, 1, PTY_PATIENCE) <= 0)
            return;
        ssize_t n = write(pty->fd, bytes, length < 512 ? length : 512);
        if (n < 0 && errno != EINTR)
            return;
        if (n > 0) {
            bytes += n;
            length -= (size_t)n;
        }
        if (length > 0)
            pty_listen(pty, 0); /* a program that waits for us to read would not read */
    }
}

void pty_send(struct pty *pty, const char *text)
{
    pty_send_bytes(pty, text, strlen(text));
}

void pty_resize(struct pty *pty, int rows, int columns)
{
    struct winsize size = size_of(pty, rows, columns);
    pty->rows = rows;
    pty->columns = columns;
    vterm_set_size(pty->vterm, rows, columns);
    ioctl(pty->fd, TIOCSWINSZ, &size);
}

/* -- waiting ------------------------------------------------------------------------------------------------------- */

static int64_t now_ms(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (int64_t)time.tv_sec * 1000 + time.tv_nsec / 1000000;
}

/* Read once, waiting at most ms.  Bytes read; 0: nothing came; -1: nothing will. */
static long read_some(struct pty *pty, int ms)
{
    char bytes[4096];
    struct pollfd fd = {.fd = pty->fd, .events = POLLIN};
    if (poll(&fd, 1, ms) <= 0) /* after hanging up: a sleep */
        return 0;
    ssize_t n = read(pty->fd, bytes, sizeof bytes);
    if (n <= 0)
        return n < 0 && (errno == EINTR || errno == EAGAIN) ? 0 : -1;
    pty->received += (size_t)n;
    for (ssize_t i = 0; i < n; i++)
        filter(pty, bytes[i]);
    vterm_screen_flush_damage(pty->screen);
    return n;
}

bool pty_until(struct pty *pty, bool (*condition)(struct pty *, const void *), const void *data)
{
    int64_t end = now_ms() + PTY_PATIENCE;
    while (!condition(pty, data)) {
        int64_t left = end - now_ms();
        if (left <= 0)
            return false;
        if (read_some(pty, left < 50 ? (int)left : 50) < 0)
            return condition(pty, data);
    }
    return true;
}

static bool is_seen(struct pty *pty, const void *text)
{
    return pty_find(pty, text, NULL, NULL);
}

static bool is_gone(struct pty *pty, const void *text)
{
    return !pty_find(pty, text, NULL, NULL);
}

bool pty_wait(struct pty *pty, const char *text)
{
    bool seen = pty_until(pty, is_seen, text);
    if (!seen)
        printf("waited in vain for \"%s\"; the screen is\n%s", text, pty_screen(pty));
    return seen;
}

bool pty_wait_gone(struct pty *pty, const char *text)
{
    bool gone = pty_until(pty, is_gone, text);
    if (!gone)
        printf("\"%s\" does not go; the screen is\n%s", text, pty_screen(pty));
    return gone;
}

size_t pty_listen(struct pty *pty, int ms)
{
    int64_t end = now_ms() + ms, left = ms;
    size_t before = pty->received;
    do {
        if (read_some(pty, (int)left) < 0)
            break;
        left = end - now_ms();
    } while (left > 0);
    return pty->received - before;
}

void pty_hang_up(struct pty *pty)
{
    close(pty->fd);
    pty->fd = -1;
}

int pty_wait_end(struct pty *pty)
{
    int64_t end = now_ms() + PTY_PATIENCE;
    while (!pty->ended && now_ms() < end) {
        long n = read_some(pty, 10);
        pty->ended = waitpid(pty->process, &pty->status, WNOHANG) == pty->process;
        if (n < 0 && !pty->ended)
            usleep(1000); /* it has closed its terminal and is about to end */
    }
    while (pty->ended && read_some(pty, 0) > 0) {
    }
    return pty->ended ? pty->status : -1;
}

/* -- reading back -------------------------------------------------------------------------------------------------- */

static int colour(const struct pty *pty, VTermColor value, bool ink)
{
    (void)pty;
    if (ink ? VTERM_COLOR_IS_DEFAULT_FG(&value) : VTERM_COLOR_IS_DEFAULT_BG(&value))
        return -1;
    if (VTERM_COLOR_IS_INDEXED(&value))
        return PTY_INDEX + value.indexed.idx;
    return value.rgb.red << 16 | value.rgb.green << 8 | value.rgb.blue;
}

struct pty_cell pty_cell(struct pty *pty, int row, int column)
{
    struct pty_cell cell = {.ink = -1, .background = -1};
    VTermScreenCell from;
    VTermPos at = {.row = row, .col = column};
    if (!vterm_screen_get_cell(pty->screen, at, &from))
        return cell;
    for (int i = 0; i < 6; i++)
        cell.character[i] = from.chars[i];
    cell.width = from.chars[0] == (uint32_t)-1 ? 0 : from.width;
    cell.ink = colour(pty, from.fg, true);
    cell.background = colour(pty, from.bg, false);
    cell.bold = from.attrs.bold;
    cell.underline = from.attrs.underline;
    cell.reverse = from.attrs.reverse;
    return cell;
}

static size_t put_utf8(uint32_t c, char *to)
{
    if (c < 0x80)
        return to[0] = (char)c, 1;
    int extra = c < 0x800 ? 1 : c < 0x10000 ? 2 : 3;
    static const unsigned char lead[] = {0, 0xc0, 0xe0, 0xf0};
    to[0] = (char)(lead[extra] | c >> 6 * extra);
    for (int i = 1; i <= extra; i++)
        to[i] = (char)(0x80 | (c >> 6 * (extra - i) & 63));
    return (size_t)extra + 1;
}

/* A row's text into row_text; columns [bytes + 1] or NULL: in which column each byte stands. */
static void read_row(struct pty *pty, int row, int *columns)
{
    size_t used = 0, last = 0;
    for (int column = 0; column < pty->columns && used + 32 < ROW_TEXT; column++) {
        struct pty_cell cell = pty_cell(pty, row, column);
        size_t from = used;
        if (cell.width == 0 && cell.character[0] == (uint32_t)-1)
            continue;
        if (cell.character[0] == 0)
            pty->row_text[used++] = ' ';
        for (int i = 0; i < 6 && cell.character[i]; i++)
            used += put_utf8(cell.character[i], pty->row_text + used);
        if (pty->row_text[used - 1] != ' ')
            last = used;
        for (; columns && from < used; from++)
            columns[from] = column;
    }
    pty->row_text[last] = '\0';
}

const char *pty_row(struct pty *pty, int row)
{
    read_row(pty, row, NULL);
    return pty->row_text;
}

const char *pty_screen(struct pty *pty)
{
    size_t used = 0;
    pty->screen_text = realloc(pty->screen_text, (size_t)pty->rows * (ROW_TEXT + 1) + 1);
    for (int row = 0; row < pty->rows; row++) {
        const char *text = pty_row(pty, row);
        used += (size_t)sprintf(pty->screen_text + used, "%s\n", text);
    }
    return pty->screen_text;
}

bool pty_find(struct pty *pty, const char *text, int *row, int *column)
{
    int columns[ROW_TEXT + 1] = {0};
    for (int r = 0; r < pty->rows; r++) {
        read_row(pty, r, columns);
        const char *at = strstr(pty->row_text, text);
        if (!at)
            continue;
        if (row)
            *row = r;
        if (column)
            *column = columns[at - pty->row_text];
        return true;
    }
    return false;
}

void pty_cursor(struct pty *pty, int *row, int *column, bool *visible)
{
    *row = pty->cursor.row;
    *column = pty->cursor.col;
    *visible = pty->visible;
}

size_t pty_received(const struct pty *pty)
{
    return pty->received;
}

int pty_pictures(const struct pty *pty)
{
    return pty->pictures;
}

const struct pty_picture *pty_picture(const struct pty *pty)
{
    return pty->pictures ? &pty->picture : NULL;
}

static bool has_more(struct pty *pty, const void *count)
{
    return pty->pictures > *(const int *)count;
}

bool pty_wait_picture(struct pty *pty, int more_than)
{
    return pty_until(pty, has_more, &more_than);
}

int pty_written(struct pty *pty, int row, int column, int rows, int columns)
{
    int written = pty->written;
    pty->watched =
        (VTermRect){.start_row = row, .end_row = row + rows, .start_col = column, .end_col = column + columns};
    pty->written = 0;
    return written;
}

void pty_hold(struct pty *pty, bool hold)
{
    pty->hold = hold;
    for (; !hold && pty->held > 0; pty->held--)
        pty_send(pty, pty->sixel ? "\033[?62;4;22c" : "\033[?62;22c");
}

bool pty_alternate(const struct pty *pty)
{
    return pty->alternate;
}

bool pty_paste(const struct pty *pty)
{
    return pty->paste;
}

bool pty_mouse(const struct pty *pty)
{
    return pty->mouse;
}

bool pty_alt(const struct pty *pty)
{
    return pty->alt;
}

bool pty_cooked(const struct pty *pty)
{
    struct termios modes;
    return tcgetattr(pty->fd, &modes) == 0 && (modes.c_lflag & (ICANON | ECHO | ISIG)) == (ICANON | ECHO | ISIG) &&
           modes.c_iflag & ICRNL && modes.c_oflag & OPOST && modes.c_cc[VINTR] == 3;
}

/* -- colours of words --------------------------------------------------------------------------------------------- */

struct pty_cell pty_cell_of(struct pty *pty, const char *text)
{
    int row, column;
    struct pty_cell none = {.background = -2};
    return pty_find(pty, text, &row, &column) ? pty_cell(pty, row, column) : none;
}

struct wanted {
    const char *text;
    int background;
    bool inverted;
};

static bool has_background(struct pty *pty, const void *data)
{
    const struct wanted *wanted = data;
    return (pty_cell_of(pty, wanted->text).background == wanted->background) != wanted->inverted;
}

bool pty_wait_background(struct pty *pty, const char *text, int background, bool inverted)
{
    struct wanted wanted = {text, background, inverted};
    return pty_until(pty, has_background, &wanted);
}
