/* tokenizer.h: text to token ids and back, exactly as the model was trained with.
 *
 * Built from a GGUF's metadata alone.  "llama" and "t5" vocabularies run in the SentencePiece library, "gpt2" ones in
 * our byte-level BPE with PCRE2 doing the splitting.  Immutable once open; any thread may encode. */
#ifndef CORE_TOKENIZER_H
#define CORE_TOKENIZER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gpu/error.h"

struct gguf;
struct tokenizer;

enum token_kind { TOKEN_TEXT, TOKEN_SPECIAL, TOKEN_IMAGE };

struct token {
    int32_t id; /* -1: of a picture */
    enum token_kind kind;
    size_t start, end; /* bytes of the encoded text; equal for specials, pictures, and for all but the last byte-piece
                        * of a character */
    int image;         /* TOKEN_IMAGE: which picture of the prompt, */
    float rect[4];     /* and where in it: x, y, width, height in its pixels; width or height 0: in its padding */
};

enum tokenizer_flags {
    TOKENIZE_START = 1,    /* begin of a sequence: BOS and the dummy-prefix space, where the model has them */
    TOKENIZE_SPECIALS = 2, /* spellings of control tokens in the text become those tokens (trusted template text only);
                            * if it begins with BOS, TOKENIZE_START adds no second one */
    TOKENIZE_PREFIX = 4,   /* the dummy-prefix space as at the begin of a sequence, but no BOS: text behind a picture */
};

/* pre: name of a pre-tokeniser to use instead of the file's ("" or NULL: the file's).
 * ERROR_UNSUPPORTED names a model or pre-tokeniser we do not have. */
int tokenizer_open(const struct gguf *, const char *pre, struct tokenizer **, struct error *);
/* One that only knows what tokens stand for: those of a recording, which has no model.  It encodes nothing
 * (ERROR_UNSUPPORTED); ids that are not among them stand for "".  pieces [count] in rising order of their ids,
 * copied. */
struct tokenizer_piece {
    int32_t id; /* 0 .. TOKENIZER_IDS - 1 */
    bool special;
    const char *text;
    size_t length;
};
enum { TOKENIZER_IDS = 1 << 24 };
int tokenizer_of_pieces(const struct tokenizer_piece *pieces, size_t count, struct tokenizer **, struct error *);
void tokenizer_close(struct tokenizer *); /* NULL ok */

/* text is UTF-8 of any content, NUL included; ERROR_FORMAT for invalid UTF-8 (the message gives the byte offset),
 * ERROR_UNSUPPORTED for a character that a SentencePiece vocabulary cannot spell, ERROR_LIMIT above 256 MiB.  Bytes
 * that a byte-level vocabulary lacks are left out, as the original packages do.
 * *tokens is malloced [*count], the caller frees it. */
int tokenizer_encode(const struct tokenizer *, const char *text, size_t length, unsigned flags, struct token **tokens,
                     size_t *count, struct error *);

/* Bytes start .. end - 1 of a text. */
struct span {
    size_t start, end;
};
/* The same for a template's text with a person's texts in it, at quoted [count] (ascending): what they spell is no
 * control token. */
int tokenizer_encode_quoting(const struct tokenizer *, const char *text, size_t length, const struct span *quoted,
                             size_t quoted_count, unsigned flags, struct token **tokens, size_t *count, struct error *);

/* A text has at least as many tokens, told by the longest of the vocabulary without encoding: for refusing at once what
 * is far too long. */
size_t tokenizer_least(const struct tokenizer *, const char *text, size_t length);

/* The bytes a token stands for when it continues a text ("\xe2\x96\x81ball" gives " ball", <0x0A> gives "\n"; a control
 * token gives its name, "<s>").  Not terminated; may be part of a character.  Owned by the tokenizer.
 * id outside the vocabulary: "" */
const char *tokenizer_text(const struct tokenizer *, int32_t id, size_t *length);
bool tokenizer_is_special(const struct tokenizer *, int32_t id); /* control, unknown or unused */
bool tokenizer_is_end(const struct tokenizer *, int32_t id);     /* end of sequence, of turn or of message */
int tokenizer_size(const struct tokenizer *);                    /* ids are 0 .. size - 1 */
const char *tokenizer_name(const struct tokenizer *);            /* "SentencePiece BPE", "BPE smollm" ...: for info */

/* The offset of the first byte that is not UTF-8, or length if all is well.  Surrogates and overlong forms are not. */
size_t utf8_check(const char *text, size_t length);

#endif
