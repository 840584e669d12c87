/* test_align.c: which parts of one text stand in another. */
#include "tests/test.h"
#include "tui/align.h"

enum { MOST = 6000 };

static struct align_text a[MOST], b[MOST];
static long a_to_b[MOST], b_to_a[MOST];

/* Cut at spaces, each word without them. */
static size_t cut(const char *text, struct align_text *words)
{
    size_t n = 0;
    while (*text) {
        size_t length = strcspn(text, " ");
        words[n++] = (struct align_text){text, length};
        text += length + (text[length] == ' ');
    }
    return n;
}

/* Pairs are of equal texts, in order, and the same from both sides.  Returns how many there are, -1: they are not. */
static long pairs(size_t n, size_t m)
{
    long last = -1, count = 0, back = 0;
    for (size_t i = 0; i < n; i++) {
        long k = a_to_b[i];
        if (k < 0)
            continue;
        if (k <= last || k >= (long)m || b_to_a[k] != (long)i || a[i].length != b[k].length ||
            memcmp(a[i].text, b[k].text, a[i].length) != 0)
            return -1;
        last = k;
        count++;
    }
    for (size_t k = 0; k < m; k++)
        back += b_to_a[k] >= 0;
    return back == count ? count : -1;
}

static long align(const char *before, const char *now)
{
    size_t n = cut(before, a), m = cut(now, b);
    return align_texts(a, n, b, m, a_to_b, b_to_a) ? pairs(n, m) : -1;
}

static void test_few(void)
{
    CHECK(align("", "") == 0);
    CHECK(align("a", "") == 0 && a_to_b[0] == -1);
    CHECK(align("", "a b") == 0 && b_to_a[0] == -1 && b_to_a[1] == -1);
    CHECK(align("a b c", "a b c") == 3);
    CHECK(align("a b c", "x y") == 0);
    CHECK(align("a b c d", "a x c d") == 3 && a_to_b[1] == -1 && b_to_a[1] == -1);
    CHECK(align("a b c", "a b b c") == 3, "a word twice is paired once");
    CHECK(align("a a a a", "a a") == 2);
    CHECK(align("the red hat and the blue hat", "the blue hat and the red hat") == 5);
    CHECK(align("x a b c", "a b c x") == 3 && a_to_b[0] == -1 && b_to_a[3] == -1);
    CHECK(align("a b c a b b a", "c b a b a c") == 4, "as in Myers' paper");
}

/* The length of the longest common subsequence, the slow way. */
static long longest(size_t n, size_t m)
{
    static long common[MOST];
    memset(common, 0, (m + 1) * sizeof *common);
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0, corner = 0; k < m; k++) {
            long above = common[k + 1], left = common[k];
            bool same = a[i].length == b[k].length && memcmp(a[i].text, b[k].text, a[i].length) == 0;
            common[k + 1] = same ? (long)corner + 1 : above > left ? above : left;
            corner = (size_t)above;
        }
    return common[m];
}

static unsigned seed = 1;

static unsigned chance(unsigned n)
{
    seed = seed * 1103515245u + 12345u;
    return (seed >> 16) % n;
}

static const char letters[] = "abcdefghijklmnopqrstuvwxyz";

static void test_random(void)
{
    for (int round = 0; round < 300; round++) {
        size_t n = chance(40), m = chance(40);
        unsigned words = 1 + chance(8);
        for (size_t i = 0; i < n; i++)
            a[i] = (struct align_text){letters + chance(words), 1};
        for (size_t i = 0; i < m; i++)
            b[i] = (struct align_text){letters + chance(words), 1};
        align_texts(a, n, b, m, a_to_b, b_to_a);
        long found = pairs(n, m), best = longest(n, m);
        CHECK(found == best, "round %d: %ld of %ld", round, found, best);
    }
}

/* 5,000 words of many kinds, some of them changed, and then all. */
static void test_long(void)
{
    static char words[5000][8];
    for (size_t i = 0; i < 5000; i++) {
        snprintf(words[i], sizeof words[i], "%u", chance(700));
        a[i] = b[i] = (struct align_text){words[i], strlen(words[i])};
    }
    CHECK(align_texts(a, 5000, b, 5000, a_to_b, b_to_a) && pairs(5000, 5000) == 5000);
    for (int i = 0; i < 100; i++)
        b[chance(5000)] = (struct align_text){"new", 3};
    CHECK(align_texts(a, 5000, b, 5000, a_to_b, b_to_a) && pairs(5000, 5000) == longest(5000, 5000), "%ld",
          pairs(5000, 5000));
    for (int i = 0; i < 1200; i++) /* more than ALIGN_EDITS: good, if not the longest */
        b[chance(5000)] = (struct align_text){"new", 3};
    CHECK(align_texts(a, 5000, b, 5000, a_to_b, b_to_a));
    long found = pairs(5000, 5000), best = longest(5000, 5000);
    CHECK(found > best * 95 / 100, "%ld of %ld", found, best);
    printf("%ld of %ld paired\n", found, best);
    for (size_t i = 0; i < 5000; i++)
        b[i] = (struct align_text){"other", 5};
    CHECK(align_texts(a, 5000, b, 5000, a_to_b, b_to_a) && pairs(5000, 5000) == 0);
}

static void test_replaced(void)
{
    CHECK(align("A blue hat now", "A red one hat") == 2);
    align_replaced(a_to_b, 4, b_to_a, 4);
    CHECK(a_to_b[0] == 0 && a_to_b[1] == 1 && a_to_b[2] == 3 && a_to_b[3] == -1);
    CHECK(b_to_a[0] == 0 && b_to_a[1] == 1 && b_to_a[2] == -1 && b_to_a[3] == 2);
    CHECK(align("a b", "c d e") == 0);
    align_replaced(a_to_b, 2, b_to_a, 3);
    CHECK(a_to_b[0] == 0 && a_to_b[1] == 1 && b_to_a[2] == -1);
}

static bool is(struct align_text text, const char *expected)
{
    return text.length == strlen(expected) && memcmp(text.text, expected, text.length) == 0;
}

static void test_word(void)
{
    CHECK(is(align_word(" hat.", 5), "hat") && is(align_word("\"hat\" \n", 7), "hat"));
    CHECK(is(align_word("don't", 5), "don't") && is(align_word(" caf\xc3\xa9, ", 8), "caf\xc3\xa9"));
    CHECK(is(align_word(" ... ", 5), "...") && is(align_word("  ", 2), "") && is(align_word("", 0), ""));
}

int main(void)
{
    test_few();
    test_random();
    test_long();
    test_replaced();
    test_word();
    return test_end();
}
