#include "tui/terminal.h"

#include <curses.h>
#include <errno.h>
#include <langinfo.h>
#include <locale.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <term.h>
#include <unistd.h>

#include "tui/keys.h"
#include "tui/rescue.h"

#undef columns /* term.h takes this word for itself */

/* Not in every terminal's description, but known by all that are like xterm, and ignored by the others. */
#define PASTE_ON "\033[?2004h"
#define PASTE_OFF "\033[?2004l"
#define ALT_ON "\033[?1036h"
#define ALT_OFF RESCUE_ALT

/* How long what begins with Esc may be on its way, milliseconds: over SSH a key may come in two packets.  And how long
 * curses would wait. */
enum { ESCAPE_MS = 100, CURSES_ESCAPE_MS = 1000 };

static volatile sig_atomic_t end_signal, stop_wanted, continued, resized;

static void on_signal(int number)
{
    if (number == SIGTSTP)
        stop_wanted = 1;
    else if (number == SIGCONT)
        continued = 1;
    else if (number == SIGWINCH)
        resized = 1;
    else
        end_signal = number;
}

int terminal_signal(void)
{
    return end_signal;
}

static const int watched[] = {SIGTERM, SIGHUP, SIGINT, SIGTSTP, SIGCONT, SIGWINCH};
enum { WATCHED = sizeof watched / sizeof *watched };

/* Take the signals, and only while we wait: whatever is drawn is drawn whole.  Set before curses would, and before
 * threads are made, which inherit the mask: so the signals come to us. */
static void take_signals(bool take)
{
    struct sigaction action = {.sa_handler = take ? on_signal : SIG_DFL};
    sigset_t set;
    sigemptyset(&set);
    for (int i = 0; i < WATCHED; i++) {
        sigaction(watched[i], &action, NULL);
        sigaddset(&set, watched[i]);
    }
    pthread_sigmask(take ? SIG_BLOCK : SIG_UNBLOCK, &set, NULL);
}

void terminal_send(const char *bytes, size_t length)
{
    while (length > 0) {
        ssize_t n = write(STDOUT_FILENO, bytes, length);
        if (n < 0 && errno != EINTR)
            return;
        if (n > 0) {
            bytes += n;
            length -= (size_t)n;
        }
    }
}

static void send(const char *text)
{
    terminal_send(text, strlen(text));
}

/* -- what it can do ------------------------------------------------------------------------------------------------ */

/* Look a terminal's description up; OK or ERR. */
static int look_up(const char *term)
{
    int status;
    if (cur_term)
        del_curterm(cur_term);
    return setupterm(term, STDOUT_FILENO, &status);
}

static int check_terminal(const struct terminal_options *options, struct error *error)
{
    const char *term = options->term;
    if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO))
        return error_set(error, ERROR_DEVICE, "the interactive screen needs a terminal; in a pipe or a script %s",
                         options->instead);
    if (!term || !*term)
        return error_set(
            error, ERROR_DEVICE,
            "TERM is not set, so nothing is known of this terminal; set it, for example TERM=xterm-256color");
    if (look_up(term) != OK)
        return error_set(
            error, ERROR_DEVICE,
            "the terminal type TERM=%s is not known here; set TERM to one that is, for example xterm-256color", term);
    const char *move = tigetstr("cup"), *clear = tigetstr("clear");
    if (!move || move == (char *)-1 || !clear || clear == (char *)-1)
        return error_set(error, ERROR_DEVICE,
                         "a terminal of type TERM=%s cannot move its cursor; %s", term, options->instead);
    return 0;
}

/* The description with 24-bit colours of the same terminal, where there is one: "xterm-direct" for "xterm-256color". */
static void choose_description(struct terminal *terminal, const char *term, char *name, size_t size)
{
    snprintf(name, size, "%s", term);
    if (terminal->depth == COLOUR_TRUE && tigetnum("colors") <= 256) {
        char *end = strstr(name, "-256color");
        size_t base = end ? (size_t)(end - name) : strlen(name);
        snprintf(name + base, size - base, "-direct");
        if (look_up(name) != OK) {
            snprintf(name, size, "%s", term);
            look_up(name);
        }
    }
    int colours = tigetnum("colors");
    enum colour_depth most = colours < 8      ? COLOUR_NONE
                             : colours < 256  ? COLOUR_16
                             : colours == 256 ? COLOUR_256
                                              : COLOUR_TRUE;
    if (terminal->depth > most)
        terminal->depth = most;
    terminal->direct = most == COLOUR_TRUE;
    if (terminal->direct && terminal->depth != COLOUR_NONE)
        terminal->depth = COLOUR_TRUE;
}

/* -- opening and closing ------------------------------------------------------------------------------------------- */

static void teach_keys(void)
{
    define_key("\033[1;5D", KEY_CONTROL_LEFT);
    define_key("\033[1;5C", KEY_CONTROL_RIGHT);
    define_key("\033Od", KEY_CONTROL_LEFT);
    define_key("\033Oc", KEY_CONTROL_RIGHT);
    define_key("\033[1;5H", KEY_CONTROL_HOME);
    define_key("\033[1;5F", KEY_CONTROL_END);
    define_key("\033[1;3A", KEY_ALT_UP);
    define_key("\033[1;3B", KEY_ALT_DOWN);
    define_key("\033[H", KEY_HOME);
    define_key("\033[F", KEY_END);
    define_key("\033[200~", KEY_PASTE_START);
    define_key("\033[201~", KEY_PASTE_END);
    define_key("\033[?", KEY_LATE_CSI);
    define_key("\033]", KEY_LATE_OSC);
}

void terminal_switch_modes(const struct terminal *terminal, bool on)
{
    send(on ? PASTE_ON : PASTE_OFF);
    if (!terminal->alt_characters)
        return;
    rescue_alt(on);
    send(on ? ALT_ON : ALT_OFF);
}

/* Our own terminal settings on top of curses' cbreak: ^Q, ^S, ^V, ^C are keys; ^Z and ^\ stay signals. */
static void set_modes(void)
{
    struct termios modes;
    if (tcgetattr(STDIN_FILENO, &modes) == 0) {
        modes.c_iflag &= ~(tcflag_t)(IXON | ISTRIP | INLCR | ICRNL);
        modes.c_cc[VINTR] = _POSIX_VDISABLE;
        modes.c_cc[VLNEXT] = _POSIX_VDISABLE;
        tcsetattr(STDIN_FILENO, TCSADRAIN, &modes);
    }
    def_prog_mode();
}

static void set_locale(struct terminal *terminal)
{
    setlocale(LC_CTYPE, "");
    if (strcmp(nl_langinfo(CODESET), "UTF-8") != 0) {
        terminal->ascii = true; /* what is typed and kept is UTF-8 all the same */
        setlocale(LC_CTYPE, "C.UTF-8");
    }
}

/* The size of a cell, where the terminal tells its own in pixels.  Its border may be counted in: round down. */
static void measure_cell(struct terminal *terminal)
{
    struct winsize size;
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_row == 0 || size.ws_col == 0 ||
        size.ws_xpixel < size.ws_col || size.ws_ypixel < size.ws_row)
        return;
    terminal->cell_width = size.ws_xpixel / size.ws_col;
    terminal->cell_height = size.ws_ypixel / size.ws_row;
}

int terminal_open(struct terminal *terminal, const struct terminal_options *options, struct error *error)
{
    char name[128];
    *terminal = (struct terminal){.depth = options->depth,
                                  .ground = options->ground,
                                  .scale = options->scale,
                                  .wanted = options->graphics,
                                  .graphics = options->graphics == GRAPHICS_AUTO ? GRAPHICS_BLOCKS : options->graphics,
                                  .shared = options->tmux};
    int code = check_terminal(options, error);
    if (code != 0) {
        if (cur_term)
            del_curterm(cur_term);
        return code;
    }
    if (tcgetattr(STDIN_FILENO, &terminal->saved) != 0)
        return error_set(error, ERROR_DEVICE, "the terminal does not tell its settings: %s", strerror(errno));
    set_locale(terminal);
    choose_description(terminal, options->term, name, sizeof name);
    end_signal = stop_wanted = continued = resized = 0;
    take_signals(true);
    rescue_arm(&terminal->saved);
    measure_cell(terminal);
    if (terminal->depth != COLOUR_NONE && strncmp(name, "linux", 5) != 0)
        terminal_ask(terminal);
    if (terminal->depth == COLOUR_NONE && terminal->graphics == GRAPHICS_SIXEL)
        terminal->graphics = GRAPHICS_BLOCKS;
    if (cur_term) /* curses makes its own */
        del_curterm(cur_term);
    terminal->screen = newterm(name, stdout, stdin);
    if (!terminal->screen) {
        rescue_disarm();
        take_signals(false);
        return error_set(error, ERROR_DEVICE, "curses cannot use a terminal of type TERM=%s; set TERM to another",
                         name);
    }
    cbreak();
    noecho();
    nonl();
    set_modes();
    if (get_escdelay() == CURSES_ESCAPE_MS) /* $ESCDELAY, which curses reads, asks for no other */
        set_escdelay(ESCAPE_MS);
    idlok(stdscr, FALSE);
    idcok(stdscr, FALSE);
    if (terminal->depth != COLOUR_NONE && start_color() == OK)
        use_default_colors();
    mousemask(BUTTON1_PRESSED | BUTTON4_PRESSED | BUTTON5_PRESSED, NULL);
    mouseinterval(0);
    teach_keys();
    WINDOW *pad = newpad(1, 1);
    terminal->pad = pad;
    keypad(pad, TRUE);
    nodelay(pad, TRUE);
    terminal_switch_modes(terminal, true);
    terminal_resize(terminal);
    return 0;
}

void terminal_close(struct terminal *terminal)
{
    if (!terminal->screen)
        return;
    terminal_switch_modes(terminal, false);
    endwin();
    send("\033[?25h");
    tcsetattr(STDIN_FILENO, TCSANOW, &terminal->saved);
    delwin(terminal->pad);
    delscreen(terminal->screen);
    terminal->screen = terminal->pad = NULL;
    rescue_disarm();
    take_signals(false);
}

void terminal_suspend(struct terminal *terminal)
{
    sigset_t set;
    struct sigaction stop = {.sa_handler = SIG_DFL}, ours;
    stop_wanted = 0;
    terminal->fences = 0; /* the shell reads what comes now */
    terminal_switch_modes(terminal, false);
    endwin();
    send("\033[?25h");
    sigemptyset(&set);
    sigaddset(&set, SIGTSTP);
    sigaction(SIGTSTP, &stop, &ours);
    raise(SIGTSTP);
    pthread_sigmask(SIG_UNBLOCK, &set, NULL); /* here we stand still until fg */
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    sigaction(SIGTSTP, &ours, NULL);
    reset_prog_mode();
    terminal_switch_modes(terminal, true);
    clearok(curscr, TRUE);
    continued = 0;
    terminal_resize(terminal);
}

void terminal_resize(struct terminal *terminal)
{
    struct winsize size;
    resized = 0;
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_row > 0 && size.ws_col > 0 &&
        (size.ws_row != LINES || size.ws_col != COLS)) {
        resize_term(size.ws_row, size.ws_col);
        clearok(curscr, TRUE);
    }
    terminal->rows = LINES;
    terminal->columns = COLS;
    measure_cell(terminal);
}

void terminal_picture(struct terminal *terminal, int row, int column, const char *bytes, size_t length)
{
    char text[64];
    int back_row, back_column;
    getyx(curscr, back_row, back_column);
    if (terminal->synchronised)
        send("\033[?2026h");
    /* drawn where the cursor is, not at the top left; no margins left over from an earlier size, in which an image that
     * ends on the last row would scroll */
    snprintf(text, sizeof text, "\033[?80l\033[r\033[%d;%dH", row + 1, column + 1);
    send(text);
    terminal_send(bytes, length);
    snprintf(text, sizeof text, "\033[%d;%dH%s\033[c", back_row + 1, back_column + 1,
             terminal->synchronised ? "\033[?2026l" : "");
    send(text);
    terminal->fences++;
}

/* -- waiting ------------------------------------------------------------------------------------------------------- */

unsigned terminal_wait(struct terminal *terminal, const int *others, int count, int timeout_ms)
{
    struct pollfd fds[8] = {{.fd = STDIN_FILENO, .events = POLLIN}};
    struct timespec time = {timeout_ms / 1000, timeout_ms % 1000 * 1000000L};
    sigset_t open;
    unsigned woke = 0;
    if (count > 7)
        count = 7;
    for (int i = 0; i < count; i++)
        fds[i + 1] = (struct pollfd){.fd = others[i], .events = POLLIN};
    pthread_sigmask(SIG_SETMASK, NULL, &open);
    for (int i = 0; i < WATCHED; i++)
        sigdelset(&open, watched[i]);
    if (terminal->typed_count > 0)
        time = (struct timespec){0};
    int n = ppoll(fds, (nfds_t)count + 1, timeout_ms < 0 && terminal->typed_count == 0 ? NULL : &time, &open);
    if (n > 0) {
        if (fds[0].revents & (POLLHUP | POLLERR | POLLNVAL)) {
            terminal->gone = true;
            end_signal = end_signal ? end_signal : SIGHUP;
        } else if (fds[0].revents) {
            woke |= WOKE_KEYS;
        }
        for (int i = 0; i < count; i++)
            if (fds[i + 1].revents)
                woke |= (unsigned)WOKE_OTHER << i;
    }
    if (terminal->typed_count > 0)
        woke |= WOKE_KEYS;
    if (continued) {
        continued = 0;
        reset_prog_mode();
        terminal_switch_modes(terminal, true);
        clearok(curscr, TRUE);
        woke |= WOKE_CONTINUE;
    }
    return woke | (resized ? WOKE_RESIZE : 0) | (stop_wanted ? WOKE_STOP : 0) | (end_signal ? WOKE_END : 0);
}
