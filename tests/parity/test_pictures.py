#!/usr/bin/python3
"""From pixels to relevance: the program against plain recomputation in double precision, on random small models that
see.

The reference shares nothing with the program but what it says of its tokens and units: the picture goes through the
NumPy tower, the rows through the NumPy decoder, and neighbours are found anew.  Every entry within 1e-3 nats."""
import os
import subprocess
import tempfile

import numpy as np

import pictures
import program
import reference
import test_worker
import tower_reference
import towers

TOLERANCE = 1e-3  # nats
worst = {"relevance": 0.0, "log-prob": 0.0}


def tower_pixels(name, tower, path, file, rgb, folder):
    """[3, side, side] as the tower's original prepares it.  The program's own where it enlarges first: test_vision.py
    and the tests of resizing look at that."""
    if tower.projector != "idefics3":
        mean, deviation = (np.array(c)[:, None, None]
                           for c in (towers.CLIP if tower.projector == "mlp" else towers.HALF))
        return (rgb.transpose(2, 0, 1) / 255.0 - mean) / deviation
    out = os.path.join(folder, "encoded")
    subprocess.run(["./tests/parity/encode_image", path, file, out], check=True, stdin=subprocess.DEVNULL)
    return np.frombuffer(open(out, "rb").read(), "<f4", 3 * tower.side ** 2, 16).reshape(3, tower.side, tower.side)


def held(unit, columns):
    """The tokens of a picture's unit."""
    first = unit["tokens"][0]
    return [first + y * columns + x for y in range(unit["rows"]) for x in range(unit["columns"])]


def multipliers(found, positions, factor, similarity, image_similarity, window, cosine):
    """m [units, positions], by the rule of core/plan.h."""
    images, m = found["prompt"]["images"], []
    for unit, span in zip(found["units"], program.unit_spans(found)):
        if unit["kind"] != "patch":
            m.append(reference.multiplier(span, positions, factor, similarity, cosine))
            continue
        image = images[unit["image"]]
        first, columns, rows = image["first"], image["columns"], image["rows"]
        own, row = held(unit, columns), np.ones(positions)
        for k in range(positions):
            anchors = own
            if window:
                inside = first <= k < first + columns * rows
                x, y = (k - first) % columns, (k - first) // columns
                anchors = [a for a in own if inside and abs((a - first) % columns - x) <= window // 2 and
                           abs((a - first) // columns - y) <= window // 2]
            s = max((cosine[a, k] for a in anchors), default=-np.inf)
            if image_similarity is not None and s >= image_similarity:
                row[k] = max(1 - (1 - factor) * s, 0)
        row[own] = factor
        m.append(row)
    return m


def clear_of(cosine, wanted):
    """The threshold nearest to the wanted one that no pair comes close to, so that rounding cannot decide."""
    values = np.unique(np.append(cosine, [-1, 1]))
    middles = (values[1:] + values[:-1])[np.diff(values) > 1e-4] / 2
    return float(np.round(middles[np.abs(middles - wanted).argmin()], 6))


class Case:
    def __init__(self, name, folder, prompt, sizes):
        self.name, self.prompt = name, prompt
        self.path, mmproj = pictures.build(folder, name)
        self.model, tower = reference.Model(self.path), tower_reference.Tower(mmproj)
        side = pictures.PAIRS[name][1].side
        self.files, self.rows = [], []
        for i in range(sizes):
            rgb = pictures.picture(side, side, seed=40 + i)
            self.files.append(pictures.write_png(os.path.join(folder, f"{name}-{i}.png"), rgb))
            pixels = tower_pixels(name, pictures.PAIRS[name][1], mmproj, self.files[-1], rgb, folder)
            self.rows.append(tower.rows(pixels))

    def run(self, similarity=None, image_similarity=0.7, window=5, patches="auto", units="token",
            variant="row-min-causal",
            factor=0.1, given=(), **more):
        arguments = ["-m", self.path, "-p", self.prompt, "--units", units, "--patches", patches, "--suppress", variant,
                     "--factor", repr(factor), "--window", str(window or "off"), "--precision", "f32", *given]
        for file in self.files:
            arguments += ["--image", file]
        for option, value in more.items():
            arguments += ["--" + option, str(value)]
        return program.run("explain", *arguments)

    def rows_of(self, found):
        mutual = self.name == "gemma3"
        return [(image["first"], rows, mutual) for image, rows in zip(found["prompt"]["images"], self.rows)]

    def compare(self, similarity=None, image_similarity=0.7, window=5, factor=0.1, variant="row-min-causal", **options):
        label = f"{self.name}, {similarity}, {image_similarity}, {window}, {factor}, {variant}, {options}"
        found = self.run(window=window, factor=factor, variant=variant, **options)
        prompt = [token["id"] for token in found["prompt"]["tokens"]]
        target = [token["id"] for token in found["target"]["tokens"]]
        ids, seen = prompt + target[:-1], self.rows_of(found)
        cosine = reference.cosines(self.model, ids, seen)
        m = multipliers(found, len(ids), factor, similarity, image_similarity, window, cosine)
        if image_similarity is not None:
            near = np.abs(cosine - image_similarity).min()
            program.check(near > 1e-5, f"{label}: a pair is within {near:.1g} of the threshold")
        at = np.arange(len(prompt) - 1, len(ids))
        logp = reference.log_probs(self.model, ids, at, [np.ones(len(ids))] + m, variant, (0, self.model.layers - 1),
                                   seen)
        score = logp[:, np.arange(len(target)), target]
        wanted = score[0] - score[1:]
        for u, unit in enumerate(found["units"]):
            wanted[u, np.arange(len(target)) + len(prompt) <= unit["tokens"][0]] = 0
        off = np.abs(np.array(found["relevance"]) - wanted)
        far = np.abs([token["logprob"] for token in found["target"]["tokens"]] - score[0]).max()
        worst["relevance"], worst["log-prob"] = max(worst["relevance"], off.max()), max(worst["log-prob"], far)
        program.check(off.max() <= TOLERANCE, f"{label}: relevance is off by {off.max():.2g} nats")
        program.check(far <= TOLERANCE, f"{label}: log-probs are off by {far:.2g}")
        patches = [u for u, unit in enumerate(found["units"]) if unit["kind"] == "patch"]
        program.check(np.abs(wanted[patches]).max() > 0.01, f"{label}: no patch says anything")
        touched = np.array([(m[u] != 1).sum() - unit["columns"] * unit["rows"]
                            for u, unit in enumerate(found["units"]) if unit["kind"] == "patch"])
        return found, touched, cosine


def compare_all(folder, name, prompt, count):
    case = Case(name, folder, prompt, count)
    found, touched, cosine = case.compare(generate=2)
    program.check(touched.max() > 0, f"{name}: no patch has a neighbour")
    threshold = clear_of(cosine, 0.5)
    both = dict(similarity=threshold, image_similarity=threshold, given=("--similarity", repr(threshold)))
    counts = [case.compare(window=window, generate=1, **both)[1].sum() for window in (1, 3, 5, 0)]
    program.check(counts[0] == 0 and counts[1] < counts[2] < counts[3], f"{name}: neighbours by window: {counts}")
    for patches in ("2x2", "4x4", "whole"):
        case.compare(patches=patches, window=3, units="word", generate=1, **both)
        case.compare(patches=patches, image_similarity=None, given=("--similarity", "off"), variant="log-additive",
                     factor=0.0,
                     target=" red")
    case.compare(window=0, variant="row-min", patches="2x2", generate=3, units="word")
    return found


def editing(folder, name):
    """What is kept from request to request: pictures are encoded once while the text around them changes, forgotten
    when there are many, and what is said is what a fresh worker says."""
    model, mmproj = pictures.build(folder, name)
    side = pictures.PAIRS[name][1].side
    files = [pictures.write_png(os.path.join(folder, f"{i}.png"), pictures.picture(side, side, seed=60 + i))
             for i in range(10)]
    a, b = files[:2]
    base = {"generate": 2, "units": "word", "suppression": 1, "factor": 0.1, "similarity": None, "layers": [0, -1],
            "resume": True}
    steps = [("the <image> ball", [a], True), ("the <image> ball is", [a], False), ("is <image> red", [a], False),
             ("is <image> or <image> red", [a, b], True), ("<image> <image>", [b, a], False),
             ("<image>a<image>", [a, a], False),
             ("no picture", [], False), ("the ball", [b], False), ("all", files, True),
             ("the <image> ball", [a], False),
             ("the ball", [files[4]], False), ("one more", [files[5], files[6]], False)]
    kept = test_worker.Worker(model, mmproj)
    for prompt, images, encoded in steps:
        line = {**base, "prompt": prompt, "images": images}
        answer, fresh = kept.ask(line), test_worker.Worker(model, mmproj)
        alone = fresh.ask(line)
        fresh.close()
        label = f"{name}: {prompt!r}, {len(images)} pictures"
        for cost in ("probes", "kept", "rows", "seconds", "peak"):
            answer.pop(cost), alone.pop(cost)
        program.check(answer.pop("encoded") == encoded, f"{label}: {'not ' if encoded else ''}encoded")
        program.check(alone.pop("encoded") == bool(images), f"{label}: a fresh worker encodes what there is")
        off = max(np.abs(np.array(answer.pop(what), float) - np.array(alone.pop(what), float)).max(initial=0)
                  for what in ("relevance", "direct", "noise"))  # a prefix that is kept ran with other rows beside it
        program.check(answer == alone and off < 2e-5, f"{label}: off by {off:.2g} from what a fresh worker says")
    encoded = [kept.ask({**base, "prompt": "the ball", "images": [file]})["encoded"]
               for file in 2 * files[:8] + 2 * files[:9]]
    program.check(not any(encoded[8:16]), f"eight pictures are kept: {encoded}")
    program.check(all(encoded[24:]), f"of nine in turn none is: {encoded}")
    kept.close()
    blind = test_worker.Worker(model)
    said = blind.ask({**base, "prompt": "the ball", "images": [a]}).get("error", "")
    program.check("--mmproj" in said, f"a model without a tower says {said!r}")
    said = blind.ask({**base, "prompt": "the <image> ball"})
    program.check("relevance" in said, f"without pictures the mark is text: {said}")
    blind.close()


def main():
    with tempfile.TemporaryDirectory(prefix="atmanscope-parity-") as folder:
        compare_all(folder, "llava", "the cat: <image> is it a red ball? <image>", 2)
        found = compare_all(folder, "smolvlm", "<image>the red ball was for", 1)
        kinds = [token["kind"] for token in found["prompt"]["tokens"]]
        program.check(kinds[:3] == ["special"] * 3 and kinds[28] == "special" and kinds.count("image") == 25,
                      f"control tokens around the picture: {kinds}")
        found = compare_all(folder, "gemma3", "is <image> a blue ball?", 1)
        texts = [token["text"] for token in found["prompt"]["tokens"] if token["kind"] == "special"]
        program.check("<start_of_image>" in texts and "<end_of_image>" in texts, f"control tokens of Gemma 3: {texts}")
        editing(folder, "llava")
        editing(folder, "gemma3")
    print(f"largest differences from the reference: relevance {worst['relevance']:.2g} nats, "
          f"log-probs {worst['log-prob']:.2g}")
    program.end()


if __name__ == "__main__":
    main()
