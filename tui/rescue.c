#include "tui/rescue.h"

#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

static const int fatal[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGQUIT};
enum { FATAL = sizeof fatal / sizeof *fatal, STACK = 64 * 1024 };

static struct termios saved;
static volatile sig_atomic_t armed, alt;
static void *stack;

/* ends a string or picture cut in half; synchronised output, mouse and paste modes, scroll region, attributes,
 * autowrap, cursor keys, keypad, alternate screen off; cursor on */
static const char reset[] =
    "\033\\\033[?2026l\033[?1000l\033[?1002l\033[?1003l\033[?1006l\033[?2004l\033[r\033[0m\033[?7h"
    "\033[?1l\033>\033[?1049l\033[?25h\r\n";

static void on_fatal(int number)
{
    if (armed) {
        armed = 0;
        if (write(STDOUT_FILENO, reset, sizeof reset - 1) < 0 ||
            (alt && write(STDOUT_FILENO, RESCUE_ALT, sizeof RESCUE_ALT - 1) < 0)) {
            /* nothing else can be done */
        }
        tcsetattr(STDIN_FILENO, TCSANOW, &saved);
    }
    signal(number, SIG_DFL);
    raise(number);
}

static void set_handlers(void (*handler)(int))
{
    struct sigaction action = {.sa_handler = handler, .sa_flags = SA_ONSTACK | SA_RESETHAND | SA_NODEFER};
    for (int i = 0; i < FATAL; i++)
        sigaction(fatal[i], &action, NULL);
}

void rescue_arm(const struct termios *settings)
{
    saved = *settings;
    armed = 1;
    stack = malloc(STACK); /* a stack of its own: the other one may have overflowed */
    stack_t own = {.ss_sp = stack, .ss_size = STACK};
    if (stack)
        sigaltstack(&own, NULL);
    set_handlers(on_fatal);
}

void rescue_disarm(void)
{
    stack_t none = {.ss_flags = SS_DISABLE};
    armed = 0;
    set_handlers(SIG_DFL);
    sigaltstack(&none, NULL);
    free(stack);
    stack = NULL;
}

void rescue_alt(bool wanted)
{
    alt = wanted;
}
