#include "tui/align.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

bool align_same(struct align_text a, struct align_text b)
{
    return a.length == b.length && memcmp(a.text, b.text, a.length) == 0;
}

/* The edit graph of what is left of the two lists: x texts of a and y of b are behind us, a step to the right leaves
 * out a text of a, a step down one of b, and a diagonal pairs equal ones.  Diagonal i of d edits is that on which i
 * steps of the d went to the right.  reach: how far, in x, each diagonal came with 0, 1, 2 .. edits; -1: out of the
 * graph (Myers, "An O(ND) difference algorithm and its variations", 1986). */
struct graph {
    const struct align_text *a, *b;
    long n, m;
    long *reach; /* [1 + 2 + .. + (ALIGN_EDITS + 1)] */
};

static long *row_of(const struct graph *g, long d)
{
    return g->reach + d * (d + 1) / 2;
}

static bool equal(const struct graph *g, long x, long y)
{
    return align_same(g->a[x], g->b[y]);
}

/* Where the d-th edit enters diagonal i, -1: it cannot; right: by leaving out a text of a. */
static long enter(const struct graph *g, long d, long i, bool *right)
{
    const long *before = row_of(g, d - 1);
    long across = i > 0 && before[i - 1] >= 0 && before[i - 1] < g->n ? before[i - 1] + 1 : -1,
         down = i < d && before[i] >= 0 && before[i] - (2 * i - d) <= g->m ? before[i] : -1;
    *right = across >= down;
    return *right ? across : down;
}

static long slide(const struct graph *g, long x, long diagonal)
{
    while (x < g->n && x - diagonal < g->m && equal(g, x, x - diagonal))
        x++;
    return x;
}

/* Go as far as ALIGN_EDITS edits go.  Returns how many it took, and the diagonal that came furthest. */
static long explore(const struct graph *g, long *best)
{
    *row_of(g, 0) = slide(g, 0, 0);
    *best = 0;
    for (long d = 0;; d++) {
        long *row = row_of(g, d), furthest = -1;
        for (long i = 0; i <= d; i++) {
            long diagonal = 2 * i - d;
            bool right;
            if (d > 0) {
                long x = enter(g, d, i, &right);
                row[i] = x < 0 ? -1 : slide(g, x, diagonal);
            }
            if (row[i] >= 0 && 2 * row[i] - diagonal > furthest) {
                furthest = 2 * row[i] - diagonal;
                *best = i;
            }
        }
        if (d == ALIGN_EDITS || furthest == g->n + g->m)
            return d;
    }
}

/* Follow the path back, and pair what its diagonals pair. */
static void pair(const struct graph *g, long d, long i, long first_a, long first_b, long *a_to_b, long *b_to_a)
{
    for (; d >= 0; d--) {
        bool right = false;
        long to = row_of(g, d)[i], diagonal = 2 * i - d, from = d > 0 ? enter(g, d, i, &right) : 0;
        for (long x = from; x < to; x++) {
            a_to_b[first_a + x] = first_b + x - diagonal;
            b_to_a[first_b + x - diagonal] = first_a + x;
        }
        i -= right;
    }
}

bool align_texts(const struct align_text *a, size_t n, const struct align_text *b, size_t m, long *a_to_b, long *b_to_a)
{
    long x = 0, y = 0, behind = 0;
    for (size_t i = 0; i < n; i++)
        a_to_b[i] = -1;
    for (size_t i = 0; i < m; i++)
        b_to_a[i] = -1;
    struct graph g = {a, b, (long)n, (long)m, malloc((ALIGN_EDITS + 1) * (ALIGN_EDITS + 2) / 2 * sizeof *g.reach)};
    if (!g.reach)
        return false;
    for (; g.n > 0 && g.m > 0 && equal(&g, g.n - 1, g.m - 1); behind++) {
        g.n--, g.m--;
        a_to_b[g.n] = g.m;
        b_to_a[g.m] = g.n;
    }
    /* What one exploration does not reach is left to the next one, from where it came to. */
    while (g.n > 0 && g.m > 0) {
        long best, d = explore(&g, &best), to_x = row_of(&g, d)[best], to_y = to_x - (2 * best - d);
        pair(&g, d, best, x, y, a_to_b, b_to_a);
        x += to_x, y += to_y;
        g = (struct graph){g.a + to_x, g.b + to_y, g.n - to_x, g.m - to_y, g.reach};
    }
    free(g.reach);
    return true;
}

void align_replaced(long *a_to_b, size_t n, long *b_to_a, size_t m)
{
    for (size_t i = 0, k = 0; i < n || k < m;) {
        if (i < n && k < m && a_to_b[i] < 0 && b_to_a[k] < 0) {
            a_to_b[i] = (long)k;
            b_to_a[k] = (long)i;
        } else if (i < n && a_to_b[i] < 0) {
            i++;
            continue;
        } else if (k < m && b_to_a[k] < 0) {
            k++;
            continue;
        }
        i++, k++;
    }
}

static bool is_around(char c, bool marks)
{
    unsigned char byte = (unsigned char)c;
    return byte < 128 && (isspace(byte) || (marks && ispunct(byte)));
}

static struct align_text trimmed(const char *text, size_t length, bool marks)
{
    while (length > 0 && is_around(*text, marks))
        text++, length--;
    while (length > 0 && is_around(text[length - 1], marks))
        length--;
    return (struct align_text){text, length};
}

struct align_text align_word(const char *text, size_t length)
{
    struct align_text word = trimmed(text, length, true);
    return word.length > 0 ? word : trimmed(text, length, false);
}
