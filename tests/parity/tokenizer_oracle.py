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
    "qwen35": ([r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|\s*[\r\n]+|"
                r"\s+(?!\S)|\s+"], False, True),
    "gpt-4o": ([GPT4O % (CONTRACTIONS, CONTRACTIONS, r"\p{N}{1,3}")], False, False),
    "tekken": ([GPT4O % ("", "", r"\p{N}")], True, False),
    "deepseek-coder": ([r"[\r\n]", r"\s?\p{L}+", r"\s?\p{P}+", "[\u4e00-\u9fa5\u0800-\u4e00\uac00-\ud7ff]+", r"\p{N}"], False, False),
    "deepseek-v3": ([r"\p{N}{1,3}", "[\u4e00-\u9fa5\u3040-\u309f\u30a0-\u30ff]+",
                     "[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|[^\r\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+|"
                     " ?[\\p{P}\\p{S}]+[\r\n]*|\\s*[\r\n]+|\\s+(?!\\S)|\\s+"], False, False),
    "falcon": ([r"[\p{P}\$\+<=>\^~\|`]+", GPT2, r"[0-9][0-9][0-9]"], False, False),
    "default": ([r"[\p{P}\$\+<=>\^~\|]+", GPT2, r"\p{N}+", r"[0-9][0-9][0-9]"], False, False),
    "bloom": ([" ?[^(\\s|.,!?\u2026\u3002\uff0c\u3001\u0964\u06d4\u060c)]+"], False, False),
    "bailingmoe": ([r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]++[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s+"],
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
