#!/usr/bin/python3
"""The program on SmolLM2-135M: its text against transformers' (golden.json), its relevance against PyTorch's golden
rows and against plain full recomputation, at lengths up to 300 tokens."""
import json
import os
import random

import numpy as np

import program
import reference

TOLERANCE = 1e-3  # nats
HERE = os.path.dirname(os.path.abspath(__file__))
worst = {"golden": 0.0, "reference": 0.0, "log-prob": 0.0}


def note(kind, difference, label):
    size = float(np.abs(difference).max())
    worst[kind] = max(worst[kind], size)
    program.check(size <= TOLERANCE, f"{label}: differs by {size:.2g} nats")


def continuations(path, golden):
    prompts = golden["prompts"]
    if os.environ.get("SLOW_BUILD"):
        program.skip(f"{len(prompts) - 2} of {len(prompts)} continuations, for the sanitizers slow the program down")
        prompts = prompts[:2]
    for entry in prompts:
        found = program.run("generate", "-m", path, "-p", entry["text"], "-n", str(len(entry["continuation"])))
        ids = [token["id"] for token in found["prompt"]["tokens"]]
        program.check(ids == entry["ids"], f"{entry['text']!r}: tokens {ids}, not {entry['ids']}")
        out = [token["id"] for token in found["tokens"]]
        program.check(out == entry["continuation"],
                      f"{entry['text']!r}: continued with {out}, not {entry['continuation']}")
        program.check(found["text"] == entry["text_after"],
                      f"{entry['text']!r}: the continuation's text is {found['text']!r}")
        if out == entry["continuation"]:
            note("log-prob", np.subtract([token["logprob"] for token in found["tokens"]], entry["logprob"]),
                 entry["text"])


def golden_rows(path, golden):
    for row in golden["relevance"]:
        entry = golden["prompts"][row["prompt"]]
        how = {key: row[key] for key in ("variant", "factor", "similarity", "layers") if key in row}
        found = program.explain(path, entry["text"], generate=row["targets"], **how)
        label = f"{entry['text']!r}, {how}"
        if np.shape(found["relevance"]) == np.shape(row["values"]):
            note("golden", np.subtract(found["relevance"], row["values"]), label)
        else:
            program.check(False, f"{label}: relevance has shape {np.shape(found['relevance'])}")


def reference_rows(path, golden):
    """The NumPy reference agrees with PyTorch's rows, so it may speak for lengths that the golden file has not."""
    model = reference.Model(path)
    row = golden["relevance"][0]
    entry = golden["prompts"][row["prompt"]]
    units = [(i, i, 1, 1) for i in range(4)]
    wanted, _ = reference.explain(model, entry["ids"], entry["continuation"][:row["targets"]], units, row["variant"],
                                  row["factor"])
    note("golden", wanted - row["values"][:4], "the NumPy reference")
    choose = random.Random(3)
    cases = [(40, "word", "row-min"), (120, "sentence", "row-min-causal"), (220, "sentence", "log-additive")]
    for length, units, variant in cases[:1] if os.environ.get("SLOW_BUILD") else cases:
        words = [choose.choice("the ball is red and blue Tom has a cat in Paris. What of it? Yes, he said.".split())
                 for _ in range(length)]
        found = program.explain(path, " ".join(words), target=" red ball", units=units, variant=variant)
        spans = program.unit_spans(found)
        sample = sorted(choose.sample(range(len(spans)), 4 if length < 100 else 2))
        ids, target = ([token["id"] for token in found[part]["tokens"]] for part in ("prompt", "target"))
        wanted, logp = reference.explain(model, ids, target, [spans[u] for u in sample], variant, 0.1)
        label = f"{len(ids)} tokens, {variant}"
        note("reference", np.array(found["relevance"])[sample] - wanted, label)
        note("log-prob", [logp[t, i] - found["target"]["tokens"][t]["logprob"] for t, i in enumerate(target)], label)


def main():
    path = program.model("smollm2")
    if not path:
        program.skip("SmolLM2 is not there: ./start get smollm2 fetches it")
        program.end()
    with open(os.path.join(HERE, "golden.json"), encoding="utf-8") as file:
        golden = json.load(file)
    for part in (continuations, golden_rows, reference_rows):
        try:
            part(path, golden)
        except RuntimeError as error:
            program.check(False, str(error))
    print(f"largest differences: {worst['golden']:.1e} nats from PyTorch's relevance, {worst['reference']:.1e} "
          f"from the reference's, {worst['log-prob']:.1e} of log-prob")
    program.end()


if __name__ == "__main__":
    main()
