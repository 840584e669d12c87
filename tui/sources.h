/* sources.h: where in the prompt an output token comes from, as a number that token and source share, like a
 * footnote's.
 *
 * Numbers are given to units in the order in which the output comes to rest on them.  Most tokens of a text follow from
 * those before them, and have none.  Pure: it asks an explanation and draws nothing. */
#ifndef TUI_SOURCES_H
#define TUI_SOURCES_H

#include <wchar.h>

#include "tui/map.h"

/* In place of a number. */
enum { SOURCES_NONE, SOURCES_PICTURE = -1 };

struct sources {
    int *token; /* [token_count] numbers of the output tokens' sources */
    int *unit;  /* [unit_count] a unit's own number, SOURCES_NONE if no token rests on it most */
    size_t token_count, unit_count;
    int count; /* numbers given */
    size_t token_room, unit_room;
};

/* Find them all anew.  While measuring goes on, direct paths decide, for numbers not to move about with every batch;
 * then the paths that are asked for.  Of the prompt's units that may set a map's scale, a source is the one that
 * supports its token most, and by 0.5 nats at least (without it the token would be 1.6 times less likely).  Without
 * memory there are none.  Start with zeroed sources. */
void sources_find(struct sources *, const struct explanation *, enum map_paths);
/* None is found. */
void sources_clear(struct sources *);
void sources_free(struct sources *);
/* The token's number, or the unit's; SOURCES_NONE for others. */
int sources_of_token(const struct sources *, size_t token);
int sources_of_unit(const struct sources *, long unit);
/* One column that stands for it; never a blank. */
wchar_t sources_sign(int number, bool ascii);

#endif
