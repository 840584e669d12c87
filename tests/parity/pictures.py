"""Random pictures for tests, in the one format that needs no library, and pairs of models that see them."""
import os
import struct
import zlib

import numpy as np

import models
import towers

# A decoder and its tower; both of one width.
PAIRS = {
    "llava": (models.Shape(seed=31), towers.Tower(class_row=True, pre=True, out=96, side=42, seed=31)),
    "smolvlm": (models.Shape(seed=32, controls=("<fake_token_around_image>", "<global-img>"), tied=True),
                towers.Tower("idefics3", side=60, width=144, heads=2, merge=2, post=True, patch_bias=True, gelu=True,
                             epsilon=1e-6, out=96, patch=6, seed=32)),
    "gemma3": (models.Shape(family="gemma3", layers=4, kv_heads=1, tied=True, seed=35,
                            controls=("<start_of_image>", "<end_of_image>"),
                            keys={"attention.sliding_window": 12, "attention.sliding_window_pattern": 3}),
               towers.Tower("gemma3", side=40, patch=4, width=80, heads=1, merge=2, post=True, patch_bias=True,
                            gelu=True,
                            keys={"projector.scale_factor": 2}, epsilon=1e-6, out=96, seed=35)),
}


def build(folder, name):
    """Write a pair; (model, tower), the tower where the program finds it by itself."""
    model, tower = (os.path.join(folder, name + end) for end in (".gguf", "-mmproj.gguf"))
    models.build(model, PAIRS[name][0])
    towers.build(tower, PAIRS[name][1])
    return model, tower


def picture(width, height, seed=1):
    """Soft colours with edges in them: [height, width, 3] u8."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width]
    waves = [np.sin(x / rng.uniform(2, 9) + rng.uniform(0, 6)) + np.cos(y / rng.uniform(2, 9)) for _ in range(3)]
    return np.clip(128 + 60 * np.stack(waves, axis=-1) + 40 * ((x // 5 + y // 7) % 2)[..., None], 0, 255).astype("u1")


def write_png(path, rgb):
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    height, width, _ = rgb.shape
    rows = b"".join(b"\0" + row.tobytes() for row in rgb)
    with open(path, "wb") as file:
        file.write(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)) +
                   chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))
    return path
