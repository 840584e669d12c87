"""Scenes for the demo model: pictures of one to four coloured things, with their exact masks.

Owns the way from a seed to arrays.  Drawing is scenes.c's, which is compiled on first use with the system's C compiler.
"""

import ctypes
import dataclasses
import functools
import hashlib
import os
import pathlib
import subprocess
import tempfile

import numpy as np

import sprites

KINDS = sprites.KINDS
COLOURS = ["red", "orange", "yellow", "green", "blue", "purple", "white"]
MOST = 4                                  # things in a scene
SIDE, PATCH = 96, 8                       # pixels
GRID = SIDE // PATCH
NUMBERS, SHARES = (1, 2, 3, 4), (0.06, 0.24, 0.3, 0.4)  # how often a scene has that many things
GRAIN = 0.1                               # the strongest noise
THING = np.dtype([("kind", "i4"), ("colour", "i4"), ("x", "f4"), ("y", "f4"), ("radius", "f4")])


@dataclasses.dataclass
class Scenes:
    pictures: np.ndarray  # [n, size, size, 3] u8
    counts: np.ndarray    # [n] things in each
    things: np.ndarray    # [n, MOST] of THING, from left to right
    masks: np.ndarray     # [n, MOST, size, size] u8, opacity

    def coverage(self):
        """[n, MOST, GRID * GRID] f32: the share of each patch that a thing covers."""
        n, most, size, _ = self.masks.shape
        patch = size // GRID
        cut = self.masks.reshape(n, most, GRID, patch, GRID, patch)
        return cut.mean((3, 5), dtype=np.float32).reshape(n, most, -1) / 255


@functools.cache
def library():
    source = pathlib.Path(__file__).with_name("scenes.c")
    name = "scenes-" + hashlib.sha256(source.read_bytes()).hexdigest()[:16] + ".so"
    built = pathlib.Path(tempfile.gettempdir()) / f"atmanscope-training-{os.getuid()}" / name
    if not built.exists():
        built.parent.mkdir(mode=0o700, exist_ok=True)
        fresh = built.with_suffix(f".{os.getpid()}")
        compiler = [os.environ.get("CC", "cc"), "-std=gnu11", "-O2", "-fPIC", "-shared"]
        subprocess.run([*compiler, "-o", fresh, source, "-lm"], check=True)
        fresh.rename(built)
    return ctypes.CDLL(str(built))


@functools.cache
def bank(side):
    return sprites.bank(side)


def draw(count, seed, numbers=None, size=SIDE, grain=GRAIN):
    """Scenes seed, seed + 1, ...  numbers: how many things each has, drawn by NUMBERS and SHARES where not given."""
    if numbers is None:
        numbers = np.random.default_rng(seed).choice(NUMBERS, count, p=SHARES)
    numbers = np.ascontiguousarray(np.broadcast_to(numbers, count), np.int32)
    made = Scenes(np.empty((count, size, size, 3), np.uint8), numbers, np.zeros((count, MOST), THING),
                  np.zeros((count, MOST, size, size), np.uint8))
    ink = bank(48 if size <= SIDE else 192)
    address = lambda array: array.ctypes.data_as(ctypes.c_void_p)
    failed = library().scenes_draw(count, ctypes.c_uint64(seed), address(numbers), address(ink), len(KINDS),
                                   ink.shape[1], size, ctypes.c_float(grain), address(made.pictures),
                                   address(made.things), address(made.masks))
    if failed:
        raise MemoryError("drawing scenes")
    return made
