#!/usr/bin/python3
"""The program on Gemma 3 270M Q4_K_M: its greedy text is that of transformers on the dequantised weights
(gemma.golden), and its relevance that of plain full recomputation in double precision."""
import os
import random

import numpy as np

import program
import prompts
import reference

TOLERANCE = 1e-3  # nats
HERE = os.path.dirname(os.path.abspath(__file__))


def continuations(path):
    with open(os.path.join(HERE, "gemma.golden"), encoding="utf-8") as file:
        lines = [[part.split() for part in line.split(":")] for line in file]
    pairs = list(zip(prompts.PROMPTS, lines, strict=True))
    if os.environ.get("SLOW_BUILD"):
        program.skip(f"{len(pairs) - 1} of {len(pairs)} continuations, for the sanitizers slow the program down")
        pairs = pairs[:1]
    for text, (ids, continuation) in pairs:
        found = program.run("generate", "-m", path, "-p", text, "-n", str(len(continuation)))
        for key, wanted in (("prompt", ids), ("tokens", continuation)):
            tokens = found["prompt"]["tokens"] if key == "prompt" else found["tokens"]
            program.check([str(token["id"]) for token in tokens] == wanted, f"{text!r}: other {key} than transformers'")


def relevance(path):
    model, text = reference.Model(path), prompts.PROMPTS[2]
    found = program.explain(path, text, target=" hat", units="word")
    ids, target = ([token["id"] for token in found[part]["tokens"]] for part in ("prompt", "target"))
    spans = program.unit_spans(found)
    sample = sorted(random.Random(1).sample(range(len(spans)), 3))
    wanted, _ = reference.explain(model, ids, target, [spans[u] for u in sample], "row-min-causal", 0.1)
    off = np.abs(np.array(found["relevance"])[sample] - wanted).max()
    program.check(off <= TOLERANCE, f"relevance is off by {off:.2g} nats")
    print(f"largest difference from the reference: {off:.1e} nats of relevance")


def main():
    path = program.model("gemma3-270m")
    if path:
        continuations(path)
        relevance(path)
    else:
        program.skip("Gemma 3 270M is not there: ./start get gemma3-270m")
    program.end()


if __name__ == "__main__":
    if not os.path.exists("./atmanscope"):
        program.check(False, "the program is not in the current folder")
        program.end()
    main()
