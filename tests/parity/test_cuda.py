#!/usr/bin/python3
"""Whole explanations on the emulated card (or a real one) against those of the CPU, on the shipped model and on random
small ones of every family, some of which see: with f32 products equal within 1e-3 nats, with bf16 and int8 products of
differences as near as the CPU's own are, or as their rounding allows.  Arguments choose parts of it (PARTS)."""
import json
import os
import subprocess
import sys
import tempfile

import numpy as np

import models
import pictures
import program
import reference

# tests/gpu/run.sh names the program itself and a real card
CARD = os.environ.get("CARD", "tests/cuda_emulation/atmanscope")
DEVICE = os.environ.get("DEVICE", "cuda")
EMULATED = "CARD" not in os.environ
MACHINE = dict(os.environ, EMULATED_CARDS="3")
# what a relevance may be off by, as a share of the greatest one of its map, and besides
ALLOWED = {"f32": (0, 1e-3), "bf16": (0.02, 1e-3), "int8": (0.2, 2e-3)}
PROMPT = "Tom has a red ball, the cat is blue. It was for her and him, with the sun"  # few units are always in f32
STORY, QUESTION = "Anna has a red ball. Tom has a blue hat. ", "What does Tom have?"
TF32 = 0.05  # nats: what 10 bits of mantissa in the plain passes may do
worst = {precision: 0.0 for precision in ALLOWED}
int8_off = {"card": 0.0, "CPU": 0.0}


def explain(binary, device, path, precision, variant, *more):
    prompt = () if "-p" in more else ("-p", PROMPT)
    line = [binary, "explain", "-m", path, *prompt, "--device", device, "--precision", precision, "--suppress",
            variant, "--format", "json", "-q", *more]
    done = subprocess.run(line, stdin=subprocess.DEVNULL, capture_output=True, timeout=600, check=False, env=MACHINE)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(line)}: status {done.returncode}: "
                           f"{done.stderr.decode(errors='replace').strip()}")
    return json.loads(done.stdout)


def numbers(explanation):
    logprobs = [[t["logprob"]] + [c["logprob"] for c in t["candidates"]] for t in explanation["target"]["tokens"]]
    return np.array(explanation["relevance"], float), np.array(logprobs, float)


def refused(label, error):
    """An old card offers neither bf16 nor TF32; anything else is a failure."""
    if "does not offer" in str(error) or "TF32 needs" in str(error):
        program.skip(f"{label}: {error}")
    else:
        program.check(False, f"{label}: {error}")


def compare(name, path, precision, variant, *more, device=DEVICE):
    label = f"{name}, {device}, {precision}, {variant}, {more}"
    try:
        wanted, wanted_logp = numbers(explain("./atmanscope", "cpu", path, "f32", variant, *more))
        found, logp = numbers(explain(CARD, device, path, precision, variant, *more))
        rounded = numbers(explain("./atmanscope", "cpu", path, "int8", variant,
                                  *more))[0] if precision == "int8" else None
    except RuntimeError as error:
        refused(label, error)
        return
    share, floor = ALLOWED[precision]
    off, most = np.abs(found - wanted).max(), np.abs(wanted).max()
    worst[precision] = max(worst[precision], off)
    program.check(off <= share * most + floor,
                  f"{label}: relevance is off by {off:.2g} nats, the greatest is {most:.2g}")
    if rounded is not None:  # the CPU rounds to int8 too
        int8_off["card"] += np.abs(found - wanted).mean()
        int8_off["CPU"] += np.abs(rounded - wanted).mean()
    off = np.abs(logp - wanted_logp).max()
    program.check(off <= 1e-3, f"{label}: log-probs are off by {off:.2g}")
    if "1" in more:
        program.check(not found.any(), f"{label}: factor 1 does not give exactly 0")


def tf32(path):
    """TF32 where it is asked for: other numbers than f32's, and not far from them."""
    wanted = numbers(explain(CARD, DEVICE, path, "f32", "row-min-causal", "--target", " blue ball"))[0]
    try:
        found = numbers(explain(CARD, DEVICE, path, "f32", "row-min-causal", "--target", " blue ball", "--tf32"))[0]
    except RuntimeError as error:
        refused("TF32", error)
        return
    off = np.abs(found - wanted).max()
    least = 1e-9 if EMULATED else 0  # the real library may do without where matrices are as small as these
    program.check(least <= off <= TF32, f"TF32 moves relevance by {off:.2g} nats")


def texts(folder):
    for turn, (name, path) in enumerate(models.build_all(folder).items()):
        variants = reference.VARIANTS if name == "grouped" else reference.VARIANTS[turn % 4:turn % 4 + 1]
        for variant in variants:
            compare(name, path, "f32", variant, "--target", " blue ball")
        compare(name, path, ("bf16", "int8")[turn % 2], "row-min-causal", "--target", " blue ball")
        if turn % 3 == 0:
            compare(name, path, "f32", "row-min", "--factor", "1", "--generate", "2")
        if name == "grouped":
            tf32(path)
            if EMULATED:
                for precision in ALLOWED:
                    compare(name, path, precision, "row-min-causal", "--target", " blue ball", device="cuda:all")
                compare(name, path, "f32", "row-min", "--factor", "1", "--generate", "2", device="cuda:all")
    for turn, name in enumerate(models.FAMILIES):
        path = models.build_all(folder, {name: models.FAMILIES[name]})[name]
        compare(name, path, "f32", reference.VARIANTS[turn % 4], "--target", " blue ball")
        if turn % 4 == 0:
            compare(name, path, ("int8", "bf16")[turn // 4 % 2], "row-min-causal", "--target", " ball")


def sights(folder):
    """Pictures: their towers on the card too, and sight in both directions where the model has that."""
    for name in pictures.PAIRS:
        path, _ = pictures.build(folder, name)
        side = pictures.PAIRS[name][1].side
        file = pictures.write_png(os.path.join(folder, name + ".png"), pictures.picture(side, side, seed=40))
        asked = ("--image", file, "--target", " red")
        compare(name, path, "f32", "row-min-causal", *asked)
        if name == "gemma3":  # whose patches see each other
            compare(name, path, "f32", "row-min", *asked, "--patches", "2x2")
            compare(name, path, "bf16", "row-min-causal", *asked)
            if EMULATED:
                compare(name, path, "f32", "row-min-causal", *asked, device="cuda:all")


def too_wide(folder):
    """Heads wider than a card's attention takes: one sentence, while the model is loaded."""
    path = models.build_all(folder, {"vast": models.Shape(layers=1, heads=2, kv_heads=1, head_dim=288)})["vast"]
    done = subprocess.run([CARD, "explain", "--device", DEVICE, "-m", path, "-p", "a"], capture_output=True,
                          stdin=subprocess.DEVNULL, timeout=60, check=False, env=MACHINE)
    said = done.stderr.decode()
    program.check(done.returncode == 1 and said.count("\n") == 1 and "288" in said and "256" in said,
                  f"heads of 288 columns: {done.returncode}, {said!r}")


def shipped(_):
    """Every kind of pass on the shipped model."""
    assets = os.path.join(os.environ.get("srcdir", ".." if EMULATED else "."), "assets")
    demo = os.path.join(assets, "demo.gguf")
    if not os.path.isfile(demo):
        program.skip("the shipped model is not here")
        return
    for precision in ALLOWED:
        compare("demo", demo, precision, "row-min-causal", "--generate", "3")
    if EMULATED:  # which takes a second for each
        return
    for precision in ALLOWED:  # few units are always in f32
        compare("demo", demo, precision, "row-min-causal", "-p", 12 * STORY + QUESTION, "--generate", "3")
    for variant in reference.VARIANTS:
        compare("demo", demo, "f32", variant, "-p", STORY + QUESTION, "--generate", "2")
    for more in (("--paths", "direct"), ("--layers", "1-2"), ("--units", "word", "--similarity", "0.6"),
                 ("--target", " red", "--foil", " blue"), ("--proof",), ("--pairs",), ("--factor", "1")):
        compare("demo", demo, "f32", "row-min-causal", "-p", STORY + QUESTION, *more)
    picture = os.path.join(assets, "pictures", "cat.png")
    if os.path.isfile(picture):
        compare("demo", demo, "f32", "row-min-causal", "-p", "A", "--image", picture, "--generate", "2")


def refusals(_):
    for device in ("cuda:77", "cuda:x"):
        done = subprocess.run([CARD, "explain", "--device", device, "-m", "none.gguf", "-p", "a"], capture_output=True,
                              stdin=subprocess.DEVNULL, timeout=60, check=False, env=MACHINE)
        lines = done.stderr.decode().strip().split("\n")
        program.check(done.returncode in (1, 2) and len(lines) == 1, f"{device}: status {done.returncode}, {lines}")


PARTS = {"shipped": shipped, "too-wide": too_wide, "texts": texts, "sights": sights, "refusals": refusals}


def main(parts):
    with tempfile.TemporaryDirectory() as folder:
        for part in parts:
            PARTS[part](folder)
    program.check(int8_off["card"] <= 1.5 * int8_off["CPU"] + 1e-4, f"int8 is further off than the CPU's: {int8_off}")
    print("largest differences from the CPU's f32: " + ", ".join(f"{p} {off:.1e} nats" for p, off in worst.items()))
    program.end()


if __name__ == "__main__":
    if not os.path.exists(CARD):
        program.skip("the program on the emulated card is not built")
        program.end()
    main(sys.argv[1:] or PARTS)
