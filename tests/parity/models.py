"""Random small models of all families, written as GGUF files: shapes and weight types that real files mix.

Weights are large enough that attention has something to say (scores spread by about 2, so that some keys matter and
others do not), embeddings come in clusters (so that cosine neighbourhoods have members), and nothing is trivial: norms
are not 1, biases not 0.
"""
import os
from dataclasses import dataclass, field

import numpy as np

from gguf_write import TYPES, write_gguf
import weights

WORDS = "the of and to in is was for on that with as his her at by from she he it ball red blue".split()


@dataclass
class Shape:
    """What a model is made of.  keys: metadata besides, without the family's name in front.  types: the weights' types
    in turn; a matrix whose rows are no whole blocks is F32."""
    layers: int = 3
    width: int = 96
    heads: int = 6
    kv_heads: int = 2
    head_dim: int = 16
    ff: int = 160
    types: list = field(default_factory=lambda: ["F32"])
    tied: bool = False
    biases: tuple = ()  # of attn_q, attn_k, attn_v, attn_output, ffn_gate, ffn_up, ffn_down, output
    rope_columns: int = 0  # 0: all of head_dim
    rope_base: float = 10000.0
    rope_factors: bool = False
    rope_scale: float = 1.0
    bos: bool = True
    seed: int = 0
    controls: tuple = ()  # control tokens besides
    family: str = "llama"
    keys: dict = field(default_factory=dict)
    template: str = ""  # a chat template


ALL_BIASES = ("attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down")

SHAPES = {
    "grouped": Shape(),  # 6 query heads share 2 key heads
    "plain": Shape(layers=2, heads=4, kv_heads=4, head_dim=24, tied=True, bos=False, types=["F16", "BF16"], seed=1),
    "wide-head": Shape(layers=2, width=160, heads=3, kv_heads=1, head_dim=80, ff=224, types=["Q8_0", "Q5_1"],
                       rope_base=100000.0, seed=2),
    "odd": Shape(layers=3, width=66, heads=5, kv_heads=5, head_dim=18, ff=91, rope_columns=10, bos=False, seed=3),
    "biased": Shape(layers=4, width=128, heads=8, kv_heads=4, head_dim=16, biases=ALL_BIASES, rope_scale=2.5,
                    types=["Q4_0", "Q4_1", "Q5_0"], seed=4),
    "stretched": Shape(layers=3, width=128, heads=2, kv_heads=1, head_dim=64, ff=192, rope_factors=True, tied=True,
                       biases=("attn_q", "attn_k", "attn_v"), rope_base=500000.0, types=["Q8_0"], seed=5),
    "mixed": Shape(layers=2, width=256, heads=4, kv_heads=2, head_dim=64, ff=512,
                   types=["Q4_K", "Q6_K", "Q5_K", "Q2_K", "Q3_K", "Q8_0"], seed=6),
    "listed": Shape(layers=2, width=256, heads=4, kv_heads=2, head_dim=64, ff=512, types=["IQ4_NL", "IQ4_XS", "MXFP4"],
                    seed=7),
}


QKV = ("attn_q", "attn_k", "attn_v")
YARN = {"rope.scaling.type": "yarn", "rope.scaling.factor": 4.0, "rope.scaling.original_context_length": 128,
        "rope.scaling.yarn_beta_fast": 16.0, "rope.scaling.yarn_beta_slow": 0.5}

# Windows are shorter than the tests' prompts, caps low enough to bend.
FAMILIES = {
    "qwen2": Shape(family="qwen2", biases=QKV, tied=True, bos=False, rope_base=1e6, seed=11),
    "qwen3": Shape(family="qwen3", head_dim=24, rope_base=1e6, types=["Q8_0"], seed=12),
    "mistral3": Shape(family="mistral3", keys={**YARN, "rope.scaling.yarn_log_multiplier": 1.0,
                                               "attention.temperature_scale": 0.1}, seed=13),
    "mistral3-stretched": Shape(family="mistral3", keys=YARN, head_dim=32, seed=14),
    "smollm3": Shape(family="smollm3", layers=5, biases=("attn_output",), seed=15),
    "granite": Shape(family="granite", tied=True, seed=16,
                     keys={"embedding_scale": 6.0, "residual_scale": 0.4, "logit_scale": 0.7, "attention.scale": 0.12}),
    "granite-unturned": Shape(family="granite", seed=17, keys={"logit_scale": 2.0, "rope.scaling.finetuned": False}),
    "phi3": Shape(family="phi3", kv_heads=6, keys={"attention.sliding_window": 11}, seed=18),
    "phi3-long": Shape(family="phi3", head_dim=16, width=96, seed=19, rope_columns=12, types=["Q8_0"],
                       keys={"rope.scaling.type": "longrope", "rope.scaling.attn_factor": 1.19,
                             "rope.scaling.original_context_length": 40, "attention.sliding_window": 0}),
    "gemma": Shape(family="gemma", kv_heads=1, head_dim=24, tied=True, bos=True, seed=20),
    "gemma2": Shape(family="gemma2", layers=4, tied=True, seed=21,
                    keys={"attention.sliding_window": 7, "attn_logit_softcapping": 2.0,
                          "final_logit_softcapping": 5.0}),
    "gemma3": Shape(family="gemma3", layers=7, kv_heads=1, tied=True, rope_base=1e6, rope_scale=8.0, seed=22,
                    keys={"attention.sliding_window": 7}),
    "gemma3-listed": Shape(family="gemma3", layers=3, head_dim=32, seed=23,
                           keys={"attention.sliding_window": 5, "rope.freq_base_swa": 500.0,
                                 "attention.sliding_window_pattern": np.array([False, True, True])}),
    "olmo2": Shape(family="olmo2", kv_heads=3, rope_base=500000.0, seed=24),
    "olmo3": Shape(family="olmo2", layers=5, keys={**YARN, "attention.sliding_window": 6}, seed=25),
    "gpt2": Shape(family="gpt2", kv_heads=6, biases=ALL_BIASES + ("attn_qkv",), tied=True, bos=False, seed=26),
    "gptneox": Shape(family="gptneox", kv_heads=6, biases=ALL_BIASES + ("attn_qkv",), rope_columns=4, bos=False,
                     seed=27,
                     keys={"use_parallel_residual": True}),
    "gptneox-sequential": Shape(family="gptneox", kv_heads=6, biases=ALL_BIASES + ("attn_qkv",), bos=False, seed=28,
                                keys={"use_parallel_residual": False}),
}

# How the converters write what they have: fused matrices, LayerNorms with biases, norms where.
FUSED_QKV, LAYER_NORM, UNGATED = ("phi3", "gpt2", "gptneox"), ("gpt2", "gptneox"), ("gpt2", "gptneox")
POST_NORM, HEAD_NORM, WHOLE_NORM = ("gemma2", "gemma3", "olmo2"), ("qwen3", "gemma3"), ("olmo2",)


def vocabulary(bos, controls=()):
    """A SentencePiece BPE vocabulary: the bytes, the letters, and some words with all that lies between."""
    letters = "▁abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.,?!'0123456789\n"
    pieces = dict.fromkeys(f"▁{word}"[:n] for word in WORDS for n in range(2, len(word) + 2))
    texts = ["<unk>", "<s>", "</s>"] + [f"<0x{byte:02X}>" for byte in range(256)] + list(letters) + list(pieces)
    kinds = [2, 3, 3] + [6] * 256 + [1] * (len(letters) + len(pieces)) + [3] * len(controls)
    texts += controls
    return {
        "tokenizer.ggml.model": "llama",
        "tokenizer.ggml.tokens": texts,
        "tokenizer.ggml.scores": np.array([0.0] * 259 + [-float(i) for i in range(len(texts) - 259)], "<f4"),
        "tokenizer.ggml.token_type": np.array(kinds, "<i4"),
        "tokenizer.ggml.bos_token_id": 1,
        "tokenizer.ggml.eos_token_id": 2,
        "tokenizer.ggml.unknown_token_id": 0,
        "tokenizer.ggml.add_bos_token": bos,
        "tokenizer.ggml.add_space_prefix": bos,
    }


# where d (and dmin) are
HALVES = {"Q2_K": (80, 82), "Q3_K": (108,), "Q4_K": (0, 2), "Q5_K": (0, 2), "Q6_K": (208,), "IQ4_NL": (0,),
          "IQ4_XS": (0,), "MXFP4": ()}


def random_blocks(rng, name, rows, columns, spread):
    """Packed rows of a type whose numbers have mean 0 and the standard deviation `spread` (MXFP4: as near as its scales
    allow): random bytes under scales that make it so."""
    number, elements, size = TYPES[name]
    blocks = rng.integers(0, 256, (rows * columns // elements, size), np.uint8)
    if name == "Q6_K":  # random scales of both signs up to 128 would leave a few giants
        blocks[:, 192:208] = rng.integers(24, 40, (len(blocks), 16))

    def scaled(*halves):
        for at, half in zip(HALVES[name], halves):
            blocks[:, at:at + 2] = np.array([half], "<f2").view(np.uint8)
        return weights.TYPES[number][3](blocks)

    if name == "MXFP4":
        blocks[:, 0] = 127
        blocks[:, 0] += np.int8(np.rint(np.log2(spread / scaled().std()))).view(np.uint8)
    elif len(HALVES[name]) == 1:
        scaled(spread / scaled(1).std())
    else:
        balance = scaled(1, 0).mean() / -scaled(0, 1).mean()
        d = spread / scaled(1, balance).std()
        scaled(d, d * balance)
    return blocks.reshape(rows, -1)


class Builder:
    """The tensors of one model."""

    def __init__(self, shape):
        self.shape, self.rng, self.tensors, self.turn = shape, np.random.default_rng(shape.seed), {}, 0

    def matrix(self, name, rows, columns, gain):
        shape, rng = self.shape, self.rng
        kind, spread = shape.types[self.turn % len(shape.types)], gain / np.sqrt(columns)
        self.turn += 1
        if columns % TYPES[kind][1]:
            kind = "F32"
        array = random_blocks(rng, kind, rows, columns, spread) if kind in HALVES else rng.normal(0, spread,
                                                                                                  (rows, columns))
        self.tensors[name + ".weight"] = (kind, array)
        if name.split(".")[-1] in shape.biases:
            self.tensors[name + ".bias"] = ("F32", rng.normal(0, 0.3, rows))

    def norm(self, name, width=0):
        width = width or self.shape.width
        self.tensors[name + ".weight"] = ("F32", self.rng.uniform(0.6, 1.5, width))
        if self.shape.family in LAYER_NORM:
            self.tensors[name + ".bias"] = ("F32", self.rng.normal(0, 0.2, width))

    def attention(self, prefix):
        shape = self.shape
        q, kv = shape.heads * shape.head_dim, shape.kv_heads * shape.head_dim
        if shape.family in FUSED_QKV:
            self.matrix(prefix + "attn_qkv", q + 2 * kv, shape.width, 1.3)
        else:
            self.matrix(prefix + "attn_q", q, shape.width, 1.4)
            self.matrix(prefix + "attn_k", kv, shape.width, 1.4)
            self.matrix(prefix + "attn_v", kv, shape.width, 1.2)
        if shape.family in HEAD_NORM + WHOLE_NORM:
            self.norm(prefix + "attn_q_norm", q if shape.family in WHOLE_NORM else shape.head_dim)
            self.norm(prefix + "attn_k_norm", kv if shape.family in WHOLE_NORM else shape.head_dim)
        self.matrix(prefix + "attn_output", shape.width, q, 1.2)

    def layer(self, prefix):
        shape = self.shape
        if shape.family not in WHOLE_NORM:
            self.norm(prefix + "attn_norm")
        self.attention(prefix)
        if shape.family in POST_NORM:
            self.norm(prefix + "post_attention_norm")
        if shape.family not in WHOLE_NORM:
            self.norm(prefix + "ffn_norm")
        if shape.family == "phi3":
            self.matrix(prefix + "ffn_up", 2 * shape.ff, shape.width, 1.2)
        else:
            if shape.family not in UNGATED:
                self.matrix(prefix + "ffn_gate", shape.ff, shape.width, 1.2)
            self.matrix(prefix + "ffn_up", shape.ff, shape.width, 1.2)
        self.matrix(prefix + "ffn_down", shape.width, shape.ff, 1.2)
        if shape.family in POST_NORM:
            self.norm(prefix + "post_ffw_norm")

    def all(self, size):
        shape, rng, tensors = self.shape, self.rng, self.tensors
        clusters = rng.normal(0, 1, (12, shape.width))
        embedding = clusters[rng.integers(0, 12, size)] + rng.normal(0, 0.9, (size, shape.width))
        tensors["token_embd.weight"] = ("Q8_0" if shape.width % 32 == 0 else "F32",
                                        embedding * (0.25 if shape.tied else 1))
        for index in range(shape.layers):
            self.layer(f"blk.{index}.")
        self.norm("output_norm")
        if not shape.tied:
            self.matrix("output", size, shape.width, 2.5)
        pairs = (shape.rope_columns or shape.head_dim) // 2
        if shape.rope_factors:
            tensors["rope_freqs.weight"] = ("F32", np.linspace(1, 8, pairs))
        if shape.keys.get("rope.scaling.type") == "longrope":
            tensors["rope_factors_short.weight"] = ("F32", np.linspace(1, 1.7, pairs))
            tensors["rope_factors_long.weight"] = ("F32", np.linspace(1.1, 6, pairs))
        if shape.family == "gpt2":
            tensors["position_embd.weight"] = ("F32", rng.normal(0, 0.2, (CONTEXT, shape.width)))
        return tensors


CONTEXT = 512


def keys(shape):
    """A model's metadata, without the family's name in front."""
    epsilon = "attention.layer_norm_epsilon" if shape.family in LAYER_NORM else "attention.layer_norm_rms_epsilon"
    all_keys = {
        "context_length": CONTEXT,
        "embedding_length": shape.width,
        "block_count": shape.layers,
        "feed_forward_length": shape.ff,
        "attention.head_count": shape.heads,
        "attention.head_count_kv": shape.kv_heads,
        "attention.key_length": shape.head_dim,
        "attention.value_length": shape.head_dim,
        epsilon: 1e-5,
        "rope.dimension_count": shape.rope_columns or shape.head_dim,
        "rope.freq_base": shape.rope_base,
        **shape.keys,
    }
    if shape.rope_scale != 1:
        all_keys["rope.scaling.type"] = "linear"
        all_keys["rope.scaling.factor"] = shape.rope_scale
    return all_keys


def build(path, shape):
    metadata = {"general.architecture": shape.family, "general.name": "random", **vocabulary(shape.bos, shape.controls)}
    if shape.template:
        metadata["tokenizer.chat_template"] = shape.template
    metadata.update({f"{shape.family}.{key}": value for key, value in keys(shape).items()})
    write_gguf(path, metadata, Builder(shape).all(len(metadata["tokenizer.ggml.tokens"])))


def build_all(folder, shapes=SHAPES):
    """Write every model of shapes; {name: path}."""
    paths = {name: os.path.join(folder, name + ".gguf") for name in shapes}
    for name, path in paths.items():
        build(path, shapes[name])
    return paths
