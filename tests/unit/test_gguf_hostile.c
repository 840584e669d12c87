/* test_gguf_hostile.c: files that are broken, each in one way that has hurt some reader of GGUF files before.
 * Every case must be refused with its own message; the sanitizers see to it that nothing else happens. */
#include "core/gguf.h"
#include "tests/test.h"
#include "tests/unit/gguf_build.h"

#define SIZES(...) (const uint64_t[]){__VA_ARGS__}

/* -- header -------------------------------------------------------------------------------------------------------- */

static void magic_of_another_file(struct build *b)
{
    build_bytes(b, "\x89PNG\r\n\x1a\n", 8);
    build_data(b, 32, 64);
}

static void git_lfs_pointer(struct build *b)
{
    const char *text = "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 12\n";
    build_bytes(b, text, strlen(text));
}

static void web_page(struct build *b)
{
    build_bytes(b, "<!DOCTYPE html><html>Sign in</html>", 35);
}

static void empty_file(struct build *b)
{
    build_bytes(b, "", 0);
}

static void header_cut_off(struct build *b)
{
    build_bytes(b, "GGUF\3\0\0\0\1\0", 10);
}

static void version_1(struct build *b)
{
    build_header(b, 1, 0, 0);
}

static void version_of_the_future(struct build *b)
{
    build_header(b, 4, 0, 0);
}

static void big_endian(struct build *b)
{
    build_header(b, 3u << 24, 0, 0);
}

static void entry_count_times_size_wraps(struct build *b)
{
    build_header(b, 3, 0, UINT64_MAX / 16 + 2);
    build_data(b, 32, 64);
}

static void entry_count_beyond_the_file(struct build *b)
{
    build_header(b, 3, 0, 6);
    build_data(b, 32, 64);
}

static void entry_count_beyond_the_limit(struct build *b)
{
    build_header(b, 3, 0, 65537);
    build_data(b, 32, 65537 * 13);
}

static void tensor_count_times_size_wraps(struct build *b)
{
    build_header(b, 3, UINT64_MAX / 64 + 2, 0);
    build_data(b, 32, 64);
}

static void tensor_count_negative(struct build *b)
{
    build_header(b, 3, (uint64_t)-1, 0);
    build_data(b, 32, 64);
}

/* -- metadata ------------------------------------------------------------------------------------------------------ */

static void key_empty(struct build *b)
{
    build_header(b, 3, 0, 1);
    build_key_u32(b, "", 1);
}

static void key_longer_than_the_file(struct build *b)
{
    build_header(b, 3, 0, 1);
    build_u64(b, 1000);
    build_data(b, 32, 64);
}

static void key_length_wraps(struct build *b)
{
    build_header(b, 3, 0, 1);
    build_u64(b, UINT64_MAX - 8);
    build_data(b, 32, 64);
}

static void key_too_long(struct build *b)
{
    build_header(b, 3, 0, 1);
    build_u64(b, 65536);
    for (int i = 0; i < 65536; i++)
        build_bytes(b, "k", 1);
    build_u32(b, GGUF_U8);
    build_bytes(b, "", 1);
}

static void key_with_nul(struct build *b)
{
    build_header(b, 3, 0, 1);
    build_u64(b, 3);
    build_bytes(b, "a\0b", 3);
    build_data(b, 32, 64);
}

static void key_with_escape(struct build *b)
{
    build_header(b, 3, 0, 1);
    build_key_u32(b, "a\033[2J", 1);
}

static void key_twice(struct build *b)
{
    build_header(b, 3, 0, 3);
    build_key_u32(b, "a.b", 1);
    build_key_u32(b, "a.c", 1);
    build_key_u32(b, "a.b", 2);
}

static void value_type_unknown(struct build *b)
{
    build_header(b, 3, 0, 1);
    build_key(b, "a.b", 13);
    build_u64(b, 0);
}

static void value_type_negative(struct build *b)
{
    build_header(b, 3, 0, 1);
    build_key(b, "a.b", UINT32_MAX);
    build_u64(b, 0);
}

static void bool_is_two(struct build *b)
{
    build_header(b, 3, 0, 1);
    build_key(b, "a.b", GGUF_BOOL);
    build_bytes(b, "\2", 1);
}

static void bool_in_array_is_two(struct build *b)
{
    build_header(b, 3, 0, 1);
    build_key_array(b, "a.b", GGUF_BOOL, 3);
    build_bytes(b, "\0\1\2", 3);
}

static void string_longer_than_the_file(struct build *b)
{
    build_header(b, 3, 0, 1);
    build_key(b, "a.b", GGUF_STRING);
    build_u64(b, UINT64_MAX);
    build_data(b, 32, 64);
}

static void string_with_nul(struct build *b)
{
    build_header(b, 3, 0, 1);
    build_key(b, "a.b", GGUF_STRING);
    build_u64(b, 2);
    build_bytes(b, "x\0", 2);
}

static void array_of_unknown_type(struct build *b)
{
    build_header(b, 3, 0, 1);
    build_key_array(b, "a.b", 99, 1);
    build_u64(b, 0);
}

static void array_of_arrays(struct build *b)
{
    build_header(b, 3, 0, 1);
    build_key_array(b, "a.b", GGUF_ARRAY, 1);
    build_u32(b, GGUF_U8);
    build_u64(b, 1);
    build_bytes(b, "", 1);
}

static void array_count_times_size_wraps(struct build *b)
{
    build_header(b, 3, 0, 1);
    build_key_array(b, "a.b", GGUF_U64, UINT64_MAX / 8 + 2);
    build_data(b, 32, 64);
}

static void array_one_element_short(struct build *b)
{
    build_header(b, 3, 0, 1);
    build_key_array(b, "a.b", GGUF_U32, 4);
    build_bytes(b, "0123456789ab", 12);
}

static void string_array_exhausts_memory(struct build *b)
{
    build_header(b, 3, 0, 1);
    build_key_array(b, "a.b", GGUF_STRING, UINT64_C(1) << 40);
    build_data(b, 32, 64);
}

static void string_in_array_longer_than_the_file(struct build *b)
{
    build_header(b, 3, 0, 1);
    build_key_array(b, "a.b", GGUF_STRING, 2);
    build_string(b, "x");
    build_u64(b, 1 << 20);
    build_data(b, 32, 64);
}

/* -- alignment ----------------------------------------------------------------------------------------------------- */

static void alignment_zero(struct build *b)
{
    build_header(b, 3, 0, 1);
    build_key_u32(b, "general.alignment", 0);
}

static void alignment_not_a_power_of_two(struct build *b)
{
    build_header(b, 3, 0, 1);
    build_key_u32(b, "general.alignment", 48);
}

static void alignment_huge(struct build *b)
{
    build_header(b, 3, 0, 1);
    build_key_u32(b, "general.alignment", 1u << 31);
}

static void alignment_a_string(struct build *b)
{
    build_header(b, 3, 0, 1);
    build_key(b, "general.alignment", GGUF_STRING);
    build_string(b, "32");
}

/* -- tensors ------------------------------------------------------------------------------------------------------- */

/* A file of one tensor with `data` bytes behind the list. */
static void one_tensor(struct build *b, const char *name, uint32_t dimensions, const uint64_t *size, uint32_t type,
                       uint64_t offset, size_t data)
{
    build_header(b, 3, 1, 0);
    build_tensor(b, name, dimensions, size, type, offset);
    build_data(b, 32, data);
}

static void tensor_name_empty(struct build *b)
{
    one_tensor(b, "", 1, SIZES(8), DTYPE_F32, 0, 32);
}

static void tensor_name_of_64_bytes(struct build *b)
{
    one_tensor(b, "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef", 1, SIZES(8), DTYPE_F32, 0, 32);
}

static void tensor_name_with_newline(struct build *b)
{
    one_tensor(b, "a\nb", 1, SIZES(8), DTYPE_F32, 0, 32);
}

static void tensor_name_twice(struct build *b)
{
    build_header(b, 3, 2, 0);
    build_tensor(b, "w", 1, SIZES(8), DTYPE_F32, 0);
    build_tensor(b, "w", 1, SIZES(8), DTYPE_F32, 32);
    build_data(b, 32, 64);
}

static void five_dimensions(struct build *b)
{
    one_tensor(b, "w", 5, SIZES(2, 2, 2, 2, 2), DTYPE_F32, 0, 128);
}

static void four_billion_dimensions(struct build *b)
{
    build_header(b, 3, 1, 0);
    build_string(b, "w");
    build_u32(b, UINT32_MAX);
    build_data(b, 32, 64);
}

static void no_dimensions(struct build *b)
{
    one_tensor(b, "w", 0, SIZES(1), DTYPE_F32, 0, 32);
}

static void dimension_zero(struct build *b)
{
    one_tensor(b, "w", 2, SIZES(0, 8), DTYPE_F32, 0, 32);
}

static void dimension_negative(struct build *b)
{
    one_tensor(b, "w", 2, SIZES((uint64_t)-8, 8), DTYPE_F32, 0, 32);
}

static void dimension_of_two_to_the_42(struct build *b)
{
    one_tensor(b, "w", 2, SIZES((UINT64_C(1) << 42) + 1, 4), DTYPE_F32, 0, 64);
}

static void product_of_dimensions_wraps_to_zero(struct build *b)
{
    one_tensor(b, "w", 4, SIZES(1 << 30, 1 << 30, 1 << 4, 1), DTYPE_F32, 0, 64);
}

static void bytes_of_tensor_wrap(struct build *b)
{
    one_tensor(b, "w", 4, SIZES(1 << 30, 1 << 30, 1 << 2, 1 << 2), DTYPE_F16, 0, 64);
}

static void type_never_given_out(struct build *b)
{
    one_tensor(b, "w", 1, SIZES(32), 4, 0, 64);
}

static void type_beyond_the_table(struct build *b)
{
    one_tensor(b, "w", 1, SIZES(32), 0x7fffffff, 0, 64);
}

static void row_not_whole_blocks(struct build *b)
{
    one_tensor(b, "w", 2, SIZES(48, 2), DTYPE_Q4_0, 0, 256);
}

static void offset_unaligned(struct build *b)
{
    one_tensor(b, "w", 1, SIZES(8), DTYPE_F32, 4, 64);
}

static void offset_wraps(struct build *b)
{
    one_tensor(b, "w", 1, SIZES(8), DTYPE_F32, UINT64_MAX - 31, 64);
}

static void offset_beyond_the_file(struct build *b)
{
    one_tensor(b, "w", 1, SIZES(8), DTYPE_F32, 96, 64);
}

static void data_one_byte_short(struct build *b)
{
    one_tensor(b, "w", 1, SIZES(16), DTYPE_F32, 0, 63);
}

static void data_section_missing(struct build *b)
{
    build_header(b, 3, 1, 0);
    build_tensor(b, "w", 1, SIZES(1), DTYPE_F32, 0);
}

static void tensors_overlap(struct build *b)
{
    build_header(b, 3, 3, 0);
    build_tensor(b, "u", 1, SIZES(8), DTYPE_F32, 96);
    build_tensor(b, "v", 1, SIZES(16), DTYPE_F32, 0);
    build_tensor(b, "w", 1, SIZES(8), DTYPE_F32, 32);
    build_data(b, 32, 128);
}

static void tensors_share_an_offset(struct build *b)
{
    build_header(b, 3, 2, 0);
    build_tensor(b, "v", 1, SIZES(8), DTYPE_F32, 0);
    build_tensor(b, "w", 1, SIZES(8), DTYPE_F32, 0);
    build_data(b, 32, 64);
}

/* -- the table ----------------------------------------------------------------------------------------------------- */

#define CASE(name, code, words) {#name, name, code, words}

static const struct {
    const char *name;
    void (*build)(struct build *);
    int code;
    const char *words; /* of the message */
} cases[] = {
    CASE(magic_of_another_file, ERROR_FORMAT, "not a GGUF file"),
    CASE(git_lfs_pointer, ERROR_FORMAT, "git lfs pull"),
    CASE(web_page, ERROR_FORMAT, "web page"),
    CASE(empty_file, ERROR_FORMAT, "empty"),
    CASE(header_cut_off, ERROR_FORMAT, "ends inside the header"),
    CASE(version_1, ERROR_UNSUPPORTED, "version 1"),
    CASE(version_of_the_future, ERROR_UNSUPPORTED, "version 4"),
    CASE(big_endian, ERROR_UNSUPPORTED, "big-endian"),
    CASE(entry_count_times_size_wraps, ERROR_FORMAT, "metadata entries"),
    CASE(entry_count_beyond_the_file, ERROR_FORMAT, "6 metadata entries"),
    CASE(entry_count_beyond_the_limit, ERROR_FORMAT, "65537 metadata entries"),
    CASE(tensor_count_times_size_wraps, ERROR_FORMAT, "tensors, more than"),
    CASE(tensor_count_negative, ERROR_FORMAT, "tensors, more than"),
    CASE(key_empty, ERROR_FORMAT, "key of 0 bytes"),
    CASE(key_longer_than_the_file, ERROR_FORMAT, "ends inside the metadata"),
    CASE(key_length_wraps, ERROR_FORMAT, "ends inside the metadata"),
    CASE(key_too_long, ERROR_FORMAT, "key of 65536 bytes"),
    CASE(key_with_nul, ERROR_FORMAT, "NUL"),
    CASE(key_with_escape, ERROR_FORMAT, "not printable ASCII"),
    CASE(key_twice, ERROR_FORMAT, "'a.b' occurs twice"),
    CASE(value_type_unknown, ERROR_FORMAT, "unknown type 13"),
    CASE(value_type_negative, ERROR_FORMAT, "unknown type 4294967295"),
    CASE(bool_is_two, ERROR_FORMAT, "key 'a.b': a truth value is 2"),
    CASE(bool_in_array_is_two, ERROR_FORMAT, "a truth value is 2"),
    CASE(string_longer_than_the_file, ERROR_FORMAT, "key 'a.b': the file ends inside the metadata"),
    CASE(string_with_nul, ERROR_FORMAT, "NUL"),
    CASE(array_of_unknown_type, ERROR_FORMAT, "unknown type 99"),
    CASE(array_of_arrays, ERROR_UNSUPPORTED, "array of arrays"),
    CASE(array_count_times_size_wraps, ERROR_FORMAT, "more than the file can hold"),
    CASE(array_one_element_short, ERROR_FORMAT, "array of 4 elements"),
    CASE(string_array_exhausts_memory, ERROR_FORMAT, "more than the file can hold"),
    CASE(string_in_array_longer_than_the_file, ERROR_FORMAT, "ends inside the metadata"),
    CASE(alignment_zero, ERROR_FORMAT, "'general.alignment' is 0"),
    CASE(alignment_not_a_power_of_two, ERROR_FORMAT, "power of two"),
    CASE(alignment_huge, ERROR_FORMAT, "outside 8 to 65536"),
    CASE(alignment_a_string, ERROR_FORMAT, "is a string, not an integer"),
    CASE(tensor_name_empty, ERROR_FORMAT, "name of 0 bytes"),
    CASE(tensor_name_of_64_bytes, ERROR_FORMAT, "name of 64 bytes"),
    CASE(tensor_name_with_newline, ERROR_FORMAT, "not printable ASCII"),
    CASE(tensor_name_twice, ERROR_FORMAT, "'w' occurs twice"),
    CASE(five_dimensions, ERROR_FORMAT, "tensor 'w': 5 dimensions"),
    CASE(four_billion_dimensions, ERROR_FORMAT, "4294967295 dimensions"),
    CASE(no_dimensions, ERROR_FORMAT, "0 dimensions"),
    CASE(dimension_zero, ERROR_FORMAT, "dimension of 0"),
    CASE(dimension_negative, ERROR_FORMAT, "a dimension of"),
    CASE(dimension_of_two_to_the_42, ERROR_FORMAT, "dimension of 4398046511105"),
    CASE(product_of_dimensions_wraps_to_zero, ERROR_FORMAT, "than the whole file"),
    CASE(bytes_of_tensor_wrap, ERROR_FORMAT, "than the whole file"),
    CASE(type_never_given_out, ERROR_UNSUPPORTED, "tensor 'w': type 4,"),
    CASE(type_beyond_the_table, ERROR_UNSUPPORTED, "type 2147483647"),
    CASE(row_not_whole_blocks, ERROR_FORMAT, "Q4_0 needs a multiple of 32"),
    CASE(offset_unaligned, ERROR_FORMAT, "not aligned to 32"),
    CASE(offset_wraps, ERROR_FORMAT, "ends before the data of tensor 'w'"),
    CASE(offset_beyond_the_file, ERROR_FORMAT, "ends before the data of tensor 'w'"),
    CASE(data_one_byte_short, ERROR_FORMAT, "ends before the data of tensor 'w'"),
    CASE(data_section_missing, ERROR_FORMAT, "ends before the data of tensor 'w'"),
    CASE(tensors_overlap, ERROR_FORMAT, "'v' and 'w' overlap"),
    CASE(tensors_share_an_offset, ERROR_FORMAT, "overlap"),
};

int main(void)
{
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct build build = {0};
        struct gguf *gguf = NULL;
        struct error error = {0};
        void *copy;
        cases[i].build(&build);
        int code = build_open(&build, &copy, &gguf, &error);
        CHECK(code == cases[i].code && error.code == code, "%s: code %d", cases[i].name, code);
        CHECK(!gguf && strstr(error.message, cases[i].words), "%s: \"%s\"", cases[i].name, error.message);
        CHECK(gguf_open_memory(copy, build.size, &gguf, NULL) == cases[i].code, "%s: no error given", cases[i].name);
        gguf_close(gguf);
        free(copy);
        free(build.bytes);
    }
    return test_end();
}
