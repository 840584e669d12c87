/* rescue.h: a crash must not leave a terminal that echoes nothing.
 *
 * Owns the handlers of the signals that end a program at once.  They put the terminal right, with nothing but calls
 * that are safe in a signal handler, and let the signal do its work: core and exit status stay true. */
#ifndef TUI_RESCUE_H
#define TUI_RESCUE_H

#include <termios.h>

/* From now on; settings: what to go back to (copied). */
void rescue_arm(const struct termios *settings);
void rescue_disarm(void);

#endif
