/* test.h: all a test program needs.  CHECK counts; test_end() prints the closing line and gives the exit status. */
#ifndef TESTS_TEST_H
#define TESTS_TEST_H

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int test_passed, test_failed, test_skipped;

/* One check; a failing one says where, and what (printf style), and the program goes on. */
#define CHECK(condition, ...)                                                                                          \
    do {                                                                                                               \
        if (condition) {                                                                                               \
            test_passed++;                                                                                             \
        } else {                                                                                                       \
            test_failed++;                                                                                             \
            printf("%s:%d: failed: %s:", __FILE__, __LINE__, #condition);                                             \
            printf(" " __VA_ARGS__);                                                                                   \
            printf("\n");                                                                                              \
        }                                                                                                              \
    } while (0)

/* One check left out, and why. */
#define SKIP(...)                                                                                                      \
    do {                                                                                                               \
        test_skipped++;                                                                                                \
        printf("skipped: " __VA_ARGS__);                                                                               \
        printf("\n");                                                                                                  \
    } while (0)

/* The exit status of the automake harness: 0 passed, 1 failed, 77 nothing but skips. */
static inline int test_end(void)
{
    printf("%d passed, %d failed, %d skipped\n", test_passed, test_failed, test_skipped);
    return test_failed ? 1 : test_passed == 0 && test_skipped ? 77 : 0;
}

#endif
