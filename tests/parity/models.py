"""Random small models of the llama family, written as GGUF files: shapes and weight types that real files mix.

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
    """What a model is made of.  types: the weights' types in turn; a matrix whose rows are no whole blocks is F32."""
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
}


def vocabulary(bos):
    """A SentencePiece BPE vocabulary: the bytes, the letters, and some words with all that lies between."""
    letters = "▁abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.,?!'0123456789\n"
    pieces = dict.fromkeys(f"▁{word}"[:n] for word in WORDS for n in range(2, len(word) + 2))
    texts = ["<unk>", "<s>", "</s>"] + [f"<0x{byte:02X}>" for byte in range(256)] + list(letters) + list(pieces)
    kinds = [2, 3, 3] + [6] * 256 + [1] * (len(letters) + len(pieces))
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


HALVES = {"Q2_K": (80, 82), "Q3_K": (108,), "Q4_K": (0, 2), "Q5_K": (0, 2), "Q6_K": (208,)}  # where d (and dmin) are


def random_blocks(rng, name, rows, columns, spread):
    """Packed rows of a K type whose numbers have mean 0 and the standard deviation `spread`: random bytes under scales
    that make it so."""
    number, elements, size = TYPES[name]
    blocks = rng.integers(0, 256, (rows * columns // elements, size), np.uint8)
    if name == "Q6_K":  # random scales of both signs up to 128 would leave a few giants
        blocks[:, 192:208] = rng.integers(24, 40, (len(blocks), 16))

    def scaled(*halves):
        for at, half in zip(HALVES[name], halves):
            blocks[:, at:at + 2] = np.array([half], "<f2").view(np.uint8)
        return weights.TYPES[number][3](blocks)

    if len(HALVES[name]) == 1:
        scaled(spread / scaled(1).std())
    else:
        balance = scaled(1, 0).mean() / -scaled(0, 1).mean()
        d = spread / scaled(1, balance).std()
        scaled(d, d * balance)
    return blocks.reshape(rows, -1)


def build(path, shape):
    rng = np.random.default_rng(shape.seed)
    metadata = {
        "general.architecture": "llama",
        "general.name": "random",
        "llama.context_length": 512,
        "llama.embedding_length": shape.width,
        "llama.block_count": shape.layers,
        "llama.feed_forward_length": shape.ff,
        "llama.attention.head_count": shape.heads,
        "llama.attention.head_count_kv": shape.kv_heads,
        "llama.attention.key_length": shape.head_dim,
        "llama.attention.value_length": shape.head_dim,
        "llama.attention.layer_norm_rms_epsilon": 1e-5,
        "llama.rope.dimension_count": shape.rope_columns or shape.head_dim,
        "llama.rope.freq_base": shape.rope_base,
        **vocabulary(shape.bos),
    }
    if shape.rope_scale != 1:
        metadata["llama.rope.scaling.type"] = "linear"
        metadata["llama.rope.scaling.factor"] = shape.rope_scale
    tensors, turn = {}, 0

    def matrix(name, rows, columns, gain):
        nonlocal turn
        kind, spread = shape.types[turn % len(shape.types)], gain / np.sqrt(columns)
        turn += 1
        if columns % TYPES[kind][1]:
            kind = "F32"
        array = random_blocks(rng, kind, rows, columns, spread) if kind in HALVES else rng.normal(0, spread, (rows, columns))
        tensors[name + ".weight"] = (kind, array)
        if name.split(".")[-1] in shape.biases:
            tensors[name + ".bias"] = ("F32", rng.normal(0, 0.3, rows))

    def norm(name):
        tensors[name + ".weight"] = ("F32", rng.uniform(0.6, 1.5, shape.width))

    size = len(metadata["tokenizer.ggml.tokens"])
    clusters = rng.normal(0, 1, (12, shape.width))
    embedding = clusters[rng.integers(0, 12, size)] + rng.normal(0, 0.9, (size, shape.width))
    tensors["token_embd.weight"] = ("Q8_0" if shape.width % 32 == 0 else "F32", embedding * (0.25 if shape.tied else 1))
    for index in range(shape.layers):
        prefix = f"blk.{index}."
        norm(prefix + "attn_norm")
        matrix(prefix + "attn_q", shape.heads * shape.head_dim, shape.width, 1.4)
        matrix(prefix + "attn_k", shape.kv_heads * shape.head_dim, shape.width, 1.4)
        matrix(prefix + "attn_v", shape.kv_heads * shape.head_dim, shape.width, 1.2)
        matrix(prefix + "attn_output", shape.width, shape.heads * shape.head_dim, 1.2)
        norm(prefix + "ffn_norm")
        matrix(prefix + "ffn_gate", shape.ff, shape.width, 1.2)
        matrix(prefix + "ffn_up", shape.ff, shape.width, 1.2)
        matrix(prefix + "ffn_down", shape.width, shape.ff, 1.2)
    norm("output_norm")
    if not shape.tied:
        matrix("output", size, shape.width, 2.5)
    if shape.rope_factors:
        pairs = (shape.rope_columns or shape.head_dim) // 2
        tensors["rope_freqs.weight"] = ("F32", np.linspace(1, 8, pairs))
    write_gguf(path, metadata, tensors)


def build_all(folder):
    """Write every model of SHAPES; {name: path}."""
    paths = {name: os.path.join(folder, name + ".gguf") for name in SHAPES}
    for name, path in paths.items():
        build(path, SHAPES[name])
    return paths
