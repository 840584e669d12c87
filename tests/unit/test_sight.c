/* What each position of text and pictures sees, against tables written down by hand. */
#include "core/sight.h"

#include "gpu/device.h"
#include "tests/test.h"

enum { CAPACITY = 16, WINDOW = 3 };

static struct device *device;

static void expect(const struct sight *s, int which, const int32_t *want, int positions, const char *what)
{
    CHECK(s->count == positions, "%s: %d positions", what, s->count);
    for (int i = 0; i < 2 * positions && i < 2 * s->count; i++)
        CHECK(s->host[which][i] == want[i], "%s, table %d: position %d: %d, not %d", what, which, i / 2,
              (int)s->host[which][i], (int)want[i]);
}

/* The device's table holds what the host's does. */
static void expect_uploaded(const struct sight *s, struct stream *stream, bool window)
{
    int32_t got[2 * CAPACITY];
    const int32_t *sees = sight_sees(s, window, s->count);
    CHECK(sees, "there is a table");
    if (!sees)
        return;
    device->ops->download(stream, sees, 2 * (size_t)s->count * sizeof *got, got);
    CHECK(!memcmp(got, s->host[window], 2 * (size_t)s->count * sizeof *got), "the device's table, window %d", window);
}

static const struct picture_rows pictures[] = {
    {.id = -1, .count = 3, .mutual = true},
    {.id = -4, .count = 2, .mutual = true},
    {.id = -100, .count = 4},
};

static int add(struct sight *s, const int32_t *ids, int n, struct error *error)
{
    return sight_add(s, ids, n, pictures, 3, error);
}

static void test_find(void)
{
    int row = -1;
    CHECK(picture_rows_find(pictures, 3, -1, &row) == &pictures[0] && row == 0, "first row");
    CHECK(picture_rows_find(pictures, 3, -3, &row) == &pictures[0] && row == 2, "last row");
    CHECK(picture_rows_find(pictures, 3, -4, &row) == &pictures[1] && row == 0, "the next picture");
    CHECK(!picture_rows_find(pictures, 3, -6, &row) && !picture_rows_find(pictures, 3, INT32_MIN, &row) &&
          !picture_rows_find(pictures, 3, 5, &row) && !picture_rows_find(NULL, 0, -1, &row), "no picture's");
}

static void test_tables(struct sight *s, struct stream *stream)
{
    const int32_t text[] = {7, 8, -100, -101}, mixed[] = {9, -1, -2, -3, 5, -4, -5, 6};
    const int32_t plain[] = {0, 0, 0, 1, 0, 2, 0, 3, 0, 4, 0, 7, 0, 7, 0, 7, 0, 8, 0, 10, 0, 10, 0, 11};
    const int32_t window[] = {0, 0, 0, 1, 0, 2, 1, 3, 2, 4, 3, 7, 4, 7, 5, 7, 6, 8, 7, 10, 8, 10, 9, 11};
    CHECK(add(s, text, 4, NULL) == 0, "text");
    CHECK(!sight_sees(s, false, 4) && !sight_sees(s, true, 4), "text and a picture that looks back need no table");
    sight_upload(s, device, stream);
    CHECK(add(s, mixed, 8, NULL) == 0, "pictures that look around");
    expect(s, 0, plain, 12, "all");
    expect(s, 1, window, 12, "all");
    CHECK(!sight_sees(s, false, 5) && sight_sees(s, false, 6), "the table is needed from the first picture on");
    sight_upload(s, device, stream);
    expect_uploaded(s, stream, false);
    expect_uploaded(s, stream, true);

    CHECK(sight_cut(s, 11) == 11, "text is cut where it is said");
    CHECK(sight_cut(s, 10) == 9, "a picture is forgotten as a whole");
    CHECK(add(s, text, 1, NULL) == 0, "text in its place");
    sight_upload(s, device, stream);
    expect_uploaded(s, stream, true);
    CHECK(sight_cut(s, 8) == 8, "a picture that is whole stays");
    expect(s, 0, plain, 8, "cut");
    CHECK(sight_cut(s, 7) == 5 && !sight_sees(s, false, 5), "without pictures no table");
    CHECK(sight_cut(s, 3) == 3, "a picture that looks back may be cut");
    CHECK(sight_cut(s, 9) == 3, "nothing to cut");
    CHECK(sight_cut(s, 0) == 0, "all is cut");
}

static void test_refused(struct sight *s)
{
    static const struct { int32_t ids[4]; int n; const char *said; } cases[] = {
        {{5, -50}, 2, "id -50 at position 1 is no picture's"},
        {{5, -1, -2}, 3, "id -1 at position 1 begins a part"},
        {{-2, -3, 5}, 3, "id -2 at position 0 begins a part"},
        {{-1, -2, 5, -3}, 4, "id -1 at position 0 begins a part"},
    };
    for (int i = 0; i < 4; i++) {
        struct error error = {0};
        int status = add(s, cases[i].ids, cases[i].n, &error);
        CHECK(status == ERROR_ARGUMENT && strstr(error.message, cases[i].said), "%d: %s", status, error.message);
        CHECK(s->count == 0 && s->ahead < 0, "nothing is added");
    }
    const int32_t cut[] = {-102, -103, -100, 5}; /* rows of a picture that looks back, in any order */
    CHECK(add(s, cut, 4, NULL) == 0 && sight_cut(s, 0) == 0, "any rows");
}

int main(void)
{
    struct error error = {0};
    struct stream *stream = NULL;
    struct sight sight = {0};
    struct pool pool;
    test_find();
    CHECK(device_open(&(struct device_options){.name = "cpu", .threads = 1}, &device, &error) == 0, "%s",
          error.message);
    if (!device || device->ops->stream_new(device, true, &stream, &error))
        return test_end();
    pool_init(&pool, device);
    CHECK(sight_new(&sight, &pool, CAPACITY, WINDOW) == 0, "sight_new()");
    test_tables(&sight, stream);
    test_refused(&sight);
    sight_free(&sight);
    pool_free(&pool);
    device->ops->stream_free(stream);
    device->ops->close(device);
    return test_end();
}
