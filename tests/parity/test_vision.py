#!/usr/bin/python3
"""Vision towers against plain recomputation in double precision, on random small towers of every kind."""
import os
import subprocess
import tempfile

import numpy as np

import program
import tower_reference
import towers

TOLERANCE = 2e-5  # of the greatest number


def picture(path, width, height, seed=1):
    """A picture of soft colours with edges in it, as PPM; [height, width, 3] u8."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width]
    waves = [np.sin(x / rng.uniform(2, 9) + rng.uniform(0, 6)) + np.cos(y / rng.uniform(2, 9)) for _ in range(3)]
    rgb = np.clip(128 + 60 * np.stack(waves, axis=-1) + 40 * ((x // 5 + y // 7) % 2)[..., None], 0, 255).astype("u1")
    with open(path, "wb") as file:
        file.write(b"P6\n%d %d\n255\n" % (width, height) + rgb.tobytes())
    return rgb


def encode(mmproj, image, out, device="cpu", binary="tests/parity/encode_image"):
    """The program's (pixels [3, side, side], rows [tokens, width], rectangles [tokens, 4])."""
    line = ["./" + binary, mmproj, image, out, device]
    done = subprocess.run(line, capture_output=True, timeout=600, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(line)}: status {done.returncode}: {done.stderr.decode(errors='replace').strip()}")
    data = open(out, "rb").read()
    side, columns, rows, width = np.frombuffer(data, "<i4", 4)
    numbers, at = np.frombuffer(data, "<f4", offset=16), 3 * side * side
    tokens, end = columns * rows, at + columns * rows * width
    return numbers[:at].reshape(3, side, side), numbers[at:end].reshape(tokens, width), numbers[end:].reshape(tokens, 4)


def compare(name, tower, path, folder, width, height):
    image, out = os.path.join(folder, "picture.ppm"), os.path.join(folder, "rows")
    rgb = picture(image, width, height, tower.seed)
    pixels, rows, rectangles = encode(path, image, out)
    wanted = tower_reference.Tower(path).rows(pixels)
    program.check(rows.shape == wanted.shape, f"{name}: {rows.shape} where {wanted.shape} is expected")
    off = np.abs(rows - wanted).max() / np.abs(wanted).max()
    program.check(off <= TOLERANCE, f"{name}: rows are off by {off:.2g} of the greatest number")
    program.check(wanted.std(axis=0).mean() > 0.1, f"{name}: the reference's rows are all alike")
    if (width, height) == (tower.side, tower.side):  # nothing to resize
        mean, deviation = (np.array(c, "f4")[:, None, None] for c in (towers.CLIP if tower.projector == "mlp" else towers.HALF))
        plain = (rgb.transpose(2, 0, 1) / np.float32(255) - mean) / deviation
        far = 0.0 if tower.projector == "idefics3" else np.abs(pixels - plain).max()  # Idefics3 enlarges first
        program.check(far < 1e-5, f"{name}: pixels are off by {far:.2g}")
    check_rectangles(name, tower, rectangles, width, height)
    return off


def check_rectangles(name, tower, rectangles, width, height):
    """All tokens together show what the tower sees of the picture, each point once."""
    x, y, w, h = rectangles.T
    seen = tower.grid * tower.patch / tower.side
    if tower.projector == "mlp" and width != height:
        seen = None  # the rest lies in the padding
    area = (w * h).sum() / (width * height)
    inside = (x >= 0).all() and (y >= 0).all() and (x + w <= width + 1e-3).all() and (y + h <= height + 1e-3).all()
    program.check(inside, f"{name}: rectangles outside the picture")
    if seen is None:
        program.check(abs(area - 1) < 1e-3, f"{name}: rectangles cover {area:.3f} of the picture")
        empty = np.count_nonzero((w == 0) | (h == 0))
        program.check(0 < empty < len(w), f"{name}: {empty} of {len(w)} rectangles are empty")
    else:
        program.check(abs(area - seen ** 2) < 1e-3, f"{name}: rectangles cover {area:.3f} where {seen ** 2:.3f} is seen")


def main():
    worst = {}
    with tempfile.TemporaryDirectory() as folder:
        for name, path in towers.build_all(folder).items():
            tower = towers.TOWERS[name]
            shapes = [(tower.side, tower.side), (70, 40)] + [(21, 64)] * (tower.layers > 2)
            worst[name] = max(compare(f"{name}, {w} x {h}", tower, path, folder, w, h) for w, h in shapes)
    at = max(worst, key=worst.get)
    print(f"largest difference from the reference: {worst[at]:.1e} of the greatest number ({at})")
    program.end()


if __name__ == "__main__":
    main()
