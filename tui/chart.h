/* chart.h: curves of numbers drawn with dots, eight to a cell where the characters are there, else one.
 *
 * Knows nothing of what the numbers mean; labels are the caller's. */
#ifndef TUI_CHART_H
#define TUI_CHART_H

#include "tui/paint.h"

enum { CHART_ROWS = 32, CHART_COLUMNS = 128 }; /* more of an area are left blank */

struct chart_line {
    const double *x, *y; /* [count] points, x ascending from 0 on; straight lines between them */
    int count;
    bool dotted;
    char plain; /* the dot where there is only ASCII */
    struct style style;
};

struct chart {
    struct area area;
    bool ascii;
    double right;         /* x at the right edge, > 0; the left one is 0 */
    double top, bottom;   /* y at the edges, top > bottom */
    bool filled;          /* with dots between the first two lines, */
    struct style between; /* which are drawn in this style; not where there is only ASCII */
};

/* Later lines lie below earlier ones. */
void chart_draw(const struct chart *, const struct chart_line *, int count);

#endif
