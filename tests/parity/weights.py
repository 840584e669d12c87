"""Read a GGUF file's metadata and weights in double precision: the reference's own eyes.

Written from the format's description alone and shares nothing with core/gguf.c and gpu/dtype.c, so that one mistake
cannot hide in both.  Trusts the file (it is a test's own); the house's careful reader is core/gguf.c.  NumPy only.
"""
import struct

import numpy as np

SCALARS = {0: "<u1", 1: "<i1", 2: "<u2", 3: "<i2", 4: "<u4", 5: "<i4", 6: "<f4", 7: "?", 10: "<u8", 11: "<i8",
           12: "<f8"}
STRING, ARRAY = 8, 9


def half(blocks, at):
    """The IEEE half at byte `at` of every block [n, bytes], as [n, 1] f64."""
    return blocks[:, at:at + 2].copy().view("<f2").astype(np.float64)


def nibbles(packed):
    """[n, 16] bytes to [n, 32] values: the low halves first, then the high ones."""
    return np.concatenate([packed & 15, packed >> 4], axis=1).astype(np.int64)


def fifth_bits(blocks, at):
    """The 32 bits of the little-endian u32 at byte `at`, as [n, 32] values 0 or 16."""
    bits = blocks[:, at:at + 4].copy().view("<u4").astype(np.int64)
    return ((bits >> np.arange(32)) & 1) << 4


def q4_0(b):
    return half(b, 0) * (nibbles(b[:, 2:18]) - 8)


def q4_1(b):
    return half(b, 0) * nibbles(b[:, 4:20]) + half(b, 2)


def q5_0(b):
    return half(b, 0) * ((nibbles(b[:, 6:22]) | fifth_bits(b, 2)) - 16)


def q5_1(b):
    return half(b, 0) * (nibbles(b[:, 8:24]) | fifth_bits(b, 4)) + half(b, 2)


def q8_0(b):
    return half(b, 0) * b[:, 2:34].view(np.int8).astype(np.float64)


NONLINEAR = np.array([-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113], np.float64)
E2M1 = np.array([0, 0.5, 1, 1.5, 2, 3, 4, 6, 0, -0.5, -1, -1.5, -2, -3, -4, -6])


def iq4_nl(b):
    return half(b, 0) * NONLINEAR[nibbles(b[:, 2:18])]


def mxfp4(b):
    return np.exp2(b[:, :1].astype(np.float64) - 127) * E2M1[nibbles(b[:, 1:17])]


# The K types: 256 elements to a block; i is the element.
I = np.arange(256)


def crumbs(qs):
    """Two bits for each of 256 elements from 64 bytes, [n, 64] to [n, 256]."""
    return (qs[:, 32 * (I // 128) + I % 32] >> (2 * ((I % 128) // 32))) & 3


def q2_k(b):
    scale, qs = b[:, I // 16].astype(np.int64), b[:, 16:80].astype(np.int64)
    return half(b, 80) * (scale & 15) * crumbs(qs) - half(b, 82) * (scale >> 4)


def q3_k(b):
    high, qs, s = (b[:, a:z].astype(np.int64) for a, z in ((0, 32), (32, 96), (96, 108)))
    g = I // 16
    scale = (((s[:, g % 8] >> (4 * (g // 8))) & 15) | (((s[:, 8 + g % 4] >> (2 * (g // 4))) & 3) << 4)) - 32
    value = crumbs(qs) - np.where((high[:, I % 32] >> (I // 32)) & 1, 0, 4)
    return half(b, 108) * scale * value


def six_bit_scales(s):
    """[n, 12] bytes to scales and minima, each [n, 256], one value for 32 elements."""
    s = s.astype(np.int64)
    scale, low = np.empty((len(s), 8), np.int64), np.empty((len(s), 8), np.int64)
    for j in range(8):
        if j < 4:
            scale[:, j], low[:, j] = s[:, j] & 63, s[:, j + 4] & 63
        else:
            scale[:, j] = (s[:, j + 4] & 15) | ((s[:, j - 4] >> 6) << 4)
            low[:, j] = (s[:, j + 4] >> 4) | ((s[:, j] >> 6) << 4)
    return scale[:, I // 32], low[:, I // 32]


def q4_k(b):
    scale, low = six_bit_scales(b[:, 4:16])
    value = (b[:, 16 + 32 * (I // 64) + I % 32].astype(np.int64) >> (4 * (I // 32 & 1))) & 15
    return half(b, 0) * scale * value - half(b, 2) * low


def q5_k(b):
    scale, low = six_bit_scales(b[:, 4:16])
    value = (b[:, 48 + 32 * (I // 64) + I % 32].astype(np.int64) >> (4 * (I // 32 & 1))) & 15
    value |= ((b[:, 16 + I % 32].astype(np.int64) >> (I // 32)) & 1) << 4
    return half(b, 0) * scale * value - half(b, 2) * low


def q6_k(b):
    n, k, l = I // 128, (I % 128) // 32, I % 32
    low = (b[:, 64 * n + 32 * (k & 1) + l].astype(np.int64) >> (4 * (k >> 1))) & 15
    high = (b[:, 128 + 32 * n + l].astype(np.int64) >> (2 * k)) & 3
    scale = b[:, 192:208].copy().view(np.int8)[:, I // 16].astype(np.float64)
    return half(b, 208) * scale * ((low | high << 4) - 32)


def iq4_xs(b):
    group = I // 32
    low = (b[:, 4 + group // 2].astype(np.int64) >> (4 * (group % 2))) & 15
    high = (b[:, 2:4].copy().view("<u2").astype(np.int64) >> (2 * group)) & 3
    packed = b[:, 8 + 16 * group + I % 16].astype(np.int64)
    return half(b, 0) * ((low | high << 4) - 32) * NONLINEAR[(packed >> (4 * (I % 32 // 16))) & 15]


# type id: name, elements and bytes of a block, expansion of blocks [n, bytes] to [n, elements] f64
TYPES = {
    0: ("F32", 1, 4, lambda b: b.view("<f4").astype(np.float64)),
    1: ("F16", 1, 2, lambda b: b.view("<f2").astype(np.float64)),
    30: ("BF16", 1, 2, lambda b: (b.view("<u2").astype("<u4") << 16).view("<f4").astype(np.float64)),
    2: ("Q4_0", 32, 18, q4_0), 3: ("Q4_1", 32, 20, q4_1), 6: ("Q5_0", 32, 22, q5_0), 7: ("Q5_1", 32, 24, q5_1),
    8: ("Q8_0", 32, 34, q8_0), 10: ("Q2_K", 256, 84, q2_k), 11: ("Q3_K", 256, 110, q3_k), 12: ("Q4_K", 256, 144, q4_k),
    13: ("Q5_K", 256, 176, q5_k), 14: ("Q6_K", 256, 210, q6_k),
    20: ("IQ4_NL", 32, 18, iq4_nl), 23: ("IQ4_XS", 256, 136, iq4_xs), 39: ("MXFP4", 32, 17, mxfp4),
}


class Cursor:
    def __init__(self, data):
        self.data, self.at = data, 0

    def scalar(self, kind):
        size = np.dtype(SCALARS[kind]).itemsize
        self.at += size
        return np.frombuffer(self.data, SCALARS[kind], 1, self.at - size)[0].item()

    def string(self):
        length = self.scalar(10)
        self.at += length
        return bytes(self.data[self.at - length:self.at])

    def value(self, kind):
        if kind == STRING:
            return self.string()
        if kind != ARRAY:
            return self.scalar(kind)
        element, count = self.scalar(4), self.scalar(10)
        if element == STRING:
            return [self.string() for _ in range(count)]
        array = np.frombuffer(self.data, SCALARS[element], count, self.at)
        self.at += array.nbytes
        return array


class File:
    """A GGUF file: `meta` {key: value}, strings as bytes, arrays of numbers as NumPy arrays; tensors by name."""

    def __init__(self, path):
        self.data = np.memmap(path, np.uint8, "r")
        cursor = Cursor(self.data)
        magic, version, tensors, entries = struct.unpack("<4sIQQ", self.data[:24].tobytes())
        if magic != b"GGUF" or version not in (2, 3):
            raise ValueError(f"{path}: not a GGUF file of version 2 or 3")
        cursor.at = 24
        self.meta = {}
        for _ in range(entries):
            key = cursor.string().decode()
            self.meta[key] = cursor.value(cursor.scalar(4))
        self.tensors = {}
        for _ in range(tensors):
            name = cursor.string().decode()
            sizes = [cursor.scalar(10) for _ in range(cursor.scalar(4))]
            self.tensors[name] = (cursor.scalar(4), sizes, cursor.scalar(10))
        alignment = self.meta.get("general.alignment", 32)
        self.start = (cursor.at + alignment - 1) // alignment * alignment

    def has(self, name):
        return name in self.tensors

    def tensor(self, name, rows=None):
        """The tensor in f64: [out, in] for a matrix (the file lists the sizes the other way round), or those rows of
        it."""
        kind, sizes, offset = self.tensors[name]
        _, elements, size, expand = TYPES[kind]
        row_bytes = sizes[0] // elements * size
        count = int(np.prod(sizes[1:]))
        raw = self.data[self.start + offset:self.start + offset + count * row_bytes].reshape(count, row_bytes)
        raw = np.ascontiguousarray(raw if rows is None else raw[rows])
        return expand(raw.reshape(-1, size)).reshape([len(raw), sizes[0]] if len(sizes) > 1 else [sizes[0]])
