#include "tui/changes.h"

#include <stdlib.h>

void changes_mark(const struct explanation *a, bool *a_changed, const struct explanation *b, bool *b_changed)
{
    size_t n = a->output_count, m = b->output_count, width = m + 1;
    unsigned *common = calloc((n + 1) * width, sizeof *common); /* [n + 1, m + 1] of what is behind i and k */
    if (!common)
        return;
    for (size_t i = n; i-- > 0;)
        for (size_t k = m; k-- > 0;) {
            unsigned skip_a = common[(i + 1) * width + k], skip_b = common[i * width + k + 1];
            common[i * width + k] = a->output[i].id == b->output[k].id ? common[(i + 1) * width + k + 1] + 1
                                    : skip_a > skip_b                  ? skip_a
                                                                       : skip_b;
        }
    for (size_t i = 0, k = 0; i < n || k < m;) {
        if (i < n && k < m && a->output[i].id == b->output[k].id)
            i++, k++;
        else if (k == m || (i < n && common[(i + 1) * width + k] >= common[i * width + k + 1]))
            a_changed[i++] = true;
        else
            b_changed[k++] = true;
    }
    free(common);
}
