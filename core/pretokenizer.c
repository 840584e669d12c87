#include "core/pretokenizer.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* -- expressions --------------------------------------------------------------------------------------------------- */

/* Unicode's White_Space, spelled out: PCRE2's own \s takes U+180E for a space, which Unicode gave up in version 6.3. */
#define SPACES "\\t\\n\\x0b\\f\\r \\x{85}\\x{a0}\\x{1680}\\x{2000}-\\x{200a}\\x{2028}\\x{2029}\\x{202f}\\x{205f}" \
    "\\x{3000}"
#define SPACE "[" SPACES "]"
#define BLANKS SPACE "+(?![^" SPACES "])|" SPACE "+"
#define LINES SPACE "*[\\r\\n]+|" BLANKS

#define GPT2 "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^" SPACES "\\p{L}\\p{N}]+|" BLANKS
#define CONTRACTIONS "(?i:'s|'t|'re|'ve|'m|'ll|'d)"
#define GPT4(digits, slash)                                                                                            \
    CONTRACTIONS "|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|" digits "| ?[^" SPACES "\\p{L}\\p{N}]+[\\r\\n" slash "]*|" LINES
#define UPPER "[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]"
#define LOWER "[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]"
#define GPT4O(contractions, digits)                                                                                    \
    "[^\\r\\n\\p{L}\\p{N}]?" UPPER "*" LOWER "+" contractions "|[^\\r\\n\\p{L}\\p{N}]?" UPPER "+" LOWER "*"            \
    contractions "|" digits "| ?[^" SPACES "\\p{L}\\p{N}]+[\\r\\n/]*|" LINES

/* The letters with two cases, as DeepSeek's first models list them. */
#define CASED \
    "\\x{41}-\\x{5a}\\x{61}-\\x{7a}\\x{b5}\\x{c0}-\\x{d6}\\x{d8}-\\x{f6}\\x{f8}-\\x{1ba}\\x{1bc}-\\x{1bf}" \
    "\\x{1c4}-\\x{293}\\x{295}-\\x{2af}\\x{370}-\\x{373}\\x{376}\\x{377}\\x{37b}-\\x{37d}\\x{37f}\\x{386}" \
    "\\x{388}-\\x{38a}\\x{38c}\\x{38e}-\\x{3a1}\\x{3a3}-\\x{3f5}\\x{3f7}-\\x{481}\\x{48a}-\\x{52f}" \
    "\\x{531}-\\x{556}\\x{10a0}-\\x{10c5}\\x{13a0}-\\x{13f5}\\x{13f8}-\\x{13fd}\\x{1c90}-\\x{1cba}" \
    "\\x{1cbd}-\\x{1cbf}\\x{1d00}-\\x{1d2b}\\x{1d6b}-\\x{1d77}\\x{1d79}-\\x{1d9a}\\x{1e00}-\\x{1f15}" \
    "\\x{1f18}-\\x{1f1d}\\x{1f20}-\\x{1f45}\\x{1f48}-\\x{1f4d}\\x{1f50}-\\x{1f57}\\x{1f59}\\x{1f5b}\\x{1f5d}" \
    "\\x{1f5f}-\\x{1f7d}\\x{1f80}-\\x{1fb4}\\x{1fb6}-\\x{1fbc}\\x{1fbe}\\x{1fc2}-\\x{1fc4}\\x{1fc6}-\\x{1fcc}" \
    "\\x{1fd0}-\\x{1fd3}\\x{1fd6}-\\x{1fdb}\\x{1fe0}-\\x{1fec}\\x{1ff2}-\\x{1ff4}\\x{1ff6}-\\x{1ffc}\\x{2102}" \
    "\\x{2107}\\x{210a}-\\x{2113}\\x{2115}\\x{2119}-\\x{211d}\\x{2124}\\x{2126}\\x{2128}\\x{212a}-\\x{212d}" \
    "\\x{212f}-\\x{2134}\\x{2139}\\x{213c}-\\x{213f}\\x{2145}-\\x{2149}\\x{214e}\\x{2183}\\x{2184}" \
    "\\x{2c00}-\\x{2c7b}\\x{2c7e}-\\x{2ce4}\\x{2ceb}-\\x{2cee}\\x{2cf2}\\x{2cf3}\\x{a640}-\\x{a66d}" \
    "\\x{a680}-\\x{a69b}\\x{a722}-\\x{a76f}\\x{a771}-\\x{a787}\\x{a78b}-\\x{a78e}\\x{ab70}-\\x{abbf}" \
    "\\x{fb00}-\\x{fb06}\\x{fb13}-\\x{fb17}\\x{ff21}-\\x{ff3a}\\x{ff41}-\\x{ff5a}\\x{10400}-\\x{1044f}" \
    "\\x{104b0}-\\x{104d3}\\x{104d8}-\\x{104fb}\\x{10c80}-\\x{10cb2}\\x{10cc0}-\\x{10cf2}\\x{118a0}-\\x{118df}" \
    "\\x{1e900}-\\x{1e943}"

static const char *const gpt2[] = {GPT2, NULL};
static const char *const digit_gpt2[] = {"\\p{N}", GPT2, NULL};
static const char *const llama3[] = {GPT4("\\p{N}{1,3}", ""), NULL};
static const char *const minicpm5[] = {"\\p{N}{1,3}", GPT4("\\p{N}+", ""), NULL};
static const char *const qwen2[] = {GPT4("\\p{N}", ""), NULL};
static const char *const qwen35[] = {
    CONTRACTIONS "|[^\\r\\n\\p{L}\\p{N}]?[\\p{L}\\p{M}]+|\\p{N}| ?[^" SPACES
    "\\p{L}\\p{M}\\p{N}]+[\\r\\n]*|" LINES, NULL};
static const char *const gpt4o[] = {GPT4O(CONTRACTIONS "?", "\\p{N}{1,3}"), NULL};
static const char *const tekken[] = {GPT4O("", "\\p{N}"), NULL};
static const char *const deepseek_coder[] = {
    "[\\r\\n]", SPACE "?\\p{L}+", SPACE "?\\p{P}+", "[\\x{4e00}-\\x{9fa5}\\x{800}-\\x{4e00}\\x{ac00}-\\x{d7ff}]+",
    "\\p{N}", NULL};
static const char *const deepseek_llm[] = {
    "[\\r\\n]", SPACE "?[" CASED "]+",
    SPACE "?[!-/:-~\\x{ff01}-\\x{ff0f}\\x{ff1a}-\\x{ff5e}\\x{2018}-\\x{201f}\\x{3000}-\\x{3002}]+", SPACE "+$",
    "[\\x{4e00}-\\x{9fa5}\\x{800}-\\x{4e00}\\x{ac00}-\\x{d7ff}]+", "\\p{N}+", NULL};
static const char *const deepseek3[] = {
    "\\p{N}{1,3}", "[\\x{4e00}-\\x{9fa5}\\x{3040}-\\x{309f}\\x{30a0}-\\x{30ff}]+",
    "[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|[^\\r\\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+|"
    " ?[\\p{P}\\p{S}]+[\\r\\n]*|" LINES,
    NULL};
static const char *const falcon[] = {"[\\p{P}\\$\\+<=>\\^~\\|`]+", GPT2, "[0-9][0-9][0-9]", NULL};
static const char *const bloom[] = {
    " ?[^(" SPACES "|.,!?\\x{2026}\\x{3002}\\x{ff0c}\\x{3001}\\x{964}\\x{6d4}\\x{60c})]+", NULL};
static const char *const bailing[] = {
    "'(?i:[sdmt]|ll|ve|re)|[^\\r\\n\\p{L}\\p{N}]?+\\p{L}+|\\p{N}| ?[^" SPACES "\\p{L}\\p{N}]++[\\r\\n]*|" SPACE
    "*[\\r\\n]|" BLANKS,
    NULL};
/* What files without a name were read with before names came up. */
static const char *const unnamed[] = {"[\\p{P}\\$\\+<=>\\^~\\|]+", GPT2, "\\p{N}+", "[0-9][0-9][0-9]", NULL};

/* -- the table ----------------------------------------------------------------------------------------------------- */

static const struct pretokenizer_rule rules[] = {
    /* name, steps, whole words, start token, compose */
    {"default", unnamed, false, false, false},
    {"gpt-2", gpt2, false, false, false},
    {"gpt-neox", gpt2, false, false, true},
    {"phi-2", gpt2, false, false, false},
    {"olmo", gpt2, false, false, true},
    {"mpt", gpt2, false, false, true},
    {"jais", gpt2, false, false, false},
    {"trillion", gpt2, false, false, false},
    {"exaone4", gpt2, false, false, true},
    {"modern-bert", gpt2, false, false, true},
    {"gigachat", gpt2, false, false, false},
    {"smollm", digit_gpt2, false, false, false},
    {"starcoder", digit_gpt2, false, false, false},
    {"refact", digit_gpt2, false, false, false},
    {"codeshell", digit_gpt2, false, false, false},
    {"exaone", digit_gpt2, false, false, true},
    {"minerva-7b", digit_gpt2, false, false, false},
    {"command-r", digit_gpt2, false, false, true},
    {"llama-bpe", llama3, true, true, false},
    {"llama3", llama3, true, true, false},
    {"llama-v3", llama3, true, true, false},
    {"falcon3", llama3, true, true, false},
    {"falcon-h1", llama3, true, true, false},
    {"pixtral", llama3, true, true, false},
    {"lfm2", llama3, true, true, false},
    {"midm-2.0", llama3, true, true, false},
    {"jina-v5-nano", llama3, true, true, false},
    {"minicpm5", minicpm5, true, false, false},
    {"dbrx", llama3, false, false, false},
    {"smaug-bpe", llama3, false, false, false},
    {"glm4", llama3, false, false, false},
    {"chatglm-bpe", llama3, false, false, false},
    {"qwen2", qwen2, false, false, true},
    {"deepseek-r1-qwen", qwen2, false, false, false},
    {"megrez", qwen2, false, false, true},
    {"stablelm2", qwen2, false, false, false},
    {"hunyuan", qwen2, false, false, false},
    {"grok-2", qwen2, false, false, false},
    {"solar-open", qwen2, false, false, false},
    {"qwen35", qwen35, false, false, true},
    {"gpt-4o", gpt4o, false, false, false},
    {"llama4", gpt4o, false, false, false},
    {"kanana2", gpt4o, false, false, false},
    {"minimax-m2", gpt4o, false, false, false},
    {"tekken", tekken, true, true, false},
    {"deepseek-coder", deepseek_coder, false, false, false},
    {"deepseek-llm", deepseek_llm, false, false, false},
    {"deepseek-v3", deepseek3, false, false, false},
    {"falcon", falcon, false, false, false},
    {"bloom", bloom, false, false, false},
    {"poro-chat", bloom, false, false, false},
    {"gpt3-finnish", bloom, false, false, false},
    {"bailingmoe", bailing, false, false, false},
};

const struct pretokenizer_rule *pretokenizer_find(const char *name, size_t length)
{
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++)
        if (strlen(rules[i].name) == length && !memcmp(rules[i].name, name, length))
            return &rules[i];
    return NULL;
}

/* -- cutting ------------------------------------------------------------------------------------------------------- */

struct pretokenizer {
    int steps;
    pcre2_code *codes[PRETOKENIZER_STEPS];
};

struct run {
    const struct pretokenizer *pre;
    pcre2_match_data *matches[PRETOKENIZER_STEPS];
    pretokenizer_word *word;
    void *context;
};

int pretokenizer_open(const struct pretokenizer_rule *rule, struct pretokenizer **result, struct error *error)
{
    *result = NULL;
    struct pretokenizer *pre = calloc(1, sizeof *pre);
    if (!pre)
        return error_set(error, ERROR_MEMORY, "out of memory");
    for (; rule->steps[pre->steps]; pre->steps++) {
        int reason;
        PCRE2_SIZE at;
        pcre2_code *code = pcre2_compile((PCRE2_SPTR)rule->steps[pre->steps], PCRE2_ZERO_TERMINATED,
                                         PCRE2_UTF | PCRE2_UCP, &reason, &at, NULL);
        if (!code) {
            char why[120] = "";
            pcre2_get_error_message(reason, (PCRE2_UCHAR *)why, sizeof why);
            error_set(error, ERROR_UNSUPPORTED, "expression %d of pre-tokeniser %s, character %zu: %s", pre->steps,
                      rule->name, (size_t)at, why);
            pretokenizer_close(pre);
            return ERROR_UNSUPPORTED;
        }
        pcre2_jit_compile(code, PCRE2_JIT_COMPLETE); /* without it the interpreter does the same, slower */
        pre->codes[pre->steps] = code;
    }
    *result = pre;
    return 0;
}

void pretokenizer_close(struct pretokenizer *pre)
{
    if (!pre)
        return;
    for (int i = 0; i < pre->steps; i++)
        pcre2_code_free(pre->codes[i]);
    free(pre);
}

static int cut(const struct run *run, int step, const char *text, size_t length, struct error *error)
{
    if (length == 0)
        return 0;
    if (step == run->pre->steps)
        return run->word(run->context, text, length, error);
    const PCRE2_SIZE *span = pcre2_get_ovector_pointer(run->matches[step]);
    size_t done = 0;
    for (size_t at = 0; at < length;) {
        /* The piece is the whole subject, so that a lookahead sees no further than it. */
        int found = pcre2_match(run->pre->codes[step], (PCRE2_SPTR)text, length, at,
                                PCRE2_NO_UTF_CHECK | PCRE2_NOTEMPTY, run->matches[step], NULL);
        if (found == PCRE2_ERROR_NOMATCH)
            break;
        if (found < 0)
            return error_set(error, ERROR_LIMIT, "the text is too much for the pre-tokeniser (PCRE2 error %d)", found);
        size_t start = span[0], end = span[1];
        int code = cut(run, step + 1, text + done, start - done, error);
        if (!code)
            code = cut(run, step + 1, text + start, end - start, error);
        if (code)
            return code;
        at = done = end;
    }
    return cut(run, step + 1, text + done, length - done, error);
}

int pretokenizer_run(const struct pretokenizer *pre, const char *text, size_t length, pretokenizer_word *word,
                     void *context, struct error *error)
{
    struct run run = {.pre = pre, .word = word, .context = context};
    int code = 0;
    for (int i = 0; !code && i < pre->steps; i++) {
        run.matches[i] = pcre2_match_data_create(1, NULL);
        if (!run.matches[i])
            code = error_set(error, ERROR_MEMORY, "out of memory");
    }
    if (!code)
        code = cut(&run, 0, text, length, error);
    for (int i = 0; i < pre->steps; i++)
        pcre2_match_data_free(run.matches[i]);
    return code;
}
