#!/usr/bin/python3
"""The maps that `eval` compares, and their scores, against NumPy, on random small models: the method, direct paths and
attention rollout by plain recomputation in double precision; leaving words out and deletion by running the reference on
the shorter prompts; hit, soft precision and recall from their definitions."""
import json
import os
import subprocess
import tempfile

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # matrices as small as these are slower on several threads
import numpy as np

import models
import program
import reference

TOLERANCE = 1e-3  # nats
PROMPT, TARGET, TRUTH = "the red ball was for him, and the blue hat was for her", " red ball", ("red", "for", "hat")
NAMES = ("plain", "grouped", "biased", "gemma2", "gemma3", "phi3", "olmo2", "gptneox")
worst = {}


def close(label, kind, found, wanted, tolerance=TOLERANCE):
    error = np.abs(np.asarray(found, float) - wanted).max()
    worst[kind] = max(worst.get(kind, 0), error)
    program.check(error <= tolerance, f"{label}: {kind} is off by {error:.2g}")


class Case:
    """A model with the one case, and what the reference makes of it."""

    def __init__(self, model, path, found):
        explained = program.explain(path, PROMPT, target=TARGET, units="word")
        self.model, self.path = model, path
        self.units = found["units"]
        self.target = [token["id"] for token in explained["target"]["tokens"]]
        self.prompt = [token["id"] for token in explained["prompt"]["tokens"]]
        spans = program.unit_spans(explained)
        self.spans = [spans[unit["unit"]] for unit in self.units]

    def explain(self, paths):
        relevance = reference.explain(self.model, self.prompt, self.target, self.spans, "row-min-causal", 0.1,
                                      paths=paths)[0]
        return relevance.sum(axis=1), (relevance ** 2).sum(axis=1)

    def rollout(self):
        first, ids = len(self.prompt) - 1, self.prompt + self.target[:-1]
        share = reference.rollout(self.model, ids, range(first, first + len(self.target))).sum(axis=0)
        held = np.zeros((len(self.spans), len(ids)))
        for row, (begin, end, begin_share, end_share) in zip(held, self.spans):
            row[begin:end + 1] = 1
            row[end], row[begin] = end_share, begin_share
        return held @ share

    def without(self, deleted):
        """The log-probabilities of the target's tokens when these units' text is deleted."""
        keep = np.ones(len(PROMPT), bool)
        for unit in deleted:
            keep[self.units[unit]["start"]:self.units[unit]["end"]] = False
        text = json.dumps({"text": "".join(np.array(list(PROMPT))[keep])})
        done = subprocess.run(["./atmanscope", "tokenize", "-m", self.path, "--jsonl", "-"], input=text.encode(),
                              capture_output=True, check=True)
        prompt = json.loads(done.stdout)["ids"]
        ids = prompt + self.target[:-1]
        logp = reference.log_probs(self.model, ids, np.arange(len(prompt) - 1, len(ids)), [None], None, (0, -1))[0]
        return logp[np.arange(len(self.target)), self.target]

    def deletion(self, relevance):
        order, whole = np.argsort(-np.array(relevance)), self.without([]).sum()
        counts = [k for k in (1, 2, 4, 8, 16, 32) if k < len(order)]
        return np.mean([whole - self.without(order[:k]).sum() for k in counts])


def scores(label, found, good):
    """hit, ap and ar of one map by their definitions."""
    x, y = np.array(found["weight"]), np.array(good, float)
    close(label, "hit", found["hit"], y[np.array(found["relevance"]) == max(found["relevance"])].mean(), 1e-12)
    close(label, "ap", found["ap"], (x * y).sum() / x.sum(), 1e-12)
    close(label, "ar", found["ar"], (x / x.max() * y).sum() / y.sum(), 1e-12)


def compare(name, path, data):
    model = reference.Model(path)
    found = program.run("eval", "-m", path, data, "--units", "word", "--per-case",
                        "--leave-one-out")["cases"][0]["text"]
    case, maps = Case(model, path, found), found["maps"]
    words = [PROMPT[unit["start"]:unit["end"]].strip(" ,") for unit in case.units]
    program.check(words == PROMPT.replace(",", "").split(), f"{name}: the words are {words}")
    good = [unit["truth"] for unit in case.units]
    program.check(sorted({word for word, is_good in zip(words, good) if is_good}) == sorted(TRUTH) and sum(good) == 3,
                  f"{name}: {[word for word, is_good in zip(words, good) if is_good]} decide")
    for kind, paths in (("method", "all"), ("direct", "direct")):
        relevance, weight = case.explain(paths)
        close(name, kind, maps[kind]["relevance"], relevance)
        close(name, kind + "'s squares", maps[kind]["weight"], weight)
    close(name, "rollout", maps["rollout"]["relevance"], case.rollout(), 1e-4)
    out = case.without([]) - np.array([case.without([unit]) for unit in range(len(words))])
    close(name, "leave one out", maps["leave_one_out"]["relevance"], out.sum(axis=1))
    close(name, "leave one out's squares", maps["leave_one_out"]["weight"], (out ** 2).sum(axis=1))
    close(name, "recency", maps["recency"]["relevance"], np.arange(1, len(words) + 1) / len(words), 1e-12)
    for kind, one in maps.items():
        scores(f"{name}, {kind}", one, good)
        if kind != "uniform":  # whose order is a matter of chance
            close(f"{name}, {kind}", "deletion", one["deletion"], case.deletion(one["relevance"]))


def main():
    shapes = {name: {**models.SHAPES, **models.FAMILIES}[name] for name in NAMES}
    with tempfile.TemporaryDirectory() as folder:
        data = os.path.join(folder, "cases.jsonl")
        spans = [[PROMPT.index(word), PROMPT.index(word) + len(word)] for word in TRUTH]
        with open(data, "w", encoding="utf-8") as file:
            file.write(json.dumps({"prompt": PROMPT, "target": TARGET, "truth": {"spans": spans}}) + "\n")
        for name, path in models.build_all(folder, shapes).items():
            compare(name, path, data)
    print("largest differences from the reference: " + ", ".join(f"{kind} {error:.1e}"
                                                                 for kind, error in worst.items()))
    program.end()


if __name__ == "__main__":
    if not os.path.exists("./atmanscope"):
        program.check(False, "the program is not in the current folder")
        program.end()
    main()
