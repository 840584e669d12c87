#!/usr/bin/python3
"""A model as large as real ones, of random weights, to measure a card's speed on: model.py FILE.

973 million weights in 16 layers (and 65 million of a vocabulary), in the types that files of this size mix.  All layers
have the same matrices, so that it is there in seconds."""
import os
import sys

import numpy as np

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "parity"))
import gguf_write
import models

SHAPE = models.Shape(layers=16, width=2048, heads=32, kv_heads=8, head_dim=64, ff=8192, rope_base=500000.0, tied=True,
                     keys={"context_length": 8192})
WORDS = 32000
TYPES = {"attn_v": "Q6_K", "ffn_down": "Q6_K"}  # the others: Q4_K


def vocabulary():
    """That of the tests' models, filled up with words that no text has."""
    v = models.vocabulary(True)
    more = WORDS - len(v["tokenizer.ggml.tokens"])
    v["tokenizer.ggml.tokens"] += [f"\u2581\u00a7{i}" for i in range(more)]
    v["tokenizer.ggml.scores"] = np.append(v["tokenizer.ggml.scores"], np.full(more, -1e6, "<f4"))
    v["tokenizer.ggml.token_type"] = np.append(v["tokenizer.ggml.token_type"], np.ones(more, "<i4"))
    return v


class Builder(models.Builder):
    """Makes each matrix of a layer once."""

    def __init__(self, shape):
        super().__init__(shape)
        self.made = {}

    def matrix(self, name, rows, columns, gain):
        own = name.split(".")[-1]
        kind = TYPES.get(own, "Q4_K")
        if own not in self.made:
            self.made[own] = models.random_blocks(self.rng, kind, rows, columns, gain / np.sqrt(columns))
        self.tensors[name + ".weight"] = (kind, self.made[own])


def main(path):
    keys = {"general.architecture": "llama", "general.name": "random, 1 billion", **vocabulary()}
    keys.update({f"llama.{key}": value for key, value in models.keys(SHAPE).items()})
    gguf_write.write_gguf(path, keys, Builder(SHAPE).all(WORDS))


if __name__ == "__main__":
    main(sys.argv[1])
