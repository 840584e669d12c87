/* changes.h: what differs between two outputs. */
#ifndef TUI_CHANGES_H
#define TUI_CHANGES_H

#include <stdbool.h>

#include "core/engine.h"

/* Set a_changed [a->output_count] and b_changed [b->output_count] for the output tokens of a and b that do not belong
 * to their longest common subsequence.  Leaves them as they are where there is no memory.  O(product of counts). */
void changes_mark(const struct explanation *a, bool *a_changed, const struct explanation *b, bool *b_changed);

#endif
