#!/usr/bin/env python3
"""Every weight type as llama.cpp's own quantiser writes it: our expansion against the gguf package's, to the bit.

    python3 check_quantiser.py TEST_DTYPE [LIBGGML_BASE]       (needs numpy, gguf; llama-cpp-python or its library)

Writes random rows, quantised, in the format of dtype.golden and lets the test program TEST_DTYPE compare.
"""
import ctypes
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

ROWS, COLUMNS = 24, 1024
TYPES = ("F16", "BF16", "Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0", "Q2_K", "Q3_K", "Q4_K", "Q5_K", "Q6_K", "IQ4_NL",
         "IQ4_XS",
         "MXFP4")


def skip(reason):
    print(f"check_quantiser.py: skipped: {reason}\n0 passed, 0 failed, 1 skipped")
    sys.exit(77)


def library():
    if len(sys.argv) > 2:
        return sys.argv[2]
    try:
        import llama_cpp
    except ImportError:
        skip("llama-cpp-python is not installed")
    return next(Path(llama_cpp.__file__).parent.rglob("libggml-base.so*"))


def quantise(base, kind, rows):
    """Rows [n, columns] f32 as packed bytes, each column with an importance, as some types want it."""
    count, columns = rows.shape
    packed = np.zeros(base.ggml_row_size(kind, columns) * count, np.uint8)
    pointer = lambda array: array.ctypes.data_as(ctypes.c_void_p)
    importance = np.linspace(0.5, 2, columns).astype(np.float32)
    written = base.ggml_quantize_chunk(kind, pointer(rows), pointer(packed), ctypes.c_int64(0), ctypes.c_int64(count),
                                       ctypes.c_int64(columns), pointer(importance))
    assert written == packed.size, (kind, written, packed.size)
    return packed


def main():
    try:
        from gguf import GGMLQuantizationType
        from gguf.quants import dequantize
    except ImportError:
        skip("the gguf package is not installed")
    base = ctypes.CDLL(str(library()))
    base.ggml_row_size.restype = base.ggml_quantize_chunk.restype = ctypes.c_size_t
    base.ggml_row_size.argtypes = [ctypes.c_int, ctypes.c_int64]
    rng = np.random.default_rng(3)
    rows = (rng.standard_t(4, (ROWS, COLUMNS)) * np.exp(rng.normal(0, 2, (ROWS, 1)))).astype(np.float32)
    rows[0] = 0
    with tempfile.NamedTemporaryFile() as golden:
        for name in TYPES:
            kind = GGMLQuantizationType[name]
            packed = quantise(base, int(kind), rows)
            values = dequantize(packed.reshape(ROWS, -1), kind).astype("<f4")
            golden.write(np.array([kind, values.size], "<u4").tobytes() + packed.tobytes() + values.tobytes())
        golden.flush()
        sys.exit(subprocess.run([os.path.abspath(sys.argv[1]), golden.name, str(len(TYPES))]).returncode)


main()
