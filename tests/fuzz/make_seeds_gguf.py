#!/usr/bin/python3
"""Write the files from which fuzz_gguf starts, into the folder given: small models, sound in different ways."""
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "parity"))
from gguf_write import TYPES, write_gguf  # noqa: E402


def main():
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(1)
    write_gguf(folder / "nothing", {}, {})
    write_gguf(folder / "vocabulary", {
        "general.architecture": "llama", "tokenizer.ggml.model": "llama",
        "tokenizer.ggml.tokens": ["<unk>", "<s>", "</s>", "<0x0A>", "\u2581a"],
        "tokenizer.ggml.scores": [0.0, 0.0, 0.0, 0.0, -1.0],
        "tokenizer.ggml.token_type": np.array([2, 3, 3, 6, 1], "i4"),
    }, {})
    write_gguf(folder / "values", {
        **{f"t.{code}": np.dtype(code).type(1)
           for code in ("u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8", "f4", "f8")},
        **{f"a.{code}": np.ones(3, code) for code in ("u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8", "f4", "f8", "?")},
        "t.bool": True, "a.empty": [],
    }, {})
    write_gguf(folder / "tensors", {"split.count": np.uint16(1), "split.tensors.count": 3}, {
        "token_embd.weight": ("Q8_0", rng.normal(size=(3, 32))),
        "output_norm.weight": ("F32", np.ones(4)),
        "cube": ("F16", np.ones((2, 2, 2, 2))),
    }, alignment=8)
    for name, (_, block, size) in TYPES.items():
        blocks = rng.integers(0, 256, (2, 64 // size * size or size), dtype=np.uint8)
        write_gguf(folder / f"type-{name}", {}, {"w": (name, blocks)})


if __name__ == "__main__":
    main()
