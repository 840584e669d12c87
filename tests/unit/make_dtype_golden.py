#!/usr/bin/env python3
"""Write dtype.golden: random blocks of every type that can be computed with, and what the `gguf` package makes of them.

    python3 make_dtype_golden.py [--check]        (needs: pip install gguf)

With --check nothing is written; the file must be what would have been.

The file is a sequence of records: u32 type id, u32 elements, the blocks' bytes, elements x f32; all little-endian.
Random bytes are good blocks; only the halves that hold scales are chosen, so that zeros, subnormals, the greatest
half, infinity and NaN all occur.
"""
import io
import struct
import sys
from pathlib import Path

import numpy as np
from gguf import GGML_QUANT_SIZES, GGMLQuantizationType
from gguf.quants import dequantize

# Where the halves of a block lie, and how many blocks to write.
TYPES = {
    "F32": ([], 64), "F16": ([], 128), "BF16": ([], 128),
    "Q4_0": ([0], 12), "Q4_1": ([0, 2], 12), "Q5_0": ([0], 12), "Q5_1": ([0, 2], 12), "Q8_0": ([0], 12),
    "Q2_K": ([80, 82], 6), "Q3_K": ([108], 6), "Q4_K": ([0, 2], 6), "Q5_K": ([0, 2], 6), "Q6_K": ([208], 6),
    "IQ4_NL": ([0], 12), "IQ4_XS": ([0], 6), "MXFP4": ([], 40),
}
SCALES = [0x0000, 0x8000, 0x0001, 0x83FF, 0x7BFF, 0xFBFF, 0x7C00, 0x7E00]


def make_blocks(rng, bytes_per_block, halves, count):
    blocks = rng.integers(0, 256, (count, bytes_per_block), dtype=np.uint8)
    for i in range(count):
        for at in halves:
            # The last two blocks of a type are ordinary; the others take the odd scales in turn.
            ordinary = np.float16(rng.normal() * 0.01).view(np.uint16)
            half = ordinary if i >= count - 2 else rng.choice(SCALES)
            blocks[i, at:at + 2] = np.frombuffer(struct.pack("<H", int(half)), np.uint8)
    return blocks


def make_golden():
    rng = np.random.default_rng(20260)
    out = io.BytesIO()
    with np.errstate(all="ignore"):
        for name, (halves, count) in TYPES.items():
            kind = GGMLQuantizationType[name]
            elements, size = GGML_QUANT_SIZES[kind]
            blocks = make_blocks(rng, size, halves, count)
            values = dequantize(blocks, kind).astype("<f4").reshape(-1)
            assert values.size == count * elements
            out.write(struct.pack("<II", int(kind), values.size) + blocks.tobytes() + values.tobytes())
    return out.getvalue()


def main():
    path = Path(__file__).with_name("dtype.golden")
    if sys.argv[1:] != ["--check"]:
        path.write_bytes(make_golden())
    elif path.read_bytes() != make_golden():
        sys.exit(f"{path} is not what the gguf package gives now")


if __name__ == "__main__":
    main()
