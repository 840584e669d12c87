"""Write the pictures that ship: python3 dataset.py ASSETS [COUNT]

Owns assets/scenes.jsonl with a picture and a mask of each line in assets/scenes, the held-out scenes that the truth
test explains; and assets/pictures, larger ones for the screen's sample prompts.  Every line asks about one thing, and
the mask holds exactly its pixels.  Nine pictures of ten are without grain, which would make them five times as large.
"""

import json
import pathlib
import sys

import numpy as np

import png
import questions
import scenes

SEED = 990_000_000  # no stage of the training and no measuring draws these scenes
SAMPLES = {"cat": (995_000_014, 3), "mushrooms": (995_000_009, 4), "harbour": (995_000_039, 4)}  # seed, things
SAMPLE_SIDE = 384
KINDS, SHARES = ["colour", "which", "exist", "count"], [0.4, 0.3, 0.15, 0.15]


def lines(count):
    """Lines of the data set with their pictures and masks."""
    numbers = np.random.default_rng(SEED).choice([2, 3, 4], count)
    smooth, grainy = (scenes.draw(count, SEED, numbers, grain=grain) for grain in (0.0, scenes.GRAIN))
    asker = questions.Asker(SEED)
    for index in range(count):
        drawn = smooth if index % 10 else grainy
        question = None
        while question is None or question.asked < 0:
            question, = asker.questions(drawn.things[index][:numbers[index]], 1, KINDS, SHARES)
        mask = drawn.masks[index, question.asked] >= 128
        top, left = (np.flatnonzero(mask.any(axis))[0] for axis in (1, 0))
        bottom, right = (np.flatnonzero(mask.any(axis))[-1] for axis in (1, 0))
        name = f"{question.kind}-{index + 1:03}"
        truth = {"rects": [[0, int(left), int(top), int(right - left + 1), int(bottom - top + 1)]],
                 "masks": [f"scenes/{name}-mask.png"]}
        line = {"id": name, "kind": question.kind, "prompt": "<image>" + question.text,
                "images": [f"scenes/{name}.png"], "answer": question.answer, "truth": truth}
        yield line, drawn.pictures[index], mask


def main(assets, count):
    (assets / "scenes").mkdir(exist_ok=True)
    for old in (assets / "scenes").glob("*.png"):
        old.unlink()
    with open(assets / "scenes.jsonl", "w", encoding="utf-8") as file:
        for line, picture, mask in lines(count):
            png.write(assets / line["images"][0], picture)
            png.write(assets / line["truth"]["masks"][0], mask)
            file.write(json.dumps(line) + "\n")
    (assets / "pictures").mkdir(exist_ok=True)
    for name, (seed, number) in SAMPLES.items():
        png.write(assets / "pictures" / f"{name}.png", scenes.draw(1, seed, number, SAMPLE_SIDE, grain=0.0).pictures[0])


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 200)
