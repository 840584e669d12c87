#!/usr/bin/python3
"""Write the files from which fuzz_model starts, into the folder given: models as small as they can be, whole or with a
vocabulary only, with each kind of tokeniser."""
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "parity"))
from gguf_write import write_gguf  # noqa: E402

WIDTH, HEADS, FFN = 4, 2, 4


def sentencepiece(bytes_too):
    """Pieces in the manner of llama, with or without the 256 bytes to fall back on."""
    pieces = ["<unk>", "<s>", "</s>"] + [f"<0x{b:02X}>" for b in range(256) if bytes_too]
    pieces += ["\u2581", "a", "b", "\u2581a", "ab", "\u2581ab"]
    kinds = [2, 3, 3] + [6] * (256 * bytes_too) + [1] * 6
    return {
        "tokenizer.ggml.model": "llama", "tokenizer.ggml.tokens": pieces,
        "tokenizer.ggml.scores": -np.arange(len(pieces), dtype="f4"),
        "tokenizer.ggml.token_type": np.array(kinds, "i4"),
        "tokenizer.ggml.bos_token_id": 1, "tokenizer.ggml.eos_token_id": 2, "tokenizer.ggml.unknown_token_id": 0,
        "tokenizer.ggml.add_bos_token": True, "tokenizer.ggml.add_space_prefix": True,
    }


def bpe(pre, every_byte):
    """Byte-level BPE in the manner of gpt-2: visible bytes stand for themselves, others for letters from 256 on."""
    visible = [b for b in range(256) if 33 <= b <= 126 or 161 <= b <= 172 or b >= 174]
    others = [chr(256 + i) for i in range(256 - len(visible))]
    tokens = ["<|endoftext|>"] + ([chr(b) for b in visible] + others if every_byte else ["a", "b", "\u0120"])
    tokens += ["ab", "\u0120a"]
    return {
        "tokenizer.ggml.model": "gpt2", "tokenizer.ggml.pre": pre, "tokenizer.ggml.tokens": tokens,
        "tokenizer.ggml.token_type": np.array([3] + [1] * (len(tokens) - 1), "i4"),
        "tokenizer.ggml.merges": ["a b", "\u0120 a"],
        "tokenizer.ggml.bos_token_id": 0, "tokenizer.ggml.eos_token_id": 0,
    }


def llama(vocabulary):
    size = len(vocabulary["tokenizer.ggml.tokens"])
    metadata = {
        "general.architecture": "llama", "llama.block_count": 1, "llama.context_length": 8,
        "llama.embedding_length": WIDTH, "llama.feed_forward_length": FFN, "llama.attention.head_count": HEADS,
        "llama.attention.layer_norm_rms_epsilon": 1e-5, **vocabulary,
    }
    sizes = {"attn_q": (WIDTH, WIDTH), "attn_k": (WIDTH, WIDTH), "attn_v": (WIDTH, WIDTH),
             "attn_output": (WIDTH, WIDTH),
             "ffn_gate": (FFN, WIDTH), "ffn_up": (FFN, WIDTH), "ffn_down": (WIDTH, FFN),
             "attn_norm": (WIDTH,), "ffn_norm": (WIDTH,)}
    tensors = {f"blk.0.{name}.weight": ("F32", np.ones(shape)) for name, shape in sizes.items()}
    tensors["token_embd.weight"] = ("F32", np.ones((size, WIDTH)))
    tensors["output_norm.weight"] = ("F32", np.ones(WIDTH))
    return metadata, tensors


def main():
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    vocabularies = {
        "pieces": sentencepiece(False), "bytes": sentencepiece(True), "small-bpe": bpe("gpt-2", False),
        **{f"bpe-{pre}": bpe(pre, True) for pre in ("gpt-2", "smollm", "llama-bpe", "qwen2")},
    }
    for name, vocabulary in vocabularies.items():
        write_gguf(folder / name, vocabulary, {})
    write_gguf(folder / "llama", *llama(sentencepiece(False)))


if __name__ == "__main__":
    main()
