"""Measure what the demo model sees, in PyTorch: python3 measure_pictures.py FOLDER [SCENES]

Owns the figures: how often the greedy answer is exactly right on held-out scenes, and how often the most relevant patch
(AtMan, row-min-causal, factor 0.1, all layers) lies on the thing that was asked about, for several kinds of unit.
"""

import pathlib
import sys

import numpy as np
import torch
from torch.nn import functional as F

import measure
import packing
import picture_batches
import questions
import scenes
import tower
from picture_batches import BARE_FORM, CONVERSATION, PLACES

KAPPA, WINDOW, FACTOR = 0.7, 5, 0.1


def load_tower(path):
    kept = torch.load(path, weights_only=False)
    seeing = tower.Tower(tower.Config(**kept["config"]))
    seeing.load_state_dict(kept["weights"])
    return measure.rounded(seeing).eval()


class HeldOut:
    """Held-out scenes, seen by a tower, with 16 questions each."""

    @torch.no_grad()
    def __init__(self, seeing, count, seed, kinds=questions.KINDS, shares=questions.SHARES, asked=16):
        asker = questions.Asker(seed)
        self.features, self.things, self.counts, self.coverage, self.asked = [], [], [], [], []
        for first in range(0, count, 100):
            drawn = scenes.draw(min(100, count - first), seed + first)
            self.features.append(seeing(tower.normalised(drawn.pictures)))
            self.things.append(drawn.things)
            self.counts.append(drawn.counts)
            self.coverage.append(drawn.coverage())
            self.asked += [asker.questions(things[:number], asked, kinds, shares)
                           for things, number in zip(drawn.things, drawn.counts)]
        self.features = torch.cat(self.features)
        self.things, self.counts, self.coverage = map(np.concatenate, (self.things, self.counts, self.coverage))

    def batcher(self, words):
        made = picture_batches.Batches(None, self.things, self.counts, self.coverage, 0, neat=True)
        made.vocabulary = words
        return made


@torch.no_grad()
def accuracy(network, words, held_out, form=BARE_FORM, show=0, part=50):
    """{kind: [whether the answer is exact]}; lists by their length, too."""
    right = {}
    batcher = held_out.batcher(words)
    for first in range(0, len(held_out.asked), part):
        chosen = list(range(first, min(first + part, len(held_out.asked))))
        batch = batcher.pack(chosen, [held_out.asked[index] for index in chosen], form)
        states, _ = network(batch["ids"], batch["positions"], packing.attention_mask(batch),
                            features=held_out.features[chosen], first=batch["first"])
        said = batch["weight"] > 0
        missed = torch.zeros(said.shape, dtype=torch.bool)
        missed[said] = network.logits(states[said]).argmax(-1) != batch["target"][said]
        for row, index in enumerate(chosen):
            for branch, question in enumerate(held_out.asked[index], 1):
                own = batch["branch"][row] == branch
                good = not bool((missed[row] & own).any())
                names = [question.kind]
                if question.kind == "list":
                    names.append(f"list of {held_out.counts[index]}")
                for name in names:
                    right.setdefault(name, []).append(good)
                if not good and show > 0:
                    show -= 1
                    print("  wrong:", question.text, "|", question.answer)
    return right


def summary(right):
    whole = [good for kind in questions.KINDS for good in right.get(kind, [])]
    return f"all {np.mean(whole):.4f} " + " ".join(f"{kind} {np.mean(right[kind]):.3f}" for kind in sorted(right))


# -- pointing ----------------------------------------------------------------------------------------------------------

def neighbourhoods(features, window):
    """Factors [places, places] on each patch when one is suppressed with its like."""
    like = F.normalize(features, dim=-1)
    like = like @ like.T
    places = torch.arange(PLACES)
    row, column = places // scenes.GRID, places % scenes.GRID
    near = ((row[:, None] - row).abs() <= window // 2) & ((column[:, None] - column).abs() <= window // 2)
    return torch.where((like >= KAPPA) & near, 1 - (1 - FACTOR) * like.clamp(max=1), 1.0)


def squares():
    """Factors [blocks, places] of blocks of two by two patches."""
    block = np.arange(PLACES) // scenes.GRID // 2 * (scenes.GRID // 2) + np.arange(PLACES) % scenes.GRID // 2
    return torch.from_numpy(np.where(block == np.arange(PLACES // 4)[:, None], FACTOR, 1.0)).float(), block


@torch.no_grad()
def drops(network, batch, features, factors, part=48):
    """What each row of factors [n, places] takes from the log-probability of the answer, in nats, f64."""
    length = batch["ids"].shape[1]
    first, said = batch["first"], batch["weight"][0] > 0
    mask = packing.attention_mask(batch)

    def total(some):
        keys = torch.ones(len(some), length)
        keys[:, first:first + PLACES] = some

        def suppress(scores, seen):
            least = (scores - seen).amin(-1, keepdim=True)  # -seen: inf where a key comes later
            factor = keys[:, None, None, :]
            return torch.where(factor != 1, (scores - least) * factor + least, scores)

        states, _ = network(batch["ids"].expand(len(some), -1), batch["positions"].expand(len(some), -1), mask,
                            change=suppress, features=features.expand(len(some), -1, -1), first=first)
        found = network.logits(states[:, said]).double().log_softmax(-1)
        return found.gather(-1, batch["target"][0, said].expand(len(some), -1)[..., None]).sum((1, 2))

    base = total(torch.ones(1, PLACES))
    return (base - torch.cat([total(some) for some in factors.split(part)])).numpy()


def pointing(network, words, held_out, count):
    """{unit: (share of tops on the thing, on a patch covered a fifth or more, median greatest drop)} over `count`
    rightly answered questions about one thing."""
    batcher, found = held_out.batcher(words), {}
    two, block = squares()
    for index, asked in enumerate(held_out.asked):
        asked = [question for question in asked if question.asked >= 0]
        if not asked or len(found.get("patch", [])) == count:
            continue
        question, features = asked[index % len(asked)], held_out.features[index]
        one = batcher.pack([index], [[question]], BARE_FORM)
        if any(misses(network, one, features)):
            continue
        seen = network.mm(features).detach()
        maps = {"patch": (torch.eye(PLACES) * (FACTOR - 1) + 1, np.arange(PLACES)), "2x2": (two, block),
                "alike in 5x5": (neighbourhoods(seen, WINDOW), np.arange(PLACES)),
                "alike anywhere": (neighbourhoods(seen, 2 * scenes.GRID), np.arange(PLACES))}
        cover = held_out.coverage[index, question.asked]
        for name, (factors, unit) in maps.items():
            values = drops(network, one, features[None], factors)
            top = unit == values.argmax()
            shares = (cover[top] > 0).mean(), (cover[top] >= tower.COVERED).mean()
            found.setdefault(name, []).append((*shares, values.max()))
    return {name: (*np.mean(values, 0)[:2], np.median(values, 0)[2], len(values)) for name, values in found.items()}


@torch.no_grad()
def misses(network, batch, features):
    """For each token of the answer, whether another one is likelier."""
    states, _ = network(batch["ids"], batch["positions"], packing.attention_mask(batch), features=features[None],
                        first=batch["first"])
    said = batch["weight"] > 0
    return network.logits(states[said]).argmax(-1) != batch["target"][said]


def main(folder, count):
    torch.set_num_threads(2)
    network, words = measure.load(folder / "demo.pt")
    seeing = load_tower(folder / "tower.pt")
    held_out = HeldOut(seeing, count, tower.TEST_SEED + 1000)
    for name, form in (("bare", BARE_FORM), ("conversation", CONVERSATION)):
        print(f"{name}: {summary(accuracy(network, words, held_out, form, 8))}", flush=True)
    for name, (on, covered, change, cases) in pointing(network, words, held_out, count // 40).items():
        print(f"{name}: {cases} tops, on the thing {on:.3f}, on a patch covered a fifth {covered:.3f}, "
              f"median greatest drop {change:.2e} nats", flush=True)


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 2000)
