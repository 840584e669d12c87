/* test_dtype.c: the table of tensor types, and every expansion bit for bit against golden values
 * (make_dtype_golden.py) and against plain arithmetic. */
#include "gpu/host/kernels.h"
#include "tests/test.h"

static uint32_t bits_of(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

/* Equal to the bit; any NaN equals any other. */
static int same(float a, float b)
{
    return bits_of(a) == bits_of(b) || (isnan(a) && isnan(b));
}

static void test_every_half(void)
{
    const struct dtype_info *f16 = dtype_info(DTYPE_F16);
    int wrong = 0;
    for (uint32_t h = 0; h < 65536; h++) {
        uint16_t half = (uint16_t)h;
        int exponent = (int)(h >> 10 & 31), mantissa = (int)(h & 1023);
        float want = exponent == 31 ? (mantissa ? NAN : INFINITY)
                     : exponent     ? ldexpf((float)(1024 + mantissa), exponent - 25)
                                    : ldexpf((float)mantissa, -24);
        float got;
        f16->expand(&half, &got, 1);
        wrong += !same(got, h >> 15 ? -want : want);
    }
    CHECK(wrong == 0, "%d of 65536 halves", wrong);
}

/* Blocks at an odd address into a buffer whose neighbours must stay as they are. */
static void check_record(const struct dtype_info *type, const uint8_t *blocks, size_t bytes, const uint8_t *golden,
                         size_t n)
{
    uint8_t *odd = malloc(bytes + 1);
    float *got = malloc((n + 2) * sizeof *got);
    if (!odd || !got)
        abort();
    memcpy(odd + 1, blocks, bytes);
    got[0] = got[n + 1] = 12345;
    type->expand(odd + 1, got + 1, n);
    CHECK(got[0] == 12345 && got[n + 1] == 12345, "%s writes outside", type->name);
    size_t wrong = 0, first = 0;
    for (size_t i = n; i-- > 0;) {
        float want;
        memcpy(&want, golden + i * sizeof want, sizeof want);
        if (!same(got[i + 1], want)) {
            wrong++;
            first = i;
        }
    }
    CHECK(wrong == 0, "%s: %zu of %zu values, first at %zu", type->name, wrong, n, first);
    free(odd);
    free(got);
}

static void test_golden(const char *path, int types)
{
    static const char *const levels[] = {"generic", "avx2", "avx512", "vnni"};
    FILE *file = fopen(path, "rb");
    CHECK(file != NULL, "%s", path);
    if (!file)
        return;
    int records = 0;
    uint32_t head[2];
    while (fread(head, sizeof head, 1, file) == 1) {
        const struct dtype_info *type = dtype_info(head[0]);
        size_t n = head[1];
        CHECK(type->expand && n % (size_t)type->block == 0, "type %u", head[0]);
        if (!type->expand)
            break;
        size_t bytes = n / (size_t)type->block * (size_t)type->bytes;
        uint8_t *body = malloc(bytes + 4 * n);
        if (!body)
            abort();
        CHECK(fread(body, 1, bytes + 4 * n, file) == bytes + 4 * n, "%s is cut off", type->name);
        check_record(type, body, bytes, body + bytes, n);
        for (size_t i = 0; i < sizeof levels / sizeof levels[0]; i++)
            if (kernels_choose(levels[i])) /* else not this processor's */
                check_record(kernels_choose(levels[i])->dtype(head[0]), body, bytes, body + bytes, n);
        free(body);
        records++;
    }
    fclose(file);
    CHECK(records == types, "%d types", records);
}

static void test_table(void)
{
    const uint32_t none[] = {4, 5, 31, 32, 33, 36, 37, 38, 43, 1000, UINT32_MAX};
    for (size_t i = 0; i < sizeof none / sizeof none[0]; i++)
        CHECK(dtype_info(none[i])->name == NULL && dtype_info(none[i])->expand == NULL, "type %u", none[i]);
    int known = 0, computable = 0;
    for (uint32_t id = 0; id < 64; id++) {
        const struct dtype_info *type = dtype_info(id);
        known += type->name != NULL;
        computable += type->expand != NULL;
        CHECK(!type->name || (type->block > 0 && type->bytes > 0), "type %u", id);
    }
    CHECK(known == 35, "%d known types", known);
    CHECK(computable == 16, "%d computable types", computable);
    CHECK(strcmp(dtype_info(21)->name, "IQ3_S") == 0 && !dtype_info(21)->expand, "IQ3_S");
}

/* test_dtype [GOLDEN TYPES]: another file of that many types (check_quantiser.py) */
int main(int count, char **arguments)
{
    const char *folder = getenv("srcdir");
    char path[4096];
    snprintf(path, sizeof path, "%s/tests/unit/dtype.golden", folder ? folder : ".");
    test_table();
    test_every_half();
    test_golden(count == 3 ? arguments[1] : path, count == 3 ? atoi(arguments[2]) : 16);
    return test_end();
}
