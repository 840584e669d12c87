#!/usr/bin/python3
"""Whole explanations on the emulated card (or a real one) against those of the CPU, on random small models, some of which
see: with f32 products equal within 1e-3 nats, with bf16 and int8 products of differences as near as their rounding
allows."""
import json
import os
import subprocess
import tempfile

import numpy as np

import models
import pictures
import program
import reference

# tests/gpu/run.sh names the program itself and a real card
CARD = os.environ.get("CARD", "tests/cuda_emulation/atmanscope")
DEVICE = os.environ.get("DEVICE", "cuda")
# what a relevance may be off by, as a share of the greatest one of its map, and besides
ALLOWED = {"f32": (0, 1e-3), "bf16": (0.02, 1e-3), "int8": (0.2, 2e-3)}
FAMILIES = ("gemma2", "gemma3", "gpt2", "gptneox", "olmo2")  # which ask the device for all it can do
PROMPT = "Tom has a red ball, the cat is blue. It was for her"
worst = {precision: 0.0 for precision in ALLOWED}


def explain(binary, device, path, precision, variant, *more):
    line = [binary, "explain", "-m", path, "-p", PROMPT, "--device", device, "--precision", precision, "--suppress",
            variant, "--format", "json", "-q", *more]
    done = subprocess.run(line, stdin=subprocess.DEVNULL, capture_output=True, timeout=600, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(line)}: status {done.returncode}: {done.stderr.decode(errors='replace').strip()}")
    return json.loads(done.stdout)


def numbers(explanation):
    logprobs = [[t["logprob"]] + [c["logprob"] for c in t["candidates"]] for t in explanation["target"]["tokens"]]
    return np.array(explanation["relevance"], float), np.array(logprobs, float)


def compare(name, path, precision, variant, *more):
    label = f"{name}, {precision}, {variant}, {more}"
    try:
        wanted, wanted_logp = numbers(explain("./atmanscope", "cpu", path, "f32", variant, *more))
        found, logp = numbers(explain(CARD, DEVICE, path, precision, variant, *more))
    except RuntimeError as error:
        program.check(False, f"{label}: {error}")
        return
    share, floor = ALLOWED[precision]
    off, most = np.abs(found - wanted).max(), np.abs(wanted).max()
    worst[precision] = max(worst[precision], off)
    program.check(off <= share * most + floor, f"{label}: relevance is off by {off:.2g} nats, the greatest is {most:.2g}")
    off = np.abs(logp - wanted_logp).max()
    program.check(off <= 1e-3, f"{label}: log-probs are off by {off:.2g}")
    if "1" in more:
        program.check(not found.any(), f"{label}: factor 1 does not give exactly 0")


def refusals():
    for device in ("cuda:77", "cuda:x"):
        done = subprocess.run([CARD, "explain", "--device", device, "-m", "none.gguf", "-p", "a"], capture_output=True,
                              stdin=subprocess.DEVNULL, timeout=60, check=False)
        lines = done.stderr.decode().strip().split("\n")
        program.check(done.returncode in (1, 2) and len(lines) == 1, f"{device}: status {done.returncode}, {lines}")


def main():
    with tempfile.TemporaryDirectory() as folder:
        for turn, (name, path) in enumerate(models.build_all(folder).items()):
            variants = reference.VARIANTS if name == "grouped" else reference.VARIANTS[turn % 4:turn % 4 + 1]
            for variant in variants:
                compare(name, path, "f32", variant, "--target", " blue ball")
            compare(name, path, ("bf16", "int8")[turn % 2], "row-min-causal", "--target", " blue ball")
            if turn % 3 == 0:
                compare(name, path, "f32", "row-min", "--factor", "1", "--generate", "2")
        for turn, name in enumerate(FAMILIES):
            path = models.build_all(folder, {name: models.FAMILIES[name]})[name]
            compare(name, path, "f32", reference.VARIANTS[turn % 4], "--target", " blue ball")
        for turn, name in enumerate(pictures.PAIRS):
            path, tower = pictures.build(folder, name)
            image = pictures.write_png(os.path.join(folder, name + ".png"), pictures.picture(70, 50, turn))
            compare(name, path, "f32", reference.VARIANTS[turn], "--mmproj", tower, "--image", image, "--generate", "2")
    demo = os.path.join(os.environ.get("srcdir", ".."), "assets", "demo.gguf")
    if os.path.isfile(demo):
        for precision in ALLOWED:
            compare("demo", demo, precision, "row-min-causal", "--generate", "3")
    else:
        program.skip("the shipped model is not here")
    refusals()
    print("largest differences from the CPU's f32: " + ", ".join(f"{p} {off:.1e} nats" for p, off in worst.items()))
    program.end()


if __name__ == "__main__":
    if not os.path.exists(CARD):
        program.skip("the program on the emulated card is not built")
        program.end()
    main()
