#!/usr/bin/python3
"""Rows of pictures in the decoder's input against plain full recomputation in double precision, on random small models:
log-probabilities and relevance within 1e-3, where pictures look back like text and where their positions see each other
(Gemma 3), over prompts and pictures longer than the window; what is kept from one sequence to the next is right."""
import json
import os
import subprocess
import tempfile

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # matrices as small as these are slower on several threads
import numpy as np

import models
import program
import reference
import test_small

worst = {"log-prob": 0.0, "relevance": 0.0, "plain passes": 0.0}
LONG = 60 if "SLOW_BUILD" in os.environ else 150


class Baselines:
    """Two ask_baseline processes, one that keeps all activations and one that makes them anew, and what they are
    asked."""

    def __init__(self, name, path):
        self.name, self.model = name, reference.Model(path)
        self.processes = {how: subprocess.Popen(["./tests/parity/ask_baseline", path, how], stdin=subprocess.PIPE,
                                                stdout=subprocess.PIPE) for how in ("keep", "walk")}

    def ask(self, line):
        """What each says to it."""
        for process in self.processes.values():
            process.stdin.write(json.dumps(line).encode() + b"\n")
            process.stdin.flush()
        answers = {how: process.stdout.readline() for how, process in self.processes.items()}
        if not all(answers.values()):
            statuses = [process.wait() for process in self.processes.values()]
            raise RuntimeError(f"ask_baseline ended with status {statuses}")
        return {how: json.loads(answer) for how, answer in answers.items()}

    def compare(self, sequence, targets, units, fed, variant="row-min-causal", factor=0.1, similarity=None, layers=None,
                direct=False):
        """Ask, and compare all that is said.  sequence: lists of ids, and Pictures; fed: how much of it is new."""
        ids, pictures, given = [], [], []
        for part in sequence:
            if isinstance(part, Picture):
                pictures.append([part.id, part.mutual, part.rows.tolist()])
                given.append((len(ids), part.rows, part.mutual))
                part = part.ids()
            ids = ids + part
        options = dict(factor=factor, similarity=similarity, layers=layers or (0, self.model.layers - 1))
        answers = self.ask(dict(prompt=ids, targets=targets, pictures=pictures, units=units,
                                suppression=reference.VARIANTS.index(variant), direct=direct, **options))
        label = (f"{self.name}: {len(ids)} positions, pictures at {[p[0] for p in given]}, {variant}, "
                 f"{options}{', direct' * direct}")
        spans = [(first, last, 1.0, 1.0) for first, last in units]
        wanted, logp = reference.explain(self.model, ids, targets, spans, variant, pictures=given,
                                         paths="direct" if direct else "all", **options)
        program.check(np.abs(wanted).max() > 1e-2, f"{label}: nothing matters")
        # what stands at or after a target token does not explain it, even where tokens like it stand before
        before = np.array(units)[:, :1] < len(ids) + np.arange(len(targets))
        for how, answer in answers.items():
            if "error" in answer:
                program.check(False, f"{label}, {how}: {answer['error']}")
                continue
            for what, found, right in (("log-prob", answer["logprobs"], logp),
                                       ("relevance", answer["relevance"] * before, wanted),
                                       ("plain passes", answer["plain"] * before, wanted)):
                off = np.abs(found - right).max(initial=0)
                worst[what] = max(worst[what], off)
                program.check(off <= test_small.TOLERANCE, f"{label}, {how}: {what} is off by {off:.2g}")
            program.check(answer["fed"] == fed, f"{label}, {how}: {answer['fed']} positions were run, not {fed}")

    def close(self):
        for how, process in self.processes.items():
            process.stdin.close()
            program.check(process.wait() == 0, f"ask_baseline {how} ended with status {process.returncode}")


class Picture:
    """Random rows, of the size that a model's embeddings have."""
    used = 0

    def __init__(self, model, count, mutual, seed):
        rng = np.random.default_rng(seed)
        size = model.embed(range(300)).std()
        alike = rng.normal(0, size, (3, model.width))[rng.integers(0, 3, count)]
        self.rows = alike + rng.normal(0, size / 2, alike.shape)
        self.mutual, self.id = mutual, -1 - Picture.used
        Picture.used += count

    def ids(self):
        return list(range(self.id, self.id - len(self.rows), -1))


def text(count, seed):
    return np.random.default_rng(seed).integers(3, 300, count).tolist()


def singles(positions, step=1):
    return [[p, p] for p in range(0, positions, step)]


def each_model(name, path, mutual):
    """One picture in the middle, with every variant; then others, of which something is kept."""
    baseline = Baselines(name, path)
    model, a, b = baseline.model, text(6, 1), text(9, 2)
    one, two = Picture(model, 17, mutual, 3), Picture(model, 12, mutual, 4)
    last = model.layers - 1
    for turn, variant in enumerate(reference.VARIANTS):
        baseline.compare([a, one, b], [20, 30], singles(32), 0 if turn else 32, variant, (0.1, 0.0, 2.0, 0.0)[turn])
    baseline.compare([a, one, b], [20], [[3, 7], [8, 9], [6, 22], [20, 25], [31, 31]], 0, factor=0.3, layers=(1, last))
    near = clear_similarity(model, a + one.ids() + b + [20], [(6, one.rows, mutual)])
    baseline.compare([a, one, b], [20, 30], singles(33, 2), 0, similarity=near)
    baseline.compare([a, one, b[:3] + a], [20], singles(32, 3), 6)
    baseline.compare([a, one], [20], singles(23, 3), 0)  # a picture is the last thing fed
    baseline.compare([a, one], [20], singles(23), 0, direct=True)
    baseline.compare([a, two, one, b], [20, 30], singles(44, 3), 38)
    baseline.compare([a, two, one, b], [20, 30], singles(44), 0, variant="product", factor=2.0, direct=True)
    baseline.compare([two, one], [20], singles(29, 3), 29)
    baseline.compare([one], [20], singles(17), 17, variant="row-min")  # nothing but a picture
    baseline.compare([a[:2], one, b, two, a[:1], one], [20, 30], singles(58, 5), 58, variant="row-min", factor=0.0)
    long, before = Picture(model, LONG // 2, mutual, 5), text(LONG // 3, 6)
    end = len(before) + LONG // 2
    units = [*singles(end, 29), [len(before) + 3, end - 4], [end, end + 3], [end + 6, end + 6]]
    baseline.compare([before, long, b], [20], units, end + 9)
    cut(baseline, a, one, mutual)
    baseline.close()


def cut(baseline, a, picture, mutual):
    """Part of a picture is refused where its positions see each other, and so are ids that are no picture's."""
    model = baseline.model
    line = dict(targets=[20], units=[[0, 0]], suppression=0, factor=0.1, similarity=None, layers=[0, model.layers - 1],
                pictures=[[picture.id, mutual, picture.rows.tolist()]])
    for ids, refused in ((picture.ids()[:-1], mutual), ([-100000], True)):
        answers = baseline.ask(dict(prompt=a + ids, **line))
        program.check(all(("error" in answer) == refused for answer in answers.values()),
                      f"{baseline.name}: {ids[0]} ...")


def clear_similarity(model, ids, pictures):
    """As test_small.clear_similarity()."""
    values = np.unique(reference.cosines(model, ids, pictures))
    values = values[values < 0.999]
    upper = values[int(0.8 * len(values)):int(0.95 * len(values))]
    gap = np.diff(upper).argmax()
    return float(np.round((upper[gap] + upper[gap + 1]) / 2, 6))


def main():
    with tempfile.TemporaryDirectory() as folder:
        for name, mutual in (("gemma3", True), ("gemma3-listed", True), ("gemma2", True), ("gpt2", False),
                             ("qwen2", True)):
            path = os.path.join(folder, name + ".gguf")
            models.build(path, models.FAMILIES[name])
            try:
                each_model(name, path, mutual)
            except RuntimeError as error:
                program.check(False, f"{name}: {error}")
    print("largest differences from the reference: " + ", ".join(f"{value:.1e} of {what}"
                                                                 for what, value in worst.items()))
    program.end()


if __name__ == "__main__":
    main()
