"""Write a picture as PNG with nothing but the standard library and NumPy."""

import pathlib
import struct
import zlib

import numpy as np


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def filtered(pixels):
    """The rows of [height, width, 3], each by the filter that leaves the least."""
    row = pixels.astype(np.int16)
    left, up = np.zeros_like(row), np.zeros_like(row)
    left[:, 1:], up[1:] = row[:, :-1], row[:-1]
    corner = np.zeros_like(row)
    corner[1:, 1:] = row[:-1, :-1]
    guess = left + up - corner
    away = [abs(guess - near) for near in (left, up, corner)]
    paeth = np.where((away[0] <= away[1]) & (away[0] <= away[2]), left, np.where(away[1] <= away[2], up, corner))
    tries = np.stack([row - near for near in (0, left, up, (left + up) // 2, paeth)]).astype(np.uint8)
    tries = tries.reshape(len(tries), len(row), -1)
    best = np.abs(tries.view(np.int8).astype(np.int16)).sum(-1).argmin(0)
    return b"".join(bytes([number]) + tries[number, y].tobytes() for y, number in enumerate(best))


def write(path, pixels):
    """pixels: [height, width, 3] u8, or [height, width] bool for one bit a pixel."""
    height, width = pixels.shape[:2]
    flat = pixels.dtype == bool
    rows = b"".join(b"\0" + row.tobytes() for row in np.packbits(pixels, axis=1)) if flat else filtered(pixels)
    header = struct.pack(">IIBBBBB", width, height, 1 if flat else 8, 0 if flat else 2, 0, 0, 0)
    pathlib.Path(path).write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header)
                                   + chunk(b"IDAT", zlib.compress(rows, 9)) + chunk(b"IEND", b""))
