#!/usr/bin/python3
"""What --proof and --pairs say, against plain recomputation in double precision: sets of units suppressed together,
prompts without some of their text, and the set that changes the answer, which steering must confirm."""
import itertools
import json
import os
import subprocess
import tempfile

import numpy as np

import models
import program
import reference
from test_small import TOLERANCE, text_of

DELETED = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32)
worst = {"pairs": 0.0, "flip": 0.0, "deletion": 0.0}


def close(label, what, found, wanted):
    off = abs(found - wanted)
    worst[what] = max(worst[what], off)
    program.check(off <= TOLERANCE, f"{label}: {what}: {found}, not {wanted}")


def ask(path, prompt, *arguments, units="word", generate=3, about=1):
    return program.run("explain", "-m", path, "-p", prompt, "--units", units, "--generate", str(generate),
                       "--precision",
                       "f32", "--about", str(about), *arguments)


class Truth:
    """The reference's answers about one explanation's token."""

    def __init__(self, model, found, about, direct=False):
        self.model, self.about, self.direct = model, about, direct
        self.prompt = [token["id"] for token in found["prompt"]["tokens"]]
        self.target = [token["id"] for token in found["target"]["tokens"]]
        self.ids = self.prompt + self.target[:-1]
        self.single = [reference.multiplier(unit, len(self.ids), 0.1, None, None) for unit in program.unit_spans(found)]
        self.plain = self.said([()])[0]

    def said(self, sets):
        """Log-probabilities [sets, vocabulary] of the token with each set suppressed: the product of its units'."""
        rows = [len(self.prompt) - 1 + self.about]
        m = [np.prod([np.ones(len(self.ids))] + [self.single[u] for u in units], axis=0) for units in sets]
        return reference.log_probs(self.model, self.ids, rows, m, "row-min-causal", (0, self.model.layers - 1),
                                   direct=self.direct)[:, 0]

    def without(self, prompt):
        """Log-probabilities [vocabulary] after another prompt and the output before the token."""
        ids = list(prompt) + self.target[:self.about]
        return reference.log_probs(self.model, ids, [len(ids) - 1], [None], None, (0, self.model.layers - 1))[0, 0]


def counted(found):
    """The units that answers are about: not specials, not the output, not the first word."""
    return [u for u, unit in enumerate(found["units"]) if unit["kind"] not in ("special", "target") and
            (unit["tokens"][0] > 0 or unit["kind"] not in ("token", "word"))]


def bond(first, second, both, least):
    more, strongest = both - first - second, max((first, second, both), key=abs)
    slight = max(least, 0.1 * abs(strongest))
    if first * second < 0 and min(abs(first), abs(second)) > slight:
        return "opposed"
    if abs(more) <= max(least, 0.1 * max(abs(first) + abs(second), abs(both))):
        return "independent"
    return "standing-in" if (more > 0) == (strongest > 0) else "backing"


def pairs(name, model, path, prompt, direct=False, **options):
    label = f"{name}, pairs, {options}"
    found = ask(path, prompt, "--pairs", *(["--paths", "direct"] if direct else []), **options)
    about = options.get("about", 1)
    truth, said = Truth(model, found, about, direct), found["pairs"]
    program.check(said["complete"] and said["token"] == about and said["id"] == truth.target[about], f"{label}: {said}")
    strength = {u: abs(found["relevance"][u][about]) for u in counted(found)}
    strongest = sorted(strength, key=strength.get, reverse=True)[:6]
    least = min(strength[u] for u in strongest)
    asked = {frozenset(b["units"]) for b in said["bonds"]}
    program.check(len(said["bonds"]) == len(asked) == len(strongest) * (len(strongest) - 1) // 2,
                  f"{label}: {len(asked)} pairs")
    for u in set().union(*asked):
        program.check(strength[u] >= least - TOLERANCE, f"{label}: unit {u} is none of the strongest")
    program.check(0 <= said["noise_floor"] < TOLERANCE, f"{label}: noise {said['noise_floor']}")
    least = max([said["noise_floor"]] + [0.01 * abs(x) for b in said["bonds"] for x in [b["both"], *b["alone"]]])
    for b in said["bonds"]:
        sets = [b["units"][:1], b["units"][1:], b["units"]]
        wanted = truth.plain[said["id"]] - truth.said(sets)[:, said["id"]]
        for value, right in zip(b["alone"] + [b["both"]], wanted):
            close(label, "pairs", value, right)
        close(label, "pairs", b["interaction"], wanted[2] - wanted[0] - wanted[1])
        program.check(b["bond"] == bond(*b["alone"], b["both"], least), f"{label}: {b}")


def random_order(units, which):
    """As the program shuffles: SplitMix64 from a seed for each order."""
    order, state, mask = list(units), which + 1, (1 << 64) - 1
    for i in range(len(order) - 1, 0, -1):
        state = (state + 0x9e3779b97f4a7c15) & mask
        z = ((state ^ state >> 30) * 0xbf58476d1ce4e5b9) & mask
        z = ((z ^ z >> 27) * 0x94d049bb133111eb) & mask
        at = int(((z ^ z >> 31) >> 11) * 2.0 ** -53 * (i + 1))
        order[at], order[i] = order[i], order[at]
    return order


def places(found):
    """Where each unit's text stands in the prompt's bytes."""
    text, at, spans = found["prompt"]["text"].encode(), 0, {}
    for u, unit in enumerate(found["units"]):
        if unit["kind"] in ("special", "target"):
            continue
        body = unit["text"].encode()
        at = text.index(body, at)
        spans[u] = (at, at + len(body))
        at += len(body)
    return spans


def tokenized(path, texts):
    """{text: ids}, as the program reads prompts, all in one run."""
    lines = "".join(json.dumps({"text": text}) + "\n" for text in texts)
    done = subprocess.run(["./atmanscope", "tokenize", "-m", path, "--jsonl", "-"], input=lines.encode(),
                          capture_output=True,
                          timeout=600, check=True)
    return {text: json.loads(line)["ids"] for text, line in zip(texts, done.stdout.splitlines(), strict=True)}


def deletion(label, path, found, truth, units):
    said, text, spans = found["proof"], found["prompt"]["text"].encode(), places(found)
    about, id = said["token"], said["id"]
    orders = [sorted(units, key=lambda u: -found["relevance"][u][about])] + [random_order(units, o) for o in range(3)]
    numbers = [k for k in DELETED if k <= len(units) // 2]

    def rest(order, k):
        gone = {at for u in order[:k] for at in range(*spans[u])}
        return bytes(b for at, b in enumerate(text) if at not in gone).decode()

    ids = tokenized(path, sorted({rest(order, k) for order in orders for k in numbers}))
    known = {prompt: truth.without(tokens)[id] for prompt, tokens in ids.items()}
    program.check([p["deleted"] for p in said["points"]] == numbers, f"{label}: {said['points']}")
    program.check(said["orders"] == (3 if numbers else 0), f"{label}: {said['orders']} orders")
    program.check(said["units"] == len(units), f"{label}: {said['units']} of {len(units)} units can be deleted")
    area, before = 0, (0, 0)
    for point in said["points"]:
        k = point["deleted"]
        ranked, *others = [known[rest(order, k)] for order in orders]
        close(label, "deletion", point["ranked"], ranked)
        close(label, "deletion", point["random"], np.mean(others))
        gap = point["random"] - point["ranked"]
        area, before = area + (gap + before[1]) / 2 * (k - before[0]), (k, gap)
    if numbers:
        close(label, "deletion", said["area"], area / numbers[-1])
    else:
        program.check(said["area"] is None, f"{label}: an area of nothing")


def same_elsewhere(name, path, prompt):
    """A point of the curve is what a run on the edited prompt says of itself."""
    found = ask(path, prompt, "--proof", generate=1, about=0)
    unit = max(counted(found), key=lambda u: found["relevance"][u][0])
    start, end = places(found)[unit]
    rest = (prompt.encode()[:start] + prompt.encode()[end:]).decode()
    again = program.run("explain", "-m", path, "-p", rest, "--target", found["target"]["text"], "--precision", "f32")
    token = again["target"]["tokens"][0]
    program.check(token["id"] == found["proof"]["id"], f"{name}: the target is another token alone")
    close(name, "deletion", found["proof"]["points"][0]["ranked"], token["logprob"])


def flip(label, path, found, truth, units, steer):
    said, id = found["proof"]["flip"], found["proof"]["id"]
    top = int(truth.plain.argmax())

    def done(set_said):
        return int(set_said.argmax()) != id if top == id else int(set_said.argmax()) == id

    program.check(set(said["units"]) <= set(units) and len(said["units"]) <= 16, f"{label}: {said}")
    if not said["units"]:
        return program.check(not said["found"], f"{label}: {said}")
    full = truth.said([said["units"]])[0]
    program.check(done(full) == said["found"], f"{label}: {said}")
    program.check(full.max() - full[said["id"]] < TOLERANCE, f"{label}: it says another than {said}")
    close(label, "flip", said["logprob"], full[said["id"]])
    close(label, "flip", said["asked_logprob"], full[id])
    if said["found"]:
        for rest in itertools.combinations(said["units"], len(said["units"]) - 1):
            program.check(not rest or not done(truth.said([rest])[0]), f"{label}: {rest} of {said['units']} are enough")
    if said["found"] and steer:
        options = [word for unit in said["units"] for word in ("--steer", f"{unit}=0.1")]
        again = program.run("generate", "-m", path, "-p", found["prompt"]["text"], "-n", "1", "--units", steer,
                            *options)
        program.check(again["tokens"][0]["id"] == said["id"],
                      f"{label}: steered it says {again['tokens'][0]['text']!r}")


def proof(name, model, path, prompt, **options):
    label = f"{name}, proof, {options}"
    found = ask(path, prompt, "--proof", *options.pop("more", []), **options)
    about = options.get("about", 1)
    truth, units = Truth(model, found, about), counted(found)
    program.check(found["proof"]["complete"] and found["proof"]["token"] == about, f"{label}: {found['proof']}")
    close(label, "deletion", found["proof"]["logprob"], truth.plain[truth.target[about]])
    deletion(label, path, found, truth, units)
    flip(label, path, found, truth, units,
         options.get("units", "word") if about == 0 and options.get("generate") == 1 else None)
    return found


def main():
    flips = []
    with tempfile.TemporaryDirectory() as folder:
        loaded = {name: (reference.Model(path), path) for name, path in models.build_all(folder).items()}
        for turn, (name, (model, path)) in enumerate(loaded.items()):
            pairs(name, model, path, text_of(10, turn), units=("token", "word")[turn % 2])
            found = proof(name, model, path, text_of(14, 10 * turn), generate=1, about=0)
            flips.append(found["proof"]["flip"])
        model, path = loaded["grouped"]
        pairs("grouped", model, path, text_of(10, 77), direct=True)
        for units in ("token", "sentence"):
            proof("grouped", model, path, text_of(18, 5), units=units, about=2)
        proof("grouped", model, path, text_of(14, 6), about=0, generate=1, more=["--target", " cat"])
        same_elsewhere("grouped", path, text_of(14, 8))
    program.check(any(f["found"] and len(f["units"]) > 1 for f in flips), "no flip set of several units was seen")
    program.check(any(f["found"] for f in flips), "nothing was flipped")
    print("largest differences from the reference: " + ", ".join(f"{value:.1e} nats of {what}"
                                                                 for what, value in worst.items()))
    program.end()


if __name__ == "__main__":
    if not os.path.exists("./atmanscope"):
        program.check(False, "the program is not in the current folder")
        program.end()
    main()
