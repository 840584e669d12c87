/* test_gguf.c: sound files give back what was put into them; shards belong together; wrong paths are named. */
#include "core/gguf.h"
#include "tests/test.h"
#include "tests/unit/gguf_build.h"

#include <sys/stat.h>
#include <unistd.h>

/* -- a file with one of everything --------------------------------------------------------------------------------- */

#define KEY(build, name, type, ctype, value)                                                                           \
    do {                                                                                                               \
        build_key(build, name, type);                                                                                  \
        build_bytes(build, &(ctype){value}, sizeof(ctype));                                                            \
    } while (0)

static void build_everything(struct build *b, uint32_t version)
{
    build_header(b, version, 3, 18);
    KEY(b, "t.u8", GGUF_U8, uint8_t, 200);
    KEY(b, "t.i8", GGUF_I8, int8_t, -100);
    KEY(b, "t.u16", GGUF_U16, uint16_t, 60000);
    KEY(b, "t.i16", GGUF_I16, int16_t, -30000);
    KEY(b, "t.u32", GGUF_U32, uint32_t, 4000000000u);
    KEY(b, "t.i32", GGUF_I32, int32_t, -2000000000);
    KEY(b, "t.f32", GGUF_F32, float, 0.5f);
    KEY(b, "t.bool", GGUF_BOOL, uint8_t, 1);
    KEY(b, "t.u64", GGUF_U64, uint64_t, UINT64_MAX);
    KEY(b, "t.i64", GGUF_I64, int64_t, INT64_MIN);
    KEY(b, "t.f64", GGUF_F64, double, 1e300);
    KEY(b, "t.nan", GGUF_F32, float, NAN);
    build_key(b, "t.string", GGUF_STRING);
    build_string(b, "gr\xc3\xbc\xc3\x9f dich");
    build_key_array(b, "t.strings", GGUF_STRING, 3);
    build_string(b, "one");
    build_string(b, "");
    build_string(b, "three");
    build_key_array(b, "t.i16s", GGUF_I16, 3);
    build_bytes(b, (const int16_t[]){1, -2, 3}, 6);
    build_key_array(b, "t.f32s", GGUF_F32, 2);
    build_bytes(b, (const float[]){-1.5f, INFINITY}, 8);
    build_key_array(b, "t.none", GGUF_STRING, 0);
    build_key_u32(b, "general.alignment", 64);
    build_tensor(b, "second", 2, (const uint64_t[]){32, 3}, DTYPE_Q4_0, 64);
    build_tensor(b, "first", 1, (const uint64_t[]){5}, DTYPE_F32, 0);
    build_tensor(b, "third", 4, (const uint64_t[]){2, 1, 2, 3}, DTYPE_BF16, 128);
    build_data(b, 64, 128 + 24);
}

static void check_numbers(const struct gguf *gguf)
{
    static const struct {
        const char *key;
        int64_t value;
    } wanted[] = {{"t.u8", 200},           {"t.i8", -100},          {"t.u16", 60000}, {"t.i16", -30000},
                  {"t.u32", 4000000000ll}, {"t.i32", -2000000000ll}, {"t.i64", INT64_MIN}};
    struct error error;
    int64_t value;
    double real = 0;
    for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++) {
        const char *key = wanted[i].key;
        value = 0;
        CHECK(gguf_int(gguf, key, INT64_MIN, INT64_MAX, &value, &error) == 0 && value == wanted[i].value, "%s", key);
        CHECK(gguf_float(gguf, key, &real, &error) == 0 && real == (double)wanted[i].value, "%s", key);
    }
    value = 7;
    CHECK(gguf_int(gguf, "t.u64", 0, INT64_MAX, &value, &error) == ERROR_FORMAT && value == 7, "too large");
    CHECK(gguf_int(gguf, "t.u8", 0, 199, &value, &error) == ERROR_FORMAT && value == 7, "outside the range");
    CHECK(strstr(error.message, "'t.u8' is 200, outside 0 to 199"), "%s", error.message);
    CHECK(gguf_int(gguf, "t.missing", 0, 1, &value, &error) == 0 && value == 7, "a default stays");
    CHECK(gguf_int(gguf, "t.f32", 0, 1, &value, &error) == ERROR_FORMAT, "a float is no integer");
    CHECK(gguf_int(gguf, "t.bool", 0, 1, &value, &error) == ERROR_FORMAT, "a truth value is no integer");
    CHECK(gguf_int(gguf, "t.i16s", 0, 1, &value, &error) == ERROR_FORMAT, "an array is no integer");
    CHECK(gguf_float(gguf, "t.f32", &real, &error) == 0 && real == 0.5, "%g", real);
    CHECK(gguf_float(gguf, "t.f64", &real, &error) == 0 && real == 1e300, "%g", real);
    CHECK(gguf_float(gguf, "t.nan", &real, &error) == ERROR_FORMAT && real == 1e300, "NaN is refused");
    CHECK(gguf_float(gguf, "t.string", &real, &error) == ERROR_FORMAT, "a string is no number");
}

static void check_others(const struct gguf *gguf)
{
    struct error error;
    bool truth = false;
    struct gguf_string text = {0};
    CHECK(gguf_bool(gguf, "t.bool", &truth, &error) == 0 && truth, "truth");
    CHECK(gguf_bool(gguf, "t.u8", &truth, &error) == ERROR_FORMAT, "an integer is no truth value");
    CHECK(gguf_text(gguf, "t.string", &text, &error) == 0 && text.length == 11 && !memcmp(text.data, "gr\xc3\xbc", 4),
          "text");
    CHECK(gguf_text(gguf, "t.strings", &text, &error) == ERROR_FORMAT, "an array is no string");

    const struct gguf_entry *strings = gguf_find(gguf, "t.strings"), *empty = gguf_find(gguf, "t.none");
    CHECK(strings && strings->element == GGUF_STRING && strings->count == 3, "strings");
    CHECK(strings && strings->strings[1].length == 0 && !memcmp(strings->strings[2].data, "three", 5), "third");
    CHECK(empty && empty->count == 0 && empty->element == GGUF_STRING, "an empty array");
    CHECK(strings && gguf_element_int(strings, 0) == 0, "a string is no number");

    const struct gguf_entry *small = gguf_find(gguf, "t.i16s"), *real = gguf_find(gguf, "t.f32s");
    CHECK(small && gguf_element_int(small, 1) == -2 && gguf_element_float(small, 2) == 3, "integers");
    CHECK(real && gguf_element_float(real, 0) == -1.5 && gguf_element_int(real, 0) == -1, "floats");
    CHECK(real && gguf_element_int(real, 1) == INT64_MAX, "infinity as an integer");
    CHECK(gguf_element_int(gguf_find(gguf, "t.nan"), 0) == 0, "NaN as an integer");
    CHECK(gguf_element_int(gguf_find(gguf, "t.u64"), 0) == INT64_MAX, "the greatest as an integer");
    CHECK(gguf_element_float(gguf_find(gguf, "t.u64"), 0) == 0x1p64, "the greatest as a float");
    CHECK(!gguf_find(gguf, "t.") && !gguf_find(gguf, "t.u") && !gguf_find(gguf, ""), "no such key");
}

static void check_tensors(const struct gguf *gguf)
{
    CHECK(gguf_tensors(gguf) == 3 && !gguf_tensor(gguf, "fourth") && !gguf_tensor(gguf, ""), "tensors");
    CHECK(gguf_tensor_at(gguf, 0) == gguf_tensor(gguf, "second"), "the file's order");
    const struct gguf_tensor *first = gguf_tensor(gguf, "first"), *second = gguf_tensor(gguf, "second"),
                             *third = gguf_tensor(gguf, "third");
    CHECK(first && first->bytes == 20 && first->size[0] == 5 && first->size[1] == 1 && first->dimensions == 1, "first");
    CHECK(second && second->bytes == 54 && second->type == DTYPE_Q4_0 && second->size[1] == 3, "second");
    CHECK(third && third->bytes == 24 && third->size[3] == 3 && third->dimensions == 4, "third");
    if (first && second && third) {
        CHECK(((const uint8_t *)first->data)[1] == 1, "first data");
        CHECK(((const uint8_t *)second->data)[0] == 64, "second data");
        CHECK(((const uint8_t *)third->data)[23] == 128 + 23, "third data");
    }
}

static void test_everything(uint32_t version)
{
    struct build build = {0};
    struct gguf *gguf;
    struct error error = {0};
    void *copy;
    build_everything(&build, version);
    CHECK(build_open(&build, &copy, &gguf, &error) == 0, "%s", error.message);
    if (gguf) {
        CHECK(gguf_version(gguf) == (int)version && gguf_shards(gguf) == 1, "version %u", version);
        CHECK(gguf_file_bytes(gguf) == build.size && gguf_entries(gguf) == 18, "%zu bytes", build.size);
        CHECK(!memcmp(gguf_entry_at(gguf, 1)->key.data, "t.i8", 4), "the file's order");
        check_numbers(gguf);
        check_others(gguf);
        check_tensors(gguf);
    }
    gguf_close(gguf);
    free(copy);
    free(build.bytes);
}

/* Cut off anywhere, a file is refused; with any one byte changed, it is refused or sound, and never harmful. */
static void test_every_byte(void)
{
    struct build build = {0};
    struct gguf *gguf;
    build_everything(&build, 3);
    size_t whole = build.size, accepted = 0;
    for (build.size = 0; build.size < whole; build.size++) {
        void *copy;
        accepted += build_open(&build, &copy, &gguf, NULL) == 0;
        gguf_close(gguf);
        free(copy);
    }
    CHECK(accepted == 0, "%zu truncated files accepted", accepted);
    static const uint8_t flips[] = {0x01, 0x80, 0xff, 0x7f, 0x08};
    for (size_t at = 0; at < whole; at++)
        for (size_t i = 0; i < sizeof flips; i++) {
            build.bytes[at] ^= flips[i];
            void *copy;
            if (build_open(&build, &copy, &gguf, NULL) == 0)
                accepted++;
            gguf_close(gguf);
            free(copy);
            build.bytes[at] ^= flips[i];
        }
    CHECK(accepted > whole && accepted < sizeof flips * whole, "%zu of %zu accepted", accepted, whole * sizeof flips);
    free(build.bytes);
}

/* Nothing but a header is a sound file; so is one whose data section is missing because nothing would be in it. */
static void test_least(void)
{
    struct build build = {0};
    struct gguf *gguf;
    void *copy;
    build_header(&build, 3, 0, 0);
    CHECK(build_open(&build, &copy, &gguf, NULL) == 0 && gguf_tensors(gguf) == 0 && gguf_entries(gguf) == 0, "least");
    gguf_close(gguf);
    gguf_close(NULL);
    free(copy);
    free(build.bytes);
}

/* -- files --------------------------------------------------------------------------------------------------------- */

static char folder[] = "test_gguf.XXXXXX";
static char path_text[256];

/* A path in the folder of this run; valid until the next call. */
static const char *in_folder(const char *name)
{
    snprintf(path_text, sizeof path_text, "%s/%s", folder, name);
    return path_text;
}

static void write_file(const char *name, const void *bytes, size_t n)
{
    FILE *file = fopen(in_folder(name), "wb");
    if (!file || fwrite(bytes, 1, n, file) != n || fclose(file))
        abort();
}

/* Open a file of the folder; what is expected: 0, or a code with these words in the message. */
static struct gguf *open_file(const char *name, int code, const char *words)
{
    struct gguf *gguf;
    struct error error = {0};
    int got = gguf_open(in_folder(name), &gguf, &error);
    CHECK(got == code, "%s: %d, %s", name, got, error.message);
    if (code) {
        CHECK(strstr(error.message, words), "%s: %s", name, error.message);
        CHECK(strstr(error.message, folder), "the message names the file: %s", error.message);
    }
    return gguf;
}

static void test_paths(void)
{
    open_file("missing.gguf", ERROR_IO, "No such file");
    if (mkdir(in_folder("folder.gguf"), 0700) || mkfifo(in_folder("pipe.gguf"), 0600))
        abort();
    open_file("folder.gguf", ERROR_IO, "is a directory");
    open_file("pipe.gguf", ERROR_IO, "not a regular file");
    write_file("empty.gguf", "", 0);
    open_file("empty.gguf", ERROR_FORMAT, "is empty");
    write_file("picture.gguf", "\x89PNG", 4);
    open_file("picture.gguf", ERROR_FORMAT, "not a GGUF file");

    struct build build = {0};
    build_everything(&build, 3);
    write_file("whole.gguf", build.bytes, build.size);
    write_file("cut.gguf", build.bytes, build.size - 1);
    open_file("cut.gguf", ERROR_FORMAT, "ends before the data of tensor 'third'");
    struct gguf *gguf = open_file("whole.gguf", 0, NULL);
    if (gguf) {
        CHECK(!strcmp(gguf_path(gguf), in_folder("whole.gguf")), "%s", gguf_path(gguf));
        check_tensors(gguf);
    }
    gguf_close(gguf);
    free(build.bytes);
}

/* -- shards -------------------------------------------------------------------------------------------------------- */

/* One shard of `count` with a tensor of its own name and number; promised: split.tensors.count. */
static void write_shard(const char *name, uint16_t number, uint16_t count, const char *tensor, int32_t promised)
{
    struct build b = {0};
    build_header(&b, 3, 1, 3);
    KEY(&b, "split.no", GGUF_U16, uint16_t, number);
    KEY(&b, "split.count", GGUF_U16, uint16_t, count);
    KEY(&b, "split.tensors.count", GGUF_I32, int32_t, promised);
    build_tensor(&b, tensor, 1, (const uint64_t[]){(uint64_t)number + 1}, DTYPE_F32, 0);
    build_data(&b, 32, 32);
    write_file(name, b.bytes, b.size);
    free(b.bytes);
}

static void test_shards(void)
{
    write_shard("m-00001-of-00003.gguf", 0, 3, "a", 3);
    write_shard("m-00002-of-00003.gguf", 1, 3, "b", 3);
    open_file("m-00001-of-00003.gguf", ERROR_IO, "m-00003-of-00003.gguf: No such file");
    write_shard("m-00003-of-00003.gguf", 2, 3, "c", 3);
    struct gguf *gguf = open_file("m-00001-of-00003.gguf", 0, NULL);
    if (gguf) {
        CHECK(gguf_shards(gguf) == 3 && gguf_tensors(gguf) == 3, "%zu tensors", gguf_tensors(gguf));
        const struct gguf_tensor *c = gguf_tensor(gguf, "c");
        CHECK(c && c->size[0] == 3 && c->bytes == 12 && ((const uint8_t *)c->data)[11] == 11, "the third's tensor");
        CHECK(gguf_tensor_at(gguf, 1) == gguf_tensor(gguf, "b"), "the shards' order");
        CHECK(gguf_file_bytes(gguf) > 3 * 96, "%zu bytes", gguf_file_bytes(gguf));
    }
    gguf_close(gguf);
    open_file("m-00002-of-00003.gguf", ERROR_ARGUMENT, "is part 2 of 3; name the first, *-00001-of-00003.gguf");

    write_shard("m-00002-of-00003.gguf", 2, 3, "b", 3);
    open_file("m-00001-of-00003.gguf", ERROR_FORMAT, "says it is part 3 of 3, its name part 2 of 3");
    write_shard("m-00002-of-00003.gguf", 1, 4, "b", 3);
    open_file("m-00001-of-00003.gguf", ERROR_FORMAT, "says it is part 2 of 4");
    write_shard("m-00002-of-00003.gguf", 1, 3, "a", 3);
    open_file("m-00001-of-00003.gguf", ERROR_FORMAT, "tensor 'a' occurs twice");
    write_file("m-00002-of-00003.gguf", "GGUF", 4);
    open_file("m-00001-of-00003.gguf", ERROR_FORMAT, "m-00002-of-00003.gguf: the file ends inside the header");
    write_shard("m-00002-of-00003.gguf", 1, 3, "b", 3);

    write_shard("n-00001-of-00001.gguf", 0, 1, "a", 1);
    gguf_close(open_file("n-00001-of-00001.gguf", 0, NULL));
    write_shard("renamed.gguf", 0, 3, "a", 3);
    open_file("renamed.gguf", ERROR_FORMAT, "give it its name back");
    write_shard("m-00001-of-00003.gguf", 0, 3, "a", 4);
    open_file("m-00001-of-00003.gguf", ERROR_FORMAT, "3 tensors, not the promised 4");
    write_shard("many-00001-of-02000.gguf", 0, 2000, "a", 1);
    open_file("many-00001-of-02000.gguf", ERROR_FORMAT, "'split.count' is 2000, outside");
    write_shard("late.gguf", 3, 3, "a", 1);
    open_file("late.gguf", ERROR_FORMAT, "'split.no' is 3, outside");
}

static void remove_folder(void)
{
    char command[64];
    snprintf(command, sizeof command, "rm -r %s", folder);
    CHECK(system(command) == 0, "%s", command);
}

int main(void)
{
    test_everything(2);
    test_everything(3);
    test_every_byte();
    test_least();
    if (!mkdtemp(folder))
        abort();
    test_paths();
    test_shards();
    remove_folder();
    return test_end();
}
