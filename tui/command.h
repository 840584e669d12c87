/* command.h: the commands.  Each does all of its work and returns 0 or an error code; main.c turns that into a message
 * and an exit status. */
#ifndef TUI_COMMAND_H
#define TUI_COMMAND_H

#include "tui/context.h"
#include "tui/options.h"
#include "tui/terminal.h"

enum { COMMAND_FAILED = -101 }; /* all has been said: leave quietly with status 1 */

int command_explain(const struct options *, const struct context *, struct error *);
int command_generate(const struct options *, const struct context *, struct error *);
int command_info(const struct options *, const struct context *, struct error *);
int command_tokenize(const struct options *, const struct context *, struct error *);
int command_bench(const struct options *, const struct context *, struct error *);
int command_eval(const struct options *, const struct context *, struct error *);
/* COMMAND_FAILED where a case does not hold. */
int command_guard(const struct options *, const struct context *, struct error *);
/* *signal: the one that ended the screen, to be raised again; else 0. */
int command_screen(const struct options *, const struct context *, int *signal, struct error *);
/* The screen is to be lines of text. */
bool command_is_plain(const struct options *, const struct context *);
int command_plain(const struct options *, const struct context *, struct error *);
int command_replay(const struct options *, const struct context *, int *signal, struct error *);
/* What the screen is told of its terminal. */
struct terminal_options command_terminal(const struct options *, const struct context *);

#endif
