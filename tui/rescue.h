/* rescue.h: a crash must not leave a terminal that echoes nothing.
 *
 * Owns the handlers of the signals that end a program at once.  They put the terminal right, with nothing but calls
 * that are safe in a signal handler, and let the signal do its work: core and exit status stay true. */
#ifndef TUI_RESCUE_H
#define TUI_RESCUE_H

#include <stdbool.h>
#include <termios.h>

/* Alt and a key give another character again, as in a bare xterm. */
#define RESCUE_ALT "\033[?1036l"

/* From now on; settings: what to go back to (copied). */
void rescue_arm(const struct termios *settings);
void rescue_disarm(void);
/* Whether RESCUE_ALT is to be sent too: where another mode was found, it is not ours to end. */
void rescue_alt(bool);

#endif
