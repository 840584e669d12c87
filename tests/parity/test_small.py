#!/usr/bin/python3
"""The program's relevance against plain full recomputation in double precision, on random small models: every entry of
the matrix within 1e-3 nats, for every variant, factor, layer range, neighbourhood, granularity, target and foil."""
import os
import random
import tempfile

import numpy as np

import models
import program
import reference

TOLERANCE = 1e-3  # nats
worst = {"relevance": 0.0, "log-prob": 0.0}


def text_of(words, seed):
    """Words, known and unknown to the vocabulary, with some punctuation and other scripts."""
    choose = random.Random(seed)
    more = ["cat", "Zurich", "x1", "na\u00efve", "\u4e2d\u6587", "sun", "a", "Tom"]
    out = [choose.choice(models.WORDS + more) + choose.choice(["", "", "", ",", "."]) for _ in range(words)]
    return " ".join(out)


def clear_similarity(model, ids):
    return clear_threshold(reference.cosines(model, ids))


def clear_threshold(cosines):
    """One that a fifth or so of all pairs reach and that no pair comes close to, so that rounding cannot decide."""
    values = np.unique(cosines)
    values = values[values < 0.999]
    upper = values[int(0.7 * len(values)):int(0.9 * len(values)) + 2]
    gap = np.diff(upper).argmax()
    return float(np.round((upper[gap] + upper[gap + 1]) / 2, 6))


def compare_output(label, tokens, logp, greedy):
    """The output's tokens and candidates with their log-probs, against logp [tokens, vocabulary]."""
    for t, token in enumerate(tokens):
        pairs = [(token["id"], token["logprob"])] + [(c["id"], c["logprob"]) for c in token["candidates"]]
        off = max(abs(logp[t, i] - p) for i, p in pairs)
        best = np.sort(logp[t])[::-1][:len(token["candidates"])]
        off = max(off, np.abs(best - [c["logprob"] for c in token["candidates"]]).max())
        worst["log-prob"] = max(worst["log-prob"], off)
        program.check(off <= TOLERANCE, f"{label}: log-probs of output token {t} are off by {off:.2g}")
        if greedy:
            behind = logp[t].max() - logp[t, token["id"]]
            program.check(behind <= TOLERANCE, f"{label}: token {t} is not the greedy choice, by {behind:.2g} nats")


def compare(name, model, path, prompt, sample=None, **options):
    """Run the program, then the reference on what it says it did, and compare all numbers (of a sample of units)."""
    label = f"{name}, {len(prompt)} characters, {options}"
    try:
        found = program.explain(path, prompt, **options)
    except RuntimeError as error:
        program.check(False, f"{label}: {error}")
        return None
    ids = [token["id"] for token in found["prompt"]["tokens"]]
    target = [token["id"] for token in found["target"]["tokens"]]
    spans, relevance = program.unit_spans(found), np.array(found["relevance"], float)
    program.check(found["complete"] is True, f"{label}: not complete")
    program.check(relevance.shape == (len(spans), len(target)), f"{label}: relevance has shape {relevance.shape}")
    chosen = range(len(spans))
    if sample and sample < len(spans):
        chosen = sorted(random.Random(0).sample(chosen, sample))
    foil = found["foil"]["id"] if "foil" in found else None
    wanted, logp = reference.explain(model, ids, target, [spans[u] for u in chosen],
                                     options.get("variant", "row-min-causal"),
                                     options.get("factor", 0.1), options.get("similarity"), options.get("layers"), foil,
                                     options.get("paths", "all"))
    error = np.abs(relevance[list(chosen)] - wanted)
    worst["relevance"] = max(worst["relevance"], error.max())
    first = np.argwhere(~(error <= TOLERANCE))[:1].tolist()
    program.check(np.all(error <= TOLERANCE), f"{label}: {(error > TOLERANCE).sum()} of {error.size} entries are off, "
                  f"by {error.max():.2g} nats at most, first at (unit, token) {first}")
    compare_output(label, found["target"]["tokens"], logp, "target" not in options)
    if options.get("factor") == 1:
        program.check(not relevance.any(), f"{label}: factor 1 does not give exactly 0")
    return found


def all_variants(name, model, path):
    """Variants and factors in full; targets of 1 to 8 tokens and layer ranges in turn."""
    last, prompt = model.layers - 1, text_of(7, 11)
    ranges = [None, (0, 0), (last, last), (1, last), (0, last - 1)]
    for v, variant in enumerate(reference.VARIANTS):
        for f, factor in enumerate((0.0, 0.1, 0.5, 1.0, 4.0)):
            turn = 5 * v + f
            compare(name, model, path, prompt, variant=variant, factor=factor, generate=1 + turn % 8,
                    layers=ranges[(turn + v) % len(ranges)])


def each_shape(name, model, path):
    prompt = text_of(12, len(name))
    for variant in reference.VARIANTS:
        compare(name, model, path, prompt, variant=variant, generate=3, units="word")
    found = compare(name, model, path, prompt, target=" blue ball", variant="row-min", factor=0.0, units="token")
    if not found:
        return
    ids = [token["id"] for token in found["prompt"]["tokens"] + found["target"]["tokens"]][:-1]
    for variant, factor in (("row-min-causal", 0.1), ("log-additive", 0.0), ("product", 2.0)):
        compare(name, model, path, prompt, target=" blue ball", variant=variant, factor=factor, units="word",
                similarity=clear_similarity(model, ids))
    compare(name, model, path, prompt, target=" red ball", foil=" blue", units="sentence")


def granularities(name, model, path):
    prompt = "Tom has a red ball. The cat is blue!\n\nIt was for her and him,\nwith the sun. No \u4e2d\u6587 here"
    for units in ("token", "word", "sentence", "paragraph", "auto", "[ae]"):
        compare(name, model, path, prompt, generate=2, units=units)
        compare(name, model, path, prompt, generate=2, units=units, variant="log-additive", factor=0.0)
    for target, foil in ((" red", " blue"), (" the ball", " the hat"), ("abc", "abd"), (" his", " hers")):
        compare(name, model, path, prompt, target=target, foil=foil, units="word")


def lengths(name, model, path):
    """1 to 300 tokens: letters of which each is a token of its own."""
    choose = random.Random(5)
    for length in (1, 2, 3, 7, 16, 33, 64, 65, 127, 200, 300):
        prompt = "".join(choose.choice("BCDFGHJKLMNPQRSTVWXYZ") for _ in range(length))
        found = compare(name, model, path, prompt, sample=10, generate=1 + length % 4,
                        variant=reference.VARIANTS[length % 4])
        if found:
            program.check(len(found["prompt"]["tokens"]) == length, f"{name}: {length} letters are other tokens")


def direct(name, model, path):
    """Only the rows that predict the target are turned down, among the plain pass's keys and values."""
    last, prompt = model.layers - 1, text_of(12, len(name))
    for variant, factor, layers in (("row-min-causal", 0.1, None), ("row-min", 0.0, (0, last - 1)),
                                    ("product", 2.0, (1, last)),
                                    ("log-additive", 0.0, (0, 0))):
        found = compare(name, model, path, prompt, generate=4, units="word", variant=variant, factor=factor,
                        layers=layers,
                        paths="direct")
        program.check(found and found["noise_floor"] < TOLERANCE,
                      f"{name}: the program's own check of direct paths fails")
    compare(name, model, path, prompt, target=" red ball", foil=" blue", paths="direct")


def weights(name, path):
    """Weights left in the file, or expanded and kept: the same numbers, in less memory or in less time."""
    mapped, expanded = (program.explain(path, text_of(12, 3), generate=2, weights=kind)
                        for kind in ("mapped", "expanded"))
    difference = np.abs(np.subtract(mapped["relevance"], expanded["relevance"])).max()
    program.check(difference <= 1e-5, f"{name}: weights mapped and expanded differ by {difference:.2g} nats")


def steering(name, model, path):
    """Units turned up or down while the output is generated.  (Not row-min: the minimum over keys that are still to
    come is not known while generating.)"""
    prompt = text_of(9, 4)
    for variant, steers in (("row-min-causal", {1: 0.0}), ("log-additive", {0: 0.0, 3: 3.0}),
                            ("product", {2: 4.0, 5: 0.1})):
        label = f"{name}, {variant}, steered by {steers}"
        options = [word for unit, factor in steers.items() for word in ("--steer", f"{unit}={factor}")]
        found = program.run("generate", "-m", path, "-p", prompt, "-n", "6", "--units", "token", "--suppress", variant,
                            *options)
        ids, out = ([token["id"] for token in tokens] for tokens in (found["prompt"]["tokens"], found["tokens"]))
        fed = ids + out[:-1]
        m = np.ones(len(fed))
        m[list(steers)] = list(steers.values())
        logp = reference.log_probs(model, fed, range(len(ids) - 1, len(fed)), [m], variant, (0, model.layers - 1))[0]
        compare_output(label, found["tokens"], logp, greedy=True)


def main():
    with tempfile.TemporaryDirectory() as folder:
        loaded = {name: (reference.Model(path), path) for name, path in models.build_all(folder).items()}
        for name, (model, path) in loaded.items():
            each_shape(name, model, path)
            direct(name, model, path)
        all_variants("grouped", *loaded["grouped"])
        granularities("grouped", *loaded["grouped"])
        lengths("plain", *loaded["plain"])
        steering("biased", *loaded["biased"])
        weights("mixed", loaded["mixed"][1])
    print(f"largest differences from the reference: {worst['relevance']:.1e} nats of relevance, "
          f"{worst['log-prob']:.1e} of log-prob")
    program.end()


if __name__ == "__main__":
    if not os.path.exists("./atmanscope"):
        program.check(False, "the program is not in the current folder")
        program.end()
    main()
