#include "core/sentencepiece.h"

#include <sentencepiece_processor.h>

#include <algorithm>
#include <cstring>
#include <exception>
#include <new>
#include <string>
#include <unordered_set>
#include <vector>

struct sentencepiece_model {
    sentencepiece::SentencePieceProcessor processor;
    size_t vocabulary; /* ids from here on are ours, not the file's */
};

namespace {

/* The library reads beyond an array of 64 where more user-defined symbols than that start each other. */
constexpr size_t nesting_limit = 64;
/* Unused pieces are taken apart by recursion, one level for each merge. */
constexpr size_t unused_limit = 1024;

struct piece {
    std::string text;
    float score;
    int type;
};

/* -- protobuf, as much of it as a ModelProto needs ----------------------------------------------------------------- */

void put_varint(std::string &out, uint64_t value)
{
    for (; value >= 0x80; value >>= 7)
        out.push_back(static_cast<char>(value | 0x80));
    out.push_back(static_cast<char>(value));
}

void put_number(std::string &out, int field, uint64_t value)
{
    put_varint(out, static_cast<uint64_t>(field) << 3);
    put_varint(out, value);
}

void put_bytes(std::string &out, int field, const std::string &bytes)
{
    put_varint(out, static_cast<uint64_t>(field) << 3 | 2);
    put_varint(out, bytes.size());
    out += bytes;
}

void put_float(std::string &out, int field, float value)
{
    uint32_t bits;
    std::memcpy(&bits, &value, sizeof bits);
    put_varint(out, static_cast<uint64_t>(field) << 3 | 5);
    for (int shift = 0; shift < 32; shift += 8)
        out.push_back(static_cast<char>(bits >> shift));
}

/* ModelProto { pieces 1 { piece 1, score 2, type 3 }, trainer_spec 2 { model_type 3, vocab_size 4, byte_fallback 35 },
 * normalizer_spec 3 { name 1, add_dummy_prefix 3, remove_extra_whitespaces 4, escape_whitespaces 5 } } */
std::string write_model(const std::vector<piece> &pieces, const sentencepiece_options &options, bool bytes)
{
    std::string out, part;
    for (const piece &p : pieces) {
        part.clear();
        put_bytes(part, 1, p.text);
        put_float(part, 2, p.score);
        put_number(part, 3, static_cast<uint64_t>(p.type));
        put_bytes(out, 1, part);
    }
    part.clear();
    put_number(part, 3, options.unigram ? 1 : 2);
    put_number(part, 4, pieces.size());
    put_number(part, 35, bytes);
    put_bytes(out, 2, part);
    part.clear();
    put_bytes(part, 1, "identity");
    put_number(part, 3, options.dummy_prefix);
    put_number(part, 4, options.merge_spaces); /* always written: true is the default of the format */
    put_number(part, 5, 1);
    put_bytes(out, 3, part);
    return out;
}

/* -- disarming ----------------------------------------------------------------------------------------------------- */

/* Files keep user-defined symbols with plain spaces; the library compares escaped text. */
std::string escaped(const gguf_string &text)
{
    std::string out;
    for (size_t i = 0; i < text.length; i++)
        if (text.data[i] == ' ')
            out += "\xe2\x96\x81";
        else
            out.push_back(text.data[i]);
    return out;
}

/* The value of "<0x41>", -1 for anything else. */
int byte_value(const std::string &text)
{
    static const char digits[] = "0123456789ABCDEF";
    if (text.size() != 6 || text.compare(0, 3, "<0x") != 0 || text[5] != '>')
        return -1;
    const char *high = std::strchr(digits, text[3]), *low = std::strchr(digits, text[4]);
    return text[3] && text[4] && high && low ? static_cast<int>((high - digits) * 16 + (low - digits)) : -1;
}

bool is_reserved(int type)
{
    return type == TOKEN_TYPE_UNKNOWN || type == TOKEN_TYPE_CONTROL || type == TOKEN_TYPE_BYTE;
}

/* Exactly one piece must be the unknown one.  Where no token can be, one of ours is put behind the file's. */
void settle_unknown(std::vector<piece> &pieces, int32_t unknown)
{
    for (size_t i = 0; unknown < 0 && i < pieces.size(); i++)
        if (pieces[i].type == TOKEN_TYPE_UNKNOWN)
            unknown = static_cast<int32_t>(i);
    if (unknown < 0 && pieces[0].text == "<unk>")
        unknown = 0;
    for (piece &p : pieces)
        if (p.type == TOKEN_TYPE_UNKNOWN)
            p.type = TOKEN_TYPE_CONTROL;
    if (unknown < 0)
        pieces.push_back({"<unk>", 0, TOKEN_TYPE_UNKNOWN});
    else
        pieces[static_cast<size_t>(unknown)].type = TOKEN_TYPE_UNKNOWN;
}

/* Bytes stand in for unknown characters only if all 256 are there.  Returns whether they do. */
bool settle_bytes(std::vector<piece> &pieces)
{
    std::unordered_set<int> values;
    for (piece &p : pieces)
        if (p.type == TOKEN_TYPE_BYTE) {
            int value = byte_value(p.text);
            if (value < 0)
                p.type = TOKEN_TYPE_CONTROL;
            else
                values.insert(value);
        }
    if (values.size() == 256)
        return true;
    for (piece &p : pieces)
        if (p.type == TOKEN_TYPE_BYTE)
            p.type = TOKEN_TYPE_CONTROL;
    return false;
}

/* Empty and repeated texts are refused by the library, so all but the first get a name that nothing else has. */
void settle_names(std::vector<piece> &pieces)
{
    std::unordered_set<std::string> names[2];
    std::vector<size_t> nameless;
    for (size_t i = 0; i < pieces.size(); i++) {
        bool too_long = pieces[i].type == TOKEN_TYPE_UNUSED && pieces[i].text.size() > unused_limit;
        if (too_long || pieces[i].text.empty() || !names[is_reserved(pieces[i].type)].insert(pieces[i].text).second)
            nameless.push_back(i);
    }
    for (size_t i : nameless) {
        std::string name = "[UNUSED_" + std::to_string(i) + "]";
        while (names[0].count(name) || names[1].count(name))
            name.insert(name.size() - 1, "_");
        bool unknown = pieces[i].type == TOKEN_TYPE_UNKNOWN;
        pieces[i].text = name;
        pieces[i].type = unknown ? TOKEN_TYPE_UNKNOWN : TOKEN_TYPE_UNUSED;
        names[unknown].insert(name);
    }
}

/* The greatest number of user-defined texts of which each starts the next. */
size_t deepest_nesting(const std::vector<piece> &pieces)
{
    std::vector<const std::string *> texts, open;
    for (const piece &p : pieces)
        if (p.type == TOKEN_TYPE_USER_DEFINED)
            texts.push_back(&p.text);
    std::sort(texts.begin(), texts.end(), [](const std::string *a, const std::string *b) { return *a < *b; });
    size_t deepest = 0;
    for (const std::string *text : texts) {
        while (!open.empty() && text->compare(0, open.back()->size(), *open.back()) != 0)
            open.pop_back();
        open.push_back(text);
        deepest = std::max(deepest, open.size());
    }
    return deepest;
}

int read_pieces(const vocabulary &v, std::vector<piece> &pieces, bool &bytes, struct error *error)
{
    if (!v.scores)
        return error_set(error, ERROR_FORMAT, "the vocabulary has no scores (tokenizer.ggml.scores)");
    for (size_t i = 0; i < v.count; i++) {
        if (v.types[i] == TOKEN_TYPE_USER_DEFINED && std::memchr(v.texts[i].data, 0, v.texts[i].length))
            return error_set(error, ERROR_FORMAT, "user-defined token %zu holds a NUL byte", i);
        pieces.push_back({escaped(v.texts[i]), v.scores[i], v.types[i]});
    }
    settle_unknown(pieces, v.unknown);
    settle_names(pieces);
    bytes = settle_bytes(pieces);
    size_t nesting = deepest_nesting(pieces);
    if (nesting > nesting_limit)
        return error_set(error, ERROR_FORMAT, "%zu user-defined tokens start each other, more than %zu", nesting,
                         nesting_limit);
    return 0;
}

int fail(struct error *error, const std::exception &reason)
{
    bool memory = dynamic_cast<const std::bad_alloc *>(&reason) != nullptr;
    return error_set(error, memory ? ERROR_MEMORY : ERROR_FORMAT, "SentencePiece: %s", reason.what());
}

int load(const vocabulary &v, const sentencepiece_options &options, sentencepiece_model &model, struct error *error)
{
    std::vector<piece> pieces;
    bool bytes = false;
    int code = read_pieces(v, pieces, bytes, error);
    if (code)
        return code;
    model.vocabulary = v.count;
    const auto status = model.processor.LoadFromSerializedProto(write_model(pieces, options, bytes));
    if (!status.ok())
        return error_set(error, ERROR_FORMAT, "SentencePiece refuses the vocabulary: %s", status.error_message());
    return 0;
}

int encode(const sentencepiece_model &model, const char *text, size_t length, size_t base, struct token_list *list,
           struct error *error)
{
    sentencepiece::ImmutableSentencePieceText result;
    const auto status = model.processor.Encode(absl::string_view(text, length), result.mutable_proto());
    if (!status.ok())
        return error_set(error, ERROR_FORMAT, "SentencePiece: %s", status.error_message());
    for (size_t i = 0; i < result.pieces_size(); i++) {
        const auto piece = result.pieces(static_cast<int>(i));
        if (piece.id() >= model.vocabulary)
            return error_set(error, ERROR_UNSUPPORTED, "the vocabulary has no token for the character at byte %zu",
                             base + piece.begin());
        struct token token = {};
        token.id = static_cast<int32_t>(piece.id());
        token.start = base + piece.begin();
        token.end = base + piece.end();
        int code = token_list_add(list, token, error);
        if (code)
            return code;
    }
    return 0;
}

} // namespace

int sentencepiece_open(const struct vocabulary *v, const struct sentencepiece_options *options,
                       struct sentencepiece_model **model, struct error *error)
{
    *model = nullptr;
    try {
        *model = new sentencepiece_model();
        int code = load(*v, *options, **model, error);
        if (code) {
            delete *model;
            *model = nullptr;
        }
        return code;
    } catch (const std::exception &reason) {
        delete *model;
        *model = nullptr;
        return fail(error, reason);
    }
}

void sentencepiece_close(struct sentencepiece_model *model)
{
    delete model;
}

int sentencepiece_encode(const struct sentencepiece_model *model, const char *text, size_t length, size_t base,
                         struct token_list *list, struct error *error)
{
    try {
        return encode(*model, text, length, base, list, error);
    } catch (const std::exception &reason) {
        return fail(error, reason);
    }
}
