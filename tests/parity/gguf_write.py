"""Write GGUF files (version 3) with nothing but NumPy: the tests' small models, sound and broken.

    write_gguf("model.gguf",
               {"general.architecture": "llama", "llama.block_count": 2, "tokenizer.ggml.tokens": ["<unk>", "a"]},
               {"token_embd.weight": ("Q8_0", embedding),      # [vocabulary, width], as PyTorch has it
                "output_norm.weight": ("F32", norm)})

Metadata values by their Python type: bool, int (u32, or i32 where negative, or 64 bits where it must), float (f32),
str, bytes (a string as it is), lists of one of these, NumPy scalars and 1-D arrays (their own type).  Tensors are
floats in row-major order, the last axis being a file's first dimension; a uint8 array is taken as packed already, so
any type can be written.  What a packed tensor means as numbers: unpack("Q4_1", pack("Q4_1", weight)).
"""
import struct

import numpy as np

# name: (id, elements in a block, bytes of a block)
TYPES = {
    "F32": (0, 1, 4), "F16": (1, 1, 2), "Q4_0": (2, 32, 18), "Q4_1": (3, 32, 20), "Q5_0": (6, 32, 22),
    "Q5_1": (7, 32, 24), "Q8_0": (8, 32, 34), "Q2_K": (10, 256, 84), "Q3_K": (11, 256, 110), "Q4_K": (12, 256, 144),
    "Q5_K": (13, 256, 176), "Q6_K": (14, 256, 210), "IQ4_NL": (20, 32, 18), "IQ4_XS": (23, 256, 136),
    "BF16": (30, 1, 2), "MXFP4": (39, 32, 17),
}
SCALARS = {"u8": (0, "<u1"), "i8": (1, "<i1"), "u16": (2, "<u2"), "i16": (3, "<i2"), "u32": (4, "<u4"),
           "i32": (5, "<i4"),
           "f32": (6, "<f4"), "bool": (7, "?"), "u64": (10, "<u8"), "i64": (11, "<i8"), "f64": (12, "<f8")}
STRING, ARRAY = 8, 9
BY_DTYPE = {np.dtype(code): name for name, (_, code) in SCALARS.items()}


# -- tensors -----------------------------------------------------------------------------------------------------------

def _half(x):
    return x.astype("<f2")


def _nibbles(v):
    return v[:, :16] | v[:, 16:] << 4


def _fifth_bits(v):
    return np.packbits(v >> 4 & 1, axis=1, bitorder="little")


def _divide(x, d):
    return np.divide(x, d, out=np.zeros_like(x), where=d != 0)


def _symmetric(x, bits):
    """d and v with x ~ d (v - 2^(bits-1)); the greatest value in size maps to the end of the range."""
    at = np.abs(x).argmax(axis=1, keepdims=True)
    d = _half(np.take_along_axis(x, at, 1) / -(1 << (bits - 1)))
    half = 1 << (bits - 1)
    v = np.clip(np.rint(_divide(x, d.astype("f4"))) + half, 0, 2 * half - 1).astype("u1")
    return d, v


def _affine(x, bits):
    """d, m and v with x ~ d v + m."""
    low, top = x.min(axis=1, keepdims=True), (1 << bits) - 1
    d, m = _half((x.max(axis=1, keepdims=True) - low) / top), _half(low)
    v = np.clip(np.rint(_divide(x - m.astype("f4"), d.astype("f4"))), 0, top).astype("u1")
    return d, m, v


def _bytes(*parts):
    return np.concatenate([np.ascontiguousarray(p).view("u1").reshape(len(p), -1) for p in parts], axis=1)


def pack(name, array):
    """Round a float array to a type: uint8 [..., bytes of a row].  The last axis must be whole blocks."""
    x = np.ascontiguousarray(array, "<f4")
    _, block, _ = TYPES[name]
    if x.shape[-1] % block:
        raise ValueError(f"{name} needs rows of a multiple of {block}, not {x.shape[-1]}")
    rows, shape = x.reshape(-1, block), x.shape[:-1] + (-1,)
    if name == "F32":
        return x.view("u1").reshape(shape)
    if name == "F16":
        return _half(x).view("u1").reshape(shape)
    if name == "BF16":  # to nearest, ties to even
        bits = x.view("<u4").astype("u8")
        return ((bits + 0x7FFF + (bits >> 16 & 1)) >> 16).astype("<u2").view("u1").reshape(shape)
    if name == "Q8_0":
        d = _half(np.abs(rows).max(axis=1, keepdims=True) / 127)
        v = np.clip(np.rint(_divide(rows, d.astype("f4"))), -127, 127).astype("i1")
        return _bytes(d, v).reshape(shape)
    if name == "Q4_0":
        d, v = _symmetric(rows, 4)
        return _bytes(d, _nibbles(v)).reshape(shape)
    if name == "Q5_0":
        d, v = _symmetric(rows, 5)
        return _bytes(d, _fifth_bits(v), _nibbles(v & 15)).reshape(shape)
    if name == "Q4_1":
        d, m, v = _affine(rows, 4)
        return _bytes(d, m, _nibbles(v)).reshape(shape)
    if name == "Q5_1":
        d, m, v = _affine(rows, 5)
        return _bytes(d, m, _fifth_bits(v), _nibbles(v & 15)).reshape(shape)
    raise ValueError(f"{name} can be written only from packed bytes")


def unpack(name, packed):
    """The numbers (f32) that a packed array holds; for the types that pack() makes."""
    _, block, size = TYPES[name]
    packed = np.ascontiguousarray(packed)
    b, shape = packed.reshape(-1, size), packed.shape[:-1] + (-1,)

    def half(at):
        return np.ascontiguousarray(b[:, at:at + 2]).view("<f2").astype("f4")

    def quanta(at):
        return np.concatenate([b[:, at:] & 15, b[:, at:] >> 4], axis=1).astype("f4")

    def fifth(at):
        return 16 * np.unpackbits(b[:, at:at + 4], axis=1, bitorder="little").astype("f4")

    if name == "F32":
        y = b.view("<f4")
    elif name == "F16":
        y = b.view("<f2").astype("f4")
    elif name == "BF16":
        y = (b.view("<u2").astype("<u4") << 16).view("<f4")
    elif name == "Q8_0":
        y = half(0) * b[:, 2:].view("i1").astype("f4")
    elif name == "Q4_0":
        y = half(0) * (quanta(2) - 8)
    elif name == "Q5_0":
        y = half(0) * (quanta(6) + fifth(2) - 16)
    elif name == "Q4_1":
        y = half(0) * quanta(4) + half(2)
    elif name == "Q5_1":
        y = half(0) * (quanta(8) + fifth(4)) + half(2)
    else:
        raise ValueError(f"cannot unpack {name}")
    return y.reshape(shape)


# -- metadata ----------------------------------------------------------------------------------------------------------

def _string(text):
    data = text.encode() if isinstance(text, str) else bytes(text)
    return struct.pack("<Q", len(data)) + data


def _kind(value):
    """The scalar name of a value, or "string"."""
    if isinstance(value, (str, bytes)):
        return "string"
    if isinstance(value, (np.generic, np.ndarray)):
        return BY_DTYPE[value.dtype.newbyteorder("<") if value.dtype.itemsize > 1 else value.dtype]
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, float):
        return "f32"
    if 0 <= value < 1 << 32:
        return "u32"
    if value > 0:
        return "u64"
    return "i32" if value >= -1 << 31 else "i64"


def _list_kind(values):
    kinds = {_kind(v) for v in values}
    if len(kinds) > 1:  # integers of several widths
        if kinds - {"u32", "i32", "u64", "i64"}:
            raise ValueError(f"an array of {sorted(kinds)}")
        wide = kinds & {"u64", "i64"} or max(values) >= 1 << 31
        return "i64" if wide else "i32"
    return kinds.pop() if kinds else "u32"


def _scalar(kind, value):
    return _string(value) if kind == "string" else np.asarray(value, SCALARS[kind][1]).tobytes()


def _id(kind):
    return STRING if kind == "string" else SCALARS[kind][0]


def pack_value(value):
    """A metadata value with its type in front."""
    if isinstance(value, (list, tuple)) or isinstance(value, np.ndarray) and value.ndim == 1:
        kind = _kind(value) if isinstance(value, np.ndarray) else _list_kind(value)
        body = b"".join(_scalar(kind, v) for v in value) if kind == "string" else _scalar(kind, value)
        return struct.pack("<IIQ", ARRAY, _id(kind), len(value)) + body
    kind = _kind(value)
    return struct.pack("<I", _id(kind)) + _scalar(kind, value)


# -- the file ----------------------------------------------------------------------------------------------------------

def write_gguf(path, metadata, tensors, alignment=32):
    """metadata: {key: value}; tensors: {name: (type name, array)}; see above.  `alignment` other than 32 is also put
    into the metadata."""
    if alignment != 32:
        metadata = {**metadata, "general.alignment": alignment}
    out = [b"GGUF", struct.pack("<IQQ", 3, len(tensors), len(metadata))]
    out += [_string(key) + pack_value(value) for key, value in metadata.items()]
    data, offset = [], 0
    for name, (type_name, array) in tensors.items():
        array = np.asarray(array)
        number, block, size = TYPES[type_name]
        packed = np.ascontiguousarray(array) if array.dtype == np.uint8 else pack(type_name, array)
        sizes = packed.shape[:-1] + (packed.shape[-1] // size * block,)
        out.append(_string(name) + struct.pack("<I", len(sizes)))
        out.append(struct.pack(f"<{len(sizes)}Q", *reversed(sizes)) + struct.pack("<IQ", number, offset))
        body = packed.tobytes()
        data.append(body + bytes(-len(body) % alignment))
        offset += len(data[-1])
    head = b"".join(out)
    with open(path, "wb") as file:
        file.write(head + bytes(-len(head) % alignment))
        file.writelines(data)
