"""The demo model's eyes: a small CLIP-style vision tower in PyTorch, and how it is taught to see.

Owns the network and its training on scenes.  It is taught densely: linear heads, which do not ship, tell from each
patch's features the kind, the colour and the centre of the thing that covers it.  Projector and decoder are model.py's.
"""

import dataclasses
import time

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

import optimiser
import scenes

MEAN, STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)  # CLIP's
COVERED, FAINT = 0.2, 0.06  # share of a patch that makes it a thing's; below FAINT: background; between: not taught
TEST_SEED = 900_000_000     # scenes that no training stage draws


@dataclasses.dataclass
class Config:
    width: int = 128
    layers: int = 6
    heads: int = 4
    inner: int = 512
    side: int = scenes.SIDE
    patch: int = scenes.PATCH
    epsilon: float = 1e-5


def normalised(pictures):
    """[n, side, side, 3] u8 -> [n, 3, side, side]"""
    x = torch.from_numpy(pictures).permute(0, 3, 1, 2).float() / 255
    return (x - torch.tensor(MEAN).view(3, 1, 1)) / torch.tensor(STD).view(3, 1, 1)


class Block(nn.Module):
    def __init__(self, config):
        super().__init__()
        width = config.width
        self.heads = config.heads
        self.ln1, self.ln2 = nn.LayerNorm(width, config.epsilon), nn.LayerNorm(width, config.epsilon)
        self.attn_q, self.attn_k, self.attn_v = (nn.Linear(width, width) for _ in range(3))
        self.attn_out = nn.Linear(width, width)
        self.ffn_up, self.ffn_down = nn.Linear(width, config.inner), nn.Linear(config.inner, width)
        for last in (self.attn_out, self.ffn_down):
            nn.init.normal_(last.weight, std=0.04 / config.layers ** 0.5)

    def forward(self, x):
        h = self.ln1(x)
        split = lambda y: y.unflatten(-1, (self.heads, -1)).transpose(1, 2)
        mixed = F.scaled_dot_product_attention(split(self.attn_q(h)), split(self.attn_k(h)), split(self.attn_v(h)))
        x = x + self.attn_out(mixed.transpose(1, 2).flatten(2))
        h = self.ffn_up(self.ln2(x))
        return x + self.ffn_down(h * torch.sigmoid(1.702 * h))


class Tower(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.config = config
        places = (config.side // config.patch) ** 2
        self.patch_embd = nn.Conv2d(3, config.width, config.patch, config.patch, bias=False)
        self.position_embd = nn.Embedding(places, config.width)
        nn.init.normal_(self.position_embd.weight, std=0.02)
        self.pre_ln = nn.LayerNorm(config.width, config.epsilon)
        self.blk = nn.ModuleList(Block(config) for _ in range(config.layers))

    def forward(self, pictures):
        """pictures [n, 3, side, side], normalised -> features [n, places, width], rows of patches from the top"""
        x = self.patch_embd(pictures).flatten(2).transpose(1, 2) + self.position_embd.weight
        x = self.pre_ln(x)
        for block in self.blk:
            x = block(x)
        return x


class Teacher(nn.Module):
    """The heads that read a patch's features during training."""

    def __init__(self, config):
        super().__init__()
        self.kind = nn.Linear(config.width, len(scenes.KINDS) + 1)
        self.colour = nn.Linear(config.width, len(scenes.COLOURS) + 1)
        self.centre = nn.Linear(config.width, 2)
        self.background = nn.Embedding((config.side // config.patch) ** 2, config.width)
        nn.init.zeros_(self.background.weight)


@dataclasses.dataclass
class Lesson:
    """Scenes as tensors: what each patch shows.  kind, colour: 0 for background, -100 where unclear."""
    pictures: torch.Tensor
    kind: torch.Tensor
    colour: torch.Tensor
    centre: torch.Tensor   # [n, places, 2], -1 to 1
    owner: torch.Tensor    # [n, places] the thing, -1 background, -2 unclear


def lesson(drawn):
    coverage = drawn.coverage()
    most = coverage.max(1)
    owner = np.where(most >= COVERED, coverage.argmax(1), np.where(most < FAINT, -1, -2))
    things = np.take_along_axis(drawn.things, np.maximum(owner, 0), 1)
    names = [np.where(owner >= 0, things[field] + 1, np.where(owner == -1, 0, -100)) for field in ("kind", "colour")]
    centre = np.stack([things["x"], things["y"]], -1) / (scenes.SIDE / 2) - 1
    parts = [torch.from_numpy(part) for part in (*names, centre, owner)]
    return Lesson(normalised(drawn.pictures), parts[0].long(), parts[1].long(), parts[2], parts[3])


def loss_of(tower, teacher, taught):
    features = tower(taught.pictures)
    thing, background = taught.owner >= 0, taught.owner == -1
    weight = thing.float() + 0.3 * background.float()
    named = 0
    for head, name in ((teacher.kind, taught.kind), (teacher.colour, taught.colour)):
        losses = F.cross_entropy(head(features).flatten(0, 1), name.flatten(), reduction="none", ignore_index=-100)
        named = named + (losses * weight.flatten()).sum() / weight.sum()
    away = (teacher.centre(features) - taught.centre)[thing].abs().mean()
    plain = ((features - teacher.background.weight) ** 2).mean(-1)[background].mean()
    return named + 2 * away + 0.1 * plain


class Lessons(torch.utils.data.IterableDataset):
    """Endless batches of fresh scenes; the first `easy` ones have any number of things alike."""

    def __init__(self, seed, size, easy):
        self.seed, self.size, self.easy = seed, size, easy

    def __iter__(self):
        torch.set_num_threads(1)
        made = 0
        while True:
            first = self.seed * 10_000_000 + made * self.size
            numbers = np.random.default_rng(first).integers(1, scenes.MOST + 1, self.size) if made < self.easy else None
            yield lesson(scenes.draw(self.size, first, numbers))
            made += 1


@torch.no_grad()
def things_named(tower, teacher, count=256):
    """The share of things of new scenes whose kind, and whose kind and colour, their patches together tell."""
    taught = lesson(scenes.draw(count, TEST_SEED))
    features = tower(taught.pictures)
    kinds, colours = (head(features).log_softmax(-1) for head in (teacher.kind, teacher.colour))
    right = []
    for row in range(count):
        for thing in range(scenes.MOST):
            own = taught.owner[row] == thing
            if own.any():
                kind = kinds[row, own].sum(0).argmax() == taught.kind[row, own][0]
                colour = colours[row, own].sum(0).argmax() == taught.colour[row, own][0]
                right.append((bool(kind), bool(kind & colour)))
    return np.mean(right, axis=0)


def train(seed, steps=2000, size=32, rate=3e-3, every=400, say=print):
    """A tower taught on steps x size scenes."""
    torch.manual_seed(seed)
    config = Config()
    tower, teacher = Tower(config), Teacher(config)
    both = nn.ModuleDict({"tower": tower, "teacher": teacher})
    turning = optimiser.Optimiser(both, rate, steps)
    loader = torch.utils.data.DataLoader(Lessons(seed, size, steps // 10), batch_size=None, num_workers=1,
                                         prefetch_factor=4)
    start, total = time.time(), 0.0
    for step, taught in enumerate(loader, 1):
        loss = loss_of(tower, teacher, taught)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(both.parameters(), 1.0)
        turning.step()
        total += loss.item()
        if step % 50 == 0:
            say(f"tower {step} {time.time() - start:.0f}s loss {total / 50:.4f}")
            total = 0.0
        if step % every == 0 or step == steps:
            kind, both_right = things_named(tower, teacher)
            say(f"tower {step}: kind right {kind:.4f}, kind and colour {both_right:.4f}")
        if step == steps:
            return tower.eval()
