"""The original tokenisers of a GGUF file's vocabulary: the `sentencepiece` and `tokenizers` packages.

    encode = oracle("model.gguf")     # or oracle(path, rule="qwen2"): the pre-tokeniser of another model
    encode("text")                    # ids, as at the beginning of a text, without BOS

Built from the file's metadata, by the packages' own means, as the models' own tokenizer.json or tokenizer.model has it.
Control tokens are left out, so that text which spells them stays text.
"""
import functools

import gguf
import sentencepiece
from sentencepiece import sentencepiece_model_pb2
from tokenizers import AddedToken, Regex, Tokenizer, models, normalizers, pre_tokenizers

NORMAL, UNKNOWN, CONTROL, USER_DEFINED, UNUSED, BYTE = range(1, 7)

GPT2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
GPT4 = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|%s| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+")
GPT4O = (r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+%s|"
         r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*%s|"
         r"%s| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+")
CONTRACTIONS = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
CASED = ("A-Za-z\u00b5\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u01ba\u01bc-\u01bf\u01c4-\u0293\u0295-\u02af\u0370-\u0373\u0376"
         "\u0377\u037b-\u037d\u037f\u0386\u0388-\u038a\u038c\u038e-\u03a1\u03a3-\u03f5\u03f7-\u0481\u048a-\u052f\u0531-"
         "\u0556\u10a0-\u10c5\u13a0-\u13f5\u13f8-\u13fd\u1c90-\u1cba\u1cbd-\u1cbf\u1d00-\u1d2b\u1d6b-\u1d77\u1d79-\u1d9a"
         "\u1e00-\u1f15\u1f18-\u1f1d\u1f20-\u1f45\u1f48-\u1f4d\u1f50-\u1f57\u1f59\u1f5b\u1f5d\u1f5f-\u1f7d\u1f80-\u1fb4"
         "\u1fb6-\u1fbc\u1fbe\u1fc2-\u1fc4\u1fc6-\u1fcc\u1fd0-\u1fd3\u1fd6-\u1fdb\u1fe0-\u1fec\u1ff2-\u1ff4\u1ff6-\u1ffc"
         "\u2102\u2107\u210a-\u2113\u2115\u2119-\u211d\u2124\u2126\u2128\u212a-\u212d\u212f-\u2134\u2139\u213c-\u213f"
         "\u2145-\u2149\u214e\u2183\u2184\u2c00-\u2c7b\u2c7e-\u2ce4\u2ceb-\u2cee\u2cf2\u2cf3\ua640-\ua66d\ua680-\ua69b"
         "\ua722-\ua76f\ua771-\ua787\ua78b-\ua78e\uab70-\uabbf\ufb00-\ufb06\ufb13-\ufb17\uff21-\uff3a\uff41-\uff5a"
         "\U00010400-\U0001044f\U000104b0-\U000104d3\U000104d8-\U000104fb\U00010c80-\U00010cb2\U00010cc0-\U00010cf2"
         "\U000118a0-\U000118df\U0001e900-\U0001e943")
# name: expressions, ignore_merges, normal form C
RULES = {
    "gpt-2": ([GPT2], False, False),
    "gpt-neox": ([GPT2], False, True),
    "smollm": ([r"\p{N}", GPT2], False, False),
    "command-r": ([r"\p{N}", GPT2], False, True),
    "llama-bpe": ([GPT4 % r"\p{N}{1,3}"], True, False),
    "dbrx": ([GPT4 % r"\p{N}{1,3}"], False, False),
    "qwen2": ([GPT4 % r"\p{N}"], False, True),
    "deepseek-r1-qwen": ([GPT4 % r"\p{N}"], False, False),
    "qwen35": ([r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|"
                r"\s*[\r\n]+|\s+(?!\S)|\s+"], False, True),
    "gpt-4o": ([GPT4O % (CONTRACTIONS, CONTRACTIONS, r"\p{N}{1,3}")], False, False),
    "tekken": ([GPT4O % ("", "", r"\p{N}")], True, False),
    "deepseek-coder": ([r"[\r\n]", r"\s?\p{L}+", r"\s?\p{P}+", "[\u4e00-\u9fa5\u0800-\u4e00\uac00-\ud7ff]+", r"\p{N}"],
                       False, False),
    "deepseek-llm": ([r"[\r\n]", rf"\s?[{CASED}]+", "\\s?[!-/:-~\uff01-\uff0f\uff1a-\uff5e\u2018-\u201f\u3000-\u3002]+",
                      r"\s+$",
                      "[\u4e00-\u9fa5\u0800-\u4e00\uac00-\ud7ff]+", r"\p{N}+"], False, False),
    "deepseek-v3": ([r"\p{N}{1,3}", "[\u4e00-\u9fa5\u3040-\u309f\u30a0-\u30ff]+",
                     "[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|[^\r\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+|"
                     " ?[\\p{P}\\p{S}]+[\r\n]*|\\s*[\r\n]+|\\s+(?!\\S)|\\s+"], False, False),
    "falcon": ([r"[\p{P}\$\+<=>\^~\|`]+", GPT2, r"[0-9][0-9][0-9]"], False, False),
    "default": ([r"[\p{P}\$\+<=>\^~\|]+", GPT2, r"\p{N}+", r"[0-9][0-9][0-9]"], False, False),
    "bloom": ([" ?[^(\\s|.,!?\u2026\u3002\uff0c\u3001\u0964\u06d4\u060c)]+"], False, False),
    "bailingmoe": ([r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]++[\r\n]*|"
                    r"\s*[\r\n]|\s+(?!\S)|\s+"],
                   False, False),
}


@functools.lru_cache(maxsize=1)  # reading takes longer than all that is done with it
def metadata(path):
    return {name: field.contents() for name, field in gguf.GGUFReader(path).fields.items()
            if name.startswith("tokenizer.") or name.startswith("general.")}


def byte_pair_oracle(keys, rule):
    tokens, types = keys["tokenizer.ggml.tokens"], keys["tokenizer.ggml.token_type"]
    padding = {i for i, token in enumerate(tokens) if token == f"[PAD{i}]"}
    vocabulary = {token: i for i, token in enumerate(tokens) if types[i] == NORMAL and i not in padding}
    expressions, ignore_merges, compose = RULES[rule]
    merges = [tuple(line.split(" ", 1)) for line in keys["tokenizer.ggml.merges"]]
    tokenizer = Tokenizer(models.BPE(vocabulary, merges, ignore_merges=ignore_merges))
    if compose:
        tokenizer.normalizer = normalizers.NFC()
    if rule == "smollm":
        steps = [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    elif rule in ("gpt-2", "gpt-neox"):
        steps = [pre_tokenizers.ByteLevel(add_prefix_space=False)]
    else:
        steps = [pre_tokenizers.Split(Regex(e), "isolated") for e in expressions]
        steps.append(pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(steps)
    added = {tokens[i]: i for i in range(len(tokens)) if types[i] == USER_DEFINED and i not in padding}
    tokenizer.add_tokens([AddedToken(text, normalized=False) for text in added])
    names = {tokenizer.token_to_id(text): i for text, i in added.items()}
    return lambda text: [names.get(i, i) for i in tokenizer.encode(text, add_special_tokens=False).ids]


def sentencepiece_model(keys, prefix):
    """The model file that the vocabulary came from, as far as it can be told."""
    model = sentencepiece_model_pb2.ModelProto()
    unknown = keys.get("tokenizer.ggml.unknown_token_id", 0)
    types = keys["tokenizer.ggml.token_type"]
    for i, (token, score, kind) in enumerate(zip(keys["tokenizer.ggml.tokens"], keys["tokenizer.ggml.scores"], types)):
        kind = UNKNOWN if i == unknown else CONTROL if kind == UNKNOWN or token == f"[PAD{i}]" else kind
        model.pieces.add(piece=token.replace(" ", "\u2581"), score=score, type=kind)
    model.trainer_spec.model_type = 2
    model.trainer_spec.byte_fallback = BYTE in types
    model.normalizer_spec.name = "identity"
    model.normalizer_spec.add_dummy_prefix = prefix
    model.normalizer_spec.remove_extra_whitespaces = False
    return model


def oracle(path, rule=None, beginning=True):
    keys = metadata(path)
    if keys["tokenizer.ggml.model"] == "gpt2":
        default = "gpt-neox" if keys["general.architecture"] == "gptneox" else None
        return byte_pair_oracle(keys, rule or keys.get("tokenizer.ggml.pre", default))
    model = sentencepiece_model(keys, beginning and keys.get("tokenizer.ggml.add_space_prefix", True))
    processor = sentencepiece.SentencePieceProcessor()
    processor.LoadFromSerializedProto(model.SerializeToString())
    return processor.encode
