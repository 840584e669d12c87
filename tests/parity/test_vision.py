#!/usr/bin/python3
"""Vision towers against plain recomputation in double precision, on random small towers of every kind."""
import os
import subprocess
import tempfile

import numpy as np

import gguf_write
import models
import pictures
import program
import tower_reference
import towers
import weights

TOLERANCE = 2e-5  # of the greatest number


def encode(mmproj, image, out):
    """The program's (pixels [3, side, side], rows [tokens, width], rectangles [tokens, 4])."""
    line = ["tests/parity/encode_image", mmproj, image, out]
    done = subprocess.run(line, capture_output=True, timeout=600, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(line)}: status {done.returncode}: {done.stderr.decode(errors='replace')}")
    data = open(out, "rb").read()
    side, columns, rows, width = np.frombuffer(data, "<i4", 4)
    numbers, at = np.frombuffer(data, "<f4", offset=16), 3 * side * side
    tokens, end = columns * rows, at + columns * rows * width
    return numbers[:at].reshape(3, side, side), numbers[at:end].reshape(tokens, width), numbers[end:].reshape(tokens, 4)


def compare(name, tower, path, folder, width, height):
    rgb, out = pictures.picture(width, height, tower.seed), os.path.join(folder, "rows")
    image = pictures.write_png(os.path.join(folder, "picture.png"), rgb)
    pixels, rows, rectangles = encode(path, image, out)
    wanted = tower_reference.Tower(path).rows(pixels)
    program.check(rows.shape == wanted.shape, f"{name}: {rows.shape} where {wanted.shape} is expected")
    off = np.abs(rows - wanted).max() / np.abs(wanted).max()
    program.check(off <= TOLERANCE, f"{name}: rows are off by {off:.2g} of the greatest number")
    program.check(wanted.std(axis=0).mean() > 0.1, f"{name}: the reference's rows are all alike")
    if (width, height) == (tower.side, tower.side):  # nothing to resize
        colours = towers.CLIP if tower.projector == "mlp" else towers.HALF
        mean, deviation = (np.array(c, "f4")[:, None, None] for c in colours)
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
    shown = np.flatnonzero((w > 0) & (h > 0))
    in_order = (np.lexsort((x[shown], y[shown])) == np.arange(len(shown))).all()
    program.check(in_order, f"{name}: rectangles are not row by row")
    if seen is None:
        program.check(abs(area - 1) < 1e-3, f"{name}: rectangles cover {area:.3f} of the picture")
        program.check(0 < len(shown) < len(w), f"{name}: {len(shown)} of {len(w)} rectangles are shown")
    else:
        program.check(abs(area - seen ** 2) < 1e-3, f"{name}: rectangles cover {area:.3f} and {seen ** 2:.3f} is seen")


def say(*arguments, status=1):
    """A run that has to fail with this status and one line; the line."""
    done = subprocess.run(["./atmanscope", *arguments], stdin=subprocess.DEVNULL, capture_output=True, timeout=60,
                          check=False)
    line, found = done.stderr.decode(), done.returncode
    program.check(found == status and line.count("\n") == 1, f"{arguments}: status {found}, {line!r}")
    return line


def changed(path, tower, keys=(), tensors=(), drop=()):
    """The tower's file with some keys and tensors set, or dropped."""
    meta, all_tensors = towers.metadata(tower), towers.tensors(tower)
    meta.update(keys)
    all_tensors.update(tensors)
    for name in drop:
        meta.pop(name, None)
        all_tensors.pop(name, None)
    gguf_write.write_gguf(path, meta, all_tensors)


def refusals(folder):
    path, plain = os.path.join(folder, "refused.gguf"), towers.TOWERS["llava"]
    ones = lambda *shape: ("F32", np.ones(shape))
    for said, change in {
            "qwen2vl_merger": dict(keys={"clip.projector_type": "qwen2vl_merger"}),
            "ldp": dict(keys={"clip.vision.projector_type": "ldp"}),
            "pixtral": dict(keys={"clip.projector_type": "pixtral"}),
            "image_grid_pinpoints": dict(keys={"clip.vision.image_grid_pinpoints": np.array([336, 672], "i4")}),
            "may hear": dict(keys={"clip.has_vision_encoder": False}),
            "feature layers": dict(keys={"clip.vision.feature_layer": np.array([4], "i4")}),
            "feature layers make": dict(keys={"clip.vision.feature_layer": np.array([-2], "i4")}),
            "image_mean": dict(drop=["clip.vision.image_mean"]),
            "image_std": dict(keys={"clip.vision.image_std": np.array([0.5, 0, 0.5], "f4")}),
            "head sizes": dict(keys={"clip.vision.attention.head_count": 5}),
            "sides of picture": dict(keys={"clip.vision.patch_size": 29}),
            "image_size": dict(keys={"clip.vision.image_size": 1 << 20}),
            "larger than this program takes": dict(keys={"clip.vision.image_size": 2048, "clip.vision.patch_size": 8}),
            "v.position_embd.weight is 17 x 48 where 16 x 48": dict(drop=["v.class_embd"]),
            "v.patch_embd.weight is 48 x 3 x 7 x 6": dict(tensors={"v.patch_embd.weight": ones(48, 3, 7, 6)}),
            "v.blk.2.attn_k.weight": dict(drop=["v.blk.2.attn_k.weight"]),
            "v.blk.1.ls1.weight": dict(tensors={"v.blk.1.ls1.weight": ones(48)}),
            "mm.2.weight": dict(drop=["mm.2.weight"]),
            "mm.0.weight is 56 x 50": dict(tensors={"mm.0.weight": ones(56, 50)}),
            "block_count": dict(drop=["clip.vision.block_count"])}.items():
        changed(path, plain, **change)
        line = say("info", path)
        program.check(said in line and path in line, f"{said!r} is not said: {line!r}")


def pairs(folder):
    """Which file goes where is said where it is mixed up; a pair that does not fit is said with both its widths."""
    model, tower = os.path.join(folder, "model.gguf"), os.path.join(folder, "llava.gguf")
    models.build(model, models.SHAPES[min(models.SHAPES)])
    width = weights.File(model).meta["llama.embedding_length"]
    line = say("explain", "-m", tower, "-p", "a")
    program.check("--mmproj" in line and tower in line, f"a tower as --model: {line!r}")
    line = say("explain", "-m", model, "--mmproj", model, "-p", "a")
    program.check("--model" in line and "not a vision tower" in line, f"a model as --mmproj: {line!r}")
    line = say("explain", "-m", model, "--mmproj", tower, "-p", "a", status=2)
    program.check(all(part in line for part in (f" {width};", " 40 ", tower, model)),
                  f"a pair that does not fit: {line!r}")
    found = program.run("info", tower)
    program.check(found["usable"] and found["layers"] == 3 and found["vision"] == {
        "projector": "mlp", "side": 28, "patch": 7, "columns": 4, "rows": 4, "width": 40, "bidirectional": False},
                  f"info says {found['vision']}")


def main():
    worst = {}
    with tempfile.TemporaryDirectory() as folder:
        for name, path in towers.build_all(folder).items():
            tower = towers.TOWERS[name]
            shapes = [(tower.side, tower.side), (90, 30)] + [(21, 64)] * (tower.layers > 2)
            worst[name] = max(compare(f"{name}, {w} x {h}", tower, path, folder, w, h) for w, h in shapes)
        refusals(folder)
        pairs(folder)
    at = max(worst, key=worst.get)
    print(f"largest difference from the reference: {worst[at]:.1e} of the greatest number ({at})")
    program.end()


if __name__ == "__main__":
    main()
